from __future__ import annotations

import pytest

from ocr_moe.odds import logit
from ocr_moe.routing.features import (
    absence_features,
    candidate_features,
    record_features,
    state_features,
)
from ocr_moe.routing.settings import PerSchema, Thresholds
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Alternative, Decision, Evidence, Failure, Reading, Status

FIELD = Field(name="证书编号", kind=Kind.CODE)
READINGS = {
    "codes": Reading(
        field="证书编号",
        value="123456",
        score=0.9,
        characters=(0.99, 0.6, 0.99, 0.99, 0.99, 0.99),
        alternatives=(
            Alternative(value="123456", logprob=-0.1),
            Alternative(value="123457", logprob=-2.1),
        ),
        evidence=Evidence(box=(0, 0, 1, 1), text="123456"),
        features={"gap": 0.2},
    ),
    "rules": Reading(field="证书编号", value="123456", score=0.7, features={"conf": 0.8}),
    "llm": Reading(field="证书编号", value="123457", score=0.95, features={"in_ocr": 1.0}),
    "vision": Reading(field="证书编号", features={"x": 1.0}, score=0.3),
    "hint": Reading(field="证书编号", error=Failure(type="ChatAuthError", message="401")),
}


def test_a_candidate_is_described_by_who_carries_it_and_who_does_not() -> None:
    features = candidate_features(FIELD, READINGS, "123456")
    assert features == {
        "field=证书编号": 1.0,
        "length": 6.0,
        "codes": 1.0,
        "codes.score": logit(0.9),
        "codes.gap": 0.2,
        "rules": 1.0,
        "rules.score": logit(0.7),
        "rules.conf": 0.8,
        "llm.differs": 1.0,
        "vision.silent": 1.0,
        "hint.failed": 1.0,
        "agree": 1.0,
        "rivals": 1.0,
        "silent": 1.0,
        "failed": 1.0,
        "evidence": 1.0,
        "score": logit(0.9),
        "rival_score": logit(0.95),
        "similar": pytest.approx(10 / 12),
        "weakest": logit(0.6),
        "margin": pytest.approx(2.0),
    }


def test_what_is_not_known_is_not_there() -> None:
    alone = candidate_features(FIELD, {"a": Reading(field="x", value="1")}, "1")
    assert not {"score", "margin", "weakest", "similar", "rival_score", "voted"} & set(alone)
    assert alone["evidence"] == 0.0
    assert candidate_features(FIELD, READINGS, "999999")["voted"] == 1.0


def test_absence_is_described_by_the_silent() -> None:
    features = absence_features(FIELD, READINGS)
    assert features["silent"] == 1.0
    assert features["failed"] == 1.0
    assert features["rivals"] == 3.0
    assert features["required"] == 1.0
    assert features["score"] == logit(0.3)
    assert features["vision.x"] == 1.0
    assert not any(name.startswith("field=") for name in features)


def test_a_field_that_only_a_label_announces_is_told() -> None:
    def labelled(field: Field) -> float:
        return absence_features(field, {})["labelled"]

    assert labelled(Field(name="x", labels=("有效期",))) == 1.0
    assert labelled(Field(name="x")) == 0.0
    assert labelled(Field(name="x", labels=("有效期",), patterns=("至(.*)",))) == 0.0
    assert labelled(Field(name="x", labels=("有效期",), line_patterns=("至(.*)",))) == 0.0


def test_a_gate_sees_the_decision_and_the_rest_of_the_record() -> None:
    assert state_features(FIELD, {}, {}) == {"field=证书编号": 1.0}
    decisions = {
        "证书编号": Decision(value="123456", confidence=0.8, status=Status.ABSTAINED),
        "姓名": Decision(value="x", confidence=0.9, status=Status.ACCEPTED),
        "专业": Decision(status=Status.FAILED),
    }
    features = state_features(FIELD, READINGS, decisions)
    assert features["confidence"] == logit(0.8)
    assert features["others"] == logit(0.9)
    assert "empty" not in features
    decisions["证书编号"] = Decision(confidence=0.3, status=Status.ABSTAINED)
    assert state_features(FIELD, READINGS, decisions)["empty"] == 1.0


def test_the_record_adds_contradictions_and_joint_knowledge() -> None:
    assert record_features("1", None, 0, None) == {"notes": 0.0}
    bound = Decision(value="2", confidence=0.7, status=Status.ABSTAINED)
    assert record_features("1", bound, 2, 1.5) == {
        "notes": 2.0,
        "others": 1.5,
        "changed": 1.0,
        "bound": logit(0.7),
    }


def test_thresholds_by_field_then_kind_then_default() -> None:
    thresholds = Thresholds(default=0.5, kinds={Kind.CODE: 0.9}, fields={"姓名": None})
    assert thresholds.of(FIELD) == 0.9
    assert thresholds.of(Field(name="专业")) == 0.5
    name = Field(name="姓名", kind=Kind.PERSON)
    assert not thresholds.reached(name, 1.0)
    assert thresholds.reached(FIELD, 0.9)
    assert not thresholds.reached(FIELD, 0.89)
    assert not thresholds.reached(FIELD, None)


def test_what_is_derived_from_a_schema_is_derived_once_in_a_row() -> None:
    derived = []

    def derive(schema: Schema) -> str:
        derived.append(schema.name)
        return schema.name

    cache = PerSchema(derive)
    a = Schema(name="a", fields=(FIELD,))
    b = Schema(name="b", fields=(FIELD,))
    assert [cache.of(s) for s in (a, a, b, b, a)] == ["a", "a", "b", "b", "a"]
    assert derived == ["a", "b", "a"]
