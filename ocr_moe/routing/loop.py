"""The loop: route, ask, combine, until the gate wants nothing more.

There is one. A live run, a resumed one, a replay in other processes and the laboratory all call
`decide`; they differ only in who answers: the expert, the store, or what a store holds in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ocr_moe.errors import DeferredError
from ocr_moe.judgements import Verdict, with_verdicts
from ocr_moe.protocols import Ask, Combiner, Expert, Gate, State
from ocr_moe.routing.dossiers import DossierParams
from ocr_moe.routing.tables import with_rows
from ocr_moe.schema import Schema
from ocr_moe.tracing import span
from ocr_moe.types import LIVE, Answer, Cost, Decision, Origin, Reading

Asking = Callable[[Ask], Answer]
"""Puts a gate's question to whoever answers: one reading per asked field, in the order asked."""


@dataclass(frozen=True)
class Strategy:
    """A named way to get from documents to decisions, built and ready."""

    name: str
    title: str
    gate: Gate
    combiner: Combiner
    experts: Mapping[str, Expert]
    origin: Origin = LIVE
    """Where answers come from when not from a live expert."""
    dossiers: DossierParams | None = None
    """How documents of one subject weigh on one another, after all are decided; None: not at all."""


@dataclass(frozen=True)
class Course:
    """How the routing of one document went, and what it came to."""

    decisions: Mapping[str, Decision]
    """One for every field of the schema."""
    cost: Cost
    """Of the pages' text and of every answer, whoever gave it."""
    exchanges: tuple[tuple[Ask, Answer], ...]
    """Every question with its answer, in the order asked."""
    states: tuple[State, ...]
    """What was known, decisions included, after each round."""

    @property
    def asked(self) -> frozenset[tuple[str, str]]:
        """(expert, field) pairs that were asked."""
        return frozenset((ask.expert, field) for ask, _ in self.exchanges for field in ask.fields)


def decide(
    schema: Schema,
    gate: Gate,
    combiner: Combiner,
    asking: Asking,
    *,
    ocr_seconds: float = 0.0,
    today: str | None = None,
    verdicts: Mapping[str, Verdict] = {},
) -> Course:
    """All decisions for one document, of which the pages' text took `ocr_seconds`.

    `today` is the day of the run, `verdicts` (field → verdict) is what people say of the document;
    their word stands whatever gate and combiner make of it (see `State`).

    An answer's whole cost counts for each question that it answers. Raises what `asking` raises, and
    RuntimeError over a gate that would never end.
    """
    readings: dict[str, dict[str, Reading]] = {name: {} for name in schema.names}
    cost = Cost(seconds=ocr_seconds, ocr_seconds=ocr_seconds)
    decisions: Mapping[str, Decision] = {}
    exchanges: list[tuple[Ask, Answer]] = []
    states: list[State] = []
    while asks := gate.route(State(schema, readings, decisions, today, verdicts)):
        made = {ask for ask, _ in exchanges}
        if made.issuperset(asks):
            raise RuntimeError(f"the gate asks what was answered already: {asks[0]}")
        deferred: DeferredError | None = None
        for ask in asks:
            try:
                answer = asking(ask)
            except DeferredError as error:  # the others of the round need not wait for it
                deferred = error
                continue
            cost += answer.cost
            exchanges.append((ask, answer))
            for reading in answer.readings:
                readings[reading.field][ask.expert] = reading
        if deferred is not None:
            raise deferred
        known = {name: dict(of_field) for name, of_field in readings.items()}
        state = State(schema, known, today=today, verdicts=verdicts)
        decisions = _combined(combiner, state)
        states.append(replace(state, decisions=decisions))
    if not decisions:
        state = State(schema, readings, today=today, verdicts=verdicts)
        decisions = _combined(combiner, state)
    return Course(decisions, cost, tuple(exchanges), tuple(states))


def _combined(combiner: Combiner, state: State) -> Mapping[str, Decision]:
    """The combiner's decisions, over which people's word stands."""
    with span("combine"):
        read = combiner.combine(state)
        decisions = with_verdicts(read, state.verdicts)
        return with_rows(state.schema, read, decisions, state.verdicts)
