"""The word lists that documents are made of: package data, read once."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from ocr_moe.types import Value

Row = dict[str, str]


class Industry(Value):
    """A line of business: what stands in a company's name, and phrases of its scope."""

    name: str
    tail: tuple[str, ...]


class Shop(Value):
    name: str
    scope: str


class Business(Value):
    """Parts of which licences are made."""

    brands: tuple[str, ...]
    industries: tuple[Industry, ...]
    shops: tuple[Shop, ...]
    farms: tuple[str, ...]
    streets: tuple[str, ...]
    street_kinds: tuple[str, ...]
    buildings: tuple[str, ...]
    villages: tuple[str, ...]
    types: dict[str, tuple[str, ...]]
    """Types of business by family; `oldcompany` are those of companies before 2015."""
    endings: tuple[str, ...]
    authorities: tuple[str, ...]


class English(Value):
    """What stands on the English half of bilingual certificates."""

    diploma: tuple[str, ...]
    degree: tuple[str, ...]
    """Wordings with {placeholders}."""
    subjects: dict[str, str]
    """Names of the branches of degrees, by their Chinese names."""
    syllables: tuple[str, ...]
    """Syllables that Latin spellings of names are made of."""


class Wording(Value):
    """A sentence of a certificate with {placeholders}, and for whom it is used."""

    text: str
    form: str | None = None
    levels: tuple[str, ...] = ()
    rare: bool = False
    """Whether it is seldom used: such wordings leave out a field."""

    def suits(self, form: str, level: str) -> bool:
        return self.form in (None, form) and (not self.levels or level in self.levels)


class Abroad(Value):
    """Names that are common in a country, by sex, and how they are written."""

    country: str
    男: tuple[str, ...]
    女: tuple[str, ...]
    family: tuple[str, ...]
    family_first: bool = False


class Taiwan(Value):
    """Of what certificates of Taiwan are made, in traditional characters."""

    schools: tuple[dict[str, str], ...]
    """name, short (as in its numbers), english."""
    departments: tuple[dict[str, str], ...]
    """name (without 學系), college, degree."""
    surnames: str
    given: dict[str, str]
    """Characters of given names, by sex."""


class Further(Value):
    """Holders of the further kinds of certificates."""

    taiwan: Taiwan
    foreign: tuple[Abroad, ...]


class Goods(Value):
    """A class of goods or services as VAT invoices name them."""

    group: str
    names: tuple[str, ...]
    specs: tuple[str, ...] = ()
    units: tuple[str, ...]
    rates: tuple[str, ...]
    """Rates of tax in per cent."""
    low: float
    high: float
    """Range of the price of one."""


class Invoices(Value):
    """Of what VAT invoices are made."""

    goods: tuple[Goods, ...]
    banks: tuple[str, ...]
    remarks: tuple[str, ...]


class Awards(Value):
    """Of what award certificates are made."""

    events: tuple[str, ...]
    prizes: tuple[str, ...]
    groups: tuple[str, ...]
    honours: tuple[str, ...]
    scholarships: tuple[str, ...]
    works: tuple[str, ...]
    bodies: tuple[str, ...]
    """Who awards, with {placeholders}."""
    fields: tuple[str, ...]
    closings: tuple[str, ...]
    wordings: dict[str, tuple[str, ...]]
    """By sort of award, those of layouts that are held out under `heldout_…`."""


class Travellers(Value):
    """Holders of the passports of one state."""

    state: str
    """As machine-readable zones write it, with fillers."""
    labels: str
    """Languages of the form."""
    nationality: str
    months: str
    """How dates are printed: zh, en, fr, en_fr (names of months), dotted, slashed or spaced."""
    given: tuple[str, ...]
    family: tuple[str, ...]
    places: tuple[str, ...]
    authorities: tuple[str, ...]


class People(Value):
    """What is said of people: on identity cards, in registers and on licences."""

    ethnicities: dict[str, int]
    """With weights."""
    towns: tuple[str, ...]
    villages: tuple[str, ...]
    estates: tuple[str, ...]
    occupations: tuple[str, ...]
    educations: tuple[str, ...]
    relations: dict[str, tuple[str, ...]]
    """To the head of the household, by sex."""
    marriages: tuple[str, ...]
    military: tuple[str, ...]
    religions: tuple[str, ...]
    bloods: tuple[str, ...]
    households: tuple[str, ...]
    """Kinds of households, as registers name them."""
    classes: dict[str, int]
    """Of vehicles that one may drive, with weights."""


class Passports(Value):
    """Holders of passports, and the words of the forms."""

    travellers: tuple[Travellers, ...]
    labels: dict[str, dict[str, str]]
    """By the form's languages and the entry."""
    months: dict[str, tuple[str, ...]]
    """Names of months in other languages than English."""


class Profession(Value):
    """A qualification that is given after an exam."""

    name: str
    specialities: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    issuers: tuple[str, ...]


