"""Line recognisers: crops in, CTC posteriors out (`ocr_moe.protocols.LineRecognizer`).

Both run an ONNX file on ONNX Runtime.  `PpOcrLines` takes any PP-OCR recognition model (by default
the PP-OCRv6 small weights in the `rapidocr` wheel); `SpecialistLines` takes the recogniser for
printed codes that this project trains itself (see `ocr_moe/models/README.md`).

Every crop is recognised on its own, never padded to its neighbours: a posterior depends on the crop
alone, whatever else was asked for in the same call.
"""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ocr_moe.codes.posterior import OTHER
from ocr_moe.engines.weights import ONNXRUNTIME, RAPIDOCR, wheel_models
from ocr_moe.errors import EngineError, MissingDependencyError
from ocr_moe.protocols import Package, Posterior
from ocr_moe.types import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Floats = NDArray[np.float32]

REVISION = 1
"""Part of every fingerprint; counts up when the same weights would give other posteriors."""

_ALWAYS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONGEST = 4096  # pixels; a wider line is squeezed, so that memory stays bounded


class LineParams(Value):
    """What all line recognisers can be told."""

    model: Path | None = None
    """The weights; by default those that come with the package."""
    threads: int = Field(default=1, ge=1, le=64)
    """Threads within one recognition."""


@lru_cache(maxsize=4)
def _shared_session(file: Path, digest: str, threads: int) -> Any:
    """One session for all recognisers of the same weights. Raises ImportError, and what ONNX Runtime
    says of a file that is no model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # one would be kept for every width there was
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


class OnnxLines(ABC):
    """A line recogniser on ONNX Runtime; thread-safe, the session is built on first use."""

    Params: ClassVar[type[LineParams]]
    packages: ClassVar[tuple[Package, ...]] = (ONNXRUNTIME,)

    def __init__(self, name: str, params: LineParams) -> None:
        self.name = name
        self.params = params
        self._lock = Lock()
        self._loaded: Any = None

    @property
    def fingerprint(self) -> str:
        """`kind-revision:hash of the weights:parameters`. Raises EngineError without the file."""
        told = self.params.model_dump_json(exclude={"model", "threads"})
        return f"{self._kind}-{REVISION}:{self._digest}:{told}"

    def recognize(self, crops: Sequence[Image.Image]) -> list[Posterior]:
        """One posterior per RGB crop, text running left to right. Raises EngineError."""
        session = self._session()
        return [self._recognize(session, crop) for crop in crops]

    @property
    @abstractmethod
    def _kind(self) -> str: ...

    @property
    @abstractmethod
    def _file(self) -> Path:
        """The ONNX file. Raises EngineError or MissingDependencyError."""

    @abstractmethod
    def _prepare(self, crop: Image.Image) -> Floats:
        """The crop as the model's input, shape (1, 3, height, width)."""

    @abstractmethod
    def _posterior(self, probabilities: Floats) -> Posterior:
        """The posterior from the model's output, shape (time steps, classes)."""

    @cached_property
    def _digest(self) -> str:
        try:
            with self._file.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        except OSError as error:
            raise EngineError(f"{self.name}: the model cannot be read: {error}") from error

    @cached_property
    def _metadata(self) -> dict[str, str]:
        return dict(self._session().get_modelmeta().custom_metadata_map)

    def _session(self) -> Any:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> Any:
        if not self._file.is_file():
            raise EngineError(f"{self.name}: there is no model at {self._file}")
        try:
            return _shared_session(self._file, self._digest, self.params.threads)
        except ImportError as error:
            raise MissingDependencyError(
                f"{self.name}: line recognition needs the package onnxruntime"
            ) from error
        except EngineError:
            raise
        except Exception as error:
            raise EngineError(
                f"{self.name}: {self._file} is no usable ONNX model: {error}"
            ) from error

    def _recognize(self, session: Any, crop: Image.Image) -> Posterior:
        import numpy as np

        if min(crop.size) < 2:
            raise EngineError(
                f"{self.name}: a crop of {crop.width}x{crop.height} pixels has no text"
            )
        pixels = self._prepare(crop)
        try:
            (output,) = session.run(None, {session.get_inputs()[0].name: pixels})
        except Exception as error:
            raise EngineError(f"{self.name}: recognition failed: {error}") from error
        probabilities = np.asarray(output, dtype=np.float32)
        if probabilities.ndim != 3 or probabilities.shape[0] != 1:
            raise EngineError(f"{self.name}: the model's output has shape {probabilities.shape}")
        natural = math.ceil(self._stretch * pixels.shape[2] * crop.width / crop.height)
        reach = max(pixels.shape[3] / max(natural, 1), 1.0)
        return replace(self._posterior(probabilities[0]), reach=reach)

    @property
    def _stretch(self) -> float:
        """How many times wider than it is a line is shown to the model."""
        return 1.0


