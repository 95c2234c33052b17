"""What a document says, before it is drawn: people with their certificates, and businesses."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Literal

from ocr_moe.generation import codes
from ocr_moe.generation.dates import DateStyle, capital_amount, chinese_number, random_day
from ocr_moe.generation.lexicons import Region, School, regions, schools, table, tree
from ocr_moe.types import Value

DEGREE_SUFFIX = {"本科": "学士", "硕士研究生": "硕士", "博士研究生": "博士"}
FILE_LEVEL = {"专科": "专科", "本科": "本科", "硕士研究生": "硕士", "博士研究生": "博士"}


class Person(Value):
    name: str
    sex: Literal["男", "女"]
    birth: str
    """ISO date; without the day where the certificate prints none."""
    province: str


class Graduate(Value):
    """One certificate of one student."""

    kind: Literal["diploma", "degree"]
    form: Literal["regular", "adult", "selfstudy", "online", "graduate"]
    person: Person
    level: Literal["专科", "本科", "硕士研究生", "博士研究生"]
    school: str
    school_english: str
    major: str
    major_english: str
    degree: str
    """工学学士 and the like; empty where none belongs to the level."""
    years: int
    start: str
    end: str
    """Year and month, ISO."""
    issued: str
    """The date at the foot, ISO."""
    number: str

    def truth(self) -> dict[str, str]:
        """Every field's value, printed or not."""
        return {
            "姓名": self.person.name,
            "性别": self.person.sex,
            "出生日期": self.person.birth,
            "学历层次": self.level,
            "毕业日期": self.issued,
            "毕业院校": self.school,
            "专业": self.major,
            "证书编号": self.number,
        }

    @property
    def stem(self) -> str:
        """The file name without its suffix."""
        kind = "毕业证书" if self.kind == "diploma" else "学位证书"
        return f"{self.person.name}_{FILE_LEVEL[self.level]}_{kind}"


class Licence(Value):
    """One business licence; None where the kind of business has no such entry."""

    family: Literal["company", "individual", "partnership", "cooperative"]
    era: Literal["modern", "old"]
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
    def stem(self) -> str:
        return f"{self.name}_营业执照"


def draw_name(rng: Random, birth_year: int) -> tuple[str, Literal["男", "女"]]:
    """A name and a sex, by how common they are."""
    sex: Literal["男", "女"] = rng.choice(("男", "女"))
    if rng.random() < 0.03:
        row = rng.choice([row for row in table("minority_names.csv") if row["sex"] == sex])
        return row["name"], sex
    rows = table("surnames.csv")
    surname = rng.choices(rows, weights=[int(row["weight"]) for row in rows])[0]["surname"]
    pools = {r["era"]: r["characters"] for r in table("given.csv") if r["sex"] == sex}
    era = "new" if rng.random() < (birth_year - 1965) / 35 else "old"
    single = rng.random() < (0.3 if 1970 < birth_year < 1995 else 0.12)
    given = [rng.choice(pools["rare" if rng.random() < 0.06 else era])]
    while not single and len(given) < 2:
        char = rng.choice(pools[era])
        if char != given[0] or rng.random() < 0.15:
            given.append(char)
    return surname + "".join(given), sex


def draw_person(rng: Random, birth_year: int, *, name: str | None = None) -> Person:
    drawn, sex = draw_name(rng, birth_year)
    day = random_day(rng, date(birth_year, 1, 1), date(birth_year, 12, 28))
    return Person(
        name=name or drawn,
        sex=sex,
        birth=day.isoformat(),
        province=rng.choice(regions()).province,
    )


def _school(rng: Random, level: str) -> School:
    everyone = schools()
    if level in ("硕士研究生", "博士研究生"):
        return rng.choice([s for s in everyone if s.level == "本科" and s.code < "10700"])
    return rng.choice([s for s in everyone if level == "专科" or s.level == "本科"])


def _major(rng: Random, level: str) -> dict[str, str]:
    mark = {"专科": "专", "本科": "本", "硕士研究生": "硕", "博士研究生": "博"}[level]
    return rng.choice([row for row in table("majors.csv") if mark in row["levels"]])


def draw_certificates(rng: Random, *, older: bool = False, name: str | None = None) -> list[Graduate]:
    """All certificates of one random student: one to four, which belong together.

    `older` draws graduations before 2003.
    """
    level = rng.choices(("专科", "本科", "硕士研究生", "博士研究生"), weights=(22, 52, 19, 7))[0]
    form = rng.choices(("regular", "adult", "selfstudy", "online"), weights=(70, 14, 8, 8))[0]
    if level in ("硕士研究生", "博士研究生") or older:
        form = "regular"
    year = rng.randint(1993, 2002) if older else min(2024, int(rng.triangular(2003, 2024, 2016)))
    age = 22 if form == "regular" else rng.randint(23, 38)
    person = draw_person(rng, year - age + rng.randint(-1, 2), name=name)
    if level in ("本科", "专科"):
        return _stage(rng, person, level, form, year)
    documents = _stage(rng, person, "本科", "regular", year) if rng.random() < 0.5 else []
    documents += _stage(rng, person, "硕士研究生", "graduate", year + 3)
    if level == "博士研究生":
        documents = documents[-2:] if rng.random() < 0.4 else []
        documents += _stage(rng, person, "博士研究生", "graduate", year + 7)
    return documents


