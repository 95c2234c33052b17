"""What the dates of a document say of one another: which of them can be a field's, and of which era.

A birth lies years before a certificate; a certificate is not older than the studies that it speaks of.
A schema says so in its checks (`date_order`, with `years`). What the dates say is weighed, never
obeyed: other papers print other dates beside a field's own.

The factors are judgements, on a scale from 0 (cannot be) to 1 (nothing speaks against it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ocr_moe.reading.candidates import Candidate, PreparedPage
from ocr_moe.schema import Field, Schema
from ocr_moe.values.dates import find_dates, in_era, is_date, sole_era, years_between
from ocr_moe.values.plausible import plausibility

_OVERTAKEN = 0.5
"""A later date is printed: the end of the studies, of which this is the beginning …"""
_MONTH = 1.5 / 12
"""… from so many years later on: a month is not after one of its days."""
_OF_ANOTHER = 0.15
"""It lies as far before another date as the earlier of two fields does: it is that field's."""
_OUT_OF_BOUNDS = 0.3
"""No other date lies as many years later as one must: born in 1903, a graduate in 2013."""


def in_time(
    wanted: Field, gathered: Sequence[tuple[Candidate, PreparedPage]]
) -> list[tuple[Candidate, PreparedPage]]:
    """Candidates for a date, believed as far as the document's other dates allow.

    A short year becomes one of the era that the document names, if it names one only; of what a
    damaged year may have been, the first that goes best with the other dates is taken.
    """
    pages = {page.number: page for _, page in gathered}
    text = "\n".join(page.running.text for page in pages.values())
    told = sorted({span.iso for span in find_dates(text) if span.whole})
    era = sole_era(text)
    return [(_placed(wanted, page.schema, each, told, era), page) for each, page in gathered]


def _placed(
    wanted: Field, schema: Schema, candidate: Candidate, told: Sequence[str], era: str | None
) -> Candidate:
    if not is_date(candidate.value):
        return candidate
    of_era = None if era is None else in_era(candidate.raw, era)
    if of_era is not None:
        candidate = replace(candidate, value=of_era, plausibility=plausibility(wanted, of_era))
    spans = find_dates(candidate.raw)
    guesses = spans[0].others if spans and candidate.value == spans[0].iso else ()
    months = {iso[:7] for iso in told}
    value, factor = max(
        ((iso, _fit(wanted, schema, iso, told)) for iso in (candidate.value, *guesses)),
        key=lambda pair: (pair[1], pair[0][:7] in months),
    )
    return replace(candidate, value=value, plausibility=candidate.plausibility * factor)


def _fit(wanted: Field, schema: Schema, iso: str, told: Sequence[str]) -> float:
    others = [each for each in told if not (each.startswith(iso) or iso.startswith(each))]
    factor = 1.0
    orders = [check for check in schema.checks if check.kind == "date_order"]
    followed = any(check.fields[0] == wanted.name for check in orders)
    for check in orders:
        if wanted.name not in check.fields or not others:
            continue
        distances = [years_between(iso, each) for each in others]
        if wanted.name == check.fields[1] and followed:
            continue  # what is printed after it is the third field's
        if wanted.name == check.fields[1]:
            if max(distances) > _MONTH:
                factor *= _OVERTAKEN
            if check.years and max(distances) >= check.years[0]:
                factor *= _OF_ANOTHER
        elif check.years and not check.years[0] <= max(distances) <= check.years[1]:
            factor *= _OUT_OF_BOUNDS
    return factor
