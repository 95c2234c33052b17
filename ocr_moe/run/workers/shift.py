"""What is to be done next, and by whom: state alone, which no process and no thread knows of."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from ocr_moe.run.workers.messages import Work

Worker = TypeVar("Worker", bound=Hashable)


class Shift(Generic[Worker]):
    """Spreads contents over workers, and finds out which content is a worker's end.

    What was under way in a worker that is lost is suspect, all of it: each is tried again while its
    worker has nothing else, and where that is lost as well it is given up. The others go on meanwhile.
    """

    def __init__(self, works: Iterable[Work]) -> None:
        self._works = iter(works)
        self._next: Work | None = None
        self._under_way: dict[Worker, dict[str, Work]] = {}
        self._suspects: deque[Work] = deque()
        self._tried: set[str] = set()
        """Hashes of contents that are tried again."""
        self._tester: Worker | None = None
        """Who has suspects alone."""
        self.given_up: list[Work] = []
        self.is_stopped = False
        """Whether nothing new is to be begun."""
        self._advance()

    def begin(self, worker: Worker) -> Work | None:
        """What a worker that wants more is to do; None: nothing at the moment."""
        has = self._under_way.setdefault(worker, {})
        work: Work | None = None
        if self.is_stopped:
            return None
        if worker == self._tester:
            if not has and self._suspects:
                work = self._suspects.popleft()
                self._tried.add(work.sha256)
        elif self._next is not None:
            work = self._next
            self._advance()
        if work is not None:
            has[work.sha256] = work
        return work

    def end(self, worker: Worker, sha256: str) -> None:
        """It is done, or failed in a way that says nothing against its worker."""
        self._under_way[worker].pop(sha256)
        self._tried.discard(sha256)
        self.appoint(worker)

    def lose(self, worker: Worker) -> None:
        """A worker is gone."""
        for sha256, work in self._under_way.pop(worker, {}).items():
            if sha256 in self._tried:
                self._tried.discard(sha256)
                self.given_up.append(work)
            else:
                self._suspects.append(work)
        if worker == self._tester:
            self._tester = None

    def appoint(self, worker: Worker) -> None:
        """A worker that takes on what is suspect, where there is any and nobody does so yet."""
        if not self._suspects and not self._tried:
            self._tester = None
        elif self._tester is None:
            self._tester = worker

    @property
    def is_idle(self) -> bool:
        return not any(self._under_way.values())

    @property
    def has_more(self) -> bool:
        """Whether there is more to begin."""
        return not self.is_stopped and (self._next is not None or bool(self._suspects))

    def _advance(self) -> None:
        self._next = next(self._works, None)
