"""A fixed share of the ways in which endpoints fail that `benchmarks.fuzz_endpoints` tries."""

from __future__ import annotations

import pytest

from benchmarks.fuzz_endpoints import Mode, modes, run

pytestmark = pytest.mark.slow

CHOSEN = {
    "statuses: 503",
    "redirects: 307 to another host",
    "bodies: a deep list as application/json",
    "sockets: headers byte by byte",
    "lists of models: a web page",
    "lists of models: a lone surrogate",
    "secrets: in a value: its first half",
    "secrets: in tokens",
}
"""One of each kind that needs a batch or `doctor`; the others are tried on the transport itself."""


def _name(mode: Mode) -> str:
    return f"{mode.kind}: {mode.name}"


def test_there_are_many_ways_and_each_is_one() -> None:
    names = [_name(mode) for mode in modes()]
    assert len(names) == len(set(names)) >= 120
    assert set(names) >= CHOSEN


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CHOSEN))
def test_a_batch_and_doctor_survive(name: str) -> None:
    [mode] = [mode for mode in modes() if _name(mode) == name]
    verdicts = list(run([mode]))
    assert [verdict.command for verdict in verdicts] == ["extract", "doctor"]
    assert [verdict.problem for verdict in verdicts] == ["", ""]
