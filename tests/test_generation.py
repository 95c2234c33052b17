"""The generator of synthetic certificates: truth, numbers, damage, places, reproducibility."""

from __future__ import annotations

import io
import json
import math
import re
import unicodedata
from datetime import date
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import openpyxl
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps
from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_10

from ocr_moe.errors import ConfigError, UsageError
from ocr_moe.generation import (
    LEVELS,
    FontBook,
    Sample,
    Spec,
    damage,
    generate,
    layout_names,
    render,
)
from ocr_moe.generation.codes import USCC_ORDINAL
from ocr_moe.generation.dates import DateStyle, capital_amount
from ocr_moe.generation.documents.businesses import Licence, draw_licence
from ocr_moe.generation.documents.graduates import Graduate, draw_certificates
from ocr_moe.generation.fonts import covers
from ocr_moe.generation.layouts import layouts
from ocr_moe.generation.lexicons import schools
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper
from ocr_moe.generation.plan import plan
from ocr_moe.generation.sheet import Sheet

SCHEMAS = ("graduation_certificate", "business_license")
DATE = re.compile(r"(19|20)\d\d-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?")


@pytest.fixture(scope="module")
def book() -> FontBook:
    return FontBook.discover()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[Sample]]]:
    """A small set of each schema, drawn at a small width for speed."""
    out = tmp_path_factory.mktemp("generated")
    return {
        schema: (
            out / schema,
            generate(out / schema, schema=schema, count=16, seed=7, width=900),
        )
        for schema in SCHEMAS
    }


def test_diploma_and_degree_numbers_obey_their_rules() -> None:
    rng = Random(1)
    codes = {school.name: school.code for school in schools()}
    levels = {"博士研究生": "01", "硕士研究生": "02", "本科": "05", "专科": "06"}
    forms = {"regular": "1", "graduate": "1", "adult": "5", "online": "7"}
    kinds = set()
    for n in range(400):
        for facts in draw_certificates(rng, older=n % 5 == 0):
            number, year = facts.number, facts.issued[:4]
            kinds.add((facts.kind, facts.form, len(number)))
            if facts.kind == "degree":
                assert len(number) == 16
                level = {"博士研究生": "2", "硕士研究生": "3", "本科": "4"}[facts.level]
                assert number[:10] == codes[facts.school] + level + year
                assert re.fullmatch(r"[0-9CEZS]\d{5}", number[10:])
            elif facts.form == "selfstudy":
                assert re.fullmatch(r"6[56]\d{6}" + year[2:] + r"[12]\d{6}", number)
            else:
                head = codes[facts.school] + forms[facts.form] + year + levels[facts.level]
                assert number[:12] == head
                assert len(number) == 18 if year >= "2003" else len(number) in (17, 18)
                assert number[12:].isdigit()
    assert {kind for kind, _, _ in kinds} == {"diploma", "degree"}
    assert {form for _, form, _ in kinds} == {*forms, "selfstudy"}
    assert {17, 18} <= {length for kind, _, length in kinds if kind == "diploma"}


def test_licence_codes_have_right_check_characters() -> None:
    rng = Random(2)
    lengths = set()
    for n in range(400):
        facts = draw_licence(rng, era="old" if n % 2 else "modern")
        lengths.add(len(facts.code))
        if facts.era == "modern":
            assert uscc.is_valid(facts.code)
            body, check = facts.code[8:16], facts.code[16]
            weights = (3, 7, 9, 10, 5, 8, 4, 2)
            total = sum(USCC_ORDINAL[c] * w for c, w in zip(body, weights, strict=True))
            assert check == "0123456789X0"[(11 - total % 11) % 11]
        elif len(facts.code) == 15:
            assert mod_11_10.is_valid(facts.code)
        if facts.family == "individual":
            assert facts.capital is None
    assert lengths == {13, 15, 18}


