"""Where the lines of text stand on a page: PP-OCR's detector and what is made of its map.

Differentiable binarisation (Liao et al. 2020, "Real-time scene text detection with differentiable
binarization", arXiv:1911.08947): the network gives every pixel the probability that it belongs to the
shrunken middle of a line; regions above a threshold are boxed, scored and grown back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ocr_moe.engines.networks import Network, Normalisation
from ocr_moe.tracing import span
from ocr_moe.types import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Images = NDArray[np.uint8]

NORMALISATION = Normalisation(
    mean=(0.485 * 255, 0.456 * 255, 0.406 * 255), scale=(0.229 * 255, 0.224 * 255, 0.225 * 255)
)
"""Of ImageNet, in the order in which PP-OCR's networks are trained: on channels as OpenCV has them."""
_GRID, _FINE_GRID, _SMALL = 64, 32, 640
"""Pixels to whose multiples the sides of a page are brought, and those of a side that is small: the
network's stride is 32, and for every new size of page some 100 ms go by until its kernels are made, so
there should be few. Nothing is padded, or lines that run off the page would seem to end on it."""
_AVERAGED = 0.5
"""Scale below which pixels are averaged when a page is reduced: thin strokes would fall between them."""
_LEAST_SIDE = 3.0
"""Pixels of the map: what is slimmer is noise."""
_MOST_REGIONS = 1000


class DetectionParams(Value):
    """How lines are looked for."""

    limit: int | None = Field(default=1024, ge=64)
    """Longest side, in pixels, at which a page is looked at; None: as it is, up to 4000."""
    fine_limit: int | None = Field(default=1600, ge=64)
    """The same for a second look at a page whose type turns out to be small; None: no such look."""
    threshold: float = Field(default=0.3, gt=0, lt=1)
    """Probability from which a pixel counts as text."""
    box_threshold: float = Field(default=0.6, gt=0, lt=1)
    """Mean probability from which a region counts as a line."""
    unclip_ratio: float = Field(default=1.5, gt=0)
    """How far a region is grown, in units of its area over its circumference."""


_MOST = 4000
"""Pixels of the longest side of what is looked at in any case."""
_SMALL_TYPE, _GOOD_TYPE = 14.5, 20.0
"""Heights of lines as boxed on what was looked at, in pixels: where a quarter of them is lower than the
first, the page is looked at again so that they have the second. Of 24 synthetic certificates and 48
licences none is, of 24 real licences two, of 24 real receipts six."""


def detect(page: Images, network: Network, params: DetectionParams) -> list[Floats]:
    """Boxes of the lines on a BGR page, each (4, 2) in pixels: its corners clockwise, beginning with the
    one at the top left. Raises EngineError."""
    largest = max(page.shape[:2])
    scale = min(1.0, (params.limit or _MOST) / largest)
    boxes = _detected(page, scale, network, params)
    finest = min(1.0, min(params.fine_limit or 0, _MOST) / largest)
    if boxes and finest > scale:
        height = scale * _low_quartile([_height(box) for box in boxes])
        if height < _SMALL_TYPE:
            finer = min(finest, scale * _GOOD_TYPE / height)
            boxes = _detected(page, finer, network, params)
    return boxes


def _detected(
    page: Images, scale: float, network: Network, params: DetectionParams
) -> list[Floats]:
    """Boxes in pixels of the page, looked at so many times as large as it is."""
    import cv2
    import numpy as np

    height, width = page.shape[:2]
    tall, wide = (_on_grid(side * scale) for side in (height, width))
    method = cv2.INTER_AREA if scale < _AVERAGED else cv2.INTER_LINEAR
    small = cv2.resize(page, (wide, tall), interpolation=method)
    with span("detection"):
        found = network.run(np.asarray(small, np.uint8)[None])[0, 0]
    grow = np.array([width / wide, height / tall], np.float32)
    most = np.array([width, height], np.float32)
    return [np.clip(box * grow, 0, most) for box in _boxes(found, params)]


def _height(box: Floats) -> float:
    """Of the line in it, whichever way it runs, in the box's pixels."""
    return min(math.dist(box[0], box[1]), math.dist(box[0], box[3]))


def _low_quartile(heights: Sequence[float]) -> float:
    return sorted(heights)[len(heights) // 4]


def _on_grid(side: float) -> int:
    grid = _GRID if side >= _SMALL else _FINE_GRID
    return max(round(side / grid), 1) * grid


def _boxes(found: Floats, params: DetectionParams) -> list[Floats]:
    """Boxes in pixels of the map of probabilities."""
    import cv2
    import numpy as np

    regions, _ = cv2.findContours(
        (found > params.threshold).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE
    )
    boxes = []
    for region in regions[:_MOST_REGIONS]:
        centre, (wide, tall), angle = cv2.minAreaRect(region)
        if min(wide, tall) < _LEAST_SIDE:
            continue
        if _mean_within(found, cv2.boxPoints((centre, (wide, tall), angle))) < params.box_threshold:
            continue
        further = 2 * params.unclip_ratio * wide * tall / (2 * (wide + tall))
        wide, tall = wide + further, tall + further
        if min(wide, tall) < _LEAST_SIDE + 2:
            continue
        boxes.append(_ordered(cv2.boxPoints((centre, (wide, tall), angle))))
    return boxes


def _mean_within(found: Floats, corners: Any) -> float:
    """The mean probability in a box."""
    import cv2
    import numpy as np

    height, width = found.shape
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, (width - 1, height - 1))
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, (width - 1, height - 1))
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [(corners - (left, top)).astype(np.int32)], (1,))
    mean: float = cv2.mean(found[top : bottom + 1, left : right + 1], mask)[0]
    return mean


def _ordered(corners: Any) -> Floats:
    """Corners of a box clockwise from the top left."""
    import numpy as np

    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    left = left[np.argsort(left[:, 1], kind="stable")]
    right = right[np.argsort(right[:, 1], kind="stable")]
    return np.array([left[0], right[0], right[1], left[1]], np.float32)
