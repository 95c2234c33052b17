"""PDF pages: at which scale, with what on them, and what is no page."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from ocr_moe.errors import UnreadableFileError
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.sources import Source
from tests.pdfs import FONT, image, page_with, pdf_of, stream

pytestmark = pytest.mark.slow


def jpeg(width: int, height: int) -> bytes:
    out = io.BytesIO()
    picture = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(picture).rectangle((0, 0, width // 4, height // 4), fill="red")
    picture.save(out, "JPEG")
    return out.getvalue()


def rendered(folder: Path, data: bytes, limits: ImageLimits | None = None) -> Image.Image:
    file = folder / "page.pdf"
    file.write_bytes(data)
    with (
        Decoder(limits or ImageLimits()) as decoder,
        decoder.open(Source(file, file.name)) as opened,
    ):
        return opened.page(1)


def scan(width: int, height: int, points: tuple[int, int], more: bytes = b"") -> bytes:
    content = b"q %d 0 0 %d 0 0 cm /I Do Q " % points + more
    box = b"0 0 %d %d" % points
    return page_with(content, image(width, height, jpeg(width, height)), FONT, box=box)


TEXT = b"BT /F 12 Tf 10 10 Td (Printed) Tj ET"
HIDDEN = b"BT 3 Tr /F 12 Tf 10 10 Td (Text layer) Tj ET"


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (scan(1600, 1200, (1600, 1200)), (1600, 1200)),  # a photo saved at 72 dpi
        (scan(1600, 1200, (1600, 1200), HIDDEN), (1600, 1200)),  # with a text layer under it
        (scan(1240, 1754, (595, 842)), (1240, 1754)),  # a scan of 150 dpi
        (scan(2480, 3508, (595, 842)), (2480, 3508)),  # of 300 dpi
        (scan(620, 877, (595, 842), TEXT), (1653, 2339)),  # print on a coarse background: 200 dpi
        (scan(2480, 3508, (595, 842), TEXT), (2480, 3508)),  # print on a fine one
        (page_with(TEXT, FONT, FONT, box=b"0 0 360 720"), (1000, 2000)),  # print alone
    ],
    ids=["photo", "layered", "150dpi", "300dpi", "coarse", "fine", "print"],
)
def test_scans_keep_their_pixels_and_print_gets_200_dpi(
    tmp_path: Path, data: bytes, size: tuple[int, int]
) -> None:
    found = rendered(tmp_path, data).size
    assert found == pytest.approx(size, abs=2)


def test_resolution_of_print_is_configured(tmp_path: Path) -> None:
    data = page_with(TEXT, FONT, FONT, box=b"0 0 360 720")
    assert rendered(tmp_path, data, ImageLimits(dpi=72)).size == (360, 720)


def test_strips_turned_scans_and_forms_keep_their_pixels(tmp_path: Path) -> None:
    strips = b"".join(b"q 600 0 0 50 0 %d cm /I Do Q " % (50 * n) for n in range(12))
    data = page_with(strips, image(1800, 150, jpeg(1800, 150)), box=b"0 0 600 600")
    assert rendered(tmp_path, data).size == pytest.approx((1800, 1800), abs=2)
    turned = b"q 0 600 -400 0 400 0 cm /I Do Q"
    data = page_with(turned, image(1800, 1200, jpeg(1800, 1200)), box=b"0 0 400 600")
    assert rendered(tmp_path, data).size == pytest.approx((1200, 1800), abs=2)
    form = stream(
        b"q 1 0 0 1 0 0 cm /P Do Q",
        b"/Type/XObject/Subtype/Form/BBox[0 0 1 1]/Resources<</XObject<</P 6 0 R>>>>",
    )
    data = page_with(
        b"q 600 0 0 400 0 0 cm /I Do Q",
        form,
        image(1800, 1200, jpeg(1800, 1200)),
        box=b"0 0 600 400",
    )
    assert rendered(tmp_path, data).size == pytest.approx((1800, 1200), abs=2)


def test_a_small_picture_does_not_set_the_scale(tmp_path: Path) -> None:
    logo = b"q 30 0 0 30 0 0 cm /I Do Q " + TEXT
    data = page_with(logo, image(1200, 1200, jpeg(1200, 1200)), FONT, box=b"0 0 360 360")
    assert rendered(tmp_path, data).size == (1000, 1000)


def test_pages_are_scaled_down_to_the_limits(tmp_path: Path) -> None:
    limits = ImageLimits(max_pixels=1_000_000)
    found = rendered(tmp_path, scan(1600, 1200, (1600, 1200)), limits)
    assert 900_000 < found.width * found.height <= 1_000_000
    found = rendered(tmp_path, page_with(TEXT, FONT, FONT, box=b"0 0 612 792"), limits)
    assert 900_000 < found.width * found.height <= 1_000_000
    poster = rendered(tmp_path, page_with(TEXT, FONT, FONT, box=b"0 0 14000 14000"))
    assert poster.width * poster.height <= 25_100_000


@pytest.mark.parametrize("box", [b"0 0 40000000 0.36", b"0 0 0.001 0.001", b"0 0 14400 14400"])
def test_pages_of_any_size(tmp_path: Path, box: bytes) -> None:
    found = rendered(tmp_path, page_with(b"0 0 m 9 9 l S", box=box))
    assert found.width * found.height <= ImageLimits().max_pixels


def test_form_fields_are_rendered(tmp_path: Path) -> None:
    widget = (
        b"<</Type/Annot/Subtype/Widget/FT/Tx/T(n)/V(100051201905001234)/DA(/F 20 Tf 0 g)"
        b"/Rect[20 20 280 60]/P 3 0 R>>"
    )
    filled = page_with(
        b"",
        widget,
        FONT,
        box=b"0 0 300 100",
        catalogue=b"/AcroForm<</Fields[5 0 R]/DA(/F 20 Tf 0 g)/DR<</Font<</F 6 0 R>>>>>>",
        entries=b"/Annots[5 0 R]",
    )
    pixels = rendered(tmp_path, filled).convert("L")
    assert sum(pixels.histogram()[:100]) > 500


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        (b"DCTDecode", jpeg(400, 300)[:60]),
        (b"DCTDecode", b"nothing"),
        (b"JPXDecode", b"\0\0\0\x0cjP  \r\n\x87\n"),
    ],
)
def test_a_damaged_image_is_no_blank_page(tmp_path: Path, coding: bytes, data: bytes) -> None:
    page = page_with(b"q 612 0 0 792 0 0 cm /I Do Q", image(400, 300, data, coding))
    with pytest.raises(UnreadableFileError, match=r"^page\.pdf: the image on page 1 .*damaged"):
        rendered(tmp_path, page)


def test_a_white_scan_is_a_page(tmp_path: Path) -> None:
    white = zlib.compress(b"\xff" * (3 * 40 * 30))
    page = page_with(
        b"q 40 0 0 30 0 0 cm /I Do Q", image(40, 30, white, b"FlateDecode"), box=b"0 0 40 30"
    )
    assert rendered(tmp_path, page).getcolors() == [(40 * 30, (255, 255, 255))]


def test_a_document_without_pages(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"^page\.pdf: .*(no pages|damaged)"):
        rendered(
            tmp_path, pdf_of([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"])
        )