class Vocations(Value):
    """Trades, and the levels of skill in them, of before and of today."""

    names: tuple[str, ...]
    levels: tuple[str, ...]
    newlevels: tuple[str, ...]
    issuers: tuple[str, ...]
    bodies: tuple[str, ...]


class Teaching(Value):
    kinds: tuple[str, ...]
    """Of qualification, by kind of school."""
    subjects: tuple[str, ...]
    issuers: tuple[str, ...]


class LicensedWork(Value):
    name: str
    kinds: tuple[str, ...]
    issuers: tuple[str, ...]


class JobTitle(Value):
    name: str
    specialities: tuple[str, ...]
    level: str


class Qualifications(Value):
    """Of what certificates of professional qualification are made; issuers with {placeholders}."""

    professional: tuple[Profession, ...]
    vocational: Vocations
    teacher: Teaching
    licensed: tuple[LicensedWork, ...]
    titles: tuple[JobTitle, ...]
    committees: tuple[str, ...]


class CourseWords(Value):
    """Of what transcripts are made."""

    courses: tuple[str, ...]
    parts: tuple[str, ...]
    """What stands behind the name of a course of several parts."""
    english: tuple[str, ...]
    kinds: tuple[str, ...]
    english_kinds: tuple[str, ...]
    colleges: tuple[str, ...]


class Degree(Value):
    """A degree of universities abroad, and the fields in which it is given; empty for none."""

    title: str
    level: str
    fields: tuple[str, ...]


class EnglishDiplomas(Value):
    """Of what diplomas in English are made."""

    institutions: tuple[str, ...]
    places: tuple[str, ...]
    given: tuple[str, ...]
    middle: tuple[str, ...]
    family: tuple[str, ...]
    degrees: tuple[Degree, ...]
    honours: dict[str, tuple[str, ...]]
    """By custom: american, british."""
    wordings: dict[str, tuple[tuple[str, ...], ...]]
    """By custom, those of layouts that are held out under `heldout_…`; each of lines."""


class School(NamedTuple):
    code: str
    """The five-digit code of the Ministry of Education."""
    name: str
    english: str
    province: str
    level: str
    """本科 or 专科: the highest level of undergraduate study it offers."""


class Region(NamedTuple):
    code: str
    """GB/T 2260 code of the county or district."""
    province: str
    city: str
    district: str

    @property
    def short_city(self) -> str:
        """The city (or municipality) with 市, for company names: 深圳市."""
        return self.city or self.province

    @property
    def address(self) -> str:
        return self.province + self.city + self.district


def _text(name: str) -> str:
    return files("ocr_moe.generation").joinpath("data", name).read_text(encoding="utf-8")


@cache
def table(name: str) -> tuple[Row, ...]:
    """The rows of a CSV file of the package data."""
    return tuple(csv.DictReader(_text(name).splitlines()))


@cache
def business() -> Business:
    return Business.model_validate(yaml.safe_load(_text("business.yaml")))


@cache
def invoices() -> Invoices:
    return Invoices.model_validate(yaml.safe_load(_text("invoices.yaml")))


@cache
def awards() -> Awards:
    return Awards.model_validate(yaml.safe_load(_text("awards.yaml")))


@cache
def qualifications() -> Qualifications:
    return Qualifications.model_validate(yaml.safe_load(_text("qualifications.yaml")))


@cache
def courses() -> CourseWords:
    return CourseWords.model_validate(yaml.safe_load(_text("courses.yaml")))


@cache
def english_diplomas() -> EnglishDiplomas:
    return EnglishDiplomas.model_validate(yaml.safe_load(_text("english_diplomas.yaml")))


@cache
def wordings(kind: str) -> tuple[Wording, ...]:
    """The Chinese wordings of `diploma` or `degree` certificates."""
    return tuple(Wording.model_validate(entry) for entry in _wordings()[kind])


@cache
def english_words() -> English:
    return English.model_validate(_wordings()["english"])


@cache
def further_wordings(kind: str) -> tuple[str, ...]:
    """The wordings of a further kind of certificate: `taiwan`, `heldout_taiwan` …"""
    return tuple(_wordings()["further"][kind])


@cache
def further() -> Further:
    """Who holds the certificates of the further kinds."""
    return Further.model_validate(yaml.safe_load(_text("further.yaml")))


@cache
def people() -> People:
    return People.model_validate(yaml.safe_load(_text("people.yaml")))


@cache
def passports() -> Passports:
    return Passports.model_validate(yaml.safe_load(_text("passports.yaml")))


@cache
def _wordings() -> Any:
    return yaml.safe_load(_text("wordings.yaml"))


@cache
def schools() -> tuple[School, ...]:
    return tuple(School(**row) for row in table("schools.csv"))


@cache
def regions() -> tuple[Region, ...]:
    return tuple(Region(**row) for row in table("regions.csv"))
