"""The strategy laboratory: policies replayed over recorded answers, and the one to recommend.

Every policy, configured or made up here, is replayed with the real gates and combiners. The bounds
are those of RouterBench (Hu et al. 2024): the *oracle* takes the cheapest expert that is right, in
hindsight; the *random mix* sends a share of the documents to a dearer expert by lot; the *best
single* asks one expert for everything.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.metrics import Interval, wilson
from ocr_moe.laboratory.certify import Cells, Certificate, certify
from ocr_moe.laboratory.documents import (
    RecordedDocument,
    cost_by_field,
    groups_of,
    split,
)
from ocr_moe.laboratory.fitting import amount, fit_policy, mean_cost, today, vote_weights
from ocr_moe.protocols import Combiner, Gate
from ocr_moe.routing.calibration import Provenance, plain_yaml
from ocr_moe.types import Cost, Decision, Status

Settings = Mapping[str, Any]
"""A component as it stands in a configuration file: `kind` and its parameters."""
Build = Callable[[Settings, Settings], tuple[Gate, Combiner]]
"""Makes gate and combiner from their settings, for the experts that have recorded answers."""

UNITS = ("money", "tokens", "seconds")
_CASCADE_STEPS: tuple[float | None, ...] = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, None)
_RIGHT_CELLS_PER_DOCUMENT = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.0)
"""For learned gates: the right cells that a question to the dearest expert must bring."""


@dataclass(frozen=True)
class Candidate:
    """A policy as configuration."""

    name: str
    title: str
    gate: Settings
    combiner: Settings
    configured: bool = True
    """Whether it is one of the user's strategies, not one that the laboratory made up."""


@dataclass(frozen=True)
class Routing:
    """How well a gate chooses, told from the cells in which some recorded expert was right."""

    winnable: int
    reached: int
    """A right expert was among those asked."""
    won: int
    """The decision was right."""

    @property
    def quality(self) -> float | None:
        """How often the choice was right when one was to be had; None where none was."""
        return self.won / self.winnable if self.winnable else None


@dataclass(frozen=True)
class Trial:
    """A policy over a set of documents; arrays have the shape (documents, fields)."""

    candidate: Candidate
    fields: tuple[str, ...]
    asked: NDArray[np.bool_]
    """Cells whose truth is known."""
    right: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    """NaN where there is none."""
    accepted: NDArray[np.bool_]
    """Accepted, or absent: stands without a person's look."""
    cost: Cost
    """Of all documents together."""
    field_costs: Mapping[str, Cost]
    """What the answers for each field took, page OCR left out."""
    amounts: NDArray[np.float64]
    """Cost of each document in the study's unit."""
    questions: Mapping[str, int]
    """Expert → documents that it was asked about."""
    routing: Routing

    @property
    def accuracy(self) -> float:
        """Mean over fields of right / all."""
        return _macro(self.right, self.asked)

    @property
    def coverage(self) -> float:
        cells = int(self.asked.sum())
        return float((self.accepted & self.asked).sum()) / cells if cells else 0.0

    @property
    def selective_accuracy(self) -> float | None:
        inside = self.accepted & self.asked
        return float((inside & self.right).sum() / inside.sum()) if inside.any() else None

    @property
    def mean_amount(self) -> float:
        return float(self.amounts.mean()) if len(self.amounts) else 0.0

    def cells(self, name: str) -> Cells:
        column = self.fields.index(name)
        known = self.asked[:, column]
        return Cells(self.confidence[known, column], self.right[known, column])


@dataclass(frozen=True)
class Bound:
    """A point that policies are held against."""

    name: str
    accuracy: float
    mean_amount: float


