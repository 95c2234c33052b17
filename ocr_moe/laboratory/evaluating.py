"""The evaluation of a run, with the laboratory's word where a goal is set."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.evaluate import EvaluationOptions, evaluate
from ocr_moe.evaluation.scores import Scores
from ocr_moe.evaluation.truth.truthset import TruthSet
from ocr_moe.formats.phrases import Language
from ocr_moe.laboratory.files import write_recommendation, write_refusal
from ocr_moe.laboratory.goal import Goal
from ocr_moe.laboratory.laboratory import Laboratory, open_laboratory, run_material
from ocr_moe.laboratory.study import study_points
from ocr_moe.run.exporting import originals_of, told
from ocr_moe.run.pictures import PageImages
from ocr_moe.store.database import Store
from ocr_moe.types import Origin
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config


def evaluate_run(
    store: Store,
    truths: TruthSet,
    folder: Path,
    config: Config,
    goal: Goal | None = None,
    *,
    language: Language = "en",
) -> Scores:
    """Score all strategies of a run, and write the scores into its folder, the workbook in a language.

    With a `goal` the bounds and the policy to use go into the report, and the policy into
    recommended.yaml. Raises TruthError when a sheet cannot be used.
    """
    material = run_material(store, truths, config, listed=True)
    options = EvaluationOptions(
        skipped=told(store, "skipped", dict[str, str], {}),
        titles=told(store, "titles", dict[str, str], {}),
        origins=told(store, "origins", dict[str, Origin], {}),
        language=language,
        original_of=originals_of(store),
    )
    if goal is not None:
        laboratory = open_laboratory(store, material, Workshop(config, recorded=store))
        options = _advised(options, laboratory, goal, folder)
    with closing(PageImages(store, config.images)) as images:
        return evaluate(material, folder, options=options, image_source=images)


def _advised(
    options: EvaluationOptions, laboratory: Laboratory, goal: Goal, folder: Path
) -> EvaluationOptions:
    """Add the bounds and the recommended policy to an evaluation, and write the policy down."""
    study = laboratory.study()
    costs = {trial.candidate.name: trial.field_costs for trial in study.trials}
    options = replace(options, field_costs=costs)
    try:
        recommended = laboratory.recommend(goal.accuracy, goal.confidence)
    except TruthError as error:
        write_refusal(folder, str(error))
        return replace(options, points=study_points(study))
    write_recommendation(folder, recommended)
    return replace(
        options,
        points=study_points(study, recommended.trial),
        advice=recommended.advice,
    )
