"""Where the time of a page goes: every step in milliseconds, and the share of the neural networks.

Documents are read one after the other in this process, with all cores for the networks, once to warm up
and then `--repeats` times, each time into a new store; the spans are those of `ocr_moe.tracing`. What is
told of a step is its own time, without the steps within it, so that the column adds up.

    python -m benchmarks.profile [--images FOLDER] [--limit 12] [--repeats 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.results import REPEATS, Spread, publish
from ocr_moe import tracing
from ocr_moe.intake.sources import Source, discover
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.run.ledger import Ledger
from ocr_moe.run.processing import Processor
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.tracing import NETWORKS, Trace
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import candidate_schemas, load_config

SAMPLES = Path(__file__).parent.parent / "data_samples"


def read(sources: Sequence[Source], workshop: Workshop, schemas: Sequence[Schema]) -> Trace:
    """The spans of reading, settling and exporting files into a new store."""
    strategies = [workshop.strategy(workshop.config.strategy)]
    limits = workshop.config.images
    hashes = [source.digest(limits) for source in sources]
    with tempfile.TemporaryDirectory() as folder:
        with Store(Path(folder) / STORE) as store:
            processor = Processor(store, workshop, strategies, schemas, Ledger())
            with tracing.recorded() as trace:
                for source, sha256 in zip(sources, hashes, strict=True):
                    done = processor.process([source], sha256)
                    store.put_records(done.rows)
            processor.close()
        with (
            Batch(Path(folder), workshop=workshop, strategies=strategies, schemas=schemas) as batch,
            tracing.recorded() as after,
        ):  # which settles, reads nothing again, and exports
            batch.execute(sources)
            batch.export()
    return trace + after


def milliseconds(traces: Sequence[Trace], pages: int) -> dict[str, Spread]:
    """Step → its own time a page, the longest step first."""
    names = {name for trace in traces for name in trace.timings}
    spreads = {}
    for name in names:
        timings = [trace.timings.get(name, tracing.Timing()) for trace in traces]
        spreads[name] = Spread(tuple(1000 * timing.own / pages for timing in timings))
    return dict(sorted(spreads.items(), key=lambda each: -each[1].median))


def share_of_networks(steps: Mapping[str, Spread]) -> float:
    """Of the time of a page, exports apart."""
    reading = {
        name: spread.median
        for name, spread in steps.items()
        if name != "settle" and not name.startswith("export.")
    }
    total = sum(reading.values())
    return sum(reading.get(name, 0.0) for name in NETWORKS) / total if total else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, default=SAMPLES)
    parser.add_argument("--limit", type=int, default=12, help="files, evenly chosen")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    config = load_config()
    workshop = Workshop(config)
    schemas = candidate_schemas(config)
    every = list(discover([str(options.images)]))
    sources = every[:: max(1, len(every) // options.limit)][: options.limit]
    start = time.perf_counter()
    read(sources[:1], workshop, schemas)
    warm = time.perf_counter() - start
    traces = [read(sources, workshop, schemas) for _ in range(options.repeats)]
    steps = milliseconds(traces, len(sources))
    print("| step | ms a page (least-most) | spans a page |\n|---|---|---|")
    for name, spread in steps.items():
        spans = statistics.median(
            trace.timings.get(name, tracing.Timing()).spans for trace in traces
        )
        print(f"| {name} | {spread} | {spans / len(sources):.2g} |")
    total = sum(spread.median for spread in steps.values())
    share = share_of_networks(steps)
    publish(
        "profile",
        {"files": len(sources), "warm_up": warm, "steps": steps, "networks": share},
        [
            f"{total:.0f} ms a page with exports, {len(sources)} files; networks {share:.0%} of reading"
            if share
            else f"{total:.0f} ms a page with exports, {len(sources)} files; the engine has no spans "
            "around its networks"
        ],
    )


if __name__ == "__main__":
    main()
