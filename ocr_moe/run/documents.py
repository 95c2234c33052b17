"""Documents as experts see them: pages whose pixels and text are had when first asked for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ocr_moe.errors import (
    ChatError,
    DocumentError,
    EndpointMissingError,
    EngineError,
    OcrMoeError,
)
from ocr_moe.geometry import pixels_of
from ocr_moe.intake.blank import is_blank
from ocr_moe.intake.decoding import Decoder, ImageFile
from ocr_moe.intake.righting import REVISION as RIGHTING_REVISION
from ocr_moe.intake.righting import Rotation, read_upright, turn
from ocr_moe.intake.seals import REVISION as SEALS_REVISION
from ocr_moe.intake.seals import without_seals
from ocr_moe.intake.sources import Source
from ocr_moe.intake.strips import in_strips
from ocr_moe.intake.textlayer import REVISION as TEXT_REVISION
from ocr_moe.intake.textlayer import TextLayer
from ocr_moe.intake.texts.setting import ENGINE as GIVEN_TEXT
from ocr_moe.intake.watermarks import REVISION as WATERMARKS_REVISION
from ocr_moe.intake.watermarks import read_under_watermark
from ocr_moe.observing import Observed, observe
from ocr_moe.permits import resume
from ocr_moe.protocols import OcrEngine, Page, Transcriber
from ocr_moe.reading.splitting import find_regions, within
from ocr_moe.run.answers import NotRecordedError
from ocr_moe.run.layers import is_borne_out, own_lines, rotation_of, with_rest
from ocr_moe.run.ledger import Books
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.tracing import span
from ocr_moe.types import Box, Cost, DocumentRef, Line, PageText

if TYPE_CHECKING:
    from PIL import Image

_log = logging.getLogger(__name__)

IMPORTED = "imported"
"""The engine under which page OCR from elsewhere is stored; it is preferred where there is any."""
TEXT_LAYER = f"text-layer-r{TEXT_REVISION}"
"""The engine under which a page is stored that was read from its own text."""


Read = TypeVar("Read")


class Place(NamedTuple):
    """Where on its page a document stands."""

    part: int
    """Which of the documents there, counted from 1."""
    region: Box | None
    """In fractions of the page; None for the whole of it."""


WHOLE = Place(1, None)
"""The page is the document's own."""


def page_key(engine: OcrEngine, remove_seals: bool) -> str:
    """What page OCR is stored under: the engine, and what is done to pages before it."""
    if isinstance(engine, Transcriber):
        return f"{engine.fingerprint} | {page_key(engine.finder, remove_seals)}"
    key = f"{engine.fingerprint} seals-r{SEALS_REVISION}" if remove_seals else engine.fingerprint
    return f"{key} righting-r{RIGHTING_REVISION} watermarks-r{WATERMARKS_REVISION}"


def reader_of(engine: OcrEngine, remove_seals: bool) -> Callable[[Image.Image], tuple[Line, ...]]:
    """How a page's lines are read as it lies: long pages in strips, seals and notices taken off."""

    def read(image: Image.Image) -> tuple[Line, ...]:
        if remove_seals:
            with span("seals"):
                image = without_seals(image)
        with span("ocr"):
            return engine.read(image)

    def read_page(image: Image.Image) -> tuple[Line, ...]:
        with span("watermarks"):
            return in_strips(image, lambda strip: read_under_watermark(strip, read))

    return read_page


