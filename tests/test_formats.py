"""docs/formats.md is true: its examples are valid, and real output is as it and the schemas say."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from jsonschema import Draft202012Validator

import ocr_moe
from ocr_moe.errors import ConfigError, StoreError
from ocr_moe.exports.exporters import EXPORTERS
from ocr_moe.exports.ocr import read_ocr
from ocr_moe.formats.versions import refusal
from ocr_moe.routing.calibration import load_calibration, load_policy
from ocr_moe.run.batch import STORE
from ocr_moe.store.migrations import APPLICATION, VERSION
from ocr_moe.workshop.config import load_config
from recipes.formats import FOLDER, FORMS, as_text, schema_of
from tests.conftest import ROOT, SAMPLES, Command
from tests.test_store_migrations import FIRST, OLD, PAGES, scans, small_truth

PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
EXAMPLES = {
    name: (language, text)
    for language, name, text in re.findall(r"^```(json|yaml) (\w+)\n(.*?)^```", PAGE, re.M | re.S)
}


def shipped(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return schema


def check(name: str, data: Any) -> None:
    """Data against the schema as it is shipped, and against the model, which takes no other keys."""
    Draft202012Validator(shipped(name)).validate(data)
    FORMS[name].model_validate_json(json.dumps(data, ensure_ascii=False))


@pytest.mark.parametrize("name", FORMS)
def test_the_shipped_schemas_are_up_to_date(name: str) -> None:
    Draft202012Validator.check_schema(shipped(name))
    written = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert written == as_text(schema_of(FORMS[name])), "run: make formats"


def test_every_form_has_an_example_and_every_example_a_form() -> None:
    assert set(EXAMPLES) == {*FORMS, "calibration", "policy"}
    assert {f"{name}.json" for name in FORMS} == {file.name for file in FOLDER.iterdir()}


@pytest.mark.parametrize("name", FORMS)
def test_examples_are_valid(name: str) -> None:
    language, text = EXAMPLES[name]
    assert language == "json"
    check(name, json.loads(text))


def test_examples_of_fitted_models_can_be_loaded(tmp_path: Path) -> None:
    for name, load in (("calibration", load_calibration), ("policy", load_policy)):
        file = tmp_path / f"{name}.yaml"
        file.write_text(EXAMPLES[name][1], encoding="utf-8")
        assert load(file).format == 1
        file.write_text(EXAMPLES[name][1].replace("format: 1", "format: 2"), encoding="utf-8")
        with pytest.raises(ConfigError, match=rf"{name}\.yaml: .*later version.*upgrade ocr-moe"):
            load(file)


def test_a_schema_sees_what_is_not_written_like_that() -> None:
    validator = Draft202012Validator(shipped("record"))
    changes: tuple[Callable[[dict[str, Any]], object], ...] = (
        lambda line: line.pop("cost"),
        lambda line: line["document"].pop("part"),
        lambda line: line["fields"]["专业"].update(status="fine"),
        lambda line: line["fields"]["毕业日期"]["evidence"].update(box=[0, 0, 1]),
        lambda line: line.update(format=2),
    )
    for break_it in changes:
        line = json.loads(EXAMPLES["record"][1])
        assert validator.is_valid(line)
        break_it(line)
        assert not validator.is_valid(line)
    assert validator.is_valid(json.loads(EXAMPLES["record"][1]) | {"added": 1})


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (None, None),
        (1, None),
        (2, None),
        (3, "upgrade ocr-moe"),
        ("1", "no version"),
        (0, "no ver"),
    ],
)
def test_formats_up_to_the_known_one_are_read(written: Any, words: str | None) -> None:
    said = refusal(written, 2)
    assert (said is None) if words is None else (said is not None and words in said)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory, ocr_moe: Command) -> Path:
    """A comparison by today's code, of pages whose text is recorded and a file that is none."""
    folder = tmp_path_factory.mktemp("formats")
    shutil.copy(PAGES, folder / "pages.jsonl")
    files = scans(folder / "scans", *FIRST)
    (files / "broken_本科_学位证书.jpg").write_bytes(b"\xff\xd8\xff no picture")
    done = ocr_moe(
        *("compare", files, "--truth", small_truth(folder / "verified.xlsx", *FIRST)),
        *("--strategies", "rules,ocr_page_llm", "--recorded", SAMPLES / "recorded.sqlite"),
        *("--ocr", folder / "pages.jsonl", "--out", folder / "out"),
    )
    assert done.status == 1, done.err
    assert ocr_moe("export", folder / "out", "--ocr", folder / "out" / "pages.jsonl").status == 0
    return folder / "out"


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_real_output_is_valid(comparison: Path) -> None:
    def load(file: Path) -> Any:
        return json.loads(file.read_text(encoding="utf-8"))

    check("run", load(comparison / "run.json"))
    check("scores", load(comparison / "scores.json"))
    lines = lines_of(comparison / "pages.jsonl")
    assert len(lines) == 3
    for line in lines:
        check("page_ocr", line)
    for strategy, experts in (
        ("rules", {"keys", "marks", "rules"}),
        ("ocr_page_llm", {"ocr_page_llm"}),
    ):
        records = lines_of(comparison / strategy / "records.jsonl")
        assert [bool(record["error"]) for record in records] == [True, False, False]
        documents = [load(file) for file in sorted((comparison / strategy / "documents").iterdir())]
        assert len(documents) == 3
        for record in records:
            check("record", record)
        for document in documents:
            check("document", document)
            assert {answer["expert"] for answer in document["answers"]} <= experts
        assert sum(len(document["answers"]) for document in documents) == 2 * len(experts)
        run = ocr_moe.Run(comparison)
        for name, exporter in EXPORTERS.items():
            again = comparison / "again" / strategy / exporter.target
            assert run.export(again, format=name, strategy=strategy) == 3
            was = comparison / strategy / exporter.target
            files = list(again.iterdir()) if again.is_dir() else [again]
            for file in files:
                assert file.read_bytes() == (was / file.relative_to(again)).read_bytes()


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split(" | ")]


