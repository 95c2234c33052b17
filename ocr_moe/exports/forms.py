"""The shape of what is written as JSON for other programs; `ocr_moe.exports.jsonl` writes it.

JSON Schemas are made from these models (`python -m recipes.formats`), and real output is held
against them. docs/formats.md says what the keys mean.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict
from pydantic import Field as Key

from ocr_moe.types import (
    Alternative,
    Box,
    Conflict,
    Failure,
    PageText,
    Probability,
    Status,
    Value,
)

FORMAT = 1
"""Of a record line and of a document file."""
OCR_FORMAT = 1
"""Of a line of page OCR."""


class Written(Value):
    """Base of the shapes: what stands below a key becomes its description in the schema."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class WrittenCost(Written):
    """What an answer took."""

    calls: int
    """Requests to a language model."""
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    """Wall time, page OCR included."""
    ocr_seconds: float
    """The part of `seconds` that page OCR took."""
    money: float


class WrittenEvidence(Written):
    """Where a value stands."""

    box: Box
    """x0, y0, x1, y1 in fractions of the righted page, top left origin, whatever its document's
    `region`."""
    text: str
    """The text as printed there."""
    page: int = Key(default=1, ge=2)
    """Page within the document; left out on the first."""


class WrittenCell(Written):
    """The pipeline's word on one cell of a table."""

    value: str | None
    confidence: Probability | None
    status: Status
    evidence: WrittenEvidence | None
    notes: tuple[str, ...] = ()
    """Left out where there are none."""
    reviewer: str | None = None
    """Whose word a verified cell is. Left out of all others."""
    at: str | None = None
    """When it was given, ISO 8601 in UTC. Left out of all others."""


class WrittenDecision(Written):
    """The pipeline's word on one field."""

    value: str | tuple[dict[str, WrittenCell], ...] | None
    """Of a field of kind `table` its rows: column → cell."""
    confidence: Probability | None
    status: Status
    experts: tuple[str, ...]
    """Names of the experts whose readings carry the value."""
    evidence: WrittenEvidence | None
    characters: tuple[Probability, ...]
    """One confidence per character of the value, or empty."""
    notes: tuple[str, ...]
    reviewer: str | None = None
    """Whose word a verified value is. Left out of all others."""
    at: str | None = None
    """When it was given, ISO 8601 in UTC. Left out of all others."""


class WrittenDocument(Written):
    """Which document."""

    path: str
    """Relative to the PATH given."""
    sha256: str
    """Of the file's bytes; empty for a file that could not be opened."""
    page: int = Key(ge=1)
    """First page of the document within its file, counted from 1."""
    pages: int = Key(ge=1)
    """How many pages of the file belong to it."""
    part: int = Key(ge=1)
    """Which of the documents on its page, counted from 1."""
    rotation: Literal[0, 90, 180, 270]
    """Degrees clockwise by which the page was turned to be upright."""
    region: Box = (0.0, 0.0, 1.0, 1.0)
    """Where on the righted page it stands, in fractions of it. Left out where that is the whole page."""


class RecordLine(Written):
    """A line of records.jsonl: all decisions for one document."""

    format: Literal[1]
    document: WrittenDocument
    schema_name: str | None = Key(alias="schema")
    """None where no schema was recognised or the file could not be read."""
    strategy: str
    fields: dict[str, WrittenDecision]
    """Every field of the schema; empty where the document could not be processed."""
    cost: WrittenCost
    error: Failure | None
    """Why the document could not be processed."""
    blank: Literal[True] = True
    """The page is blank, which is no failure: `fields` is empty. Left out of all others."""
    set_aside: str = ""
    """Who said that the document is of no kind that the run knows: `fields` is empty. Left out of all
    others."""
    conflicts: tuple[Conflict, ...] = ()
    """What other documents of the run, or the file's name, contradict; left out where there is none."""


class WrittenReadCell(Written):
    """What one expert says of one cell of a table."""

    value: str | None
    score: Probability | None
    evidence: WrittenEvidence | None


class WrittenReading(Written):
    """What one expert says of one field."""

    field: str
    value: str | tuple[dict[str, WrittenReadCell], ...] | None
    """Of a field of kind `table` its rows: column → cell."""
    raw: str | None
    """The value as the expert gave it, before normalisation."""
    score: Probability | None
    """The expert's own, uncalibrated score."""
    alternatives: tuple[Alternative, ...]
    characters: tuple[Probability, ...]
    evidence: WrittenEvidence | None
    features: dict[str, float]
    """Signals for the calibration model."""
    notes: tuple[str, ...]
    error: Failure | None
    """Why the expert could not answer."""
    idle: Literal[True] = True
    """The expert had nothing to look at, such as a page without a QR code. Left out of all others."""


class WrittenAnswer(Written):
    """One call of one expert."""

    expert: str
    """The expert's name."""
    fingerprint: str
    """What the expert's answers depend on."""
    model: str | None
    """The model that a server said it used."""
    readings: tuple[WrittenReading, ...]
    """One a field that was asked."""
    cost: WrittenCost


class DocumentFile(RecordLine):
    """A file of documents/: a record with every expert's answers."""

    answers: tuple[WrittenAnswer, ...]


class OcrLine(Written):
    """A line of `export --ocr`: what an engine read on one page."""

    format: Literal[1] = 1
    """Left out by versions before 0.2."""
    sha256: str
    """Of the file that the page is in."""
    page: int = Key(ge=1)
    text: PageText