class PageReader:
    """The pages of one file: text from the store or else from the engine, pixels on demand.

    The file is opened once, when first needed, and has to be what was hashed. Raises DocumentError
    or EngineError.
    """

    def __init__(
        self,
        source: Source,
        sha256: str,
        engine: OcrEngine,
        store: Store,
        decoder: Decoder,
        *,
        remove_seals: bool = True,
        text_layer: bool = True,
        recorded_only: bool = False,
        before_reading: Callable[[], None] = lambda: None,
        books: Books | None = None,
    ) -> None:
        """Pages with text of their own are read from it where `text_layer` says so. With
        `recorded_only` the file is never opened: what the store lacks raises NotRecordedError. In
        `books` is entered what an engine asks of others."""
        self._source = source
        self._sha256 = sha256
        self._transcriber: Transcriber | None = None
        if isinstance(engine, Transcriber):
            self._transcriber, engine = engine, engine.finder
        self._books = books
        self._read = reader_of(engine, remove_seals)
        self._key = page_key(engine, remove_seals)
        self._mixed_key = f"{TEXT_LAYER} + {self._key}"
        self._text_layer = text_layer
        self._store = store
        self._decoder = decoder
        self._recorded_only = recorded_only
        self._before_reading = before_reading
        self._lock = threading.Lock()
        self._file: ImageFile | None = None
        self._pixels: tuple[int, Image.Image] | None = None
        self._texts: dict[tuple[int, Box | None], PageText] = {}
        self._found: dict[tuple[int, Box | None], PageText] = {}
        self._regions: dict[int, tuple[Box, ...]] = {}

    def count(self) -> int:
        pages = self._store.get_page_count(self._sha256)
        if pages is None:
            with self._lock, span("decode"):
                pages = self._opened().pages
            self._store.put_page_count(self._sha256, pages)
        return pages

    def text(self, page: int, region: Box | None = None) -> PageText:
        """Of a page, or of one of its `regions`."""
        if self._transcriber is None:
            return self.found(page, region)
        key = (page, region)
        if key not in self._texts:
            self._texts[key] = self._transcribed(self._transcriber, page, region)
        return self._texts[key]

    def found(self, page: int, region: Box | None = None) -> PageText:
        """The same, or where that is dear what another engine reads there: how the page lies and what
        stands where on it."""
        key = (page, region)
        if key not in self._found:
            self._found[key] = (
                self._text_of_page(page) if region is None else self._text_of_region(page, region)
            )
        return self._found[key]

    def regions(
        self, page: int, schemas: Sequence[Schema], told: tuple[Box, ...] | None = None
    ) -> tuple[Box, ...]:
        """Where on the page documents stand that do not have it to themselves; mostly none.

        `told` is where people say that they stand."""
        if page not in self._regions:
            text = self.found(page)
            found = () if text.is_given else find_regions(text, schemas)
            self._regions[page] = found if told is None else told
        return self._regions[page]

    def image(self, page: int, region: Box | None = None) -> Image.Image:
        """Righted pixels of a page or of a region of it."""
        image = turn(self.pixels(page), self.found(page).rotation)
        return image if region is None else image.crop(pixels_of(region, *image.size))

    def _text_of_page(self, page: int) -> PageText:
        own = (TEXT_LAYER, self._mixed_key) if self._text_layer else ()
        for engine in (IMPORTED, *own, self._key, GIVEN_TEXT):
            text = self._store.get_page(self._sha256, page, engine)
            if text is not None:
                observe(Observed.PAGES, "stored")
                return text
        text = self._read_page(page)
        observe(Observed.PAGES, "read")
        observe(Observed.PAGE_SECONDS, number=text.seconds)
        return text

    def _read_page(self, page: int) -> PageText:
        start = time.perf_counter()
        given = self._given()
        layer = None if given is not None else self._layer(page)
        if given is not None:
            text = given
        elif layer is not None and not layer.rest and not layer.is_doubtful:
            text = PageText(
                engine=TEXT_LAYER,
                width=layer.width,
                height=layer.height,
                rotation=rotation_of(layer.rotation),
                lines=own_lines(layer),
                seconds=round(time.perf_counter() - start, 4),
            )
        else:
            text = self._recognised(page, layer)
        self._store.put_page(self._sha256, page, text.engine, text)
        return text

    def _recognised(self, page: int, layer: TextLayer | None) -> PageText:
        """The page as OCR reads it, or what a text layer lacks."""
        image = self.pixels(page)

        def read() -> tuple[str, Rotation, tuple[Line, ...]]:
            if layer is not None and is_borne_out(layer, image, self._read):
                rest = self._opened_page(page, text=False)
                return (self._mixed_key, *with_rest(layer, rest, self._read))
            with span("righting"):
                return (self._key, *read_upright(image, self._read))

        seconds, (key, rotation, lines) = self._timed(page, read)
        sideways = rotation in (90, 270)
        return PageText(
            engine=key,
            width=image.height if sideways else image.width,
            height=image.width if sideways else image.height,
            rotation=rotation,
            lines=lines,
            blank=not lines and is_blank(image),
            seconds=round(seconds, 4),
        )

    def _text_of_region(self, page: int, region: Box) -> PageText:
        """Read by itself: its type is larger then, and nothing of its neighbours is in the way.

        Of a page whose text is from elsewhere, or its own, that text stands for ours.
        """
        imported = self._store.get_page(self._sha256, page, IMPORTED, region)
        if imported is not None:
            return imported
        whole = self.found(page)
        if (
            whole.engine in (TEXT_LAYER, self._mixed_key, GIVEN_TEXT)
            or self._store.get_page(self._sha256, page, IMPORTED) is not None
        ):
            return within(whole, region)
        stored = self._store.get_page(self._sha256, page, self._key, region)
        return stored or self._read_region(page, region)

    def _read_region(self, page: int, region: Box) -> PageText:
        image = self.image(page, region)
        seconds, lines = self._timed(page, lambda: self._read(image))
        whole = self.found(page)
        text = PageText(
            engine=self._key,
            width=image.width,
            height=image.height,
            rotation=whole.rotation,
            lines=lines,
            # The page was read for all of its documents.
            seconds=round(seconds + whole.seconds / len(self._regions[page]), 4),
            region=region,
        )
        self._store.put_page(self._sha256, page, text.engine, text)
        return text

    def _transcribed(self, by: Transcriber, page: int, region: Box | None) -> PageText:
        """What a dear engine reads: asked once, about what needs it."""
        found = self.found(page, region)
        if found.blank or found.engine not in (self._key, self._mixed_key):
            return found  # blank, the page's own text, or imported
        end = f" | {found.engine}"
        try:
            key = by.fingerprint + end
            stored = self._store.get_page(self._sha256, page, key, region)
        except (ChatError, EndpointMissingError):  # nobody says which model there is
            stored = self._store.get_page_by(self._sha256, page, by.asking, end, region)
            if stored is None and not self._recorded_only:
                if by.falls_back:
                    return found
                raise
        if stored is not None:
            return stored
        if self._recorded_only or self._books is None:
            raise NotRecordedError(f"{self._source.name}: {by.name} has not been asked")
        image = self.image(page, region)
        start = time.perf_counter()
        with span("ocr"), self._books.question(by.name) as paid:
            said = by.transcribe(image, found.lines, self._store.requests)
            paid.settle(said.cost)
        _observe_paid(by.name, said.cost)
        # What it fell back on is kept under its key as well: in this run it is not asked again.
        text = found.model_copy(
            update={
                "engine": found.engine if said.failure else key,
                "lines": said.lines,
                "seconds": round(found.seconds + time.perf_counter() - start, 4),
                "cost": said.cost.model_copy(update={"seconds": 0.0}),
            }
        )
        self._store.put_page(self._sha256, page, key, text)
        if said.failure:
            where = f"{self._source.name}, page {page}"
            _log.warning(
                "%s stands as the engine read it that finds lines: %s", where, said.failure
            )
        resume()
        return text

    def _timed(self, page: int, read: Callable[[], Read]) -> tuple[float, Read]:
        """What an engine reads, and how many seconds it took."""
        self._before_reading()
        start = time.perf_counter()
        try:
            found = read()
        except OcrMoeError:
            raise
        except Exception as error:  # whatever a third party's engine makes of odd pixels
            raise EngineError(
                f"{self._source.name}: page {page} could not be read by OCR ({error}); "
                "scan it again, or try another engine (ocr in the configuration)"
            ) from error
        return time.perf_counter() - start, found

    def _given(self) -> PageText | None:
        """The text of a file that has no pixels."""
        with self._lock:
            return self._opened().given

    def _layer(self, page: int) -> TextLayer | None:
        """What the page itself says; None also where finding that out breaks: it may still be drawn."""
        if not self._text_layer:
            return None
        try:
            with self._lock, span("text_layer"):
                return self._opened().text(page)
        except DocumentError:
            return None

    def _opened_page(self, page: int, *, text: bool) -> Image.Image:
        with self._lock, span("decode"):
            return self._opened().page(page, text=text)

    def pixels(self, page: int) -> Image.Image:
        """Pixels as the file has them; the page that was decoded last is kept."""
        resume()
        with self._lock:
            if self._pixels is None or self._pixels[0] != page:
                with span("decode"):
                    self._pixels = (page, self._opened().page(page))
            return self._pixels[1]

    def rest(self) -> None:
        """Let go of pixels, and of the file with the process that decodes it: both are had again when
        they are next asked for."""
        with self._lock:
            self._pixels = None
        self.close()

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _opened(self) -> ImageFile:
        if self._recorded_only:
            raise NotRecordedError(f"{self._source.name} has not been read")
        if self._file is None:
            self._file = self._decoder.open(self._source, self._sha256)
        return self._file


