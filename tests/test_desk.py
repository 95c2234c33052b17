"""The desk without its pages: what people say of whole documents, second looks, and what settles."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from PIL import Image

from ocr_moe.api import Options, evaluate, extract
from ocr_moe.errors import UsageError
from ocr_moe.evaluation.truth.sheet import load_truth
from ocr_moe.exports.jsonl import read_jsonl
from ocr_moe.reviewing.claims import ClaimedError
from ocr_moe.reviewing.desk import Desk, StaleError
from ocr_moe.reviewing.history import differing_parts, disputes, history, shares
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.reviewing.rereading import Phase
from ocr_moe.reviewing.taking import taken_in
from ocr_moe.run.batch import STORE
from ocr_moe.run.settling import Settling, own_records
from ocr_moe.store.database import Store
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import Judgement, Record, Shown, Status
from ocr_moe.workshop.config import Config, load_config
from tests.conftest import SAMPLES
from tests.deskkit import DeskProcess, as_of_one_start, copy_of

pytestmark = pytest.mark.slow
FOLDER = SAMPLES / "graduation_certificate"
STUDENT = (
    "张雅晓_本科_学位证书.jpg",
    "张雅晓_本科_毕业证书.jpg",
    "张雅晓_本科_学位证书_2.jpg",
    "张雅晓_硕士_学位证书.jpg",
)
TWO = "两份.png"


@pytest.fixture(scope="module")
def students(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over four documents of one student's name, and a page with two documents, really read."""
    scans, out = tmp_path_factory.mktemp("scans"), tmp_path_factory.mktemp("students") / "run"
    for name in STUDENT:
        shutil.copy(FOLDER / name, scans)
    pair = [Image.open(FOLDER / name).convert("RGB") for name in STUDENT[:2]]
    pair = [image.resize((1100, round(1100 * image.height / image.width))) for image in pair]
    page = Image.new("RGB", (2240, max(image.height for image in pair) + 40), "white")
    for index, image in enumerate(pair):
        page.paste(image, (10 + 1120 * index, 20))
    page.save(scans / TWO)
    extract(scans, out=out, options=Options(schema="graduation_certificate"))
    return as_of_one_start(out)


@pytest.fixture
def run(students: Path, tmp_path: Path) -> Path:
    return copy_of(students, tmp_path)


@pytest.fixture
def desk(run: Path) -> Iterator[Desk]:
    with Desk.open(run) as opened:
        yield opened


def settled(desk: Desk) -> None:
    """Wait until nothing is being read again."""
    for _ in range(1200):
        files = desk.rereading_files
        if all(each.phase is Phase.FAILED for each in files.values()):
            return
        time.sleep(0.05)
    raise AssertionError("a file was not read again")


def records(desk: Desk) -> list[Record]:
    return list(desk.store.records(desk.strategy))


def twice(run: Path) -> Config:
    """The shipped configuration with double entry, and no values hidden for the certificate."""
    plain = load_config().model_dump(mode="json")
    plain["review"] |= {"double_entry": True, "blind_share": 0.0}
    return Config.model_validate(plain)


def parts_of(desk: Desk, path: str) -> list[int]:
    return [each.key.part for each in desk.documents() if each.key.path == path]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_settling_after_each_word_is_settling_everything_anew(desk: Desk, seed: int) -> None:
    chance, as_read = random.Random(seed), records(desk)
    keys = [each.key for each in desk.documents()]
    given: list[int] = []
    for _ in range(12):
        key = chance.choice(keys)
        record = desk.record(key)
        assert record is not None
        field = chance.choice(["姓名", "出生日期", "证书编号", "毕业院校"])
        others = [r.fields[field].value for r in records(desk) if field in r.fields]
        what = chance.random()
        if what < 0.2 and given:
            desk.undo("ann", given.pop(chance.randrange(len(given))))
        elif what < 0.4:
            name = chance.choice(["张雅晓", "李娜", "王旭航"])
            given.append(desk.name_subject(key, name, "ann").judgement)
        else:
            given.append(desk.judge(CellKey(key, field), chance.choice(others), "ann").judgement)
        step_by_step = records(desk)
        counted_one_by_one(desk)

        built = desk.run.workshop.strategy(desk.strategy)
        Settling(desk.store, built, desk.run.schemas, desk._judging).settle()

        assert records(desk) == step_by_step
        unsaid = {key_of(r.document): r for r in own_records(desk.store, built, desk.run.schemas)}
        without = desk._settling.without_words()
        assert {key_of(r.document): r for r in step_by_step} | without == unsaid
    for number in given:
        desk.undo("ann", number)
    assert records(desk) == as_read
    counted_one_by_one(desk)


