"""Expert `ocr_text`: a text LLM picks the fields out of what OCR read.

`scope: page` gives it the whole page (strategy 3, `ocr_page_llm`).  `scope: crop` reads a magnified
crop of each field's expected region anew and gives it those texts (strategy 4, `ocr_crop_llm`); a
field whose region cannot be told gets the whole page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field as PydanticField

from ocr_moe.experts.llm.asking import COMPLETION_TOKENS, ChatRequest, ask, digest, groups
from ocr_moe.experts.llm.crops import cut, locate, needed_magnification
from ocr_moe.experts.llm.prompts import data_section, load
from ocr_moe.experts.llm.regions import row_texts
from ocr_moe.experts.llm.replies import REVISION as PARSING
from ocr_moe.experts.llm.replies import reread
from ocr_moe.protocols import ChatUse, Document, Services
from ocr_moe.schema import Field
from ocr_moe.types import Answer, PageText, Value

if TYPE_CHECKING:
    from PIL import Image

REVISION = "1.1.1"
"""Changes when the server may be asked otherwise. (Stored answers of earlier versions have it in three
parts, of which two were revisions of what was made of replies; that is `parsing` now.)"""
PROMPT_TOKENS = 900
"""Of a typical request about one page: the instructions and the page's text."""


class OcrTextParams(Value):
    """What a text model is given, and how it is asked."""

    chat: str = "text"
    """Name of the chat endpoint."""
    scope: Literal["page", "crop"] = "page"
    """What the model gets to see: the page's text, or that of each field's crop."""
    fields: Literal["together", "single"] = "together"
    """All asked fields in one request, or one request a field."""
    engine: str = "default"
    """Name of the OCR engine that reads the crops."""
    magnify: float = PydanticField(default=2.0, ge=1.0, le=6.0)
    """How much crops are enlarged at most before they are read."""
    max_crop_side: int = PydanticField(default=2000, ge=64)
    """Pixels of a magnified crop's long side, at most."""
    max_tokens: int = PydanticField(default=1024, ge=16)
    """Longest answer."""


class OcrText:
    """A text LLM picks the fields out of what OCR read.

    Raises EndpointMissingError at construction where the chat endpoint is not configured."""

    Params = OcrTextParams

    @staticmethod
    def chat_uses(params: OcrTextParams) -> tuple[ChatUse, ...]:
        single = params.fields == "single"
        return (ChatUse(params.chat, PROMPT_TOKENS, COMPLETION_TOKENS, each_field=single),)

    def __init__(self, name: str, params: OcrTextParams, services: Services) -> None:
        self.name = name
        self.params = params
        self._services = services
        self._chat = services.chat(params.chat)
        self._prompt = load("ocr_text")

    @property
    def fingerprint(self) -> str:
        own = (
            f"ocr_text r{REVISION} {digest(self.params)} "
            f"prompt {self._prompt.digest} | {self._chat.fingerprint} | "
            f"{self._services.engine('default').fingerprint}"
        )
        if self.params.scope == "crop" and self.params.engine != "default":
            own += f" | {self._services.engine(self.params.engine).fingerprint}"
        return own

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        return ask(
            self._chat,
            self.fingerprint,
            self._prompt.system,
            self._requests(document, fields),
            fields,
            [page.text.lines for page in document.pages],
            self.params.max_tokens,
        )

    @property
    def parsing(self) -> str:
        return PARSING

    def reread(self, document: Document, fields: Sequence[Field], answer: Answer) -> Answer:
        return reread(answer, document.schema, fields, [page.text.lines for page in document.pages])

    def _requests(self, document: Document, fields: Sequence[Field]) -> Iterator[ChatRequest]:
        for group in groups(fields, self.params.fields == "together"):
            if self.params.scope == "page":
                text = self._page_text(document)
            else:
                text = self._crop_texts(document, group)
            yield ChatRequest(group, self._prompt.fill(group, text))

    def _page_text(self, document: Document) -> str:
        lines = [text for page in document.pages for text in row_texts(page.text)]
        return data_section("ocr", lines)

    def _read(self, crop: Image.Image) -> PageText:
        engine = self._services.engine(self.params.engine)
        return PageText(
            engine=engine.fingerprint,
            width=crop.width,
            height=crop.height,
            rotation=0,
            lines=engine.read(crop),
        )

    def _crop_texts(self, document: Document, fields: Sequence[Field]) -> str:
        places, unknown = locate(document.schema, fields, document.pages)
        sections = []
        for place in places:
            magnify = needed_magnification(place, self.params.magnify)
            crop = cut(place.page.image, place.box, magnify, self.params.max_crop_side)
            if lines := row_texts(self._read(crop)):
                names = "、".join(field.name for field in place.fields)
                sections.append(data_section("ocr", [f"（{names}附近）", *lines]))
            else:
                unknown.extend(place.fields)
        if unknown or not sections:
            sections.append(self._page_text(document))
        return "\n".join(sections)
