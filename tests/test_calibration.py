from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_moe.errors import ConfigError, TruthError
from ocr_moe.evaluation.metrics import auroc
from ocr_moe.laboratory.calibrating import CalibratedBuilder, Judged, calibrate, quality_of
from ocr_moe.laboratory.documents import RecordedDocument
from ocr_moe.laboratory.laboratory import Laboratory
from ocr_moe.laboratory.learning import fit_policy, vote_weights
from ocr_moe.laboratory.logistic import JudgedValue, choose_strength, fit_logistic
from ocr_moe.odds import logit
from ocr_moe.protocols import Gate, State
from ocr_moe.routing.calibration import (
    PRIOR,
    Calibration,
    Logistic,
    Provenance,
    Quality,
    Weight,
    load_calibration,
    load_policy,
    to_yaml,
)
from ocr_moe.routing.combiners import FieldCombiner, Moe
from ocr_moe.routing.gates import Cascade
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Answer, Cost, Decision, Reading, Recorded
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import config_folder, find_schema, load_config

SCHEMA = Schema(
    name="certificate",
    fields=(
        Field(name="姓名", kind=Kind.PERSON),
        Field(name="证书编号", kind=Kind.CODE),
    ),
)
HERE = Provenance(data="made up", synthetic=True, documents=0, fitted="2026-01-01")

features = st.dictionaries(
    st.sampled_from(["score", "agree", "rivals", "unheard_of"]), st.floats(-1e6, 1e6)
)


def test_a_missing_feature_counts_as_declared_and_an_unknown_one_not_at_all() -> None:
    model = Logistic(
        bias=0.5,
        weights={"score": Weight(weight=2.0, mean=1.0, scale=2.0, missing=-3.0, low=0.0, high=4.0)},
    )
    assert model.logit({}) == pytest.approx(-2.5)
    assert model.logit({"score": 2.0}) == pytest.approx(1.5)
    assert model.logit({"score": 2.0, "else": 9.0}) == pytest.approx(1.5)
    assert model.logit({"score": 99.0}) == model.logit({"score": 4.0})
    assert model.logit({"score": -99.0}) == model.logit({"score": 0.0})


@given(features)
def test_a_confidence_is_a_probability(given_features: dict[str, float]) -> None:
    assert 0.0 <= PRIOR.probability(given_features) <= 1.0


def rows(n: int, seed: int, slope: float = 2.0) -> list[JudgedValue]:
    generator = np.random.default_rng(seed)
    made = []
    for i in range(n):
        x, noise = generator.standard_normal(2)
        features = {"score": float(x), "noise": float(noise)}
        chance = 1.0 / (1.0 + math.exp(-(1.0 + slope * x)))
        if generator.random() < 0.3:
            del features["noise"]
        made.append(JudgedValue(features, bool(generator.random() < chance), f"d{i // 2}"))
    return made


def test_half_of_what_is_thought_of_an_unfamiliar_field_is_judgement() -> None:
    sure = Logistic(bias=5.0)
    known = Field(name="姓名", kind=Kind.PERSON)
    calibration = Calibration(
        models={Kind.PERSON: sure},
        weights={Kind.PERSON: {"rules": 1.0}},
        quality={"姓名": Quality(cells=9, wrong=1)},
    )
    given = {"score": 2.0, "evidence": 1.0}

    unfamiliar = calibration.model_of(Field(name="captain", kind=Kind.PERSON), ["rules"])

    assert calibration.model_of(known, ["rules"]) is sure
    assert calibration.model_of(known, ["a stranger"]) is PRIOR
    assert unfamiliar.logit(given) == pytest.approx((5.0 + PRIOR.logit(given)) / 2)
    assert unfamiliar.added(given) == pytest.approx(PRIOR.added(given) / 2)
    assert unfamiliar.probability(given) == pytest.approx(
        1 / (1 + math.exp(-unfamiliar.logit(given)))
    )


