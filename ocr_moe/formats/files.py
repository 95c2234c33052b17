"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ocr_moe.errors import OutputError

_PART = ".part-"
"""How the names of temporary files and folders begin. Short: beside a name of the longest length
that the file system takes they must still fit."""
_BINARY = getattr(os, "O_BINARY", 0)  # Windows writes text otherwise
_ADVICE = {
    errno.ENOSPC: "make room on the disk, or name another place",
    getattr(errno, "EDQUOT", 0): "make room, or name another place",
    errno.EFBIG: "the system allows no file of that size; name another place",
    errno.EROFS: "name another place, which can be written to",
    errno.EACCES: "name another place, or have the permission given",
    errno.EPERM: "name another place, or have the permission given",
    errno.ENOENT: "its folder is gone; give the same command again",
    errno.EEXIST: "a file stands where a folder is to be; name another place",
    errno.ENOTDIR: "a file stands where a folder is to be; name another place",
    errno.EISDIR: "a folder stands in its place; move it away, or name another place",
    errno.ENAMETOOLONG: "name a place with a shorter path",
}


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes `path`'s place in one step.

    On an exception the temporary file is removed and `path` stays as it was. `durable` also waits
    until the bytes are on the disk. Missing folders are made. Raises OutputError, also for an
    OSError of the block.
    """
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_PART, suffix=path.suffix[:16], dir=path.parent)
        temporary = Path(name)
        try:
            with _held(handle):
                yield temporary
                temporary.chmod(_default_mode())
                if durable:
                    _sync(temporary)
                temporary.replace(path)
            if durable:
                _sync(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder within `folder` for temporary files of a block. Raises OutputError."""
    with (
        writing_to(folder),
        tempfile.TemporaryDirectory(prefix=_PART, dir=folder) as name,
        _held(_opened(Path(name))),
    ):
        yield Path(name)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 file in one step. Raises OutputError."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def is_temporary(name: str) -> bool:
    """Whether a file or folder of that name is one of `replacing` or `scratch`."""
    return name.startswith(_PART)


class SmallFiles:
    """Writes many small files, each in one step, below a folder.

    Beside `replacing` it saves what thousands of files do not need one by one: names by chance, modes,
    looking for folders that were made. A file that holds its bytes already is left alone. Nothing waits
    for the disk.
    """

    def __init__(self) -> None:
        self._made: set[str] = set()
        self._count = itertools.count()

    def write(self, path: Path | str, data: bytes) -> None:
        """Raises OutputError."""
        with writing_to(path):
            name = os.fspath(path)
            if _holds(name, data):
                return
            folder = os.path.dirname(name)
            if folder not in self._made:
                os.makedirs(folder, exist_ok=True)
                self._made.add(folder)
            temporary = f"{folder}/{_PART}{os.getpid()}-{next(self._count)}"
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
            try:
                try:
                    _lock(handle)
                    while data:
                        data = data[os.write(handle, data) :]
                    if sys.platform != "win32":
                        os.replace(temporary, name)
                finally:
                    os.close(handle)
                if sys.platform == "win32":  # where no open file can be moved
                    os.replace(temporary, name)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary)
                raise


def _holds(name: str, data: bytes) -> bool:
    """Whether a file has these bytes."""
    try:
        with open(name, "rb", buffering=0) as stream:
            return os.fstat(stream.fileno()).st_size == len(data) and stream.readall() == data
    except OSError:
        return False


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder and in those below it.

    What a living process writes stays: it holds a lock on it.
    """
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if is_temporary(name):
                _remove_if_left(Path(parent) / name)
        folders[:] = [name for name in folders if not is_temporary(name)]


@contextmanager
def writing_to(path: Path | str) -> Iterator[None]:
    """Make an OSError of the block one sentence on `path`. Raises OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: {unwritable(error)}") from error


def unwritable(error: OSError) -> str:
    """Why something cannot be written, and what to do."""
    advice = _ADVICE.get(error.errno or 0, "")
    why = f"cannot be written ({error.strerror or error})"
    return f"{why}; {advice}" if advice else why


@contextmanager
def _held(handle: int | None) -> Iterator[None]:
    """The lock of a living process on a temporary file or folder, until the block ends.

    Windows has no lock that lets the file be written through another handle; nor can it be removed
    there while it is open.
    """
    if handle is not None and sys.platform == "win32":
        os.close(handle)
        handle = None
    try:
        if handle is not None:
            _lock(handle)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _lock(handle: int) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _opened(path: Path) -> int | None:
    """A handle on a file or folder, where the system gives one."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


def _remove_if_left(path: Path) -> None:
    handle = _opened(path)
    if handle is not None:
        try:
            if not _lock(handle):
                return
        finally:
            os.close(handle)
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _default_mode() -> int:
    """mkstemp makes files private; an export should be as readable as any other new file."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync(path: Path) -> None:
    # Some file systems (network, FUSE) refuse fsync; the rename is still in one step there.
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
