"""Documents as experts see them: pages whose pixels and text are had when first asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocr_moe.images import ImageFile, ImageLimits, Source
from ocr_moe.protocols import OcrEngine, Page
from ocr_moe.righting import read_upright, turn
from ocr_moe.schema import Schema
from ocr_moe.store import Store
from ocr_moe.types import DocumentRef, PageText

if TYPE_CHECKING:
    from PIL import Image

IMPORTED = "imported"
"""The engine under which page OCR from elsewhere is stored; it is preferred where there is any."""


class PageReader:
    """The pages of one file: text from the store or else from the engine, pixels on demand.

    Raises DocumentError or EngineError.
    """

    def __init__(
        self, source: Source, sha256: str, engine: OcrEngine, store: Store, limits: ImageLimits
    ) -> None:
        self._source = source
        self._sha256 = sha256
        self._engine = engine
        self._store = store
        self._limits = limits
        self._lock = threading.Lock()
        self._pixels: tuple[int, Image.Image] | None = None

    def count(self) -> int:
        pages = self._store.get_page_count(self._sha256)
        if pages is None:
            with ImageFile(self._source.file, self._limits) as opened:
                pages = opened.pages
            self._store.put_page_count(self._sha256, pages)
        return pages

    def text(self, page: int) -> PageText:
        for engine in (IMPORTED, self._engine.fingerprint):
            text = self._store.get_page(self._sha256, page, engine)
            if text is not None:
                return text
        image = self.pixels(page)
        start = time.perf_counter()
        rotation, lines = read_upright(image, self._engine.read)
        seconds = time.perf_counter() - start
        sideways = rotation in (90, 270)
        text = PageText(
            engine=self._engine.fingerprint,
            width=image.height if sideways else image.width,
            height=image.width if sideways else image.height,
            rotation=rotation,
            lines=lines,
            seconds=round(seconds, 4),
        )
        self._store.put_page(self._sha256, page, text.engine, text)
        return text

    def pixels(self, page: int) -> Image.Image:
        """Pixels as the file has them; the page that was decoded last is kept."""
        with self._lock:
            if self._pixels is None or self._pixels[0] != page:
                with ImageFile(self._source.file, self._limits) as opened:
                    self._pixels = (page, opened.page(page))
            return self._pixels[1]


@dataclass
class FilePage:
    """A page of a document; `number` counts within the document, `file_page` within the file."""

    number: int
    file_page: int
    reader: PageReader
    _text: PageText | None = field(default=None, repr=False)

    @property
    def image(self) -> Image.Image:
        return turn(self.reader.pixels(self.file_page), self.text.rotation)

    @property
    def text(self) -> PageText:
        if self._text is None:
            self._text = self.reader.text(self.file_page)
        return self._text


@dataclass(frozen=True)
class FileDocument:
    """A document within a file, under one schema."""

    ref: DocumentRef
    schema: Schema
    pages: Sequence[Page]


def open_document(
    source: Source, sha256: str, schema: Schema, reader: PageReader, first: int, count: int
) -> FileDocument:
    """The document that starts at page `first` of a file and has `count` pages."""
    pages = tuple(FilePage(number=i + 1, file_page=first + i, reader=reader) for i in range(count))
    ref = DocumentRef(
        path=source.name,
        sha256=sha256,
        page=first,
        pages=count,
        rotation=pages[0].text.rotation,
    )
    return FileDocument(ref=ref, schema=schema, pages=pages)
