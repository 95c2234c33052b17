"""The law of `.importlinter` holds: each forbidden import, added to a copy, is found and named."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from configparser import ConfigParser
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import load_config
from tests.conftest import ROOT

FLOORS = "Arrows point down, and every module stands on a floor"
EXPERTS = "No room of experts knows another"
EVALUATION = "Truth knows no scores, and scores no page"
TRUTH = "No truth leaks into a run"
STORE = "The store is for runs, the workshop and the laboratory"
ENGINES = "Third-party OCR and chat libraries stop at the engines"

pytestmark = pytest.mark.slow

FREE = {"numpy", "PIL", "pydantic", "pydantic_core", "rapidfuzz", "yaml"}
"""Third parties that any room may import."""

EXTRAS = {"mcp", "mcp_types", "pyarrow", "ray", "torch", "transformers"}
"""Those of a command that says what to install where they are missing."""


@dataclass(frozen=True)
class Judgement:
    kept: frozenset[str]
    broken: frozenset[str]
    text: str


def judge(house: Path) -> Judgement:
    """What import-linter says of the package in a folder; a process of its own, without its cache."""
    code = "from importlinter.cli import lint_imports_command as c; c()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        capture_output=True,
        text=True,
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house), "COLUMNS": "300"},
    )
    assert "Contracts: " in done.stdout, done.stdout + done.stderr
    verdicts = dict(re.findall(r"^(.+) (KEPT|BROKEN)$", done.stdout, re.MULTILINE))
    broken = frozenset(name for name, verdict in verdicts.items() if verdict == "BROKEN")
    assert (done.returncode == 0) == (not broken)
    return Judgement(frozenset(verdicts) - broken, broken, done.stdout)


def copy(to: Path) -> Path:
    shutil.copytree(
        ROOT / "ocr_moe",
        to / "ocr_moe",
        ignore=shutil.ignore_patterns("__pycache__", "*.onnx", "*.html"),
    )
    shutil.copy(ROOT / ".importlinter", to)
    return to


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return copy(tmp_path)


def add(house: Path, module: str, imported: str) -> None:
    """A module that imports another."""
    file = house.joinpath(*module.split(".")).with_suffix(".py")
    file.parent.mkdir(exist_ok=True)
    (file.parent / "__init__.py").touch()
    file.write_text(f"import {imported}\n")


def test_the_house_as_it_is(house: Path) -> None:
    judgement = judge(house)
    assert not judgement.broken, judgement.text
    assert {FLOORS, EXPERTS, EVALUATION, TRUTH, STORE, ENGINES} < judgement.kept


INTRUDERS = [
    # (where it stands, what it imports, the contract that forbids it)
    ("experts.rules", "ocr_moe.routing.gates", FLOORS),
    ("experts.codes", "ocr_moe.engines.lines", FLOORS),
    ("experts.llm", "ocr_moe.intake.images", FLOORS),
    ("engines", "ocr_moe.routing.votes", FLOORS),
    ("routing", "ocr_moe.engines.weights", FLOORS),
    ("routing", "ocr_moe.experts.llm.crops", FLOORS),
    ("evaluation.truth", "ocr_moe.routing.calibration", FLOORS),
    ("generation", "ocr_moe.evaluation.metrics", FLOORS),
    ("exports", "ocr_moe.evaluation.scores", FLOORS),
    ("reading", "ocr_moe.store.database", FLOORS),
    ("imaging", "ocr_moe.reading.layout", FLOORS),
    ("store", "ocr_moe.reading.layout", FLOORS),
    ("store", "ocr_moe.exports.jsonl", FLOORS),
    ("codes", "ocr_moe.values.dates", FLOORS),
    ("values", "ocr_moe.reading.forms", FLOORS),
    ("formats", "ocr_moe.settings", FLOORS),
    ("workshop", "ocr_moe.run.batch", FLOORS),
    ("run", "ocr_moe.laboratory.goal", FLOORS),
    ("laboratory", "ocr_moe.reviewing", FLOORS),
    ("reviewing", "ocr_moe.api", FLOORS),
    ("api", "ocr_moe.web.pages", FLOORS),
    ("assistants", "ocr_moe.web.pages", FLOORS),
    ("experts.rules", "ocr_moe.experts.llm.crops", EXPERTS),
    ("experts.codes", "ocr_moe.experts.rules.expert", EXPERTS),
    ("experts.llm", "ocr_moe.experts.codes.faintlines", EXPERTS),
    ("evaluation.truth", "ocr_moe.evaluation.report.page", EVALUATION),
    ("evaluation.truth", "ocr_moe.evaluation.scoring", EVALUATION),
    ("evaluation.report", "ocr_moe.evaluation.evaluate", EVALUATION),
    ("run", "ocr_moe.evaluation.scoring", TRUTH),
    ("workshop", "ocr_moe.evaluation.evaluate", TRUTH),
    ("evaluation", "ocr_moe.store.database", STORE),
    ("generation", "ocr_moe.store.database", STORE),
    ("exports", "ocr_moe.store.database", STORE),
    ("experts.rules", "ocr_moe.store.database", STORE),
    ("engines", "ocr_moe.store.database", STORE),
    ("routing", "ocr_moe.store.database", STORE),
    ("intake", "ocr_moe.store.database", STORE),
    ("experts.llm", "openai", ENGINES),
    ("run", "paddleocr", ENGINES),
    ("workshop", "rapidocr", ENGINES),
    ("intake", "onnxruntime", ENGINES),
    ("reading", "cv2", "OpenCV is for the rooms that touch pixels"),
    ("experts.marks", "zxingcpp", "Codes on pages are read by an engine and drawn by generation"),
    ("run", "pypdfium2", "Documents are decoded in the intake"),
    ("exports", "openpyxl", "Workbooks are read where truth is, and made by formats"),
    ("evaluation.report", "pandas", "Data frames are an export"),
    ("routing", "sklearn", "Statistics are for what judges and fits"),
    ("run", "rich", "The terminal is the command line's"),
    ("cli", "jinja2", "HTML is made where pages are"),
    ("run", "starlette", "HTTP is served in web"),
    ("web", "prometheus_client", "Metrics are made where they are defined"),
    ("assistants", "python_multipart", "Uploads are the service's"),
    ("intake", "fsspec", "URLs are opened where remote files are"),
    ("run", "ray", "A cluster is had by runs"),
    ("routing", "transformers", "Models for texts are run by an expert"),
    ("store", "pyarrow", "Parquet is an export"),
    ("reading", "orjson", "Many records are written as JSON by exports"),
    ("web", "mcp", "Assistants are spoken to in their room"),
    ("web", "pypinyin", "Pinyin is for picking names at the desk"),
    ("routing", "joblib", "Processes are started by runs"),
    ("experts.rules", "json_repair", "Answers of language models are mended where they are asked"),
    ("values", "stdnum", "Check characters are worked out in codes and generation"),
    ("reading", "opencc", "Characters are simplified in values"),
    ("values", "simpleeval", "Expressions of schemas are evaluated in one place"),
]


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Judgement:
    """One copy with all the intruders; none imports another, so each is found for itself."""
    house = copy(tmp_path_factory.mktemp("crowded"))
    for number, (room, imported, _) in enumerate(INTRUDERS):
        add(house, f"ocr_moe.{room}.intruder{number}", imported)
    return judge(house)


@pytest.mark.parametrize(
    "number", range(len(INTRUDERS)), ids=[" -> ".join(i[:2]) for i in INTRUDERS]
)
def test_an_intruder_is_found_and_named(crowded: Judgement, number: int) -> None:
    room, imported, contract = INTRUDERS[number]
    assert contract in crowded.broken
    found = re.search(
        rf"^- +ocr_moe\.{re.escape(room)}\.intruder{number} -> {re.escape(imported)} \(l\.1\)",
        section(crowded.text, contract),
        re.MULTILINE,
    )
    assert found, section(crowded.text, contract)


def section(text: str, contract: str) -> str:
    """What is said of a broken contract, below its underlined name."""
    [_, after] = re.split(rf"^{re.escape(contract)}\n-+$", text, flags=re.MULTILINE)
    return re.split(r"^.+\n-{8,}$", after, flags=re.MULTILINE)[0]


def test_every_contract_was_broken_by_an_intruder(crowded: Judgement) -> None:
    assert crowded.broken == {contract for _, _, contract in INTRUDERS}
    assert not crowded.kept


@pytest.mark.parametrize("seam", ["types", "errors", "version"])
def test_the_lowest_seams_import_nothing_of_ours(house: Path, seam: str) -> None:
    imported = "geometry" if seam == "types" else "types"
    with (house / "ocr_moe" / f"{seam}.py").open("a") as stream:
        stream.write(f"\nimport ocr_moe.{imported}\n")
    judgement = judge(house)
    assert FLOORS in judgement.broken
    assert f"ocr_moe.{seam} is not allowed to import ocr_moe.{imported}" in judgement.text


@pytest.mark.parametrize(
    ("module", "contract", "words"),
    [
        ("ocr_moe.helpers", FLOORS, "- ocr_moe.helpers"),
        ("ocr_moe.attic.boxes", FLOORS, "- ocr_moe.attic"),
        ("ocr_moe.experts.tables.ruled", EXPERTS, "- ocr_moe.experts.tables"),
        ("ocr_moe.experts.shared", EXPERTS, "- ocr_moe.experts.shared"),
        ("ocr_moe.evaluation.opinions", EVALUATION, "- ocr_moe.evaluation.opinions"),
    ],
)
def test_what_stands_on_no_floor_is_found(
    house: Path, module: str, contract: str, words: str
) -> None:
    add(house, module, "ocr_moe.types")
    judgement = judge(house)
    assert judgement.broken == {contract}
    assert re.search(rf"^{re.escape(words)}$", judgement.text, re.MULTILINE), judgement.text


STANDARD = sys.stdlib_module_names


@pytest.fixture(scope="module")
def third_parties() -> Mapping[str, frozenset[str]]:
    """Third party → our modules that import it, lazily or for types only included."""
    graph = grimp.build_graph("ocr_moe", include_external_packages=True, cache_dir=None)
    outside = {m for m in graph.modules if m.split(".")[0] not in ("ocr_moe", *STANDARD)}
    return {m: frozenset(graph.find_modules_that_directly_import(m)) for m in outside}


def test_a_third_party_that_no_contract_names_stops_at_the_engines(
    third_parties: Mapping[str, frozenset[str]],
) -> None:
    law = ConfigParser()
    law.read(ROOT / ".importlinter")
    named = {
        module
        for section in law.values()
        for module in section.get("protected_modules", "").split()
    }
    strangers = {
        (importer, module)
        for module, importers in third_parties.items()
        if module not in FREE | named
        for importer in importers
        if not importer.startswith("ocr_moe.engines.")
    }
    assert strangers == set()


def test_the_law_names_no_third_party_that_is_gone(
    third_parties: Mapping[str, frozenset[str]],
) -> None:
    law = ConfigParser()
    law.read(ROOT / ".importlinter")
    for section in law.values():
        for module in section.get("protected_modules", "").split():
            assert module in third_parties, module
    assert third_parties.keys() >= FREE


def test_every_third_party_is_a_declared_dependency(
    third_parties: Mapping[str, frozenset[str]],
) -> None:
    brought = {
        "cv2": "paddleocr",
        "markupsafe": "jinja2",
        "mcp_types": "mcp",
        "pydantic_core": "pydantic",
    }
    known = packages_distributions()
    for module in third_parties:
        # What is not installed here is called as what it brings, as most are.
        names = {name.lower().replace("_", "-") for name in known.get(module, (module,))}
        allowed = declared(optional=module.partition(".")[0] in EXTRAS)
        assert names & allowed or brought.get(module) in allowed, (module, names)


def test_every_package_that_a_component_names_is_declared() -> None:
    for package in Workshop(load_config()).packages():
        assert package.name in declared(optional=package.optional)


def declared(optional: bool = False) -> set[str]:
    """The distributions that pyproject.toml declares, with those of the extras where wanted."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"]]
    if optional:
        groups += project["optional-dependencies"].values()
    return {re.split(r"[^\w-]", each)[0].lower() for group in groups for each in group}
