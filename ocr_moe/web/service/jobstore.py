"""The service's own database: jobs, their files, and what became of them.

One SQLite file in the data folder, held by one process at a time. What is committed survives the
death of the process.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from ocr_moe.errors import UsageError

_VERSION = 1
_APPLICATION = 0x4F4D5356  # "OMSV"
_TABLES = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    created TEXT NOT NULL,
    started TEXT,
    finished TEXT,
    schema TEXT NOT NULL,
    strategy TEXT NOT NULL,
    webhook TEXT,
    files INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    result TEXT,
    error TEXT,
    announced INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX jobs_of_status ON jobs (status, number);
CREATE TABLE files (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
"""
_COLUMNS = (
    "id, status, created, started, finished, schema, strategy, webhook, files, done, failed, "
    "result, error"
)


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True)
class Job:
    """A job as it stands. Times are ISO 8601 in UTC."""

    id: str
    status: JobStatus
    created: str
    started: str | None
    finished: str | None
    schema: str
    strategy: str
    webhook: str | None
    files: int
    """How many there are, archives counted by what is in them."""
    done: int
    failed: int
    """Files that could not be read in full."""
    result: Mapping[str, Any] | None
    """What it came to: documents, blank pages, and what is to be checked."""
    error: Mapping[str, str] | None
    """Why the job as a whole failed."""


