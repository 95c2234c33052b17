"""Review desks on the runs of jobs: each is opened when it is first asked for, and few stay open."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from ocr_moe.errors import OcrMoeError
from ocr_moe.formats.phrases import Phrase
from ocr_moe.reviewing.opening import unwritten
from ocr_moe.run.batch import STORE
from ocr_moe.store.database import Store
from ocr_moe.web.service.jobs import Jobs
from ocr_moe.web.service.jobstore import Job
from ocr_moe.web.service.problems import Problem

_LOG = logging.getLogger(__name__)
MOST_OPEN = 4
"""Desks that stay open without anybody at them: each holds its run's records in memory."""


class ServedDesk(Protocol):
    """An open desk as an application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def write(self) -> None:
        """Bring the run's files up to date with what was decided. Raises OcrMoeError."""

    def close(self) -> None:
        """Write likewise, and let go of the run."""


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
        """Held while a desk is opened or closed, which takes long."""
        self._counting = threading.Lock()
        """Never held for long: the event loop takes it."""
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
            self._left(opened)

    def bring_up_to_date(self, job: Job) -> None:
        """Write what was decided on a job's run into its files, whether its desk is open, or a killed
        process left it so. Raises OcrMoeError."""
        run = self._jobs.run_folder(job)
        with self._lock:
            is_open = job.id in self._open
        if not is_open:
            with Store(run / STORE, write=False) as store:
                if not unwritten(store):
                    return
        opened = self._ask(job, run)
        try:
            opened.desk.write()
        finally:
            self._left(opened)

    def drop(self, id_: str) -> None:
        """Close the desk of a job that is about to go."""
        with self._lock:
            opened = self._open.pop(id_, None)
        if opened is not None:
            _close(opened)

    def close(self) -> None:
        """Close all desks."""
        for id_ in list(self._open):
            self.drop(id_)

    def _left(self, opened: _Open) -> None:
        with self._counting:
            opened.asked -= 1

    def _ask(self, job: Job, run: Path) -> _Open:
        with self._lock:
            if job.id not in self._open:
                self._make_room()
                self._open[job.id] = _Open(self._mount(job, run))
            self._open.move_to_end(job.id)
            opened = self._open[job.id]
            with self._counting:
                opened.asked += 1
            return opened

    def _make_room(self) -> None:
        for id_, opened in list(self._open.items()):
            if len(self._open) < MOST_OPEN:
                return
            if not opened.asked:
                del self._open[id_]
                _close(opened)


def _close(opened: _Open) -> None:
    """Files that cannot be written are for the next one who opens the desk or asks for them."""
    try:
        opened.desk.close()
    except OcrMoeError as error:
        _LOG.error("a desk's files are not written: %s", type(error).__name__)
