"""Stores of version 1, as ocr_moe 0.1.0 left them, under today's code.

`tests/data/stores` holds the store of an `extract` with the strategy `rules` and that of a `compare`
with recorded answers of a text LLM, both of two of the synthetic samples; the records of the former;
and page OCR of these two and a third sample.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

import ocr_moe
from ocr_moe.api import Options, evaluate
from ocr_moe.errors import StoreError
from ocr_moe.exports.jsonl import read_jsonl, record_to_json
from ocr_moe.formats.yamlfile import write_yaml
from ocr_moe.routing.recall import digest_fields
from ocr_moe.run.batch import STORE
from ocr_moe.schema import Schema
from ocr_moe.settings import Component
from ocr_moe.store import migrations
from ocr_moe.store.database import Store
from ocr_moe.store.migrations import STEPS, VERSION
from ocr_moe.version import __version__
from ocr_moe.workshop.config import Config, StrategyConfig, find_schema, load_config
from tests.conftest import SAMPLES, Command

OLD = Path(__file__).parent / "data" / "stores"
PAGES = OLD / "pages.v1.jsonl"
CERTIFICATES = SAMPLES / "graduation_certificate"
FIRST = ("彭鑫涵_本科_学位证书.jpg", "王恒文_本科_毕业证书.jpg")
FURTHER = "王旭航_本科_学位证书.jpg"
MODEL = "qwen2.5-coder-1.5b-instruct"


def tables(path: Path) -> dict[str, list[Any]]:
    """All that the tables of a store hold, read without ocr_moe."""
    with sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True) as db:
        names = ("meta", "files", "pages", "answers", "records")
        found = {
            name: db.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names
        }
    db.close()
    return found


def with_regions(found: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The tables of version 2 in those of version 3: every document has its page to itself."""
    return found | {
        "pages": [(*row[:2], "", *row[2:]) for row in found["pages"]],
        "answers": [(*row[:2], "", *row[2:]) for row in found["answers"]],
        "records": [(*row[:3], 1, *row[3:]) for row in found["records"]],
    }


def version_of(path: Path) -> int:
    with sqlite3.connect(path) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
    db.close()
    return int(version)


def kept_run(folder: Path, name: str) -> Path:
    """A run of version 1, just as it was left."""
    folder.mkdir()
    shutil.copy(OLD / f"{name}.v1.sqlite", folder / STORE)
    return folder


def old_run(folder: Path, name: str) -> Path:
    """A run of version 1, with the shipped schemas and engines as they are declared today: what changed
    in them since is no matter of the store."""
    kept_run(folder, name)
    with sqlite3.connect(folder / STORE) as db:
        [[written]] = db.execute("SELECT value FROM meta WHERE key = 'schemas'")
        today = [find_schema(each["name"]).model_dump(mode="json") for each in json.loads(written)]
        text = json.dumps(today, ensure_ascii=False)
        db.execute("UPDATE meta SET value = ? WHERE key = 'schemas'", (text,))
        [[written]] = db.execute("SELECT value FROM meta WHERE key = 'identity'")
        identity, now = json.loads(written), load_config().model_dump(mode="json")
        identity["pages"] |= {key: now[key] for key in ("ocr", "engines")}
        text = json.dumps(identity, ensure_ascii=False)
        db.execute("UPDATE meta SET value = ? WHERE key = 'identity'", (text,))
    db.close()
    return folder


