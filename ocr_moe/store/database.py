"""The run's store: one SQLite file that holds everything that was read, asked and decided.

It is the only truth of a run; every export is made from it. A killed process loses at most the call
that was under way. One process writes at a time; others may read.

Tables: `meta` (the run's identity), `files` (hash → page count), `pages` (page OCR, once per engine),
`answers` (every answer of every expert, keyed by document, expert fingerprint and the question),
`records` (decisions, one row a strategy and document).
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from ocr_moe.errors import StoreError
from ocr_moe.types import Answer, PageText, Record, Recorded

VERSION = 1

_OF_STRATEGIES = "strategy IN (SELECT value FROM json_each(?))"
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (sha256 TEXT PRIMARY KEY, pages INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pages (
    sha256 TEXT, page INTEGER, engine TEXT, text TEXT NOT NULL,
    PRIMARY KEY (sha256, page, engine)
) WITHOUT ROWID;
CREATE TABLE answers (
    sha256 TEXT, page INTEGER, fingerprint TEXT, question TEXT,
    expert TEXT NOT NULL, schema TEXT NOT NULL, fields TEXT NOT NULL,
    failed INTEGER NOT NULL, answer TEXT NOT NULL,
    PRIMARY KEY (sha256, page, fingerprint, question)
) WITHOUT ROWID;
CREATE TABLE records (
    strategy TEXT, path TEXT, page INTEGER, failed INTEGER NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY (strategy, path, page)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Question:
    """What identifies an answer: the document, who is asked, and exactly what."""

    sha256: str
    page: int
    fingerprint: str
    digest: str
    """Digest of the asked fields' declarations."""
    expert: str
    schema: str
    fields: tuple[str, ...]


class Row(NamedTuple):
    """A record on its way into the store."""

    strategy: str
    path: str
    page: int
    failed: bool
    record: str
    """The record as JSON."""


