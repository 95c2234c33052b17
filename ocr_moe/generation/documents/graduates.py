"""Random students and the certificates they hold."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Literal

from ocr_moe.generation import codes
from ocr_moe.generation.dates import REPUBLIC, random_day
from ocr_moe.generation.facts import Facts
from ocr_moe.generation.lexicons import Row, School, further, regions, schools, table
from ocr_moe.types import Value

Sex = Literal["男", "女"]
Kind = Literal["diploma", "degree"]
Form = Literal["regular", "adult", "selfstudy", "online", "graduate"]
LevelOfStudy = Literal["专科", "本科", "硕士研究生", "博士研究生"]
Holder = Literal["mainland", "foreign", "taiwan", "early"]
"""Whose certificate it is: of a student of today, of a foreign one, of one of Taiwan, of one of before
1996, when certificates had no number of a common form."""

DEGREE_SUFFIX = {"本科": "学士", "硕士研究生": "硕士", "博士研究生": "博士"}
FILE_LEVEL = {"专科": "专科", "本科": "本科", "硕士研究生": "硕士", "博士研究生": "博士"}


class Person(Value):
    name: str
    sex: Sex
    birth: str
    """ISO date; without the day where the certificate prints none."""
    province: str
    country: str = ""
    """Of foreign students."""
    passport: str = ""


class Graduate(Facts):
    """One certificate of one student."""

    kind: Kind
    form: Form
    person: Person
    level: LevelOfStudy
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
    holder: Holder = "mainland"
    college: str = ""
    """Of Taiwan, where certificates name it before the department."""

    def truth(self) -> dict[str, str | None]:
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
    def owner(self) -> str:
        return self.school

    @property
    def stem(self) -> str:
        kind = "毕业证书" if self.kind == "diploma" else "学位证书"
        return f"{self.person.name}_{FILE_LEVEL[self.level]}_{kind}"


def draw_name(rng: Random, birth_year: int) -> tuple[str, Sex]:
    """A name and a sex, by how common they are."""
    sexes: tuple[Sex, ...] = ("男", "女")
    sex = rng.choice(sexes)
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


def draw_certificates(
    rng: Random, *, older: bool = False, name: str | None = None
) -> list[Graduate]:
    """All certificates of one random student: one to four, which belong together.

    `older` draws graduations before 2003; `name` gives the student a name.
    """
    levels: tuple[LevelOfStudy, ...] = ("专科", "本科", "硕士研究生", "博士研究生")
    forms: tuple[Form, ...] = ("regular", "adult", "selfstudy", "online")
    level = rng.choices(levels, weights=(22, 52, 19, 7))[0]
    form = rng.choices(forms, weights=(70, 14, 8, 8))[0]
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


def draw_further(rng: Random, holder: Holder) -> Graduate:
    """One diploma of a foreign student, of Taiwan, or of before 1996.

    Raises:
        KeyError: for holders that `draw_certificates` draws.
    """
    return {"foreign": _foreign, "taiwan": _of_taiwan, "early": _early}[holder](rng)


def _foreign(rng: Random) -> Graduate:
    """A diploma of today of a student with a Latin name."""
    level: LevelOfStudy = rng.choice(("本科", "本科", "本科", "专科"))
    year = rng.randint(2006, 2024)
    home = rng.choice(further().foreign)
    person = draw_person(rng, year - rng.randint(21, 27))
    first, family = rng.choice(home.男 if person.sex == "男" else home.女), rng.choice(home.family)
    name = f"{family} {first}" if home.family_first else f"{first} {family}"
    if rng.random() < 0.1:
        name = f"{family}, {first}"
    name = name.upper() if rng.random() < 0.6 else name
    person = person.model_copy(
        update={
            "name": name,
            "country": home.country,
            "passport": rng.choice("ABEGKN") + f"{rng.randrange(10**7, 10**8)}",
        }
    )
    diploma = _stage(rng, person, level, "regular", year)[0]
    number = codes.diploma_number(rng, _code_of(diploma), "regular", year, level)
    return diploma.model_copy(update={"kind": "diploma", "holder": "foreign", "number": number})


def _code_of(facts: Graduate) -> str:
    """The code of the school that issued a certificate."""
    return next(school.code for school in schools() if school.name == facts.school)


def _of_taiwan(rng: Random) -> Graduate:
    words = further().taiwan
    school, department = rng.choice(words.schools), rng.choice(words.departments)
    level: LevelOfStudy = rng.choice(("本科", "本科", "本科", "硕士研究生"))
    year = rng.randint(1985, 2023)
    drawn = draw_person(rng, year - rng.randint(22, 26))
    given = rng.sample(words.given[drawn.sex], 2)
    person = drawn.model_copy(update={"name": rng.choice(words.surnames) + "".join(given)})
    years = 4 if level == "本科" else 2
    republic = year - REPUBLIC
    if rng.random() < 0.5:
        number = f"({republic}){school['short']}字第{codes.serial(rng, 6)}號"
    else:
        number = f"{republic:03d}{rng.randrange(10**6):06d}"
    return Graduate(
        kind="diploma",
        form="regular",
        person=person,
        level=level,
        school=school["name"],
        school_english=school["english"],
        major=department["name"],
        major_english="",
        degree=department["degree"] + {"本科": "學士", "硕士研究生": "碩士"}[level],
        years=years,
        start=f"{year - years}-09",
        end=f"{year}-06",
        issued=f"{year}-06-{rng.randint(1, 30):02d}",
        number=number,
        holder="taiwan",
        college=department["college"],
    )


def _early(rng: Random) -> Graduate:
    """A diploma of before 1996: a running number of the school's own, no code of the ministry."""
    year = rng.randint(1978, 1995)
    level: LevelOfStudy = rng.choice(("本科", "本科", "专科"))
    person = draw_person(rng, year - rng.randint(21, 25))
    diploma = _stage(rng, person, level, "regular", year)[0]
    number = rng.choice(
        (
            f"{year % 100}{codes.serial(rng, 4)}",
            codes.serial(rng, 5),
            codes.serial(rng, 6),
            f"({year % 100}){rng.choice(('', diploma.school[:2]))}毕字第{codes.serial(rng, 5)}号",
        )
    )
    return diploma.model_copy(update={"kind": "diploma", "holder": "early", "number": number})


