"""A small, fixed share of the damaged files that `benchmarks.fuzz_intake` tries by the thousand."""

from __future__ import annotations

import pytest

from benchmarks.fuzz_intake import CHANGES, fuzz, seeds, tally, undamaged

pytestmark = pytest.mark.slow


def test_damaged_files_are_read_or_refused_by_name() -> None:
    tallies = fuzz(len(seeds()) * len(CHANGES) * 3, seed=11)
    assert tallies.keys() == seeds().keys()
    assert {name: told.escaped for name, told in tallies.items() if told.escaped} == {}
    assert all(told.refused for told in tallies.values())
    assert sum(told.read for told in tallies.values()) > 50


def test_the_undamaged_files_are_read() -> None:
    tallies = tally(undamaged())
    assert {name: told.read for name, told in tallies.items()} == dict.fromkeys(seeds(), 1)
