"""docs/architecture.md is held against the code that it tells of."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from recipes import architecture
from tests.conftest import ROOT

PAGE = architecture.TARGET.read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`(ocr_moe(?:\.\w+)+)`", PAGE)))
PATHS = sorted(set(re.findall(r"`([\w.-]+/[\w./-]*|\.[a-z]+|[a-z]+\.toml)`", PAGE)))


def test_floors_and_rooms_are_those_of_the_source() -> None:
    assert architecture.page(PAGE) == PAGE, "make it anew with `make docs`"


@pytest.mark.parametrize("name", NAMES)
def test_every_name_exists(name: str) -> None:
    parts = name.split(".")
    found: object = importlib.import_module(".".join(parts[:2]))
    for at, part in enumerate(parts[2:], start=3):
        if not hasattr(found, part):
            importlib.import_module(".".join(parts[:at]))
        found = getattr(found, part)


def test_every_path_exists() -> None:
    assert len(PATHS) > 20
    rooms = {f"{path.parent.relative_to(ROOT / 'ocr_moe')}/" for path in _packages()}
    assert [path for path in PATHS if not (ROOT / path).exists() and path not in rooms] == []


def test_every_module_says_what_it_is_for() -> None:
    modules = list((ROOT / "ocr_moe").rglob("*.py"))
    assert [path for path in modules if not architecture._first_sentence(path)] == []


def test_a_module_without_a_line_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "__init__.py").write_text('"""A room."""')
    before = list(architecture._rooms(tmp_path))
    (tmp_path / "room" / "new.py").write_text('"""Something new."""')
    assert set(architecture._rooms(tmp_path)) - set(before) == {"- `new.py` Something new."}


def test_every_page_of_the_docs_is_reached_from_the_readmes() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    for readme in ("README.md", "README.zh-CN.md"):
        linked, todo = set(), [ROOT / readme]
        while todo:
            here = todo.pop()
            for target in re.findall(r"\]\(([\w./-]+\.md)", here.read_text(encoding="utf-8")):
                there = (here.parent / target).resolve()
                if there.parent == ROOT / "docs" and there.name not in linked:
                    linked.add(there.name)
                    todo.append(there)
        assert pages - linked == set(), readme


def _packages() -> list[Path]:
    return list((ROOT / "ocr_moe").rglob("__init__.py"))
