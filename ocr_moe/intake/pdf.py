"""Pages of a PDF as RGB pixels, scans at their own resolution, print and form fields at ours; and as
the text that they hold (`ocr_moe.intake.pdftext`)."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, Any

import pypdfium2
import pypdfium2.raw as pdfium

from ocr_moe.errors import UnreadableFileError
from ocr_moe.intake.bounds import MAX_SIDE, Bounds, first_line, frontier
from ocr_moe.intake.images import to_rgb

if TYPE_CHECKING:
    from PIL import Image

    from ocr_moe.intake.pdftext import PageWithText
    from ocr_moe.intake.textlayer import TextLayer

_DRAWN_PIXELS = 25_000_000
"""Pixels that drawn pages get at most, whatever the paper's size: A2 at 200 dpi has 15 million."""
_OBJECTS = 5_000
"""Objects of a page that are looked at to find its scale."""
_DEPTH = 5
_SHARE = 0.1
"""Share of the page that an image covers at least to count as a scan; strips have less each, and
are measured by the largest."""
_ROUNDING = 1 - 1e-5
"""PDFium rounds sides up: a scan of 1,500 pixels is not to become 1,501."""
_INVISIBLE = 3
"""The text rendering mode of the text layer under a scan."""


class PdfFile:
    """An opened PDF. PDFium is not thread-safe, and may crash: for a process of its own.

    Raises UnreadableFileError or TooLargeError, on opening or when a page is rendered.
    """

    def __init__(self, name: str, data: bytes, bounds: Bounds) -> None:
        self._name = name
        self._bounds = bounds
        self._data = data
        self._texts: Any = None
        """The PDF once more, for its text."""
        self._text: tuple[int, PageWithText] | None = None
        with frontier(name, "the PDF is damaged or cut off"):
            self._pdf = self._opened(data)
            self.pages = len(self._pdf)
        if self.pages == 0:
            raise UnreadableFileError(f"{name}: the PDF has no pages; save it again")
        bounds.check_pages(name, self.pages)

    def _opened(self, data: bytes) -> Any:
        try:
            pdf = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if "password" not in str(error).lower():
                raise
            raise UnreadableFileError(
                f"{self._name}: the PDF is protected by a password; save it without one"
            ) from error
        if pdf.get_formtype() != pdfium.FORMTYPE_NONE:
            pdf.init_forms()
        return pdf

    def page(self, number: int, *, text: bool = True) -> Image.Image:
        """Without `text` the page lacks the lines of its text layer, which are read already."""
        if not text:
            with frontier(self._name, f"page {number} of the PDF cannot be rendered"):
                return self._with_text(number).without_text()
        with frontier(self._name, f"page {number} of the PDF cannot be rendered"):
            page = self._pdf[number - 1]
            try:
                scale = self._scale(page)
                image = to_rgb(page.render(scale=scale, may_draw_forms=True).to_pil())
                if image.getcolors(1):
                    self._check_images(page, number)
            finally:
                page.close()
        return image

    def text(self, number: int) -> TextLayer | None:
        """What the page's own text says; None where it has none that can be seen and understood."""
        with frontier(self._name, f"the text of page {number} of the PDF cannot be read"):
            return self._with_text(number).layer

    def _with_text(self, number: int) -> PageWithText:
        """The page, kept open for its pixels are often asked for next."""
        from ocr_moe.intake.pdftext import PageWithText, open_for_text

        if self._text is None or self._text[0] != number:
            if self._text is not None:
                self._text[1].close()
                self._text = None
            if self._texts is None:
                self._texts = open_for_text(self._data)
            page = self._pdf[number - 1]
            try:
                width, height = self._size(page)
            finally:
                page.close()
            self._text = number, PageWithText(self._texts, number, width, height)
        return self._text[1]

    def _size(self, page: Any) -> tuple[int, int]:
        """Pixels of the page as `page` renders it."""
        scale = self._scale(page)
        width, height = page.get_size()
        return math.ceil(width * scale), math.ceil(height * scale)

    def close(self) -> None:
        if self._text is not None:
            self._text[1].close()
        if self._texts is not None:
            self._texts.close()
        self._pdf.close()

    def _scale(self, page: Any) -> float:
        """Pixels a point: what the page's scan has, what print needs, as far as limits allow."""
        width, height = map(float, page.get_size())
        area = width * height
        if not 0 < area < math.inf:
            raise UnreadableFileError(
                f"{self._name}: a page of {width:g} × {height:g} points; save the PDF again"
            )
        own, drawn = _content(page, area)
        scale = own = own * _ROUNDING
        if drawn or not own:
            scale = max(own, min(self._bounds.dpi / 72, math.sqrt(_DRAWN_PIXELS / area)))
        # Sides are rounded up to whole pixels.
        most = math.sqrt(max(self._bounds.max_pixels - width * scale - height * scale, 1) / area)
        return min(scale, most, (MAX_SIDE - 1) / max(width, height))

    def _check_images(self, page: Any, number: int) -> None:
        """Raises UnreadableFileError where a page came out empty because its image is damaged."""
        images = page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_IMAGE,), max_depth=_DEPTH)
        for image in islice(images, 3):
            try:
                image.get_bitmap().close()
            except Exception as error:
                raise UnreadableFileError(
                    f"{self._name}: the image on page {number} of the PDF is damaged or too large "
                    f"({first_line(error)}); scan or save it again"
                ) from error


def _content(page: Any, area: float) -> tuple[float, bool]:
    """Pixels a point of the scans on a page (0 without any), and whether anything is drawn."""
    scans: list[tuple[float, float]] = []
    drawn = pdfium.FPDFPage_GetAnnotCount(page) > 0
    for item in islice(page.get_objects(max_depth=_DEPTH), _OBJECTS):
        if item.type == pdfium.FPDF_PAGEOBJ_FORM:
            continue
        if item.type != pdfium.FPDF_PAGEOBJ_IMAGE:
            drawn = drawn or not _is_invisible(item)
            continue
        across, down, covered = _extent(item)
        if across > 0 and down > 0:
            width, height = item.get_px_size()
            scans.append((min(covered / area, 1.0), max(width / across, height / down)))
    largest = max((share for share, _ in scans), default=0.0)
    if sum(share for share, _ in scans) < _SHARE:
        return 0.0, drawn
    least = min(_SHARE, largest / 2)
    return max(resolution for share, resolution in scans if share >= least), drawn


def _extent(image: Any) -> tuple[float, float, float]:
    """Width, height and area of an image on the page, in points, however it is turned."""
    matrix = image.get_matrix()
    container = image.container
    while container is not None:
        matrix = matrix.multiply(container.get_matrix())
        container = container.container
    a, b, c, d = matrix.a, matrix.b, matrix.c, matrix.d
    return math.hypot(a, b), math.hypot(c, d), abs(a * d - b * c)


def _is_invisible(item: Any) -> bool:
    if item.type != pdfium.FPDF_PAGEOBJ_TEXT:
        return False
    return bool(pdfium.FPDFTextObj_GetTextRenderMode(item) == _INVISIBLE)
