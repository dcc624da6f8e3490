"""A progress bar on a terminal, and nothing where there is none."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from body_guard.recordings.sources import Source

__all__ = ["show_progress"]


@contextmanager
def show_progress() -> Iterator[Callable[[Source], None]]:
    """Show on the standard error which file is being read, and for how long.

    Yields:
        What to call with each file.
    """
    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.completed} files"), TimeElapsedColumn())
    text = TextColumn("{task.description}")
    shown = Progress(
        *columns, text, console=console, transient=True, disable=not sys.stderr.isatty()
    )
    with shown:
        task = shown.add_task("", total=None)

        def tell(source: Source) -> None:
            shown.update(task, advance=1, description=escape(source.name))

        yield tell
