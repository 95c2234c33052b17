"""Expert `vision`: a multimodal LLM reads the fields off the image.

`fields: together` is strategy 1 (`vision_all`), `fields: single` strategy 2 (`vision_single`),
`hint: true` strategy 5 (`ocr_hint_vision`: the page's OCR text as labelled evidence beside the
image).  `image: crop` shows each field's expected region instead of the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from pydantic import Field as PydanticField

from ocr_moe.errors import EngineError
from ocr_moe.experts.llm.asking import COMPLETION_TOKENS, ChatRequest, ask, digest, groups
from ocr_moe.experts.llm.crops import cut, locate, shrink
from ocr_moe.experts.llm.prompts import data_section, load
from ocr_moe.experts.llm.regions import row_texts
from ocr_moe.experts.llm.replies import REVISION as PARSING
from ocr_moe.experts.llm.replies import reread
from ocr_moe.protocols import ChatImage, ChatUse, Document, Page, Services
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Line, Value

if TYPE_CHECKING:
    from PIL import Image

REVISION = "1.1.1"
"""Changes when the server may be asked otherwise. (Stored answers of earlier versions have it in three
parts, of which two were revisions of what was made of replies; that is `parsing` now.)"""
PROMPT_TOKENS = 1800
"""Of a typical request about one page: most of it is the image."""


class VisionParams(Value):
    """What a multimodal model is shown, and how it is asked."""

    chat: str = "vision"
    """Name of the chat endpoint."""
    fields: Literal["together", "single"] = "together"
    """All asked fields in one request, or one request a field."""
    image: Literal["page", "crop"] = "page"
    """What is shown: whole pages, or the field's region (the page where it cannot be told)."""
    hint: bool = False
    """Put the page's OCR text into the prompt."""
    evidence: bool = True
    """Align the values with the page's OCR lines; without, no OCR is needed for page images."""
    max_side: int = PydanticField(default=1600, ge=64)
    """Pixels of an image's long side, at most."""
    magnify: float = PydanticField(default=2.0, ge=1.0, le=6.0)
    """How much crops are enlarged."""
    jpeg_quality: int = PydanticField(default=90, ge=1, le=100)
    """Of the images that are sent."""
    max_tokens: int = PydanticField(default=1024, ge=16)
    """Longest answer."""


class Vision:
    """A multimodal LLM reads the fields off the image.

    Raises EndpointMissingError at construction where the chat endpoint is not configured."""

    Params = VisionParams

    @staticmethod
    def chat_uses(params: VisionParams) -> tuple[ChatUse, ...]:
        single = params.fields == "single"
        return (ChatUse(params.chat, PROMPT_TOKENS, COMPLETION_TOKENS, each_field=single),)

    def __init__(self, name: str, params: VisionParams, services: Services) -> None:
        self.name = name
        self.params = params
        self._services = services
        self._chat = services.chat(params.chat)
        self._prompt = load("vision_hint" if params.hint else "vision")

    @property
    def fingerprint(self) -> str:
        own = (
            f"vision r{REVISION} {digest(self.params)} "
            f"prompt {self._prompt.digest} | {self._chat.fingerprint}"
        )
        if self._uses_text:
            own += f" | {self._services.engine('default').fingerprint}"
        return own

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        return ask(
            self._chat,
            self.fingerprint,
            self._prompt.system,
            self._requests(document, fields),
            fields,
            self._lines(document),
            self.params.max_tokens,
        )

    @property
    def parsing(self) -> str:
        return PARSING

    def reread(self, document: Document, fields: Sequence[Field], answer: Answer) -> Answer:
        return reread(answer, document.schema, fields, self._lines(document))

    @property
    def _uses_text(self) -> bool:
        return self.params.evidence or self.params.hint or self.params.image == "crop"

    def _lines(self, document: Document) -> list[tuple[Line, ...]]:
        """The pages' OCR lines for the evidence; a vision model does not fail for want of them."""
        if not self.params.evidence:
            return []
        try:
            return [page.text.lines for page in document.pages]
        except EngineError:
            return []

    def _groups(self, fields: Sequence[Field]) -> list[tuple[Field, ...]]:
        return groups(fields, self.params.fields == "together")

    def _requests(self, document: Document, fields: Sequence[Field]) -> Iterator[ChatRequest]:
        text = self._hint(document.pages) if self.params.hint else ""
        whole: tuple[ChatImage, ...] | None = None
        for group in self._groups(fields):
            images = self._crops(document, group) if self.params.image == "crop" else ()
            if not images:
                if whole is None:
                    whole = tuple(
                        self._encode(shrink(page.image, 1.0, self.params.max_side))
                        for page in document.pages
                    )
                images = whole
            yield ChatRequest(group, self._prompt.fill(group, text), images)

    def _crops(self, document: Document, fields: Sequence[Field]) -> tuple[ChatImage, ...]:
        """The regions of all fields, or nothing where the region of one cannot be told."""
        places, unknown = locate(document.schema, fields, document.pages)
        if unknown:
            return ()
        return tuple(
            self._encode(
                cut(place.page.image, place.box, self.params.magnify, self.params.max_side)
            )
            for place in places
        )

    def _hint(self, pages: Sequence[Page]) -> str:
        return data_section("ocr", [text for page in pages for text in row_texts(page.text)])

    def _encode(self, image: Image.Image) -> ChatImage:
        buffer = BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=self.params.jpeg_quality)
        return ChatImage(data=buffer.getvalue(), media_type="image/jpeg")
