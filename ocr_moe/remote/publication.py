"""The files of a local folder, published behind a URL.

A reader knows a whole publication by its last file: that is removed before anything else changes, and
written once all else is there.  What was uploaded is noted beside the local files, so that a publication
that was cut off is taken up where it was, and what is there already is not sent again.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
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
        notes.execute("PRAGMA journal_mode = WAL")  # a note outlives the process that made it
        notes.execute("PRAGMA synchronous = NORMAL")
        notes.execute(
            "CREATE TABLE IF NOT EXISTS sent "
            "(url TEXT, path TEXT, sha256 TEXT, tag TEXT, PRIMARY KEY (url, path)) WITHOUT ROWID"
        )
        try:
            return _Publication(folder, base, notes, last, report).run(
                [path for path in _files(folder) if not is_left_out(path)]
            )
        except RemoteError as error:
            raise OutputError(
                f"{shown(base)}: {error.strerror}. All that was to be published is in {folder}; the "
                "same command goes on where this stopped"
            ) from error


class _Publication:
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
        self._notes = notes
        self._last = last
        self._report = report

    def run(self, paths: Sequence[str]) -> Published:
        system_of(self._base)  # what no backend knows is told before anything is looked at
        there = self._there()
        before = {path: (sha256, tag) for path, sha256, tag in self._noted()}
        digests = {path: _digest(self._folder / path) for path in paths}
        missing = [path for path in paths if not self._is_there(path, digests[path], before, there)]
        gone = [path for path in before if path not in digests]
        ending = self._last in digests
        others = [path for path in missing if path != self._last]
        if ending and (others or gone) and self._last in there:
            remove(
                self._url(self._last)
            )  # until it is back, readers see that something is under way
            if self._last not in missing:
                missing.append(self._last)
        done = len(paths) - len(missing)
        self._report(done, len(paths))
        for path in gone:
            remove(self._url(path))
            self._notes.execute(
                "DELETE FROM sent WHERE url = ? AND path = ?", (shown(self._base), path)
            )
        for path in self._sent(others):
            self._note(path, digests[path])
            done += 1
            self._report(done, len(paths))
        if self._last in missing:
            put(self._folder / self._last, self._url(self._last))
            self._note(self._last, digests[self._last])
            self._report(len(paths), len(paths))
        if missing:
            self._recognise(self._there())
        return Published(len(missing), len(paths) - len(missing), len(gone))

    def _there(self) -> Mapping[str, FileState | None]:
        """What is behind the URL now; nothing where there is nothing yet."""
        try:
            return {name: state for file, name, state in files_behind(self._base)}
        except RemoteError as error:
            if error.absent:
                return {}
            raise

    def _noted(self) -> Iterator[tuple[str, str, str | None]]:
        return iter(
            self._notes.execute(
                "SELECT path, sha256, tag FROM sent WHERE url = ?", (shown(self._base),)
            ).fetchall()
        )

    def _is_there(
        self,
        path: str,
        sha256: str,
        before: Mapping[str, tuple[str, str | None]],
        there: Mapping[str, FileState | None],
    ) -> bool:
        """Whether this very file was sent, and nobody put another one there since."""
        state = there.get(path)
        sent, tag = before.get(path, ("", None))
        if state is None or sent != sha256 or state.size != (self._folder / path).stat().st_size:
            return False
        return tag in (None, _tag_of(state))  # None after a publication that was cut off

    def _recognise(self, there: Mapping[str, FileState | None]) -> None:
        """Note by what our files are known there, so that those of others will be told from them."""
        self._notes.executemany(
            "UPDATE sent SET tag = ? WHERE url = ? AND path = ?",
            [(_tag_of(s), shown(self._base), path) for path, s in there.items() if s is not None],
        )

    def _sent(self, paths: Sequence[str]) -> Iterator[str]:
        """Upload files, some at once; each as it is there. The first error ends it."""
        waiting: dict[Future[None], str] = {}
        todo = iter(paths)
        with ThreadPoolExecutor(_SENDERS, thread_name_prefix="upload") as senders:
            try:
                while True:
                    for path in todo:
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

    def _note(self, path: str, sha256: str) -> None:
        self._notes.execute(
            "INSERT OR REPLACE INTO sent VALUES (?, ?, ?, NULL)", (shown(self._base), path, sha256)
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


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
