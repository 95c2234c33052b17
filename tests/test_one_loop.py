"""Live, resumed, replayed and laboratory runs are one loop over one rule of recall.

Random experts, gates, combiners and stores: whoever answers, decisions and costs are the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_moe.laboratory.documents import RecordedDocument
from ocr_moe.protocols import Document, Expert
from ocr_moe.routing.calibration import Logistic, Policy, PolicyExpert
from ocr_moe.routing.combiners import Agreement, Confident, Moe, Priority, Votes
from ocr_moe.routing.gates import Cascade, Fixed, Learned
from ocr_moe.routing.loop import Strategy
from ocr_moe.routing.recall import digest_fields
from ocr_moe.run.answers import NotRecordedError, StoredAnswers, course_of, record_of
from ocr_moe.run.ledger import Ledger
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.store.database import Question, Store
from ocr_moe.testing import StubDocument, StubPage, page
from ocr_moe.types import Answer, Cost, Failure, Reading, Record, Recorded
from ocr_moe.workshop.recorded import RecordedExpert

SCHEMA = Schema(
    name="licence",
    fields=(
        Field(name="名称", kind=Kind.ORGANISATION),
        Field(name="成立日期", kind=Kind.DATE),
        Field(name="代码", kind=Kind.CODE),
        Field(name="注册资本", kind=Kind.MONEY, required=False),
    ),
)
NAMES = ("rules", "text", "vision")
DOCUMENT = StubDocument(
    SCHEMA, (StubPage(page("名称 某公司").model_copy(update={"seconds": 0.25})),)
)

Said = tuple[str | None, float | None, bool]
"""A value, its score, and whether the expert broke instead."""
Script = dict[tuple[str, str], Said]


@dataclass(frozen=True)
class Scripted:
    """Says of a field what the script has, and of fields asked together something else."""

    name: str
    script: Script

    @property
    def fingerprint(self) -> str:
        return f"{self.name}/1"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        readings = [self._reading(field, len(fields)) for field in fields]
        cost = Cost(calls=1, prompt_tokens=100 + 7 * len(fields), seconds=0.5, money=0.25)
        return Answer(expert=self.fingerprint, readings=tuple(readings), cost=cost)

    def _reading(self, field: Field, together: int) -> Reading:
        value, score, broken = self.script[self.name, field.name]
        if broken:
            return Reading(field=field.name, error=Failure(type="E", message="timed out"))
        return Reading(field=field.name, value=value and f"{value}{together}", score=score)


said = st.tuples(
    st.sampled_from(["2019-06-2", "91310000", "甲", None]),
    st.none() | st.floats(0.0, 1.0),
    st.booleans(),
)
scripts = st.fixed_dictionaries({(n, f): said for n in NAMES for f in SCHEMA.names})
some = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple)
levels = st.sampled_from([None, 0.0, 0.3, 0.6, 0.9, 1.0])
fixed = st.builds(
    lambda default, kinds, on_failure, separate: Fixed(
        Fixed.Params(default=default, kinds=kinds, on_failure=on_failure, separate=separate),
        frozenset(NAMES),
    ),
    some,
    st.dictionaries(st.sampled_from(list(Kind)), some, max_size=2),
    some,
    some,
)
cascades = st.builds(
    lambda default, level, whole, separate: Cascade(
        Cascade.Params.model_validate(
            {
                "default": default,
                "ask_below": {"default": level},
                "whole": whole,
                "separate": separate,
            }
        ),
        frozenset(NAMES),
    ),
    some,
    levels,
    st.booleans(),
    some,
)
learned = st.builds(
    lambda costs, biases, price, separate: Learned(
        Learned.Params(
            policy=Policy(
                unit="tokens",
                price=price,
                experts={
                    name: PolicyExpert(
                        cost=cost, chance={str(kind): Logistic(bias=bias) for kind in Kind}
                    )
                    for name, cost, bias in zip(NAMES, costs, biases, strict=True)
                },
            ),
            separate=separate,
        ),
        frozenset(NAMES),
    ),
    st.tuples(*[st.floats(0.0, 10.0)] * 3),
    st.tuples(*[st.floats(-3.0, 3.0)] * 3),
    st.floats(0.0, 1.0),
    some,
)
gates: st.SearchStrategy[Any] = fixed | cascades | learned
combiners: st.SearchStrategy[Any] = st.sampled_from(
    [
        Priority(Priority.Params()),
        Confident(Confident.Params()),
        Agreement(Agreement.Params()),
        Votes(Votes.Params()),
        Moe(Moe.Params()),
    ]
)
questions = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.lists(st.sampled_from(SCHEMA.names), min_size=1, unique=True).map(tuple),
    ),
    max_size=6,
)


def strategy(gate: Any, combiner: Any, experts: dict[str, Expert]) -> Strategy:
    return Strategy("s", "s", gate, combiner, experts)


def run(chosen: Strategy, store: Store, ledger: Ledger | None) -> Record:
    answers = StoredAnswers(store, ledger, {}, DOCUMENT)
    return record_of(DOCUMENT, chosen, course_of(DOCUMENT, chosen, answers))


def in_laboratory(chosen: Strategy, answers: Sequence[Recorded]) -> Record:
    document = RecordedDocument(
        sha256=DOCUMENT.ref.sha256,
        page=1,
        subject=None,
        schema=SCHEMA,
        answers=tuple(answers),
        verified=frozenset(),
        judge=lambda field, value: True,
        ocr_seconds=0.25,
    )
    course = document.replay(chosen.gate, chosen.combiner)
    return Record(
        document=DOCUMENT.ref,
        schema_name=SCHEMA.name,
        strategy=chosen.name,
        fields=dict(course.decisions),
        cost=course.cost,
    )


def stored(store: Store) -> list[Recorded]:
    return store.answers(DOCUMENT.ref.sha256, 1)


@given(scripts, gates, combiners, st.data())
@settings(max_examples=80, deadline=None)
def test_live_resumed_replayed_and_laboratory_runs_agree(
    script: Script, gate: Any, combiner: Any, data: st.DataObject
) -> None:
    experts: dict[str, Expert] = {name: Scripted(name, script) for name in NAMES}
    chosen = strategy(gate, combiner, experts)
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s.sqlite") as store:
        first = Ledger()
        live = run(chosen, store, first)
        answers = stored(store)
        assert first.asked == len(answers) == live.cost.calls

        assert run(chosen, store, None) == live
        assert in_laboratory(chosen, answers) == live

        lost = data.draw(st.sets(st.sampled_from(range(len(answers)))) if answers else st.just([]))
        for index in lost:
            entry = answers[index]
            store._write(
                "DELETE FROM answers WHERE expert = ? AND question = ?",
                (entry.expert, entry.question),
            )
        if lost:
            with pytest.raises(NotRecordedError):
                run(chosen, store, None)
        again = Ledger()
        assert run(chosen, store, again) == live
        assert again.asked == len(lost)
        assert stored(store) == answers


@given(scripts, gates, combiners, questions)
@settings(max_examples=120, deadline=None)
@pytest.mark.slow
def test_a_run_on_recorded_answers_alone_is_the_laboratorys(
    script: Script, gate: Any, combiner: Any, asked: list[tuple[str, tuple[str, ...]]]
) -> None:
    """Whatever was asked then, and however the questions of now differ."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "then.sqlite") as then:
        for name, fields in asked:
            expert, declared = Scripted(name, script), SCHEMA.select(fields)
            question = Question(
                sha256=DOCUMENT.ref.sha256,
                page=1,
                fingerprint=expert.fingerprint,
                digest=digest_fields(SCHEMA.name, declared),
                expert=name,
                schema=SCHEMA.name,
                fields=fields,
            )
            then.put_answer(question, expert.read(DOCUMENT, declared))
        chosen = strategy(
            gate,
            combiner,
            {name: RecordedExpert(name, f"{name}/1", None, then) for name in NAMES},
        )
        with Store(Path(folder) / "now.sqlite") as now:
            live = run(chosen, now, Ledger())
            assert run(chosen, now, Ledger()) == live
            assert run(chosen, now, None) == live
        assert in_laboratory(chosen, stored(then)) == live
