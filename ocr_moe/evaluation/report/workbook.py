"""accuracy.xlsx: the figures, and every cell beside the verified one with its differences marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ocr_moe.evaluation.mistakes import Mistake, marks
from ocr_moe.evaluation.report.measures import (
    ALL_CELLS,
    CELLS,
    COSTS,
    OVERALL,
    REVIEW,
    Measure,
    S,
    Share,
    in_workbook,
    left_out,
    share_of,
    skipped_together,
)
from ocr_moe.evaluation.report.phrases import text, unfilled
from ocr_moe.evaluation.scores import Scores
from ocr_moe.evaluation.scoring import Outcome, ScoredField, Scoring, shown_key, worst_first
from ocr_moe.formats.phrases import LANGUAGES, Phrase
from ocr_moe.formats.xlsx import MAX_ROWS, Book, Cell, Column, Content, Style, writing
from ocr_moe.values.kinds import kind_of

_PERCENT = "0.00%"
_OUTCOMES = {
    Outcome.NOT_SCORED: "",
    Outcome.RIGHT: "right",
    Outcome.WRONG: "wrong",
    Outcome.MISSING: "missing",
    Outcome.INVENTED: "invented",
    Outcome.FAILED: "failed",
}


def write_accuracy(
    path: Path, scoring: Scoring, scores: Scores, *, rows_per_sheet: int = MAX_ROWS
) -> None:
    """Write the workbook in one step. Raises OutputError when writing fails."""
    with writing(path, rows_per_sheet=rows_per_sheet) as book:
        _summary(book, scores)
        _side_by_side(book, scoring, scores)
        _worst_documents(book, scoring, scores)
        _fields(book, scores)
        _review(book, scores)
        _mistakes(book, scores)
        _pairs(book, scores)
        _costs(book, scores)
        _problems(book, scores)


def heading(title: str, field: str) -> str:
    """The heading of a strategy's column beside the verified one: `MOE策略证书编号`."""
    return f"{title}策略{field}"


def _summary(book: Book, scores: Scores) -> None:
    columns = [_column("field", 24)]
    for score in scores.strategies.values():
        columns += [
            _column("accuracy", 13, _PERCENT, of=score.title),
            _column("n", 8, "0", of=score.title),
            _column("low", 10, _PERCENT, of=score.title),
            _column("high", 10, _PERCENT, of=score.title),
        ]
    sheet = book.sheet("summary", columns)
    for sentence in left_out(scores):
        both = " / ".join(text([sentence], language) for language in LANGUAGES)
        sheet.append([Cell(both, "unsure")])
    for field in scores.fields:
        parts = [share_of(score.fields[field]) for score in scores.strategies.values()]
        sheet.append([field, *_shares(parts)])
    for overall in OVERALL:
        parts = [overall.of(score) for score in scores.strategies.values()]
        sheet.append([Cell(overall.heading, "strong"), *_shares(parts)])
    sheet.append([])
    for score in scores.strategies.values():
        if score.origin:
            sheet.append([Cell(f"{score.title}: {score.origin}", "muted")])
    for names, reason in skipped_together(scores):
        sheet.append([Cell(f"skipped {names}: {reason}", "muted")])


def _column(key: str, width: float, number: str = "General", of: str = "") -> Column:
    """Headed in English, where other programs look for it, with the Chinese heading in a note."""
    if of:
        return _told_column("column_of", width, number, title=of, what=Phrase(f"column_{key}"))
    return _told_column(f"column_{key}", width, number)


def _told_column(words: str, width: float, number: str, **values: str | Phrase) -> Column:
    heading = [Phrase(words, values)]
    return Column(text(heading, "en"), width, number, text(heading, "zh"))


def _shares(parts: Sequence[Share]) -> list[Content]:
    best = max((part.value for part in parts if part.value is not None), default=None)
    cells: list[Content] = []
    for part in parts:
        if part.value is None:
            cells += [None, part.n, None, None]
        else:
            look: Style = "strong" if part.value == best else "plain"
            cells += [Cell(part.value, look), part.n, *part.interval]
    return cells


