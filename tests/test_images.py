"""Files of every kind become upright RGB pages, or a clear error."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocr_moe.errors import TooLargeError, UnreadableFileError, UsageError
from ocr_moe.intake.images import ImageFile, ImageLimits, discover, to_rgb

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
    with ImageFile(file, limits) as opened:
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
    page = first_page(file, LIMITS.model_copy(update={"dpi": 72}))
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
    with ImageFile(file, LIMITS) as opened:
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


def test_resolution_of_pdf_pages(tmp_path: Path) -> None:
    file = tmp_path / "page.pdf"
    drawing((720, 360)).save(file, resolution=72)
    page = first_page(file, LIMITS.model_copy(update={"dpi": 144}))
    assert page.size == (1440, 720)


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
        "page.html": b"<html>not found</html>",
    }


@pytest.mark.parametrize(
    "name", ["empty.jpg", "prose.png", "cut.jpg", "cut.png", "cut.pdf", "page.html"]
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


@pytest.mark.slow
def test_limits(tmp_path: Path) -> None:
    file = tmp_path / "big.png"
    Image.new("1", (2000, 1000)).save(file)
    with pytest.raises(TooLargeError, match=r"big\.png.*2000 × 1000.*max_pixels"):
        first_page(file, ImageLimits(max_pixels=1_000_000))
    bomb = tmp_path / "bomb.png"
    Image.new("1", (30_000, 30_000)).save(bomb)
    with pytest.raises(TooLargeError, match=r"bomb\.png"):
        first_page(bomb)
    many = tmp_path / "many.tiff"
    drawing().save(many, save_all=True, append_images=[drawing()] * 4)
    with pytest.raises(TooLargeError, match=r"many\.tiff: 5 pages.*max_pages"):
        first_page(many, ImageLimits(max_pages=4))
    huge = tmp_path / "huge.pdf"
    drawing((720, 720)).save(huge, resolution=72)
    with pytest.raises(TooLargeError, match=r"huge\.pdf"):
        first_page(huge, ImageLimits(dpi=600, max_pixels=30_000_000))


def test_discovery(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    for name in ("a/1.jpg", "a/deep/2.PNG", "a/notes.txt", "a/.hidden.jpg", "b/1.jpg"):
        (tmp_path / name).write_bytes(b"x")
    names = [source.name for source in discover([str(tmp_path / "a")])]
    assert names == ["1.jpg", "deep/2.PNG"]
    both = [source.name for source in discover([str(tmp_path / "a"), str(tmp_path / "b")])]
    assert both == ["a/1.jpg", "a/deep/2.PNG", "b/1.jpg"]
    globbed = [source.name for source in discover([str(tmp_path / "*" / "1.jpg")])]
    assert globbed == ["a/1.jpg", "b/1.jpg"]
    listing = io.StringIO(f"{tmp_path / 'a' / 'notes.txt'}\n\n{tmp_path / 'b'}\n")
    assert [source.name for source in discover(["-"], listing)] == ["1.jpg", "notes.txt"]


def test_discovery_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere.*no such file"):
        discover([str(tmp_path / "nowhere")])
    with pytest.raises(UsageError, match="no images found"):
        discover([str(tmp_path)])
    with pytest.raises(UsageError, match="matches no file"):
        discover([str(tmp_path / "*.jpg")])


@pytest.mark.skipif(os.name == "nt", reason="file names are bytes only on POSIX")
def test_names_that_are_not_utf8_can_be_written(tmp_path: Path) -> None:
    drawing().save(tmp_path / "ok.png")
    os.rename(tmp_path / "ok.png", os.fsencode(tmp_path) + b"/\xff.png")
    [source] = discover([str(tmp_path)])
    assert source.name.encode("utf-8")
    assert is_red(first_page(source.file), (3, 3))
