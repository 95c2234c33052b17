"""How the documents of a batch are spread over workers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Protocol, TypeVar

from ocr_moe.errors import WorkerLostError
from ocr_moe.run.ledger import Ledger
from ocr_moe.run.processing import Processed
from ocr_moe.run.runners.pool import PoolRunner
from ocr_moe.run.runners.serial import SerialRunner
from ocr_moe.run.workers.messages import Job, Work
from ocr_moe.store.database import Store

Item = TypeVar("Item")
Result = TypeVar("Result")


class Runner(Protocol):
    """Does the same work on many items, in whatever order and however many at once."""

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Results as they come. Raises what `work` raises, once what is under way is done."""


class Cluster(Protocol):
    """Makes records on other machines."""

    def work(
        self,
        job: Job,
        works: Iterable[Work],
        store: Store,
        ledger: Ledger,
        give_up: Callable[[Work, WorkerLostError], Processed],
    ) -> Generator[list[Processed], None, None]:
        """The records of each content, as they come, some at a time; what else was read and asked is in
        the store by then.  Raises what is about the run, once what is under way is done."""


def local_runner(workers: int) -> Runner:
    """On this machine, `workers` items at once."""
    return PoolRunner(workers) if workers > 1 else SerialRunner()
