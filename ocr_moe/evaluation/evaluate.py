"""Evaluate runs against verified sheets: the entry point of `evaluate` and `compare`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ocr_moe.errors import UsageError
from ocr_moe.evaluation.report.crops import ImageSource
from ocr_moe.evaluation.report.page import ReportOptions, write_report
from ocr_moe.evaluation.report.workbook import write_accuracy
from ocr_moe.evaluation.scores import PolicyPoint, Recommendation, Scores
from ocr_moe.evaluation.scoring import Scoring, score
from ocr_moe.evaluation.summary import SummaryOptions, summarize
from ocr_moe.evaluation.truth.columns import read_columns
from ocr_moe.evaluation.truth.truthset import load_truths
from ocr_moe.formats.files import write_text
from ocr_moe.schema import Field, Schema
from ocr_moe.settings import TruthOptions
from ocr_moe.types import Cost, Origin, Record


@dataclass(frozen=True)
class EvaluationOptions:
    """Everything about an evaluation that is neither a record nor a verified sheet."""

    truth: TruthOptions = field(default_factory=TruthOptions)
    summary: SummaryOptions = field(default_factory=SummaryOptions)
    report: ReportOptions = field(default_factory=ReportOptions)
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Strategies that were not run → what to set so that they are."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """Strategy → its name in column headings (`MOE` in `MOE策略证书编号`); else its own name."""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Strategy → where its answers come from."""
    field_costs: Mapping[str, Mapping[str, Cost]] = field(default_factory=dict)
    """Strategy → field → what the calls for that field took."""
    points: Sequence[PolicyPoint] = ()
    """Further points of the accuracy–cost chart: oracle, random mix, recommended policy."""
    recommendation: Recommendation | None = None


def evaluate(
    runs: Mapping[str, Iterable[Record]],
    schemas: Sequence[Schema],
    truth: Path | Sequence[Path] | Mapping[str, Path],
    out: Path | None,
    *,
    options: EvaluationOptions | None = None,
    image_source: ImageSource | None = None,
) -> Scores:
    """Score each strategy's records and write scores.json, accuracy.xlsx and report.html to `out`.

    `truth` is one sheet, several that their columns tell apart, or one a schema by its name.
    `image_source(record, page)` gives the righted page for the report's crops, or None. With
    `out=None` nothing is written. Raises TruthError when a sheet cannot be used, UsageError when
    there is nothing to score, OSError when writing fails.
    """
    options = options or EvaluationOptions()
    # A blank page has nothing to score; a row that belongs to it alone is told as without document.
    listed = {name: [r for r in records if not r.blank] for name, records in runs.items()}
    if not any(listed.values()):
        raise UsageError("there are no records to score")
    paths = [truth] if isinstance(truth, Path) else truth
    truths = load_truths(paths, _used(schemas, listed), options.truth)
    scoring = score(listed, truths)
    scores = _summarize(scoring, listed, options)
    if out is not None:
        _write(out, scoring, scores, listed, options, image_source)
    return scores


def score_columns(
    path: Path,
    truth_column: str,
    predicted_column: str,
    out: Path | None,
    *,
    field: Field | None = None,
    options: EvaluationOptions | None = None,
) -> Scores:
    """Score one column of a sheet against another, both named by heading or by letter.

    `field` says how values are compared; without it they are a code where the verified column
    looks like one, else text. Raises TruthError when a column is not there or holds nothing.
    """
    options = options or EvaluationOptions()
    columns = read_columns(path, truth_column, predicted_column, field, options.truth)
    runs = {columns.strategy: columns.records}
    scoring = score(runs, [columns.truth])
    scores = _summarize(scoring, runs, options)
    if out is not None:
        _write(out, scoring, scores, runs, options, None)
    return scores


def write_scores(path: Path, scores: Scores) -> None:
    """Write scores.json in one step. Raises OSError."""
    data: dict[str, Any] = scores.model_dump(mode="json")
    write_text(path, json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def _used(schemas: Sequence[Schema], runs: Mapping[str, Sequence[Record]]) -> Sequence[Schema]:
    """The schemas that records are of; all of them where no record says."""
    names = {record.schema_name for records in runs.values() for record in records}
    used = [schema for schema in schemas if schema.name in names]
    if not used and not schemas:
        raise UsageError("there is no schema to score by")
    return used or schemas


def _summarize(
    scoring: Scoring, runs: Mapping[str, Sequence[Record]], options: EvaluationOptions
) -> Scores:
    return summarize(
        scoring,
        runs,
        options=options.summary,
        skipped=options.skipped,
        titles=options.titles,
        origins=options.origins,
        field_costs=options.field_costs,
    )


def _write(
    out: Path,
    scoring: Scoring,
    scores: Scores,
    runs: Mapping[str, Sequence[Record]],
    options: EvaluationOptions,
    image_source: ImageSource | None,
) -> None:
    write_scores(out / "scores.json", scores)
    write_accuracy(out / "accuracy.xlsx", scoring, scores)
    write_report(
        out / "report.html",
        scoring,
        scores,
        runs,
        options=options.report,
        points=options.points,
        recommendation=options.recommendation,
        image_source=image_source,
    )
