"""How believable a text is as the value of a field: by its kind and by what its schema says."""

from __future__ import annotations

import re

from ocr_moe.schema import Field
from ocr_moe.values.kinds import kind_of

_MISSHAPEN = 0.5
"""Factor for a value without the `shape` that its field's schema describes. [twice −1; see
`ocr_moe.reading.candidates`]"""


def plausibility(field: Field, value: str) -> float:
    """0 (cannot be) to 1 (just what one expects) for a normalised value of `field`."""
    if not value or (field.reject and re.search(field.reject, value)):
        return 0.0
    belief = kind_of(field).belief(field, value)
    if field.shape and not re.search(field.shape, value):
        belief *= _MISSHAPEN
    return belief
