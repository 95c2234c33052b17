"""Images of the formats that are read, decoded to upright RGB pixels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageOps

from ocr_moe.intake.bounds import Bounds, frontier
from ocr_moe.intake.kinds import pixels_of


class RasterFile:
    """An opened image of one page, or a TIFF of several.

    Raises UnreadableFileError or TooLargeError, on opening or when a page is decoded.
    """

    def __init__(self, name: str, data: bytes, kind: str, bounds: Bounds) -> None:
        """`kind` is one of `kinds.IMAGES`: no other of Pillow's decoders is tried."""
        self._name = name
        self._bounds = bounds
        with _decoding(name, heavy=bounds.is_heavy(pixels_of(data, kind))):
            if kind == "HEIF":
                _register_heif()
            self._image: Image.Image = Image.open(io.BytesIO(data), formats=[kind])
            bounds.check_size(name, self._image.width, self._image.height)
            self.pages = self._count() if kind == "TIFF" else 1

    def _count(self) -> int:
        """Pages of a TIFF, looked for no further than the limit."""
        pages = 1
        while True:
            try:
                self._image.seek(pages)
            except EOFError:
                return pages
            pages += 1
            self._bounds.check_pages(self._name, pages, more=True)

    def text(self, _: int) -> None:
        """Pixels have no text layer."""

    def page(self, number: int, *, text: bool = True) -> Image.Image:
        """The RGB pixels of a page (from 1), EXIF orientation obeyed."""
        width, height = self._image.size
        with _decoding(self._name, heavy=self._bounds.is_heavy(width * height)):
            if self._image.tell() != number - 1:
                self._image.seek(number - 1)
            self._bounds.check_size(self._name, self._image.width, self._image.height)
            self._image.load()
            image = to_rgb(_upright(self._image))
            self._bounds.check_size(self._name, image.width, image.height)
            return image

    def close(self) -> None:
        self._image.close()


@contextmanager
def _decoding(name: str, *, heavy: bool) -> Iterator[None]:
    what = "damaged, or heavier than images.max_memory allows" if heavy else "damaged or cut off"
    with frontier(name, what), warnings.catch_warnings():
        # Remarks on metadata, which help nobody.
        warnings.filterwarnings("ignore", module="PIL")
        yield


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # damaged metadata do not make the pixels worse
        return image


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of an image in any mode; transparency becomes white paper."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
        import numpy as np

        values = np.asarray(image).astype(np.float32)
        top = float(values.max(initial=0.0))
        values *= 255.0 if top <= 1.0 else 1.0 if top <= 255.0 else 1 / 257.0
        image = Image.fromarray(values.clip(0, 255, out=values).astype(np.uint8), mode=None)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        paper = Image.new("RGB", layer.size, "white")
        paper.paste(layer, mask=layer.getchannel("A"))
        return paper
    return image if image.mode == "RGB" else image.convert("RGB")


def _register_heif() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
