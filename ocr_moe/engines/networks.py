"""ONNX networks that take images: on OpenVINO, which is the fastest on most CPUs, or ONNX Runtime.

Everything that is about these libraries ends here. A network is compiled once a process, whoever
uses it, and is asked from several threads at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from ocr_moe.errors import EngineError, MissingDependencyError
from ocr_moe.protocols import Package

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Images = NDArray[np.uint8]

OPENVINO = Package("openvino", "running the models of OCR")

Runtime = Literal["openvino", "onnxruntime"]
Precision = Literal["auto", "f32"]
"""`auto` is what the processor computes fastest: bfloat16 where it has instructions for it (AMX,
AVX-512 BF16), else 32 bits. Readings may then differ in the last place between machines."""


class Normalisation(NamedTuple):
    """What becomes of the values 0 to 255 of a channel: `(value - mean) / scale`."""

    mean: tuple[float, float, float]
    scale: tuple[float, float, float]


class Greedy(NamedTuple):
    """The likeliest class of every time step."""

    classes: NDArray[np.int64]
    """(images, time steps)"""
    probabilities: Floats
    """(images, time steps)"""


class Network(Protocol):
    """A compiled network with one input and one output. Thread-safe."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """What its file says of itself."""

    @property
    def classes(self) -> int | None:
        """Size of the output's last dimension, where it is fixed."""

    def run(self, images: Images) -> Floats:
        """The output for images of one size, shape (images, height, width, 3), as they lie in memory.

        Raises EngineError.
        """

    def greedy(self, images: Images) -> Greedy:
        """The likeliest class of every time step, for an output (images, time steps, classes).

        Raises EngineError.
        """


def network(
    file: Path,
    normalisation: Normalisation,
    *,
    runtime: Runtime = "openvino",
    precision: Precision = "auto",
    threads: int = 1,
) -> Network:
    """The network in an ONNX file, on `threads` threads an inference; one for all that want the same.

    Raises MissingDependencyError, or EngineError for a file that is no such network.
    """
    if not file.is_file():
        raise EngineError(f"there is no model at {file}")
    with _compiling:
        return _shared(file, file.stat().st_mtime_ns, normalisation, runtime, precision, threads)


_compiling = Lock()


@lru_cache(maxsize=8)
def _shared(
    file: Path,
    modified: int,
    normalisation: Normalisation,
    runtime: Runtime,
    precision: Precision,
    threads: int,
) -> Network:
    try:
        if runtime == "openvino":
            return _OpenVino(file, normalisation, precision, threads)
        return _OnnxRuntime(file, normalisation, threads)
    except ImportError as error:
        raise MissingDependencyError(
            f"the networks of OCR need the package {runtime} ({error}); pip install {runtime}"
        ) from error
    except Exception as error:
        raise EngineError(f"{file} is no usable ONNX model: {error}") from error


class _OpenVino:
    """On OpenVINO. As many inferences run at once as there are cores for, each on a copy of its own:
    whatever shape of input is new, each copy makes its kernels for, so there are only those needed."""

    def __init__(
        self, file: Path, normalisation: Normalisation, precision: Precision, threads: int
    ) -> None:
        self._file = file
        self._normalisation = normalisation
        self._settings: dict[str, Any] = {
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            # Processes side by side would all be pinned to the first cores.
            "ENABLE_CPU_PINNING": False,
        }
        if precision == "f32":
            self._settings["INFERENCE_PRECISION_HINT"] = "f32"
        self._places = BoundedSemaphore(max(1, _cores() // threads))
        self._lock = Lock()
        model = self._model()
        self.metadata = _framework_metadata(model)
        last = model.outputs[0].partial_shape[-1]
        self.classes = last.get_length() if last.is_static else None
        self._idle = [self._request(model)]
        """Those that nobody uses, the one used last at the end."""

    metadata: Mapping[str, str]
    classes: int | None

    def run(self, images: Images) -> Floats:
        with self._asked(images) as request:
            found: Floats = request.get_output_tensor(0).data.copy()
            return found

    def greedy(self, images: Images) -> Greedy:
        with self._asked(images) as request:
            return _best(request.get_output_tensor(0).data)

    @contextmanager
    def _asked(self, images: Images) -> Iterator[Any]:
        """A request that holds the outputs; they are its memory, and copied before it is lent again."""
        from ocr_moe.engines.runtime import openvino

        with self._places:
            with self._lock:
                request = self._idle.pop() if self._idle else None
            try:
                if request is None:
                    request = self._request(self._model())
                request.set_input_tensor(openvino.Tensor(images, shared_memory=True))
                request.infer()
            except Exception as error:
                raise EngineError(f"OpenVINO failed: {error}") from error
            yield request
            with self._lock:
                self._idle.append(request)

    def _model(self) -> Any:
        """The network of the file, which takes images as they lie in memory."""
        from ocr_moe.engines.runtime import openvino

        prepared = openvino.preprocess.PrePostProcessor(openvino.Core().read_model(self._file))
        of_input = prepared.input()
        layout = openvino.Layout("NHWC")
        of_input.tensor().set_element_type(openvino.Type.u8).set_layout(layout)
        of_input.tensor().set_shape([-1, -1, -1, 3])
        of_input.model().set_layout(openvino.Layout("NCHW"))
        steps = of_input.preprocess().convert_element_type(openvino.Type.f32)
        steps.mean(list(self._normalisation.mean)).scale(list(self._normalisation.scale))
        return prepared.build()

    def _request(self, model: Any) -> Any:
        """Of a copy that is compiled for it."""
        from ocr_moe.engines.runtime import openvino

        return openvino.Core().compile_model(model, "CPU", self._settings).create_infer_request()


def _framework_metadata(model: Any) -> dict[str, str]:
    """The `metadata_props` of the ONNX file."""
    info = model.get_rt_info()
    if "framework" not in info:
        return {}
    return {str(key): str(value.value) for key, value in info["framework"].items()}


class _OnnxRuntime:
    """On ONNX Runtime."""

    def __init__(self, file: Path, normalisation: Normalisation, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # one would be kept for every width there was
        self._session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self._normalisation = normalisation
        last = self._session.get_outputs()[0].shape[-1]
        self.classes: int | None = last if isinstance(last, int) else None
        self.metadata: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, images: Images) -> Floats:
        import numpy as np

        mean, scale = (np.asarray(each, np.float32) for each in self._normalisation)
        try:
            pixels = np.ascontiguousarray(((images - mean) / scale).transpose(0, 3, 1, 2))
            (output,) = self._session.run(None, {self._input: pixels})
        except Exception as error:
            raise EngineError(f"ONNX Runtime failed: {error}") from error
        return np.asarray(output, dtype=np.float32)

    def greedy(self, images: Images) -> Greedy:
        return _best(self.run(images))


def _best(output: Floats) -> Greedy:
    """Of an output (images, time steps, classes)."""
    return Greedy(output.argmax(axis=2), output.max(axis=2))


def _cores() -> int:
    """Those that this process may use: workers share them, and are told so as numeric libraries are."""
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        return int(os.environ["OMP_NUM_THREADS"])
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
