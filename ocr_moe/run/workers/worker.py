"""A process that makes records for a run, over pipes (`ocr_moe.run.workers.nursery` starts it).

It computes on one document at a time, but has as many under way as wait for endpoints.  Pages and
answers go from here straight into the run's store; the records go to the run, which alone writes
those.  It ends when the run does, however that ends.
"""

from __future__ import annotations

import gc
import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Protocol

from ocr_moe import permits
from ocr_moe.errors import UnexpectedError
from ocr_moe.permits import Limiter, Outcome, computing, waiting
from ocr_moe.run.answers import StoppedError, words_of
from ocr_moe.run.interrupts import leave_signals_to_the_run
from ocr_moe.run.ledger import Books, DistantBooks
from ocr_moe.run.processing import Processor
from ocr_moe.run.workers.channel import Channel
from ocr_moe.run.workers.messages import (
    Acquire,
    Allowed,
    Book,
    Done,
    Enter,
    Failed,
    Job,
    Noticed,
    Ready,
    Release,
    Reserve,
    Stop,
    Wanting,
    Work,
)
from ocr_moe.store.database import Store

_AHEAD = 1
"""Documents that wait for the place to get free, so that it never stands empty."""
_MOST = 512
"""Documents under way; each of them is a thread that mostly waits."""


class Places:
    """One place to compute at; whoever comes back to it goes before whoever is new."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._free = True
        self._back = 0

    def take(self, *, back: bool) -> None:
        with self._changed:
            self._back += back
            self._changed.wait_for(lambda: self._free and (back or not self._back))
            self._back -= back
            self._free = False

    def leave(self) -> None:
        with self._changed:
            self._free = True
            self._changed.notify_all()


class Seat:
    """A document's claim to the place (`ocr_moe.permits.Places`)."""

    def __init__(self, places: Places, claims: Callable[[int], None]) -> None:
        self._places = places
        self._claims = claims
        """Hears of a claim that is given up (-1), and taken up again (1)."""
        self._new = True

    def acquire(self) -> None:
        new, self._new = self._new, False
        if not new:
            self._claims(1)
        self._places.take(back=not new)

    def release(self) -> None:
        self._places.leave()
        self._claims(-1)


class Run:
    """The run, as seen from here. Safe to share between threads."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._questions: dict[int, Future[None]] = {}
        self._asked = 0

    def tell(self, message: object) -> None:
        """Where the run is gone this does not return: the process ends."""
        try:
            self._channel.send(message)
        except (OSError, ValueError):
            os._exit(1)

    def ask(self, question: Callable[[int], object]) -> None:
        """Puts a question under the number given, and waits until it is allowed, or raises why not."""
        answer: Future[None] = Future()
        with self._lock:
            self._asked += 1
            number = self._asked
            self._questions[number] = answer
        self.tell(question(number))
        with waiting():
            answer.result()

    def answered(self, allowed: Allowed) -> None:
        with self._lock:
            answer = self._questions.pop(allowed.number)
        if allowed.refusal is None:
            answer.set_result(None)
        else:
            answer.set_exception(allowed.refusal)


class RunPermits:
    """The permits that all workers of the run share (`ocr_moe.permits.Permits`)."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def acquire(self, endpoint: str, limiter: Limiter) -> None:
        self._run.ask(lambda number: Acquire(number, endpoint, limiter))

    def release(self, endpoint: str, outcome: Outcome) -> None:
        self._run.tell(Release(endpoint, outcome))


class RunBooks(DistantBooks):
    """The run's ledger."""

    def __init__(self, run: Run, *, limited: bool) -> None:
        super().__init__(limited=limited)
        self._run = run

    def enter(self, money: float) -> None:
        self._run.tell(Enter(money))

    def _ask_to_reserve(self, expert: str) -> None:
        self._run.ask(lambda number: Reserve(number, expert))

    def _tell_booked(self, expert: str, money: float | None) -> None:
        self._run.tell(Book(expert, money))


class Listener(Protocol):
    """Whoever a worker works for."""

    def tell(self, message: object) -> None:
        """Hears that it is `Wanting`, and what was `Done` or `Failed`, from any thread."""


class Worker:
    """Documents under way in this process."""

    def __init__(self, run: Listener, books: Books, processor: Processor) -> None:
        self._run = run
        self._books = books
        self._processor = processor
        self._places = Places()
        self._lock = threading.Lock()
        self._claims = 0
        """Documents that compute, want to, or are on their way here."""
        self._under_way = 0
        self._pool = ThreadPoolExecutor(_MOST, thread_name_prefix="document")

    @property
    def is_idle(self) -> bool:
        return not self._under_way

    def want(self) -> None:
        """Ask for documents until one is at the place and one waits for it."""
        with self._lock:
            missing = max(0, 1 + _AHEAD - self._claims)
            self._claims += missing
        for _ in range(missing):
            self._run.tell(Wanting())

    def begin(self, work: Work) -> None:
        with self._lock:
            self._under_way += 1
        self._pool.submit(self._process, work)

    def _process(self, work: Work) -> None:
        came: Done | Failed
        try:
            with computing(Seat(self._places, self._claim)):
                self._books.proceed()
                came = Done(self._processor.process(work.sources, work.sha256))
        except BaseException as error:  # about the run: nothing else is to be begun
            self._books.stop(error)
            came = Failed(portable(error), work.sha256)
        with self._lock:
            self._under_way -= 1
        self._run.tell(came)

    def _claim(self, more: int) -> None:
        with self._lock:
            self._claims += more
        self.want()


def portable(error: BaseException) -> BaseException:
    """An exception that can be sent to another process: itself, or what it says."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return UnexpectedError(f"{type(error).__name__}: {words_of(error)}")
    return error


def serve(channel: Channel) -> None:
    """Make records until there is nothing more to be done; the process ends with the run."""
    try:
        job: Job = channel.receive()
    except EOFError:  # there was nothing to do
        return
    run = Run(channel)
    books = RunBooks(run, limited=job.limited)
    permits.lend(RunPermits(run))
    try:
        workshop = job.blueprint.build()
        strategies = [workshop.strategy(name) for name in job.strategies]
        store = Store(job.store, join=True)
    except Exception as error:
        run.tell(Failed(portable(error)))
        return
    processor = Processor(
        store,
        workshop,
        strategies,
        job.schemas,
        books,
        deferring=job.deferring,
        notice=lambda notice: run.tell(Noticed(notice)),
    )
    gc.freeze()  # what is built now stays; looking through it for garbage only takes time
    with closing(store), closing(processor):
        worker = Worker(run, books, processor)
        run.tell(Ready())
        worker.want()
        while True:
            try:
                message = channel.receive()
            except EOFError:
                if worker.is_idle:  # the run is done
                    return
                os._exit(1)  # it is gone
            if isinstance(message, Work):
                worker.begin(message)
            elif isinstance(message, Allowed):
                run.answered(message)
            elif isinstance(message, Stop):
                books.stop(StoppedError())


def main(incoming: int, outgoing: int) -> None:
    """Make records over two pipes."""
    leave_signals_to_the_run()
    with os.fdopen(incoming, "rb") as requests, os.fdopen(outgoing, "wb") as replies:
        serve(Channel(requests, replies))


if __name__ == "__main__":
    channel = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not get among the messages
    main(os.dup(0), channel)
