"""How a store of an earlier version becomes one of today's.

A version is a number in the file's header (SQLite's `user_version`). A fresh store is an empty file
that goes through all steps, so that an old store and a new one end with the same tables.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ocr_moe.version import __version__

APPLICATION = 0x4F4D4F45
"""SQLite's `application_id` of a store since version 2: the letters OMOE."""

_RECORDED = "recorded answers of "
"""How a sentence on where answers came from began in version 1, once for every model."""


@dataclass(frozen=True)
class Step:
    """From the version before to `version`, in SQL that names tables without their database."""

    version: int
    run: Callable[[sqlite3.Connection], None]
    changes: tuple[str, ...] = ()
    """The tables of earlier versions that it changes; whoever may only read gets copies of them, see
    `overlay`."""
    shown: tuple[tuple[str, str], ...] = ()
    """(table, SELECT from `stored` that gives it as the step would leave it), for large tables: a
    reader looks through the statement instead of having the step run on a copy, unless a later step
    changes the table again."""


def version_of(db: sqlite3.Connection) -> int:
    """0 for an empty file."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection) -> None:
    """Take every step that is left, each whole or not at all. Raises what SQLite and steps raise."""
    for step in _left(version_of(db)):
        db.execute("BEGIN IMMEDIATE")
        try:
            step.run(db)
            db.execute(f"PRAGMA user_version = {step.version}")
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise


def overlay(db: sqlite3.Connection, version: int) -> None:
    """Give a reader of an earlier version today's tables, without writing to the file.

    The connection has the file attached as `stored`, and its own database in memory. There the steps
    make their tables, and what they change is copied there; SQLite finds both before the file's own of
    the same name. The other tables, however large, are read where they are.
    """
    steps = _left(version)
    for number, step in enumerate(steps):
        later = {table for each in steps[number + 1 :] for table in each.changes}
        if step.shown and version > 0 and not later.intersection(step.changes):
            for table, select in step.shown:
                db.execute(f"CREATE TEMP VIEW {table} AS {select}")
            continue
        for table in step.changes:
            if not _is_copied(db, table):
                [sql] = db.execute(
                    "SELECT sql FROM stored.sqlite_master WHERE type = 'table' AND name = ?",
                    (table,),
                ).fetchone()
                db.execute(sql)
                db.execute(f"INSERT INTO main.{table} SELECT * FROM stored.{table}")
        step.run(db)


def _is_copied(db: sqlite3.Connection, table: str) -> bool:
    found = db.execute("SELECT 1 FROM main.sqlite_master WHERE name = ?", (table,))
    return found.fetchone() is not None


def _left(version: int) -> list[Step]:
    return [step for step in STEPS if step.version > version]


def _first_tables(db: sqlite3.Connection) -> None:
    for statement in (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE files (sha256 TEXT PRIMARY KEY, pages INTEGER NOT NULL) WITHOUT ROWID",
        """CREATE TABLE pages (
            sha256 TEXT, page INTEGER, engine TEXT, text TEXT NOT NULL,
            PRIMARY KEY (sha256, page, engine)
        ) WITHOUT ROWID""",
        """CREATE TABLE answers (
            sha256 TEXT, page INTEGER, fingerprint TEXT, question TEXT,
            expert TEXT NOT NULL, schema TEXT NOT NULL, fields TEXT NOT NULL,
            failed INTEGER NOT NULL, answer TEXT NOT NULL,
            PRIMARY KEY (sha256, page, fingerprint, question)
        ) WITHOUT ROWID""",
        """CREATE TABLE records (
            strategy TEXT, path TEXT, page INTEGER, failed INTEGER NOT NULL, record TEXT NOT NULL,
            PRIMARY KEY (strategy, path, page)
        ) WITHOUT ROWID""",
    ):
        db.execute(statement)


def _origins(db: sqlite3.Connection) -> None:
    """`provenance`, a sentence a strategy, becomes `origins`; `created_by` tells who made the store."""
    old = db.execute("SELECT value FROM meta WHERE key = 'provenance'").fetchone()
    known = db.execute("SELECT value FROM meta WHERE key = 'origins'").fetchone()
    if old is not None and known is None:
        sentences: dict[str, str] = json.loads(old[0])
        _put(db, "origins", {name: _origin_of(said) for name, said in sentences.items()})
    db.execute("DELETE FROM meta WHERE key = 'provenance'")
    used = db.execute("SELECT EXISTS (SELECT * FROM meta)").fetchone()[0]
    # What holds something already was made by the only release that wrote version 1.
    _put(db, "created_by", "0.1.0" if used else __version__)


_REGIONS = ("pages", "answers", "records")


def _regions(db: sqlite3.Connection) -> None:
    """Several documents may share a page: `region` joins the keys of pages and answers, and `part`
    that of records."""
    for table in _REGIONS:
        db.execute(f"ALTER TABLE {table} RENAME TO whole_{table}")
    for statement in (
        """CREATE TABLE pages (
            sha256 TEXT, page INTEGER, region TEXT, engine TEXT, text TEXT NOT NULL,
            PRIMARY KEY (sha256, page, region, engine)
        ) WITHOUT ROWID""",
        """CREATE TABLE answers (
            sha256 TEXT, page INTEGER, region TEXT, fingerprint TEXT, question TEXT,
            expert TEXT NOT NULL, schema TEXT NOT NULL, fields TEXT NOT NULL,
            failed INTEGER NOT NULL, answer TEXT NOT NULL,
            PRIMARY KEY (sha256, page, region, fingerprint, question)
        ) WITHOUT ROWID""",
        """CREATE TABLE records (
            strategy TEXT, path TEXT, page INTEGER, part INTEGER, failed INTEGER NOT NULL,
            record TEXT NOT NULL,
            PRIMARY KEY (strategy, path, page, part)
        ) WITHOUT ROWID""",
    ):
        db.execute(statement)
    for table, select in _whole("whole_"):
        db.execute(f"INSERT INTO {table} {select}")
        db.execute(f"DROP TABLE whole_{table}")


def _whole(source: str) -> tuple[tuple[str, str], ...]:
    """(table, its rows out of that of version 2): every document had its page to itself."""
    return (
        ("pages", f"SELECT sha256, page, '' AS region, engine, text FROM {source}pages"),
        (
            "answers",
            "SELECT sha256, page, '' AS region, fingerprint, question, expert, schema, fields, "
            f"failed, answer FROM {source}answers",
        ),
        (
            "records",
            f"SELECT strategy, path, page, 1 AS part, failed, record FROM {source}records",
        ),
    )


def _origin_of(sentence: str) -> dict[str, list[str]]:
    models = sentence.removeprefix(_RECORDED).split(f"; {_RECORDED}")
    return {"recorded": models}


def _put(db: sqlite3.Connection, key: str, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, text))


def _settled(db: sqlite3.Connection) -> None:
    """Records as the other documents of their subjects leave them, beside those decided alone."""
    db.execute(
        """CREATE TABLE settled (
            strategy TEXT, path TEXT, page INTEGER, part INTEGER, record TEXT NOT NULL,
            PRIMARY KEY (strategy, path, page, part)
        ) WITHOUT ROWID"""
    )


def _judgements(db: sqlite3.Connection) -> None:
    """What people said, row after row; nothing is overwritten."""
    db.execute(
        """CREATE TABLE judgements (
            id INTEGER PRIMARY KEY,
            sha256 TEXT NOT NULL, page INTEGER NOT NULL, region TEXT NOT NULL,
            path TEXT NOT NULL, part INTEGER NOT NULL,
            undoes INTEGER, judgement TEXT NOT NULL
        )"""
    )
    db.execute("CREATE INDEX judgements_of_content ON judgements (sha256, page, region)")
    db.execute("CREATE INDEX judgements_undone ON judgements (undoes)")


def _repeats(db: sqlite3.Connection) -> None:
    """Answers to questions that were put more than once, by shards that did not know of each other."""
    db.execute(
        """CREATE TABLE repeats (
            sha256 TEXT, page INTEGER, region TEXT, fingerprint TEXT, question TEXT, digest TEXT,
            expert TEXT NOT NULL, answer TEXT NOT NULL,
            PRIMARY KEY (sha256, page, region, fingerprint, question, digest)
        ) WITHOUT ROWID"""
    )


def _inputs(db: sqlite3.Connection) -> None:
    """Inputs, which stood in `meta` as two values with all of them, become rows."""
    db.execute(
        """CREATE TABLE inputs (
            path TEXT PRIMARY KEY, place TEXT NOT NULL,
            size INTEGER, modified INTEGER, tag TEXT, sha256 TEXT
        ) WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX inputs_of_content ON inputs (sha256)")
    stored = dict(
        db.execute("SELECT key, value FROM meta WHERE key IN ('identity', 'files')").fetchall()
    )
    identity = json.loads(stored.get("identity", "{}"))
    places = json.loads(stored.get("files", "{}"))
    db.executemany(
        "INSERT INTO inputs (path, place, sha256) VALUES (?, ?, ?)",
        (
            (path, json.dumps(places.get(path, path)), sha256)
            for path, sha256 in identity.pop("inputs", {}).items()
        ),
    )
    db.execute("DELETE FROM meta WHERE key = 'files'")
    if identity:
        _put(db, "identity", identity)


