"""Texts as experts see them: the values under an item's keys, and its running text.

Pure functions over lines; a page that was read by OCR has a running text as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from ocr_moe.folds import fold_print
from ocr_moe.reading.layout import PageLayout
from ocr_moe.types import PageText

_BODY_KEYS = tuple(
    map(
        fold_print,
        (
            *("text", "content", "body", "article", "full_text", "content_text", "article_body"),
            *("正文", "内容", "文本", "全文", "原文", "新闻内容", "文章内容"),
        ),
    )
)
"""Keys under which items have their running text, those believed most first."""
_ENOUGH = 20
"""Characters from which an item's longest value may be its text where none of these keys is there."""
_ADDRESS = re.compile(r"\S+://\S*|\S+@\S+")


class Given(NamedTuple):
    """A value that stands under a key of its own."""

    key: str
    value: str
    lines: tuple[int, ...]
    """Indexes of its lines on the page."""


class Passage(NamedTuple):
    """A stretch of running text: a paragraph, or as much of a long one as is a line."""

    text: str
    page: int
    line: int
    """Index of its first line on the page."""


def body_key(values: Mapping[str, str]) -> str | None:
    """The key that holds an item's running text; None where it has none.

    It is one of those that are usual, else that of the longest value that looks like prose.
    """
    folded = {fold_print(key): key for key in reversed(list(values))}
    for usual in _BODY_KEYS:
        if usual in folded:
            return folded[usual]
    prose = {
        key: len(value)
        for key, value in values.items()
        if len(value) >= _ENOUGH and not _ADDRESS.fullmatch(value.strip())
    }
    return max(prose, key=lambda key: prose[key]) if prose else None


def labelled(key: str, value: str) -> str:
    """A value as it stands on its page, under its key."""
    return f"{key}: {value}"


def given_values(page: PageText) -> list[Given]:
    """The values under an item's keys, its running text among them, in their order."""
    lines: dict[str, list[int]] = {}
    for index, line in enumerate(page.lines):
        if line.key:
            lines.setdefault(line.key, []).append(index)
    found = []
    for key, indexes in lines.items():
        value = "\n".join(page.lines[index].text for index in indexes)
        found.append(Given(key, value.removeprefix(labelled(key, "")), tuple(indexes)))
    return found


def running_text(pages: Iterable[tuple[int, PageText]]) -> list[Passage]:
    """The running text of a document's pages (number, text): of an item what stands under the key of
    its text, of a text without keys all of it, of a page that was read its rows."""
    found: list[Passage] = []
    for number, page in pages:
        if page.is_given:
            found += _body(number, page)
        else:
            found += [
                Passage(" ".join(piece.text for piece in row), number, row[0].glyphs[0].line)
                for row in PageLayout(page).rows
            ]
    return found


def matching_keys(given: Iterable[Given], names: Collection[str]) -> list[Given]:
    """The values whose key is one of these names, in the names' order, case and marks aside."""
    ranks = {fold_print(name): rank for rank, name in reversed(list(enumerate(names)))}
    named = [(ranks.get(fold_print(each.key)), each) for each in given]
    return [each for _, each in sorted((r, e) for r, e in named if r is not None)]


def _body(number: int, page: PageText) -> list[Passage]:
    lines = list(enumerate(page.lines))
    if any(line.key == "" for _, line in lines):  # of a text with headers, an e-mail
        own = [(index, line.text) for index, line in lines if line.key == ""]
        return [Passage(text, number, index) for index, text in own]
    key = body_key({each.key: each.value for each in given_values(page)})
    return [
        Passage(line.text.removeprefix(labelled(line.key, "")), number, index)
        for index, line in lines
        if line.key == key
    ]
