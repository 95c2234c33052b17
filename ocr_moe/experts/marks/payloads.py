"""What a symbol's text says of the fields of a schema: from payload to stretches of text, pure.

Six ways of writing are understood, tried together; each field's keys, address parameters and lists are
what its schema says under `marks`:

    json      an object: {"统一社会信用代码": "91…", "data": {"名称": "…"}}
    listed    a list whose places have a meaning: 01,10,035002100311,50750285,…
    address   parameters of an address: http://…/index.html?uniscid=91…
    keyed     keys as printed, with a separator: 统一社会信用代码：91…；名称：…
    bare      keys as printed, without one: 注册号4419…
    plain     a code that fits a grammar of the field, and nothing else

A key ends the value before it, and so does a word that only looks like one (`备案号：`), so that no
value takes in its neighbour.  A value that says it was cut short (`…`, `***`) is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_to_bytes

from ocr_moe.schema import Field, Schema

_LONGEST = 4096
"""Characters of a text that are looked at; what goes on beyond may be cut, and is."""
_DEEPEST = 4
"""Levels of a JSON object."""
_MOST = 256
"""Keys and parameters that are looked at."""
_LONGEST_KEY = 12
"""Characters before a colon that are taken for one unknown key."""
_SEPARATORS = ":="
_ENDS = "\n\r\t;|"
"""What ends a value whatever follows; a comma may be part of one."""
_TRIMMED = " \n\r\t;|,、。"
_CUT_SHORT = re.compile(r"(?:\.{2,}|…+|\*{2,}|�)[\s.;,]*$")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,12}://[^\s\"'<>|;,\u3000-\u9fff\uff00-\uffef]+")
_WORD = r"[^\W\d]"
_RUN = re.compile(
    rf"(?<!{_WORD})(?P<run>{_WORD}++(?:[ /]{{1,2}}{_WORD}++|\({_WORD}++\)){{0,8}}+)"
    rf"\s*+[{_SEPARATORS}](?!//)"
)
"""Words before a separator: a key, a value that ran into one, or neither.  Quantifiers are possessive,
and words few, for a symbol may say anything."""


class Form(StrEnum):
    """How a value stands in a symbol's text."""

    JSON = "json"
    LISTED = "listed"
    ADDRESS = "address"
    KEYED = "keyed"
    BARE = "bare"
    PLAIN = "plain"


@dataclass(frozen=True)
class Statement:
    """A stretch of a symbol's text that is said of a field."""

    field: str
    raw: str
    """The value as it stands there."""
    form: Form
    rank: int
    """Of the key among those of the field, the first being believed most."""
    text: str
    """Key and value, as they stand there."""


def statements(schema: Schema, text: str) -> list[Statement]:
    """All that a symbol's text says of fields of the schema, in no particular order."""
    text = _plain_width(text)
    whole = len(text) <= _LONGEST
    if not whole:
        # The last value may go on beyond; it ends where another does.
        text = text[: max(text[:_LONGEST].rfind(end) for end in _ENDS + ",") + 1]
    if not text.strip():
        return []
    keys = _Keys(schema)
    found = list(_listed(schema, text)) if whole else []
    data = _json(text)
    if data is not None:
        return [*found, *_from_json(keys, data)]
    addresses = [match.group() for match in _ADDRESS.finditer(text)]
    for address in addresses:
        found += _from_address(keys, address)
    found += _keyed(keys, _ADDRESS.sub(" ", text))
    stripped = text.strip(_TRIMMED)
    if whole and not found:
        found += [
            Statement(field.name, stripped, Form.PLAIN, 0, stripped)
            for field in schema.fields
            if field.grammars
        ]
    return found


class _Keys:
    """What announces a value in a symbol, for all fields of a schema."""

    def __init__(self, schema: Schema) -> None:
        self.words: dict[str, list[tuple[str, int]]] = {}
        """Folded key → the fields that it announces, each with the key's rank there."""
        self.parameters: dict[str, list[tuple[str, int]]] = {}
        known = set(schema.other_labels)
        for field in schema.fields:
            for rank, key in enumerate(keys_of(field)):
                self.words.setdefault(_folded(key), []).append((field.name, rank))
            for rank, parameter in enumerate(field.marks.parameters):
                self.parameters.setdefault(parameter.casefold(), []).append((field.name, rank))
            known.update(field.label_forms, field.weak_labels, field.aliases, (field.name,))
        known = {_folded(word) for word in known} | self.words.keys()
        self.known = sorted((word for word in known if word), key=lambda word: (-len(word), word))
        """All words that end a value, folded, the longest first."""
        self._set = frozenset(self.known)
        self._longest = max(map(len, self.known), default=0)
        self.bare = re.compile("|".join(map(re.escape, self.known)), re.IGNORECASE)

    def at_the_end_of(self, run: str) -> str | None:
        """The longest known key with which a run of words ends, as it stands there."""
        # A key may be printed with a space between its characters.
        for start in range(max(0, len(run) - 2 * self._longest), len(run)):
            if not run[start].isspace() and _folded(run[start:]) in self._set:
                return run[start:]
        return None


def keys_of(field: Field) -> Sequence[str]:
    """The words before a field's value in a symbol: the schema's, else its labels and aliases."""
    if field.marks.keys is not None:
        return field.marks.keys
    if field.within or field.occurrence:
        # Its label is another field's as well, and a symbol has no sections.
        return tuple(dict.fromkeys((field.name, *field.aliases)))
    return tuple(dict.fromkeys((*field.label_forms, field.name, *field.aliases)))


