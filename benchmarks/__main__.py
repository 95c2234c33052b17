"""Run the benchmarks one after the other: `python -m benchmarks [NAME...]`.

What each finds is written to reports/benchmarks/ (`benchmarks.results`); a table of all stands at the
end. What needs a text LLM is run where OCR_MOE_TEXT_BASE_URL says where one is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.results import FOLDER, FOLDER_VARIABLE, published

ABLATION = ("--ablation", "--per-level", "50", "--levels", "photo", "hard")


class Part(NamedTuple):
    """One benchmark as it is run here."""

    module: str
    arguments: tuple[str, ...] = ()
    result: str = ""
    """What it publishes under, where that is not the module's name."""
    needs: str = ""
    """An environment variable without which there is nothing to measure."""


PARTS = (
    Part("speed"),
    Part("codes"),
    Part("codes", (*ABLATION, "--out", "reports/ablation"), result="codes_ablation"),
    Part("profile"),
    Part("replay"),
    Part("exports"),
    Part("cluster_simulation"),
    Part("simulation"),
    Part("intervals"),
    Part("review"),
    Part("fuzz_intake"),
    Part("mutations"),
    Part("fuzz_endpoints"),
    Part("kills"),
    Part("workers"),
    Part("inputs"),
    Part("ray_local"),
    Part("service"),
    Part("llm_throughput", ("--strategies", "one", "two")),
    Part("image_tokens"),
    Part("codes_llm", needs="OCR_MOE_TEXT_BASE_URL"),
)


class Run(NamedTuple):
    """How one part went."""

    part: Part
    status: int
    seconds: float


def main(names: Sequence[str]) -> int:
    if unknown := set(names) - {part.module for part in PARTS}:
        print(f"no such benchmark: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    began = datetime.now(UTC).isoformat(timespec="seconds")
    FOLDER.mkdir(parents=True, exist_ok=True)
    runs = [run(part, FOLDER) for part in chosen(PARTS, names, os.environ)]
    found = {name: each for name, each in published(FOLDER).items() if each["date"] >= began}
    print("\n" + "\n".join(table(runs, found)))
    return max((run.status for run in runs), default=0)


def chosen(
    parts: Sequence[Part], names: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Part]:
    """The named ones, or all; without those that lack what they need."""
    for part in parts:
        wanted = not names or part.module in names
        if wanted and (not part.needs or environment.get(part.needs)):
            yield part


def run(part: Part, folder: Path) -> Run:
    command = [f"benchmarks.{part.module}", *part.arguments]
    print(f"\n== {' '.join(command)}", flush=True)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env={**os.environ, FOLDER_VARIABLE: str(folder.resolve())},
        check=False,
    )
    return Run(part, done.returncode, time.perf_counter() - start)


def table(runs: Sequence[Run], found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A Markdown table of how the parts went and of what they found, by benchmark."""
    yield "| benchmark | minutes | found |\n|---|---|---|"
    for part, status, seconds in runs:
        lines = found.get(part.result or part.module, {}).get("summary", ())
        told = "failed" if status else "<br>".join(lines)
        yield f"| {' '.join((part.module, *part.arguments))} | {seconds / 60:.1f} | {told} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
