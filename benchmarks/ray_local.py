"""What does a Ray cluster cost on one machine? The same files with `--runner ray` and without, in turns.

Real OCR of the shipped samples, each file of other bytes.  Ray is started for each run, with as many
cores as `--workers`; what a run takes is its whole command, and beside it the time from its first file
to its last, without start-up on either side.

    python -m benchmarks.ray_local [--documents 40] [--workers 2] [--runs 3]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kills import differences, lay_out
from benchmarks.results import REPEATS, Spread, publish, ratio

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
    parser.add_argument("--runs", type=int, default=REPEATS)
    parser.add_argument("--block", type=int, default=4)
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
    spreads = {runner: Spread(tuple(seconds[runner])) for runner in RUNNERS}
    reads = {runner: Spread(tuple(reading[runner])) for runner in RUNNERS}
    times = ratio(spreads["ray"], spreads["local"])
    publish(
        "ray_local",
        {
            "documents": options.documents,
            "workers": options.workers,
            "seconds": spreads,
            "seconds_of_reading": reads,
            "ratio": times,
            "differing": differing,
        },
        [
            f"{options.documents} documents, {options.workers} workers: "
            f"ray takes {times:.2f} × the time",
            *(
                f"{runner}: {spreads[runner]} s, {options.documents / reads[runner].median:.2f} "
                "documents/s once it reads"
                for runner in RUNNERS
            ),
            f"exports that differ: {differing or 'none'}",
        ],
    )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
