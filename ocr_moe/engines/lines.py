"""Line recognisers: crops in, CTC posteriors out (`ocr_moe.protocols.LineRecognizer`).

Both run an ONNX file (`ocr_moe.engines.networks`).  `PpOcrLines` takes any PP-OCR recognition model
(by default the PP-OCRv6 small weights in the `rapidocr` wheel); `SpecialistLines` takes the recogniser
for printed codes that this project trains itself (see `ocr_moe/models/README.md`).

Every crop is recognised on its own, never padded to its neighbours: a posterior depends on the crop
alone, whatever else was asked for in the same call.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from ocr_moe.codes.posterior import OTHER
from ocr_moe.engines.networks import OPENVINO, Network, Precision, Runtime, network
from ocr_moe.engines.recognition import (
    HEIGHT,
    NORMALISATION,
    alphabet_of,
    line_pixels,
    padded,
    padded_width,
)
from ocr_moe.engines.weights import RAPIDOCR, READER, file_digest, onnx_file
from ocr_moe.errors import EngineError
from ocr_moe.protocols import Package, Posterior
from ocr_moe.tracing import span
from ocr_moe.types import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Floats = NDArray[np.float32]
    Images = NDArray[np.uint8]

REVISION = 2
"""Part of every fingerprint; counts up when the same weights would give other posteriors."""

_ALWAYS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class LineParams(Value):
    """What all line recognisers can be told."""

    model: Path | None = None
    """The weights; by default those that come with the package."""
    runtime: Runtime = "openvino"
    """What runs the network."""
    precision: Precision = "auto"
    """`auto` is what the processor computes fastest, `f32` the same on every machine."""
    threads: int = Field(default=1, ge=1, le=64)
    """Threads within one recognition."""


class OnnxLines(ABC):
    """A line recogniser in an ONNX file; thread-safe, the network is compiled on first use."""

    Params: ClassVar[type[LineParams]]
    packages: ClassVar[tuple[Package, ...]] = (OPENVINO,)

    def __init__(self, name: str, params: LineParams) -> None:
        self.name = name
        self.params = params

    @cached_property
    def fingerprint(self) -> str:
        """`kind-revision:hash of the weights:parameters`. Raises EngineError without the file."""
        told = self.params.model_dump_json(exclude={"model", "threads"})
        try:
            return f"{self._kind}-{REVISION}:{file_digest(self._file)}:{told}"
        except OSError as error:
            raise EngineError(f"{self.name}: the model cannot be read: {error}") from error

    def recognize(self, crops: Sequence[Image.Image]) -> list[Posterior]:
        """One posterior per RGB crop, text running left to right. Raises EngineError."""
        return [self._recognize(crop) for crop in crops]

    @property
    @abstractmethod
    def _kind(self) -> str: ...

    @property
    @abstractmethod
    def _file(self) -> Path:
        """The ONNX file. Raises EngineError or MissingDependencyError."""

    @abstractmethod
    def _prepare(self, crop: Images) -> Images:
        """An RGB crop, (rows, columns, 3), as the model's input, (1, height, width, 3)."""

    @abstractmethod
    def _posterior(self, probabilities: Floats) -> Posterior:
        """The posterior from the model's output, shape (time steps, classes)."""

    @cached_property
    def _network(self) -> Network:
        p = self.params
        try:
            return network(
                self._file,
                NORMALISATION,
                runtime=p.runtime,
                precision=p.precision,
                threads=p.threads,
            )
        except EngineError as error:
            raise EngineError(f"{self.name}: {error}") from error

    def _recognize(self, crop: Image.Image) -> Posterior:
        import numpy as np

        if min(crop.size) < 2:
            raise EngineError(
                f"{self.name}: a crop of {crop.width}x{crop.height} pixels has no text"
            )
        pixels = self._prepare(np.asarray(crop.convert("RGB")))
        try:
            with span("recognition"):
                output = self._network.run(pixels)
        except EngineError as error:
            raise EngineError(f"{self.name}: recognition failed: {error}") from error
        if output.ndim != 3 or output.shape[0] != 1:
            raise EngineError(f"{self.name}: the model's output has shape {output.shape}")
        natural = math.ceil(self._stretch * pixels.shape[1] * crop.width / crop.height)
        reach = max(pixels.shape[2] / max(natural, 1), 1.0)
        return replace(self._posterior(output[0]), reach=reach)

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
    packages: ClassVar[tuple[Package, ...]] = (OPENVINO, RAPIDOCR)
    params: PpOcrParams

    def __init__(self, name: str, params: PpOcrParams) -> None:
        super().__init__(name, params)

    @property
    def _kind(self) -> str:
        return "ppocr"

    @cached_property
    def _file(self) -> Path:
        return onnx_file(self.params.model, READER)

    @cached_property
    def _alphabet(self) -> tuple[str, ...]:
        """The characters of the classes; the first is the blank."""
        return alphabet_of(self._file, self._network).characters

    @cached_property
    def _always(self) -> list[int]:
        """The classes of the characters that every posterior has a column for."""
        always = set(self.params.characters)
        return [index for index, character in enumerate(self._alphabet) if character in always]

    def _prepare(self, crop: Images) -> Images:
        line = line_pixels(crop, HEIGHT)[:, :, ::-1]
        return padded([line], padded_width(line.shape[1]))

    def _posterior(self, probabilities: Floats) -> Posterior:
        import numpy as np

        kept = probabilities.max(axis=0) >= max(self.params.keep, np.finfo(np.float32).tiny)
        kept[probabilities.argmax(axis=1)] = True
        kept[0] = True
        kept[self._always] = True
        first: dict[str, int] = {}
        for index in np.flatnonzero(kept).tolist():
            first.setdefault(self._alphabet[index], index)
        columns = list(first.values())
        handed = probabilities[:, columns]
        total = probabilities.sum(axis=1, keepdims=True)
        rest = np.maximum(total - handed.sum(axis=1, keepdims=True), 0.0)
        return _normalised(np.concatenate([handed, rest], axis=1), (*first, OTHER))


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
            alphabet = tuple(str(item) for item in json.loads(self._network.metadata["alphabet"]))
            height = int(self._network.metadata["height"])
            stretch = float(self._network.metadata["stretch"])
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

    def _prepare(self, crop: Images) -> Images:
        _, height, stretch = self._described
        return line_pixels(crop, height, stretch)[None]

    def _posterior(self, probabilities: Floats) -> Posterior:
        alphabet = self._described[0]
        if probabilities.shape[1] != len(alphabet):
            raise EngineError(
                f"{self.name}: the model has {probabilities.shape[1]} classes, "
                f"its alphabet {len(alphabet)}"
            )
        return _normalised(probabilities, alphabet)


def _normalised(probabilities: Floats, alphabet: tuple[str, ...]) -> Posterior:
    """A posterior whose rows sum to 1 despite the model's rounding. Raises EngineError."""
    import numpy as np

    total = probabilities.sum(axis=1, keepdims=True)
    if not np.isfinite(total).all() or (np.abs(total - 1.0) > 0.02).any():
        raise EngineError("the model's output is not a probability distribution per time step")
    return Posterior((probabilities / total).astype(np.float32), alphabet)
