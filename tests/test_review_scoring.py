"""What people verified as the truth: every strategy is held against it, and refitted on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import openpyxl
import pytest
import yaml
from PIL import Image

from ocr_moe.errors import TruthError
from ocr_moe.intake.sources import digest, discover
from ocr_moe.laboratory.goal import Goal
from ocr_moe.reviewing.scoring import (
    DOCUMENTS_NEEDED,
    ERRORS_NEEDED,
    refit,
    said,
    score_verified,
    verified_cells,
)
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.run.settling import own_records, settle
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.subjects import key_of
from ocr_moe.testing.pages import page
from ocr_moe.types import DocumentRef, Judgement, JudgementKind, Record, Shown, Status
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config, find_schema, load_config

SCHEMA = find_schema("graduation_certificate")
NAMES = ("moe", "rules")
COUNT = 40
WORSE = 3
"""Every third page was read badly, and its engine was not sure of it."""


def name_of(number: int) -> str:
    return f"王{'芳强敏静丽军磊洋勇艳'[number % 10]}{'文华明玉英国平海云春'[number // 10]}"


def truth_of(number: int) -> dict[str, str]:
    year = 2005 + number % 12
    return {
        "姓名": name_of(number),
        "性别": "女" if number % 2 else "男",
        "出生日期": f"{year - 23}-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
        "学历层次": "本科",
        "毕业日期": f"{year}-06-{number % 28 + 1:02d}",
        "毕业院校": "四川大学",
        "专业": "法学",
        "证书编号": f"106101{year}05{number:06d}",
    }


def text_of(number: int) -> str:
    """The page of a certificate as an engine read it; of every third one a digit is another."""
    told = truth_of(number)
    birth, leaving = (
        [int(part) for part in told[field].split("-")] for field in ("出生日期", "毕业日期")
    )
    code = told["证书编号"]
    if number % WORSE == 0:
        code = code[:-1] + str((int(code[-1]) + 1) % 10)
    return f"""
@0.4 毕业证书
学生{told["姓名"]}，性别{told["性别"]}，{birth[0]}年{birth[1]}月{birth[2]}日生，
于2001年9月至{leaving[0]}年6月在本校法学专业四年制本科学习，
修完教学计划规定的全部课程，成绩合格，准予毕业。
校名：四川大学|@0.6 校长：李明
证书编号：{code}|@0.6 {leaving[0]}年{leaving[1]}月{leaving[2]}日
"""


def configuration() -> Config:
    """Two strategies that look at recorded page OCR alone."""
    plain = load_config().model_dump(mode="json")
    rules = {"kind": "fixed", "default": ["rules"]}
    moe = plain["strategies"]["moe"] | {"gate": rules}
    plain["strategies"] = {
        "moe": moe,
        "rules": {"title": "Rules", "gate": rules, "combiner": {"kind": "priority"}},
    }
    return Config.model_validate(plain)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over pages whose text is given."""
    folder = tmp_path_factory.mktemp("scans")
    lines = []
    for number in range(COUNT):
        file = folder / "in" / f"IMG_{number:04d}.png"
        file.parent.mkdir(exist_ok=True)
        Image.new("L", (30 + number, 20), 255 - number).save(file)
        confidence = 0.72 if number % WORSE == 0 else 0.99
        text = page(text_of(number), confidence=confidence).model_dump(mode="json")
        lines.append(json.dumps({"sha256": digest(file), "page": 1, "text": text}))
    (folder / "pages.jsonl").write_text("\n".join(lines), encoding="utf-8")
    workshop = Workshop(configuration())
    strategies = [workshop.strategy(name) for name in NAMES]
    with Batch(folder / "out", workshop=workshop, strategies=strategies, schemas=[SCHEMA]) as batch:
        batch.execute(
            discover([str(folder / "in")], None, workshop.config.images),
            ocr=folder / "pages.jsonl",
        )
    return folder / "out"


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Iterator[tuple[Store, Workshop, list[Strategy]]]:
    shutil.copytree(recorded, tmp_path / "run")
    with closing(Store(tmp_path / "run" / STORE)) as store:
        workshop = Workshop(configuration(), recorded=store, offline=True)
        yield store, workshop, [workshop.strategy(name) for name in NAMES]


def number_of(document: DocumentRef) -> int:
    return int(document.path[4:8])


def judge(store: Store, wanted: Callable[[int, str], bool], *, shown: Shown | None = None) -> None:
    """A reviewer says what stands in the cells (number, field) that are wanted."""
    at = "2026-01-02T03:04:05+00:00"
    for record in list(store.records("moe", alone=True)):
        number = number_of(record.document)
        for field, value in truth_of(number).items():
            if wanted(number, field):
                given = Judgement(field=field, value=value, reviewer="li", at=at, shown=shown)
                store.put_judgement(record.document, given)


SCHEMAS: tuple[Schema, ...] = (SCHEMA,)
Run = tuple[Store, Workshop, list[Strategy]]


def test_nothing_is_scored_before_anybody_has_verified_a_cell(run: Run) -> None:
    store, workshop, strategies = run
    with pytest.raises(TruthError, match="nobody has verified a cell"):
        score_verified(store, strategies, SCHEMAS)
    with pytest.raises(TruthError, match="ocr-moe review"):
        refit(store, workshop, strategies, SCHEMAS)


