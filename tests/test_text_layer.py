"""PDF pages read from their own text: what is seen, how it becomes lines, what is left to OCR."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from ocr_moe.generation.fonts import FontBook
from ocr_moe.generation.plan import plan
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.leftovers import may_hold_text
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.sources import Source
from ocr_moe.intake.textlayer import (
    Glyph,
    TextLayer,
    character_of,
    is_character,
    lines_of,
    rotation_of,
    sounds_odd,
)
from ocr_moe.run.documents import TEXT_LAYER, PageReader
from ocr_moe.schema import Field
from ocr_moe.store.database import Store
from ocr_moe.testing.engines import ScriptedEngine
from ocr_moe.types import Line, PageText
from ocr_moe.values.normalize import equal
from ocr_moe.workshop.config import find_schema
from tests.borndigital import drawn, pdf_with
from tests.conftest import environment
from tests.pdfs import FONT, image, page_with, stream


def glyphs(
    text: str, x: float = 10, y: float = 50, size: float = 20, step: float = 1.0, angle: float = 0
) -> list[Glyph]:
    """Glyphs one after the other, `step` ems apart; each an object of its own."""
    return [
        Glyph(character, x + index * step * size, y, angle, size, size, 1000 * round(x + y) + index)
        for index, character in enumerate(text)
    ]


def texts(found: list[Glyph], size: tuple[int, int] = (1000, 1000), rotation: int = 0) -> set[str]:
    return {line.text for line in lines_of(found, *size, rotation)}


def test_glyphs_become_lines_wherever_they_come_in_the_file() -> None:
    mixed = [
        g for pair in zip(glyphs("证书编号"), glyphs("毕业日期", y=90), strict=True) for g in pair
    ]
    assert texts(mixed[::-1]) == {"证书编号", "毕业日期"}


def test_a_wide_gap_parts_lines_but_not_a_word_that_is_set_wide() -> None:
    assert texts([*glyphs("姓名"), *glyphs("张三", x=90)]) == {"姓名", "张三"}
    assert texts(glyphs("毕业证书", step=2.5)) == {"毕业证书"}
    label = [*glyphs("经营范围", step=2.0), *glyphs("服装鞋帽", x=170)]
    assert texts(label) == {"经营范围", "服装鞋帽"}


def test_rules_to_be_filled_in_are_no_text() -> None:
    assert texts(glyphs("姓名:__张三__", step=1.0)) == {"姓名:", "张三"}
    assert texts(glyphs("a_b")) == {"a_b"}


def test_print_that_sits_a_little_low_belongs_to_its_line() -> None:
    assert texts([*glyphs("姓名"), *glyphs("张三", x=50, y=55)]) == {"姓名张三"}


def test_a_glyph_drawn_twice_is_bold_and_one_over_another_is_not_legible() -> None:
    assert texts([*glyphs("张三"), *glyphs("张三", x=11)]) == {"张三"}
    over = lines_of([*glyphs("10051"), *glyphs("10057", x=10, y=51)], 1000, 1000, 0)
    assert not any(line.legible for line in over)


def test_columns_of_characters() -> None:
    column = [Glyph(c, 100, 50 + 22 * n, 0, 20, 20, n) for n, c in enumerate("毕业证书")]
    beside = [Glyph(c, 128, 50 + 22 * n, 0, 20, 20, 9 + n) for n, c in enumerate("普通高等")]
    assert texts([*column, *beside]) == {"毕业证书", "普通高等"}
    (line,) = lines_of(column, 1000, 1000, 0)
    (x0, y0), _, (x1, y1), _ = line.quad
    assert x1 - x0 < 0.03 < 0.07 < y1 - y0


@pytest.mark.parametrize(("angle", "rotation"), [(0, 0), (90, 270), (180, 180), (270, 90)])
def test_a_page_is_turned_until_most_of_its_text_is_upright(angle: int, rotation: int) -> None:
    across, down = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[angle]
    turned = [
        Glyph(c, 300 + 20 * n * across, 300 + 20 * n * down, angle, 20, 20, n)
        for n, c in enumerate("证书编号")
    ]
    assert rotation_of(turned) == rotation
    (line,) = lines_of(turned, 600, 800, rotation)
    assert line.text == "证书编号"
    assert line.quad[1][0] > line.quad[0][0]
    assert line.quad[3][1] > line.quad[0][1]


def test_a_slanted_line_keeps_its_slant_and_turns_no_page() -> None:
    slanted = [
        Glyph(c, 100 + 14 * n, 100 + 14 * n, 45, 20, 20, n) for n, c in enumerate("仅供审核")
    ]
    assert rotation_of([*slanted, *glyphs("姓名")]) == 0
    assert texts([*slanted, *glyphs("姓名张三", y=130)]) == {"仅供审核", "姓名张三"}


def test_characters_by_another_name() -> None:
    assert [character_of(c) for c in ("\u2ed3", "\u2f42", "\ufb01", "长")] == [
        "长",
        "文",
        "fi",
        "长",
    ]
    assert [is_character(c) for c in ("长", " ", "\ue000", "\ufffd", "\x00", "\ud800")] == [
        *(True, True),
        *(False,) * 4,
    ]


def test_a_font_that_names_its_glyphs_wrongly_sounds_odd() -> None:
    assert sounds_odd("\"&'(!#+*)-./:;<=")
    assert sounds_odd(
        "WKLV FHUWLILFDWH ZDV JUDQWHG WR WKH VWXGHQW"
    )  # shifted by three, as codes of glyphs are
    assert sounds_odd("㐂㐄㐅㐆㐌㐍㐎㐏")
    for fair in (
        "This is to certify that Jun Wei",
        "毕业证书 证书编号：106131202505004931",
        "No. 12",
    ):
        assert not sounds_odd(fair)


def test_what_is_left_of_a_page() -> None:
    page = Image.new("RGB", (1400, 1000), "white")
    assert not may_hold_text(page)
    pen = ImageDraw.Draw(page)
    pen.rectangle((40, 40, 1360, 960), outline="black", width=6)
    pen.line((100, 500, 1300, 500), "black", 2)
    pen.ellipse((900, 600, 1100, 800), outline="red", width=6)
    pen.ellipse((300, 700, 360, 760), fill="black")
    assert not may_hold_text(page)
    for index in range(3):
        pen.rectangle((200 + 24 * index, 300, 214 + 24 * index, 320), fill=(90, 90, 90))
    assert may_hold_text(page)


def layer_of(tmp_path: Path, data: bytes) -> TextLayer | None:
    file = tmp_path / "page.pdf"
    file.write_bytes(data)
    with Decoder(ImageLimits()) as decoder, decoder.open(Source(file, file.name)) as opened:
        return opened.text(1)


def said(layer: TextLayer | None) -> set[str]:
    return set() if layer is None else {line.text for line in layer.lines}


def scan() -> bytes:
    """An image object with something on it that could be read."""
    picture = Image.new("L", (600, 400), "white")
    for index in range(12):
        ImageDraw.Draw(picture).rectangle((60 + 30 * index, 200, 78 + 30 * index, 224), fill=0)
    return image(600, 400, picture.tobytes(), b"ASCIIHexDecode", b"DeviceGray").replace(
        b"/Filter/ASCIIHexDecode", b""
    )


BOX = b"0 0 600 400"
ON_SCAN = b"q 600 0 0 400 0 0 cm /I Do Q "
SEEN = b"BT /F 20 Tf 60 300 Td (Seen 100051) Tj ET "


@pytest.mark.slow
@pytest.mark.parametrize(
    "unseen",
    [
        b"BT 3 Tr /F 20 Tf 60 180 Td (Unseen) Tj ET",
        b"1 1 1 rg BT /F 20 Tf 60 100 Td (Unseen) Tj ET",
        b"BT /F 20 Tf 60 100 Td (Unseen) Tj ET 1 1 1 rg 0 90 600 60 re f",
        b"BT /F 20 Tf 60 100 Td (Unseen) Tj ET 0 0 0 rg 0 90 600 60 re f",
        b"q 0 0 20 20 re W n BT /F 20 Tf 60 100 Td (Unseen) Tj ET Q",
        b"BT /F 0.5 Tf 60 100 Td (Unseen) Tj ET",
        b"BT /F 20 Tf 60 -100 Td (Unseen) Tj ET",
        b"BT /F 20 Tf 60 100 Td (Unseen) Tj ET q 600 0 0 150 0 0 cm /I Do Q",
    ],
    ids=["mode", "white", "covered", "blackened", "clipped", "tiny", "outside", "under a scan"],
)
def test_text_that_nobody_sees_is_not_read(tmp_path: Path, unseen: bytes) -> None:
    assert said(layer_of(tmp_path, page_with(SEEN + unseen, scan(), FONT, box=BOX))) == {
        "Seen 100051"
    }


@pytest.mark.slow
def test_a_scan_with_hidden_text_has_no_text_layer(tmp_path: Path) -> None:
    hidden = b"BT 3 Tr /F 20 Tf 60 180 Td (What OCR made of it) Tj ET"
    assert layer_of(tmp_path, page_with(ON_SCAN + hidden, scan(), FONT, box=BOX)) is None
    under = b"BT /F 20 Tf 60 180 Td (What OCR made of it) Tj ET " + ON_SCAN
    assert layer_of(tmp_path, page_with(under, scan(), FONT, box=BOX)) is None
    assert layer_of(tmp_path, page_with(ON_SCAN, scan(), FONT, box=BOX)) is None


@pytest.mark.slow
def test_what_is_only_pixels_is_told(tmp_path: Path) -> None:
    over = layer_of(tmp_path, page_with(ON_SCAN + SEEN, scan(), FONT, box=BOX))
    assert over is not None
    assert over.rest
    alone = layer_of(tmp_path, page_with(SEEN + b"9 9 582 382 re S", scan(), FONT, box=BOX))
    assert alone is not None
    assert not alone.rest


@pytest.mark.slow
def test_nested_cropped_and_turned_text(tmp_path: Path) -> None:
    form = stream(
        SEEN, b"/Type/XObject/Subtype/Form/BBox[0 0 600 400]/Resources<</Font<</F 6 0 R>>>>"
    )
    assert said(layer_of(tmp_path, page_with(b"/I Do", form, FONT, box=BOX))) == {"Seen 100051"}
    cropped = page_with(SEEN, scan(), FONT, box=BOX, entries=b"/CropBox[50 280 350 340]")
    found = layer_of(tmp_path, cropped)
    assert found is not None
    (left, top), _, (right, bottom), _ = found.lines[0].quad
    assert (left, top) == pytest.approx((10 / 300, 22.4 / 60), abs=0.01)
    assert bottom == pytest.approx(42.8 / 60, abs=0.01)
    assert right < 0.6
    turned = layer_of(tmp_path, page_with(SEEN, scan(), FONT, box=BOX, entries=b"/Rotate 90"))
    assert turned is not None
    assert turned.rotation == 270
    assert turned.width > turned.height
    assert turned.lines[0].quad[0] == pytest.approx((0.1, 0.206), abs=0.01)


@pytest.mark.slow
def test_a_font_without_names_for_its_glyphs_stays_pixels(tmp_path: Path) -> None:
    nameless = (
        b"<</Type/Font/Subtype/Type0/BaseFont/Nameless/Encoding/Identity-H/DescendantFonts"
        b"[<</Type/Font/Subtype/CIDFontType2/BaseFont/Nameless/DW 600/CIDSystemInfo"
        b"<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>]/ToUnicode 8 0 R>>"
    )
    private = stream(
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def "
        b"1 begincodespacerange <0000> <FFFF> endcodespacerange "
        b"1 beginbfrange <0000> <00FF> <E000> endbfrange endcmap end end"
    )
    coded = b"BT /C 20 Tf 60 200 Td <002400250026> Tj ET "
    data = page_with(SEEN + coded, scan(), FONT, nameless, private, box=BOX)
    assert said(layer_of(tmp_path, data)) == {"Seen 100051"}


def widget(value: bytes, entries: bytes = b"") -> bytes:
    return (
        b"<</Type/Annot/Subtype/Widget/F 4/FT/Tx/T(n)/V(%s)/DA(/F 20 Tf 0 g)/Rect[60 100 400 130]"
        b"/P 3 0 R%s>>" % (value, entries)
    )


@pytest.mark.slow
def test_form_fields(tmp_path: Path) -> None:
    form = b"/AcroForm<</Fields[8 0 R]/DA(/F 20 Tf 0 g)/DR<</Font<</F 6 0 R>>>>>>"
    how = {"box": BOX, "catalogue": form, "entries": b"/Annots[8 0 R]"}
    typed = page_with(SEEN, scan(), FONT, FONT, widget(b"106131202505004931"), **how)
    layer = layer_of(tmp_path, typed)
    assert said(layer) == {"Seen 100051", "106131202505004931"}
    assert layer is not None
    assert not layer.is_doubtful
    hidden = typed.replace(b"/F 4/FT", b"/F 6/FT")
    assert said(layer_of(tmp_path, hidden)) == {"Seen 100051"}
    shown = stream(
        b"q 340 0 0 30 0 0 cm /I Do Q",
        b"/Type/XObject/Subtype/Form/BBox[0 0 340 30]/Resources<</XObject<</I 5 0 R>>>>",
    )
    pictured = widget(b"106131202505004931", b"/AP<</N 9 0 R>>")
    layer = layer_of(tmp_path, page_with(SEEN, scan(), FONT, FONT, pictured, shown, **how))
    assert layer is not None
    assert {line.text: line.doubtful for line in layer.lines} == {
        "Seen 100051": False,
        "106131202505004931": True,  # a picture of it: to be compared
    }


def ocr_page(
    text: str, box: tuple[float, float, float, float] = (0.1, 0.2, 0.36, 0.26)
) -> PageText:
    x0, y0, x1, y1 = box
    line = Line(text=text, confidence=0.97, quad=((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
    return PageText(engine="scripted", width=600, height=400, rotation=0, lines=(line,))


def read(
    tmp_path: Path, data: bytes, engine: ScriptedEngine, *, text_layer: bool = True
) -> PageText:
    file = tmp_path / "page.pdf"
    file.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    with Store(tmp_path / "store.sqlite") as store, Decoder(ImageLimits()) as decoder:
        source = Source(file, file.name)
        reader = PageReader(source, digest, engine, store, decoder, text_layer=text_layer)
        found = reader.text(1)
        reader.close()
        assert store.get_page(digest, 1, found.engine) == found
    return found


@pytest.mark.slow
def test_a_page_is_read_from_its_text_and_from_what_else_is_on_it(tmp_path: Path) -> None:
    engine = ScriptedEngine(ocr_page("Never asked"))
    found = read(tmp_path, page_with(SEEN, scan(), FONT, box=BOX), engine)
    assert found.engine == TEXT_LAYER
    assert not engine.asked
    assert [(line.text, line.confidence, line.exact) for line in found.lines] == [
        ("Seen 100051", 1.0, True)
    ]
    (tmp_path / "mixed").mkdir()
    data = page_with(ON_SCAN + SEEN, scan(), FONT, box=BOX)
    engine = ScriptedEngine(ocr_page("Seen 1OO051"), ocr_page("Scanned", (0.1, 0.45, 0.7, 0.5)))
    found = read(tmp_path / "mixed", data, engine)
    assert {line.text: line.exact for line in found.lines} == {
        "Seen 100051": True,
        "Scanned": False,
    }
    assert found.engine.startswith(f"{TEXT_LAYER} + scripted engine")
    _, rest = engine.asked
    assert part(rest, 0.1, 0.2, 0.4, 0.26).getextrema() == ((255, 255),) * 3  # the text is gone …
    assert part(rest, 0.1, 0.5, 0.4, 0.56).getextrema() == ((0, 255),) * 3  # … the scan is there


def part(page: Image.Image, x0: float, y0: float, x1: float, y1: float) -> Image.Image:
    width, height = page.size
    return page.crop((int(x0 * width), int(y0 * height), int(x1 * width), int(y1 * height)))


@pytest.mark.slow
def test_text_that_pixels_do_not_bear_out_is_not_believed(tmp_path: Path) -> None:
    data = page_with(ON_SCAN + SEEN, scan(), FONT, box=BOX)
    engine = ScriptedEngine(ocr_page("Quite other words"))
    found = read(tmp_path, data, engine)
    assert [line.text for line in found.lines] == ["Quite other words"]
    assert not found.lines[0].exact
    assert TEXT_LAYER not in found.engine


@pytest.mark.slow
def test_text_layers_can_be_switched_off(tmp_path: Path) -> None:
    engine = ScriptedEngine(ocr_page("Read from pixels"))
    found = read(tmp_path, page_with(SEEN, scan(), FONT, box=BOX), engine, text_layer=False)
    assert [line.text for line in found.lines] == ["Read from pixels"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["graduation_certificate", "business_license"])
def test_a_document_as_a_program_saves_it_is_read_whole_without_ocr(
    tmp_path: Path, name: str
) -> None:
    book, schema = FontBook.discover(), find_schema(name)
    planned = plan(name, count=6, seed=21, levels=["clean"], layouts=None, fonts=book)
    truths: dict[str, dict[str, str | None]] = {}
    (tmp_path / "scans").mkdir()
    for number, (_, spec) in enumerate(planned):
        written, page, truth = drawn(spec)
        file = f"{number}.pdf"
        (tmp_path / "scans" / file).write_bytes(pdf_with(written, page.size))
        truths[file] = truth
    code = (
        "import sys, ocr_moe; ocr_moe.extract([sys.argv[1]], out=sys.argv[2], "
        f"options=ocr_moe.Options(schema={name!r})); "
        "assert not {'onnxruntime', 'paddleocr', 'rapidocr'} & set(sys.modules)"
    )
    where = (str(tmp_path / "scans"), str(tmp_path / "run"))
    done = subprocess.run(
        [sys.executable, "-c", code, *where], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "run" / "records.jsonl").read_text(encoding="utf-8").splitlines()
    wrong = [
        (record["document"]["path"], field, record["fields"][field]["value"], value)
        for record in map(json.loads, lines)
        for field, value in truths[record["document"]["path"]].items()
        if not same(schema.field(field), record["fields"][field]["value"], value)
    ]
    assert wrong == []


def same(field: Field, read: str | None, truth: str | None) -> bool:
    if read is None or truth is None:
        return read is truth
    return equal(field, read, truth)