@dataclass(frozen=True)
class Study:
    """Policies over the same documents, with their bounds."""

    unit: str
    documents: int
    trials: tuple[Trial, ...]
    oracle: Bound
    best_single: Bound
    singles: tuple[Bound, ...]
    """Every expert asked for everything."""

    def regret(self, trial: Trial) -> float:
        """Accuracy lost to the oracle."""
        return self.oracle.accuracy - trial.accuracy

    def random_mix(self, mean_amount: float) -> float:
        """Accuracy of the best lottery between single experts at that mean cost."""
        return mixed_accuracy(self.singles, mean_amount)

    def saving(self, trial: Trial) -> float | None:
        """Share of the cost of asking the dearest expert about everything that is saved."""
        dearest = max((single.mean_amount for single in self.singles), default=0.0)
        return 1.0 - trial.mean_amount / dearest if dearest > 0.0 else None

    def pareto(self) -> list[str]:
        """Names of the policies that no other one beats in both accuracy and cost."""
        return [
            trial.candidate.name
            for trial in self.trials
            if not any(
                other.accuracy >= trial.accuracy
                and other.mean_amount <= trial.mean_amount
                and (other.accuracy, -other.mean_amount) != (trial.accuracy, -trial.mean_amount)
                for other in self.trials
            )
        ]


@dataclass(frozen=True)
class FieldReport:
    """The recommended policy on one field of the documents that were kept for this."""

    field: str
    n: int
    right: int
    interval: Interval
    accepted: int
    wrong_accepted: int


@dataclass(frozen=True)
class Summary:
    """A policy in a line of a table."""

    name: str
    title: str
    accuracy: float
    """Mean over fields of right / all."""
    mean_amount: float
    """Cost of a document in the study's unit."""
    coverage: float
    routing: float | None
    """How often the choice was right when an expert was."""


@dataclass(frozen=True)
class Recommendation:
    """The cheapest policy, its certified thresholds, and how it did on untouched documents."""

    candidate: Candidate
    target: float
    confidence: float
    unit: str
    documents: tuple[int, int, int]
    """For choosing, for the tests, for the report."""
    certificates: tuple[Certificate, ...]
    report: tuple[FieldReport, ...]
    result: Summary
    """The policy on the report's documents."""
    against: tuple[Summary, ...]
    """The configured strategies on the same documents."""
    oracle: Bound
    """The best possible choice of experts for them."""
    tried: tuple[Summary, ...]
    """Every policy that was compared, on the documents for choosing."""
    set_aside: int
    """Documents that the calibration had seen, so that they could only help to choose."""
    overlay: Mapping[str, Any]
    """Configuration with the strategy `recommended`."""

    @property
    def certified(self) -> tuple[str, ...]:
        return tuple(c.field for c in self.certificates if c.passed)

    @property
    def accuracy(self) -> float:
        """Macro accuracy of the policy on the report's documents."""
        return self.result.accuracy

    @property
    def mean_amount(self) -> float:
        """Its mean cost of a document there."""
        return self.result.mean_amount

    @property
    def missing(self) -> int:
        """About how many more verified documents would certify every field that can be."""
        return max((c.missing for c in self.certificates), default=0)

    @property
    def verdict(self) -> str:
        """The whole in a few sentences."""
        goal = f"{self.target:.1%} accuracy at {self.confidence:.0%} confidence"
        title = self.candidate.title
        advice = f" Verify about {self.missing} more documents." if self.missing else ""
        if len(self.certified) == len(self.certificates):
            return f"{title}: every field is certified for {goal}."
        if not self.certified:
            return f"{title}: no field can be certified for {goal} yet.{advice}"
        return (
            f"{title}: {', '.join(self.certified)} certified for {goal}; "
            f"check {', '.join(self._uncertified)} by hand.{advice}"
        )

    @property
    def _uncertified(self) -> tuple[str, ...]:
        return tuple(c.field for c in self.certificates if not c.passed)

    def to_yaml(self) -> str:
        """The configuration for `--config`, headed by what is promised and how it was found."""
        chosen, tested, reported = self.documents
        lines = [
            self.verdict,
            f"Chosen among {len(self.tried)} policies on {chosen} documents, certified on {tested} "
            f"others, reported once on the remaining {reported}:",
            *(
                f"  {each.name}: accuracy {each.accuracy:.2%}, "
                f"{each.mean_amount:.6g} {self.unit} a document"
                for each in (self.result, *self.against)
            ),
            *(certificate.sentence for certificate in self.certificates),
        ]
        comment = "".join(f"# {' '.join(line.split())}\n" for line in lines)
        return comment + "\n" + plain_yaml(self.overlay)