def test_the_fit_finds_the_true_slope_and_ignores_noise() -> None:
    model = fit_logistic(rows(4000, seed=1), Logistic(bias=0.0), strength=1.0)
    slope = model.weights["score"].weight / model.weights["score"].scale
    assert slope == pytest.approx(2.0, abs=0.25)
    assert abs(model.weights["noise"].weight) < 0.15
    assert model.logit({"score": 0.0, "noise": 0.0}) == pytest.approx(1.0, abs=0.2)


def test_few_rows_leave_the_starting_model_nearly_as_it_was() -> None:
    start = Logistic(bias=0.3, weights={"score": Weight(weight=1.5, mean=2.0, scale=0.5)})
    few = [JudgedValue({"score": x}, True, str(x)) for x in (1.5, 2.0, 2.5)]
    model = fit_logistic(few, start, strength=30.0)
    for x in (1.5, 2.0, 2.5):
        assert model.logit({"score": x}) == pytest.approx(start.logit({"score": x}), abs=1.5)
    assert model.logit({"score": 2.5}) > model.logit({"score": 1.5}) + 2.0
    assert fit_logistic([], start) is start


def test_no_weight_gets_the_wrong_sign() -> None:
    upside_down = [
        JudgedValue({"a.margin": x / 50, "odd": x / 50}, x < 60, str(x)) for x in range(100)
    ]
    model = fit_logistic(upside_down, Logistic(bias=0.0), strength=1.0)
    assert model.weights["a.margin"].weight == 0.0
    assert model.weights["odd"].weight < -1.0


def test_votes_speak_for_a_value_and_further_looks_against_it() -> None:
    odd = [
        JudgedValue({"codes.vote_ppocr": -x / 9, "codes.look": x / 9}, x > 40, str(x))
        for x in range(100)
    ]
    model = fit_logistic(odd, Logistic(bias=0.0), strength=1.0)
    assert model.weights["codes.vote_ppocr"].weight == 0.0
    assert model.weights["codes.look"].weight == 0.0


def test_what_was_never_seen_to_vary_keeps_what_the_start_says_of_it() -> None:
    start = Logistic(
        bias=0.0,
        weights={"agree": Weight(weight=1.6, high=3.0), "score": Weight(weight=1.0, high=4.0)},
    )
    alone = [
        JudgedValue({"agree": 0.0, "score": x / 10, "odd": 1.0}, x > 10, str(x)) for x in range(20)
    ]
    model = fit_logistic(alone, start)
    gain = model.logit({"agree": 2.0, "score": 1.0}) - model.logit({"agree": 0.0, "score": 1.0})
    assert gain == pytest.approx(3.2)
    assert model.logit({"agree": 9.0}) == model.logit({"agree": 3.0})
    assert model.logit({"score": 4.0}) > model.logit({"score": 1.9})
    assert model.logit({"score": 9.0}) == model.logit({"score": 4.0})


@pytest.mark.slow
def test_the_strength_of_the_prior_follows_the_amount_of_data() -> None:
    wrong_start = Logistic(bias=0.0, weights={"score": Weight(weight=-2.0)})
    assert choose_strength(rows(2000, seed=2), wrong_start) <= 10.0
    assert choose_strength(rows(8, seed=2)) == 100.0


@pytest.mark.parametrize(
    ("n", "wrong", "signal", "expected"),
    [
        (100, 0, True, "no error only among 100"),
        (100, 3, True, "3 errors only among 100"),
        (200, 40, False, "carries no signal for 专业"),
        (200, 40, True, "ranks well for 专业"),
    ],
)
def test_the_verdict_is_plain(n: int, wrong: int, signal: bool, expected: str) -> None:
    generator = np.random.default_rng(3)
    right = np.arange(n) >= wrong
    confidence = generator.random(n) * 0.1 + (0.8 * right if signal else 0.0)
    quality = quality_of("专业", Judged(confidence, right))
    assert expected in quality.verdict
    assert (quality.cells, quality.wrong) == (n, wrong)


