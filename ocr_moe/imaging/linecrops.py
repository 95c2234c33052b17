"""Straightened crops of text lines, and the treatments that make a stamped line legible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ocr_moe.codes.finding import Strip
from ocr_moe.types import Quad

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

_LOWEST = 48
_HIGHEST = 96
_WIDEST = 2400
_KERNEL = 4  # pixels around a point that cubic interpolation may look at
_LEAST_SEAL = 30  # pixels of strong colour below which there is no seal to lift


def crop_strip(
    image: Image.Image, strip: Strip, *, padding: float = 0.12, shift: float = 0.0
) -> Image.Image:
    """The strip turned level, with `padding` line heights above and below.

    `shift` moves the crop across the baseline, in line heights (positive: downwards). The crop is
    between 48 and 96 pixels high; small type is enlarged by cubic interpolation.
    """
    import cv2
    import numpy as np
    from PIL import Image as PillowImage

    corners = np.array([(x * image.width, y * image.height) for x, y in strip.quad], np.float64)
    tl, tr, br, bl = corners
    height = max((math.dist(tl, bl) + math.dist(tr, br)) / 2, 2.0)
    along = ((tr - tl) + (br - bl)) / 2
    along /= max(float(np.linalg.norm(along)), 1e-6)
    down = np.array([-along[1], along[0]])
    tl = tl - along * strip.before * height + down * (shift - padding) * height
    bl = bl - along * strip.before * height + down * (shift + padding) * height
    tr = tr + along * strip.after * height + down * (shift - padding) * height
    br = br + along * strip.after * height + down * (shift + padding) * height
    tall = (math.dist(tl, bl) + math.dist(tr, br)) / 2
    wide = (math.dist(tl, tr) + math.dist(bl, br)) / 2
    out_height = round(min(max(tall, _LOWEST), _HIGHEST))
    out_width = max(round(min(wide * out_height / tall, _WIDEST)), 8)
    target = np.array(
        [(0, 0), (out_width, 0), (out_width, out_height), (0, out_height)], np.float32
    )
    # Only what is around the strip is made an array: a page takes longer than its warping.
    corners = np.array([tl, tr, br, bl])
    left, top = (int(v) for v in np.floor(corners.min(axis=0)) - _KERNEL)
    right, bottom = (int(v) for v in np.ceil(corners.max(axis=0)) + _KERNEL)
    left, right = (min(max(x, 0), image.width - 1) for x in (left, right))
    top, bottom = (min(max(y, 0), image.height - 1) for y in (top, bottom))
    part = image.crop((left, top, right + 1, bottom + 1)).convert("RGB")
    matrix = cv2.getPerspectiveTransform((corners - (left, top)).astype(np.float32), target)
    pixels = cv2.warpPerspective(
        np.asarray(part),
        matrix,
        (out_width, out_height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return PillowImage.fromarray(pixels)


def without_colour(image: Image.Image) -> Image.Image:
    """Coloured ink (a red seal, a gold frame) lifted to the paper's brightness; black type stays.

    Each pixel's brightest channel; where the colour is strong, scaled by what lifts this page's
    coloured ink to its paper, so that type under a seal keeps its contrast to the seal.
    """
    import cv2
    import numpy as np
    from PIL import Image as PillowImage

    pixels = np.asarray(image.convert("RGB")).astype(np.float32)
    brightest = pixels.max(axis=2)
    colour = brightest - pixels.min(axis=2)
    paper = np.maximum(_paper(brightest, max(round(max(image.size) / 6), 15)), 1.0)
    share = np.clip((colour - float(np.median(colour)) - 25.0) / 35.0, 0.0, 1.0)
    seal = (share > 0.9) & (brightest > 0.6 * paper)
    lift = 1.0
    if seal.sum() > _LEAST_SEAL:
        lift = 1.0 / max(float(np.median(brightest[seal] / paper[seal])), 0.5)
    lifted = np.minimum(brightest * (1.0 + share * (lift - 1.0)), np.maximum(paper, brightest))
    grey = np.clip(lifted, 0, 255).astype(np.uint8)
    return PillowImage.fromarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))


def without_lines(image: Image.Image, quads: Sequence[Quad]) -> Image.Image:
    """The page with these lines painted over in the colour around them.

    `quads` are in fractions of the page. A detector boxes generously, so a sixth of a line's height
    is left at both edges: what stands close above or below it stays whole.
    """
    import cv2
    import numpy as np
    from PIL import Image as PillowImage

    pixels = np.array(image.convert("RGB"))
    height, width = pixels.shape[:2]
    for quad in quads:
        tl, tr, br, bl = np.array([(x * width, y * height) for x, y in quad])
        inner = np.array(
            [tl + (bl - tl) / 6, tr + (br - tr) / 6, br + (tr - br) / 6, bl + (tl - bl) / 6]
        )
        steps = np.linspace(0.0, 1.0, 40)[:, None]
        rim = np.concatenate([tl + (tr - tl) * steps, bl + (br - bl) * steps]).round().astype(int)
        colours = pixels[rim[:, 1].clip(0, height - 1), rim[:, 0].clip(0, width - 1)]
        paper = [int(c) for c in np.median(colours, axis=0)]
        cv2.fillPoly(pixels, [inner.round().astype(np.int32)], paper)
    return PillowImage.fromarray(pixels)


def ink_contrast(image: Image.Image) -> float:
    """Brightness of the paper minus that of the darkest type, 0-255."""
    import numpy as np

    grey = np.asarray(image.convert("L"))
    return float(np.median(grey) - np.percentile(grey, 3))


def colourfulness(image: Image.Image) -> float:
    """Share of pixels with a strong colour, 0-1: whether there is a seal to suppress."""
    import numpy as np

    pixels = np.asarray(image.convert("RGB")).astype(np.int16)
    colour = pixels.max(axis=2) - pixels.min(axis=2)
    return float((colour > np.median(colour) + 45).mean())


def sharpness(image: Image.Image) -> float:
    """Variance of the Laplacian over the variance of the pixels, of the grey image."""
    import cv2
    import numpy as np

    grey = np.asarray(image.convert("L"))
    edges = cv2.Laplacian(grey, cv2.CV_64F)
    return float(edges.var() / (grey.astype(np.float64).var() + 1.0))


def _paper(brightness: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """The brightness of the paper around every pixel."""
    import cv2
    import numpy as np

    small = cv2.resize(brightness, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    kernel = np.ones((max(size // 4, 3), max(size // 4, 3)), np.uint8)
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(
        cv2.resize(closed, brightness.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32
    )
