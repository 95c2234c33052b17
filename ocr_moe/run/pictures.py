"""The page images behind a run's records, for people to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocr_moe.errors import DocumentError
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.righting import turn
from ocr_moe.intake.sources import located
from ocr_moe.store.database import Store
from ocr_moe.types import Record

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
