from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_moe.codes.grammar import CodeGrammar, Segment
from ocr_moe.odds import logit
from ocr_moe.protocols import State
from ocr_moe.routing.calibration import Calibration, Logistic, Weight
from ocr_moe.routing.combiners import (
    Agreement,
    Confident,
    FieldCombiner,
    Moe,
    Priority,
    Votes,
)
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Decision, Evidence, Failure, Reading, Status

COMBINERS = (Priority, Confident, Agreement, Votes, Moe)

SCHEMA = Schema(
    name="licence",
    fields=(
        Field(name="名称", kind=Kind.ORGANISATION),
        Field(name="类型", kind=Kind.ENUM, values={"甲": (), "乙": ()}),
        Field(name="成立日期", kind=Kind.DATE),
        Field(
            name="代码",
            kind=Kind.CODE,
            grammars=(CodeGrammar(name="six", segments=(Segment(length=6),)),),
        ),
        Field(name="注册资本", kind=Kind.MONEY, required=False),
    ),
)


def reading(value: str | None, score: float | None = 0.8, **more: object) -> Reading:
    return Reading(field="?", value=value, score=score, **more)  # type: ignore[arg-type]


def broken(message: str = "timed out") -> Reading:
    return Reading(field="?", error=Failure(type="ChatConnectionError", message=message))


def combine(combiner: FieldCombiner, field: str, readings: Mapping[str, Reading]) -> Decision:
    return combiner.combine(State(SCHEMA, {field: readings}))[field]


def test_every_field_of_the_schema_has_a_decision() -> None:
    decisions = Priority(Priority.Params()).combine(
        State(SCHEMA, {"名称": {"rules": reading("某公司")}})
    )
    assert tuple(decisions) == SCHEMA.names
    assert decisions["代码"].status is Status.FAILED
    assert decisions["代码"].notes == ("no expert that reads this field could be asked",)


def test_priority_takes_the_first_expert_that_has_a_value() -> None:
    combiner = Priority(
        Priority.Params(order=("vision", "rules"), kinds={Kind.CODE: ("codes", "vision")})
    )
    said = {"rules": reading("甲公司", 0.99), "vision": reading("乙公司", 0.1)}
    assert combine(combiner, "名称", said).value == "乙公司"
    assert combine(combiner, "名称", {**said, "vision": reading(None)}).value == "甲公司"
    assert combine(combiner, "名称", {**said, "vision": broken()}).value == "甲公司"
    codes = {"vision": reading("123456"), "codes": reading("123457")}
    assert combine(combiner, "代码", codes).value == "123457"
    assert combine(combiner, "代码", {"x": reading("1"), "y": reading("2")}).value == "1"


def test_agreement_takes_the_most_common_value_and_breaks_ties_by_score() -> None:
    combiner = Agreement(Agreement.Params())
    three = {"a": reading("甲", 0.5), "b": reading("乙", 0.99), "c": reading("甲", 0.5)}
    decision = combine(combiner, "类型", three)
    assert (decision.value, decision.experts) == ("甲", ("a", "c"))
    assert combine(combiner, "类型", {k: three[k] for k in "ab"}).value == "乙"


def test_confident_compares_experts_on_the_calibrated_scale() -> None:
    braggart = Logistic(
        bias=0.0,
        weights={"llm.score": Weight(weight=0.1), "rules.score": Weight(weight=1.0)},
    )
    said = {"llm": reading("2019-06-26", 0.99), "rules": reading("2019-06-20", 0.9)}
    plain = Confident(Confident.Params())
    fitted = Confident(Confident.Params(), Calibration(models={Kind.DATE: braggart}))
    assert combine(plain, "成立日期", said).value == "2019-06-26"
    assert combine(fitted, "成立日期", said).value == "2019-06-20"


def test_votes_put_a_string_together_that_no_expert_has() -> None:
    said = {"a": reading("123956"), "b": reading("723456"), "c": reading("123450")}
    decision = combine(Votes(Votes.Params()), "代码", said)
    assert decision.value == "123456"
    assert decision.experts == ("a", "b", "c")
    assert len(decision.characters) == 6
    assert decision.characters[1] > decision.characters[0]
    assert "a reads 123956" in decision.notes