def _requests(db: sqlite3.Connection) -> None:
    """Requests that are answered in batches of an endpoint, and what was found out of the endpoint."""
    for statement in (
        """CREATE TABLE requests (
            number INTEGER PRIMARY KEY, key TEXT NOT NULL,
            endpoint TEXT NOT NULL, body TEXT NOT NULL, money REAL NOT NULL,
            wanted INTEGER NOT NULL, tries INTEGER NOT NULL, batch TEXT,
            failed INTEGER NOT NULL, reply TEXT
        )""",
        "CREATE UNIQUE INDEX requests_by_key ON requests (key)",
        "CREATE INDEX requests_of_batch ON requests (batch)",
        """CREATE TABLE batches (
            mark TEXT PRIMARY KEY, endpoint TEXT NOT NULL, made REAL NOT NULL, id TEXT,
            done INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE TABLE forms (endpoint TEXT PRIMARY KEY, form TEXT NOT NULL) WITHOUT ROWID",
    ):
        db.execute(statement)


STEPS = (
    Step(1, _first_tables),
    Step(2, _origins, changes=("meta",)),
    Step(3, _regions, changes=_REGIONS, shown=_whole("stored.")),
    Step(4, _settled),
    Step(5, _judgements),
    Step(6, _repeats),
    Step(7, _inputs, changes=("meta",)),
    Step(8, _requests),
)
VERSION = STEPS[-1].version
