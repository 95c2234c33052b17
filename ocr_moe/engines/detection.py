"""Where the lines of text stand on a page: PP-OCR's detector and what is made of its map.

Differentiable binarisation (Liao et al. 2020, "Real-time scene text detection with differentiable
binarization", arXiv:1911.08947): the network gives every pixel the probability that it belongs to the
shrunken middle of a line; regions above a threshold are boxed, scored and grown back.
"""

from __future__ import annotations

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
_LEAST_SIDE = 3.0
"""Pixels of the map: what is slimmer is noise."""
_MOST_REGIONS = 1000


class DetectionParams(Value):
    """How lines are looked for."""

    limit: int | None = Field(default=960, ge=64)
    """Longest side, in pixels, at which a page is looked at; None: as it is, up to 4000."""
    threshold: float = Field(default=0.3, gt=0, lt=1)
    """Probability from which a pixel counts as text."""
    box_threshold: float = Field(default=0.6, gt=0, lt=1)
    """Mean probability from which a region counts as a line."""
    unclip_ratio: float = Field(default=1.5, gt=0)
    """How far a region is grown, in units of its area over its circumference."""


MOST = 4000
"""Pixels of the longest side of what is looked at in any case."""


def detect(page: Images, network: Network, params: DetectionParams) -> list[Floats]:
    """Boxes of the lines on a BGR page, each (4, 2) in pixels: its corners clockwise, beginning with the
    one at the top left. Raises EngineError."""
    import cv2
    import numpy as np

    height, width = page.shape[:2]
    scale = min(1.0, (params.limit or MOST) / max(height, width))
    tall, wide = (_on_grid(side * scale) for side in (height, width))
    small = cv2.resize(page, (wide, tall), interpolation=cv2.INTER_LINEAR)
    with span("detection"):
        found = network.run(np.asarray(small, np.uint8)[None])[0, 0]
    grow = np.array([width / wide, height / tall], np.float32)
    most = np.array([width, height], np.float32)
    return [np.clip(box * grow, 0, most) for box in _boxes(found, params)]


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
