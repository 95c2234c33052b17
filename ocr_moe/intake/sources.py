"""From PATHs to input files: folders, lists, globs and archives gone through, names made readable.

A thing that cannot be read is a source too, with the reason: it gets a record that says so.
"""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

from ocr_moe.errors import DocumentError, UnreadableFileError, UsageError
from ocr_moe.intake import containers
from ocr_moe.intake.limits import MIB, ImageLimits
from ocr_moe.intake.lists import read_list

SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "gif"),
        *("tif", "tiff", "pdf", "heic", "heif", "hif"),
    )
)
"""What is picked up from folders and archives; a file named directly is always tried."""

_TOLD = frozenset({".ofd", ".rar", ".7z"})
"""Picked up as well, for they hold scans: they are not read, and that is told."""
_PICKED = SUFFIXES | containers.SUFFIXES | _TOLD
_NONBLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MISSING = "there is no such file or folder"
_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


@dataclass(frozen=True)
class Source:
    """An input file, or a member of an archive, and the name under which it stands in the records."""

    file: Path
    name: str
    member: int | None = None
    """Its place in the directory of the archive `file`."""
    problem: DocumentError | None = None
    """Why it cannot be read, where that is known before it is opened."""

    def read(self, limits: ImageLimits) -> bytes:
        """Its bytes. Raises UnreadableFileError or TooLargeError."""
        with self._stream(limits) as stream:
            if self.member is not None:
                return containers.read_member(stream, self.name, self.member, limits)
            try:
                data = stream.read(limits.max_file * MIB + 1)
            except OSError as error:
                raise _unreadable(self.name, error) from error
        if len(data) > limits.max_file * MIB:
            raise containers.too_large(self.name, limits)
        return data

    def digest(self, limits: ImageLimits) -> str:
        """SHA-256 of its bytes. Raises UnreadableFileError or TooLargeError."""
        if self.member is not None:
            return hashlib.sha256(self.read(limits)).hexdigest()
        with self._stream(limits) as stream:
            try:
                return hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise _unreadable(self.name, error) from error

    def locate(self) -> str | list[str | int]:
        """Where it is, as JSON; see `located`."""
        return str(self.file) if self.member is None else [str(self.file), self.member]

    def _stream(self, limits: ImageLimits) -> BufferedReader:
        if self.problem is not None:
            raise type(self.problem)(str(self.problem))
        stream = _open(self.file, self.name)
        if self.member is None and os.fstat(stream.fileno()).st_size > limits.max_file * MIB:
            stream.close()
            raise containers.too_large(self.name, limits)
        return stream


def located(name: str, place: str | list[str | int]) -> Source:
    """The source that `Source.locate` told of."""
    if isinstance(place, str):
        return Source(Path(place), name)
    return Source(Path(str(place[0])), name, int(place[1]))


def discover(
    paths: Sequence[str], listing: IO[Any] | None = None, limits: ImageLimits | None = None
) -> list[Source]:
    """What is behind the PATHs: files, folders (walked), globs, or `-` (one path a line of `listing`).

    ZIP archives and Office documents are opened: each scan in them is a source by itself. Names are
    relative to the PATH given, and to the common parent where two would be the same. Sorted by
    name. What is missing, or no regular file, is a source with a problem. Raises UsageError when
    there is nothing else.
    """
    limits = limits or ImageLimits()
    search = _Search()
    for text in paths:
        if text != "-":
            search.add(text)
        elif listing is None:
            raise UsageError("-: a list of paths is expected on standard input")
        else:
            search.add_list(listing)
    if not search.found:
        if search.problems:
            raise UsageError("; ".join(map(str, [*search.problems.values()][:5])))
        where = ", ".join(map(readable, paths)) or "nothing"
        looked = " ".join(sorted(SUFFIXES | containers.SUFFIXES))
        raise UsageError(f"{where}: no images found (looked for {looked})")
    sources = [
        Source(Path(name), name, problem=problem) for name, problem in search.problems.items()
    ]
    for file, name in _named(search.found).items():
        sources += _opened(Source(file, readable(name)), limits)
    return _told_apart(sources)


def under_names(files: Sequence[tuple[Path, str]], limits: ImageLimits) -> list[Source]:
    """Files under names that others gave them, which are labels and no paths. Sorted by name.

    ZIP archives and Office documents are opened as by `discover`; whether a file is one, its bytes
    say. Names that are the same get a number, in the order of the files' own.
    """
    return _told_apart(
        [each for file, name in files for each in _opened(Source(file, readable(name)), limits)]
    )


