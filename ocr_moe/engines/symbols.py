"""Two-dimensional and bar codes by ZXing-C++ (`ocr_moe.protocols.SymbolReader`).

What costs time is looking, not decoding, so the page is looked at in steps, the cheap ones first:

1. QR codes, at the page's own size, light on dark as well.  One that is seen but cannot be decoded is
   cut out and tried enlarged, which is what small prints and soft photographs need, and by its red and
   its blue channel, which is what a seal over it needs.
2. Aztec, Data Matrix, PDF417 and bar codes, upright.  Bar codes of digits alone (EAN, ITF) are left
   out: ruled paper looks like them.
3. Where the caller expects a code: these on end as well, and, if none was seen, QR codes on the whole
   page at twice its size.

On 80 photographs and scans of business licences the steps decode the 47 codes that all sizes from a
quarter to three times the page's do together, in about a twentieth of their time.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from ocr_moe.errors import EngineError, MissingDependencyError
from ocr_moe.protocols import Package
from ocr_moe.types import Box, Symbol, Value

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]

REVISION = 1

_TEXT = 4096
"""Characters of a symbol's text that are kept; the largest QR code holds 2,953 bytes."""
_MOST = 16
"""Symbols of a page that are kept; a sheet of labels is no document."""
_QUIET = 0.2
"""Margin around a located symbol, in its own size: the decoder wants the quiet zone."""
_PLACES = 3
"""Places that are tried enlarged; type that looks like a finder pattern is rare."""


class SymbolsParams(Value):
    """Parameters of `ZxingSymbols`."""

    enlarge: tuple[float, ...] = (1.5, 2.0, 3.0)
    """Sizes at which a QR code that was seen but not decoded is tried, one after the other."""
    side: int = 2600
    """Longest side of the page, in pixels, at which QR codes are sought; larger pages are reduced
    first, and only what is seen is looked at in full."""
    other_side: int = 1800
    """The same for all others, which are slower to seek …"""
    turned_side: int = 1200
    """… and for Data Matrix on another of its sides."""
    whole_scale: float = 2.0
    """Size at which the whole page is sought through where a code is expected and none was seen …"""
    whole_pixels: int = 6_000_000
    """… unless it then has more pixels than this."""


@cache  # looking it up takes milliseconds, and every question asks for it
def _version() -> str:
    try:
        return importlib.metadata.version("zxing-cpp")
    except importlib.metadata.PackageNotFoundError:
        return "missing"


class ZxingSymbols:
    """Finds and decodes QR codes, Aztec, Data Matrix, PDF417, Code 128, Code 39 and Code 93."""

    Params = SymbolsParams

    packages: ClassVar = (Package("zxing-cpp", "QR codes, Data Matrix, PDF417 and bar codes"),)

    def __init__(self, name: str, params: SymbolsParams) -> None:
        self.name = name
        self._params = params

    @property
    def fingerprint(self) -> str:
        return f"zxing-{_version()} r{REVISION} {self._params.model_dump_json()}"

    def read(self, image: Image.Image, *, expected: bool = False) -> tuple[Symbol, ...]:
        """The page's symbols from top to bottom, each content at one place once."""
        try:
            found = self._read(image, expected)
        except ImportError as error:
            raise MissingDependencyError(
                f"codes cannot be read ({error}); pip install 'zxing-cpp>=3.1'"
            ) from error
        except Exception as error:
            raise EngineError(f"reading codes failed: {error}") from error
        return tuple(sorted(found, key=lambda symbol: (symbol.box[1], symbol.box[0])))[:_MOST]

    def _read(self, image: Image.Image, expected: bool) -> list[Symbol]:
        import zxingcpp

        formats = zxingcpp.BarcodeFormat
        search = _Search(image)
        scale = search.fitting(self._params.side)
        self._qr_codes(search, scale)
        barred = [formats.PDF417, formats.Code128, formats.Code39, formats.Code93]
        scale = search.fitting(self._params.other_side)
        pixels = search.whole(scale)
        search.decode(pixels, [formats.Aztec, formats.DataMatrix, *barred], scale)
        if expected:
            # What has bars is found upside down as well, Data Matrix on one of its sides only.
            search.decode(pixels, barred, scale, turns=1)
            scale = search.fitting(self._params.turned_side)
            pixels = search.whole(scale)
            for turns in (1, 2, 3):
                search.decode(pixels, [formats.DataMatrix], scale, turns=turns)
        enlarged = self._params.whole_scale
        small = image.width * image.height * enlarged**2 <= self._params.whole_pixels
        if expected and not search.symbols and small:
            self._qr_codes(search, enlarged)
        return search.symbols

    def _qr_codes(self, search: _Search, scale: float) -> None:
        """Those that are decoded at that size of the page, and those seen there, enlarged."""
        import zxingcpp

        formats = [zxingcpp.BarcodeFormat.QRCode]
        seen = search.decode(search.whole(scale), formats, scale, invert=True)
        for place in _apart(seen)[:_PLACES]:
            for pixels, enlarged in search.views(place, self._params.enlarge):
                if search.decode_crop(pixels, enlarged, place, formats):
                    break


