"""The office of a run: one actor on the run's own node, which all workers of the cluster ask.

It holds what there is only one of: the permits of endpoints, so that one limit counts for the whole
cluster; the money; and the answers that were paid for, which it writes to the run's disk before a worker
goes on.  A worker that has not been heard of for a while is taken for lost, and what it held is others'
again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ocr_moe.permits import Limiter, LocalPermits, Outcome
from ocr_moe.run.kept import KEPT
from ocr_moe.run.ledger import Ledger
from ocr_moe.store.database import Store
from ocr_moe.store.portions import Portion, portion_of, put_portions

BEAT = 2.0
"""Seconds after which a worker is heard of again."""
_LOST = 15 * BEAT
"""Seconds without a word, after which a worker is taken for lost."""
_TRIES = 3
"""How often a content is begun in one round: whatever ends its workers is not tried for ever."""
MOST = 1024
"""Questions that wait at the office at once; each of them is a thread."""


@dataclass(frozen=True)
class Begun:
    """What a worker is told of contents that it begins."""

    known: Portion
    """What the run knows of them, and what was paid for and is on its way there."""
    spent: frozenset[str]
    """Hashes of those that are to be left alone, as they were tried often enough in this round."""


@dataclass
class _Held:
    heard: float
    permits: Counter[str] = field(default_factory=Counter)
    reserved: Counter[str] = field(default_factory=Counter)


class Office:
    """To be made a Ray actor of `MOST` threads. Nothing but plain values goes in and out."""

    def __init__(self, store: Path, limit: float | None) -> None:
        self._path = store
        self._ledger = Ledger(limit)
        self._permits = LocalPermits()
        self._kept: Store | None = None
        self._lock = threading.Lock()
        self._workers: dict[str, _Held] = {}
        self._begun: Counter[tuple[int, str]] = Counter()
        """(round, hash) → how often a worker began it."""
        threading.Thread(target=self._watch, name="lost workers", daemon=True).start()

    def hear(self, worker: str) -> BaseException | None:
        """A worker is there; why it is to begin nothing new, where that is so."""
        self._of(worker)
        try:
            self._ledger.proceed()
        except BaseException as error:
            return error
        return None

    def stop(self, why: BaseException) -> None:
        """Nobody is to begin anything new."""
        self._ledger.stop(why)

    def spent(self) -> tuple[int, float]:
        """Questions that were asked, and what was paid for them."""
        return self._ledger.asked, self._ledger.money

    def acquire(self, worker: str, endpoint: str, limiter: Limiter) -> None:
        """See `ocr_moe.permits.Permits`."""
        self._permits.acquire(endpoint, limiter)
        with self._lock:
            held = self._workers.get(worker)
            if held is not None:
                held.permits[endpoint] += 1
                return
        self._permits.release(endpoint, Outcome(answered=False))  # it was lost while it waited

    def release(self, worker: str, endpoint: str, outcome: Outcome) -> None:
        with self._lock:
            held = self._workers.get(worker)
            if held is None or not held.permits[endpoint]:
                return
            held.permits[endpoint] -= 1
        self._permits.release(endpoint, outcome)

    def reserve(self, worker: str, expert: str) -> None:
        """See `ocr_moe.run.ledger.Books`. Raises BudgetExceededError, and why the run stops."""
        self._ledger.reserve(expert)
        with self._lock:
            self._of(worker, locked=True).reserved[expert] += 1

    def book(self, worker: str, expert: str, money: float | None) -> None:
        with self._lock:
            held = self._of(worker, locked=True)
            known = held.reserved[expert] > 0
            held.reserved[expert] -= known
        if known:
            self._ledger.book(expert, money)
        else:
            self._ledger.pay(expert, money)

    def enter(self, money: float) -> None:
        self._ledger.enter(money)

    def keep(self, portion: Portion) -> None:
        """Write answers to the disk of the run."""
        with self._lock:
            if self._kept is None:
                self._kept = Store(self._path.parent / KEPT)
            put_portions(self._kept, [portion])

    def begin(self, contents: Sequence[str], round: int) -> Begun:
        """A worker begins some contents, once more perhaps, after another one was lost over them."""
        with self._lock:
            self._begun.update((round, each) for each in contents)
            spent = [each for each in contents if self._begun[round, each] > _TRIES]
        with Store(self._path, write=False) as store:
            found = portion_of(store, contents)
        with self._lock:
            if self._kept is not None:
                paid = portion_of(self._kept, contents)
                found = found._replace(answers=[*found.answers, *paid.answers])
        return Begun(found, frozenset(spent))

    def close(self) -> None:
        """What was kept is in the file."""
        with self._lock:
            if self._kept is not None:
                self._kept.close()
                self._kept = None

    def _of(self, worker: str, *, locked: bool = False) -> _Held:
        with ExitStack() as stack:
            if not locked:
                stack.enter_context(self._lock)
            held = self._workers.setdefault(worker, _Held(0.0))
            held.heard = time.monotonic()
            return held

    def _watch(self) -> None:
        while True:
            time.sleep(BEAT)
            now = time.monotonic()
            with self._lock:
                lost = [
                    self._workers.pop(worker)
                    for worker, held in list(self._workers.items())
                    if now - held.heard > _LOST
                ]
            for held in lost:
                for endpoint in held.permits.elements():
                    self._permits.release(endpoint, Outcome(answered=False))
                for expert in held.reserved.elements():
                    self._ledger.book(expert, None)
