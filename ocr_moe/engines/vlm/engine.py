"""OCR by a vision model behind a chat endpoint: PaddleOCR-VL, dots.ocr, olmOCR, Qwen-VL and others.

Another engine finds the lines, rights the page and reads it as well; the model is asked once for the
page that lies upright, or for each of its lines. So every text has a box, and two readings of it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field as PydanticField
from pydantic import ValidationError

from ocr_moe import permits
from ocr_moe.budget import Account, account
from ocr_moe.deferral import Files
from ocr_moe.engines.polygons import reading_order
from ocr_moe.engines.vlm.aligning import agreed, aligned, likeness, may_be
from ocr_moe.engines.vlm.presets import PRESETS, Form, Preset, PresetName, Shown, Unit
from ocr_moe.engines.vlm.replies import Piece, pieces
from ocr_moe.errors import (
    ChatAnswerError,
    ChatError,
    ChatTooLargeError,
    ConfigError,
    EngineError,
)
from ocr_moe.formats.text import sound
from ocr_moe.geometry import pixels_of
from ocr_moe.imaging.jpeg import jpeg
from ocr_moe.observing import observed_here
from ocr_moe.protocols import (
    ChatImage,
    ChatModel,
    ChatReply,
    ChatUse,
    Concurrent,
    OcrEngine,
    Package,
    Services,
    Transcription,
)
from ocr_moe.types import Box, Cost, Line, Value

if TYPE_CHECKING:
    from PIL import Image

REVISION = 1
"""Part of every fingerprint; counts up when pages would be asked for, or replies be read, otherwise."""

PROMPT_TOKENS = 2500
"""Of a typical request about one page: most of it is the image."""
COMPLETION_TOKENS = 600
"""Of a typical page."""
_AROUND = 0.25
"""What is shown around a line, in its heights: boxes cut strokes off, and more shows neighbours."""
_SMALLER = 2**-0.5
"""Of an image's side, where a server finds it too large: half of its pixels are left."""
_LEGIBLE = 400
"""Pixels of the long side below which nothing is read on a page."""
_LEAST_ALIKE = 0.2
"""Likeness to what the finder read from which a reply is a reading of the page …"""
_READABLE = (20, 0.8)
"""… where the finder read so many characters, so surely on average."""


class VlmParams(Value):
    """Which model is asked, and how; what is not set here is the preset's."""

    chat: str = "ocr"
    """Name of the chat endpoint. Where `fallback` is set, set its `model`: a server that is away cannot
    say which it has."""
    preset: PresetName = "page"
    """The family of models: `paddleocr_vl` (line by line), `dots_ocr`, `olmocr`, `qwen2_5_vl`,
    `qwen3_vl`; `page` or `lines` for any other."""
    finder: str = "ppocr"
    """The engine that finds the lines and rights the page; a local one."""
    fallback: bool = False
    """Where the endpoint fails, or answers with something that is no reading of the page: let the page
    stand as the finder read it. Else its document fails, and `--retry-failed` asks again."""
    shown: Shown | None = None
    """`page`: a request a page; `lines`: one for each line, as many at a time as the endpoint takes."""
    form: Form | None = None
    """What the answer is: `text`, or `boxes` (JSON that says where each text stands)."""
    unit: Unit | None = None
    """What boxes count: `pixels` of the image as it was sent, or `thousandths` of its sides."""
    prompt: str | None = None
    """What the model is asked."""
    system: str = ""
    """A message of the system before it; none by default."""
    max_side: int | None = PydanticField(default=None, ge=64)
    """Pixels of an image's long side, at most."""
    max_tokens: int | None = PydanticField(default=None, ge=16)
    """Longest answer."""
    jpeg_quality: int = PydanticField(default=90, ge=1, le=100)
    """Of the images that are sent."""

    @cached_property
    def asked(self) -> Preset:
        """The preset with what is set here."""
        own = {name: getattr(self, name) for name in Preset.model_fields}
        return PRESETS[self.preset].model_copy(
            update={name: value for name, value in own.items() if value is not None}
        )


class _Kept(Value):
    """A reply as it is kept until its page is stored."""

    content: str
    truncated: bool = False
    certainty: float = 1.0
    cost: Cost = Cost()


