"""A source: an input file, a member of an archive or an item of text in a file, and how its bytes are
had."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from ocr_moe.errors import DocumentError, UnreadableFileError
from ocr_moe.formats.names import readable
from ocr_moe.intake import containers
from ocr_moe.intake.limits import MIB, ImageLimits
from ocr_moe.intake.texts import items
from ocr_moe.remote.filesystems import RemoteError, RemoteFile, is_url
from ocr_moe.types import FileState

File = Path | RemoteFile

MISSING = "there is no such file or folder"
_NONBLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)
_TICK = 2_000_000_000
"""Nanoseconds, the coarsest resolution of a file's times (FAT). A file that was written within it may be
written once more without a later time: nothing is concluded from its state ("racily clean" in Git,
Documentation/technical/racy-git)."""


@dataclass(frozen=True)
class Source:
    """An input file, a member of an archive or an item of a file of texts, and the name under which it
    stands in the records.

    Small and without handles, so that other processes and machines can open what it names.
    """

    file: File
    name: str
    member: int | None = None
    """Its place in the directory of the archive `file`; of an item of text the byte where it begins."""
    problem: DocumentError | None = None
    """Why it cannot be read, where that is known before it is opened."""
    state: FileState | None = field(default=None, compare=False)
    """What was told of the file when it was found; None where that was nothing of use."""
    copy: Path | None = field(default=None, compare=False)
    """A local copy of a remote file; only as long as the batch is at it."""

    def read(self, limits: ImageLimits) -> bytes:
        """Its bytes. Raises UnreadableFileError or TooLargeError."""
        with self._stream(limits) as stream:
            if self.member is not None:
                return self._member(stream, self.member, limits)
            try:
                data = stream.read(limits.max_file * MIB + 1)
            except OSError as error:
                raise unreadable(self.name, error) from error
        if len(data) > limits.max_file * MIB:
            raise containers.too_large(self.name, limits)
        return data

    def digest(self, limits: ImageLimits) -> str:
        """SHA-256 of its bytes. Raises UnreadableFileError or TooLargeError."""
        return self.examine(limits)[0]

    def examine(self, limits: ImageLimits) -> tuple[str, FileState | None]:
        """SHA-256 of its bytes, and the state of the file in which it has them; None where they may
        change without that. Raises UnreadableFileError or TooLargeError."""
        began = time.time_ns()
        with self._stream(limits) as stream:
            before = self._state_of(stream)
            if self.member is not None:
                data = self._member(stream, self.member, limits)
                sha256 = hashlib.sha256(data).hexdigest()
            else:
                try:
                    sha256 = _digest_of(stream)
                except OSError as error:
                    raise unreadable(self.name, error) from error
            after = self._state_of(stream)
        settled = before is not None and before == after and before.modified < began - _TICK
        return sha256, before if settled else None

    def fetched(self, to: Path, limits: ImageLimits) -> Source:
        """The same with a local copy of a remote file. Raises UnreadableFileError or TooLargeError."""
        if self.problem is not None or not isinstance(self.file, RemoteFile):
            return self
        if self.member is not None:  # of a large archive little is needed
            return self
        self._check_size(self.state, limits)
        try:
            self.file.fetch(to)
        except OSError as error:
            raise unreadable(self.name, error) from error
        return replace(self, copy=to)

    def locate(self) -> str | list[str | int]:
        """Where it is, as JSON; see `located`. Without credentials, where a URL has any."""
        return str(self.file) if self.member is None else [str(self.file), self.member]

    def _member(self, stream: IO[bytes], place: int, limits: ImageLimits) -> bytes:
        if not items.is_item_name(self.name):
            return containers.read_member(stream, self.name, place, limits)
        try:
            return items.read_item(stream, self.name, place)
        except OSError as error:
            raise unreadable(self.name, error) from error

    def _state_of(self, stream: IO[bytes]) -> FileState | None:
        if isinstance(self.file, RemoteFile):
            return self.state
        return state_of(os.fstat(stream.fileno()))

    def _stream(self, limits: ImageLimits) -> IO[bytes]:
        if self.problem is not None:
            raise type(self.problem)(str(self.problem))
        if self.copy is not None:
            stream: IO[bytes] = open_regular(self.copy, self.name)
        elif isinstance(self.file, RemoteFile):
            if self.member is None:
                self._check_size(self.state, limits)
            return open_file(self.file, self.name)
        else:
            stream = open_regular(self.file, self.name)
        if self.member is None and os.fstat(stream.fileno()).st_size > limits.max_file * MIB:
            stream.close()
            raise containers.too_large(self.name, limits)
        return stream

    def _check_size(self, state: FileState | None, limits: ImageLimits) -> None:
        if state is not None and state.size > limits.max_file * MIB:
            raise containers.too_large(self.name, limits)


def located(name: str, place: str | list[str | int]) -> Source:
    """The source that `Source.locate` told of."""
    if isinstance(place, str):
        return Source(file_at(place), name)
    return Source(file_at(str(place[0])), name, int(place[1]))


def file_at(place: str) -> File:
    """The file that a path or a URL names."""
    return RemoteFile(place) if is_url(place) else Path(place)


def state_of(status: os.stat_result) -> FileState:
    """What the file system says of a local file."""
    if (
        os.name == "nt"
    ):  # where entries of folders tell no inode, and the other time is that of birth
        return FileState(status.st_size, status.st_mtime_ns, "")
    return FileState(status.st_size, status.st_mtime_ns, f"{status.st_ino}:{status.st_ctime_ns}")


def open_file(file: File, name: str) -> IO[bytes]:
    """A file that can be read from any place on. Raises UnreadableFileError."""
    if isinstance(file, Path):
        return open_regular(file, name)
    try:
        return file.open()
    except OSError as error:
        raise unreadable(name, error) from error


def open_regular(file: Path, name: str) -> IO[bytes]:
    """A regular file, opened without waiting for anybody. Raises UnreadableFileError."""
    try:
        descriptor = os.open(file, os.O_RDONLY | _NONBLOCKING)
    except OSError as error:
        raise unreadable(name, error) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise UnreadableFileError(f"{name}: {what_is(mode)}, no file; it was skipped")
    return os.fdopen(descriptor, "rb")


def unreadable(name: str, error: OSError) -> UnreadableFileError:
    return UnreadableFileError(f"{name}: {why(error)}")


def why(error: OSError) -> str:
    """Why a file cannot be had, and what to do."""
    if isinstance(error, RemoteError):
        return str(error.strerror)
    if isinstance(error, FileNotFoundError):
        return f"{MISSING} any more; run again with --update"
    return f"cannot be read ({error.strerror}); make it readable"


def what_is(mode: int) -> str:
    """What stands where a file should, by its mode."""
    return next((what for test, what in _KINDS if test(mode)), "a special thing")


def digest(file: Path) -> str:
    """SHA-256 of a file's bytes. Raises UnreadableFileError."""
    try:
        with file.open("rb") as stream:
            return _digest_of(stream)
    except OSError as error:
        raise unreadable(readable(file.name), error) from error


def _digest_of(stream: IO[bytes]) -> str:
    return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
