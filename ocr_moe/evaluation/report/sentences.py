"""Sentences of the report that are put together: the advice, and what the verified sheet told."""

from __future__ import annotations

from ocr_moe.evaluation.advice import Advice
from ocr_moe.evaluation.scores import SheetProblem
from ocr_moe.evaluation.truth.problems import SHOWN
from ocr_moe.formats.notes import note_in
from ocr_moe.formats.phrases import Phrase


def advice_sentences(advice: Advice) -> tuple[Phrase, ...]:
    """Which policy to use, what is certified of it, and what it would take for the rest."""
    values = {
        "name": advice.name,
        "target": f"{advice.target:.1%}",
        "confidence": f"{advice.confidence:.0%}",
    }
    if advice.passed:
        return (Phrase("advice_all", values),)
    if advice.certified:
        fields = {"certified": advice.certified, "uncertified": advice.uncertified}
        first = Phrase("advice_some", values | fields)
    else:
        first = Phrase("advice_none", values)
    if not advice.missing:
        return (first,)
    return first, Phrase("advice_more", {"missing": advice.missing})


def problem_sentence(problem: SheetProblem) -> Phrase:
    """The English sentence, which is ready, and what the Chinese one is made of."""
    where: Phrase | str = ""
    for part in (problem.field, problem.source):
        if part:
            where = Phrase("problem_within", {"what": part, "rest": where})
    return Phrase(
        f"problem_{problem.kind}",
        {
            "sentence": problem.sentence,
            "message": problem.message,
            "told": note_in(problem.message, "zh"),
            "where": where,
            "rows": _rows(problem.rows),
        },
    )


def _rows(rows: tuple[int, ...]) -> Phrase | str:
    if not rows:
        return ""
    some: tuple[str, ...] | Phrase = tuple(map(str, rows[:SHOWN]))
    if len(rows) > SHOWN:
        some = Phrase("problem_rows_more", {"some": some, "more": len(rows) - SHOWN})
    return Phrase("problem_rows", {"rows": some})
