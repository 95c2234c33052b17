"""Where the time of a document goes: spans by name, recorded only where somebody asks for them.

    with tracing.recorded() as trace:
        ...                      # somewhere below: `with tracing.span("decode"): ...`
    trace.timings["decode"].own

A span that nobody records costs a look at a context variable (0.5 µs; a span of the OpenTelemetry API
that nobody records costs 12 µs, and its import 60 ms). Spans nest: `own` is what a span took without
those within it, so that the own times of a trace add up to the time that it covers. What a thread
started within a block does belongs to the span that waits for it.

Names in use, from outside in: `document`; `decode`, `text_layer`, `righting`, `watermarks`, `seals`,
`ocr` with `detection` and `recognition` in it; `recognise` (which schema); `expert.<name>`; `combine`;
`store`; and of a whole run `settle` and `export.<name>`. Those of `NETWORKS` are nothing but the
inference of neural networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from time import perf_counter
from typing import NamedTuple

NETWORKS = frozenset({"detection", "recognition"})
"""Spans around nothing but the inference of a neural network."""


class Timing(NamedTuple):
    """What all spans of one name took, in seconds."""

    spans: int = 0
    total: float = 0.0
    own: float = 0.0
    """Without the spans within them."""

    def __add__(self, other: Timing) -> Timing:  # type: ignore[override]
        return Timing(self.spans + other.spans, self.total + other.total, self.own + other.own)


class Trace:
    """The spans of a block, by name, in the order in which the first of each ended. Of one thread;
    can be pickled."""

    def __init__(self, timings: Mapping[str, Timing] | None = None) -> None:
        self.timings: dict[str, Timing] = dict(timings or {})
        self._within: list[float] = []
        """Seconds that the spans within each open span took, outermost first."""

    def __add__(self, other: Trace) -> Trace:
        added = Trace(self.timings)
        for name, timing in other.timings.items():
            added.timings[name] = added.timings.get(name, Timing()) + timing
        return added

    def begin(self) -> None:
        self._within.append(0.0)

    def end(self, name: str, seconds: float) -> None:
        within = self._within.pop()
        if self._within:
            self._within[-1] += seconds
        before = self.timings.get(name, Timing())
        self.timings[name] = before + Timing(1, seconds, seconds - within)


_TRACE: ContextVar[Trace | None] = ContextVar("trace", default=None)
_UNRECORDED: AbstractContextManager[None] = nullcontext()


class _Span:
    __slots__ = ("_name", "_start", "_trace")

    def __init__(self, trace: Trace, name: str) -> None:
        self._trace = trace
        self._name = name

    def __enter__(self) -> None:
        self._trace.begin()
        self._start = perf_counter()

    def __exit__(self, *_: object) -> None:
        self._trace.end(self._name, perf_counter() - self._start)


def span(name: str) -> AbstractContextManager[None]:
    """A stretch of work with a name, timed where a trace is recorded."""
    trace = _TRACE.get()
    return _UNRECORDED if trace is None else _Span(trace, name)


@contextmanager
def recorded() -> Iterator[Trace]:
    """Within, in this thread, spans are recorded; one within another has its spans to itself."""
    trace = Trace()
    token = _TRACE.set(trace)
    try:
        yield trace
    finally:
        _TRACE.reset(token)


def include(trace: Trace) -> None:
    """Add what another process recorded for this block, where it is recorded itself. Its time went by
    beside this one's, so no span here is shorter for it."""
    here = _TRACE.get()
    if here is not None:
        here.timings = (here + trace).timings
