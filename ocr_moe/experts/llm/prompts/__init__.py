"""Prompts as package data: `<name>.system.txt` and `<name>.user.txt`, filled by `string.Template`.

Text that comes from a document is put in only through `data_section`, whose content cannot close
the section: angle brackets are replaced by their full-width look-alikes, line by line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

from ocr_moe.schema import Field, Kind

_BRACKETS = str.maketrans({"<": "＜", ">": "＞"})
_BY_KIND = {
    Kind.DATE: "年月日，照原文抄写",
    Kind.CODE: "号码，逐位照抄，不增不减",
    Kind.MONEY: "金额，连同单位照原文抄写",
    Kind.PERSON: "人名",
    Kind.ORGANISATION: "机构全称",
    Kind.TEXT: "",
}


@dataclass(frozen=True)
class Prompt:
    """A system text and a user text with `$fields` and, where there is one, `$text`."""

    system: str
    user: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.system}\0{self.user}".encode()).hexdigest()[:8]

    def fill(self, fields: Sequence[Field], text: str = "") -> str:
        listed = "\n".join(describe(field) for field in fields)
        return Template(self.user).substitute(fields=listed, text=text).strip()


@cache
def load(name: str) -> Prompt:
    """The shipped prompt of that name."""
    folder = files(__name__)
    return Prompt(
        system=(folder / f"{name}.system.txt").read_text(encoding="utf-8").strip(),
        user=(folder / f"{name}.user.txt").read_text(encoding="utf-8").strip(),
    )


def describe(field: Field) -> str:
    """One line of a prompt that says what the field is and how its value looks."""
    parts = [field.description.strip().rstrip("。.")]
    if field.kind is Kind.ENUM:
        parts.append("只能是：" + "、".join(field.values))
    elif not parts[0] or field.kind in (Kind.DATE, Kind.CODE, Kind.MONEY):
        parts.insert(0, _BY_KIND[field.kind])
    hint = "；".join(part for part in parts if part)
    return f"- {field.name}：{hint}" if hint else f"- {field.name}"


def data_section(tag: str, lines: Iterable[str]) -> str:
    """Document text between `<tag>` and `</tag>`, one line each, unable to break out."""
    body = "\n".join(" ".join(line.split()).translate(_BRACKETS) for line in lines)
    return f"<{tag}>\n{body}\n</{tag.split()[0]}>"