def _stage(
    rng: Random, person: Person, level: LevelOfStudy, form: Form, year: int
) -> list[Graduate]:
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
    if form == "selfstudy":
        region = rng.choice(regions()).code
        number = codes.selfstudy_number(rng, region, year, month, level)
    else:
        number = codes.diploma_number(rng, school.code, form, year, level)
    diploma = Graduate(
        kind="diploma",
        form=form,
        person=person,
        level=level,
        school=school.name,
        school_english=school.english,
        major=major["name"],
        major_english=major["english"],
        degree=major["degree"] + DEGREE_SUFFIX[level] if level in DEGREE_SUFFIX else "",
        years=years,
        start=f"{year - years - (month < 6)}-{start_month:02d}",
        end=f"{year}-{month:02d}",
        issued=issued,
        number=number,
    )
    chance = rng.random()
    if not diploma.degree or form == "selfstudy":
        return [diploma]
    documents = [diploma] if chance < 0.75 else []
    if not 0.4 <= chance < 0.75:
        number = codes.degree_number(rng, school.code, form, year, level)
        documents.append(diploma.model_copy(update={"kind": "degree", "number": number}))
    return documents


def _school(rng: Random, level: LevelOfStudy) -> School:
    if level in ("硕士研究生", "博士研究生"):
        return rng.choice([s for s in schools() if s.level == "本科" and s.code < "10700"])
    return rng.choice([s for s in schools() if level == "专科" or s.level == "本科"])


def _major(rng: Random, level: LevelOfStudy) -> Row:
    mark = {"专科": "专", "本科": "本", "硕士研究生": "硕", "博士研究生": "博"}[level]
    return rng.choice([row for row in table("majors.csv") if mark in row["levels"]])
