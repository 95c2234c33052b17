"""Sources kept on the disk: found in any order, gone through by name, however many there are."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ocr_moe.errors import DocumentError, OutputError, TooLargeError, UnreadableFileError
from ocr_moe.intake.source import File, Source
from ocr_moe.remote.filesystems import RemoteFile
from ocr_moe.types import FileState

_CACHE_KIB = 4096
"""Of the database that is kept in memory; the rest is in a temporary file."""
_HELD = 500
"""Rows that are held at once."""
_WHOLE = -1
"""As the member of an archive: the file itself."""
_PROBLEMS: dict[str, type[DocumentError]] = {
    error.__name__: error for error in (DocumentError, UnreadableFileError, TooLargeError)
}
_NO_STATE = (None, None, None)


class Found(NamedTuple):
    """A file that was come by, under its name relative to where it was looked for."""

    file: File
    name: str
    state: FileState | None


class Listing(Collection[Source]):
    """Sources sorted by name, each name once; iterable again and again, few in memory.

    First files are found (`find`, `note`), then they are listed under their names (`fill`).  What SQLite
    does not hold in its cache goes to a file in the temporary folder that is gone with the object.
    Raises OutputError where there is no room for it.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            f"PRAGMA cache_size = -{_CACHE_KIB}",
            "CREATE TABLE found (place PRIMARY KEY, name BLOB, size, modified, tag) WITHOUT ROWID",
            "CREATE TABLE problems (name TEXT UNIQUE, message TEXT)",
            "CREATE TABLE sources (name TEXT, place, member INTEGER, error TEXT, message TEXT, "
            "size, modified, tag, PRIMARY KEY (name, place, member)) WITHOUT ROWID",
        ):
            self._db.execute(statement)

    def __len__(self) -> int:
        return self._count("SELECT count(*) FROM sources")

    def __iter__(self) -> Iterator[Source]:
        return map(_source, self._rows("SELECT * FROM sources ORDER BY name, place, member"))

    def __contains__(self, source: object) -> bool:
        return any(source == each for each in self)

    def find(self, files: Iterable[Found]) -> None:
        """Take files in; one that is known already keeps its first name."""
        rows = ((_packed(f), os.fsencode(name), *(state or _NO_STATE)) for f, name, state in files)
        with _room(), self._whole():
            self._db.executemany("INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?, ?)", rows)

    def note(self, name: str, message: str) -> None:
        """Take in by a readable name what cannot be read; the first message counts."""
        with _room():
            self._db.execute("INSERT OR IGNORE INTO problems VALUES (?, ?)", (name, message))

    def is_empty(self) -> bool:
        """Whether no file was found."""
        return not self._count("SELECT EXISTS (SELECT * FROM found)")

    def is_ambiguous(self) -> bool:
        """Whether several files were found under one name."""
        return bool(self._count("SELECT count(*) > count(DISTINCT name) FROM found"))

    def problems(self, most: int) -> list[str]:
        """The first messages on what cannot be read."""
        rows = self._db.execute("SELECT message FROM problems ORDER BY rowid LIMIT ?", (most,))
        return [message for (message,) in rows]

    def files(self) -> Iterator[Found]:
        """What was found, in a stable order."""
        for place, name, *state in self._rows("SELECT * FROM found ORDER BY place"):
            yield Found(_unpacked(place), os.fsdecode(name), _state(state))

    def fill(self, opened: Callable[[Found], Iterable[Source]]) -> None:
        """List what `opened` makes of each file that was found, and what cannot be read."""

        def rows() -> Iterator[tuple[Any, ...]]:
            for found in self.files():
                yield from map(_row, opened(found))
            for name, message in self._rows("SELECT name, message FROM problems ORDER BY name"):
                yield _row(Source(Path(name), name, problem=UnreadableFileError(message)))

        self.add(rows())
        with _room():
            self._db.execute("DROP TABLE found")

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """List sources, each once; names that are the same get a number."""
        with _room(), self._whole():
            self._db.executemany(
                "INSERT OR IGNORE INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            doubled = self._rows("SELECT name FROM sources GROUP BY name HAVING count(*) > 1")
            for (name,) in list(doubled):
                self._number(name)

    def _number(self, name: str) -> None:
        """Give all sources of a name but the first another one."""
        folder, _, last = name.rpartition("/")
        stem, suffix = os.path.splitext(last)
        number = 1
        same = self._db.execute(
            "SELECT place, member FROM sources WHERE name = ? ORDER BY place, member", (name,)
        ).fetchall()
        for place, member in same[1:]:
            taken = True
            while taken:
                number += 1
                other = f"{folder}/{stem} ({number}){suffix}".lstrip("/")
                taken = bool(
                    self._count("SELECT EXISTS (SELECT * FROM sources WHERE name = ?)", other)
                )
            self._db.execute(
                "UPDATE sources SET name = ? WHERE name = ? AND place = ? AND member = ?",
                (other, name, place, member),
            )

    def _rows(self, statement: str) -> Iterator[Any]:
        with _room():
            rows = self._db.execute(statement)
            while some := rows.fetchmany(_HELD):
                yield from some

    def _count(self, statement: str, *values: Any) -> int:
        with _room():
            return int(self._db.execute(statement, values).fetchone()[0])

    @contextmanager
    def _whole(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        yield
        self._db.execute("COMMIT")


def listing_of(sources: Iterable[Source]) -> Listing:
    """Sources that are there already, sorted, with numbers for names that are the same."""
    listing = Listing()
    listing.add(map(_row, sources))
    return listing


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OutputError(
            f"{tempfile.gettempdir()}: the list of inputs finds no room there ({error}); make room, or "
            "name another folder with SQLITE_TMPDIR"
        ) from error


def _packed(file: File) -> str | bytes:
    """A file as a value of SQLite, which holds paths of whatever bytes as such."""
    return file.url if isinstance(file, RemoteFile) else os.fsencode(file)


def _unpacked(place: str | bytes) -> File:
    return RemoteFile(place) if isinstance(place, str) else Path(os.fsdecode(place))


def _row(source: Source) -> tuple[Any, ...]:
    problem = source.problem
    return (
        source.name,
        _packed(source.file),
        _WHOLE if source.member is None else source.member,
        None if problem is None else type(problem).__name__,
        None if problem is None else str(problem),
        *(source.state or _NO_STATE),
    )


def _source(row: Sequence[Any]) -> Source:
    name, place, member, error, message, *state = row
    problem = None if error is None else _PROBLEMS.get(error, DocumentError)(message)
    return Source(
        _unpacked(place), name, None if member == _WHOLE else member, problem, _state(state)
    )


def _state(columns: Sequence[Any]) -> FileState | None:
    size, modified, tag = columns
    return None if size is None else FileState(size, modified, tag)
