"""Sums that a page gives twice, before and after they were rounded to what coins can pay."""

from __future__ import annotations

import re
from decimal import Decimal

from ocr_moe.reading.layout import PageLayout
from ocr_moe.values.amounts import parse_amount

_MOST = Decimal("0.05")
"""What rounding adds or takes at most, where the smallest coin is a tenth of the currency's unit."""
_WITH_CENTS = re.compile(r"(?<![\d.,])-?(?:\d[\d,]*)?\.\d{2}(?!\d|\s*[%％])")


def rounded_otherwise(layout: PageLayout, value: str) -> str | None:
    """The amount, as printed, that is `value` rounded or from which it was rounded; None without one.

    The page prints all three: an amount, a few cents, and their sum.
    """
    amount = parse_amount(value)
    if amount is None:
        return None
    printed: dict[Decimal, str] = {}
    for row in layout.rows:
        for piece in row:
            for match in _WITH_CENTS.finditer(piece.text):
                printed.setdefault(Decimal(match[0].replace(",", "")), match[0])
    steps = {abs(cents) for cents in printed if 0 < abs(cents) <= _MOST}
    others = (amount.value + sign * step for step in sorted(steps) for sign in (1, -1))
    return next((printed[other] for other in others if other > _MOST and other in printed), None)
