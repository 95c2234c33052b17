"""Words in two languages: filled in, and every one of them used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from markupsafe import escape

from ocr_moe import cli
from ocr_moe.cli.words import language, said
from ocr_moe.formats.phrases import Phrase, Words
from ocr_moe.run.outcome import Notice

CLI = Path(cli.__file__).parent
WORDS = Words("ocr_moe.cli", "words.yaml")


@pytest.mark.parametrize(
    ("n", "english", "chinese"),
    [
        (0, "0 documents", "0 份文档"),
        (1, "1 document", "1 份文档"),
        (2, "2 documents", "2 份文档"),
        (21, "21 documents", "21 份文档"),
    ],
)
def test_one_and_many_are_told_apart(n: int, english: str, chinese: str) -> None:
    phrase = Phrase("n_documents", {"n": n})
    assert WORDS.filled(phrase, "en", str) == english
    assert WORDS.filled(phrase, "zh", str) == chinese


def test_phrases_stand_inside_phrases_and_lists_have_the_commas_of_the_language() -> None:
    parts = [Phrase("n_documents", {"n": 1}), Phrase("n_cells", {"n": 2}), "{odd}"]
    phrase = Phrase("failed", {"parts": Phrase("nothing_to_check"), "what": parts})
    assert WORDS.filled(phrase, "en", str) == (
        "No cell to check; 1 document, 2 cells, {odd} failed: see the sheet failures of records.xlsx"
    )
    assert WORDS.filled(phrase, "zh", str) == (
        "没有需要核对的单元格；1 份文档、2 个单元格、{odd}失败，见 records.xlsx 的工作表“失败”"
    )


def test_what_fills_a_phrase_is_escaped_where_the_words_are_made_safe() -> None:
    phrase = Phrase("failure", {"path": "<b>", "why": ("&", Phrase("n_cells", {"n": 1}))})
    assert WORDS.filled(phrase, "en", escape) == "&lt;b&gt;: &amp;, 1 cell"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LC_ALL": "zh_CN.GBK", "OCR_MOE_LANGUAGE": "en"}, "en"),
        ({"LC_ALL": "de_DE.UTF-8", "OCR_MOE_LANGUAGE": "zh"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "OCR_MOE_LANGUAGE": ""}, "zh"),
    ],
)
def test_the_environment_says_which_language(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("OCR_MOE_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == expected
    assert said("loading").startswith("正在" if expected == "zh" else "Loading")


def test_every_message_has_two_languages_and_is_used() -> None:
    phrases = yaml.safe_load((CLI / "words.yaml").read_text(encoding="utf-8"))
    sources = "".join(module.read_text(encoding="utf-8") for module in CLI.glob("*.py"))
    used = set(re.findall(r"""["'](\w+)["']""", sources)) | set(Notice) | {"comma"}
    for key, texts in phrases.items():
        english, chinese = (set(re.findall(r"{(\w+)}", text)) for text in texts)
        assert english == chinese, key
        one, bar, many = texts[0].partition("|")
        assert not bar or set(re.findall(r"{(\w+)}", one)) == set(re.findall(r"{(\w+)}", many)), key
        assert key in used, f"{key} is never said"
    assert set(re.findall(r'(?:said|phrase)\(\s*"(\w+)"', sources)) <= set(phrases)
