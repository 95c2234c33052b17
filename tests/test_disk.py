"""Full, read-only and vanished disks, and files where folders should be: a sentence, then on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ocr_moe
from ocr_moe.api import Options
from ocr_moe.errors import OutputError, StoreError
from ocr_moe.formats.files import replacing, scratch, sweep, write_text
from ocr_moe.run.batch import STORE
from ocr_moe.run.outcome import Progress
from ocr_moe.store.database import Store
from tests.conftest import arguments, environment
from tests.test_interrupts import lay_out

pytestmark = pytest.mark.slow

SCHEMA = "graduation_certificate"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("inputs"), 6)


def start(inputs: Path, out: Path, report: Callable[[Progress], None] = lambda _: None) -> None:
    """The command `extract`, in this process."""
    options = Options(schema=SCHEMA, ocr=inputs / "pages.jsonl", workers=1)
    ocr_moe.extract(inputs / "scans", out=out, strategy="rules", options=options, report=report)


def exported(out: Path) -> set[str]:
    names = {path.name for path in out.iterdir()}
    return names & {"records.jsonl", "records.xlsx", "run.json", "documents"}


ALL = {"records.jsonl", "records.xlsx", "run.json", "documents"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a disk of so many KB, or makes it another size."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = False

    def of(kilobytes: int) -> Path:
        nonlocal mounted
        options = f"size={kilobytes}k" if not mounted else f"remount,size={kilobytes}k"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk])
        if done.returncode:
            pytest.skip("only root can mount a disk")
        mounted = True
        return disk

    yield of
    if mounted:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs")
@pytest.mark.parametrize("kilobytes", [4, 8, 20, 36, 64, 100, 140, 180, 220, 260, 300])
def test_a_disk_that_is_full_is_told_and_with_room_it_goes_on(
    inputs: Path, small_disk: Callable[[int], Path], kilobytes: int
) -> None:
    out = small_disk(kilobytes) / "run"
    try:
        start(inputs, out)
    except (StoreError, OutputError) as error:
        told = str(error)
        assert str(out) in told
        assert "\n" not in told
        assert "full" in told or "No space" in told
    else:
        assert kilobytes > 200, "so little cannot have been enough"
        assert exported(out) == ALL
    small_disk(10_000)
    start(inputs, out)
    assert exported(out) == ALL
    assert not list(out.rglob(".part-*"))


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.argv = sys.argv[1:]
from ocr_moe.cli.main import main
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="limits of a process")
@pytest.mark.parametrize("size", [1, 4_000, 30_000, 60_000])
def test_a_file_that_may_not_grow_is_told(inputs: Path, tmp_path: Path, size: int) -> None:
    args = ["extract", inputs / "scans", "--out", tmp_path / "run", "--schema", SCHEMA]
    args += ["--strategy", "rules", "--ocr", inputs / "pages.jsonl"]
    code = [sys.executable, "-c", LIMITED, str(size), *map(str, args)]
    done = subprocess.run(code, capture_output=True, text=True, env=environment())
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "run") in done.stderr.splitlines()[-1]
    start(inputs, tmp_path / "run")
    assert exported(tmp_path / "run") == ALL


def test_a_file_in_place_of_the_folder_is_named(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match=r"file.*cannot be written.*name another place"):
            start(inputs, out)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("target", sorted(ALL - {"documents"}))
def test_a_folder_in_place_of_a_file_is_named(inputs: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / target / "kept").mkdir(parents=True)
    with pytest.raises(OutputError, match=rf"{target}: cannot be written.*move it away"):
        start(inputs, tmp_path)
    assert (tmp_path / target / "kept").is_dir()
    shutil.rmtree(tmp_path / target)
    start(inputs, tmp_path)
    assert exported(tmp_path) == ALL


def test_a_file_in_place_of_the_documents_is_named(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "documents").touch()
    with pytest.raises(OutputError, match=r"documents.*cannot be written"):
        start(inputs, tmp_path)


def test_a_folder_in_place_of_the_store_is_named(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / STORE).mkdir()
    with pytest.raises(StoreError, match=rf"{STORE}: .*name another --out"):
        start(inputs, tmp_path)


def test_a_path_that_is_too_long_is_named(inputs: Path, tmp_path: Path) -> None:
    for out in (tmp_path / ("x" * 300), tmp_path.joinpath(*["x" * 200] * 25)):
        with pytest.raises(StoreError, match=r"cannot be written.*shorter"):
            start(inputs, out)


@pytest.mark.skipif(sys.platform != "linux", reason="mount")
def test_a_read_only_disk_is_named(inputs: Path, small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(10_000)
    start(inputs, disk / "run")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for out in (disk / "other", disk / "run"):
        with pytest.raises(StoreError, match=r"cannot be written.*Read-only"):
            start(inputs, out)
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    start(inputs, disk / "run")


def removing(path: Path) -> Callable[[Progress], None]:
    """Takes a file or folder away while a run is under way."""

    def report(progress: Progress) -> None:
        if progress.done == 2:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return report


@pytest.mark.skipif(os.name == "nt", reason="what is open cannot be removed there")
@pytest.mark.parametrize("what", ["", STORE])
def test_a_run_that_is_taken_away_is_noticed(inputs: Path, tmp_path: Path, what: str) -> None:
    out = tmp_path / "run"
    with pytest.raises(StoreError, match=r"store\.sqlite: the store was deleted or replaced"):
        start(inputs, out, removing(out / what))
    assert not (out / "run.json").exists()
    start(inputs, out)
    assert exported(out) == ALL


@pytest.mark.parametrize("left", [b"", b"\0" * 100, None])
def test_a_store_that_died_at_birth_is_begun_anew(
    inputs: Path, tmp_path: Path, left: bytes | None
) -> None:
    if left is None:  # an SQLite file, but without tables yet
        with sqlite3.connect(tmp_path / STORE) as db:
            db.execute("PRAGMA journal_mode = WAL")
        db.close()
        assert (tmp_path / STORE).stat().st_size
    else:
        (tmp_path / STORE).write_bytes(left)
    if left == b"\0" * 100:
        with pytest.raises(StoreError, match="not a store of ocr_moe"):
            start(inputs, tmp_path)
    else:
        start(inputs, tmp_path)
        assert exported(tmp_path) == ALL


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_output_that_nobody_reads_is_no_traceback(inputs: Path, tmp_path: Path) -> None:
    args = ["extract", inputs / "scans", "--out", tmp_path / "run", "--schema", SCHEMA]
    args += ["--strategy", "rules", "--ocr", inputs / "pages.jsonl"]
    reading, writing = os.pipe()
    process = subprocess.Popen(
        arguments(args), stdout=writing, stderr=subprocess.PIPE, text=True, env=environment()
    )
    os.close(reading)
    os.close(writing)
    told = process.communicate()[1]
    assert process.returncode == 1
    assert "Traceback" not in told
    assert "Exception ignored" not in told
    assert told.splitlines()[-1].startswith("Error: standard output was closed")
    assert exported(tmp_path / "run") == ALL


KILLED = """
import os, sys
from pathlib import Path
from ocr_moe.formats.files import replacing, scratch
folder = Path(sys.argv[1])
with replacing(folder / "half.json") as path, scratch(folder) as below:
    path.write_text("half")
    (below / "half").touch()
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_what_a_killed_process_left_is_swept_and_what_a_living_one_writes_is_not(
    inputs: Path, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-c", KILLED, tmp_path])
    (tmp_path / "documents").mkdir()
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "documents"])
    assert len(list(tmp_path.rglob(".part-*"))) == 4
    with replacing(tmp_path / "mine.json") as path, scratch(tmp_path) as below:
        path.write_text("mine")
        start(inputs, tmp_path)
        assert path.exists()
        assert below.is_dir()
        assert len(list(tmp_path.rglob(".part-*"))) == 2
    assert (tmp_path / "mine.json").read_text() == "mine"
    sweep(tmp_path)
    assert not list(tmp_path.rglob(".part-*"))


def test_an_error_of_the_disk_is_a_sentence_with_the_files_name(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(OutputError, match=r"a\.json: cannot be written .*move it away"):
        write_text(tmp_path / "a.json", "{}")
    assert not list(tmp_path.rglob(".part-*"))


def test_a_store_in_use_says_when_it_is_gone(tmp_path: Path) -> None:
    with Store(tmp_path / STORE) as store:
        store.put_page_count("a", 1)
        (tmp_path / STORE).unlink(missing_ok=True)
        with pytest.raises(StoreError, match="deleted or replaced"):
            store.put_page_count("b", 1)