def test_people_are_consistent() -> None:
    rng = Random(3)
    for _ in range(300):
        documents = draw_certificates(rng)
        assert len({facts.person.name for facts in documents}) == 1
        for facts in documents:
            assert 18 <= int(facts.issued[:4]) - int(facts.person.birth[:4]) <= 45
            assert facts.start < facts.end == facts.issued[:7]
            assert not (facts.kind == "degree" and facts.level == "专科")


def test_school_codes_are_the_ministrys() -> None:
    codes = {school.name: school.code for school in schools()}
    assert len(codes) >= 150
    known = {"北京大学": "10001", "清华大学": "10003", "复旦大学": "10246", "浙江大学": "10335"}
    assert {name: codes[name] for name in known} == known
    assert len(set(codes.values())) == len(codes)


@pytest.mark.parametrize(
    ("kind", "options", "when", "printed"),
    [
        ("arabic", {}, "2019-06-20", "2019年6月20日"),
        ("arabic", {"padded": True, "gap": " "}, "2019-06-05", "2019 年 06 月 05 日"),
        ("chinese", {}, "2019-06-20", "二〇一九年六月二十日"),
        ("chinese", {"zero": "○"}, "2010-11-30", "二○一○年十一月三十日"),
        ("chinese", {}, "1998-07", "一九九八年七月"),
        ("dotted", {}, "2019-06-05", "2019.06.05"),
    ],
)
def test_dates_are_printed(
    kind: str, options: dict[str, str | bool], when: str, printed: str
) -> None:
    assert DateStyle(kind, **options).write(when) == printed  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (100, "壹佰万"),
        (5050, "伍仟零伍拾万"),
        (10, "壹拾万"),
        (1200, "壹仟贰佰万"),
        (51, "伍拾壹万"),
    ],
)
def test_amounts_in_words(amount: int, words: str) -> None:
    assert capital_amount(amount) == words


@pytest.mark.parametrize("schema", SCHEMAS)
def test_truth_has_the_values_of_docs_formats_md(
    made: dict[str, tuple[Path, list[Sample]]], schema: str
) -> None:
    _, samples = made[schema]
    for sample in samples:
        truth = sample.truth
        assert set(truth) - set(sample.boxes) == {f for f, value in truth.items() if value is None}
        for field, value in truth.items():
            assert value is None or value == value.strip() != ""
            if field in ("出生日期", "毕业日期", "成立日期") and value:
                assert DATE.fullmatch(value)
                if len(value) == 10:
                    date.fromisoformat(value)
        if schema == "graduation_certificate":
            assert truth["学历层次"] in ("专科", "本科", "硕士研究生", "博士研究生")
            assert truth["性别"] in ("男", "女", None)
            assert sample.file.startswith(f"{truth['姓名']}_")
            assert truth["专业"] is None or not truth["专业"].endswith("专业")