def _stage(rng: Random, person: Person, level: str, form: str, year: int) -> list[Graduate]:
    """Diploma, degree certificate, or both, of one level of study."""
    year = min(year, 2025)
    school = _school(rng, level)
    major = _major(rng, level)
    years = {"专科": rng.choice((2, 3, 3, 3)), "本科": rng.choice((4, 4, 4, 4, 5))}.get(level, 3)
    if form in ("adult", "online"):
        years = rng.choice((2, 3, 3, 5)) if form == "adult" else rng.choice((2, 3))
    month = rng.choices((1, 6, 7, 12), weights=(10, 50, 35, 5))[0]
    day = rng.choice((1, 10, 15, 18, 20, 22, 25, 26, 28, 30, rng.randint(1, 28)))
    issued = date(year, month, day).isoformat()
    if year < 2003 and rng.random() < 0.5:
        issued = issued[:7]
    if rng.random() < 0.03:
        person = person.model_copy(update={"birth": person.birth[:7]})
    start_month = 9 if month in (6, 7) else rng.choice((2, 3))
    common = {
        "form": form,
        "person": person,
        "level": level,
        "school": school.name,
        "school_english": school.english,
        "major": major["name"],
        "major_english": major["english"],
        "degree": major["degree"] + DEGREE_SUFFIX[level] if level in DEGREE_SUFFIX else "",
        "years": years,
        "start": f"{year - years - (month < 6)}-{start_month:02d}",
        "end": f"{year}-{month:02d}",
        "issued": issued,
    }
    if form == "selfstudy":
        region = rng.choice(regions()).code
        number = codes.selfstudy_number(rng, region, year, month, level)
    else:
        number = codes.diploma_number(rng, school.code, form, year, level)
    documents = []
    has_degree = bool(common["degree"]) and form != "selfstudy"
    chance = rng.random()
    if not has_degree or chance < 0.75:
        documents.append(Graduate(kind="diploma", number=number, **common))  # type: ignore[arg-type]
    if has_degree and (chance < 0.4 or chance >= 0.75):
        number = codes.degree_number(rng, school.code, form, year, level)
        documents.append(Graduate(kind="degree", number=number, **common))  # type: ignore[arg-type]
    return documents


def program_length(years: int) -> str:
    return f"{chinese_number(years)}年制"


def draw_licence(rng: Random, *, era: str = "modern", family: str | None = None) -> Licence:
    """A random business licence: `modern` with a 统一社会信用代码, `old` with a 注册号."""
    parts = tree("business.yaml")
    family = family or rng.choices(
        ("company", "individual", "partnership", "cooperative"), weights=(66, 22, 6, 6)
    )[0]
    region = rng.choice(regions())
    issued = random_day(
        rng,
        date(2015, 10, 1) if era == "modern" else date(2004, 1, 1),
        date(2024, 12, 20) if era == "modern" else date(2015, 9, 20),
    )
    founded = issued
    if rng.random() < 0.6:
        founded = random_day(rng, date(1996 if family == "company" else 2003, 1, 5), issued)
    person, _ = draw_name(rng, rng.randint(1955, 1995))
    name, scope = _business(rng, parts, family, region, person)
    old = era == "old"
    if old:
        kind = "2" if family == "individual" else "1"
        short = founded.year < 2007 and rng.random() < 0.2
        code = (
            codes.old_registration_number(rng, region.code)
            if short
            else codes.registration_number(rng, region.code, kind)
        )
    else:
        kind = {"individual": "2", "cooperative": "3"}.get(family, "1")
        code = codes.credit_code(rng, region.code, kind, founded.year)
    types = parts["types"]["oldcompany" if old and family == "company" else family]
    style = DateStyle(
        rng.choice(("arabic", "chinese") if old else ("arabic", "arabic", "arabic", "arabic")),
        padded=rng.random() < 0.8,
    )
    kind_of_business = rng.choice(types)
    if family == "partnership":
        words = {"（有限合伙）": "有限合伙企业", "（普通合伙）": "普通合伙企业"}
        kind_of_business = words.get(name[-6:], "个人独资企业")
    return Licence(
        family=family,  # type: ignore[arg-type]
        era=era,  # type: ignore[arg-type]
        code=code,
        name=name,
        type=kind_of_business,
        person=person,
        capital=_capital(rng) if family in ("company", "cooperative") else None,
        founded=founded.isoformat(),
        founded_printed=style.write(founded.isoformat()),
        address=_address(rng, parts, region),
        term=None if family in ("individual", "cooperative") else _term(rng, founded, style),
        scope=scope,
        region=region.short_city + region.district,
        authority=rng.choice(parts["authorities"][: 1 if issued.year < 2014 else 3]),
        issued=style.write(issued.isoformat()),
    )


