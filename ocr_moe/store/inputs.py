"""The inputs of a run in its store: a row a file, however many there are.

A row says under which path a file stands in the records, where it is, what the file system told of it
when it was read, and the hash of what was read.  All methods that go through rows do so in the order of
paths and hold few of them at once; rows up to the one at hand may be written meanwhile.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ocr_moe.types import FileState

if TYPE_CHECKING:
    from ocr_moe.store.database import Store

Place = str | list[str | int]
"""Where a file is, as JSON; the intake makes it and finds the file by it."""

_PAGE = 1000
"""Rows that are held at once."""
_COLUMNS = "path, place, size, modified, tag, sha256"
_FINISHED = (
    "(SELECT count(*) FROM json_each(?1) AS strategy WHERE EXISTS (SELECT 1 FROM records "
    "WHERE records.strategy = strategy.value AND records.path = inputs.path)) = json_array_length(?1)"
)
"""Whether an input has its records under every one of the strategies, a JSON list."""


class Input(NamedTuple):
    """One input file as the store knows it."""

    path: str
    """In the records."""
    place: Place
    state: FileState | None = None
    """What was told of the file when it was read; None where that cannot tell whether it is the same."""
    sha256: str | None = None
    """Of its bytes; None where it was not read yet, empty where it cannot be read."""


class Inputs:
    """The rows of the table `inputs`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __len__(self) -> int:
        return int(self._store._row("SELECT count(*) FROM inputs")[0])

    def __iter__(self) -> Iterator[Input]:
        return self._pages(f"SELECT {_COLUMNS} FROM inputs WHERE path > ?1 ORDER BY path LIMIT ?2")

    def place_of(self, path: str) -> Place | None:
        """Where the file of a record is; None where it is no input. Raises StoreError."""
        row = self._store._row(f"SELECT {_COLUMNS} FROM inputs WHERE path = ?", (path,))
        return self._input(row).place if row else None

    def change(self, kept: Iterable[Input], gone: Iterable[str]) -> None:
        """Write rows, in place of those of the same path, and drop others; all or nothing."""
        with self._store._transaction() as db:
            write(db, kept)
            db.executemany("DELETE FROM inputs WHERE path = ?", ((path,) for path in gone))

    def read(self, found: Sequence[tuple[str, str, FileState | None]]) -> None:
        """Write down what was read of some files: path, hash, and what was told of the file."""
        rows = [(sha256, *(state or (None, None, None)), path) for path, sha256, state in found]
        with self._store._transaction() as db:
            db.executemany(
                "UPDATE inputs SET sha256 = ?, size = ?, modified = ?, tag = ? WHERE path = ?", rows
            )

    def has_read(self) -> bool:
        """Whether any was read."""
        return bool(self._store._row("SELECT EXISTS (SELECT * FROM inputs WHERE sha256 > '')")[0])

    def count_finished(self, strategies: Sequence[str]) -> int:
        """How many have their records under every one of the strategies."""
        row = self._store._row(
            f"SELECT count(*) FROM inputs WHERE {_FINISHED}", (json.dumps(list(strategies)),)
        )
        return int(row[0])

    def unfinished(self, strategies: Sequence[str]) -> Iterator[Input]:
        """Those that lack records under any of the strategies."""
        return self._pages(
            f"SELECT {_COLUMNS} FROM inputs WHERE NOT {_FINISHED} AND path > ?2 "
            "ORDER BY path LIMIT ?3",
            json.dumps(list(strategies)),
        )

    def has_unfinished(self, strategies: Sequence[str], least: int) -> bool:
        """Whether there are at least so many that `unfinished` would give."""
        rows = self._store._rows(
            f"SELECT 1 FROM inputs WHERE NOT {_FINISHED} LIMIT ?2",
            (json.dumps(list(strategies)), least),
        )
        return len(rows) == least

    def recorded(self, strategies: Sequence[str]) -> Iterator[tuple[str, Input]]:
        """Of every content that was opened in this run and lacks records: its hash, and one file."""
        last = ""
        while rows := self._store._rows(
            f"SELECT {_COLUMNS}, min(path) FROM inputs WHERE NOT {_FINISHED} AND sha256 > ?2 "
            "AND EXISTS (SELECT 1 FROM files WHERE files.sha256 = inputs.sha256) "
            "GROUP BY sha256 ORDER BY sha256 LIMIT ?3",
            (json.dumps(list(strategies)), last, _PAGE),
        ):
            for *row, _ in rows:
                found = self._input(row)
                last = found.sha256 or last
                yield last, found

    def has_recorded(self, strategies: Sequence[str], least: int) -> bool:
        """Whether there are at least so many contents that `recorded` would give."""
        rows = self._store._rows(
            f"SELECT 1 FROM inputs WHERE NOT {_FINISHED} "
            "AND EXISTS (SELECT 1 FROM files WHERE files.sha256 = inputs.sha256) "
            "GROUP BY sha256 LIMIT ?2",
            (json.dumps(list(strategies)), least),
        )
        return len(rows) == least

    def finished_copy(self, path: str, sha256: str, strategies: Sequence[str]) -> str | None:
        """The path of a file with these bytes that has all its records: the given one before others."""
        row = self._store._row(
            f"SELECT path FROM inputs WHERE sha256 = ?2 AND {_FINISHED} "
            "ORDER BY path <> ?3 LIMIT 1",
            (json.dumps(list(strategies)), sha256, path),
        )
        return None if row is None else str(row[0])

    def waiting_copies(self, sha256: str, strategies: Sequence[str]) -> list[str]:
        """The paths of all files with these bytes, among those that were read, that lack records."""
        rows = self._store._rows(
            f"SELECT path FROM inputs WHERE sha256 = ?2 AND NOT {_FINISHED} ORDER BY path",
            (json.dumps(list(strategies)), sha256),
        )
        return [path for (path,) in rows]

    def _pages(self, statement: str, *values: Any) -> Iterator[Input]:
        last = ""
        while rows := self._store._rows(statement, (*values, last, _PAGE)):
            for row in rows:
                yield self._input(row)
            last = rows[-1][0]

    @staticmethod
    def _input(row: Sequence[Any]) -> Input:
        """A row; one that is damaged is of a file that is still to be read and found."""
        path, place, size, modified, tag, sha256 = row
        try:
            where = json.loads(place)
            if not (isinstance(where, str) or [*map(type, where)] == [str, int]):
                where = path
            state = None if size is None else FileState(int(size), int(modified or 0), str(tag))
        except (TypeError, ValueError):
            where, state, sha256 = path, None, None
        return Input(path, where, state, sha256)


def write(db: sqlite3.Connection, rows: Iterable[Input]) -> None:
    """Within a transaction of the store: rows, in place of those of the same path."""
    db.executemany(
        "INSERT OR REPLACE INTO inputs VALUES (?, ?, ?, ?, ?, ?)",
        (
            (row.path, json.dumps(row.place), *(row.state or (None, None, None)), row.sha256)
            for row in rows
        ),
    )