def test_the_verdicts_are_a_sheet_without_what_is_disputed_or_taken_back(run: Run) -> None:
    store, _, _ = run
    [first, second, third] = [r.document for r in list(store.records("moe"))[:3]]
    at = "2026-01-02T03:04:05+00:00"

    def says(document: DocumentRef, field: str, value: str | None, **more: object) -> int:
        given = {"reviewer": "li", "at": at} | more
        return store.put_judgement(document, Judgement(field=field, value=value, **given))  # type: ignore[arg-type]

    hidden = Shown(value=None, confidence=None, status=Status.ACCEPTED, strategy="moe", hidden=True)
    says(first, "姓名", "王芳", shown=hidden)
    says(first, "专业", None)
    says(second, "姓名", "王强")
    says(second, "姓名", "王张", reviewer="wu", independent=True)
    wrong = says(third, "姓名", "王")
    undo = Judgement(kind=JudgementKind.UNDO, field="姓名", reviewer="li", at=at)
    store.put_judgement(third, undo, undoes=wrong)

    found = verified_cells(store, SCHEMAS)

    [truth] = found.truths
    [row] = truth.rows
    assert (row.key, {name: cell.value for name, cell in row.cells.items()}) == (
        first.path,
        {"姓名": "王芳", "专业": None},
    )
    assert (found.cells, found.documents, found.disputed) == (2, 1, 1)
    assert found.blind == {(key_of(first), "姓名")}
    assert truth.fields == ("姓名", "专业")


def test_strategies_are_held_against_it_without_peoples_words(run: Run, tmp_path: Path) -> None:
    store, workshop, strategies = run
    as_it_ran = {name: list(store.records(name)) for name in NAMES}

    def own() -> dict[str, list[Record]]:
        return {each.name: list(own_records(store, each, SCHEMAS)) for each in strategies}

    assert own() == as_it_ran
    judge(store, lambda number, field: field in ("证书编号", "姓名"))
    settle(store, strategies, SCHEMAS, workshop)
    assert own() == as_it_ran
    for name in NAMES:  # people's words are in the run's own records
        assert all(
            record.fields["证书编号"].status is Status.VERIFIED for record in store.records(name)
        )
    for records in own().values():
        assert all(
            each.status is not Status.VERIFIED
            for record in records
            for each in record.fields.values()
        )

    scores = score_verified(store, strategies, SCHEMAS, tmp_path / "verified", language="zh")

    assert set(scores.strategies) == set(NAMES)
    badly = len(range(0, COUNT, WORSE))
    for score in scores.strategies.values():
        assert score.fields["证书编号"].n == COUNT
        assert score.fields["证书编号"].right == COUNT - badly
    assert scores.fields == ("姓名", "证书编号")
    assert any(problem.kind == "chosen_by_doubt" for problem in scores.problems)
    book = openpyxl.load_workbook(tmp_path / "verified" / "accuracy.xlsx")
    told = [str(row[0].value) for row in book["数据说明"].iter_rows(min_row=2)]
    assert any("核对是从拿不准的单元格开始的" in line for line in told)
    page = (tmp_path / "verified" / "report.html").read_text(encoding="utf-8")
    assert "doubtful cells were checked first" in page


def test_too_little_is_refused_with_what_it_takes(run: Run) -> None:
    store, workshop, strategies = run
    judge(store, lambda number, field: number < 6 and field == "证书编号")

    found = refit(store, workshop, strategies, SCHEMAS)

    assert (found.calibration, found.recommendation) == (None, None)
    [fitted, policy, blind] = said(found.sentences, "en")
    assert "6 documents with verified cells and 2 errors" in fitted
    assert f"takes {DOCUMENTS_NEEDED} documents and {ERRORS_NEEDED} errors" in fitted
    assert f"0 documents were checked whole, and it takes {DOCUMENTS_NEEDED}" in policy
    assert "blind" in blind
    assert "至少需要 30 份文档、10 处错误" in said(found.sentences, "zh")[0]
    assert found.write(Path("/nowhere"), workshop.config) == []


def test_confidences_and_policy_are_refitted_and_what_changes_is_said(
    run: Run, tmp_path: Path
) -> None:
    store, workshop, strategies = run
    hidden = Shown(value=None, confidence=None, status=Status.ACCEPTED, strategy="moe", hidden=True)
    judge(store, lambda number, field: True, shown=hidden)

    found = refit(store, workshop, strategies, SCHEMAS, goal=Goal(0.9, 0.8))

    assert found.before is not None
    assert found.after is not None
    assert found.before.cells == found.after.cells == COUNT * len(SCHEMA.names)
    assert found.before.wrong == found.after.wrong >= ERRORS_NEEDED
    assert found.calibration is not None
    assert found.after.brier is not None
    assert found.before.brier is not None
    assert found.after.brier < found.before.brier
    english, chinese = said(found.sentences, "en"), said(found.sentences, "zh")
    assert any("to check" in each or "be checked" in each for each in english)
    assert any(f"(ECE) {found.before.ece:.3f} before" in each for each in english)
    assert any("校准误差" in each for each in chinese)
    assert not any("blind" in each for each in english)
    assert found.recommendation is not None
    best = max(each.accuracy for each in found.recommendation.against)
    assert found.recommendation.accuracy == best
    written = found.write(tmp_path, workshop.config)
    assert [file.name for file in written] == [
        *("calibration.yaml", "calibrated.yaml", "recommended.yaml"),
    ]
    for file in written[1:]:
        assert "strategies" in yaml.safe_load(file.read_text(encoding="utf-8"))
        load_config(file)
