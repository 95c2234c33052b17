"""What a benchmark found, and how it is written down.

A benchmark is a module with a function that measures and returns figures as plain data, and a `main`
that gives them to `publish`:

    spreads = interleaved({"ours": lambda: seconds_of(ours), "peer": lambda: seconds_of(peer)})
    publish(
        "speed",
        {"documents": 40, "seconds": spreads, "ratio": ratio(spreads["peer"], spreads["ours"])},
        summary=["1.42 × the documents a second of the fastest peer (median of 3)"],
    )

`publish` prints the summary. Under `make bench` (`python -m benchmarks`, which sets `FOLDER_VARIABLE`)
it also writes reports/benchmarks/<name>.json, with the machine, versions and date beside the figures,
and the summary lines stand in the table at the end.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ocr_moe.formats.files import write_text
from ocr_moe.version import __version__

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "reports" / "benchmarks"
FOLDER_VARIABLE = "OCR_MOE_BENCHMARKS"
"""Names the folder for results; where it is not set, results are printed only."""
FORMAT = 1
REPEATS = 3
"""Runs of which a median is worth quoting, at the least."""
_PACKAGES = (
    *("numpy", "onnxruntime", "openvino", "opencv-python-headless", "paddleocr", "pydantic"),
    *("rapidocr", "ray", "xlsxwriter"),
)
"""Whose versions timings depend on."""


@dataclass(frozen=True)
class Spread:
    """One figure, measured several times."""

    runs: tuple[float, ...]
    """In the order in which they were made."""

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    def as_json(self) -> dict[str, Any]:
        return {
            "median": self.median,
            "min": min(self.runs),
            "max": max(self.runs),
            "runs": list(self.runs),
        }

    def __str__(self) -> str:
        return f"{self.median:.3g} ({min(self.runs):.3g}-{max(self.runs):.3g})"


def interleaved(
    systems: Mapping[str, Callable[[], float]], repeats: int = REPEATS
) -> dict[str, Spread]:
    """Every system's figure, `repeats` times, taking turns: what slows the machine down for a while
    slows all of them down."""
    runs: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(repeats):
        for name, measure in systems.items():
            runs[name].append(measure())
    return {name: Spread(tuple(found)) for name, found in runs.items()}


def ratio(one: Spread, other: Spread) -> float:
    """Of medians."""
    return one.median / other.median


def publish(name: str, figures: Mapping[str, object], summary: Iterable[str] = ()) -> None:
    """Print what was found and, where a folder is set, write it down. Raises OutputError."""
    lines = list(summary)
    for line in lines:
        print(line, flush=True)
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return
    written = {
        "format": FORMAT,
        "benchmark": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
        "arguments": sys.argv[1:],
        "figures": figures,
        "summary": lines,
    }
    text = json.dumps(written, ensure_ascii=False, indent=2, default=_plain)
    write_text(Path(folder, f"{name}.json"), text + "\n")


def published(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Benchmark → what was written down of it last."""
    found = {}
    for file in sorted(folder.glob("*.json")):
        written = json.loads(file.read_text(encoding="utf-8"))
        found[str(written["benchmark"])] = written
    return found


def machine() -> dict[str, Any]:
    """What timings depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.platform(),
        "load": [round(each, 2) for each in os.getloadavg()],
    }


def versions() -> dict[str, str]:
    found = {"ocr-moe": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """With a + where the tree differs from it; None where this is no repository."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _plain(value: object) -> Any:
    match value:
        case Spread():
            return value.as_json()
        case Path():
            return str(value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.asdict(value)
    raise TypeError(f"{value!r} cannot be written down")
