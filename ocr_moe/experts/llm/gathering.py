"""Which of the values in an answer belong to which asked field.

Models wrap the asked object, nest it by page, list fields beside their values, number the keys,
write them in traditional characters or with another word for the same thing; some write lines, a
table or tags instead of JSON.  A key stands for a field only where it can mean no other.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from ocr_moe.experts.llm.unwrapping import (
    DEEPEST,
    LONGEST_REPAIR,
    Number,
    Span,
    Unusable,
    load,
    loads,
    outside_reasoning,
    spans,
    unescaped,
    whole,
)
from ocr_moe.folds import fold_print
from ocr_moe.schema import Field
from ocr_moe.values.hanzi import simplified

VALUE_KEYS = (
    *("value", "值", "text", "val", "content", "answer", "result", "field_value", "raw"),
    *("字段值", "取值", "内容", "文本", "结果", "提取值", "抽取值", "提取结果", "识别结果"),
)
"""Under which a value stands beside its confidence or the field's name."""
_NAME_KEYS = frozenset(
    (
        *("field", "name", "key", "label", "field_name", "fieldname", "title"),
        *("字段", "字段名", "字段名称", "名称", "项目", "项", "键", "标签"),
    )
)
_SAME_ENDINGS = (
    (re.compile(r"(?:号码|编码|编号|番号|号)$"), "号"),
    (re.compile(r"(?:时间|日期|年月日)$"), "日期"),
    (re.compile(r"(?:院校|学校|校)(?:名称|名)?$"), "学校"),
)
_NUMBERING = re.compile(
    r"^(?:字段|field)?[\s(（\[第]*(?:\d{1,2}|[①-⑳])[\s.、)）\]:：_-]*(?=\D)", re.I
)
_NOTE = re.compile(r"[(（\[【][^()（）\[\]【】]{0,30}[)）\]】]\s*$")
_ASIDE = re.compile(
    r"think|thought|reason|analy|reflect|explanation|alternative|candidate|evidence|note|comment"
    r"|思考|推理|分析|解释|说明|依据|备选|候选|备注",
    re.IGNORECASE,
)
"""Keys under which an answer says what is none."""
_MOST_SPANS = 200
_MOST_LINES = 5_000
_LONGEST_LINE = 10_000
_LONGEST_KEY = 60
_DEEPEST_SPAN = 8
_COLON = re.compile(r"[:：＝→]|[-=]>|=")
_PIECES = re.compile(r"([,，;；。、\t]|\s{2,})")
_LINE_EDGES = " \t*_`\"'“”‘’>+-•·#,，;；。{}"
_HTML_ROW = re.compile(r"</?tr[^<>]{0,99}>")
_HTML_CELL = re.compile(r"</t[dh]>\s{0,99}<t[dh][^<>]{0,99}>")
_HTML_TAG = re.compile(r"</?(?:t[dhr]|table|tbody|thead|br|p|li|ul)\b[^<>]{0,99}>")
_RULE = re.compile(r"[\s|:+-]*")
_TAGGED = re.compile(r"<([^<>/!?\s=]{1,40})(\s[^<>]{0,200})?>([^<>]{0,4000})</\1\s{0,9}>")
_NAMED = re.compile(r"""\b(?:name|key|label)\s{0,9}=\s{0,9}["']([^"'<>]{1,60})["']""")

Given = dict[str, list[tuple[str, Any]]]
"""Field → what is said of it, each with the key under which it stands."""


@dataclass(frozen=True)
class Answered:
    """What an answer says of the asked fields."""

    given: Given
    cut: bool = False
    """Whether its end is missing."""
    reasoning: bool = False
    """Whether it ends inside the model's reasoning."""
    json: bool = True
    """Whether there is an object or a list in it."""


