"""PP-OCR as an OCR engine: its networks of PaddleOCR's weights, without PaddleOCR around them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from ocr_moe.engines import detection, recognition
from ocr_moe.engines.detection import DetectionParams, detect
from ocr_moe.engines.networks import (
    OPENVINO,
    Network,
    Normalisation,
    Precision,
    Runtime,
    network,
)
from ocr_moe.engines.polygons import lines_from_polygons
from ocr_moe.engines.recognition import (
    HEIGHT,
    SHORT_BATCH,
    SHORTEST,
    Alphabet,
    alphabet_of,
    line_pixels,
    padded,
    padded_width,
)
from ocr_moe.engines.weights import DETECTOR, RAPIDOCR, READER, file_digest, onnx_file
from ocr_moe.errors import EngineError
from ocr_moe.protocols import Package
from ocr_moe.tracing import span
from ocr_moe.types import Line, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Floats = NDArray[np.float32]
    Images = NDArray[np.uint8]

REVISION = 1
"""Part of every fingerprint; counts up when the same weights would read otherwise."""

_UPRIGHT = 1.5
"""How many times taller than wide a box is whose text runs down the page."""


class PpOcrParams(Value):
    """Parameters of `PpOcrEngine`."""

    detection_model: Path | None = None
    """The network that finds lines, an ONNX file or a model folder of PaddleOCR; by default PP-OCRv6
    small of the rapidocr wheel."""
    recognition_model: Path | None = None
    """The network that reads lines, likewise; with its alphabet in its metadata, or in PaddleOCR's
    `inference.yml` beside it."""
    runtime: Runtime = "openvino"
    """What runs the networks."""
    precision: Precision = "auto"
    """`auto` is what the processor computes fastest, `f32` the same on every machine."""
    threads: int = Field(default=1, ge=1, le=64)
    """Threads within one page. Pages side by side use the cores better than one page on all."""
    detection: DetectionParams = DetectionParams()
    """How lines are looked for."""


class PpOcrEngine:
    """Text detection and recognition by the networks of PP-OCR. Thread-safe."""

    Params = PpOcrParams

    packages: ClassVar[tuple[Package, ...]] = (OPENVINO, RAPIDOCR)

    def __init__(self, name: str, params: PpOcrParams) -> None:
        self.name = name
        self._params = params

    @cached_property
    def fingerprint(self) -> str:
        """Revision, digests of the weights, and what differs from the defaults. Raises
        EngineError without the files."""
        changed = self._params.model_dump_json(
            exclude_defaults=True, exclude={"threads", "detection_model", "recognition_model"}
        )
        try:
            weights = [file_digest(file) for file in (self._detector_file, self._reader_file)]
        except OSError as error:
            raise EngineError(f"{self.name}: the model cannot be read: {error}") from error
        return " ".join([f"ppocr-r{REVISION}", *weights, changed])

    def read(self, image: Image.Image) -> tuple[Line, ...]:
        """Lines of an RGB page in reading order. Raises EngineError."""
        import cv2
        import numpy as np

        rgb = image if image.mode == "RGB" else image.convert("RGB")
        page = np.asarray(cv2.cvtColor(np.asarray(rgb), cv2.COLOR_RGB2BGR), np.uint8)
        boxes = detect(page, self._detector, self._params.detection)
        texts = self._texts([_cut(page, box) for box in boxes])
        return lines_from_polygons(
            polygons=boxes,
            texts=[text for text, _ in texts],
            scores=[score for _, score in texts],
            width=image.width,
            height=image.height,
        )

    def _texts(self, crops: Sequence[Images]) -> list[tuple[str, float]]:
        """Text and mean probability of its characters, for every crop."""
        lines = [line_pixels(crop, HEIGHT) for crop in crops]
        widths: dict[int, list[int]] = {}
        for index, line in enumerate(lines):
            widths.setdefault(padded_width(line.shape[1]), []).append(index)
        texts: list[tuple[str, float]] = [("", 0.0)] * len(lines)
        for width, indices in widths.items():
            for some in _batches(indices, width):
                pixels = padded([lines[index] for index in some], width)
                with span("recognition"):
                    found = self._reader.greedy(pixels)
                for row, index in enumerate(some):
                    texts[index] = self._alphabet.spell(
                        found.classes[row], found.probabilities[row]
                    )
        return texts

    @cached_property
    def _detector_file(self) -> Path:
        return onnx_file(self._params.detection_model, DETECTOR)

    @cached_property
    def _reader_file(self) -> Path:
        return onnx_file(self._params.recognition_model, READER)

    @cached_property
    def _detector(self) -> Network:
        return self._network(self._detector_file, detection.NORMALISATION)

    @cached_property
    def _reader(self) -> Network:
        return self._network(self._reader_file, recognition.NORMALISATION)

    def _network(self, file: Path, normalisation: Normalisation) -> Network:
        p = self._params
        try:
            return network(
                file, normalisation, runtime=p.runtime, precision=p.precision, threads=p.threads
            )
        except EngineError as error:
            raise EngineError(f"{self.name}: {error}") from error

    @cached_property
    def _alphabet(self) -> Alphabet:
        return alphabet_of(self._reader_file, self._reader)


def _batches(lines: Sequence[int], width: int) -> Iterator[Sequence[int]]:
    """Lines of one width, so many as are read at once: of two sizes only, see `padded_width`."""
    full = len(lines) - len(lines) % SHORT_BATCH if width == SHORTEST else 0
    yield from (lines[start : start + SHORT_BATCH] for start in range(0, full, SHORT_BATCH))
    yield from ([line] for line in lines[full:])


def _cut(page: Images, box: Floats) -> Images:
    """What stands in a box, level; text that runs down the page is turned to run along the line."""
    import cv2
    import numpy as np

    wide = max(math.dist(box[0], box[1]), math.dist(box[3], box[2]))
    tall = max(math.dist(box[0], box[3]), math.dist(box[1], box[2]))
    size = (max(int(wide), 1), max(int(tall), 1))
    target = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], np.float32)
    crop = cv2.warpPerspective(
        page,
        cv2.getPerspectiveTransform(box, target),
        size,
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if size[1] >= _UPRIGHT * size[0]:
        crop = np.ascontiguousarray(np.rot90(crop))
    return np.asarray(crop, np.uint8)