@pytest.mark.parametrize("schema", SCHEMAS)
def test_verified_sheet_holds_the_truth_as_text(
    made: dict[str, tuple[Path, list[Sample]]], schema: str
) -> None:
    folder, samples = made[schema]
    sheet = openpyxl.load_workbook(folder / "verified.xlsx").active
    rows = list(sheet.iter_rows())
    names = [cell.value for cell in rows[0]]
    assert names[0] == "文件名"
    assert sheet.freeze_panes == "B2"
    assert len(rows) == len(samples) + 1
    by_file = {sample.file: sample.truth for sample in samples}
    for row in rows[1:]:
        assert all(cell.data_type == "s" for cell in row)
        truth = by_file[row[0].value]
        cells = {name: cell.value for name, cell in zip(names[1:], row[1:], strict=True)}
        assert cells == {field: value or "无" for field, value in truth.items()}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_samples_jsonl_describes_every_file(
    made: dict[str, tuple[Path, list[Sample]]], schema: str
) -> None:
    folder, samples = made[schema]
    text = (folder / "samples.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["file"] for line in lines] == sorted(sample.file for sample in samples)
    images = {p.name for p in folder.iterdir() if p.suffix not in (".xlsx", ".jsonl")}
    assert images == {line["file"] for line in lines}
    for line in lines:
        assert line["schema"] == schema
        assert {"layout", "level", "fonts", "seed", "boxes", "quads", "truth"} <= set(line)
        with Image.open(folder / line["file"]) as image:
            upright = ImageOps.exif_transpose(image)
            if not line["exif"]:
                upright = upright.rotate(-line["rotation"], expand=True)
            assert upright.size == (line["width"], line["height"])


@pytest.mark.parametrize("layout", [*layout_names(SCHEMAS[0]), *layout_names(SCHEMAS[1])])
@pytest.mark.slow
def test_boxes_hold_ink_and_stay_on_the_page(layout: str, book: FontBook) -> None:
    check_boxes(layout, book, "clean")


@pytest.mark.parametrize(
    "layout", [*layout_names(SCHEMAS[0], "heldout"), *layout_names(SCHEMAS[1], "heldout")]
)
@pytest.mark.slow
def test_held_out_layouts_hold_up_too(layout: str, book: FontBook) -> None:
    check_boxes(layout, book, "hard")


def check_boxes(layout: str, book: FontBook, level: str) -> None:
    """Every box is darker than the paper right above and below it, and lies on the page."""
    schema = next(item.schema for item in layouts() if item.name == layout)
    planned = plan(
        schema, count=2, seed=11, levels=(level,), layouts=(layout,), fonts=book, width=1000
    )
    for _, spec in planned:
        rendered = render(spec)
        assert {field for field, value in rendered.truth.items() if value} == set(rendered.boxes)
        grey = np.asarray(rendered.image.convert("L"), dtype=float)
        height, width = grey.shape
        for field, quads in rendered.boxes.items():
            for quad in quads:
                xs, ys = [x * width for x, _ in quad], [y * height for _, y in quad]
                assert 0 <= min(xs) < max(xs) <= width
                assert 0 <= min(ys) < max(ys) <= height
                inside = grey[int(min(ys)) : int(max(ys)) + 1, int(min(xs)) : int(max(xs)) + 1]
                assert inside.size, field
                contrast = np.percentile(inside, 90) - np.percentile(inside, 2)
                assert contrast > (60 if level == "clean" else 35), (field, contrast)


class Declared(NamedTuple):
    """A row of the table by which figures of different programs are compared."""

    rotation: float = 0.0
    """Degrees, either way."""
    perspective: float = 0.0
    """Parts of the page's width and height by which a corner moves, either way."""
    scale: tuple[float, float] = (1.0, 1.0)
    blur: tuple[float, float] = (0.0, 0.0)
    """Standard deviation in pixels."""
    noise: float = 0.0
    """Standard deviation in grey levels."""
    jpeg: tuple[int, int] = (95, 95)
    falloff: float = 0.0
    """How much darker than the brightest place the darkest is, in parts."""


DECLARED = {
    "clean": Declared(),
    "scan": Declared(2.5, 0.0, (0.7, 1.0), (0.25, 0.6), 4, (60, 90)),
    "photo": Declared(0.0, 0.03, (0.6, 0.9), (0.45, 1.1), 7, (50, 80), 0.35),
    "hard": Declared(0.0, 0.06, (0.45, 0.65), (0.55, 1.3), 11, (35, 60), 0.35),
}
SEEDS = range(8)
PAGE = (750, 530)


def damaged(page: Image.Image, level: str) -> list[NDArray[np.float64]]:
    """The page damaged at the level several times over; height x width x RGB."""
    return [np.asarray(damage(page, level, Random(seed)).image, dtype=np.float64) for seed in SEEDS]


@pytest.mark.parametrize("level", DECLARED)
@pytest.mark.slow
def test_pages_are_turned_bent_and_shrunk_as_declared(level: str) -> None:
    """Measured on four dots whose places on the page are known."""
    declared, (width, height) = DECLARED[level], PAGE
    page = Image.new("L", PAGE, 235)
    places = np.array([(x * width, y * height) for y in (0.2, 0.8) for x in (0.2, 0.8)])
    for x, y in places:
        ImageDraw.Draw(page).ellipse((x - 12, y - 12, x + 12, y + 12), fill=0)
    largest = 0.0
    for shown in damaged(page.convert("RGB"), level):
        found = dots(shown.mean(axis=2))
        assert len(found) == 4
        seen = np.array(sorted(found[:2]) + sorted(found[2:]))
        across, down = places[1] - places[0], places[2] - places[0]
        sides = [seen[1] - seen[0], seen[3] - seen[2], seen[2] - seen[0], seen[3] - seen[1]]
        lengths = [np.hypot(*side) for side in sides]
        bend = 2 * declared.perspective
        scale = np.mean([lengths[:2] / np.hypot(*across), lengths[2:] / np.hypot(*down)])
        assert (
            declared.scale[0] * (1 - bend) - 0.01 <= scale <= declared.scale[1] * (1 + bend) + 0.01
        )
        angle = abs(math.degrees(math.atan2(sides[0][1], sides[0][0])))
        assert angle <= declared.rotation + math.degrees(bend) + 0.2
        skew = np.abs(sides[0] - sides[1]).max() / (scale * width)
        assert skew <= 0.6 * 4 * declared.perspective + 0.004
        largest = max(largest, angle, 100 * skew)
    assert (largest > 1.0) == (level != "clean")


def dots(grey: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Centres (x, y) of the dark spots in the middle of the image, from the top."""
    from scipy import ndimage

    spots, count = ndimage.label(grey < 110)
    rim = {*spots[0], *spots[-1], *spots[:, 0], *spots[:, -1]}
    large = [k for k in range(1, count + 1) if k not in rim and (spots == k).sum() > 40]
    middle = np.array(grey.shape) / 2
    centres = [
        (x, y)
        for y, x in ndimage.center_of_mass(spots > 0, spots, large)
        if (np.abs((y, x) - middle) < 0.8 * middle).all()
    ]
    return sorted(centres, key=lambda centre: centre[1])


@pytest.mark.parametrize("level", DECLARED)
def test_edges_are_as_soft_as_declared(level: str) -> None:
    """The spread of a black edge, less what the sampling into pixels adds."""
    page = Image.new("RGB", PAGE, (225, 225, 225))
    page.paste((40, 40, 40), (PAGE[0] // 2, 0, *PAGE))
    least, most = DECLARED[level].blur
    for shown in damaged(page, level):
        grey = shown.mean(axis=2)
        height, width = grey.shape
        spreads = []
        for row in grey[height // 3 : 2 * height // 3]:
            step = -np.diff(row[width // 4 : 3 * width // 4])
            edge = int(np.convolve(step, np.ones(5), "same").argmax())
            near = np.arange(max(edge - 5, 0), edge + 6)
            centre = (step[near] * near).sum() / step[near].sum()
            spreads.append((step[near] * (near - centre) ** 2).sum() / step[near].sum())
        sigma = math.sqrt(max(float(np.median(spreads)) - 1 / 12, 0.0))
        assert least - 0.25 <= sigma <= most + 0.25


@pytest.mark.parametrize("level", DECLARED)
def test_noise_and_light_are_as_strong_as_declared(level: str) -> None:
    declared = DECLARED[level]
    page = Image.new("RGB", PAGE, (200, 200, 200))
    for shown in damaged(page, level):
        height, width, _ = shown.shape
        inside = shown[height // 6 : -height // 6, width // 6 : -width // 6]
        noise = np.diff(inside, axis=1).std() / math.sqrt(2)
        assert noise == pytest.approx(declared.noise, rel=0.05, abs=0.1)
        blocks = inside.mean(axis=2)
        blocks = blocks[: len(blocks) // 10 * 10, : blocks.shape[1] // 10 * 10]
        means = blocks.reshape(len(blocks) // 10, 10, -1, 10).mean(axis=(1, 3))
        darker = 1 - means.min() / means.max()
        assert 0.4 * declared.falloff - 0.001 <= darker <= declared.falloff + 0.02


def test_files_are_packed_as_declared(made: dict[str, tuple[Path, list[Sample]]]) -> None:
    """The quality of a JPEG file shows in its tables."""
    tables = {}
    for quality in range(101):
        buffer = io.BytesIO()
        Image.new("RGB", (16, 16)).save(buffer, "JPEG", quality=quality)
        tables[str(Image.open(buffer).quantization)] = quality  # type: ignore[attr-defined]
    seen: dict[str, list[int]] = {}
    for folder, samples in made.values():
        for sample in samples:
            with Image.open(folder / sample.file) as image:
                if image.format == "JPEG":
                    quality = tables[str(image.quantization)]  # type: ignore[attr-defined]
                    seen.setdefault(sample.level, []).append(quality)
    assert set(seen) == set(DECLARED)
    for level, qualities in seen.items():
        least, most = DECLARED[level].jpeg
        assert least <= min(qualities) <= max(qualities) <= most


@pytest.mark.parametrize("level", ["scan", "photo", "hard"])
def test_quads_follow_the_damage(level: str) -> None:
    page = Image.new("RGB", (1000, 700), (255, 255, 255))
    page.paste((0, 0, 0), (300, 200, 500, 240))
    quad = ((0.3, 200 / 700), (0.5, 200 / 700), (0.5, 240 / 700), (0.3, 240 / 700))
    for seed in range(5):
        result = damage(page, level, Random(seed), {"mark": [quad]})
        grey = np.asarray(result.image.convert("L"), dtype=float)
        height, width = grey.shape
        moved = result.quads["mark"][0]
        centre = (sum(x for x, _ in moved) / 4 * width, sum(y for _, y in moved) / 4 * height)
        spot = grey[
            int(centre[1]) - 2 : int(centre[1]) + 3, int(centre[0]) - 2 : int(centre[0]) + 3
        ]
        assert spot.mean() < 60
        for x, y in moved:  # beyond each corner, away from the centre, there is paper
            px, py = x * width, y * height
            out = (px + (px - centre[0]) * 0.15, py + (py - centre[1]) * 0.5)
            assert grey[round(out[1]), round(out[0])] > 80


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        generate(tmp_path / name, schema=SCHEMAS[0], count=6, seed=5, width=700, workers=workers)
    first = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    generate(tmp_path / "other", schema=SCHEMAS[0], count=6, seed=6, width=700)
    assert first.keys() != {path.name for path in (tmp_path / "other").iterdir()}


def test_a_third_of_the_pages_have_a_second_seal(book: FontBook) -> None:
    planned = plan(SCHEMAS[0], count=30, seed=3, levels=tuple(LEVELS), layouts=None, fonts=book)
    assert sum(spec.second_seal for _, spec in planned) == 10


def test_notices_are_on_their_share_of_pages_and_leave_the_others_as_they_are(
    book: FontBook,
) -> None:
    def planned(notices: float) -> list[Spec]:
        pages = plan(
            SCHEMAS[0],
            count=40,
            seed=3,
            levels=tuple(LEVELS),
            layouts=None,
            fonts=book,
            notices=notices,
        )
        return [spec for _, spec in pages]

    marked = planned(0.3)
    assert 6 <= sum(spec.notice for spec in marked) <= 18
    assert [spec.model_copy(update={"notice": False}) for spec in marked] == planned(0)


def test_a_notice_is_printed_over_the_page_and_told(book: FontBook) -> None:
    [(_, spec)] = plan(
        SCHEMAS[0], count=1, seed=3, levels=("clean",), layouts=None, fonts=book, width=800
    )
    plain, marked = (render(spec.model_copy(update={"notice": each})) for each in (False, True))
    changed = np.abs(np.asarray(plain.image, int) - np.asarray(marked.image, int)).max(axis=2) > 8
    quarters = [
        part.mean() for half in np.array_split(changed, 2) for part in np.array_split(half, 2, 1)
    ]
    assert all(0.002 < share < 0.3 for share in quarters)
    assert 15 <= abs(marked.settings["notice"]) <= 55
    assert "notice" not in plain.settings
    assert (marked.truth, marked.boxes) == (plain.truth, plain.boxes)


@pytest.mark.slow
def test_the_second_seal_lies_over_the_number(book: FontBook) -> None:
    planned = plan(
        SCHEMAS[0], count=6, seed=21, levels=("clean",), layouts=None, fonts=book, width=1000
    )
    for _, spec in planned:
        sealed = render(spec.model_copy(update={"second_seal": True}))
        plain = render(spec.model_copy(update={"second_seal": False}))
        if "证书编号" not in sealed.boxes:
            continue
        difference = np.abs(
            np.asarray(sealed.image, dtype=int) - np.asarray(plain.image, dtype=int)
        ).sum(axis=2)
        quad = sealed.boxes["证书编号"][-1]
        height, width = difference.shape
        x0, y0, x1, y1 = (
            quad[0][0] * width,
            quad[0][1] * height,
            quad[2][0] * width,
            quad[2][1] * height,
        )
        assert (difference[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1] > 60).any()


def test_a_set_has_all_layouts_formats_and_several_typefaces(book: FontBook) -> None:
    certificates = plan(
        SCHEMAS[0], count=120, seed=1, levels=tuple(LEVELS), layouts=None, fonts=book
    )
    assert {spec.layout for _, spec in certificates} == set(layout_names(SCHEMAS[0]))
    assert len(layout_names(SCHEMAS[0])) >= 12
    assert len(layout_names(SCHEMAS[1])) >= 6
    names = [name for name, _ in certificates]
    assert len(set(names)) == len(names)
    assert {".jpg", ".png", ".webp"} <= {spec.suffix for _, spec in certificates}
    assert any(spec.rotation for _, spec in certificates)
    assert {spec.level for _, spec in certificates} == set(LEVELS)
    held = layout_names(SCHEMAS[0], "heldout")
    assert held
    assert not set(held) & set(layout_names(SCHEMAS[0]))


def test_rare_characters_fall_back_to_a_typeface_that_has_them(book: FontBook) -> None:
    for face in book.faces:
        for char in "〇喆昱璟淼0A（·":
            other = book.covering(face, char)
            assert covers(other.path, other.index, char), (face.name, char)


def test_without_fonts_the_message_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"apt-get install .*fonts-noto-cjk") as caught:
        FontBook.discover(folders=(tmp_path,))
    assert isinstance(caught.value, UsageError)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"schema": "receipt"}, "receipt.*business_license, .*graduation_certificate"),
        ({"levels": ("awful",)}, "awful.*clean, scan, photo, hard"),
        ({"layouts": ("nowhere",)}, "nowhere.*diploma_prose"),
        ({"fonts": ("Comic Sans",)}, "Comic Sans.*Noto Serif CJK SC"),
        ({"count": 0}, "at least 1"),
    ],
)
def test_wrong_arguments_are_named(
    tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    options: dict[str, object] = {"schema": SCHEMAS[0], "count": 1, "seed": 1, **arguments}
    with pytest.raises(ConfigError, match=message):
        generate(tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_typefaces_can_be_held_back() -> None:
    book = FontBook.discover()
    name = next(face.name for face in book.faces if face.script == "cjk")
    only = FontBook.discover(only=[name])
    assert {face.name for face in only.faces if face.script == "cjk"} == {name}
    assert any(face.script == "latin" for face in only.faces)


def test_specs_can_be_rendered_alone(book: FontBook) -> None:
    facts = draw_certificates(Random(9))[0]
    layout = next(
        item.name for item in layouts(SCHEMAS[0]) if item.accepts(facts) and not item.older
    )
    rendered = render(Spec(layout=layout, facts=facts, level="scan", seed=4, fonts=book, width=800))
    assert rendered.truth["姓名"] == facts.person.name
    assert rendered.fonts


@pytest.mark.parametrize(("schema", "count"), [(SCHEMAS[0], 36), (SCHEMAS[1], 24)])
def test_the_shipped_samples_are_those_of_their_readme(
    schema: str, count: int, book: FontBook
) -> None:
    folder = Path(__file__).parents[1] / "data_samples"
    command = f"--schema {schema} --count {count} --seed 2060"
    assert command in (folder / "README.md").read_text(encoding="utf-8")
    planned = plan(schema, count=count, seed=2060, levels=tuple(LEVELS), layouts=None, fonts=book)
    text = (folder / schema / "samples.jsonl").read_text(encoding="utf-8")
    shipped = {line["file"]: line for line in map(json.loads, text.splitlines())}
    assert {name for name, _ in planned} == set(shipped)
    for name, spec in planned:
        line = shipped[name]
        assert (folder / schema / name).is_file()
        assert (line["layout"], line["level"], line["seed"]) == (spec.layout, spec.level, spec.seed)
        for field, value in spec.facts.truth().items():
            said = {None, unicodedata.normalize("NFKC", str(value))}
            if field == "类型" and line["layout"] == "licence_old_individual":
                said |= {"个人经营", "家庭经营"}  # the form of organisation stands for it there
            assert line["truth"][field] in said


@pytest.mark.slow
def test_what_a_page_says_in_other_words_is_its_truth(book: FontBook) -> None:
    def rendered(layout: str, facts: Graduate | Licence) -> list[dict[str, str | None]]:
        specs = [
            Spec(layout=layout, facts=facts, level="clean", seed=i, fonts=book, width=700)
            for i in range(8)
        ]
        return [render(spec).truth for spec in specs]

    drawn = (f for i in range(20) for f in draw_certificates(Random(i)))
    graduate = next(f for f in drawn if f.kind == "degree" and f.form == "regular")
    births = {truth["出生日期"] for truth in rendered("degree_bilingual", graduate)}
    assert births - {None} == {graduate.person.birth}
    licence = draw_licence(Random(9), era="old", family="individual")
    types = {truth["类型"] for truth in rendered("licence_old_individual", licence)}
    assert types & {"个人经营", "家庭经营"}
    assert types <= {"个人经营", "家庭经营", unicodedata.normalize("NFKC", licence.type)}


@pytest.mark.slow
def test_numbers_stand_clear_of_the_border(book: FontBook, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[tuple[int, int], int]] = []
    frame = paper.frame

    def watched(
        rng: Random, image: Image.Image, colour: tuple[int, int, int], margin: float
    ) -> int:
        inset = frame(rng, image, colour, margin)
        drawn.append((image.size, inset))
        return inset

    monkeypatch.setattr(paper, "frame", watched)
    by_name = {item.name: item for item in layouts()}
    for _, spec in plan(
        SCHEMAS[0], count=48, seed=31, levels=("clean",), layouts=None, fonts=book, width=900
    ):
        drawn.clear()
        rng = Random(spec.seed)
        sheet = Sheet(Image.new("RGB", (900, 640)), book, rng)
        by_name[spec.layout].draw(sheet, spec.facts, Look.draw(rng, book))
        box = sheet.box_of("证书编号")
        if box is None or not drawn:
            continue
        (width, height), inset = drawn[-1]
        lefts = (0,) if width == 900 else (0, 450)
        assert inset < box[1], spec.layout
        assert box[3] < height - inset, spec.layout
        for left in lefts:
            if left < box[0] < left + width and not (
                spec.layout == "degree_spread" and left == 0  # its left page has no border
            ):
                assert box[2] < left + width - inset + 2, spec.layout
