"""What an actor of the pool does: the records of a block of files, with engines of its own.

It computes on one file at a time, and has as many under way as wait for endpoints.  Its store is on its
node's disk and holds what is under way: what the run knows of it goes in first, and what is new goes to
the run with the records.
"""

from __future__ import annotations

import pickle
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

from ocr_moe import permits
from ocr_moe.permits import Limiter, Outcome, waiting
from ocr_moe.run.answers import StoppedError
from ocr_moe.run.cluster.office import BEAT, Begun
from ocr_moe.run.ledger import DistantBooks
from ocr_moe.run.processing import Processed, Processor
from ocr_moe.run.workers.messages import Done, Failed, Job, Wanting, Work
from ocr_moe.run.workers.worker import Worker
from ocr_moe.store.database import Question, Store
from ocr_moe.store.portions import EMPTY, Portion, drop_portion, portion_of, put_portions
from ocr_moe.types import Answer


@dataclass(frozen=True)
class Made:
    """What came of one file of a block."""

    sha256: str
    came: Processed | BaseException | None
    """Its records, or what is about the run and ends it; None where it was tried too often."""
    portion: Portion = EMPTY
    """What is new in the store."""


class Office:
    """The office, as seen from a worker. Safe to share between threads."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self.worker = uuid4().hex

    def ask(self, method: str, *args: object) -> Any:
        """Waits for an answer, without keeping others from computing. Raises what the office raises."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            with waiting():
                return ray.get(getattr(self._actor, method).remote(*args))
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:  # with it the run is gone
            raise StoppedError from error

    def tell(self, method: str, *args: object) -> None:
        getattr(self._actor, method).remote(*args)


class OfficePermits:
    """The permits of the whole cluster (`ocr_moe.permits.Permits`)."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def acquire(self, endpoint: str, limiter: Limiter) -> None:
        self._office.ask("acquire", self._office.worker, endpoint, limiter)

    def release(self, endpoint: str, outcome: Outcome) -> None:
        self._office.tell("release", self._office.worker, endpoint, outcome)


class OfficeBooks(DistantBooks):
    """The ledger of the whole cluster."""

    def __init__(self, office: Office, *, limited: bool) -> None:
        super().__init__(limited=limited)
        self._office = office

    def enter(self, money: float) -> None:
        self._office.tell("enter", money)

    def _ask_to_reserve(self, expert: str) -> None:
        self._office.ask("reserve", self._office.worker, expert)

    def _tell_booked(self, expert: str, money: float | None) -> None:
        self._office.tell("book", self._office.worker, expert, money)


class NodeStore(Store):
    """A store on a node's disk, which may go with the node: what was paid for is sent on at once."""

    def __init__(self, path: Path, office: Office) -> None:
        super().__init__(path)
        self._office = office

    def put_answer(self, question: Question, answer: Answer) -> None:
        super().put_answer(question, answer)
        if answer.cost.calls:
            rows = portion_of(self, [question.sha256]).answers
            own = (question.fingerprint, question.digest)
            self._office.ask("keep", EMPTY._replace(answers=[r for r in rows if r[3:5] == own]))


class BlockReader:
    """The callable of a Ray Data actor. Raises OcrMoeError where nothing can be built on its node."""

    def __init__(self, job: bytes, office: Any, started: str | None, round: int) -> None:
        """`round` is that of the run in which contents are tried."""
        self._round = round
        given: Job = pickle.loads(job)
        self._office = Office(office)
        self._books = OfficeBooks(self._office, limited=given.limited)
        permits.lend(OfficePermits(self._office))
        workshop = given.blueprint.build()
        strategies = [workshop.strategy(name) for name in given.strategies]
        self._folder = tempfile.TemporaryDirectory(prefix="ocr-moe-node-")
        self._store = NodeStore(Path(self._folder.name) / "store.sqlite", self._office)
        self._store.set_meta("started", started)
        processor = Processor(self._store, workshop, strategies, given.schemas, self._books)
        self._lock = threading.Lock()
        self._waiting: dict[str, SimpleQueue[Processed | BaseException]] = {}
        """Hash → who waits for its records."""
        self._worker = Worker(self, self._books, processor)
        self._office.ask("hear", self._office.worker)
        threading.Thread(target=self._beat, name="beat", daemon=True).start()

    def __call__(self, block: Mapping[str, Any]) -> dict[str, list[bytes]]:
        """The column `work` (pickled `Work`) becomes the column `made` (pickled `Made`), row for row:
        a block that is read again gives its rows in the same order."""
        works: list[Work] = [pickle.loads(each) for each in block["work"]]
        contents = [work.sha256 for work in works]
        begun: Begun = self._office.ask("begin", contents, self._round)
        put_portions(self._store, [begun.known])
        for work in works:
            if work.sha256 not in begun.spent:
                with self._lock:
                    self._waiting[work.sha256] = SimpleQueue()
                self._worker.begin(work)
        return {"made": [pickle.dumps(self._made(each, begun)) for each in contents]}

    def _made(self, sha256: str, begun: Begun) -> Made:
        if sha256 in begun.spent:
            return Made(sha256, None)
        came = self._waiting[sha256].get()
        with self._lock:
            del self._waiting[sha256]
        portion = portion_of(self._store, [sha256]).without(begun.known)
        drop_portion(self._store, [sha256])
        return Made(sha256, came, portion)

    def tell(self, message: object) -> None:
        """What the worker says of its files."""
        match message:
            case Done(processed):
                self._waiting[processed.sha256].put(processed)
            case Failed(error, sha256):
                self._waiting[sha256].put(error)
            case Wanting():
                pass  # a block comes when there is one

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT)
            try:
                why = self._office.ask("hear", self._office.worker)
            except StoppedError as error:
                why = error
            if why is not None:
                self._books.stop(why)


def blocks(works: Sequence[Work]) -> dict[str, list[bytes]]:
    """The column that `BlockReader` is called with."""
    return {"work": [pickle.dumps(work) for work in works]}
