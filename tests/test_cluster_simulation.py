"""The simulator against what can be worked out with a pencil."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cluster_simulation import Cluster, Endpoint, Keep, Outcome, simulate

PLAIN = Cluster(
    workers=20,
    documents=20 * 50 * 40,
    block=50,
    seconds=1.0,
    variation=0.0,
    straggling=0.0,
    lost_every=math.inf,
    endpoint=None,
)
"""Forty blocks of 50 s a worker, all alike, and nothing goes wrong."""


def mean(cluster: Cluster, figure: str, seeds: int = 10) -> float:
    return float(np.mean([getattr(simulate(cluster, seed), figure) for seed in range(seeds)]))


def test_equal_blocks_end_together() -> None:
    found = simulate(PLAIN)
    assert found.makespan == found.ideal == 2000.0
    assert simulate(replace(PLAIN, documents=PLAIN.documents + 1)).makespan == 2001.0


def test_one_worker_does_the_sum_of_what_was_drawn() -> None:
    found = simulate(replace(PLAIN, workers=1, documents=5000, variation=0.5, straggling=0.01))
    assert found.makespan == pytest.approx(found.ideal)
    # 5000 documents of 1 s, and a hundredth of them 60 s on top
    assert found.ideal == pytest.approx(5000 + 5000 * 0.01 * 60, rel=0.15)


def test_greedy_workers_end_within_a_block_of_the_ideal() -> None:
    """Graham's bound for list scheduling: no later than the mean load and the longest block."""
    cluster = replace(PLAIN, variation=1.0, documents=PLAIN.documents // 4)
    for seed in range(5):
        found = simulate(cluster, seed)
        longest = 50 * 1.0 + 8 * math.sqrt(50)  # eight standard deviations
        assert found.ideal <= found.makespan <= found.ideal + longest


@pytest.mark.parametrize(
    ("keep", "lost", "repeated"), [("at once", 0.5, 1.0), ("per block", 25.0, 25.5)]
)
def test_a_lost_worker_loses_half_of_what_is_not_kept(
    keep: Keep, lost: float, repeated: float
) -> None:
    """Losses are Poisson, so that they find a unit (a document, a block) at any age alike: half of it is
    gone in the mean, and of a block of 50 the 25 or so that were begun."""
    cluster = replace(PLAIN, lost_every=20.0, replaced_after=0.0, keep=keep)
    outcomes = [simulate(cluster, seed) for seed in range(20)]
    losses = sum(each.workers_lost for each in outcomes)
    assert losses == pytest.approx(20 * 2000 / 20, rel=0.1)
    assert sum(each.seconds_lost for each in outcomes) / losses == pytest.approx(lost, rel=0.1)
    found = sum(each.documents_repeated for each in outcomes) / losses
    assert found == pytest.approx(repeated, rel=0.1)


def test_what_is_lost_and_the_places_left_empty_make_the_run_longer() -> None:
    cluster = replace(PLAIN, lost_every=20.0, replaced_after=60.0, keep="per block")
    found = simulate(cluster, 3)
    busy = PLAIN.documents * 1.0 + found.seconds_lost + 60.0 * found.workers_lost
    assert busy / 20 - 60 <= found.makespan <= busy / 20 + 2 * 50 + 60


def test_an_endpoint_bounds_the_run_at_its_rate() -> None:
    """20 workers could ask 20 a second; the endpoint answers 5 of 2 s at a time: 2.5 a second."""
    endpoint = Endpoint(share=1.0, latency=2.0, at_a_time=5, away_for=0.0)
    found = simulate(replace(PLAIN, documents=5000, block=5, endpoint=endpoint))
    assert found.requests == pytest.approx(5000)
    assert found.unanswered == 0
    assert 5000 / 2.5 <= found.makespan <= 1.15 * 5000 / 2.5
    assert found.refused < 0.05 * 5000 + 50


def test_an_endpoint_that_is_away_costs_no_answer() -> None:
    endpoint = Endpoint(share=0.1, latency=2.0, at_a_time=100, away_from=300.0, away_for=600.0)
    cluster = replace(PLAIN, endpoint=endpoint)
    once = simulate(replace(cluster, keep="at once"))
    block = simulate(replace(cluster, keep="per block"))
    asked = PLAIN.documents * 0.1
    for found in (once, block):
        # all that was asked while it was away, and until the breaker tried again
        until = 600 + found.back_after
        assert found.unanswered == pytest.approx(20 * 0.1 * until, rel=0.2)
        assert 0 <= found.back_after <= 600
        assert found.requests == pytest.approx(asked, rel=1e-6)
    assert (once.read_again, once.seconds_lost) == (0, 0)
    assert block.read_again == block.unanswered


def test_equal_seeds_give_equal_runs() -> None:
    cluster = replace(PLAIN, variation=0.5, lost_every=10.0, endpoint=Endpoint())
    runs: list[Outcome] = [simulate(cluster, seed) for seed in (5, 5, 6)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_more_losses_repeat_more_but_hardly_where_answers_are_kept() -> None:
    often = replace(PLAIN, lost_every=5.0, replaced_after=30.0)
    repeated = {
        keep: mean(replace(often, keep=keep), "documents_repeated")
        for keep in ("at once", "per block")
    }
    assert 15 * repeated["at once"] < repeated["per block"]
