"""A drafted schema as YAML for people: with a comment to each part that says what it was drawn from.

Whatever comes from a document is written so that YAML reads it as that text and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from ocr_moe.drafting.printing import hides, seen
from ocr_moe.formats.phrases import Language, Phrase, Words
from ocr_moe.schema import Fallback, Field, Schema

WORDS = Words("ocr_moe.drafting", "words.yaml")
_PLAIN = re.compile(r"[\w\u3400-\u9fff][\w\u3400-\u9fff ./+()（）、·-]*", re.UNICODE)
"""Texts that need no quotation marks, if YAML takes them for what they are."""
_WIDTH = 108
"""Characters of a comment's line."""


def written(
    schema: Schema,
    remarks: Mapping[str, Sequence[Phrase]],
    language: Language,
    head: Sequence[Phrase],
) -> str:
    """The text of a schema. `remarks` are what is said of its keys (`words`) and of its fields
    (`fields.NAME`), `head` of the whole."""

    def comments(key: str, indent: str = "") -> Iterator[str]:
        for phrase in remarks.get(key, ()):
            yield from comment(phrase, language, indent)

    lines = [line for phrase in head for line in comment(phrase, language)]
    lines += ["", f"name: {scalar(schema.name)}"]
    for key in ("title", "description"):
        value = getattr(schema, key)
        if value or key in remarks:
            lines += [*comments(key), f"{key}: {scalar(value)}"]
    if schema.pages is not None:
        lines += [*comments("pages"), f"pages: {schema.pages}"]
    if schema.words:
        lines += ["", *comments("words"), "words:"]
        lines += [f"  {scalar(word)}: {weight:g}" for word, weight in schema.words.items()]
    if schema.other_labels:
        lines += ["", *comments("other_labels"), "other_labels:"]
        lines += [f"  - {scalar(label)}" for label in schema.other_labels]
    if schema.sections:
        lines += ["", *comments("sections"), "sections:"]
        lines += [f"  {scalar(word)}: {flow(words)}" for word, words in schema.sections.items()]
    if schema.anchors:
        lines += ["", *comments("anchors"), f"anchors: {flow(list(schema.anchors))}"]
    lines += ["", "fields:"]
    for field in schema.fields:
        lines += comments(f"fields.{field.name}", "  ")
        lines += _field(field)
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _field(field: Field) -> Iterator[str]:
    start = "  - "
    for key, value in plain(field).items():
        if key in ("columns", "grammars", "patterns") and value:
            yield f"{start}{key}:"
            yield from (f"      - {flow(each)}" for each in value)
        elif key == "values":
            yield f"{start}values:"
            yield from (f"      {scalar(name)}: {flow(words)}" for name, words in value.items())
        else:
            yield f"{start}{key}: {flow(value)}"
        start = "    "


def plain(field: Field) -> dict[str, Any]:
    """What a field says, without what it need not say."""
    data: dict[str, Any] = field.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    if field.fallbacks == (Fallback.NOWHERE,):
        data["fallbacks"] = []
    if field.columns:
        data["columns"] = [plain(column) for column in field.columns]
    return data


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(str(value))


def scalar(text: str) -> str:
    """A text that YAML reads as that text wherever it stands: in quotation marks where a plain one would
    be a date, a number, `no`, or a mark of YAML's own."""
    if _PLAIN.fullmatch(text) and text == text.strip() and not hides(text):
        try:
            if yaml.safe_load(text) == text:
                return text
        except (yaml.YAMLError, ValueError):
            pass
    if "\\" in text and "'" not in text and not hides(text):
        return f"'{text}'"  # a regular expression stays legible
    return _quoted(text)


def _quoted(text: str) -> str:
    """In double quotation marks; what is not printed is written as its number."""
    body = json.dumps(text, ensure_ascii=False)[1:-1]
    return '"' + "".join(_escaped(char) if hides(char) else char for char in body) + '"'


def _escaped(char: str) -> str:
    number = ord(char)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def comment(phrase: Phrase, language: Language, indent: str = "") -> Iterator[str]:
    """A phrase as comment: one line each, whatever its words hold."""
    text = WORDS.filled(phrase, language, str)
    text = seen(text)
    line = ""
    for word in re.findall(r"\S+\s*", text):
        if line and len(indent) + 2 + len(line) + len(word.rstrip()) > _WIDTH:
            yield f"{indent}# {line.rstrip()}"
            line = ""
        line += word
    if line:
        yield f"{indent}# {line.rstrip()}"
