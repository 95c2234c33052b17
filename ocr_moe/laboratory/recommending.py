"""The policy to recommend: chosen, certified and reported, each on documents of its own.

Never one that is less accurate than what ran at no lower cost. Where nothing can be certified, or what
was chosen loses to what ran, the most accurate strategy that ran is recommended, and nothing is promised
of it: the documents that speak for it then include those of the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.advice import Advice, Fallback
from ocr_moe.evaluation.costs import Unit
from ocr_moe.evaluation.metrics import Interval, wilson
from ocr_moe.evaluation.report.phrases import text
from ocr_moe.evaluation.report.sentences import advice_sentences
from ocr_moe.formats.yamlfile import write_yaml
from ocr_moe.laboratory.bounds import Bound, oracle
from ocr_moe.laboratory.candidates import PolicyBuilder, PolicyCandidate
from ocr_moe.laboratory.certify import Certificate, certify, withheld
from ocr_moe.laboratory.choosing import (
    beaten_by,
    cheapest_good,
    falls_short,
    honest_trials,
    most_accurate,
)
from ocr_moe.laboratory.documents import RecordedDocument, fields_of, unit_of
from ocr_moe.laboratory.splitting import demand, groups_of, split
from ocr_moe.laboratory.trials import Trial, joined, try_out


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
    """A policy with its certified thresholds, beside what ran on the same documents."""

    candidate: PolicyCandidate
    target: float
    confidence: float
    unit: Unit
    documents: tuple[int, int, int]
    """For choosing, for the tests, for the report."""
    certificates: tuple[Certificate, ...]
    report: tuple[FieldReport, ...]
    trial: Trial
    """The policy over all verified documents; a fitted one is tried on no document that it was fitted
    on."""
    against: tuple[PolicyLine, ...]
    """The configured strategies on the same documents."""
    oracle: Bound
    """The best possible choice of experts for them."""
    fallback: Fallback | None
    """Why it is the most accurate strategy that ran; None for one that was chosen and certified."""
    set_aside_policy: str
    """The title of the policy that lost to what ran; empty where none did."""
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
    def result(self) -> PolicyLine:
        """The policy on all verified documents."""
        return replace(line_of(self.trial), name="recommended")

    @property
    def accuracy(self) -> float:
        """Macro accuracy of the policy on all verified documents."""
        return self.trial.accuracy

    @property
    def mean_amount(self) -> float:
        """Its mean cost of a document there."""
        return self.trial.mean_amount

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
            fallback=self.fallback,
            instead_of=self.set_aside_policy,
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
            f"{len(self.tried)} policies were compared on {chosen} documents; {tested} others were "
            f"for the test, {reported} for the report. On all {chosen + tested + reported}:",
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
    fellows: Sequence[RecordedDocument] = (),
) -> Recommendation:
    """Choose a policy on one part of the documents, certify it on another, report on the rest.

    `fitted_on` are the hash beginnings of the documents behind the calibration in use; they help to
    choose and are kept out of the test and the report. `fellows` are further documents of the same
    subjects, as for `try_out`. Raises TruthError without a recorded answer or a policy to recommend.
    """
    demand(documents, 1)
    if not configured:
        raise TruthError("no configured strategy has all its answers recorded")
    unit = unit or unit_of(documents)
    fields = fields_of(documents)

    def tried(candidate: PolicyCandidate, some: Sequence[RecordedDocument]) -> Trial:
        return try_out(candidate, some, build, unit, fields, fellows)

    starts = tuple(fitted_on)
    seen = [d for d in documents if starts and d.sha256.startswith(starts)]
    fresh = [d for d in documents if not (starts and d.sha256.startswith(starts))]
    parts = _three_parts(fresh, seen, shares, seed)
    choosing, testing, reporting = parts or (list(documents), [], [])
    trials = honest_trials(choosing, configured, build, unit, fields=fields, fellows=fellows)
    of_choice = {trial.candidate.name: trial for trial in trials}
    ran = [_Course.of(of_choice[c.name], testing, reporting, tried) for c in configured]
    best = max(ran, key=lambda each: each.whole is most_accurate([r.whole for r in ran]))
    chosen = best
    if parts is not None:
        name = cheapest_good(trials, target).name
        found = [each for each in ran if each.candidate.name == name]
        chosen = found[0] if found else _Course.of(of_choice[name], testing, reporting, tried)
    certified = partial(
        _certificates, target=target, confidence=confidence, share=len(testing) / len(documents)
    )
    certificates = certified(chosen)
    fallback: Fallback | None = None
    set_aside = ""
    if parts is None:
        fallback = "too_few"
    elif not any(each.passed for each in certificates):
        fallback = "nothing_certified"
    elif chosen is not best and _loses(chosen, ran):
        fallback, set_aside = "less_accurate", chosen.candidate.title
    if fallback is not None and chosen is not best:
        chosen = best
        share = len(testing) / len(documents)
        certificates = tuple(withheld(each, share) for each in certified(best))
    thresholds = {c.field: c.threshold for c in certificates}
    return Recommendation(
        candidate=chosen.candidate,
        target=target,
        confidence=confidence,
        unit=unit,
        documents=(len(choosing), len(testing), len(reporting)),
        certificates=certificates,
        report=tuple(
            _report(chosen.reporting, name, thresholds.get(name))
            for name in fields
            if len(chosen.reporting.cells(name))
        ),
        trial=chosen.whole,
        against=tuple(line_of(each.whole) for each in ran),
        oracle=oracle(documents, unit),
        fallback=fallback,
        set_aside_policy=set_aside,
        tried=tuple(line_of(trial) for trial in trials),
        set_aside=len(seen),
        overlay=_overlay(chosen.candidate, certificates),
    )


@dataclass(frozen=True)
class _Course:
    """A policy over the three parts of the documents."""

    choosing: Trial
    testing: Trial
    reporting: Trial
    held_out: Trial
    """Over the documents that it was not chosen on."""
    whole: Trial

    @property
    def candidate(self) -> PolicyCandidate:
        return self.choosing.candidate

    @classmethod
    def of(
        cls,
        choosing: Trial,
        testing: Sequence[RecordedDocument],
        reporting: Sequence[RecordedDocument],
        tried: Callable[[PolicyCandidate, Sequence[RecordedDocument]], Trial],
    ) -> _Course:
        candidate = choosing.candidate
        tested, reported = tried(candidate, testing), tried(candidate, reporting)
        held_out = joined(candidate, tested, reported)
        return cls(choosing, tested, reported, held_out, joined(candidate, choosing, held_out))


def _loses(chosen: _Course, ran: Sequence[_Course]) -> bool:
    """Whether what ran is more accurate at no higher cost, or has more cells right beyond chance."""
    others = [each for each in ran if each is not chosen]
    return (
        beaten_by(chosen.whole, [each.whole for each in others]) is not None
        or beaten_by(chosen.held_out, [each.held_out for each in others]) is not None
        or any(falls_short(chosen.held_out, each.held_out) for each in others)
    )


def _certificates(
    policy: _Course, *, target: float, confidence: float, share: float
) -> tuple[Certificate, ...]:
    """One a field of which the test has cells; where there was no test, of which any document has."""
    testing = policy.testing if len(policy.testing.asked) else policy.choosing
    return tuple(
        certify(
            name,
            policy.choosing.cells(name),
            testing.cells(name),
            target=target,
            confidence=confidence,
            share=share or 1.0,
        )
        for name in testing.fields
        if len(testing.cells(name))
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

    Where nothing is certified the thresholds stay as they were, and the title says so. Dossiers, which
    have the last word on whether a value stands, get the same thresholds.
    """
    combiner = candidate.combiner.model_dump(mode="json")
    dossiers = candidate.dossiers
    weighing = None if dossiers is None else dossiers.model_dump(mode="json", exclude_defaults=True)
    title = candidate.title
    if any(c.passed for c in certificates):
        for settings in (combiner, weighing):
            if settings is not None:
                accept = dict(settings.get("accept", {}))
                accept["fields"] = {
                    **accept.get("fields", {}),
                    **{c.field: c.threshold for c in certificates},
                }
                settings["accept"] = accept
    else:
        title += " (not certified)"
    strategy = {
        "title": title,
        "gate": candidate.gate.model_dump(mode="json"),
        "combiner": combiner,
    }
    if weighing is not None:
        strategy["dossiers"] = weighing
    return {"strategy": "recommended", "strategies": {"recommended": strategy}}


def _three_parts(
    fresh: Sequence[RecordedDocument],
    seen: Sequence[RecordedDocument],
    shares: tuple[float, float, float],
    seed: int,
) -> list[list[RecordedDocument]] | None:
    """For choosing, for the test, for the report; None where one of them stays empty.

    What the calibration has seen, and what shares a subject with it, only helps to choose.
    """
    labels = groups_of([*seen, *fresh])
    known = set(labels[: len(seen)])
    related = [d for d, label in zip(fresh, labels[len(seen) :], strict=True) if label in known]
    unrelated = [d for d in fresh if not any(d is other for other in related)]
    choosing, testing, reporting = split(unrelated, shares, seed)
    choosing = [*choosing, *related, *seen]
    return [choosing, testing, reporting] if choosing and testing and reporting else None