def counted_one_by_one(desk: Desk) -> None:
    """Hold what the desk counts as it goes against its documents and cells, counted one by one."""
    counts, documents, waiting = desk.overview(), desk.documents(), desk.waiting()
    found = records(desk)
    cells = Counter(
        (record.schema_name or "", name, decision.status)
        for record in found
        for name, decision in record.fields.items()
    )
    for record in found:
        schema = desk.schemas.get(record.schema_name or "")
        for each in schema.fields if schema is not None else ():
            of_field = counts.fields.get((record.schema_name or "", each.name), Counter())
            for status in Status:
                assert of_field[status.value] == cells[record.schema_name or "", each.name, status]
            assert of_field["waiting"] == sum(
                cell.key.field == each.name
                and desk.document(cell.key.document).schema == record.schema_name
                for cell in waiting
            )
    assert counts.cells == cells.total()
    assert counts.waiting == len(waiting)
    assert counts.documents == len(documents) == sum(not record.blank for record in found)
    assert counts.set_aside == sum(record.set_aside is not None for record in found)
    assert counts.failed == sum(record.error is not None for record in found)
    for summary in documents:
        of_document = [cell for cell in waiting if cell.key.document == summary.key]
        assert summary.waiting == len(of_document)
        [record] = [record for record in found if key_of(record.document) == summary.key]
        statuses = [decision.status for decision in record.fields.values()]
        assert (summary.cells, summary.verified) == (len(statuses), statuses.count(Status.VERIFIED))


def test_what_is_settled_is_not_settled_anew_until_it_may_have_changed(run: Path) -> None:
    with sqlite3.connect(run / STORE) as other:

        def writes() -> int:
            return int(other.execute("PRAGMA data_version").fetchone()[0])

        before = writes()
        with Desk.open(run) as desk:
            as_settled = records(desk)
            overview, plan = desk.overview(), desk.plan()
        assert writes() == before
        other.execute("DELETE FROM settled")
        other.execute("DELETE FROM meta WHERE key = 'settled'")
        other.commit()
        with Desk.open(run) as desk:
            assert records(desk) == as_settled
            assert (desk.overview(), desk.plan()) == (overview, plan)
            cell = desk.waiting()[0].key
            desk.judge(cell, None, "ann")
            judged = records(desk)
            progress = desk.overview(), desk.plan()
        # What is lost between a word and what follows from it, the next start brings about.
        other.execute("DELETE FROM settled")
        other.commit()
        with Desk.open(run) as desk:
            assert records(desk) == judged
            assert (desk.overview(), desk.plan()) == progress
    other.close()


def test_a_document_of_no_known_kind_is_set_aside_and_comes_back(desk: Desk) -> None:
    key = DocumentKey(STUDENT[0])
    before = desk.record(key)

    said = desk.name_schema(key, None, "ann")
    settled(desk)

    record = desk.record(key)
    assert record is not None
    assert (record.fields, record.error, record.set_aside) == ({}, None, "ann")
    counts = desk.overview()
    assert (counts.set_aside, counts.failed) == (1, 0)
    assert not any(cell.key.document == key for cell in desk.waiting())
    counted_one_by_one(desk)

    desk.export()
    lines = {r["document"]["path"]: r for r in map(_json, _lines(desk.run.folder))}
    assert lines[STUDENT[0]]["set_aside"] == "ann"
    assert lines[STUDENT[0]]["fields"] == {}

    desk.undo("ann", said.judgement)
    settled(desk)
    assert desk.record(key) == before
    assert desk.overview().set_aside == 0


