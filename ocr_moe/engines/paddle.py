"""PaddleOCR 3.x as an OCR engine, on ONNX Runtime by default."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args
from weakref import WeakValueDictionary

from pydantic import Field as PydanticField

from ocr_moe.engines.polygons import lines_from_polygons
from ocr_moe.engines.weights import (
    DETECTOR,
    ONNXRUNTIME,
    RAPIDOCR,
    READER,
    file_digest,
    model_folder,
    wheel_models,
)
from ocr_moe.errors import EngineError, MissingDependencyError
from ocr_moe.protocols import Package
from ocr_moe.types import Line, Value

if TYPE_CHECKING:
    from PIL import Image

REVISION = 3


class _Pipelines:
    """PaddleOCR pipelines of the same models; one reads one page at a time."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._arguments = arguments
        self._lock = threading.Lock()
        self._idle: list[Any] = []

    def take(self) -> Any:
        """An idle pipeline, or a new one. Raises EngineError or MissingDependencyError."""
        with self._lock:
            return self._idle.pop() if self._idle else self._load()

    def put_back(self, pipeline: Any) -> None:
        with self._lock:
            self._idle.append(pipeline)

    def _load(self) -> Any:
        os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
        try:
            from paddleocr import PaddleOCR
        except ImportError as error:
            raise MissingDependencyError(
                f"PaddleOCR cannot be loaded ({error}){_hint(error)}"
            ) from error
        logging.getLogger("ppocr").setLevel(logging.ERROR)
        logging.getLogger("paddlex").setLevel(logging.ERROR)
        try:
            return PaddleOCR(**self._arguments)
        except Exception as error:
            raise EngineError(f"PaddleOCR cannot load its models: {error}{_hint(error)}") from error


_shared: WeakValueDictionary[str, _Pipelines] = WeakValueDictionary()
_sharing = threading.Lock()


def _shared_pipelines(arguments: dict[str, Any]) -> _Pipelines:
    """Those of all engines with the same models: some 300 MB and a second each are spared."""
    key = json.dumps(arguments, sort_keys=True)
    with _sharing:
        pipelines = _shared.get(key)
        if pipelines is None:
            pipelines = _shared[key] = _Pipelines(arguments)
        return pipelines


ModelPair = Literal[
    "PP-OCRv4_mobile",
    "PP-OCRv4_server",
    "PP-OCRv5_mobile",
    "PP-OCRv5_server",
    "PP-OCRv6_tiny",
    "PP-OCRv6_small",
    "PP-OCRv6_medium",
]
"""Models that find lines and read them, as PaddleOCR 3.7 has them; PP-OCRv6 has no `server`."""


class PaddleParams(Value):
    """Parameters of `PaddleEngine`; `null` leaves PaddleOCR's own default."""

    backend: Literal["onnxruntime", "paddle", "paddle_static", "transformers"] = "onnxruntime"
    """What runs the models; all but ONNX Runtime need packages of their own."""
    models: ModelPair | None = None
    """Both models by what PaddleOCR calls them, such as `PP-OCRv5_server` or `PP-OCRv6_medium`, its most
    accurate ones: `_det` and `_rec` of that name, whatever the two names below say. `ocr-moe doctor`
    says which are on this machine; the others PaddleOCR fetches from its model hub."""
    detection_model_name: str = "PP-OCRv6_small_det"
    """PaddleOCR's name of the model that finds lines."""
    detection_model_dir: str | None = None
    """Folder of that model; `null`: the weights in the rapidocr wheel where it has this model and
    ONNX Runtime runs it, else what PaddleOCR fetches from its model hub."""
    recognition_model_name: str = "PP-OCRv6_small_rec"
    """PaddleOCR's name of the model that reads lines."""
    recognition_model_dir: str | None = None
    """Folder of that model, likewise."""
    lang: str | None = None
    """Language for which PaddleOCR chooses and fetches models itself."""
    ocr_version: str | None = None
    """Generation of models that PaddleOCR chooses from, such as `PP-OCRv5`."""
    mkldnn: bool = False
    """oneDNN of the paddle backends; PaddlePaddle 3.3 on a CPU fails with it."""
    threads: int = PydanticField(default=1, ge=0)
    """Threads of ONNX Runtime within one page; 0: as many as there are cores. Pages side by
    side (see `instances`) use the cores better than one page on all of them."""
    instances: int = PydanticField(default=0, ge=0)
    """Pages that are read at once, each with its own copy of the models (some 300 MB); 0: one
    a core."""
    arena: bool = True
    """Keep working memory from page to page, as much as the largest took: faster. False gives it
    back after each, for engines that are seldom asked."""
    detection_limit: int | None = 1280
    """Longest side, in pixels, at which text is looked for (it is read at full resolution);
    None: PaddleOCR's own limit. A 300-dpi scan takes a third of the time that way."""
    detection_threshold: float | None = None
    """Probability from which a pixel counts as text."""
    box_threshold: float | None = None
    """Mean probability from which a box counts as a line."""
    unclip_ratio: float | None = None
    """How far a found line's box is grown."""
    batch_size: int = 1
    """Lines that are read at once."""


