"""Plug-ins that raise or return anything, and rows of a store that are damaged: one document's loss."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import ocr_moe
from ocr_moe.api import Options
from ocr_moe.errors import DamagedRowError, StoreError
from ocr_moe.intake.sources import discover
from ocr_moe.protocols import Ask, Document, State
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.run.outcome import Outcome
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Cost, Decision, Evidence, Reading, Status
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import find_schema, load_config
from tests.conftest import print_alone
from tests.test_interrupts import lay_out

SCHEMA = find_schema("graduation_certificate")
DOCUMENTS = 4
Wrong = Callable[[Any], Any]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("inputs"), DOCUMENTS)


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Stop(BaseException):
    """What some libraries stop their tasks with."""


def recursing(_: object) -> object:
    return recursing(_)


def raising(error: BaseException) -> Wrong:
    def wrong(good: object) -> object:
        raise error

    return wrong


RAISED: dict[str, Wrong] = {
    "error": raising(ValueError("bad luck")),
    "recursion": recursing,
    "memory": raising(MemoryError()),
    "exit": raising(SystemExit(3)),
    "base": raising(Stop("now")),
    "interrupt": raising(KeyboardInterrupt()),
    "generator": raising(GeneratorExit()),
    "wordless": raising(Wordless()),
    "surrogate": raising(ValueError("\ud800")),
    "long": raising(ValueError("x" * 10_000_000)),
}


def with_reading(**changed: Any) -> Wrong:
    def wrong(answer: Answer) -> Answer:
        first = Reading.model_construct(**{**dict(answer.readings[0]), **changed})
        readings = (first, *answer.readings[1:])
        return Answer.model_construct(**{**dict(answer), "readings": readings})

    return wrong


ANSWERS: dict[str, Wrong] = {
    "none": lambda answer: None,
    "text": lambda answer: "张三",
    "fields": lambda answer: answer.model_copy(update={"readings": answer.readings[::-1]}),
    "fewer": lambda answer: answer.model_copy(update={"readings": ()}),
    "number": with_reading(value=12),
    "lone": with_reading(value="\udc80"),
    "huge": with_reading(value="x" * 10_000_000),
    "range": with_reading(score=7.0),
    "nan": with_reading(features={"x": float("nan")}),
    "readings": lambda answer: Answer.model_construct(expert="e", readings=None, cost=answer.cost),
}


class Expert:
    """Reads every field as `x`, but for one document, of which it makes something else."""

    name = "own"

    def __init__(self, wrong: Wrong = lambda good: good) -> None:
        self.fingerprint = "own/1"
        self._wrong = wrong

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        readings = tuple(Reading(field=field.name, value="x") for field in fields)
        answer = Answer(expert=self.fingerprint, readings=readings, cost=Cost(money=0.5))
        wrong: Answer = self._wrong(answer) if document.ref.path == "001.png" else answer
        return wrong


class Gate:
    def __init__(self, wrong: Wrong = lambda good: good) -> None:
        self._wrong = wrong

    def route(self, state: State) -> Sequence[Ask]:
        asks: Sequence[Ask] = self._wrong([] if state.decisions else [Ask("own", SCHEMA.names)])
        return asks


class Combiner:
    def __init__(self, wrong: Wrong = lambda good: good) -> None:
        self._wrong = wrong

    def combine(self, state: State) -> Mapping[str, Decision]:
        decision = Decision(value="x", confidence=0.5, status=Status.ACCEPTED)
        decided: Mapping[str, Decision] = self._wrong(dict.fromkeys(SCHEMA.names, decision))
        return decided


def run(
    inputs: Path, out: Path, expert: Any, gate: Any = None, combiner: Any = None, workers: int = 2
) -> Outcome:
    config = load_config().model_copy(update={"workers": workers})
    strategy = Strategy("own", "Own", gate or Gate(), combiner or Combiner(), {"own": expert})
    workshop = Workshop(config)
    with Batch(out, workshop=workshop, strategies=[strategy], schemas=[SCHEMA]) as batch:
        outcome = batch.execute(
            discover([str(inputs / "scans")]), ocr=inputs / "pages.jsonl", update=True
        )
        batch.export()
    return outcome


def records(out: Path) -> list[dict[str, Any]]:
    lines = (out / "records.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("wrong", [*RAISED, *ANSWERS])
def test_an_expert_that_breaks_costs_its_document_only(
    inputs: Path, tmp_path: Path, wrong: str
) -> None:
    expert = Expert((RAISED | ANSWERS)[wrong])
    outcome = run(inputs, tmp_path, expert)
    assert (outcome.documents, outcome.failed) == (DOCUMENTS, 0)
    with sqlite3.connect(tmp_path / STORE) as db:
        [[told]] = db.execute("SELECT answer FROM answers WHERE failed").fetchall()
    db.close()
    answer = Answer.model_validate_json(told)
    assert {reading.field for reading in answer.readings} == set(SCHEMA.names)
    message = answer.readings[0].error
    assert message is not None
    assert message.message.startswith("unexpected error in expert own: ")
    assert len(message.message) < 3000
    assert answer.cost.money == (0.5 if wrong in ANSWERS and wrong not in ("none", "text") else 0)


DECISIONS: dict[str, Wrong] = {
    "none": lambda decided: None,
    "fewer": lambda decided: {},
    "other": lambda decided: decided | {"another": decided["姓名"]},
    "type": lambda decided: decided | {"姓名": "张三"},
    "value": lambda decided: (
        decided | {"姓名": Decision.model_construct(value=12, status="accepted")}
    ),
    "lone": lambda decided: decided | {"姓名": Decision(value="\udc80", status=Status.ACCEPTED)},
    "nan": lambda decided: (
        decided
        | {"姓名": Decision.model_construct(characters=(float("nan"),), status=Status.ACCEPTED)}
    ),
    "box": lambda decided: (
        decided
        | {
            "姓名": Decision(status=Status.ABSENT).model_copy(
                update={"evidence": Evidence.model_construct(box=(0, 0, 1, float("inf")), text="")}
            )
        }
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [*RAISED, *DECISIONS])
def test_a_combiner_that_breaks_gives_failed_documents(
    inputs: Path, tmp_path: Path, wrong: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = run(inputs, tmp_path, Expert(), combiner=Combiner((RAISED | DECISIONS)[wrong]))
    assert (outcome.documents, outcome.failed) == (DOCUMENTS, DOCUMENTS)
    for record in records(tmp_path):
        assert record["error"]["type"] == "UnexpectedError"
        assert record["error"]["message"].startswith(record["document"]["path"])


@pytest.mark.parametrize(
    "wrong",
    [
        *RAISED.values(),
        lambda asks: [Ask("own", ("姓名",))],  # for ever
        lambda asks: [Ask("nobody", ("姓名",))],
        lambda asks: [Ask("own", ("no field",))],
        lambda asks: 7,
    ],
)
def test_a_gate_that_breaks_gives_failed_documents(
    inputs: Path, tmp_path: Path, wrong: Wrong
) -> None:
    outcome = run(inputs, tmp_path, Expert(), gate=Gate(wrong))
    assert (outcome.documents, outcome.failed) == (DOCUMENTS, DOCUMENTS)


def test_an_expert_without_a_fingerprint_costs_its_answers_only(
    inputs: Path, tmp_path: Path
) -> None:
    for fingerprint in (None, 7, "\ud800"):
        expert = Expert()
        expert.fingerprint = fingerprint  # type: ignore[assignment]
        outcome = run(inputs, tmp_path / repr(fingerprint)[:4], expert)
        assert outcome.documents == DOCUMENTS


DAMAGE = {
    "cut": "substr({0}, 1, 40)",
    "empty": "''",
    "list": "'[]'",
    "number": "7",
    "bytes": "CAST(X'7b22ff' AS TEXT)",
    "type": "json_set({0}, '$.cost', 'dear', '$.lines', 1, '$.expert', 5)",
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    ("table", "column"), [("pages", "text"), ("answers", "answer"), ("records", "record")]
)
def test_a_damaged_row_is_read_anew(
    inputs: Path, tmp_path: Path, table: str, column: str, damage: str
) -> None:
    def start() -> Outcome | None:
        options = Options(
            schema=SCHEMA.name, ocr=inputs / "pages.jsonl", workers=1, config=print_alone()
        )
        return ocr_moe.extract(inputs / "scans", out=out, strategy="rules", options=options).outcome

    out = tmp_path / "run"
    start()
    before = (out / "documents" / "001.png.json").read_text().partition('"cost"')[0]
    with sqlite3.connect(out / STORE) as db:
        rows = f"SELECT {column} FROM {table} LIMIT 1"
        db.execute(
            f"UPDATE {table} SET {column} = {DAMAGE[damage].format(column)} "
            f"WHERE {column} IN ({rows})"
        )
    db.close()
    run = ocr_moe.Run(out)
    if table == "pages":
        with pytest.raises(DamagedRowError, match=r"store\.sqlite: the store is damaged, the text"):
            run.export_ocr(tmp_path / "pages.jsonl")
    else:
        with pytest.raises(DamagedRowError, match=r"damaged, (an answer|the record) .*read anew"):
            run.export(tmp_path / "documents", format="documents")
    outcome = start()
    assert outcome is not None
    # Page OCR is taken in anew with every start that names it.
    assert outcome.resumed == DOCUMENTS - (table != "pages")
    assert outcome.failed == 0
    assert run.export_ocr(tmp_path / "pages.jsonl") == DOCUMENTS
    assert outcome.asked == (table == "answers")
    after = (out / "documents" / "001.png.json").read_text().partition('"cost"')[0]
    assert after == before


@pytest.mark.parametrize("value", ["{", "[]", "7", '{"inputs": 3}', '"text"'])
def test_a_store_that_does_not_say_whose_run_it_is_is_refused(
    inputs: Path, tmp_path: Path, value: str
) -> None:
    run(inputs, tmp_path, Expert())
    with sqlite3.connect(tmp_path / STORE) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'identity'", (value,))
    db.close()
    with pytest.raises(StoreError, match=r"store\.sqlite: the store is damaged"):
        run(inputs, tmp_path, Expert())


def test_what_is_gone_from_the_inputs_is_gone_from_the_exports(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    inputs = lay_out(tmp_path / "in", DOCUMENTS)
    (inputs / "scans" / "sub").mkdir()
    (inputs / "scans" / "002.png").rename(inputs / "scans" / "sub" / "002.png")
    out = tmp_path / "out"
    run(inputs, out, Expert())
    (out / "documents" / "mine.json").write_text('{"mine": 1}')
    assert (out / "documents" / "sub" / "002.png.json").is_file()
    (inputs / "scans" / "sub" / "002.png").unlink()
    run(inputs, out, Expert())
    left = {path.name for path in (out / "documents").iterdir()}
    assert left == {"000.png.json", "001.png.json", "003.png.json", "mine.json"}
    assert len(records(out)) == DOCUMENTS - 1


@pytest.mark.parametrize(
    "name", ["../../x", "/tmp/x", "..", "store.sqlite", "documents", "a/b", "c:d"]
)
def test_no_name_of_a_strategy_leaves_the_folder(inputs: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "deep" / "down" / "out"
    workshop = Workshop(load_config())
    own = {"own": Expert()}
    strategies = [Strategy(n, n, Gate(), Combiner(), own) for n in (name, "moe")]
    with Batch(out, workshop=workshop, strategies=strategies, schemas=[SCHEMA]) as batch:
        batch.execute(discover([str(inputs / "scans")]), ocr=inputs / "pages.jsonl")
        batch.export()
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep" / "down").iterdir()] == ["out"]
    folders = [path for path in out.iterdir() if path.is_dir()]
    assert len(folders) == 2
    assert all((folder / "records.jsonl").is_file() for folder in folders)
