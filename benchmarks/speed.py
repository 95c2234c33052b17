"""Documents a second: `extract` with `moe` beside what others take for mere OCR of the same images.

    python -m benchmarks.speed [--images FOLDER] [--repeats 3] [--limit N]

Peers read every line of every page and nothing more: RapidOCR on ONNX Runtime and on OpenVINO, PaddleOCR
on ONNX Runtime, faster-paddle small (where it is installed), all with the weights of PP-OCRv6 small,
each at the better of two settings: one page on all cores, or a page a core in processes of their own.
Their models are loaded before the clock starts; of `extract` the whole command is told, and what it does
from its first finished document on. Where the folder has a verified.xlsx, accuracy stands beside.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import typer

from benchmarks.results import REPEATS, Spread, interleaved, publish, ratio

SAMPLES = Path(__file__).parent.parent / "data_samples" / "graduation_certificate"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

PEERS = {
    "RapidOCR on ONNX Runtime": ("rapidocr", "rapid", "onnxruntime"),
    "RapidOCR on OpenVINO": ("rapidocr", "rapid", "openvino"),
    "PaddleOCR on ONNX Runtime": ("paddleocr", "paddle", ""),
    "faster-paddle small": ("faster_paddle", "faster", ""),
}
"""Name → (module that it needs, branch of `BARE`, its engine)."""

BARE = """
import json, os, sys, time
kind, engine, threads, share, shares = *sys.argv[1:3], *map(int, sys.argv[3:6])
files = sys.argv[6:][share::shares]
import logging
logging.disable(logging.WARNING)
if kind == "rapid":
    from rapidocr import EngineType, RapidOCR
    params = {f"{part}.engine_type": EngineType(engine) for part in ("Det", "Rec")}
    params["Global.use_cls"] = False
    of = {"onnxruntime": "intra_op_num_threads", "openvino": "inference_num_threads"}[engine]
    params[f"EngineConfig.{engine}.{of}"] = threads
    ocr = RapidOCR(params=params)
    read = lambda file: [str(text) for text in (ocr(file).txts or ())]
elif kind == "paddle":
    os.environ["PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK"] = "True"
    from paddleocr import PaddleOCR
    from ocr_moe.engines.paddle import PaddleEngine
    ocr = PaddleOCR(**PaddleEngine("bare", PaddleEngine.Params(threads=threads)).arguments)
    size = {"text_det_limit_side_len": 960, "text_det_limit_type": "max"}
    read = lambda file: ocr.predict(file, **size)[0]["rec_texts"]
else:
    from faster_paddle import OcrEngine
    ocr = OcrEngine(model_size="small", threads=threads)
    read = lambda file: [b["text"] for b in ocr.ocr(open(file, "rb").read())["bounds"].values()]