def scans(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        shutil.copy(CERTIFICATES / name, folder / name)
    return folder


def as_it_was(folder: Path) -> Config:
    """The configuration with a run's strategies, engines and schemas as its store holds them: what ships
    goes on changing."""
    with Store(folder / STORE, write=False) as store:
        identity = store.get_meta("identity")
        schemas = store.get_meta("schemas")
    for schema in schemas:
        for field in schema["fields"]:
            if not field["fallbacks"]:  # written down, that is a wish of somebody's
                del field["fallbacks"]
        text = write_yaml(schema)
        (folder / f"{schema['name']}.yaml").write_text(text, encoding="utf-8")
    now = load_config()
    chosen = identity["strategies"]["chosen"].items()
    strategies = {name: StrategyConfig.model_validate(was) for name, was in chosen}
    engines = {n: Component.model_validate(was) for n, was in identity["pages"]["engines"].items()}
    own = tuple(str(folder / f"{schema['name']}.yaml") for schema in schemas)
    return now.model_copy(
        update={
            "strategies": {**now.strategies, **strategies},
            "ocr": identity["pages"]["ocr"],
            "engines": {**now.engines, **engines},
            "schemas": own,
        }
    )


def whole_answers(folder: Path) -> set[Any]:
    """The answers of a migrated run about whole pages, in the columns of version 1."""
    found = tables(folder / STORE)["answers"]
    return {(*row[:2], *row[3:]) for row in found if row[2] == ""}


def small_truth(path: Path, *files: str) -> Path:
    """The rows of the shipped verified sheet that are about these files."""
    shipped = openpyxl.load_workbook(CERTIFICATES / "verified.xlsx").active
    heading, *rows = shipped.iter_rows(values_only=True)
    book = openpyxl.Workbook()
    book.active.append(heading)
    for row in rows:
        if set(files) & set(row):
            book.active.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize("name", ["extract", "compare"])
def test_opening_for_writing_migrates_and_keeps_everything(tmp_path: Path, name: str) -> None:
    path = old_run(tmp_path / "run", name) / STORE
    before = with_regions(tables(path))
    with Store(path) as store:
        assert store.get_meta("created_by") == "0.1.0"
        assert store.get_meta("provenance") is None
        inputs = list(store.inputs)
    after = tables(path)
    assert version_of(path) == VERSION
    meta_before, meta_after = dict(before.pop("meta")), dict(after.pop("meta"))
    assert after == before
    assert before["answers"]
    said = json.loads(meta_before.pop("provenance"))
    assert json.loads(meta_after.pop("origins")) == {
        strategy: {"recorded": [MODEL]} for strategy in said
    }
    assert bool(said) == (name == "compare")
    meta_after.pop("created_by")
    places = json.loads(meta_before.pop("files", "{}"))
    before_identity = json.loads(meta_before.pop("identity"))
    hashes = before_identity.pop("inputs")
    assert [(row.path, row.sha256) for row in inputs] == sorted(hashes.items())
    assert [row.place for row in inputs] == [places.get(row.path, row.path) for row in inputs]
    assert {row.state for row in inputs} == {None}
    assert json.loads(meta_after.pop("identity")) == before_identity
    assert meta_after == meta_before


def test_a_sentence_on_several_models_becomes_their_names(tmp_path: Path) -> None:
    path = old_run(tmp_path / "run", "compare") / STORE
    said = {
        "moe": "recorded answers of a; recorded answers of b: c",
        "two": "recorded answers of d",
    }
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'provenance'", (json.dumps(said),))
    db.close()
    with Store(path, write=False) as store:
        assert store.get_meta("origins") == {
            "moe": {"recorded": ["a", "b: c"]},
            "two": {"recorded": ["d"]},
        }


def test_a_fresh_store_is_a_migrated_one(tmp_path: Path) -> None:
    def tables_of(path: Path) -> list[Any]:
        with sqlite3.connect(path) as db:
            made = [
                (name, " ".join(sql.split()))
                for name, sql in db.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
            ]
            made.append(db.execute("PRAGMA application_id").fetchone())
        db.close()
        return made

    old = old_run(tmp_path / "run", "extract") / STORE
    Store(old).close()
    with Store(tmp_path / "new.sqlite") as store:
        assert store.get_meta("created_by") == __version__
    assert version_of(tmp_path / "new.sqlite") == VERSION
    assert tables_of(old) == tables_of(tmp_path / "new.sqlite")


def test_reading_an_old_store_does_not_touch_it(tmp_path: Path) -> None:
    folder = old_run(tmp_path / "run", "compare")
    before = (folder / STORE).read_bytes()
    folder.chmod(0o555)
    (folder / STORE).chmod(0o444)
    try:
        with Store(folder / STORE, write=False) as store:
            assert store.get_meta("origins")["moe"] == {"recorded": [MODEL]}
            assert store.get_meta("created_by") == "0.1.0"
            assert len(list(store.records("moe"))) == 2
            with store.snapshot():
                assert store.get_meta("titles")["moe"] == "MOE"
        assert [file.name for file in folder.iterdir()] == [STORE]
    finally:
        folder.chmod(0o755)
    assert (folder / STORE).read_bytes() == before


def test_the_shipped_recorded_answers_can_be_read_by_any_version_of_the_program() -> None:
    assert version_of(SAMPLES / "recorded.sqlite") == 1
    with Store(SAMPLES / "recorded.sqlite", write=False) as store:
        assert set(store.recorded_experts()) == {"ocr_page_llm", "ocr_crop_llm"}


_KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from ocr_moe.store import migrations
from ocr_moe.store.database import Store

made, step, *later = migrations.STEPS

def killed(db):
    if not db.in_transaction:
        return step.run(db)  # the rehearsal
    db.execute("PRAGMA cache_size = 1")
    step.run(db)
    db.execute("UPDATE answers SET answer = 'half'")
    os.kill(os.getpid(), signal.SIGKILL)

migrations.STEPS = (made, replace(step, run=killed), *later)
Store(Path(sys.argv[1]))
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_process_killed_half_way_leaves_the_old_store(tmp_path: Path, journal: str) -> None:
    path = old_run(tmp_path / "run", "compare") / STORE
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA journal_mode = {journal}")
    db.close()
    before = tables(path)
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(path)], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert version_of(path) == 1
    assert tables(path) == before
    with Store(path, write=False) as store:
        assert store.get_meta("origins")["moe"] == {"recorded": [MODEL]}
    with Store(path) as store:
        assert store.get_meta("origins")["moe"] == {"recorded": [MODEL]}
    assert version_of(path) == VERSION
    assert tables(path)["answers"] == with_regions(before)["answers"]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def scribbled(content: bytes) -> bytes:
    return content[:20480] + b"\xff" * 8192 + content[28672:]


