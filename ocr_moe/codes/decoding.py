"""Reading a code off a CTC posterior, bound to a grammar.

A line crop holds more than the code: its label, a neighbour, a seal's text.  So a path through the
time steps *skips* up to the first character of the code, emits the code by the rules of CTC (Graves
et al. 2006), and skips the rest.  Skipping a time step costs nothing where the recogniser sees no
letter or digit there, and `SKIP_COST` where it surely sees one; what is skipped is not read.

`decode` finds the n best codes of a grammar by prefix beam search (Hannun et al. 2014,
arXiv:1408.2873) over the automaton's states; `score` gives the exact log-likelihood of given codes
under a posterior, summed over all their alignments, which is how readings of several views and
recognisers are compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest
from typing import TYPE_CHECKING, Protocol, TypeVar

from ocr_moe.codes import lookalikes
from ocr_moe.codes.grammar import FILLER
from ocr_moe.folds import fold_glyph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ocr_moe.codes.posterior import Posterior

SKIP_COST = 2.5
"""Nats for leaving out a time step that surely holds a letter or digit."""
LOOKALIKE = 0.003
"""How much of a glyph's probability also speaks for each glyph that looks like it."""
FLOOR = 1e-5
"""Least probability of a character at a time step: no recogniser is sure enough to forbid one."""
FILLER_REACH = 6
"""Time steps around a `<` within which there may be more of them than were counted …"""
FILLER_SHARE = 0.3
"""… each with this share of its probability: recognisers miscount them in a row."""
_NEGLIGIBLE = 3e-4  # a character below this is only followed where nothing else is
_LOG_ZERO = -math.inf
_RESCALED = 1e-100
"""Below it probabilities are scaled anew: a step takes at most some e-10 of them."""


S = TypeVar("S")


class Walk(Protocol[S]):
    """The strings that may be read, as a deterministic automaton."""

    @property
    def start(self) -> S: ...

    def moves(self, state: S) -> Mapping[str, S]:
        """Character → next state."""

    def log_weight(self, state: S) -> float | None:
        """Natural-log weight of a string that ends here, None where none does."""


@dataclass(frozen=True)
class Emissions:
    """A posterior, reduced to what a code decoder needs; all arrays are natural logarithms."""

    characters: str
    """The characters that have a column, in order."""
    emit: NDArray[np.float64]
    """(time steps, characters): the character is seen."""
    rest: NDArray[np.float64]
    """(time steps,): nothing of the code is seen (blank, or a separator within the code)."""
    skip: NDArray[np.float64]
    """(time steps,): the step lies outside the code."""


@dataclass(frozen=True)
class Hypothesis:
    """A code of the grammar and its log-likelihood, the variant's weight included."""

    code: str
    logprob: float


def reduce(posterior: Posterior, characters: frozenset[str]) -> Emissions:
    """Fold a recogniser's alphabet into `characters`; time steps are kept.

    Case and full-width forms are folded, lookalikes share `LOOKALIKE` of their probability, and
    whatever is no letter or digit counts as a separator.  The result for a character does not
    depend on which others are asked for, so that scores under different grammars compare.
    """
    import numpy as np

    wanted = "".join(sorted(characters))
    own, alike, readable = _folding(posterior.alphabet, wanted)
    p = posterior.probabilities.astype(np.float64)
    emit = np.clip(p @ own + LOOKALIKE * (p @ alike), FLOOR, 1.0)
    text = np.clip(p @ readable, 0.0, 1.0)
    rest = np.clip(1.0 - text, FLOOR, 1.0)
    skip = rest + text * math.exp(-SKIP_COST)
    if FILLER in wanted:
        _loosen(emit[:, wanted.index(FILLER)], rest)
    return Emissions(wanted, np.log(emit), np.log(rest), np.log(np.minimum(skip, 1.0)))


def _loosen(filler: NDArray[np.float64], rest: NDArray[np.float64]) -> None:
    """Let a run of fillers hold more or fewer of them than the recogniser counted, in place.

    A blank step amid fillers may be one more, and a step of a filler may part two of them.
    """
    import numpy as np

    steps = len(filler)
    near = filler.copy()
    for shift in range(1, min(FILLER_REACH, steps - 1) + 1):
        near[: steps - shift] = np.maximum(near[: steps - shift], filler[shift:])
        near[shift:] = np.maximum(near[shift:], filler[: steps - shift])
    loose = FILLER_SHARE * near * np.clip(rest + filler, 0.0, 1.0)
    parting = np.maximum(rest, np.minimum(loose, filler))
    np.maximum(filler, loose, out=filler)
    rest[:] = parting


