"""Records in parts: sharded JSONL and Parquet say what records.jsonl says, and can be scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ocr_moe.errors import UsageError
from ocr_moe.exports.jsonl import read_jsonl, record_to_json
from ocr_moe.exports.parts import read_parquet, write_jsonl_parts, write_parquet
from ocr_moe.types import (
    Conflict,
    Cost,
    Decision,
    DocumentRef,
    Evidence,
    Failure,
    Record,
    Status,
)
from ocr_moe.workshop.config import find_schema
from tests.conftest import SAMPLES, Command

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
SCHEMA = find_schema("graduation_certificate")


def record(number: int) -> Record:
    """Whatever a record can have, by turns."""
    path = f"第{number:04}.jpg"
    document = DocumentRef(path=path, sha256=f"{number:064x}", page=1, rotation=90)
    if number % 5 == 1:
        document = document.model_copy(update={"region": (0.1, 0.2, 0.5, 1.0), "part": 2})
    if number % 5 == 2:
        why = Failure(type="UnreadableFileError", message=f"{path}: empty")
        return Record(document=document, schema_name=None, strategy="moe", error=why)
    if number % 5 == 3:
        return Record(document=document, schema_name=None, strategy="moe", blank=True)
    evidence = Evidence(box=(0.1, 0.1, 0.5, 0.2), text="张三", page=1 + number % 2)
    fields = {
        "姓名": Decision(
            value="张三",
            confidence=0.987654,
            status=Status.VERIFIED if number % 5 == 4 else Status.ACCEPTED,
            experts=("rules", "typed"),
            evidence=evidence,
            characters=(0.9, 1.0),
            notes=("一", "二"),
            reviewer="li" if number % 5 == 4 else None,
            at="2026-01-01T00:00:00+00:00" if number % 5 == 4 else None,
        ),
        "性别": Decision(value=None, confidence=None, status=Status.ABSTAINED),
    }
    return Record(
        document=document,
        schema_name=SCHEMA.name,
        strategy="moe",
        fields=fields,
        cost=Cost(calls=1, prompt_tokens=3, seconds=0.25, money=0.001),
        set_aside="li" if number % 10 == 5 else None,
        conflicts=tuple(map(Conflict.model_validate, ())),
    )


RECORDS = [record(number) for number in range(23)]


def test_parquet_gives_back_what_was_written(tmp_path: Path) -> None:
    assert write_parquet(tmp_path / "records", RECORDS, [SCHEMA], rows=10) == 23
    parts = sorted(path.name for path in (tmp_path / "records").iterdir())
    assert parts == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    runs, schemas = read_parquet(tmp_path / "records")
    assert [s.model_dump(mode="json") for s in schemas] == [SCHEMA.model_dump(mode="json")]
    assert list(runs) == ["moe"]
    for _ in range(2):  # again and again
        assert [*map(record_to_json, runs["moe"])] == [*map(record_to_json, RECORDS)]


def test_equal_records_make_equal_parts_and_parts_of_before_go(tmp_path: Path) -> None:
    write_parquet(tmp_path / "records", RECORDS, [SCHEMA], rows=5)
    write_parquet(tmp_path / "again", RECORDS, [SCHEMA], rows=10)
    write_parquet(tmp_path / "records", RECORDS, [SCHEMA], rows=10)
    one, other = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("records", "again")
    )
    assert one == other
    assert len(one) == 3


def test_columns_are_there_for_engines_that_read_them(tmp_path: Path) -> None:
    write_parquet(tmp_path / "records", RECORDS, [SCHEMA])
    table = parquet.read_table(tmp_path / "records")
    assert table.column_names[:3] == ["path", "sha256", "page"]
    assert table["fields"].combine_chunks().flatten().field("status").to_pylist()[0] == "accepted"


def test_sharded_jsonl_is_records_jsonl_cut_up(tmp_path: Path) -> None:
    assert write_jsonl_parts(tmp_path / "records", RECORDS, rows=10) == 23
    parts = sorted((tmp_path / "records").iterdir())
    assert [path.name for path in parts] == [f"part-0000{number}.jsonl" for number in range(3)]
    assert [r.document.path for path in parts for r in read_jsonl(path)] == [
        r.document.path for r in RECORDS
    ]
    assert write_jsonl_parts(tmp_path / "none", []) == 0
    assert (tmp_path / "none" / "part-00000.jsonl").read_bytes() == b""


def test_what_is_no_part_of_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UsageError, match=r"x\.parquet: not a Parquet file that can be read"):
        read_parquet(tmp_path / "x.parquet")
    parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(UsageError, match=r"x\.parquet: not a Parquet file of records"):
        read_parquet(tmp_path)


@pytest.mark.slow
def test_a_run_is_scored_alike_from_its_store_and_from_its_parts(
    tmp_path: Path, reviewed_run: Path, ocr_moe: Command
) -> None:
    truth = SAMPLES / "graduation_certificate" / "verified.xlsx"
    done = ocr_moe("export", reviewed_run, "--records", tmp_path / "parts", "--format", "parquet")
    assert done.status == 0, done.err
    done = ocr_moe("evaluate", tmp_path / "parts", "--truth", truth)
    assert done.status == 0, done.err
    from ocr_moe.api import evaluate

    scores = evaluate(_copy(reviewed_run, tmp_path / "run"), truth)
    of_parts = json.loads((tmp_path / "parts" / "scores.json").read_text(encoding="utf-8"))
    of_store = json.loads(scores.model_dump_json())
    assert counts(of_parts) == counts(of_store)
    assert any(field["right"] for field in counts(of_parts).values())


def counts(scores: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Field → what can be counted of it; confidences have six places in parts."""
    keys = ("n", "right", "wrong", "missing", "invented", "failed", "interval", "coverage")
    fields = scores["strategies"]["moe"]["fields"]
    return {name: {key: field[key] for key in keys} for name, field in fields.items()}


def _copy(run: Path, to: Path) -> Path:
    import shutil

    return Path(shutil.copytree(run, to))
