"""The seams of the pipeline. Engines, experts and routing meet only here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ocr_moe.codes.posterior import Posterior as Posterior
from ocr_moe.types import Answer, Cost, Decision, DocumentRef, Line, PageText, Reading, Symbol

if TYPE_CHECKING:
    from PIL import Image

    from ocr_moe.deferral import Files
    from ocr_moe.judgements import Verdict
    from ocr_moe.schema import Field, Schema


class Page(Protocol):
    """One page of a document. Pixels and text are had lazily, so that a replay touches neither."""

    @property
    def number(self) -> int:
        """Counted from 1 within the document."""

    @property
    def image(self) -> Image.Image:
        """RGB pixels of the righted page. Raises DocumentError."""

    @property
    def text(self) -> PageText:
        """What the run's OCR engine read on the page. Raises DocumentError or EngineError."""

    @property
    def is_given(self) -> bool:
        """Whether it is a text without a picture, of which pixels say no more. Asks no model behind an
        endpoint. Raises DocumentError or EngineError."""


class Document(Protocol):
    """What an expert gets to see of a document."""

    @property
    def ref(self) -> DocumentRef: ...

    @property
    def schema(self) -> Schema: ...

    @property
    def pages(self) -> Sequence[Page]: ...


@runtime_checkable
class OcrEngine(Protocol):
    """Finds and reads the text lines of a page."""

    @property
    def fingerprint(self) -> str:
        """Name, version, models and parameters; the key under which page OCR is stored."""

    def read(self, image: Image.Image) -> tuple[Line, ...]:
        """Lines of an RGB page in reading order. Raises EngineError."""


@runtime_checkable
class KnowsModels(Protocol):
    """Optional, of an OcrEngine that runs one of several models; `ocr-moe doctor` tells of them."""

    def models(self) -> Mapping[str, str | None]:
        """By name, where each is on this machine; None: it is not here."""


@dataclass(frozen=True)
class Transcription:
    """What a `Transcriber` reads on a page, in reading order, and what that cost."""

    lines: tuple[Line, ...]
    cost: Cost
    failure: str = ""
    """Why the lines are the other engine's, where they are."""


@runtime_checkable
class Transcriber(Protocol):
    """Optional, of an OcrEngine: one that is dear, and so is asked once, for a page that another engine
    has righted and on which it has found the lines."""

    @property
    def name(self) -> str:
        """As the configuration calls it; what it asks is charged to that."""

    @property
    def asking(self) -> str:
        """What it asks, without who is asked: the begin of its fingerprint."""

    @property
    def fingerprint(self) -> str:
        """Raises ChatError where its server does not say which model it has, EndpointMissingError where
        none is configured."""

    @property
    def finder(self) -> OcrEngine:
        """The other engine. Raises ConfigError or MissingDependencyError."""

    @property
    def falls_back(self) -> bool:
        """Whether a page on which it fails stands as the other engine read it."""

    def transcribe(
        self, image: Image.Image, lines: Sequence[Line], files: Files | None = None
    ) -> Transcription:
        """An upright RGB page, on which the other engine found these lines.

        Replies that are paid for are kept in `files` until the page is stored, and looked for there
        first. Where it falls back it says so; else raises EngineError or ChatError. Raises
        BudgetExceededError.
        """


@runtime_checkable
class LineRecognizer(Protocol):
    """Reads one line crop and hands out its posterior instead of its best guess."""

    @property
    def fingerprint(self) -> str: ...

    def recognize(self, crops: Sequence[Image.Image]) -> list[Posterior]:
        """One posterior per RGB crop (text running left to right). Raises EngineError."""


@runtime_checkable
class SymbolReader(Protocol):
    """Finds and decodes the QR codes, bar codes and the like of a page."""

    @property
    def fingerprint(self) -> str: ...

    def read(self, image: Image.Image, *, expected: bool = False) -> tuple[Symbol, ...]:
        """The symbols of an RGB page, from top to bottom; bytes as UTF-8, else GB 18030.

        `expected` asks it to look harder, because pages of the kind usually have one.  Called from
        several threads at once.  Raises EngineError or MissingDependencyError.
        """


@dataclass(frozen=True)
class ChatImage:
    """An encoded image to be sent along with a prompt."""

    data: bytes
    media_type: str


@dataclass(frozen=True)
class ChatReply:
    """A completed chat request."""

    content: str
    """The text as the server gave it."""
    model: str
    cost: Cost
    constrained: bool
    """Whether the server was bound to the JSON schema."""
    logprobs: tuple[tuple[str, float], ...] = ()
    """(token, natural-log probability) pairs where the server gives them."""
    truncated: bool = False
    """Whether the answer was cut off at the limit of tokens."""
    prepaid: bool = False
    """Whether it was had, and paid for, before this question was put."""


class ChatModel(Protocol):
    """An OpenAI-compatible chat endpoint."""

    @property
    def fingerprint(self) -> str: ...

    def complete(
        self,
        *,
        system: str,
        user: str,
        images: Sequence[ChatImage] = (),
        images_last: bool = False,
        json_schema: Mapping[str, Any] | None = None,
        max_tokens: int = 1024,
    ) -> ChatReply:
        """One request, retried as configured. Raises ChatError.

        `images_last` is given only where it is true.
        """


@runtime_checkable
class Concurrent(Protocol):
    """A ChatModel that may be asked several things at a time."""

    @property
    def concurrency(self) -> int:
        """Most requests at a time."""


@dataclass(frozen=True)
class BatchReply:
    """What a batch says of one request."""

    key: str
    reply: str
    """As the endpoint wants to find it in `ocr_moe.deferral.Files`."""
    money: float | None
    """What it cost; None where the server does not tell."""
    failed: bool = False
    again: bool = False
    """Whether making it again may help."""


