"""From a command's options to a running batch, with progress on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from ocr_moe.cli.words import phrase, said

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from ocr_moe.api import Run
    from ocr_moe.formats.phrases import Phrase
    from ocr_moe.run.outcome import Notice, Outcome, Progress


@contextmanager
def progress() -> Iterator[tuple[Callable[[Progress], None], Callable[[Notice], None]]]:
    """What hears of files that are done, and what hears of everything else that a run tells.

    A bar on a terminal, a plain line now and then elsewhere; failures in full on both.
    """
    bars = _bars()
    if bars is None:

        def line(step: Progress) -> None:
            if step.failure:
                _complain(said("failure", path=step.path, why=step.failure))
            if step.done == step.total or step.done % max(1, step.total // 10) == 0:
                _complain(said("progress", n=step.done, total=step.total))

        yield line, lambda notice: _complain(said(notice.value))
        return
    with bars:
        task = bars.add_task("", total=None)

        def advance(step: Progress) -> None:
            from rich.markup import escape

            bars.update(
                task, completed=step.done, total=step.total, description=escape(step.path[-48:])
            )
            if step.failure:
                told = said("failure", path=step.path, why=step.failure)
                bars.console.print(f"[red]{escape(told)}[/]", highlight=False)

        yield advance, lambda notice: bars.update(task, description=said(notice.value))


@contextmanager
def steps(words: str) -> Iterator[Callable[[int, int], None]]:
    """What hears which of how many steps of some work is done; `words` tells of it."""
    bars = _bars()
    if bars is None:
        yield lambda done, total: _complain(said(words, n=done, total=total))
        return
    with bars:
        task = bars.add_task("", total=None)

        def advance(done: int, total: int) -> None:
            told = said(words, n=done, total=total)
            bars.update(task, completed=done, total=total, description=told)

        yield advance


def _bars() -> Bars | None:
    """A bar, or None where the standard error is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        return None
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=console,
    )


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def publishing(done: int, total: int) -> None:
    """Tell now and then how far a publication is."""
    if done == total or done % max(1, total // 10) == 0:
        _complain(said("publishing", n=done, total=total))


def published(run: Run, names: Sequence[str]) -> list[str]:
    """Where the files of a run are, of which it is also told where its store is."""
    if run.destination.url is not None:
        typer.echo(said("published", url=str(run.destination), folder=run.folder), err=True)
    return [f"{run.destination}/{name}" for name in names]


def finish(outcome: Outcome | None, written: Sequence[str]) -> None:
    """Say how it went, and exit with 1 when something failed or was left undone."""
    assert outcome is not None
    typer.echo(summary(outcome))
    for path in written:
        typer.echo(f"  {path}")
    if outcome.to_check is not None:
        typer.echo(closing(outcome))
    if outcome.stopped:
        typer.echo(said("stopped", why=outcome.stopped), err=True)
    if outcome.failed or outcome.stopped:
        raise typer.Exit(1)


def summary(outcome: Outcome) -> str:
    """What was done: documents, and questions asked."""
    documents = [phrase("n_documents", n=outcome.documents)]
    if outcome.to_check is None and outcome.failed:
        documents.append(phrase("n_failing", n=outcome.failed))
    if outcome.blank:
        documents.append(phrase("n_pages_blank", n=outcome.blank))
    questions = [phrase("n_questions", n=outcome.asked)]
    if outcome.resumed:
        questions.append(phrase("n_resumed", n=outcome.resumed))
    return said("done", documents=documents, questions=questions)


def closing(outcome: Outcome) -> str:
    """What a person has to look at."""
    check = outcome.to_check
    assert check is not None
    parts: list[Phrase] = [phrase("nothing_to_check")]
    if check.cells:
        documents = phrase("n_documents", n=check.documents)
        parts = [phrase("to_check", cells=phrase("n_cells", n=check.cells), documents=documents)]
    if check.contradicting:
        parts.append(phrase("to_clear_up", documents=phrase("n_documents", n=check.contradicting)))
    failed = []
    if check.failed_documents:
        failed.append(phrase("n_documents", n=check.failed_documents))
    if check.failed_cells:
        failed.append(phrase("n_cells", n=check.failed_cells))
    return said("failed", parts=parts, what=failed) if failed else said("only", parts=parts)
