"""Run the benchmarks one after the other: `python -m benchmarks`.

What needs a text LLM is run where OCR_MOE_TEXT_BASE_URL says where one is.
"""

from __future__ import annotations

import os
import subprocess
import sys

ABLATION = ["--ablation", "--per-level", "50", "--levels", "photo", "hard"]
PARTS = (
    ["benchmarks.speed"],
    ["benchmarks.codes"],
    ["benchmarks.codes", *ABLATION, "--out", "reports/ablation"],
    ["benchmarks.replay"],
    ["benchmarks.simulation"],
    ["benchmarks.intervals"],
    ["benchmarks.review"],
    ["benchmarks.fuzz_intake"],
    ["benchmarks.mutations"],
    ["benchmarks.fuzz_endpoints"],
    ["benchmarks.kills"],
    ["benchmarks.workers", "--repeats", "3"],
    ["benchmarks.service"],
    ["benchmarks.llm_throughput", "--strategies", "one", "two", "--out", "reports/benchmarks"],
    ["benchmarks.image_tokens"],
)


def main() -> int:
    status = 0
    parts = [*PARTS]
    if os.environ.get("OCR_MOE_TEXT_BASE_URL"):
        parts.append(["benchmarks.codes_llm"])
    for part in parts:
        print(f"\n== {' '.join(part)}", flush=True)
        status |= subprocess.run([sys.executable, "-m", *part]).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
