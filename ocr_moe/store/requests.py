"""Requests to endpoints with a batch API in the run's store: filed, submitted in batches, answered.

A request is *filed* as long as it is in no batch and has no reply.  A batch is written down before the
server hears of it, under a mark that the server is given with it; once the server has named it, its
name stands there too.  So whoever goes on after a kill finds every batch that may have been paid for.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ocr_moe.store.database import Store

_FILED = "batch IS NULL AND reply IS NULL"


class FiledRequest(NamedTuple):
    key: str
    size: int
    """Characters of its body, which is ASCII."""
    money: float
    """What it costs at most."""


@dataclass(frozen=True)
class OpenBatch:
    """A batch that is not known to have ended."""

    mark: str
    endpoint: str
    made: float
    """When it was written down, in seconds since the epoch."""
    id: str | None
    """The server's name for it; None where it may never have heard of it."""
    requests: int
    money: float
    """What its requests cost at most."""


class Settled(NamedTuple):
    """What is to be written of one request whose batch has ended."""

    key: str
    reply: str
    failed: bool
    again: bool
    """Whether it may be made again."""


class Requests:
    """The tables `requests`, `batches` and `forms` (`ocr_moe.deferral.Files`). Raises StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def form(self, endpoint: str) -> str | None:
        with self._store.reading() as db:
            row = db.execute("SELECT form FROM forms WHERE endpoint = ?", (endpoint,)).fetchone()
        return None if row is None else str(row[0])

    def keep_form(self, endpoint: str, form: str) -> str:
        with self._store.writing() as db:
            db.execute("INSERT OR IGNORE INTO forms VALUES (?, ?)", (endpoint, form))
            row = db.execute("SELECT form FROM forms WHERE endpoint = ?", (endpoint,)).fetchone()
        return str(row[0])

    def reply(self, key: str) -> str | None:
        with self._store.reading() as db:
            row = db.execute("SELECT reply FROM requests WHERE key = ?", (key,)).fetchone()
        return None if row is None or row[0] is None else str(row[0])

    def keep_reply(self, key: str, endpoint: str, reply: str) -> None:
        with self._store.writing() as db:
            db.execute(
                "INSERT INTO requests (key, endpoint, body, money, wanted, tries, failed, reply) "
                "VALUES (?, ?, '', 0, 0, 0, 0, ?) "
                "ON CONFLICT (key) DO UPDATE SET reply = excluded.reply, failed = 0",
                (key, endpoint, reply),
            )

    def file(self, key: str, endpoint: str, body: str, money: float) -> None:
        with self._store.writing() as db:
            db.execute(
                "INSERT INTO requests (key, endpoint, body, money, wanted, tries, failed) "
                "VALUES (?, ?, ?, ?, 1, 0, 0) "
                "ON CONFLICT (key) DO UPDATE SET wanted = 1, money = excluded.money",
                (key, endpoint, body, money),
            )

    def forget_wishes(self) -> None:
        """Before documents are gone through: what none of them asks any more is not submitted."""
        with self._store.reading() as db:
            [found] = db.execute(
                f"SELECT EXISTS (SELECT * FROM requests WHERE wanted AND {_FILED})"
            ).fetchone()
        if found:
            with self._store.writing() as db:
                db.execute(f"UPDATE requests SET wanted = 0 WHERE {_FILED}")

    def filed(self, endpoint: str) -> list[FiledRequest]:
        """What is to be submitted, in the order in which it was filed."""
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT key, length(body), money FROM requests "
                f"WHERE endpoint = ? AND wanted AND {_FILED} ORDER BY number",
                (endpoint,),
            )
            return [FiledRequest(*row) for row in rows]

    def has_any(self) -> bool:
        """Whether there are requests, with a reply or without."""
        with self._store.reading() as db:
            [found] = db.execute("SELECT EXISTS (SELECT * FROM requests)").fetchone()
        return bool(found)

    def begin_batch(self, endpoint: str, keys: Sequence[str]) -> OpenBatch:
        """Write a batch down, which is on the disk when this returns."""
        mark = str(uuid.uuid4())
        made = time.time()
        with self._store.surely_writing() as db:
            db.execute(
                "INSERT INTO batches (mark, endpoint, made, done) VALUES (?, ?, ?, 0)",
                (mark, endpoint, made),
            )
            db.executemany(
                "UPDATE requests SET batch = ? WHERE key = ?", ((mark, key) for key in keys)
            )
        return next(each for each in self.open_batches() if each.mark == mark)

    def name_batch(self, mark: str, id: str) -> None:
        """Write down what the server calls a batch, which is on the disk when this returns."""
        with self._store.surely_writing() as db:
            db.execute("UPDATE batches SET id = ? WHERE mark = ?", (id, mark))

    def open_batches(self) -> list[OpenBatch]:
        """In the order in which they were written down."""
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT mark, endpoint, made, id, "
                "(SELECT count(*) FROM requests WHERE batch = mark), "
                "(SELECT coalesce(sum(money), 0.0) FROM requests WHERE batch = mark) "
                "FROM batches WHERE NOT done ORDER BY made, mark"
            )
            return [OpenBatch(*row) for row in rows]

    def bodies(self, mark: str) -> Iterator[tuple[str, str]]:
        """(key, body) of a batch's requests, in the order in which they were filed."""
        with self._store.reading() as db:
            yield from db.execute(
                "SELECT key, body FROM requests WHERE batch = ? ORDER BY number", (mark,)
            )

    def money(self, mark: str) -> Mapping[str, float]:
        """Key → what a request of a batch costs at most."""
        with self._store.reading() as db:
            return dict(db.execute("SELECT key, money FROM requests WHERE batch = ?", (mark,)))

    def end_batch(
        self, mark: str, replies: Iterable[Settled], unanswered: str, retries: int
    ) -> None:
        """Write down what came of a batch, all or nothing.

        What may be made again is filed again, until it was in `retries` batches more than one; then
        what was said last is its reply. `unanswered` is the reply to what the batch left out.
        """
        with self._store.surely_writing() as db:
            # A refused request has not been paid for; what is taken out of the batch is filed again.
            again = "batch = NULL, tries = tries + 1, wanted = 1"
            for each in replies:
                if each.again:
                    db.execute(
                        f"UPDATE requests SET {again} "
                        "WHERE key = ? AND batch = ? AND tries < ? AND reply IS NULL",
                        (each.key, mark, retries),
                    )
                db.execute(
                    "UPDATE requests SET reply = ?, failed = ? "
                    "WHERE key = ? AND batch = ? AND reply IS NULL",
                    (each.reply, each.failed, each.key, mark),
                )
            db.execute(
                f"UPDATE requests SET {again} WHERE batch = ? AND tries < ? AND reply IS NULL",
                (mark, retries),
            )
            db.execute(
                "UPDATE requests SET reply = ?, failed = 1 WHERE batch = ? AND reply IS NULL",
                (unanswered, mark),
            )
            db.execute("UPDATE batches SET done = 1 WHERE mark = ?", (mark,))

    def forget_pages(self) -> None:
        """Replies about pages, once every page's text is stored."""
        if self.has_any():
            with self._store.writing() as db:
                db.execute("DELETE FROM requests WHERE endpoint LIKE 'page %' AND batch IS NULL")

    def clear(self) -> None:
        """Once every question is answered: what is in no open batch is of no use any more."""
        if self.has_any():
            with self._store.writing() as db:
                db.execute("DELETE FROM requests WHERE batch IS NULL OR reply IS NOT NULL")
