"""QR codes, bar codes and the like: found on pixels, and read by the schema."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import zxingcpp
from PIL import Image, ImageDraw, ImageOps

from ocr_moe.api import Options, extract
from ocr_moe.engines.symbols import SymbolsParams, ZxingSymbols, decoded_text
from ocr_moe.errors import SchemaError
from ocr_moe.experts.marks.expert import MarksExpert, MarksParams
from ocr_moe.experts.marks.payloads import Form, statements
from ocr_moe.generation import payloads as generated
from ocr_moe.generation.documents.businesses import draw_licence
from ocr_moe.generation.ornaments.pictures import qr_code
from ocr_moe.schema import Field, Kind, Marks, Schema, load_schema
from ocr_moe.testing import StubDocument, StubPage, StubServices, picture
from ocr_moe.testing import page as printed
from ocr_moe.types import Reading, Symbol
from ocr_moe.values.normalize import equal
from ocr_moe.workshop.config import find_schema
from tests.conftest import ROOT

LICENCE = find_schema("business_license")
INVOICE = load_schema(ROOT / "config" / "schemas" / "vat_invoice.yaml")
CODE = "9132090306182111X8"
OTHER = "91371482MA3CFKE25H"
NUMBER = "370724600056737"
READER = ZxingSymbols("zxing", SymbolsParams())


def symbol(content: str | bytes, form: str = "QRCode", scale: int = 4, **how: Any) -> Image.Image:
    made = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, form), **how)
    return Image.fromarray(np.array(made.to_image(scale=scale))).convert("RGB")


def page_with(*placed: tuple[Image.Image, tuple[int, int]], side: int = 1000) -> Image.Image:
    page = Image.new("RGB", (side, side), (246, 243, 232))
    for image, place in placed:
        page.paste(image, place)
    return page


class Said:
    """A reader of symbols that sees what a test set it."""

    fingerprint = "said"

    def __init__(self, *texts: str) -> None:
        self._symbols = tuple(
            Symbol(symbology="QR code", text=text, box=(0.1 * n, 0.0, 0.1 * n + 0.1, 0.1))
            for n, text in enumerate(texts)
        )

    def read(self, image: Image.Image, *, expected: bool = False) -> tuple[Symbol, ...]:
        return self._symbols


def read(schema: Schema, *texts: str) -> dict[str, Reading]:
    """The readings that have a value."""
    expert = MarksExpert("marks", MarksParams(), StubServices(symbols=Said(*texts)))
    document = StubDocument(schema, [StubPage(image=Image.new("RGB", (8, 8)))])
    answer = expert.read(document, schema.fields)
    assert [reading.field for reading in answer.readings] == list(schema.names)
    return {reading.field: reading for reading in answer.readings if reading.value is not None}


def values(schema: Schema, *texts: str) -> dict[str, str | None]:
    return {name: reading.value for name, reading in read(schema, *texts).items()}


@pytest.mark.parametrize(
    ("form", "called"),
    [
        ("QRCode", "QR code"),
        ("Aztec", "Aztec code"),
        ("DataMatrix", "Data Matrix"),
        ("PDF417", "PDF417"),
        ("Code128", "Code 128"),
        ("Code39", "Code 39"),
    ],
)
@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_every_symbology_is_found_upright_and_on_end(form: str, called: str, turned: int) -> None:
    drawn = symbol(CODE, form, 2 if form == "Code39" else 3).rotate(turned, expand=True)
    [found] = READER.read(page_with((drawn, (150, 200))), expected=True)
    assert (found.symbology, found.text) == (called, CODE)
    x0, y0, x1, y1 = found.box
    assert 0.15 <= x0 < x1 <= 0.15 + drawn.width / 1000
    assert 0.2 <= y0 < y1 <= 0.2 + drawn.height / 1000


def turned(page: Image.Image) -> Image.Image:
    return page.rotate(30, Image.Resampling.BICUBIC, fillcolor="white")


def skewed(page: Image.Image) -> Image.Image:
    corners = (40, 0, 0, page.height, page.width, page.height - 60, page.width - 90, 30)
    return page.transform(page.size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)


def covered(page: Image.Image) -> Image.Image:
    ImageDraw.Draw(page).rectangle((215, 300, 240, 320), fill=(120, 120, 120))
    return page


def sealed(page: Image.Image) -> Image.Image:
    seal = Image.new("RGB", page.size, "white")
    ImageDraw.Draw(seal).ellipse((180, 200, 420, 440), outline=(222, 40, 50), width=22)
    return Image.fromarray(np.minimum(np.asarray(page), np.asarray(seal)))


def small(page: Image.Image) -> Image.Image:
    return page.resize((460, 460), Image.Resampling.LANCZOS)


@pytest.mark.parametrize("damage", [turned, skewed, covered, sealed, small, ImageOps.invert])
def test_a_damaged_page_keeps_its_code(damage: Any) -> None:
    content = f"统一社会信用代码：{CODE}；名称：盐城市广华涂装设备有限公司"
    page = page_with((symbol(content, scale=5, ec_level="M"), (160, 180)))
    [found] = READER.read(damage(page), expected=True)
    assert found.text == content


def test_what_is_seen_but_too_small_to_decode_is_looked_at_enlarged() -> None:
    content = f"http://www.gsxt.gov.cn/index.html?uniscid={CODE}"
    tiny = symbol(content, scale=8).resize((54, 54), Image.Resampling.LANCZOS)
    [found] = READER.read(page_with((tiny, (600, 300))), expected=True)
    assert (found.text, found.scale > 1) == (content, True)


def test_several_codes_come_from_top_to_bottom_and_each_once() -> None:
    page = page_with(
        (symbol(OTHER), (500, 700)), (symbol(CODE), (100, 100)), (symbol(NUMBER), (600, 100))
    )
    assert [found.text for found in READER.read(page)] == [CODE, NUMBER, OTHER]


def test_a_page_of_type_and_rules_has_no_codes() -> None:
    page = page_with()
    draw = ImageDraw.Draw(page)
    for n in range(0, 900, 14):
        draw.rectangle((40 + n, 40, 40 + n + n % 5 + 1, 300), fill="black")
        draw.text((40, 330 + n), "NAME ADDRESS 0123456789 REGISTRATION " * 3, fill="black")
    assert READER.read(page, expected=True) == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "gb2312"])
def test_bytes_are_utf8_or_gb18030(encoding: str) -> None:
    content = "名称：临朐县创伊家装饰城" if encoding != "gb2312" else "名称：济南市某某公司"
    page = page_with((symbol(content.encode(encoding)), (200, 200)))
    assert [found.text for found in READER.read(page)] == [content]
    assert decoded_text(b"\xff\xfe\x81") != ""


def test_a_reader_serves_several_threads() -> None:
    pages = [page_with((symbol(f"{n:06}"), (100 + 20 * n, 300))) for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(READER.read, pages))
    assert [[each.text for each in page] for page in found] == [[f"{n:06}"] for n in range(8)]


KEYED = f"统一社会信用代码：{CODE}；名称：济南沃兹数控机械有限公司；法定代表人：徐安心；"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"http://www.gsxt.gov.cn/index.html?uniscid={CODE}", {"统一社会信用代码": CODE}),
        (f"https://a.example/x?y=1#/q?UNISCID={CODE}&z=2", {"统一社会信用代码": CODE}),
        ("http://a.example/?uuid=91320903061821110000&uniscid=", {}),
        (CODE, {"统一社会信用代码": CODE}),
        (f"  {CODE.lower()}\r\n", {"统一社会信用代码": CODE}),
        (NUMBER, {"统一社会信用代码": NUMBER}),
        ("9132090306182111X9", {}),
        ("3707246000567", {}),
        (f"注册号{NUMBER}\nhttp://gsxt.gdgs.gov.cn/x?entNo=a5199cef", {"统一社会信用代码": NUMBER}),
        (
            f"统一社会信用代码{CODE}名称济南沃兹数控机械有限公司法定代表人徐安心",
            {
                "统一社会信用代码": CODE,
                "名称": "济南沃兹数控机械有限公司",
                "法定代表人": "徐安心",
            },
        ),
        (
            KEYED,
            {
                "统一社会信用代码": CODE,
                "名称": "济南沃兹数控机械有限公司",
                "法定代表人": "徐安心",
            },
        ),
        (
            f"注册号:{NUMBER},统一社会信用代码:{CODE},企业名称:济南沃兹数控机械有限公司",
            {"统一社会信用代码": CODE, "名称": "济南沃兹数控机械有限公司"},
        ),
        (f"原注册号：{NUMBER}；备案号：123", {}),
        (
            "成立日期:2015年03月25日营业期限:自2015年03月25日至2035年03月23日；经营范围:烘干塔",
            {"成立日期": "2015-03-25", "营业期限": "自2015年03月25日至2035年03月23日"},
        ),
        ("登记日期：2014-03-03；核准日期：2016-02-01；发照日期：2016-02-02", {}),
        ("登记时间:2016-02-01;成立日期:\n注册号:", {}),
        ("类型：有限责任公司……登记机关：重庆市", {}),
        ("营业期限:2014......", {}),
        ("注册资本：伍仟万元人民币;住所:天津市静海县双塘高档五金制品产业园",
         {"注册资本": "伍仟万元人民币", "住所": "天津市静海县双塘高档五金制品产业园"}),
        (
            json.dumps({"data": [{"统一社会信用代码": CODE, "name": "甲乙丙有限公司"}], "n": 1}),
            {"统一社会信用代码": CODE, "名称": "甲乙丙有限公司"},
        ),
        (json.dumps({"uniscid": CODE, "type": 3}), {"统一社会信用代码": CODE}),
        ("{" * 5000, {}),
        ("", {}),
    ],
)  # fmt: skip
def test_a_licences_code_is_read_by_its_keys(text: str, said: dict[str, str]) -> None:
    assert values(LICENCE, text) == said


def test_the_order_and_the_width_of_keys_do_not_matter() -> None:
    expected = values(LICENCE, KEYED)
    parts = [part for part in KEYED.split("；") if part]
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in KEYED)
    for text in ("；".join(reversed(parts)), "\n".join(parts).replace("：", ":"), wide):
        assert values(LICENCE, text) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_parameters_are_percent_decoded(encoding: str) -> None:
    field = Field(name="名称", kind=Kind.ORGANISATION, marks=Marks(parameters=("qymc",)))
    schema = Schema(name="card", fields=(field,))
    written = "".join(f"%{byte:02X}" for byte in "济南沃兹有限公司".encode(encoding))
    assert values(schema, f"http://a.example/x?id=3&qymc={written}") == {"名称": "济南沃兹有限公司"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "01,10,050002100211,53750285,14.97,20220310,01222358460125590653,A1B2,",
            {
                "发票类型": "增值税电子普通发票",
                "发票代码": "050002100211",
                "发票号码": "53750285",
                "金额": "14.97",
                "开票日期": "2022-03-10",
                "校验码": "01222358460125590653",
            },
        ),
        (
            "01,31,,23442000000012345678,2800.00,20230501,,9C1F,",
            {
                "发票类型": "电子发票（增值税专用发票）",
                "发票号码": "23442000000012345678",
                "价税合计": "2800.00",
                "开票日期": "2023-05-01",
            },
        ),
        ("02,10,050002100211,53750285,14.97,20220310", {}),
        ("01,04,1100211130,5375028", {"发票类型": "增值税普通发票", "发票代码": "1100211130"}),
    ],
)
def test_an_invoices_list_is_read_by_its_places(text: str, said: dict[str, str]) -> None:
    assert values(INVOICE, text) == said


def test_a_reading_tells_where_it_comes_from() -> None:
    reading = read(LICENCE, KEYED)["统一社会信用代码"]
    assert reading.evidence is not None
    assert reading.evidence.text == f"QR code: 统一社会信用代码:{CODE}"
    assert (reading.features["qr"], reading.features["keyed"], reading.features["check"]) == (
        1,
        1,
        1,
    )
    assert reading.features["rivals"] == 0
    assert reading.score is not None
    assert reading.score > 0.95
    lesser = read(LICENCE, f"注册号：{NUMBER}")["统一社会信用代码"].score
    assert lesser is not None
    assert lesser < 0.9


def test_codes_that_differ_are_all_alternatives() -> None:
    reading = read(LICENCE, f"统一社会信用代码：{CODE}", OTHER)["统一社会信用代码"]
    assert {each.value for each in reading.alternatives} == {CODE, OTHER}
    assert reading.features["rivals"] == 1
    assert CODE in reading.notes[0]
    assert OTHER in reading.notes[0]
    same = read(LICENCE, f"统一社会信用代码：{CODE}；注册号：{NUMBER}", CODE)["统一社会信用代码"]
    assert (same.alternatives, same.features["symbols"]) == ((), 2)


def test_without_a_code_there_is_no_opinion() -> None:
    expert = MarksExpert("marks", MarksParams(), StubServices(symbols=Said()))
    page = StubPage(image=Image.new("RGB", (8, 8)))
    answer = expert.read(StubDocument(LICENCE, [page]), LICENCE.fields)
    assert all(reading == Reading(field=reading.field, idle=True) for reading in answer.readings)


def hostile() -> Sequence[str]:
    long = f"统一社会信用代码：{CODE}；" + "名称：" + "甲" * 10_000
    return (
        long,
        "=cmd|' /C calc'!A0",
        "名称：=HYPERLINK(\"http://evil.example\")",
        "名称：\x00\x1b[31m\u202e甲乙丙有限公司",
        "统一社会信用代码" * 600,
        "：" * 4000,
        "名称" * 1000 + "：",
        "甲" * 4000,
        "甲" * 4000 + "：",
        "名 " * 2000,
        "甲/ " * 1300 + "名称",
        "a=" * 2000,
        "http://a.example/?" + "uniscid=&" * 400,
        json.dumps({"名称": ["x"] * 2000, "a": {"b": {"c": {"d": {"名称": "太深有限公司"}}}}}),
    )  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", hostile())
def test_hostile_text_is_data(text: str) -> None:
    for reading in read(LICENCE, text).values():
        assert reading.value is not None
        assert len(reading.value) <= 500
        assert not any(ord(char) < 32 or char == "\u202e" for char in reading.value)
        assert reading.evidence is not None
        assert len(reading.evidence.text) < 200
        assert "太深" not in reading.value


def test_each_way_of_writing_is_told_apart() -> None:
    forms = {
        Form.JSON: json.dumps({"统一社会信用代码": CODE}),
        Form.ADDRESS: f"http://a.example/?uniscid={CODE}",
        Form.KEYED: f"统一社会信用代码：{CODE}",
        Form.BARE: f"统一社会信用代码{CODE}",
        Form.PLAIN: CODE,
    }
    for form, text in forms.items():
        assert {each.form for each in statements(LICENCE, text)} == {form}


def test_a_code_without_a_check_stands_alone_only_where_the_schema_says_so() -> None:
    field = next(field for field in INVOICE.fields if field.name == "发票号码")
    for plain in (False, True):
        own = field.model_copy(update={"marks": Marks(plain=plain)})
        found = values(Schema(name="card", fields=(own,)), "53750285")
        assert found == ({"发票号码": "53750285"} if plain else {})


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        ("{key: [甲]}", "keys"),
        ("{lists: [{form: '01(', item: 3}]}", "is not a regular expression"),
        ("{lists: [{form: '01', item: 0}]}", "greater than or equal to 1"),
    ],
)
def test_a_wrong_declaration_is_told(marks: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "card.yaml"
    file.write_text(f"name: card\nfields:\n  - name: 号码\n    marks: {marks}\n", encoding="utf-8")
    with pytest.raises(SchemaError, match=told):
        load_schema(file)


def test_generated_codes_say_what_real_ones_do() -> None:
    rng = Random(4)
    named = right = 0
    for _ in range(200):
        facts = draw_licence(rng, era="modern")
        content = generated.of_licence(rng, facts)
        truth = facts.truth()
        for name, reading in read(LICENCE, decoded_text(content)).items():
            expected = truth[name]
            assert reading.value is not None
            same = expected is not None and equal(LICENCE.field(name), expected, reading.value)
            if name == "统一社会信用代码":
                named += 1
                right += same
            else:
                assert same, (name, reading.value, expected)
    assert 90 <= named <= 130
    assert 0.9 <= right / named < 1


def test_a_drawn_code_draws_nothing_from_the_page() -> None:
    pages = []
    for content in (b"short", b"much longer than that" * 4):
        rng = Random(9)
        drawn = qr_code(rng, 130, lambda _, content=content: content)  # type: ignore[misc]
        [found] = READER.read(page_with((drawn, (300, 300))), expected=True)
        assert found.text.encode() == content
        pages.append(rng.random())
    assert pages[0] == pages[1]


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_what_the_readmes_show_of_an_invoice_is_the_example(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    [shown] = [
        block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "marks:" in block
    ]
    example = (
        (ROOT / "config" / "schemas" / "vat_invoice.yaml").read_text(encoding="utf-8").splitlines()
    )
    assert set(shown.splitlines()) <= set(example)


@pytest.mark.slow
def test_an_invoice_is_read_from_its_code(tmp_path: Path) -> None:
    """The whole way: a drawn invoice whose print is partly another's, page OCR, strategy `rules`."""
    text = "01,10,050002100211,53750285,14.97,20220310,01222358460125590653,A1B2,"
    rows = (
        "INVOICE VAT|@0.55 发票代码：050002100211\n|@0.55 发票号码：53750286\n"
        "电子普通发票|@0.55 开票日期：2022年03月10日\n增值税发票"
    )
    page = picture(printed(rows))
    page.paste(symbol(text, scale=4), (150, 500))
    page.save(tmp_path / "invoice.png")
    options = Options(schema=str(ROOT / "config" / "schemas" / "vat_invoice.yaml"))
    extract([tmp_path / "invoice.png"], out=tmp_path / "run", strategy="rules", options=options)
    [line] = (tmp_path / "run" / "records.jsonl").read_text(encoding="utf-8").splitlines()
    record = json.loads(line)
    fields = record["fields"]
    told = {n: f["value"] for n, f in fields.items() if f["value"] and n != "发票号码"}
    assert told == {
        "发票类型": "增值税电子普通发票",
        "发票代码": "050002100211",
        "金额": "14.97",
        "开票日期": "2022-03-10",
        "校验码": "01222358460125590653",
    }
    assert fields["开票日期"]["status"] == "accepted"
    assert fields["开票日期"]["evidence"]["text"] == "QR code: 20220310"
    assert fields["发票号码"]["status"] == "abstained"
    assert "53750285" in fields["发票号码"]["notes"][0]
    assert "53750286" in fields["发票号码"]["notes"][0]
