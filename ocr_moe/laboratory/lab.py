"""The strategy laboratory over a run: recorded answers meet the verified sheets.

Nothing here asks an expert anything; every policy is replayed over what the store holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ocr_moe.errors import ConfigError, TruthError
from ocr_moe.evaluation.scores import PolicyPoint
from ocr_moe.evaluation.scores import Recommendation as Words
from ocr_moe.evaluation.truth.matching import match
from ocr_moe.evaluation.truth.sheet import Truth, TruthCell
from ocr_moe.laboratory.documents import Judge, RecordedDocument
from ocr_moe.laboratory.fitting import Build as Fit
from ocr_moe.laboratory.fitting import CalibrationResult, calibrate, today
from ocr_moe.laboratory.policies import (
    Candidate,
    Recommendation,
    Settings,
    Study,
    Trial,
    recommend,
    study,
    try_out,
    unit_of,
)
from ocr_moe.protocols import Combiner, Gate
from ocr_moe.routing.calibration import Calibration, Provenance
from ocr_moe.schema import Field
from ocr_moe.settings import Component
from ocr_moe.store.database import Store
from ocr_moe.subjects import FileNameRule
from ocr_moe.types import DocumentRef
from ocr_moe.values.normalize import equal
from ocr_moe.workshop.build import Workshop, fingerprint_of
from ocr_moe.workshop.config import Config


@dataclass(frozen=True)
class Laboratory:
    """Recorded documents, and the workshop that builds policies over them."""

    documents: tuple[RecordedDocument, ...]
    workshop: Workshop

    @property
    def experts(self) -> frozenset[str]:
        return frozenset(expert for document in self.documents for expert in document.experts)

    def build(
        self, gate: Settings, combiner: Settings, calibration: Calibration | None = None
    ) -> tuple[Gate, Combiner]:
        """A policy for the experts that have recorded answers. Raises ConfigError."""
        return self.workshop.policy(
            Component.model_validate(gate),
            Component.model_validate(combiner),
            self.experts,
            calibration=calibration,
        )

    def candidates(self) -> list[Candidate]:
        """The configured strategies whose required experts all have recorded answers."""
        found = []
        for name, settings in self.workshop.config.strategies.items():
            if self.workshop.required_experts(name) <= self.experts:
                found.append(
                    Candidate(
                        name=name,
                        title=settings.title or name,
                        gate=settings.gate.model_dump(mode="json"),
                        combiner=settings.combiner.model_dump(mode="json"),
                    )
                )
        return found

    def study(self) -> Study:
        """All configured strategies with the oracle and the single experts as bounds."""
        return study(self.documents, self.candidates(), self.build)

    def try_out(self, candidate: Candidate) -> Trial:
        """One policy over all documents, as the study has the others."""
        return try_out(candidate, self.documents, self.build, unit_of(self.documents))

    def recommend(self, target: float, confidence: float) -> Recommendation:
        """The cheapest policy, with thresholds certified for the target. Raises TruthError."""
        return recommend(
            self.documents,
            self.candidates(),
            self.build,
            target=target,
            confidence=confidence,
            fitted_on=self.workshop.fitted_on(),
        )

    def calibrate(self, data: str, *, synthetic: bool) -> CalibrationResult:
        """Fit confidences; their quality is told for the default strategy. Raises TruthError."""

        def fit_of(candidate: Candidate) -> Callable[[Calibration], tuple[Gate, Combiner]]:
            return lambda calibration: self.build(candidate.gate, candidate.combiner, calibration)

        fits: dict[str, Fit] = {c.name: fit_of(c) for c in self.candidates()}
        judged = self.workshop.config.strategy
        if judged not in fits:
            raise ConfigError(f"the run has no answers for the strategy {judged}")
        provenance = Provenance(data=data, synthetic=synthetic, documents=0, fitted=today())
        return calibrate(self.documents, fits, judged=judged, provenance=provenance)


def open_laboratory(
    store: Store, truths: Sequence[Truth], config: Config, workshop: Workshop
) -> Laboratory:
    """The verified documents of a run. Raises TruthError when there are none."""
    refs: dict[str, dict[DocumentRef, float]] = {}
    for strategy in store.strategies():
        for record in store.records(strategy):
            if record.schema_name is not None and record.error is None and not record.blank:
                of_schema = refs.setdefault(record.schema_name, {})
                of_schema[record.document] = record.cost.ocr_seconds
    current = {
        name: found
        for name in workshop.available_experts()
        if (found := fingerprint_of(workshop.expert(name))) is not None
    }
    documents = [
        document
        for truth in truths
        for document in _documents_of(truth, refs.get(truth.schema.name, {}), store, current)
    ]
    if not documents:
        raise TruthError("no verified document of this run has recorded answers")
    return Laboratory(tuple(documents), workshop)


def _documents_of(
    truth: Truth,
    refs: Mapping[DocumentRef, float],
    store: Store,
    current: Mapping[str, str],
) -> list[RecordedDocument]:
    verified = {document.key: document for document in match(truth, list(refs)).documents}
    rule = FileNameRule(truth.schema.subjects) if truth.schema.subjects is not None else None
    found: dict[tuple[str, int], RecordedDocument] = {}
    for ref, seconds in refs.items():
        document = verified.get((ref.path, ref.page))
        if document is None or (ref.sha256, ref.page) in found:
            continue
        named = rule.identify(ref) if rule is not None else None
        answers = tuple(
            entry
            for entry in store.answers(ref.sha256, ref.page)
            if current.get(entry.expert, entry.answer.expert) == entry.answer.expert
        )
        found[ref.sha256, ref.page] = RecordedDocument(
            sha256=ref.sha256,
            page=ref.page,
            subject=named.name if named is not None else None,
            schema=truth.schema,
            answers=answers,
            verified=frozenset(document.cells),
            judge=_judge(document.cells),
            ocr_seconds=seconds,
        )
    return list(found.values())


def _judge(cells: Mapping[str, TruthCell]) -> Judge:
    def right(field: Field, value: str | None) -> bool:
        truth = cells[field.name].value
        if truth is None or value is None:
            return truth is None and value is None
        return equal(field, value, truth)

    return right


def study_points(study: Study, recommended: Trial | None = None) -> list[PolicyPoint]:
    """The bounds of a study, and the recommended policy, as points of the accuracy-cost chart.

    `recommended` is to be a trial over the study's documents: points over others would not compare.
    """
    points = [
        PolicyPoint(
            name="oracle",
            role="oracle",
            accuracy=study.oracle.accuracy,
            cost=study.oracle.mean_amount,
        )
    ]
    dearest = max((single.mean_amount for single in study.singles), default=0.0)
    points += [
        PolicyPoint(
            name="random mix",
            role="random_mix",
            accuracy=study.random_mix(dearest * share),
            cost=dearest * share,
        )
        for share in (0.25, 0.5, 0.75)
        if len(study.singles) > 1
    ]
    if recommended is not None:
        points.append(
            PolicyPoint(
                name=recommended.candidate.title,
                role="recommended",
                accuracy=recommended.accuracy,
                cost=recommended.mean_amount,
            )
        )
    return points


def in_words(recommended: Recommendation) -> Words:
    """The recommendation for the report, in both languages."""
    goal = f"{recommended.target:.1%}"
    sure = f"{recommended.confidence:.0%}"
    passed = recommended.certified
    failed = [c.field for c in recommended.certificates if not c.passed]
    more = max((c.missing for c in recommended.certificates), default=0)
    title = recommended.candidate.title
    if not failed:
        chinese = f"{title}：所有字段均以 {sure} 的置信度认证，采纳值的准确率不低于 {goal}。"
    elif passed:
        chinese = (
            f"{title}：{'、'.join(passed)}以 {sure} 的置信度认证达到 {goal}；"
            f"{'、'.join(failed)}请人工核对。"
        )
    else:
        chinese = f"{title}：尚无字段能以 {sure} 的置信度认证达到 {goal}。"
    if failed and more:
        chinese += f"约需再核对 {more} 份文档。"
    return Words(name=title, certified=not failed, english=recommended.verdict, chinese=chinese)


def fitted_overlay(config: Config, calibration: Path) -> dict[str, object]:
    """Configuration that makes every strategy with a calibration use the one in a file."""
    return {
        "strategies": {
            name: {"combiner": {"kind": settings.combiner.kind, "calibration": str(calibration)}}
            for name, settings in config.strategies.items()
        }
    }
