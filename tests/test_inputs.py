"""Inputs of a run: rows of its store, read once, told apart by state and content, few in memory."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from ocr_moe.api import Options, Run, extract
from ocr_moe.errors import StoreError
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.lists import read_list
from ocr_moe.intake.source import Source
from ocr_moe.intake.sources import discover
from ocr_moe.run.batch import STORE
from ocr_moe.run.inputs import Comparison, LookAhead
from ocr_moe.store.database import Store
from ocr_moe.types import FileState
from ocr_moe.workshop.config import Config, load_config
from ocr_moe.workshop.registry import KINDS

LIMITS = ImageLimits()
LONG_AGO = 1_600_000_000
SCHEMA = "graduation_certificate"
FILES = 30


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """White pages that differ in bytes behind their end, written long ago."""
    folder = tmp_path / "scans"
    for number in range(FILES):
        write(folder / f"{number // 10}" / f"{number:03}.png", number)
    return folder


def write(file: Path, number: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    page = io.BytesIO()
    Image.new("L", (60, 40), 255).save(page, "PNG")
    file.write_bytes(page.getvalue() + b"%04d" % number)
    os.utime(file, (LONG_AGO, LONG_AGO))


@pytest.fixture
def config() -> Config:
    KINDS["engines"]["blank"] = "benchmarks.inputs:BlankEngine"
    plain = load_config().model_dump(mode="json")
    plain["engines"]["blank"] = {"kind": "blank"}
    return Config.model_validate(plain | {"ocr": "blank"})


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read to know which they are."""
    names: list[str] = []
    examine = Source.examine

    def counted(self: Source, limits: ImageLimits) -> tuple[str, FileState | None]:
        names.append(self.name)
        return examine(self, limits)

    monkeypatch.setattr(Source, "examine", counted)
    return names


def start(scans: Path, out: Path, config: Config, *, update: bool = False) -> Run:
    options = Options(schema=SCHEMA, config=config, update=update, workers=2)
    return extract(scans, out=out, strategy="rules", options=options)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file() and file.name != f"{STORE}.lock"
    }


def test_a_finished_run_that_is_started_again_reads_and_writes_nothing(
    scans: Path, tmp_path: Path, config: Config, read: list[str]
) -> None:
    start(scans, tmp_path / "out", config)
    assert sorted(read) == [source.name for source in discover([str(scans)])]
    read.clear()
    before = contents(tmp_path / "out")
    run = start(scans, tmp_path / "out", config)
    assert run.outcome is not None
    assert (run.outcome.resumed, run.outcome.blank, read) == (FILES, FILES, [])
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("what", ["records.jsonl", "documents/1/012.png.json", "run.json"])
@pytest.mark.parametrize("how", ["edited", "deleted"])
def test_an_export_that_somebody_touched_is_written_again(
    scans: Path, tmp_path: Path, config: Config, what: str, how: str
) -> None:
    out = tmp_path / "out"
    start(scans, out, config)
    whole = (out / what).read_bytes()
    if how == "edited":
        (out / what).write_bytes(whole[:-1] + b" ")
    else:
        (out / what).unlink()
    start(scans, out, config)
    assert (out / what).read_bytes() == whole


def test_new_bytes_of_the_same_size_and_time_are_noticed(
    scans: Path, tmp_path: Path, config: Config
) -> None:
    start(scans, tmp_path / "out", config)
    write(scans / "1" / "012.png", 999)
    before = contents(tmp_path / "out")
    with pytest.raises(StoreError, match=r"1 input file changed \(1/012\.png\)\. .*--update"):
        start(scans, tmp_path / "out", config)
    assert contents(tmp_path / "out") == before
    run = start(scans, tmp_path / "out", config, update=True)
    assert run.outcome is not None
    assert (run.outcome.resumed, run.outcome.blank) == (FILES - 1, FILES)


def test_the_same_bytes_at_another_time_are_no_change(
    scans: Path, tmp_path: Path, config: Config, read: list[str]
) -> None:
    start(scans, tmp_path / "out", config)
    read.clear()
    os.utime(scans / "0" / "003.png", (LONG_AGO + 9, LONG_AGO + 9))
    for expected in (["0/003.png"], []):
        run = start(scans, tmp_path / "out", config)
        assert run.outcome is not None
        assert (run.outcome.resumed, read) == (FILES, expected)
        read.clear()


def test_a_file_that_was_just_written_is_read_again(
    scans: Path, tmp_path: Path, config: Config, read: list[str]
) -> None:
    os.utime(scans / "0" / "003.png")
    start(scans, tmp_path / "out", config)
    read.clear()
    start(scans, tmp_path / "out", config)
    assert read == ["0/003.png"]


