"""Where torch computes: on the GPU where there is one, and on which share of the cores."""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_lock = threading.Lock()
_running = 0


def prefetch() -> None:
    """Import torch in a thread, while something else is read: it takes a second."""
    if "torch" not in sys.modules:
        # threads of the database are daemons and would hand that on, but Python ends badly where a
        # daemon is still at work
        threading.Thread(target=_import_torch, daemon=False).start()


def _import_torch() -> None:
    # an error may end Python meanwhile, where torch cannot be imported; whoever needs it asks again
    with contextlib.suppress(RuntimeError):
        importlib.import_module("torch")


@functools.cache
def device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@functools.cache
def _cores() -> int:
    import torch

    return torch.get_num_threads()


@contextlib.contextmanager
def share_of_cores() -> Iterator[None]:
    """Share the cores with calls that run at the same time in other threads of DuckDB's.

    Work on one core each is faster than on all cores in turn.
    """
    import torch

    global _running
    cores = _cores()
    with _lock:
        _running += 1
        torch.set_num_threads(max(1, cores // _running))
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            torch.set_num_threads(cores)