class Keys:
    """The ways in which answers name the asked fields."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.single = fields[0].name if len(fields) == 1 else None
        named = [[(name, field.name) for name in (field.name, *field.aliases)] for field in fields]
        labels = [(label, field.name) for field in fields for label in field.label_forms]
        names = [pair for pairs in named for pair in pairs]
        exact: dict[str, tuple[str, int]] = {}
        for pairs in named:
            for rank, (name, field_name) in enumerate(pairs):
                exact.setdefault(name, (field_name, rank))
        folded: dict[str, tuple[str, int]] = {}
        for name, (field_name, rank) in exact.items():
            folded.setdefault(_fold(name), (field_name, rank))
        self._exact, self._folded = exact, folded
        self._labels = _unique((_fold(name), field) for name, field in labels)
        self._endings = _unique((_ending(_fold(name)), field) for name, field in [*names, *labels])
        self.heads = tuple(sorted({_fold(name) for name, _ in names if len(_fold(name)) > 1}))

    def find(self, key: str) -> tuple[str, int] | None:
        """The field that a key names, and how far the key is from the field's own name."""
        if len(key) > _LONGEST_KEY:
            return None
        for distance, form in ((0, key), (100, _bare_key(key))):
            if form in self._exact:
                field, rank = self._exact[form]
                return field, distance + rank
            fold = _fold(form)
            if fold in self._folded:
                field, rank = self._folded[fold]
                return field, distance + rank + 50
            for further, table in ((200, self._labels), (300, self._endings)):
                field_name = table.get(_ending(fold) if further == 300 else fold)
                if field_name is not None:
                    return field_name, distance + further
        return None

    def field(self, key: Any) -> str | None:
        """The field that a key names."""
        found = self.find(key) if isinstance(key, str) else None
        return None if found is None else found[0]


def answered(content: str, keys: Keys) -> Answered:
    """What the text says of the fields: the last object outside of reasoning that holds any, with
    those before it that hold others; lines, tables or tags where no object does."""
    value = whole(content)
    if value is not None:
        return Answered(gather(value, keys))
    text, reasoning = outside_reasoning(content)
    found = _Search(text, keys)
    if not found.given and r"\"" in text:
        found = _Search(unescaped(text), keys)
    given = found.given or written_out(text, keys)
    cut = bool(found.given) and found.cut
    return Answered(given, cut, reasoning, json="{" in text or "[" in text)


class _Search:
    """The objects of a text, from the last to the first."""

    def __init__(self, text: str, keys: Keys) -> None:
        self._text = text
        self._keys = keys
        self._left = _MOST_SPANS
        self._mendable = 2 * LONGEST_REPAIR
        self.cut = False
        self.given = self._merged(spans(text), 0)

    def _merged(self, some: Sequence[Span], depth: int) -> Given:
        given: Given = {}
        for span in reversed(some):
            if self._left <= 0:
                break
            found = self._of(span, depth)
            if found.keys() & given.keys():
                break
            given = found | given
        return given

    def _of(self, span: Span, depth: int) -> Given:
        self._left -= 1
        longest = min(LONGEST_REPAIR, self._mendable)
        loaded = load(self._text, span, longest)
        if loaded is None or loaded.mended:
            length = (span.end or len(self._text)) - span.start
            self._mendable -= length if length <= longest else 0
        if loaded is not None and (found := gather(loaded.value, self._keys)):
            self.cut |= loaded.cut
            return _unmixed(found, self._keys) if loaded.mended else found
        self.cut |= span.end is None
        return self._merged(span.inner, depth + 1) if depth < _DEEPEST_SPAN else {}


def _unmixed(given: Given, keys: Keys) -> Given:
    """What a mended object says, without values into which another field was drawn."""

    def mixed(said: Any) -> bool:
        pieces = _PIECES.split(said) if isinstance(said, str) else ()
        return any(keys.field(_parted(piece)[0]) for piece in pieces)

    return {
        name: [(key, Unusable.GARBLED if mixed(each) else each) for key, each in said]
        for name, said in given.items()
    }


def gather(value: Any, keys: Keys, depth: int = 0) -> Given:
    """What a JSON value says of the fields, the outer levels before the inner ones."""
    if depth > DEEPEST:
        return {}
    match value:
        case dict():
            return _of_object(value, keys, depth)
        case [str() as key, said] if (name := keys.field(key)) and not keys.field(said):
            return {name: [(key, said)]}
        case list():
            found: Given = {}
            for each in value:
                _add(found, gather(each, keys, depth + 1))
            return found
        case Number():
            return {}
        case str():
            inner = loads(value) if value.lstrip()[:1] in ("{", "[") else None
            if inner is not None:
                return gather(inner, keys, depth + 1)
            return written_out(value, keys) if depth else {}
        case _:
            return {}


