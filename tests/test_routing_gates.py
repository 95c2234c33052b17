from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_moe.protocols import Ask, State
from ocr_moe.routing.calibration import Logistic, Policy, PolicyExpert, Weight, to_yaml
from ocr_moe.routing.combiners import Confident
from ocr_moe.routing.gates import Cascade, Fixed, Learned
from ocr_moe.routing.settings import Thresholds
from ocr_moe.routing.tuning import Tunable
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Decision, Failure, Reading, Status

SCHEMA = Schema(
    name="certificate",
    fields=(
        Field(name="姓名", kind=Kind.PERSON),
        Field(name="毕业日期", kind=Kind.DATE),
        Field(name="证书编号", kind=Kind.CODE),
    ),
)


def state(
    readings: Mapping[str, Mapping[str, Reading]] | None = None,
    confidences: Mapping[str, float | None] | None = None,
) -> State:
    decisions = {
        name: Decision(value="x", confidence=confidence, status=Status.ABSTAINED)
        for name, confidence in (confidences or {}).items()
    }
    nothing: dict[str, Mapping[str, Reading]] = {name: {} for name in SCHEMA.names}
    return State(SCHEMA, nothing | dict(readings or {}), decisions)


def said(*experts: str, error: bool = False) -> dict[str, dict[str, Reading]]:
    failure = Failure(type="ChatServerError", message="500") if error else None
    return {
        name: {
            expert: Reading(field=name, value=None if error else "x", error=failure)
            for expert in experts
        }
        for name in SCHEMA.names
    }


def test_fixed_asks_by_field_then_kind_then_default_and_groups_by_expert() -> None:
    params = Fixed.Params(
        default=("vision",), kinds={Kind.CODE: ("codes", "rules")}, fields={"姓名": ("rules",)}
    )
    gate = Fixed(params)
    assert list(gate.route(state())) == [
        Ask("rules", ("姓名", "证书编号")),
        Ask("vision", ("毕业日期",)),
        Ask("codes", ("证书编号",)),
    ]
    assert params.required == {"vision", "codes", "rules"}
    assert not gate.route(state(said("rules", "vision", "codes")))


def test_fixed_leaves_out_what_is_not_available() -> None:
    gate = Fixed(Fixed.Params(default=("vision", "rules")), frozenset({"rules"}))
    assert list(gate.route(state())) == [Ask("rules", SCHEMA.names)]


def test_fixed_asks_the_spare_expert_only_after_a_failure() -> None:
    params = Fixed.Params(default=("vision",), on_failure=("llm", "rules"))
    gate = Fixed(params)
    assert not gate.route(state(said("vision")))
    failed = said("vision", error=True)
    assert list(gate.route(state(failed))) == [Ask("llm", SCHEMA.names)]
    failed["姓名"]["llm"] = Reading(field="姓名", error=Failure(type="E", message="no"))
    failed["毕业日期"]["llm"] = Reading(field="毕业日期", value="2019-06-20")
    assert list(gate.route(state(failed))) == [
        Ask("rules", ("姓名",)),
        Ask("llm", ("证书编号",)),
    ]
    assert params.optional == {"llm", "rules"}


def test_an_expert_of_single_questions_is_asked_field_by_field() -> None:
    gate = Fixed(Fixed.Params(default=("crop",), separate=("crop",)))
    assert list(gate.route(state())) == [Ask("crop", (name,)) for name in SCHEMA.names]


CHAIN = Cascade.Params(
    default=("rules", "llm"),
    kinds={Kind.CODE: (("codes", "rules"), "llm")},
    ask_below=Thresholds(default=0.8, fields={"证书编号": 0.95}),
)


def test_a_cascade_starts_with_the_first_links() -> None:
    assert list(Cascade(CHAIN).route(state())) == [
        Ask("rules", SCHEMA.names),
        Ask("codes", ("证书编号",)),
    ]
    assert CHAIN.required == {"rules", "codes"}
    assert CHAIN.optional == {"llm"}


