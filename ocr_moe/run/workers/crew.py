"""The workers of a run: fed as they want, heard as they come, and replaced when they are lost."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from ocr_moe.errors import OcrMoeError, WorkerLostError
from ocr_moe.permits import LocalPermits
from ocr_moe.run.ledger import Ledger
from ocr_moe.run.outcome import Notice
from ocr_moe.run.processing import Processed
from ocr_moe.run.workers.messages import Done, Failed, Job, Noticed, Ready, Stop, Wanting, Work
from ocr_moe.run.workers.nursery import Nursery
from ocr_moe.run.workers.offices import Offices
from ocr_moe.run.workers.process import WorkerProcess
from ocr_moe.run.workers.shift import Shift

_LOSSES = 12
"""Workers lost one after the other, without anything done in between, after which the run ends: it is
not the documents then."""
_QUEUE = 8
"""Requests that may wait for a permit however few are under way, so that those that end are followed at
once."""


class UnbuildableError(OcrMoeError):
    """Workers cannot be built from the blueprint; nothing was begun."""


class Crew:
    """So many worker processes; what they need is loaded until `work` gives them something to do.

    Raises OcrMoeError where no process can be started.
    """

    def __init__(self, workers: int, ledger: Ledger, modules: Sequence[str] = ()) -> None:
        """`modules` are what workers will need, to be loaded ahead."""
        self._ledger = ledger
        self._events: SimpleQueue[tuple[WorkerProcess | None, Any]] = SimpleQueue()
        self._permits = LocalPermits()
        self._offices = Offices(ledger, self._permits, lambda: self._events.put((None, None)))
        self._workers: list[WorkerProcess] = []
        self._wanting: deque[WorkerProcess] = deque()
        """Who wants one more content, once for each."""
        self._losses = 0
        self._lost_by = ""
        """How the last one ended that was lost."""
        try:
            self._nursery = Nursery(max(1, (os.cpu_count() or 1) // workers), modules)
        except OSError as error:
            raise _unstartable(error) from error
        self._wanted = workers

    @property
    def requests(self) -> tuple[int, int]:
        """Requests to endpoints that are under way, and that wait to be."""
        return self._permits.count()

    def work(
        self,
        job: Job,
        works: Iterable[Work],
        give_up: Callable[[Work, WorkerLostError], Processed],
        notice: Callable[[Notice], None],
    ) -> Generator[list[Processed], None, None]:
        """The records of each content, as they come, some at a time.

        A content that is under way when its worker is lost is tried again, alone in a worker; where
        that is lost too, `give_up` makes its records.  Raises what is about the run, once what is under
        way is done and what came of it given; KeyboardInterrupt waits for nobody.  Raises
        UnbuildableError, before anything else, where workers cannot be built as the job says.
        """
        shift: Shift[WorkerProcess] = Shift(works)
        try:
            for _ in range(self._wanted if shift.has_more else 0):
                self._start().send(job)
            with self._ledger.telling(lambda: self._events.put((None, Stop()))):
                while shift.has_more or not shift.is_idle:
                    done = list(self._heard(shift, job, notice))
                    while shift.given_up:
                        work = shift.given_up.pop()
                        done.append(give_up(work, self._why_lost(work)))
                    if done:
                        yield done
                    self._feed(shift)
            self._ledger.proceed()
        except GeneratorExit:
            self._stop(shift)
            while not shift.is_idle:  # answers that are under way are still to be stored
                for _ in self._heard(shift, job, notice):
                    pass
            raise
        except KeyboardInterrupt:
            for worker in self._workers:
                worker.kill()
            raise

    def _heard(
        self, shift: Shift[WorkerProcess], job: Job, notice: Callable[[Notice], None]
    ) -> Iterator[Processed]:
        """What was done since the last look; waits until something happens."""
        events = [self._events.get()]
        while not self._events.empty():
            events.append(self._events.get())
        for worker, message in events:
            match message:
                case Stop():
                    self._stop(shift)
                case _ if worker is None:
                    pass  # a permit is free, or granted
                case Ready():
                    worker.is_ready = True
                case Wanting():
                    self._wanting.append(worker)
                case Noticed(told):
                    notice(told)
                case Done(processed):
                    self._losses = 0
                    shift.end(worker, processed.sha256)
                    yield processed
                case Failed(error, ""):
                    if shift.is_idle and not any(each.is_ready for each in self._workers):
                        raise UnbuildableError(str(error)) from error
                case Failed(error, sha256):
                    shift.end(worker, sha256)
                    self._ledger.stop(error)
                case None:
                    self._replace(worker, shift, job)

    def _stop(self, shift: Shift[WorkerProcess]) -> None:
        if not shift.is_stopped:
            shift.is_stopped = True
            for worker in self._workers:
                worker.send(Stop())

    def _replace(self, lost: WorkerProcess, shift: Shift[WorkerProcess], job: Job) -> None:
        if lost not in self._workers:
            return
        self._workers.remove(lost)
        self._lost_by = lost.end
        self._losses += 1
        shift.lose(lost)
        if self._losses >= _LOSSES:
            self._ledger.stop(
                OcrMoeError(
                    f"worker processes are lost one after the other ({self._lost_by}); see whether "
                    "there is memory for them, or set workers: 1"
                )
            )
        elif shift.has_more:
            try:
                self._start().send(job)
            except OcrMoeError as error:
                if not self._workers:
                    self._ledger.stop(error)
                    return
            shift.appoint(self._workers[-1])

    def _feed(self, shift: Shift[WorkerProcess]) -> None:
        """Gives out what is wanted, as long as endpoints have not more to do than they can take."""
        held = []
        while self._wanting:
            under_way, waiting = self._permits.count()
            if waiting >= max(_QUEUE, under_way):
                break
            worker = self._wanting.popleft()
            work = shift.begin(worker) if worker in self._workers else None
            if work is not None:
                worker.send(work)
            elif worker in self._workers:
                held.append(worker)
        self._wanting.extendleft(reversed(held))

    def _why_lost(self, work: Work) -> WorkerLostError:
        return WorkerLostError(
            f"{work.sources[0].name}: the process that read it ended twice, with nothing else to do the "
            f"second time ({self._lost_by}); see whether the file is as large as it should be and "
            "whether there is memory for it, then run again with --retry-failed"
        )

    def _start(self) -> WorkerProcess:
        try:
            child = self._nursery.start()
        except OSError as error:
            raise _unstartable(error) from error
        worker = WorkerProcess(
            child, self._offices, lambda worker, message: self._events.put((worker, message))
        )
        self._workers.append(worker)
        return worker

    def close(self) -> None:
        """Let the workers end, which have nothing to do any more; those that do are ended."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.let_go()
        for worker in workers:
            worker.join()
        self._nursery.close()
        self._offices.close()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _unstartable(error: OSError) -> OcrMoeError:
    return OcrMoeError(
        f"no worker process could be started ({error.strerror or error}); make room for it, or set "
        "workers: 1, and the same command goes on where this stopped"
    )
