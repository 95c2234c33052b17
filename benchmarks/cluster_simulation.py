"""The queue of a run on a large cluster, with failures: what is lost and repeated, and how late it ends.

A discrete-event simulation (SimPy), deterministic by its seed. Workers take blocks of documents off one
queue. A lost worker is replaced, and what it had under way goes back to the queue; what that costs
depends on what is kept:

- `at once`: every answer is in a store when it is given, as `extract` and its Ray runner have it. Lost
  is the document under way; paid twice are the requests in flight.
- `per block`: a block's results are written when it is done, as plain map jobs have it. Lost is the
  block so far; paid twice are its requests.

Some documents ask a language model. The endpoint is a fluid in steps of a second: it answers so many
requests at a time and refuses more, a limit for the whole cluster learns how many (fourfold a round
until something is refused, then additive increase and multiplicative decrease, as `extract`'s), and
workers begin nothing new while too many requests wait. While it is away its breaker (the real
`ocr_moe.engines.chat.breaker.Breaker`, on simulated time) leaves it alone: its documents go on
without it, and are asked about again at the end (`--retry-failed`). With `per block` nothing is kept of
a document whose request failed, so it is read again.

    python -m benchmarks.cluster_simulation [--documents 100000000] [--workers 10000] [--seed 0]

What it leaves out: reading inputs over a network, and a queue that is itself lost.
"""

from __future__ import annotations

import argparse
import math
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import simpy

from benchmarks.results import publish
from ocr_moe.engines.chat.breaker import Breaker
from ocr_moe.engines.chat.settings import ChatParams

Keep = Literal["at once", "per block"]
KEEPING: tuple[Keep, ...] = ("at once", "per block")
_TICK = 1.0
_BACK_OFF = 0.9
_START_LIMIT = 16.0
_QUEUED = 2.0
"""Requests that may wait for each that is under way before no document is begun."""


@dataclass(frozen=True)
class Endpoint:
    """A language model that a share of the documents asks."""

    share: float = 0.02
    """Of documents: those whose code or name stays doubtful."""
    latency: float = 2.0
    """Seconds."""
    at_a_time: int = 2_000
    """Requests that it answers at a time; more are refused."""
    away_from: float = 1_800.0
    away_for: float = 3_600.0


@dataclass(frozen=True)
class Cluster:
    """What is simulated."""

    workers: int = 10_000
    documents: int = 100_000_000
    block: int = 200
    """Documents."""
    seconds: float = 0.7
    """Of one document in one worker, in the mean."""
    variation: float = 0.5
    """Standard deviation of that, in means."""
    straggling: float = 1e-4
    """Share of documents that take `straggler_seconds` on top: a huge scan, a page read four ways."""
    straggler_seconds: float = 60.0
    lost_every: float = 60.0
    """Seconds between workers that are lost, in the whole cluster, in the mean; infinity for never."""
    replaced_after: float = 120.0
    """Seconds until a lost worker's place is filled and its models are loaded."""
    keep: Keep = "at once"
    endpoint: Endpoint | None = Endpoint()


@dataclass
class Block:
    """Documents of a block that are still to be read, and what they take, as drawn once."""

    documents: int
    seconds: float


@dataclass
class Outcome:
    """What came of a run."""

    makespan: float = 0.0
    """Seconds, with what is asked again at the end."""
    first_pass: float = 0.0
    ideal: float = 0.0
    """All work spread evenly over all workers, none lost."""
    workers_lost: int = 0
    """That had something under way."""
    seconds_lost: float = 0.0
    """Of workers' time, on what was not kept."""
    documents_repeated: float = 0.0
    requests: float = 0.0
    """That were answered."""
    paid_twice: float = 0.0
    """Of these, because their answer was lost with a worker or a block."""
    unanswered: float = 0.0
    """Documents whose request failed while the endpoint was away; they are asked about again at the
    end."""
    read_again: float = 0.0
    """Of these, documents that have to be read again for it."""
    refused: float = 0.0
    """Requests that were sent and refused, for too many at a time."""
    back_after: float = 0.0
    """Seconds after its return at which the endpoint is asked again."""