def unit_of(documents: Sequence[RecordedDocument]) -> str:
    """Money where prices are configured, else tokens where there are any, else time."""
    total = Cost()
    for document in documents:
        for _, _, answer in document.answers:
            total += answer.cost
    return next((unit for unit in UNITS if amount(total, unit) > 0.0), "seconds")


def try_out(
    candidate: Candidate,
    documents: Sequence[RecordedDocument],
    build: Build,
    unit: str,
    fields: tuple[str, ...] | None = None,
) -> Trial:
    """Replay one policy. `fields`: the columns of the result, by default the verified ones."""
    gate, combiner = build(candidate.gate, candidate.combiner)
    fields = fields_of(documents) if fields is None else fields
    shape = (len(documents), len(fields))
    asked, right = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    accepted = np.zeros(shape, dtype=bool)
    confidence = np.full(shape, np.nan)
    amounts = np.zeros(len(documents))
    total, questions = Cost(), Counter[str]()
    bills: list[tuple[tuple[str, ...], Cost]] = []
    winnable = reached = won = 0
    for i, document in enumerate(documents):
        result = document.replay(gate, combiner)
        total += result.cost
        bills += [(ask.fields, answer.cost) for ask, answer in result.exchanges]
        amounts[i] = amount(result.cost, unit)
        questions.update({expert for expert, _ in result.asked})
        for j, name in enumerate(fields):
            if name not in document.verified:
                continue
            decision = result.decisions[name]
            asked[i, j] = True
            right[i, j] = is_right(document, name, decision)
            accepted[i, j] = decision.status in (Status.ACCEPTED, Status.ABSENT)
            if decision.confidence is not None:
                confidence[i, j] = decision.confidence
            able = right_experts(document, name)
            if able:
                winnable += 1
                won += bool(right[i, j])
                reached += any((expert, name) in result.asked for expert in able)
    return Trial(
        candidate,
        fields,
        asked,
        right,
        confidence,
        accepted,
        total,
        cost_by_field(bills),
        amounts,
        dict(sorted(questions.items())),
        Routing(winnable, reached, won),
    )


def study(
    documents: Sequence[RecordedDocument],
    candidates: Sequence[Candidate],
    build: Build,
    unit: str | None = None,
) -> Study:
    """All candidates over all documents. Raises TruthError without documents."""
    _demand(documents, 1)
    unit = unit or unit_of(documents)
    singles = tuple(_single(documents, expert, unit) for expert in experts_of(documents))
    return Study(
        unit=unit,
        documents=len(documents),
        trials=tuple(try_out(candidate, documents, build, unit) for candidate in candidates),
        oracle=oracle(documents, unit),
        best_single=max(singles, key=lambda bound: (bound.accuracy, -bound.mean_amount)),
        singles=singles,
    )


def oracle(documents: Sequence[RecordedDocument], unit: str) -> Bound:
    """The cheapest right expert for every cell, in hindsight; where none is right, nobody is asked
    beyond the cheapest."""
    fields = fields_of(documents)
    costs = {expert: mean_cost(documents, expert, unit) for expert in experts_of(documents)}
    cheapest = min(costs, key=lambda expert: (costs[expert], expert))
    asked = np.zeros((len(documents), len(fields)), dtype=bool)
    right = asked.copy()
    amounts = []
    for i, document in enumerate(documents):
        needed = {cheapest}
        for j, name in enumerate(fields):
            if name not in document.verified:
                continue
            asked[i, j] = True
            able = right_experts(document, name)
            right[i, j] = bool(able)
            if able and not needed & able:
                needed.add(min(able, key=lambda expert: (costs[expert], expert)))
        amounts.append(
            amount(Cost(seconds=document.ocr_seconds), unit)
            + sum(amount(answer.cost, unit) for e, _, answer in document.answers if e in needed)
        )
    return Bound("oracle", _macro(right, asked), float(np.mean(amounts)))


