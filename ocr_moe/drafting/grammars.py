"""The grammars that codes seem to have: lengths, alphabets, beginnings, and check characters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from ocr_moe.codes.checks import known_checks, passes
from ocr_moe.codes.grammar import DIGITS, LETTERS, CodeGrammar, Segment

_FEW = 0.15
"""Share of the codes that a length must have: others are codes of which a character was lost."""
_LENGTHS = 4
"""Lengths that are told apart; codes of more are of any length between the shortest and the longest."""
_SURE = 3
"""Codes of one length from which a letter that all share is part of the form, and a digit likely …"""
_BY_CHANCE = 3
"""… and from which all passing a check is no chance: one in ten passes most of them."""
_SLIPS = 0.8
"""Share of many codes that pass a check, from which those that do not are taken for misread."""
_MANY = 8
_LONGEST = 64
"""Characters of a code at most: longer ones have no grammar."""
_RUNS = 4
"""Runs of digits and of letters in a code at most."""
_ALIKE = {"0": "digits", "A": "letters", "*": "alphanumeric"}
_NAMELESS = "code"
_CHECK_LENGTHS = {
    "uscc": (18,),
    "cn_id": (18,),
    "mod_11_10": (15,),
    "iso6346": (11,),
    "ean": (8, 13, 14),
    "isbn": (10, 13),
    "imei": (15,),
    "lei": (20,),
    "luhn": (16, 19),
    "iban": tuple(range(15, 35)),
    "mrz_td3": (44,),
    "mrz_td2": (36,),
    "mrz_td1": (60,),
}
"""The checks that are tried, strict ones first, and the lengths that such codes have: a check over codes
of another length that all of a few pass is mostly chance."""


def bare(code: str) -> str:
    """A code's characters as grammars see them."""
    return re.sub(r"[\s\-/.·]", "", code).upper()


def induced(codes: Sequence[str]) -> tuple[CodeGrammar, ...]:
    """The grammars of these codes, the commonest first; none where they have no form in common."""
    known = [text for code in codes if (text := bare(code)) and _is_plain(text)]
    if len(known) < 2 or len(known) < 0.6 * len(codes):
        return ()
    lengths = Counter(map(len, known))
    least = max(2 if len(known) >= _SURE else 1, _FEW * len(known))
    usual = [length for length, count in lengths.most_common() if count >= least]
    if not usual:
        return ()
    if len(usual) > _LENGTHS:
        return (_loose(known),)
    return tuple(_grammar([code for code in known if len(code) == each]) for each in usual)


def _is_plain(text: str) -> bool:
    return len(text) <= _LONGEST and all(char in DIGITS + LETTERS + "<" for char in text)


def _grammar(codes: Sequence[str]) -> CodeGrammar:
    """Of codes of one length."""
    distinct = sorted(set(codes))
    segments = tuple(_segments(distinct))
    check = check_of(distinct)
    return CodeGrammar(name=f"{check or _NAMELESS}_{len(codes[0])}", segments=segments, check=check)


def check_of(codes: Sequence[str]) -> str | None:
    """The known check that the codes pass; None where that may be chance."""
    distinct = set(codes)
    length = len(next(iter(distinct)))
    for name, lengths in _CHECK_LENGTHS.items():
        if name not in known_checks() or length not in lengths:
            continue
        passing = sum(passes(name, code) for code in distinct)
        if passing == len(distinct) >= _BY_CHANCE:
            return name
        if len(distinct) >= _MANY and passing >= _SLIPS * len(distinct):
            return name
    return None


def _segments(codes: Sequence[str]) -> Iterator[Segment]:
    columns = list(zip(*codes, strict=True))
    sure = len(codes) >= _SURE
    shared = [column[0] if sure and len(set(column)) == 1 else "" for column in columns]
    looks = _smoothed([_look(column) for column in columns], len(codes))
    at = 0
    for (look, letter), run in groupby(
        range(len(columns)), key=lambda i: (looks[i], bool(shared[i]) and looks[i] == "A")
    ):
        end = at + len(list(run))
        if letter:
            yield Segment(length=end - at, alphabet="letters", values=("".join(shared[at:end]),))
        elif look == "<":
            yield Segment(length=end - at, alphabet="mrz")
        else:
            head = "".join(_while_shared(shared[at:end]))
            # Of digits alone: that all of a few samples begin alike may be their year's doing.
            likely = (head,) if head and look == "0" else ()
            yield Segment(length=end - at, alphabet=_ALIKE[look], likely=likely)
        at = end


def _smoothed(looks: Sequence[str], codes: int) -> list[str]:
    """The looks of the places, where few codes tell them: after the first place that has letters and
    digits any other may have both, and many changes are chance."""
    mixed = list(looks).index("*") if "*" in looks else len(looks)
    runs = [look for look, _ in groupby(looks)]
    if codes >= _MANY and len(runs) <= _RUNS:
        return list(looks)
    if len(runs) > _RUNS and mixed == len(looks):
        first = len(list(next(groupby(looks))[1]))
        return [*looks[:first], *("*" * (len(looks) - first))]
    return [*looks[:mixed], *("*" * (len(looks) - mixed))]


def _while_shared(characters: Sequence[str]) -> Iterator[str]:
    for character in characters:
        if not character:
            return
        yield character


def _look(column: Sequence[str]) -> str:
    if "<" in column:
        return "<"
    digits = sum(char in DIGITS for char in column)
    if digits == len(column):
        return "0"
    return "*" if digits else "A"


def _loose(codes: Sequence[str]) -> CodeGrammar:
    """Of codes of many lengths."""
    lengths = sorted(map(len, codes))
    look = _look("".join(codes))
    alphabet = "mrz" if look == "<" else _ALIKE[look]
    segment = Segment(length=lengths[0], max_length=lengths[-1], alphabet=alphabet)
    return CodeGrammar(name=_NAMELESS, segments=(segment,))
