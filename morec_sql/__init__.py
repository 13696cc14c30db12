"""Multi-objective recommendation inside DuckDB, used from SQL.

Rooms, from the ground up, each of which imports those before it only: `source` (the user's tables),
`catalog` (a recommender as a schema), `answer` (what a query gets), `train` (from tables to a
model), `measure` (how good lists are), `decide` (what is offered to whom) and `clients`.
`morec_sql.udfs` and `morec_sql.sql` are the folders `udfs` and `sql` beside this one.
"""

from .catalog.installed import VERSION
from .clients.decisions import plot_decision
from .clients.pictures import plot_evaluation, plot_explanation, plot_front
from .errors import MorecError
from .extension import connect, load

__version__ = VERSION

__all__ = [
    "MorecError",
    "__version__",
    "connect",
    "load",
    "plot_decision",
    "plot_evaluation",
    "plot_explanation",
    "plot_front",
]
