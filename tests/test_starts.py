"""How a batch starts: what a further start is held against, and what a refused one leaves alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

import ocr_moe
from ocr_moe.api import Options
from ocr_moe.errors import StoreError, UsageError
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.sources import discover
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.run.documents import IMPORTED
from ocr_moe.run.outcome import Progress
from ocr_moe.store.database import Store
from ocr_moe.workshop import config
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config, find_schema, shipped_schemas
from tests.conftest import SAMPLES, print_alone
from tests.test_store_migrations import FIRST, FURTHER, PAGES, old_run, scans

TRUTH = SAMPLES / "graduation_certificate" / "verified.xlsx"
WHITE = {"engine": "e", "width": 9, "height": 9, "rotation": 0, "lines": []}
SCHEMA = "graduation_certificate"
Item = TypeVar("Item")
Result = TypeVar("Result")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Inputs, and files that no start can use."""
    folder = scans(tmp_path / "scans", *FIRST)
    page = json.dumps({"sha256": "a" * 64, "page": 1, "text": WHITE})
    (tmp_path / "half.jsonl").write_text(f"{page}\n{page[:40]}\n")
    (tmp_path / "later.jsonl").write_text(f'{{"format": 2, {page[1:]}')
    (tmp_path / "prose.jsonl").write_bytes(b"\xff\xfe\x00")
    return folder


def start(command: str, inputs: Path, out: Path, options: Options, truth: Path = TRUTH) -> Any:
    if options.config is None:
        options = replace(options, config=print_alone())
    if command == "extract":
        return ocr_moe.extract(inputs, out=out, strategy="rules", options=options)
    return ocr_moe.compare(inputs, truth, out=out, strategies=["rules"], options=options)


def contents(folder: Path) -> dict[str, bytes]:
    found = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in found}


@pytest.mark.parametrize("command", ["extract", "compare"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ocr": "half.jsonl"}, r"half\.jsonl, line 2: not page OCR"),
        ({"ocr": "later.jsonl"}, r"later\.jsonl, line 1: .*later version.*upgrade ocr-moe"),
        ({"ocr": "prose.jsonl"}, r"prose\.jsonl, line 1: not page OCR"),
        ({"ocr": "none.jsonl"}, r"none\.jsonl: cannot be read"),
        ({"recorded": "none.sqlite"}, r"none\.sqlite: there is no such store"),
        ({"config": "none.yaml"}, r"none\.yaml: there is no such file"),
    ],
)
def test_a_start_that_is_refused_makes_no_folder(
    files: Path, tmp_path: Path, command: str, options: dict[str, str], words: str
) -> None:
    given: dict[str, Any] = {key: tmp_path / name for key, name in options.items()}
    with pytest.raises(UsageError, match=words):
        start(command, files, tmp_path / "out", Options(schema=SCHEMA, **given))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["extract", "compare"])
def test_missing_inputs_make_no_folder(files: Path, tmp_path: Path, command: str) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        start(command, tmp_path / "none.jpg", tmp_path / "out", Options())
    with pytest.raises(UsageError, match="no schema 'diplom'"):
        start(command, files, tmp_path / "out", Options(schema="diplom"))
    assert not (tmp_path / "out").exists()


def test_a_comparison_without_its_verified_sheet_is_not_started(
    files: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"none\.xlsx: there is no such file"):
        start("compare", files, tmp_path / "out", Options(), truth=tmp_path / "none.xlsx")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["extract", "compare"])
def test_another_run_is_not_touched(files: Path, tmp_path: Path, command: str) -> None:
    """Not migrated either, and without the page OCR that was to be taken in."""
    out = old_run(tmp_path / "out", "extract")
    shutil.copy(files / FIRST[0], files / FURTHER)
    before = contents(out)
    with pytest.raises(StoreError, match=rf"1 input file added \({FURTHER}\).*--update"):
        start(command, files, out, Options(schema=SCHEMA, ocr=PAGES))
    assert contents(out) == before
    (files / FURTHER).unlink()
    with pytest.raises(StoreError, match=r"documents may also be .*business_license"):
        start(command, files, out, Options(ocr=PAGES, update=True))
    assert contents(out) == before
    start("extract", files, out, Options(schema=SCHEMA, ocr=PAGES))
    with Store(out / STORE, write=False) as store:
        imported = [store.get_page(sha, 1, IMPORTED) for sha in sorted(store.opened_files())]
    assert all(imported)