def mixed_accuracy(singles: Sequence[Bound], mean_amount: float) -> float:
    """Accuracy of the best lottery between single experts that costs `mean_amount` on average.

    The upper hull of the points (cost, accuracy), which never falls as money is added.
    """
    best = max(
        (s.accuracy for s in singles if s.mean_amount <= mean_amount),
        default=min(singles, key=lambda s: s.mean_amount).accuracy,
    )
    for cheap in singles:
        for dear in singles:
            if cheap.mean_amount <= mean_amount < dear.mean_amount:
                share = (mean_amount - cheap.mean_amount) / (dear.mean_amount - cheap.mean_amount)
                best = max(best, (1.0 - share) * cheap.accuracy + share * dear.accuracy)
    return best


def recommend(
    documents: Sequence[RecordedDocument],
    configured: Sequence[Candidate],
    build: Build,
    *,
    target: float = 0.99,
    confidence: float = 0.9,
    unit: str | None = None,
    fitted_on: Sequence[str] = (),
    shares: tuple[float, float, float] = (0.3, 0.5, 0.2),
    seed: int = 0,
) -> Recommendation:
    """Choose a policy on one part of the documents, certify it on another, report on the rest.

    `fitted_on` are the hash beginnings of the documents behind the calibration in use; they help to
    choose and are kept out of the test and the report. Raises TruthError when a part stays empty.
    """
    unit = unit or unit_of(documents)
    starts = tuple(fitted_on)
    seen = [d for d in documents if starts and d.sha256.startswith(starts)]
    fresh = [d for d in documents if not (starts and d.sha256.startswith(starts))]
    _demand(fresh, 3)
    choosing, testing, reporting = _three_parts(fresh, seen, shares, seed)
    choosing = [*choosing, *seen]
    _demand(choosing, 1)
    trials = honest_trials(choosing, configured, build, unit)
    chosen = cheapest_good(trials, target)
    tuning = next(trial for trial in trials if trial.candidate is chosen)
    tested = try_out(chosen, testing, build, unit)
    names = [name for name in tested.fields if tested.cells(name).right.size]
    certificates = tuple(
        certify(
            name,
            tuning.cells(name) if name in tuning.fields else Cells(np.zeros(0), np.zeros(0, bool)),
            tested.cells(name),
            target=target,
            confidence=confidence,
            share=len(testing) / len(documents),
        )
        for name in names
    )
    final = try_out(chosen, reporting, build, unit)
    thresholds = {c.field: c.threshold for c in certificates}
    return Recommendation(
        candidate=chosen,
        target=target,
        confidence=confidence,
        unit=unit,
        documents=(len(choosing), len(testing), len(reporting)),
        certificates=certificates,
        report=tuple(_report(final, name, thresholds.get(name)) for name in final.fields),
        result=replace(summary_of(final), name="recommended"),
        against=tuple(
            summary_of(try_out(candidate, reporting, build, unit)) for candidate in configured
        ),
        oracle=oracle(reporting, unit),
        tried=tuple(summary_of(trial) for trial in trials),
        set_aside=len(seen),
        overlay=_overlay(chosen, certificates),
    )


def summary_of(trial: Trial) -> Summary:
    return Summary(
        name=trial.candidate.name,
        title=trial.candidate.title,
        accuracy=trial.accuracy,
        mean_amount=trial.mean_amount,
        coverage=trial.coverage,
        routing=trial.routing.quality,
    )


