"""The run's store: one SQLite file that holds everything that was read, asked and decided.

It is the only truth of a run; every export is made from it. A killed process loses at most the call
that was under way. One process writes at a time, and with it those that work for it; others may read.
A store of an earlier version is migrated when it is opened for writing, and read as it is otherwise
(`ocr_moe.store.migrations`).

Tables: `meta` (the run's identity), `inputs` (path → where the file is, and its hash), `files` (hash →
page count), `pages` (page OCR, once per engine),
`answers` (every answer of every expert, keyed by document, expert fingerprint and the question),
`records` (decisions, one row a strategy and document), `settled` (those among them that other documents
of the run changed), `judgements` (what people said), `repeats` (answers to questions that shards put a
second time), `requests`, `batches` and `forms` (what is asked in batches: `ocr_moe.store.requests`).
docs/formats.md tells their columns.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from pydantic import ValidationError

from ocr_moe.errors import BudgetExceededError, DamagedRowError, StoreError
from ocr_moe.store.inputs import Inputs
from ocr_moe.store.opening import (
    examine,
    open_to_join,
    open_to_read,
    open_to_write,
    unusable,
)
from ocr_moe.store.requests import Requests
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.tracing import span
from ocr_moe.types import (
    Answer,
    Box,
    Cost,
    DocumentRef,
    Judgement,
    JudgementKind,
    PageText,
    Reading,
    Record,
    Recorded,
    Value,
)

_OF_STRATEGIES = "strategy IN (SELECT value FROM json_each(?))"
_SETTLED = (
    "coalesce((SELECT s.record FROM settled s WHERE s.strategy = records.strategy "
    "AND s.path = records.path AND s.page = records.page AND s.part = records.part), record)"
)
_SET_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
_SETTLED_BY = "settled"
"""Strategy → what `put_settled` was told of how its records were settled. Whatever changes records drops
it with them."""
_COUNT_RECORDS = "SELECT count(*) FROM records WHERE strategy = ?"
_PUT_PAGE = (
    "INSERT INTO pages VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text "
    "WHERE text IS NOT excluded.text"  # what is there already is no change of the store
)
_PUT_JUDGEMENT = (
    "INSERT INTO judgements (sha256, page, region, path, part, undoes, judgement) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_PUT_ANSWER = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Kept = TypeVar("Kept", bound=Value)


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
    region: Box | None = None
    """Where on its page the document stands; None for the whole page."""


class RecordRow(NamedTuple):
    """A record on its way into the store."""

    strategy: str
    path: str
    page: int
    part: int
    failed: bool
    record: str
    """The record as JSON."""


class Judged(NamedTuple):
    """A judgement as the store holds it, with the document that it is about."""

    id: int
    """Counted upwards from 1, in the order in which judgements were given."""
    sha256: str
    page: int
    region: Box | None
    path: str
    part: int
    judgement: Judgement
    undone: bool


class Store:
    """An opened store. Safe to share between threads.

    Raises StoreError on opening, having written nothing, and where SQLite cannot go on.
    """

    def __init__(self, path: Path, *, write: bool = True, join: bool = False) -> None:
        """With `join` it is written beside the process that has it open for writing, for which this
        one works."""
        self.path = path
        self.inputs = Inputs(self)
        self.requests = Requests(self)
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._guard: IO[str] | None = None
        if join:
            self._db = open_to_join(path)
        elif write:
            self._db, self._guard = open_to_write(path)
        else:
            self._db = open_to_read(path)
        self._heard: list[Judged] = []
        """The judgements that were read, in their order: people's pages ask for all of them, and the
        table only grows."""
        self._absolute = path.absolute()
        self._file = _file_of(self._absolute)

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError(f"{self.path}: the store is closed")
        return self._db

    @property
    def is_changed(self) -> bool:
        """Whether anything was written since it was opened."""
        return self._connection.total_changes > 0

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

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for modules of this room that go through whole tables."""
        with self._lock, self._saying():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The same to write: all of the block or nothing of it."""
        with self._transaction() as db:
            yield db

    @contextmanager
    def surely_writing(self) -> Iterator[sqlite3.Connection]:
        """The same, on the disk when the block is left, whatever happens to the power."""
        with self._lock, self._saying():
            self._connection.execute("PRAGMA synchronous = FULL")
            try:
                with self._transaction() as db:
                    yield db
            finally:
                self._connection.execute("PRAGMA synchronous = NORMAL")

    def get_meta(self, key: str) -> Any:
        """The JSON value under a key, or None."""
        row = self._row("SELECT value FROM meta WHERE key = ?", (key,))
        try:
            return json.loads(row[0]) if row else None
        except ValueError as error:
            raise self._damaged(f"what it says of {key}", error) from error

    def set_meta(self, key: str, value: Any) -> None:
        self._write(_SET_META, _meta_row(key, value))

    def sign(self, meta: Mapping[str, Any], *, clear_records: bool) -> None:
        """Write what a run says of itself, key by key, and with it drop records that no longer hold.

        All or nothing; nothing at all is written where all of it stands there.
        """
        rows = [_meta_row(key, value) for key, value in meta.items()]
        told = dict(self._rows("SELECT key, value FROM meta"))
        changed = [(key, value) for key, value in rows if told.get(key) != value]
        if not changed and not clear_records:
            return
        with self._transaction() as db:
            if clear_records:
                db.execute("DELETE FROM records")
                db.execute("DELETE FROM settled")
                unsettle(db)
            db.executemany(_SET_META, changed)

    def get_page_count(self, sha256: str) -> int | None:
        """None where it is not known, or damaged."""
        row = self._row("SELECT pages FROM files WHERE sha256 = ?", (sha256,))
        return row[0] if row and isinstance(row[0], int) and row[0] >= 0 else None

    def put_page_count(self, sha256: str, pages: int) -> None:
        self._write("INSERT OR REPLACE INTO files VALUES (?, ?)", (sha256, pages))

    def get_page(
        self, sha256: str, page: int, engine: str, region: Box | None = None
    ) -> PageText | None:
        """Of a page, or of a region of it that was read by itself. None where that was not read, or
        its row is damaged: it is then read anew."""
        row = self._row(
            "SELECT CAST(text AS BLOB) FROM pages "
            "WHERE sha256 = ? AND page = ? AND region = ? AND engine = ?",
            (sha256, page, _key_of(region), engine),
        )
        return _readable(PageText, row[0]) if row else None

    def get_page_by(
        self, sha256: str, page: int, begin: str, end: str, region: Box | None = None
    ) -> PageText | None:
        """The same of an engine of which only the begin and the end of the name are known."""
        row = self._row(
            "SELECT CAST(text AS BLOB) FROM pages WHERE sha256 = ? AND page = ? AND region = ? "
            "AND substr(engine, 1, ?) = ? AND substr(engine, -?) = ? ORDER BY engine",
            (sha256, page, _key_of(region), len(begin), begin, len(end), end),
        )
        return _readable(PageText, row[0]) if row else None

    def put_page(self, sha256: str, page: int, engine: str, text: PageText) -> None:
        self._write(_PUT_PAGE, _page_row(sha256, page, engine, text))

    def put_pages(self, pages: Iterable[tuple[str, int, str, PageText]]) -> int:
        """Write page OCR, (hash of the file, page, engine, text), all or none of it; how many."""
        count = 0
        with self._transaction() as db:
            for sha256, page, engine, text in pages:
                db.execute(_PUT_PAGE, _page_row(sha256, page, engine, text))
                count += 1
        return count

    def pages(self) -> Iterator[tuple[str, int, PageText]]:
        """All page OCR: (hash of the file, page, text), in a stable order."""
        rows = self._rows(
            "SELECT sha256, page, CAST(text AS BLOB) FROM pages "
            "ORDER BY sha256, page, region, engine"
        )
        for sha256, page, text in rows:
            yield sha256, page, self._read(PageText, text, f"the text of page {page} of {sha256}")

    def get_answer(self, question: Question) -> Answer | None:
        """None where the question was not put, or its row is damaged: it is then put anew."""
        row = self._row(
            "SELECT CAST(answer AS BLOB) FROM answers WHERE sha256 = ? AND page = ? AND region = ? "
            "AND fingerprint = ? AND question = ?",
            (
                question.sha256,
                question.page,
                _key_of(question.region),
                question.fingerprint,
                question.digest,
            ),
        )
        return _readable(Answer, row[0]) if row else None

    def put_answer(self, question: Question, answer: Answer) -> None:
        self._write(
            _PUT_ANSWER,
            (
                question.sha256,
                question.page,
                _key_of(question.region),
                question.fingerprint,
                question.digest,
                question.expert,
                question.schema,
                json.dumps(list(question.fields), ensure_ascii=False),
                any(map(_has_failed, answer.readings)),
                answer.model_dump_json(),
            ),
        )

    def answers(self, sha256: str, page: int, region: Box | None = None) -> list[Recorded]:
        """All answers about one document, in a stable order."""
        rows = self._rows(
            "SELECT expert, question, CAST(answer AS BLOB) FROM answers "
            "WHERE sha256 = ? AND page = ? AND region = ? "
            "ORDER BY expert, fingerprint, question",
            (sha256, page, _key_of(region)),
        )
        return [
            Recorded(
                expert,
                question,
                self._read(Answer, answer, f"an answer of {expert} on page {page} of {sha256}"),
            )
            for expert, question, answer in rows
        ]

    def answer_rows(self, sha256: str, page: int) -> list[tuple[str, str, bytes]]:
        """(expert, fingerprint, answer as JSON) of a document that is no part of its page, in the
        order of `answers`."""
        return self._rows(
            "SELECT expert, fingerprint, CAST(answer AS BLOB) FROM answers "
            "WHERE sha256 = ? AND page = ? AND region = '' "
            "ORDER BY expert, fingerprint, question",
            (sha256, page),
        )

    def put_judgement(
        self, document: DocumentRef, judgement: Judgement, *, undoes: int | None = None
    ) -> int:
        """Add what a person said of a document, which is on disk when this returns; its id.

        `undoes` is the id of the judgement that one of the kind `undo` takes back.
        """
        row = (
            document.sha256,
            document.page,
            _key_of(document.region),
            document.path,
            document.part,
            undoes,
            judgement.model_dump_json(warnings="error"),
        )
        with self._lock, self._saying():
            self.check()
            # A person's word is not to be lost with the power either.
            self._connection.execute("PRAGMA synchronous = FULL")
            try:
                added = self._connection.execute(_PUT_JUDGEMENT, row)
            finally:
                self._connection.execute("PRAGMA synchronous = NORMAL")
            return int(added.lastrowid or 0)

    def judgements(self, *, after: int = 0) -> list[Judged]:
        """All judgements, or those after one, in the order in which they were given."""
        with self._lock:
            known = self._heard[-1].id if self._heard else 0
            new = self._judged("WHERE id > ?", (known,))
            undone = (
                self._rows("SELECT undoes FROM judgements WHERE id > ?", (known,)) if new else ()
            )
            self._heard += new
            for [number] in undone:
                at = len(self._heard) if number is None else _place_of(self._heard, number)
                if at < len(self._heard) and self._heard[at].id == number:
                    self._heard[at] = self._heard[at]._replace(undone=True)
            return self._heard[_place_of(self._heard, after + 1) :]

    def judgements_of(self, sha256: str, page: int, region: Box | None = None) -> list[Judgement]:
        """What counts of what people said of one document, in the order in which it was given."""
        return [
            each.judgement
            for each in self.judgements_on(sha256, page, region)
            if not each.undone and each.judgement.kind is not JudgementKind.UNDO
        ]

    def judgements_on(self, sha256: str, page: int, region: Box | None = None) -> list[Judged]:
        """All that people said of one document, taken back or not."""
        return self._judged(
            "WHERE sha256 = ? AND page = ? AND region = ?", (sha256, page, _key_of(region))
        )

    def last_judgement(self) -> int:
        """The id of the latest judgement; 0 where nobody said anything."""
        return int(self._row("SELECT coalesce(max(id), 0) FROM judgements")[0])

    def _judged(self, where: str, values: tuple[Any, ...]) -> list[Judged]:
        rows = self._rows(
            "SELECT id, sha256, page, region, path, part, CAST(judgement AS BLOB), "
            "EXISTS (SELECT * FROM judgements u WHERE u.undoes = judgements.id) "
            f"FROM judgements {where} ORDER BY id",
            values,
        )
        return [
            Judged(
                number,
                sha256,
                page,
                _region_of(region),
                path,
                part,
                self._read(Judgement, text, f"judgement {number} on {path}"),
                bool(undone),
            )
            for number, sha256, page, region, path, part, text, undone in rows
        ]

    def copy_answers(self, to: Store, experts: Sequence[str]) -> int:
        """Put the answers of some experts, but for those that failed, into another store; how many."""
        count = 0
        with self._lock, self._saying(), to._transaction() as db:
            rows = self._connection.execute(
                "SELECT * FROM answers WHERE NOT failed "
                "AND expert IN (SELECT value FROM json_each(?)) "
                "ORDER BY sha256, page, region, fingerprint, question",
                (json.dumps(list(experts)),),
            )
            for row in rows:
                db.execute(_PUT_ANSWER, row)
                count += 1
        return count

    def count_repeats(self) -> int:
        """Answers that do not count, as another shard had asked the same."""
        return int(self._row("SELECT count(*) FROM repeats")[0])

    def repeated_cost(self) -> Cost:
        """What those have cost."""
        rows = self._rows(
            "SELECT CAST(json_extract(answer, '$.cost') AS BLOB) FROM repeats "
            "ORDER BY sha256, page, region, fingerprint, question, digest"
        )
        return sum(
            (self._read(Cost, row[0], "what a repeated answer cost") for row in rows), Cost()
        )

    def pack(self) -> None:
        """Make one file of the store, with nothing beside it that SQLite needs, to be shipped."""
        self._write("PRAGMA journal_mode = DELETE")
        self._write("VACUUM")

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
        with self._transaction() as db:
            [paths] = db.execute("SELECT count(DISTINCT path) FROM records WHERE failed").fetchone()
            db.execute("DELETE FROM answers WHERE failed")
            db.execute("DELETE FROM requests WHERE failed")
            unsettle(db)
            for table in ("settled", "records"):
                db.execute(
                    f"DELETE FROM {table} WHERE path IN (SELECT path FROM records WHERE failed)"
                )
        return int(paths)

    def put_records(self, rows: Sequence[RecordRow]) -> None:
        """Write records, all or none of them; see `row_of`."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?)", rows)
            db.executemany(
                "DELETE FROM settled WHERE strategy = ? AND path = ? AND page = ? AND part = ?",
                [(row.strategy, row.path, row.page, row.part) for row in rows],
            )
            unsettle(db)

    def drop_records(self, paths: Sequence[str]) -> None:
        """Drop all records of some files."""
        with self._transaction() as db:
            keys = [(name, path) for name in self.strategies() for path in paths]
            for table in ("settled", "records"):
                db.executemany(f"DELETE FROM {table} WHERE strategy = ? AND path = ?", keys)
            unsettle(db)

    def records_of(self, path: str, strategies: Sequence[str]) -> list[Record]:
        """The records of a file as experts alone decided them, by page, part and strategy."""
        rows = self._rows(
            f"SELECT CAST(record AS BLOB) FROM records WHERE {_OF_STRATEGIES} AND path = ? "
            "ORDER BY page, part, strategy",
            (json.dumps(list(strategies)), path),
        )
        return [self.parsed_record(path, record) for (record,) in rows]

    def replace_records(self, paths: Sequence[str], rows: Sequence[RecordRow]) -> None:
        """Write records in place of all that there are of some files, under every strategy."""
        with self._transaction() as db:
            for table in ("settled", "records"):
                db.executemany(f"DELETE FROM {table} WHERE path = ?", [(path,) for path in paths])
            db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", rows)
            unsettle(db)

    def put_settled(self, strategy: str, records: Iterable[Record], by: str) -> int:
        """Write down what other documents changed of a strategy's records, in place of what they
        changed before; how many. `by` tells `is_settled` how they came to that."""
        written = map(row_of, records)
        rows = ((row.strategy, row.path, row.page, row.part, row.record) for row in written)
        with self._transaction() as db:
            db.execute("DELETE FROM settled WHERE strategy = ?", (strategy,))
            count = db.executemany("INSERT INTO settled VALUES (?, ?, ?, ?, ?)", rows).rowcount
            [records_now] = db.execute(_COUNT_RECORDS, (strategy,)).fetchone()
            standing = self._settled_by() | {strategy: {"by": by, "records": records_now}}
            db.execute(_SET_META, _meta_row(_SETTLED_BY, standing))
        return count

    def is_settled(self, strategy: str, by: str) -> bool:
        """Whether the strategy's records are the same since they were settled so."""
        [records] = self._row(_COUNT_RECORDS, (strategy,))
        return self._settled_by().get(strategy) == {"by": by, "records": records}

    def _settled_by(self) -> dict[str, Any]:
        standing = self.get_meta(_SETTLED_BY)
        return standing if isinstance(standing, dict) else {}

    def change_settled(
        self, strategy: str, records: Sequence[Record], plain: Sequence[DocumentKey]
    ) -> None:
        """Write down records as they are settled now; those of `plain` are as experts decided them."""
        written = [row_of(record) for record in records]
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM settled WHERE strategy = ? AND path = ? AND page = ? AND part = ?",
                [(strategy, *key) for key in plain],
            )
            db.executemany(
                "INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?, ?)",
                [(row.strategy, row.path, row.page, row.part, row.record) for row in written],
            )

    def record(self, strategy: str, key: DocumentKey, *, alone: bool = False) -> Record | None:
        """A strategy's record of one document; `alone`, as experts alone decided it."""
        record = "record" if alone else _SETTLED
        row = self._row(
            f"SELECT CAST({record} AS BLOB) FROM records "
            "WHERE strategy = ? AND path = ? AND page = ? AND part = ?",
            (strategy, *key),
        )
        return self.parsed_record(key.path, row[0]) if row else None

    def has_opened(self, least: int) -> bool:
        """Whether at least so many files were opened in this run."""
        return len(self._rows("SELECT 1 FROM files LIMIT ?", (least,))) == least

    def opened_files(self) -> set[str]:
        """Hashes of the files that were opened in this run, ever."""
        return {row[0] for row in self._rows("SELECT sha256 FROM files")}

    def records(self, strategy: str, *, alone: bool = False) -> Records:
        """All records of a strategy; `alone`, as experts alone decided them, before people and other
        documents had their say."""
        return Records(self, strategy, alone)

    def records_after(
        self, strategy: str, path: str, page: int, part: int, limit: int, *, alone: bool = False
    ) -> list[Record]:
        """The next records of a strategy, in the order of path, page and part."""
        rows = self.record_rows_after(strategy, path, page, part, limit, alone=alone)
        return [self.parsed_record(path, record) for path, _, _, record in rows]

    def record_rows_after(
        self, strategy: str, path: str, page: int, part: int, limit: int, *, alone: bool = False
    ) -> list[tuple[str, int, int, bytes]]:
        """The same as they stand there: (path, page, part, record as JSON)."""
        record = "record" if alone else _SETTLED
        return self._rows(
            f"SELECT path, page, part, CAST({record} AS BLOB) FROM records "
            "WHERE strategy = ? AND (path, page, part) > (?, ?, ?) "
            "ORDER BY path, page, part LIMIT ?",
            (strategy, path, page, part, limit),
        )

    def count_documents(self, strategies: Sequence[str], *, blank: bool = False) -> int:
        """Documents of which any of the strategies has a record; only the blank pages on demand."""
        only = "AND NOT failed AND json_extract(record, '$.blank')" if blank else ""
        row = self._row(
            "SELECT count(*) FROM (SELECT DISTINCT path, page, part FROM records "
            f"WHERE {_OF_STRATEGIES} {only})",
            (json.dumps(list(strategies)),),
        )
        return int(row[0])

    def failed_records(self, strategies: Sequence[str]) -> list[Record]:
        """What failed in the strategies' records, by path, page and part."""
        rows = self._rows(
            "SELECT path, CAST(record AS BLOB) FROM records "
            f"WHERE failed AND {_OF_STRATEGIES} "
            "ORDER BY path, page, part, strategy",
            (json.dumps(list(strategies)),),
        )
        return [self.parsed_record(path, record) for path, record in rows]

    def strategies(self) -> list[str]:
        """Names of the strategies that have records."""
        rows = self._rows("SELECT DISTINCT strategy FROM records ORDER BY strategy")
        names = [row[0] for row in rows]
        if not all(isinstance(name, str) for name in names):
            raise StoreError(f"{self.path}: the store is damaged, a strategy's name is no text")
        return names

    def finished_paths(self, strategies: Sequence[str]) -> set[str]:
        """Paths that have their records under every one of the strategies."""
        rows = self._rows(
            "SELECT path, count(DISTINCT strategy) FROM records "
            f"WHERE strategy IN ({','.join('?' * len(strategies))}) GROUP BY path",
            tuple(strategies),
        )
        return {path for path, count in rows if count == len(strategies)}

    def drop_damaged(self) -> None:
        """Drop what cannot be read, and the records of its documents: they are then read anew."""
        files: set[str] = set()
        with self._transaction() as db:
            for table, key, kept, model in (
                ("pages", "sha256, page, region, engine", "text", PageText),
                ("answers", "sha256, page, region, fingerprint, question", "answer", Answer),
            ):
                rows = db.execute(f"SELECT {key}, CAST({kept} AS BLOB) FROM {table}")
                for *values, _ in [row for row in rows if _readable(model, row[-1]) is None]:
                    marks = ", ".join("?" * len(values))
                    db.execute(f"DELETE FROM {table} WHERE ({key}) = ({marks})", values)
                    files.add(values[0])
            rows = db.execute("SELECT path, CAST(record AS BLOB) FROM records")
            paths = set()
            for path, text in rows:
                record = _readable(Record, text)
                if record is None or record.document.sha256 in files:
                    paths.add(path)
            rows = db.execute("SELECT path, CAST(record AS BLOB) FROM settled")
            paths |= {path for path, text in rows if _readable(Record, text) is None}
            for table in ("settled", "records"):
                db.executemany(f"DELETE FROM {table} WHERE path = ?", [(path,) for path in paths])
            if paths:
                unsettle(db)

    def examine(self) -> None:
        """Look through the whole file. Raises StoreError where it is damaged."""
        with self._lock, self._saying():
            examine(self._connection, self.path)

    def check(self) -> None:
        """Raises StoreError where the file was deleted or replaced since it was opened."""
        if _file_of(self._absolute) != self._file:
            raise StoreError(
                f"{self.path}: the store was deleted or replaced while it was in use, and what was "
                "read is lost with it; put it back, or give the same command again to begin anew"
            )

    def parsed_record(self, path: str, text: bytes) -> Record:
        """The record of a row of a file. Raises DamagedRowError."""
        return self._read(Record, text, f"the record of {path}")

    def _read(self, model: type[Kept], text: bytes, what: str) -> Kept:
        try:
            return model.model_validate_json(text)
        except ValidationError as error:
            raise self._damaged(what, error) from error

    def _damaged(self, what: str, error: ValueError) -> DamagedRowError:
        why = " ".join(str(error).split())[:200]
        return DamagedRowError(
            f"{self.path}: the store is damaged, {what} cannot be read ({why}); give the command "
            "that made it again: what is damaged is read anew"
        )

    def _rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock, self._saying():
            return self._connection.execute(statement, values).fetchall()

    def _row(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        """The first row, or None."""
        with self._lock, self._saying():
            return self._connection.execute(statement, values).fetchone()

    def _write(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        with self._lock, self._saying():
            self.check()
            self._connection.execute(statement, values)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._saying():
            within = self._connection.in_transaction
            if within:  # it is part of what `writing` holds together
                yield self._connection
                return
            self.check()
            self._connection.execute("BEGIN IMMEDIATE")  # else a read before a write may void it
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite ends it by itself on a full disk
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _saying(self) -> Iterator[None]:
        try:
            with span("store"):
                yield
        except sqlite3.DatabaseError as error:
            raise unusable(self.path, error) from error


@dataclass(frozen=True)
class Records:
    """A strategy's records, sorted by path, page and part: iterable again and again, few in memory."""

    store: Store
    strategy: str
    alone: bool = False

    def __iter__(self) -> Iterator[Record]:
        last = ("", 0, 0)
        while batch := self.store.records_after(self.strategy, *last, 500, alone=self.alone):
            for record in batch:
                document = record.document
                place = (document.path, document.page, document.part)
                # A record that names another place than its row would be come by again and again.
                if place <= last:
                    raise self._misplaced(last[0], place[0])
                last = place
                yield record

    def rows(self) -> Iterator[tuple[DocumentKey, bytes]]:
        """The same as JSON, as they stand in the store."""
        last = DocumentKey("", 0, 0)
        while batch := self.store.record_rows_after(self.strategy, *last, 500, alone=self.alone):
            for path, page, part, record in batch:
                last = DocumentKey(path, page, part)
                yield last, record

    def parsed(self, key: DocumentKey, row: bytes) -> Record:
        """The record of such a row. Raises StoreError where it is none, or of another document."""
        record = self.store.parsed_record(key.path, row)
        if key_of(record.document) != key:
            raise self._misplaced(key.path, record.document.path)
        return record

    def _misplaced(self, after: str, path: str) -> StoreError:
        return StoreError(
            f"{self.store.path}: the store is damaged, the record after {after!r} is of "
            f"{path!r}; take a copy that is whole, or run again into another --out"
        )


def renamed(record: Record, path: str) -> Record:
    """The record of the same bytes under another path."""
    if record.document.path == path:
        return record
    document = record.document.model_copy(update={"path": path})
    error = record.error
    if error is not None and error.message.startswith(f"{record.document.path}: "):
        message = path + error.message.removeprefix(record.document.path)
        error = error.model_copy(update={"message": message})
    return record.model_copy(update={"document": document, "error": error})


def row_of(record: Record) -> RecordRow:
    """A record as the store keeps it. Raises ValueError for one that could not be had back."""
    document = record.document
    text = record.model_dump_json(warnings="error")
    return RecordRow(
        record.strategy,
        document.path,
        document.page,
        document.part,
        is_failed(record),
        text,
    )


def unsettle(db: sqlite3.Connection) -> None:
    """Note that records changed since they were settled."""
    db.execute("DELETE FROM meta WHERE key = ?", (_SETTLED_BY,))


def _place_of(judged: Sequence[Judged], number: int) -> int:
    return bisect_left(judged, number, key=lambda each: each.id)


def _page_row(sha256: str, page: int, engine: str, text: PageText) -> tuple[Any, ...]:
    data = text.model_dump_json(exclude=None if text.cost.calls else {"cost"})
    return sha256, page, _key_of(text.region), engine, data


def _key_of(region: Box | None) -> str:
    """A region as it stands in keys; empty for the whole page."""
    return "" if region is None else ",".join(f"{side:.5f}" for side in region)


def _region_of(key: str) -> Box | None:
    """What `_key_of` made of a region, to its five places."""
    if not key:
        return None
    x0, y0, x1, y1 = map(float, key.split(","))
    return (x0, y0, x1, y1)


def _has_failed(reading: Reading) -> bool:
    """Whether it failed; one that a spent budget left out is merely still to be asked for."""
    error = reading.error
    return error is not None and error.type != BudgetExceededError.__name__


def is_failed(record: Record) -> bool:
    """Whether the document, or any field of it, could not be processed."""
    return record.error is not None or any(
        decision.status == "failed" for decision in record.fields.values()
    )


def _readable(model: type[Kept], text: bytes) -> Kept | None:
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return None


def _file_of(path: Path) -> tuple[int, int] | None:
    """Which file stands there, None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _meta_row(key: str, value: Any) -> tuple[str, str]:
    # Paths may not be UTF-8; escapes carry what then stands in their place.
    return key, json.dumps(value, sort_keys=True)
