"""How fast is the review desk?

Two questions, each with a real server and a real browser:

- a scripted reviewer who knows what is printed goes through every doubtful cell of data_samples by keys
  alone: key strokes and seconds a cell (the machine's: a person's eyes come on top);
- a run of many recorded documents: how long its pages take to open and a decision takes in the server,
  and how much memory the server has.

    python -m benchmarks.desk [--run DIR] [--documents 10000] [--decisions 200]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from benchmarks.recorded import multiply

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "data_samples"


def printed() -> dict[str, dict[str, str | None]]:
    """File name → what is printed on a sample, field by field."""
    found = {}
    for file in SAMPLES.glob("*/samples.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            found[entry["file"]] = entry["truth"]
    return found


@contextmanager
def desk(run: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`ocr-moe review` on a run: its address and its process."""
    from ocr_moe.web.serving import listen

    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ocr_moe.cli.main", "review", str(run), "--no-browser"]
    process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            if process.poll() is not None:
                raise SystemExit("the desk did not start")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=60).close()
                break
            except OSError:
                time.sleep(0.1)
        yield address, process
    finally:
        process.kill()
        process.wait()


def resident(process: subprocess.Popen[bytes]) -> float:
    """MiB of memory of a process."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def busy(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU that a process has had: the measure where others use the machine as well."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def browser_page() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser.new_page(
            bypass_csp=True, viewport={"width": 1440, "height": 900}, locale="en"
        )
        browser.close()


READY = """was => {
  const cell = new URL(location.href).searchParams.get('cell');
  if (!document.querySelector('#empty').hidden) return true;
  const crop = document.querySelector('#crop');
  const drawn = crop.hidden ? !document.querySelector('#nocrop').hidden : crop.complete;
  return cell !== null && cell !== was && drawn;
}"""


def scripted(run: Path) -> None:
    """Go through every doubtful cell of a run of data_samples."""
    truth = printed()
    seconds, strokes, ways = [], [], {"as shown": 0, "candidate": 0, "absent": 0, "typed": 0}
    wrong = 0
    with desk(run) as (address, _), browser_page() as page:
        page.goto(f"{address}/cells?order=document")
        page.wait_for_function(READY, arg=None)
        while page.is_hidden("#empty"):
            cell = page.evaluate("new URL(location.href).searchParams.get('cell')")
            doc_id, field = cell.split(":", 1)
            shown = httpx.get(f"{address}/api/cell/{doc_id}/{quote(field)}").json()
            right = truth[Path(shown["title"]).name].get(field)
            offers = shown["choices"] or [each["value"] for each in shown["candidates"]]
            if right is not None and shown["value"] == right:
                way, keys = "as shown", ["Enter"]
            elif right is None:
                way, keys = "absent", ["a", "Enter"]
            elif right in offers[:9]:
                way, keys = "candidate", [str(offers.index(right) + 1), "Enter"]
            else:
                way, keys = "typed", ["e", *right, "Enter"]
            ways[way] += 1
            page.wait_for_timeout(250)  # sooner, an Enter is taken for one that bounced
            start = time.perf_counter()
            if way == "typed":
                page.keyboard.press("e")
                page.keyboard.insert_text(right)
                page.keyboard.press("Enter")
                page.wait_for_timeout(60)
                if page.is_visible("#hint"):  # asked whether it is printed so
                    keys.append("Enter")
                    page.keyboard.press("Enter")
            else:
                for key in keys:
                    page.keyboard.press(key)
            page.wait_for_function(READY, arg=cell)
            seconds.append(time.perf_counter() - start)
            strokes.append(len(keys))
        page.wait_for_function("document.querySelector('#saving').textContent === 'saved'")
        for doc_id, field, right in checked(address, truth):
            found = httpx.get(f"{address}/api/cell/{doc_id}/{quote(field)}").json()
            wrong += found["status"] == "verified" and found["value"] != right
    print(f"scripted reviewer: {len(seconds)} cells, {ways}, {wrong} saved otherwise than printed")
    few = [n for n in strokes if n <= 2]
    print(
        f"  key strokes a cell: mean {statistics.mean(strokes):.1f}, median"
        f" {statistics.median(strokes):.0f}; {len(few)} of {len(strokes)} with one or two"
    )
    print(f"  seconds until the next cell is there: {spread(seconds)}")


def checked(
    address: str, truth: dict[str, dict[str, str | None]]
) -> Iterator[tuple[str, str, str | None]]:
    """Cells of the run with what is printed: (document, field, value)."""
    from ocr_moe.reviewing.standing import id_of
    from ocr_moe.subjects import DocumentKey

    for name, values in truth.items():
        doc_id = id_of(DocumentKey(name))
        for field, value in values.items():
            if httpx.get(f"{address}/api/cell/{doc_id}/{quote(field)}").status_code == 200:
                yield doc_id, field, value


def spread(values: list[float], unit: float = 1.0) -> str:
    ordered = sorted(values)
    at = [ordered[min(int(share * len(ordered)), len(ordered) - 1)] * unit for share in (0.5, 0.95)]
    return f"p50 {at[0]:.3g}, p95 {at[1]:.3g}, most {ordered[-1] * unit:.3g}"


def many(run: Path, documents: int, decisions: int) -> None:
    """Open the pages of a large run, and decide."""
    multiply(run, documents)
    start = time.perf_counter()
    with desk(run) as (address, process), httpx.Client(base_url=address, timeout=60) as client:
        opened = time.perf_counter() - start
        waiting = client.get("/api/progress").json()["waiting"]
        print(f"{documents} documents, {waiting} cells to check; open after {opened:.1f} s")
        print(f"  {busy(process):.1f} s of CPU until then")
        for path in ("/", "/documents", "/summary", "/files", "/cells", "/api/progress"):
            used = busy(process)
            times = [timed(lambda path=path: client.get(path)) for _ in range(20)]
            mean = 1000 * (busy(process) - used) / len(times)
            print(f"  {path}: ms {spread(times, 1000)}; {mean:.0f} ms of CPU in the mean")
        before = resident(process)
        took: list[float] = []
        next_took: list[float] = []
        deciding = 0.0
        for _ in range(decisions):
            start = time.perf_counter()
            asked = {"order": "doubt", "limit": 1}
            [cell] = client.post("/api/next", json=asked).json()["cells"]
            next_took.append(time.perf_counter() - start)
            path = f"/api/cell/{cell['document']}/{quote(cell['field'])}"
            word = {"value": cell["value"], "revision": cell["revision"]}
            used = busy(process)
            took.append(timed(lambda path=path, word=word: client.post(path, json=word)))
            deciding += busy(process) - used
        print(f"  next cell: ms {spread(next_took, 1000)}")
        mean = 1000 * deciding / decisions
        print(f"  decision: ms {spread(took, 1000)}; {mean:.0f} ms of CPU in the mean")
        print(
            f"  memory: {before:.0f} MiB, after {decisions} decisions {resident(process):.0f} MiB"
        )
        with browser_page() as page:
            times = []
            for _ in range(5):
                start = time.perf_counter()
                page.goto(f"{address}/cells")
                page.wait_for_function(READY, arg=None)
                times.append(time.perf_counter() - start)
            print(
                f"  page of cells in the browser, until a cell is there: ms {spread(times, 1000)}"
            )


def timed(act: Any) -> float:
    start = time.perf_counter()
    act().raise_for_status()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a run of data_samples; by default it is made")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--decisions", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = options.run
        if run is None:
            run = Path(folder, "made")
            extract = [sys.executable, "-m", "ocr_moe.cli.main", "extract", str(SAMPLES)]
            subprocess.run([*extract, "--schema", "auto", "--out", str(run)], check=False)
        for part in ("scripted", "many"):
            shutil.copytree(run, Path(folder, part))
        scripted(Path(folder, "scripted"))
        many(Path(folder, "many"), options.documents, options.decisions)


if __name__ == "__main__":
    main()