@dataclass(frozen=True)
class EndedBatch:
    replies: Iterable[BatchReply]
    """To be gone through once. Raises ChatError."""
    unanswered: str
    """The reply to requests that are not among them, where they are not made again."""


@runtime_checkable
class Batching(Protocol):
    """A ChatModel whose requests may be made in batches (`ocr_moe.deferral`). All raise ChatError."""

    @property
    def defers(self) -> bool:
        """Whether they are to be."""

    @property
    def host(self) -> str:
        """Host and port, without credentials."""

    @property
    def patience(self) -> tuple[int, float]:
        """How often a request that failed in a batch is made again, and seconds between two looks."""

    def examine_batches(self) -> None:
        """Raises ConfigError where the server has no batches."""

    def submit_batch(self, mark: str, requests: Callable[[], Iterable[tuple[str, str]]]) -> str:
        """Submit requests, (key, body), under a mark by which the server can be asked for the batch;
        the server's name for it."""

    def find_batch(self, mark: str, since: float) -> str | None:
        """The server's name for the batch of a mark, if it knows it; it was submitted after `since`,
        in seconds since the epoch."""

    def end_of_batch(self, id: str) -> EndedBatch | None:
        """What came of a batch; None while it is under way."""


@dataclass(frozen=True)
class EndpointReport:
    """What an endpoint turned out to be and to obey."""

    name: str
    host: str
    """Host and port, without credentials."""
    local: bool
    """Whether documents sent there stay on this machine."""
    answers: bool
    model: str | None = None
    models: tuple[str, ...] = ()
    """All that the server lists."""
    structured: str | None = None
    """The best form of a bound answer that the server not only takes but also obeys, or `none`."""
    logprobs: bool | None = None
    images: bool | None = None
    """Whether it sees them, not only takes them."""
    streamed: bool | None = None
    """Whether it streams its answers, asked to or not."""
    thinks: bool | None = None
    """Whether it thinks before it answers."""
    seconds: float | None = None
    """For a short answer."""
    problem: str | None = None


@runtime_checkable
class Probeable(Protocol):
    """A ChatModel that can look at its own server; `ocr-moe doctor` has it do so."""

    def probe(self) -> EndpointReport:
        """With a few tiny requests. A server that fails is reported, not raised."""


class Expert(Protocol):
    """Reads fields off a document.

    The answer depends only on the document, the asked fields and the expert's own configuration,
    which `fingerprint` sums up.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """Exactly one reading per asked field, in the order asked.

        Raises ExpertError or DocumentError; the pipeline turns it into failed readings.
        """


@runtime_checkable
class Rereader(Protocol):
    """An expert whose answers hold the raw replies that were paid for, and that can parse them again.

    Its `fingerprint` sums up what is asked, and by it answers are found; what is made of the replies
    may change without it.
    """

    @property
    def parsing(self) -> str:
        """Revision of what makes readings of replies: `parsing` of the answers it gives."""

    def reread(self, document: Document, fields: Sequence[Field], answer: Answer) -> Answer:
        """The answer with readings made anew of its replies; nobody is asked and nothing is spent.

        Exactly one reading per field, in order: that of `answer` where no reply is about the field.
        Equal to `answer` where its `parsing` is today's. Raises what reading the pages' text raises.
        """


@dataclass(frozen=True)
class Ask:
    """A gate's wish: these fields, of this expert, in one call."""

    expert: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """What is known of a document while it is being routed: no truth, ever."""

    schema: Schema
    readings: Mapping[str, Mapping[str, Reading]] = field(default_factory=dict)
    """field name → expert name → reading, in the order in which they were had."""
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    """field name → what the combiner makes of the readings so far."""
    today: str | None = None
    """The day on which the run was first started, ISO 8601: no document is dated later. It stays the
    same for a run that is resumed or replayed."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """field name → what people say of it. It stands, whatever else was read."""


class Gate(Protocol):
    """Decides who is asked what, given what was read so far."""

    def route(self, state: State) -> Sequence[Ask]:
        """The next round; empty when nothing more is wanted. An ask is never made twice."""


class Combiner(Protocol):
    """Turns all readings of a document into decisions, joint knowledge included."""

    def combine(self, state: State) -> Mapping[str, Decision]:
        """One decision for every field of the schema. `state.decisions` is ignored."""


class Services(Protocol):
    """What the composition root lends to experts; everything is built on first use."""

    def chat(self, name: str) -> ChatModel:
        """The chat endpoint of that name (`text`, `vision`).

        Raises EndpointMissingError where it is not configured, ConfigError where it is configured
        wrongly.
        """

    def engine(self, name: str) -> OcrEngine:
        """The OCR engine of that name. Raises ConfigError or MissingDependencyError."""

    def recognizer(self, name: str) -> LineRecognizer:
        """The line recogniser of that name. Raises ConfigError or MissingDependencyError."""

    def symbols(self, name: str) -> SymbolReader:
        """The reader of QR codes and the like of that name. Raises ConfigError."""


@dataclass(frozen=True)
class ChatUse:
    """How an expert uses a chat endpoint; typical figures, for estimates before any answer is had."""

    endpoint: str
    """Name of the endpoint in the configuration."""
    prompt_tokens: int
    """Of one request about one page."""
    completion_tokens: int
    """For each field asked for."""
    each_field: bool = False
    """Whether every field is a request of its own."""


@dataclass(frozen=True)
class Package:
    """A distribution that a component needs."""

    name: str
    """As the package index calls it."""
    use: str
    """What it is for, in words."""
    install: str = ""
    """What pip is told where it is missing; by default its name."""
    optional: bool = False
    """Whether the component does without, or needs it for some of its parameters only."""
