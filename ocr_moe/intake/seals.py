"""Red seals taken off a page before it is read.

A seal stamped over a date or a number hides it from text detectors more than from the eye.  Red ink
hardly absorbs red light: in the red channel the seal is nearly paper while black type stays black.
Only patches as large as a seal are touched; red type and thin red rules stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

REVISION = 2
"""Changes when pages may come out differently; part of the key of page OCR that rests on it."""

_WORK = 640
"""Width, in pixels, at which seals are looked for."""
_RED = 22
"""How far red must stand above green and blue to be red ink, in grey levels."""
_SMALLEST, _LARGEST = 0.06, 0.45
"""Extent of a seal, in page widths."""
_DENSEST = 0.6
"""Share of a seal's box that ink may cover."""
_LEAST_ROUND = 0.45
"""Shorter over longer side of the hull."""
_MARGIN = 0.01
"""What is taken around a seal, in page widths."""


def without_seals(image: Image.Image) -> Image.Image:
    """The RGB page with red seals faded into the paper; the image itself where there is none."""
    import numpy as np
    from PIL import Image as PillowImage

    boxes = find_seals(image)
    if not boxes:
        return image
    pixels = np.array(image.convert("RGB"))
    for x0, y0, x1, y1 in boxes:
        pixels[y0:y1, x0:x1] = _fade(pixels[y0:y1, x0:x1])
    return PillowImage.fromarray(pixels)


def _fade(patch: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take the ink's own share of absorption out of the red channel, which then is the page's."""
    import cv2
    import numpy as np

    mask = _red(patch)
    if not mask.any():
        return patch
    light = patch[..., 0].astype(np.float32)
    paper = np.percentile(patch.reshape(-1, 3), 75, axis=0).astype(np.float32)
    depth = (light - patch[..., 1:].mean(axis=2)) / np.maximum(light, 1.0)
    bare = mask & (light > 0.6 * paper[0])
    if not bare.any():
        return patch
    full = max(float(np.percentile(depth[bare], 60)), 0.05)
    ink = float(np.clip(np.percentile(light[bare] / paper[0], 40), 0.6, 1.0))
    share = np.clip(depth / full, 0.0, 1.0)
    level = np.clip(light / (1.0 - (1.0 - ink) * share) / paper[0], 0.0, 1.0)
    around = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    faded = patch.copy()
    faded[around] = (level[..., None] * paper)[around].astype(np.uint8)
    return faded


def find_seals(image: Image.Image) -> list[tuple[int, int, int, int]]:
    """Boxes (x0, y0, x1, y1) in pixels of the patches of red ink that are as large as a seal."""
    import cv2
    import numpy as np

    scale = max(image.width / _WORK, 1.0)
    size = (min(image.width, _WORK), max(round(image.height / scale), 1))
    pixels = np.asarray(image.convert("RGB"))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    mask = _red(small).astype(np.uint8)
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((11, 11), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    boxes = []
    for x, y, width, height, area in stats[1:]:
        long, short = max(width, height), min(width, height)
        extent = long / size[0]
        if not _SMALLEST <= extent <= _LARGEST or short < _LEAST_ROUND * long:
            continue
        # A ring with a star is mostly paper; a reddish background is not.
        inked = float(mask[y : y + height, x : x + width].mean())
        if area < 0.08 * width * height or inked > _DENSEST:
            continue
        margin = _MARGIN * size[0]
        boxes.append(
            (
                max(int((x - margin) * scale), 0),
                max(int((y - margin) * scale), 0),
                min(int((x + width + margin) * scale) + 1, image.width),
                min(int((y + height + margin) * scale) + 1, image.height),
            )
        )
    return boxes


def _red(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    import numpy as np

    red, green, blue = (pixels[..., channel].astype(np.int16) for channel in range(3))
    excess = red - np.maximum(green, blue)
    # A warm light or a yellowed sheet is red all over; ink stands out from it.
    base = max(int(np.median(excess)), 0) if excess.size else 0
    # Gold is red and green.
    ink: NDArray[np.bool_] = (excess - base > _RED) & (green - blue < 0.5 * (red - green) + 10)
    return ink