def join(parts: Sequence[Emissions]) -> Emissions:
    """One line out of several: a code that runs over two boxes. Same `characters` in all parts."""
    import numpy as np

    return Emissions(
        parts[0].characters,
        np.concatenate([part.emit for part in parts]),
        np.concatenate([part.rest for part in parts]),
        np.concatenate([part.skip for part in parts]),
    )


def free_reading(posterior: Posterior) -> tuple[str, tuple[float, ...]]:
    """What the recogniser reads by itself (the best path), and each character's probability."""
    best = posterior.probabilities.argmax(axis=1)
    text: list[str] = []
    confidences: list[float] = []
    last = 0
    for step, index in enumerate(best.tolist()):
        probability = float(posterior.probabilities[step, index])
        if index and index == last:
            confidences[-1] = max(confidences[-1], probability)
        elif index:
            text.append(posterior.alphabet[index])
            confidences.append(probability)
        last = index
    return "".join(text), tuple(confidences)


def decode(
    emissions: Emissions, automaton: Walk[S], *, beam: int = 24, best: int = 8
) -> list[Hypothesis]:
    """The likeliest strings of the automaton, the likeliest first; empty where none fits.

    `logprob` is the exact log-likelihood of the string under the emissions plus the log-weight of the
    state in which it ends.
    """
    found = _search(emissions, automaton, beam)
    if not found:
        return []
    ranked = sorted(found, key=lambda code: (-found[code][0], code))[: 2 * best]
    exact = score(emissions, ranked)
    hypotheses = [
        Hypothesis(code, exact[i] + found[code][1])
        for i, code in enumerate(ranked)
        if exact[i] > _LOG_ZERO
    ]
    hypotheses.sort(key=lambda h: (-h.logprob, h.code))
    return hypotheses[:best]


def score(emissions: Emissions, codes: Sequence[str]) -> list[float]:
    """Log-likelihood of each code, summed over all its alignments, skips included.

    `-inf` for an empty code, one with a character that has no column, or longer than the line.
    """
    import numpy as np

    if not codes:
        return []
    column = {character: i for i, character in enumerate(emissions.characters)}
    longest = max(1, *(len(code) for code in codes))
    count, steps = len(codes), len(emissions.rest)
    known = np.array([bool(c) and all(x in column for x in c) for c in codes])
    index = np.zeros((count, longest), dtype=np.intp)
    for row, code in enumerate(codes):
        if known[row]:
            index[row, : len(code)] = [column[c] for c in code]
    lengths = np.array([max(len(code), 1) for code in codes])
    repeats = np.zeros((count, longest), dtype=bool)
    repeats[:, 1:] = index[:, 1:] == index[:, :-1]
    skipped = np.concatenate([[0.0], np.cumsum(emissions.skip)])

    # Probabilities, scaled anew at every step to stay within reach of a float (Rabiner 1989, V.A).
    emit, rest = np.exp(emissions.emit)[:, index], np.exp(emissions.rest)
    after = skipped[-1] - skipped
    emitted = np.zeros((count, longest))  # the code's i-th character was seen last
    rested = np.zeros((count, longest))  # a blank after it
    origin = np.empty((count, longest))
    goes_on = np.where(repeats, 0.0, 1.0)
    total = np.full(count, _LOG_ZERO)
    scale = np.zeros(count)
    rows = np.arange(count)
    with np.errstate(divide="ignore"):
        for t in range(steps):
            origin[:, 0] = np.exp(skipped[t] - scale)
            origin[:, 1:] = rested[:, :-1] + goes_on[:, 1:] * emitted[:, :-1]
            rested = (rested + emitted) * rest[t]
            emitted = (origin + emitted) * emit[t]
            ended = emitted[rows, lengths - 1]
            if ended.any():
                total = np.logaddexp(total, np.log(ended) + scale + after[t + 1])
            largest = np.maximum(emitted, rested).max(axis=1)
            if largest.min() < _RESCALED:
                largest[largest <= 0.0] = 1.0
                emitted /= largest[:, None]
                rested /= largest[:, None]
                scale += np.log(largest)
    total[~known] = _LOG_ZERO
    return [float(x) for x in total]


