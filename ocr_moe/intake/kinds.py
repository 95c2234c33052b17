"""What a file is, by its first bytes. Decoders are chosen here, never by the file's name."""

from __future__ import annotations

import re

IMAGES = frozenset({"JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "HEIF"})
"""Pillow's names of the formats that are read."""

_HEAD = 4096
_DIB_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
_HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
)
_AS_IMAGE = "save it as PNG, JPEG or PDF"
_UNPACK = "unpack it and name what is inside"
_OTHERS: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), what, remedy)
    for pattern, what, remedy in (
        (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript", "save it as PDF"),
        (rb"8BPS", "a Photoshop file", _AS_IMAGE),
        (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 image", _AS_IMAGE),
        (rb"\0\0\0\x0cJXL |\xff\x0a", "a JPEG XL image", _AS_IMAGE),
        (rb"\x97JB2", "a JBIG2 image", _AS_IMAGE),
        (rb"\0\0\x01\0|\0\0\x02\0", "an icon", _AS_IMAGE),
        (rb"P[1-7][\s]", "a PNM image", _AS_IMAGE),
        (rb"AT&TFORM", "a DjVu file", "save it as PDF"),
        (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "a Windows metafile", _AS_IMAGE),
        (rb"(CAJ|HN\0|KDH)", "a CAJ file", "print it to PDF"),
        (rb"Rar!", "a RAR archive", _UNPACK),
        (rb"7z\xbc\xaf", "a 7z archive", _UNPACK),
        (rb"\x1f\x8b|BZh|\xfd7zXZ|.{257}ustar", "an archive", _UNPACK),
        (
            rb"PK[\x03\x05\x07]",
            "a ZIP archive or Office document",
            "give it the ending .zip or .docx",
        ),
        (rb"\xd0\xcf\x11\xe0", "an Office document of the old format", "save it as PDF"),
        (rb"\{\\rtf", "an RTF document", "save it as PDF"),
        (rb".{4}ftyp", "a video", "save its picture as PNG or JPEG"),
        (rb"(?i)\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!doctype svg|<svg)", "SVG", _AS_IMAGE),
        (rb"(?i)\s*<(!doctype html|html|head|body)", "a web page", "fetch the image itself"),
    )
)


def kind_of(data: bytes) -> str | None:
    """One of IMAGES, `PDF`, or None for what is not read."""
    if data[:1024].lstrip()[:5] == b"%PDF-" or b"%PDF-" in data[:1024]:
        return "PDF"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if data.startswith(b"BM"):
        return "BMP"
    if data[4:8] == b"ftyp":
        return "HEIF" if _brands(data) & _HEIF_BRANDS and not _is_avif(data) else None
    if int.from_bytes(data[:4], "little") in _DIB_HEADERS and data[12:14] == b"\1\0":
        return "DIB"
    return None


def refusal(name: str, data: bytes) -> str:
    """A sentence on a file that is not read: what it is, and what to do."""
    head = data[:_HEAD]
    if _is_avif(head):
        return f"{name}: is an AVIF image, which is not read; {_AS_IMAGE}"
    for pattern, what, remedy in _OTHERS:
        if pattern.match(head):
            return f"{name}: is {what}, which is not read; {remedy}"
    return f"{name}: not an image or PDF, or too damaged to tell; {_AS_IMAGE}"


def _brands(data: bytes) -> set[bytes]:
    size = min(int.from_bytes(data[:4], "big"), 256)
    return {data[8:12], *(data[at : at + 4] for at in range(16, size, 4))}


def _is_avif(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and not _brands(data).isdisjoint((b"avif", b"avis"))


def is_plain(data: bytes, kind: str, most: int) -> bool:
    """Whether the header promises a JPEG, PNG or WebP that decodes fast and within 12 bytes a pixel.

    `most` is the number of pixels that it may have. A progressive JPEG keeps all of its
    coefficients, and each of its scans goes over the whole image.
    """
    if not 0 < pixels_of(data, kind) <= most:
        return False
    if kind == "PNG":
        return data[24:25] != b"\x10"  # not of 16 bits
    return kind == "WEBP" or data.count(b"\xff\xda") <= _MAX_SCANS


def pixels_of(data: bytes, kind: str) -> int:
    """Pixels of a JPEG, PNG or WebP by its header; 0 where that says nothing, and of other kinds."""
    if kind == "PNG" and data[12:16] == b"IHDR":
        return int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big")
    if kind == "JPEG":
        return _jpeg_pixels(data)
    return _webp_pixels(data) if kind == "WEBP" else 0


_MAX_SCANS = 20
"""Encoders write 1 scan, or about 10 when progressive."""


def _webp_pixels(data: bytes) -> int:
    """Pixels by the first chunk's header, or 0 where it is none."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        sides = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif chunk == b"VP8L":
        packed = int.from_bytes(data[21:25], "little")
        sides = ((packed >> shift & 0x3FFF) + 1 for shift in (0, 14))
    elif chunk == b"VP8 ":
        sides = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    else:
        return 0
    width, height = sides
    return width * height


def _jpeg_pixels(data: bytes) -> int:
    """Pixels by the first frame header, or 0 where there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (5, 7))
            return width * height
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0