class Store:
    """An opened store. Safe to share between threads. Raises StoreError on opening."""

    def __init__(self, path: Path, *, write: bool = True) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._guard = _claim(path) if write else None
        try:
            self._db = self._connect(write)
        except BaseException:
            self.close()
            raise

    _db: sqlite3.Connection | None = None

    def _connect(self, write: bool) -> sqlite3.Connection:
        fresh = not self.path.exists() or self.path.stat().st_size == 0
        if fresh and not write:
            raise StoreError(f"{self.path}: there is no such store")
        try:
            if write:
                db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
            else:
                # immutable: a shipped store may lie in a read-only folder, without WAL files
                wal = Path(f"{self.path}-wal").exists()
                mode = "mode=ro" if wal else "mode=ro&immutable=1"
                db = sqlite3.connect(
                    f"{self.path.absolute().as_uri()}?{mode}", uri=True, check_same_thread=False
                )
            if fresh:
                db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version != VERSION:
                db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path}: not a store of ocr_moe ({error})") from error
        if version != VERSION:
            db.close()
            raise StoreError(
                f"{self.path}: a store of version {version}, this program knows version {VERSION}; "
                + ("upgrade ocr-moe" if version > VERSION else "name another --out folder")
            )
        return db

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError(f"{self.path}: the store is closed")
        return self._db

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None
            if self._guard is not None:
                self._guard.close()
                self._guard = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read all of this as of one moment: another process's writing then costs no reader's cache."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def get_meta(self, key: str) -> Any:
        """The JSON value under a key, or None."""
        row = self._row("SELECT value FROM meta WHERE key = ?", (key,))
        return json.loads(row[0]) if row else None

    def set_meta(self, key: str, value: Any) -> None:
        self._write(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)",
            (key, json.dumps(value, ensure_ascii=False, sort_keys=True)),
        )

    def get_page_count(self, sha256: str) -> int | None:
        row = self._row("SELECT pages FROM files WHERE sha256 = ?", (sha256,))
        return int(row[0]) if row else None

    def put_page_count(self, sha256: str, pages: int) -> None:
        self._write("INSERT OR REPLACE INTO files VALUES (?, ?)", (sha256, pages))

    def get_page(self, sha256: str, page: int, engine: str) -> PageText | None:
        row = self._row(
            "SELECT text FROM pages WHERE sha256 = ? AND page = ? AND engine = ?",
            (sha256, page, engine),
        )
        return PageText.model_validate_json(row[0]) if row else None

    def put_page(self, sha256: str, page: int, engine: str, text: PageText) -> None:
        self._write(
            "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?)",
            (sha256, page, engine, text.model_dump_json()),
        )

    def pages(self) -> Iterator[tuple[str, int, PageText]]:
        """All page OCR: (hash of the file, page, text), in a stable order."""
        rows = self._rows("SELECT sha256, page, text FROM pages ORDER BY sha256, page, engine")
        for sha256, page, text in rows:
            yield sha256, page, PageText.model_validate_json(text)

    def get_answer(self, question: Question) -> Answer | None:
        row = self._row(
            "SELECT answer FROM answers WHERE sha256 = ? AND page = ? AND fingerprint = ? "
            "AND question = ?",
            (question.sha256, question.page, question.fingerprint, question.digest),
        )
        return Answer.model_validate_json(row[0]) if row else None

    def put_answer(self, question: Question, answer: Answer) -> None:
        self._write(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                question.sha256,
                question.page,
                question.fingerprint,
                question.digest,
                question.expert,
                question.schema,
                json.dumps(list(question.fields), ensure_ascii=False),
                any(reading.error is not None for reading in answer.readings),
                answer.model_dump_json(),
            ),
        )

    def answers(self, sha256: str, page: int) -> list[Recorded]:
        """All answers about one document, in a stable order."""
        rows = self._rows(
            "SELECT expert, question, answer FROM answers WHERE sha256 = ? AND page = ? "
            "ORDER BY expert, fingerprint, question",
            (sha256, page),
        )
        return [
            Recorded(expert, question, Answer.model_validate_json(answer))
            for expert, question, answer in rows
        ]

    def recorded_experts(self) -> dict[str, tuple[str, str | None]]:
        """Expert name → (fingerprint, model) of its most frequent answers."""
        groups = self._rows(
            "SELECT expert, fingerprint FROM answers GROUP BY expert, fingerprint ORDER BY count(*)"
        )
        found = {}
        for expert, fingerprint in groups:
            row = self._row(
                "SELECT json_extract(answer, '$.model') FROM answers "
                "WHERE expert = ? AND fingerprint = ? LIMIT 1",
                (expert, fingerprint),
            )
            found[expert] = (fingerprint, row[0])
        return found

    def mean_tokens(self, expert: str) -> tuple[float, float] | None:
        """Prompt and completion tokens of an expert's mean call, or None where it was never asked."""
        row = self._row(
            "SELECT sum(json_extract(answer, '$.cost.calls')), "
            "sum(json_extract(answer, '$.cost.prompt_tokens')), "
            "sum(json_extract(answer, '$.cost.completion_tokens')) "
            "FROM answers WHERE expert = ? AND NOT failed",
            (expert,),
        )
        return (row[1] / row[0], row[2] / row[0]) if row and row[0] else None

    def forget_failures(self) -> int:
        """Drop what failed, so that it is done again; how many files have something failed."""
        with self._lock:
            paths = self._connection.execute(
                "SELECT count(DISTINCT path) FROM records WHERE failed"
            ).fetchone()[0]
            self._connection.execute("DELETE FROM answers WHERE failed")
            self._connection.execute(
                "DELETE FROM records WHERE path IN (SELECT path FROM records WHERE failed)"
            )
        return int(paths)

    def put_records(self, rows: Sequence[Row]) -> None:
        """Write records, all or none of them; see `row_of`."""
        with self._lock:
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", rows
            )
            self._connection.execute("COMMIT")

    def opened_files(self) -> set[str]:
        """Hashes of the files that were opened in this run, ever."""
        return {row[0] for row in self._rows("SELECT sha256 FROM files")}

    def records(self, strategy: str) -> Records:
        """All records of a strategy."""
        return Records(self, strategy)

    def records_after(self, strategy: str, path: str, page: int, limit: int) -> list[Record]:
        """The next records of a strategy, in the order of path and page."""
        rows = self._rows(
            "SELECT record FROM records WHERE strategy = ? AND (path, page) > (?, ?) "
            "ORDER BY path, page LIMIT ?",
            (strategy, path, page, limit),
        )
        return [Record.model_validate_json(row[0]) for row in rows]

    def count_documents(self, strategies: Sequence[str]) -> int:
        """Documents of which any of the strategies has a record."""
        row = self._row(
            f"SELECT count(*) FROM (SELECT DISTINCT path, page FROM records WHERE {_OF_STRATEGIES})",
            (json.dumps(list(strategies)),),
        )
        return int(row[0])

    def failed_records(self, strategies: Sequence[str]) -> list[Record]:
        """What failed in the strategies' records, by path and page."""
        rows = self._rows(
            f"SELECT record FROM records WHERE failed AND {_OF_STRATEGIES} "
            "ORDER BY path, page, strategy",
            (json.dumps(list(strategies)),),
        )
        return [Record.model_validate_json(row[0]) for row in rows]

    def strategies(self) -> list[str]:
        """Names of the strategies that have records."""
        rows = self._rows("SELECT DISTINCT strategy FROM records ORDER BY strategy")
        return [row[0] for row in rows]

    def finished_paths(self, strategies: Sequence[str]) -> set[str]:
        """Paths that have their records under every one of the strategies."""
        rows = self._rows(
            "SELECT path, count(DISTINCT strategy) FROM records "
            f"WHERE strategy IN ({','.join('?' * len(strategies))}) GROUP BY path",
            tuple(strategies),
        )
        return {path for path, count in rows if count == len(strategies)}

    def clear_records(self) -> None:
        self._write("DELETE FROM records", ())

    def _rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def _row(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        """The first row, or None."""
        with self._lock:
            return self._connection.execute(statement, values).fetchone()

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        with self._lock:
            self._connection.execute(statement, values)


@dataclass(frozen=True)
class Records:
    """A strategy's records, sorted by path and page: iterable again and again, few in memory."""

    store: Store
    strategy: str

    def __iter__(self) -> Iterator[Record]:
        path, page = "", 0
        while batch := self.store.records_after(self.strategy, path, page, 500):
            yield from batch
            path, page = batch[-1].document.path, batch[-1].document.page


def row_of(record: Record) -> Row:
    """A record as the store keeps it."""
    document = record.document
    failed = is_failed(record)
    return Row(record.strategy, document.path, document.page, failed, record.model_dump_json())


def is_failed(record: Record) -> bool:
    """Whether the document, or any field of it, could not be processed."""
    return record.error is not None or any(
        decision.status == "failed" for decision in record.fields.values()
    )


def _claim(path: Path) -> IO[str]:
    """Lock a store for writing until the handle is closed. Raises StoreError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = Path(f"{path}.lock").open("w")  # noqa: SIM115 - closed with the store
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
            f"{path}: another process is writing this run; wait for it, or name another --out"
        ) from error
    return handle
