"""Code that changes readings cannot change unnoticed: revisions against the code behind them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ocr_moe.experts.rules.expert import RulesExpert
from ocr_moe.store.database import Store
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import load_config
from ocr_moe.workshop.registry import KINDS
from recipes.revisions import (
    COMPONENTS,
    PACKAGE,
    RECORD,
    Component,
    Sources,
    examine,
    read_record,
    settle,
)
from tests.conftest import SAMPLES


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_the_code_behind_a_revision_is_what_it_was(component: Component) -> None:
    assert [str(change) for change in examine(PACKAGE, [component], read_record(RECORD))] == []


def test_the_record_knows_no_other_component() -> None:
    assert list(read_record(RECORD)) == [component.name for component in COMPONENTS]


def test_every_shipped_kind_of_reader_is_held_to_a_revision() -> None:
    roots = {component.roots[0] for component in COMPONENTS}
    groups = ("engines", "recognizers", "chat", "experts")
    classes = [path for group in groups for path in KINDS[group].values()]
    modules = {path.partition(":")[0].removeprefix("ocr_moe.") for path in classes}
    assert modules <= roots


def test_every_revision_is_held_to_its_code() -> None:
    roots = {component.roots[0] for component in COMPONENTS}
    sources = Sources(PACKAGE)
    for module, file in sources.modules.items():
        if "\nREVISION" in file.read_text(encoding="utf-8"):
            assert module in roots, module
            assert sources.revision(module)


LOADED = """
import importlib, sys
for root in sys.argv[1:]:
    for name in [name for name in sys.modules if name.split(".")[0] == "ocr_moe"]:
        del sys.modules[name]
    importlib.import_module("ocr_moe." + root)
    print(*sorted(name for name in sys.modules if name.startswith("ocr_moe.")))
"""


@pytest.mark.slow
def test_no_module_that_is_loaded_is_left_out() -> None:
    """What Python loads for a component, against what was found in the sources."""
    sources = Sources(PACKAGE)
    roots = [component.roots[0] for component in COMPONENTS]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *roots], capture_output=True, text=True, check=True
    )
    by_root = {
        root: sources.closure(component) for component in COMPONENTS for root in component.roots
    }
    not_counted = {"version", "formats", "formats.yamlfile", "formats.yamltraps"}
    for component, line in zip(COMPONENTS, done.stdout.splitlines(), strict=True):
        loaded = {name.removeprefix("ocr_moe.") for name in line.split()}
        covered = by_root[component.roots[0]].union(*(by_root[root] for root in component.without))
        assert component.roots[0] in loaded
        assert loaded - covered <= not_counted, component.name


# The tool itself, on a small package.

READER = '''"""Reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from small.values import shapes
from small.types import Reading

if TYPE_CHECKING:
    from small.idle import Idle

REVISION = 3


def read(text: str) -> Reading:
    """A reading."""
    from small.values.dates import parse  # as late as can be

    return Reading(parse(shapes.fold(text)))
