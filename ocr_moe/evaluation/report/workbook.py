"""accuracy.xlsx: first what a person reads, then every value beside the verified one, then statistics.

In English or Chinese; the note of a heading has it in the other language, by which other programs find
it as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ocr_moe.evaluation.mistakes import marks
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
from ocr_moe.evaluation.report.numbers import round_percent
from ocr_moe.evaluation.report.phrases import text, unfilled
from ocr_moe.evaluation.report.sentences import problem_sentence, why_skipped
from ocr_moe.evaluation.scores import CellScore, McNemar, Scores, StrategyScore
from ocr_moe.evaluation.scoring import (
    CellView,
    Outcome,
    ScoredField,
    Scoring,
    shown_key,
    worst_first,
)
from ocr_moe.evaluation.summary import mistake_at
from ocr_moe.formats.phrases import LANGUAGES, Language, Phrase
from ocr_moe.formats.xlsx import MAX_ROWS, Book, Cell, Column, Content, Sheet, Style, writing
from ocr_moe.values.kinds import kind_of

_PERCENT = "0.00%"
_SIGNED = "+0.00%;-0.00%;0.00%"


def write_accuracy(
    path: Path,
    scoring: Scoring,
    scores: Scores,
    *,
    language: Language = "en",
    original_of: Callable[[str], str] = lambda path: "",
    rows_per_sheet: int = MAX_ROWS,
) -> None:
    """Write the workbook in one step; `original_of` gives the address of a document's file by its path.

    Raises OutputError when writing fails.
    """
    with writing(path, rows_per_sheet=rows_per_sheet) as book:
        _Workbook(book, scoring, scores, language, original_of).write()


@dataclass(frozen=True)
class _Workbook:
    """The sheets of one evaluation, in the order of their methods."""

    book: Book
    scoring: Scoring
    scores: Scores
    language: Language
    original_of: Callable[[str], str]

    def write(self) -> None:
        self._summary()
        self._mistakes()
        self._side_by_side()
        if any(self.scoring.texts.values()):
            self._texts()
        self._problems()
        self._strategies()
        self._fields()
        self._tables()
        self._pairs()

    def _accuracy(self) -> list[Column]:
        """What summaries say of cells first: the share that is right with its interval, of how many, and
        what of it would stand unseen."""
        return [
            self._column("accuracy", 11, _PERCENT),
            self._column("low", 11, _PERCENT),
            self._column("high", 11, _PERCENT),
            self._column("right", 9, "0"),
            self._column("n", 9, "0"),
            self._column("coverage", 11, _PERCENT),
            self._column("silent_errors", 10, "0"),
        ]

    def _summary(self) -> None:
        """What is not counted; then each strategy over all cells, and field by field."""
        sheet = self._sheet(
            "summary",
            self._column("strategy", 22),
            self._column("field", 26),
            *self._accuracy(),
            self._column("to_check", 10, "0"),
            frozen=2,
        )
        for sentence in left_out(self.scores):
            sheet.append([Cell(self._said(sentence), "unsure")])
        for name in self._order:
            score = self.scores.strategies[name]
            for overall in OVERALL:
                cells = score.cells if overall is ALL_CELLS else None
                heading = Cell(overall.heading_in(self.language), "strong")
                row = self._share(overall.of(score), cells, "strong")
                sheet.append([Cell(score.title, "strong"), heading, *row])
            for field, cells in score.fields.items():
                sheet.append([score.title, field, *self._share(share_of(cells), cells)])
            sheet.append([Cell(score.title, "muted"), Cell(self._to_target(score), "muted")])
            if score.origin:
                told = {"told": str(score.origin), "models": score.origin.recorded}
                said = self._said(Phrase("recorded_of", told))
                sheet.append([Cell(score.title, "muted"), Cell(said, "muted")])
            sheet.append([])
        for names, reason in skipped_together(self.scores):
            said = self._said(Phrase("skipped", {"names": names, "why": why_skipped(reason)}))
            sheet.append([Cell(said, "muted")])

    def _share(self, share: Share, cells: CellScore | None, look: Style = "plain") -> list[Content]:
        if share.value is None:
            return [None, None, None, share.right, share.n]
        row: list[Content] = [Cell(share.value, look), *share.interval, share.right, share.n]
        if cells is not None:
            row.append(cells.coverage)
            row.append(Cell(cells.silent_errors, "bad" if cells.silent_errors else "plain"))
            row.append(Cell(cells.to_check, "unsure" if cells.to_check else "plain"))
        return row

    def _to_target(self, score: StrategyScore) -> str:
        values = {
            "target": round_percent(score.review.target),
            "checked": f"{score.review.checked:,}",
            "cells": f"{score.review.cells:,}",
        }
        key = "review_some" if score.review.checked else "review_none"
        return self._said(Phrase(key, values))

    def _mistakes(self) -> None:
        """Row per cell that a strategy has not right: the best strategy first, in it what nobody would
        have looked at, then the worst documents."""
        sheet = self._sheet(
            "mistakes",
            self._column("document", 34),
            self._column("field", 16),
            self._column("verified", 30),
            self._column("read", 30),
            self._column("strategy", 18),
            self._column("silent", 10),
            self._column("kind", 20),
            self._column("confidence", 11, "0.000"),
            frozen=2,
        )
        for name in self._order:
            rank = {document: n for n, document in enumerate(worst_first(self.scoring, name))}
            wrong = [x for x in self.scoring.cells(name) if x.outcome is not Outcome.RIGHT]
            for cell in sorted(wrong, key=lambda x: (not x.settled, rank[x.document], x.column)):
                sheet.append(self._mistake(name, cell))

    def _mistake(self, strategy: str, cell: CellView) -> list[Content]:
        in_truth, in_value = marks(cell.truth.value or "", cell.value or "")
        printed = cell.truth.value == cell.truth.raw
        kind = mistake_at(self.scoring, strategy, cell.document, cell.column)
        return [
            self._document(cell.document),
            cell.field.key,
            Cell(cell.truth.raw, "plain", "", in_truth if printed else ()),
            Cell(cell.value, "plain", "", in_value),
            self.scores.strategies[strategy].title,
            Cell(self._word("mistake_silent"), "bad") if cell.settled else None,
            self._word(kind.value),
            cell.confidence,
        ]

    def _side_by_side(self) -> None:
        """Row per document; per field the verified value and beside it a column per strategy."""
        columns = [self._column("document", 34), self._column("cells_not_right", 10, "0")]
        for scored in self.scoring.fields:
            width = kind_of(scored.field).width_compared
            columns.append(Column(scored.key, width))
            columns += [
                Column(heading(self.scores.strategies[name].title, scored.key), width)
                for name in self._order
            ]
        sheet = self._sheet("side_by_side", *columns, frozen=1)
        best = self.scoring.grids[self.scores.best]
        for row in worst_first(self.scoring, self.scores.best):
            errors = int((best.scored[row] & ~best.right[row]).sum())
            cells: list[Content] = [self._document(row), errors]
            for column, scored in enumerate(self.scoring.fields):
                cells += self._compared(row, column, scored)
            sheet.append(cells)

    def _compared(self, row: int, column: int, scored: ScoredField) -> list[Content]:
        truth = self.scoring.truth[row, column]
        if truth is None:
            return [Cell(None, "absent")] * (len(self._order) + 1)
        cells: list[Content] = [truth.raw]
        for name in self._order:
            grid = self.scoring.grids[name]
            outcome = Outcome(int(grid.outcomes[row, column]))
            value = grid.values[row, column]
            if outcome in (Outcome.RIGHT, Outcome.NOT_SCORED):
                cells.append(value)
                continue
            kind = self._word(mistake_at(self.scoring, name, row, column).value)
            if value is None:
                cells.append(Cell(None, "bad", kind))
                continue
            _, spans = marks(truth.value or "", value)
            # A value that only lacks characters has nothing of its own to mark.
            told = {"kind": kind, "field": scored.key, "value": truth.raw}
            note = "" if spans else self._said(Phrase("mistake_note", told))
            cells.append(Cell(value, "bad", note, spans))
        return cells

    def _texts(self) -> None:
        """Row per cell of a field that is neither right nor wrong, the least alike first."""
        sheet = self._sheet(
            "texts",
            self._column("document", 34),
            self._column("field", 16),
            self._column("verified", 50),
            self._column("made", 50),
            self._column("strategy", 18),
            self._column("overlap", 11, "0.0%"),
            self._column("overlap_precision", 11, "0.0%"),
            self._column("overlap_recall", 11, "0.0%"),
            frozen=2,
        )
        rows = {key: row for row, key in enumerate(self.scoring.documents)}
        for name in self._order:
            title = self.scores.strategies[name].title
            cells = [(cell.overlap, cell) for cell in self.scoring.texts.get(name, ())]
            for alike, cell in sorted(cells, key=lambda pair: pair[0].f1):
                where, key = self._document(rows[cell.document]), cell.field.key
                figures = (alike.f1, alike.precision, alike.recall)
                sheet.append([where, key, cell.truth, cell.value, title, *figures])

    def _problems(self) -> None:
        sheet = self._sheet(
            "problems",
            self._column("what", 100),
            self._column("field", 16),
            self._column("rows", 40),
        )
        for problem in self.scores.problems:
            rows = ", ".join(str(row) for row in problem.rows)
            sheet.append([self._said(problem_sentence(problem)), problem.field, rows])
        for key, names in (
            ("row_without", self.scores.rows_without_document),
            ("document_without", self.scores.documents_without_truth),
        ):
            for name in names:
                sheet.append([self._said(Phrase(key, {"name": name}))])

    def _strategies(self) -> None:
        """Row per strategy: what a person has to check, and what was spent."""
        spent = in_workbook(COSTS)
        dearest = self.scores.strategies[self.scores.cost_reference].title
        sheet = self._sheet(
            "strategies",
            self._column("strategy", 18),
            self._column("documents", 11, "0"),
            *(self._column("accuracy", 11, _PERCENT),),
            *(self._headed(f"figure_{key}", 13, _PERCENT) for key in ("macro", "perfect")),
            *self._columns(REVIEW),
            *self._columns(COSTS),
            *(self._headed("column_each", 12, "0.0000", what=Phrase(m.words)) for m in spent),
            self._headed("column_saved", 14, "0.0%", other=dearest),
            frozen=1,
        )
        for name in self._order:
            score = self.scores.strategies[name]
            sheet.append(
                [
                    *(score.title, score.n_documents),
                    *(score.cells.accuracy, score.macro, score.perfect),
                    *self._figures(REVIEW, score),
                    *self._figures(COSTS, score.cost.total),
                    *(measure.of(score.cost.per_document) for measure in spent),
                    score.cost.saving,
                ]
            )

    def _fields(self) -> None:
        sheet = self._sheet(
            "fields",
            self._column("strategy", 18),
            self._column("field", 18),
            *self._columns(CELLS),
            frozen=2,
        )
        for name in self._order:
            score = self.scores.strategies[name]
            every = (ALL_CELLS.heading_in(self.language), score.cells)
            for field, cells in [*score.fields.items(), every]:
                sheet.append([score.title, field, *self._figures(CELLS, cells)])

    def _tables(self) -> None:
        """Row per strategy and table, and one for each of its columns."""
        if not any(score.tables for score in self.scores.strategies.values()):
            return
        sheet = self._sheet(
            "tables",
            self._column("strategy", 18),
            self._column("field", 18),
            self._column("table_column", 18),
            *self._accuracy(),
            self._column("table_rows", 12, "0"),
            self._column("table_rows_right", 12, "0"),
            self._column("table_rows_missing", 12, "0"),
            self._column("table_rows_extra", 12, "0"),
            frozen=2,
        )
        for name in self._order:
            score = self.scores.strategies[name]
            for field, table in score.tables.items():
                low, high = table.interval
                every = Cell(ALL_CELLS.heading_in(self.language), "strong")
                rows = (table.rows, table.rows_right, table.rows_missing, table.rows_extra)
                figures = (table.accuracy, low, high, table.right, table.n)
                stands = (table.coverage, table.silent_errors)
                sheet.append([score.title, field, every, *figures, *stands, *rows])
                for column, cells in table.columns.items():
                    share = (cells.accuracy, None, None, cells.right, cells.n)
                    sheet.append([score.title, field, column, *share])

    def _pairs(self) -> None:
        if not self.scores.pairs:
            return
        sheet = self._sheet(
            "pairs",
            self._column("first", 18),
            self._column("second", 18),
            self._column("what", 26),
            self._column("documents", 11, "0"),
            self._column("difference", 10, _SIGNED),
            self._column("low", 10, _SIGNED),
            self._column("high", 10, _SIGNED),
            self._column("only_first", 10, "0"),
            self._column("only_second", 10, "0"),
            self._column("p", 12, "0.0000"),
            self._column("p_holm", 10, "0.0000"),
        )
        for pair in self.scores.pairs:
            titles = [self.scores.strategies[name].title for name in (pair.a, pair.b)]
            low, high = pair.macro_interval
            macro: list[Content] = [pair.n_documents, pair.macro_difference, low, high]
            sheet.append([*titles, self._word("figure_macro"), *macro])
            perfect = self._word("figure_perfect")
            for what, test in [(perfect, pair.perfect), *pair.fields.items()]:
                sheet.append([*titles, what, *_test(test)])

    def _document(self, row: int) -> Cell:
        """Which document it is, linked to its file where that is known."""
        key = self.scoring.documents[row]
        link = self.original_of(key.path)
        return Cell(shown_key(key), "link" if link else "plain", link=link)

    @cached_property
    def _order(self) -> list[str]:
        """The strategies, the best one first."""
        rest = [name for name in self.scores.strategies if name != self.scores.best]
        return [self.scores.best, *rest]

    def _sheet(self, key: str, *columns: Column, frozen: int = 0) -> Sheet:
        return self.book.sheet(self._word(f"sheet_{key}"), columns, frozen=frozen)

    def _word(self, key: str) -> str:
        return unfilled(key, self.language)

    def _said(self, phrase: Phrase) -> str:
        return text([phrase], self.language)

    def _column(self, key: str, width: float, number: str = "General") -> Column:
        return self._headed(f"column_{key}", width, number)

    def _columns(self, measures: Sequence[Measure[S]]) -> list[Column]:
        return [
            self._headed(m.words, m.display.width, m.display.number) for m in in_workbook(measures)
        ]

    def _headed(self, words: str, width: float, number: str, **values: str | Phrase) -> Column:
        """In the language of the workbook, with the other one in a note."""
        [other] = [language for language in LANGUAGES if language != self.language]
        told = [Phrase(words, values)]
        return Column(text(told, self.language), width, number, text(told, other))

    def _figures(self, measures: Sequence[Measure[S]], score: S) -> list[Content]:
        return [
            measure.display.in_excel(measure.of(score), self.language)
            for measure in in_workbook(measures)
        ]


def heading(title: str, field: str) -> str:
    """The heading of a strategy's column beside the verified one: `MOE策略证书编号`."""
    return f"{title}策略{field}"


def _test(test: McNemar) -> list[Content]:
    share = (test.only_a - test.only_b) / test.n if test.n else None
    return [test.n, share, None, None, test.only_a, test.only_b, test.p, test.p_holm]
