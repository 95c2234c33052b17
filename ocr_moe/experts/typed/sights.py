"""What a line recogniser saw where a value stands: the span cut out of the posteriors of its lines.

A crop holds more than the value, so the crop's own free reading is laid beside what page OCR read
there (by edits), and the time steps of the value follow.  Around them the neighbours' time steps are
kept: there, a string may begin earlier or end later than page OCR had it, and whatever it leaves out
counts as read the likeliest way.  Within the span leaving out costs `SKIP_COST` a character.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from rapidfuzz.distance import Levenshtein

from ocr_moe.codes.decoding import Emissions, Hypothesis, decode, join, score
from ocr_moe.codes.posterior import OTHER, Posterior
from ocr_moe.folds import has_cjk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SKIP_COST = 16.0
"""Nats for leaving out of the value a time step that surely holds a character: as much as for taking it
for one that the recogniser excludes."""
FLOOR = 1e-7
"""Least probability of a character at a time step."""
_NEIGHBOURS = 2
"""Characters of the neighbours around a span that a string may reach into."""


@dataclass(frozen=True)
class Expected:
    """What page OCR read on one line: the value's part and its neighbours in the crop."""

    before: str
    span: str
    after: str

    def without_marks(self, marks: frozenset[str] | None) -> Expected:
        """Of marks only those given, None standing for all."""
        if marks is None:
            return self
        return Expected(
            *(
                "".join(each for each in part if each.isalnum() or each in marks)
                for part in (self.before, self.span, self.after)
            )
        )


@dataclass(frozen=True)
class Sight:
    """One view of a place; strings are scored under it."""

    free: str
    """The likeliest string of the span, without any language."""
    confidence: float
    """Mean probability of the free reading's characters; 0 where it has none."""
    inner: Emissions
    """The span's time steps."""
    outer: Emissions
    """The same with the neighbours' around it."""

    def best(self, beam: int, count: int) -> list[Hypothesis]:
        """The likeliest strings of the span, the likeliest first."""
        return decode(self.inner, _AnyText(self.inner.characters), beam=beam, best=count)

    def scores(self, strings: Sequence[str]) -> list[float]:
        """Log-likelihood of each string over all its alignments; -inf where it has none."""
        missing = sorted(set("".join(strings)) - set(self.outer.characters))
        return score(_with_columns(self.outer, "".join(missing)), strings)


class _AnyText:
    """Every string over some characters."""

    start = 0

    def __init__(self, characters: str) -> None:
        self._moves = dict.fromkeys(characters, 0)

    def moves(self, state: int) -> Mapping[str, int]:
        return self._moves

    def log_weight(self, state: int) -> float | None:
        return 0.0


@dataclass(frozen=True)
class _Read:
    """A character of the likeliest path, and the time steps that show it."""

    character: str
    first: int
    last: int
    probability: float


def sight(
    posteriors: Sequence[Posterior], expected: Sequence[Expected], fold: Callable[[str], str]
) -> Sight | None:
    """What the crops of a value's lines show of it; None where nothing is read at its place.

    `fold` writes single characters as the page writes them (see `ocr_moe.values.hanzi.folding`).
    """
    whole = "".join(part.span for part in expected)
    spaced = not has_cjk(whole)
    marks = None if spaced or any(map(str.isdigit, whole)) else _MARKS | frozenset(whole)
    columns = _columns([posterior.alphabet for posterior in posteriors], fold, spaced, marks)
    parts = []
    for posterior, part in zip(posteriors, expected, strict=True):
        table = _Table.of(posterior, columns, fold)
        path = table.path()
        start, end = _located(path, part.without_marks(marks))
        if start == end:
            return None
        parts.append((table, path, start, end))
    inner, outer = [], []
    read: list[_Read] = []
    for index, (table, path, start, end) in enumerate(parts):
        first, last = _edge(path, start, table.steps), _edge(path, end, table.steps)
        from_ = _edge(path, max(start - _NEIGHBOURS, 0), table.steps) if index == 0 else first
        until = last
        if index == len(parts) - 1:
            until = _edge(path, min(end + _NEIGHBOURS, len(path)), table.steps)
        inner.append(table.emissions(first, last, first, last))
        outer.append(table.emissions(from_, until, first, last))
        read += path[start:end]
    probabilities = [each.probability for each in read]
    return Sight(
        free="".join(each.character for each in read),
        confidence=sum(probabilities) / len(probabilities),
        inner=join(inner),
        outer=join(outer),
    )


_MARKS = frozenset("()·、")
"""Marks that may stand within a Chinese name; any other counts as a gap in it."""