def _business(
    rng: Random, parts: dict[str, list[dict[str, object]]], family: str, region: Region, person: str
) -> tuple[str, str]:
    """A name and its scope."""
    brand = rng.choice(str(parts["brands"]).split())
    place = region.short_city if rng.random() < 0.6 else region.short_city.rstrip("市")
    if family == "individual":
        shop = rng.choice(parts["shops"])
        owner = person if rng.random() < 0.3 else brand
        return f"{place}{region.district}{owner}{shop['name']}", f"{shop['scope']}。"
    if family == "cooperative":
        farm = str(rng.choice(parts["farms"]))
        services = "为本社成员提供农业生产资料的购买，农产品的销售、加工、运输、贮藏，技术及信息服务"
        return f"{place}{region.district}{brand}{farm}专业合作社", f"{farm}；{services}。"
    industry = rng.choice(parts["industries"])
    tail = [str(item) for item in industry["tail"]]  # type: ignore[attr-defined]
    rng.shuffle(tail)
    scope = rng.choice("；，。").join(tail[: rng.randint(2, len(tail))])
    scope += "。" + str(rng.choice(parts["endings"]))
    if family == "partnership":
        suffix = rng.choice(("合伙企业（有限合伙）", "中心（有限合伙）", "事务所（普通合伙）", "加工厂"))
        return f"{place}{brand}{industry['name']}{suffix}", scope
    suffix = rng.choices(("有限公司", "有限责任公司", "股份有限公司", "集团有限公司"), (80, 12, 5, 3))
    if rng.random() < 0.12:
        return f"{brand}（{place.rstrip('市')}）{industry['name']}{suffix[0]}", scope
    return f"{place}{brand}{industry['name']}{suffix[0]}", scope


def _address(rng: Random, parts: dict[str, object], region: Region) -> str:
    head = region.address if rng.random() < 0.6 else region.city + region.district or region.address
    if rng.random() < 0.2:
        return head + rng.choice(list(parts["villages"])) + rng.choice(("", f"{rng.randint(1, 99)}号"))  # type: ignore[call-overload]
    street = rng.choice(str(parts["streets"]).split()) + rng.choice(list(parts["street_kinds"]))  # type: ignore[call-overload]
    text = f"{head}{street}{rng.randint(1, 1999)}号"
    chance = rng.random()
    room = rng.randint(1, 32) * 100 + rng.randint(1, 28)
    if chance < 0.3:
        text += f"{rng.randint(1, 30)}幢{room}室"
    elif chance < 0.6:
        brand = rng.choice(str(parts["brands"]).split())
        text += f"{brand}{rng.choice(list(parts['buildings']))}{rng.choice('ABCD')}座{room}"  # type: ignore[call-overload]
    elif chance < 0.7:
        text += f"{rng.randint(1, 30)}栋{rng.randint(1, 6)}单元{room}号"
    return text


def _capital(rng: Random) -> str:
    amount = rng.choice((3, 5, 10, 10, 30, 50, 50, 51, 80, 100, 100, 100, 150, 200, 300, 500, 500,
                         600, 800, 1000, 1000, 1200, 2000, 2800, 3000, 5000, 5050, 6800))
    words = capital_amount(amount)
    return rng.choice(
        (
            f"{words}元整", f"{words}元整", f"{words}圆整", f"{amount}万元整", f"{amount}万元",
            f"人民币{words}元整", f"人民币{amount}万元整", f"{amount}万元人民币", f"{words}元人民币",
            f"人民币{amount}.0000万元整", f"{amount}.000000万人民币", f"（人民币）{words}元",
        )
    )


def _term(rng: Random, founded: date, style: DateStyle) -> str:
    first = founded.isoformat()
    years = rng.choice((10, 20, 20, 30, 50))
    last = date.fromordinal(date(founded.year + years, founded.month, min(founded.day, 28)).toordinal() - 1)
    both = f"{style.write(first)}至{style.write(last.isoformat())}"
    return rng.choice((both, both, both, both, f"自{both}", "长期", "长期",
                       f"{style.write(first)}至长期", f"{style.write(first)}至永久", "永续经营"))
