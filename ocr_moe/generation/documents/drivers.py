"""Random driving licences."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Literal

from ocr_moe.generation.dates import DateStyle, random_day
from ocr_moe.generation.documents.citizens import Citizen, draw_citizen, years_later
from ocr_moe.generation.facts import Facts
from ocr_moe.generation.lexicons import people

Era = Literal["modern", "middle", "old"]
"""From 2013 on (until a day), from 2004 on (for a number of years), and before."""

UNLIMITED = "长期"
_ERAS: dict[Era, tuple[date, date]] = {
    "modern": (date(2013, 1, 10), date(2025, 5, 30)),
    "middle": (date(2004, 5, 1), date(2012, 12, 20)),
    "old": (date(1997, 1, 1), date(2004, 3, 30)),
}


class DrivingLicence(Facts):
    """One licence, with the page that goes with it."""

    era: Era
    holder: Citizen
    classes: str
    first_issued: str
    valid_from: str
    valid_until: str
    """ISO date, or 长期."""
    years: int
    """For which it is valid."""
    file_number: str
    """档案编号, 12 digits."""
    record: str
    """What is written on the second page."""

    def truth(self) -> dict[str, str | None]:
        return {
            "证号": self.holder.number,
            "姓名": self.holder.name,
            "性别": self.holder.sex,
            "国籍": "中国",
            "住址": self.holder.address,
            "出生日期": self.holder.birth,
            "初次领证日期": self.first_issued,
            "准驾车型": self.classes,
            "有效期起": self.valid_from,
            "有效期止": self.valid_until,
            "有效年限": f"{self.years}年",
            "档案编号": self.file_number,
            "记录": self.record,
        }

    @property
    def owner(self) -> str:
        region = self.holder.region
        return f"{region.province}{region.city}公安局交通警察支队"

    @property
    def stem(self) -> str:
        return f"{self.holder.name}_驾驶证"


def draw_driving_licence(rng: Random) -> DrivingLicence:
    eras: tuple[Era, ...] = ("modern", "middle", "old")
    era = rng.choices(eras, (7, 2, 1))[0]
    first, last = _ERAS[era]
    holder = draw_citizen(rng, first.year - 50, last.year - 19)
    birth = date.fromisoformat(holder.birth)
    came_of_age = max(years_later(birth, 18), date(1985, 1, 1))
    issued = random_day(rng, max(came_of_age, date(first.year - 14, 1, 1)), last)
    start, years = issued, 6
    if issued < first or (era == "modern" and rng.random() < 0.5):
        # Renewed after six years, and every ten years from then on.
        while start < first:
            start, years = years_later(start, years), 10
        if start > last:
            issued = start = random_day(rng, first, last)
            years = 6
    until = years_later(start, years).isoformat()
    if era == "modern" and years == 10 and rng.random() < 0.2:
        until = UNLIMITED
    known = people().classes
    return DrivingLicence(
        era=era,
        holder=holder,
        classes=rng.choices(list(known), list(known.values()))[0],
        first_issued=issued.isoformat(),
        valid_from=start.isoformat(),
        valid_until=until,
        years=years,
        file_number=f"{holder.region.code[:4]}{rng.randrange(10**8):08d}",
        record=_record(rng, start.isoformat() if until == UNLIMITED else until),
    )


def _record(rng: Random, until: str) -> str:
    day = DateStyle("arabic", padded=rng.random() < 0.5).write(until)
    return rng.choice(
        (
            f"请于{day}前九十日内申请换领新驾驶证。",
            f"请于每个记分周期结束后三十日内接受审验，无记分的，免予本次审验。请于{day}前90日内申请换领新驾驶证。",
            "实习期至初次领证之日起12个月。",
        )
    )
