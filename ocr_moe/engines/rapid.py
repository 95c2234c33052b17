"""RapidOCR as an OCR engine: lighter to load than PaddleOCR, with the same PP-OCR models."""

from __future__ import annotations

import importlib.metadata
import logging
import threading
from typing import TYPE_CHECKING, Any, ClassVar

from ocr_moe.engines.polygons import lines_from_polygons
from ocr_moe.engines.weights import ONNXRUNTIME, RAPIDOCR
from ocr_moe.errors import EngineError, MissingDependencyError
from ocr_moe.types import Line, Value

if TYPE_CHECKING:
    from PIL import Image

REVISION = 1


class RapidParams(Value):
    """Parameters of `RapidEngine`."""

    settings: dict[str, Any] = {}
    """RapidOCR's own parameters by dotted name, such as `Global.text_score`."""


class RapidEngine:
    """Text detection and recognition by RapidOCR's own pipeline."""

    Params = RapidParams

    packages: ClassVar = (RAPIDOCR, ONNXRUNTIME)

    def __init__(self, name: str, params: RapidParams) -> None:
        self.name = name
        self._params = params
        self._lock = threading.Lock()
        self._engine: Any = None

    @property
    def fingerprint(self) -> str:
        try:
            version = importlib.metadata.version("rapidocr")
        except importlib.metadata.PackageNotFoundError:
            version = "missing"
        settings = [f"{key}={value}" for key, value in sorted(self._params.settings.items())]
        return " ".join([f"rapidocr-{version}", f"r{REVISION}", *settings])

    def read(self, image: Image.Image) -> tuple[Line, ...]:
        import numpy as np

        bgr = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        with self._lock:
            engine = self._load()
            try:
                result = engine(bgr)
            except Exception as error:
                raise EngineError(f"RapidOCR failed: {error}") from error
        if result.boxes is None:
            return ()
        return lines_from_polygons(
            polygons=result.boxes,
            texts=result.txts,
            scores=result.scores,
            width=image.width,
            height=image.height,
        )

    def _load(self) -> Any:
        if self._engine is None:
            try:
                from rapidocr import RapidOCR
            except ImportError as error:
                raise MissingDependencyError(
                    f"RapidOCR cannot be loaded ({error}); pip install 'rapidocr>=3.10'"
                ) from error
            try:
                self._engine = RapidOCR(params=self._params.settings or None)
            except Exception as error:
                raise EngineError(f"RapidOCR cannot load its models: {error}") from error
            logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        return self._engine
