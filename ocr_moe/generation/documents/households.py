"""Random members of households, and what their pages of the register say."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from ocr_moe.generation.dates import DateStyle, random_day
from ocr_moe.generation.documents.businesses import draw_licence
from ocr_moe.generation.documents.citizens import Citizen, draw_citizen
from ocr_moe.generation.documents.graduates import draw_name
from ocr_moe.generation.facts import Facts
from ocr_moe.generation.lexicons import people, regions

_TODAY = date(2025, 5, 30)
_SCHOOL_AGE, _GROWN, _MARRIAGEABLE = 6, 18, 24


class HouseholdMember(Facts):
    """One 常住人口登记卡, and the first page of its booklet; empty where nothing is entered."""

    member: Citizen
    relation: str
    former_name: str
    birthplace: str
    native_place: str
    other_address: str
    religion: str
    height: str
    blood: str
    education: str
    marriage: str
    military: str
    workplace: str
    occupation: str
    moved_to_city: str
    moved_here: str
    registered: str
    clerk: str
    household: str
    head: str
    household_number: str

    def truth(self) -> dict[str, str | None]:
        return {
            "姓名": self.member.name,
            "与户主关系": self.relation,
            "曾用名": self.former_name or None,
            "性别": self.member.sex,
            "出生地": self.birthplace,
            "民族": self.member.ethnicity,
            "籍贯": self.native_place,
            "出生日期": self.member.birth,
            "其他住址": self.other_address or None,
            "宗教信仰": self.religion or None,
            "公民身份号码": self.member.number,
            "身高": self.height or None,
            "血型": self.blood or None,
            "文化程度": self.education or None,
            "婚姻状况": self.marriage or None,
            "兵役状况": self.military or None,
            "服务处所": self.workplace or None,
            "职业": self.occupation or None,
            "何时由何地迁来本市": self.moved_to_city or None,
            "何时由何地迁来本址": self.moved_here or None,
            "登记日期": self.registered,
            "户别": self.household,
            "户主姓名": self.head,
            "户号": self.household_number,
            "住址": self.member.address,
        }

    @property
    def owner(self) -> str:
        return f"{self.member.region.city}公安局户口专用章"

    @property
    def stem(self) -> str:
        return f"{self.member.name}_户口本"


def draw_household_member(rng: Random) -> HouseholdMember:
    words = people()
    member = draw_citizen(rng, 1932, 2022)
    born = date.fromisoformat(member.birth)
    registered = random_day(rng, max(born + timedelta(days=5), date(1998, 1, 5)), _TODAY)
    age = (registered - born).days // 365
    grown = age >= _GROWN
    relations = words.relations[member.sex]
    relation = rng.choice(relations if age >= _MARRIAGEABLE else relations[2:5])
    if not grown:
        relation = rng.choice(
            ("子", "长子", "孙子") if member.sex == "男" else ("女", "长女", "孙女")
        )
    origin = member.region
    single = rng.choice(("未婚", "未婚", "未婚", "离婚"))
    married = rng.choice([each for each in words.marriages if each != "未婚"])
    schools = [each for each in words.educations if age > 22 or "大学" not in each]
    head = member.name if relation == "户主" else draw_name(rng, born.year - 3)[0]
    business = draw_licence(rng, era="modern")
    working = grown and rng.random() < 0.75 and age < 62
    return HouseholdMember(
        member=member,
        relation=relation,
        former_name=draw_name(rng, born.year)[0] if rng.random() < 0.12 else "",
        birthplace=origin.address if rng.random() < 0.7 else origin.city or origin.province,
        native_place=(origin.province + origin.city) or origin.address,
        other_address=member.address if rng.random() < 0.06 else "",
        religion=rng.choice(words.religions) if rng.random() < 0.12 else "",
        height=f"{rng.randint(150, 188)}{rng.choice(('厘米', '厘米', 'cm', ''))}"
        if grown and rng.random() < 0.7
        else "",
        blood=rng.choice(words.bloods) if rng.random() < 0.35 else "",
        education=rng.choice(schools) if age > _SCHOOL_AGE + 6 and rng.random() < 0.92 else "",
        marriage="" if not grown else married if age >= _MARRIAGEABLE else single,
        military=rng.choice(words.military)
        if grown and member.sex == "男" and rng.random() < 0.5
        else "",
        workplace=business.name if working and rng.random() < 0.6 else "",
        occupation=rng.choice(words.occupations) if working else "",
        moved_to_city=_move(rng, born, registered) if rng.random() < 0.45 else "",
        moved_here=_move(rng, born, registered) if rng.random() < 0.25 else "",
        registered=registered.isoformat(),
        clerk=draw_name(rng, 1975)[0],
        household=rng.choice(words.households),
        head=head,
        household_number=f"{rng.randrange(10**8):09d}",
    )


def _move(rng: Random, born: date, registered: date) -> str:
    """When somebody moved in, from where, and perhaps why."""
    when = DateStyle("arabic").write(
        random_day(rng, born + timedelta(days=1), registered).isoformat()
    )
    elsewhere = rng.choice(regions()).address
    why = rng.choice(("购房入户", "工作调动", "投靠配偶", "大中专招生", "夫妻投靠"))
    return rng.choice(
        (f"{when}因{why}由{elsewhere}迁来", f"{when}由{elsewhere}迁来", f"{when} {elsewhere}")
    )