def _columns(measures: Sequence[Measure[S]]) -> list[Column]:
    return [
        Column(m.heading, m.display.width, m.display.number, m.heading_in("zh"))
        for m in in_workbook(measures)
    ]


def _figures(measures: Sequence[Measure[S]], score: S) -> list[Content]:
    return [measure.display.rounded(measure.of(score)) for measure in in_workbook(measures)]


def _side_by_side(book: Book, scoring: Scoring, scores: Scores) -> None:
    """Row per document; per field the verified value and beside it a column per strategy."""
    columns = [_column("document", 34), _column("cells_not_right", 10, "0")]
    for scored in scoring.fields:
        width = kind_of(scored.field).width_compared
        columns.append(Column(scored.key, width))
        columns += [
            Column(heading(score.title, scored.key), width) for score in scores.strategies.values()
        ]
    sheet = book.sheet("side by side", columns)
    best = scoring.grids[scores.best]
    for row in worst_first(scoring, scores.best):
        errors = int((best.scored[row] & ~best.right[row]).sum())
        cells: list[Content] = [shown_key(scoring.documents[row]), errors]
        for column, scored in enumerate(scoring.fields):
            cells += _compared(scoring, scores, row, column, scored)
        sheet.append(cells)


def _compared(
    scoring: Scoring, scores: Scores, row: int, column: int, scored: ScoredField
) -> list[Content]:
    truth = scoring.truth[row, column]
    if truth is None:
        return [Cell(None, "absent")] * (len(scores.strategies) + 1)
    cells: list[Content] = [truth.raw]
    for name in scores.strategies:
        grid = scoring.grids[name]
        outcome = Outcome(int(grid.outcomes[row, column]))
        value = grid.values[row, column]
        if outcome in (Outcome.RIGHT, Outcome.NOT_SCORED):
            cells.append(value)
        elif value is None:
            cells.append(Cell(None, "bad", _OUTCOMES[outcome]))
        else:
            _, spans = marks(truth.value or "", value)
            # A value that only lacks characters has nothing of its own to mark.
            note = f"{_OUTCOMES[outcome]}: {scored.key} is {truth.raw}" if not spans else ""
            cells.append(Cell(value, "bad", note, spans))
    return cells


def _worst_documents(book: Book, scoring: Scoring, scores: Scores) -> None:
    """Row per cell that the best strategy has not right, worst documents first."""
    columns = [
        _column("document", 34),
        _column("field", 16),
        _column("verified", 26),
        Column(scores.strategies[scores.best].title, 26),
        _column("outcome", 11),
        _column("confidence", 11, "0.000"),
    ]
    sheet = book.sheet("not right", columns)
    rank = {document: place for place, document in enumerate(worst_first(scoring, scores.best))}
    wrong = [cell for cell in scoring.cells(scores.best) if cell.outcome is not Outcome.RIGHT]
    for cell in sorted(wrong, key=lambda cell: rank[cell.document]):
        in_truth, in_value = marks(cell.truth.value or "", cell.value or "")
        printed = cell.truth.value == cell.truth.raw
        sheet.append(
            [
                shown_key(scoring.documents[cell.document]),
                cell.field.key,
                Cell(cell.truth.raw, "plain", "", in_truth if printed else ()),
                Cell(cell.value, "plain", "", in_value),
                _OUTCOMES[cell.outcome],
                cell.confidence,
            ]
        )


def _fields(book: Book, scores: Scores) -> None:
    columns = [_column("strategy", 18), _column("field", 18), *_columns(CELLS)]
    sheet = book.sheet("fields", columns)
    for name, score in scores.strategies.items():
        for field, cells in [*score.fields.items(), (ALL_CELLS.heading, score.cells)]:
            sheet.append([name, field, *_figures(CELLS, cells)])


