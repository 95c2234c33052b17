"""The values that flow through the pipeline: frozen, serialisable, free of third-party types.

Nothing here imports anything of ours.  Geometry is in fractions of the righted page (0-1, top left
origin), so that a value survives re-rendering at another resolution.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]
"""Corners of a text line in reading order: top left, top right, bottom right, bottom left."""
Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1), axis-aligned."""
Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class Value(BaseModel):
    """Base of every value: immutable, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FileState(NamedTuple):
    """What a file system or an object store says of a file without its being read.

    As long as that is the same, the file is: Git's index works so.
    """

    size: int
    """Bytes."""
    modified: int
    """When it was last written to, nanoseconds since 1970; 0 where that is not told."""
    tag: str
    """By what else it is told apart: inode and time of its last change of status, or ETag; or empty."""


class Line(Value):
    """One line of text on a page: found by an OCR engine, or in the page's own text."""

    text: str
    confidence: Probability
    quad: Quad
    exact: bool = False
    """Whether the document itself says so (a text layer, a form field): nothing was recognised."""
    key: str = ""
    """The key, heading or header under which a text item has it (`headline`); empty on pages."""

    @property
    def box(self) -> Box:
        """The axis-aligned hull of the quadrilateral."""
        xs = [x for x, _ in self.quad]
        ys = [y for _, y in self.quad]
        return (min(xs), min(ys), max(xs), max(ys))


class Rule(NamedTuple):
    """A ruled line on a page, in fractions of its sides."""

    points: tuple[Point, ...]
    """Places along it, from left to right, or from the top down: two, or more where it is bent."""
    ink: tuple[tuple[float, float], ...]
    """Over which parts of it there is ink, in fractions of the side along which it runs."""


class Rulings(NamedTuple):
    """The ruled lines of a page."""

    level: tuple[Rule, ...] = ()
    upright: tuple[Rule, ...] = ()


class Cost(Value):
    """What an answer took. Adds up with `+`."""

    calls: int = 0
    """Requests to a language model."""
    estimated_calls: int = 0
    """Those among them whose tokens the server did not count: they are estimated from the text."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Those among them that the server had worked on before: a prompt's beginning that others share."""
    completion_tokens: int = 0
    seconds: float = 0.0
    """Wall time, page OCR included."""
    ocr_seconds: float = 0.0
    """The part of `seconds` that page OCR took."""
    money: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            calls=self.calls + other.calls,
            estimated_calls=self.estimated_calls + other.estimated_calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            seconds=self.seconds + other.seconds,
            ocr_seconds=self.ocr_seconds + other.ocr_seconds,
            money=self.money + other.money,
        )


GIVEN = "given-text"
"""How the engine of a text begins that was given as such: there never was a picture of it."""


class PageText(Value):
    """What one OCR engine read on one page, or the page itself says; `lines` are in reading order."""

    engine: str
    """Fingerprint of the engine: name, version, models, parameters; `text-layer-…` where the page's own
    text was taken, with the engine that read the rest of it; `given-text-…` where there is no page but
    an item of text, whose lines are set as if on one."""
    width: int
    """Pixels of the righted page."""
    height: int
    rotation: Literal[0, 90, 180, 270]
    """Degrees clockwise by which the page was turned to be upright."""
    lines: tuple[Line, ...]
    seconds: float = 0.0
    blank: bool = False
    """Whether the page is paper without ink, on both counts: no lines, and no dark pixels."""
    region: Box | None = None
    """The part of the righted page that was read, in fractions of it; None for the whole of it.
    `lines`, `width` and `height` are the part's own."""
    cost: Cost = Cost()
    """What was paid for it, where a model behind an endpoint read it; its seconds are in `seconds`."""

    @property
    def is_given(self) -> bool:
        """Whether it is a text without a picture: pixels of it show nothing that it does not say."""
        return self.engine.startswith(GIVEN)


class Symbol(Value):
    """A QR code, a bar code or the like that was found on a page, with what it says."""

    symbology: str
    """As people call it: `QR code`, `Data Matrix`, `Code 128`, …."""
    text: str
    """All that it says, whatever that is: data, to be trusted with nothing."""
    box: Box
    scale: float = 1.0
    """Size, against the page's own, at which it could be decoded."""


class Evidence(Value):
    """Where on the document a value stands."""

    box: Box
    text: str
    """The text as printed there."""
    page: int = 1


