"""From paths to pages: finding input files, and decoding them to upright RGB pixels.

Handles JPEG, PNG, WebP, BMP, GIF (first frame), TIFF and PDF (every page) and HEIC; what a file is
decides its content, not its name.
"""

from __future__ import annotations

import glob
import hashlib
import io
import os
import threading
import warnings
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from PIL import Image, ImageOps, UnidentifiedImageError

from ocr_moe.errors import DocumentError, TooLargeError, UnreadableFileError, UsageError
from ocr_moe.types import Value

SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "gif"),
        *("tif", "tiff", "pdf", "heic", "heif", "hif"),
    )
)
"""What is picked up from folders; a file named directly is always tried."""

_PDFIUM = threading.Lock()  # PDFium is not thread-safe


class ImageLimits(Value):
    """How files are decoded, and what is refused."""

    dpi: int = 200
    """Resolution at which PDF pages are rendered."""
    max_pixels: int = 120_000_000
    """Pixels a page may have (a decompression bomb has more)."""
    max_pages: int = 500
    """Pages a file may have."""


@dataclass(frozen=True)
class Source:
    """An input file and the name under which it stands in the records."""

    file: Path
    name: str


def discover(paths: Sequence[str], listing: IO[str] | None = None) -> list[Source]:
    """The files behind the PATHs: files, folders (walked), globs, or `-` (one path a line of `listing`).

    Names are relative to the PATH given, and to the common parent where two would be the same.
    Sorted by name. Raises UsageError when a PATH does not exist or nothing is found.
    """
    found: dict[Path, str] = {}
    for path in _expand(paths, listing):
        if path.is_dir():
            for file in _walk(path):
                found.setdefault(file.absolute(), file.relative_to(path).as_posix())
        elif path.exists():
            found.setdefault(path.absolute(), path.name)
        else:
            raise UsageError(f"{path}: there is no such file or folder")
    if not found:
        where = ", ".join(paths) or "nothing"
        raise UsageError(f"{where}: no images found (looked for {' '.join(sorted(SUFFIXES))})")
    if len(set(found.values())) < len(found):
        parent = Path(os.path.commonpath([file.parent for file in found]))
        found = {file: file.relative_to(parent).as_posix() for file in found}
    return sorted(
        (Source(file, _printable(name)) for file, name in found.items()), key=lambda s: s.name
    )


def _printable(name: str) -> str:
    """A name that can be written as UTF-8, whatever bytes the file system holds."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _expand(paths: Sequence[str], listing: IO[str] | None) -> Iterable[Path]:
    for text in paths:
        if text == "-":
            if listing is None:
                raise UsageError("-: a list of paths is expected on standard input")
            yield from (Path(line.strip()) for line in listing if line.strip())
        elif not Path(text).exists() and glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=True))
            if not matches:
                raise UsageError(f"{text}: the pattern matches no file")
            yield from (Path(match) for match in matches)
        else:
            yield Path(text)


def _walk(folder: Path) -> Iterable[Path]:
    for parent, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith((".", "~$")) and Path(name).suffix.lower() in SUFFIXES:
                yield Path(parent) / name


def digest(file: Path) -> str:
    """SHA-256 of a file's bytes. Raises UnreadableFileError."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFileError(f"{file.name}: cannot be read ({error.strerror})") from error


class ImageFile(AbstractContextManager["ImageFile"]):
    """An opened file of one or more pages.

    Raises UnreadableFileError or TooLargeError, on opening or when a page is rendered.
    """

    def __init__(self, file: Path, limits: ImageLimits) -> None:
        self._name = file.name
        self._limits = limits
        try:
            data = file.read_bytes()
        except OSError as error:
            raise UnreadableFileError(f"{file.name}: cannot be read ({error.strerror})") from error
        if not data:
            raise UnreadableFileError(f"{file.name}: the file is empty")
        self._pdf: Any = None
        self._image: Image.Image | None = None
        if data[:1024].lstrip()[:5] == b"%PDF-":
            self._open_pdf(data)
        else:
            self._open_image(data)
        if self.pages > limits.max_pages:
            self.close()
            raise TooLargeError(
                f"{self._name}: {self.pages} pages, the limit is {limits.max_pages} "
                "(images.max_pages in the configuration)"
            )

    pages: int

    def page(self, number: int) -> Image.Image:
        """The RGB pixels of a page (from 1), EXIF orientation obeyed."""
        if self._pdf is not None:
            return self._render(number)
        assert self._image is not None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
                self._image.seek(number - 1)
                self._check_size(self._image.width, self._image.height)
                self._image.load()
                return to_rgb(ImageOps.exif_transpose(self._image))
        except DocumentError:
            raise
        except Exception as error:  # decoders raise whatever they like on damaged files
            raise UnreadableFileError(
                f"{self._name}: damaged or cut off ({_first_line(error)})"
            ) from error

    def close(self) -> None:
        if self._pdf is not None:
            with _PDFIUM:
                self._pdf.close()
        if self._image is not None:
            self._image.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open_image(self, data: bytes) -> None:
        _register_heif()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                self._image = Image.open(io.BytesIO(data))
        except Image.DecompressionBombError as error:
            raise self._too_large(_first_line(error)) from error
        except UnidentifiedImageError as error:
            raise UnreadableFileError(
                f"{self._name}: not an image or PDF, or too damaged to tell"
            ) from error
        except Exception as error:
            raise UnreadableFileError(
                f"{self._name}: damaged or cut off ({_first_line(error)})"
            ) from error
        self._check_size(self._image.width, self._image.height)
        many = self._image.format == "TIFF"
        self.pages = int(getattr(self._image, "n_frames", 1)) if many else 1

    def _open_pdf(self, data: bytes) -> None:
        import pypdfium2

        try:
            with _PDFIUM:
                self._pdf = pypdfium2.PdfDocument(data)
                self.pages = len(self._pdf)
        except pypdfium2.PdfiumError as error:
            text = str(error)
            what = (
                "protected by a password; save it without one"
                if "password" in text.lower()
                else f"damaged or cut off ({text})"
            )
            raise UnreadableFileError(f"{self._name}: the PDF is {what}") from error
        if self.pages == 0:
            raise UnreadableFileError(f"{self._name}: the PDF has no pages")

    def _render(self, number: int) -> Image.Image:
        import pypdfium2

        scale = self._limits.dpi / 72
        try:
            with _PDFIUM:
                page = self._pdf[number - 1]
                width, height = page.get_size()
                self._check_size(width * scale, height * scale)
                image: Image.Image = page.render(scale=scale).to_pil()
                page.close()
        except pypdfium2.PdfiumError as error:
            raise UnreadableFileError(
                f"{self._name}: page {number} of the PDF cannot be rendered ({error})"
            ) from error
        return to_rgb(image)

    def _check_size(self, width: float, height: float) -> None:
        if width * height > self._limits.max_pixels:
            raise self._too_large(f"{width:.0f} × {height:.0f} pixels")

    def _too_large(self, what: str) -> TooLargeError:
        return TooLargeError(
            f"{self._name}: {what}, the limit is {self._limits.max_pixels:,} pixels "
            "(images.max_pixels in the configuration)"
        )


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of an image in any mode; transparency becomes white paper."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
        import numpy as np

        values = np.asarray(image).astype(np.float32)
        top = float(values.max(initial=0.0))
        scale = 255.0 if top <= 1.0 else 1.0 if top <= 255.0 else 1 / 257.0
        image = Image.fromarray((values * scale).clip(0, 255).astype(np.uint8), mode=None)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(paper, layer)
    return image.convert("RGB")


def _register_heif() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
