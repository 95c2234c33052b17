"""Every strategy of a run against what people verified, and what can be learnt from that.

What people said is the truth here, so nothing of it may be in what is held against it: each strategy's
own decisions are taken, as experts alone made them, weighed over the documents of a subject as at the
end of a run. Nobody is asked.

People look at doubtful cells first. What they verified is therefore harder than the rest of the run, and
hardest for the strategy whose doubts they followed: the figures say which cells go wrong and whether
confidence ranks them, and are no estimate for the whole run. The blind share, drawn by chance among the
sure cells, is marked for that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.evaluate import EvaluationOptions, evaluate
from ocr_moe.evaluation.material import Material
from ocr_moe.evaluation.metrics import auroc, brier, expected_calibration_error, review_plan
from ocr_moe.evaluation.report.crops import ImageSource
from ocr_moe.evaluation.scores import Scores
from ocr_moe.evaluation.truth.matching import documents_of, match
from ocr_moe.evaluation.truth.problems import Problem, ProblemKind
from ocr_moe.evaluation.truth.sheet import Truth, TruthCell, TruthRow
from ocr_moe.formats.phrases import Language, Phrase, Words
from ocr_moe.judgements import verdicts_of
from ocr_moe.laboratory.calibrating import CalibrationResult, Judged
from ocr_moe.laboratory.files import write_calibration, write_recommendation
from ocr_moe.laboratory.goal import Goal
from ocr_moe.laboratory.laboratory import Laboratory, open_laboratory
from ocr_moe.laboratory.recommending import Recommendation
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.exporting import originals_of, told
from ocr_moe.run.settling import own_records
from ocr_moe.schema import Schema
from ocr_moe.store.database import Judged as GivenJudgement
from ocr_moe.store.database import Store
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import Box, JudgementKind, Origin
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config

DOCUMENTS_NEEDED = 30
"""Documents with verified cells from which on anything is fitted: below that a difference of a few
points between two fits is chance (the report warns there as well)."""
ERRORS_NEEDED = 10
"""Verified cells that the strategy has not right, likewise: about as many events as a fit needs for a
weight that it may trust (Peduzzi et al. 1996)."""

_WORDS = Words("ocr_moe.reviewing", "scoring.yaml")


def said(phrases: Iterable[Phrase], language: Language) -> tuple[str, ...]:
    """Sentences of this module in a language."""
    return tuple(_WORDS.filled(each, language, str) for each in phrases)


@dataclass(frozen=True)
class VerifiedCells:
    """What people vouch for in a run."""

    truths: tuple[Truth, ...]
    """One a schema of which anything is verified."""
    cells: int
    blind: frozenset[tuple[DocumentKey, str]]
    """(document, field) of those whose first judge did not see what was read."""
    disputed: int
    """Cells on which reviewers differ: they are no truth."""

    @property
    def documents(self) -> int:
        return sum(len(truth.rows) for truth in self.truths)


@dataclass(frozen=True)
class Fitness:
    """What a strategy's confidences are worth on the verified cells."""

    cells: int
    wrong: int
    ece: float | None
    brier: float | None
    auroc: float | None
    to_check: int
    """Cells, least confident first, to look at until the others reach the target."""


@dataclass(frozen=True)
class Refit:
    """What was learnt from the verified cells; none of it is in use before it is written and named."""

    before: Fitness | None
    after: Fitness | None
    """Cross-fitted: every document is judged by a model that did not see it."""
    calibration: CalibrationResult | None
    """None where there is too little to fit on, or where what is in use is no worse."""
    recommendation: Recommendation | None
    """From the documents that were checked whole; None where those are too few."""
    sentences: tuple[Phrase, ...]
    """What changes, or why nothing does and what it takes; `said` tells them in a language."""

    def write(self, folder: Path, config: Config) -> list[Path]:
        """Write calibration.yaml, calibrated.yaml and recommended.yaml, whichever there is. Raises
        OutputError."""
        written: list[Path] = []
        if self.calibration is not None:
            written += write_calibration(folder, self.calibration.calibration, config)
        if self.recommendation is not None:
            written.append(write_recommendation(folder, self.recommendation))
        return written


