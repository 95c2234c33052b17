"""What a line recogniser of PP-OCR is shown, and what its classes mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocr_moe.engines.networks import Network, Normalisation
from ocr_moe.errors import EngineError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]

NORMALISATION = Normalisation(mean=(127.5,) * 3, scale=(127.5,) * 3)
HEIGHT = 48
"""Pixels of a line as PP-OCR is shown it."""
CENTRED = 128
"""The value of a pixel that is next to nothing to the network: what lines are padded with."""
SHORTEST = 320
"""Pixels to which a line is padded at least: PP-OCR is trained on such."""
SHORT_BATCH = 4
"""Lines of that width that are read at once: alone they take nearly twice the time, for the network's
weights are larger than its work on so few pixels. Longer ones gain nothing."""
_STEP, _WIDE_STEP = 64, 128
"""Pixels to whose multiples lines are padded, short ones and wide ones: for every new width some 50 ms
go by until the network's kernels are made."""
_WIDE = 640
_LONGEST = 4096
"""Pixels; a wider line is squeezed, so that memory stays bounded."""


def line_pixels(crop: Images, height: int, stretch: float = 1.0) -> Images:
    """A crop, (rows, columns, 3), at the given height, `stretch` times wider than it is.

    Shrinking averages over the pixels (a thin stroke must not fall between two samples), growing
    interpolates linearly.
    """
    import cv2
    import numpy as np

    rows, columns = crop.shape[:2]
    width = min(max(math.ceil(stretch * height * columns / rows), 8), _LONGEST)
    method = cv2.INTER_AREA if rows > 2 * height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (width, height), interpolation=method), dtype=np.uint8)


def padded_width(width: int) -> int:
    """Pixels of what a line of `width` pixels is shown in."""
    step = _STEP if width <= _WIDE else _WIDE_STEP
    return max(SHORTEST, math.ceil(width / step) * step)


def padded(lines: Sequence[Images], width: int) -> Images:
    """Lines as they are shown to the network together, (lines, height, width, 3), each at the left."""
    import numpy as np

    shown = np.full((len(lines), HEIGHT, width, 3), CENTRED, np.uint8)
    for row, line in zip(shown, lines, strict=True):
        row[:, : line.shape[1]] = line
    return shown


@dataclass(frozen=True)
class Alphabet:
    """The characters of a recogniser's classes."""

    characters: tuple[str, ...]
    """By class; the first is the blank."""

    def spell(
        self, classes: NDArray[np.int64], probabilities: NDArray[np.float32]
    ) -> tuple[str, float]:
        """The text that the likeliest classes of the time steps come to (best path, Graves et al. 2006),
        and the mean probability of its characters."""
        import numpy as np

        kept = classes != 0
        kept[1:] &= classes[1:] != classes[:-1]
        if not kept.any():
            return "", 0.0
        text = "".join(self.characters[index] for index in classes[kept])
        return text, float(np.mean(probabilities[kept]))


def alphabet_of(file: Path, network: Network) -> Alphabet:
    """Of a PP-OCR recogniser: the blank, the characters, and the space where the network has one more
    class.

    They stand in an `inference.yml` beside the file, else in its metadata. Raises EngineError.
    """
    described = file.with_name("inference.yml")
    if described.is_file():
        characters = _listed(described)
    else:
        try:
            characters = network.metadata["character"].split("\n")
        except KeyError:
            raise EngineError(f"{file} carries no alphabet, and there is no {described}") from None
    classes = ("", *characters)
    if network.classes == len(classes) + 1:
        classes = (*classes, " ")
    if network.classes != len(classes):
        raise EngineError(
            f"{file}: the model has {network.classes} classes, its alphabet {len(classes)}"
        )
    return Alphabet(classes)


def _listed(path: Path) -> Sequence[str]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [str(character) for character in content["PostProcess"]["character_dict"]]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise EngineError(f"{path} gives no alphabet: {error}") from error
