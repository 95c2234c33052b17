"""The page images behind a run's records, for people to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ocr_moe.errors import DocumentError
from ocr_moe.intake.images import ImageFile, ImageLimits
from ocr_moe.intake.righting import turn
from ocr_moe.store.database import Store
from ocr_moe.types import Record

if TYPE_CHECKING:
    from PIL import Image


class PageImages:
    """The righted page image behind a record, where its file is still there; for reports."""

    def __init__(self, store: Store, limits: ImageLimits) -> None:
        self._files: dict[str, str] = store.get_meta("files") or {}
        self._limits = limits

    def __call__(self, record: Record, page: int) -> Image.Image | None:
        """Page `page` (from 1) of the record's document, or None when it cannot be had."""
        file = Path(self._files.get(record.document.path, ""))
        if not file.is_file():
            return None
        try:
            with ImageFile(file, self._limits) as opened:
                image = opened.page(record.document.page + page - 1)
        except DocumentError:
            return None
        return turn(image, record.document.rotation)
