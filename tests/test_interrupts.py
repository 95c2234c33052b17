"""Ctrl-C and its like, sent to real processes that ask a real HTTP server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from benchmarks.kills import (
    Command,
    answering,
    differences,
    left_running,
    processes,
    torment,
)
from ocr_moe.intake.sources import digest
from ocr_moe.run.batch import STORE
from ocr_moe.store.database import Store
from ocr_moe.testing.chatserver import ChatServer
from tests.conftest import environment
from tests.test_replay import page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="signals")]

DOCUMENTS = 12
WORKERS = 4


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images, and page OCR that is not theirs."""
    return lay_out(tmp_path_factory.mktemp("inputs"), DOCUMENTS)


def lay_out(folder: Path, documents: int) -> Path:
    (folder / "scans").mkdir()
    lines = []
    for number in range(documents):
        file = folder / "scans" / f"{number:03}.png"
        Image.new("L", (30, 20 + number)).save(file)
        text = page(number).model_dump(mode="json")
        lines.append(json.dumps({"sha256": digest(file), "page": 1, "text": text}))
    (folder / "pages.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture
def paid() -> list[str]:
    return []


@pytest.fixture
def server(paid: list[str]) -> Iterator[ChatServer]:
    with answering(paid, delay=0.4) as server:
        yield server


@pytest.fixture
def command(inputs: Path, server: ChatServer) -> Command:
    more = ("--ocr", str(inputs / "pages.jsonl"))
    return Command(inputs / "scans", server.base_url, "ocr_page_llm", WORKERS, more)


def wait_for(calls: int, paid: list[str], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while len(paid) < calls and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("how", "everybody"),
    [
        (signal.SIGINT, False),
        (signal.SIGTERM, True),  # as a service manager ends all processes of a service
        (signal.SIGHUP, False),
    ],
)
def test_what_is_under_way_is_kept_and_the_way_on_is_told(
    command: Command, paid: list[str], tmp_path: Path, how: signal.Signals, everybody: bool
) -> None:
    out = tmp_path / "out"
    process = command.start(out)
    wait_for(WORKERS + 2, paid, process)
    workers = [pid for pid, *_ in processes(process.pid) if pid != process.pid]
    assert len(workers) == WORKERS + 1
    process.send_signal(how)
    for worker in workers if everybody else ():
        os.kill(worker, how)
    told = process.communicate()[1].decode()
    assert process.returncode == 130, told
    assert "Traceback" not in told
    last = told.splitlines()[-1]
    assert f"of {DOCUMENTS} files are done" in last
    assert "the same command goes on where this stopped" in last
    asked = len(paid)
    assert asked < DOCUMENTS
    assert f"{asked} questions were asked" in last
    again = command.start(out)
    assert "Traceback" not in again.communicate()[1].decode()
    assert again.returncode == 0
    assert len(paid) == len(set(paid)) == DOCUMENTS


def test_a_second_one_ends_at_once(inputs: Path, paid: list[str], tmp_path: Path) -> None:
    with answering(paid, delay=30) as server:
        more = ("--ocr", str(inputs / "pages.jsonl"))
        command = Command(inputs / "scans", server.base_url, "ocr_page_llm", 2, more)
        process = command.start(tmp_path / "out")
        wait_for(2, paid, process)
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        assert process.poll() is None, "what is under way is waited for"
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=20)[1].decode()
    assert process.returncode == 130
    assert "Traceback" not in told
    assert "but for what was under way" in told


def test_killed_again_and_again_it_ends_the_same(
    inputs: Path, command: Command, paid: list[str], tmp_path: Path
) -> None:
    command.start(tmp_path / "undisturbed").communicate()
    paid.clear()
    out = tmp_path / "out"
    tally = torment(command, out, paid, 3, Random(1))
    assert tally.kills.total() == 3
    assert tally.problems == []
    assert differences(out, tmp_path / "undisturbed") == []


def test_a_second_process_is_told_to_wait(inputs: Path, paid: list[str], tmp_path: Path) -> None:
    with answering(paid, delay=120) as server:
        more = ("--ocr", str(inputs / "pages.jsonl"))
        command = Command(inputs / "scans", server.base_url, "ocr_page_llm", 1, more)
        first = command.start(tmp_path / "out")
        wait_for(1, paid, first)
        second = command.start(tmp_path / "out")
        told = second.communicate()[1].decode()
        first.kill()
        first.communicate()
    assert second.returncode == 2
    assert "another process is writing this run; wait for it, or name another --out" in told
    assert "Traceback" not in told
    assert len(paid) == 1


REPLAY = """
import sys
from pathlib import Path
from ocr_moe.run import batch
batch.REPLAY_FROM = 1
from ocr_moe.run import replay
from tests import test_interrupts
replay._replay_chunk = test_interrupts.slow_chunk
replay._CHUNK = 1
from ocr_moe.cli.main import main
main()
"""


def slow_chunk(key: str, setup: bytes, chunk: object) -> list[object]:
    """In place of a replay that takes long: says that it has begun, and waits."""
    from ocr_moe.run.replay import _opened

    store, _ = _opened(key, setup)
    (store.path.parent / f"replaying.{os.getpid()}").touch()
    time.sleep(600)
    return []


def test_processes_that_replay_end_with_the_one_that_is_killed(
    inputs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with Store(out / STORE) as store:
        for file in (inputs / "scans").iterdir():
            store.put_page_count(digest(file), 1)
    args = ["extract", inputs / "scans", "--out", out, "--schema", "graduation_certificate"]
    args += ["--strategy", "rules", "--ocr", inputs / "pages.jsonl"]
    process = subprocess.Popen(
        [sys.executable, "-c", REPLAY, *map(str, args)], env=environment(), start_new_session=True
    )
    until = time.monotonic() + 120
    while len(list(out.glob("replaying.*"))) < 2 and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert left_running(process.pid) == []
