"""Does the service keep up with `extract`, lose nothing and stay in its memory?

Requests of one image each are sent to the real command on loopback, many at a time; before and after
that, `extract` reads images of the same kind. What either takes to start and to load its models is not
counted: of the service nothing is asked before that, of `extract` a run of one image is taken off.

    python -m benchmarks.service [--requests 200] [--at-once 16] [--images 24] [--compared 48]
                                 [--strategy moe]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.results import publish

SAMPLES = Path(__file__).parent.parent / "data_samples" / "graduation_certificate"
SCHEMA = "graduation_certificate"
_PATIENCE = 600.0
"""Seconds for one answer."""
_COMMAND = (sys.executable, "-m", "ocr_moe.cli.main")


def scans(images: int, count: int, first: int = 0) -> list[tuple[str, bytes]]:
    """So many files made of the first samples, the smallest first, each with bytes of its own: a number
    after the end of its image, which decoders pass over."""
    found = sorted(SAMPLES.glob("*.jpg"), key=lambda path: (path.stat().st_size, path.name))
    chosen = [path.read_bytes() for path in found[:images]]
    return [
        (f"{number:04}.jpg", chosen[number % len(chosen)] + str(number).encode())
        for number in range(first, first + count)
    ]


def extract(files: Sequence[tuple[str, bytes]], strategy: str, folder: Path) -> float:
    """Seconds that the command takes over some files."""
    scans = folder / "scans"
    scans.mkdir(parents=True)
    for name, data in files:
        (scans / name).write_bytes(data)
    options = ("--schema", SCHEMA, "--strategy", strategy, "--out", str(folder / "run"))
    began = time.monotonic()
    subprocess.run([*_COMMAND, "extract", str(scans), *options], check=True, capture_output=True)
    return time.monotonic() - began


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """The command `serve` until the end of the block: its address and its process."""
    args = [*_COMMAND, "serve", "--port", "0", "--data", str(folder)]
    with subprocess.Popen(
        args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        try:
            assert running.stdout is not None
            told = running.stdout.readline()
            found = re.search(r"http://[\d.]+:\d+", told)
            assert found, told
            yield found[0], running.pid
        finally:
            running.terminate()


def memory(pid: int) -> float:
    """MiB that a process holds (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def load(requests: int, at_once: int, images: int, strategy: str, folder: Path) -> dict[str, Any]:
    """What comes of so many requests."""
    files = scans(images, requests)
    outcomes: Counter[str] = Counter()
    held: list[float] = []
    with serving(folder) as (url, pid):
        limits = httpx.Limits(max_connections=at_once)
        with httpx.Client(
            base_url=url, timeout=_PATIENCE, limits=limits, trust_env=False
        ) as client:

            def send(file: tuple[str, bytes]) -> float:
                began = time.monotonic()
                fields = {"schema": SCHEMA, "strategy": strategy}
                answer = client.post("/v1/extract", files={"files": file}, data=fields)
                whole = answer.status_code == 200 and {
                    record["document"]["path"] for record in answer.json()["records"]
                } == {file[0]}
                outcomes["answered" if whole else f"{answer.status_code}"] += 1
                held.append(memory(pid))
                return time.monotonic() - began

            while client.get("/readyz").status_code != 200:
                time.sleep(0.1)
            with ThreadPoolExecutor(at_once) as pool:  # every worker has its models then
                list(pool.map(send, scans(images, at_once, first=requests)))
            outcomes.clear()
            held.clear()
            began = time.monotonic()
            with ThreadPoolExecutor(at_once) as pool:
                taken = sorted(pool.map(send, files))
            seconds = time.monotonic() - began
    quarter = max(1, len(held) // 4)
    return {
        "requests": requests,
        "outcomes": dict(outcomes),
        "seconds": round(seconds, 1),
        "a second": round(requests / seconds, 3),
        "seconds of the median request": round(taken[len(taken) // 2], 2),
        "MiB, first quarter": round(max(held[:quarter])),
        "MiB, last quarter": round(max(held[-quarter:])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--compared", type=int, default=48)
    parser.add_argument("--strategy", default="moe")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def rate(which: str) -> float:
            """Images a second of `extract`, its start taken off."""
            one = extract(scans(chosen.images, 1), chosen.strategy, folder / f"one {which}")
            files = scans(chosen.images, chosen.compared + 1)
            all_ = extract(files, chosen.strategy, folder / f"all {which}")
            return int(chosen.compared) / (all_ - one)

        before = rate("before")
        found = load(
            chosen.requests, chosen.at_once, chosen.images, chosen.strategy, folder / "data"
        )
        after = rate("after")
    found["extract, images a second"] = [round(before, 3), round(after, 3)]
    found["share of extract"] = round(found["a second"] / ((before + after) / 2), 3)
    print(json.dumps(found, indent=2))
    publish(
        "service",
        found,
        [
            f"{found['a second']} images a second over HTTP, "
            f"{found['share of extract']:.0%} of extract's; {found['MiB, last quarter']} MiB"
        ],
    )


if __name__ == "__main__":
    main()
