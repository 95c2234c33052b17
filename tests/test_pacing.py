"""How many requests a server is sent at a time, against servers simulated in virtual time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ocr_moe.engines.chat.pacing import Pace
from ocr_moe.permits import Outcome

PATIENCE = 90.0


@dataclass
class Simulated:
    """A client that always has more to ask, and a server.

    `serve(under way, now)` is asked with each request: seconds until its answer, or the outcome of a
    refusal.
    """

    serve: Callable[[int, float], float | Outcome]
    pace: Pace
    now: float = 0.0
    answered: int = 0
    refused: int = 0
    slowest: float = 0.0
    most: int = 0
    limits: list[int] = field(default_factory=list)
    ends: list[tuple[float, int, float | Outcome, float]] = field(default_factory=list)
    """Of each request under way: when it ends, its number, what comes of it, and when it began."""

    def run(self, seconds: float) -> None:
        ends = self.ends
        number = len(self.limits) + len(ends)
        until = self.now + seconds
        while self.now < until:
            wait = self.pace.wait(len(ends), self.now)
            if not wait:
                taken = sum(not isinstance(each[2], Outcome) for each in ends)
                given = self.serve(taken, self.now)
                number += 1
                last = self.now + (0.001 if isinstance(given, Outcome) else given)
                heapq.heappush(ends, (last, number, given, self.now))
                self.most = max(self.most, len(ends))
                continue
            if ends and ends[0][0] <= self.now + wait:
                end, _, given, start = heapq.heappop(ends)
                self.now = end
                if isinstance(given, Outcome):
                    self.refused += 1
                    outcome = given
                else:
                    self.answered += 1
                    self.slowest = max(self.slowest, given)
                    outcome = Outcome(seconds=end - start)
                self.pace.ended(outcome, len(ends) + 1, self.now)
                self.limits.append(int(self.pace.limit))
            else:
                assert wait != math.inf, "nobody is let in, though nothing is under way"
                self.now += wait


def allowing(most: int, latency: float = 1.0) -> Callable[[int, float], float | Outcome]:
    """Answers so many at a time, each after the same time, and refuses the others."""
    return lambda under_way, now: latency if under_way < most else Outcome(overloaded=True)


def queueing(at_once: int, latency: float) -> Callable[[int, float], float | Outcome]:
    """Answers so many at a time; the others wait there, and nobody is told."""
    free = [0.0] * at_once

    def serve(under_way: int, now: float) -> float:
        start = max(now, heapq.heappop(free))
        heapq.heappush(free, start + latency)
        return start + latency - now

    return serve


def batching(latency: float, slope: float) -> Callable[[int, float], float | Outcome]:
    """Answers all at once, each slower by `slope` for every other one (vLLM on a GPU)."""
    return lambda under_way, now: latency * (1 + slope * under_way)


def auto(most: int = 64) -> Pace:
    return Pace(most, PATIENCE)


def test_what_a_server_allows_is_found_and_used() -> None:
    client = Simulated(allowing(64), auto(most=1000))
    client.run(60)
    before, refused = client.answered, client.refused
    client.run(600)
    assert client.answered - before >= 0.95 * 64 * 600
    assert client.refused - refused <= 0.005 * client.answered
    assert client.refused <= 4 * 64  # most of them of a first guess that was too high, once


def test_a_number_that_is_configured_is_used_at_once_and_never_passed() -> None:
    client = Simulated(allowing(64), Pace.fixed(64, PATIENCE))
    client.run(100)
    assert client.answered >= 64 * 98
    assert (client.most, client.refused) == (64, 0)


@pytest.mark.parametrize("latency", [0.2, 1.0, 20.0, 60.0])
def test_a_server_that_answers_one_at_a_time_is_not_queued_at(latency: float) -> None:
    client = Simulated(queueing(1, latency), auto())
    client.run(200 * latency)
    assert client.answered >= 0.98 * 200  # never idle
    assert client.slowest <= 2 * PATIENCE  # the timeout
    assert client.limits[-1] == 2  # one is answered, one waits


def test_a_server_with_slots_keeps_them_filled() -> None:
    client = Simulated(queueing(8, 5.0), auto())
    client.run(1000)
    assert client.answered >= 0.95 * 8 * 200
    assert client.slowest <= PATIENCE


def test_slower_answers_are_fine_where_there_are_more_of_them() -> None:
    client = Simulated(batching(2.0, slope=0.02), auto())
    client.run(300)
    assert client.limits[-1] == 64


def test_growth_that_is_of_no_use_is_taken_back() -> None:
    client = Simulated(batching(2.0, slope=1.0), auto())
    client.run(300)
    assert client.limits[-1] <= 16


def test_a_server_that_becomes_faster_is_found_out() -> None:
    client = Simulated(queueing(1, 1.0), auto())
    client.run(100)
    assert client.limits[-1] == 2
    client.serve = allowing(1000)
    client.run(200)
    assert client.limits[-1] == 64


def test_all_wait_for_as_long_as_the_server_says() -> None:
    pace = Pace.fixed(8, PATIENCE)
    pace.ended(Outcome(overloaded=True, retry_after=20.0), 8, now=100.0)
    assert pace.wait(0, now=100.0) == 20.0
    pace.ended(Outcome(overloaded=True, retry_after=5.0), 7, now=101.0)
    assert pace.wait(0, now=101.0) == 19.0
    assert pace.wait(0, now=120.0) == 0.0
    pace.ended(Outcome(overloaded=True, retry_after=3600.0), 1, now=200.0)
    assert pace.wait(0, now=200.0) == 60.0


def test_a_quota_of_requests_is_kept_to() -> None:
    """10 answers a second at most, told by Retry-After; latency alone would allow for 64."""
    spent: list[float] = []

    def serve(under_way: int, now: float) -> float | Outcome:
        spent[:] = [at for at in spent if at > now - 1]
        if len(spent) >= 10:
            return Outcome(overloaded=True, retry_after=1 - (now - spent[0]))
        spent.append(now)
        return 1.0

    client = Simulated(serve, auto())
    client.run(600)
    assert client.answered >= 0.75 * 6000
    assert client.refused <= 0.1 * client.answered


def test_two_clients_of_one_server_come_to_like_shares() -> None:
    """Each adds one and takes off a tenth (Chiu & Jain)."""
    paces = [Pace.fixed(64, PATIENCE), auto()]
    ends: list[tuple[float, int, int, bool]] = []
    counts, shares, number, now = [0, 0], [0, 0], 0, 0.0
    while now < 2000:
        asking = [i for i in (0, 1) if not paces[i].wait(counts[i], now)]
        if asking:
            i = min(asking, key=lambda i: counts[i])
            refused = sum(counts) >= 40
            number += 1
            heapq.heappush(ends, (now + (0.001 if refused else 1.0), number, i, refused))
            counts[i] += 1
            continue
        end, _, i, refused = heapq.heappop(ends)
        now = end
        paces[i].ended(Outcome(overloaded=refused, seconds=1.0), counts[i], now)
        counts[i] -= 1
        if now > 500 and not refused:
            shares[i] += 1
    assert min(shares) >= 0.5 * max(shares)
    assert sum(shares) >= 0.85 * 40 * 1500


def test_a_server_that_hangs_is_asked_half_as_much() -> None:
    pace = Pace.fixed(16, PATIENCE)
    for under_way in range(16, 0, -1):  # all of them, at one time: one event
        pace.ended(Outcome(answered=False, seconds=180.0), under_way, now=180.0)
    assert pace.limit == 8
    pace.ended(Outcome(answered=False, seconds=180.0), 8, now=360.0)
    assert pace.limit == 4


def test_few_askers_tell_nothing_about_a_server() -> None:
    pace = auto()
    for second in range(200):
        pace.ended(Outcome(seconds=1.0), under_way=1 + second % 2, now=float(second + 1))
    assert pace.limit == 16
