"""What a person may say, checked before it is written down."""

from __future__ import annotations

from ocr_moe.errors import UsageError
from ocr_moe.reviewing.checking import held
from ocr_moe.schema import Field
from ocr_moe.types import Box

_LEAST = 0.05
"""Share of a page's width and height that a document on it has at least: a bank card on an A4 scan has
0.3."""
_LONGEST_NAME = 200


def value_of(field: Field, value: str) -> str:
    """What a person typed, as the field holds it. Raises UsageError for what it cannot hold."""
    found = held(field, value)
    if found is None:
        raise UsageError(f"{field.name}: {value!r} is no {field.kind.value}")
    return found


def subject_name(name: str) -> str:
    """A subject's name in one line. Raises UsageError for an empty or endless one."""
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME:
        raise UsageError(f"a subject's name has 1 to {_LONGEST_NAME} characters, not {len(name)}")
    return name


def region_of(region: Box) -> Box:
    """A region to the five places that the store keeps. Raises UsageError for none."""
    x0, y0, x1, y1 = (round(side, 5) for side in region)
    if not (x0 >= 0 and x0 + _LEAST <= x1 <= 1 and y0 >= 0 and y0 + _LEAST <= y1 <= 1):
        raise UsageError(
            f"a document's place on its page is a box of at least {_LEAST:.0%} each way within the "
            f"page, not {x0:.0%}–{x1:.0%} by {y0:.0%}–{y1:.0%}"
        )
    return x0, y0, x1, y1