def tables_below(heading: str) -> list[dict[str, list[str]]]:
    """The tables of a section: first cell of a row → its other cells, without the head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| .*\n\|---.*\n((?:\| .*\n)+)", section, re.M)
    rows = [[cells(line) for line in table.splitlines()] for table in found]
    return [{row[0]: row[1:] for row in table} for table in rows]


def told(columns: str) -> list[str]:
    """Names of columns in a cell of a table, without what is in italics."""
    names = [name.strip() for name in columns.split(";")[0].split(",")]
    return [re.sub(r"\*.*\*", "", name).strip() for name in names if not name.startswith("*")]


def in_order(some: list[str], all_of_them: list[Any]) -> bool:
    rest = iter(all_of_them)
    return all(any(name == other for other in rest) for name in some)


@pytest.mark.slow
def test_workbooks_have_the_sheets_and_columns_that_are_told(comparison: Path) -> None:
    book = openpyxl.load_workbook(comparison / "rules" / "records.xlsx")
    [tables] = tables_below("records.xlsx")
    assert book.sheetnames == list(tables)
    for sheet, (what, columns) in tables.items():
        hidden = what.startswith("*hidden:*")
        assert book[sheet].sheet_state == ("veryHidden" if hidden else "visible")
        if columns == "–":
            continue
        heads = [cell.value for cell in next(book[sheet].iter_rows())]
        names = told(columns)
        assert in_order(names, heads), (sheet, heads)
        fields = 8 if sheet in ("documents", "subjects") else 0
        assert len(heads) == len(names) + fields
    book = openpyxl.load_workbook(comparison / "accuracy.xlsx")
    [tables] = tables_below("accuracy.xlsx")
    tables = {
        sheet: told for sheet, told in tables.items() if sheet != "made texts"
    }  # there are none
    assert book.sheetnames == list(tables)
    for sheet in set(tables) - {"side by side"}:
        heads = [cell.value for cell in next(book[sheet].iter_rows())]
        columns = tables[sheet][0].split(";")[0]
        names = [name for name in told(columns) if not name.startswith("saved against")]
        assert names
        assert in_order(names, heads), (sheet, heads)


@pytest.mark.slow
def test_the_store_has_the_tables_and_keys_that_are_told(comparison: Path) -> None:
    tables, keys = tables_below("The store")
    with sqlite3.connect(comparison / STORE) as db:
        names = [
            row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for name in names:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({name})")]
            assert tables.pop(name)[0] == ", ".join(columns)
        assert {row[0] for row in db.execute("SELECT key FROM meta")} == set(keys)
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    db.close()
    assert not tables
    assert (
        f"`user_version` {VERSION}, `application_id` {APPLICATION:#X}".replace("0X", "0x") in PAGE
    )


def test_page_ocr_of_version_0_1_0_is_read_and_of_a_later_one_refused(tmp_path: Path) -> None:
    assert '"format"' not in PAGES.read_text(encoding="utf-8")
    assert len(list(read_ocr(PAGES))) == 3
    later = tmp_path / "later.jsonl"
    line = json.loads(PAGES.read_text(encoding="utf-8").splitlines()[0])
    later.write_text("\n" + json.dumps(line | {"format": 2}), encoding="utf-8")
    with pytest.raises(StoreError, match=r"later\.jsonl, line 2: .*upgrade ocr-moe"):
        list(read_ocr(later))


def test_recommendations_are_configuration(tmp_path: Path) -> None:
    (tmp_path / "recommended.yaml").write_text("# No policy is recommended: …\nstrategies: {}\n")
    assert load_config(tmp_path / "recommended.yaml") == load_config()


def test_every_export_is_told() -> None:
    files = PAGE.split("\n## Files of a run\n")[1].split("\n## ")[0]
    for exporter in EXPORTERS.values():
        assert re.search(rf"DIR/{re.escape(exporter.target)}\b", files), exporter.target


def test_exports_are_named_by_their_table(ocr_moe: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(OLD / "extract.v1.sqlite", run / STORE)
    done = ocr_moe("export", run, "--records", tmp_path / "r.xlsx", "--format", "xlsx")
    assert done.status == 0, done.err
    assert openpyxl.load_workbook(tmp_path / "r.xlsx")["documents"].max_row == 3
    wrong = ocr_moe("export", run, "--records", tmp_path / "r.csv", "--format", "csv")
    assert wrong.status == 2
    assert all(name in wrong.err for name in EXPORTERS)
    unknown = ocr_moe("export", run, "--records", tmp_path / "r.jsonl", "--strategy", "moe")
    assert unknown.status == 2
    assert "rules" in unknown.err