def test_votes_never_make_an_impossible_value() -> None:
    votes = Votes(Votes.Params())
    dates = {
        "a": reading("2019-02-10", 0.8),
        "b": reading("2019-03-30", 0.81),
        "c": reading("2018-02-30", 0.8),
    }
    assert combine(votes, "成立日期", dates).value in {r.value for r in dates.values()}
    enums = {"a": reading("甲", 0.5), "b": reading("乙", 0.6)}
    assert combine(votes, "类型", enums).value == "乙"
    codes = {"a": reading("12345"), "b": reading("1234567"), "c": reading("1234567")}
    assert combine(votes, "代码", codes).value == "1234567"


def test_the_weights_of_votes_come_from_the_parameters_or_the_calibration() -> None:
    said = {"a": reading("甲"), "b": reading("乙"), "c": reading("乙")}
    calibration = Calibration(weights={Kind.ENUM: {"a": 5.0}})
    assert combine(Votes(Votes.Params()), "类型", said).value == "乙"
    assert combine(Votes(Votes.Params(), calibration), "类型", said).value == "甲"
    own = Votes.Params(kinds={Kind.ENUM: {"a": 0.1}})
    assert combine(Votes(own, calibration), "类型", said).value == "乙"


@pytest.mark.parametrize("cls", COMBINERS)
def test_an_expert_that_broke_is_not_a_wrong_value(cls: type[Moe]) -> None:
    combiner = cls(cls.Params())
    failed = combine(combiner, "名称", {"llm": broken("401"), "rules": broken("no text")})
    assert (failed.status, failed.value, failed.confidence) == (Status.FAILED, None, None)
    assert failed.notes == ("llm could not answer: 401", "rules could not answer: no text")
    half = combine(combiner, "名称", {"llm": broken("401"), "rules": reading("甲公司")})
    assert half.value == "甲公司"
    assert half.notes == ("llm could not answer: 401",)
    assert half.experts == ("rules",)


@pytest.mark.parametrize("cls", COMBINERS)
def test_nothing_found_is_absent_only_where_that_is_likely(cls: type[Moe]) -> None:
    combiner = cls(cls.Params())
    sure = {"rules": reading(None, 0.8), "llm": reading(None, None)}
    assert combine(combiner, "注册资本", sure).status is Status.ABSENT
    assert combine(combiner, "名称", sure).status is Status.ABSTAINED
    assert combine(combiner, "注册资本", {"rules": reading(None, 0.05)}).status is Status.ABSTAINED
    unsure = combine(combiner, "注册资本", {"rules": reading(None, 0.8), "llm": broken()})
    assert unsure.status is Status.ABSTAINED
    assert unsure.confidence is not None


def test_what_every_document_should_have_is_never_called_absent_unseen() -> None:
    certain = Calibration(absence=Logistic(bias=9.0))
    combiner = Moe(Moe.Params(), calibration=certain)
    nothing = {"rules": reading(None, 0.9)}
    assert combine(combiner, "注册资本", nothing).status is Status.ABSENT
    required = combine(combiner, "名称", nothing)
    assert required.status is Status.ABSTAINED
    assert required.confidence == 0.5


def test_an_optional_field_that_one_weak_reading_invents_is_left_empty() -> None:
    said = {
        "rules": reading(None, 0.9),
        "vision": reading(None, 0.9),
        "llm": reading("100万元", 0.01),
    }
    decision = combine(Moe(Moe.Params()), "注册资本", said)
    assert decision.value is None
    assert decision.notes == ("llm reads 100万元",)
    assert combine(Moe(Moe.Params()), "名称", said).value == "100万元"


def test_the_status_follows_the_threshold_of_field_kind_or_default() -> None:
    said = {"a": reading("2019-06-20", 0.95), "b": reading("2019-06-20", 0.95)}
    confidence = combine(Moe(Moe.Params()), "成立日期", said).confidence
    assert confidence is not None
    for accept, status in [
        ({"default": confidence}, Status.ACCEPTED),
        ({"default": 0.0, "kinds": {"date": None}}, Status.ABSTAINED),
        ({"default": 0.0, "kinds": {"date": None}, "fields": {"成立日期": 0.5}}, Status.ACCEPTED),
        ({"default": 0.0, "fields": {"成立日期": min(1.0, confidence + 0.001)}}, Status.ABSTAINED),
    ]:
        combiner = Moe(Moe.Params.model_validate({"accept": accept}))
        assert combine(combiner, "成立日期", said).status is status