class _Search:
    """What was found behind PATHs, and what was not."""

    def __init__(self) -> None:
        self.found: dict[Path, str] = {}
        """Absolute path → name relative to the PATH."""
        self.problems: dict[str, DocumentError] = {}
        """Readable name → why it is passed over."""

    def add(self, text: str) -> None:
        """A path or a glob."""
        if _exists(text):
            self._add_path(Path(text))
        elif glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=True))
            if not matches:
                self._note(text, "the pattern matches no file")
            for match in matches:
                self._add_path(Path(match))
        else:
            self._note(text, _absence(text))

    def add_list(self, listing: IO[Any]) -> None:
        data = getattr(listing, "buffer", listing).read()
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        for candidates in read_list(data):
            text = next(filter(_exists, candidates), None)
            if text is None:
                text = candidates[0].strip()
                self._note(text, _absence(text))
            else:
                self._add_path(Path(text))

    def _add_path(self, path: Path) -> None:
        if path.is_dir():
            for parent, folders, files in os.walk(path, onerror=self._note_folder):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                for name in sorted(files):
                    file = Path(parent) / name
                    if not name.startswith((".", "~$")) and file.suffix.lower() in _PICKED:
                        self._add_file(file, file.relative_to(path).as_posix())
        else:
            self._add_file(path, path.name)

    def _add_file(self, file: Path, name: str) -> None:
        try:
            mode = file.stat().st_mode
        except OSError as error:
            self._note(str(file), _why(error))
            return
        if stat.S_ISREG(mode):
            self.found.setdefault(file.absolute(), name)
        else:
            self._note(str(file), f"{_what(mode)}, no file; it was skipped")

    def _note_folder(self, error: OSError) -> None:
        where = os.fsdecode(error.filename)
        self._note(where, f"the folder cannot be listed ({error.strerror}); make it readable")

    def _note(self, text: str, why: str) -> None:
        name = readable(text)
        self.problems.setdefault(name, UnreadableFileError(f"{name}: {why}"))


def _exists(text: str) -> bool:
    """Whether there is anything by that path, a dangling link included."""
    try:
        os.lstat(text)
    except (OSError, ValueError):  # too long, or with characters that no path has
        return False
    return True


def _absence(text: str) -> str:
    """Why there is nothing by that path."""
    try:
        os.lstat(text)
    except PermissionError as error:
        return _why(error)
    except (OSError, ValueError):
        pass
    return _MISSING


def _named(found: dict[Path, str]) -> dict[Path, str]:
    """Names that tell the files apart: from the PATHs given, else from their common parent."""
    if len(set(found.values())) == len(found):
        return found
    parent = Path(os.path.commonpath([file.parent for file in found]))
    return {file: file.relative_to(parent).as_posix() for file in found}


def _opened(source: Source, limits: ImageLimits) -> list[Source]:
    """The scans in an archive; the source itself where it is none."""
    if source.file.suffix.lower() in SUFFIXES:
        return [source]
    try:
        with _open(source.file, source.name) as stream:
            try:
                head = stream.read(4)
            except OSError as error:
                raise _unreadable(source.name, error) from error
            if not containers.is_container(head):
                return [source]
            members = containers.list_members(stream, source.name, SUFFIXES, limits)
    except DocumentError as error:
        return [replace(source, problem=error)]
    return [
        Source(source.file, f"{source.name}/{member.name}", member.place, member.problem)
        for member in members
    ]


def _told_apart(sources: list[Source]) -> list[Source]:
    """Sorted by name; names that bytes of two kinds spell alike get a number."""
    ordered = sorted(sources, key=lambda s: (s.name, str(s.file), s.member or 0))
    taken = Counter(source.name for source in ordered)
    if len(taken) == len(ordered):
        return ordered
    unique: dict[str, Source] = {}
    for source in ordered:
        name, number = source.name, 1
        while name in unique or (number > 1 and name in taken):
            number += 1
            folder, _, last = source.name.rpartition("/")
            stem, suffix = os.path.splitext(last)
            name = f"{folder}/{stem} ({number}){suffix}".lstrip("/")
        unique[name] = replace(source, name=name)
    return sorted(unique.values(), key=lambda source: source.name)


def readable(name: str) -> str:
    """A path that can be written as UTF-8, whatever bytes the file system holds.

    Parts that are not UTF-8 are taken for GBK, as Chinese Windows programs wrote them.
    """
    return "/".join(map(_readable_part, name.split("/")))


def _readable_part(part: str) -> str:
    try:
        raw = part.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a character: from Windows, where names are UTF-16
        raw = part.encode("utf-8", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")


def _open(file: Path, name: str) -> BufferedReader:
    """A regular file, opened without waiting for anybody. Raises UnreadableFileError."""
    try:
        descriptor = os.open(file, os.O_RDONLY | _NONBLOCKING)
    except OSError as error:
        raise _unreadable(name, error) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise UnreadableFileError(f"{name}: {_what(mode)}, no file; it was skipped")
    return os.fdopen(descriptor, "rb")


def _unreadable(name: str, error: OSError) -> UnreadableFileError:
    return UnreadableFileError(f"{name}: {_why(error)}")


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{_MISSING} any more; run again with --update"
    return f"cannot be read ({error.strerror}); make it readable"


def _what(mode: int) -> str:
    return next((what for test, what in _KINDS if test(mode)), "a special thing")


def digest(file: Path) -> str:
    """SHA-256 of a file's bytes. Raises UnreadableFileError."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(readable(file.name), error) from error
