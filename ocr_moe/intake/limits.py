"""What files may cost: sizes, counts, memory and time, beyond which they are refused by name."""

from __future__ import annotations

from pydantic import Field

from ocr_moe.intake.bounds import Bounds
from ocr_moe.types import Value

MIB = 1 << 20


class ImageLimits(Value):
    """How files are decoded, and what is refused."""

    dpi: int = Field(default=200, ge=1)
    """Resolution at which drawn PDF pages are rendered; scanned ones keep their own pixels."""
    text_layer: bool = True
    """Whether PDF pages with text of their own are read from it, without OCR; what is only pixels on
    them is read by OCR all the same, and a scan's hidden text is never believed."""
    max_pixels: int = Field(default=120_000_000, ge=1)
    """Pixels a page may have (a decompression bomb has more). PDF pages are scaled down to it."""
    max_pages: int = Field(default=500, ge=1)
    """Pages a file may have."""
    max_file: int = Field(default=512, ge=1)
    """MiB that a file may have, and a member of a ZIP or DOCX once unpacked."""
    max_members: int = Field(default=5_000, ge=1)
    """Files that a ZIP or DOCX may hold."""
    max_unpacked: int = Field(default=8_192, ge=1)
    """MiB that all members of a ZIP or DOCX may have together once unpacked."""
    max_memory: int = Field(default=2_048, ge=64)
    """MiB of memory that decoding a file may take (on Linux; elsewhere only time is bounded)."""
    max_seconds: float = Field(default=60.0, gt=0)
    """Seconds that opening a file, or decoding one of its pages, may take."""

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.dpi, self.max_pixels, self.max_pages, self.max_memory)
