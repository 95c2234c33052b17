"""The scripts of examples/ run as their first lines say, and are short enough to be read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_samples, environment

EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def licences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the shipped licences with their sheet."""
    folder = tmp_path_factory.mktemp("licences")
    sheet = ROOT / "data_samples" / "business_license" / "verified.xlsx"
    for source in (*clean_samples("business_license", 2), sheet):
        (folder / source.name).write_bytes(source.read_bytes())
    return folder


def run(example: str, folder: Path, out: Path) -> str:
    """What it prints."""
    done = subprocess.run(
        [sys.executable, f"examples/{example}", str(folder), str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=str(ROOT)),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_short_and_says_how_it_is_run(example: str) -> None:
    text = (ROOT / "examples" / example).read_text(encoding="utf-8")
    assert f"python examples/{example}" in text.partition('"""\n\n')[0]
    assert len([line for line in text.splitlines() if line.strip()]) <= 45


@pytest.mark.slow
def test_a_folder_becomes_a_table_and_a_list_of_cells(licences: Path, tmp_path: Path) -> None:
    told = run("extract_folder.py", licences, tmp_path)
    found = re.search(r"2 documents; (\d+) of 18 cells to check", told)
    assert found is not None
    assert len(re.findall(r"^  \S+  \S+: .+ \(\d\.\d\d\)$", told, re.MULTILINE)) == int(found[1])
    lines = (tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    doubtful = [
        field for r in records for field in r["fields"].values() if field["status"] == "abstained"
    ]
    assert len(doubtful) == int(found[1])
    assert (tmp_path / "values.csv").read_text(encoding="utf-8").count("\n") == 3


@pytest.mark.slow
def test_the_best_strategy_is_named_without_an_endpoint(licences: Path, tmp_path: Path) -> None:
    told = run("compare_strategies.py", licences, tmp_path)
    rights = [int(right) for right in re.findall(r"(\d+)/18 cells right", told)]
    assert len(rights) >= 4
    assert rights == sorted(rights, reverse=True)
    assert min(rights) > 9
    assert "recorded answers of qwen" in told
    [best] = re.findall(r"^Best: (\w+)\.", told, re.MULTILINE)
    assert told.startswith(best)


@pytest.mark.slow
def test_an_expert_of_one_s_own_is_compared(licences: Path, tmp_path: Path) -> None:
    told = run("own_expert.py", licences, tmp_path)
    assert set(re.findall(r"^(\w+): \d/2 addresses right", told, re.MULTILINE)) == {
        "rules",
        "address",
    }
    assert "address: 0/2" not in told
