"""Who may ask an endpoint, and who may compute: lent by whoever runs a batch, as accounts are
(`ocr_moe.budget`).

An endpoint takes only so many requests at a time, from whichever thread, process or machine of a run
they come: whoever asks it acquires a permit for each.  How many there are is learnt by a `Limiter`.

A worker computes on few documents at a time but has many under way: whoever waits for an endpoint
gives up the worker's place for so long (`waiting`).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Outcome:
    """How a request ended."""

    answered: bool = True
    """The server answered, whatever it said; else the connection broke or the request was given up."""
    overloaded: bool = False
    """It said that it has too much to do (429, or a gateway's word for that)."""
    seconds: float = 0.0
    """From the permit to the end."""
    retry_after: float | None = None
    """Seconds for which the server wants to be left alone, where it says so."""


class Limiter(Protocol):
    """Learns how many requests an endpoint takes at a time.

    State alone, to be locked by whoever holds it, and small: it is pickled on its way there.
    """

    def wait(self, under_way: int, now: float) -> float:
        """0 where one more request may be sent while so many are under way; else the seconds after
        which that may have changed by itself, infinity where only the end of another one changes it.

        `now` is in seconds of a clock that never goes back.
        """

    def ended(self, outcome: Outcome, under_way: int, now: float) -> None:
        """One of the `under_way` requests, itself counted, has ended."""


@dataclass(frozen=True)
class AtMost:
    """A limiter that has nothing to learn."""

    requests: int

    def wait(self, under_way: int, now: float) -> float:
        return 0.0 if under_way < self.requests else math.inf

    def ended(self, outcome: Outcome, under_way: int, now: float) -> None:
        return


class Permits(Protocol):
    """The permits of all endpoints. Safe to share between threads."""

    def acquire(self, endpoint: str, limiter: Limiter) -> None:
        """Waits until one more request may be sent to the endpoint.

        `endpoint` tells it from others, in all processes alike.  `limiter` has learnt nothing yet; it
        counts where nobody has asked that endpoint before.
        """

    def release(self, endpoint: str, outcome: Outcome) -> None:
        """The request for which a permit was acquired has ended."""


@dataclass
class _Endpoint:
    limiter: Limiter
    under_way: int = 0
    waiting: int = 0


@dataclass
class LocalPermits:
    """Permits that are kept in this process."""

    clock: Callable[[], float] = time.monotonic
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _endpoints: dict[str, _Endpoint] = field(default_factory=dict)

    def acquire(self, endpoint: str, limiter: Limiter) -> None:
        with self._changed:
            known = self._endpoints.setdefault(endpoint, _Endpoint(limiter))
            known.waiting += 1
            try:
                while seconds := known.limiter.wait(known.under_way, self.clock()):
                    self._changed.wait(None if seconds == math.inf else seconds)
                known.under_way += 1
            finally:
                known.waiting -= 1

    def release(self, endpoint: str, outcome: Outcome) -> None:
        with self._changed:
            known = self._endpoints[endpoint]
            known.limiter.ended(outcome, known.under_way, self.clock())
            known.under_way -= 1
            self._changed.notify_all()

    def count(self) -> tuple[int, int]:
        """Requests that are under way, and those that wait for a permit, at all endpoints."""
        with self._changed:
            known = self._endpoints.values()
            return sum(each.under_way for each in known), sum(each.waiting for each in known)


_lent: Permits | None = None


def lend(permits: Permits | None) -> None:
    """From now on this process asks for those permits; None: it has its own again."""
    global _lent
    _lent = permits


def lent() -> Permits | None:
    """The permits that this process shares with others; None where it has its own."""
    return _lent


class Places(Protocol):
    """Where documents are computed on, each by one thread (a semaphore is one)."""

    def acquire(self) -> object:
        """Waits for a place."""

    def release(self) -> object:
        """Leaves it."""


_PLACES: ContextVar[Places | None] = ContextVar("places", default=None)
_EASING: ContextVar[tuple[Callable[[], None], ...]] = ContextVar("easing", default=())


@contextmanager
def computing(places: Places) -> Iterator[None]:
    """Within, this thread has a place, but while it is `waiting`."""
    places.acquire()
    token = _PLACES.set(places)
    try:
        yield
    finally:
        _PLACES.reset(token)
        places.release()


@contextmanager
def waiting() -> Iterator[None]:
    """Within, this thread computes nothing, as it waits for an endpoint: another one may have its
    place, which is waited for in the end. Without effect in a thread that has none."""
    places = _PLACES.get()
    if places is None:
        yield
        return
    for ease in _EASING.get():
        ease()
    token = _PLACES.set(None)  # what waits within has nothing to give up
    places.release()
    try:
        yield
    finally:
        places.acquire()
        _PLACES.reset(token)


@contextmanager
def easing(ease: Callable[[], None]) -> Iterator[None]:
    """Within, `ease` is called before this thread leaves its place: to let go of what takes memory and
    can be had again."""
    token = _EASING.set((*_EASING.get(), ease))
    try:
        yield
    finally:
        _EASING.reset(token)
