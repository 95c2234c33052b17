"""Prompts as package data: `<name>.system.txt` and `<name>.user.txt`, filled by `string.Template`.

Text that comes from a document is put in only through `data_section`, whose content cannot close
the section: characters that are not seen are left out, angle brackets are replaced by their
full-width look-alikes, and what looks like the section's own tag in any width loses its brackets.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

from ocr_moe.schema import Field, Kind
from ocr_moe.values.kinds import kind_of

_BRACKETS = str.maketrans({"<": "＜", ">": "＞"})
_MADE = {
    "summary": "据全文撰写的摘要，不受照抄所限",
    "sentiment": "全文的情感倾向，由你判断",
    "topics": "全文的主题词，用顿号分隔，由你归纳",
}
"""How a model is told of what is made of a text, by task."""
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")


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
    if field.kind is Kind.TABLE:
        return _describe_table(field)
    parts = [field.description.strip().rstrip("。.")]
    kind = kind_of(field)
    if field.made:
        parts.insert(0, _MADE.get(field.made, "据全文撰写，不照抄"))
    if kind.closed:
        parts.append("只能是：" + "、".join(field.values))
    elif not parts[0] or kind.prompt_always:
        parts.insert(0, kind.prompt)
    if field.kind is Kind.DATE and field.values:
        parts.append("也可能是：" + "、".join(field.values))
    hint = "；".join(part for part in (*parts, *_where(field)) if part)
    return f"- {field.name}：{hint}" if hint else f"- {field.name}"


def _where(field: Field) -> Iterator[str]:
    """Where the schema says that the value stands: the name of a field need not tell."""
    if field.within:
        yield f"在“{field.within}”一栏中"
    if field.occurrence is not None and field.labels:
        count = f"第{field.occurrence}" if field.occurrence > 0 else f"倒数第{-field.occurrence}"
        yield f"{count}个“{field.labels[0]}”"
    for words, sentence in (
        (field.above, "在“{}”上方"),
        (field.below, "在“{}”下方"),
        (field.column_of, "在“{}”这一列"),
    ):
        if words:
            yield sentence.format(words[0])


def _describe_table(table: Field) -> str:
    """The form of a table's rows, and under it its columns, each described as a field is."""
    form = "{" + ", ".join(f'"{column.name}": …' for column in table.columns) + "}"
    about = table.description.strip().rstrip("。.")
    head = f"- {table.name}：{about + '；' if about else ''}{kind_of(table).prompt}"
    columns = [f"  {describe(column)}" for column in table.columns]
    return "\n".join([f"{head}，写成JSON数组，每行一个对象：{form}，空格填null；各列：", *columns])


def data_section(tag: str, lines: Iterable[str]) -> str:
    """Document text between `<tag>` and `</tag>`, one line each, unable to break out."""
    name = tag.split()[0]
    spelt = "".join(
        f"[{low}{low.upper()}{_wide(low)}{_wide(low.upper())}]\\s*" for low in name.lower()
    )
    own = re.compile(rf"[<＜﹤〈‹]([\s/／]*{spelt})[>＞﹥〉›]")
    body = own.sub(r"（\1）", "\n".join(map(_seen, lines))).translate(_BRACKETS)
    return f"<{tag}>\n{body}\n</{name}>"


def _seen(line: str) -> str:
    """One line of what can be seen: no control characters, none of zero width, no halves of pairs."""
    text = " ".join(line.split())
    return "".join(char for char in text if unicodedata.category(char) not in _UNSEEN)


def _wide(letter: str) -> str:
    """An ASCII letter in full width."""
    return chr(ord(letter) + 0xFEE0)