def _observe_paid(engine: str, cost: Cost) -> None:
    observe(Observed.REQUESTS, engine, number=cost.calls)
    observe(Observed.TOKENS, engine, "prompt", number=cost.prompt_tokens)
    observe(Observed.TOKENS, engine, "completion", number=cost.completion_tokens)
    observe(Observed.MONEY, engine, number=cost.money)


@dataclass
class FilePage:
    """A page of a document; `number` counts within the document, `file_page` within the file.

    Where the document shares its page, its `region` is all that there is of it.
    """

    number: int
    file_page: int
    reader: PageReader
    region: Box | None = None

    @property
    def image(self) -> Image.Image:
        return self.reader.image(self.file_page, self.region)

    @property
    def text(self) -> PageText:
        return self.reader.text(self.file_page, self.region)

    @property
    def is_given(self) -> bool:
        return self.reader.found(self.file_page, self.region).is_given


@dataclass(frozen=True)
class FileDocument:
    """A document within a file, under one schema."""

    ref: DocumentRef
    schema: Schema
    pages: Sequence[Page]


def open_document(
    source: Source,
    sha256: str,
    schema: Schema,
    reader: PageReader,
    first: int,
    count: int,
    place: Place = WHOLE,
) -> FileDocument:
    """The document that starts at page `first` of a file and has `count` pages, or stands at a
    `place` of that page."""
    pages = tuple(
        FilePage(number=i + 1, file_page=first + i, reader=reader, region=place.region)
        for i in range(count)
    )
    ref = DocumentRef(
        path=source.name,
        sha256=sha256,
        page=first,
        pages=count,
        part=place.part,
        rotation=reader.found(first, place.region).rotation,
        region=place.region,
    )
    return FileDocument(ref=ref, schema=schema, pages=pages)