def cheapest_good(trials: Sequence[Trial], target: float) -> Candidate:
    """The cheapest policy that is as good as the best one, as far as the documents can tell.

    As good: its accuracy, and then the share of cells that it could accept at the target, is at
    most two standard errors of the paired difference below the best.
    """
    accurate = _nearly_best(trials, lambda trial: _mean_of_rows(trial.right, trial.asked))
    good = _nearly_best(accurate, lambda trial: _acceptable(trial, target))
    chosen = min(
        good, key=lambda t: (round(t.mean_amount, 9), -t.accuracy, not t.candidate.configured)
    )
    return chosen.candidate


def honest_trials(
    documents: Sequence[RecordedDocument],
    configured: Sequence[Candidate],
    build: Build,
    unit: str,
) -> list[Trial]:
    """The configured policies, cascades with other thresholds, and policies fitted here.

    A fitted policy is tried on each half of the documents as the other half fits it, and stands for
    the one that all of them fit.
    """
    halves = split(documents, (0.5, 0.5))
    ordered = [*halves[0], *halves[1]]
    fields = fields_of(documents)
    plain = [*configured, *cascades(configured)]
    trials = [try_out(candidate, ordered, build, unit, fields) for candidate in plain]
    if not halves[0] or not halves[1]:
        return trials
    first, second = ({c.name: c for c in fitted(half, configured, build, unit)} for half in halves)
    for candidate in fitted(documents, configured, build, unit):
        if candidate.name in first and candidate.name in second:
            parts = (
                try_out(second[candidate.name], halves[0], build, unit, fields),
                try_out(first[candidate.name], halves[1], build, unit, fields),
            )
            trials.append(_joined(candidate, *parts))
    return trials


def cascades(configured: Sequence[Candidate]) -> list[Candidate]:
    """The configured cascades with other thresholds for asking the next expert."""
    found = []
    for cascade in configured:
        if cascade.gate.get("kind") != "cascade":
            continue
        for step in _CASCADE_STEPS:
            label = "always" if step is None else "never" if step == 0.0 else f"{step:g}"
            asks = "asks the next expert"
            asks = f"{asks} below a confidence of {label}" if step else f"{label} {asks}"
            found.append(
                Candidate(
                    f"{cascade.name}@{label}",
                    f"{cascade.title} ({asks})",
                    {**cascade.gate, "ask_below": {"default": step}},
                    cascade.combiner,
                    configured=False,
                )
            )
    return found


def fitted(
    documents: Sequence[RecordedDocument],
    configured: Sequence[Candidate],
    build: Build,
    unit: str,
) -> list[Candidate]:
    """Policies learnt from documents: the best expert per field, votes, gates at several prices."""
    experts = experts_of(documents)
    separate = sorted({name for c in configured for name in c.gate.get("separate", ())})
    found: list[Candidate] = []
    if len(experts) > 1:
        found.append(_best_per_field(documents, unit, separate))
        found.append(_learned_votes(documents, experts, separate))
    for candidate in configured:
        if candidate.gate.get("kind") == "cascade":
            found.extend(_learned_gates(documents, candidate, build, unit, separate))
    return found


def _joined(candidate: Candidate, a: Trial, b: Trial) -> Trial:
    """Two trials over different documents as one."""
    return Trial(
        candidate=candidate,
        fields=a.fields,
        asked=np.concatenate([a.asked, b.asked]),
        right=np.concatenate([a.right, b.right]),
        confidence=np.concatenate([a.confidence, b.confidence]),
        accepted=np.concatenate([a.accepted, b.accepted]),
        cost=a.cost + b.cost,
        field_costs={
            name: a.field_costs.get(name, Cost()) + b.field_costs.get(name, Cost())
            for name in dict.fromkeys((*a.field_costs, *b.field_costs))
        },
        amounts=np.concatenate([a.amounts, b.amounts]),
        questions=dict(sorted((Counter(a.questions) + Counter(b.questions)).items())),
        routing=Routing(
            a.routing.winnable + b.routing.winnable,
            a.routing.reached + b.routing.reached,
            a.routing.won + b.routing.won,
        ),
    )


