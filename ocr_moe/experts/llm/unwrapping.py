"""From the text of an answer to the JSON values in it, whatever stands around and between them.

Reasoning is taken out first, under any tag or channel: what a model weighed is no answer.  Objects and
lists are then found by their brackets, in one pass, and loaded strictly where that works; else quotes
and punctuation of full width are straightened, and json_repair mends the rest.  What it gives counts
only where it stands in the text.  Time is bounded: every step is linear, and only a text of
`LONGEST_REPAIR` characters is mended.
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ocr_moe.folds import fold_print

LONGEST_REPAIR = 40_000
"""Characters of a broken object that are mended; one of 1024 tokens has a tenth of it."""
DEEPEST = 24
"""Levels to which values are looked into."""
_MOST_LAYERS = 4
"""JSON within a string within JSON."""


class Number(str):
    """A number as it is written: a code with 18 digits keeps them all."""


class Unusable(Enum):
    """What stands for a value that was given and cannot be used; the value says why."""

    CUT = "was cut off before the end of this field"
    TWICE = "gives this field more than one value"
    GARBLED = "gives this field in a form that cannot be understood"


@dataclass
class Span:
    """Where a bracket stands in the text, and what is bracketed within it."""

    start: int
    end: int | None = None
    """After the bracket that closes it; None where none does."""
    whole: bool = True
    """Whether its last value is whole, where it is not closed."""
    inner: list[Span] = field(default_factory=list)


@dataclass(frozen=True)
class Loaded:
    """A JSON value; `cut` where its end is missing, `mended` where it was not one as it stood."""

    value: Any
    cut: bool = False
    mended: bool = False


_TAG = re.compile(
    r"[<＜◁](?P<close>\s{0,3}/)?\s{0,3}(?:\w{1,12}:)?"
    r"(?P<name>think|thought|reason|analy[sz]|reflect|scratchpad|monologue|思考|推理|分析)\w{0,20}"
    r"(?:\s[^<>]{0,80})?[>＞▷]"
    r"|\[(?P<shut>/)?THINK\]"
    r"|<\|(?P<edge>begin|end)_of_(?:thought|reasoning|thinking)\|>",
    re.IGNORECASE,
)
_CHANNEL = re.compile(
    r"<\|channel\|?>\s{0,3}(?P<name>\w{0,20})(?:[^<{\[]{0,40}<\|message\|>)?|<channel\|>"
)
_FINAL = ("final", "response", "answer", "")
_LANGUAGE = re.compile(r"[\w-]{0,20}")
_INVISIBLE = " \t\r\n\ufeff\u200b\u200c\u200d\u2060"

_START = re.compile(r"[{\[｛［]")
_MARK = re.compile(r'["{}\[\]｛｝［］]')
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKETS = str.maketrans("｛｝［］", "{}[]")
_PARTNER = {"}": "{", "]": "["}
_LOOKS_LIKE_JSON = re.compile(
    r"""\{\s{0,99}["'“”„‘’＂]?[^"'“”＂{}\[\]｛｝［］:：]{1,60}["'“”‘’＂]?\s{0,99}[:：]"""
    r"""|\[\s{0,99}[{\["'“]"""
)
_OPENING = re.compile(r"([{\[,:，：、]\s*)[“”„‟＂‘’]")
_CLOSING = re.compile(r"[“”‟＂‘’](?=\s*[:：,，、}\]])")
_COLON = re.compile(r'(?<=")(\s*)：')
_COMMA = re.compile(r'(?<=["\d}\]el])(\s*)[，、](?=\s*["{\[])')
_BARE_NUMBER = re.compile(
    r'("[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z))|(?<=[:\[,\s])([-+]?\d[\w.+-]*)(?=[ \t]*(?:[,}\]\n]|$))',
    re.DOTALL,
)
_QUOTE = re.compile("[\"'“”]")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\[nrtbf]")


def loads(text: str) -> Any:
    """JSON with numbers left as they are written, or None.

    A key that an object has twice, with different values, is `Unusable.TWICE`.
    """
    try:
        return json.loads(
            text,
            parse_int=Number,
            parse_float=Number,
            parse_constant=lambda _: None,
            object_pairs_hook=_object,
            strict=False,
        )
    except (ValueError, RecursionError):
        return None


def whole(text: str) -> Any:
    """The object or list, where the text is nothing but JSON (in a fence, encoded twice); else None."""
    text = text.strip(_INVISIBLE)
    if text.startswith("```") and text.endswith("```"):
        text = _LANGUAGE.sub("", text[3:-3], count=1)
    value = loads(text)
    for _ in range(_MOST_LAYERS):
        if not isinstance(value, str):
            break
        value = loads(value.strip(_INVISIBLE))
    return value if isinstance(value, dict | list) else None


def outside_reasoning(text: str) -> tuple[str, bool]:
    """The text without the model's reasoning, and whether the reasoning was never left.

    A closing tag without an opening one ends reasoning that began with the text.
    """
    before, text, unfinished = _last_channel(text)
    if unfinished:
        return before, True
    kept: list[str] = []
    position, opened = 0, ""
    for tag in _TAG.finditer(text):
        name = _family(tag)
        closes = bool(tag["close"] or tag["shut"]) or (tag["edge"] or "").lower() == "end"
        if opened:
            if closes and name == opened:
                opened, position = "", tag.end()
        elif closes:
            kept, position = [], tag.end()
        else:
            kept.append(text[position : tag.start()])
            opened = name
    if not opened:
        kept.append(text[position:])
    return "\n".join(kept), bool(opened)


def spans(text: str) -> list[Span]:
    """The outermost objects and lists by their brackets, in order; strings are passed over.

    A bracket that is never closed counts only where JSON seems to begin there.
    """
    top: list[Span] = []
    stack: list[tuple[str, Span]] = []
    opened = {"{": 0, "[": 0}
    position, string = 0, (0, 0)
    while (mark := (_MARK if stack else _START).search(text, position)) is not None:
        sign, position = mark.group().translate(_BRACKETS), mark.end()
        if sign == '"':
            quoted = _STRING.match(text, mark.start())
            if quoted is None:
                string = (mark.start(), len(text) + 1)
                break
            string, position = quoted.span(), quoted.end()
        elif sign in opened:
            stack.append((sign, Span(mark.start())))
            opened[sign] += 1
        elif opened[_PARTNER[sign]]:
            last = ""
            while last != _PARTNER[sign]:
                last, span = stack.pop()
                opened[last] -= 1
                span.end = position if last == _PARTNER[sign] else mark.start()
                (stack[-1][1].inner if stack else top).append(span)
    ends_whole = _ends_whole(text, *string)
    rest: deque[Span] = deque()
    for _, span in reversed(stack):
        if _LOOKS_LIKE_JSON.match(text, span.start):
            rest = deque([Span(span.start, None, ends_whole, [*span.inner, *rest])])
        else:
            rest.extendleft(reversed(span.inner))
    return [*top, *rest]


def load(text: str, span: Span, longest: int = LONGEST_REPAIR) -> Loaded | None:
    """The value at that place, mended if it has no more than `longest` characters; None where nothing
    can be made of it."""
    cut = span.end is None
    part = text[span.start : span.end]
    if not cut and (value := loads(part)) is not None:
        return Loaded(value)
    if len(part) > longest:
        return None
    part = _straightened(part)
    if not cut and (value := loads(part)) is not None:
        return Loaded(value)
    if ":" not in part or _QUOTE.search(part) is None:
        return None
    from json_repair import repair_json

    try:
        value = loads(repair_json(part, ensure_ascii=False))
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict | list):
        return None
    unescaped = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else "", part)
    value = _standing(value, part, fold_print(unescaped))
    return Loaded(value if not cut or span.whole else _last_cut(value), cut, mended=True)


def unescaped(text: str) -> str:
    """A text whose quotes and line breaks were escaped without being in a string."""
    return text.replace(r"\"", '"').replace(r"\n", "\n").replace(r"\\", "\\")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = Unusable.TWICE if key in found and found[key] != value else value
    return found


def _last_channel(text: str) -> tuple[str, str, bool]:
    """What stands before all channels, what in the last, and whether that is one of reasoning."""
    marks = list(_CHANNEL.finditer(text))
    if not marks:
        head, leaked, tail = text.partition("assistantfinal")
        if leaked and head.lstrip().startswith("analysis"):
            return "", tail, False
        return "", text, False
    name = (marks[-1]["name"] or "").lower()
    return text[: marks[0].start()], text[marks[-1].end() :], name not in _FINAL


def _family(tag: re.Match[str]) -> str:
    """Tags of one family close one another: thinking and think."""
    name = (tag["name"] or "think").lower()
    return "think" if name == "thought" else name[:5]


def _ends_whole(text: str, start: int, end: int) -> bool:
    """Whether a text that was cut off ends after a value; its last string stands at start to end."""
    text = text.rstrip(" \t\r\n`")
    if end == len(text):
        return text[max(0, start - 99) : start].rstrip().endswith((":", "："))
    return end < len(text) and text.endswith((",", "，", "}", "]", "｝", "］"))


def _straightened(text: str) -> str:
    """Quotes and punctuation of full width as JSON has them, where they are part of its structure,
    and bare numbers in quotes, which mending would round or rid of their zeros."""
    text = text.translate(_BRACKETS)
    text = _CLOSING.sub('"', _OPENING.sub(r'\1"', text))
    text = _COMMA.sub(r"\1,", _COLON.sub(r"\1:", text))
    return _BARE_NUMBER.sub(lambda match: match[1] or f'"{match[2]}"', text)


def _standing(value: Any, text: str, folded: str, depth: int = 0) -> Any:
    """A mended value, with `Unusable.GARBLED` for what does not stand in the text so."""
    match value:
        case _ if depth > DEEPEST:
            return Unusable.GARBLED
        case dict():
            return {key: _standing(each, text, folded, depth + 1) for key, each in value.items()}
        case list():
            return [_standing(each, text, folded, depth + 1) for each in value]
        case Number():
            alone = rf"(?<![\d.]){re.escape(value)}(?![\d.eE])"
            return value if re.search(alone, text) else Unusable.GARBLED
        case str():
            return value if fold_print(value) in folded else Unusable.GARBLED
        case _:
            return value


def _last_cut(value: Any, depth: int = 0) -> Any:
    """The value with `Unusable.CUT` for its last part."""
    if depth < DEEPEST and isinstance(value, dict) and value:
        *before, (key, last) = value.items()
        return dict(before) | {key: _last_cut(last, depth + 1)}
    if depth < DEEPEST and isinstance(value, list) and value:
        return [*value[:-1], _last_cut(value[-1], depth + 1)]
    return value if isinstance(value, dict | list) else Unusable.CUT