def _lines(run: Path) -> list[str]:
    return (run / "records.jsonl").read_text(encoding="utf-8").splitlines()


def _json(line: str) -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads(line)
    return found


def test_a_run_that_goes_on_keeps_the_word_on_a_document(run: Path) -> None:
    with Desk.open(run) as desk:
        scans = Path(str(desk.store.inputs.place_of(STUDENT[0]))).parent
        desk.name_schema(DocumentKey(STUDENT[0]), None, "ann")
        desk.divide(DocumentKey(TWO), (), "ann")
    db = sqlite3.connect(run / STORE)
    db.execute("DELETE FROM records")
    db.execute("DELETE FROM settled")
    db.commit()
    db.close()

    extract(scans, out=run, options=Options(schema="graduation_certificate"))

    found = {(r.document.path, r.document.part): r for r in read_jsonl(run / "records.jsonl")}
    assert found[STUDENT[0], 1].fields == {}
    assert found[TWO, 1].document.region is None
    assert (TWO, 2) not in found


def test_a_page_is_merged_and_divided_again(desk: Desk) -> None:
    assert parts_of(desk, TWO) == [1, 2]
    before = records(desk)

    merged = desk.divide(DocumentKey(TWO, 1, 2), (), "ann")
    settled(desk)
    assert parts_of(desk, TWO) == [1]
    record = desk.record(DocumentKey(TWO))
    assert record is not None
    assert record.document.region is None

    desk.undo("ann", merged.judgement)
    settled(desk)
    assert records(desk) == before

    desk.divide(DocumentKey(TWO), [(0, 0, 0.5, 1), (0.5, 0, 1, 1)], "ann")
    settled(desk)
    halves = [desk.record(DocumentKey(TWO, 1, part)) for part in (1, 2)]
    assert [half.fields["姓名"].value for half in halves if half is not None] == ["张雅晓"] * 2
    assert [half.document.region for half in halves if half is not None] == [
        (0, 0, 0.5, 1),
        (0.5, 0, 1, 1),
    ]


@pytest.mark.parametrize("region", [(0.5, 0, 0.5, 1), (0, 0, 1.2, 1), (0, 0, 0.01, 0.5)])
def test_a_place_that_is_none_is_refused(desk: Desk, region: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="within the page"):
        desk.divide(DocumentKey(TWO), [region], "ann")  # type: ignore[list-item]
    assert desk.store.last_judgement() == 0


def test_what_is_still_to_be_read_again_survives_the_desk(run: Path) -> None:
    with Desk.open(run) as desk:
        for name in STUDENT[:3]:
            desk.name_schema(DocumentKey(name), None, "ann")

    with Desk.open(run) as desk:
        settled(desk)
        assert desk.overview().set_aside == 3
        assert desk.store.get_meta("rereading") == []


def test_without_its_original_a_document_stays_as_it_was_read(run: Path) -> None:
    with Store(run / STORE) as store:
        store.inputs.change(
            [row._replace(place=str(run / "gone" / row.path)) for row in store.inputs], ()
        )
    with Desk.open(run) as desk:
        key = DocumentKey(STUDENT[1])
        before = desk.record(key)
        desk.name_schema(key, "graduation_certificate", "ann")
        settled(desk)

        assert before is not None
        state = desk.rereading(before.document.sha256)
        assert state is not None
        assert (state.phase, STUDENT[1] in state.message) == (Phase.FAILED, True)
        assert desk.record(key) == before