def with_changes(change: Callable[[dict[str, Any]], object]) -> Config:
    changed = print_alone().model_dump(mode="json")
    change(changed)
    return Config.model_validate(changed)


def test_what_a_later_version_adds_does_not_make_an_old_run_another(
    files: Path, tmp_path: Path
) -> None:
    out = old_run(tmp_path / "out", "extract")
    with Store(out / STORE) as store:  # a setting that there was not yet
        identity = store.get_meta("identity")
        del identity["pages"]["images"]["max_pages"]
        store.set_meta("identity", identity)
        before = list(store.records("rules"))
    added = with_changes(lambda config: config["engines"].update(new={"kind": "rapid"}))
    run = start("extract", files, out, Options(schema=SCHEMA, config=added))
    assert (run.outcome.resumed, run.outcome.asked) == (2, 0)
    with run.records() as records:
        assert list(records) == before


def test_a_run_keeps_to_the_schemas_among_which_it_began_to_choose(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that ships more of them goes on with it; what somebody adds is another run."""
    ships = shipped_schemas()
    first = {name: ships[name] for name in (SCHEMA, "business_license")}
    out = tmp_path / "out"
    with monkeypatch.context() as earlier:
        earlier.setattr(config, "shipped_schemas", lambda: first)
        start("extract", files, out, Options(ocr=PAGES))
    assert len(ships) > len(first)
    run = start("extract", files, out, Options(ocr=PAGES))
    assert run.outcome.resumed == 2
    with Store(out / STORE, write=False) as store:
        assert {schema["name"] for schema in store.get_meta("schemas")} == set(first)
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nfields:\n  - {name: a, labels: [a]}\n", encoding="utf-8")
    chosen = with_changes(lambda config: config.update(schemas=[str(own)]))
    with pytest.raises(StoreError, match="documents may also be own"):
        start("extract", files, out, Options(ocr=PAGES, config=chosen))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda c: c["engines"].update(paddle={"kind": "rapid"}),
            r'engines\.paddle\.kind \(was "paddle", is "rapid"\)',
        ),
        (
            lambda c: c["engines"].pop("sensitive"),
            r'engines\.sensitive \(was {"detection": {.*…, is not set\)',
        ),
        (lambda c: c["images"].update(dpi=300), r"images\.dpi \(was 200, is 300\)"),
        (lambda c: c.update(remove_seals=False), r"remove_seals \(was true, is false\)"),
    ],
)
def test_settings_that_pages_depend_on_are_named(
    files: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    out = old_run(tmp_path / "out", "extract")
    before = contents(out)
    with pytest.raises(StoreError, match=f"changed settings: {words}"):
        start("extract", files, out, Options(schema=SCHEMA, config=with_changes(change)))
    assert contents(out) == before


class Backwards:
    """A runner of one's own."""

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return map(work, reversed(list(items)))


def note(seen: list[str], step: Progress) -> None:
    seen.append(step.path)


def test_documents_may_be_run_by_another_runner(tmp_path: Path) -> None:
    sources = discover([str(scans(tmp_path / "more", *FIRST, FURTHER))])
    written = []
    for name, runner in (("here", None), ("there", Backwards())):
        workshop = Workshop(print_alone())
        strategies = [workshop.strategy("rules")]
        seen: list[str] = []
        with Batch(
            tmp_path / name,
            workshop=workshop,
            strategies=strategies,
            schemas=[find_schema(SCHEMA)],
            runner=runner,
        ) as batch:
            for source in sources:  # pages of files that nobody opens
                batch.store.put_page_count(source.digest(ImageLimits()), 1)
            report = partial(note, seen)
            outcome = batch.execute(sources, ocr=PAGES, report=report)
            written.append([r.fields for r in batch.store.records("rules")])
        assert (outcome.documents, outcome.failed) == (3, 0)
        if runner is not None:
            assert seen == sorted(seen, reverse=True)
    assert written[0] == written[1]
