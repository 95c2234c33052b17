"""From a value as it was read to the value as it is written down, and when two of them are the same.

One function for readings, truth and predictions alike, so that nobody is compared with a ruler of
his own.  What each kind becomes is fixed by the field's schema and nothing else.
"""

from __future__ import annotations

import unicodedata

from ocr_moe.folds import fold_value
from ocr_moe.schema import Field
from ocr_moe.values.kinds import kind_of
from ocr_moe.values.printed import clean_text


def normalize(field: Field, raw: str) -> str | None:
    """The value of `raw` as `field` writes it down, or None when it holds none.

    text, person, organisation, money: NFKC without spaces between CJK characters, else as printed.
    date: ISO 8601.  enum: one of the field's values.  code: characters only.
    """
    text = clean_text(raw)
    value = kind_of(field).parse(field, text) if text else None
    # Taking spaces out may have brought a letter and its accent together.
    return unicodedata.normalize("NFC", value) if value else None


def equal(field: Field, a: str, b: str) -> bool:
    """Whether two values say the same, after normalisation.

    Beyond identity: money by amount (and currency, where both name one), ranges of dates by their
    dates, and Chinese text without regard to spaces, kinds of dash, dot and quotation mark.
    """
    left, right = normalize(field, a), normalize(field, b)
    if left is None or right is None:
        return left is right and fold_value(clean_text(a)) == fold_value(clean_text(b))
    return left == right or kind_of(field).same(left, right)


def same(field: Field, one: str | None, other: str | None) -> bool:
    """Whether two answers say the same: values as `equal` has it, and None (absent) only None."""
    if one is None or other is None:
        return one is other
    return equal(field, one, other)