class JobStore:
    """The opened database. Safe to share between threads.

    Raises UsageError where another process holds it, or the file is none of ours.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=1)
        self._db.row_factory = sqlite3.Row
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._db.close()
            taken = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            raise UsageError(
                f"{path}: another service uses this data folder; end it, or name another --data"
                if taken
                else f"{path}: cannot be used ({error}); name another --data"
            ) from error
        except UsageError:
            self._db.close()
            raise

    def _prepare(self) -> None:
        # Set before anything is read, so that this process alone holds the file from here on.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        with self._writing():
            [version] = self._db.execute("PRAGMA user_version").fetchone()
            [application] = self._db.execute("PRAGMA application_id").fetchone()
            if version == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
                for statement in _TABLES.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
                self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
            elif application != _APPLICATION or version != _VERSION:
                why = "of a later version" if application == _APPLICATION else "of another program"
                raise UsageError(f"{self._path}: a database {why}; name another --data")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def add(
        self,
        id_: str,
        *,
        schema: str,
        strategy: str,
        files: int,
        names: Sequence[str],
        webhook: str | None,
    ) -> Job:
        """A new job that waits; `names` are the labels of the uploaded files, in their order."""
        with self._writing():
            row = self._db.execute(
                "INSERT INTO jobs (id, status, created, schema, strategy, webhook, files) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (id_, JobStatus.QUEUED, _now(), schema, strategy, webhook, files),
            )
            self._db.executemany(
                "INSERT INTO files VALUES (?, ?, ?)",
                [(row.lastrowid, number, name) for number, name in enumerate(names, 1)],
            )
        return self[id_]

    def __getitem__(self, id_: str) -> Job:
        """Raises KeyError."""
        found = self._all("WHERE id = ?", id_)
        if not found:
            raise KeyError(id_)
        return found[0]

    def names(self, id_: str) -> list[str]:
        """The labels of a job's uploaded files, in their order."""
        with self._lock:
            rows = self._db.execute(
                "SELECT name FROM files WHERE job = (SELECT number FROM jobs WHERE id = ?) "
                "ORDER BY number",
                (id_,),
            ).fetchall()
        return [row["name"] for row in rows]

    def latest(self, most: int, before: str | None = None) -> list[Job]:
        """Newest first; those before another one, where it is named. Raises KeyError."""
        if before is None:
            return self._all("ORDER BY number DESC LIMIT ?", most)
        _ = self[before]
        return self._all(
            "WHERE number < (SELECT number FROM jobs WHERE id = ?) ORDER BY number DESC LIMIT ?",
            before,
            most,
        )

    def ids(self) -> set[str]:
        with self._lock:
            return {row["id"] for row in self._db.execute("SELECT id FROM jobs")}

    def counts(self) -> dict[JobStatus, int]:
        with self._lock:
            rows = self._db.execute("SELECT status, count(*) AS n FROM jobs GROUP BY status")
            found = {JobStatus(row["status"]): int(row["n"]) for row in rows}
        return {status: found.get(status, 0) for status in JobStatus}

    def take(self) -> Job | None:
        """The job that has waited longest, now running; None where none waits."""
        with self._writing():
            waiting = self._all("WHERE status = ? ORDER BY number LIMIT 1", JobStatus.QUEUED)
            if not waiting:
                return None
            [job] = waiting
            self._set(
                job.id, JobStatus.QUEUED, status=JobStatus.RUNNING, started=job.started or _now()
            )
        return self[job.id]

    def progress(self, id_: str, done: int, failed: int) -> None:
        with self._writing():
            self._db.execute(
                "UPDATE jobs SET done = ?, failed = ? WHERE id = ?", (done, failed, id_)
            )

    def requeue(self, id_: str | None = None) -> int:
        """Running jobs, or one of them, wait again; how many."""
        with self._writing():
            return self._db.execute(
                "UPDATE jobs SET status = ? WHERE status = ? AND (? IS NULL OR id = ?)",
                (JobStatus.QUEUED, JobStatus.RUNNING, id_, id_),
            ).rowcount

    def finish(
        self,
        id_: str,
        status: JobStatus,
        *,
        result: Mapping[str, Any] | None = None,
        error: Mapping[str, str] | None = None,
    ) -> bool:
        """A running job ends so; whether it did. One that was cancelled stays cancelled."""
        with self._writing():
            return self._set(
                id_,
                JobStatus.RUNNING,
                status=status,
                finished=_now(),
                result=_json(result),
                error=_json(error),
            )

    def cancel(self, id_: str) -> bool:
        """Whether the job was not over yet."""
        with self._writing():
            return any(
                self._set(id_, before, status=JobStatus.CANCELLED, finished=_now())
                for before in (JobStatus.QUEUED, JobStatus.RUNNING)
            )

    def told(self, id_: str, result: Mapping[str, Any]) -> None:
        """What a cancelled job came to until then."""
        with self._writing():
            self._db.execute("UPDATE jobs SET result = ? WHERE id = ?", (_json(result), id_))

    def remove(self, id_: str) -> bool:
        """Forget a job that is over; whether it was."""
        with self._writing():
            over = [status for status in JobStatus if status.is_over]
            marks = ", ".join("?" * len(over))
            statement = f"DELETE FROM jobs WHERE id = ? AND status IN ({marks})"
            return self._db.execute(statement, (id_, *over)).rowcount > 0

    def expired(self, days: float) -> list[str]:
        """Jobs that have been over for so many days."""
        until = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
        with self._lock:
            rows = self._db.execute("SELECT id FROM jobs WHERE finished < ?", (until,)).fetchall()
        return [row["id"] for row in rows]

    def unannounced(self) -> list[Job]:
        """Jobs that are over, whose webhooks were not called yet."""
        return self._all(
            "WHERE webhook IS NOT NULL AND finished IS NOT NULL AND NOT announced ORDER BY number"
        )

    def announced(self, id_: str) -> None:
        with self._writing():
            self._db.execute("UPDATE jobs SET announced = 1 WHERE id = ?", (id_,))

    def _set(self, id_: str, before: JobStatus, **values: str | None) -> bool:
        """Change a job that is in a state; whether it was."""
        columns = ", ".join(f"{name} = ?" for name in values)
        statement = f"UPDATE jobs SET {columns} WHERE id = ? AND status = ?"
        return self._db.execute(statement, (*values.values(), id_, before)).rowcount > 0

    def _all(self, where: str, *values: object) -> list[Job]:
        with self._lock:
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM jobs {where}", values).fetchall()
        return [_job_of(row) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _job_of(row: sqlite3.Row) -> Job:
    values = dict(row)
    for name in ("result", "error"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return Job(**(values | {"status": JobStatus(values["status"])}))


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
