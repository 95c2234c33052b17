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
