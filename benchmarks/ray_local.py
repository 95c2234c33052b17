"""What does a Ray cluster cost on one machine? The same files with `--runner ray` and without, in turns.

Real OCR of the shipped samples, each file of other bytes.  Ray is started for each run, with as many
cores as `--workers`; what a run takes is its whole command, and beside it the time from its first file
to its last, without start-up on either side.

    python -m benchmarks.ray_local [--documents 40] [--workers 2] [--runs 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kills import differences, lay_out

RUNNERS = ("local", "ray")


def measured(
    inputs: Path, out: Path, runner: str, workers: int, config: Path
) -> tuple[float, float]:
    """Seconds of the whole command, and between the first file that is done and the last."""
    command = ["extract", inputs, "--out", out, "--schema", "graduation_certificate"]
    command += ["--workers", workers, "--runner", runner, "--config", config]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OCR_MOE_")}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "ocr_moe.cli.main", *map(str, command)],
        env=kept | {"OCR_MOE_LANGUAGE": "en"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    done = [time.perf_counter() for line in process.stderr if line.rstrip().endswith(" files")]
    if process.wait() not in (0, 1) or len(done) < 2:
        raise RuntimeError(f"{runner}: exit status {process.returncode}")
    return time.perf_counter() - start, done[-1] - done[0]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--block", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    seconds: dict[str, list[float]] = {runner: [] for runner in RUNNERS}
    reading: dict[str, list[float]] = {runner: [] for runner in RUNNERS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = lay_out(folder / "inputs", options.documents)
        config = folder / "config.yaml"
        config.write_text(f"cluster: {{block: {options.block}}}\n", encoding="utf-8")
        for run in range(options.runs):
            for runner in RUNNERS:
                out = folder / f"{runner}{run}"
                whole, read = measured(inputs, out, runner, options.workers, config)
                seconds[runner].append(whole)
                reading[runner].append(read)
        differing = [
            each
            for each in differences(folder / "ray0", folder / "local0")
            if not each.startswith(".")
        ]
    medians = {runner: statistics.median(seconds[runner]) for runner in RUNNERS}
    rates = {r: options.documents / statistics.median(reading[r]) for r in RUNNERS}
    print(
        f"{options.documents} documents, {options.workers} workers, medians of {options.runs} runs"
    )
    for runner in RUNNERS:
        print(f"{runner}: {medians[runner]:.1f} s, {rates[runner]:.2f} documents/s once it reads")
    print(
        f"ray takes {medians['ray'] / medians['local']:.2f} × the time; exports that differ: {differing}"
    )
    if options.json is not None:
        found = {"seconds": seconds, "documents_per_second": rates, "differing": differing}
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
