"""What people decided elsewhere, taken in: corrected workbooks, verified sheets, saved decisions."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path

from ocr_moe.evaluation.truth.corrected import is_corrected
from ocr_moe.evaluation.truth.problems import Problem
from ocr_moe.evaluation.truth.tables import read_tables
from ocr_moe.reviewing.decisions import decisions_in, is_decisions
from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.sheets import words_in
from ocr_moe.reviewing.workbooks import judgements_in


def taken_in(
    desk: Desk, path: Path, reviewer: str | None = None
) -> tuple[int, tuple[Problem, ...]]:
    """Take in a corrected workbook, a verified sheet, or the decisions that review.html saved; how many
    decisions were new, and what could not be used or is to be looked at again.

    `reviewer` is whose they are where the file does not say, by default whoever is logged in. Raises
    TruthError, StoreError.
    """
    schemas = desk.run.schemas
    who, options = reviewer or whoever(), desk.run.config.truth
    if is_decisions(path):
        found = decisions_in(path, desk.store, desk.strategy, schemas, who)
    else:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        if is_corrected(read_tables(path)):
            found = judgements_in(path, desk.store, schemas, who, now, options=options)
        else:
            found = words_in(path, desk.store, desk.strategy, schemas, who, now, options=options)
    return desk.take_in(found.judgements), found.problems


def whoever() -> str:
    """Whoever is logged in to the machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "reviewer"