class PpOcrParams(LineParams):
    """Parameters of `PpOcrLines`; `model` is an ONNX file or a PaddleOCR model folder."""

    characters: str = _ALWAYS
    """Characters that every posterior has a column for."""
    keep: float = Field(default=1e-3, ge=0.0, le=1.0)
    """Any other character has one where it reaches this probability or is the likeliest."""


class PpOcrLines(OnnxLines):
    """A PP-OCR recognition model (Li et al. 2022, "PP-OCRv3", arXiv:2206.03001, and successors).

    A model folder of PaddleOCR is `inference.onnx` with its alphabet in `inference.yml`; a file
    without an `inference.yml` beside it carries it in its metadata under `character`.  PP-OCR
    alphabets have thousands of characters of which a line concerns a few dozen, so a posterior
    holds only those that matter (see `PpOcrParams`) and collects the probability of the rest in
    `OTHER`; its rows still sum to 1.
    """

    Params: ClassVar[type[LineParams]] = PpOcrParams
    packages: ClassVar[tuple[Package, ...]] = (RAPIDOCR, ONNXRUNTIME)
    params: PpOcrParams
    _HEIGHT = 48
    _SHORTEST = 320  # pixels; PP-OCR is trained on lines padded to at least this width

    def __init__(self, name: str, params: PpOcrParams) -> None:
        super().__init__(name, params)

    @property
    def _kind(self) -> str:
        return "ppocr"

    @cached_property
    def _file(self) -> Path:
        if self.params.model is None:
            return wheel_models() / "PP-OCRv6_rec_small.onnx"
        path = self.params.model.expanduser()
        return path / "inference.onnx" if path.is_dir() else path

    @cached_property
    def _characters(self) -> list[str]:
        """The model's characters without the blank, in the order of its columns."""
        described = self._file.with_name("inference.yml")
        if described.is_file():
            return self._listed(described)
        try:
            return self._metadata["character"].split("\n")
        except KeyError:
            raise EngineError(
                f"{self.name}: {self._file} carries no alphabet, and there is no {described}"
            ) from None

    def _listed(self, path: Path) -> list[str]:
        import yaml

        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            return [str(character) for character in content["PostProcess"]["character_dict"]]
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
            raise EngineError(f"{self.name}: {path} gives no alphabet: {error}") from error

    def _alphabet(self, classes: int) -> list[str]:
        """The blank, the characters and, where the model has one more class, the space."""
        alphabet = ["", *self._characters]
        if classes == len(alphabet) + 1:
            alphabet.append(" ")
        if classes != len(alphabet):
            raise EngineError(
                f"{self.name}: the model has {classes} classes, its alphabet {len(alphabet)}"
            )
        return alphabet

    def _prepare(self, crop: Image.Image) -> Floats:
        import numpy as np

        pixels = _resized(crop, self._HEIGHT)[:, :, ::-1]
        line = (pixels.astype(np.float32).transpose(2, 0, 1) / 255.0 - 0.5) / 0.5
        width = line.shape[2]
        padded = np.zeros((1, 3, self._HEIGHT, max(self._SHORTEST, width)), dtype=np.float32)
        padded[0, :, :, :width] = line
        return padded

    def _posterior(self, probabilities: Floats) -> Posterior:
        import numpy as np

        alphabet = self._alphabet(probabilities.shape[1])
        kept = probabilities.max(axis=0) >= max(self.params.keep, np.finfo(np.float32).tiny)
        kept[probabilities.argmax(axis=1)] = True
        kept[0] = True
        always = set(self.params.characters)
        first: dict[str, int] = {}
        for index, character in enumerate(alphabet):
            if character in always:
                kept[index] = True
            if kept[index]:
                first.setdefault(character, index)
        columns = list(first.values())
        handed = probabilities[:, columns]
        total = probabilities.sum(axis=1, keepdims=True)
        rest = np.maximum(total - handed.sum(axis=1, keepdims=True), 0.0)
        return _normalised(
            np.concatenate([handed, rest], axis=1), (*(alphabet[i] for i in columns), OTHER)
        )


