"""The files of a local folder, published behind a URL.

A reader knows a whole publication by its last file: that is removed before anything else changes, and
written once all else is there.  What was uploaded is noted beside the local files, so that a publication
that was cut off is taken up where it was, and what is there already is not sent again.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from ocr_moe.errors import OutputError
from ocr_moe.formats.files import is_temporary
from ocr_moe.remote.filesystems import RemoteError, files_behind, put, remove, shown, system_of
from ocr_moe.types import FileState

NOTES = ".published.sqlite"
"""What was uploaded, in the folder itself."""
_SENDERS = 8
"""Files that are uploaded at once: a storage answers slowly, but many at a time."""
_HELD = 500
"""Paths that are held at once."""
_MISSING = (
    "SELECT here.path FROM here LEFT JOIN sent ON sent.url = ? AND sent.path = here.path "
    "LEFT JOIN there ON there.path = here.path "
    "WHERE sent.sha256 IS NOT here.sha256 OR there.size IS NOT here.size "
    "OR (sent.tag IS NOT NULL AND sent.tag IS NOT there.tag)"
)
"""What was not sent as it is, or is not there as it was sent; a publication that was cut off did not see
by what its files are known there."""
_GONE = "SELECT path FROM sent WHERE url = ? AND path NOT IN (SELECT path FROM here)"


@dataclass(frozen=True)
class Published:
    """What a publication came to."""

    sent: int
    """Files that were uploaded."""
    kept: int
    """Files that were there already."""
    removed: int
    """Files of an earlier publication that are no more."""


def publish(
    folder: Path,
    url: str,
    *,
    last: str,
    is_left_out: Callable[[str], bool],
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Published:
    """Upload the files of a folder to below a URL, `last` after all others.

    Paths for which `is_left_out` holds stay here, as do temporary files. `report` hears how many of
    how many files are there. Raises OutputError where the storage does not take them, UsageError
    where no backend knows the URL.
    """
    base = url.rstrip("/")
    with closing(sqlite3.connect(folder / NOTES, isolation_level=None)) as notes:
        for statement in (
            "PRAGMA journal_mode = WAL",  # a note outlives the process that made it
            "PRAGMA synchronous = NORMAL",
            "CREATE TABLE IF NOT EXISTS sent "
            "(url TEXT, path TEXT, sha256 TEXT, tag TEXT, PRIMARY KEY (url, path)) WITHOUT ROWID",
            "CREATE TEMP TABLE here (path TEXT PRIMARY KEY, sha256 TEXT, size INTEGER)",
            "CREATE TEMP TABLE there (path TEXT PRIMARY KEY, size INTEGER, tag TEXT)",
            "CREATE TEMP TABLE missing (path TEXT PRIMARY KEY)",
        ):
            notes.execute(statement)
        try:
            return _Publication(folder, base, notes, last, report).run(
                path for path in _files(folder) if not is_left_out(path)
            )
        except RemoteError as error:
            raise OutputError(
                f"{shown(base)}: {error.strerror}. All that was to be published is in {folder}; the "
                "same command goes on where this stopped"
            ) from error


class _Publication:
    """What is here and what is there, side by side in tables: there may be very many of both."""

    def __init__(
        self,
        folder: Path,
        base: str,
        notes: sqlite3.Connection,
        last: str,
        report: Callable[[int, int], None],
    ) -> None:
        self._folder = folder
        self._base = base
        self._key = shown(base)
        self._notes = notes
        self._last = last
        self._report = report

    def run(self, paths: Iterable[str]) -> Published:
        system_of(self._base)  # what no backend knows is told before anything is looked at
        self._notes.executemany(
            "INSERT INTO here VALUES (?, ?, ?)",
            ((path, *_content(self._folder / path)) for path in paths),
        )
        self._look()
        total = self._count("SELECT count(*) FROM here")
        gone = self._count(f"SELECT count(*) FROM ({_GONE})", self._key)
        others = self._count("SELECT count(*) FROM missing WHERE path <> ?", self._last)
        if (others or gone) and self._count("SELECT count(*) FROM here WHERE path = ?", self._last):
            remove(
                self._url(self._last)
            )  # until it is back, readers see that something is under way
            self._notes.execute("INSERT OR IGNORE INTO missing VALUES (?)", (self._last,))
        sent = self._count("SELECT count(*) FROM missing")
        done = total - sent
        self._report(done, total)
        for path in self._paths(_GONE, self._key):
            remove(self._url(path))
            self._notes.execute("DELETE FROM sent WHERE url = ? AND path = ?", (self._key, path))
        for path in self._sent(self._paths("SELECT path FROM missing WHERE path <> ?", self._last)):
            self._note(path)
            done += 1
            self._report(done, total)
        if sent > others:
            put(self._folder / self._last, self._url(self._last))
            self._note(self._last)
            self._report(total, total)
        if sent:
            self._recognise()
        return Published(sent, total - sent, gone)

    def _look(self) -> None:
        """Find out what is behind the URL now, and what of ours is missing there."""
        self._notes.execute("DELETE FROM there")
        rows = ((name, s.size, _tag_of(s)) for _, name, s in files_behind(self._base) if s)
        try:
            self._notes.executemany("INSERT OR REPLACE INTO there VALUES (?, ?, ?)", rows)
        except RemoteError as error:
            if not error.absent:  # nothing is there yet
                raise
        self._notes.execute(f"INSERT OR IGNORE INTO missing {_MISSING}", (self._key,))

    def _recognise(self) -> None:
        """Note by what our files are known there, so that those of others will be told from them."""
        self._look()
        self._notes.execute(
            "UPDATE sent SET tag = (SELECT tag FROM there WHERE there.path = sent.path) WHERE url = ?",
            (self._key,),
        )

    def _paths(self, statement: str, *values: str) -> Iterator[str]:
        """What a statement gives, some at a time: what it goes through may be written meanwhile."""
        last = ""
        while some := self._notes.execute(
            f"SELECT path FROM ({statement}) WHERE path > ? ORDER BY path LIMIT {_HELD}",
            (*values, last),
        ).fetchall():
            for (last,) in some:
                yield last

    def _count(self, statement: str, *values: str) -> int:
        return int(self._notes.execute(statement, values).fetchone()[0])

    def _sent(self, paths: Iterator[str]) -> Iterator[str]:
        """Upload files, some at once; each as it is there. The first error ends it."""
        waiting: dict[Future[None], str] = {}
        with ThreadPoolExecutor(_SENDERS, thread_name_prefix="upload") as senders:
            try:
                while True:
                    for path in paths:
                        file = self._folder / path
                        waiting[senders.submit(put, file, self._url(path))] = path
                        if len(waiting) >= 2 * _SENDERS:
                            break
                    if not waiting:
                        return
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        path = waiting.pop(future)
                        future.result()
                        yield path
            finally:
                for future in waiting:
                    future.cancel()

    def _note(self, path: str) -> None:
        self._notes.execute(
            "INSERT OR REPLACE INTO sent SELECT ?, path, sha256, NULL FROM here WHERE path = ?",
            (self._key, path),
        )

    def _url(self, path: str) -> str:
        web = self._base.lower().startswith(("http://", "https://"))
        return f"{self._base}/{quote(path) if web else path}"


def _files(folder: Path) -> Iterator[str]:
    """The files below a folder, relative to it, in a stable order; none of ours, none in the making."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_temporary(name))
        below = PurePosixPath(Path(parent).relative_to(folder).as_posix())
        for name in sorted(files):
            if not (is_temporary(name) or name.startswith(NOTES)):
                yield str(below / name)


def _tag_of(state: FileState) -> str:
    return state.tag or str(state.modified)


def _content(file: Path) -> tuple[str, int]:
    """The hash of a file's bytes, and how many they are."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest(), os.fstat(stream.fileno()).st_size
