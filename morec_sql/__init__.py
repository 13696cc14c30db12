"""Multi-objective recommendation inside DuckDB, used from SQL."""

from .expressions import MorecError
from .extension import VERSION, connect, load
from .report import plot_front

__version__ = VERSION

__all__ = ["MorecError", "__version__", "connect", "load", "plot_front"]
