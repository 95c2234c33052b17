"""The word lists that documents are made of: package data, read once."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

Row = dict[str, str]


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
def tree(name: str) -> Any:
    """The content of a YAML file of the package data."""
    return yaml.safe_load(_text(name))


@cache
def schools() -> tuple[School, ...]:
    return tuple(School(**row) for row in table("schools.csv"))


@cache
def regions() -> tuple[Region, ...]:
    return tuple(Region(**row) for row in table("regions.csv"))
