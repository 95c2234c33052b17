"""How the documents of a batch are spread over workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from ocr_moe.run.runners.pool import PoolRunner
from ocr_moe.run.runners.serial import SerialRunner

Item = TypeVar("Item")
Result = TypeVar("Result")


class Runner(Protocol):
    """Does the same work on many items, in whatever order and however many at once."""

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Results as they come. Raises what `work` raises, once what is under way is done."""


def local_runner(workers: int) -> Runner:
    """On this machine, `workers` items at once."""
    return PoolRunner(workers) if workers > 1 else SerialRunner()