def test_models_are_readable_files_that_come_back_the_same(tmp_path: Path) -> None:
    calibration = Calibration(
        provenance=HERE.model_copy(update={"hashes": ("0123abcd",)}),
        models={
            Kind.CODE: PRIOR,
            Kind.ENUM: Logistic(bias=1.25, weights={"field=证书编号": Weight(weight=0.5)}),
        },
        weights={Kind.ENUM: {"rules": 2.5}},
        quality={"证书编号": quality_of("证书编号", Judged(np.ones(1), np.ones(1, dtype=bool)))},
    )
    text = to_yaml(calibration)
    assert "证书编号" in text
    assert "!!python" not in text
    path = tmp_path / "calibration.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_calibration(path) == calibration


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format: 9\n", "format 9 is of a later version.*upgrade ocr-moe"),
        ("models: {}\n", "the key format is missing"),
        ("format: 1\nmodells: {}\n", "did you mean 'models'"),
        ("format: 1\nmodels: {code: {bias: x}}\n", "models.code.bias"),
        ("!!python/object/apply:os.system [ls]\n", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "calibration.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_calibration(path)
    with pytest.raises(ConfigError):
        load_policy(path)


def recorded(n: int, seed: int = 0) -> list[RecordedDocument]:
    """Documents on which `rules` knows when it is wrong and `llm` does not."""
    generator = np.random.default_rng(seed)
    documents = []
    for i in range(n):
        answers = []
        for expert, accuracy, sharp, tokens in [("rules", 0.8, 3.0, 0), ("llm", 0.9, 0.0, 900)]:
            readings = []
            for field in SCHEMA.fields:
                right = bool(generator.random() < accuracy)
                z = generator.standard_normal() + sharp * (right - 0.5)
                readings.append(
                    Reading(
                        field=field.name,
                        value="right" if right else f"wrong {generator.integers(5)}",
                        score=float(1.0 / (1.0 + math.exp(-z))),
                    )
                )
            answers.append(
                Recorded(
                    expert,
                    "",
                    Answer(
                        expert=expert,
                        readings=tuple(readings),
                        cost=Cost(calls=int(tokens > 0), prompt_tokens=tokens),
                    ),
                )
            )
        documents.append(
            RecordedDocument(
                sha256=f"{i:064x}",
                page=1,
                subject=None,
                schema=SCHEMA,
                answers=tuple(answers),
                verified=frozenset(SCHEMA.names),
                judge=lambda field, value: value == "right",
            )
        )
    return documents


def build(below: float | None) -> CalibratedBuilder:
    def made(calibration: Calibration) -> tuple[Gate, FieldCombiner]:
        params = Cascade.Params.model_validate(
            {"default": ["rules", "llm"], "ask_below": {"default": below}}
        )
        return Cascade(params), Moe(Moe.Params(), calibration)

    return made


@pytest.mark.slow
def test_calibrating_gives_honest_and_useful_confidences() -> None:
    strategies = {"moe": build(None), "rules": build(0.0)}
    result = calibrate(recorded(300), strategies, judged="moe", provenance=HERE)
    calibration = result.calibration
    assert set(calibration.models) == {Kind.PERSON, Kind.CODE}
    assert calibration.provenance is not None
    assert calibration.provenance.documents == 300
    for name, quality in calibration.quality.items():
        assert quality.auroc is not None
        assert quality.auroc > 0.85
        assert quality.ece is not None
        assert quality.ece < 0.06
        assert "ranks" in quality.verdict
        assert len(result.judged[name].right) == 300
    gate, combiner = build(None)(calibration)
    fresh = recorded(200, seed=9)
    pairs = [
        (decision.confidence, document.right(name, decision.value))
        for document in fresh
        for name, decision in document.replay(gate, combiner).decisions.items()
    ]
    ranking = auroc(np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs]))
    assert ranking is not None
    assert ranking > 0.85


