"""The policy to recommend: chosen, certified and reported, each on documents of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ocr_moe.evaluation.advice import Advice
from ocr_moe.evaluation.costs import Unit
from ocr_moe.evaluation.metrics import Interval, wilson
from ocr_moe.evaluation.report.phrases import text
from ocr_moe.evaluation.report.sentences import advice_sentences
from ocr_moe.formats.yamlfile import write_yaml
from ocr_moe.laboratory.bounds import Bound, oracle
from ocr_moe.laboratory.candidates import PolicyBuilder, PolicyCandidate
from ocr_moe.laboratory.certify import Cells, Certificate, certify
from ocr_moe.laboratory.choosing import cheapest_good, honest_trials
from ocr_moe.laboratory.documents import RecordedDocument, unit_of
from ocr_moe.laboratory.splitting import demand, groups_of, split
from ocr_moe.laboratory.trials import Trial, try_out


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
class PolicyLine:
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

    candidate: PolicyCandidate
    target: float
    confidence: float
    unit: Unit
    documents: tuple[int, int, int]
    """For choosing, for the tests, for the report."""
    certificates: tuple[Certificate, ...]
    report: tuple[FieldReport, ...]
    result: PolicyLine
    """The policy on the report's documents."""
    against: tuple[PolicyLine, ...]
    """The configured strategies on the same documents."""
    oracle: Bound
    """The best possible choice of experts for them."""
    tried: tuple[PolicyLine, ...]
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
    def advice(self) -> Advice:
        """What an evaluation tells of it."""
        return Advice(
            name=self.candidate.title,
            target=self.target,
            confidence=self.confidence,
            certified=self.certified,
            uncertified=tuple(c.field for c in self.certificates if not c.passed),
            missing=self.missing,
        )

    @property
    def verdict(self) -> str:
        """The whole in a few sentences."""
        return text(advice_sentences(self.advice), "en")

    def to_yaml(self) -> str:
        """The configuration for `--config`, headed by what is promised and how it was found."""
        chosen, tested, reported = self.documents
        lines = [
            self.verdict,
            f"Chosen among {len(self.tried)} policies on {chosen} documents, certified on {tested} "
            f"others, reported once on the remaining {reported}:",
            *(
                f"- {each.name}: accuracy {each.accuracy:.2%}, "
                f"{each.mean_amount:.6g} {self.unit} a document"
                for each in (self.result, *self.against)
            ),
            *(certificate.sentence for certificate in self.certificates),
        ]
        comment = "".join(f"# {' '.join(line.split())}\n" for line in lines)
        return comment + write_yaml(self.overlay)


def recommend(
    documents: Sequence[RecordedDocument],
    configured: Sequence[PolicyCandidate],
    build: PolicyBuilder,
    *,
    target: float = 0.99,
    confidence: float = 0.9,
    unit: Unit | None = None,
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
    demand(fresh, 3)
    choosing, testing, reporting = _three_parts(fresh, seen, shares, seed)
    choosing = [*choosing, *seen]
    demand(choosing, 1)
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
        result=replace(line_of(final), name="recommended"),
        against=tuple(
            line_of(try_out(candidate, reporting, build, unit)) for candidate in configured
        ),
        oracle=oracle(reporting, unit),
        tried=tuple(line_of(trial) for trial in trials),
        set_aside=len(seen),
        overlay=_overlay(chosen, certificates),
    )


def line_of(trial: Trial) -> PolicyLine:
    return PolicyLine(
        name=trial.candidate.name,
        title=trial.candidate.title,
        accuracy=trial.accuracy,
        mean_amount=trial.mean_amount,
        coverage=trial.coverage,
        routing=trial.routing.quality,
    )


def _report(trial: Trial, name: str, threshold: float | None) -> FieldReport:
    cells = trial.cells(name)
    n, right = len(cells), int(cells.right.sum())
    accepted, wrong = cells.accepted(threshold)
    return FieldReport(name, n, right, wilson(right, n), accepted, wrong)


def _overlay(candidate: PolicyCandidate, certificates: Sequence[Certificate]) -> dict[str, Any]:
    """The candidate with its certified thresholds; a field without one always needs a person.

    Where nothing is certified the thresholds stay as they were, and the title says so.
    """
    combiner = candidate.combiner.model_dump(mode="json")
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
            "recommended": {
                "title": title,
                "gate": candidate.gate.model_dump(mode="json"),
                "combiner": combiner,
            }
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
    demand(parts[1], 1)
    demand(parts[2], 1)
    return parts
