"""Decoding in a process of its own: what it takes, how it ends, and what comes after."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from ocr_moe.errors import DocumentError, TooLargeError, UnreadableFileError
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.sources import Source
from tests.pdfs import page_with

pytestmark = pytest.mark.slow

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc are Linux's")

SLOW = page_with(b"/G gs " + b"0 0 612 792 re f " * 100_000)
"""Paints the page again and again, which takes PDFium minutes."""


def workers(parent: int) -> list[int]:
    """The decoding processes of a process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            status = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        state, ppid = status.rpartition(")")[2].split()[:2]
        if b"ocr_moe.intake.worker" in command and int(ppid) == parent and state != "Z":
            found.append(int(folder.name))
    return found


def put(folder: Path, name: str, data: bytes) -> Source:
    (folder / name).write_bytes(data)
    return Source(folder / name, name)


def good(folder: Path) -> Source:
    file = folder / "good.pdf"
    Image.new("RGB", (40, 30), "red").save(file, resolution=72)
    return Source(file, file.name)


def is_read(decoder: Decoder, source: Source) -> bool:
    with decoder.open(source) as opened:
        return opened.page(1).size == (40, 30)


@linux
def test_memory_is_bounded(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.webp"
    Image.new("RGB", (8000, 8000)).save(bomb, lossless=True)
    assert bomb.stat().st_size < 10_000
    with Decoder(ImageLimits(max_memory=128)) as decoder:
        with pytest.raises(DocumentError, match=r"^bomb\.webp: .*max_memory"):
            is_read(decoder, Source(bomb, bomb.name))
        big = put(tmp_path, "big.pdf", b"%PDF-1.7" + bytes(65 << 20))
        with pytest.raises(TooLargeError, match=r"^big\.pdf: .*max_memory"):
            is_read(decoder, big)
        assert is_read(decoder, good(tmp_path))


def test_time_is_bounded(tmp_path: Path) -> None:
    slow = put(tmp_path, "slow.pdf", SLOW)
    with Decoder(ImageLimits(max_seconds=0.5)) as decoder:
        assert is_read(decoder, good(tmp_path))
        with pytest.raises(TooLargeError, match=r"^slow\.pdf: .*within 0\.5 seconds.*max_seconds"):
            is_read(decoder, slow)
    with Decoder(ImageLimits()) as decoder:
        assert is_read(decoder, good(tmp_path))


def test_a_file_of_slow_pages_is_given_up(tmp_path: Path) -> None:
    four = SLOW.replace(b"[3 0 R]/Count 1", b"[3 0 R 3 0 R 3 0 R 3 0 R]/Count 4")
    slow = put(tmp_path, "slow.pdf", four)
    with Decoder(ImageLimits(max_seconds=0.3)) as decoder, decoder.open(slow) as opened:
        for page in (1, 2, 3):
            with pytest.raises(TooLargeError, match="max_seconds"):
                opened.page(page)
        with pytest.raises(UnreadableFileError, match=r"^slow\.pdf: page 4 was not tried"):
            opened.page(4)


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crash_is_that_documents_error(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "pages.pdf"
    page = Image.new("RGB", (40, 30), "red")
    page.save(file, save_all=True, append_images=[page], resolution=72)
    with Decoder(ImageLimits()) as decoder:
        with decoder.open(Source(file, file.name)) as opened:
            [pid] = workers(os.getpid())
            os.kill(pid, number)
            with pytest.raises(UnreadableFileError, match=rf"^pages\.pdf: .*{number.name}"):
                opened.page(1)
            assert opened.page(2).size == (40, 30)
        assert workers(os.getpid()) != [pid]
        assert is_read(decoder, good(tmp_path))
    assert not workers(os.getpid())


@linux
def test_one_process_serves_many_files_and_ctrl_c_does_not_reach_it(tmp_path: Path) -> None:
    with Decoder(ImageLimits()) as decoder:
        seen = set()
        for _ in range(3):
            assert is_read(decoder, good(tmp_path))
            with pytest.raises(UnreadableFileError):
                is_read(decoder, put(tmp_path, "bad.pdf", b"%PDF-1.7 nothing"))
            seen.update(workers(os.getpid()))
        [pid] = seen
        assert os.getpgid(pid) != os.getpgid(0)


def test_threads_have_processes_of_their_own(tmp_path: Path) -> None:
    source = good(tmp_path)
    with Decoder(ImageLimits()) as decoder, ThreadPoolExecutor(4) as threads:
        assert all(threads.map(lambda _: is_read(decoder, source), range(24)))


@linux
def test_no_process_outlives_a_killed_run(tmp_path: Path) -> None:
    put(tmp_path, "slow.pdf", SLOW)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ocr_moe.intake.decoding import open_file\n"
        "from ocr_moe.intake.limits import ImageLimits\n"
        "with open_file(Path(sys.argv[1]), ImageLimits(max_seconds=300)) as opened:\n"
        "    print('opened', flush=True)\n"
        "    opened.page(1)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "slow.pdf")], stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"opened\n"
        [pid] = workers(run.pid)
        run.kill()
    for _ in range(600):
        if not (Path("/proc") / str(pid)).exists():
            break
        time.sleep(0.1)
    assert not (Path("/proc") / str(pid)).exists()


def test_a_file_that_was_replaced_is_noticed(tmp_path: Path) -> None:
    source = good(tmp_path)
    sha256 = source.digest(ImageLimits())
    file = tmp_path / "good.pdf"
    assert sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    with Decoder(ImageLimits()) as decoder:
        with decoder.open(source, sha256) as opened:
            assert opened.pages == 1
        file.write_bytes(file.read_bytes() + b"\n")
        with pytest.raises(UnreadableFileError, match=r"^good\.pdf: .*changed.*--update"):
            decoder.open(source, sha256)


@linux
def test_no_process_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with (
        Decoder(ImageLimits()) as decoder,
        pytest.raises(DocumentError, match=r"^good\.pdf: no process could be started"),
    ):
        is_read(decoder, good(tmp_path))
