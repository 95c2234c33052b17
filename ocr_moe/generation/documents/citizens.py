"""Random citizens: what identity cards, licences and registers say of a person."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from ocr_moe.generation import codes
from ocr_moe.generation.dates import random_day
from ocr_moe.generation.documents.graduates import Sex, draw_name
from ocr_moe.generation.lexicons import Region, business, people, regions, table
from ocr_moe.types import Value


class Citizen(Value):
    """One person who does not exist."""

    name: str
    sex: Sex
    ethnicity: str
    """Without 族."""
    birth: str
    """ISO date."""
    region: Region
    """Where the person was registered first."""
    address: str
    number: str
    """18 characters, with its check."""


def draw_citizen(rng: Random, first: int, last: int) -> Citizen:
    """A person born in one of the years from `first` to `last`."""
    birth = random_day(rng, date(first, 1, 1), date(last, 12, 28))
    name, sex = draw_name(rng, birth.year)
    region = rng.choice(regions())
    home = region if rng.random() < 0.7 else rng.choice(regions())
    return Citizen(
        name=name,
        sex=sex,
        ethnicity=_ethnicity(rng, name),
        birth=birth.isoformat(),
        region=region,
        address=draw_address(rng, home),
        number=codes.identity_number(rng, region.code, birth.isoformat(), sex),
    )


def _ethnicity(rng: Random, name: str) -> str:
    known = {row["name"]: row["ethnicity"] for row in table("minority_names.csv")}
    if name in known:
        return known[name].removesuffix("族")
    weights = people().ethnicities
    return rng.choices(list(weights), list(weights.values()))[0]


def draw_address(rng: Random, region: Region) -> str:
    """A home: of the country, of an estate, or of a street."""
    words = people()
    head = region.address if rng.random() < 0.75 else region.city + region.district
    head = head or region.address
    chance = rng.random()
    if chance < 0.35:
        tail = rng.choice(
            (
                f"{rng.randint(1, 99)}号",
                f"{rng.choice('一二三四五六七八九')}组{rng.randint(1, 99)}号",
                f"{rng.randint(1, 18)}组",
                f"第{rng.choice('一二三四五六')}村民小组{rng.randint(1, 120)}号",
            )
        )
        return head + rng.choice(words.towns) + rng.choice(words.villages) + tail
    street = rng.choice(business().streets) + rng.choice(business().street_kinds)
    number = f"{rng.randint(1, 999)}号" + (f"附{rng.randint(1, 20)}号" if chance > 0.95 else "")
    room = f"{rng.randint(1, 32)}{rng.randint(1, 6):02d}室"
    if chance < 0.55:
        return f"{head}{street}{number}{rng.choice(words.estates)}{rng.randint(1, 38)}幢{room}"
    if chance < 0.75:
        block = f"{rng.randint(1, 40)}{rng.choice(('栋', '号楼'))}{rng.randint(1, 6)}单元"
        return f"{head}{street}{number}{block}{room}"
    if chance < 0.85:
        block = f"{rng.randint(1, 38)}号楼{rng.randint(1, 6)}单元"
        return f"{head}{rng.choice(words.estates)}{block}{room.removesuffix('室')}"
    return f"{head}{street}{number}"


def police_of(region: Region) -> str:
    """Who issues cards there: a county's bureau, or a city's branch."""
    district = region.district or region.city
    if district.endswith("区") and len(district) > 2 and not district.endswith("新区"):
        return f"{region.short_city}公安局{district[:-1]}分局"
    if district.endswith("区"):
        return f"{region.short_city}公安局{district}分局"
    return f"{district}公安局"


def years_later(day: date, years: int) -> date:
    """The same day so many years on; of the 29th of February the 28th."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return (day + timedelta(days=-1)).replace(year=day.year + years)
