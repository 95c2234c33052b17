"""Scans in ZIP archives and Office documents, and archives that mean harm."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from ocr_moe.errors import DocumentError, TooLargeError, UnreadableFileError
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.sources import Source, discover, located

pytestmark = pytest.mark.slow

LIMITS = ImageLimits()


def png(size: tuple[int, int] = (40, 30)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "red").save(stream, "PNG")
    return stream.getvalue()


def zipped(file: Path, members: Mapping[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file


def found_in(file: Path, limits: ImageLimits = LIMITS) -> dict[str, Source]:
    return {source.name: source for source in discover([str(file)], limits=limits)}


def problem_of(file: Path, limits: ImageLimits = LIMITS) -> Exception:
    [source] = discover([str(file)], limits=limits)
    assert source.problem is not None
    with pytest.raises(type(source.problem)), Decoder(limits) as decoder:
        decoder.open(source)
    return source.problem


def test_each_scan_is_a_source(tmp_path: Path) -> None:
    file = zipped(
        tmp_path / "certs.zip",
        {
            "b.png": png(),
            "inner/甲.png": png((50, 20)),
            "inner/notes.txt": b"x",
            "inner/~$x.png": b"x",
            "__MACOSX/inner/._b.png": b"x",
            ".hidden/c.png": b"x",
            "empty/": b"",
        },
    )
    found = found_in(tmp_path)
    assert list(found) == ["certs.zip/b.png", "certs.zip/inner/甲.png"]
    source = found["certs.zip/inner/甲.png"]
    assert source.digest(LIMITS) == Source(put(tmp_path / "x", png((50, 20))), "x").digest(LIMITS)
    with Decoder(LIMITS) as decoder, decoder.open(source) as opened:
        assert opened.page(1).size == (50, 20)
    assert located(source.name, source.locate()) == source
    assert sorted(found_in(file)) == sorted(found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["certs.zip", "x"]


def put(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


@pytest.mark.parametrize(
    ("name", "folder"), [("a.docx", "word/media"), ("a.pptx", "ppt/media"), ("a.odt", "Pictures")]
)
def test_pictures_in_office_documents(tmp_path: Path, name: str, folder: str) -> None:
    members = {
        "[Content_Types].xml": b"<Types/>",
        "docProps/thumbnail.jpeg": png(),
        f"{folder}/image1.png": png(),
        f"{folder}/image2.emf": b"x",
    }
    file = zipped(tmp_path / name, members)
    assert list(found_in(file)) == [f"{name}/{folder}/image1.png"]


def test_what_holds_no_scan_is_told(tmp_path: Path) -> None:
    letter = zipped(tmp_path / "letter.docx", {"[Content_Types].xml": b"", "word/a.xml": b""})
    assert str(problem_of(letter)).startswith("letter.docx: holds no scans (pictures)")
    texts = zipped(tmp_path / "texts.zip", {"a.txt": b""})
    assert str(problem_of(texts)).startswith("texts.zip: holds no scans (images or PDFs)")
    assert "holds no scans" in str(problem_of(zipped(tmp_path / "empty.zip", {})))


@pytest.mark.parametrize("inner", ["OFD.xml", "Doc_0/Res/image_0.png"])
def test_ofd_is_told_with_what_to_do(tmp_path: Path, inner: str) -> None:
    file = zipped(tmp_path / "licence.ofd", {inner: png()})
    assert "OFD document, which is not read" in str(problem_of(file))
    assert "export it as PDF" in str(problem_of(file))


class RawName(zipfile.ZipInfo):
    """A member whose name is written as old programs do: bytes, without saying what they are."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode("cp437"), self.flag_bits & ~0x800


def test_names_in_every_encoding(tmp_path: Path) -> None:
    file = tmp_path / "names.zip"
    gbk, utf8, both = "甲.png".encode("gbk"), "乙.png".encode(), "丙.png".encode("gbk")
    with zipfile.ZipFile(file, "w") as archive:
        for raw, extra in (
            (gbk, b""),
            (utf8, b""),
            (both, b"\1" + struct.pack("<I", zlib.crc32(both)) + "丁.png".encode()),
        ):
            info = RawName(raw.decode("cp437"))
            if extra:
                info.extra = struct.pack("<HH", 0x7075, len(extra)) + extra
            archive.writestr(info, png())
    expected = ["names.zip/丁.png", "names.zip/乙.png", "names.zip/甲.png"]
    assert sorted(found_in(file)) == sorted(expected)