'''
DATES = """def parse(text):
    # to the month
    return text[:7]
"""
TYPES = """class Reading:
    value: str
    def shown(self):
        return self.value
"""
SMALL = (Component("reader", ("reader",)), Component("other", ("other",)))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    package = tmp_path / "small"
    (package / "values").mkdir(parents=True)
    (package / "__init__.py").write_text("from small.other import x\n")
    (package / "reader.py").write_text(READER)
    (package / "types.py").write_text(TYPES)
    (package / "values" / "__init__.py").write_text("")
    (package / "values" / "dates.py").write_text(DATES)
    (package / "values" / "shapes.py").write_text("def fold(text): return text.lower()\n")
    (package / "idle.py").write_text("class Idle: ...\n")
    (package / "other.py").write_text("REVISION: str = '1'\nx = 1\n")
    assert settle(package, SMALL, package.parent / "record.yaml") == []
    return package


def left(package: Path, *unchanged: str) -> list[str]:
    record = package.parent / "record.yaml"
    return [str(change) for change in settle(package, SMALL, record, unchanged)]


def rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def test_the_closure_holds_what_can_influence_a_component(small: Path) -> None:
    assert Sources(small).closure(SMALL[0]) == {
        *("reader", "types", "values", "values.shapes", "values.dates")
    }


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("values/dates.py", "[:7]", "[:10]"),
        ("values/shapes.py", "lower", "upper"),
        ("values/__init__.py", "", "import re\n"),
        ("types.py", "return self.value", "return self.value or ''"),
        ("reader.py", "parse(shapes.fold(text))", "parse(text)"),
    ],
)
def test_changed_code_needs_a_word(small: Path, module: str, old: str, new: str) -> None:
    rewrite(small / module, old, new)
    [sentence] = left(small)
    name = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert sentence.startswith(f"reader: the code behind revision 3 has changed in {name}.")
    assert "raise REVISION in small/reader.py and run `make revisions`" in sentence
    assert "`python -m recipes.revisions reader --unchanged`" in sentence
    assert left(small) == [sentence]  # asking again does not settle it


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("values/dates.py", "to the month", "to the month only"),
        ("values/dates.py", "(text):", "(\n    text,\n):"),
        ("reader.py", "A reading.", "What the text says."),
        ("reader.py", '"""Reads."""', ""),
        ("reader.py", "    from small.idle import Idle", "    from small.other import x"),
        ("types.py", "    value: str\n", "    value: str\n    page: int = 1\n"),
        ("idle.py", "...", "x = 2"),
    ],
)
def test_what_changes_no_reading_needs_none(small: Path, module: str, old: str, new: str) -> None:
    rewrite(small / module, old, new)
    assert left(small) == []


def test_a_raised_revision_is_recorded_and_the_next_change_noticed(small: Path) -> None:
    rewrite(small / "values" / "dates.py", "[:7]", "[:10]")
    rewrite(small / "reader.py", "REVISION = 3", "REVISION = 4")
    record = small.parent / "record.yaml"
    [change] = examine(small, SMALL, read_record(record))
    assert str(change) == "reader: revision 4 is not on record (3 is); run `make revisions`"
    assert left(small) == []
    assert read_record(record)["reader"].revision == "4"
    assert examine(small, SMALL, read_record(record)) == []
    rewrite(small / "values" / "dates.py", "[:10]", "[:4]")
    assert len(left(small)) == 1


def test_a_verified_refactoring_is_recorded_for_the_named_component_only(small: Path) -> None:
    rewrite(small / "values" / "shapes.py", "text.lower()", "str(text).lower()")
    rewrite(small / "other.py", "x = 1", "x = 2")
    assert [sentence.partition(":")[0] for sentence in left(small, "reader")] == ["other"]
    assert [sentence.partition(":")[0] for sentence in left(small)] == ["other"]


def test_new_and_gone_modules_are_told(small: Path) -> None:
    rewrite(small / "reader.py", "from small.values import shapes", "from small.idle import shapes")
    [sentence] = left(small)
    assert "idle (new), reader, values.shapes (gone)" in sentence


def test_an_import_of_nothing_is_an_error(small: Path) -> None:
    rewrite(small / "values" / "dates.py", "# to the month", "from small.gone import x")
    with pytest.raises(ValueError, match=r"small\.gone is imported"):
        examine(small, SMALL, {})


def test_relative_imports_are_followed(small: Path) -> None:
    rewrite(small / "values" / "dates.py", "# to the month", "from . import months")
    (small / "values" / "months.py").write_text("from ..idle import Idle\n")
    assert {"values.months", "idle"} <= Sources(small).closure(SMALL[0])


def test_the_command_names_what_it_does_not_know() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "recipes.revisions", "ruels"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "ruels" in done.stderr
    assert "rules" in done.stderr


def test_fingerprints_are_those_of_the_recorded_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was paid for in earlier versions is found again."""
    with Store(SAMPLES / "recorded.sqlite", write=False) as store:
        recorded = store.recorded_experts()
    monkeypatch.setenv("OCR_MOE_TEXT_BASE_URL", "http://127.0.0.1:9/v1")
    assert set(recorded) == {"ocr_page_llm", "ocr_crop_llm"}
    for name, (fingerprint, model) in recorded.items():
        assert model is not None
        monkeypatch.setenv("OCR_MOE_TEXT_MODEL", model)
        of_then = load_config().model_copy(update={"ocr": "paddle"})
        asked, chat, engine = Workshop(of_then).expert(name).fingerprint.split(" | ")
        assert [asked, chat] == fingerprint.split(" | ")[:2]
        assert engine.split()[1:] == fingerprint.split(" | ")[2].split()[1:]


def test_the_rules_keep_their_fingerprint() -> None:
    rules = Workshop(load_config()).expert("rules")
    assert isinstance(rules, RulesExpert)
    assert rules.fingerprint == "rules/8/0.12"
