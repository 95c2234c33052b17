"""The benchmarks still run: few repetitions and documents, no judgement of their figures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ocr_moe.testing.chatserver import ChatServer, Request

pytestmark = pytest.mark.slow


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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["benchmarks.simulation", "--repetitions", "2"], "| few documents | 150 |"),
        (["benchmarks.replay", "--documents", "20"], "20 documents, 5 strategies, 0 failed"),
    ],
)
def test_it_runs(arguments: list[str], told: str) -> None:
    assert told in benchmark(*arguments)


def code_of(request: Request) -> dict[str, str | None]:
    found = re.search(r"\d{16,18}", request.prompt.replace(" ", ""))
    return {"证书编号": found.group() if found else None}


def test_codes_with_peers_with_an_llm_and_without_parts(tmp_path: Path) -> None:
    small = ("--per-level", "1", "--levels", "clean", "scan", "--seed", "5")
    report = benchmark("benchmarks.codes", *small, "--out", str(tmp_path / "peers"))
    assert re.search(
        r"\| level \| n \| rapidocr \| paddleocr \| engine \| codes \| bound \|", report
    )
    assert len(re.findall(r"^\| (?:clean|scan) \| 1 \|", report, re.MULTILINE)) == 2
    with ChatServer(answer=code_of) as server:
        told = {"OCR_MOE_TEXT_BASE_URL": server.base_url, "OCR_MOE_TEXT_MODEL": "scripted"}
        asked = ("--of", str(tmp_path / "peers"), "--count", "4")
        report = benchmark("benchmarks.codes_llm", *asked, env=told)
    assert re.search(r"\| 3 page \+ LLM \| 2/2 \|", report)
    out = ("--out", str(tmp_path / "parts"), "--ablation")
    report = benchmark("benchmarks.codes", *small, *out)
    assert "| no specialist | " in report
    assert "rapidocr" not in report