class _Search:
    """One page while it is looked at: its pixels at several sizes, and what was decoded so far."""

    def __init__(self, image: Image.Image) -> None:
        import numpy as np

        self._rgb = image if image.mode == "RGB" else image.convert("RGB")
        self._grey: Pixels = np.asarray(self._rgb.convert("L"))
        self.symbols: list[Symbol] = []

    def fitting(self, side: int) -> float:
        """The scale, at most 1, at which the page's longest side is no more than that."""
        return min(1.0, side / max(self._rgb.size))

    def whole(self, scale: float) -> Pixels:
        return _scaled(self._grey, scale)

    def decode(
        self,
        pixels: Pixels,
        formats: Sequence[Any],
        scale: float,
        *,
        turns: int = 0,
        invert: bool = False,
    ) -> list[Box]:
        """Keep what can be decoded; the places, in pixels of the page, of QR codes that cannot.

        The pixels are turned by `turns` right angles counterclockwise first.
        """
        import numpy as np
        import zxingcpp

        turned = np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
        undecoded = []
        for barcode in zxingcpp.read_barcodes(
            turned,
            formats=zxingcpp.BarcodeFormats(list(formats)),
            try_rotate=False,
            try_downscale=False,
            try_invert=invert,
            return_errors=invert,
        ):
            corners = _corners(barcode.position)
            height, width = turned.shape
            for _ in range(turns):
                corners = [(height - 1 - y, x) for x, y in corners]
                height, width = width, height
            box = _hull([(x / scale, y / scale) for x, y in corners])
            if barcode.error is None and barcode.valid:
                self._keep(barcode, box, scale)
            elif barcode.format == zxingcpp.BarcodeFormat.QRCode:
                undecoded.append(box)
        return undecoded

    def views(self, place: Box, scales: Sequence[float]) -> Iterator[tuple[Pixels, float]]:
        """Pixels of a place in grey at growing sizes, then by single channels at the middle one."""
        import numpy as np

        crop = self._rgb.crop(self._around(place))
        grey: Pixels = np.asarray(crop.convert("L"))
        for scale in scales:
            yield _scaled(grey, scale), scale
        if scales:
            middle = scales[len(scales) // 2]
            for channel in ("R", "B"):
                yield _scaled(np.asarray(crop.getchannel(channel)), middle), middle

    def decode_crop(self, pixels: Pixels, scale: float, place: Box, formats: Sequence[Any]) -> bool:
        """Whether anything in the crop around a place can be decoded, which is then kept."""
        import zxingcpp

        left, top, *_ = self._around(place)
        decoded = zxingcpp.read_barcodes(pixels, formats=zxingcpp.BarcodeFormats(list(formats)))
        for barcode in decoded:
            corners = _corners(barcode.position)
            self._keep(
                barcode, _hull([(x / scale + left, y / scale + top) for x, y in corners]), scale
            )
        return bool(decoded)

    def _around(self, place: Box) -> tuple[int, int, int, int]:
        x0, y0, x1, y1 = place
        margin = _QUIET * max(x1 - x0, y1 - y0)
        height, width = self._grey.shape
        return (
            max(0, round(x0 - margin)),
            max(0, round(y0 - margin)),
            min(width, round(x1 + margin) + 1),
            min(height, round(y1 + margin) + 1),
        )

    def _keep(self, barcode: Any, box: Box, scale: float) -> None:
        height, width = self._grey.shape
        x0, y0, x1, y1 = (
            min(max(value / side, 0.0), 1.0)
            for value, side in zip(box, (width, height, width, height), strict=True)
        )
        text = decoded_text(barcode.bytes)[:_TEXT]
        if not text.strip():
            return
        for other in self.symbols:
            if other.text == text and _overlap(other.box, (x0, y0, x1, y1)):
                return
        self.symbols.append(
            Symbol(
                symbology=_NAMES.get(barcode.format.name, barcode.format.name),
                text=text,
                box=(x0, y0, x1, y1),
                scale=round(scale, 3),
            )
        )


_NAMES = {
    "QRCode": "QR code",
    "QRCodeModel1": "QR code",
    "QRCodeModel2": "QR code",
    "Aztec": "Aztec code",
    "AztecCode": "Aztec code",
    "DataMatrix": "Data Matrix",
    "PDF417": "PDF417",
    "Code128": "Code 128",
    "Code39": "Code 39",
    "Code39Std": "Code 39",
    "Code39Ext": "Code 39",
    "Code93": "Code 93",
}
"""Symbologies as people call them."""


def decoded_text(content: bytes) -> str:
    """Bytes of a symbol as text: UTF-8 where they are that, else GB 18030, which all of its
    predecessors are parts of.  What is neither comes out with �.

    >>> decoded_text("名称".encode("gb18030"))
    '名称'
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030", errors="replace")


def _scaled(pixels: Pixels, scale: float) -> Pixels:
    if scale == 1.0:
        return pixels
    import cv2

    how = cv2.INTER_CUBIC if scale > 1.0 else cv2.INTER_AREA
    scaled: Any = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how)
    return scaled  # type: ignore[no-any-return]


def _corners(position: Any) -> list[tuple[float, float]]:
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    return [(float(corner.x), float(corner.y)) for corner in corners]


def _hull(corners: Sequence[tuple[float, float]]) -> Box:
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return (min(xs), min(ys), max(xs), max(ys))


def _apart(places: Sequence[Box]) -> list[Box]:
    """Those that lie on none before them."""
    kept: list[Box] = []
    for place in places:
        if not any(_overlap(place, other) for other in kept):
            kept.append(place)
    return kept


def _overlap(a: Box, b: Box) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]
