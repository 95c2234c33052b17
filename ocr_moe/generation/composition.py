"""Several documents on one page, as people lay them on a scanner's glass or paste them into a file."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from ocr_moe.generation.sheet import Colour

WHITE: Colour = (255, 255, 255)


def compose(
    documents: Sequence[Image.Image],
    columns: int = 1,
    *,
    gap: int = 60,
    ground: Colour = WHITE,
    turned: Sequence[float] = (),
    size: tuple[int, int] | None = None,
) -> Image.Image:
    """The documents in rows of so many columns, each at the size that it has.

    Args:
        gap: pixels around and between them.
        ground: colour of what they lie on.
        turned: degrees, anticlockwise, by which each lies askew.
        size: pixels of the page; None is as large as they need. What does not fit is cut off.

    >>> compose([Image.new("RGB", (30, 20))] * 4, columns=2, gap=10).size
    (90, 70)
    """
    pieces = []
    for number, document in enumerate(documents):
        piece = document.convert("RGBA")
        if number < len(turned) and turned[number]:
            piece = piece.rotate(turned[number], Image.Resampling.BICUBIC, expand=True)
        pieces.append(piece)
    rows = [pieces[start : start + columns] for start in range(0, len(pieces), columns)]
    wide = max(sum(piece.width + gap for piece in row) for row in rows) + gap
    tall = sum(max(piece.height for piece in row) + gap for row in rows) + gap
    page = Image.new("RGB", size or (wide, tall), ground)
    top = gap
    for row in rows:
        left = gap
        for piece in row:
            page.paste(piece, (left, top), piece)
            left += piece.width + gap
        top += max(piece.height for piece in row) + gap
    return page