def test_a_cascade_stops_where_the_decision_is_sure() -> None:
    readings = said("rules")
    readings["证书编号"]["codes"] = readings["证书编号"]["rules"]
    sure = {"姓名": 0.8, "毕业日期": 0.9, "证书编号": 0.95}
    assert not Cascade(CHAIN).route(state(readings, sure))
    unsure = {**sure, "证书编号": 0.94}
    assert list(Cascade(CHAIN).route(state(readings, unsure))) == [Ask("llm", SCHEMA.names)]
    unknown = {**sure, "姓名": None}
    assert list(Cascade(CHAIN).route(state(readings, unknown))) == [Ask("llm", SCHEMA.names)]


def test_a_cascade_can_ask_for_the_fields_in_need_only() -> None:
    readings = said("rules")
    readings["证书编号"]["codes"] = readings["证书编号"]["rules"]
    confidences = {"姓名": 0.5, "毕业日期": 0.9, "证书编号": 0.99}
    gate = Cascade(CHAIN.model_copy(update={"whole": False}))
    assert list(gate.route(state(readings, confidences))) == [Ask("llm", ("姓名",))]
    apart = Cascade(CHAIN.model_copy(update={"separate": ("llm",)}))
    assert list(apart.route(state(readings, {**confidences, "毕业日期": 0.1}))) == [
        Ask("llm", ("姓名",)),
        Ask("llm", ("毕业日期",)),
    ]


def test_a_cascade_works_with_what_is_there() -> None:
    gate = Cascade(CHAIN, frozenset({"rules"}))
    assert list(gate.route(state())) == [Ask("rules", SCHEMA.names)]
    doubtful = dict.fromkeys(SCHEMA.names, 0.1)
    assert not gate.route(state(said("rules"), doubtful))


def learned(price: float = 0.0) -> Policy:
    unsure = Logistic(bias=0.0, weights={"confidence": Weight(weight=1.0)})
    return Policy(
        price=price,
        unit="tokens",
        experts={
            "rules": PolicyExpert(cost=0.0, chance={"person": Logistic(bias=1.0)}),
            "llm": PolicyExpert(
                cost=1000.0,
                chance={"person": Logistic(bias=3.0), "date": Logistic(bias=3.0), "code": unsure},
            ),
        },
    )


def test_a_learned_gate_weighs_chance_against_cost() -> None:
    cheap = Learned(Learned.Params(policy=learned()))
    assert list(cheap.route(state())) == [Ask("llm", SCHEMA.names)]
    dear = Learned(Learned.Params(policy=learned(price=0.01)))
    assert list(dear.route(state())) == [Ask("rules", ("姓名",))]


def test_a_learned_gate_stops_when_nothing_is_to_be_won() -> None:
    gate = Learned(Learned.Params(policy=learned(price=0.0005)))
    readings = {"姓名": said("rules")["姓名"]}
    sure = {"姓名": 0.99, "毕业日期": 0.99, "证书编号": 0.99}
    readings |= {name: said("other")[name] for name in ("毕业日期", "证书编号")}
    assert not gate.route(state(readings, sure))
    unsure = {**sure, "姓名": 0.2}
    assert list(gate.route(state(readings, unsure))) == [Ask("llm", SCHEMA.names)]


def test_a_learned_gate_leaves_no_field_unread() -> None:
    gate = Learned(Learned.Params(policy=learned(price=1.0)))
    readings = {"姓名": said("rules")["姓名"]}
    assert list(gate.route(state(readings, {"姓名": 0.9}))) == [
        Ask("llm", ("毕业日期", "证书编号"))
    ]


def test_a_policy_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(to_yaml(learned()), encoding="utf-8")
    params = Learned.Params.model_validate({"policy": str(path)})
    assert params.optional == {"rules", "llm"}
    assert list(Learned(params).route(state())) == [Ask("llm", SCHEMA.names)]


