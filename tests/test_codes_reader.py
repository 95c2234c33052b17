"""The code reader on real pixels, read by the real engine and recognisers."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from ocr_moe.codes.decoding import free_reading
from ocr_moe.codes.finding import Strip
from ocr_moe.codes.grammar import CodeGrammar, Segment
from ocr_moe.experts.codes.expert import CodesExpert, CodesParams
from ocr_moe.experts.codes.faintlines import faint_lines
from ocr_moe.generation.fonts import FontBook, load
from ocr_moe.imaging.linecrops import colourfulness, crop_strip, without_colour
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.testing import StubDocument, StubPage
from ocr_moe.types import PageText, Reading
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import find_schema, load_config

pytestmark = pytest.mark.slow

CODE = "106131202505004931"
CREDIT = "91110000600037341L"
WIDTH, HEIGHT = 1100, 760
TITLE = ("毕业证书", 420, 60, 56)
DATE = ("二〇二五年六月二十日", 640, 560, 30)


@pytest.fixture(scope="module")
def workshop() -> Workshop:
    return Workshop(load_config())


@pytest.fixture(scope="module")
def reader(workshop: Workshop) -> CodesExpert:
    return CodesExpert("codes", CodesParams(), workshop)


def drawn(*texts: tuple[str, int, int, int]) -> Image.Image:
    """(text, left, top, size in pixels) in a plain face on a white page."""
    book = FontBook.discover()
    face = book.of("hei")[0]
    image = Image.new("RGB", (WIDTH, HEIGHT), (250, 249, 244))
    draw = ImageDraw.Draw(image)
    for text, left, top, size in texts:
        draw.text((left, top), text, fill=(25, 25, 25), font=load(face.path, face.index, size))
    return image


def read(
    workshop: Workshop, reader: CodesExpert, image: Image.Image, schema: Schema, name: str
) -> Reading:
    lines = workshop.engine("default").read(image)
    text = PageText(engine="x", width=WIDTH, height=HEIGHT, rotation=0, lines=lines)
    document = StubDocument(schema, [StubPage(text, image)])
    return reader.read(document, [schema.field(name)]).readings[0]


def certificate(workshop: Workshop, reader: CodesExpert, image: Image.Image) -> Reading:
    return read(workshop, reader, image, find_schema("graduation_certificate"), "证书编号")


def test_a_plain_number_is_read_at_first_sight(workshop: Workshop, reader: CodesExpert) -> None:
    image = drawn(TITLE, DATE, (f"证书编号：{CODE}", 120, 640, 28))
    reading = certificate(workshop, reader, image)
    assert reading.value == CODE
    assert reading.features["look"] == 1.0
    assert reading.score is not None
    assert reading.score > 0.99
    assert len(reading.characters) == len(CODE)
    assert reading.evidence is not None
    x0, y0, x1, y1 = reading.evidence.box
    assert x0 * WIDTH < 260 < 480 < x1 * WIDTH
    assert y0 * HEIGHT < 654 < y1 * HEIGHT


def misread(workshop: Workshop, image: Image.Image, printed: str, read: str) -> StubDocument:
    """The page as an engine leaves it that is sure to have read `read` where `printed` stands."""
    lines = tuple(
        line.model_copy(update={"text": line.text.replace(printed, read), "confidence": 0.999})
        for line in workshop.engine("default").read(image)
    )
    assert any(read in line.text for line in lines)
    text = PageText(engine="x", width=WIDTH, height=HEIGHT, rotation=0, lines=lines)
    schema = find_schema("graduation_certificate")
    return StubDocument(schema, [StubPage(text, image)])


@pytest.mark.parametrize(
    ("title", "year", "printed", "read"),
    [
        ("毕业证书", "〇九", "106131200905004931", "10613120090504931"),
        ("学位证书", "一六", "1061342016Z29117", "1061342016229117"),
    ],
    ids=["a digit dropped", "a letter taken for a digit"],
)
def test_what_page_ocr_may_misread_unnoticed_is_not_taken_at_first_sight(
    workshop: Workshop, reader: CodesExpert, title: str, year: str, printed: str, read: str
) -> None:
    date = (f"二〇{year}年六月二十日", 640, 560, 30)
    image = drawn((title, 420, 60, 56), date, (f"证书编号：{printed}", 120, 660, 28))
    document = misread(workshop, image, printed, read)
    reading = reader.read(document, [document.schema.field("证书编号")]).readings[0]
    assert reading.value == printed
    assert reading.features["look"] == 2.0


def test_a_stamped_and_blurred_number_is_read_from_its_crop(
    workshop: Workshop, reader: CodesExpert
) -> None:
    image = drawn(TITLE, DATE, (f"证书编号：{CODE}", 120, 660, 24))
    ink = Image.new("RGB", image.size, (255, 255, 255))
    seal = ImageDraw.Draw(ink)
    for width in range(0, 180, 60):
        seal.ellipse((300 + width // 2, 600, 440 + width // 2, 740), outline=(235, 90, 90), width=6)
    image = ImageChops.multiply(image, ink).filter(ImageFilter.GaussianBlur(1.4))
    reading = certificate(workshop, reader, image)
    assert reading.value == CODE
    assert reading.alternatives[0].value == CODE
    assert reading.features["look"] >= 1.0


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [TITLE, DATE],
        [TITLE, DATE, ("证书编号：", 120, 660, 28)],
        [TITLE, DATE, ("联系电话：13800138000", 120, 660, 28)],
    ],
    ids=["empty", "no code", "bare label", "telephone"],
)
def test_no_number_is_invented(
    workshop: Workshop, reader: CodesExpert, texts: list[tuple[str, int, int, int]]
) -> None:
    reading = certificate(workshop, reader, drawn(*texts))
    assert reading.value is None
    assert reading.error is None
    assert reading.alternatives == ()


def test_the_labelled_of_two_numbers_wins_with_a_note(
    workshop: Workshop, reader: CodesExpert
) -> None:
    other = "106131202505009999"
    image = drawn(TITLE, DATE, (f"证书编号：{CODE}", 120, 660, 28), (other, 640, 300, 28))
    reading = certificate(workshop, reader, image)
    assert reading.value == CODE
    assert any(other in note for note in reading.notes)
    assert reading.features["rivals"] == 1.0


def test_a_number_of_no_known_form_is_handed_over_with_a_note(
    workshop: Workshop, reader: CodesExpert
) -> None:
    unknown = "7731906428"
    image = drawn(TITLE, DATE, (f"证书编号：{unknown}", 120, 660, 28))
    reading = certificate(workshop, reader, image)
    assert reading.value == unknown
    assert reading.score is not None
    assert reading.score < 0.2
    assert any("no known form" in note for note in reading.notes)


def test_a_wrong_check_character_is_never_repaired_in_silence(
    workshop: Workshop, reader: CodesExpert
) -> None:
    schema = find_schema("business_license")
    wrong = CREDIT[:-1] + "M"
    readings = {}
    for code in (CREDIT, wrong):
        image = drawn(("营业执照", 420, 60, 56), (f"统一社会信用代码 {code}", 120, 200, 28))
        readings[code] = read(workshop, reader, image, schema, "统一社会信用代码")
        assert readings[code].value == code
    assert readings[CREDIT].notes == ()
    assert any("check character" in note for note in readings[wrong].notes)
    assert (readings[wrong].score or 0.0) < 0.5 < (readings[CREDIT].score or 0.0)


def test_a_number_that_page_ocr_missed_is_found_by_a_second_look(workshop: Workshop) -> None:
    image = drawn(TITLE, DATE, (f"证书编号：{CODE}", 120, 660, 24))
    schema = find_schema("graduation_certificate")
    lines = workshop.engine("default").read(image)
    missed = tuple(line for line in lines if "1061" not in line.text)
    assert len(missed) < len(lines)
    text = PageText(engine="x", width=WIDTH, height=HEIGHT, rotation=0, lines=missed)
    document = StubDocument(schema, [StubPage(text, image)])
    looking = CodesExpert("codes", CodesParams(faint_lines=0), workshop)
    found = looking.read(document, [schema.field("证书编号")]).readings[0]
    assert found.value == CODE
    assert found.features["look"] == 3.0
    blind = CodesExpert("codes", CodesParams(second_look=None, faint_lines=0), workshop)
    assert blind.read(document, [schema.field("证书编号")]).readings[0].value is None


def told(workshop: Workshop, image: Image.Image, keep: str, blur: str = "") -> StubDocument:
    """The page as an engine would leave it that only reads lines with `keep`, and misreads `blur`."""
    lines = []
    for line in workshop.engine("default").read(image):
        if blur and blur in line.text:
            lines.append(line.model_copy(update={"text": "8946M", "confidence": 0.4}))
        elif keep in line.text:
            lines.append(line)
    assert lines
    text = PageText(engine="x", width=WIDTH, height=HEIGHT, rotation=0, lines=tuple(lines))
    schema = find_schema("graduation_certificate")
    return StubDocument(schema, [StubPage(text, image)])


@pytest.mark.parametrize("spacing", [30, 36])
def test_two_unread_rows_below_a_label_are_found(
    workshop: Workshop, reader: CodesExpert, spacing: int
) -> None:
    rows = [(CODE[:9], 120, 300 + spacing, 24), (CODE[9:], 120, 300 + 2 * spacing, 24)]
    document = told(workshop, drawn(TITLE, DATE, ("证书编号", 120, 300, 24), *rows), keep="编号")
    found = reader.read(document, [document.schema.field("证书编号")]).readings[0]
    assert found.value == CODE
    assert found.features["look"] == 2.0


def test_no_number_is_made_up_from_what_stands_below_a_label(
    workshop: Workshop, reader: CodesExpert
) -> None:
    text = [("学生 王小明 性别 男", 120, 332, 24), ("在本校学习期满成绩合格", 120, 364, 24)]
    document = told(workshop, drawn(TITLE, DATE, ("证书编号", 120, 300, 24), *text), keep="编号")
    assert reader.read(document, [document.schema.field("证书编号")]).readings[0].value is None


def test_a_line_that_page_ocr_could_not_read_is_tried(
    workshop: Workshop, reader: CodesExpert
) -> None:
    image = drawn(TITLE, DATE, (CODE, 120, 660, 24))
    document = told(workshop, image, keep="证书", blur=CODE[:8])
    found = reader.read(document, [document.schema.field("证书编号")]).readings[0]
    assert found.value == CODE
    assert found.features["look"] == 2.0


def test_a_line_that_no_detector_saw_is_found_by_its_ink(workshop: Workshop) -> None:
    noise = Image.effect_noise((WIDTH, HEIGHT), 40).convert("RGB")
    image = ImageChops.add(drawn(TITLE, DATE, (CODE, 300, 660, 18)), noise, offset=-128)
    image = image.rotate(2.0, resample=Image.Resampling.BICUBIC, fillcolor=(250, 249, 244))
    document = told(workshop, image, keep="年")
    field = document.schema.field("证书编号")
    blind = CodesExpert("codes", CodesParams(second_look=None, faint_lines=0), workshop)
    assert blind.read(document, [field]).readings[0].value is None
    seeing = CodesExpert("codes", CodesParams(second_look=None), workshop)
    found = seeing.read(document, [field]).readings[0]
    assert found.value == CODE
    assert found.evidence is not None
    _, y0, _, y1 = found.evidence.box
    assert y0 < 0.9 < y1 + 0.02


def test_frames_and_rules_are_no_lines_of_type() -> None:
    image = Image.new("RGB", (WIDTH, HEIGHT), (250, 249, 244))
    draw = ImageDraw.Draw(image)
    draw.rectangle((40, 40, WIDTH - 40, HEIGHT - 40), outline=(30, 30, 30), width=6)
    assert faint_lines(image, [], 0.0, 16) == []
    draw.text((300, 600), CODE, fill=(120, 120, 120), font_size=20)
    [quad] = faint_lines(image, [], 0.0, 16)
    assert quad[0][0] * WIDTH < 302
    assert quad[0][1] * HEIGHT < 610 < quad[2][1] * HEIGHT
    assert faint_lines(image, [quad], 0.0, 16) == []


def test_where_a_number_is_expected_fainter_type_is_found() -> None:
    image = Image.new("RGB", (WIDTH, HEIGHT), (250, 249, 244))
    draw = ImageDraw.Draw(image)
    for top in (300, 660):
        draw.text((300, top), CODE, fill=(234, 234, 234), font_size=18)
    grain = np.random.default_rng(7).normal(0.0, 12.0, (HEIGHT, WIDTH, 1))
    noisy = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
    image = Image.fromarray(noisy)
    assert faint_lines(image, [], 0.0, 16) == []
    [place] = find_schema("graduation_certificate").field("证书编号").places[:1]
    [quad] = faint_lines(image, [], 0.0, 16, [place])
    assert quad[0][1] * HEIGHT < 670 < quad[2][1] * HEIGHT


def cut_off(image: Image.Image, right: int) -> Image.Image:
    """The page without what lies beyond `right`."""
    return image.crop((0, 0, right, HEIGHT))


def test_a_number_that_runs_out_of_the_picture_is_not_believed(
    workshop: Workshop, reader: CodesExpert
) -> None:
    printed = "106131200705004931"  # of a year in which a number of 17 digits is possible
    date = ("二〇〇七年六月二十日", 300, 560, 30)
    image = drawn(TITLE, date, (f"证书编号：{printed}", 120, 660, 28))
    whole = certificate(workshop, reader, image)
    assert (whole.value, whole.ceiling) == (printed, 1.0)
    ink = np.asarray(image.crop((0, 650, WIDTH, 700)).convert("L")).min(axis=0) < 128
    end = int(np.flatnonzero(ink).max())
    for right in (end - 6, end - 14):  # of 14 pixels a digit: half the last one gone, or all of it
        page = cut_off(image, right)
        lines = workshop.engine("default").read(page)
        text = PageText(engine="x", width=right, height=HEIGHT, rotation=0, lines=lines)
        schema = find_schema("graduation_certificate")
        document = StubDocument(schema, [StubPage(text, page)])
        reading = reader.read(document, [schema.field("证书编号")]).readings[0]
        assert reading.value != printed or right == end - 6
        assert reading.value is None or reading.ceiling < 0.9
        said = ("edge of the picture", "more characters")
        assert reading.value is None or any(why in n for n in reading.notes for why in said)


@pytest.mark.parametrize("tilt", [-6.0, 6.0])
def test_a_tilted_line_is_cut_out_level(workshop: Workshop, tilt: float) -> None:
    image = drawn((CODE, 300, 360, 24)).rotate(
        -tilt, resample=Image.Resampling.BICUBIC, fillcolor=(250, 249, 244)
    )
    turn = math.radians(tilt)

    def turned(x: float, y: float) -> tuple[float, float]:
        x, y = x - WIDTH / 2, y - HEIGHT / 2
        return (
            (x * math.cos(turn) - y * math.sin(turn) + WIDTH / 2) / WIDTH,
            (x * math.sin(turn) + y * math.cos(turn) + HEIGHT / 2) / HEIGHT,
        )

    quad = (turned(298, 360), turned(560, 360), turned(560, 392), turned(298, 392))
    crop = crop_strip(image, Strip(quad, 0.5, 0.5))
    posterior = workshop.recognizer("ppocr").recognize([crop])[0]
    assert free_reading(posterior)[0] == CODE


def test_a_seal_fades_and_the_type_under_it_stays() -> None:
    image = Image.new("RGB", (400, 60), (240, 238, 230))
    draw = ImageDraw.Draw(image)
    draw.rectangle((170, 0, 226, 60), fill=(205, 60, 55))
    draw.rectangle((190, 20, 210, 40), fill=(70, 25, 25))
    faded = np.asarray(without_colour(image).convert("L"), dtype=int)
    paper, seal, type_under_it = faded[30, 20], faded[30, 178], faded[30, 200]
    assert abs(paper - seal) < 25
    assert seal - type_under_it > 100
    assert colourfulness(image) > 0.1 > colourfulness(without_colour(image))


CONTAINER = Schema(
    name="waybill",
    fields=(
        Field(
            name="container",
            kind=Kind.CODE,
            labels=("Container No.", "Container"),
            grammars=(
                CodeGrammar(
                    name="iso6346",
                    check="iso6346",
                    segments=(
                        Segment(name="owner", length=3, alphabet="letters"),
                        Segment(name="kind", length=1, alphabet="UJZ"),
                        Segment(name="serial", length=7),
                    ),
                ),
            ),
        ),
    ),
)


def test_a_schema_of_ones_own_needs_only_a_grammar(workshop: Workshop, reader: CodesExpert) -> None:
    image = drawn(("SEA WAYBILL", 420, 60, 44), ("Container No. CSQU 305438 3", 120, 300, 28))
    reading = read(workshop, reader, image, CONTAINER, "container")
    assert reading.value == "CSQU3054383"
    assert reading.features["check"] == 1.0


def test_the_same_page_gives_the_same_reading_in_every_thread(
    workshop: Workshop, reader: CodesExpert
) -> None:
    image = drawn(TITLE, (f"证书编号：{CODE}", 120, 660, 20)).filter(ImageFilter.GaussianBlur(1.8))
    with ThreadPoolExecutor(3) as pool:
        readings = list(pool.map(lambda _: certificate(workshop, reader, image), range(3)))
    assert readings[0] == readings[1] == readings[2]
    assert readings[0].value == CODE


def test_the_fingerprint_tells_parameters_apart(workshop: Workshop, reader: CodesExpert) -> None:
    other = CodesExpert("codes", CodesParams(second_look=None), workshop)
    assert other.fingerprint != reader.fingerprint
    assert CodesExpert("again", CodesParams(), workshop).fingerprint == reader.fingerprint


@pytest.mark.parametrize("direction", ["down", "up", "stacked"])
def test_a_vertical_number_is_read(workshop: Workshop, reader: CodesExpert, direction: str) -> None:
    image = drawn(TITLE, DATE)
    face = FontBook.discover().of("hei")[0]
    font = load(face.path, face.index, 30)
    if direction == "stacked":
        draw = ImageDraw.Draw(image)
        for i, digit in enumerate(CODE):
            draw.text((1020, 40 + 36 * i), digit, fill=(25, 25, 25), font=font)
    else:
        line = Image.new("RGB", (500, 44), (250, 249, 244))
        ImageDraw.Draw(line).text((20, 3), CODE, fill=(25, 25, 25), font=font)
        image.paste(line.rotate(-90 if direction == "down" else 90, expand=True), (1010, 60))
    reading = certificate(workshop, reader, image)
    assert reading.value == CODE
    assert reading.score is not None
    assert reading.score > 0.5
    assert reading.evidence is not None
    assert reading.evidence.box[0] > 0.9