def _folded(word: str) -> str:
    return re.sub(r"\s", "", _plain_width(word)).casefold()


def _plain_width(text: str) -> str:
    """Full-width letters, digits and punctuation as ASCII, character by character."""
    return "".join(
        " "
        if char == "\u3000"
        else chr(ord(char) - 0xFEE0)
        if "\uff01" <= char <= "\uff5e"
        else char
        for char in text
    )


def _listed(schema: Schema, text: str) -> Iterator[Statement]:
    stripped = text.strip(" \n\r\t")
    for field in schema.fields:
        for rank, each in enumerate(field.marks.lists):
            if not re.match(each.form, stripped):
                continue
            items = stripped.split(each.separator)
            if each.item <= len(items) and (raw := items[each.item - 1].strip()):
                yield Statement(field.name, each.values.get(raw, raw), Form.LISTED, rank, raw)


def _json(text: str) -> Any:
    stripped = text.strip()
    if not stripped.startswith(("{", "[")):
        return None
    try:
        return json.loads(stripped, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None


def _from_json(keys: _Keys, data: Any) -> Iterator[Statement]:
    for count, (key, value) in enumerate(_leaves(data, _DEEPEST)):
        if count >= _MOST:
            return
        folded = _folded(key)
        fields = [*keys.words.get(folded, ()), *keys.parameters.get(folded, ())]
        for field, rank in fields:
            yield Statement(field, value, Form.JSON, rank, f"{key}: {value}")


def _leaves(data: Any, depth: int) -> Iterator[tuple[str, str]]:
    if depth == 0:
        return
    if isinstance(data, dict):
        for key, value in data.items():
            if isinstance(value, str):
                yield str(key), value
            else:
                yield from _leaves(value, depth - 1)
    elif isinstance(data, list):
        for value in data:
            yield from _leaves(value, depth - 1)


def _from_address(keys: _Keys, address: str) -> Iterator[Statement]:
    """Parameters behind `?` and `#`, percent-encoded in UTF-8 or GB 18030."""
    for count, part in enumerate(re.split(r"[?#&]", address)[1:]):
        if count >= _MOST:
            return
        name, equals, value = part.partition("=")
        for field, rank in keys.parameters.get(name.casefold(), ()) if equals else ():
            yield Statement(field, _unquoted(value), Form.ADDRESS, rank, part)


def _unquoted(value: str) -> str:
    content = unquote_to_bytes(value.replace("+", " "))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("gb18030", errors="replace")


def _keyed(keys: _Keys, text: str) -> Iterator[Statement]:
    found = list(_separated_keys(keys, text))
    ends = [*(start for start, *_ in found[1:]), len(text)]
    for (_, behind, key, head), end in zip(found, ends, strict=bool(found)):
        yield from _said(keys.words, key, _first_part(text[behind:end]), head, Form.KEYED)
    # Without a separator a key is one only where its line begins.
    for line in re.split(rf"[{_ENDS}]", text):
        if _RUN.search(line) is None:
            yield from _bare_keys(keys, line.strip())


def _separated_keys(keys: _Keys, text: str) -> Iterator[tuple[int, int, str, str]]:
    """(start, end behind the separator, folded key, key as it stands) of what ends a value.

    The key of a word that only looks like one is empty.
    """
    for count, match in enumerate(_RUN.finditer(text)):
        if count >= _MOST:
            return
        run = match["run"]
        key = keys.at_the_end_of(run)
        last = re.split(r"\s", run)[-1]
        prefixed = key is not None and len(key) < len(last) <= _LONGEST_KEY
        if prefixed and _begins_part(text, match.end("run") - len(last)):
            key = None  # 原注册号 is no 注册号; but in …25日营业期限: and …公司法定代表人: a value ends
        if key is not None:
            start = match.end("run") - len(key)
            yield start, match.end(), _folded(key), text[start : match.end()]
        elif _begins_part(text, match.end("run") - len(last)):
            yield match.end("run") - len(last), match.end(), "", ""


def _begins_part(text: str, place: int) -> bool:
    """Whether a part of the text begins there: not a value, which follows a separator."""
    return place == 0 or text[place - 1] in _ENDS + " ,、。("


def _bare_keys(keys: _Keys, line: str) -> Iterator[Statement]:
    first = keys.bare.match(line)
    if first is None:
        return
    found = [first, *keys.bare.finditer(line, first.end())]
    ends = [*(match.start() for match in found[1:]), len(line)]
    for match, end in zip(found, ends, strict=True):
        raw = line[match.end() : end].strip(_TRIMMED)
        yield from _said(keys.words, _folded(match.group()), raw, match.group(), Form.BARE)


def _first_part(text: str) -> str:
    """Up to the first end of a value; empty parts in front are passed over on one line."""
    text = text.lstrip(" ")
    if text[:1] in ("\n", "\r"):
        return ""
    return re.split(rf"[{_ENDS}]", text, maxsplit=1)[0].strip(_TRIMMED)


def _said(
    words: Mapping[str, Sequence[tuple[str, int]]], key: str, raw: str, head: str, form: Form
) -> Iterator[Statement]:
    if not raw or _CUT_SHORT.search(raw):
        return
    for field, rank in words.get(key, ()):
        yield Statement(field, raw, form, rank, f"{head}{raw}")
