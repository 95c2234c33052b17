"""What people decided elsewhere, taken in: corrected workbooks, verified sheets, saved decisions."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ocr_moe.evaluation.report.phrases import text
from ocr_moe.evaluation.report.sentences import problem_sentence
from ocr_moe.evaluation.truth.corrected import is_corrected
from ocr_moe.evaluation.truth.tables import read_tables
from ocr_moe.formats.notes import note_in
from ocr_moe.formats.phrases import Language
from ocr_moe.review.decisions import decisions_in, is_decisions
from ocr_moe.review.desk import Desk
from ocr_moe.review.sheets import words_in
from ocr_moe.review.workbooks import judgements_in
from ocr_moe.types import DocumentRef, Judgement


def given_in(
    desk: Desk, path: Path, reviewer: str, language: Language = "en"
) -> tuple[Sequence[tuple[DocumentRef, Judgement]], tuple[str, ...]]:
    """The judgements of a corrected workbook, of a verified sheet, or of the decisions that review.html
    saved, and in a language what of them is of no use or to be looked at again. `reviewer` is whose they
    are where the file does not say. Raises TruthError."""
    schemas = desk.run.schemas
    if is_decisions(path):
        saved = decisions_in(path, desk.store, desk.strategy, schemas, reviewer)
        return saved.judgements, tuple(note_in(each, language) for each in saved.problems)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    options = desk.run.config.truth
    if is_corrected(read_tables(path)):
        found = judgements_in(path, desk.store, schemas, reviewer, now, options=options)
    else:
        found = words_in(path, desk.store, desk.strategy, schemas, reviewer, now, options=options)
    told = (text([problem_sentence(each)], language) for each in found.problems)
    return found.judgements, tuple(told)


def taken_in(
    desk: Desk, path: Path, reviewer: str | None = None, language: Language = "en"
) -> tuple[int, tuple[str, ...]]:
    """Take a file in; how many decisions were new, and in a language what could not be used or is to be
    looked at again. Without a `reviewer` it is whoever is logged in. Raises TruthError, StoreError."""
    judgements, problems = given_in(desk, path, reviewer or whoever(), language)
    return desk.take_in(judgements), problems


def whoever() -> str:
    """Whoever is logged in to the machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "reviewer"
