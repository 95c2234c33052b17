"""From a command's options to a running batch, with progress on the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import typer

from ocr_moe.cli.words import phrase, said

Told = TypeVar("Told")

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import Progress as Bars

    from ocr_moe.api import Run
    from ocr_moe.formats.phrases import Phrase
    from ocr_moe.run.outcome import Notice, Outcome, Progress
    from ocr_moe.telemetry.tally import Tally


@contextmanager
def workers_ahead(paths: Sequence[str], workers: int | None) -> Iterator[None]:
    """What workers need begins to be loaded, beside what this process loads for itself, where a run over
    these paths is likely to have workers."""
    from ocr_moe.run.workers.nursery import PROCESSES_FROM, started_ahead

    cores = os.cpu_count() or 1
    may_be_many = len(paths) >= PROCESSES_FROM or any(
        _holds(path, PROCESSES_FROM) for path in paths
    )
    with ExitStack() as stack:
        if cores > 1 and workers in (None, cores) and may_be_many:
            stack.enter_context(started_ahead())
        yield


def _holds(path: str, many: int) -> bool:
    """Whether so many files may be behind a PATH, as far as a look at it tells."""
    try:
        with os.scandir(path) as entries:
            first = list(islice(entries, many))
    except OSError:  # a file, which is one; or a list, a URL, a glob, behind which may be many
        return not os.path.isfile(path)
    return len(first) == many or any(each.is_dir() for each in first)


@dataclass(frozen=True)
class Watch:
    """What a running batch tells, and to whom it is told on."""

    report: Callable[[Progress], None]
    notice: Callable[[Notice], None]
    finished: Callable[[Outcome | None], None]


@contextmanager
def watched(
    *, metrics: str | None = None, log_level: str | None = None, log_file: Path | None = None
) -> Iterator[Watch]:
    """A batch in the block is shown on the terminal, counted where `metrics` says and logged.

    Raises UsageError and OutputError as those do, before anything is begun.
    """
    with ExitStack() as stack:
        hearing: list[Callable[[Progress], None]] = []
        noticing: list[Callable[[Notice], None]] = []
        ending: list[Callable[[Outcome | None], None]] = []
        if log_level or log_file:
            from ocr_moe.telemetry import logs
            from ocr_moe.version import __version__

            stack.enter_context(logs.logging_to(log_level, log_file))
            logs.started(__version__)
            stack.push(logs.left)
            hearing.append(logs.progressed)
            noticing.append(logs.noticed)
            ending.append(logs.finished)
        if metrics is not None:
            from ocr_moe.telemetry.exposition import exposed
            from ocr_moe.telemetry.metrics import Metrics

            counted = Metrics()
            address = stack.enter_context(exposed(metrics, counted))
            _complain(said("metrics_at", address=address))
            hearing.append(counted.progressed)
        report, notice = stack.enter_context(progress())
        yield Watch(_to_all([*hearing, report]), _to_all([*noticing, notice]), _to_all(ending))


def _to_all(hearers: Sequence[Callable[[Told], None]]) -> Callable[[Told], None]:
    def tell(told: Told) -> None:
        for hear in hearers:
            hear(told)

    return tell


@contextmanager
def progress() -> Iterator[tuple[Callable[[Progress], None], Callable[[Notice], None]]]:
    """What hears of files that are done, and what hears of everything else that a run tells.

    A bar on a terminal, a plain line now and then elsewhere; failures in full on both.
    """
    from ocr_moe.telemetry.tally import Tally

    tally = Tally()
    bars = _bars()
    if bars is None:

        def line(step: Progress) -> None:
            tally.progressed(step)
            if step.failure:
                _complain(said("failure", path=step.path, why=step.failure))
            if step.done == step.total or step.done % max(1, step.total // 10) == 0:
                files = phrase("progress", n=step.done, total=step.total)
                _complain(said("only", parts=[files, *standing(tally)]))

        yield line, lambda notice: _complain(said(notice.value))
        return
    with bars:
        task = bars.add_task("", total=None)

        def advance(step: Progress) -> None:
            from rich.markup import escape

            tally.progressed(step)
            told = said("only", parts=standing(tally)) or step.path[-48:]
            bars.update(task, completed=step.done, total=step.total, description=escape(told))
            if step.failure:
                told = said("failure", path=step.path, why=step.failure)
                bars.console.print(f"[red]{escape(told)}[/]", highlight=False)

        yield advance, lambda notice: bars.update(task, description=said(notice.value))


def standing(tally: Tally) -> list[Phrase]:
    """How a run is getting on: its speed, what it leaves to people and what it spends, time left."""
    parts: list[Phrase] = []
    if tally.documents_a_second is not None:
        parts.append(phrase("speed", speed=f"{tally.documents_a_second:.3g}"))
    if tally.to_check is not None:
        parts.append(phrase("so_far_to_check", cells=phrase("n_cells", n=tally.to_check)))
    if tally.tokens:
        parts.append(phrase("n_tokens", n=f"{tally.tokens:,}"))
    if tally.money:
        parts.append(phrase("spent", money=f"{tally.money:.4g}"))
    if tally.seconds_left:
        left = timedelta(seconds=round(tally.seconds_left))
        parts.append(phrase("time_left", time=str(left)))
    return parts


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
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    return Bars(
        BarColumn(),
        MofNCompleteColumn(),
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
