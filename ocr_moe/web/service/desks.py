"""Review desks on the runs of jobs: each is opened when it is first asked for, and few stay open."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from ocr_moe.formats.phrases import Phrase
from ocr_moe.web.service.jobs import Jobs
from ocr_moe.web.service.jobstore import Job
from ocr_moe.web.service.problems import Problem

MOST_OPEN = 4
"""Desks that stay open without anybody at them: each holds its run's records in memory."""


class ServedDesk(Protocol):
    """An open desk as an application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def close(self) -> None:
        """Write what was decided into the run's files, and let go of them."""


Mounting = Callable[[Job, Path], ServedDesk]
"""Opens the desk on a job's run, whose folder is given. Raises OcrMoeError."""


@dataclass
class _Open:
    desk: ServedDesk
    asked: int = 0
    """Requests that are under way."""


class Desks:
    """The desks below /jobs/<id>/review, as one application."""

    def __init__(self, jobs: Jobs, mount: Mounting) -> None:
        self._jobs = jobs
        self._mount = mount
        self._lock = threading.Lock()
        self._open: OrderedDict[str, _Open] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            job = self._jobs.store[scope["path_params"]["id"]]
        except KeyError as error:
            raise Problem(404, "no_job") from error
        run = self._jobs.run_folder(job)
        if not job.status.is_over or not (run / "records.jsonl").is_file():
            raise Problem(409, "no_records", status=Phrase(f"js_status_{job.status}"))
        opened = await run_in_threadpool(self._ask, job, run)
        try:
            await opened.desk(scope, receive, send)
        finally:
            with self._lock:
                opened.asked -= 1

    def drop(self, id_: str) -> None:
        """Close the desk of a job that is about to go."""
        with self._lock:
            opened = self._open.pop(id_, None)
        if opened is not None:
            opened.desk.close()

    def close(self) -> None:
        """Close all desks."""
        for id_ in list(self._open):
            self.drop(id_)

    def _ask(self, job: Job, run: Path) -> _Open:
        with self._lock:
            if job.id not in self._open:
                self._make_room()
                self._open[job.id] = _Open(self._mount(job, run))
            self._open.move_to_end(job.id)
            opened = self._open[job.id]
            opened.asked += 1
            return opened

    def _make_room(self) -> None:
        for id_, opened in list(self._open.items()):
            if len(self._open) < MOST_OPEN:
                return
            if not opened.asked:
                del self._open[id_]
                opened.desk.close()
