"""Random resident identity cards."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Literal

from ocr_moe.generation import codes
from ocr_moe.generation.dates import random_day
from ocr_moe.generation.documents.citizens import Citizen, draw_citizen, police_of, years_later
from ocr_moe.generation.facts import Facts
from ocr_moe.generation.lexicons import regions

Edition = Literal["second", "first", "temporary", "permit"]
"""The card of today, the laminated one of before 2004, the temporary one of paper, and the residence
permit of people from Hong Kong, Macau and Taiwan, which looks like today's card."""

UNLIMITED = "长期"
_ABROAD = {"810000": "香港", "820000": "澳门", "830000": "台湾"}
_TODAY = date(2025, 6, 30)
_AGES = ((16, 5), (26, 10), (46, 20))
"""Below an age, for how many years a card is valid; above, for good."""


class IdentityCard(Facts):
    """One card; both sides of it."""

    edition: Edition
    holder: Citizen
    authority: str
    issued: str
    until: str
    """ISO date, or 长期."""
    number: str
    pass_number: str = ""
    """On a residence permit: of the travel pass."""

    def truth(self) -> dict[str, str | None]:
        return {
            "姓名": self.holder.name,
            "性别": self.holder.sex,
            "民族": None if self.edition == "permit" else self.holder.ethnicity,
            "出生日期": self.holder.birth,
            "住址": self.holder.address,
            "公民身份号码": self.number,
            "签发机关": self.authority,
            "有效期起": self.issued,
            "有效期止": self.until,
        }

    @property
    def owner(self) -> str:
        return self.authority

    @property
    def stem(self) -> str:
        return f"{self.holder.name}_身份证"


def draw_identity_card(rng: Random) -> IdentityCard:
    """A card of one of the editions, mostly of today's."""
    editions: tuple[Edition, ...] = ("second", "first", "temporary", "permit")
    edition = rng.choices(editions, (10, 1.5, 1.5, 1.5))[0]
    if edition == "first":
        holder = draw_citizen(rng, 1930, 1984)
        issued = random_day(rng, date(1995, 1, 1), date(2003, 12, 20))
    else:
        holder = draw_citizen(rng, 1935, 2018)
        earliest = max(date(2004, 6, 1), date.fromisoformat(holder.birth) + timedelta(days=200))
        issued = random_day(rng, earliest, _TODAY)
    number = holder.number
    if edition == "permit":
        place = rng.choice(tuple(_ABROAD))
        number = codes.identity_number(rng, place, holder.birth, holder.sex)
    if edition == "first" and issued.year < 2000:
        number = codes.old_identity_number(rng, holder.region.code, holder.birth, holder.sex)
    home = next((each for each in regions() if holder.address.startswith(each.address)), None)
    return IdentityCard(
        edition=edition,
        holder=holder,
        authority=police_of(home or holder.region),
        issued=issued.isoformat(),
        until=_until(edition, date.fromisoformat(holder.birth), issued),
        number=number,
        pass_number=f"{rng.choice('HM')}{rng.randrange(10**7, 10**8)}",
    )


def _until(edition: Edition, birth: date, issued: date) -> str:
    if edition == "temporary":
        return (issued + timedelta(days=90)).isoformat()
    if edition == "permit":
        return years_later(issued, 5).isoformat()
    age = issued.year - birth.year - ((issued.month, issued.day) < (birth.month, birth.day))
    years = next((years for below, years in _AGES if age < below), None)
    return UNLIMITED if years is None else years_later(issued, years).isoformat()
