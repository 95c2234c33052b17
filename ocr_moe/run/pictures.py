"""The page images behind a run's records, for people to look at."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ocr_moe.errors import DocumentError
from ocr_moe.geometry import pixels_of
from ocr_moe.imaging.jpeg import jpeg
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.righting import turn
from ocr_moe.intake.source import File, Source, located
from ocr_moe.remote.filesystems import RemoteFile
from ocr_moe.store.database import Store
from ocr_moe.types import Box, DocumentRef, Record

if TYPE_CHECKING:
    from PIL import Image

_KEPT = 8
"""Pages that are kept decoded: those that reviewers are at, and the next ones."""
_AROUND = 1.0
"""What is shown around a value, in its heights: its label, and how straight the line lies."""
_QUALITY = 78
"""Of JPEG pictures: print of eight pixels can still be read."""


class PageImages:
    """Righted page images of a run's documents, where their files are still there. Safe to share
    between threads.

    A file that was moved is looked for under `originals`, by its path in the records, else by its
    name. One whose bytes are no longer those that were read is none.
    """

    def __init__(self, store: Store, limits: ImageLimits, originals: Path | None = None) -> None:
        self._inputs = store.inputs
        self._originals = originals
        self._decoder = Decoder(limits)
        self._lock = Lock()
        self._pages: OrderedDict[tuple[str, int, int], Image.Image] = OrderedDict()

    def __call__(self, record: Record, page: int) -> Image.Image | None:
        """Page `page` (from 1) of the record's document, or None when it cannot be had."""
        try:
            return self.page(record.document, page)
        except DocumentError:
            return None

    def page(self, document: DocumentRef, page: int = 1) -> Image.Image:
        """Righted pixels of a document's page, counted from 1. Raises DocumentError."""
        number = document.page + page - 1
        key = (document.sha256, number, document.rotation)
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)
                return self._pages[key]
        with self._decoder.open(self.source(document), document.sha256) as opened:
            image = turn(opened.page(number), document.rotation)
        with self._lock:
            self._pages[key] = image
            while len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
        return image

    def crop(
        self, document: DocumentRef, box: Box, page: int = 1, *, around: float = _AROUND
    ) -> Image.Image:
        """What stands at a box (fractions of the page), and as much `around` it in its heights. Raises
        DocumentError."""
        image = self.page(document, page)
        return image.crop(
            pixels_of(surrounded(box, image.width / image.height, around), *image.size)
        )

    def field_jpeg(
        self, record: Record, field: str, size: tuple[int, int], *, around: float = _AROUND
    ) -> bytes | None:
        """Where a field stands, as a JPEG of at most that size; None where nobody knows, or the page
        cannot be had."""
        evidence = record.fields[field].evidence
        if evidence is None:
            return None
        try:
            image = self.crop(record.document, evidence.box, evidence.page, around=around)
        except DocumentError:
            return None
        return jpeg(image, size, _QUALITY)

    def page_jpeg(self, record: Record, size: tuple[int, int]) -> bytes | None:
        """A document's first page, in the same way."""
        image = self(record, 1)
        return None if image is None else jpeg(image, size, _QUALITY)

    def close(self) -> None:
        """End the processes that decode."""
        self._decoder.close()

    def source(self, document: DocumentRef) -> Source:
        """Where a document's file is. Raises DocumentError where nothing is known of it."""
        place = self._inputs.place_of(document.path)
        found = None if place is None else located(document.path, place)
        if found is not None and _may_be_opened(found.file):
            return found
        for name in (document.path, Path(document.path).name) if self._originals else ():
            assert self._originals is not None
            file = self._originals / name
            if file.is_file() and file.resolve().is_relative_to(self._originals.resolve()):
                return Source(file, document.path)
        if found is None:
            raise DocumentError(f"{document.path}: the run does not say where the file was")
        if isinstance(found.file, RemoteFile):
            raise DocumentError(
                f"{document.path}: {found.file} is in no object store, and is not asked for again; "
                "name a folder that has the file"
            )
        return found


def _may_be_opened(file: File) -> bool:
    """Whether a file that a run names is there, or where it can do no harm to ask for it: a run may be
    from anybody, and other servers than object stores would do what a mere address tells them."""
    return file.is_object if isinstance(file, RemoteFile) else file.exists()


def surrounded(box: Box, aspect: float, around: float = _AROUND) -> Box:
    """The part of a page that a crop of the box shows: the box with a margin in heights of what stands
    in it; `aspect` is the page's width : height."""
    x0, y0, x1, y1 = box
    down = around * max(y1 - y0, 0.005)
    across = down / aspect
    return max(x0 - across, 0.0), max(y0 - down, 0.0), min(x1 + across, 1.0), min(y1 + down, 1.0)