class VlmEngine:
    """Page OCR by a vision model over a chat endpoint. Safe to use from several threads.

    An endpoint that is not configured is missed when it is first asked: what it read before is of use
    without it.
    """

    Params = VlmParams
    packages: ClassVar = (Package("openai", "asking chat endpoints"),)

    @staticmethod
    def chat_uses(params: VlmParams) -> tuple[ChatUse, ...]:
        return (ChatUse(params.chat, PROMPT_TOKENS, COMPLETION_TOKENS),)

    def __init__(self, name: str, params: VlmParams, services: Services) -> None:
        self.name = name
        self.params = params
        self._asked = params.asked
        self._services = services
        if self._asked.shown == "lines" and self._asked.form == "boxes":
            raise ConfigError(f"engines.{name}: `form: boxes` goes with `shown: page`")

    @cached_property
    def finder(self) -> OcrEngine:
        """The engine that finds the lines. Raises ConfigError where it is of this kind itself."""
        found = self._services.engine(self.params.finder)
        if isinstance(found, VlmEngine):
            raise ConfigError(
                f"engines.{self.name}.finder: {self.params.finder!r} asks a model itself; name an "
                "engine that reads pages on this machine"
            )
        return found

    @property
    def _chat(self) -> ChatModel:
        return self._services.chat(self.params.chat)

    @property
    def falls_back(self) -> bool:
        return self.params.fallback

    @cached_property
    def asking(self) -> str:
        """Prompt and parameters, without the model."""
        told = self._asked.model_dump() | {
            "system": self.params.system,
            "quality": self.params.jpeg_quality,
        }
        text = json.dumps(told, sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"vlm r{REVISION} {self.params.preset} {digest} |"

    @property
    def fingerprint(self) -> str:
        """Raises EndpointMissingError where no endpoint is configured, ChatError where its model is
        `auto` and the server does not tell its name."""
        return f"{self.asking} {self._chat.fingerprint}"

    def read(self, image: Image.Image) -> tuple[Line, ...]:
        """Lines of an RGB page that lies upright. Raises EngineError or ChatError."""
        return self.transcribe(image, self.finder.read(image)).lines

    def transcribe(
        self, image: Image.Image, lines: Sequence[Line], files: Files | None = None
    ) -> Transcription:
        """What the model reads on an upright page on which the finder found these lines.

        Replies are kept in `files` as they come, and taken from there where they were had before.
        Where the model fails the finder's lines stand if that is configured. Else raises ChatError, or
        EngineError for a reply that is no reading of the page. Raises BudgetExceededError.
        """
        asking = _Asking(self, self._chat, image, files, account())
        try:
            if self._asked.shown == "lines":
                found = self._by_line(asking, image, lines)
            else:
                found = self._by_page(asking, image, lines)
        except (ChatError, EngineError) as error:
            if not self.falls_back:
                raise
            return Transcription(tuple(lines), asking.cost, str(error))
        permits.resume()
        ordered = reading_order(found, aspect=image.width / image.height)
        return Transcription(ordered, asking.cost)

    def _by_page(
        self, asking: _Asking, image: Image.Image, lines: Sequence[Line]
    ) -> tuple[Line, ...]:
        kept, size = asking.page()
        said = pieces(kept.content, self._asked.form, self._asked.unit, size)
        if not said and lines:
            raise EngineError(f"{self._who} gave no text of the page{_cut(kept)}")
        count, sure = _READABLE
        if _weight(lines) >= count and _certainty(lines) >= sure:
            alike = likeness(said, lines, cut=kept.truncated)
            if alike < _LEAST_ALIKE:
                raise EngineError(
                    f"{self._who} answered with something else than the text of the page, of which "
                    f"{self.params.finder} read {lines[0].text[:40]!r} and more{_cut(kept)}"
                )
        return aligned(said, lines)

    def _by_line(
        self, asking: _Asking, image: Image.Image, lines: Sequence[Line]
    ) -> tuple[Line, ...]:
        """Lines that the document itself says are not asked for."""
        wanted = [line for line in lines if not line.exact]
        replies = iter(asking.lines(wanted))
        found: list[Line] = []
        for line in lines:
            if line.exact:
                found.append(line)
                continue
            kept = next(replies)
            said = pieces(kept.content, "text", self._asked.unit, image.size)
            found.append(_on_line(said, line, kept))
        return tuple(found)

    @property
    def _who(self) -> str:
        return f"engines.{self.name}: the {self.params.chat} endpoint"


class _Asking:
    """The requests about one page, and what they cost."""

    def __init__(
        self,
        engine: VlmEngine,
        chat: ChatModel,
        image: Image.Image,
        files: Files | None,
        spent: Account,
    ) -> None:
        self.cost = Cost()
        self._image = image
        self._params = engine.params
        self._asked = engine.params.asked
        self._chat = chat
        self._files = files
        self._spent = spent
        self._name = engine.name
        self._key = ""
        """Begins what tells the page's requests from all others: what is paid for one page counts for
        it alone."""
        if files is not None:
            pixels = hashlib.sha256(image.tobytes()).hexdigest()
            self._key = f"{engine.fingerprint}\n{image.size} {pixels}"

    def page(self) -> tuple[_Kept, tuple[int, int]]:
        """The reply about the page, and the size in pixels at which it was shown."""
        side = min(self._asked.max_side, max(self._image.size))
        while True:
            shown, size = self._encoded(self._image, side)
            try:
                return self._counted(self._put(shown)), size
            except ChatTooLargeError:
                side = round(side * _SMALLER)
                if side < _LEGIBLE:
                    raise

    def lines(self, lines: Sequence[Line]) -> list[_Kept]:
        """The replies about lines of the page, in their order. Where one cannot be had no further ones
        are asked for; those that were are kept. Raises as `complete` does."""
        crops = [self._image.crop(_crop_of(line, self._image.size)) for line in lines]
        shown = [self._encoded(crop, self._asked.max_side)[0] for crop in crops]
        at_once = self._chat.concurrency if isinstance(self._chat, Concurrent) else 1
        if at_once == 1 or len(shown) < 2:
            return [self._counted(self._put(each, i)) for i, each in enumerate(shown)]
        found = [self._counted(self._put(shown[0]))]  # what the server can do is found out once
        with ThreadPoolExecutor(min(at_once, len(shown)), thread_name_prefix="line") as pool:
            put: Callable[[ChatImage, int], _Kept] = observed_here(self._put)
            futures = [pool.submit(put, each, i) for i, each in enumerate(shown[1:], 1)]
            try:
                with permits.waiting():
                    found += [self._counted(future.result()) for future in futures]
            except BaseException:
                for future in futures:
                    future.cancel()
                raise
        return found

    def _encoded(self, image: Image.Image, side: int) -> tuple[ChatImage, tuple[int, int]]:
        fitting = image.convert("RGB")
        fitting.thumbnail((side, side))
        data = jpeg(fitting, fitting.size, self._params.jpeg_quality)
        return ChatImage(data, "image/jpeg"), fitting.size

    def _counted(self, kept: _Kept) -> _Kept:
        self.cost += kept.cost
        return kept

    def _put(self, image: ChatImage, number: int = 0) -> _Kept:
        """The reply to one of the requests of the page: that which is kept, else the endpoint's,
        which is kept from then on."""
        key = ""
        if self._files is not None:
            shown = hashlib.sha256(image.data).hexdigest()
            key = hashlib.sha256(f"{self._key}\n{number} {shown}".encode()).hexdigest()
            known = _known(self._files.reply(key))
            if known is not None:
                self._spent.prepaid(known.cost.money)
                return known
        self._spent.reserve()
        reply: ChatReply | None = None
        try:
            try:
                reply = self._chat.complete(
                    system=self._params.system,
                    user=self._asked.prompt,
                    images=(image,),
                    max_tokens=self._asked.max_tokens,
                )
            except ChatAnswerError as error:
                if not isinstance(error.reply, ChatReply):
                    raise
                reply = error.reply  # empty, or refused: paid for, and not asked for again
            kept = _Kept(
                content=sound(reply.content),
                truncated=reply.truncated,
                certainty=_mean(reply.logprobs),
                cost=reply.cost,
            )
            if self._files is not None:
                self._files.keep_reply(key, f"page {self._name}", kept.model_dump_json())
            return kept
        finally:
            self._spent.book(None if reply is None else reply.cost.money)


def _known(told: str | None) -> _Kept | None:
    """None also for what another version kept."""
    try:
        return None if told is None else _Kept.model_validate_json(told)
    except ValidationError:
        return None


def _on_line(said: Sequence[Piece], line: Line, kept: _Kept) -> Line:
    """What was read on the crop of one line; of neighbours that it shows, nothing."""
    texts = [text for piece in said for text in piece.lines]
    if len(texts) == 1 and not kept.truncated and may_be(texts[0], line):
        return agreed(line, texts[0], kept.certainty)
    return next(each for each in aligned(said, [line]) if each.quad == line.quad)


def _crop_of(line: Line, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The pixels of a line and a bit around it."""
    width, height = size
    x0, y0, x1, y1 = line.box
    around = _AROUND * min((y1 - y0) * height, (x1 - x0) * width)
    grown: Box = (
        max(x0 - around / width, 0.0),
        max(y0 - around / height, 0.0),
        min(x1 + around / width, 1.0),
        min(y1 + around / height, 1.0),
    )
    return pixels_of(grown, *size)


def _cut(kept: _Kept) -> str:
    return " (cut off at `max_tokens`)" if kept.truncated else ""


def _mean(logprobs: Sequence[tuple[str, float]]) -> float:
    """Geometric mean of the tokens' probabilities; 1 where the server tells none."""
    told = [logprob for _, logprob in logprobs if math.isfinite(logprob)]
    return min(math.exp(sum(told) / len(told)), 1.0) if told else 1.0


def _weight(lines: Sequence[Line]) -> int:
    return sum(len(line.text) for line in lines)


def _certainty(lines: Sequence[Line]) -> float:
    return sum(len(line.text) * line.confidence for line in lines) / max(_weight(lines), 1)