def verified_cells(store: Store, schemas: Sequence[Schema]) -> VerifiedCells:
    """The cells on which people's word stands undisputed, as a verified sheet for each schema.

    A document that lies under several paths counts once, where it was judged. Raises StoreError.
    """
    given: dict[tuple[str, int, Box | None], list[GivenJudgement]] = defaultdict(list)
    for each in store.judgements():
        if not each.undone and each.judgement.kind is JudgementKind.VALUE:
            given[each.sha256, each.page, each.region].append(each)
    of_schema = _schemas_of(store)
    known = {schema.name: schema for schema in schemas}
    rows: dict[str, list[TruthRow]] = defaultdict(list)
    blind: set[tuple[DocumentKey, str]] = set()
    disputed = 0
    for judgements in given.values():
        first = judgements[0]
        key = DocumentKey(first.path, first.page, first.part)
        schema = known.get(of_schema.get(key, ""))
        if schema is None:
            continue
        cells: dict[str, TruthCell] = {}
        for name, verdict in verdicts_of(each.judgement for each in judgements).items():
            if name not in schema.names:
                continue
            if verdict.disputed:
                disputed += 1
                continue
            cells[name] = TruthCell(verdict.value or "无", verdict.value)
            if _was_hidden(judgements, name):
                blind.add((key, name))
        if cells:
            number = len(rows[schema.name]) + 1
            rows[schema.name].append(TruthRow(number, key.path, key.page, cells, part=key.part))
    truths = tuple(_truth(store, known[name], found) for name, found in sorted(rows.items()))
    cells_in_all = sum(len(row.cells) for truth in truths for row in truth.rows)
    return VerifiedCells(truths, cells_in_all, frozenset(blind), disputed)


def verified_material(
    store: Store, strategies: Sequence[Strategy], schemas: Sequence[Schema]
) -> tuple[Material, VerifiedCells]:
    """Every strategy's own records beside what people verified. Raises TruthError where nothing is."""
    cells = verified_cells(store, schemas)
    if not cells.truths:
        raise TruthError(
            "nobody has verified a cell of this run yet: check some with `ocr-moe review` first"
        )
    runs = {each.name: list(own_records(store, each, schemas)) for each in strategies}
    blank = {key_of(r.document) for records in runs.values() for r in records if r.blank}
    runs = {name: [r for r in records if not r.blank] for name, records in runs.items()}
    documents = documents_of(runs)
    matches = tuple(match(truth, documents) for truth in cells.truths)
    return Material(runs, matches, pages_blank=len(blank)), cells


def score_verified(
    store: Store,
    strategies: Sequence[Strategy],
    schemas: Sequence[Schema],
    out: Path | None = None,
    *,
    language: Language = "en",
    image_source: ImageSource | None = None,
) -> Scores:
    """Every strategy of a run against what people verified.

    With `out` also scores.json, accuracy.xlsx (in a language) and report.html there. Raises TruthError
    where nothing is verified, OutputError, StoreError.
    """
    material, _ = verified_material(store, strategies, schemas)
    options = EvaluationOptions(
        titles={strategy.name: strategy.title for strategy in strategies},
        origins=told(store, "origins", dict[str, Origin], {}),
        language=language,
        original_of=originals_of(store),
    )
    return evaluate(material, out, options=options, image_source=image_source)


def refit(
    store: Store,
    workshop: Workshop,
    strategies: Sequence[Strategy],
    schemas: Sequence[Schema],
    *,
    judged: str | None = None,
    goal: Goal | None = None,
) -> Refit:
    """Fit confidences, and choose a policy, on what people verified; say what that changes.

    `judged` is the strategy whose confidences are told of, by default the configuration's. A fit is
    offered only where its cross-fitted Brier score on the verified cells is better than that of the
    calibration in use. Raises TruthError where nothing is verified, ConfigError, StoreError.
    """
    goal = goal or Goal()
    name = judged or workshop.config.strategy
    material, cells = verified_material(store, strategies, schemas)
    laboratory = open_laboratory(store, material, workshop)
    before = _fitness(_in_use(laboratory, name), goal.accuracy)
    sentences: list[Phrase] = []
    documents, errors = len(laboratory.documents), before.wrong
    calibration, after = None, None
    if documents < DOCUMENTS_NEEDED or errors < ERRORS_NEEDED:
        values = {"documents": documents, "errors": errors}
        needed = {"documents_needed": DOCUMENTS_NEEDED, "errors_needed": ERRORS_NEEDED}
        sentences.append(Phrase("too_little", values | needed))
    else:
        # The default strategy is the one that `calibrate` tells of.
        config = workshop.config.model_copy(update={"strategy": name})
        inner = Laboratory(laboratory.documents, _with(workshop, config, store), laboratory.fellows)
        result = inner.calibrate("verified at the desk", synthetic=False)
        after = _fitness(result.judged.values(), goal.accuracy)
        if after.brier is not None and before.brier is not None and after.brier < before.brier:
            calibration = result
            sentences += _changes(before, after, goal)
        else:
            sentences.append(Phrase("no_better", {"cells": after.cells, "errors": after.wrong}))
    recommendation, why = _recommended(laboratory, goal)
    sentences.append(why)
    if not cells.blind:
        sentences.append(Phrase("nothing_blind"))
    return Refit(before, after, calibration, recommendation, tuple(sentences))


