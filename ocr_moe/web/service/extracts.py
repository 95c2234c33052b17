"""Requests that are answered at once: read while the client waits, and no longer than that."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request

from ocr_moe.errors import InterruptedRunError, OcrMoeError
from ocr_moe.run.batch import Batch
from ocr_moe.run.outcome import Progress
from ocr_moe.settings import ServiceOptions
from ocr_moe.web.service import reader
from ocr_moe.web.service.jobs import delete
from ocr_moe.web.service.limits import Line, Place
from ocr_moe.web.service.metrics import ServiceMetrics
from ocr_moe.web.service.problems import Problem, is_disk_full

Records = list[dict[str, Any]]
_LOG = logging.getLogger(__name__)


class Extracts:
    """Reads what is to be answered at once, as many requests at a time as the options say."""

    def __init__(
        self, source: reader.Reader, options: ServiceOptions, metrics: ServiceMetrics
    ) -> None:
        self.line = Line(options)
        self._reader = source
        self._options = options
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(options.concurrency, thread_name_prefix="extract")
        self._lock = threading.Lock()
        self._under_way: set[reader.Reading[Records]] = set()

    def close(self) -> None:
        """Stop what nobody waits for any more."""
        with self._lock:
            for reading in self._under_way:
                reading.stop()
        self._pool.shutdown(wait=True)

    async def answer(
        self, request: Request, wanted: reader.Request, folder: Path, place: Place
    ) -> Records:
        """The records of a request whose files lie in a folder, in their order.

        Work is stopped when the client leaves (ClientDisconnect) or time is over (Problem 504); the
        place and the folder are then given back once it has ended. Raises Problem (500, 507).
        """
        reading = reader.Reading(
            self._reader, wanted, folder / "run", self._finish(wanted), self._report
        )
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._run, reading)
        gone = asyncio.ensure_future(_left(request))
        both: set[asyncio.Future[Any]] = {work, gone}
        seconds = self._options.max_seconds
        try:
            await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                reading.stop()
                place.kept = True
                work.add_done_callback(self._let_go(folder, place))
        if work.done():
            found = work.result()
            if found is None:  # the service is ending
                raise Problem(503, "closing", headers={"Retry-After": "10"})
            return found
        if gone.done() and not gone.cancelled():
            raise ClientDisconnect
        raise Problem(504, "too_long", seconds=seconds)

    def _run(self, reading: reader.Reading[Records]) -> Records | None:
        """None where it was stopped; an interrupt must not reach the event loop."""
        began = time.monotonic()
        with self._lock:
            self._under_way.add(reading)
        try:
            _, records = reading.run()
        except InterruptedRunError:
            return None
        except OcrMoeError as error:
            if is_disk_full(error):
                raise Problem(507, "disk_full") from error
            _LOG.error("a request cannot be read: %s", type(error).__name__)
            raise Problem(500, "cannot_read", why=str(error)) from error
        finally:
            with self._lock:
                self._under_way.discard(reading)
            self.line.took(time.monotonic() - began)
        return records

    def _finish(self, wanted: reader.Request) -> Callable[[Batch], Records]:
        def finish(batch: Batch) -> Records:
            return reader.records_in_order(batch, wanted.sources)

        return finish

    def _report(self, progress: Progress) -> None:
        self._metrics.progressed(progress, whole=False)

    @staticmethod
    def _let_go(folder: Path, place: Place) -> Callable[[asyncio.Future[Records | None]], None]:
        def let_go(work: asyncio.Future[Records | None]) -> None:
            place.leave()
            if not work.cancelled():
                work.exception()  # nobody waits for it
            with suppress(RuntimeError):  # the loop is ending; the next start sweeps
                asyncio.get_running_loop().run_in_executor(None, delete, folder)

        return let_go


async def _left(request: Request) -> None:
    """Returns once the client has left. The body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
