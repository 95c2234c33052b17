"""Expert `vision`: a multimodal LLM reads the fields off the image.

`fields: together` is strategy 1 (`vision_all`), `fields: single` strategy 2 (`vision_single`),
`hint: true` strategy 5 (`ocr_hint_vision`: the page's OCR text as labelled evidence beside the
image).  `image: crop` shows each field's expected region instead of the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from pydantic import Field as PydanticField

from ocr_moe.errors import EngineError
from ocr_moe.experts.llm.asking import COMPLETION_TOKENS, ChatRequest, ask, digest, groups
from ocr_moe.experts.llm.crops import Place, cut, locate, shrink
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
_SMALLER = 2**-0.5
"""Of an image's side, where a server finds it too large: half of its pixels are left."""
_LEGIBLE = 400
"""Pixels of the long side below which nothing is read on a page."""


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
        whole: dict[int, tuple[ChatImage, ...]] = {}

        def pages(side: int) -> tuple[ChatImage, ...]:
            if side not in whole:
                shrunk = (shrink(page.image, 1.0, side) for page in document.pages)
                whole[side] = tuple(map(self._encode, shrunk))
            return whole[side]

        for group in self._groups(fields):
            places = self._places(document, group)
            images = partial(self._crops, places) if places else pages
            smaller = map(images, _smaller_sides(self.params.max_side))
            yield ChatRequest(
                group,
                self._prompt.fill(group, text),
                images(self.params.max_side),
                partial(next, smaller, ()),
            )

    def _places(self, document: Document, fields: Sequence[Field]) -> Sequence[Place]:
        """The regions of all fields; nothing where pages are shown, or one region cannot be told."""
        if self.params.image == "page":
            return ()
        places, unknown = locate(document.schema, fields, document.pages)
        return () if unknown else places

    def _crops(self, places: Sequence[Place], side: int) -> tuple[ChatImage, ...]:
        return tuple(
            self._encode(cut(place.page.image, place.box, self.params.magnify, side))
            for place in places
        )

    def _hint(self, pages: Sequence[Page]) -> str:
        return data_section("ocr", [text for page in pages for text in row_texts(page.text)])

    def _encode(self, image: Image.Image) -> ChatImage:
        buffer = BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=self.params.jpeg_quality)
        return ChatImage(data=buffer.getvalue(), media_type="image/jpeg")


def _smaller_sides(max_side: int) -> Iterator[int]:
    side = max_side * _SMALLER
    while side >= _LEGIBLE:
        yield round(side)
        side *= _SMALLER
