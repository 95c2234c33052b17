"""What a file of people's decisions comes to on a run."""

from __future__ import annotations

from dataclasses import dataclass

from ocr_moe.evaluation.truth.problems import Problem
from ocr_moe.types import DocumentRef, Judgement


@dataclass(frozen=True)
class TakenIn:
    """Judgements on a run's documents, and what of a file is none."""

    judgements: tuple[tuple[DocumentRef, Judgement], ...]
    """Not in the store yet."""
    problems: tuple[Problem, ...]
    """What could not be taken in, and why."""
    known: int = 0
    """Decisions that say nothing new: the store has that person's word already."""
    untouched: int = 0
    """Cells of the file that nobody looked at."""
