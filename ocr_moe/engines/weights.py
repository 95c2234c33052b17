"""Where OCR model weights come from: an installed wheel, or folders that the user names.

PaddleOCR wants a folder a model, `inference.onnx` beside an `inference.yml`. The wheel of `rapidocr`
carries PP-OCRv6 as bare ONNX files with the alphabet in their metadata; `model_folder` lays such a
folder out once, under the user's cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from ocr_moe.errors import EngineError, MissingDependencyError
from ocr_moe.protocols import Package

DETECTOR, READER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
"""The networks in the `rapidocr` wheel that find lines and read them."""

RAPIDOCR = Package("rapidocr", "the weights of PP-OCRv6, and page OCR by RapidOCR")
ONNXRUNTIME = Package("onnxruntime", "running the models of OCR")


@cache
def wheel_models() -> Path:
    """The folder of ONNX files in the installed `rapidocr` wheel, which is not imported for it.

    Raises MissingDependencyError.
    """
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "the OCR weights are missing: they come with the package rapidocr "
            "(pip install 'rapidocr>=3.10'), unless the configuration names models of its own"
        )
    return Path(spec.submodule_search_locations[0]) / "models"


def onnx_file(named: Path | None, usual: str) -> Path:
    """The ONNX file that a setting names, itself or as a model folder of PaddleOCR; by default the one
    of that name in the `rapidocr` wheel. Raises MissingDependencyError."""
    if named is None:
        return wheel_models() / usual
    path = named.expanduser()
    return path / "inference.onnx" if path.is_dir() else path


def cache_folder() -> Path:
    """Where derived files are kept: $OCR_MOE_CACHE, else $XDG_CACHE_HOME/ocr_moe, else ~/.cache."""
    named = os.environ.get("OCR_MOE_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ocr_moe"


def file_digest(path: Path) -> str:
    """First 16 hex digits of the SHA-256 of a file. Raises OSError."""
    found = path.stat()
    return _digest(path, found.st_size, found.st_mtime_ns)


@cache
def _digest(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def onnx_characters(path: Path) -> list[str]:
    """The alphabet in an ONNX file's metadata. Raises EngineError."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        characters = session.get_modelmeta().custom_metadata_map["character"]
    except Exception as error:
        raise EngineError(f"{path}: no recognition model with an alphabet ({error})") from error
    return str(characters).split("\n")


def model_folder(onnx: Path, name: str) -> Path:
    """A folder in PaddleOCR's layout for an ONNX file of PP-OCR; made on first use, then kept.

    Raises EngineError when the file is missing or the folder cannot be written.
    """
    import yaml

    if not onnx.is_file():
        raise EngineError(f"{onnx}: the OCR weights are not there; reinstall rapidocr")
    folder = cache_folder() / "models" / f"{name}-{file_digest(onnx)}"
    if (folder / "inference.yml").is_file():
        return folder
    settings = _detection() if name.endswith("_det") else _recognition(onnx_characters(onnx))
    settings = {"Global": {"model_name": name}, **settings}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{name}-"))
        shutil.copyfile(onnx, staging / "inference.onnx")
        (staging / "inference.yml").write_text(
            yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8"
        )
        try:
            staging.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(staging)
    except OSError as error:
        raise EngineError(
            f"{folder}: cannot be written ({error}); set OCR_MOE_CACHE to a writable folder"
        ) from error
    return folder


def _detection() -> dict[str, Any]:
    return {
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"DetResizeForTest": {"resize_long": 960}},
                {
                    "NormalizeImage": {
                        "mean": [0.485, 0.456, 0.406],
                        "std": [0.229, 0.224, 0.225],
                        "scale": "1./255.",
                        "order": "hwc",
                    }
                },
                {"ToCHWImage": None},
                {"KeepKeys": {"keep_keys": ["image", "shape"]}},
            ]
        },
        "PostProcess": {
            "name": "DBPostProcess",
            "thresh": 0.3,
            "box_thresh": 0.6,
            "max_candidates": 1000,
            "unclip_ratio": 1.5,
        },
    }


def _recognition(characters: list[str]) -> dict[str, Any]:
    return {
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"RecResizeImg": {"image_shape": [3, 48, 320]}},
                {"KeepKeys": {"keep_keys": ["image"]}},
            ]
        },
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": characters},
    }
