"""Pictures as they are shown to people: JPEG, and no larger than need be."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


def jpeg(
    image: Image.Image, size: tuple[int, int], quality: int, *, smallest: bool = False
) -> bytes:
    """A picture, made smaller where it is beyond `size` (width and height in pixels), as JPEG.

    With `smallest` some more time is spent on fewer bytes.
    """
    fitting = image.copy() if image.mode in ("RGB", "L") else image.convert("RGB")
    fitting.thumbnail(size)
    written = io.BytesIO()
    fitting.save(written, "JPEG", quality=quality, optimize=smallest)
    return written.getvalue()
