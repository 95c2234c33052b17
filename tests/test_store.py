"""The store keeps everything, survives kills, and refuses what it must not touch."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ocr_moe.errors import StoreError
from ocr_moe.run.exporting import told
from ocr_moe.store.database import Question, Store, row_of
from ocr_moe.types import (
    Answer,
    Cost,
    Decision,
    DocumentRef,
    Failure,
    Judgement,
    JudgementKind,
    Line,
    PageText,
    Reading,
    Record,
    Status,
)
from ocr_moe.version import __version__

PAGE = PageText(
    engine="e1",
    width=100,
    height=50,
    rotation=90,
    lines=(Line(text="证书编号", confidence=0.9, quad=((0, 0), (1, 0), (1, 1), (0, 1))),),
    seconds=0.25,
)


def question(sha256: str = "a" * 64, fields: tuple[str, ...] = ("姓名",)) -> Question:
    return Question(sha256, 1, "rules-1", "d" + "".join(fields), "rules", "diploma", fields)


def answer(value: str | None = "张三", error: str | None = None) -> Answer:
    failure = Failure(type="ChatError", message=error) if error else None
    readings = (Reading(field="姓名", value=None if error else value, score=0.5, error=failure),)
    cost = Cost(calls=1, prompt_tokens=100, completion_tokens=10, seconds=0.1)
    return Answer(expert="rules-1", readings=readings, cost=cost, model="m")


def record(path: str, page: int = 1, status: Status = Status.ACCEPTED) -> Record:
    document = DocumentRef(path=path, sha256="a" * 64, page=page)
    fields = {"姓名": Decision(value="张三", confidence=0.9, status=status)}
    return Record(document=document, schema_name="diploma", strategy="moe", fields=fields)


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        store.put_page("a" * 64, 1, "e1", PAGE)
        store.put_answer(question(), answer())
        store.put_records(
            [row_of(record("b.jpg")), row_of(record("a.jpg", 2)), row_of(record("a.jpg"))]
        )
        store.put_page_count("a" * 64, 3)
    with Store(tmp_path / "store.sqlite", write=False) as store:
        assert store.get_page("a" * 64, 1, "e1") == PAGE
        assert store.get_page("a" * 64, 1, "e2") is None
        assert store.get_answer(question()) == answer()
        assert store.get_answer(question(fields=("姓名", "性别"))) is None
        assert store.get_page_count("a" * 64) == 3
        found = [(r.document.path, r.document.page) for r in store.records("moe")]
        assert found == [("a.jpg", 1), ("a.jpg", 2), ("b.jpg", 1)]
        assert store.recorded_experts() == {"rules": ("rules-1", "m")}
        assert store.mean_tokens("rules") == (100, 10)


def test_records_are_streamed_in_order_beyond_one_batch(tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        store.put_records([row_of(record(f"{i:04}.jpg")) for i in range(1203)])
        records = store.records("moe")
        assert len(list(records)) == 1203
        assert [r.document.path for r in records] == sorted(f"{i:04}.jpg" for i in range(1203))


def test_settled_records_stand_before_those_decided_alone(tmp_path: Path) -> None:
    surer = record("a.jpg").model_copy(update={"schema_name": "settled"})
    with Store(tmp_path / "store.sqlite") as store:

        def schemas(*, alone: bool = False) -> list[str | None]:
            return [each.schema_name for each in store.records("moe", alone=alone)]

        store.put_records([row_of(record("a.jpg")), row_of(record("b.jpg"))])
        assert store.put_settled("moe", [surer], "so") == 1
        assert schemas() == ["settled", "diploma"]
        assert schemas(alone=True) == ["diploma", "diploma"]
        store.put_records([row_of(record("a.jpg"))])  # decided anew: what others said of it is old
        assert schemas() == ["diploma", "diploma"]
        store.put_settled("moe", [surer], "so")
        store.put_settled("moe", [], "so")
        assert schemas() == ["diploma", "diploma"]
        store.put_settled("moe", [surer], "so")
        store.sign({}, clear_records=True)
        assert schemas() == []


def test_how_records_were_settled_is_known_until_they_change(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        written = [record("a.jpg"), record("b.jpg", status=Status.FAILED)]
        store.put_records([row_of(each) for each in written])
        assert not store.is_settled("moe", "so")
        changes: list[Callable[[], object]] = [
            lambda: store.put_records([row_of(written[0])]),
            lambda: store.replace_records(["b.jpg"], [row_of(written[1])]),
            store.forget_failures,
            lambda: store.sign({}, clear_records=True),
        ]
        for change in changes:
            store.put_settled("moe", [], "so")
            store.put_settled("other", [], "otherwise")
            assert store.is_settled("moe", "so")
            assert store.is_settled("other", "otherwise")
            assert not store.is_settled("moe", "otherwise")
            change()
            assert not store.is_settled("moe", "so")
            assert not store.is_settled("other", "otherwise")
        store.put_records([row_of(each) for each in written])
        store.put_settled("moe", [], "so")
        store.sign({}, clear_records=False)
        store.drop_damaged()
        assert store.is_settled("moe", "so")
    with sqlite3.connect(path) as db:  # whoever else writes
        db.execute("DELETE FROM records WHERE path = 'a.jpg'")
    db.close()
    with Store(path) as store:
        assert not store.is_settled("moe", "so")


def test_judgements_are_the_same_however_often_they_were_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    document = record("a.jpg").document
    with Store(path) as store, Store(path, write=False) as reader:
        for number in range(1, 7):
            said = Judgement(field="姓名", value=str(number), reviewer="li", at="2026")
            undoes = {3: 1, 5: 4}.get(number)
            if undoes is not None:
                said = Judgement(kind=JudgementKind.UNDO, field="姓名", reviewer="li", at="2026")
            store.put_judgement(document, said, undoes=undoes)
            with Store(path, write=False) as fresh:
                for after in range(number + 1):
                    found = fresh.judgements(after=after)
                    assert [each.id for each in found] == list(range(after + 1, number + 1))
                    assert store.judgements(after=after) == found
                    assert reader.judgements(after=after) == found
        assert [each.id for each in store.judgements() if each.undone] == [1, 4]


def test_failures_are_forgotten_with_all_pages_of_the_file(tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        store.put_answer(question(), answer(error="429"))
        store.put_answer(question("b" * 64), answer())
        written = [record("a.pdf", 1), record("a.pdf", 2, Status.FAILED), record("b.jpg")]
        store.put_records([row_of(each) for each in written])
        assert store.forget_failures() == 1
        assert store.finished_paths(["moe"]) == {"b.jpg"}
        assert store.get_answer(question()) is None
        assert store.get_answer(question("b" * 64)) is not None


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store.put_answer(question(), answer())
        code = (
            "import sys; from pathlib import Path; from ocr_moe.store.database import Store\n"
            "Store(Path(sys.argv[1]))"
        )
        second = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True
        )
        assert second.returncode != 0
        assert "another process is writing this run" in second.stderr
        with Store(path, write=False) as reader:
            assert reader.get_answer(question()) == answer()
    Store(path).close()


def test_other_versions_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"version 99.*upgrade ocr-moe"):
        Store(path)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 0")
    with pytest.raises(StoreError, match=r"not a store of ocr_moe.*another --out"):
        Store(path)
    with sqlite3.connect(tmp_path / "other.sqlite") as db:
        db.execute("CREATE TABLE meta (key, value)")
        db.execute("PRAGMA user_version = 1")
    before = (tmp_path / "other.sqlite").read_bytes()
    with pytest.raises(StoreError, match="of another program"):
        Store(tmp_path / "other.sqlite")
    assert (tmp_path / "other.sqlite").read_bytes() == before
    assert not (tmp_path / "other.sqlite.lock").exists()
    (tmp_path / "prose.sqlite").write_text("not a database, but long enough to look at" * 50)
    with pytest.raises(StoreError, match="not a store"):
        Store(tmp_path / "prose.sqlite")
    with pytest.raises(StoreError, match="no such store"):
        Store(tmp_path / "nowhere.sqlite", write=False)


def test_a_file_that_was_still_to_become_a_store_becomes_one(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with sqlite3.connect(path) as db:  # what a kill right at the start leaves
        db.execute("PRAGMA journal_mode = WAL")
    db.close()
    assert path.stat().st_size > 0
    with pytest.raises(StoreError, match="no such store"):
        Store(path, write=False)
    with Store(path) as store:
        assert store.get_meta("created_by") == __version__


def test_a_page_that_is_damaged_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        for number in range(400):
            store.put_answer(question(f"{number:064}"), answer("张" * 200))
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    with (
        Store(path, write=False) as store,
        pytest.raises(StoreError, match=r"store\.sqlite.*malformed"),
    ):
        store.strategies()


def test_answers_of_some_experts_are_copied_and_the_store_is_one_file(tmp_path: Path) -> None:
    other = replace(question("b" * 64), expert="page_llm", fingerprint="llm-1")
    with Store(tmp_path / "run.sqlite") as run, Store(tmp_path / "kept.sqlite") as kept:
        run.put_answer(question(), answer())
        run.put_answer(other, answer("李四"))
        run.put_answer(replace(other, sha256="c" * 64), answer(error="429"))
        assert run.copy_answers(kept, ["page_llm", "vision"]) == 1
        kept.pack()
    with sqlite3.connect(tmp_path / "run.sqlite") as db:
        whole = db.execute("SELECT * FROM answers WHERE sha256 = ?", (other.sha256,)).fetchall()
    with sqlite3.connect(tmp_path / "kept.sqlite") as db:
        assert db.execute("SELECT * FROM answers").fetchall() == whole
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_threads_share_a_store(tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:

        def write(worker: int) -> None:
            for i in range(50):
                store.put_answer(question(f"{worker}-{i}"), answer(f"{worker}-{i}"))

        threads = [threading.Thread(target=write, args=(worker,)) for worker in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for worker in range(6):
            for i in range(50):
                assert store.get_answer(question(f"{worker}-{i}")) == answer(f"{worker}-{i}")


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_what_was_written_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    code = (
        "import sys; from pathlib import Path; from ocr_moe.store.database import Store\n"
        "store = Store(Path(sys.argv[1])); i = 0\n"
        "while True:\n"
        "    store.put_page_count(f'{i}', i); print(i, flush=True); i += 1\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 200:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with Store(path) as store:
        assert [store.get_page_count(str(i)) for i in range(200)] == list(range(200))


def test_a_store_in_a_read_only_folder_can_be_replayed(tmp_path: Path) -> None:
    folder = tmp_path / "shipped"
    with Store(folder / "store.sqlite") as store:
        store.put_answer(question(), answer())
    (folder / "store.sqlite.lock").unlink()
    folder.chmod(0o555)
    try:
        with Store(folder / "store.sqlite", write=False) as store:
            assert store.get_answer(question()) == answer()
        assert sorted(p.name for p in folder.iterdir()) == ["store.sqlite"]
    finally:
        folder.chmod(0o755)


def test_what_a_run_says_of_itself_is_of_its_type_or_the_store_is_damaged(tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        store.set_meta("titles", {"moe": "MOE"})
        assert told(store, "titles", dict[str, str], {}) == {"moe": "MOE"}
        assert told(store, "skipped", dict[str, str], {}) == {}
        for garbage in ([1], "x", {"moe": {"a": 1}}, 2**70):
            store.set_meta("titles", garbage)
            with pytest.raises(StoreError, match=r"store\.sqlite: the store is damaged.*'titles'"):
                told(store, "titles", dict[str, str], {})


def test_a_record_under_another_name_than_its_own_does_not_go_on_for_ever(tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        for path in ("b.jpg", "c.jpg"):
            record = Record(
                document=DocumentRef(path="a.jpg", sha256="0"),
                schema_name="diploma",
                strategy="moe",
                fields={},
            )
            store.put_records([row_of(record)._replace(path=path)])
        with pytest.raises(StoreError, match="the store is damaged"):
            list(store.records("moe"))