class Boast:
    """A record-level step that is sure of everything."""

    def bind(self, state: State, decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
        return {
            name: decision.model_copy(update={"confidence": 0.999})
            for name, decision in decisions.items()
        }


@pytest.mark.slow
def test_what_a_record_level_step_is_sure_of_is_calibrated_too() -> None:
    def strategy(calibration: Calibration) -> tuple[Gate, FieldCombiner]:
        gate, _ = build(0.0)(calibration)
        return gate, Moe(Moe.Params(), calibration, steps=(Boast(),))

    result = calibrate(recorded(300), {"moe": strategy}, judged="moe", provenance=HERE)
    assert set(result.calibration.joint) == {Kind.PERSON, Kind.CODE}
    for model in result.calibration.joint.values():
        assert model.probability({"bound": logit(0.999)}) == pytest.approx(0.8, abs=0.06)
    for quality in result.calibration.quality.values():
        assert quality.ece is not None
        assert quality.ece < 0.06


def test_a_strategy_counts_without_the_experts_that_a_schema_gives_nothing_to_read() -> None:
    """No field is a code: the reader of codes is never asked, and its answers are not missed."""
    schema = Schema(name="letter", fields=(Field(name="姓名", kind=Kind.PERSON),))
    workshop = Workshop(load_config())
    settings = workshop.config.strategies["moe"]
    everyone = frozenset(workshop.config.experts)
    gate, _ = workshop.policy(settings.gate, settings.combiner, everyone)
    first = {ask.expert for ask in gate.route(State(schema))}
    assert "codes" not in first

    def laboratory(experts: Iterable[str]) -> Laboratory:
        readings = (Reading(field="姓名", value="陈思远", score=0.9),)
        answers = [Recorded(e, "", Answer(expert=e, readings=readings)) for e in experts]
        document = replace(recorded(1)[0], schema=schema, answers=tuple(answers))
        return Laboratory((document,), workshop)

    assert "moe" in {candidate.name for candidate in laboratory(first).candidates()}
    for expert in first:
        assert "moe" not in {c.name for c in laboratory(first - {expert}).candidates()}


def test_calibrating_without_truth_is_refused() -> None:
    blind = [replace(d, verified=frozenset()) for d in recorded(3)]
    with pytest.raises(TruthError, match="no verified cell"):
        calibrate(blind, {"moe": build(None)}, judged="moe", provenance=HERE)


def test_calibrating_on_very_few_documents_stays_near_the_start() -> None:
    result = calibrate(recorded(2), {"moe": build(None)}, judged="moe", provenance=HERE)
    assert result.calibration.quality["姓名"].cells == 2
    one = calibrate(recorded(1), {"moe": build(None)}, judged="moe", provenance=HERE)
    assert one.calibration.quality == {}


def test_votes_weigh_more_for_better_experts() -> None:
    weights = vote_weights(recorded(200))
    assert weights[Kind.CODE]["llm"] > weights[Kind.CODE]["rules"] > 0.0


def test_a_fitted_policy_knows_whom_to_ask(tmp_path: Path) -> None:
    documents = recorded(200)
    policy = fit_policy(documents, Moe(Moe.Params()), unit="tokens")
    assert policy.experts["llm"].cost == 900.0
    assert policy.experts["rules"].cost == 0.0
    field = SCHEMA.field("证书编号")
    before = {"field=证书编号": 1.0}
    rules, llm = (policy.chance(name, field, before) for name in ("rules", "llm"))
    assert rules is not None
    assert llm is not None
    assert 0.7 < rules < llm < 0.97
    path = tmp_path / "policy.yaml"
    path.write_text(to_yaml(policy), encoding="utf-8")
    loaded = load_policy(path).chance("llm", field, before)
    assert loaded == pytest.approx(llm, abs=1e-4)


def test_the_shipped_calibration_says_what_it_was_fitted_on() -> None:
    shipped = load_calibration(config_folder() / "calibration" / "default.yaml")
    assert shipped.provenance is not None
    assert shipped.provenance.synthetic
    assert len(shipped.provenance.hashes) == shipped.provenance.documents > 200
    fitted = [find_schema(name) for name in ("graduation_certificate", "business_license")]
    for schema in fitted:
        for field in schema.fields:
            assert field.name in shipped.quality
            assert field.kind in shipped.models
            sure = {"rules": 1.0, "rules.score": 9.0, "score": 9.0, "evidence": 1.0}
            unsure = {"rules": 1.0, "rules.score": -5.0, "score": -5.0, "rivals": 1.0}
            model = shipped.model_of(field, ("rules",))
            assert model.probability(sure) > model.probability(unsure)
            assert shipped.model_of(field, ("an expert of the user's own",)) is PRIOR
