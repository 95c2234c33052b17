"""Sentences of the report that are put together: the advice, and what the verified sheet told."""

from __future__ import annotations

import re

from ocr_moe.evaluation.advice import Advice
from ocr_moe.evaluation.scores import SheetProblem
from ocr_moe.evaluation.truth.problems import SHOWN, Problem
from ocr_moe.formats.notes import note_in
from ocr_moe.formats.phrases import Patterns, Phrase

_CHINESE = Patterns("ocr_moe.evaluation.report", "templates/sentences.yaml")
_VARIABLE = re.compile(r"\bOCR_MOE_[A-Z0-9_]+")


def advice_sentences(advice: Advice) -> tuple[Phrase, ...]:
    """Which policy to use, what is certified of it, and what it would take for the rest."""
    values = {
        "name": policy_title(advice.name),
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
    sentences = [first]
    if advice.instead_of:
        sentences.append(Phrase("advice_instead", {"other": policy_title(advice.instead_of)}))
    elif advice.fallback is not None:
        sentences.append(Phrase("advice_fallback"))
    if advice.missing:
        sentences.append(Phrase("advice_more", {"missing": advice.missing}))
    return tuple(sentences)


def policy_title(title: str) -> Phrase:
    """The title of a policy; those that the laboratory made up are ours to translate."""
    return Phrase("policy", {"english": title, "chinese": _CHINESE.chinese(title) or title})


def why_skipped(reason: str) -> Phrase:
    """Why a strategy was not run. The reason is English; Chinese has the variables it says to set."""
    variables = tuple(dict.fromkeys(_VARIABLE.findall(reason)))
    settings = Phrase("skipped_set", {"variables": variables}) if variables else reason
    return Phrase("skipped_why", {"message": reason, "settings": settings})


def problem_sentence(problem: SheetProblem | Problem) -> Phrase:
    """The English sentence, which is ready, and what the Chinese one is made of."""
    where: Phrase | str = ""
    for part in (problem.field, problem.source):
        if part:
            where = Phrase("problem_within", {"what": part, "rest": where})
    chinese = _CHINESE.chinese(problem.message)
    if chinese is not None and problem.source:
        where = Phrase("problem_within", {"what": problem.source, "rest": ""})
    return Phrase(
        f"problem_{problem.kind}" if chinese is None else "problem_said",
        {
            "sentence": problem.sentence,
            "message": problem.message if chinese is None else chinese,
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