def test_a_subject_that_people_name_goes_before_the_files_name(desk: Desk) -> None:
    key = DocumentKey(STUDENT[3])
    desk.judge(CellKey(key, "姓名"), "李娜", "ann")
    contradicted = desk.record(key)
    assert contradicted is not None
    assert "file_name" in {each.kind for each in contradicted.conflicts}

    desk.name_subject(key, "李娜", "ann")
    record = desk.record(key)
    assert record is not None
    assert "file_name" not in {each.kind for each in record.conflicts}

    desk.export()
    rows = load_workbook(desk.run.folder / "records.xlsx")["subjects"].iter_rows(values_only=True)
    assert [row[3] for row in rows if row[0] == "李娜"] == [STUDENT[3]]


def test_two_people_who_differ_are_heard_before_anything_stands(run: Path) -> None:
    with Desk.open(run, config=twice(run)) as desk:
        cell = CellKey(DocumentKey(STUDENT[0]), "证书编号")
        read = desk.view(cell, "ann").decision.value
        desk.judge(cell, "1234567890123456", "ann")

        assert desk.view(cell, "ann").decision.value == "1234567890123456"
        seen = desk.view(cell, "bob")
        assert (seen.decision.value, seen.judgements) == (read, ())
        assert "1234567890123456" not in {each.value for each in seen.candidates}
        listed = {each.key: each.value for each in desk.cells_of(cell.document, "bob")}
        assert listed[cell] == read
        assert [deed.hidden for deed in history(desk, "bob")] == [True]
        assert cell != desk.next_cell("ann", document=cell.document, field="证书编号")
        assert cell == desk.next_cell("bob", document=cell.document, field="证书编号")

        desk.judge(cell, read, "bob")
        [dispute] = disputes(desk)
        assert [(w.reviewer, w.value) for w in dispute.words] == [
            ("ann", "1234567890123456"),
            ("bob", read),
        ]
        assert desk.overview().disputed == 1
        record = desk.record(cell.document)
        assert record is not None
        assert record.fields["证书编号"].status is Status.ABSTAINED

        desk.judge(cell, read, "cleo")
        assert list(disputes(desk)) == []
        record = desk.record(cell.document)
        assert record is not None
        decided = record.fields["证书编号"]
        assert (decided.value, decided.status, decided.reviewer) == (read, Status.VERIFIED, "cleo")
        assert cell not in [each.key for each in desk.waiting()]
        assert [(s.reviewer, s.cells, s.changed) for s in shares(desk)] == [
            ("ann", 1, 1),
            ("bob", 1, 0),
            ("cleo", 1, 1),
        ]


def test_two_people_who_agree_verify(run: Path) -> None:
    with Desk.open(run, config=twice(run)) as desk:
        cell = CellKey(DocumentKey(STUDENT[0]), "性别")
        value = desk.view(cell, "ann").decision.value
        first = desk.judge(cell, value, "ann")
        assert cell in [each.key for each in desk.waiting()]
        desk.judge(cell, value, "bob")
        assert cell not in [each.key for each in desk.waiting()]
        assert list(disputes(desk)) == []

        desk.undo("ann", first.judgement)
        assert cell == desk.next_cell("ann", document=cell.document, field="性别")


def _from_elsewhere(value: str, who: str, shown: str | None, at: str = "") -> Judgement:
    """A word out of a file whose reader had `shown` before them."""
    before = Shown(value=shown, confidence=0.5, status=Status.ABSTAINED, strategy="moe")
    when = at or datetime.now(UTC).isoformat()
    return Judgement(
        field="姓名", value=value, reviewer=who, at=when, via="records.xlsx", shown=before
    )


