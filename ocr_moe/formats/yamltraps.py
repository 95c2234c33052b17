"""Traps of YAML: what it takes silently for something else than was meant, and why it takes no more.

YAML drops what stands behind ` #`, takes `“a”` for a text with these quotation marks, `[姓名，名字]` for
one item and `"\\b"` for a backspace, without a word.  None of it is ever meant in a configuration or a
schema, so it is refused, with the line and with what to write.  What YAML refuses itself, it refuses in
the words of its grammar; `advice` says it in those of the writer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import yaml

_COMMENT = re.compile(r"[ \t]+#(?=$|[\d:.,;、，。：；)\]}）】/\\\"'])", re.MULTILINE)
"""A comment that begins like none: people put a space, a letter or further signs behind the `#`."""
_CURVED = re.compile(r"[“”„‘’‚][^“”‘’]*[“”‘’]")
_CONTROL = re.compile(r"[\x00\x07\x08\x1b\x85\u2028\u2029]")
"""What only escapes put into a text, and nobody wants there."""
_WRITTEN = {"\x00": r"\0", "\x07": r"\a", "\x08": r"\b", "\x1b": r"\e", "\x85": r"\N"}
_UNSEEN = "Zs", "Cf"
"""Categories of characters that nobody sees: no-break and full-width spaces, marks of width none."""
_QUOTE = "put it in quotation marks"


class TrapError(Exception):
    """Valid YAML that means something else than its writer."""


class Traps:
    """Watches the events of a file's text. Raises TrapError."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lists: list[bool] = []
        self._anchors: dict[str, tuple[int, str]] = {}

    def see(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.CollectionStartEvent):
            in_brackets = isinstance(event, yaml.SequenceStartEvent) and event.flow_style
            self._lists.append(bool(in_brackets))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._lists.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._anchors.pop(event.anchor or "", None)
        elif isinstance(event, yaml.ScalarEvent):
            if event.style == '"':
                self._see_escapes(event)
            elif not event.style:
                self._see_plain(event)

    def finish(self) -> None:
        """Once all was seen: `&Co Ltd` is the text `Ltd` with a name, which is for `*Co` to be used."""
        for name, (line, value) in self._anchors.items():
            raise _trap(line, f"&{name} {value}", "begins with the name of a part", _QUOTE)

    def _see_escapes(self, event: yaml.ScalarEvent) -> None:
        found = _CONTROL.search(event.value)
        if found is not None:
            written = _WRITTEN.get(found[0], f"U+{ord(found[0]):04X}")
            raise TrapError(
                f"line {_line_of(event)}: {written} in double quotation marks is a control character "
                rf"in YAML; write it in single ones, such as '\b\d+'"
            )

    def _see_plain(self, event: yaml.ScalarEvent) -> None:
        value, line = event.value, _line_of(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (line, value)
        end = event.end_mark
        if end is not None and _COMMENT.match(self._text, end.index):
            raise _trap(
                line,
                f"{value} #",
                "is cut off at its #, which begins a comment",
                f"{_QUOTE}, or a space and a word behind the # of a comment",
            )
        if _CURVED.fullmatch(value):
            raise _trap(
                line,
                value,
                "stands in signs that are no quotation marks in YAML",
                "write \"…\" or '…', and around the signs where they are printed",
            )
        if "，" in value and self._lists and self._lists[-1]:
            raise _trap(
                line,
                value,
                "is one item of the list: ， parts none",
                f"write a comma and a space between items; where ， is printed, {_QUOTE}",
            )
        for sign in (value[:1], value[-1:]):
            if sign and sign != " " and unicodedata.category(sign) in _UNSEEN:
                name = unicodedata.name(sign, "a character").lower()
                raise _trap(
                    line,
                    value.strip(sign),
                    f"stands beside a character that cannot be seen ({name}, U+{ord(sign):04X})",
                    "delete it; indent with spaces",
                )


def _line_of(event: yaml.Event) -> int:
    return 0 if event.start_mark is None else event.start_mark.line + 1


def _trap(line: int, value: str, what: str, remedy: str) -> TrapError:
    return TrapError(f"line {line}: {value[:40]!r} {what}; {remedy}")


def advice(text: str, error: yaml.YAMLError) -> str:
    """What to write instead of what YAML has refused; empty where that cannot be told."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return ""
    lines = text.splitlines()
    told = f"{getattr(error, 'context', '')} {getattr(error, 'problem', '')}"
    for fits, remedy in _ADVICE:
        for number in (mark.line, mark.line - 1):
            line = lines[number] if 0 <= number < len(lines) else ""
            if fits(told, line, mark.column if number == mark.line else len(line) + 2):
                return f"; line {number + 1}: {remedy}"
    return ""


_Fits = Callable[[str, str, int], object]


def _begins_with(signs: str) -> _Fits:
    """A value at the place of the error, or just before it, begins with one of these."""

    def fits(told: str, line: str, column: int) -> bool:
        at = line[max(column - 1, 0) : column + 1]
        return any(sign in at for sign in signs) and "key" not in told

    return fits


def _like(expression: str) -> _Fits:
    compiled = re.compile(expression)
    return lambda told, line, column: compiled.search(line)


def _said(words: str) -> _Fits:
    return lambda told, line, column: words in told


_ADVICE: Sequence[tuple[_Fits, str]] = (
    (
        _said("unknown escape"),
        r"write expressions in single quotation marks, where \ is a sign like any other: '\d+'",
    ),
    (_said("hexdecimal"), r"write expressions in single quotation marks: '\u4e00'"),
    (_like(r"^ *\t"), "YAML is not indented with tabs; write spaces"),
    (_like(r"^\s*[\u3000\xa0]"), "there are wide spaces; indent with those of the space bar"),
    (
        _begins_with("%@`*&!|>"),
        "a text that begins with % @ ` * & ! | or > stands in quotation marks",
    ),
    (
        _like(r"^\s*(?:- +)?[{]?\s*[\w-]+："),
        "：is the Chinese colon; behind a key YAML wants the other one and a space (name: value)",
    ),
    (
        _like(r"^\s*(?:- +)?[a-z_]+:[^\s/]"),
        "a space is missing behind the colon of a key (name: value)",
    ),
    (
        _like(r"[\[{,][^'\"]*\s#"),
        "a # behind a space begins a comment; text with it stands in quotation marks",
    ),
    (_like(r"[“”]"), "“ and ” are no quotation marks in YAML; write \" or '"),
    (_said("another document"), "`---` begins another document; a file holds one"),
    (
        _like(r"""(?:'[^']*'|"[^"]*")\w"""),
        "text with quotation marks in it stands in those of the other kind: 'a \"b\" c'",
    ),
    (
        _said("mapping values are not allowed"),
        "a text with a colon and a space in it stands in quotation marks; or the line is not indented "
        "as the one above",
    ),
    (
        _said("did not find expected"),
        "keys that belong together begin in one column, and every bracket and quotation mark is closed",
    ),
)
