"""The page images behind a run's records, for people to look at."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from ocr_moe.errors import DocumentError
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.righting import turn
from ocr_moe.intake.sources import located
from ocr_moe.store.database import Store
from ocr_moe.types import Box, Record

if TYPE_CHECKING:
    from PIL import Image


class PageImages:
    """The righted page image behind a record, where its file is still there; for reports."""

    def __init__(self, store: Store, limits: ImageLimits) -> None:
        self._files: dict[str, str | list[str | int]] = store.get_meta("files") or {}
        self._limits = limits

    def __call__(self, record: Record, page: int) -> Image.Image | None:
        """Page `page` (from 1) of the record's document, or None when it cannot be had."""
        document = record.document
        place = self._files.get(document.path)
        if place is None:
            return None
        try:
            with (
                Decoder(self._limits) as decoder,
                decoder.open(located(document.path, place), document.sha256) as opened,
            ):
                image = opened.page(document.page + page - 1)
        except DocumentError:
            return None
        return turn(image, document.rotation)


_CROP = (430, 72)
"""Most pixels of a crop, width and height: a line of print that can be read, in a row of a sheet."""
_QUALITY = 75
_MARGIN = 0.35
"""Around the box, in its heights: enough to see the characters at its edge whole."""


class FieldCrops:
    """Small JPEG pictures of where fields stand; a page stays decoded while its fields are asked for."""

    def __init__(self, pages: Callable[[Record, int], Image.Image | None]) -> None:
        self._pages = pages
        self._last: tuple[tuple[str, int], Image.Image | None] | None = None

    def __call__(self, record: Record, field: str) -> bytes | None:
        """None where nothing was found of the field, or the page cannot be had."""
        evidence = record.fields[field].evidence
        if evidence is None:
            return None
        key = (record.document.path, record.document.page + evidence.page - 1)
        if self._last is None or self._last[0] != key:
            self._last = (key, self._pages(record, evidence.page))
        page = self._last[1]
        return None if page is None else _jpeg(page, evidence.box)


def _jpeg(page: Image.Image, box: Box) -> bytes:
    width, height = page.size
    x0, y0, x1, y1 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    margin = _MARGIN * (y1 - y0) + 2
    left, top = max(0, int(x0 - margin)), max(0, int(y0 - margin))
    right, bottom = min(width, int(x1 + margin)), min(height, int(y1 + margin))
    crop = page.crop((left, top, max(right, left + 1), max(bottom, top + 1))).convert("RGB")
    crop.thumbnail(_CROP)
    stream = io.BytesIO()
    crop.save(stream, format="JPEG", quality=_QUALITY)
    return stream.getvalue()
