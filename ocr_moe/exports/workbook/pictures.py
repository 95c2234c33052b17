"""Pictures of doubtful cells, as many as a workbook may have and still be opened and sent."""

from __future__ import annotations

from ocr_moe.exports.sources import CropOf
from ocr_moe.types import Record

MAX_PICTURES = 1_500
"""Excel scrolls slowly over more."""
MAX_BYTES = 20 * 2**20
"""Together; what mail servers let through."""


class Pictures:
    """Hands out pictures within the bounds, and counts."""

    def __init__(self, crop_of: CropOf | None) -> None:
        self._crop_of = crop_of
        self._bytes = 0
        self.shown = 0
        self.left_out = 0

    @property
    def wanted(self) -> bool:
        return self._crop_of is not None

    def of(self, record: Record, field: str) -> bytes:
        """Empty where there is no picture, or no room for it."""
        if self._crop_of is None:
            return b""
        if self.shown >= MAX_PICTURES or self._bytes >= MAX_BYTES:
            self.left_out += 1
            return b""
        picture = self._crop_of(record, field)
        if picture is None:
            return b""
        self.shown += 1
        self._bytes += len(picture)
        return picture
