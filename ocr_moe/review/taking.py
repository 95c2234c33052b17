"""What people decided elsewhere, taken in: corrected workbooks, templates, saved decisions."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ocr_moe.review.decisions import decisions_in, is_decisions
from ocr_moe.review.desk import Desk
from ocr_moe.review.workbooks import judgements_in
from ocr_moe.types import DocumentRef, Judgement


def given_in(
    desk: Desk, path: Path, reviewer: str
) -> tuple[Sequence[tuple[DocumentRef, Judgement]], tuple[str, ...]]:
    """The judgements of a corrected workbook, or of the decisions that review.html saved, and what of
    them is of no use. `reviewer` is whose they are where the file does not say. Raises TruthError."""
    schemas = desk.run.schemas
    if is_decisions(path):
        saved = decisions_in(path, desk.store, desk.strategy, schemas)
        return saved.judgements, saved.problems
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    found = judgements_in(path, desk.store, schemas, reviewer, now)
    return found.judgements, tuple(each.message for each in found.problems)


def taken_in(desk: Desk, path: Path, reviewer: str | None = None) -> tuple[int, tuple[str, ...]]:
    """Take a file in; how many decisions were new, and what could not be used. Without a `reviewer` it
    is whoever is logged in. Raises TruthError, StoreError."""
    judgements, problems = given_in(desk, path, reviewer or whoever())
    return desk.take_in(judgements), problems


def whoever() -> str:
    """Whoever is logged in to the machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "reviewer"
