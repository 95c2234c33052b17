"""The worst documents of a strategy for the report, with crops of what was misread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from ocr_moe.errors import DocumentError
from ocr_moe.evaluation.mistakes import Span, marks
from ocr_moe.evaluation.report.crops import ImageSource, crop, whole
from ocr_moe.evaluation.scores import Scores
from ocr_moe.evaluation.scoring import CellView, Outcome, Scoring, shown_key, worst_first
from ocr_moe.evaluation.summary import mistake_at
from ocr_moe.subjects import key_of
from ocr_moe.types import Record, Value


class WorstOptions(Value):
    """How much of the worst documents is shown."""

    documents: int = 12
    """How many of the worst documents to show."""
    cells_per_document: int = 8
    image_bytes: int = 8_000_000
    """Crops stop when they take this much of the page."""


@dataclass(frozen=True)
class WorstCell:
    """A cell that is not right, beside its place on the page."""

    field: str
    mistake: str
    truth: Markup
    value: Markup
    confidence: str
    elsewhere: str
    """The strategies that have it right."""
    crop: Markup
    """A data URL, or empty."""


@dataclass(frozen=True)
class WorstDocument:
    name: str
    wrong: int
    total: int
    cells: tuple[WorstCell, ...]


class WorstDocuments:
    """The documents in which the best strategy has most cells wrong."""

    def __init__(
        self,
        scoring: Scoring,
        scores: Scores,
        runs: Mapping[str, Sequence[Record]],
        options: WorstOptions,
        image_source: ImageSource | None,
    ) -> None:
        self._scoring = scoring
        self._scores = scores
        self._options = options
        self._image_source = image_source
        self._records = {key_of(record.document): record for record in runs[scores.best]}
        self._budget = options.image_bytes
        grid = scoring.grids[scores.best]
        wrong = np.asarray((grid.scored & ~grid.right).any(axis=1))
        ranked = [index for index in worst_first(scoring, scores.best) if wrong[index]]
        self._chosen = ranked[: options.documents]
        self.hidden = len(ranked) - len(self._chosen)

    def views(self) -> tuple[WorstDocument, ...]:
        """What the template shows of each document."""
        cells: dict[int, list[CellView]] = {index: [] for index in self._chosen}
        for cell in self._scoring.cells(self._scores.best):
            if cell.document in cells:
                cells[cell.document].append(cell)
        return tuple(self._document(index, cells[index]) for index in self._chosen)

    def _document(self, index: int, cells: Sequence[CellView]) -> WorstDocument:
        key = self._scoring.documents[index]
        wrong = [cell for cell in cells if cell.outcome is not Outcome.RIGHT]
        pictures = _Pictures(self._records.get(key), self._image_source)
        shown = []
        for cell in wrong[: self._options.cells_per_document]:
            picture = pictures.of(cell.field.field.name) if self._budget > 0 else ""
            self._budget -= len(picture)
            shown.append(self._cell(cell, picture))
        return WorstDocument(shown_key(key), len(wrong), len(cells), tuple(shown))

    def _cell(self, cell: CellView, picture: str) -> WorstCell:
        truth, value = cell.truth.value or "", cell.value or ""
        in_truth, in_value = marks(truth, value) if truth and value else ((), ())
        elsewhere = [
            self._scores.strategies[name].title
            for name, grid in self._scoring.grids.items()
            if grid.outcomes[cell.document, cell.column] == Outcome.RIGHT
        ]
        mistake = mistake_at(self._scoring, self._scores.best, cell.document, cell.column)
        return WorstCell(
            field=cell.field.key,
            mistake=mistake.value,
            truth=_marked(truth, in_truth, "truth"),
            value=_marked(value, in_value, ""),
            confidence="" if cell.confidence is None else f"{cell.confidence:.3f}",
            elsewhere=", ".join(elsewhere),
            crop=Markup(picture),
        )


class _Pictures:
    """The crops of one document; its pages are asked for once."""

    def __init__(self, record: Record | None, source: ImageSource | None) -> None:
        self._record = record
        self._source = source
        self._pages: dict[int, Any] = {}
        self._whole_shown = False

    def of(self, field: str) -> str:
        """A picture of the field's place, else once of the whole page, as a data URL or empty."""
        if self._record is None or self._source is None:
            return ""
        decision = self._record.fields.get(field)
        evidence = decision.evidence if decision is not None else None
        page = self._page(evidence.page if evidence is not None else 1)
        if page is None:
            return ""
        if evidence is not None:
            return crop(page, evidence.box)
        if self._whole_shown:
            return ""
        self._whole_shown = True
        return whole(page)

    def _page(self, number: int) -> Any:
        if number not in self._pages and self._record is not None and self._source is not None:
            try:
                self._pages[number] = self._source(self._record, number)
            except DocumentError:
                # The scan was moved or changed since the run: the report goes without its picture.
                self._pages[number] = None
        return self._pages.get(number)


def _marked(text: str, spans: Sequence[Span], look: str) -> Markup:
    parts = []
    position = 0
    for start, end in spans:
        parts.append(escape(text[position:start]))
        parts.append(Markup('<mark class="{}">{}</mark>').format(look, text[start:end]))
        position = end
    parts.append(escape(text[position:]))
    return Markup("").join(parts)