def meta_broken(content: bytes) -> bytes:
    return content.replace(b'{"moe": "recorded answers', b'["moe", "recorded answers')


@pytest.mark.parametrize("damage", [cut, scribbled, meta_broken])
@pytest.mark.parametrize("write", [True, False])
def test_a_damaged_store_is_refused_and_stays_as_it_is(
    tmp_path: Path, damage: Any, write: bool
) -> None:
    path = old_run(tmp_path / "run", "compare") / STORE
    damaged = damage(path.read_bytes())
    assert damaged != (OLD / "compare.v1.sqlite").read_bytes()
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match=r"store\.sqlite: the store is damaged .* stays as it is"):
        Store(path, write=write)
    assert path.read_bytes() == damaged
    assert [file.name for file in path.parent.iterdir()] == [STORE]


def test_a_step_that_fails_leaves_the_steps_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM answers")
        raise ValueError("no such value")

    path = old_run(tmp_path / "run", "compare") / STORE
    before = path.read_bytes()
    later = migrations.Step(VERSION + 1, breaks, changes=("answers",))
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", (*STEPS, later))
        patch.setattr(migrations, "VERSION", VERSION + 1)
        with pytest.raises(StoreError, match=r"no such value"):
            Store(path)
        assert path.read_bytes() == before
    with Store(path) as store:
        assert len(store.recorded_experts()) == 4


