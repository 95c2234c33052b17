"""All candidates for one field over the pages of a document: patterns and labels, then fallbacks.

For the figures in brackets behind numbers see `ocr_moe.reading.candidates`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from ocr_moe.reading.candidates import (
    BELIEVED,
    RANK_STEP,
    Candidate,
    PreparedPage,
    by_label,
    by_pattern,
    candidate_in,
)
from ocr_moe.reading.chronology import in_time
from ocr_moe.reading.fallbacks import FALLBACKS
from ocr_moe.reading.tables import find_table
from ocr_moe.schema import Fallback, Field, Kind
from ocr_moe.values.amounts import PRICE, parse_amount
from ocr_moe.values.kinds import kind_of


def gather(wanted: Field, pages: Sequence[PreparedPage]) -> list[tuple[Candidate, PreparedPage]]:
    """Every candidate for the field with the page it stands on, in no order of belief."""
    gathered = [(candidate, page) for page in pages for candidate in _found(wanted, page)]
    gathered += _in_sums(wanted, pages)
    if any(candidate.placed for candidate, _ in gathered):
        # On a page without the heading nothing tells whose it is, as long as another page does.
        gathered = [pair for pair in gathered if pair[0].placed]
    if wanted.kind is Kind.MONEY:
        return _prefer_prices(gathered)
    return in_time(wanted, gathered) if wanted.kind is Kind.DATE else gathered


_SUM = 0.96
"""Belief in what stands in a table's row of sums, under the heading of the column that it sums up: as
much as in a value beside its label."""


def _in_sums(
    wanted: Field, pages: Sequence[PreparedPage]
) -> Iterator[tuple[Candidate, PreparedPage]]:
    """The field's value in the row of sums of a table whose `totals` name the field."""
    for table in pages[0].schema.tables if pages else ():
        columns = [total.column for total in table.totals if total.field == wanted.name]
        found = find_table(table, pages) if columns else None
        for row in found.sums if found else ():
            for name in columns:
                cell = row.get(name)
                if cell is None or found is None:
                    continue
                heading, text = found.columns.get(name, 0.0), cell.text
                candidate = candidate_in(wanted, text, (0, len(text.text)), _SUM * heading**0.5)
                if candidate is not None:
                    yield replace(candidate, label=heading), cell.page


_AGREEMENT = 0.3
"""How far a further witness brings the belief in a value, or in a place, towards 1, if fully believed
itself."""


def agreed(held: float, belief: float) -> float:
    """The belief in what was held so far, once a further witness says the same."""
    return held + _AGREEMENT * belief * (1.0 - held)


_WITHOUT_CENTS = 0.3
"""Factor for an amount without cents where another has them: bills print them."""
_SMALLER = 0.9
"""Factor for an amount where a larger one has a label as good."""


def _prefer_prices(
    gathered: Sequence[tuple[Candidate, PreparedPage]],
) -> list[tuple[Candidate, PreparedPage]]:
    """Sums on a bill: with cents where any has them, and of those beside one label the largest."""
    amounts = [parse_amount(candidate.value) for candidate, _ in gathered]
    values = [amount.value if amount else Decimal(0) for amount in amounts]
    cents = [bool(PRICE.search(candidate.value)) for candidate, _ in gathered]
    kept = []
    for (candidate, page), value, cent in zip(gathered, values, cents, strict=True):
        factor = _WITHOUT_CENTS if any(cents) and not cent else 1.0
        rivals = [
            other
            for (rival, _), other, fine in zip(gathered, values, cents, strict=True)
            if rival.label >= candidate.label and fine == cent
        ]
        if candidate.label and any(other > value for other in rivals):
            factor *= _SMALLER
        kept.append((replace(candidate, prior=candidate.prior * factor), page))
    return kept


_NEXT_FALLBACK = 0.06
"""By which share each fallback is believed less than the one declared before it. [half ±0, 1.25 and
twice −1]"""


def _found(wanted: Field, page: PreparedPage) -> tuple[Candidate, ...]:
    known = page.found.get(wanted.name)
    if known is None or known[0] is not wanted:
        known = page.found[wanted.name] = (wanted, tuple(_candidates(wanted, page)))
    return known[1]


def _candidates(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    part = page.part_for(wanted)
    known = page.place(wanted).known
    patterned = (replace(each, placed=known) for each in by_pattern(wanted, part))
    found = [*patterned, *by_label(wanted, page)]
    yield from found
    if any(candidate.belief >= BELIEVED for candidate in found):
        return
    for rank, fallback in enumerate(_fallbacks(wanted)):
        for candidate in FALLBACKS[fallback](wanted, part):
            yield replace(
                candidate,
                prior=candidate.prior * (1 - _NEXT_FALLBACK * rank),
                fallback=1 - RANK_STEP * rank,
                placed=known,
            )


def stands_unlabelled(wanted: Field, page: PreparedPage) -> bool:
    """Whether a column of values has one that may be the field's, whose label was not read; asked of a
    field that is given beside its label alone."""
    if not wanted.only_labelled or Fallback.COLUMN not in kind_of(wanted).fallbacks:
        return False
    found = FALLBACKS[Fallback.COLUMN](wanted, page.part_for(wanted))
    return any(candidate.belief >= BELIEVED for candidate in found)


def _fallbacks(wanted: Field) -> tuple[Fallback, ...]:
    """Those that the schema names; else those of the kind, where neither a pattern nor a label that
    may be missing says how the field is found."""
    if wanted.fallbacks:
        return wanted.fallbacks
    return () if wanted.patterns or wanted.only_labelled else kind_of(wanted).fallbacks
