"""Line recognisers on real weights and real pixels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from ocr_moe.codes.posterior import OTHER
from ocr_moe.engines.lines import (
    OnnxLines,
    PpOcrLines,
    PpOcrParams,
    SpecialistLines,
    SpecialistParams,
)
from ocr_moe.engines.weights import wheel_models
from ocr_moe.errors import EngineError
from ocr_moe.protocols import LineRecognizer
from tests.printedlines import greedy, printed

CODE = "106131202000004931"


@pytest.fixture(scope="module")
def ppocr() -> PpOcrLines:
    return PpOcrLines("ppocr", PpOcrParams())


def test_it_is_a_line_recognizer(ppocr: PpOcrLines) -> None:
    assert isinstance(ppocr, LineRecognizer)


@pytest.fixture(scope="module")
def specialist() -> SpecialistLines:
    return SpecialistLines("specialist", SpecialistParams())


@pytest.fixture(params=["ppocr", "specialist"])
def shipped(request: pytest.FixtureRequest) -> LineRecognizer:
    """Each recogniser that comes with the package."""
    recognizer: LineRecognizer = request.getfixturevalue(request.param)
    return recognizer


@pytest.mark.parametrize(
    "code", [CODE, "91350211MA8TWXLP7C", "350211000000000", "1074842019000085"]
)
def test_a_printed_code_is_read(shipped: LineRecognizer, code: str) -> None:
    (posterior,) = shipped.recognize([printed(code)])
    assert greedy(posterior).replace(OTHER, "") == code


@pytest.mark.parametrize("size", [12, 16, 48, 120])
def test_a_code_is_read_at_any_size(shipped: LineRecognizer, size: int) -> None:
    (posterior,) = shipped.recognize([printed(CODE, size)])
    assert greedy(posterior).replace(OTHER, "") == CODE


def test_rows_are_distributions_over_the_alphabet(ppocr: PpOcrLines) -> None:
    (posterior,) = ppocr.recognize([printed("No. " + CODE)])
    steps, columns = posterior.probabilities.shape
    assert posterior.probabilities.dtype == np.float32
    assert columns == len(posterior.alphabet) == len(set(posterior.alphabet))
    assert posterior.alphabet[0] == ""
    assert posterior.alphabet[-1] == OTHER
    assert set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") <= set(posterior.alphabet)
    assert steps >= 2 * len(CODE)
    assert posterior.probabilities.min() >= 0
    np.testing.assert_allclose(posterior.probabilities.sum(axis=1), 1.0, atol=1e-5)


def test_a_posterior_does_not_depend_on_its_neighbours(ppocr: PpOcrLines) -> None:
    alone = ppocr.recognize([printed(CODE)])[0]
    among = ppocr.recognize([printed("A" * 60), printed(CODE), printed("7")])[1]
    assert alone.alphabet == among.alphabet
    np.testing.assert_array_equal(alone.probabilities, among.probabilities)


def test_no_crops_no_posteriors(ppocr: PpOcrLines) -> None:
    assert ppocr.recognize([]) == []


def test_a_crop_without_pixels_is_an_engine_error(ppocr: PpOcrLines) -> None:
    with pytest.raises(EngineError, match="1x20 pixels"):
        ppocr.recognize([Image.new("RGB", (1, 20))])


def test_a_grey_crop_is_read_as_well(ppocr: PpOcrLines) -> None:
    (posterior,) = ppocr.recognize([printed(CODE).convert("L")])
    assert greedy(posterior).replace(OTHER, "") == CODE


def test_ppocr_hands_out_what_the_line_concerns(ppocr: PpOcrLines) -> None:
    (posterior,) = ppocr.recognize([printed("SN: " + CODE)])
    assert ":" in posterior.alphabet
    assert len(posterior.alphabet) < 200


def test_ppocr_collects_the_rest_in_other() -> None:
    narrow = PpOcrLines("narrow", PpOcrParams(characters="0123456789", keep=1.0))
    wide = PpOcrLines("wide", PpOcrParams(characters="0123456789", keep=0.0))
    crop = printed(CODE, 13, ink=(150, 150, 150))
    few, many = narrow.recognize([crop])[0], wide.recognize([crop])[0]
    assert len(few.alphabet) < 40 < 10_000 < len(many.alphabet)
    assert few.probabilities[:, -1].sum() > many.probabilities[:, -1].sum()
    for digit in "0123456789":
        np.testing.assert_allclose(
            few.probabilities[:, few.alphabet.index(digit)],
            many.probabilities[:, many.alphabet.index(digit)],
            atol=1e-5,
        )


class TestModels:
    """Weights of the user's own, good and bad."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A model folder as PaddleOCR has them."""
        source = wheel_models() / "PP-OCRv6_rec_small.onnx"
        (tmp_path / "inference.onnx").symlink_to(source)
        metadata = onnxruntime.InferenceSession(str(source)).get_modelmeta()
        characters = metadata.custom_metadata_map["character"].split("\n")
        # JSON is YAML; character lists are long, and this is quick to parse.
        (tmp_path / "inference.yml").write_text(
            json.dumps({"PostProcess": {"name": "CTCLabelDecode", "character_dict": characters}})
        )
        return tmp_path

    @pytest.mark.slow
    def test_a_paddle_model_folder(self, folder: Path, ppocr: PpOcrLines) -> None:
        own = PpOcrLines("own", PpOcrParams(model=folder))
        crop = printed(CODE)
        ours, theirs = own.recognize([crop])[0], ppocr.recognize([crop])[0]
        assert ours.alphabet == theirs.alphabet
        np.testing.assert_array_equal(ours.probabilities, theirs.probabilities)
        assert own.fingerprint == ppocr.fingerprint

    @pytest.mark.parametrize(
        ("yml", "problem"),
        [
            ("PostProcess: {character_dict: [a, b]}", "18710 classes, its alphabet 3"),
            ("PostProcess: {}", "gives no alphabet"),
            ("[", "gives no alphabet"),
        ],
    )
    def test_a_wrong_alphabet(self, folder: Path, yml: str, problem: str) -> None:
        (folder / "inference.yml").write_text(yml)
        with pytest.raises(EngineError, match=problem):
            PpOcrLines("own", PpOcrParams(model=folder)).recognize([printed(CODE)])

    @pytest.mark.parametrize("kind", ["ppocr", "specialist"])
    def test_a_missing_or_broken_file(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "weights.onnx"
        with pytest.raises(EngineError, match="no model at"):
            _of(kind, path).recognize([printed(CODE)])
        with pytest.raises(EngineError, match="cannot be read"):
            _ = _of(kind, path).fingerprint
        path.write_bytes(b"this is no model")
        with pytest.raises(EngineError, match="no usable ONNX model"):
            _of(kind, path).recognize([printed(CODE)])

    def test_another_kind_of_model(self) -> None:
        detector = wheel_models() / "PP-OCRv6_det_small.onnx"
        with pytest.raises(EngineError):
            PpOcrLines("p", PpOcrParams(model=detector)).recognize([printed(CODE)])
        with pytest.raises(EngineError, match="does not say its alphabet"):
            SpecialistLines("s", SpecialistParams(model=detector)).recognize([printed(CODE)])

    def test_the_fingerprint_follows_weights_and_parameters(
        self, tmp_path: Path, ppocr: PpOcrLines
    ) -> None:
        weights = wheel_models() / "PP-OCRv6_rec_small.onnx"
        copy = Path(shutil.copy(weights, tmp_path / "copy.onnx"))
        same = PpOcrLines("other name", PpOcrParams(model=copy, threads=2))
        assert same.fingerprint == ppocr.fingerprint
        with copy.open("ab") as stream:
            stream.write(b"\0")
        assert PpOcrLines("p", PpOcrParams(model=copy)).fingerprint != ppocr.fingerprint
        narrow = PpOcrLines("p", PpOcrParams(characters="0123456789"))
        assert narrow.fingerprint != ppocr.fingerprint


def _of(kind: str, path: Path) -> OnnxLines:
    if kind == "ppocr":
        return PpOcrLines("p", PpOcrParams(model=path))
    return SpecialistLines("s", SpecialistParams(model=path))
