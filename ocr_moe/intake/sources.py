"""From PATHs to input files: folders, lists, globs and archives gone through, names made readable.

A thing that cannot be read is a source too, with the reason: it gets a record that says so.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, takewhile
from pathlib import Path
from typing import IO, Any

from ocr_moe.errors import DocumentError, UnreadableFileError, UsageError
from ocr_moe.formats.names import readable as readable
from ocr_moe.intake import containers
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.listing import Found, Listing, listing_of
from ocr_moe.intake.lists import read_list
from ocr_moe.intake.source import MISSING, File, open_file, state_of, unreadable, what_is, why
from ocr_moe.intake.source import Source as Source
from ocr_moe.intake.source import digest as digest
from ocr_moe.intake.source import located as located
from ocr_moe.intake.texts import documents, items
from ocr_moe.remote.filesystems import (
    RemoteError,
    files_behind,
    is_url,
    local_path,
    shown,
)

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
_HIDDEN = (".", "~$")
_DEEP = 200
"""Folders within folders that are held open at once; what is below is listed folder by folder."""


def discover(
    paths: Sequence[str], listing: IO[Any] | None = None, limits: ImageLimits | None = None
) -> Listing:
    """What is behind the PATHs: files, folders (walked), globs, URLs, or `-` (one path a line of
    `listing`).

    ZIP archives and Office documents are opened: each scan in them is a source by itself, and so is each
    item of a JSON, JSONL or CSV file. Texts are read where they are named: a folder of scans may hold
    sheets and notes, which are none. Names are
    relative to the PATH given, and to the common parent where two would be the same. Sorted by
    name, few in memory. What is missing, or no regular file, is a source with a problem. Raises
    UsageError when there is nothing else.
    """
    limits = limits or ImageLimits()
    if "-" in paths and listing is None:
        raise UsageError("-: a list of paths is expected on standard input")
    found = Listing()
    search = _Search(found.note)
    found.find(search.files(paths, listing))
    if found.is_empty():
        if problems := found.problems(5):
            raise UsageError("; ".join(problems))
        where = ", ".join(readable(shown(path)) for path in paths) or "nothing"
        looked = " ".join(sorted(SUFFIXES | containers.SUFFIXES))
        texts = " ".join(sorted(items.SUFFIXES | documents.SUFFIXES))
        raise UsageError(
            f"{where}: no images found (looked for {looked}; texts are read where they are named, "
            f"such as folder/*.txt: {texts})"
        )
    # Within one folder names differ; only where several things were named they need not.
    above = _common(found.files()) if search.places > 1 and found.is_ambiguous() else None

    def opened(each: Found) -> Iterable[Source]:
        name = each.name if above is None else _below(each.file, above)
        return _opened(Source(each.file, readable(name), state=each.state), limits)

    found.fill(opened)
    return found


def under_names(files: Sequence[tuple[Path, str]], limits: ImageLimits) -> list[Source]:
    """Files under names that others gave them, which are labels and no paths. Sorted by name.

    ZIP archives and Office documents are opened as by `discover`; whether a file is one, its bytes
    say. Names that are the same get a number, in the order of the files' own.
    """
    sources = (
        each for file, name in files for each in _opened(Source(file, readable(name)), limits)
    )
    return list(listing_of(sources))


class _Search:
    """Goes through PATHs; `note` is told by a readable name what cannot be had, and why."""

    def __init__(self, note: Callable[[str, str], None]) -> None:
        self._tell = note
        self._folder = os.getcwd()
        self.places = 0
        """How many files, folders and URLs were named, at the least."""

    def files(self, paths: Iterable[str], listing: IO[Any] | None) -> Iterator[Found]:
        """The scans behind PATHs, `-` being those that a list names."""
        for text in paths:
            if text == "-" and listing is not None:
                yield from self._listed(listing)
            elif _exists(text):
                yield from self._at_path(text)
            elif is_url(text):
                yield from self._at_url(text)
            elif glob.has_magic(text):
                matches = glob.iglob(text, recursive=True)
                first = next(matches, None)
                if first is None:
                    self._note(text, "the pattern matches no file")
                else:
                    for match in chain([first], matches):
                        yield from self._at_path(match)
            else:
                self._note(text, _absence(text))

    def _listed(self, listing: IO[Any]) -> Iterator[Found]:
        for candidates in read_list(getattr(listing, "buffer", listing)):
            text = next((each for each in candidates if is_url(each) or _exists(each)), None)
            if text is None:
                text = candidates[0].strip()
                self._note(text, _absence(text))
            elif is_url(text):
                yield from self._at_url(text.strip())
            else:
                yield from self._at_path(text)

    def _at_path(self, path: str) -> Iterator[Found]:
        self.places += 1
        plain = str(Path(path))
        if os.path.isdir(plain):
            yield from self._walk(plain)
        else:
            yield from self._file(plain, os.path.basename(plain), None)

    def _at_url(self, url: str) -> Iterator[Found]:
        path = local_path(url)
        if path is not None and _exists(path):
            yield from self._at_path(path)
        elif path is not None:
            self._note(path, _absence(path))
        else:
            self.places += 2 if glob.has_magic(url) else 1  # a pattern may match in many folders
            try:
                yield from _picked(url)
            except RemoteError as error:
                self._note(shown(url), why(error))

    def _walk(self, top: str) -> Iterator[Found]:
        """The scans below a folder, in the order in which the file system has them.

        Links to folders are not followed, links to files are.
        """
        within = len(os.path.join(top, ""))
        open_folders = [self._entries(top, 0)]
        while open_folders:
            entry = next(open_folders[-1], None)
            if entry is None:
                open_folders.pop()
            elif entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    open_folders.append(self._entries(entry.path, len(open_folders)))
            elif not entry.name.startswith(_HIDDEN) and _suffix(entry.name) in _PICKED:
                name = entry.path[within:].replace(os.sep, "/")
                yield from self._file(entry.path, name, entry)

    def _entries(self, folder: str, depth: int) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                if depth < _DEEP:
                    yield from entries
                    return
                listed = list(entries)
            yield from listed
        except OSError as error:
            where = os.fsdecode(error.filename or folder)
            self._note(where, f"the folder cannot be listed ({error.strerror}); make it readable")

    def _file(self, path: str, name: str, entry: os.DirEntry[str] | None) -> Iterator[Found]:
        try:
            status = os.stat(path) if entry is None else entry.stat()
        except OSError as error:
            self._note(path, why(error))
            return
        if stat.S_ISREG(status.st_mode):
            yield Found(Path(self._folder, path), name, state_of(status))
        else:
            self._note(path, f"{what_is(status.st_mode)}, no file; it was skipped")

    def _note(self, text: str, reason: str) -> None:
        name = readable(text)
        self._tell(name, f"{name}: {reason}")


def _picked(url: str) -> Iterator[Found]:
    """The scans behind a URL; a file that is named itself is one in any case."""
    for file, name, state in files_behind(url):
        hidden = any(part.startswith(_HIDDEN) for part in name.split("/"))
        if file.url == url or (not hidden and _suffix(name) in _PICKED):
            yield Found(file, name, state)


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
        return why(error)
    except (OSError, ValueError):
        pass
    return MISSING


def _common(files: Iterable[Found]) -> tuple[str, ...]:
    """The parts of the path that all files lie below; none, where they are on several drives or
    storages."""
    common: tuple[str, ...] | None = None
    for each in files:
        parent = each.file.parts[:-1]
        common = parent if common is None else _shared(common, parent)
    return common or ()


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return tuple(part for part, _ in alike)


def _below(file: File, above: tuple[str, ...]) -> str:
    """The name of a file from a folder above it on; from the root on, without the root's own signs."""
    parts = [part.strip(":/\\") for part in file.parts[len(above) :]]
    return "/".join(part for part in parts if part)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _opened(source: Source, limits: ImageLimits) -> Iterable[Source]:
    """The scans in an archive, the items of a file of texts; the source itself where it is neither."""
    if _suffix(source.file.name) in SUFFIXES:
        return [source]
    if items.holds_items(source.name):
        return _items_of(source, limits)
    try:
        with open_file(source.file, source.name) as stream:
            try:
                head = stream.read(4)
            except OSError as error:
                raise unreadable(source.name, error) from error
            if not containers.is_container(head):
                return [source]
            try:
                members = containers.list_members(stream, source.name, SUFFIXES, limits)
            except UnreadableFileError:
                is_word = _suffix(source.name) == ".docx"
                if is_word and containers.holds(stream, source.name, documents.DOCX_TEXT, limits):
                    return [source]
                raise
    except DocumentError as error:
        return [replace(source, problem=error)]
    return [
        replace(
            source,
            name=f"{source.name}/{member.name}",
            member=member.place,
            problem=member.problem,
        )
        for member in members
    ]


def _items_of(source: Source, limits: ImageLimits) -> Iterator[Source]:
    """The items of a file of texts, one by one; what is wrong with the file is a source after them."""
    number = 0
    try:
        with open_file(source.file, source.name) as stream:
            for number, item in enumerate(items.list_items(stream, source.name, limits), 1):
                name = items.item_name(source.name, number)
                problem = None if item.problem is None else f"{name}: {item.problem}"
                yield replace(
                    source,
                    name=name,
                    member=item.place,
                    problem=None if problem is None else UnreadableFileError(problem),
                )
    except DocumentError as error:
        yield replace(source, problem=error)
    except OSError as error:
        yield replace(source, problem=unreadable(source.name, error))
