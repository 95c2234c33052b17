"""How many documents a second are asked of a language model, beside what its server allows at best?

A server in a process of its own takes one second an answer and 64 requests at a time. Page OCR is
given, so that nothing is read here: what is measured is everything around a request. `one` asks a text
model one question a document, `two` a multimodal model as well, with the page as image. The ideal is
what a client would reach that always has as many requests under way as are allowed; beside the whole
run (first request to last answer) the middle 80 % of its answers are given, without start and end.

    python -m benchmarks.llm_throughput [--documents 2000] [--workers 1 2] [--strategies one two]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.results import publish
from ocr_moe.exports.ocr import write_ocr
from ocr_moe.intake.sources import digest
from ocr_moe.run.documents import IMPORTED
from ocr_moe.types import Line, PageText

SAMPLES = Path(__file__).parent.parent / "data_samples" / "graduation_certificate"
SCHEMA = "graduation_certificate"
QUESTIONS = {"one": 1, "two": 2}
CONFIG = """
strategies:
  one:
    gate: {kind: fixed, default: [ocr_page_llm]}
    combiner: {kind: priority}
  two:
    gate: {kind: fixed, default: [vision_all], kinds: {code: [ocr_page_llm]}, separate: [ocr_page_llm]}
    combiner: {kind: priority}
"""
PRINT = (
    "普通高等学校",
    "毕业证书",
    "学生 {name} 性别 女，一九九八年三月二日生，于二〇一六年九月",
    "至二〇二〇年六月在本校 信息管理与信息系统 专业",
    "四年制本科学习，修完教学计划规定的全部课程，成绩合格，",
    "准予毕业。",
    "校　　名：江苏科技大学",
    "校（院）长：周南平",
    "证书编号：1028 9120 2005 {number:06d}",
    "二〇二〇年六月二十日",
    "中华人民共和国教育部监制",
    "查询网址：http://www.chsi.com.cn",
)


ANSWER = {
    "姓名": "王芳",
    "性别": "女",
    "出生日期": "一九九八年三月二日",
    "学历层次": "本科",
    "毕业日期": "二〇二〇年六月二十日",
    "毕业院校": "江苏科技大学",
    "专业": "信息管理与信息系统",
    "证书编号": "102891202005000042",
}


def documents(folder: Path, count: int) -> Path:
    """So many images that differ by a comment in the file, and the file with their OCR."""
    scans = folder / "scans"
    scans.mkdir()
    image = min(SAMPLES.glob("*.jpg"), key=lambda file: file.stat().st_size).read_bytes()
    for i in range(count):
        comment = b"%08d" % i
        marker = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        (scans / f"{i:06d}.jpg").write_bytes(image[:2] + marker + image[2:])
    ocr = folder / "ocr.jsonl"
    files = sorted(scans.iterdir())
    write_ocr(ocr, ((digest(file), 1, page_text(i)) for i, file in enumerate(files)))
    return ocr


def page_text(number: int) -> PageText:
    step = 1 / (len(PRINT) + 2)
    lines = []
    for i, text in enumerate(PRINT, 1):
        x0, y0, x1, y1 = 0.1, i * step, 0.9, (i + 0.6) * step
        quad = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        lines.append(Line(text=text.format(name="王芳", number=number), confidence=0.98, quad=quad))
    return PageText(engine=IMPORTED, width=1500, height=1060, lines=tuple(lines), rotation=0)


@contextlib.contextmanager
def server(latency: float, allowed: int, answers_at_once: int = 0) -> Iterator[str]:
    """Its base URL."""
    told: dict[str, Any] = {
        "latency": latency,
        "allowed": allowed,
        "answers-at-once": answers_at_once,
    }
    told["values"] = json.dumps(ANSWER)
    arguments = [word for name, value in told.items() for word in (f"--{name}", str(value))]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.slow_endpoint", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def stats(base_url: str) -> dict[str, Any]:
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/stats") as reply:
        found: dict[str, Any] = json.load(reply)
    return found


def run(
    folder: Path, ocr: Path, base_url: str, strategy: str, workers: int, config: str
) -> tuple[float, float]:
    """Wall seconds and CPU seconds of one `extract`."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        settings = Path(out, "config.yaml")
        settings.write_text(config)
        told = {
            f"OCR_MOE_{name}_{what}": value
            for name in ("TEXT", "VISION")
            for what, value in (("BASE_URL", base_url), ("MODEL", "slow"))
        }
        before, start = os.times(), time.perf_counter()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "ocr_moe.cli.main", "extract", str(folder / "scans")),
                *("--out", str(Path(out, "run")), "--schema", SCHEMA, "--strategy", strategy),
                *("--ocr", str(ocr), "--config", str(settings), "--workers", str(workers)),
            ],
            env=os.environ | told,
            capture_output=True,
            text=True,
        )
        wall, after = time.perf_counter() - start, os.times()
        if done.returncode:
            print(done.stdout[-2000:], done.stderr[-2000:], sep="\n")
    cpu = sum(after[2:4]) - sum(before[2:4])
    return wall, cpu


def rate_between(ends: list[float], first: float, last: float) -> float:
    """Answers a second between two shares of all of them."""
    ends = sorted(ends)
    low, high = int(first * len(ends)), max(int(last * len(ends)) - 1, 1)
    return (high - low) / max(ends[high] - ends[low], 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--strategies", nargs="+", default=["one"], choices=QUESTIONS)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--allowed", type=int, default=64)
    parser.add_argument("--answers-at-once", type=int, default=0)
    parser.add_argument("--config", default="", help="YAML laid over that of the benchmark")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        ocr = documents(folder, options.documents)
        for strategy in options.strategies:
            for workers in options.workers:
                with server(options.latency, options.allowed, options.answers_at_once) as base_url:
                    config = CONFIG + options.config
                    wall, cpu = run(folder, ocr, base_url, strategy, workers, config)
                    seen = stats(base_url)
                questions = options.documents * QUESTIONS[strategy]
                ideal = (options.answers_at_once or options.allowed) / options.latency
                ends = seen.pop("ends")
                rows.append(
                    {
                        "strategy": strategy,
                        "workers": workers,
                        "documents": options.documents,
                        "share_of_ideal": questions / ends[-1] / ideal,
                        "share_of_ideal_amid": rate_between(ends, 0.1, 0.9) / ideal,
                        "wall_seconds": wall,
                        "asking_seconds": ends[-1],
                        "cpu_ms_per_document": 1000 * cpu / options.documents,
                        **seen,
                    }
                )
    publish("llm_throughput", {"rows": rows}, map(_line, rows))


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['strategy']}, {row['workers']} workers: {row['share_of_ideal']:.1%} of the ideal "
        f"({row['share_of_ideal_amid']:.1%} amid), {row['wall_seconds']:.1f} s in all, "
        f"{row['cpu_ms_per_document']:.1f} ms CPU a document, {row['most']} at once, "
        f"{row['refused']} refused, {row['connections']} connections"
    )


if __name__ == "__main__":
    main()
