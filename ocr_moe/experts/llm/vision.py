"""Expert `vision`: a multimodal LLM reads the fields off the image.

`fields: together` is strategy 1 (`vision_all`), `fields: single` strategy 2 (`vision_single`),
`hint: true` strategy 5 (`ocr_hint_vision`: the page's OCR text as labelled evidence beside the
image).  `image: crop` shows each field's expected region instead of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from ocr_moe.geometry import hull, pixels_of
from ocr_moe.protocols import ChatImage, ChatUse, Document, Page, Services
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Box, Line, Reading, Value

if TYPE_CHECKING:
    from PIL import Image

REVISION = "1.1.1"
"""Changes when the server may be asked otherwise. (Stored answers of earlier versions have it in three
parts, of which two were revisions of what was made of replies; that is `parsing` now.)"""
PROMPT_TOKENS = 1800
"""Of a typical request about one page: most of it is the image."""
_LATER = frozenset({"first"})
"""Parameters that stored answers were given without."""
_SAVED = 0.2
"""Share of a page's area that its part with the fields is to leave out; less is not worth the risk of
leaving out what a model goes by."""
_SMALLER = 2**-0.5
"""Of an image's side, where a server finds it too large: half of its pixels are left."""
_MARGIN = 0.03
"""Around the part of a page that is shown, in page widths and heights: about a line of type."""
_NO_PICTURE = "there is no picture of a text that was given as such"
_LEGIBLE = 400
"""Pixels of the long side below which nothing is read on a page."""


class VisionParams(Value):
    """What a multimodal model is shown, and how it is asked."""

    chat: str = "vision"
    """Name of the chat endpoint."""
    fields: Literal["together", "single"] = "together"
    """All asked fields in one request, or one request a field."""
    image: Literal["page", "crop", "region"] = "page"
    """What is shown: whole pages; each field's region, magnified; or the one part of the page in which
    all asked fields stand, in the page's resolution, where that saves tokens. The page where a field's
    region cannot be told."""
    first: Literal["image", "text"] = "image"
    """What stands first in a request. Servers keep the beginnings that requests share: `text` has them
    keep the instructions, the same for all documents; `image` the page, the same for all questions about
    it (`fields: single`)."""
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
            f"vision r{REVISION} {digest(self.params, _LATER)} "
            f"prompt {self._prompt.digest} | {self._chat.fingerprint}"
        )
        if self._uses_text:
            own += f" | {self._services.engine('default').fingerprint}"
        return own

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        if _is_text(document):
            readings = [
                Reading(field=field.name, idle=True, notes=(_NO_PICTURE,)) for field in fields
            ]
            return Answer(expert=self.fingerprint, readings=tuple(readings), parsing=PARSING)
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
        return self.params.evidence or self.params.hint or self.params.image != "page"

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
            images = self._of_fields(document, group) or pages
            smaller = map(images, _smaller_sides(self.params.max_side))
            yield ChatRequest(
                group,
                self._prompt.fill(group, text),
                images(self.params.max_side),
                images_last=self.params.first == "text",
                smaller=partial(next, smaller, ()),
            )

    def _of_fields(
        self, document: Document, fields: Sequence[Field]
    ) -> Callable[[int], tuple[ChatImage, ...]] | None:
        """Makes images of where the fields stand, no side longer than so many pixels; None where whole
        pages are to be shown, since that is asked for, one region cannot be told, or little is saved."""
        if self.params.image == "page":
            return None
        places, unknown = locate(document.schema, fields, document.pages)
        if unknown:
            return None
        if self.params.image == "crop":
            return partial(self._crops, places)
        parts = [
            (page, _widened(hull([place.box for place in places if place.page is page])))
            for page in document.pages
            if any(place.page is page for place in places)
        ]
        shown = sum((x1 - x0) * (y1 - y0) for _, (x0, y0, x1, y1) in parts)
        return (
            partial(self._regions, parts) if shown <= (1 - _SAVED) * len(document.pages) else None
        )

    def _crops(self, places: Sequence[Place], side: int) -> tuple[ChatImage, ...]:
        return tuple(
            self._encode(cut(place.page.image, place.box, self.params.magnify, side))
            for place in places
        )

    def _regions(self, parts: Sequence[tuple[Page, Box]], side: int) -> tuple[ChatImage, ...]:
        """In the resolution that their pages have where no side is longer than `side` pixels."""
        shown = []
        for page, box in parts:
            scale = min(1.0, side / max(page.image.size))
            part = page.image.crop(pixels_of(box, *page.image.size))
            shown.append(self._encode(shrink(part, scale, side)))
        return tuple(shown)

    def _hint(self, pages: Sequence[Page]) -> str:
        return data_section("ocr", [text for page in pages for text in row_texts(page.text)])

    def _encode(self, image: Image.Image) -> ChatImage:
        buffer = BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=self.params.jpeg_quality)
        return ChatImage(data=buffer.getvalue(), media_type="image/jpeg")


def _widened(box: Box) -> Box:
    """With a margin all around: what stands beside a value helps to read it."""
    x0, y0, x1, y1 = box
    return (
        max(0.0, x0 - _MARGIN),
        max(0.0, y0 - _MARGIN),
        min(1.0, x1 + _MARGIN),
        min(1.0, y1 + _MARGIN),
    )


def _smaller_sides(max_side: int) -> Iterator[int]:
    side = max_side * _SMALLER
    while side >= _LEGIBLE:
        yield round(side)
        side *= _SMALLER


def _is_text(document: Document) -> bool:
    """Whether nobody ever saw its pages: a model is not asked for what is drawn of them."""
    try:
        return bool(document.pages) and all(page.is_given for page in document.pages)
    except EngineError:
        return False