def _recommended(laboratory: Laboratory, goal: Goal) -> tuple[Recommendation | None, Phrase]:
    """On documents that were checked whole: of single cells those were looked at that one strategy
    doubts, which counts against it."""
    whole = tuple(d for d in laboratory.documents if set(d.schema.names) <= d.verified)
    if len(whole) < DOCUMENTS_NEEDED:
        counts = {"whole": len(whole), "needed": DOCUMENTS_NEEDED}
        return None, Phrase("whole_needed", counts)
    of_whole = Laboratory(whole, laboratory.workshop, laboratory.fellows)
    found = of_whole.recommend(goal.accuracy, goal.confidence)
    key = "recommended_certified" if found.certified else "recommended_uncertified"
    values: dict[str, object] = {
        "name": found.candidate.title,
        "fields": found.certified,
        "target": f"{goal.accuracy:.1%}",
        "accuracy": f"{found.accuracy:.1%}",
        "whole": len(whole),
    }
    return found, Phrase(key, values)


def _changes(before: Fitness, after: Fitness, goal: Goal) -> Iterator[Phrase]:
    saved = before.to_check - after.to_check
    values = {"target": f"{goal.accuracy:.1%}", "before": before.to_check, "after": after.to_check}
    if saved > 0:
        yield Phrase("fewer_to_check", values | {"n": saved})
    elif saved < 0:
        yield Phrase("more_to_check", values | {"n": -saved})
    else:
        yield Phrase("same_to_check", values)
    figures = {
        name: "–" if value is None else f"{value:.3f}"
        for name, value in {
            "ece_before": before.ece,
            "ece_after": after.ece,
            "auroc_before": before.auroc,
            "auroc_after": after.auroc,
        }.items()
    }
    yield Phrase("figures", figures | {"cells": after.cells, "errors": after.wrong})


def _in_use(laboratory: Laboratory, name: str) -> list[Judged]:
    """The strategy's decisions on the verified cells by the calibration that is in use, as
    `calibrate` judges those of a new one."""
    found = {candidate.name: candidate for candidate in laboratory.candidates()}
    if name not in found:
        raise TruthError(f"the run has no answers for the strategy {name}")
    gate, combiner = laboratory.build(found[name].gate, found[name].combiner)
    confidence, right = [], []
    for document in laboratory.documents:
        decisions = document.replay(gate, combiner).decisions
        for field in sorted(document.verified):
            decision = decisions[field]
            if decision.confidence is not None:
                confidence.append(decision.confidence)
                right.append(document.right(field, decision.value))
    return [Judged(np.array(confidence), np.array(right, dtype=bool))]


def _fitness(cells: Iterable[Judged], target: float) -> Fitness:
    listed = list(cells)
    confidence = np.concatenate([each.confidence for each in listed] or [np.zeros(0)])
    right = np.concatenate([each.right for each in listed] or [np.zeros(0, dtype=bool)])
    return Fitness(
        cells=len(right),
        wrong=int((~right).sum()),
        ece=expected_calibration_error(confidence, right),
        brier=brier(confidence, right),
        auroc=auroc(confidence, right),
        to_check=review_plan(confidence, right, target).checked,
    )


def _with(workshop: Workshop, config: Config, store: Store) -> Workshop:
    if config == workshop.config:
        return workshop
    return Workshop(config, recorded=store, offline=True)


def _truth(store: Store, schema: Schema, rows: Sequence[TruthRow]) -> Truth:
    verified = {name for row in rows for name in row.cells}
    problem = Problem(
        ProblemKind.CHOSEN_BY_DOUBT,
        "doubtful cells were checked first: the figures are about harder cells than the run's, most "
        "of all for the strategy that was reviewed",
        source=store.path.name,
    )
    return Truth(
        schema=schema,
        source=store.path,
        sheet="",
        by="file",
        fields=tuple(name for name in schema.names if name in verified),
        rows=tuple(rows),
        blank=0,
        unscorable=0,
        problems=(problem,),
    )


def _schemas_of(store: Store) -> dict[DocumentKey, str]:
    """Document → what it was taken for."""
    found: dict[DocumentKey, str] = {}
    for strategy in store.strategies():
        for record in store.records(strategy):
            if record.schema_name is not None and record.fields:
                found.setdefault(key_of(record.document), record.schema_name)
    return found


def _was_hidden(judgements: Iterable[GivenJudgement], field: str) -> bool:
    """Whether the first word on a cell was given blind."""
    first = next(each.judgement for each in judgements if each.judgement.field == field)
    return first.shown is not None and first.shown.hidden
