"""Random businesses and their licences."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Literal

from ocr_moe.generation import codes
from ocr_moe.generation.dates import DateStyle, capital_amount, random_day
from ocr_moe.generation.documents.graduates import draw_name
from ocr_moe.generation.facts import Facts
from ocr_moe.generation.lexicons import Region, business, regions

Family = Literal["company", "individual", "partnership", "cooperative"]
Era = Literal["modern", "old"]

CAPITALS = (3, 5, 10, 10, 30, 50, 50, 51, 80, 100, 100, 100, 150, 200, 300, 500, 500, 600, 800, 1000,
            1000, 1200, 2000, 2800, 3000, 5000, 5050, 6800)  # fmt: skip
"""Registered capitals in 万元; round ones more than once, as in life."""
PERIODS = {
    "modern": (date(2015, 10, 1), date(2024, 12, 20)),
    "old": (date(2004, 1, 1), date(2015, 9, 20)),
}
"""When licences of an era were issued."""
DATE_KINDS = {"modern": ("arabic",), "old": ("arabic", "chinese")}


class Licence(Facts):
    """One business licence; None where the kind of business has no such entry."""

    family: Family
    era: Era
    code: str
    name: str
    type: str
    person: str
    capital: str | None
    founded: str
    founded_printed: str
    address: str
    term: str | None
    scope: str
    region: str
    """Name of the district, for the authority's seal."""
    authority: str
    issued: str

    def truth(self) -> dict[str, str | None]:
        return {
            "统一社会信用代码": self.code,
            "名称": self.name,
            "类型": self.type,
            "法定代表人": self.person,
            "注册资本": self.capital,
            "成立日期": self.founded,
            "住所": self.address,
            "营业期限": self.term,
            "经营范围": self.scope,
        }

    @property
    def owner(self) -> str:
        return self.region

    @property
    def stem(self) -> str:
        return f"{self.name}_营业执照"


def draw_licence(rng: Random, *, era: Era = "modern", family: Family | None = None) -> Licence:
    """A random business licence: `modern` with a 统一社会信用代码, `old` with a 注册号."""
    families: tuple[Family, ...] = ("company", "individual", "partnership", "cooperative")
    family = family or rng.choices(families, weights=(66, 22, 6, 6))[0]
    region = rng.choice(regions())
    issued = random_day(rng, *PERIODS[era])
    founded = issued
    if rng.random() < 0.6:
        founded = random_day(rng, date(1996 if family == "company" else 2003, 1, 5), issued)
    person, _ = draw_name(rng, rng.randint(1955, 1995))
    name, scope = _name_and_scope(rng, family, region, person)
    code = _code(rng, era, family, region, founded.year)
    style = DateStyle(rng.choice(DATE_KINDS[era]), padded=rng.random() < 0.8)
    return Licence(
        family=family,
        era=era,
        code=code,
        name=name,
        type=_type(rng, era, family, name),
        person=person,
        capital=_capital(rng) if family in ("company", "cooperative") else None,
        founded=founded.isoformat(),
        founded_printed=style.write(founded.isoformat()),
        address=_address(rng, region),
        term=None if family in ("individual", "cooperative") else _term(rng, founded, style),
        scope=scope,
        region=region.short_city + region.district,
        authority=rng.choice(business().authorities[: 1 if issued.year < 2014 else 3]),
        issued=style.write(issued.isoformat()),
    )


def _code(rng: Random, era: Era, family: Family, region: Region, year: int) -> str:
    if era == "modern":
        kind = {"individual": "2", "cooperative": "3"}.get(family, "1")
        return codes.credit_code(rng, region.code, kind, year)
    if year < 2007 and rng.random() < 0.2:
        return codes.old_registration_number(rng, region.code)
    return codes.registration_number(rng, region.code, "2" if family == "individual" else "1")


