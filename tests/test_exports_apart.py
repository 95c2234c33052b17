"""Exports that are written in processes of their own are those that are written one after the other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.kills import differences
from ocr_moe import tracing
from ocr_moe.errors import OutputError
from ocr_moe.exports.exporters import EXPORTERS
from ocr_moe.formats.files import SmallFiles, sweep
from ocr_moe.run import writing
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.run.exporting import schemas_of
from ocr_moe.store.database import Store
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import load_config

OLD = Path(__file__).parent / "data" / "stores"


def export(folder: Path) -> set[str]:
    """Export a run anew; the exports that other processes or this one told the time of."""
    workshop = Workshop(load_config())
    with Store(folder / STORE, write=False) as store:
        [name] = store.strategies()
        schemas = schemas_of(store)
    strategies = [workshop.strategy(name)]
    with (
        Batch(folder, workshop=workshop, strategies=strategies, schemas=schemas) as batch,
        tracing.recorded() as trace,
    ):
        batch.export()
    return {span.removeprefix("export.") for span in trace.timings if span.startswith("export.")}


@pytest.mark.slow
def test_side_by_side_and_one_after_the_other_are_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, apart = tmp_path / "here", tmp_path / "apart"
    for folder in (here, apart):
        folder.mkdir()
        shutil.copy(OLD / "extract.v1.sqlite", folder / STORE)
    assert export(here) == EXPORTERS.keys()
    monkeypatch.setattr(writing, "APART_FROM", 1)
    assert export(apart) == EXPORTERS.keys()
    assert differences(here, apart) == []
    assert (here / "records.xlsx").read_bytes() == (apart / "records.xlsx").read_bytes()


@pytest.mark.slow
def test_what_cannot_be_written_there_is_said_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(OLD / "extract.v1.sqlite", tmp_path / STORE)
    monkeypatch.setattr(writing, "APART_FROM", 1)
    (tmp_path / "records.xlsx").mkdir()
    with pytest.raises(OutputError, match=r"records\.xlsx: .*a folder stands in its place"):
        export(tmp_path)


def test_a_small_file_that_is_the_same_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "c.json"
    files = SmallFiles()
    files.write(file, b"1\n")
    before = file.stat()
    files.write(file, b"1\n")
    assert file.stat() == before
    files.write(file, b"2\n")
    assert file.read_bytes() == b"2\n"
    assert file.stat().st_ino != before.st_ino  # whoever reads the old one keeps it whole
    assert [path.name for path in file.parent.iterdir()] == ["c.json"]


def test_a_small_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.json").mkdir()
    with pytest.raises(OutputError, match="a folder stands in its place"):
        SmallFiles().write(tmp_path / "c.json", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


def test_what_a_killed_process_left_of_small_files_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".part-123-0").write_bytes(b"half")
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
