"""Damaged files by the thousand: each is read or refused, none ends the batch.

    python -m benchmarks.fuzz_intake [--count 20000] [--seed 0]

Small files of every kind that is read are cut off, or some of their bytes changed; everything in
them is then decoded. Told for each kind: files tried, read in spite of it, refused with a sentence,
processes that a decoder took down with it, and what escaped (none should); the slowest file, and the
most memory that a decoding process took.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pypdfium2
import typer
from PIL import Image

from benchmarks.results import publish
from ocr_moe.errors import DocumentError
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.sources import discover

Change = Callable[[bytes, random.Random], bytes]
_LIMITS = ImageLimits(max_pixels=4_000_000, max_pages=20, max_memory=512, max_seconds=10)


def _picture(mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    image = Image.fromarray(noise).resize((160, 120))
    image.paste("white", (20, 20, 140, 60))
    return image.convert(mode)


def _saved(image: Image.Image, kind: str, *more: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    # Copies: an encoder's settings stick to the images that it saved.
    first, *others = (each.copy() for each in (image, *more))
    first.save(stream, kind, save_all=bool(others), append_images=others, **options)
    return stream.getvalue()


def _zipped(inner: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in inner.items():
            archive.writestr(name, data)
    return stream.getvalue()


def _form() -> bytes:
    """A PDF with a filled text field."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R]/DA(/F 12 Tf 0 g)"
        b"/DR<</Font<</F 5 0 R>>>>>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 150]/Annots[4 0 R]/Contents 6 0 R"
        b"/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Type/Annot/Subtype/Widget/FT/Tx/T(n)/V(42)/DA(/F 12 Tf 0 g)/Rect[20 20 120 50]/P 3 0 R>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Length 38>>stream\nBT /F 24 Tf 20 100 Td (Number) Tj ET \nendstream",
    ]
    data = b"%PDF-1.7\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj" % number + body + b"endobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size 7/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(data)
    return data + b"xref\n0 7\n0000000000 65535 f \n" + table + end