def _of_object(value: dict[str, Any], keys: Keys, depth: int) -> Given:
    lowered = {key.strip().lower(): key for key in reversed(value)}
    if "name" in lowered and "arguments" in lowered:  # the call of a tool
        return gather(value[lowered["arguments"]], keys, depth + 1)
    said = next((lowered[key] for key in VALUE_KEYS if key in lowered), None)
    if said is not None:
        named = (value[lowered[key]] for key in lowered if key in _NAME_KEYS)
        name = next((name for each in named if (name := keys.field(each))), None)
        if name is not None:
            return {name: [(said, value[said])]}
    best: dict[str, tuple[bool, int]] = {}
    found: Given = {}
    for key, each in value.items():
        match = keys.find(key)
        if match is None:
            continue
        name, distance = match
        order = (each in (None, ""), distance)
        if name not in best or order < best[name]:
            best[name], found[name] = order, [(key, each)]
        elif order == best[name]:
            found[name].append((key, each))
    if not found and said is not None and keys.single is not None:
        only = value[said]
        if not isinstance(only, dict | list) or not gather(only, keys, depth + 1):
            return {keys.single: [(said, only)]}
    deeper: Given = {}
    for key, each in value.items():
        if keys.find(key) is None and not _ASIDE.match(key.strip()):
            _add(deeper, gather(each, keys, depth + 1))
    return {name: each for name, each in deeper.items() if name not in found} | found


def written_out(text: str, keys: Keys) -> Given:
    """What lines (`姓名：张三`), tables (`| 姓名 | 张三 |`) and tags (`<姓名>张三</姓名>`) say."""
    found: Given = {}
    for tag in _TAGGED.finditer(text):
        named = _NAMED.search(tag[2]) if tag[2] else None
        key = named[1] if named else tag[1]
        if (name := keys.field(html.unescape(key))) is not None:
            found.setdefault(name, []).append((key, html.unescape(tag[3]).strip()))
    if found:
        return found
    if "<t" in text:
        text = _HTML_TAG.sub(" ", _HTML_CELL.sub("|", _HTML_ROW.sub("\n", text)))
    heading: list[tuple[str, str | None]] = []
    for line in text.splitlines()[:_MOST_LINES]:
        if len(line) > _LONGEST_LINE or _RULE.fullmatch(line):
            continue
        if "|" not in line:
            pairs = list(_of_line(line, keys))
        else:
            row = [(cell, keys.field(cell)) for cell in _cells(line)]
            if any(one and other for (_, one), (_, other) in pairwise(row)):
                heading = row
                continue
            pairs = _of_row(row, heading)
        for name, key, said in pairs:
            found.setdefault(name, []).append((key, said))
    return found


def _of_line(line: str, keys: Keys) -> Iterator[tuple[str, str, str]]:
    name = key = ""
    said: list[str] = []
    for piece in _PIECES.split(line):
        head, colon, tail = _parted(piece)
        found = keys.field(head) if colon else None
        if found is not None and keys.field(_parted(tail)[0]) is not None:
            return  # not a line of fields, but a nest of them
        if found is None and name and _fold(piece).startswith(keys.heads):
            yield name, key, "".join(said).strip(_LINE_EDGES)
            name = ""
        elif found is not None:
            if name:
                yield name, key, "".join(said).strip(_LINE_EDGES)
            name, key, said = found, head, [tail]
        elif name:
            said.append(piece)
    if name and (text := "".join(said).strip(_LINE_EDGES)):
        yield name, key, text


def _parted(piece: str) -> tuple[str, bool, str]:
    mark = _COLON.search(piece, 0, _LONGEST_KEY)
    if mark is None:
        return "", False, ""
    return piece[: mark.start()].strip(_LINE_EDGES), True, piece[mark.end() :]


def _of_row(
    row: Sequence[tuple[str, str | None]], heading: Sequence[tuple[str, str | None]]
) -> list[tuple[str, str, str]]:
    """A row under a heading of fields, or one in which a field stands before its value."""
    if len(heading) == len(row):
        columns = zip(heading, row, strict=True)
        return [(name, key, said) for (key, name), (said, _) in columns if name]
    return [(name, key, said) for (key, name), (said, _) in pairwise(row) if name]


def _cells(line: str) -> list[str]:
    return [cell.strip(_LINE_EDGES) for cell in line.strip().strip("|").split("|")]


def _add(found: Given, more: Given) -> None:
    for name, said in more.items():
        found.setdefault(name, []).extend(said)


def _bare_key(key: str) -> str:
    """A key without its number and what is said of it in brackets."""
    return _NOTE.sub("", _NUMBERING.sub("", key.strip())).strip(_LINE_EDGES)


@lru_cache(maxsize=4096)  # the same names with every reply
def _fold(key: str) -> str:
    return "".join(simplified(character) for character in fold_print(key))


@lru_cache(maxsize=4096)
def _ending(folded: str) -> str:
    for pattern, ending in _SAME_ENDINGS:
        if pattern.search(folded):
            return pattern.sub(ending, folded)
    return folded


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What names one field only."""
    found: dict[str, set[str]] = {}
    for key, name in pairs:
        found.setdefault(key, set()).add(name)
    return {key: next(iter(names)) for key, names in found.items() if key and len(names) == 1}
