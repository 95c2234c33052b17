"""Codes as printed on a page: numbers of certificates, licences, registrations.

The beliefs are judgements, on a scale from 0 (cannot be) to 1 (just what one expects). For the figures
in brackets see `ocr_moe.reading.candidates`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ocr_moe.codes.grammar import FILLER, CodeGrammar
from ocr_moe.codes.lookalikes import SURE_DIGIT_OF
from ocr_moe.folds import has_cjk
from ocr_moe.schema import Field
from ocr_moe.values.printed import EDGES, Part, clean_text

_CODE_PREFIX = re.compile(r"^(?:NO|№|编号|证书编号|证书号|号)[.:：\s]*(?=[A-Z0-9])", re.IGNORECASE)
_ALNUM_RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z\s.·-]*[0-9A-Za-z]")
_STRAY = 2
"""Stray characters at the ends of a code that are forgiven. [half −1]"""


def parse_code(field: Field, text: str) -> str | None:
    """The code's characters, without its label; capitals where the field has grammars."""
    for label in field.labels:
        head = clean_text(label)
        if text.startswith(head) and len(text) > len(head):
            text = text[len(head) :]
            break
    text = _CODE_PREFIX.sub("", re.sub(r"\s", "", text).strip(EDGES))
    if field.grammars:
        text = text.upper()
        if not has_cjk(text):
            kept = FILLER if any(FILLER in grammar.characters for grammar in field.grammars) else ""
            text = "".join(char for char in text if char.isalnum() or char in kept)
    return text.strip(EDGES + "-/") or None


def same_code(a: str, b: str) -> bool:
    return _bare(a) == _bare(b)


# Belief that a text is a code of its field; 1 where a grammar and its check agree.
_UNCHECKED = 0.9
"""Of a grammar that has no check. [half −1]"""
_CHECK_FAILED = 0.7
"""Of a grammar whose check disagrees: a character is misread, or the code was issued wrong."""
_NO_GRAMMAR = 0.3
"""Of no grammar: too many characters are misread or lost …"""
_NO_GRAMMAR_SHORT = 0.1
"""… or it is something else, being shorter …"""
_SHORT = 5
"""… than this."""
_OF_A_FORM = 0.6
"""Of one of the field's further forms, which are looser than a grammar."""
_NUMBERLIKE = 0.8
"""Of a field without grammars: what has four characters and more …"""
_DIGITS = 0.4
"""… of which this share are digits."""
_UNLIKE_A_CODE = 0.4


def code_belief(field: Field, value: str) -> float:
    if field.grammars:
        matching = [grammar for grammar in field.grammars if grammar.matches(value)]
        if not matching and any(re.fullmatch(form, value) for form in field.forms):
            return _OF_A_FORM
        if not matching:
            return _NO_GRAMMAR if len(value) >= _SHORT else _NO_GRAMMAR_SHORT
        checks = [grammar.checks(value) for grammar in matching]
        if any(checks):
            return 1.0
        return _CHECK_FAILED if all(check is False for check in checks) else _UNCHECKED
    digits = sum(char.isdigit() for char in value)
    likely = len(value) >= 4 and digits >= _DIGITS * len(value)
    return _NUMBERLIKE if likely else _UNLIKE_A_CODE


# Merit of a run of letters and digits: which of several the code is. Only their order matters.
_MERIT_OF_CHECK = {True: 2.0, None: 1.0, False: 0.5}
"""By what the check of a grammar says; None: it has none."""
_MERIT_OF_LENGTH = 0.01
"""For each character: of runs that are alike, the longest …"""
_ROUGH = 20
"""… of runs of no grammar up to so many, so that they stay below any with one."""
_MERIT_OF_FORM = 0.3
"""Of one of the field's further forms: more than a run of no grammar, less than one with."""
_DEMERIT_OF_TWINS = 0.1
"""Where letters were read as the digits they resemble."""


def find_code(field: Field, text: str) -> Part | None:
    """The run of letters and digits that fits a grammar of the field best, else the longest."""
    best: tuple[float, Part] | None = None
    for form in field.forms:
        if match := re.search(form, text, re.IGNORECASE):
            best = (_MERIT_OF_FORM, Part(match.start(), match.end(), match.group()))
            break
    for match in _ALNUM_RUN.finditer(text):
        places = [i for i in range(*match.span()) if text[i].isalnum()]
        string = "".join(text[i] for i in places).upper()
        rough = _MERIT_OF_LENGTH * min(len(string), _ROUGH)
        options = [(rough, Part(match.start(), match.end(), match.group()))]
        for grammar in field.grammars:
            for good, start, code in _grammatical(grammar, string):
                end = places[start + len(code) - 1] + 1
                options.append((good, Part(places[start], end, code)))
        chosen = max(options, key=lambda option: option[0])
        if best is None or chosen[0] > best[0]:
            best = chosen
    return None if best is None else best[1]


def _grammatical(grammar: CodeGrammar, string: str) -> Iterator[tuple[float, int, str]]:
    """(merit, start, code) of what fits the grammar in a run of letters and digits.

    A letter that the grammar lacks is read as the digit it resembles.  A part of a run counts only
    where a check vouches for it.
    """
    for length in range(min(grammar.longest, len(string)), grammar.shortest - 1, -1):
        if len(string) - length > _STRAY:
            continue
        for start in range(len(string) - length + 1):
            printed = string[start : start + length]
            code = "".join(
                char if char in grammar.characters else SURE_DIGIT_OF.get(char, char)
                for char in printed
            )
            if not grammar.matches(code):
                continue
            passed = grammar.checks(code)
            if length < len(string) and not passed:
                continue
            merit = _MERIT_OF_CHECK[passed] - (_DEMERIT_OF_TWINS if code != printed else 0.0)
            yield merit + _MERIT_OF_LENGTH * length, start, code


def _bare(text: str) -> str:
    return "".join(char for char in text if char.isalnum()).upper()