def test_the_evidence_and_the_characters_are_those_of_the_surest_carrier() -> None:
    box = Evidence(box=(0.1, 0.1, 0.2, 0.2), text="123456")
    other = Evidence(box=(0.5, 0.5, 0.6, 0.6), text="123456")
    said = {
        "llm": reading("123456", 0.5, evidence=other),
        "codes": reading("123456", 0.9, evidence=box, characters=(0.9,) * 6),
        "rules": reading("123457", 0.99, characters=(0.1,) * 6),
    }
    decision = combine(Moe(Moe.Params(method="agreement")), "代码", said)
    assert decision.evidence == box
    assert decision.characters == (0.9,) * 6
    assert decision.experts == ("codes", "llm")
    assert decision.notes == ("rules reads 123457",)


def test_moe_takes_the_method_of_the_kind() -> None:
    params = Moe.Params(method="agreement", methods={Kind.CODE: "priority"}, order=("codes",))
    said = {"codes": reading("1"), "a": reading("2"), "b": reading("2")}
    assert combine(Moe(params), "代码", said).value == "1"
    assert combine(Moe(params), "名称", said).value == "2"


def test_moe_takes_the_likeliest_candidate_and_a_vote_is_one() -> None:
    trusted = Logistic(bias=0.0, weights={"codes": Weight(weight=3.0), "agree": Weight(weight=1.0)})
    voted = Logistic(bias=0.0, weights={"voted": Weight(weight=3.0)})
    said = {"codes": reading("123956"), "a": reading("723456"), "b": reading("123450")}
    for model, value in [(trusted, "123956"), (voted, "123456")]:
        combiner = Moe(Moe.Params(), Calibration(models={Kind.CODE: model}))
        assert combine(combiner, "代码", said).value == value


