"""What a very large run costs: machines, hours, tokens, storage and money, and which limit is met first.

Every figure that was measured comes from reports/benchmarks (`make bench` writes it); a figure that was
not stands in for it and is marked. Prices and the cluster are named parameters: put in your own.

    python -m benchmarks.scale [--documents 100e6] [--workers 10000] [--core-hour 0.04] …
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER, published


@dataclass(frozen=True)
class Assumptions:
    """What is not measured here."""

    documents: float = field(default=100e6, metadata={"says": "documents of one page"})
    cores: int = field(default=10_000, metadata={"says": "cores, a worker process each"})
    core_hour: float = field(default=0.04, metadata={"says": "money a core hour with its memory"})
    image_kb: float = field(default=500, metadata={"says": "kB of an image"})
    store_month: float = field(default=0.023, metadata={"says": "money a GB and month of storage"})
    months: float = field(default=1.0, metadata={"says": "months for which all is kept"})
    get_million: float = field(default=0.4, metadata={"says": "money a million reads of objects"})
    put_million: float = field(default=5.0, metadata={"says": "money a million writes of objects"})
    requests_a_second: float = field(
        default=5_500, metadata={"says": "reads a second that one prefix of object storage takes"}
    )
    network_gbit: float = field(
        default=100, metadata={"says": "Gbit/s between object storage and the cluster"}
    )
    asked: float = field(default=0.02, metadata={"says": "share of documents that ask a model"})
    prompt_tokens: float = field(default=900, metadata={"says": "prompt tokens a request"})
    completion_tokens: float = field(default=60, metadata={"says": "completion tokens a request"})
    prompt_million: float = field(default=0.15, metadata={"says": "money a million prompt tokens"})
    completion_million: float = field(
        default=0.6, metadata={"says": "money a million completion tokens"}
    )
    tokens_a_minute: float = field(
        default=10e6, metadata={"says": "tokens a minute that the endpoint allows"}
    )
    losses: float = field(
        default=0.02, metadata={"says": "part of all work lost to failures and the run's end"}
    )
    checked: float = field(default=1.0, metadata={"says": "cells to check a document"})
    check_seconds: float = field(default=6.0, metadata={"says": "seconds of a person a cell"})
    person_hour: float = field(default=5.0, metadata={"says": "money an hour of a person"})


@dataclass(frozen=True)
class Measured:
    """Figures of one document on the machine that measured them. The defaults stand in for what no
    result at hand has: reading at 1.34 documents a second on two cores, and the exports of 4,980
    documents made
    of data_samples, on a machine that was busy with other things."""

    seconds: float = 1.5
    """Of one core, for reading a document."""
    kept_kb: float = 29.6
    """In the store."""
    exported_kb: float = 28.2
    """In records.jsonl, documents/, the workbook and the page."""
    export_ms: float = 5.2
    """Of one core, for its exports."""
    stand_ins: tuple[str, ...] = ()
    """Those of these that were not measured by the results at hand."""


@dataclass(frozen=True)
class Limit:
    """How long one part of the cluster would need by itself."""

    name: str
    hours: float
    says: str


def measured(results: Mapping[str, Mapping[str, Any]]) -> Measured:
    """From what benchmarks wrote; what is missing keeps its stand-in."""
    found: dict[str, float] = {}
    speed = results.get("speed", {}).get("figures", {})
    if "core_seconds_a_document" in speed:
        found["seconds"] = float(speed["core_seconds_a_document"])
    elif "profile" in results:
        profile = results["profile"]
        steps = profile["figures"]["steps"]
        reading = sum(
            step["median"]
            for name, step in steps.items()
            if name != "settle" and not name.startswith("export.")
        )
        # The profile reads one document at a time with all cores for its networks.
        found["seconds"] = reading / 1000 * profile["machine"]["cores"]
    exports = results.get("exports", {}).get("figures", {})
    if exports:
        documents = exports["documents"]
        parts = [part for name, part in exports["parts"].items() if name.startswith("export.")]
        found["export_ms"] = 1000 * sum(part["median"] for part in parts) / documents
        found["exported_kb"] = exports["bytes_written"] / documents / 1000
        found["kept_kb"] = exports["bytes_of_the_store"] / documents / 1000
    names = [each.name for each in fields(Measured) if each.name != "stand_ins"]
    return Measured(**found, stand_ins=tuple(name for name in names if name not in found))


def limits(given: Assumptions, known: Measured) -> list[Limit]:
    """What the run needs of each part of the cluster, the scarcest first."""
    n = given.documents
    core_hours = n * (known.seconds + known.export_ms / 1000) * (1 + given.losses) / 3600
    tokens = n * given.asked * (given.prompt_tokens + given.completion_tokens)
    gigabits = n * given.image_kb * 8 / 1e6
    found = [
        Limit(
            "cores", core_hours / given.cores, f"{core_hours:,.0f} core hours on {given.cores:,}"
        ),
        Limit(
            "endpoint",
            tokens / given.tokens_a_minute / 60,
            f"{tokens / 1e9:,.2f} billion tokens at {given.tokens_a_minute / 1e6:g} million a minute",
        ),
        Limit(
            "network",
            gigabits / given.network_gbit / 3600,
            f"{n * given.image_kb / 1e9:,.0f} TB of images at {given.network_gbit:g} Gbit/s",
        ),
        Limit(
            "object reads",
            n / given.requests_a_second / 3600,
            f"{n / 1e6:,.0f} million reads at {given.requests_a_second:,.0f} a second and prefix",
        ),
    ]
    return sorted(found, key=lambda limit: -limit.hours)


def costs(given: Assumptions, known: Measured) -> dict[str, float]:
    """Part → money."""
    n = given.documents
    core_hours = n * (known.seconds + known.export_ms / 1000) * (1 + given.losses) / 3600
    asked = n * given.asked
    kept_gb = n * (given.image_kb + known.kept_kb + known.exported_kb) / 1e6
    return {
        "cores": core_hours * given.core_hour,
        "tokens": asked
        * (
            given.prompt_tokens * given.prompt_million
            + given.completion_tokens * given.completion_million
        )
        / 1e6,
        "storage": kept_gb * given.store_month * given.months,
        # One read an image; results are written as large shards, not as an object each.
        "object requests": n / 1e6 * given.get_million + n / 5e4 / 1e6 * given.put_million,
    }


def people(given: Assumptions) -> tuple[float, float]:
    """Hours that people check doubtful cells for, and money."""
    hours = given.documents * given.checked * given.check_seconds / 3600
    return hours, hours * given.person_hour


def table(given: Assumptions, known: Measured) -> Iterator[str]:
    n = given.documents
    bound, *rest = limits(given, known)
    run = f"{n:,.0f} documents, {given.cores:,} cores"
    yield f"**{run}: {bound.hours:,.1f} hours, bound by {bound.name}**"
    yield ""
    yield "| limit | hours by itself | |\n|---|---|---|"
    for limit in (bound, *rest):
        yield f"| {limit.name} | {limit.hours:,.2f} | {limit.says} |"
    yield ""
    yield "| cost | money | a million documents |\n|---|---|---|"
    money = costs(given, known)
    for name, amount in [*money.items(), ("**all machines**", sum(money.values()))]:
        yield f"| {name} | {amount:,.0f} | {amount / n * 1e6:,.2f} |"
    hours, amount = people(given)
    yield (
        f"| people: {hours:,.0f} hours, {given.checked:g} cells a document | {amount:,.0f} "
        f"| {amount / n * 1e6:,.0f} |"
    )
    yield ""
    yield "| kept | TB |\n|---|---|"
    for name, size in (
        ("images", given.image_kb),
        ("stores", known.kept_kb),
        ("exports", known.exported_kb),
    ):
        yield f"| {name} | {n * size / 1e9:,.1f} |"
    yield ""
    yield "| of one document | | |\n|---|---|---|"
    for name, unit in (
        ("seconds", "core seconds to read it"),
        ("export_ms", "core milliseconds to export it"),
        ("kept_kb", "kB in the store"),
        ("exported_kb", "kB of exports"),
    ):
        said = "stands in" if name in known.stand_ins else "measured"
        yield f"| {getattr(known, name):.3g} | {unit} | {said} |"
    yield ""
    yield "Assumed: " + "; ".join(
        f"{getattr(given, each.name):g} {each.metadata['says']}" for each in fields(given)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=FOLDER)
    for each in fields(Assumptions):
        option = "--" + each.name.replace("_", "-")
        kind = int if isinstance(each.default, int) else float
        parser.add_argument(option, type=kind, default=each.default, help=each.metadata["says"])
    options = vars(parser.parse_args())
    results = published(options.pop("results"))
    given = Assumptions(**options)
    if not math.isfinite(given.documents) or given.documents <= 0 or given.cores <= 0:
        parser.error("there must be some documents and some cores")
    print("\n".join(table(given, measured(results))))


if __name__ == "__main__":
    main()
