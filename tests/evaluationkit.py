"""A small, fully worked evaluation that several tests look at from different sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl

from ocr_moe.evaluation.material import Material, gather
from ocr_moe.evaluation.truth.truthset import read_truths
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Cost, Decision, DocumentRef, Evidence, Failure, Record, Status

SCHEMA = Schema(
    name="diploma",
    fields=(
        Field(name="姓名", kind=Kind.PERSON),
        Field(name="毕业日期", kind=Kind.DATE, required=False),
        Field(name="证书编号", kind=Kind.CODE),
    ),
)
HEADER = ("文件名", "姓名", "毕业日期", "证书编号")
TRUTH = (
    ("1.jpg", "张三", "2019-06-20", "106131201905004931"),
    ("2.jpg", "李四", "无", "106131201905000007"),
    ("3.jpg", "王五", None, "106131201905000123"),
    ("4.jpg", "赵六", "2020-01-02", "106131202005000456"),
    ("9.jpg", "没有", "2020-01-02", "106131202005000999"),
)


def decision(value: str | None, confidence: float | None = 0.9, **more: Any) -> Decision:
    status = more.pop("status", Status.ACCEPTED if value is not None else Status.ABSENT)
    return Decision(value=value, confidence=confidence, status=status, **more)


def record(
    path: str, fields: Mapping[str, Decision], *, strategy: str = "moe", **more: Any
) -> Record:
    return Record(
        document=DocumentRef(path=path, sha256=path),
        schema_name=more.pop("schema_name", SCHEMA.name),
        strategy=strategy,
        fields=dict(fields),
        **more,
    )


def good() -> list[Record]:
    """Right but for one digit in 1.jpg and an invented date in 2.jpg; 4.jpg cannot be read."""
    place = Evidence(box=(0.5, 0.8, 0.9, 0.85), text="106131201905004981")
    return [
        record(
            "1.jpg",
            {
                "姓名": decision("张三", 0.99),
                "毕业日期": decision("2019-06-20", 0.95),
                "证书编号": decision("106131201905004981", 0.3, evidence=place),
            },
            cost=Cost(seconds=1),
        ),
        record(
            "2.jpg",
            {
                "姓名": decision("李四", 0.98),
                "毕业日期": decision("2019-06-20", 0.4, status=Status.ABSTAINED),
                "证书编号": decision("106131201905000007", 0.97),
            },
            cost=Cost(seconds=1),
        ),
        record(
            "3.jpg",
            {
                "姓名": decision("王五", 0.96),
                "毕业日期": decision("2011-11-11", 0.2),
                "证书编号": decision("1061 3120 1905 000123", 0.94),
            },
            cost=Cost(seconds=1),
        ),
        record("4.jpg", {}, error=Failure(type="UnreadableFileError", message="truncated")),
        record("5.jpg", {"姓名": decision("多余")}),
    ]


def poor() -> list[Record]:
    """A second strategy: an LLM that misses a name, mixes fields up and costs tokens."""
    cost = Cost(calls=1, prompt_tokens=800, completion_tokens=100, seconds=3)
    failed = decision(None, None, status=Status.FAILED, notes=("the endpoint is down",))
    return [
        record(
            "1.jpg",
            {
                "姓名": decision(None, None, status=Status.ABSTAINED),
                "毕业日期": decision("2019-06-20", 0.5),
                "证书编号": decision("106131201905004931", 0.5),
            },
            strategy="ocr_page_llm",
            cost=cost,
        ),
        record(
            "2.jpg",
            {
                "姓名": decision("李四", 0.5),
                "毕业日期": decision(None, 0.5),
                "证书编号": decision("1061312019050007", 0.5),
            },
            strategy="ocr_page_llm",
            cost=cost,
        ),
        record(
            "3.jpg",
            dict.fromkeys(SCHEMA.names, failed),
            strategy="ocr_page_llm",
            cost=cost,
        ),
        record(
            "4.jpg",
            {
                "姓名": decision("赵六", 0.5),
                "毕业日期": decision("2020-01-02", 0.5),
                "证书编号": decision("2020-01-02", 0.5),
            },
            strategy="ocr_page_llm",
            cost=cost,
        ),
        record("5.jpg", {"姓名": decision("多余")}, strategy="ocr_page_llm", cost=cost),
    ]


RUNS = {"moe": good(), "ocr_page_llm": poor()}


def truth_file(
    folder: Path, rows: Sequence[Sequence[Any]] = TRUTH, header: Sequence[str] = HEADER
) -> Path:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(list(header))
    for row in rows:
        sheet.append(list(row))
    path = folder / "verified.xlsx"
    workbook.save(path)
    return path


def material(sheet: Path, runs: Mapping[str, Sequence[Record]] = RUNS) -> Material:
    """Records matched with a verified sheet."""
    return gather(runs, [SCHEMA], read_truths([sheet]))