def test_a_step_may_make_tables_and_indexes_and_widen_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looks(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE looks (path TEXT, who TEXT NOT NULL)")
        db.execute("INSERT INTO looks SELECT path, 'nobody' FROM records")

    def asked(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE answers ADD COLUMN asked TEXT NOT NULL DEFAULT 'once'")
        db.execute("CREATE INDEX asked ON answers (asked)")
        db.execute("ALTER TABLE looks ADD COLUMN day TEXT")

    path = old_run(tmp_path / "run", "compare") / STORE
    before = path.read_bytes()
    later = (
        migrations.Step(VERSION + 1, looks),
        migrations.Step(VERSION + 2, asked, changes=("answers", "looks")),
    )
    monkeypatch.setattr(migrations, "STEPS", (*STEPS, *later))
    monkeypatch.setattr(migrations, "VERSION", VERSION + 2)
    statements = (
        "SELECT path, who, day FROM looks ORDER BY path",
        "SELECT sha256, asked FROM answers ORDER BY sha256, fingerprint, question",
    )
    with Store(path, write=False) as store:
        seen = [store._rows(statement) for statement in statements]
        assert len(store.recorded_experts()) == 4
    assert all(seen)
    assert path.read_bytes() == before
    with Store(path) as store:
        assert [store._rows(statement) for statement in statements] == seen
    assert version_of(path) == VERSION + 2


def test_a_later_version_is_refused_and_not_touched(tmp_path: Path, ocr_moe: Command) -> None:
    folder = tmp_path / "run"
    Store(folder / STORE).close()
    with sqlite3.connect(folder / STORE) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    (folder / f"{STORE}.lock").unlink()
    before = (folder / STORE).read_bytes()
    for command in (
        ("extract", CERTIFICATES / FIRST[0], "--out", folder),
        ("export", folder, "--records", tmp_path / "records.jsonl"),
    ):
        done = ocr_moe(*command)
        assert done.status == 2
        assert f"a store of version {VERSION + 1}" in done.err
        assert "upgrade ocr-moe" in done.err
    assert (folder / STORE).read_bytes() == before
    assert [file.name for file in folder.iterdir()] == [STORE]


def test_an_old_run_is_exported(tmp_path: Path) -> None:
    run = ocr_moe.Run(old_run(tmp_path / "run", "extract"))
    assert run.export(tmp_path / "records.jsonl") == 2
    written = list(read_jsonl(OLD / "records.v1.jsonl"))
    again = [
        json.loads(line) for line in (tmp_path / "records.jsonl").read_text("utf-8").splitlines()
    ]
    for line in again:
        line["cost"]["ocr_seconds"] = 0.0  # the lines of version 0.1.0 did not tell
    assert again == [record_to_json(record) for record in written]
    assert run.export(tmp_path / "documents", format="documents") == 2
    for name in FIRST:
        document = json.loads((tmp_path / "documents" / f"{name}.json").read_text("utf-8"))
        assert [answer["expert"] for answer in document["answers"]] == ["rules"]
    assert run.export(tmp_path / "records.xlsx", format="xlsx") == 2
    assert run.export_ocr(tmp_path / "pages.jsonl") == 2
    assert list(run.to_frame()["path"]) == list(FIRST)


@pytest.mark.slow
def test_an_old_run_is_evaluated(tmp_path: Path) -> None:
    folder = old_run(tmp_path / "run", "compare")
    before = (folder / STORE).read_bytes()
    scores = evaluate(folder, small_truth(tmp_path / "verified.xlsx", *FIRST))
    for name in ("moe", "ocr_page_llm", "ocr_crop_llm", "rules"):
        assert scores.strategies[name].n_documents == 2
    assert scores.strategies["moe"].origin.recorded == (MODEL,)
    assert scores.strategies["rules"].origin.recorded == ()
    assert scores.strategies["moe"].perfect == 0.5
    assert f"recorded answers of {MODEL}" in (folder / "report.html").read_text("utf-8")
    assert (folder / STORE).read_bytes() == before


@pytest.mark.slow
def test_an_old_run_goes_on_and_takes_a_further_document(tmp_path: Path) -> None:
    folder = kept_run(tmp_path / "run", "extract")
    before = tables(folder / STORE)
    config = as_it_was(folder)
    options = Options(schema="graduation_certificate", config=config)
    same = ocr_moe.extract(
        scans(tmp_path / "scans", *FIRST), out=folder, strategy="rules", options=options
    )
    assert same.outcome is not None
    assert (same.outcome.resumed, same.outcome.asked) == (2, 0)
    after = tables(folder / STORE)["records"]
    assert [(*row[:3], *row[4:]) for row in after] == before["records"]  # and each is part 1
    more = replace(options, update=True, ocr=PAGES)
    further = ocr_moe.extract(
        scans(tmp_path / "more", *FIRST, FURTHER), out=folder, strategy="rules", options=more
    )
    assert further.outcome is not None
    assert (further.outcome.documents, further.outcome.failed) == (3, 0)
    assert set(before["answers"]) <= whole_answers(folder)
    with further.records() as records:
        assert [record.fields["姓名"].value for record in records] == ["彭鑫涵", "王倾文", "王旭航"]


@pytest.mark.slow
def test_answers_that_were_paid_for_are_not_asked_for_again(tmp_path: Path) -> None:
    """The text LLM is not configured: what it said stands in the old store only."""
    folder = kept_run(tmp_path / "run", "compare")
    before = tables(folder / STORE)
    config = as_it_was(folder)
    run, scores = ocr_moe.compare(
        scans(tmp_path / "scans", *FIRST, FURTHER),
        small_truth(tmp_path / "verified.xlsx", *FIRST, FURTHER),
        out=folder,
        strategies=["ocr_page_llm"],
        options=Options(
            config=config, update=True, ocr=PAGES, recorded=SAMPLES / "recorded.sqlite"
        ),
    )
    assert run.outcome is not None
    assert run.outcome.asked == 1, "only the further document's"
    assert set(before["answers"]) < whole_answers(folder)
    was = {
        (path, name): decision["value"]
        for strategy, path, _, _, record in before["records"]
        if strategy == "ocr_page_llm"
        for name, decision in json.loads(record)["fields"].items()
    }
    with run.records("ocr_page_llm") as records:
        now = {(r.document.path, n): d.value for r in records for n, d in r.fields.items()}
    assert {key: now[key] for key in was} == was
    assert scores.strategies["ocr_page_llm"].n_documents == 3


@pytest.mark.parametrize("name", ["extract", "compare"])
def test_a_question_about_fields_that_did_not_change_is_the_same_question(name: str) -> None:
    """Whoever adds a key to declarations and forgets those who do without it has their paid answers
    asked for again."""
    with sqlite3.connect(f"{(OLD / f'{name}.v1.sqlite').as_uri()}?mode=ro", uri=True) as db:
        [[written]] = db.execute("SELECT value FROM meta WHERE key = 'schemas'")
        asked = db.execute("SELECT DISTINCT question, schema, fields FROM answers").fetchall()
    db.close()
    schemas = {each["name"]: Schema.model_validate(each) for each in json.loads(written)}
    assert asked
    for question, schema, fields in asked:
        assert digest_fields(schema, schemas[schema].select(json.loads(fields))) == question
