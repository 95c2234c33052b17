"""What a line recogniser saw, before anybody decided what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OTHER = "\ufffd"
"""The character that stands for "some text that is none of the alphabet"; in a posterior's alphabet
always the last one."""


@dataclass(frozen=True)
class Posterior:
    """Per-timestep output of a CTC recogniser for one line crop.

    `probabilities` has shape (time steps, characters), rows sum to 1; column 0 is the CTC blank and
    column i is `alphabet[i]` (`alphabet[0]` is the empty string).
    """

    probabilities: NDArray[np.float32]
    alphabet: tuple[str, ...]
    reach: float = 1.0
    """Width of what the time steps cover, in widths of the crop: above 1 where it was padded."""
