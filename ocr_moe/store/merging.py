"""Several stores into one, each whole or not at all: shards of a run, which did not know of each other.

The same content may lie in two shards under two paths.  One undivided run would have read it once and
recorded it twice; so one of the shards *speaks* for it: its pages, answers and records stand, and the
records are those of every path.  That is the shard in which people said what the content is or where
its documents stand (the last to have said so), else one that finished it, else one with fewer failures,
else the first in the order in which shards are taken.

An answer that another shard paid for as well is kept among `repeats`, where its cost is counted.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ocr_moe.store.database import Store, renamed, row_of, unsettle
from ocr_moe.store.inputs import Input, write
from ocr_moe.types import JudgementKind, Record

_PAGES = "SELECT sha256, page, region, engine, CAST(text AS BLOB) FROM pages WHERE json_valid(text)"
_PUT_PAGE = "INTO pages VALUES (?, ?, ?, ?, CAST(? AS TEXT))"
_ANSWER = "sha256, page, region, fingerprint, question"
_ANSWERS = (
    f"SELECT {_ANSWER}, expert, schema, CAST(fields AS BLOB), failed, CAST(answer AS BLOB) "
    "FROM answers WHERE json_valid(answer)"
)
_OUR_ANSWER = (
    "SELECT failed, expert, CAST(answer AS BLOB) FROM answers WHERE json_valid(answer) "
    f"AND ({_ANSWER}) = (?, ?, ?, ?, ?)"
)
_PUT_ANSWER = (
    "INSERT OR REPLACE INTO answers "
    "VALUES (?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT), ?, CAST(? AS TEXT))"
)
_PUT_REPEAT = "INSERT OR IGNORE INTO repeats VALUES (?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT))"
_OF_STRATEGIES = "strategy IN (SELECT value FROM json_each(?))"
_RECORDS = "SELECT strategy, path, page, part, failed, CAST(record AS BLOB) FROM records"
_PUT_RECORD = "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT))"
_OF_PAGES = (JudgementKind.SCHEMA.value, JudgementKind.REGIONS.value)

Standing = tuple[str, bool, int]
"""How much a shard has to say of a content: when people last said what it is (ISO 8601, or empty),
whether it is finished, and how many of its records failed, negative."""


class Merging:
    """A store that takes in others. Not to be shared between threads."""

    def __init__(self, to: Store, strategies: Sequence[str]) -> None:
        self._to = to
        self._strategies = json.dumps(list(strategies))

    def take(self, source: Store, meta: Mapping[str, Any]) -> None:
        """Take a store in, and write `meta` with it.

        Inputs that both have are the same in both, or could not be read for one. All or nothing; taken
        in again, a store changes nothing. Judgements are left out (`take_judgements`). Raises
        StoreError.
        """
        with source.reading() as from_, self._to.writing() as db:
            shared = self._shared(source, db)
            speaking = {
                sha256
                for sha256, (ours, theirs) in shared.items()
                if self._standing(from_, sha256, theirs[0]) > self._standing(db, sha256, ours[0])
            }
            db.executemany(
                "INSERT OR IGNORE INTO files VALUES (?, ?)",
                from_.execute("SELECT sha256, pages FROM files WHERE typeof(pages) = 'integer'"),
            )
            for row in from_.execute(_PAGES):
                verb = "INSERT OR REPLACE" if row[0] in speaking else "INSERT OR IGNORE"
                db.execute(f"{verb} {_PUT_PAGE}", row)
            for row in from_.execute(_ANSWERS):
                _take_answer(db, row, speaks=row[0] in speaking)
            for row in from_.execute("SELECT * FROM repeats WHERE json_valid(answer)"):
                db.execute(_PUT_REPEAT, row)
            self._take_records(from_, db, shared)
            for sha256, (ours, theirs) in shared.items():
                self._share(from_, db, ours, theirs, speaks=sha256 in speaking)
            write(db, self._new_inputs(source, db))
            db.execute("DELETE FROM settled")
            unsettle(db)
            db.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                [(key, json.dumps(value, sort_keys=True)) for key, value in meta.items()],
            )

    def _shared(
        self, source: Store, db: sqlite3.Connection
    ) -> dict[str, tuple[list[str], list[str]]]:
        """Hash → (our paths, theirs), of contents that both have."""
        shared: dict[str, tuple[list[str], list[str]]] = {}
        for row in source.inputs:
            if row.sha256 and row.sha256 not in shared:
                ours = db.execute(
                    "SELECT path FROM inputs WHERE sha256 = ? ORDER BY path", (row.sha256,)
                ).fetchall()
                if ours:
                    shared[row.sha256] = ([path for (path,) in ours], [])
            if row.sha256 in shared:
                shared[row.sha256][1].append(row.path)
        return shared

    def _new_inputs(self, source: Store, db: sqlite3.Connection) -> Iterator[Input]:
        """Those that we do not have, or could not read."""
        for row in source.inputs:
            known = db.execute("SELECT sha256 FROM inputs WHERE path = ?", (row.path,)).fetchone()
            if known is None or (row.sha256 and not known[0]):
                yield row

    def _standing(self, db: sqlite3.Connection, sha256: str, path: str) -> Standing:
        [said] = db.execute(
            "SELECT max(json_extract(judgement, '$.at')) FROM judgements WHERE sha256 = ? "
            "AND json_valid(judgement) AND json_extract(judgement, '$.kind') IN (?, ?)",
            (sha256, *_OF_PAGES),
        ).fetchone()
        count, failed = db.execute(
            f"SELECT count(*), coalesce(sum(failed), 0) FROM records WHERE {_OF_STRATEGIES} "
            "AND path = ? AND json_valid(record)",
            (self._strategies, path),
        ).fetchone()
        return (said or "", count > 0, -failed)

    def _take_records(
        self, from_: sqlite3.Connection, db: sqlite3.Connection, shared: Container[str]
    ) -> None:
        """The records of contents that are new here."""
        rows = from_.execute(
            "SELECT i.sha256, r.strategy, r.path, r.page, r.part, r.failed, CAST(r.record AS BLOB) "
            "FROM records r JOIN inputs i ON i.path = r.path WHERE json_valid(r.record)"
        )
        dropped: set[str] = set()
        for sha256, *row in rows:
            if sha256 in shared:
                continue
            path = row[1]
            known = db.execute("SELECT sha256 FROM inputs WHERE path = ?", (path,)).fetchone()
            # A file that could not be read in this shard was read, or read in vain, in another one.
            if known is not None and not sha256:
                continue
            if known is not None and path not in dropped:
                dropped.add(path)
                self._drop_records(db, path)
            db.execute(_PUT_RECORD, row)

    def _drop_records(self, db: sqlite3.Connection, path: str) -> None:
        db.execute(
            f"DELETE FROM records WHERE {_OF_STRATEGIES} AND path = ?", (self._strategies, path)
        )

    def _share(
        self,
        from_: sqlite3.Connection,
        db: sqlite3.Connection,
        ours: Sequence[str],
        theirs: Sequence[str],
        *,
        speaks: bool,
    ) -> None:
        """The records of a content that both have, for every path."""
        where = f"{_RECORDS} WHERE {_OF_STRATEGIES} AND path = ? AND json_valid(record)"
        said = (
            from_.execute(where, (self._strategies, theirs[0]))
            if speaks
            else db.execute(where, (self._strategies, ours[0]))
        )
        records = list(_readable(row[-1] for row in said.fetchall()))
        for path in dict.fromkeys([*ours, *theirs] if speaks else theirs):
            if speaks or path not in ours:
                self._drop_records(db, path)
                db.executemany(_PUT_RECORD, [row_of(renamed(record, path)) for record in records])


def take_judgements(to: Store, sources: Iterable[Store]) -> None:
    """Add what people said in other stores, each word once, in the order of time. Raises StoreError."""
    said: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    with to.reading() as db:
        before = _judgements(db)
    said.update(before)
    for source in sources:
        with source.reading() as from_:
            for key, row in _judgements(from_).items():
                said.setdefault(key, row)
    if len(said) == len(before):
        return
    # Stable: words of one second stay in the order of their stores.
    ordered = sorted(said, key=lambda key: str(json.loads(key[3]).get("at", "")))
    ids = {key: number for number, key in enumerate(ordered, 1)}
    with to.writing() as db:
        db.execute("DELETE FROM judgements")
        for key in ordered:
            sha256, page, region, judgement, undone, _ = key
            path, part = said[key]
            db.execute(
                "INSERT INTO judgements VALUES (?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT))",
                (ids[key], sha256, page, region, path, part, ids.get(undone), judgement),
            )
        unsettle(db)


def _judgements(db: sqlite3.Connection) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """(hash, page, region, judgement, key of the one that it takes back or None, how often the same was
    said before) → (path, part)."""
    keys: dict[int, tuple[Any, ...]] = {}
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for number, sha256, page, region, path, part, undoes, judgement in db.execute(
        "SELECT id, sha256, page, region, path, part, undoes, CAST(judgement AS BLOB) "
        "FROM judgements WHERE json_valid(judgement) ORDER BY id"
    ):
        key: tuple[Any, ...] = (sha256, page, region, judgement, keys.get(undoes), 0)
        while key in found:
            key = (*key[:-1], key[-1] + 1)
        keys[number] = key
        found[key] = (path, part)
    return found


def _take_answer(db: sqlite3.Connection, row: tuple[Any, ...], *, speaks: bool) -> None:
    """Put an answer among ours, or the one of both that does not count among the repeats."""
    question, failed, answer = row[:5], row[-2], row[-1]
    known = db.execute(_OUR_ANSWER, question).fetchone()
    if known is None:
        db.execute(_PUT_ANSWER, row)
        return
    if known[2] == answer:
        return
    # One that did not fail goes first, whoever speaks: it is there for --retry-failed.
    better = bool(known[0]) if bool(known[0]) != bool(failed) else speaks
    if better:
        db.execute(_PUT_ANSWER, row)
    expert, repeated = (known[1], known[2]) if better else (row[5], answer)
    digest = hashlib.sha256(repeated).hexdigest()[:16]
    db.execute(_PUT_REPEAT, (*question, digest, expert, repeated))


def _readable(texts: Iterable[bytes]) -> Iterator[Record]:
    """What is no record any more is left out: its file then counts as not finished."""
    for text in texts:
        try:
            yield Record.model_validate_json(text)
        except ValidationError:
            continue
