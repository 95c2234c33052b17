"""What an exact expert's word comes to beside the print."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from ocr_moe.protocols import State
from ocr_moe.routing.calibration import load_calibration
from ocr_moe.routing.combiners import FieldCombiner, Moe, Priority
from ocr_moe.routing.features import absence_features, candidate_features
from ocr_moe.routing.settings import UNDECIDED
from ocr_moe.types import Alternative, Decision, Evidence, Failure, Reading, Status
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import config_folder, find_schema, load_config

SCHEMA = find_schema("business_license")
NUMBER, DATE, PERSON, TYPE = "统一社会信用代码", "成立日期", "法定代表人", "类型"
CODE = "9132090306182111X8"
OTHER = "91371482MA3CFKE25H"
OLD = "370724600056737"
FITTED = load_calibration(config_folder() / "calibration" / "default.yaml")
IDLE = Reading(field="?", idle=True)


def reading(value: str | None, score: float | None = 0.9, *, text: str = "…") -> Reading:
    evidence = Evidence(box=(0.1, 0.1, 0.2, 0.2), text=text)
    return Reading(field="?", value=value, score=score, evidence=evidence)


def mark(value: str, score: float = 0.975) -> Reading:
    return reading(value, score, text=f"QR code: {value}")


def moe() -> FieldCombiner:
    return Moe(Moe.Params.model_validate({"accept": {"default": 0.9}, "exact": ["marks"]}), FITTED)


def rules() -> FieldCombiner:
    params = {"order": ["marks", "rules"], "exact": ["marks"]}
    return Priority(Priority.Params.model_validate(params))


COMBINERS = (moe, rules)


def decide(combiner: FieldCombiner, field: str, said: Mapping[str, Reading]) -> Decision:
    return combiner.combine(State(SCHEMA, {field: said}))[field]


@pytest.mark.parametrize("make", COMBINERS)
@pytest.mark.parametrize(
    ("field", "value"),
    [(NUMBER, CODE), (NUMBER, OLD), (DATE, "2015-03-25"), (PERSON, "徐安心")],
)
def test_what_the_print_confirms_stands(
    make: Callable[[], FieldCombiner], field: str, value: str
) -> None:
    said = {"marks": mark(value), "rules": reading(value, 0.3)}
    decision = decide(make(), field, said)
    assert (decision.value, decision.status) == (value, Status.ACCEPTED)
    assert decision.confidence is not None
    assert decision.confidence >= 0.99
    assert decision.evidence is not None
    assert decision.evidence.text.startswith("QR code")


@pytest.mark.parametrize("make", COMBINERS)
def test_a_mark_alone_is_believed_as_far_as_its_own_score(
    make: Callable[[], FieldCombiner],
) -> None:
    for score in (0.975, 0.8):
        said = {
            "marks": mark(CODE, score),
            "rules": reading(None, 0.2),
            "codes": reading(None, None),
        }
        decision = decide(make(), NUMBER, said)
        assert decision.value == CODE
        assert decision.confidence is not None
        assert decision.confidence >= score - 1e-9
        if score > 0.9:
            assert decision.status is Status.ACCEPTED


@pytest.mark.parametrize("make", COMBINERS)
@pytest.mark.parametrize(
    ("field", "marked", "printed"),
    [
        (NUMBER, OTHER, CODE),
        (NUMBER, OLD, CODE),
        (NUMBER, CODE, OLD),
        (DATE, "2016-02-01", "2015-03-25"),
        (PERSON, "徐安心", "张乐超"),
        (TYPE, "有限责任公司", "股份有限公司"),
    ],
)
def test_nothing_is_accepted_where_they_differ(
    make: Callable[[], FieldCombiner], field: str, marked: str, printed: str
) -> None:
    said = {
        "marks": mark(marked),
        "codes": reading(printed, 0.9999),
        "rules": reading(printed, 0.9999),
    }
    decision = decide(make(), field, said)
    assert decision.value in (marked, printed)
    assert decision.status is Status.ABSTAINED
    assert decision.confidence is not None
    assert decision.confidence <= UNDECIDED
    [note] = decision.notes
    assert note.startswith(f"QR code: {marked} says {marked}, the print says {printed}")


def test_no_threshold_accepts_what_is_contested() -> None:
    lax = Priority(Priority.Params.model_validate({"exact": ["marks"], "accept": {"default": 0.0}}))
    said = {"marks": mark(OTHER), "rules": reading(CODE)}
    assert decide(lax, NUMBER, said).status is Status.ABSTAINED


@pytest.mark.parametrize("make", COMBINERS)
@pytest.mark.parametrize(
    "misread", ["9132090306182111X6", "913209030618211X8", "91320903O61821118X"]
)
def test_a_misread_print_is_no_contradiction(
    make: Callable[[], FieldCombiner], misread: str
) -> None:
    said = {"marks": mark(CODE), "codes": reading(misread, 0.6), "rules": reading(misread, 0.6)}
    decision = decide(make(), NUMBER, said)
    assert (decision.value, decision.status) == (CODE, Status.ACCEPTED)
    assert any(misread in note for note in decision.notes)


@pytest.mark.parametrize("make", COMBINERS)
def test_another_code_that_fails_its_check_is_one(make: Callable[[], FieldCombiner]) -> None:
    said = {"marks": mark(CODE), "codes": reading("91371482MA3CFKE25X", 0.6)}
    assert decide(make(), NUMBER, said).status is Status.ABSTAINED


def test_one_confirming_expert_is_enough_beside_one_that_misreads() -> None:
    said = {"marks": mark(CODE), "codes": reading(CODE, 0.9), "rules": reading(OTHER, 0.9)}
    assert decide(moe(), NUMBER, said).status is Status.ACCEPTED


@pytest.mark.parametrize(
    ("marked", "printed"),
    [
        ("有限责任公司", "有限责任公司(自然人独资)"),
        ("有限责任公司(自然人独资)X", "有限责任公司(自然人独资)"),
    ],
)
def test_an_abridged_text_leaves_the_print_to_itself(marked: str, printed: str) -> None:
    alone = decide(moe(), TYPE, {"rules": reading(printed, 0.9)})
    decision = decide(moe(), TYPE, {"marks": mark(marked), "rules": reading(printed, 0.9)})
    assert decision == alone
    assert decide(
        moe(), DATE, {"marks": mark("2015-03"), "rules": reading("2015-03-25")}
    ) == decide(moe(), DATE, {"rules": reading("2015-03-25")})


def test_marks_that_differ_from_one_another_are_left_to_a_person() -> None:
    torn = mark(CODE).model_copy(
        update={
            "alternatives": (
                Alternative(value=CODE, logprob=-0.7),
                Alternative(value=OTHER, logprob=-0.7),
            )
        }
    )
    for print_says in ({}, {"codes": reading(CODE, 0.999)}):
        decision = decide(moe(), NUMBER, {"marks": torn, **print_says})
        assert decision.status is Status.ABSTAINED
        assert any(CODE in note and OTHER in note for note in decision.notes)


@pytest.mark.parametrize("make", COMBINERS)
def test_nothing_to_look_at_changes_nothing(make: Callable[[], FieldCombiner]) -> None:
    combiner = make()
    for other in (
        reading("2015-03-25", 0.7),
        reading(None, 0.9),
        Reading(field="?", error=Failure(type="ChatError", message="away")),
    ):
        for field in (DATE, "注册资本"):
            with_idle = decide(combiner, field, {"marks": IDLE, "rules": other})
            assert with_idle == decide(combiner, field, {"rules": other})
    heard = {"rules": reading("2015-03-25")}
    declared = SCHEMA.field(DATE)
    both = {"marks": IDLE, **heard}
    assert candidate_features(declared, both, "2015-03-25") == candidate_features(
        declared, heard, "2015-03-25"
    )
    silent = {"rules": reading(None, 0.4)}
    assert absence_features(declared, {"marks": IDLE, **silent}) == absence_features(
        declared, silent
    )
    alone = decide(combiner, DATE, {"marks": IDLE})
    assert (alone.value, alone.status) == (None, Status.ABSTAINED)


def test_another_expert_may_be_declared_exact() -> None:
    layer = Priority(Priority.Params(exact=("layer",)))
    said = {"rules": reading("张乐超", 0.9), "layer": reading("徐安心", 0.99)}
    assert decide(layer, PERSON, said).status is Status.ABSTAINED


def test_no_step_overrules_what_cannot_be_misread() -> None:
    class Overruling:
        def bind(self, state: State, decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
            changed = decisions[NUMBER].model_copy(update={"value": OTHER, "confidence": 0.9999})
            return {**decisions, NUMBER: changed}

    combiner = Moe(Moe.Params(exact=("marks",)), FITTED, steps=[Overruling()])
    said = {"marks": mark(CODE), "codes": reading(CODE)}
    assert decide(combiner, NUMBER, said).status is Status.ABSTAINED


def test_moe_and_rules_ask_the_marks_first_and_hold_them_for_exact() -> None:
    config = load_config()
    workshop = Workshop(config)
    for name in ("moe", "rules"):
        asked = workshop.strategy(name).gate.route(State(SCHEMA))
        [fields] = [ask.fields for ask in asked if ask.expert == "marks"]
        assert fields == SCHEMA.names
        assert config.strategies[name].combiner.params["exact"] == ["keys", "marks"]
