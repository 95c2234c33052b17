"""Evaluate runs against verified sheets: the entry point of `evaluate` and `compare`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ocr_moe.evaluation.advice import Advice, PolicyPoint
from ocr_moe.evaluation.material import Material
from ocr_moe.evaluation.report.crops import ImageSource
from ocr_moe.evaluation.report.page import ReportOptions, write_report
from ocr_moe.evaluation.report.workbook import write_accuracy
from ocr_moe.evaluation.scores import Scores
from ocr_moe.evaluation.scoring import Scoring, score
from ocr_moe.evaluation.summary import SummaryOptions, summarize
from ocr_moe.evaluation.tabular import score_tables
from ocr_moe.evaluation.truth.columns import read_columns
from ocr_moe.evaluation.truth.matching import documents_of, match
from ocr_moe.evaluation.truth.rows import TableTruth
from ocr_moe.formats.files import write_text
from ocr_moe.formats.phrases import Language
from ocr_moe.schema import Field
from ocr_moe.settings import TruthOptions
from ocr_moe.types import Cost, Origin, Record


@dataclass(frozen=True)
class EvaluationOptions:
    """Everything about an evaluation that is neither a record nor a verified sheet."""

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
    advice: Advice | None = None
    """The policy to use."""
    language: Language = "en"
    """Of the workbook. The report has both, and scores.json none."""
    original_of: Callable[[str], str] = lambda path: ""
    """Path of a document → address of its file, for links in the workbook; empty where unknown."""


def evaluate(
    material: Material,
    out: Path | None,
    *,
    options: EvaluationOptions | None = None,
    image_source: ImageSource | None = None,
) -> Scores:
    """Score each strategy's records and write scores.json, accuracy.xlsx and report.html to `out`.

    `image_source(record, page)` gives the righted page for the report's crops, or None. With
    `out=None` nothing is written. Raises TruthError when no row is about a document, OutputError when
    writing fails.
    """
    options = options or EvaluationOptions()
    runs = {name: list(records) for name, records in material.runs.items()}
    rows = any(truth.documents for truth in material.tables)
    only_rows = bool(material.tables) and not material.matches
    scoring = score(runs, material.matches, empty=rows or only_rows)
    scores = _summarize(scoring, runs, options, material.pages_blank, material.tables)
    if out is not None:
        _write(out, scoring, scores, runs, options, image_source)
    return scores


def score_columns(
    path: Path,
    truth_column: str,
    predicted_column: str,
    out: Path | None,
    *,
    field: Field | None = None,
    fields: Sequence[Field] = (),
    truth: TruthOptions | None = None,
    options: EvaluationOptions | None = None,
) -> Scores:
    """Score one column of a sheet against another, both named by heading or by letter.

    `field` says how values are compared; without it that of the `fields` does which a heading names,
    else the values do. Raises TruthError when a column is not there or holds nothing.
    """
    options = options or EvaluationOptions()
    columns = read_columns(path, truth_column, predicted_column, field, truth, fields)
    runs = {columns.strategy: columns.records}
    scoring = score(runs, [match(columns.truth, documents_of(runs))])
    scores = _summarize(scoring, runs, options)
    if out is not None:
        _write(out, scoring, scores, runs, options, None)
    return scores


def write_scores(path: Path, scores: Scores) -> None:
    """Write scores.json in one step. Raises OutputError."""
    data: dict[str, Any] = scores.model_dump(mode="json")
    write_text(path, json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def _summarize(
    scoring: Scoring,
    runs: Mapping[str, Sequence[Record]],
    options: EvaluationOptions,
    pages_blank: int = 0,
    tables: Sequence[TableTruth] = (),
) -> Scores:
    level = options.summary.level
    return summarize(
        scoring,
        runs,
        options=options.summary,
        skipped=options.skipped,
        titles=options.titles,
        origins=options.origins,
        field_costs=options.field_costs,
        pages_blank=pages_blank,
        tables={name: score_tables(records, tables, level) for name, records in runs.items()},
        notes=tuple(problem for truth in tables for problem in truth.problems),
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
    write_accuracy(
        out / "accuracy.xlsx",
        scoring,
        scores,
        language=options.language,
        original_of=options.original_of,
    )
    write_report(
        out / "report.html",
        scoring,
        scores,
        runs,
        options=options.report,
        points=options.points,
        advice=options.advice,
        image_source=image_source,
    )
