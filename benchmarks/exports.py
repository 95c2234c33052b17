"""How long do the exports of a large run take, and how much memory?

A run of data_samples is multiplied to so many documents (`benchmarks.recorded`), settled, and exported
as at the end of `extract`: records.jsonl, documents/, records.xlsx, review.html with its pictures, and
run.json, in a process of its own. Settling is timed apart: it is the last stage of reading.

    python -m benchmarks.exports [--run DIR] [--documents 50000] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import ocr_moe
from benchmarks.recorded import Copy, multiply
from benchmarks.results import REPEATS, Spread, publish
from ocr_moe.exports.exporters import EXPORTERS
from ocr_moe.run.batch import STORE
from ocr_moe.store.database import Store
from ocr_moe.types import DOUBTFUL

SAMPLES = Path(__file__).parent.parent / "data_samples"
GOAL = (50_000, 30.0)
"""Documents, and seconds that their exports may take on two cores."""

EXPORT = """
import json, resource, sys, time
from pathlib import Path
from ocr_moe import tracing
from ocr_moe.run.batch import Batch
from ocr_moe.run.exporting import schemas_of
from ocr_moe.run.settling import settle
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import load_config
out = Path(sys.argv[1])
workshop = Workshop(load_config())
with Batch(out, workshop=workshop, strategies=[workshop.strategy("moe")], schemas=()) as batch:
    batch.schemas = schemas_of(batch.store)
    start = time.perf_counter()
    settle(batch.store, batch.strategies, batch.schemas, workshop)
    settled = time.perf_counter()
    with tracing.recorded() as trace:
        written = batch.export()
    exported = time.perf_counter()
def peak(who):
    return round(resource.getrusage(who).ru_maxrss / 1024)
print(json.dumps({
    "documents": written.strategies["moe"].documents,
    "settle": settled - start,
    "export": exported - settled,
    "parts": {name: timing.total for name, timing in trace.timings.items()},
    "mebibytes": peak(resource.RUSAGE_SELF),
    "mebibytes_of_the_largest_child": peak(resource.RUSAGE_CHILDREN),
}))
"""


def doubtful_documents(store: Store, cells: int) -> set[str]:
    """The paths of the documents whose cells review.html shows."""
    found = [
        (decision.confidence or 0.0, number, record.document.path)
        for number, record in enumerate(store.records("moe"))
        for decision in record.fields.values()
        if decision.status in DOUBTFUL
    ]
    return {path for _, _, path in sorted(found)[:cells]}


def prepared(run: Path, documents: int) -> None:
    """Multiply a run, with the files of those documents that are going to be opened."""
    from ocr_moe.exports.reviewpage.page import MOST_CELLS

    copies: dict[str, Copy] = multiply(run, documents)
    with Store(run / STORE, write=False) as store:
        for path in doubtful_documents(store, MOST_CELLS):
            if path in copies:
                copies[path].lay_out()


def export(run: Path) -> dict[str, Any]:
    """What one export took, in a process of its own."""
    for name in ("records.jsonl", "records.xlsx", "review.html", "run.json"):
        (run / name).unlink(missing_ok=True)
    shutil.rmtree(run / "documents", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, str(run)], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a run of data_samples; by default it is made")
    parser.add_argument("--documents", type=int, default=GOAL[0])
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        if options.run is None:
            ocr_moe.extract(SAMPLES, out=run)
        else:
            shutil.copytree(options.run, run)
        prepared(run, options.documents)
        found = [export(run) for _ in range(options.repeats)]
        written = sum(
            file.stat().st_size
            for name in EXPORTERS.values()
            for file in (run / name.target, *(run / name.target).rglob("*"))
            if file.is_file()
        )
        kept = (run / STORE).stat().st_size
    seconds = Spread(tuple(each["export"] for each in found))
    parts = {name: Spread(tuple(e["parts"][name] for e in found)) for name in found[0]["parts"]}
    memory = max(each["mebibytes"] for each in found)
    documents = found[0]["documents"]
    publish(
        "exports",
        {
            "documents": documents,
            "seconds": seconds,
            "settle": found[0]["settle"],
            "parts": parts,
            "mebibytes": memory,
            "mebibytes_of_the_largest_child": max(
                each["mebibytes_of_the_largest_child"] for each in found
            ),
            "bytes_written": written,
            "bytes_of_the_store": kept,
        },
        [f"{documents} documents exported in {seconds} s, {memory} MiB at the peak"],
    )


if __name__ == "__main__":
    main()
