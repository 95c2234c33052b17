"""Opening a store's file: what it is, whether it may be touched, and by whom it is being written.

A file that is refused stays byte for byte what it was: it is looked at through a connection that
cannot write, and a migration is rehearsed on copies before the file sees it.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ocr_moe.errors import StoreError
from ocr_moe.formats.files import unwritable
from ocr_moe.store import migrations
from ocr_moe.store.migrations import APPLICATION, migrate, overlay, version_of

_TABLES = frozenset(("meta", "files", "pages", "answers", "records"))
_PATIENCE = 60.0
"""Seconds for which a write waits for those of other processes of the run, each of which takes
milliseconds."""
_UNFIT = (sqlite3.DatabaseError, ValueError, TypeError, AttributeError)
"""What a step raises over a store that does not hold what its version says."""


class _BlankError(StoreError):
    """The file is no store yet."""


def is_begun(path: Path) -> bool:
    """Whether there is a file that is more than the remains of a store that died at birth.

    What it is shows when it is opened. Raises StoreError where it cannot be looked at.
    """
    try:
        if not path.exists() or not path.stat().st_size:
            return False
    except OSError as error:
        raise StoreError(f"{path}: {unwritable(error)}") from error
    if path.is_dir():
        raise StoreError(f"{path}: a folder stands in place of the store; name another --out")
    try:
        open_to_read(path).close()
    except _BlankError:
        return False
    except StoreError:
        return True
    return True


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, with today's tables whatever the store's version.

    Raises StoreError for a file that is missing, damaged, of a later version or no store.
    """
    if not path.exists():
        raise StoreError(f"{path}: there is no such store")
    # immutable: a shipped store may lie in a read-only folder, without files for SQLite beside it
    beside = any(Path(f"{path}{suffix}").exists() for suffix in ("-wal", "-journal"))
    uri = f"{path.absolute().as_uri()}?mode=ro{'' if beside else '&immutable=1'}"
    db = _connect(path, uri)
    try:
        version = _known_version(db, path)
        if version == 0:
            raise _BlankError(f"{path}: there is no such store, the file is empty")
        if version == migrations.VERSION:
            return db
        examine(db, path)
    except BaseException:
        db.close()
        raise
    db.close()
    return _seen_from_today(path, uri, version)


def open_to_write(path: Path) -> tuple[sqlite3.Connection, IO[str]]:
    """A connection to a store of today's version, made or migrated if need be, and the claim on it.

    The claim ends when its handle is closed. Raises StoreError.
    """
    # A rollback journal is what a killed process left; only a connection that writes undoes that.
    if is_begun(path) and not Path(f"{path}-journal").exists():
        open_to_read(path).close()
    guard = _claim(path)
    try:
        return _migrated(path), guard
    except BaseException:
        guard.close()
        raise


def open_to_join(path: Path) -> sqlite3.Connection:
    """A connection that writes beside that of the process which has the claim. Raises StoreError."""
    if not path.exists():
        raise StoreError(f"{path}: there is no such store")
    with _opened(path) as db:
        if _known_version(db, path) != migrations.VERSION:
            raise StoreError(
                f"{path}: the store is not one of this version; open it to write first"
            )
        _as_it_is_written(db)
    return db


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that stays open unless the block fails. Raises StoreError for a file that is none."""
    db = _connect(path, path.absolute().as_uri())
    try:
        yield db
    except _UNFIT as error:
        db.close()
        raise unusable(path, error) from error
    except BaseException:
        db.close()
        raise


def _as_it_is_written(db: sqlite3.Connection) -> None:
    # Under a write-ahead log the file itself changes after the commit only: a process that is
    # killed while it migrates leaves the old store, and one that writes keeps no reader waiting.
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")


def _migrated(path: Path) -> sqlite3.Connection:
    with _opened(path) as db:
        _known_version(db, path)  # once more: what the look before the claim saw may have changed
        _as_it_is_written(db)
        migrate(db)
    return db


def _connect(path: Path, uri: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            uri, uri=True, check_same_thread=False, isolation_level=None, timeout=_PATIENCE
        )
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: the store cannot be opened ({error})") from error


def _claim(path: Path) -> IO[str]:
    """Lock a store for writing until the handle is closed; its folder is made. Raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = Path(f"{path}.lock").open("w")  # noqa: SIM115 - closed with the store
    except OSError as error:
        raise StoreError(f"{path.parent}: {unwritable(error)}") from error
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with suppress(OSError):
            handle.close()
        raise StoreError(
            f"{path}: another process is writing this run; wait for it, or name another --out (a review "
            "desk that is open writes it: end that first)"
        ) from error
    return handle


def _known_version(db: sqlite3.Connection, path: Path) -> int:
    """The version of a store, 0 for what is still to become one. Raises StoreError for all else.

    A process that was killed while it made a store may have left an SQLite file without tables.
    """
    try:
        version = version_of(db)
        [application] = db.execute("PRAGMA application_id").fetchone()
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_CORRUPT:
            raise _damaged(path, error) from error
        raise StoreError(f"{path}: not a store of ocr_moe ({error}); name another --out") from error
    if (version, application, tables) == (0, 0, set()):
        return 0
    ours = application == APPLICATION
    if ours and version > migrations.VERSION:
        raise StoreError(
            f"{path}: a store of version {version}, this program knows versions up to "
            f"{migrations.VERSION}; upgrade ocr-moe"
        )
    if not (version == 1 or (ours and version > 1)) or not tables >= _TABLES:
        raise StoreError(
            f"{path}: not a store of ocr_moe but an SQLite file of another program; "
            "name another --out"
        )
    return version


def examine(db: sqlite3.Connection, path: Path) -> None:
    """Look through a store. Raises StoreError where it is damaged."""
    try:
        [found] = db.execute("PRAGMA quick_check(1)").fetchone()
    except _UNFIT as error:
        raise _damaged(path, error) from error
    if found != "ok":
        raise _damaged(path, found)


def _seen_from_today(path: Path, uri: str, version: int) -> sqlite3.Connection:
    """A connection that shows a store of an earlier version as migrated. Raises StoreError."""
    db = _connect(path, "file::memory:")
    try:
        db.execute("ATTACH ? AS stored", (uri,))
        overlay(db, version)
    except _UNFIT as error:
        db.close()
        raise _damaged(path, error) from error
    except BaseException:
        db.close()
        raise
    return db


def unusable(path: Path, error: Exception) -> StoreError:
    """Why a store cannot be used further, and what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, error)
    advice = {
        sqlite3.SQLITE_FULL: "make room on the disk",
        sqlite3.SQLITE_IOERR: "see whether the disk is full or gone",
        sqlite3.SQLITE_READONLY: "see that the folder can be written to",
        sqlite3.SQLITE_CANTOPEN: "see that its folder is there and can be written to",
        sqlite3.SQLITE_BUSY: "wait for the program that uses it",
    }.get(code)
    then = f"; {advice}, then the same command goes on where this stopped" if advice else ""
    return StoreError(f"{path}: the store cannot be used further ({error}){then}")


def _damaged(path: Path, why: object) -> StoreError:
    return StoreError(
        f"{path}: the store is damaged ({' '.join(str(why).split())}) and stays as it is; "
        "take a copy that is whole, or name another --out"
    )
