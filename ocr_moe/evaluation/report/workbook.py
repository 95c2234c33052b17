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
    Estimate,
    Measure,
    S,
    estimate_of,
    in_workbook,
)
from ocr_moe.evaluation.scores import Scores
from ocr_moe.evaluation.scoring import Outcome, ScoredField, Scoring, shown_key, worst_first
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
    columns = [Column("field", 24)]
    for score in scores.strategies.values():
        columns += [
            Column(f"{score.title} accuracy", 13, _PERCENT),
            Column(f"{score.title} n", 8, "0"),
            Column(f"{score.title} low", 10, _PERCENT),
            Column(f"{score.title} high", 10, _PERCENT),
        ]
    sheet = book.sheet("summary", columns)
    for field in scores.fields:
        parts = [estimate_of(score.fields[field]) for score in scores.strategies.values()]
        sheet.append([field, *_estimates(parts)])
    for overall in OVERALL:
        parts = [overall.of(score) for score in scores.strategies.values()]
        sheet.append([Cell(overall.heading, "strong"), *_estimates(parts)])
    sheet.append([])
    for score in scores.strategies.values():
        if score.origin:
            sheet.append([Cell(f"{score.title}: {score.origin}", "muted")])
    for name, reason in scores.skipped.items():
        sheet.append([Cell(f"skipped {name}: {reason}", "muted")])


def _estimates(parts: Sequence[Estimate]) -> list[Content]:
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
    return [Column(m.heading, m.form.width, m.form.number) for m in in_workbook(measures)]


def _figures(measures: Sequence[Measure[S]], score: S) -> list[Content]:
    return [measure.form.rounded(measure.of(score)) for measure in in_workbook(measures)]


def _side_by_side(book: Book, scoring: Scoring, scores: Scores) -> None:
    """Row per document; per field the verified value and beside it a column per strategy."""
    columns = [Column("document", 34), Column("cells not right", 10, "0")]
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
        Column("document", 34),
        Column("field", 16),
        Column("verified", 26),
        Column(scores.strategies[scores.best].title, 26),
        Column("outcome", 11),
        Column("confidence", 11, "0.000"),
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
    columns = [Column("strategy", 18), Column("field", 18), *_columns(CELLS)]
    sheet = book.sheet("fields", columns)
    for name, score in scores.strategies.items():
        for field, cells in [*score.fields.items(), (ALL_CELLS.heading, score.cells)]:
            sheet.append([name, field, *_figures(CELLS, cells)])


def _review(book: Book, scores: Scores) -> None:
    sheet = book.sheet("review", [Column("strategy", 18), *_columns(REVIEW)])
    for name, score in scores.strategies.items():
        sheet.append([name, *_figures(REVIEW, score)])


def _mistakes(book: Book, scores: Scores) -> None:
    kinds = [kind.value for kind in Mistake]
    columns = [Column("strategy", 18), Column("field", 18)]
    columns += [Column(kind.replace("_", " "), 12, "0") for kind in kinds]
    sheet = book.sheet("mistakes", columns)
    for name, score in scores.strategies.items():
        for field, cells in [*score.fields.items(), (ALL_CELLS.heading, score.cells)]:
            sheet.append([name, field, *(cells.mistakes.get(kind, 0) for kind in kinds)])
    confused = book.sheet(
        "confused characters",
        [
            Column("strategy", 18),
            Column("verified", 10),
            Column("read", 10),
            Column("times", 9, "0"),
        ],
    )
    for name, score in scores.strategies.items():
        for item in score.confusions:
            confused.append(
                [name, item.verified or "(nothing)", item.read or "(nothing)", item.count]
            )


def _pairs(book: Book, scores: Scores) -> None:
    columns = [
        Column("A", 18),
        Column("B", 18),
        Column("what", 22),
        Column("documents", 11, "0"),
        Column("A - B", 10, "+0.00%;-0.00%;0.00%"),
        Column("low", 10, "+0.00%;-0.00%;0.00%"),
        Column("high", 10, "+0.00%;-0.00%;0.00%"),
        Column("only A right", 10, "0"),
        Column("only B right", 10, "0"),
        Column("p (exact McNemar)", 12, "0.0000"),
        Column("p (Holm)", 10, "0.0000"),
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
        Column("strategy", 18),
        Column("field", 18),
        Column("documents", 11, "0"),
        *_columns(COSTS),
        *(Column(f"{measure.heading} a document", 12, "0.0000") for measure in spent),
        Column(f"saved against {scores.cost_reference}", 14, "0.0%"),
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
        Column("kind", 24),
        Column("what", 100),
        Column("field", 16),
        Column("rows of the sheet", 40),
    ]
    sheet = book.sheet("problems", columns)
    for problem in scores.problems:
        rows = ", ".join(str(row) for row in problem.rows)
        sheet.append([problem.kind.replace("_", " "), problem.sentence, problem.field, rows])
    for name in scores.rows_without_document:
        sheet.append(["row without a document", name])
    for name in scores.documents_without_truth:
        sheet.append(["document without truth", name])