def test_names_that_lead_elsewhere_stay_inside(tmp_path: Path) -> None:
    hostile = ("../../up.png", "/etc/root.png", "C:\\win\\x.png", "a\0b.png", "./.././y.png")
    members = {name: png() for name in hostile}
    found = found_in(zipped(tmp_path / "z.zip", members))
    assert len(found) >= 4
    for name, source in found.items():
        assert name.startswith("z.zip/")
        assert ".." not in name.split("/")
        assert source.file == tmp_path / "z.zip"


def test_two_members_of_one_name(tmp_path: Path) -> None:
    file = tmp_path / "two.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("a.png", png((1, 2)))
        archive.writestr("a.png", png((3, 4)))
    found = found_in(file)
    assert sorted(found) == ["two.zip/a (2).png", "two.zip/a.png"]
    read = {name: source.read(LIMITS) for name, source in found.items()}
    assert read == {"two.zip/a.png": png((1, 2)), "two.zip/a (2).png": png((3, 4))}


def test_what_is_not_opened_inside_is_told_beside_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "mixed.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", png())
        archive.writestr("inner.zip", b"PK")
        archive.writestr("letter.docx", b"PK")
        archive.writestr("b.png", png(), zipfile.ZIP_LZMA)
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("locked.png", png())
    data = bytearray(file.read_bytes())
    at = data.rindex(b"locked.png") - 46
    data[at + 8] |= 1
    file.write_bytes(bytes(data))
    told = {name: str(source.problem) for name, source in found_in(file).items()}
    assert told.pop("mixed.zip/a.png") == "None"
    for name, why in (
        ("inner.zip", "an archive inside an archive is not opened; unpack the outer one"),
        ("letter.docx", "an archive inside an archive is not opened; unpack the outer one"),
        ("b.png", "is packed by another method than deflate; unpack the archive"),
        ("link.png", "is a link to another file; unpack the archive"),
        ("locked.png", "is protected by a password; unpack the archive"),
    ):
        assert told.pop(f"mixed.zip/{name}") == f"mixed.zip/{name}: {why}"
    assert not told


def test_limits(tmp_path: Path) -> None:
    many = zipped(tmp_path / "many.zip", {f"{n}.png": b"x" for n in range(5)})
    error = problem_of(many, LIMITS.model_copy(update={"max_members": 4}))
    assert isinstance(error, TooLargeError)
    assert "many.zip: holds more than 4 files (images.max_members" in str(error)
    large = zipped(tmp_path / "large.zip", {"a.bmp": bytes(3 << 20), "b.bmp": bytes(3 << 20)})
    error = problem_of(large, LIMITS.model_copy(update={"max_unpacked": 5}))
    assert isinstance(error, TooLargeError)
    assert "images.max_unpacked" in str(error)
    found = found_in(large, LIMITS.model_copy(update={"max_file": 2}))
    assert {type(source.problem) for source in found.values()} == {TooLargeError}
    bomb = zipped(tmp_path / "bomb.zip", {"a.bmp": bytes(110 << 20)})
    assert "1,000 times its size" in str(problem_of(bomb))


def test_what_a_member_says_of_its_size_is_not_believed(tmp_path: Path) -> None:
    file = zipped(tmp_path / "liar.zip", {"a.bmp": bytes(3 << 20)})
    data = file.read_bytes()
    file.write_bytes(data.replace(struct.pack("<I", 3 << 20), struct.pack("<I", 1000)))
    [source] = discover([str(file)])
    with pytest.raises(UnreadableFileError, match=r"^liar\.zip/a\.bmp: cannot be unpacked"):
        source.read(LIMITS)


def test_an_archive_cut_or_damaged_anywhere_is_told(tmp_path: Path) -> None:
    data = zipped(tmp_path / "a.zip", {"a.png": png(), "b/c.png": png()}).read_bytes()
    file = tmp_path / "cut.zip"
    for at in range(4, len(data), 3):
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]):
            file.write_bytes(damaged)
            for source in discover([str(file)]):
                try:
                    source.read(LIMITS)
                except DocumentError as error:
                    assert str(error).startswith("cut.zip")  # noqa: PT017 - either is right


def test_a_zip_with_the_name_of_an_image_is_told(tmp_path: Path) -> None:
    file = zipped(tmp_path / "scan.jpg", {"a.png": png()})
    with (
        Decoder(LIMITS) as decoder,
        pytest.raises(UnreadableFileError, match=r"^scan\.jpg: is a ZIP archive.*ending \.zip"),
    ):
        decoder.open(found_in(file)["scan.jpg"])
