"""What the stages of a training did, and a progress bar on a terminal or in a notebook."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from types import TracebackType


class Progress:
    """Shows the stage that runs and, where it is known, how far it is."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        # without ipywidgets a notebook would get a warning at every step
        notebook = console.is_jupyter and find_spec("ipywidgets") is not None
        show = notebook or (sys.stderr.isatty() and not console.is_jupyter)
        self.bar = Bar(
            TextColumn("{task.description:12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not show,
        )
        self.task = self.bar.add_task("", total=None)

    def start(self, stage: str) -> None:
        """A new stage begins; how much there is to do is not known yet."""
        self.bar.reset(self.task, total=None, description=stage)

    def advance(self, done: int, total: int) -> None:
        """Of `total` things `done` are done."""
        self.bar.update(self.task, completed=done, total=total)

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.bar.stop()


# a stage with its rows and seconds, or a count of rows without
Stage = tuple[str, int, float | None]
STAGE_TYPES = {"stage": "VARCHAR", "rows": "BIGINT", "seconds": "DOUBLE"}
STAGE_COLUMNS = {
    "stage": "what was done or counted",
    "rows": "rows that it concerned",
    "seconds": "wall time; NULL for a count",
}


class Stages:
    """Collects what each stage did, with its wall time, and shows it on the progress bar."""

    def __init__(self, progress: Progress) -> None:
        self.rows: list[Stage] = []
        self.progress = progress

    def count(self, what: str, rows: int) -> None:
        """Add a count of rows, unless it is 0."""
        if rows:
            self.rows.append((what, rows, None))

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[Callable[[int], None]]:
        """Time a stage; what it gives is to be called with the rows that the stage concerned."""
        self.progress.start(name)
        began = time.perf_counter()
        rows = 0

        def done(count: int) -> None:
            nonlocal rows
            rows = count

        place = len(self.rows)
        yield done
        self.rows.insert(place, (name, rows, round(time.perf_counter() - began, 3)))
