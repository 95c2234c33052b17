"""Random certificates of professional qualification: exams, trades, teachers, licences, job titles."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any, Literal

from ocr_moe.generation.codes import serial
from ocr_moe.generation.dates import random_day
from ocr_moe.generation.documents.businesses import draw_licence
from ocr_moe.generation.documents.citizens import Citizen, draw_citizen
from ocr_moe.generation.facts import Facts
from ocr_moe.generation.lexicons import qualifications, schools

Sort = Literal["professional", "vocational", "skill", "teacher", "licensed", "title"]


class Qualification(Facts):
    """One certificate of a qualification."""

    sort: Sort
    person: Citizen
    name: str
    """Of the qualification."""
    speciality: str
    level: str
    number: str
    file_number: str
    """管理号, beside the certificate's number."""
    approved: str
    """ISO: the day on which it was given."""
    issuer: str

    def truth(self) -> dict[str, str | None]:
        return {
            "姓名": self.person.name,
            "性别": self.person.sex,
            "出生日期": self.person.birth,
            "身份证号": self.person.number,
            "资格名称": self.name,
            "专业": self.speciality or None,
            "级别": self.level or None,
            "证书编号": self.number or None,
            "管理号": self.file_number or None,
            "批准日期": self.approved,
            "发证单位": self.issuer,
        }

    @property
    def stem(self) -> str:
        return f"{self.person.name}_资格证书"

    @property
    def owner(self) -> str:
        return self.issuer


def draw_qualification(rng: Random) -> Qualification:
    """A random certificate of a qualification."""
    sorts: tuple[Sort, ...] = (
        "professional", "vocational", "skill", "teacher", "licensed", "title",
    )  # fmt: skip
    sort = rng.choices(sorts, weights=(24, 18, 16, 18, 10, 14))[0]
    person = draw_citizen(rng, 1965, 1998)
    earliest = {"skill": 2019, "vocational": 2003, "licensed": 2006}.get(sort, 2004)
    born = int(person.birth[:4])
    first = max(earliest, born + 21)
    latest = 2018 if sort == "vocational" else 2025
    day = random_day(rng, date(min(first, latest - 1), 1, 5), date(latest, 5, 28))
    facts = _DRAWN[sort](rng, person, day)
    return Qualification(sort=sort, person=person, approved=day.isoformat(), **facts)


def _issuer(rng: Random, form: str, person: Citizen) -> str:
    region = person.region
    return form.format(
        province=region.province,
        city=region.short_city,
        district=region.district or region.short_city,
        school=rng.choice(schools()).name,
        company=draw_licence(rng, family="company").name,
    )


def _professional(rng: Random, person: Citizen, day: date) -> dict[str, Any]:
    drawn = rng.choice(qualifications().professional)
    return {
        "name": drawn.name,
        "speciality": rng.choice(drawn.specialities) if drawn.specialities else "",
        "level": rng.choice(drawn.levels) if drawn.levels else "",
        "number": f"{rng.randrange(10**7, 10**8)}" if rng.random() < 0.4 else "",
        "file_number": f"{day.year}{rng.randrange(10**8):08d}{rng.randrange(10**9):09d}"[:21],
        "issuer": _issuer(rng, rng.choice(drawn.issuers), person),
    }


def _vocational(rng: Random, person: Citizen, day: date) -> dict[str, Any]:
    words = qualifications().vocational
    number = f"{day.year % 100:02d}{person.region.code[:2]}{rng.randrange(10**4):04d}"
    number += f"{rng.randrange(1, 6)}{rng.randrange(10**7):07d}"
    return {
        "name": rng.choice(words.names),
        "speciality": "",
        "level": rng.choice(words.levels),
        "number": number,
        "file_number": "",
        "issuer": _issuer(rng, rng.choice(words.issuers), person),
    }


def _skill(rng: Random, person: Citizen, day: date) -> dict[str, Any]:
    words = qualifications().vocational
    letter = rng.choice("SYJ")
    number = f"{letter}{rng.randrange(10**11):011d}{day.year % 100:02d}{serial(rng, 7)}"
    return {
        "name": rng.choice(words.names),
        "speciality": "",
        "level": rng.choice(words.newlevels),
        "number": number,
        "file_number": "",
        "issuer": _issuer(rng, rng.choice(words.bodies), person),
    }


def _teacher(rng: Random, person: Citizen, day: date) -> dict[str, Any]:
    words = qualifications().teacher
    kind = rng.choice(words.kinds)
    digit = 1 + words.kinds.index(kind)
    sex = 1 if person.sex == "男" else 2
    number = f"{day.year}{person.region.code[:4]}{digit}{sex}{serial(rng, 7)}"
    return {
        "name": kind,
        "speciality": "" if kind.startswith("幼儿园") else rng.choice(words.subjects),
        "level": "",
        "number": number,
        "file_number": "",
        "issuer": _issuer(rng, rng.choice(words.issuers), person),
    }


def _licensed(rng: Random, person: Citizen, day: date) -> dict[str, Any]:
    drawn = rng.choice(qualifications().licensed)
    number = {
        "医师资格": f"{day.year}{rng.choice('1234')}1{person.region.code}{rng.randrange(10**15):015d}",
        "护士执业": f"{day.year}{person.region.code[:2]}{serial(rng, 6)}",
        "律师执业": f"1{person.region.code[:4]}{day.year}{rng.choice('01')}{rng.randrange(10**7):07d}",
    }[drawn.name]
    return {
        "name": drawn.name,
        "speciality": rng.choice(drawn.kinds),
        "level": "",
        "number": number,
        "file_number": "",
        "issuer": _issuer(rng, rng.choice(drawn.issuers), person),
    }


def _title(rng: Random, person: Citizen, day: date) -> dict[str, Any]:
    drawn = rng.choice(qualifications().titles)
    number = rng.choice(
        (
            f"{day.year}{serial(rng, 6)}",
            f"{person.region.province[0]}{rng.choice('ABCG')}{rng.randrange(10**7):07d}",
            f"({day.year}){serial(rng, 5)}",
        )
    )
    return {
        "name": drawn.name,
        "speciality": rng.choice(drawn.specialities),
        "level": drawn.level,
        "number": number,
        "file_number": "",
        "issuer": _issuer(rng, rng.choice(qualifications().committees), person),
    }


_DRAWN = {
    "professional": _professional,
    "vocational": _vocational,
    "skill": _skill,
    "teacher": _teacher,
    "licensed": _licensed,
    "title": _title,
}