class Alternative(Value):
    """One of the n best values of a reading with its natural-log probability."""

    value: str
    logprob: float


class Failure(Value):
    """An error as data: the class of the exception and a sentence for the user."""

    type: str
    message: str


class Reading(Value):
    """What one expert says of one field.

    `value` is normalised (see `ocr_moe.values.normalize`).  `value=None` with `error=None` means that
    the expert found nothing for the field; `error` means that it could not answer.
    """

    field: str
    value: str | None = None
    """Of a table: its rows as JSON text (see `ocr_moe.values.tables`), which compares as any value."""
    raw: str | None = None
    """The value as the expert gave it, before normalisation."""
    score: Probability | None = None
    """The expert's own, uncalibrated score."""
    alternatives: tuple[Alternative, ...] = ()
    characters: tuple[Probability, ...] = ()
    """One confidence per character of `value`, or empty."""
    evidence: Evidence | None = None
    features: dict[str, float] = {}
    """Signals for the calibration model; names are part of each expert's documentation."""
    notes: tuple[str, ...] = ()
    ceiling: Probability = 1.0
    """The most that the value may be believed, whatever else speaks for it: below 1 where the expert
    saw that it cannot be whole. A note says why."""
    error: Failure | None = None
    idle: bool = False
    """Without a value: the expert had nothing to look at, such as a page without a QR code, and so
    has no opinion; otherwise it looked, and its silence says something."""
    rows: tuple[dict[str, Reading], ...] = ()
    """Of a table: its rows, each with a reading for every column (column → reading)."""


class RawReply(Value):
    """What came of one request to a language model, before anything was made of it."""

    fields: tuple[str, ...]
    """Names of the fields that the request asked for."""
    content: str | None = None
    """The text as the server gave it; None where nothing came that could be read at all."""
    model: str | None = None
    constrained: bool = False
    """Whether the server was bound to the JSON schema."""
    truncated: bool = False
    """Whether the text was cut off at the limit of tokens."""
    logprobs: tuple[tuple[str, float], ...] = ()
    """(token, natural-log probability to six decimals), where the server gives them."""
    error: Failure | None = None
    """Why the request failed, or why the server itself gave no usable text."""


class Answer(Value):
    """One call of one expert: exactly one reading per asked field, and the cost."""

    expert: str
    """Fingerprint of the expert that answered."""
    readings: tuple[Reading, ...]
    cost: Cost = Cost()
    model: str | None = None
    """The model that a server said it used, where there is one."""
    replies: tuple[RawReply, ...] = ()
    """What was paid for, where a language model was asked; `readings` can be made of it anew."""
    parsing: str = ""
    """Revision of what made the readings of the replies."""

    def is_outdated(self, parsing: str) -> bool:
        """Whether its replies may say something else by that revision of the parsing."""
        return bool(self.replies) and self.parsing != parsing


class Recorded(NamedTuple):
    """An answer as a store holds it."""

    expert: str
    """The expert's name; its fingerprint stands in the answer."""
    question: str
    """Digest of the asked fields' declarations."""
    answer: Answer


class Origin(Value):
    """Where a strategy's answers come from when not from live experts."""

    recorded: tuple[str, ...] = ()
    """The models, or where unknown the experts, whose recorded answers they are."""

    def __bool__(self) -> bool:
        return bool(self.recorded)

    def __str__(self) -> str:
        return "; ".join(f"recorded answers of {model}" for model in self.recorded)


LIVE = Origin()
"""Live experts answered."""


class Status(StrEnum):
    ACCEPTED = "accepted"
    """The value stands."""
    ABSTAINED = "abstained"
    """The value is a best guess, or null; a person should look."""
    ABSENT = "absent"
    """The field is not on this document."""
    FAILED = "failed"
    """No expert could answer."""
    VERIFIED = "verified"
    """A person's word, or, where the value is null, a person's word that the field is not there."""


DOUBTFUL = frozenset({Status.ABSTAINED, Status.FAILED})
"""Fields that a person should look at."""


