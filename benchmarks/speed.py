"""Documents a second, and memory: `extract` with `moe` beside PaddleOCR alone, on the same images.

    python -m benchmarks.speed [--images FOLDER] [--repeats 3]

PaddleOCR runs with the same weights on all cores: once as it comes, once looking for text on the same
reduced page as `extract` does. Each run is a process of its own; models are loaded before the clock
starts for PaddleOCR and after it for `extract`, to our disadvantage. Quote the ratios.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import typer

from ocr_moe.engines.paddle import PaddleEngine

SAMPLES = Path(__file__).parent.parent / "data_samples"

BARE = """
import json, sys, time
import numpy as np
from PIL import Image, ImageOps
from paddleocr import PaddleOCR
from ocr_moe.engines.paddle import PaddleEngine
from ocr_moe.intake.sources import discover
sources = discover(sys.argv[2:])
arguments = PaddleEngine("bare", PaddleEngine.Params(threads=0)).arguments
pipeline = PaddleOCR(**arguments)
limit = {"text_det_limit_side_len": int(sys.argv[1]), "text_det_limit_type": "max"}
limit = limit if int(sys.argv[1]) else {}
start = time.perf_counter()
for source in sources:
    image = ImageOps.exif_transpose(Image.open(source.file)).convert("RGB")
    pipeline.predict(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]), **limit)
print(json.dumps({"documents": len(sources), "seconds": time.perf_counter() - start}))
"""

OURS = """
import json, resource, sys, time
from pathlib import Path
start = time.perf_counter()
import ocr_moe
run = ocr_moe.extract(sys.argv[2:], out=sys.argv[1])
print(json.dumps({"documents": run.outcome.documents, "seconds": time.perf_counter() - start,
                  "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def main(images: Path = SAMPLES, repeats: int = 3, limit: int = 0) -> None:
    """Print the speeds, the ratios of the times, and the peak memory of `extract`."""
    files = sorted(str(p) for p in images.rglob("*") if p.suffix in (".jpg", ".png", ".webp"))
    files = files[:limit] if limit else files
    ours_limit = PaddleEngine.Params().detection_limit or 0
    bare = {"PaddleOCR": 0, f"PaddleOCR looking at {ours_limit} px": ours_limit}
    ratios: dict[str, list[float]] = {name: [] for name in bare}
    for number in range(repeats):
        with tempfile.TemporaryDirectory() as out:
            ours = _run(OURS, out, *files)
        print(f"{number + 1}: extract {_speed(ours)}", flush=True)
        for name, side in bare.items():
            peer = _run(BARE, str(side), *files)
            ratios[name].append(ours["seconds"] / peer["seconds"])
            print(f"   {name} {_speed(peer)}; extract takes {ratios[name][-1]:.2f} × its time")
    for name, found in ratios.items():
        print(f"{len(files)} images: {statistics.median(found):.2f} × the time of {name}")
    print(f"peak memory of extract {ours['mebibytes']:.0f} MiB")


def _speed(measured: dict[str, float]) -> str:
    return f"{measured['documents'] / measured['seconds']:.2f} documents/s"


def _run(code: str, *args: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    typer.run(main)
