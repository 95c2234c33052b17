"""Spans: what they add up to, what they see of each other, and that nobody pays for unrecorded ones."""

from __future__ import annotations

import pickle
import threading

import pytest

from ocr_moe import tracing
from ocr_moe.tracing import Timing, Trace, recorded, span


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that spans see; tests move it by hand."""
    now = [100.0]
    monkeypatch.setattr(tracing, "perf_counter", lambda: now[0])
    return now


def test_own_times_add_up_to_what_the_outermost_span_took(clock: list[float]) -> None:
    with recorded() as trace, span("page"):
        clock[0] += 1
        for seconds in (2, 3):
            with span("decode"):
                clock[0] += seconds
                with span("seals"):
                    clock[0] += 0.5
    assert trace.timings == {
        "seals": Timing(2, 1.0, 1.0),
        "decode": Timing(2, 6.0, 5.0),
        "page": Timing(1, 7.0, 1.0),
    }
    assert sum(timing.own for timing in trace.timings.values()) == 7.0


def test_a_span_of_its_own_name_within_counts_its_time_once_as_its_own(clock: list[float]) -> None:
    with recorded() as trace, span("a"):
        clock[0] += 1
        with span("a"):
            clock[0] += 2
    assert trace.timings["a"].own == 3.0


def test_what_breaks_is_timed_as_well(clock: list[float]) -> None:
    def broken() -> None:
        with span("decode"):
            clock[0] += 1
            raise ValueError("torn page")

    with recorded() as trace, span("page"):
        with pytest.raises(ValueError, match="torn"):
            broken()
        clock[0] += 1
    assert trace.timings["page"] == Timing(1, 2.0, 1.0)


def test_unrecorded_spans_leave_nothing_and_make_nothing() -> None:
    assert span("a") is span("b")
    with span("a"):
        pass
    with recorded() as trace:
        pass
    assert trace.timings == {}


def test_a_trace_within_a_trace_is_apart() -> None:
    with recorded() as outer, span("a"), recorded() as inner, span("b"):
        pass
    assert (set(outer.timings), set(inner.timings)) == ({"a"}, {"b"})


def test_other_threads_record_nothing_here() -> None:
    def work() -> None:
        with span("elsewhere"):
            pass

    with recorded() as trace:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert trace.timings == {}


def test_traces_of_processes_add_up() -> None:
    first = Trace({"a": Timing(1, 2.0, 1.0)})
    second: Trace = pickle.loads(
        pickle.dumps(Trace({"a": Timing(1, 1.0, 1.0), "b": Timing(3, 3.0, 3.0)}))
    )
    assert (first + second).timings == {"a": Timing(2, 3.0, 2.0), "b": Timing(3, 3.0, 3.0)}
    assert first.timings == {"a": Timing(1, 2.0, 1.0)}
