"""Scans inside a ZIP archive or an Office document: which there are, and their bytes.

Nothing is unpacked to the disk. What a member says of itself is not believed: its bytes are counted
while they are read.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, NamedTuple

from ocr_moe.errors import DocumentError, TooLargeError, UnreadableFileError
from ocr_moe.intake.bounds import frontier
from ocr_moe.intake.limits import MIB, ImageLimits

SUFFIXES = frozenset({".zip", ".docx", ".pptx"})
"""What is picked up from folders, and opened."""

_MEDIA = ("word/media/", "ppt/media/", "xl/media/", "Pictures/")
"""Where Office documents keep their pictures."""
_VECTOR = frozenset({".emf", ".wmf", ".svg", ".bin", ".xml"})
"""What stands among them and is no scan."""
_ARCHIVES = frozenset({*SUFFIXES, ".rar", ".7z", ".gz", ".tar", ".tgz", ".ofd", ".xlsx"})
_MAX_RATIO = 1_000
"""Times its packed size that a large archive may unpack to; a flate bomb has about 1,030."""
_SMALL = 100 * MIB
"""Unpacked size up to which the ratio does not matter."""
_CODE_UTF8, _CODE_ENCRYPTED = 0x800, 0x1
_UNICODE_PATH = 0x7075
_ENTRY_BYTES = 46 + 1024
"""What an entry of the directory may take with its name, on average."""
_CHUNK = 1 << 20
_DAMAGED = "the archive is damaged or cut off"


class Member(NamedTuple):
    """A file inside: its place in the archive's directory, its name, and why it is not read."""

    place: int
    name: str
    problem: DocumentError | None = None


def is_container(head: bytes) -> bool:
    return head.startswith((b"PK\3\4", b"PK\5\6"))


def list_members(
    stream: IO[bytes], name: str, scans: frozenset[str], limits: ImageLimits
) -> list[Member]:
    """The scans in an archive by the name `name`, sorted; `scans` are the endings of such.

    Raises UnreadableFileError or TooLargeError where the archive as a whole is no good.
    """
    with frontier(name, _DAMAGED), _opened(stream, name, limits) as archive:
        infos = [(i, info) for i, info in enumerate(archive.infolist()) if not info.is_dir()]
        return sorted(_members(infos, name, scans, limits), key=lambda member: member.name)


def holds(stream: IO[bytes], name: str, inner: str, limits: ImageLimits) -> bool:
    """Whether an archive has a file of that very name. Raises as `list_members` does."""
    with frontier(name, _DAMAGED), _opened(stream, name, limits) as archive:
        return inner in archive.namelist()


def read_member(stream: IO[bytes], name: str, place: int, limits: ImageLimits) -> bytes:
    """The bytes of a member, which `name` names. Raises UnreadableFileError or TooLargeError."""
    with frontier(name, "cannot be unpacked"), _opened(stream, name, limits) as archive:
        most = limits.max_file * MIB
        unpacked = io.BytesIO()
        with archive.open(archive.infolist()[place]) as member:
            while chunk := member.read(_CHUNK):
                if unpacked.tell() + len(chunk) > most:
                    raise too_large(name, limits)
                unpacked.write(chunk)
        return unpacked.getvalue()


def _opened(stream: IO[bytes], name: str, limits: ImageLimits) -> zipfile.ZipFile:
    """The archive, its directory being of a bearable size before it is read."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(size - (1 << 16) - 22, 0))
    tail = stream.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise UnreadableFileError(f"{name}: the archive is cut off; copy it again")
    count, directory = struct.unpack("<H I", tail[at + 10 : at + 16])
    if count > limits.max_members or directory > limits.max_members * _ENTRY_BYTES:
        raise TooLargeError(
            f"{name}: holds more than {limits.max_members:,} files (images.max_members in the "
            "configuration); split it or unpack it"
        )
    stream.seek(0)
    return zipfile.ZipFile(stream)


def _members(
    infos: list[tuple[int, zipfile.ZipInfo]],
    name: str,
    scans: frozenset[str],
    limits: ImageLimits,
) -> Iterator[Member]:
    names = [_safe(_name_of(info)) for _, info in infos]
    if name.lower().endswith(".ofd") or any(PurePosixPath(n).name == "OFD.xml" for n in names):
        raise UnreadableFileError(
            f"{name}: is an OFD document, which is not read; open it in an OFD reader (WPS, "
            "数科, 福昕) and export it as PDF"
        )
    unpacked = sum(info.file_size for _, info in infos)
    packed = sum(info.compress_size for _, info in infos)
    if unpacked > limits.max_unpacked * MIB or (
        unpacked > _SMALL and unpacked > _MAX_RATIO * packed
    ):
        raise TooLargeError(
            f"{name}: unpacks from {packed / MIB:,.1f} to {unpacked / MIB:,.0f} MiB, the limit is "
            f"{limits.max_unpacked:,} (images.max_unpacked in the configuration) and "
            f"{_MAX_RATIO:,} times its size; split it or unpack it"
        )
    media = next((m for m in _MEDIA if any(n.startswith(m) for n in names)), None)
    office = media is not None or "[Content_Types].xml" in names
    found = False
    for (place, info), inner in zip(infos, names, strict=True):
        path = PurePosixPath(inner)
        suffix = path.suffix.lower()
        if office:
            wanted = media is not None and inner.startswith(media) and suffix not in _VECTOR
        else:
            hidden = any(part.startswith((".", "~$", "__MACOSX")) for part in path.parts)
            wanted = not hidden and (suffix in scans or suffix in _ARCHIVES)
        if wanted:
            found = True
            yield Member(place, inner, _problem(info, f"{name}/{inner}", limits))
    if not found:
        raise UnreadableFileError(
            f"{name}: holds no scans ({'pictures' if office else 'images or PDFs'}); "
            "leave it out, or save what it shows as PDF"
        )


def _problem(info: zipfile.ZipInfo, name: str, limits: ImageLimits) -> DocumentError | None:
    why = None
    if PurePosixPath(name).suffix.lower() in _ARCHIVES:
        why = "an archive inside an archive is not opened; unpack the outer one"
    elif info.flag_bits & _CODE_ENCRYPTED:
        why = "is protected by a password; unpack the archive"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        why = "is packed by another method than deflate; unpack the archive"
    elif stat.S_ISLNK(info.external_attr >> 16):
        why = "is a link to another file; unpack the archive"
    elif info.file_size > limits.max_file * MIB:
        return too_large(name, limits)
    return None if why is None else UnreadableFileError(f"{name}: {why}")


def too_large(name: str, limits: ImageLimits) -> TooLargeError:
    """On a file of too many bytes."""
    return TooLargeError(
        f"{name}: has more than {limits.max_file:,} MiB (images.max_file in the configuration); "
        "save it smaller or raise the limit"
    )


def _name_of(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: in UTF-8 where it says so or is, else in GBK."""
    if info.flag_bits & _CODE_UTF8:
        return info.filename
    try:
        raw = info.orig_filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename
    for encoding in ("utf-8", "gb18030"):
        try:
            name = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return _unicode_path(info.extra, raw) or name
    return _unicode_path(info.extra, raw) or info.filename


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Info-ZIP's field with the name in UTF-8 (APPNOTE 4.6.9), where it is about this name."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and body[1:5] == struct.pack("<I", zlib.crc32(raw)):
            return body[5:].decode("utf-8", "replace")
    return None


def _safe(name: str) -> str:
    """The name as a relative path without steps upwards, writable as UTF-8."""
    name = name.split("\0")[0].replace("\\", "/").encode("utf-8", "replace").decode()
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "_"
