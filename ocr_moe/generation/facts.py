"""What a document says, before it is drawn: people with their certificates, and businesses."""

from __future__ import annotations

from typing import Literal

from ocr_moe.types import Value

Sex = Literal["男", "女"]
Kind = Literal["diploma", "degree"]
Form = Literal["regular", "adult", "selfstudy", "online", "graduate"]
LevelOfStudy = Literal["专科", "本科", "硕士研究生", "博士研究生"]
Family = Literal["company", "individual", "partnership", "cooperative"]
Era = Literal["modern", "old"]
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


class Graduate(Value):
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
    def stem(self) -> str:
        return f"{self.name}_营业执照"
