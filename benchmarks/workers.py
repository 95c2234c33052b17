"""What a second worker brings, when the first page is done, and what memory all processes take.

The shipped samples are read with `moe`, by one worker and by two, each run in a session of its own.
Throughput is counted from the first finished document to the last: the start is told by itself. Memory
is the largest sum of the proportional set sizes (PSS) of all processes, looked at 5 times a second, so
that what they share counts once.

    python -m benchmarks.workers [--documents 36] [--repeats 1]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kills import SAMPLES, SCHEMA, processes
from benchmarks.results import REPEATS, Spread, publish, ratio
from benchmarks.speed import extracting

LOOK = 0.2
"""Seconds between two looks at memory."""


def lay_out(folder: Path, documents: int) -> Path:
    """The samples as they are, some of them twice, each of other bytes."""
    folder.mkdir()
    samples = sorted(path for path in SAMPLES.iterdir() if path.suffix == ".jpg")
    for number in range(documents):
        data = samples[number % len(samples)].read_bytes()
        (folder / f"{number:03}.jpg").write_bytes(data + number.to_bytes(2, "big"))
    return folder


def one_run(inputs: Path, workers: int) -> dict[str, float]:
    """Seconds until the first file is done, files a second from then on, and MiB."""
    with tempfile.TemporaryDirectory() as out:
        options = ("--schema", SCHEMA, "--workers", str(workers))
        with extracting([str(inputs)], Path(out), *options) as (process, done):
            most = 0.0
            while process.poll() is None:
                most = max(most, pss(process.pid))
                time.sleep(LOOK)
        times = done()
    return {
        "first": times[0],
        "documents_a_second": (len(times) - 1) / (times[-1] - times[0]),
        "mebibytes": most,
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
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args(arguments)
    found: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        inputs = lay_out(Path(folder, "inputs"), options.documents)
        for _ in range(options.repeats):
            for workers, runs in found.items():
                runs.append(one_run(inputs, workers))
    spreads = {
        workers: {name: Spread(tuple(run[name] for run in runs)) for name in runs[0]}
        for workers, runs in found.items()
    }
    gain = ratio(spreads[2]["documents_a_second"], spreads[1]["documents_a_second"])
    publish(
        "workers",
        {"documents": options.documents, "workers": spreads, "ratio": gain},
        [
            f"2 workers are {gain:.2f} × one; first document after {spreads[2]['first']} s",
            f"memory of all processes {spreads[2]['mebibytes']} MiB (PSS), "
            f"with one worker {spreads[1]['mebibytes']}",
        ],
    )


if __name__ == "__main__":
    main()
