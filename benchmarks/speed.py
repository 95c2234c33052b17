"""Documents a second, and memory: `extract` with `moe` beside PaddleOCR alone, on the same images.

    python -m benchmarks.speed [--images FOLDER] [--repeats 3]

Each repeat times both in turn, each in a process of its own, models loaded before the clock starts for
PaddleOCR and after it for `extract`, so that the comparison is to our disadvantage. Quote the ratio.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import typer

SAMPLES = Path(__file__).parent.parent / "data_samples"

BARE = """
import json, sys, time
from PIL import Image, ImageOps
from ocr_moe.engines.paddle import PaddleEngine
from ocr_moe.images import discover
import numpy as np
sources = discover(sys.argv[1:])
engine = PaddleEngine("bare", PaddleEngine.Params(threads=0))
pipeline = engine._load()
start = time.perf_counter()
for source in sources:
    image = ImageOps.exif_transpose(Image.open(source.file)).convert("RGB")
    pipeline.predict(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]))
print(json.dumps({"documents": len(sources), "seconds": time.perf_counter() - start}))
"""

OURS = """
import json, sys, time
from pathlib import Path
start = time.perf_counter()
import ocr_moe
run = ocr_moe.extract(sys.argv[2:], out=sys.argv[1])
print(json.dumps({"documents": run.outcome.documents, "seconds": time.perf_counter() - start}))
"""


def main(images: Path = SAMPLES, repeats: int = 3, limit: int = 0) -> None:
    """Print both speeds, their ratio, and the peak memory of `extract`."""
    files = sorted(str(p) for p in images.rglob("*") if p.suffix in (".jpg", ".png", ".webp"))
    files = files[:limit] if limit else files
    ratios = []
    for number in range(repeats):
        bare = _run(BARE, *files)
        with tempfile.TemporaryDirectory() as out:
            ours = _run(OURS, out, *files)
        ratio = ours["seconds"] / bare["seconds"]
        ratios.append(ratio)
        print(
            f"{number + 1}: PaddleOCR {bare['documents'] / bare['seconds']:.2f} documents/s, "
            f"extract {ours['documents'] / ours['seconds']:.2f} documents/s, "
            f"time ratio {ratio:.2f}",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{len(files)} images: extract takes {statistics.median(ratios):.2f} × the time of "
        f"PaddleOCR alone (median of {repeats}); peak memory of either {peak:.0f} MiB"
    )


def _run(code: str, *args: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    typer.run(main)