def test_a_file_that_knows_nothing_of_a_word_does_not_overrule_it(desk: Desk) -> None:
    document = desk.document(DocumentKey(STUDENT[0])).ref
    cell = CellKey(DocumentKey(STUDENT[0]), "姓名")

    def stands() -> tuple[Status, str | None]:
        record = desk.record(cell.document)
        assert record is not None
        return record.fields["姓名"].status, record.fields["姓名"].value

    desk.judge(cell, "张雅小", "ann")
    as_written = "张雅晓"  # before ann's word
    assert desk.take_in([(document, _from_elsewhere("张雅哓", "bob", as_written))]) == 1
    assert stands()[0] is Status.ABSTAINED
    assert desk.differing() == [cell]
    [dispute] = disputes(desk)
    assert {(word.reviewer, word.value) for word in dispute.words} == {
        ("ann", "张雅小"),
        ("bob", "张雅哓"),
    }

    desk.judge(cell, "张雅小", "ann")  # who sees both
    assert stands() == (Status.VERIFIED, "张雅小")
    assert desk.take_in([(document, _from_elsewhere("张雅晓", "bob", "张雅小"))]) == 1
    assert stands() == (Status.VERIFIED, "张雅晓"), "who saw a word may correct it"
    earlier = "2020-01-01T00:00:00Z"
    assert desk.take_in([(document, _from_elsewhere("王", "bob", as_written, earlier))]) == 0
    assert stands() == (Status.VERIFIED, "张雅晓"), "one's own later word stands"


def test_a_word_that_was_taken_back_does_not_return_in_a_workbook(desk: Desk) -> None:
    cell = CellKey(DocumentKey(STUDENT[0]), "姓名")
    desk.judge(cell, "张雅小", "ann")
    desk.export()
    desk.undo("ann")
    found = desk.record(cell.document)

    assert taken_in(desk, desk.run.folder / "records.xlsx", "bob")[0] == 0

    assert desk.record(cell.document) == found


def test_a_judgement_is_taken_back_where_the_page_was_divided_since(desk: Desk) -> None:
    second = CellKey(DocumentKey(TWO, 1, 2), "姓名")
    place = desk.document(second.document).ref.region
    assert place is not None
    before = desk.record(second.document)
    desk.judge(second, "张雅小", "ann")
    strip = (0.0, 0.0, 0.4, 0.2)
    desk.divide(DocumentKey(TWO), [strip, (0.4, 0.0, 0.5, 0.2), place], "ann")
    settled(desk)
    third = DocumentKey(TWO, 1, 3)
    record = desk.record(third)
    assert record is not None
    assert record.fields["姓名"].value == "张雅小", "the word goes with the place on the page"

    desk.undo("ann")

    record = desk.record(third)
    assert record is not None
    assert before is not None
    assert record.fields["姓名"].status is not Status.VERIFIED
    assert record.fields["姓名"].value == before.fields["姓名"].value


