"""What a second worker brings, when the first page is done, and what memory all processes take.

The shipped samples are read with `moe`, by one worker and by two, each run in a session of its own.
Throughput is counted from the first finished document to the last: the start is told by itself. Memory
is the largest sum of the proportional set sizes (PSS) of all processes, looked at 5 times a second, so
that what they share counts once.

    python -m benchmarks.workers [--documents 36] [--repeats 1]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.kills import SAMPLES, SCHEMA, processes

LOOK = 0.2
"""Seconds between two looks at memory."""
ONE_RUN = """
import sys, time
import ocr_moe
from ocr_moe.api import Options
ticks = []
ocr_moe.extract(
    sys.argv[2], out=sys.argv[3], schema=sys.argv[4], options=Options(workers=int(sys.argv[5])),
    report=lambda step: ticks.append(time.time() - float(sys.argv[1])),
)
import json
print(json.dumps(ticks))
"""


def lay_out(folder: Path, documents: int) -> Path:
    """The samples as they are, some of them twice, each of other bytes."""
    folder.mkdir()
    samples = sorted(path for path in SAMPLES.iterdir() if path.suffix == ".jpg")
    for number in range(documents):
        data = samples[number % len(samples)].read_bytes()
        (folder / f"{number:03}.jpg").write_bytes(data + number.to_bytes(2, "big"))
    return folder


def one_run(inputs: Path, workers: int) -> dict[str, float]:
    """Seconds, documents a second and MiB of one run."""
    with tempfile.TemporaryDirectory() as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", ONE_RUN, str(time.time()), str(inputs)),
                *(str(Path(out) / "out"), SCHEMA, str(workers)),
            ],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        most = 0.0
        while process.poll() is None:
            most = max(most, pss(process.pid))
            time.sleep(LOOK)
        ticks = json.loads(process.communicate()[0])
    return {
        "first": round(ticks[0], 2),
        "last": round(ticks[-1], 2),
        "documents_per_second": round((len(ticks) - 1) / (ticks[-1] - ticks[0]), 3),
        "mib": round(most),
    }


def pss(session: int) -> float:
    """MiB of all processes of a session, what they share counted once."""
    total = 0
    for pid, *_ in processes(session):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has just ended
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=36)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp())
    try:
        inputs = lay_out(folder / "inputs", options.documents)
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(options.repeats):
            for workers, found in rates.items():
                figures = one_run(inputs, workers)
                found.append(figures["documents_per_second"])
                print(json.dumps({"workers": workers, **figures}), flush=True)
        print(f"2 workers are {median(rates[2]) / median(rates[1]):.2f} × one")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