class Decision(Value):
    """The pipeline's word on one field of one document."""

    value: str | None = None
    """Of a table: its rows as JSON text; `rows` say how sure each cell is, and where it stands."""
    confidence: Probability | None = None
    status: Status
    experts: tuple[str, ...] = ()
    """Names of the experts whose readings carry the value."""
    evidence: Evidence | None = None
    characters: tuple[Probability, ...] = ()
    notes: tuple[str, ...] = ()
    ceiling: Probability = 1.0
    """The most that its confidence may come to, whatever a later step or a model makes of it."""
    settled: bool = False
    """Whether a step knows better than any model fitted on other steps how sure to be of it."""
    reviewer: str | None = None
    """Whose word a verified value is."""
    at: str | None = None
    """When it was given, ISO 8601 in UTC."""
    rows: tuple[dict[str, Decision], ...] = ()
    """Of a table: its rows, each with a decision for every column (column → decision)."""


class DocumentRef(Value):
    """Which document: a path relative to the PATH given, the hash of its bytes, and the page."""

    path: str
    sha256: str
    page: int = 1
    """The first page of the document within its file, counted from 1."""
    pages: int = 1
    """How many pages of the file belong to the document."""
    part: int = 1
    """Which of the documents on its page, counted from 1."""
    rotation: int = 0
    region: Box | None = None
    """Where on the righted page it stands, in fractions of it; None for the whole of it."""


class ConflictKind(StrEnum):
    """In what documents contradict one another, or their files' names."""

    FILE_NAME = "file_name"
    """The file's name says another subject than the page."""
    DIFFERS = "differs"
    """Documents of one subject differ in what they should share."""
    SAME_NUMBER = "same_number"
    """Documents of different subjects have one number."""
    COPY = "copy"
    """One document was handed in several times."""
    NAMESAKES = "namesakes"
    """Other documents carry the name, and are, it seems, another subject's."""
    FAR_APART = "far_apart"
    """Dates of documents that are issued together lie far apart."""


class Conflict(Value):
    """What a person must clear up, on every document that takes part."""

    kind: ConflictKind
    fields: tuple[str, ...]
    documents: tuple[str, ...] = ()
    """The other documents that take part, in words."""
    message: str


class Record(Value):
    """All decisions for one document: a line of records.jsonl."""

    document: DocumentRef
    schema_name: str | None
    strategy: str
    fields: dict[str, Decision] = {}
    cost: Cost = Cost()
    error: Failure | None = None
    blank: bool = False
    """Whether the page is blank: nothing to read, nothing to check, and no failure."""
    set_aside: str | None = None
    """Who said that it is of no kind that the run knows: nothing to read or check, and no failure."""
    conflicts: tuple[Conflict, ...] = ()
    """What other documents of the run, or the file's name, contradict."""


HUMAN = "human"
"""The expert whose word a verified value is: it outranks all others."""


class JudgementKind(StrEnum):
    """What a person may say of a document."""

    VALUE = "value"
    """What stands in a field, or that the field is not on the document."""
    SCHEMA = "schema"
    """Which kind of document it is, or that it is none that the run knows."""
    REGIONS = "regions"
    """Where on the page documents stand; without any, that the page is one document."""
    SUBJECT = "subject"
    """Whose document it is."""
    UNDO = "undo"
    """That an earlier judgement does not count."""


class Shown(Value):
    """What a person had before them when they judged."""

    value: str | None
    confidence: Probability | None
    status: Status
    strategy: str
    hidden: bool = False
    """Whether the value was kept from them, so that their word says something of it."""


class Judgement(Value):
    """A person's word on a document: a reading by `human`, with who, when and what was shown.

    Nothing is ever overwritten: a later judgement outranks an earlier one, an undo takes one back.
    """

    kind: JudgementKind = JudgementKind.VALUE
    field: str = ""
    """Of the kind `value`."""
    value: str | None = None
    """The field's value, None where it is absent; or the name of a schema, None where none fits; or of
    a subject."""
    regions: tuple[Box, ...] = ()
    """Of the kind `regions`, in fractions of the righted page."""
    reviewer: str
    at: str
    """ISO 8601 in UTC."""
    via: str = "desk"
    """How it came: `desk`, or the name of the file that it was read from."""
    shown: Shown | None = None
    independent: bool = False
    """Whether the reviewer did not know of earlier judgements on the field (double entry)."""
    cells: tuple[tuple[int, str], ...] | None = None
    """Of a table of which a person looked at some cells only: the row of each, counted from 0 in
    `value`, and its column. None: the whole value is their word."""
