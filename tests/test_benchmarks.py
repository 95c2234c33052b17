"""The benchmarks run, small, and their figures fit together; how good they are is not judged."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmarks.results import FOLDER_VARIABLE
from benchmarks.thresholds import MODULES, knobs, moved
from ocr_moe.evaluation.metrics import wilson
from ocr_moe.exports.exporters import EXPORTERS
from ocr_moe.run.batch import STORE
from ocr_moe.testing.chatserver import ChatServer, Request
from tests.conftest import SAMPLES

pytestmark = pytest.mark.slow

OLD = Path(__file__).parent / "data" / "stores"


def benchmark(*arguments: str, env: Mapping[str, str] = {}) -> str:
    """What it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(report: str, width: int) -> list[list[str]]:
    """The cells of all table rows with so many columns, headings included."""
    found = [line.strip("| ").split("|") for line in report.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in found if "---" not in row[0]]
    return [row for row in cells if len(row) == width]


def shares(text: str) -> list[float]:
    """Every percentage in the text, as a share of one."""
    return [float(found) / 100 for found in re.findall(r"(\d+(?:\.\d+)?) ?%", text)]


def test_simulated_promises_are_counted() -> None:
    head, *worlds = rows(benchmark("benchmarks.simulation", "--repetitions", "4"), 6)
    assert head[2] == "certified"
    assert len(worlds) == 7
    for name, documents, certified, broken, coverage, saved in worlds:
        assert int(documents) >= 150, name
        [passed] = shares(certified)
        share, low, high = shares(broken)
        assert low <= share <= min(high, passed), name
        assert (low, high) == pytest.approx(wilson(round(share * 4), 4), abs=0.001), name
        assert 0 <= shares(coverage)[0] <= 1
        assert 0 <= shares(saved)[0] <= 1
        if passed:
            assert shares(coverage)[0] > 0, name


def test_intervals_cover_what_they_should() -> None:
    report = benchmark("benchmarks.intervals", "--repetitions", "3")
    _, *exact = rows(report, 5)
    accuracies = [row for row in exact if len(shares(row[1])) == 1 and row[0].endswith("%")]
    assert [row[0] for row in accuracies] == ["50%", "80%", "90%", "95%", "99%"]
    for row in accuracies:
        assert all(0.85 < share <= 1 for share in shares(" ".join(row[1:]))), row
    simulated = [row for row in exact if row[0] in ("48", "121", "400")]
    assert len(simulated) == 12
    for row in simulated:
        thirds = [share * 3 for share in shares(" ".join(row[3:]))]
        assert all(share == pytest.approx(round(share), abs=0.01) for share in thirds), row


def test_a_replay_is_timed_asks_nobody_and_loses_no_document() -> None:
    report = benchmark("benchmarks.replay", "--documents", "20", "--repeats", "2")
    assert "20 documents, 5 strategies, 0 failed, 0 questions asked" in report
    [spread] = re.findall(r"replayed in ([\d.]+) \(([\d.]+)-([\d.]+)\) s", report)
    median, least, most = map(float, spread)
    assert 0 < least <= median <= most


def test_exports_of_a_multiplied_run_are_timed(tmp_path: Path) -> None:
    """Three documents, forty times each."""
    run = tmp_path / "run"
    files = sorted((SAMPLES / "graduation_certificate").glob("*.jpg"))[:3]
    extract = ("-m", "ocr_moe.cli.main", "extract", *map(str, files), "--strategy", "moe")
    subprocess.run([sys.executable, *extract, "--out", str(run)], check=True, capture_output=True)
    report = benchmark(
        "benchmarks.exports",
        *("--run", str(run), "--documents", "120", "--repeats", "1"),
        env={FOLDER_VARIABLE: str(tmp_path)},
    )
    assert "120 documents exported in" in report
    figures = json.loads((tmp_path / "exports.json").read_text(encoding="utf-8"))["figures"]
    assert figures["documents"] == 120
    assert {f"export.{name}" for name in EXPORTERS} <= figures["parts"].keys()
    assert figures["bytes_written"] > 0


def test_a_page_is_told_step_by_step() -> None:
    report = benchmark("benchmarks.profile", "--limit", "1", "--repeats", "1")
    steps = {name: float(ms.split()[0]) for name, ms, _ in rows(report, 3)[1:]}
    assert {
        "decode",
        "seals",
        "ocr",
        "expert.rules",
        "combine",
        "store",
        "export.xlsx",
    } <= steps.keys()
    [total] = re.findall(r"(\d+) ms a page", report)
    assert sum(steps.values()) == pytest.approx(int(total), rel=0.05)


def test_every_question_is_put_once_however_slow_the_server(tmp_path: Path) -> None:
    few = ["--documents", "24", "--latency", "0.05", "--allowed", "4", "--workers", "2"]
    report = benchmark(
        "benchmarks.llm_throughput",
        *few,
        *("--strategies", "one", "two"),
        env={FOLDER_VARIABLE: str(tmp_path)},
    )
    written = json.loads((tmp_path / "llm_throughput.json").read_text(encoding="utf-8"))
    told = written["figures"]["rows"]
    assert [row["answered"] for row in told] == [24, 48]
    assert all(0 < row["share_of_ideal"] <= 1 and row["most"] <= 4 for row in told)
    assert len(shares(report)) == 4


