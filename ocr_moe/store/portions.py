"""All that a store holds of some contents, as plain rows: to be sent to another machine and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ocr_moe.store.database import Store

Row = tuple[Any, ...]

_TABLES = {"files": 2, "pages": 5, "answers": 10, "judgements": 8}
"""Table → its columns; in the order in which they are written, as a record tells of all of them."""


class Portion(NamedTuple):
    """Rows of tables, texts as bytes. Small enough to be pickled."""

    files: list[Row]
    pages: list[Row]
    answers: list[Row]
    judgements: list[Row]

    def without(self, known: Portion) -> Portion:
        """The rows that are not in another one."""
        both = zip(self, known, strict=True)
        return Portion(*([row for row in own if row not in its] for own, its in both))


EMPTY = Portion([], [], [], [])


def portion_of(store: Store, contents: Sequence[str]) -> Portion:
    """Of the contents of some hashes. Raises StoreError."""
    wanted = json.dumps(list(contents))
    of = "WHERE sha256 IN (SELECT value FROM json_each(?))"
    with store.reading() as db:
        return Portion(
            db.execute(f"SELECT * FROM files {of}", (wanted,)).fetchall(),
            db.execute(
                f"SELECT sha256, page, region, engine, CAST(text AS BLOB) FROM pages {of}",
                (wanted,),
            ).fetchall(),
            db.execute(
                "SELECT sha256, page, region, fingerprint, question, expert, schema, fields, failed, "
                f"CAST(answer AS BLOB) FROM answers {of}",
                (wanted,),
            ).fetchall(),
            db.execute(
                "SELECT id, sha256, page, region, path, part, undoes, CAST(judgement AS BLOB) "
                f"FROM judgements {of}",
                (wanted,),
            ).fetchall(),
        )


def all_answers(store: Store) -> Portion:
    """Every answer of a store. Raises StoreError."""
    with store.reading() as db:
        contents = [row[0] for row in db.execute("SELECT DISTINCT sha256 FROM answers")]
    return EMPTY._replace(answers=portion_of(store, contents).answers)


def put_portions(store: Store, portions: Iterable[Portion]) -> None:
    """Write rows, in place of those of the same keys; all or nothing. Raises StoreError."""
    with store.writing() as db:
        for portion in portions:
            for (table, columns), rows in zip(_TABLES.items(), portion, strict=True):
                last = "?" if table == "files" else "CAST(? AS TEXT)"
                marks = ", ".join([*["?"] * (columns - 1), last])
                db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)


def drop_portion(store: Store, contents: Sequence[str]) -> None:
    """Forget some contents, all but what people said of them. Raises StoreError."""
    with store.writing() as db:
        for table in ("files", "pages", "answers"):
            db.execute(
                f"DELETE FROM {table} WHERE sha256 IN (SELECT value FROM json_each(?))",
                (json.dumps(list(contents)),),
            )
