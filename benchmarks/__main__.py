"""Run the benchmarks one after the other: `python -m benchmarks`."""

from __future__ import annotations

import subprocess
import sys

PARTS = (
    ["benchmarks.speed"],
    ["benchmarks.codes"],
    ["benchmarks.replay"],
    ["benchmarks.simulation"],
    ["benchmarks.intervals"],
)


def main() -> int:
    status = 0
    for part in PARTS:
        print(f"\n== {' '.join(part)}", flush=True)
        status |= subprocess.run([sys.executable, "-m", *part]).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
