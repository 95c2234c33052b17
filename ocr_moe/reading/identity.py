"""Whether two values of a code or of a person's name can be one, misread, or are of two documents."""

from __future__ import annotations

from rapidfuzz.distance import Indel

from ocr_moe.folds import has_cjk
from ocr_moe.schema import Field, Kind

_CODES_ALIKE = 0.9
"""Similarity of two codes of one length from which they are one, misread: of 18 digits one differs."""
_NAMES_ALIKE = 0.55
"""The same of names: of three characters two are equal."""


def differs(field: Field, one: str, other: str) -> bool:
    """Whether the values are of two documents.  A name in Chinese and one in Latin letters are not:
    they may be one person's."""
    if one == other:
        return False
    alike = Indel.normalized_similarity(one, other)
    if field.kind is Kind.CODE:
        return len(one) != len(other) or alike < _CODES_ALIKE
    return has_cjk(one) == has_cjk(other) and alike < _NAMES_ALIKE
