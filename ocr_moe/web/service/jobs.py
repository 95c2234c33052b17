"""Jobs: requests that are read in the background, one after the other, across restarts.

A job is a folder with the uploaded files and a run, which is one like any other: going on with it
after a restart is starting it again. The database says what is to be done; the folder holds the rest.

    DATA/jobs.sqlite
    DATA/jobs/<id>/files/000001 …      what was sent, under names of our own
    DATA/jobs/<id>/run/                store.sqlite, records.jsonl, records.xlsx, …
    DATA/incoming/<id>/                what is being sent, or answered at once
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ocr_moe.errors import InterruptedRunError, OcrMoeError, UsageError
from ocr_moe.formats.files import unwritable
from ocr_moe.intake.sources import Source, under_names
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.run.manifest import StrategyManifest
from ocr_moe.run.outcome import Progress
from ocr_moe.settings import ServiceOptions
from ocr_moe.web.service.jobstore import Job, JobStatus, JobStore
from ocr_moe.web.service.metrics import ServiceMetrics
from ocr_moe.web.service.problems import Problem, is_disk_full
from ocr_moe.web.service.reader import Reader, Reading, Request, written
from ocr_moe.web.service.uploads import UploadedFile, file_path

_RETRY_SECONDS = 30.0
"""After which a full disk is tried again."""
_SWEEP_SECONDS = 3600.0
"""Between looks for jobs that are kept no longer."""
_FILES, _RUN = "files", "run"
_LOG = logging.getLogger(__name__)


class Jobs:
    """The jobs in a data folder, which this process alone works on.

    `announce` is called in the job's own thread when a job with a webhook is over; what it raises
    changes nothing about the job. Raises UsageError where the folder cannot be used.
    """

    def __init__(
        self,
        data: Path,
        reader: Reader,
        options: ServiceOptions,
        metrics: ServiceMetrics,
        announce: Callable[[Job], None] | None = None,
    ) -> None:
        self._data = data
        self._reader = reader
        self._options = options
        self._metrics = metrics
        self._announce = announce
        self.before_removal: Callable[[str], None] = lambda id_: None
        """Told of a job whose files are about to be deleted."""
        try:
            for name in ("jobs", "incoming"):
                (data / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{data}: {unwritable(error)}") from error
        self.store = JobStore(data / "jobs.sqlite")
        self._changed = threading.Condition()
        self._under_way: dict[str, Reading[StrategyManifest]] = {}
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Go on where an earlier process stopped."""
        self._sweep()
        again = self.store.requeue()
        if again:
            _LOG.info("%d jobs of an earlier start go on", again)
        work: list[Callable[[], None]] = [self._work] * self._options.concurrency
        work.append(self._keep_house)
        for each in work:
            thread = threading.Thread(target=each, name="jobs", daemon=True)
            thread.start()
            self._threads.append(thread)
        if self._announce is not None:
            # Never waited for: who is called may take a minute, and is called again otherwise.
            call = partial(self._call_webhooks, self._announce)
            threading.Thread(target=call, name="webhooks", daemon=True).start()

    def close(self) -> None:
        """Stop once what is under way is done; what runs goes on with the next start."""
        with self._changed:
            self._closing.set()
            for reading in self._under_way.values():
                reading.stop()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self.store.close()

    def incoming(self) -> Path:
        """A new folder for what is being sent; its name can be that of a job. Raises OSError."""
        folder = self._data / "incoming" / secrets.token_hex(12)
        (folder / _FILES).mkdir(parents=True)
        return folder

    def run_folder(self, job: Job) -> Path:
        return self._data / "jobs" / job.id / _RUN

    @property
    def is_full(self) -> bool:
        return self.store.counts()[JobStatus.QUEUED] >= max(self._options.queue, 1)

    @property
    def is_writable(self) -> bool:
        """Whether something can be written into the data folder."""
        probe = self._data / "incoming" / f"probe-{secrets.token_hex(4)}"
        try:
            probe.write_bytes(b"\0" * 4096)
            probe.unlink()
        except OSError:
            with suppress(OSError):
                probe.unlink(missing_ok=True)
            return False
        return True

    def submit(
        self,
        folder: Path,
        files: Sequence[UploadedFile],
        request: Request,
        webhook: str | None = None,
    ) -> Job:
        """Take what lies in a folder of `incoming` as a job. Raises Problem (429), OSError."""
        with self._changed:
            if self.is_full:
                raise Problem(429, "busy_jobs", headers={"Retry-After": "60"})
            kept = self._data / "jobs" / folder.name
            os.rename(folder, kept)
            try:
                job = self.store.add(
                    folder.name,
                    schema=request.schema,
                    strategy=request.strategy,
                    files=len(request.sources),
                    names=[file.name for file in files],
                    webhook=webhook,
                )
            except BaseException:
                delete(kept)
                raise
            self._changed.notify_all()
        _LOG.info("job %s: %d files wait", job.id, job.files)
        return job

    def cancel(self, id_: str) -> Job:
        """Stop a job as Ctrl-C stops a run: what was read is kept. Nothing where it is over.

        Raises KeyError.
        """
        with self._changed:
            job = self.store[id_]
            if self.store.cancel(id_):
                _LOG.info("job %s: cancelled", id_)
                if id_ in self._under_way:
                    self._under_way[id_].stop()
                self._changed.notify_all()
        return self.store[job.id]

    def remove(self, id_: str) -> None:
        """Delete a job that is over, with its files. Raises KeyError, Problem (409)."""
        with self._changed:
            job = self.store[id_]
            if id_ in self._under_way or not self.store.remove(id_):
                raise Problem(409, "job_not_over", id=job.id)
        self.before_removal(id_)
        delete(self._data / "jobs" / id_)
        _LOG.info("job %s: deleted", id_)

    def _work(self) -> None:
        while True:
            with self._changed:
                job = None
                while not self._closing.is_set() and (job := self._next()) is None:
                    self._changed.wait(_RETRY_SECONDS)
                if job is None:
                    return
                try:
                    reading = self._reading(job)
                except Exception as error:
                    self._fail(job, error)
                    continue
                self._under_way[job.id] = reading
            try:
                self._read(job, reading)
            finally:
                with self._changed:
                    del self._under_way[job.id]
                    self._changed.notify_all()

    def _next(self) -> Job | None:
        try:
            return self.store.take()
        except Exception as error:  # a full disk: the job waits until there is room
            _LOG.error("no job can be begun: %s", type(error).__name__)
            return None

    def _reading(self, job: Job) -> Reading[StrategyManifest]:
        folder = self._data / "jobs" / job.id / _FILES
        names = self.store.names(job.id)
        files = [(file_path(folder, number), name) for number, name in enumerate(names, 1)]
        sources: Sequence[Source] = under_names(files, self._reader.config.images)
        request = Request(sources, job.schema, job.strategy)
        failed = 0

        def report(progress: Progress) -> None:
            nonlocal failed
            failed += progress.failure is not None
            self.store.progress(job.id, progress.done, failed)
            self._metrics.progressed(progress, whole=False)

        def finish(batch: Batch) -> StrategyManifest:
            failing = {
                record.document.path for record in batch.store.failed_records([job.strategy])
            }
            self.store.progress(job.id, job.files, len(failing))
            return written(batch)

        return Reading(self._reader, request, self.run_folder(job), finish, report)

    def _read(self, job: Job, reading: Reading[StrategyManifest]) -> None:
        began = time.monotonic()
        try:
            outcome, manifest = reading.run()
        except InterruptedRunError:
            if self.store[job.id].status is JobStatus.CANCELLED:
                self._keep(job)
            else:
                self.store.requeue(job.id)
            return
        except Exception as error:
            self._fail(job, error)
            return
        result = {**_told(manifest), "stopped": outcome.stopped}
        if not self.store.finish(job.id, JobStatus.DONE, result=result):
            self.store.told(job.id, result)  # cancelled when all was done
        _LOG.info("job %s: done in %.1f s", job.id, time.monotonic() - began)

    def _keep(self, job: Job) -> None:
        """Write the files of what a cancelled job has read."""
        if not (self.run_folder(job) / STORE).exists():
            return
        request = Request((), job.schema, job.strategy)
        try:
            with self._reader.batch(request, self.run_folder(job)) as batch:
                self.store.told(job.id, _told(written(batch)))
        except Exception as error:
            _LOG.error("job %s: what was read is not exported: %s", job.id, type(error).__name__)

    def _fail(self, job: Job, error: Exception) -> None:
        """A job as a whole failed; only what we raise on purpose is told in its own words."""
        known = isinstance(error, OcrMoeError) or is_disk_full(error)
        told = {"type": type(error).__name__, "message": str(error) if known else ""}
        _LOG.error("job %s: failed: %s", job.id, type(error).__name__)
        _LOG.debug("job %s", job.id, exc_info=error)
        with suppress(Exception):  # a full disk: it runs on, and is tried again with the next start
            self.store.finish(job.id, JobStatus.FAILED, error=told)

    def _call_webhooks(self, announce: Callable[[Job], None]) -> None:
        """One after the other; one that a killed process did not call is called by the next."""
        while True:
            with self._changed:
                while not self._closing.is_set() and not (over := self._settled()):
                    self._changed.wait()
                if self._closing.is_set():
                    return
            for job in over:
                try:
                    announce(job)
                except Exception as error:
                    _LOG.warning("job %s: its webhook failed: %s", job.id, type(error).__name__)
                with self._changed:
                    if self._closing.is_set():
                        return
                    self.store.announced(job.id)

    def _settled(self) -> list[Job]:
        """Jobs whose webhooks are to be called, with all that is to be told of them."""
        return [job for job in self.store.unannounced() if job.id not in self._under_way]

    def _keep_house(self) -> None:
        while True:
            for id_ in self.store.expired(self._options.keep_days):
                with suppress(KeyError, Problem):
                    if not self._is_reviewed(id_):
                        self.remove(id_)
            with self._changed:
                if self._changed.wait_for(self._closing.is_set, _SWEEP_SECONDS):
                    return

    def _is_reviewed(self, id_: str) -> bool:
        """Whether somebody decided something at the job's desk within the days that jobs are kept."""
        since = time.time() - self._options.keep_days * 86_400
        files = (self._data / "jobs" / id_ / "run").glob(f"{STORE}*")
        return any(file.stat().st_mtime > since for file in files)

    def _sweep(self) -> None:
        """Delete what killed processes left half sent, and folders of jobs that are no more."""
        for folder in (self._data / "incoming").iterdir():
            delete(folder)
        known = self.store.ids()
        for folder in (self._data / "jobs").iterdir():
            if folder.name not in known:
                delete(folder)


def delete(folder: Path) -> None:
    """Remove a folder with all in it, or a file; whatever cannot be removed stays."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.unlink(missing_ok=True)


def _told(manifest: StrategyManifest) -> dict[str, Any]:
    return {
        "documents": manifest.documents,
        "blank_pages": manifest.blank_pages,
        "cells": dict(manifest.fields),
        "to_check": asdict(manifest.left_to_check),
    }
