"""A progress bar on a terminal or in a notebook, and nothing elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class Progress:
    """Shows the stage that runs and, where it is known, how far it is."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        show = console.is_jupyter or sys.stderr.isatty()
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