def _columns(
    alphabets: Sequence[Sequence[str]],
    fold: Callable[[str], str],
    spaced: bool,
    marks: frozenset[str] | None,
) -> dict[str, int]:
    """The characters that strings are made of; of marks only those given, None standing for all."""
    characters = sorted(
        {
            folded
            for alphabet in alphabets
            for character in alphabet
            if (folded := _folded(character, fold))
            and (spaced or folded != " ")
            and (marks is None or folded.isalnum() or folded in marks)
        }
    )
    return {character: index for index, character in enumerate(characters)}


@lru_cache(maxsize=65536)  # alphabets are long, and of a few thousand characters
def _folded(character: str, fold: Callable[[str], str]) -> str:
    """As the page's layout writes it; empty for the blank and for what is no known character."""
    if character in ("", OTHER):
        return ""
    normal = unicodedata.normalize("NFKC", character)
    return fold(normal) if len(normal) == 1 else character


@dataclass(frozen=True)
class _Table:
    """A posterior over folded characters; all arrays are probabilities."""

    characters: str
    emit: NDArray[np.float64]
    """(time steps, characters)"""
    rest: NDArray[np.float64]
    """(time steps,): nothing is seen."""

    @classmethod
    def of(
        cls, posterior: Posterior, columns: Mapping[str, int], fold: Callable[[str], str]
    ) -> _Table:
        import numpy as np

        p = posterior.probabilities.astype(np.float64)
        emit = np.zeros((len(p), len(columns)))
        rest = p[:, 0].copy()
        for index, character in enumerate(posterior.alphabet):
            folded = _folded(character, fold)
            if folded in columns:
                emit[:, columns[folded]] += p[:, index]
            elif folded and not folded.isalnum():
                rest += p[:, index]
        return cls("".join(columns), emit, rest)

    @property
    def steps(self) -> int:
        return len(self.rest)

    def path(self) -> list[_Read]:
        """The likeliest character of every time step, runs of one merged."""
        found: list[_Read] = []
        last = -1
        for step in range(self.steps):
            column = int(self.emit[step].argmax()) if len(self.characters) else -1
            p = float(self.emit[step, column]) if column >= 0 else 0.0
            if p <= self.rest[step]:
                column = -1
            elif column == last:
                before = found.pop()
                p = max(p, before.probability)
                found.append(_Read(before.character, before.first, step, p))
            else:
                found.append(_Read(self.characters[column], step, step, p))
            last = column
        return found

    def emissions(self, from_: int, until: int, first: int, last: int) -> Emissions:
        """The time steps `from_` to `until`, of which `first` to `last` are the span's own."""
        import numpy as np

        emit = np.clip(self.emit[from_:until], FLOOR, 1.0)
        rest = np.clip(self.rest[from_:until], FLOOR, 1.0)
        likeliest = np.maximum(emit.max(axis=1, initial=FLOOR), rest)
        inside = np.zeros(until - from_)
        inside[first - from_ : last - from_] = SKIP_COST
        skip = np.log(likeliest) - inside * (1.0 - rest)
        return Emissions(self.characters, np.log(emit), np.log(rest), skip)


def _located(path: Sequence[_Read], part: Expected) -> tuple[int, int]:
    """The characters of the path that stand where page OCR read the span."""
    whole = part.before + part.span + part.after
    read = "".join(each.character for each in path)
    start, end = len(part.before), len(part.before) + len(part.span)
    begins, ends = 0, len(read)
    for op in Levenshtein.opcodes(whole, read):
        if op.src_start <= start < op.src_end or (op.src_start == op.src_end == start):
            begins = min(op.dest_start + (start - op.src_start), op.dest_end)
            break
    for op in reversed(list(Levenshtein.opcodes(whole, read))):
        if op.src_start < end <= op.src_end or (op.src_start == op.src_end == end):
            ends = min(op.dest_start + (end - op.src_start), op.dest_end)
            if op.src_start == op.src_end:
                ends = op.dest_end
            break
    return (begins, ends) if begins < ends else (0, 0)


def _edge(path: Sequence[_Read], index: int, steps: int) -> int:
    """The time step at which the characters from `index` on begin: half-way from the one before."""
    if index <= 0:
        return 0
    if index >= len(path):
        return steps
    return (path[index - 1].last + path[index].first + 1) // 2


def _with_columns(emissions: Emissions, characters: str) -> Emissions:
    """With a column each for further characters, of which the recogniser saw nothing."""
    import numpy as np

    if not characters:
        return emissions
    unseen = np.full((len(emissions.rest), len(characters)), math.log(FLOOR))
    return Emissions(
        emissions.characters + characters,
        np.concatenate([emissions.emit, unseen], axis=1),
        emissions.rest,
        emissions.skip,
    )