class Rename:
    """A record-level step that corrects one field."""

    def bind(self, state: State, decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
        changed = decisions["名称"].model_copy(
            update={"value": "甲公司", "confidence": 0.97, "notes": ("corrected by the code",)}
        )
        return {**decisions, "名称": changed}


def contradiction(schema: Schema, values: Mapping[str, str | None]) -> Mapping[str, list[str]]:
    if values["成立日期"] is None:
        return {}
    return {"成立日期": ["the dates contradict each other"]}


def test_record_steps_change_decisions_and_keep_the_others() -> None:
    said = {"名称": {"rules": reading("由公司", 0.4)}, "代码": {"codes": reading("123456", 0.99)}}
    plain = Moe(Moe.Params()).combine(State(SCHEMA, said))
    bound = Moe(Moe.Params(), steps=(Rename(),)).combine(State(SCHEMA, said))
    assert bound["名称"].value == "甲公司"
    assert bound["名称"].confidence == 0.97
    assert bound["名称"].status is Status.ACCEPTED
    assert bound["名称"].notes == ("corrected by the code",)
    assert bound["代码"] == plain["代码"]


def test_a_fitted_confidence_model_judges_the_outcome_of_record_steps() -> None:
    model = Logistic(bias=0.0, weights={"changed": Weight(weight=-2.0)})
    alone = Logistic(bias=5.0)
    calibration = Calibration(models={Kind.ORGANISATION: alone}, joint={Kind.ORGANISATION: model})
    combiner = Moe(Moe.Params(), calibration, steps=(Rename(),))
    basis: dict[str, dict[str, float]] = {}
    state = State(SCHEMA, {"名称": {"rules": reading("由公司", 0.4)}})
    decision = combiner.combine(state, basis)["名称"]
    assert decision.confidence == pytest.approx(1 / (1 + 2.718281828**2), abs=1e-6)
    assert basis["名称"]["changed"] == 1.0
    assert basis["名称"]["bound"] == pytest.approx(logit(0.97))
    assert "rules" not in basis["名称"]


def test_what_was_fitted_on_other_experts_leaves_a_record_steps_confidence_alone() -> None:
    model = Logistic(bias=-3.0)
    calibration = Calibration(
        models={Kind.ORGANISATION: model},
        joint={Kind.ORGANISATION: model},
        weights={Kind.ORGANISATION: {"rules": 1.0}},
    )
    combiner = Moe(Moe.Params(), calibration, steps=(Rename(),))
    for expert, confidence in [("rules", 1 / (1 + 2.718281828**3)), ("stranger", 0.97)]:
        state = State(SCHEMA, {"名称": {expert: reading("由公司", 0.4)}})
        assert combiner.combine(state)["名称"].confidence == pytest.approx(confidence, abs=1e-6)


def test_nothing_lifts_a_value_above_its_ceiling() -> None:
    calibration = Calibration(models={Kind.ORGANISATION: Logistic(bias=9.0)})
    sure = {"rules": reading("由公司", 0.99), "codes": reading("由公司", 0.99, ceiling=0.5)}
    for steps in ((), (Rename(),)):
        combiner = Moe(Moe.Params(), calibration, steps=steps)
        decision = combiner.combine(State(SCHEMA, {"名称": sure}))["名称"]
        assert (decision.confidence, decision.status) == (0.5, Status.ABSTAINED)
    rival = {"rules": reading("甲公司", 0.99), "codes": reading("由公司", 0.99, ceiling=0.5)}
    assert combine(Moe(Moe.Params(), calibration), "名称", rival).status is Status.ACCEPTED


def test_a_contradiction_is_noted_and_lowers_the_confidence() -> None:
    said = {"成立日期": {"rules": reading("2019-06-20")}, "名称": {"rules": reading("甲公司")}}
    plain = Priority(Priority.Params()).combine(State(SCHEMA, said))
    checked = Priority(Priority.Params(), check=contradiction).combine(State(SCHEMA, said))
    assert checked["成立日期"].notes == ("the dates contradict each other",)
    before, after = plain["成立日期"].confidence, checked["成立日期"].confidence
    assert before is not None
    assert after is not None
    assert after < before
    assert checked["名称"] == plain["名称"]


values = st.sampled_from(
    ["123456", "123457", "12345", "2019-06-20", "2019-06-26", "甲", "乙", None]
)
readings = st.builds(
    lambda value, score, error, evidence: (
        Reading(field="?", error=Failure(type="E", message="e"))
        if error
        else Reading(
            field="?",
            value=value,
            score=score,
            characters=(0.5,) * len(value or ""),
            evidence=Evidence(box=(0, 0, 1, 1), text="x") if evidence else None,
            features={"margin": 3.0},
        )
    ),
    values,
    st.none() | st.floats(0.0, 1.0),
    st.booleans(),
    st.booleans(),
)
by_expert = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), readings, max_size=4)


@given(
    st.sampled_from(COMBINERS),
    st.dictionaries(st.sampled_from(SCHEMA.names), by_expert),
)
@settings(max_examples=150, deadline=None)
def test_decisions_are_sound_whatever_was_read(
    cls: type[Moe], said: dict[str, dict[str, Reading]]
) -> None:
    decisions = cls(cls.Params(), check=contradiction).combine(State(SCHEMA, said))
    assert tuple(decisions) == SCHEMA.names
    for name, decision in decisions.items():
        Decision.model_validate(decision.model_dump())
        given_readings: Sequence[Reading] = list(said.get(name, {}).values())
        answered = [r for r in given_readings if r.error is None]
        assert (decision.status is Status.FAILED) == (not answered)
        assert (decision.confidence is None) == (decision.status is Status.FAILED)
        if decision.status is Status.ACCEPTED:
            assert decision.value is not None
        if decision.status in (Status.ABSENT, Status.FAILED):
            assert decision.value is None
        if decision.characters:
            assert len(decision.characters) == len(decision.value or "")
        values_read = {r.value for r in answered if r.value is not None}
        if len(values_read) == 1 and all(r.value is not None for r in answered):
            assert decision.value in values_read
