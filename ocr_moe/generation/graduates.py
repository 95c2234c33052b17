"""Random students and the certificates they hold."""

from __future__ import annotations

from datetime import date
from random import Random

from ocr_moe.generation import codes
from ocr_moe.generation.dates import random_day
from ocr_moe.generation.facts import DEGREE_SUFFIX, Form, Graduate, LevelOfStudy, Person, Sex
from ocr_moe.generation.lexicons import Row, School, regions, schools, table


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