@dataclass
class _Fluid:
    """The endpoint, step by step."""

    endpoint: Endpoint
    outcome: Outcome
    breaker: Breaker
    waiting: float = 0.0
    limit: float = _START_LIMIT
    growing: bool = True
    """Whether nothing was refused yet: until then the limit grows fourfold a round."""
    is_open: bool = False

    def is_away(self, now: float) -> bool:
        return 0 <= now - self.endpoint.away_from < self.endpoint.away_for

    @property
    def is_full(self) -> bool:
        return self.waiting > max(8.0, (1 + _QUEUED) * self.limit)

    def step(self, now: float) -> None:
        if self.waiting < 1e-9:
            self.waiting = 0.0
            return
        if self.breaker.wait():
            self._fail(self.waiting)
        elif self.is_away(now):
            sent = min(self.waiting, self.limit)
            for _ in range(math.ceil(min(sent, ChatParams().breaker_threshold))):
                self.breaker.failed()
            self.is_open = True
            self._fail(sent)
        else:
            if self.breaker.succeeded() and self.is_open:
                self.is_open = False
                gone = self.endpoint.away_from + self.endpoint.away_for
                self.outcome.back_after = now - gone
            self._answer()

    def _answer(self) -> None:
        sent = min(self.waiting, self.limit)
        served = min(sent, self.endpoint.at_a_time) * _TICK / self.endpoint.latency
        served = min(served, self.waiting)
        if sent > self.endpoint.at_a_time:
            self.outcome.refused += sent - self.endpoint.at_a_time
            self.limit = max(1.0, (sent if self.growing else self.limit) * _BACK_OFF)
            self.growing = False
        elif self.growing and sent >= self.limit:
            self.limit *= 4 ** (_TICK / self.endpoint.latency)
        elif sent >= self.limit:  # in use: one more a round
            self.limit += served / self.limit
        self.waiting -= served
        self.outcome.requests += served

    def _fail(self, requests: float) -> None:
        self.waiting -= requests
        self.outcome.unanswered += requests


