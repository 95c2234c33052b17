"""Where in a line its characters stand: those of a known code, and those that are read freely.

A code is aligned by force: the likeliest path (Viterbi 1967) through the time steps under the rules
by which `ocr_moe.codes.decoding` reads, with skips before and after it and blanks within.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocr_moe.codes.decoding import Emissions
    from ocr_moe.codes.finding import Strip
    from ocr_moe.codes.posterior import Posterior


def glyphs(posterior: Posterior) -> tuple[tuple[int, str], ...]:
    """(time step, character) of what the recogniser reads by itself: its best path."""
    best = posterior.probabilities.argmax(axis=1).tolist()
    return tuple(
        (step, posterior.alphabet[index])
        for step, index in enumerate(best)
        if index and (step == 0 or best[step - 1] != index)
    )


@dataclass(frozen=True)
class Row:
    """A strip as a recogniser saw it."""

    strip: Strip
    steps: int
    reach: float
    """See `ocr_moe.codes.posterior.Posterior`."""
    glyphs: tuple[tuple[int, str], ...]
    """What was read there freely, see `glyphs`."""


@dataclass(frozen=True)
class Spelled:
    """The characters of a code that stand on one strip, and what is read there freely.

    Positions are in widths of the strip's crop, its ends (`before`, `after`) included.
    """

    strip: Strip
    middles: tuple[float, ...]
    """Of the code's characters, in order."""
    glyphs: tuple[tuple[float, str], ...]


def row_of(strip: Strip, posterior: Posterior) -> Row:
    """The strip with the posterior of its crop."""
    return Row(strip, len(posterior.probabilities), posterior.reach, glyphs(posterior))


def spell(emissions: Emissions, rows: Sequence[Row], code: str) -> list[Spelled]:
    """The code on the strips over which it runs; empty where the emissions cannot hold it.

    `emissions` are those of the rows one after the other.
    """
    steps = align(emissions, code)
    if steps is None:
        return []
    spelled: list[Spelled] = []
    start = 0
    for row in rows:
        end = start + row.steps

        def placed(step: int, start: int = start, row: Row = row) -> float:
            return (step - start + 0.5) / row.steps * row.reach

        middles = tuple(placed(step) for step in steps if start <= step < end)
        if middles:
            read = tuple((placed(start + step), glyph) for step, glyph in row.glyphs)
            spelled.append(Spelled(row.strip, middles, read))
        start = end
    return spelled


def align(emissions: Emissions, code: str) -> tuple[int, ...] | None:
    """For each character the time step at which it is seen best.

    None for an empty code, one with a character that has no column, or longer than the line.
    """
    import numpy as np

    column = {character: i for i, character in enumerate(emissions.characters)}
    if not code or any(character not in column for character in code):
        return None
    emit = emissions.emit[:, [column[character] for character in code]]
    repeated = np.array([False, *(a == b for a, b in pairwise(code))])
    steps, length = emit.shape
    skipped = np.concatenate([[0.0], np.cumsum(emissions.skip)])
    # States of a time step: character i was seen last (row 0), or a blank after it (row 1).
    best = np.full((2, length), -math.inf)
    came = np.zeros((steps, 2, length), dtype=np.int8)  # 0 stay, 1 blank after, 2 next, 3 begin
    ends = np.empty(steps)
    for t in range(steps):
        begun = np.full(length, -math.inf)
        begun[0] = skipped[t]
        after_character = np.full(length, -math.inf)
        after_character[1:] = np.where(repeated[1:], -math.inf, best[0, :-1])
        after_blank = np.full(length, -math.inf)
        after_blank[1:] = best[1, :-1]
        ways = np.stack([best[0], after_blank, after_character, begun])
        seen = ways.max(axis=0) + emit[t]
        came[t, 0] = ways.argmax(axis=0)
        rested = best.max(axis=0) + emissions.rest[t]
        came[t, 1] = best.argmax(axis=0)
        best = np.stack([seen, rested])
        ends[t] = best[0, -1] + skipped[-1] - skipped[t + 1]
    if not math.isfinite(ends.max()):
        return None
    step, row, at = int(ends.argmax()), 0, length - 1
    runs: list[list[int]] = [[] for _ in code]
    while step >= 0:
        way = int(came[step, row, at])
        if row == 0:
            runs[at].append(step)
            if way == 3:
                break
            if way:
                at, row = at - 1, 1 if way == 1 else 0
        else:
            row = way
        step -= 1
    return tuple(max(run, key=lambda t: emit[t, i]) for i, run in enumerate(runs))
