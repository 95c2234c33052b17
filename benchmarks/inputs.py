"""What do inputs cost by themselves, however many there are: memory, time, and being started again?

Files of a few bytes are laid out, blank pages for which no model is asked.  Each step runs in a process
of its own: all of them are read, the finished run is started again, and a folder is merely listed and
held against the store.

    python -m benchmarks.inputs [--files 5000] [--finished 100000] [--listed 1000000]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from benchmarks.results import publish
from ocr_moe.protocols import Package
from ocr_moe.types import Line, Value
from ocr_moe.workshop.registry import KINDS

A_FOLDER = 10_000
"""Files a folder."""
SCHEMA = "graduation_certificate"


class BlankParams(Value):
    pass


class BlankEngine:
    """Finds nothing on any page."""

    Params = BlankParams
    packages: ClassVar[tuple[Package, ...]] = ()
    fingerprint = "blank"

    def __init__(self, name: str, params: BlankParams) -> None:
        self.name = name

    def read(self, image: Image.Image) -> tuple[Line, ...]:
        return ()


def lay_out(folder: Path, files: int) -> None:
    """White pages that differ in what stands behind their end."""
    page = io.BytesIO()
    Image.new("L", (60, 40), 255).save(page, "PNG")
    for number in range(files):
        below = folder / f"{number // A_FOLDER:04}"
        if number % A_FOLDER == 0:
            below.mkdir(parents=True)
        (below / f"{number:07}.png").write_bytes(page.getvalue() + b"%d" % number)


def extract(scans: str, out: str) -> dict[str, float]:
    """One start of a run, and what it took beyond what a process takes that only loads everything."""
    from ocr_moe import api
    from ocr_moe.workshop.config import Config, load_config

    KINDS["engines"]["blank"] = "benchmarks.inputs:BlankEngine"
    plain = load_config().model_dump(mode="json")
    plain["engines"]["blank"] = {"kind": "blank"}
    plain["ocr"] = "blank"
    options = api.Options(schema=SCHEMA, config=Config.model_validate(plain), workers=2)
    with tempfile.TemporaryDirectory() as folder:  # what is loaded once is loaded
        lay_out(Path(folder, "scans"), 20)
        api.extract(
            Path(folder, "scans"), out=Path(folder, "out"), strategy="rules", options=options
        )
    idle, began, spent = peak(), time.perf_counter(), time.process_time()
    run = api.extract(scans, out=out, strategy="rules", options=options)
    assert run.outcome is not None
    return {
        "documents": run.outcome.documents + run.outcome.blank,
        "resumed": run.outcome.resumed,
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds": round(time.process_time() - spent, 2),
        "megabytes_over_idle": round(peak() - idle, 1),
    }


def listed(scans: str, out: str) -> dict[str, float]:
    """Everything listed, known to a store, and held against it once more, as a further start does."""
    from contextlib import closing

    from ocr_moe.intake.limits import ImageLimits
    from ocr_moe.intake.sources import discover
    from ocr_moe.run.inputs import Comparison
    from ocr_moe.store.database import Store

    idle, began = peak(), time.perf_counter()
    sources = discover([scans])
    found = time.perf_counter() - began
    with Store(Path(out, "store.sqlite")) as store:
        for name in ("known", "held against"):
            start = time.perf_counter()
            with closing(Comparison(sources, ImageLimits())) as comparison, store.writing():
                changes = comparison.apply(store)
            seconds = time.perf_counter() - start
            if name == "known":
                first = seconds
        assert not changes
    return {
        "files": len(sources),
        "seconds_listed": round(found, 2),
        "seconds_known": round(first, 2),
        "seconds_held_against": round(seconds, 2),
        "megabytes_over_idle": round(peak() - idle, 1),
    }


def peak() -> float:
    """Most memory that this process ever had, MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def measured(what: str, scans: Path, out: Path) -> dict[str, Any]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.inputs", "--step", what, str(scans), str(out)],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"seconds_of_the_process": round(time.perf_counter() - began, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--finished", type=int, default=100_000)
    parser.add_argument("--listed", type=int, default=1_000_000)
    parser.add_argument("--step", nargs=3, metavar=("STEP", "SCANS", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step, scans, out = options.step
        print(json.dumps({"extract": extract, "listed": listed}[step](scans, out)))
        return
    starts: dict[str, dict[str, Any]] = {}
    for title, files, steps in (
        ("small files", options.files, ("extract", "extract")),
        ("a finished run", options.finished, ("extract", "extract")),
        ("a large folder", options.listed, ("listed",)),
    ):
        if not files:
            continue
        with tempfile.TemporaryDirectory() as folder:
            lay_out(Path(folder, "scans"), files)
            for number, step in enumerate(steps):
                found = measured(step, Path(folder, "scans"), Path(folder, "out"))
                starts[f"{title}, start {number + 1}"] = found
    publish("inputs", starts, [f"{name}: {json.dumps(found)}" for name, found in starts.items()])


if __name__ == "__main__":
    main()
