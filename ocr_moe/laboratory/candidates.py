"""The policies that are tried: the configured ones, the same tuned otherwise, and fitted ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ocr_moe.evaluation.costs import Unit
from ocr_moe.laboratory.documents import (
    RecordedDocument,
    experts_of,
    fields_of,
    mean_cost,
    right_experts,
)
from ocr_moe.laboratory.learning import fit_policy, today, vote_weights
from ocr_moe.protocols import Combiner, Gate
from ocr_moe.routing.calibration import Provenance
from ocr_moe.routing.combiners import Priority, Votes
from ocr_moe.routing.dossiers import DossierParams
from ocr_moe.routing.gates import Fixed, Learned
from ocr_moe.routing.tuning import Tunable
from ocr_moe.settings import Component
from ocr_moe.workshop.registry import kind_of

_RIGHT_CELLS_PER_DOCUMENT = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.0)
"""For learned gates: the right cells that a question to the dearest expert must bring."""


PolicyBuilder = Callable[[Component, Component], tuple[Gate, Combiner]]
"""Makes gate and combiner from their settings, for the experts that have recorded answers."""


@dataclass(frozen=True)
class PolicyCandidate:
    """A policy as configuration."""

    name: str
    title: str
    gate: Component
    combiner: Component
    configured: bool = True
    """Whether it is one of the user's strategies, not one that the laboratory made up."""
    dossiers: DossierParams | None = None
    """How documents of one subject weigh on one another, as in the strategy's settings."""


def tuned(configured: Sequence[PolicyCandidate], build: PolicyBuilder) -> list[PolicyCandidate]:
    """The configured policies with every other setting that their gates say is worth trying."""
    return [
        PolicyCandidate(
            f"{policy.name}@{variant.label}",
            f"{policy.title} ({variant.title})",
            Component(kind=policy.gate.kind, **(policy.gate.params | dict(variant.changes))),
            policy.combiner,
            configured=False,
            dossiers=policy.dossiers,
        )
        for policy in configured
        if (gate := _tunable(policy, build)) is not None
        for variant in gate.variants()
    ]


def fitted(
    documents: Sequence[RecordedDocument],
    configured: Sequence[PolicyCandidate],
    build: PolicyBuilder,
    unit: Unit,
) -> list[PolicyCandidate]:
    """Policies learnt from documents: the best expert per field, votes, gates at several prices.

    Learned gates stand in for the gates that can be tuned: their combiners give the confidences
    that cost is weighed against.
    """
    experts = experts_of(documents)
    separate = sorted({name for c in configured for name in c.gate.params.get("separate", ())})
    found: list[PolicyCandidate] = []
    if len(experts) > 1:
        found.append(_best_per_field(documents, unit, separate))
        found.append(_learned_votes(documents, experts, separate))
    for policy in configured:
        if _tunable(policy, build) is not None:
            found.extend(_learned_gates(documents, policy, build, unit, separate))
    return found


def _tunable(policy: PolicyCandidate, build: PolicyBuilder) -> Tunable | None:
    gate, _ = build(policy.gate, policy.combiner)
    return gate if isinstance(gate, Tunable) else None


def _gate(cls: type, **params: Any) -> Component:
    return Component(kind=kind_of("gates", cls), **params)


def _combiner(cls: type, **params: Any) -> Component:
    return Component(kind=kind_of("combiners", cls), **params)


def _best_per_field(
    documents: Sequence[RecordedDocument], unit: Unit, separate: Sequence[str]
) -> PolicyCandidate:
    experts = experts_of(documents)
    costs = {expert: mean_cost(documents, expert, unit) for expert in experts}
    fields = fields_of(documents)
    hits = {(e, name): _hits(documents, e, name) for e in experts for name in fields}
    plan = {name: [max(experts, key=lambda e: (hits[e, name], -costs[e], e))] for name in fields}
    broadest = max(experts, key=lambda e: (sum(hits[e, name] for name in fields), -costs[e], e))
    return PolicyCandidate(
        "best_per_field",
        "Each field to the expert that was best at it",
        _gate(Fixed, fields=plan, default=[broadest], separate=separate),
        _combiner(Priority),
        configured=False,
    )


def _learned_votes(
    documents: Sequence[RecordedDocument], experts: Sequence[str], separate: Sequence[str]
) -> PolicyCandidate:
    weights = {
        str(kind): {expert: round(g, 3) for expert, g in of_kind.items()}
        for kind, of_kind in vote_weights(documents).items()
    }
    return PolicyCandidate(
        "learned_votes",
        "All experts, aligned votes with learned weights",
        _gate(Fixed, default=list(experts), separate=separate),
        _combiner(Votes, kinds=weights),
        configured=False,
    )


def _learned_gates(
    documents: Sequence[RecordedDocument],
    instead_of: PolicyCandidate,
    build: PolicyBuilder,
    unit: Unit,
    separate: Sequence[str],
) -> list[PolicyCandidate]:
    _, combiner = build(instead_of.gate, instead_of.combiner)
    provenance = Provenance(
        data="the part of the verified documents that policies are chosen on",
        synthetic=False,
        documents=len(documents),
        fitted=today(),
        hashes=tuple(sorted({document.sha256[:8] for document in documents})),
    )
    policy = fit_policy(documents, combiner, unit=unit, provenance=provenance)
    dearest = max(expert.cost for expert in policy.experts.values())
    if dearest <= 0.0:
        return []
    found = []
    for cells in _RIGHT_CELLS_PER_DOCUMENT:
        price = cells / dearest
        settings = policy.model_copy(update={"price": price}).model_dump(
            mode="json", exclude_defaults=True
        )
        found.append(
            PolicyCandidate(
                f"{instead_of.name}/learned@{cells:g}",
                f"Learned gate (the dearest expert must bring {cells:g} right cells a document)",
                _gate(Learned, policy=settings, separate=separate),
                instead_of.combiner,
                configured=False,
                dossiers=instead_of.dossiers,
            )
        )
    return found


def _hits(documents: Sequence[RecordedDocument], expert: str, name: str) -> int:
    return sum(
        name in document.verified and expert in right_experts(document, name)
        for document in documents
    )
