"""From a decision to a cell: its value, its colour, and what a person should know of it in a note."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from ocr_moe.exports.offered import offered
from ocr_moe.exports.sources import AnswersOf, LinkOf
from ocr_moe.formats.notes import note_in
from ocr_moe.formats.phrases import Language
from ocr_moe.formats.recordbook import said
from ocr_moe.formats.xlsx import FIRST_DATE, Cell, Content, Style
from ocr_moe.schema import Field, Kind
from ocr_moe.types import DOUBTFUL, Answer, Decision, DocumentRef, Record, Status
from ocr_moe.values.kinds import kind_of

STYLES: Mapping[Status, Style] = {
    Status.ACCEPTED: "plain",
    Status.ABSTAINED: "unsure",
    Status.ABSENT: "absent",
    Status.FAILED: "failed",
    Status.VERIFIED: "verified",
}
_CANDIDATES = 4
"""Other candidates in a note: more are no help to whoever looks at the page."""
_FULL_DATE = re.compile(r"\d{4}-\d\d-\d\d")


_NUMBER_FORMATS = {
    "d": "dd",
    "-d": "d",
    "m": "mm",
    "-m": "m",
    "b": "mmm",
    "B": "mmmm",
    "Y": "yyyy",
    "y": "yy",
}
"""What Excel calls the directives of a field's `format`."""


def width_of(field: Field) -> float:
    """Of a field's column, in characters: room for its values, and for its heading in Chinese."""
    return max(kind_of(field).width, 2 * len(field.name) + 4)


def cell_of(field: Field, value: str | None, style: Style = "plain", note: str = "") -> Cell:
    """A field's value as a cell, dates as the field's schema has them."""
    shown = shown_value(field, value)
    if not field.format or not isinstance(shown, date):
        return Cell(shown, style, note)
    return Cell(shown, style, note, dated=number_format(field.format))


def number_format(text: str) -> str:
    """A format of dates in directives of strftime as Excel writes it; what is literal is quoted."""
    parts = re.split(r"%(-?[A-Za-z])", text)
    return "".join(
        _NUMBER_FORMATS[part] if i % 2 else re.sub(r"[^-./ ,]+", _quoted, part)
        for i, part in enumerate(parts)
    )


def _quoted(match: re.Match[str]) -> str:
    return '"' + match.group().replace('"', "") + '"'


def shown_value(field: Field, value: str | None) -> str | date | None:
    """A value as a cell holds it: a full date as one of Excel's where Excel counts it as others do."""
    if field.kind is not Kind.DATE or value is None or not _FULL_DATE.fullmatch(value):
        return value
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return value
    return day if day >= FIRST_DATE else value


class Cells:
    """The cells of fields, of one record after the other: several sheets show a cell, and what stands in
    it is worked out once."""

    def __init__(self, language: Language, answers: AnswersOf | None) -> None:
        self._language = language
        self._answers_of = answers
        self._record: Record | None = None
        self._cells: dict[str, Content] = {}
        self._answers: Mapping[str, Sequence[Answer]] | None = None

    def of(self, field: Field, record: Record) -> Content:
        """A field's cell on a sheet of documents."""
        if record is not self._record:
            self._record = record
            self._cells = {}
            self._answers = None
        if field.name not in self._cells:
            self._cells[field.name] = self._made(field, record)
        return self._cells[field.name]

    def _made(self, field: Field, record: Record) -> Content:
        decision = record.fields.get(field.name)
        if decision is None:
            return Cell(None, "failed") if record.error is not None else None
        if field.kind is Kind.TABLE:
            return self._table(decision)
        return self.decided(field, decision, lambda: self._candidates(field.name, record))

    def decided(
        self, field: Field, decision: Decision, candidates: Callable[[], Sequence[str]] = tuple
    ) -> Content:
        """A cell by the decision on it; `candidates` are asked for where it is doubtful."""
        style = STYLES[decision.status]
        note = ""
        if decision.status is Status.VERIFIED:
            note = _verified_note(decision, self._language)
        elif style in ("unsure", "failed"):
            note = _doubt_note(decision, candidates(), self._language)
        return cell_of(field, decision.value, style, note)

    def _table(self, decision: Decision) -> Content:
        """What a table comes to; its rows have a sheet of their own."""
        if not decision.rows:
            return Cell(None, STYLES[decision.status])
        doubtful = sum(c.status in DOUBTFUL for row in decision.rows for c in row.values())
        text = said("table_rows", self._language, n=len(decision.rows), doubtful=doubtful)
        return Cell(text, STYLES[decision.status])

    def _candidates(self, name: str, record: Record) -> list[str]:
        """What else the experts offer for a field, and no note tells already."""
        if self._answers_of is None:
            return []
        if self._answers is None:
            self._answers = self._answers_of(record)
        decision = record.fields[name]
        return [
            each.value
            for each in offered(record, name, self._answers)
            if each.value != decision.value
            and not any(note.endswith(each.value) for note in decision.notes)
        ][:_CANDIDATES]


def document_cell(document: DocumentRef, link_of: LinkOf) -> Content:
    link = link_of(document)
    return Cell(document.path, "link", link=link) if link else document.path


def told_notes(record: Record, language: Language) -> str:
    """All notes of a record, for the column of notes."""
    notes = [record.error.message] if record.error is not None else []
    if record.blank:
        notes.append(said("blank_page", language))
    if record.set_aside is not None:
        notes.append(said("set_aside", language, who=record.set_aside))
    for name, decision in record.fields.items():
        for note in decision.notes:
            text = note_in(note, language)
            notes.append(text if text.startswith(name) else f"{name}: {text}")
    return "; ".join(notes)


def _verified_note(decision: Decision, language: Language) -> str:
    who = said("note_verified", language, reviewer=decision.reviewer or "?", at=decision.at or "?")
    return "\n".join([who, *(note_in(note, language) for note in decision.notes)])


def _doubt_note(decision: Decision, candidates: Sequence[str], language: Language) -> str:
    if decision.status is Status.FAILED:
        parts = [said("note_failed", language)]
    elif decision.confidence is None:
        parts = [said("note_check", language)]
    else:
        parts = [said("note_confidence", language, confidence=f"{decision.confidence:.3f}")]
    if decision.evidence is not None and decision.evidence.text != decision.value:
        parts.append(said("note_printed", language, text=decision.evidence.text))
    if candidates:
        parts.append(said("note_candidates", language, values=" | ".join(candidates)))
    return "\n".join([*parts, *(note_in(note, language) for note in decision.notes)])