def _best_per_field(
    documents: Sequence[RecordedDocument], unit: str, separate: Sequence[str]
) -> Candidate:
    experts = experts_of(documents)
    costs = {expert: mean_cost(documents, expert, unit) for expert in experts}
    fields = fields_of(documents)
    hits = {(e, name): _hits(documents, e, name) for e in experts for name in fields}
    plan = {name: [max(experts, key=lambda e: (hits[e, name], -costs[e], e))] for name in fields}
    broadest = max(experts, key=lambda e: (sum(hits[e, name] for name in fields), -costs[e], e))
    return Candidate(
        "best_per_field",
        "Each field to the expert that was best at it",
        {"kind": "fixed", "fields": plan, "default": [broadest], "separate": separate},
        {"kind": "priority"},
        configured=False,
    )


def _learned_votes(
    documents: Sequence[RecordedDocument], experts: Sequence[str], separate: Sequence[str]
) -> Candidate:
    weights = {
        str(kind): {expert: round(g, 3) for expert, g in of_kind.items()}
        for kind, of_kind in vote_weights(documents).items()
    }
    return Candidate(
        "learned_votes",
        "All experts, aligned votes with learned weights",
        {"kind": "fixed", "default": list(experts), "separate": separate},
        {"kind": "votes", "kinds": weights},
        configured=False,
    )


def _learned_gates(
    documents: Sequence[RecordedDocument],
    cascade: Candidate,
    build: Build,
    unit: str,
    separate: Sequence[str],
) -> list[Candidate]:
    _, combiner = build(cascade.gate, cascade.combiner)
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
            Candidate(
                f"{cascade.name}/learned@{cells:g}",
                f"Learned gate (the dearest expert must bring {cells:g} right cells a document)",
                {"kind": "learned", "policy": settings, "separate": separate},
                cascade.combiner,
                configured=False,
            )
        )
    return found


def fields_of(documents: Sequence[RecordedDocument]) -> tuple[str, ...]:
    """Names of the verified fields, in the order of the schemas."""
    names: dict[str, None] = {}
    for document in documents:
        for name in document.schema.names:
            if name in document.verified:
                names.setdefault(name)
    return tuple(names)


def experts_of(documents: Sequence[RecordedDocument]) -> tuple[str, ...]:
    return tuple(sorted(frozenset().union(*(document.experts for document in documents))))


def is_right(document: RecordedDocument, name: str, decision: Decision) -> bool:
    """Failures count as wrong, even where the truth says absent."""
    return decision.status is not Status.FAILED and document.right(name, decision.value)


def right_experts(document: RecordedDocument, name: str) -> set[str]:
    """The experts whose reading of a verified field is right."""
    return {
        expert
        for expert in document.experts
        if (reading := document.reading(expert, name)) is not None
        and reading.error is None
        and document.right(name, reading.value)
    }


def _single(documents: Sequence[RecordedDocument], expert: str, unit: str) -> Bound:
    fields = fields_of(documents)
    asked = np.array([[name in d.verified for name in fields] for d in documents])
    right = np.array(
        [
            [name in d.verified and expert in right_experts(d, name) for name in fields]
            for d in documents
        ]
    )
    amounts = [
        amount(Cost(seconds=d.ocr_seconds), unit)
        + sum(amount(a.cost, unit) for e, _, a in d.answers if e == expert)
        for d in documents
    ]
    return Bound(expert, _macro(right, asked), float(np.mean(amounts)))


def _hits(documents: Sequence[RecordedDocument], expert: str, name: str) -> int:
    return sum(
        name in document.verified and expert in right_experts(document, name)
        for document in documents
    )