class PaddleEngine:
    """Text detection and recognition by PaddleOCR's own pipeline.

    The default weights are PP-OCRv6 small, out of an installed wheel. `detection_model_dir` and
    `recognition_model_dir` take a user's own model folders (PaddleOCR's layout; larger models
    likewise, with their `*_model_name`); `lang` or `ocr_version` let PaddleOCR choose and fetch
    models itself, which needs its model hub.
    """

    Params = PaddleParams

    packages: ClassVar = (
        Package("paddleocr", "page OCR by PaddleOCR"),
        Package(
            "paddlepaddle",
            "the paddle backends of PaddleOCR",
            install="ocr-moe[paddle]",
            optional=True,
        ),
        RAPIDOCR,
        ONNXRUNTIME,
    )

    def __init__(self, name: str, params: PaddleParams) -> None:
        self.name = name
        self._params = params
        self._slots = threading.Semaphore(params.instances or (os.cpu_count() or 1))
        self._fingerprint: str | None = None

    @property
    def fingerprint(self) -> str:
        """Name, version, digest of the weights where they are local files, and parameters."""
        if self._fingerprint is None:
            changed = self._params.model_dump(
                exclude_defaults=True, exclude={"threads", "instances", "arena"}
            )
            parts = [f"paddleocr-{_version()}", f"r{REVISION}"]
            parts += [f"{key}={value}" for key, value in sorted(changed.items())]
            for folder in (self._params.detection_model_dir, self._params.recognition_model_dir):
                for file in sorted(Path(folder).glob("inference.*")) if folder else ():
                    parts.append(file_digest(file))
            self._fingerprint = " ".join(parts)
        return self._fingerprint

    def read(self, image: Image.Image) -> tuple[Line, ...]:
        import numpy as np

        bgr = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        with self._slots:  # PaddleX predictors are not made for several threads
            pipeline = self._pipelines.take()
            try:
                result = pipeline.predict(bgr, **self._detection())[0]
            except Exception as error:
                raise EngineError(f"PaddleOCR failed: {error}{_hint(error)}") from error
            finally:
                self._pipelines.put_back(pipeline)
        return lines_from_polygons(
            polygons=result["rec_polys"],
            texts=result["rec_texts"],
            scores=result["rec_scores"],
            width=image.width,
            height=image.height,
        )

    @cached_property
    def _pipelines(self) -> _Pipelines:
        return _shared_pipelines(self.arguments)

    @property
    def arguments(self) -> dict[str, Any]:
        """What PaddleOCR's pipeline is built with. Raises EngineError when its weights are missing."""
        p = self._params
        detection, recognition = self._names
        arguments: dict[str, Any] = {
            "use_doc_orientation_classify": False,
            "use_doc_unwarping": False,
            "use_textline_orientation": False,
            "text_recognition_batch_size": p.batch_size,
            "engine": p.backend,
        }
        if p.backend == "onnxruntime":
            # Memory patterns are kept for every size of line and page there was: memory would grow.
            arguments["engine_config"] = {
                "intra_op_num_threads": p.threads,
                "enable_mem_pattern": False,
                "enable_cpu_mem_arena": p.arena,
            }
        else:
            arguments["enable_mkldnn"] = p.mkldnn
        if p.lang is not None or p.ocr_version is not None:
            arguments |= {"lang": p.lang, "ocr_version": p.ocr_version}
        else:
            arguments |= {
                "text_detection_model_name": detection,
                "text_recognition_model_name": recognition,
                "text_detection_model_dir": self._folder(p.detection_model_dir, detection),
                "text_recognition_model_dir": self._folder(p.recognition_model_dir, recognition),
            }
        return arguments

    def models(self) -> dict[str, str | None]:
        """PaddleOCR's models by the names that `models` takes."""
        return {name: _place_of(name) for name in get_args(ModelPair)}

    @property
    def _names(self) -> tuple[str, str]:
        p = self._params
        if p.models is None:
            return p.detection_model_name, p.recognition_model_name
        return f"{p.models}_det", f"{p.models}_rec"

    def _detection(self) -> dict[str, Any]:
        """How text is looked for on a page; None is PaddleOCR's own default."""
        p = self._params
        return {
            "text_det_limit_side_len": p.detection_limit,
            "text_det_limit_type": None if p.detection_limit is None else "max",
            "text_det_thresh": p.detection_threshold,
            "text_det_box_thresh": p.box_threshold,
            "text_det_unclip_ratio": p.unclip_ratio,
        }

    def _folder(self, named: str | None, model: str) -> str | None:
        """The user's folder, else the wheel's weights where it has this model, else PaddleOCR's hub."""
        if named is not None:
            return named
        if self._params.backend != "onnxruntime":
            return None
        file = wheel_models() / WHEEL_FILES[model] if model in WHEEL_FILES else None
        return str(model_folder(file, model)) if file is not None else None


WHEEL_FILES = {
    "PP-OCRv6_small_det": DETECTOR,
    "PP-OCRv6_small_rec": READER,
}
"""PaddleOCR's model names, as the rapidocr wheel calls their files."""


def _place_of(pair: str) -> str | None:
    """Where both models of a name are; None where one is not."""
    names = (f"{pair}_det", f"{pair}_rec")
    if all(name in WHEEL_FILES for name in names):
        return "in the wheel of rapidocr"
    home = os.environ.get("PADDLE_PDX_CACHE_HOME")
    fetched = (Path(home) if home else Path.home() / ".paddlex") / "official_models"
    here = all(
        any((fetched / f"{name}{form}").is_dir() for form in ("", "_onnx")) for name in names
    )
    return str(fetched) if here else None


def _version() -> str:
    try:
        return importlib.metadata.version("paddleocr")
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _hint(error: Exception) -> str:
    text = str(error)
    if "libGL" in text or "libgthread" in text:
        return "; on Debian: apt-get install libgl1 libglib2.0-0"
    if "ConvertPirAttribute2RuntimeAttribute" in text:
        return "; set mkldnn: false for this engine"
    if "paddle" in text and "No module" in text:
        return "; pip install 'ocr-moe[paddle]'"
    return ""
