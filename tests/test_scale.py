"""What a large run costs, worked out by hand for round numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.scale import Assumptions, Measured, costs, limits, measured, people, table

ROUND = Assumptions(
    documents=3.6e6,
    cores=100,
    core_hour=0.05,
    image_kb=1000,
    store_month=0.02,
    months=2,
    get_million=1.0,
    put_million=0.0,
    requests_a_second=1000,
    network_gbit=8,
    asked=0.5,
    prompt_tokens=900,
    completion_tokens=100,
    prompt_million=1.0,
    completion_million=10.0,
    tokens_a_minute=1e6,
    losses=0.0,
    checked=1.0,
    check_seconds=10,
    person_hour=20,
)
KNOWN = Measured(seconds=0.99, export_ms=10, kept_kb=100, exported_kb=150)


def test_limits_are_what_each_part_needs_by_itself() -> None:
    found = {limit.name: limit.hours for limit in limits(ROUND, KNOWN)}
    assert found == pytest.approx(
        {
            "cores": 3.6e6 / 3600 / 100,
            "endpoint": 1.8e9 / 1e6 / 60,
            "network": 3.6e6 * 8e-3 / 8 / 3600,
            "object reads": 1.0,
        }
    )
    assert limits(ROUND, KNOWN)[0].name == "endpoint"
    assert limits(replace(ROUND, asked=0.0), KNOWN)[0].name == "cores"


def test_costs_are_added_up() -> None:
    assert costs(ROUND, KNOWN) == pytest.approx(
        {
            "cores": 1000 * 0.05,
            "tokens": 1.8e6 * (900 + 1000) / 1e6,
            "storage": 3.6e6 * 1.25e-3 * 0.02 * 2,
            "object requests": 3.6,
        }
    )
    assert people(ROUND) == (10_000, 200_000)


def test_what_was_not_measured_is_said() -> None:
    step = {"median": 400.0}
    profile = {
        "machine": {"cores": 2},
        "figures": {"steps": {"detection": step, "decode": step, "export.xlsx": step}},
    }
    known = measured({"profile": profile})
    assert known.seconds == pytest.approx(1.6)
    assert "seconds" not in known.stand_ins
    assert "kept_kb" in known.stand_ins
    lines = "\n".join(table(ROUND, known))
    assert "| 1.6 | core seconds to read it | measured |" in lines
    assert "kB in the store | stands in |" in lines