def _macro(right: NDArray[np.bool_], asked: NDArray[np.bool_]) -> float:
    counts = asked.sum(axis=0)
    known = counts > 0
    if not known.any():
        return 0.0
    return float(((right & asked).sum(axis=0)[known] / counts[known]).mean())


def _mean_of_rows(hit: NDArray[np.bool_], asked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Per document the share of its verified cells that are hit."""
    counts = asked.sum(axis=1)
    result: NDArray[np.float64] = (hit & asked).sum(axis=1) / np.maximum(counts, 1)
    return result


def _acceptable(trial: Trial, target: float) -> NDArray[np.float64]:
    """Per document the share of cells that could be accepted with the target met in every field."""
    inside = np.zeros_like(trial.asked)
    for j, name in enumerate(trial.fields):
        cells = trial.cells(name)
        known = ~np.isnan(cells.confidence)
        for level in np.unique(cells.confidence[known]):
            accepted, wrong = cells.accepted(float(level))
            if wrong <= (1.0 - target) * accepted:
                inside[:, j] = trial.asked[:, j] & (trial.confidence[:, j] >= level)
                break
    return _mean_of_rows(inside, trial.asked)


def _nearly_best(
    trials: Sequence[Trial], measure: Callable[[Trial], NDArray[np.float64]]
) -> list[Trial]:
    scores = [measure(trial) for trial in trials]
    means = [float(of.mean()) for of in scores]
    best = max(range(len(trials)), key=lambda i: (means[i], -trials[i].mean_amount))
    good = []
    for trial, of in zip(trials, scores, strict=True):
        away = scores[best] - of
        error = float(away.std(ddof=1)) / math.sqrt(len(away)) if len(away) > 1 else 0.0
        if float(away.mean()) <= 2.0 * error + 1e-12:
            good.append(trial)
    return good


def _report(trial: Trial, name: str, threshold: float | None) -> FieldReport:
    cells = trial.cells(name)
    n, right = len(cells), int(cells.right.sum())
    accepted, wrong = cells.accepted(threshold)
    return FieldReport(name, n, right, wilson(right, n), accepted, wrong)


def _overlay(candidate: Candidate, certificates: Sequence[Certificate]) -> dict[str, Any]:
    """The candidate with its certified thresholds; a field without one always needs a person.

    Where nothing is certified the thresholds stay as they were, and the title says so.
    """
    combiner = dict(candidate.combiner)
    title = candidate.title
    if any(c.passed for c in certificates):
        accept = dict(combiner.get("accept", {}))
        accept["fields"] = {
            **accept.get("fields", {}),
            **{c.field: c.threshold for c in certificates},
        }
        combiner["accept"] = accept
    else:
        title += " (not certified)"
    return {
        "strategy": "recommended",
        "strategies": {
            "recommended": {"title": title, "gate": dict(candidate.gate), "combiner": combiner}
        },
    }


def _three_parts(
    fresh: Sequence[RecordedDocument],
    seen: Sequence[RecordedDocument],
    shares: tuple[float, float, float],
    seed: int,
) -> list[list[RecordedDocument]]:
    """Documents that share a subject with what the calibration has seen go to the first part."""
    labels = groups_of([*seen, *fresh])
    known = set(labels[: len(seen)])
    related = [d for d, label in zip(fresh, labels[len(seen) :], strict=True) if label in known]
    unrelated = [d for d in fresh if not any(d is other for other in related)]
    parts = split(unrelated, shares, seed)
    parts[0].extend(related)
    _demand(parts[1], 1)
    _demand(parts[2], 1)
    return parts


def _demand(documents: Sequence[RecordedDocument], n: int) -> None:
    if not any(document.answers for document in documents):
        raise TruthError("no expert's answer about a verified document is recorded")
    if len(documents) < n:
        raise TruthError(
            f"{len(documents)} verified document(s) with recorded answers are too few: "
            "a policy is chosen on one part of them, tested on another and reported on the rest"
        )
