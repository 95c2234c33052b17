"""The language of amounts of money: figures with their marks, and numerals as contracts write them.

Chinese numerals have an order of units that a misread one breaks: 伍给万元 is no amount, 伍拾万元 is.
What stands where a numeral must be competes with every numeral. An amount that the page prints twice
(注册资本 and 实收资本, in words and in figures) is likelier than one that it prints once.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from ocr_moe.experts.typed.language import Context, Language
from ocr_moe.schema import Field
from ocr_moe.values.amounts import parse_amount
from ocr_moe.values.normalize import normalize
from ocr_moe.values.plausible import plausibility

_NUMERALS = "零壹贰叁肆伍陆柒捌玖拾佰仟万亿"
_D = "[壹贰叁肆伍陆柒捌玖一二三四五六七八九两]"
_BELOW_WAN = (
    rf"(?:{_D}[仟千])?(?:零?{_D}[佰百])?(?:零?{_D}?[拾十]{_D}?|零{_D}|{_D}(?![仟千佰百拾十]))?零?"
)
_WORDS = rf"(?:{_BELOW_WAN}[亿億])?(?:{_BELOW_WAN}[万萬])?{_BELOW_WAN}"
_FIGURES = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?[十百千拾佰仟]?[万亿]?"
_CURRENCY = r"人民币|美元|美金|港元|港币|欧元|日元|英镑|RMB|CNY|USD|[¥$€£]"
_WELL_FORMED = re.compile(
    rf"^[(]?(?:{_CURRENCY})?[)]?:?(?P<number>{_FIGURES}|(?={_NUMERALS[0]}|{_D}|[拾十]){_WORDS})"
    rf"(?:[元圆](?:{_D}角)?(?:零?{_D}分)?)?[整正]?(?:[(]?(?:{_CURRENCY})[)]?)?$"
)
_MONEY = re.compile(
    rf"[\d.,:()¥$€£{_NUMERALS}一二三四五六七八九十百千元圆整正角分人民币美金港欧日英镑]"
)

_MALFORMED = -4.0
"""Natural-log prior of an amount whose numerals are in no order."""
_UNCONFIRMED = -0.5
"""Of one that stands on the page once, where another stands there twice."""
_MOST_ODD = 2
"""Characters that are none of an amount's, up to which numerals are tried in their places."""
_IMPLAUSIBLE = 1e-3


class Amounts(Language):
    """Amounts of money, weighed by their form and by the other amounts of the page."""

    def __init__(self, field: Field, context: Context) -> None:
        self._field = field
        amounts = [parse_amount(line) for line in context.lines]
        told = Counter(amount.value for amount in amounts if amount is not None)
        self._twice = {value for value, count in told.items() if count > 1 and value >= _A_SUM}

    def proposals(self, printed: Sequence[str]) -> Sequence[str]:
        """Every numeral in the place of what is none of an amount's characters."""
        proposed: list[str] = []
        for text in printed:
            odd = [i for i, char in enumerate(text) if not _MONEY.match(char)]
            if not 0 < len(odd) <= _MOST_ODD:
                continue
            forms = [text]
            for index in odd:
                forms = [
                    form[:index] + each + form[index + 1 :] for form in forms for each in _NUMERALS
                ]
            proposed += [form for form in forms if _is_well_formed(form)]
        return list(dict.fromkeys(proposed))

    def meaning(self, printed: str) -> tuple[str, float] | None:
        value = normalize(self._field, printed)
        amount = None if value is None else parse_amount(value)
        if value is None or amount is None:
            return None
        prior = _log(plausibility(self._field, value))
        prior += 0.0 if _is_well_formed(printed) else _MALFORMED
        prior += _UNCONFIRMED if self._twice and amount.value not in self._twice else 0.0
        return value, prior

    def familiar(self, printed: str) -> bool:
        return _is_well_formed(printed) and bool(re.search("[万亿元圆]", printed))


_A_SUM = Decimal(1000)
"""Smaller numbers are of anything: days, articles, copies."""


def _is_well_formed(text: str) -> bool:
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
    return bool(_WELL_FORMED.match(plain))


def _log(belief: float) -> float:
    return math.log(max(belief, _IMPLAUSIBLE))


def amounts(field: Field, context: Context) -> Amounts:
    """The language of a field of money."""
    return Amounts(field, context)
