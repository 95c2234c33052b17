"""The blind share: which sure cells are shown without their value, and what they say of confidence."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from ocr_moe.reviewing.queue import CellKey

_FACTORS = (2.0, 4.0, 8.0, 16.0, 32.0)
"""How many times more often than stated a cell may be wrong: the alternatives that are bet on."""
_MOST = 0.5
"""Chance to be wrong that no alternative goes beyond, as long as the stated one does not."""
_LEAST = 1e-6
"""Stated chance to be wrong below which none is believed: a confidence of 1 cannot be tested."""


def blind_order(keys: Sequence[CellKey], seed: str) -> NDArray[np.int64]:
    """Indices of the keys in a random order without replacement.

    The order is that of BLAKE2b over seed and key, as when the ballots of a risk-limiting audit are
    drawn by a hash of their number: whoever knows the seed can repeat it, a restart goes on where it
    was, and where a cell comes has nothing to do with whether it is right.  There are no strata: the
    certificate is about one population, and every cell of it comes next with the same chance.
    """
    salt = blake2b(seed.encode(), digest_size=16).digest()
    ranks = [int.from_bytes(blake2b(_name(key), digest_size=8, key=salt).digest()) for key in keys]
    return np.argsort(np.array(ranks, dtype=np.uint64), kind="stable").astype(np.int64)


def _name(key: CellKey) -> bytes:
    """One name a cell; paths are those of the file system, which need not be text."""
    return "\0".join([*map(str, key.document), key.field]).encode("utf-8", "surrogatepass")


def evidence_against(stated: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    """Evidence (an e-value) that cells are wrong more often than stated; shapes (cells,).

    The likelihood ratio of "so many times more often", mixed over factors, against cells that are
    wrong independently with their `stated` chance: under that it reaches 1/α at any time with a chance
    of at most α (Ville 1939), so it may be looked at after every cell.
    """
    if not len(stated):
        return 1.0
    risk = np.maximum(stated, _LEAST)
    ratios = []
    for factor in _FACTORS:
        worse = np.maximum(risk, np.minimum(factor * risk, _MOST))
        likely = np.where(wrong, worse / risk, (1.0 - worse) / np.maximum(1.0 - risk, _LEAST))
        ratios.append(np.log(np.maximum(likely, 1e-300)).sum())
    highest = max(ratios)
    return float(np.exp(min(highest, 700.0)) * np.mean(np.exp(np.array(ratios) - highest)))