experts = st.sampled_from(["a", "b", "c", "d"])
chains = st.lists(experts | st.lists(experts, min_size=1, max_size=3).map(tuple), max_size=4).map(
    tuple
)
lists = st.lists(experts, max_size=4).map(tuple)


@st.composite
def gates(draw: st.DrawFn) -> Fixed | Cascade | Learned:
    available = draw(st.none() | st.frozensets(experts))
    separate = draw(lists)
    kind = draw(st.sampled_from(["fixed", "cascade", "learned"]))
    if kind == "fixed":
        return Fixed(
            Fixed.Params(
                default=draw(lists),
                fields={"姓名": draw(lists)},
                on_failure=draw(lists),
                separate=separate,
            ),
            available,
        )
    if kind == "cascade":
        threshold = draw(st.none() | st.floats(0.0, 1.0))
        return Cascade(
            Cascade.Params(
                default=draw(chains),
                kinds={Kind.CODE: draw(chains)},
                ask_below=Thresholds(default=threshold),
                whole=draw(st.booleans()),
                separate=separate,
            ),
            available,
        )
    chance = {"person": Logistic(bias=draw(st.floats(-5, 5))), "code": Logistic(bias=0.0)}
    policy = Policy(
        price=draw(st.floats(0.0, 1.0)),
        experts={
            name: PolicyExpert(cost=draw(st.floats(0.0, 10.0)), chance=chance)
            for name in draw(st.sets(experts, min_size=1))
        },
    )
    return Learned(Learned.Params(policy=policy, separate=separate), available)


def test_a_cascade_offers_thresholds_that_it_can_be_built_with() -> None:
    params = {"default": ["rules", "llm"], "ask_below": {"default": 0.8, "kinds": {"code": 0.3}}}
    cascade = Cascade(Cascade.Params.model_validate(params))
    assert isinstance(cascade, Tunable)
    variants = {each.label: each for each in cascade.variants()}
    assert list(variants)[:2] == ["never", "0.5"]
    unsure = state(said("rules"), dict.fromkeys(SCHEMA.names, 0.45))
    asked = {}
    for label, variant in variants.items():
        gate = Cascade(Cascade.Params.model_validate(params | dict(variant.changes)))
        asked[label] = [ask.expert for ask in gate.route(unsure)]
    assert asked.pop("never") == []
    assert set(map(tuple, asked.values())) == {("llm",)}
    assert variants["0.9"].title == "asks the next expert below a confidence of 0.9"
    assert not isinstance(Fixed(Fixed.Params(default=("rules",))), Tunable)


@given(gates(), st.data())
@settings(max_examples=150, deadline=None)
def test_no_gate_asks_twice_and_every_gate_comes_to_an_end(
    gate: Fixed | Cascade | Learned, data: st.DataObject
) -> None:
    combiner = Confident(Confident.Params())
    readings: dict[str, dict[str, Reading]] = {name: {} for name in SCHEMA.names}
    current = State(SCHEMA, readings)
    asked: set[tuple[str, str]] = set()
    for _ in range(4 * len(SCHEMA.names) + 1):
        asks = gate.route(current)
        assert list(gate.route(current)) == list(asks)
        if not asks:
            return
        for ask in asks:
            assert ask.fields
            for name in ask.fields:
                assert (ask.expert, name) not in asked
                asked.add((ask.expert, name))
                failed = data.draw(st.booleans())
                readings[name][ask.expert] = Reading(
                    field=name,
                    value=None if failed else data.draw(st.sampled_from(["x", "y", None])),
                    score=data.draw(st.none() | st.floats(0.0, 1.0)),
                    error=Failure(type="E", message="e") if failed else None,
                )
        current = State(SCHEMA, readings, combiner.combine(State(SCHEMA, readings)))
    pytest.fail("the gate never stops")
