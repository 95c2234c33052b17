"""Columns known by what their cells hold: of tables whose headings are missing, cut off or misread.

A column says what its cells are by its shape, its values, its grammars, or its kind; one of plain text
says nothing, and is known by what is left over. Columns of the page and of the schema are matched so
that most cells fit; where others would fit as well, that is told, for then it is a guess.

Pure functions, no pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from ocr_moe.codes.checks import passes
from ocr_moe.reading.candidates import candidate_in
from ocr_moe.reading.grids import looks_of
from ocr_moe.reading.layout import Text
from ocr_moe.schema import Field, Kind

_TOLD = (Kind.DATE, Kind.MONEY)
"""Kinds that say by themselves what a cell looks like."""
_FITS = 0.7
"""Share of a column's cells that fit what the schema says of it, at least: a few are misread."""
_LIKELY = 0.6
"""Plausibility from which a text may be a cell: that of a code with one character misread is."""
CELLS = 3
"""Cells from which it is known what a column holds."""
_PLAIN = 0.4
"""How well words fit a column that says nothing of its cells …"""
_FIGURES = 0.2
"""… and figures: a column of figures mostly says which."""
_AS_WELL = 0.15
"""How much less well others may fit for it to be a guess which is which."""
_OUT_OF_PLACE = 0.05
"""What a column loses that stands elsewhere than in the schema's order."""
_MOST = 12
"""Columns of a page up to which all ways to match them are tried."""

CHECKED, SURE, LEFT_OVER, GUESSED = 0.97, 0.8, 0.6, 0.4
"""How well a column is known: by check characters, by its cells alone, by elimination, or not."""


@dataclass(frozen=True)
class Match:
    """A column of the schema, and which of the page it is."""

    column: str
    place: int
    quality: float


def told(column: Field) -> bool:
    """Whether the schema says of what sort a column's cells are."""
    return bool(column.shape or column.values or column.grammars or column.kind in _TOLD)


def fits(column: Field, text: str) -> bool:
    """Whether a text may be a cell of a column that says of what sort they are."""
    origins = (None,) * len(text)
    candidate = candidate_in(column, Text(text, origins), (0, len(text)), 1.0)
    if candidate is None or (column.shape and not re.search(column.shape, candidate.value)):
        return False
    if column.values and candidate.value not in column.values:
        return False
    strict = column.grammars or column.kind in _TOLD
    return not strict or candidate.plausibility >= _LIKELY


def matched(
    columns: Sequence[Field],
    places: Sequence[Sequence[str]],
    known: Mapping[int, str] | None = None,
) -> list[Match]:
    """Which columns of the schema the columns of a page are, of which `places` are the cells' texts;
    `known` are those that have a heading. Left out are columns that none fits."""
    known = known or {}
    if len(places) > _MOST:
        return []
    fit = [[_fit(column, texts) for texts in places] for column in columns]
    for place, name in known.items():
        for at, column in enumerate(columns):
            for other in range(len(places)):
                if column.name == name:
                    fit[at][other] = 2.0 if other == place else 0.0
                elif other == place:
                    fit[at][other] = 0.0
    chosen = _best(fit)
    doubtful = set(_doubtful(fit, chosen))
    found = []
    for at, place in chosen.items():
        column = columns[at]
        if known.get(place) == column.name:
            continue
        if at in doubtful:
            quality = GUESSED
        elif not told(column):
            quality = LEFT_OVER
        else:
            quality = CHECKED if _checked(column, places[place]) else SURE
        found.append(Match(column.name, place, quality))
    return found


def _fit(column: Field, texts: Sequence[str]) -> float:
    """How well texts fit a column, from 0 to 1; few of them, less well."""
    if not texts:
        return 0.0
    if told(column):
        share = sum(fits(column, text) for text in texts) / len(texts)
        enough = min(1.0, len(texts) / CELLS)
        return share * enough if share >= _FITS else 0.0
    if len(texts) < CELLS:
        return 0.0
    looks = [looks_of(text) for text in texts]
    words = sum(look in ("han", "letters") for look in looks) / len(looks)
    return _PLAIN if words > 0.5 else _FIGURES


def _best(fit: Sequence[Sequence[float]]) -> dict[int, int]:
    """Column → place, so that most fits; each place once."""
    places = len(fit[0]) if fit else 0
    # Best sum, and how it came about, by the set of places that are taken.
    best: dict[int, tuple[float, tuple[tuple[int, int], ...]]] = {0: (0.0, ())}
    for at, row in enumerate(fit):
        following = dict(best)
        for taken, (total, pairs) in best.items():
            for place in range(places):
                if row[place] <= 0.0 or taken >> place & 1:
                    continue
                away = abs((at + 0.5) / len(fit) - (place + 0.5) / places)
                sum_ = total + row[place] - _OUT_OF_PLACE * away
                key = taken | 1 << place
                if key not in following or following[key][0] < sum_:
                    following[key] = (sum_, (*pairs, (at, place)))
        best = following
    return dict(max(best.values(), key=lambda each: each[0])[1])


def _doubtful(fit: Sequence[Sequence[float]], chosen: Mapping[int, int]) -> Iterator[int]:
    """Columns that another place would fit as well."""
    places = range(len(fit[0]) if fit else 0)
    for at, place in chosen.items():
        free = [other for other in places if other not in chosen.values()]
        if any(fit[at][other] >= fit[at][place] - _AS_WELL for other in free):
            yield at
        for other, row in enumerate(fit):
            if other not in chosen and row[place] >= fit[at][place] - _AS_WELL:
                yield at
    for (a, x), (b, y) in combinations(chosen.items(), 2):
        crossed = fit[a][y] + fit[b][x]
        if min(fit[a][y], fit[b][x]) > 0.0 and crossed >= fit[a][x] + fit[b][y] - _AS_WELL:
            yield a
            yield b


def _checked(column: Field, texts: Sequence[str]) -> bool:
    """Whether check characters say that most texts are the column's codes."""
    checks = [grammar.check for grammar in column.grammars if grammar.check]
    right = sum(any(passes(check, text.upper()) for check in checks) for text in texts)
    return 2 * right > len(texts)