class Run:
    """One run of a cluster."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.cluster = cluster
        self.outcome = Outcome()
        self._random = np.random.default_rng(seed)
        self._env = simpy.Environment()
        params = ChatParams()
        breaker = Breaker(
            params.breaker_threshold, params.breaker_pause, clock=lambda: float(self._env.now)
        )
        self._fluid = (
            None if cluster.endpoint is None else _Fluid(cluster.endpoint, self.outcome, breaker)
        )
        self._back: deque[Block] = deque()
        self._blocks = self._drawn()
        self._under_way = 0
        self._idle: list[simpy.Event] = []
        self._done = False
        self._workers: list[simpy.Process] = []
        self._busy: dict[int, None] = {}

    def run(self) -> Outcome:
        cluster, env = self.cluster, self._env
        self._workers = [env.process(self._worker(n)) for n in range(cluster.workers)]
        if math.isfinite(cluster.lost_every):
            env.process(self._losing())
        if self._fluid is not None:
            env.process(self._stepping(self._fluid))
        env.run(until=env.all_of(self._workers))
        self.outcome.first_pass = self._last_end
        self._retry()
        return self.outcome

    _last_end = 0.0

    def _drawn(self) -> Iterator[Block]:
        cluster, random = self.cluster, self._random
        left = cluster.documents
        shape_of_one = 1 / cluster.variation**2 if cluster.variation else 0.0
        while left > 0:
            size = min(cluster.block, left)
            left -= size
            seconds = size * cluster.seconds
            if shape_of_one:  # a sum of gammas is one
                shape = size * shape_of_one
                seconds = float(random.gamma(shape, cluster.seconds / shape_of_one))
            if cluster.straggling:
                slow = int(random.binomial(size, cluster.straggling))
                seconds += slow * cluster.straggler_seconds
            self.outcome.ideal += seconds / cluster.workers
            yield Block(size, seconds)

    def _next(self) -> Block | None:
        return self._back.popleft() if self._back else next(self._blocks, None)

    def _worker(self, number: int) -> Generator[simpy.Event, Any, None]:
        env, cluster = self._env, self.cluster
        while True:
            while self._fluid is not None and self._fluid.is_full:
                yield env.timeout(_TICK)
            block = self._next()
            if block is None:
                if not self._under_way:
                    self._finish()
                if self._done:
                    return
                waiting = env.event()
                self._idle.append(waiting)
                yield waiting
                continue
            self._under_way += 1
            self._busy[number] = None
            began = env.now
            try:
                yield env.timeout(block.seconds)
            except simpy.Interrupt:
                self._lose(block, float(env.now - began))
                yield env.timeout(cluster.replaced_after)
                continue
            del self._busy[number]
            self._under_way -= 1
            self._ask(block.documents)
            self._last_end = float(env.now)
            if not self._under_way:
                self._wake()

    def _ask(self, documents: float) -> None:
        if self._fluid is not None:
            self._fluid.waiting += documents * self._fluid.endpoint.share

    def _lose(self, block: Block, spent: float) -> None:
        """The worker is gone after so many seconds of a block."""
        self._under_way -= 1
        outcome, each = self.outcome, block.seconds / block.documents
        outcome.workers_lost += 1
        done = min(int(spent / each), block.documents - 1)
        endpoint = self.cluster.endpoint
        share, latency = (0.0, 0.0) if endpoint is None else (endpoint.share, endpoint.latency)
        if self.cluster.keep == "at once":
            outcome.seconds_lost += spent - done * each
            outcome.documents_repeated += 1
            in_flight = share * min(done, latency / each)
            outcome.paid_twice += in_flight
            self._ask(done + in_flight)
            left = block.documents - done
            self._back.append(Block(left, left * each))
        else:
            outcome.seconds_lost += spent
            outcome.documents_repeated += done + 1
            outcome.paid_twice += share * done
            self._ask(done)
            self._back.append(block)
        self._wake()

    def _wake(self) -> None:
        idle, self._idle = self._idle, []
        for waiting in idle:
            waiting.succeed()

    def _finish(self) -> None:
        self._done = True
        self._wake()

    def _losing(self) -> Generator[simpy.Event, Any, None]:
        while not self._done:
            yield self._env.timeout(float(self._random.exponential(self.cluster.lost_every)))
            number = int(self._random.integers(self.cluster.workers))
            if number in self._busy and self._workers[number].is_alive:
                del self._busy[number]
                self._workers[number].interrupt()

    def _stepping(self, fluid: _Fluid) -> Generator[simpy.Event, Any, None]:
        while not self._done:
            fluid.step(float(self._env.now))
            yield self._env.timeout(_TICK)

    def _retry(self) -> None:
        """What is left at the end: requests that wait, and documents to be asked about again."""
        cluster, outcome, fluid = self.cluster, self.outcome, self._fluid
        outcome.makespan = outcome.first_pass
        if fluid is None:
            return
        now = max(outcome.first_pass, fluid.endpoint.away_from + fluid.endpoint.away_for)
        again = outcome.unanswered
        if not again:
            now = outcome.first_pass
        elif cluster.keep == "per block":
            outcome.read_again = again
            outcome.seconds_lost += again * cluster.seconds
            now += again * cluster.seconds / cluster.workers
        fluid.breaker = Breaker(ChatParams().breaker_threshold, ChatParams().breaker_pause)
        fluid.waiting += again
        while fluid.waiting > 0:
            fluid.step(now)
            now += _TICK
        outcome.makespan = now


def simulate(cluster: Cluster, seed: int = 0) -> Outcome:
    return Run(cluster, seed).run()


@dataclass(frozen=True)
class Trouble:
    """A row of the table."""

    name: str
    cluster: Cluster
    keep: tuple[Keep, ...] = field(default=KEEPING)


def troubles(cluster: Cluster) -> list[Trouble]:
    steady = replace(cluster.endpoint or Endpoint(), away_for=0.0)
    calm = replace(cluster, lost_every=math.inf, straggling=0.0, endpoint=steady)
    return [
        Trouble("nothing goes wrong", calm, KEEPING[:1]),
        Trouble("stragglers", replace(calm, straggling=cluster.straggling), KEEPING[:1]),
        Trouble("a lost worker a minute", replace(calm, lost_every=cluster.lost_every)),
        Trouble("100 lost workers a minute", replace(calm, lost_every=cluster.lost_every / 100)),
        Trouble("the endpoint away for an hour", replace(calm, endpoint=cluster.endpoint)),
        Trouble("all of it", cluster),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=Cluster.documents)
    parser.add_argument("--workers", type=int, default=Cluster.workers)
    parser.add_argument("--block", type=int, default=Cluster.block)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cluster = Cluster(workers=options.workers, documents=options.documents, block=options.block)
    print(
        "| what goes wrong | kept | hours | × ideal | worker-hours lost | documents repeated "
        "| requests paid twice | asked again at the end |\n|---|---|---|---|---|---|---|---|"
    )
    rows = []
    for trouble in troubles(cluster):
        for keep in trouble.keep:
            found = simulate(replace(trouble.cluster, keep=keep), options.seed)
            rows.append({"trouble": trouble.name, "keep": keep, **asdict(found)})
            print(
                f"| {trouble.name} | {keep} | {found.makespan / 3600:.2f} "
                f"| {found.makespan / found.ideal:.3f} | {found.seconds_lost / 3600:,.1f} "
                f"| {found.documents_repeated + found.read_again:,.0f} "
                f"| {found.paid_twice:,.0f} | {found.unanswered:,.0f} |",
                flush=True,
            )
    last = {row["keep"]: row for row in rows[-2:]}
    once, block = last["at once"], last["per block"]
    publish(
        "cluster_simulation",
        {"cluster": asdict(cluster), "seed": options.seed, "rows": rows},
        [
            f"{cluster.documents:,} documents on {cluster.workers:,} workers, all troubles: "
            f"{once['makespan'] / once['ideal']:.2f} × ideal with answers kept at once, "
            f"{block['makespan'] / block['ideal']:.2f} per block",
            f"documents repeated {once['documents_repeated'] + once['read_again']:,.0f} and "
            f"{block['documents_repeated'] + block['read_again']:,.0f}",
        ],
    )


if __name__ == "__main__":
    main()
