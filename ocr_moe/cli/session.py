"""From a command's options to a running batch, with progress on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ocr_moe.run.outcome import Outcome, Progress


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal, a plain line now and then elsewhere; failures in full on both."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    if not console.is_terminal:

        def line(step: Progress) -> None:
            if step.failure:
                print(f"{step.path}: {step.failure}", file=sys.stderr)
            if step.done == step.total or step.done % max(1, step.total // 10) == 0:
                print(f"{step.done}/{step.total} files", file=sys.stderr, flush=True)

        yield line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Bars(*columns, console=console) as bars:
        task = bars.add_task("", total=None)

        def advance(step: Progress) -> None:
            bars.update(
                task, completed=step.done, total=step.total, description=escape(step.path[-48:])
            )
            if step.failure:
                bars.console.print(f"[red]{escape(step.path)}[/]: {escape(step.failure)}")

        yield advance


def finish(outcome: Outcome | None, written: Sequence[Path]) -> None:
    """Say how it went, and exit with 1 when something failed or was left undone."""
    assert outcome is not None
    resumed = f", {outcome.resumed} files from an earlier start" if outcome.resumed else ""
    pages = "page" if outcome.blank == 1 else "pages"
    blank = f"{outcome.blank} blank {pages}; " if outcome.blank else ""
    typer.echo(
        f"{outcome.documents} documents, {outcome.failed} with failures; {blank}"
        f"{outcome.asked} questions asked{resumed}"
    )
    for path in written:
        typer.echo(f"  {path}")
    if outcome.stopped:
        typer.echo(f"Stopped: {outcome.stopped}", err=True)
    if outcome.failed or outcome.stopped:
        raise typer.Exit(1)
