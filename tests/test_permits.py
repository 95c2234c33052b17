"""Permits: how many ask an endpoint at a time, and who computes while others wait for it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from ocr_moe.permits import AtMost, LocalPermits, Outcome, computing, waiting

PATIENCE = 20.0
"""Seconds after which something that was to happen will not."""


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


class Pausing:
    """Takes one request at a time, and none for a while after it was told to."""

    def __init__(self) -> None:
        self.until = 0.0
        self.ends: list[tuple[Outcome, int]] = []

    def wait(self, under_way: int, now: float) -> float:
        return math.inf if under_way else max(0.0, self.until - now)

    def ended(self, outcome: Outcome, under_way: int, now: float) -> None:
        self.ends.append((outcome, under_way))
        self.until = now + (outcome.retry_after or 0.0)


def test_no_more_requests_than_there_are_permits() -> None:
    permits, most, at_once = LocalPermits(), 0, 0
    together, lock = threading.Barrier(3), threading.Lock()

    def ask() -> None:
        nonlocal most, at_once
        permits.acquire("text", AtMost(3))
        with lock:
            at_once += 1
            most = max(most, at_once)
        together.wait(PATIENCE)  # three are let in at a time, else this breaks
        with lock:
            at_once -= 1
        permits.release("text", Outcome())

    threads = [in_thread(ask) for _ in range(9)]
    for thread in threads:
        thread.join(PATIENCE)
    assert not together.broken
    assert most == 3


def test_endpoints_do_not_wait_for_each_other() -> None:
    permits = LocalPermits()
    permits.acquire("text", AtMost(1))
    permits.acquire("vision", AtMost(1))  # returns


def test_the_first_limiter_counts_and_hears_of_every_end() -> None:
    permits, first, second = LocalPermits(), Pausing(), Pausing()
    for limiter, outcome in ((first, Outcome(overloaded=True)), (second, Outcome(answered=False))):
        permits.acquire("text", limiter)
        permits.release("text", outcome)
    assert first.ends == [(Outcome(overloaded=True), 1), (Outcome(answered=False), 1)]
    assert second.ends == []


def test_a_pause_ends_by_itself() -> None:
    seconds = iter([0.0, 0.0, 0.0, 0.009, 0.011])
    permits, limiter = LocalPermits(clock=lambda: next(seconds)), Pausing()
    permits.acquire("text", limiter)
    permits.release("text", Outcome(overloaded=True, retry_after=0.01))
    permits.acquire("text", limiter)
    assert next(seconds, None) is None  # looked at until its end, and no further


def test_who_waits_lends_its_place() -> None:
    places, replied = threading.Semaphore(1), threading.Event()
    order: list[str] = []

    def first() -> None:
        with computing(places):
            order.append("asks")
            with waiting(), waiting():
                asked.set()
                replied.wait(PATIENCE)
            order.append("goes on")

    def second() -> None:
        with computing(places):
            order.append("computes")
            replied.set()

    asked = threading.Event()
    threads = [in_thread(first)]
    asked.wait(PATIENCE)
    threads.append(in_thread(second))
    for thread in threads:
        thread.join(PATIENCE)
    assert order == ["asks", "computes", "goes on"]
    assert places.acquire(blocking=False)
    assert not places.acquire(blocking=False)


def test_who_has_no_place_has_none_to_lend() -> None:
    with waiting():
        pass