def seeds() -> dict[str, bytes]:
    """File name → an undamaged file, of every format and coding that is met."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
    picture = _picture()
    more = (_picture(), _picture("L").convert("RGB"))
    sixteen = Image.fromarray(np.arange(160 * 120, dtype=np.uint16).reshape(120, 160))
    png = _saved(picture, "PNG")
    pdf = pypdfium2.PdfDocument(_saved(picture, "PDF", *more))
    pdf.new_page(300, 200)
    stream = io.BytesIO()
    pdf.save(stream)
    pdf.close()
    return {
        "baseline.jpg": _saved(picture, "JPEG"),
        "progressive.jpg": _saved(picture, "JPEG", progressive=True),
        "cmyk.jpg": _saved(_picture("CMYK"), "JPEG"),
        "plain.png": png,
        "palette.png": _saved(_picture("P"), "PNG"),
        "clear.png": _saved(_picture("RGBA"), "PNG"),
        "sixteen.png": _saved(sixteen, "PNG"),
        "lossy.webp": _saved(picture, "WEBP"),
        "lossless.webp": _saved(picture, "WEBP", lossless=True),
        "moving.webp": _saved(picture, "WEBP", *more),
        "plain.bmp": _saved(picture, "BMP"),
        "plain.dib": _saved(picture, "DIB"),
        "plain.gif": _saved(picture, "GIF"),
        "pages.tif": _saved(picture, "TIFF", *more),
        "lzw.tif": _saved(picture, "TIFF", *more, compression="tiff_lzw"),
        "jpeg.tif": _saved(picture, "TIFF", compression="jpeg"),
        "deflate.tif": _saved(picture, "TIFF", compression="tiff_adobe_deflate"),
        "fax.tif": _saved(_picture("1"), "TIFF", compression="group4"),
        "sixteen.tif": _saved(sixteen, "TIFF"),
        "photo.heic": _saved(picture, "HEIF"),
        "pages.pdf": stream.getvalue(),
        "form.pdf": _form(),
        "scans.zip": _zipped({"a.png": png, "b/c.jpg": _saved(picture, "JPEG")}),
        "scan.docx": _zipped({"[Content_Types].xml": b"<Types/>", "word/media/1.png": png}),
    }


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def flip(data: bytes, chance: random.Random) -> bytes:
    """One to eight bits."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def head(data: bytes, chance: random.Random) -> bytes:
    """A byte of the first 256, or of the last, where headers and directories are."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(min(256, len(data)))
        changed[at if chance.random() < 0.7 else -1 - at] = chance.choice((0, 1, 127, 128, 255))
    return bytes(changed)


def number(data: bytes, chance: random.Random) -> bytes:
    """A number of two or four bytes becomes an extreme one."""
    width = chance.choice((2, 4))
    value = chance.choice(
        (0, 1, (1 << 8 * width - 1) - 1, 1 << 8 * width - 1, (1 << 8 * width) - 1)
    )
    at = chance.randrange(len(data))
    written = value.to_bytes(width, "big")
    return data[:at] + (written if chance.random() < 0.5 else written[::-1]) + data[at + width :]


def run(data: bytes, chance: random.Random) -> bytes:
    """A stretch is left out, doubled, or filled with one byte."""
    start = chance.randrange(len(data))
    end = min(start + chance.randint(1, 200), len(data))
    middle = chance.choice((b"", data[start:end] * 2, chance.choice(b"\0 \xff").to_bytes() * 64))
    return data[:start] + middle + data[end:]


CHANGES: tuple[Change, ...] = (cut, cut, flip, head, number, run)


@dataclass
class Tally:
    """What became of the files of one kind."""

    tried: int = 0
    read: int = 0
    refused: int = 0
    crashed: int = 0
    slowest: float = 0.0
    escaped: list[str] = field(default_factory=list)


def inputs(count: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Name, change and bytes of so many damaged files, kinds in turn."""
    chance = random.Random(seed)
    files = seeds()
    for index in range(count):
        name = list(files)[index % len(files)]
        change = CHANGES[index // len(files) % len(CHANGES)]
        yield name, change.__name__, change(files[name], chance)


def undamaged() -> Iterator[tuple[str, str, bytes]]:
    """What all kinds are before they are changed, like `inputs`."""
    for name, data in seeds().items():
        yield name, "nothing", data


def fuzz(count: int, seed: int) -> dict[str, Tally]:
    """Try so many damaged files; see `tally`."""
    return tally(inputs(count, seed))


def tally(files: Iterable[tuple[str, str, bytes]]) -> dict[str, Tally]:
    """Decode all that is in files (see `inputs`); what became of each kind by its name."""
    tallies: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory() as folder, Decoder(_LIMITS) as decoder:
        for index, (name, change, data) in enumerate(files):
            told = tallies.setdefault(name, Tally())
            file = Path(folder) / name
            file.write_bytes(data)
            start = time.perf_counter()
            try:
                _read_all(file, decoder)
                told.read += 1
            except DocumentError as error:
                told.refused += 1
                told.crashed += "crashed" in str(error)
                if not str(error).startswith(name):
                    told.escaped.append(f"{index} {change}: nameless: {error}")
            except Exception as error:
                told.escaped.append(f"{index} {change}: {type(error).__name__}: {error}")
            told.tried += 1
            told.slowest = max(told.slowest, time.perf_counter() - start)
    return tallies


def _read_all(file: Path, decoder: Decoder) -> None:
    for source in discover([str(file)], limits=decoder.limits):
        with decoder.open(source, source.digest(decoder.limits)) as opened:
            for page in range(1, opened.pages + 1):
                opened.page(page)


def main(count: int = 20_000, seed: int = 0) -> None:
    tallies = fuzz(count, seed)
    print("| kind | tried | read | refused | of these crashed | escaped | slowest (s) |")
    print("|---|---|---|---|---|---|---|")
    for name, tally in tallies.items():
        print(
            f"| {name} | {tally.tried} | {tally.read} | {tally.refused} | {tally.crashed} | "
            f"{len(tally.escaped)} | {tally.slowest:.2f} |"
        )
    escaped = [f"{name} {what}" for name, tally in tallies.items() for what in tally.escaped]
    tried = sum(tally.tried for tally in tallies.values())
    publish(
        "fuzz_intake",
        {
            name: {
                "tried": tally.tried,
                "read": tally.read,
                "refused": tally.refused,
                "crashed": tally.crashed,
                "escaped": list(tally.escaped),
                "slowest_seconds": tally.slowest,
            }
            for name, tally in tallies.items()
        },
        [f"{tried:,} tried, {len(escaped)} escaped{_memory()}"],
    )
    for what in escaped[:20]:
        print(what)
    if escaped:
        raise typer.Exit(1)


def _memory() -> str:
    if sys.platform == "win32":
        return ""
    import resource

    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return f"; most memory of a decoding process {most / 1024:,.0f} MiB"


if __name__ == "__main__":
    typer.run(main)
