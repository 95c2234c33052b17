"""Line recognisers on real weights and real pixels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocr_moe.engines.lines import (
    OTHER,
    OnnxLines,
    PpOcrLines,
    PpOcrParams,
    SpecialistLines,
    SpecialistParams,
    _rapidocr_models,
)
from ocr_moe.errors import EngineError
from ocr_moe.protocols import LineRecognizer, Posterior

CODE = "106131202000004931"


def printed(text: str, size: int = 30, ink: tuple[int, int, int] = (20, 20, 20)) -> Image.Image:
    font = ImageFont.load_default(size)
    width = int(font.getlength(text)) + size
    image = Image.new("RGB", (width, int(size * 1.5)), (250, 247, 240))
    ImageDraw.Draw(image).text((size // 2, size // 5), text, font=font, fill=ink)
    return image


def greedy(posterior: Posterior) -> str:
    best = posterior.probabilities.argmax(axis=1)
    kept = [k for place, k in enumerate(best) if place == 0 or best[place - 1] != k]
    return "".join(posterior.alphabet[k] for k in kept)


@pytest.fixture(scope="module")
def ppocr() -> PpOcrLines:
    return PpOcrLines("ppocr", PpOcrParams())


@pytest.fixture(scope="module")
def specialist() -> SpecialistLines:
    return SpecialistLines("specialist", SpecialistParams())


@pytest.fixture(params=["ppocr", "specialist"])
def recognizer(request: pytest.FixtureRequest) -> OnnxLines:
    found: OnnxLines = request.getfixturevalue(request.param)
    return found


def test_both_are_line_recognizers(recognizer: OnnxLines) -> None:
    assert isinstance(recognizer, LineRecognizer)


@pytest.mark.parametrize(
    "code", [CODE, "91350211MA8TWXLP7C", "350211000000000", "1074842019000085"]
)
def test_a_printed_code_is_read(recognizer: OnnxLines, code: str) -> None:
    (posterior,) = recognizer.recognize([printed(code)])
    assert greedy(posterior).replace(OTHER, "") == code


@pytest.mark.parametrize("size", [12, 16, 48, 120])
def test_a_code_is_read_at_any_size(recognizer: OnnxLines, size: int) -> None:
    (posterior,) = recognizer.recognize([printed(CODE, size)])
    assert greedy(posterior).replace(OTHER, "") == CODE


def test_rows_are_distributions_over_the_alphabet(recognizer: OnnxLines) -> None:
    (posterior,) = recognizer.recognize([printed("No. " + CODE)])
    steps, columns = posterior.probabilities.shape
    assert posterior.probabilities.dtype == np.float32
    assert columns == len(posterior.alphabet) == len(set(posterior.alphabet))
    assert posterior.alphabet[0] == ""
    assert posterior.alphabet[-1] == OTHER
    assert set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") <= set(posterior.alphabet)
    assert steps >= 2 * len(CODE)
    assert posterior.probabilities.min() >= 0
    np.testing.assert_allclose(posterior.probabilities.sum(axis=1), 1.0, atol=1e-5)


def test_a_posterior_does_not_depend_on_its_neighbours(recognizer: OnnxLines) -> None:
    alone = recognizer.recognize([printed(CODE)])[0]
    among = recognizer.recognize([printed("A" * 60), printed(CODE), printed("7")])[1]
    assert alone.alphabet == among.alphabet
    np.testing.assert_array_equal(alone.probabilities, among.probabilities)


def test_no_crops_no_posteriors(recognizer: OnnxLines) -> None:
    assert recognizer.recognize([]) == []


def test_blank_paper_holds_no_code(specialist: SpecialistLines) -> None:
    (posterior,) = specialist.recognize([Image.new("RGB", (400, 40), (250, 250, 250))])
    assert greedy(posterior).replace(OTHER, "") == ""


def test_the_specialist_calls_a_label_other(specialist: SpecialistLines) -> None:
    (posterior,) = specialist.recognize([printed("No. " + CODE)])
    assert greedy(posterior) == OTHER + CODE


def test_a_crop_without_pixels_is_an_engine_error(recognizer: OnnxLines) -> None:
    with pytest.raises(EngineError, match="1x20 pixels"):
        recognizer.recognize([Image.new("RGB", (1, 20))])


def test_a_grey_crop_is_read_as_well(recognizer: OnnxLines) -> None:
    (posterior,) = recognizer.recognize([printed(CODE).convert("L")])
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
        source = _rapidocr_models() / "PP-OCRv6_rec_small.onnx"
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
        detector = _rapidocr_models() / "PP-OCRv6_det_small.onnx"
        with pytest.raises(EngineError):
            PpOcrLines("p", PpOcrParams(model=detector)).recognize([printed(CODE)])
        with pytest.raises(EngineError, match="does not say its alphabet"):
            SpecialistLines("s", SpecialistParams(model=detector)).recognize([printed(CODE)])

    def test_the_fingerprint_follows_weights_and_parameters(self, tmp_path: Path) -> None:
        shipped = SpecialistLines("s", SpecialistParams())
        copy = Path(shutil.copy(shipped._file, tmp_path / "copy.onnx"))
        same = SpecialistLines("other name", SpecialistParams(model=copy, threads=2))
        assert same.fingerprint == shipped.fingerprint
        copy.write_bytes(copy.read_bytes() + b"\0")
        changed = SpecialistLines("s", SpecialistParams(model=copy))
        assert changed.fingerprint != shipped.fingerprint
        narrow = PpOcrLines("p", PpOcrParams(characters="0123456789"))
        assert narrow.fingerprint != PpOcrLines("p", PpOcrParams()).fingerprint

    def test_the_shipped_model_is_small(self) -> None:
        assert SpecialistLines("s", SpecialistParams())._file.stat().st_size <= 8_000_000


def _of(kind: str, path: Path) -> OnnxLines:
    if kind == "ppocr":
        return PpOcrLines("p", PpOcrParams(model=path))
    return SpecialistLines("s", SpecialistParams(model=path))