def _review(book: Book, scores: Scores) -> None:
    sheet = book.sheet("review", [_column("strategy", 18), *_columns(REVIEW)])
    for name, score in scores.strategies.items():
        sheet.append([name, *_figures(REVIEW, score)])


def _mistakes(book: Book, scores: Scores) -> None:
    kinds = [kind.value for kind in Mistake]
    columns = [_column("strategy", 18), _column("field", 18)]
    columns += [Column(kind.replace("_", " "), 12, "0", unfilled(kind, "zh")) for kind in kinds]
    sheet = book.sheet("mistakes", columns)
    for name, score in scores.strategies.items():
        for field, cells in [*score.fields.items(), (ALL_CELLS.heading, score.cells)]:
            sheet.append([name, field, *(cells.mistakes.get(kind, 0) for kind in kinds)])
    confused = book.sheet(
        "confused characters",
        [
            _column("strategy", 18),
            _column("verified", 10),
            _column("read", 10),
            _column("times", 9, "0"),
        ],
    )
    for name, score in scores.strategies.items():
        for item in score.confusions:
            confused.append(
                [name, item.verified or "(nothing)", item.read or "(nothing)", item.count]
            )


def _pairs(book: Book, scores: Scores) -> None:
    columns = [
        _column("first", 18),
        _column("second", 18),
        _column("what", 22),
        _column("documents", 11, "0"),
        _column("difference", 10, "+0.00%;-0.00%;0.00%"),
        _column("low", 10, "+0.00%;-0.00%;0.00%"),
        _column("high", 10, "+0.00%;-0.00%;0.00%"),
        _column("only_first", 10, "0"),
        _column("only_second", 10, "0"),
        _column("p", 12, "0.0000"),
        _column("p_holm", 10, "0.0000"),
    ]
    sheet = book.sheet("pairs", columns)
    for pair in scores.pairs:
        low, high = pair.macro_interval
        blank: list[Content] = [None] * 4
        difference = pair.macro_difference
        sheet.append(
            [pair.a, pair.b, "macro accuracy", pair.n_documents, difference, low, high, *blank]
        )
        for what, test in [("perfect documents", pair.perfect), *pair.fields.items()]:
            share = (test.only_a - test.only_b) / test.n if test.n else None
            sheet.append(
                [
                    *(pair.a, pair.b, what, test.n, share, None, None),
                    *(test.only_a, test.only_b, test.p, test.p_holm),
                ]
            )


def _costs(book: Book, scores: Scores) -> None:
    spent = in_workbook(COSTS)
    columns = [
        _column("strategy", 18),
        _column("field", 18),
        _column("documents", 11, "0"),
        *_columns(COSTS),
        *(_told_column("column_each", 12, "0.0000", what=Phrase(m.words)) for m in spent),
        _told_column("column_saved", 14, "0.0%", other=scores.cost_reference),
    ]
    sheet = book.sheet("costs", columns)
    for name, score in scores.strategies.items():
        cost = score.cost
        each = [measure.of(cost.per_document) for measure in spent]
        total = _figures(COSTS, cost.total)
        sheet.append([name, "all", cost.documents, *total, *each, cost.saving])
        for field, part in score.field_costs.items():
            sheet.append([name, field, cost.documents, *_figures(COSTS, part)])


def _problems(book: Book, scores: Scores) -> None:
    columns = [
        _column("kind", 24),
        _column("what", 100),
        _column("field", 16),
        _column("rows", 40),
    ]
    sheet = book.sheet("problems", columns)
    for problem in scores.problems:
        rows = ", ".join(str(row) for row in problem.rows)
        sheet.append([problem.kind.replace("_", " "), problem.sentence, problem.field, rows])
    for name in scores.rows_without_document:
        sheet.append(["row without a document", name])
    for name in scores.documents_without_truth:
        sheet.append(["document without truth", name])