read(files[0])
print("ready", flush=True)
sys.stdin.readline()
start = time.perf_counter()
texts = {file: "".join(read(file)) for file in files}
print(json.dumps({"seconds": time.perf_counter() - start, "texts": texts}))
"""


def main(images: Path = SAMPLES, repeats: int = REPEATS, limit: int = 40, peers: str = "") -> None:
    """Print and publish the speeds, their ratios, and what was read right; `peers` is what the names of
    those have in them that are run."""
    files = sorted(str(p) for p in images.iterdir() if p.suffix.lower() in SUFFIXES)[:limit]
    truth = images / "verified.xlsx"
    names = {Path(file).name for file in files}
    codes = _codes(truth) if truth.is_file() else {}
    codes = {name: code for name, code in codes.items() if name in names}
    found: dict[str, int] = {}
    steady: list[float] = []
    first: list[float] = []
    scores: dict[str, float] = {}

    def ours() -> float:
        with tempfile.TemporaryDirectory() as out:
            start = time.perf_counter()
            with extracting(files, Path(out)) as (_, done):
                pass
            seconds, times = time.perf_counter() - start, done()
            first.append(times[0])
            steady.append((len(times) - 1) / max(times[-1] - times[0], 1e-9))
            if codes:
                scores.update(_scores(out, truth))
            return len(times) / seconds

    systems: dict[str, Callable[[], float]] = {"extract": ours}
    for name, (module, kind, engine) in PEERS.items():
        if peers not in name:
            continue
        if importlib.util.find_spec(module) is None:
            print(f"{name}: not installed, left out (pip install {module.replace('_', '-')})")
            continue
        threads = _better(kind, engine, files)

        def peer(
            kind: str = kind, engine: str = engine, name: str = name, t: int = threads
        ) -> float:
            speed, texts = _bare(kind, engine, t, files)
            found[name] = sum(
                codes.get(Path(f).name, "\0") in text.replace(" ", "") for f, text in texts.items()
            )
            return speed

        systems[name] = peer
    spreads = interleaved(systems, repeats)
    spreads["extract, from its first document on"] = Spread(tuple(steady))
    best = max(spreads.keys() & PEERS.keys(), key=lambda name: spreads[name].median)
    whole = ratio(spreads["extract"], spreads[best])
    lasting = ratio(spreads["extract, from its first document on"], spreads[best])
    lines = [f"{name}: {spread} documents/s" for name, spread in spreads.items()]
    lines += [
        f"{whole:.2f} × the documents a second of {best}, start-up counted; {lasting:.2f} × without",
        f"first document after {Spread(tuple(first))} s",
    ]
    if codes:
        lines.append(
            f"codes of {len(codes)}: {scores.get('codes', 0):.0f}; in the text of " + str(found)
        )
        lines.append(f"macro {100 * scores.get('macro', 0):.2f} %")
    publish(
        "speed",
        {
            "documents": len(files),
            "documents_a_second": spreads,
            "best_peer": best,
            "ratio": whole,
            "ratio_without_start": lasting,
            "first_document": Spread(tuple(first)),
            "core_seconds_a_document": _cores() / Spread(tuple(steady)).median,
            "codes": {"documents": len(codes), "extract": scores.get("codes"), **found},
            "macro": scores.get("macro"),
        },
        summary=lines,
    )


@contextmanager
def extracting(
    files: Sequence[str], out: Path, *options: str
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], list[float]]]]:
    """The command under way in a session of its own and, to be asked once the block ends, after how many
    seconds each file was done."""
    log = out / "log"
    command = [sys.executable, "-m", "ocr_moe.cli.main", "extract", *files, "--out", str(out)]
    start = time.time()
    process = subprocess.Popen(
        [*command, "--log-file", str(log), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def done() -> list[float]:
        events = map(json.loads, log.read_text("utf-8").splitlines())
        return [
            datetime.fromisoformat(event["time"]).timestamp() - start
            for event in events
            if event["event"] in ("file.done", "file.failed")
        ]

    yield process, done
    if process.wait() not in (0, 1):
        raise RuntimeError(f"extract ended with {process.returncode}")


def _better(kind: str, engine: str, files: Sequence[str]) -> int:
    """Threads a page with which a peer is faster: all cores, or one."""
    some = files[:8]
    return max((_cores(), 1), key=lambda threads: _bare(kind, engine, threads, some)[0])


def _bare(
    kind: str, engine: str, threads: int, files: Sequence[str]
) -> tuple[float, dict[str, str]]:
    """Documents a second and what was read, by as many processes as leave each its threads."""
    shares = max(_cores() // threads, 1)
    commands = [
        _python(BARE, kind, engine, str(threads), str(share), str(shares), *files)
        for share in range(shares)
    ]
    pipe = subprocess.PIPE
    running = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        for command in commands
    ]
    for process in running:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "ready":
            if process.poll() is not None:
                raise RuntimeError(f"{kind} {engine} ended before it was ready")
    texts: dict[str, str] = {}
    slowest = 0.0
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        told, _ = process.communicate()
        done = json.loads(told.strip().splitlines()[-1])
        slowest = max(slowest, done["seconds"])
        texts |= done["texts"]
    return len(files) / slowest, texts


def _codes(truth: Path) -> dict[str, str]:
    """File → the code on it."""
    import pandas

    sheet = pandas.read_excel(truth, dtype=str, engine="openpyxl")
    file = next(name for name in sheet.columns if "文件" in name)
    code = next(name for name in sheet.columns if "编号" in name or "代码" in name)
    return {row[file]: row[code] for _, row in sheet.iterrows() if isinstance(row[code], str)}


def _scores(out: str, truth: Path) -> dict[str, float]:
    import ocr_moe

    ocr_moe.evaluate(out, truth)
    [scores] = json.loads(Path(out, "scores.json").read_text("utf-8"))["strategies"].values()
    fields = scores["fields"]
    code = next(name for name in fields if "编号" in name or "代码" in name)
    return {"macro": scores["macro"], "codes": fields[code]["right"]}


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _python(code: str, *args: str) -> list[str]:
    return [sys.executable, "-c", code, *args]


if __name__ == "__main__":
    typer.run(main)
