"""Notes of decisions in Chinese: every kind that the code makes is known by its pattern."""

from __future__ import annotations

import re
from importlib import resources

import pytest
import yaml

from ocr_moe.formats.notes import note_in

PATTERNS: list[list[str]] = yaml.safe_load(
    resources.files("ocr_moe.formats").joinpath("notes.yaml").read_text(encoding="utf-8")
)
FILLED = {
    "reasons": "毕业院校 says 云南大学 (10673), 学历层次 says 本科 (05/04)",
    "why": "a formula, which was not taken; type its value as text",
}


@pytest.mark.parametrize(("english", "chinese"), PATTERNS)
def test_every_pattern_is_found_and_says_all_that_it_was_told(english: str, chinese: str) -> None:
    names = re.findall(r"\{(\w+)\}", english)
    assert sorted(names) == sorted(re.findall(r"\{(\w+)\}", chinese))
    values = {name: FILLED.get(name, f"值{number}") for number, name in enumerate(names)}

    told = note_in(english.format(**values), "zh")

    said = {name: note_in(value, "zh") for name, value in values.items()}
    said |= {"reasons": "毕业院校为“云南大学 (10673)”，学历层次为“本科 (05/04)”"}
    assert told == chinese.format(**said)
    assert note_in(english.format(**values), "en") == english.format(**values)


@pytest.mark.parametrize(
    "note", ["日期晚于今天", "", "anything else", "{name}", "x" * 10_000 + " reads y"]
)
def test_what_is_of_no_known_kind_stays(note: str) -> None:
    assert note_in(note, "zh") == note


def test_text_of_a_page_in_a_note_stays_text() -> None:
    assert (
        note_in("rules reads {expert} says no, <b>", "zh") == "rules 识别为“{expert} says no, <b>”"
    )