def test_what_people_said_is_no_achievement_of_a_strategy(run: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth.xlsx"
    book = Workbook()
    assert book.active is not None
    for row in (["文件名", "姓名"], [STUDENT[0], "张雅小"], [STUDENT[1], "张雅晓"]):
        book.active.append(row)
    book.save(truth)
    before = evaluate(run, truth).strategies["moe"].fields["姓名"]
    with Desk.open(run) as desk:
        desk.judge(CellKey(DocumentKey(STUDENT[0]), "姓名"), "张雅小", "ann")

    scores = evaluate(run, truth)

    assert (before.n, before.right) == (2, 1)
    assert scores.strategies["moe"].fields["姓名"] == before
    [said] = [each for each in scores.problems if each.kind == "peoples_word"]
    assert "person's word: 1;" in said.message


def test_words_are_held_against_each_other_by_character() -> None:
    assert differing_parts("1063", "1068") == [("106", False), ("3", True)]
    assert differing_parts("", "12") == []


def test_somebody_elses_document_and_a_cell_seen_too_early_are_refused(desk: Desk) -> None:
    cell = CellKey(DocumentKey(STUDENT[0]), "姓名")
    desk.claim(cell.document, "ann")
    ways: list[Callable[[], object]] = [
        lambda: desk.judge(cell, "张雅晓", "bob"),
        lambda: desk.name_schema(cell.document, None, "bob"),
        lambda: desk.divide(cell.document, (), "bob"),
        lambda: desk.name_subject(cell.document, "李娜", "bob"),
    ]
    for decide in ways:
        with pytest.raises(ClaimedError):
            decide()
    seen = desk.view(cell, "ann").revision
    desk.judge(cell, "张雅晓", "ann", revision=seen)
    with pytest.raises(StaleError):
        desk.judge(cell, "张雅小", "ann", revision=seen)


def test_the_verified_sheet_reads_back_as_what_was_decided(desk: Desk) -> None:
    read = {key_of(each.document): each for each in records(desk)}
    said: dict[tuple[str, int, str], str | None] = {
        (STUDENT[0], 1, "证书编号"): "1007642017001234",
        (STUDENT[0], 1, "出生日期"): "1997-01",
        (STUDENT[1], 1, "毕业日期"): None,
        (STUDENT[1], 1, "毕业院校"): "=SUM(A1:A9)",
        (TWO, 2, "姓名"): "欧阳·雅晓",
    }
    before = {}
    for (path, part, field), value in said.items():
        cell = CellKey(DocumentKey(path, 1, part), field)
        before[path, part, field] = read[cell.document].fields[field].value
        desk.judge(cell, value, "ann")
    taken_back = desk.judge(CellKey(DocumentKey(STUDENT[2]), "姓名"), "张雅", "ann")
    desk.undo("ann", taken_back.judgement)

    desk.export()
    file = desk.run.folder / "verified.xlsx"
    truth = load_truth(file, desk.schemas["graduation_certificate"])

    back = {
        (row.key, row.part, name): cell.value
        for row in truth.rows
        for name, cell in row.cells.items()
    }
    assert back == said
    assert truth.by == "file"
    rows = list(load_workbook(file)["who said what"].iter_rows(min_row=2, values_only=True))
    assert {(row[0], row[2], row[3]): (row[4], row[7]) for row in rows} == {
        cell: (value, "ann") for cell, value in before.items()
    }

    desk.export(language="zh")
    assert load_truth(file, desk.schemas["graduation_certificate"]).rows == truth.rows


def test_people_go_on_while_files_are_written(desk: Desk) -> None:
    cell = CellKey(DocumentKey(STUDENT[0]), "姓名")
    desk.judge(cell, "张雅晓", "ann")
    written: list[str] = []

    def meanwhile(target: str) -> None:
        if not written:
            other = threading.Thread(target=desk.judge, args=(cell, "张三", "ann"))
            other.start()
            other.join(60)
            assert not other.is_alive()
        written.append(target)

    desk.export(meanwhile)

    assert {"records.jsonl", "documents", "records.xlsx", "verified.xlsx"} <= {*written}
    truth = load_truth(desk.run.folder / "verified.xlsx", desk.schemas["graduation_certificate"])
    lines = {r.document.path: r for r in read_jsonl(desk.run.folder / "records.jsonl")}
    # All files are of one moment: the one at which writing began.
    assert lines[STUDENT[0]].fields["姓名"].value == "张雅晓"
    assert [row.cells["姓名"].value for row in truth.rows if row.cells] == ["张雅晓"]
    record = desk.record(cell.document)
    assert record is not None
    assert record.fields["姓名"].value == "张三"


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_desk_that_is_told_to_end_writes_its_files(run: Path, how: signal.Signals) -> None:
    with Desk.open(run) as desk:
        desk.judge(CellKey(DocumentKey(STUDENT[0]), "姓名"), "张雅小", "ann")
        assert desk.unwritten == 1
    with DeskProcess(run) as process:
        assert process.end(how) == 0
    assert "张雅小" in (run / "records.jsonl").read_text(encoding="utf-8")
    assert (run / "verified.xlsx").is_file()
    with Desk.open(run) as desk:
        assert not desk.unwritten
