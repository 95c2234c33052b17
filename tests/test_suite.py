"""What the suite leaves out, and when; and what of it is slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_moe.generation import FontBook
from tests import conftest


class Item:
    """A test as collection sees it."""

    def __init__(self, name: str, *fixtures: str) -> None:
        self.path = Path("tests", name)
        self.fixturenames = fixtures
        self.marks: list[pytest.MarkDecorator] = []

    def add_marker(self, mark: pytest.MarkDecorator) -> None:
        self.marks.append(mark)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without typefaces."""
    discover = FontBook.discover
    monkeypatch.setattr(FontBook, "discover", lambda: discover([tmp_path]))
    monkeypatch.delenv("OCR_MOE_ALL_TESTS", raising=False)


def collected() -> dict[str, list[pytest.MarkDecorator]]:
    items = [Item(name) for name in (*conftest.NEED_FONTS, "test_store.py")]
    conftest.pytest_collection_modifyitems(items)  # type: ignore[arg-type]
    return {item.path.name: item.marks for item in items}


@pytest.mark.usefixtures("bare")
def test_without_typefaces_what_draws_is_left_out_and_says_what_to_install() -> None:
    marks = collected()
    assert marks.pop("test_store.py") == []
    assert set(marks) == set(conftest.NEED_FONTS)
    for (mark,) in marks.values():
        assert mark.name == "skip"
        assert "fonts-noto-cjk" in mark.kwargs["reason"]


@pytest.mark.usefixtures("bare")
def test_where_all_tests_are_asked_for_none_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_MOE_ALL_TESTS", "1")
    assert not any(collected().values())


def test_what_uses_models_or_a_browser_is_slow() -> None:
    items = [
        Item("test_store.py", *fixtures) for fixtures in (("tmp_path",), ("rapid", "tmp_path"))
    ]
    conftest.pytest_collection_modifyitems(items)  # type: ignore[arg-type]
    assert [[mark.name for mark in item.marks] for item in items] == [[], ["slow"]]


def test_every_slow_fixture_is_there() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
    for name in conftest.SLOW_FIXTURES:
        assert f"def {name}(" in text, name


def test_the_modules_that_draw_are_there() -> None:
    for name in conftest.NEED_FONTS:
        assert Path(__file__).with_name(name).is_file()