def test_a_moved_threshold_is_put_back() -> None:
    for name in MODULES:
        module = import_module(f"ocr_moe.{name}")
        before = dict(vars(module))
        found = list(knobs(module))
        assert found, name
        for knob in found:
            other = knob.at(knob.value + 1)
            assert other != before[knob.name]
            assert moved(module, knob.name, other, lambda: vars(module)[knob.name]) == other  # noqa: B023
        assert vars(module) == before


def test_thresholds_are_moved_over_stored_pages(tmp_path: Path) -> None:
    shutil.copy(OLD / "extract.v1.sqlite", tmp_path / STORE)
    sheet = SAMPLES / "graduation_certificate" / "verified.xlsx"
    report = benchmark("benchmarks.thresholds", str(tmp_path), str(sheet), "--only", "texts")
    [(documents, right, cells)] = re.findall(r"(\d+) documents, (\d+) of (\d+) cells", report)
    assert documents == "2"
    assert 0 < int(right) <= int(cells)
    assert "3 numbers moved" in report
    for module, _, _, _, differ, change in rows(report, 6)[1:]:
        assert module == "values.texts"
        assert abs(int(change)) <= int(differ) <= int(cells)


def test_a_simulated_reviewer_follows_the_plan(tmp_path: Path) -> None:
    shutil.copy(OLD / "extract.v1.sqlite", tmp_path / STORE)
    sheet = SAMPLES / "graduation_certificate" / "verified.xlsx"
    few = ("--repetitions", "2", "--target", "0.9", "--documents", "10")
    report = benchmark("benchmarks.review", str(tmp_path), str(sheet), *few)
    [(documents, cells, right)] = re.findall(
        r"(\d+) documents, (\d+) verified cells, (\d+) of", report
    )
    assert documents == "2"
    assert 0 < int(right) <= int(cells)
    _, row = rows(report, 10)
    assert row[0] == "90.0%"
    assert 0 <= int(row[2]) <= int(row[6]) <= 2 * int(row[1])
    assert 0.8 < shares(row[8])[0] <= 1
    assert int(row[9].split()[0]) <= int(row[7]) <= 2


def test_speed_is_told_beside_the_peers() -> None:
    peer = "RapidOCR on OpenVINO"
    report = benchmark("benchmarks.speed", "--repeats", "1", "--limit", "2", "--peers", peer)
    speeds = dict(re.findall(r"^(.+): ([\d.e-]+) \(.*\) documents/s$", report, re.MULTILINE))
    assert set(speeds) == {"extract", peer, "extract, from its first document on"}
    [(whole, best, lasting)] = re.findall(
        r"([\d.]+) × the documents a second of (.*), start-up counted; ([\d.]+) × without", report
    )
    assert best == peer
    assert float(whole) == pytest.approx(float(speeds["extract"]) / float(speeds[peer]), rel=0.05)
    assert float(lasting) > 0
    assert re.search(r"codes of 2: \d; in the text of ", report)


def code_of(request: Request) -> dict[str, str | None]:
    found = re.search(r"\d{16,18}", request.prompt.replace(" ", ""))
    return {"证书编号": found.group() if found else None}


def outcomes(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_codes_with_peers_with_an_llm_and_without_parts(tmp_path: Path) -> None:
    small = ("--per-level", "1", "--levels", "clean", "scan", "--seed", "5")
    peers = tmp_path / "peers"
    report = benchmark("benchmarks.codes", *small, "--out", str(peers))
    systems = ["rapidocr", "paddleocr", "engine", "codes", "bound"]
    head, *levels = rows(report, 7)[:3]
    assert head == ["level", "n", *systems]
    assert [row[:2] for row in levels] == [["clean", "1"], ["scan", "1"]]
    written = outcomes(peers)
    assert (peers / "codes.md").read_text(encoding="utf-8").strip() in report
    assert sorted(str(line["level"]) for line in written) == ["clean", "scan"]
    for line in written:
        values, confidence = line["values"], line["confidence"]
        assert set(values) == set(confidence) == set(systems)
        assert all(0 <= sure <= 1 for sure in confidence.values())
        shown = next(row for row in levels if row[0] == line["level"])
        for system, cell in zip(systems, shown[2:], strict=True):
            assert shares(cell)[0] == float(values[system] == line["truth"])
    with ChatServer(answer=code_of) as server:
        told = {"OCR_MOE_TEXT_BASE_URL": server.base_url, "OCR_MOE_TEXT_MODEL": "scripted"}
        asked = ("--of", str(peers), "--count", "4")
        report = benchmark("benchmarks.codes_llm", *asked, env=told)
        assert len(server.requests) >= 2
    assert re.search(r"\| 3 page \+ LLM \| 2/2 \|", report)
    out = ("--out", str(tmp_path / "parts"), "--ablation")
    report = benchmark("benchmarks.codes", *small, *out)
    assert "| no specialist | " in report
    assert "rapidocr" not in report
    assert all("one view" in line["values"] for line in outcomes(tmp_path / "parts"))
