"""Files of every kind become upright RGB pages, or a clear error."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from ocr_moe.errors import TooLargeError, UnreadableFileError
from ocr_moe.intake.decoding import Decoder, open_file
from ocr_moe.intake.images import to_rgb
from ocr_moe.intake.kinds import is_plain, kind_of
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.sources import Source

pytestmark = pytest.mark.slow

LIMITS = ImageLimits()

ENCRYPTED_PDF = base64.b64decode(
    "JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCjIgMCBvYmo8PC9UeXBl"
    "L1BhZ2VzL0tpZHNbMyAwIFJdL0NvdW50IDE+PmVuZG9iagozIDAgb2JqPDwvVHlwZS9QYWdlL1BhcmVudCAyIDAg"
    "Ui9NZWRpYUJveFswIDAgNzIgNzJdPj5lbmRvYmoKNCAwIG9iajw8L0ZpbHRlci9TdGFuZGFyZC9WIDEvUiAyL088"
    "OTJmZTBmNDQ1NGFkNGM5NjQ0NjkzZjMzYzA3Y2I1NGY1ODdkY2UxZTI2ODJmZTllY2VhNjEwN2ExZWY2MzBkZD4v"
    "VTw4MTJlNzEyNDFlM2M2NGM4NTBjNDA5ZTM0NmY1ZmNiNTJjODg0NTNhNjlhMGFhZTcxZDk1YWZlYjI4YjdkNDVj"
    "Pi9QIC00ND4+ZW5kb2JqCnhyZWYKMCA1CjAwMDAwMDAwMDAgNjU1MzUgZiAKMDAwMDAwMDAwOSAwMDAwMCBuIAow"
    "MDAwMDAwMDUyIDAwMDAwIG4gCjAwMDAwMDAxMDEgMDAwMDAgbiAKMDAwMDAwMDE2MiAwMDAwMCBuIAp0cmFpbGVy"
    "PDwvU2l6ZSA1L1Jvb3QgMSAwIFIvRW5jcnlwdCA0IDAgUi9JRFs8MzAzMTMyMzMzNDM1MzYzNzM4Mzk2MTYyNjM2"
    "NDY1NjY+PDMwMzEzMjMzMzQzNTM2MzczODM5NjE2MjYzNjQ2NTY2Pl0+PgpzdGFydHhyZWYKMzQ2CiUlRU9GCg=="
)
"""One empty page, RC4 40 bit, user password `secret`."""


def drawing(size: tuple[int, int] = (80, 60)) -> Image.Image:
    """White, with a red patch in the top left corner, to tell which way up it is."""
    image = Image.new("RGB", size, "white")
    image.paste((200, 0, 0), (0, 0, size[0] // 4, size[1] // 4))
    return image


def first_page(file: Path, limits: ImageLimits = LIMITS) -> Image.Image:
    with open_file(file, limits) as opened:
        return opened.page(1)


def is_red(page: Image.Image, place: tuple[int, int]) -> bool:
    pixel = page.convert("RGB").getpixel(place)
    assert isinstance(pixel, tuple)
    return pixel[0] > 150 and pixel[1] < 80 and pixel[2] < 80


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "gif", "tiff", "heic", "pdf"])
def test_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    file = tmp_path / f"page.{suffix}"
    drawing().save(file)
    page = first_page(file)
    assert page.mode == "RGB"
    assert abs(page.width - 80) <= 1
    assert abs(page.height - 60) <= 1
    assert is_red(page, (5, 5))
    assert not is_red(page, (70, 50))


@pytest.mark.parametrize("many", ["tiff", "pdf"])
def test_pages_are_counted_and_told_apart(tmp_path: Path, many: str) -> None:
    file = tmp_path / f"many.{many}"
    grey = [Image.new("RGB", (40, 40), (level, level, level)) for level in (10, 120, 240)]
    grey[0].save(file, save_all=True, append_images=grey[1:])
    with open_file(file, LIMITS) as opened:
        assert opened.pages == 3
        found = [opened.page(n).convert("L").getpixel((20, 20)) for n in (3, 1, 2)]
    assert found == pytest.approx([240, 10, 120], abs=4)


def test_exif_orientation_is_obeyed(tmp_path: Path) -> None:
    file = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned 90° clockwise
    drawing().save(file, exif=exif)
    page = first_page(file)
    assert page.size == (60, 80)
    assert is_red(page, (55, 5))


def test_modes_become_eight_bit_rgb() -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)[None].repeat(4, 0)
    sixteen = to_rgb(Image.fromarray(ramp))
    assert sixteen.getpixel((0, 0)) == (0, 0, 0)
    assert sixteen.getpixel((255, 0)) == (255, 255, 255)
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert to_rgb(clear).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 3)
    palette.putpalette([0, 0, 0] * 3 + [10, 200, 30])
    assert to_rgb(palette).getpixel((1, 1)) == (10, 200, 30)
    assert to_rgb(Image.new("CMYK", (4, 4), (0, 255, 255, 0))).getpixel((0, 0)) == (255, 0, 0)
    assert to_rgb(Image.new("1", (4, 4), 1)).getpixel((0, 0)) == (255, 255, 255)


def damaged(tmp_path: Path) -> dict[str, bytes]:
    jpeg, pdf, png = io.BytesIO(), io.BytesIO(), io.BytesIO()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8))
    noise.save(jpeg, "JPEG")
    noise.save(png, "PNG")
    drawing().save(pdf, "PDF")
    return {
        "empty.jpg": b"",
        "prose.png": "这不是图片".encode(),
        "cut.jpg": jpeg.getvalue()[: len(jpeg.getvalue()) // 2],
        "cut.png": png.getvalue()[: len(png.getvalue()) // 2],
        "cut.pdf": pdf.getvalue()[:300],
        "page.jpg": b"<html>not found</html>",
    }


@pytest.mark.parametrize(
    "name", ["empty.jpg", "prose.png", "cut.jpg", "cut.png", "cut.pdf", "page.jpg"]
)
def test_bad_files_are_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(damaged(tmp_path)[name])
    with pytest.raises(UnreadableFileError, match=name):
        first_page(file)


def test_mislabelled_files_are_read_for_what_they_are(tmp_path: Path) -> None:
    drawing().save(tmp_path / "really.pdf")
    (tmp_path / "really.pdf").rename(tmp_path / "page.jpg")
    assert is_red(first_page(tmp_path / "page.jpg"), (5, 5))


def test_password_is_told(tmp_path: Path) -> None:
    file = tmp_path / "locked.pdf"
    file.write_bytes(ENCRYPTED_PDF)
    with pytest.raises(UnreadableFileError, match=r"locked\.pdf.*password"):
        first_page(file)


def test_limits(tmp_path: Path) -> None:
    file = tmp_path / "big.png"
    Image.new("1", (2000, 1000)).save(file)
    with pytest.raises(TooLargeError, match=r"big\.png.*2,000 × 1,000.*max_pixels"):
        first_page(file, ImageLimits(max_pixels=1_000_000))
    bomb = tmp_path / "bomb.png"
    Image.new("1", (30_000, 30_000)).save(bomb)
    with pytest.raises(TooLargeError, match=r"bomb\.png"):
        first_page(bomb)
    many = tmp_path / "many.tiff"
    drawing().save(many, save_all=True, append_images=[drawing()] * 4)
    with pytest.raises(TooLargeError, match=r"many\.tiff: more than 4 pages.*max_pages"):
        first_page(many, ImageLimits(max_pages=4))
    heavy = tmp_path / "heavy.png"
    heavy.write_bytes(bytes(2 << 20))
    with pytest.raises(TooLargeError, match=r"heavy\.png: has more than 1 MiB.*max_file"):
        first_page(heavy, ImageLimits(max_file=1))


REFUSED = {
    "certificate.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript.*PDF"),
    "binary.eps": (b"\xc5\xd0\xd3\xc6" + bytes(40), "PostScript"),
    "layers.png": (b"8BPS\0\1" + bytes(60), "Photoshop"),
    "new.heic": (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "AVIF"),
    "clip.jpg": (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video"),
    "archive.jpg": (b"Rar!\x1a\7\1\0", "RAR.*unpack"),
    "letter.pdf": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office document.*PDF"),
    "letter.png": (b"PK\3\4" + bytes(60), "ZIP.*docx"),
    "drawing.png": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "page.jpg": (b"<!DOCTYPE html><html>404</html>", "web page"),
    "raw.jpg": (b"P6\n1 1\n255\n\0\0\0", "PNM"),
    "old.jpg": (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_formats_are_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    data, told = REFUSED[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnreadableFileError, match=f"{name}.*{told}"):
        first_page(tmp_path / name)


def test_postscript_named_jpg_starts_no_other_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "started"
    for name in ("gs", "gswin64c", "gswin32c"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ntouch {marker}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    file = tmp_path / "scan.jpg"
    drawing().save(file, "EPS")
    with pytest.raises(UnreadableFileError, match="PostScript"):
        first_page(file)
    assert not marker.exists()


def multi_page_tiff(**options: object) -> bytes:
    stream = io.BytesIO()
    pages = [drawing((40 + 8 * n, 30)) for n in range(3)]
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:], **options)
    return stream.getvalue()


def all_pages(decoder: Decoder, file: Path) -> list[Image.Image]:
    with decoder.open(Source(file, file.name)) as opened:
        return [opened.page(page) for page in range(1, opened.pages + 1)]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg"])
def test_a_tiff_cut_anywhere_is_read_or_refused(tmp_path: Path, compression: str) -> None:
    data = multi_page_tiff(compression=compression)
    file = tmp_path / "cut.tif"
    with Decoder(LIMITS) as decoder:
        for end in range(1, len(data), 37):
            file.write_bytes(data[:end])
            with pytest.raises(UnreadableFileError, match=r"^cut\.tif: "):
                all_pages(decoder, file)


def test_a_tiff_whose_pages_go_round_in_a_circle(tmp_path: Path) -> None:
    data = bytearray(multi_page_tiff())
    first = data[4:8]
    with Image.open(io.BytesIO(bytes(data))) as image:
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        image.seek(2)
        start = image._frame_pos[2]
        end = start + 2 + 12 * int.from_bytes(data[start : start + 2], "little")
    data[end : end + 4] = first
    file = tmp_path / "circle.tif"
    file.write_bytes(bytes(data))
    with open_file(file, LIMITS) as opened:
        assert opened.pages == 3


def test_damaged_metadata_do_not_cost_the_pixels(tmp_path: Path) -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    drawing().save(stream, "JPEG", exif=exif)
    file = tmp_path / "exif.jpg"
    file.write_bytes(
        stream.getvalue().replace(b"MM\0*", b"MM\0\xff").replace(b"II*\0", b"II\xff\0")
    )
    assert first_page(file).size == (80, 60)


def test_phones_write_two_pictures_into_one_jpeg(tmp_path: Path) -> None:
    file = tmp_path / "two.jpg"
    drawing().save(file, "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    with open_file(file, LIMITS) as opened:
        assert opened.pages == 1
        assert opened.page(1).size == (80, 60)


def test_a_line_is_no_page(tmp_path: Path) -> None:
    file = tmp_path / "line.png"
    Image.new("1", (200_000, 2)).save(file)
    with pytest.raises(TooLargeError, match=r"line\.png: 200,000 × 2 pixels; a side may have"):
        first_page(file)


def test_small_plain_images_need_no_other_process(tmp_path: Path) -> None:
    kinds = {"a.jpg": "JPEG", "b.png": "PNG", "c.webp": "WEBP"}
    for name, kind in kinds.items():
        for options in ({}, {"lossless": True}, {"progressive": True}):
            drawing().save(tmp_path / name, kind, **options)
            data = (tmp_path / name).read_bytes()
            assert kind_of(data) == kind
            assert is_plain(data, kind, 80 * 60)
            assert not is_plain(data, kind, 80 * 60 - 1)
    many_scans = data + b"\xff\xda" * 100
    assert not is_plain((tmp_path / "a.jpg").read_bytes() + many_scans, "JPEG", 80 * 60)
