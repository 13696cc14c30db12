"""Multi-objective recommendation inside DuckDB, used from SQL."""

from .expressions import MorecError
from .extension import VERSION, connect, load

__version__ = VERSION

__all__ = ["MorecError", "__version__", "connect", "load"]
