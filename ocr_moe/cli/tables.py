"""Score tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ocr_moe.cli.words import language, said

if TYPE_CHECKING:
    from rich.table import Table

    from ocr_moe.evaluation.report.measures import Share
    from ocr_moe.evaluation.scores import Scores
    from ocr_moe.types import Origin


_TOLD_HERE = ("peoples_word", "checked_cells", "not_taken", "compared_as")
"""Problems that tell what a score is about: whose values, what became of a records.xlsx that was given
back, and how two columns were compared."""


def print_scores(scores: Scores) -> None:
    """What is not counted; fields × strategies, in percent, with 95 % intervals; what was not run."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ocr_moe.evaluation.report.measures import (
        ACCEPTED,
        OVERALL,
        alarms,
        left_out,
        share_of,
        skipped_together,
    )
    from ocr_moe.evaluation.report.phrases import text
    from ocr_moe.evaluation.report.sentences import problem_sentence
    from ocr_moe.evaluation.truth.problems import SHOWN

    spoken = language()
    loud = alarms(scores)
    for sentence in left_out(scores):
        alarm = sentence in loud
        typer.secho(text([sentence], spoken), bold=alarm, fg="yellow" if alarm else None)
    told = [problem for problem in scores.problems if problem.kind in _TOLD_HERE]
    for problem in told[:SHOWN]:
        typer.echo(text([problem_sentence(problem)], spoken))
    remarks = [problem for problem in scores.problems if problem.kind != "field_without_column"]
    if remarks:
        typer.echo(said("remarks", n=len(remarks)))
    console = Console(soft_wrap=False)
    table = Table(title=escape(said("table_title")), header_style="bold")
    table.add_column(said("table_field"))
    table.add_column(said("table_cells"), justify="right")
    for name, strategy in scores.strategies.items():
        recorded = f"\n{said('table_recorded')}" if strategy.origin else ""
        table.add_column(escape(name) + recorded, justify="right")
    fields: dict[str, None] = {}
    for strategy in scores.strategies.values():
        fields.update(dict.fromkeys(strategy.fields))
    for field in fields:
        cells = [strategy.fields.get(field) for strategy in scores.strategies.values()]
        n = max((cell.n for cell in cells if cell is not None), default=0)
        shares = ("" if cell is None else _percent(share_of(cell)) for cell in cells)
        table.add_row(escape(field), str(n), *shares)
    tables = dict.fromkeys(n for each in scores.strategies.values() for n in each.tables)
    for field in tables:
        found = [each.tables.get(field) for each in scores.strategies.values()]
        n = max(score.n for score in found if score is not None)
        rows = max(score.rows for score in found if score is not None)
        figures = ("" if s is None else _of_table(s.accuracy, s.interval) for s in found)
        table.add_row(escape(said("table_of_cells", table=field)), str(n), *figures)
        right = ("" if s is None else f"{s.rows_right}/{s.rows}" for s in found)
        table.add_row(escape(said("table_of_rows", table=field)), str(rows), *right)
    table.add_section()
    every = scores.strategies.values()
    for overall in OVERALL:
        table.add_row(
            overall.heading_in(language()), "", *(_percent(overall.of(each)) for each in every)
        )
    for measure in ACCEPTED:
        table.add_row(measure.heading_in(spoken), "", *(measure.shown(each) for each in every))
    console.print(table)
    if any(scores.texts.values()):
        console.print(_texts(scores))
    for name, strategy in scores.strategies.items():
        if strategy.origin:
            typer.echo(said("origin", name=name, told=_origin(strategy.origin)))
    for names, reason in skipped_together(scores):
        typer.echo(said("not_run", names=names, why=reason))


def _texts(scores: Scores) -> Table:
    """Fields that are neither right nor wrong, by what they have in common with the truth."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(said("texts_title")), header_style="bold")
    table.add_column(said("table_field"))
    table.add_column(said("texts_measure"))
    table.add_column(said("table_cells"), justify="right")
    for name in scores.texts:
        table.add_column(escape(name), justify="right")
    fields = {key: each for texts in scores.texts.values() for key, each in texts.items()}
    for key, each in fields.items():
        of = (texts.get(key) for texts in scores.texts.values())
        table.add_row(
            escape(key),
            said("texts_rouge" if each.measure == "rouge" else "texts_set"),
            str(each.n),
            *("" if score is None else f"{100 * score.f1:.1f}" for score in of),
        )
    return table


def _origin(origin: Origin) -> str:
    """Whose recorded answers they are."""
    from ocr_moe.evaluation.report.phrases import text
    from ocr_moe.formats.phrases import Phrase

    told = Phrase("recorded_of", {"told": str(origin), "models": origin.recorded})
    return text([told], language())


def _of_table(value: float | None, interval: tuple[float, float]) -> str:
    if value is None:
        return ""
    low, high = interval
    return f"{100 * value:.1f} [{100 * low:.0f}–{100 * high:.0f}]"


def _percent(share: Share) -> str:
    return _of_table(share.value, share.interval)