class SpecialistParams(LineParams):
    """Parameters of `SpecialistLines`; `model` is an ONNX file made by `training/`."""


class SpecialistLines(OnnxLines):
    """This project's own recogniser for printed codes: 0-9, A-Z, and `OTHER`, which it emits once
    for a run of label glyphs, punctuation or lower-case letters (`证书编号：`, `No.`).

    A small convolutional and recurrent network with CTC (Shi et al. 2015, "CRNN",
    arXiv:1507.05717).  The ONNX file's metadata says its `alphabet` (a JSON list whose first
    element is the blank), its input `height` in pixels and by how much a line is to be `stretch`ed
    along its direction.
    """

    Params: ClassVar[type[LineParams]] = SpecialistParams
    params: SpecialistParams

    def __init__(self, name: str, params: SpecialistParams) -> None:
        super().__init__(name, params)

    @property
    def _kind(self) -> str:
        return "specialist"

    @cached_property
    def _file(self) -> Path:
        if self.params.model is None:
            return Path(__file__).parent.parent / "models" / "code_lines.onnx"
        return self.params.model.expanduser()

    @cached_property
    def _described(self) -> tuple[tuple[str, ...], int, float]:
        """(alphabet, input height, stretch) from the model's metadata."""
        try:
            alphabet = tuple(str(item) for item in json.loads(self._metadata["alphabet"]))
            height = int(self._metadata["height"])
            stretch = float(self._metadata["stretch"])
        except (KeyError, ValueError, TypeError) as error:
            raise EngineError(
                f"{self.name}: {self._file} does not say its alphabet and height"
            ) from error
        known = alphabet[:1] == ("",) and alphabet[-1:] == (OTHER,)
        if not (known and 8 <= height <= 256 and 0.25 <= stretch <= 4):
            raise EngineError(f"{self.name}: {self._file} is not a recogniser for codes")
        return alphabet, height, stretch

    @property
    def _stretch(self) -> float:
        return self._described[2]

    def _prepare(self, crop: Image.Image) -> Floats:
        import numpy as np

        _, height, stretch = self._described
        pixels = _resized(crop, height, stretch).astype(np.float32).transpose(2, 0, 1)
        return np.ascontiguousarray(pixels[None] / 127.5 - 1.0)

    def _posterior(self, probabilities: Floats) -> Posterior:
        alphabet = self._described[0]
        if probabilities.shape[1] != len(alphabet):
            raise EngineError(
                f"{self.name}: the model has {probabilities.shape[1]} classes, "
                f"its alphabet {len(alphabet)}"
            )
        return _normalised(probabilities, alphabet)


def _resized(crop: Image.Image, height: int, stretch: float = 1.0) -> NDArray[np.uint8]:
    """The crop as RGB of the given height, `stretch` times wider than it is; (height, width, 3).

    Shrinking averages over the pixels (a thin stroke must not fall between two samples), growing
    interpolates linearly.
    """
    import cv2
    import numpy as np

    pixels = np.asarray(crop.convert("RGB"))
    width = min(max(math.ceil(stretch * height * crop.width / crop.height), 8), _LONGEST)
    method = cv2.INTER_AREA if crop.height > 2 * height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method), dtype=np.uint8)


def _normalised(probabilities: Floats, alphabet: tuple[str, ...]) -> Posterior:
    """A posterior whose rows sum to 1 despite the model's rounding. Raises EngineError."""
    import numpy as np

    total = probabilities.sum(axis=1, keepdims=True)
    if not np.isfinite(total).all() or (np.abs(total - 1.0) > 0.02).any():
        raise EngineError("the model's output is not a probability distribution per time step")
    return Posterior((probabilities / total).astype(np.float32), alphabet)