def _search(emissions: Emissions, automaton: Walk[S], beam: int) -> dict[str, tuple[float, float]]:
    """Code → (approximate log-likelihood, log-weight) by prefix beam search."""
    import numpy as np

    skipped_array = np.concatenate([[0.0], np.cumsum(emissions.skip)])
    after: list[float] = (skipped_array[-1] - skipped_array).tolist()
    skipped: list[float] = skipped_array.tolist()
    rest: list[float] = emissions.rest.tolist()
    column = {character: i for i, character in enumerate(emissions.characters)}
    floor = math.log(_NEGLIGIBLE)
    start = automaton.moves(automaton.start)
    # text → (state, log-probability of paths that end in a blank, in the text's last character)
    live: dict[str, tuple[S, float, float]] = {}
    done: dict[str, tuple[float, float]] = {}
    for t, row in enumerate(emissions.emit.tolist()):
        seen = [(c, row[i]) for i, c in enumerate(emissions.characters) if row[i] > floor]
        grown: dict[str, tuple[S, float, float]] = {}
        for text, (state, blank, last) in live.items():
            both = _add(blank, last)
            known = grown.get(text)
            repeated = last + row[column[text[-1]]]
            if known is not None:
                repeated = _add(repeated, known[2])
            grown[text] = (state, both + rest[t], repeated)
            moves = automaton.moves(state)
            for character, p in seen:
                origin = blank if character == text[-1] else both
                following = moves.get(character)
                if following is not None and origin > _LOG_ZERO:
                    _reach(grown, text + character, following, origin + p)
        for character, p in seen:
            following = start.get(character)
            if following is not None:
                _reach(grown, character, following, skipped[t] + p)
        if len(grown) > beam:
            grown = dict(nlargest(beam, grown.items(), key=_likelihood))
        live = grown
        for text, (state, _, last) in live.items():
            weight = automaton.log_weight(state)
            if weight is not None and last > _LOG_ZERO:
                so_far = done[text][0] if text in done else _LOG_ZERO
                done[text] = (max(so_far, last + after[t + 1]), weight)
    return done


def _likelihood(item: tuple[str, tuple[S, float, float]]) -> float:
    """Log-probability of all paths of a text."""
    _, blank, last = item[1]
    return _add(blank, last)


def _reach(grown: dict[str, tuple[S, float, float]], text: str, state: S, logprob: float) -> None:
    """Add a path that has just emitted the last character of `text`."""
    known = grown.get(text)
    if known is None:
        grown[text] = (state, _LOG_ZERO, logprob)
    else:
        grown[text] = (state, known[1], _add(known[2], logprob))


def _add(a: float, b: float) -> float:
    """log(exp a + exp b)"""
    if a < b:
        a, b = b, a
    return a if b == _LOG_ZERO else a + math.log1p(math.exp(b - a))


@lru_cache(maxsize=256)
def _folding(
    alphabet: tuple[str, ...], wanted: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(own, alike, readable): what each character of `alphabet` says of those `wanted`.

    Shapes (alphabet, wanted), (alphabet, wanted) and (alphabet,), of zeros and ones.
    """
    import numpy as np

    column = {character: i for i, character in enumerate(wanted)}
    own = np.zeros((len(alphabet), len(wanted)))
    alike = np.zeros_like(own)
    readable = np.zeros(len(alphabet))
    for row, character in enumerate(alphabet):
        folded = character if character in column else fold_glyph(character)
        if FILLER in column and character:
            if character in lookalikes.FILLERS:
                folded = FILLER
            elif character in lookalikes.LIKE_FILLERS:
                alike[row, column[FILLER]] = 1.0
        readable[row] = folded in column or (folded.isascii() and folded.isalnum())
        if folded in column:
            own[row, column[folded]] = 1.0
        for group in lookalikes.GROUPS:
            if character and (character in group or folded in group):
                for other in {fold_glyph(glyph) for glyph in group} - {folded}:
                    if other in column:
                        alike[row, column[other]] = 1.0
    return own, alike, readable