def _type(rng: Random, era: Era, family: Family, name: str) -> str:
    drawn = rng.choice(
        business().types["oldcompany" if era == "old" and family == "company" else family]
    )
    if family == "partnership":
        ends = {"（有限合伙）": "有限合伙企业", "（普通合伙）": "普通合伙企业"}
        return ends.get(name[-6:], "个人独资企业")
    return drawn


def _name_and_scope(rng: Random, family: Family, region: Region, person: str) -> tuple[str, str]:
    words = business()
    brand = rng.choice(words.brands)
    place = region.short_city if rng.random() < 0.6 else region.short_city.rstrip("市")
    if family == "individual":
        shop = rng.choice(words.shops)
        owner = person if rng.random() < 0.3 else brand
        return f"{place}{region.district}{owner}{shop.name}", f"{shop.scope}。"
    if family == "cooperative":
        farm = rng.choice(words.farms)
        services = "农业生产资料的购买，农产品的销售、加工、运输、贮藏，技术及信息服务"
        scope = f"{farm}；为本社成员提供{services}。"
        return f"{place}{region.district}{brand}{farm}专业合作社", scope
    industry = rng.choice(words.industries)
    phrases = list(industry.tail)
    rng.shuffle(phrases)
    scope = rng.choice("；，。").join(phrases[: rng.randint(2, len(phrases))])
    scope += "。" + rng.choice(words.endings)
    if family == "partnership":
        ends = ("合伙企业（有限合伙）", "中心（有限合伙）", "事务所（普通合伙）", "加工厂")
        return f"{place}{brand}{industry.name}{rng.choice(ends)}", scope
    ends = ("有限公司", "有限责任公司", "股份有限公司", "集团有限公司")
    end = rng.choices(ends, (80, 12, 5, 3))[0]
    if rng.random() < 0.12:
        return f"{brand}（{place.rstrip('市')}）{industry.name}{end}", scope
    return f"{place}{brand}{industry.name}{end}", scope


def _address(rng: Random, region: Region) -> str:
    words = business()
    head = region.address if rng.random() < 0.6 else region.city + region.district or region.address
    if rng.random() < 0.2:
        return head + rng.choice(words.villages) + rng.choice(("", f"{rng.randint(1, 99)}号"))
    street = rng.choice(words.streets) + rng.choice(words.street_kinds)
    text = f"{head}{street}{rng.randint(1, 1999)}号"
    chance = rng.random()
    room = rng.randint(1, 32) * 100 + rng.randint(1, 28)
    if chance < 0.3:
        return f"{text}{rng.randint(1, 30)}幢{room}室"
    if chance < 0.6:
        building = rng.choice(words.brands) + rng.choice(words.buildings)
        return f"{text}{building}{rng.choice('ABCD')}座{room}"
    if chance < 0.7:
        return f"{text}{rng.randint(1, 30)}栋{rng.randint(1, 6)}单元{room}号"
    return text


def _capital(rng: Random) -> str:
    amount = rng.choice(CAPITALS)
    words = capital_amount(amount)
    return rng.choice(
        (
            f"{words}元整",
            f"{words}元整",
            f"{words}圆整",
            f"{amount}万元整",
            f"{amount}万元",
            f"人民币{words}元整",
            f"人民币{amount}万元整",
            f"{amount}万元人民币",
            f"{words}元人民币",
            f"人民币{amount}.0000万元整",
            f"{amount}.000000万人民币",
            f"（人民币）{words}元",
        )
    )


def _term(rng: Random, founded: date, style: DateStyle) -> str:
    first = style.write(founded.isoformat())
    years = rng.choice((10, 20, 20, 30, 50))
    anniversary = date(founded.year + years, founded.month, min(founded.day, 28))
    both = f"{first}至{style.write((anniversary - timedelta(days=1)).isoformat())}"
    return rng.choice(
        (
            both,
            both,
            both,
            both,
            f"自{both}",
            "长期",
            "长期",
            f"{first}至长期",
            f"{first}至永久",
            "永续经营",
        )
    )
