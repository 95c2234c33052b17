"""The benchmarks that need no pixels still run: few repetitions, no judgement of their figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["benchmarks.simulation", "--repetitions", "2"], "| few documents | 150 |"),
        (["benchmarks.replay", "--documents", "20"], "20 documents, 5 strategies, 0 failed"),
    ],
)
def test_it_runs(arguments: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert told in done.stdout
