"""What routing learns from verified documents: the weights of votes, and learned gates."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from ocr_moe.evaluation.costs import Unit
from ocr_moe.laboratory.documents import RecordedDocument, experts_of, mean_cost
from ocr_moe.laboratory.logistic import JudgedValue, fitted
from ocr_moe.laboratory.splitting import groups_of
from ocr_moe.protocols import Combiner, State
from ocr_moe.routing.calibration import Logistic, Policy, PolicyExpert, Provenance
from ocr_moe.routing.features import state_features
from ocr_moe.schema import Kind


def vote_weights(documents: Sequence[RecordedDocument]) -> dict[Kind, dict[str, float]]:
    """g of y = Σ g·f: the log-odds of each expert's accuracy per kind of field.

    Log-odds weights are the best ones for independent voters (Nitzan and Paroush 1982). An expert
    that is wrong more often than right keeps a small weight, so that a vote always has a winner.
    """
    counts: dict[Kind, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for document in documents:
        for field in document.schema.fields:
            if field.name not in document.verified:
                continue
            for expert in document.experts:
                reading = document.reading(expert, field.name)
                if reading is not None and reading.value is not None and reading.error is None:
                    count = counts[field.kind][expert]
                    count[0] += document.right(field.name, reading.value)
                    count[1] += 1
    return {
        kind: {
            expert: max(0.05, math.log((right + 0.5) / (n - right + 0.5)))
            for expert, (right, n) in sorted(experts.items())
        }
        for kind, experts in sorted(counts.items())
    }


def fit_policy(
    documents: Sequence[RecordedDocument],
    combiner: Combiner,
    *,
    unit: Unit,
    price: float = 0.0,
    provenance: Provenance | None = None,
) -> Policy:
    """A learned gate: each expert's chance to be right, given what could be known when it is asked.

    The states are the ones that a gate passes: nothing read yet, then the experts in the order of
    their cost, each time without the one in question, and at last all the others.
    """
    groups = groups_of(documents)
    names = experts_of(documents)
    costs = {name: mean_cost(documents, name, unit) for name in names}
    order = sorted(names, key=lambda name: (costs[name], name))
    experts = {}
    for name in names:
        others = [other for other in order if other != name]
        rows: dict[Kind, list[JudgedValue]] = defaultdict(list)
        for document, group in zip(documents, groups, strict=True):
            for known in range(len(others) + 1):
                state = _state_of(document, others[:known], combiner)
                for field in document.schema.fields:
                    reading = document.reading(name, field.name)
                    if reading is None or field.name not in document.verified:
                        continue
                    right = reading.error is None and document.right(field.name, reading.value)
                    features = state_features(
                        field, state.readings.get(field.name, {}), state.decisions
                    )
                    rows[field.kind].append(JudgedValue(features, right, group))
        experts[name] = PolicyExpert(
            cost=costs[name],
            chance={str(kind): fitted(of, _base_rate(of)) for kind, of in sorted(rows.items())},
        )
    return Policy(provenance=provenance, unit=unit, price=price, experts=experts)


def _state_of(document: RecordedDocument, experts: Sequence[str], combiner: Combiner) -> State:
    readings = {
        field: {
            expert: reading
            for expert in experts
            if (reading := document.reading(expert, field)) is not None
        }
        for field in document.schema.names
    }
    if not experts:
        return State(document.schema, readings, today=document.today)
    state = State(document.schema, readings, today=document.today)
    return State(document.schema, readings, combiner.combine(state), document.today)


def _base_rate(rows: Sequence[JudgedValue]) -> Logistic:
    right = sum(row.right for row in rows)
    return Logistic(bias=math.log((right + 0.5) / (len(rows) - right + 0.5)))


def today() -> str:
    """The date that a fit carries in its provenance, as ISO 8601."""
    return datetime.now(UTC).date().isoformat()