def test_moved_inputs_are_the_same_and_found_again(
    scans: Path, tmp_path: Path, config: Config
) -> None:
    start(scans, tmp_path / "out", config)
    scans.rename(tmp_path / "elsewhere")
    run = start(tmp_path / "elsewhere", tmp_path / "out", config)
    assert run.outcome is not None
    assert run.outcome.resumed == FILES
    with Store(tmp_path / "out" / STORE, write=False) as store:
        assert store.inputs.place_of("0/003.png") == str(tmp_path / "elsewhere" / "0" / "003.png")


def test_what_is_gone_and_added_is_counted_and_named(
    scans: Path, tmp_path: Path, config: Config
) -> None:
    start(scans, tmp_path / "out", config)
    for number in range(5):
        (scans / "0" / f"{number:03}.png").unlink()
        write(scans / "9" / f"{number}.png", 100 + number)
    with pytest.raises(StoreError) as told:
        start(scans, tmp_path / "out", config)
    assert "5 input files added (9/0.png, 9/1.png, 9/2.png and 2 more)" in str(told.value)
    assert "5 input files gone (0/000.png, 0/001.png, 0/002.png and 2 more)" in str(told.value)
    run = start(scans, tmp_path / "out", config, update=True)
    assert run.outcome is not None
    assert (run.outcome.resumed, run.outcome.blank) == (FILES - 5, FILES)
    with run.records() as records:
        assert "0/000.png" not in {record.document.path for record in records}


def test_many_copies_are_read_once_and_recorded_each(
    scans: Path, tmp_path: Path, config: Config
) -> None:
    for number in range(100):
        write(scans / "copies" / f"{number:03}.png", 7)
    write(scans / "0" / "last.png", 7)
    (scans / "copies" / "broken.png").write_bytes(b"no picture")
    (scans / "copies" / "broken too.png").write_bytes(b"no picture")
    seen: list[tuple[int, int, str]] = []
    options = Options(schema=SCHEMA, config=config, workers=2)
    run = extract(
        scans,
        out=tmp_path / "out",
        strategy="rules",
        options=options,
        report=lambda step: seen.append((step.done, step.total, step.path)),
    )
    assert run.outcome is not None
    total = FILES + 103
    assert [done for done, _, _ in seen] == list(range(1, total + 1))
    assert {path for _, _, path in seen} == {source.name for source in discover([str(scans)])}
    with run.records() as records:
        found = {record.document.path: record for record in records}
    assert len(found) == total
    assert found["copies/001.png"].document.sha256 == found["0/007.png"].document.sha256
    for name in ("broken", "broken too"):
        error = found[f"copies/{name}.png"].error
        assert error is not None
        assert error.message.startswith(f"copies/{name}.png: ")
    with Store(tmp_path / "out" / STORE, write=False) as store:
        assert len(store.opened_files()) == FILES


def test_files_are_read_a_bounded_number_ahead(
    scans: Path, tmp_path: Path, read: list[str]
) -> None:
    for number in range(300):
        write(scans / "more" / f"{number:03}.png", 1000 + number)
    sources = discover([str(scans)])
    with Store(tmp_path / STORE) as store:
        with closing(Comparison(sources, LIMITS)) as comparison, store.writing():
            comparison.apply(store)
        assert (len(store.inputs), read) == (FILES + 300, [])
        with LookAhead(store, sources, ["rules"], LIMITS) as ahead:
            given = iter(ahead)
            names = [next(given).source.name for _ in range(10)]
            assert len(read) < 120
            known = [row for row in store.inputs if row.sha256 is not None]
            assert {row.path for row in known} >= set(names)
            names += [each.source.name for each in given]
    assert names == [source.name for source in sources]
    assert sorted(read) == names


_LISTED = """
import resource
from pathlib import Path
from ocr_moe.intake.listing import Found, Listing
from ocr_moe.intake.source import Source

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def found(count):
    for number in range(count):
        yield Found(Path(f"/scans/{number % 100}/{number:08}.png"), f"{number:08}.png", None)

def listed(count):
    listing = Listing()
    listing.find(found(count))
    listing.fill(lambda each: [Source(each.file, each.name, state=each.state)])
    assert sum(1 for _ in listing) == len(listing) == count

listed(1_000)
before = peak()
listed(150_000)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="kibibytes of resident memory")
def test_a_long_listing_needs_little_memory() -> None:
    """As objects the files would take some sixty megabytes."""
    done = subprocess.run(
        [sys.executable, "-c", _LISTED], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 25_000


def test_a_long_list_is_read_as_it_is_needed() -> None:
    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return b"/scans/a.png\n" * 1000

    lines = read_list(Endless())
    assert [next(lines)[0] for _ in range(5000)] == ["/scans/a.png"] * 5000


def test_folders_may_be_deep_and_links_go_in_circles(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(300):
        deep /= "d"
    deep.mkdir(parents=True)
    (deep / "a.png").write_bytes(b"x")
    if os.name != "nt":
        (tmp_path / "circle").symlink_to(tmp_path, target_is_directory=True)
    assert [source.name for source in discover([str(tmp_path)])] == [f"{'d/' * 300}a.png"]
