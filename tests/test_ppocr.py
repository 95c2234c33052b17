"""The engine of PP-OCR's networks, on real weights and real pixels."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocr_moe.engines import networks
from ocr_moe.engines.detection import NORMALISATION as OF_DETECTOR
from ocr_moe.engines.detection import DetectionParams, detect
from ocr_moe.engines.networks import Network, Runtime, network
from ocr_moe.engines.ppocr import PpOcrEngine, PpOcrParams
from ocr_moe.engines.recognition import (
    NORMALISATION,
    SHORTEST,
    Alphabet,
    alphabet_of,
    line_pixels,
    padded_width,
)
from ocr_moe.engines.weights import wheel_models
from ocr_moe.errors import EngineError
from ocr_moe.protocols import OcrEngine
from tests.printedlines import printed

pytestmark = pytest.mark.slow

TEXTS = (
    ("Certificate of Graduation", 120, 60, 44),
    ("No. 106131202000004931", 520, 250, 24),
    ("Issued on 2020-06-30", 90, 420, 30),
)
DETECTOR = wheel_models() / "PP-OCRv6_det_small.onnx"
READER = wheel_models() / "PP-OCRv6_rec_small.onnx"


def page(width: int = 1000, height: int = 700) -> Image.Image:
    image = Image.new("RGB", (width, height), (250, 247, 240))
    for text, left, top, size in TEXTS:
        image.paste(printed(text, size), (left, top))
    return image


@pytest.fixture(scope="module")
def engine() -> PpOcrEngine:
    return PpOcrEngine("ppocr", PpOcrParams())


def texts(engine: OcrEngine, image: Image.Image) -> list[str]:
    return [line.text.replace(" ", "") for line in engine.read(image)]


PRINTED = [text.replace(" ", "") for text, *_ in TEXTS]


def test_lines_are_read_in_order_with_their_places(engine: PpOcrEngine) -> None:
    assert isinstance(engine, OcrEngine)
    lines = engine.read(page())
    assert [line.text.replace(" ", "") for line in lines] == PRINTED
    for line, (_, left, top, size) in zip(lines, TEXTS, strict=True):
        assert line.confidence > 0.9
        x0, y0 = line.quad[0][0] * 1000, line.quad[0][1] * 700
        x1, y1 = line.quad[2][0] * 1000, line.quad[2][1] * 700
        assert left - 5 < x0 < left + size
        assert x1 > x0 + 8 * size
        assert top - size < y0 < (y0 + y1) / 2 < y1 < top + 2 * size


def test_both_runtimes_and_precisions_read_the_same(engine: PpOcrEngine) -> None:
    image = page()
    for params in (PpOcrParams(runtime="onnxruntime"), PpOcrParams(precision="f32")):
        assert texts(PpOcrEngine("other", params), image) == texts(engine, image)


def test_several_threads_read_what_one_reads(engine: PpOcrEngine) -> None:
    pages = [page(), page(1300, 900), page(800, 1100), page(900, 620)] * 3
    alone = [engine.read(image) for image in pages]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(engine.read, pages)) == alone


def test_a_line_that_runs_up_the_page_is_read(engine: PpOcrEngine) -> None:
    image = Image.new("RGB", (400, 900), (250, 247, 240))
    line = printed("No. 106131202000004931", 32).rotate(-90, expand=True)
    image.paste(line, (150, 150))
    assert texts(engine, image) == ["No.106131202000004931"]


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (40, 40), (700, 500)])
def test_a_page_without_text_has_no_lines(engine: PpOcrEngine, size: tuple[int, int]) -> None:
    assert engine.read(Image.new("RGB", size, (250, 247, 240))) == ()


@pytest.mark.parametrize("mode", ["L", "RGBA", "1", "P", "CMYK"])
def test_pages_in_other_modes_are_read(engine: PpOcrEngine, mode: str) -> None:
    assert texts(engine, page().convert(mode)) == PRINTED


def test_a_line_that_runs_off_the_page_ends_on_its_edge(engine: PpOcrEngine) -> None:
    cut = page().crop((0, 0, 700, 700))
    number = next(line for line in engine.read(cut) if "1061" in line.text)
    assert number.quad[1][0] > 0.99


def test_fewer_lines_than_a_batch_and_more_are_read_alike(engine: PpOcrEngine) -> None:
    """Short lines are read several at once; which ones are together changes no text."""
    words = ("2017", "2018", "2019", "2020", "2021", "2022", "2023")
    for count in range(1, len(words) + 1):
        image = Image.new("RGB", (500, 120 * count + 60), (250, 247, 240))
        for row, word in enumerate(words[:count]):
            image.paste(printed(word, 36), (100, 40 + 120 * row))
        assert texts(engine, image) == list(words[:count])


class TestDetection:
    def test_a_large_page_is_looked_at_reduced_and_boxed_in_its_own_pixels(self) -> None:
        found = network(DETECTOR, OF_DETECTOR)
        small = np.asarray(page())
        large = np.asarray(page().resize((3000, 2100), Image.Resampling.BICUBIC))
        boxes = detect(small, found, DetectionParams())
        threefold = detect(large, found, DetectionParams())
        assert len(boxes) == len(threefold) == len(TEXTS)
        by_height = (sorted(each, key=lambda box: float(box[0, 1])) for each in (boxes, threefold))
        for one, three in zip(*by_height, strict=True):
            assert np.abs(3 * one - three).max() < 30

    def test_small_type_of_a_large_page_is_looked_at_again_finer(self) -> None:
        found = network(DETECTOR, OF_DETECTOR)
        image = Image.new("RGB", (2480, 3508), (250, 247, 240))
        rows = range(200, 3300, 60)
        for top in rows:
            image.paste(
                printed("Every line of a full page in small type, 2020-06-30", 26), (200, top)
            )
        page = np.asarray(image)
        assert len(detect(page, found, DetectionParams())) == len(rows)
        coarse = DetectionParams(limit=640, fine_limit=None)
        assert len(detect(page, found, coarse)) < len(rows)
        assert len(detect(page, found, DetectionParams(limit=640))) == len(rows)

    def test_corners_go_clockwise_from_the_top_left(self) -> None:
        for box in detect(np.asarray(page()), network(DETECTOR, OF_DETECTOR), DetectionParams()):
            (x0, y0), (x1, y1), (x2, y2), (x3, y3) = box.tolist()
            assert x0 < x1
            assert x3 < x2
            assert y0 < y3
            assert y1 < y2

    def test_a_higher_box_threshold_finds_no_more(self) -> None:
        found, image = network(DETECTOR, OF_DETECTOR), np.asarray(page())
        counts = [
            len(detect(image, found, DetectionParams(box_threshold=threshold)))
            for threshold in (0.3, 0.6, 0.999)
        ]
        assert counts == sorted(counts, reverse=True)
        assert counts[-1] == 0

    @pytest.mark.parametrize("wrong", [{"threshold": 0}, {"box_threshold": 1.0}, {"limit": 0}])
    def test_what_makes_no_sense_is_refused(self, wrong: dict[str, float]) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DetectionParams(**wrong)  # type: ignore[arg-type]


@pytest.fixture(params=["openvino", "onnxruntime"])
def reader(request: pytest.FixtureRequest) -> Network:
    return network(READER, NORMALISATION, runtime=request.param)


class TestNetworks:
    def test_outputs_are_probabilities_and_greedy_is_their_best(self, reader: Network) -> None:
        line = np.full((2, 48, SHORTEST, 3), 128, np.uint8)
        shown = line_pixels(np.asarray(printed("2019", 30)), 48)
        line[1, :, : shown.shape[1]] = shown
        whole, best = reader.run(line), reader.greedy(line)
        assert whole.shape[0] == 2
        assert whole.shape[2] == reader.classes
        assert np.abs(whole.sum(axis=2) - 1).max() < 0.02
        assert (best.classes == whole.argmax(axis=2)).all()
        assert np.allclose(best.probabilities, whole.max(axis=2), atol=1e-6)
        spelled, probability = alphabet_of(READER, reader).spell(
            best.classes[1], best.probabilities[1]
        )
        assert spelled == "2019"
        assert probability > 0.9

    def test_a_network_is_compiled_once(self) -> None:
        assert network(READER, NORMALISATION) is network(READER, NORMALISATION)

    def test_there_are_as_many_copies_as_are_asked_at_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[object] = []
        make = networks._OpenVino._request

        def noting(self: networks._OpenVino, model: object) -> object:
            made.append(model)
            return make(self, model)

        monkeypatch.setattr(networks._OpenVino, "_request", noting)
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        found = networks._OpenVino(READER, NORMALISATION, "auto", 1)
        lines = [np.full((1, 48, SHORTEST, 3), shade, np.uint8) for shade in range(0, 250, 10)]
        alone = [found.run(line) for line in lines]
        assert len(made) == 1
        with ThreadPoolExecutor(4) as pool:
            for there, line in zip(alone, pool.map(found.run, lines), strict=True):
                assert (there == line).all()
        assert len(made) <= 2

    def test_nobody_is_told_that_it_is_used(self, tmp_path: Path) -> None:
        """OpenVINO as it comes tells its maker, and leaves files in the home folder."""
        code = (
            "import sys, numpy\n"
            "from pathlib import Path\n"
            "from ocr_moe.engines.networks import network\n"
            "from ocr_moe.engines.recognition import NORMALISATION\n"
            "found = network(Path(sys.argv[1]), NORMALISATION)\n"
            "found.run(numpy.zeros((1, 48, 320, 3), numpy.uint8))\n"
            "print([name for name in sys.modules if name.startswith('openvino_telemetry')])\n"
        )
        told = subprocess.run(
            [sys.executable, "-c", code, str(READER)],
            env=os.environ | {"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout == "[]\n"
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
    def test_a_file_that_is_no_network_is_told(self, tmp_path: Path, runtime: Runtime) -> None:
        broken = tmp_path / "broken.onnx"
        broken.write_bytes(b"no network")
        with pytest.raises(EngineError, match=r"broken\.onnx is no usable ONNX model"):
            network(broken, NORMALISATION, runtime=runtime)

    def test_a_missing_file_is_told(self, tmp_path: Path) -> None:
        engine = PpOcrEngine("p", PpOcrParams(detection_model=tmp_path / "none.onnx"))
        with pytest.raises(EngineError, match=r"none\.onnx"):
            engine.read(page())

    def test_pixels_of_the_wrong_shape_are_an_error_of_the_engine(self, reader: Network) -> None:
        with pytest.raises(EngineError, match="failed"):
            reader.run(np.zeros((1, 48, 320, 4), np.uint8))


class TestFingerprint:
    def test_it_follows_weights_and_parameters_but_not_threads(self, tmp_path: Path) -> None:
        usual = PpOcrEngine("p", PpOcrParams()).fingerprint
        copy = tmp_path / "copy.onnx"
        shutil.copyfile(DETECTOR, copy)
        assert PpOcrEngine("p", PpOcrParams(detection_model=copy)).fingerprint == usual
        assert PpOcrEngine("p", PpOcrParams(threads=2)).fingerprint == usual
        with copy.open("ab") as stream:
            stream.write(b"\0")
        changed = {
            PpOcrEngine("p", params).fingerprint
            for params in (
                PpOcrParams(detection_model=copy),
                PpOcrParams(precision="f32"),
                PpOcrParams(runtime="onnxruntime"),
                PpOcrParams(detection=DetectionParams(limit=736)),
            )
        }
        assert len(changed | {usual}) == 5


class TestRecognition:
    def test_widths_are_few(self) -> None:
        widths = {padded_width(width) for width in range(1, 3000)}
        assert min(widths) == SHORTEST
        assert len(widths) < 30
        assert all(padded_width(width) >= width for width in range(1, 3000))

    def test_a_line_is_brought_to_its_height(self) -> None:
        for rows, columns in ((12, 100), (48, 320), (200, 900)):
            line = line_pixels(np.zeros((rows, columns, 3), np.uint8), 48)
            assert line.shape == (48, math.ceil(48 * columns / rows), 3)

    def test_repeats_are_one_character_unless_a_blank_parts_them(self) -> None:
        alphabet = Alphabet(("", "a", "b"))
        classes = np.array([0, 1, 1, 0, 1, 2, 2, 0])
        odds = np.array([0.9, 0.8, 0.1, 0.9, 0.6, 0.4, 0.2, 0.9], np.float32)
        text, probability = alphabet.spell(classes, odds)
        assert text == "aab"
        assert probability == pytest.approx(0.6)
        assert alphabet.spell(np.zeros(5, np.int64), np.ones(5, np.float32)) == ("", 0.0)
