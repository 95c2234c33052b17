from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.costs import amount, unit_for
from ocr_moe.laboratory.bounds import Bound, mixed_accuracy, oracle
from ocr_moe.laboratory.candidates import PolicyCandidate, fitted, tuned
from ocr_moe.laboratory.certify import (
    Cells,
    cells_needed,
    certified_accuracy,
    certify,
    thresholds_to_test,
    upper_bound,
)
from ocr_moe.laboratory.choosing import cheapest_good, falls_short
from ocr_moe.laboratory.documents import RecordedDocument, unit_of
from ocr_moe.laboratory.recommending import Recommendation, recommend
from ocr_moe.laboratory.splitting import groups_of, leaked, split
from ocr_moe.laboratory.study import study, study_points
from ocr_moe.laboratory.trials import Routing, Trial, try_out
from ocr_moe.protocols import Ask, Combiner, Gate, State
from ocr_moe.routing.dossiers import DossierParams
from ocr_moe.routing.settings import Thresholds
from ocr_moe.routing.tuning import Variant
from ocr_moe.schema import Field, Kind, Schema, Subjects
from ocr_moe.settings import Component
from ocr_moe.types import Answer, Cost, Failure, Reading, Recorded, Status, Value
from ocr_moe.workshop.config import StrategyConfig
from ocr_moe.workshop.registry import resolve

SCHEMA = Schema(
    name="certificate",
    fields=(Field(name="姓名", kind=Kind.PERSON), Field(name="证书编号", kind=Kind.CODE)),
)


def build(gate: Component, combiner: Component) -> tuple[Gate, Combiner]:
    """What the composition root does with a strategy's settings."""
    gates, combiners = (
        resolve(group, component, "test")
        for group, component in (("gates", gate), ("combiners", combiner))
    )
    return (
        gates(gates.Params.model_validate(gate.params)),
        combiners(combiners.Params.model_validate(combiner.params)),
    )


def component(kind: str, **params: Any) -> Component:
    return Component.model_validate({"kind": kind, **params})


def fixed(*experts: str, **params: Any) -> Component:
    return component("fixed", default=list(experts), **params)


RULES = PolicyCandidate("rules", "Rules", fixed("rules"), Component(kind="priority"))
LLM = PolicyCandidate("llm", "LLM", fixed("llm"), Component(kind="priority"))
MOE = PolicyCandidate(
    "moe",
    "Mixture",
    component("cascade", default=["rules", "llm"], ask_below={"default": 0.8}),
    Component(kind="moe"),
)


def document(
    number: int,
    answers: dict[str, tuple[dict[str, str | None], float, int]],
    *,
    subject: str | None = None,
    verified: frozenset[str] = frozenset(SCHEMA.names),
) -> RecordedDocument:
    """`answers`: expert → (field → value, score, tokens). The truth is always `right`."""
    return RecordedDocument(
        sha256=f"{number:064x}",
        page=1,
        subject=subject,
        schema=SCHEMA,
        answers=tuple(
            Recorded(
                expert,
                "",
                Answer(
                    expert=expert,
                    readings=tuple(
                        Reading(field=name, value=value, score=score)
                        for name, value in values.items()
                    ),
                    cost=Cost(calls=1, prompt_tokens=tokens, seconds=0.1),
                ),
            )
            for expert, (values, score, tokens) in answers.items()
        ),
        verified=verified,
        judge=lambda field, value: value == "right",
    )


def batch(n: int, seed: int = 0, accuracy: tuple[float, float] = (0.9, 0.95)) -> list[Any]:
    """Rules that know when they are wrong, and a costly model that is right more often."""
    generator = np.random.default_rng(seed)
    documents = []
    for i in range(n):
        rules = {name: bool(generator.random() < accuracy[0]) for name in SCHEMA.names}
        llm = {name: bool(generator.random() < accuracy[1]) for name in SCHEMA.names}
        documents.append(
            document(
                i + 1000 * seed,
                {
                    "rules": (
                        {k: "right" if ok else "wrong" for k, ok in rules.items()},
                        0.98 if all(rules.values()) else 0.02,
                        0,
                    ),
                    "llm": ({k: "right" if ok else f"bad {i}" for k, ok in llm.items()}, 0.9, 500),
                },
            )
        )
    return documents


def test_exact_bounds() -> None:
    assert cells_needed(0, 0.99, 0.9) == 230
    assert cells_needed(0, 0.9, 0.9) == 22
    assert certified_accuracy(121, 0, 0.9) == pytest.approx(0.981, abs=5e-4)
    assert upper_bound(0, 0, 0.9) == 1.0
    assert upper_bound(5, 5, 0.9) == 1.0


@given(st.integers(0, 30), st.sampled_from([0.9, 0.95, 0.99]), st.sampled_from([0.8, 0.9, 0.95]))
@settings(max_examples=40, deadline=None)
def test_the_cells_needed_are_just_enough(wrong: int, target: float, confidence: float) -> None:
    n = cells_needed(wrong, target, confidence)
    assert upper_bound(wrong, n, confidence) <= 1.0 - target
    assert upper_bound(wrong, n - 1, confidence) > 1.0 - target


def cells(right: list[bool], confidence: list[float]) -> Cells:
    return Cells(np.array(confidence), np.array(right, dtype=bool))


def test_a_field_without_an_error_is_certified_where_there_are_enough_cells() -> None:
    good = cells([True] * 300, list(np.linspace(0.5, 0.99, 300)))
    certificate = certify("证书编号", good, good)
    assert certificate.threshold == pytest.approx(0.5, abs=1e-5)
    assert (certificate.accepted, certificate.wrong, certificate.missing) == (300, 0, 0)
    assert certificate.bound is not None
    assert certificate.bound <= 0.01
    few = cells([True] * 100, list(np.linspace(0.5, 0.99, 100)))
    refused = certify("证书编号", few, few, share=0.5)
    assert refused.threshold is None
    assert refused.missing == 260
    assert "230 accepted cells" in refused.sentence
    assert "verify about 260 more documents" in refused.sentence


def test_the_threshold_shuts_out_the_errors() -> None:
    generator = np.random.default_rng(1)
    right = [bool(generator.random() < 0.9) for _ in range(1000)]
    confidence = [
        float(generator.uniform(0.6, 1.0) if ok else generator.uniform(0.0, 0.7)) for ok in right
    ]
    field = cells(right, confidence)
    certificate = certify("姓名", field, field)
    assert certificate.threshold is not None
    assert 0.55 < certificate.threshold < 0.72
    accepted, wrong = field.accepted(certificate.threshold)
    assert (accepted, wrong) == (certificate.accepted, certificate.wrong)
    assert upper_bound(wrong, accepted, 0.9) <= 0.01


def test_confidence_without_signal_certifies_nothing_and_says_why() -> None:
    generator = np.random.default_rng(2)
    field = cells([i % 10 > 0 for i in range(800)], list(generator.random(800)))
    refused = certify("专业", field, field)
    assert not refused.passed
    assert refused.missing == 0
    assert "better experts or a better confidence" in refused.sentence
    blind = certify("专业", field, cells([True] * 3, [math.nan] * 3))
    assert not blind.passed


def test_thresholds_go_from_strict_to_accepting_all() -> None:
    generator = np.random.default_rng(3)
    confidence = generator.random(500)
    field = Cells(confidence, generator.random(500) < confidence + 0.5)
    sequence = thresholds_to_test(field, 500, 0.9, 0.9)
    assert sequence == sorted(sequence, reverse=True)
    assert sequence[-1] <= confidence.min()
    assert thresholds_to_test(Cells(np.array([math.nan]), np.array([True])), 5, 0.9, 0.9) == []


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 6)), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_file_and_no_subject_is_on_two_sides_of_a_split(pairs: list[tuple[int, int]]) -> None:
    documents = [
        document(number, {}, subject=f"student {subject}" if subject else None)
        for number, subject in pairs
    ]
    parts = split(documents, (0.3, 0.5, 0.2))
    assert sorted(map(id, documents)) == sorted(id(d) for part in parts for d in part)
    assert leaked(parts) == []
    labels = groups_of(documents)
    carriers = Counter(d.subject for d in documents if d.subject is not None)
    people = {name for name, count in carriers.items() if count <= 12}
    for i, a in enumerate(documents):
        for j, b in enumerate(documents):
            if a.sha256 == b.sha256 or (a.subject in people and a.subject == b.subject):
                assert labels[i] == labels[j]
    again = split(list(reversed(documents)), (0.3, 0.5, 0.2))
    assert [{id(d) for d in part} for part in again] == [{id(d) for d in part} for part in parts]


def test_a_name_on_very_many_documents_is_no_person() -> None:
    documents = [document(i, {}, subject="scan") for i in range(60)]
    assert len(set(groups_of(documents))) == 60
    assert min(len(part) for part in split(documents, (0.3, 0.5, 0.2))) >= 11
    few = [document(i, {}, subject="张三") for i in range(4)]
    assert len(set(groups_of(few))) == 1


def test_a_leak_is_found() -> None:
    one, two = document(1, {}, subject="张三"), document(2, {}, subject="张三")
    assert leaked([[one], [two]]) == ["subject 张三"]
    assert leaked([[one], [one]]) == [f"sha256 {one.sha256}", "subject 张三"]


def test_a_replay_asks_the_record_and_every_question_pays_for_its_answer() -> None:
    both: dict[str, str | None] = {"姓名": "right", "证书编号": "wrong"}
    one = document(1, {"rules": (both, 0.1, 0), "llm": (both, 0.9, 700)})
    result = one.replay(*build(MOE.gate, MOE.combiner))
    assert result.cost.prompt_tokens == 700
    assert result.asked == {(e, f) for e in ("rules", "llm") for f in SCHEMA.names}
    assert len(result.states) == 2
    assert set(result.states[0].readings["姓名"]) == {"rules"}
    single = build(fixed("llm", separate=["llm"]), Component(kind="moe"))
    assert one.replay(*single).cost.prompt_tokens == 1400


def test_an_answer_is_paid_for_by_the_fields_it_was_asked_about() -> None:
    both: dict[str, str | None] = {"姓名": "right", "证书编号": "wrong"}
    one = document(1, {"rules": (both, 0.1, 0), "llm": (both, 0.9, 700)})
    trial = try_out(MOE, [one], build, "tokens")
    assert set(trial.field_costs) == set(SCHEMA.names)
    assert sum(cost.prompt_tokens for cost in trial.field_costs.values()) == 700
    assert {cost.prompt_tokens for cost in trial.field_costs.values()} == {350}


def test_a_missing_answer_is_a_failure_not_a_wrong_value() -> None:
    answer = document(1, {}).answer(Ask("llm", ("姓名",)))
    assert answer.cost == Cost()
    assert answer.readings[0].error is not None
    assert "no recorded answer" in answer.readings[0].error.message
    result = document(1, {}).replay(*build(LLM.gate, LLM.combiner))
    assert all(d.status is Status.FAILED for d in result.decisions.values())


def test_an_answer_to_the_very_question_comes_first() -> None:
    one = document(1, {"llm": ({"姓名": "together", "证书编号": "together"}, 0.9, 700)})
    alone = Answer(expert="llm", readings=(Reading(field="姓名", value="alone"),))
    both = replace(one, answers=(*one.answers, Recorded("llm", "", alone)))

    def values(*fields: str) -> list[str | None]:
        return [reading.value for reading in both.answer(Ask("llm", fields)).readings]

    assert values("姓名") == ["alone"]
    assert values("姓名", "证书编号") == ["together"] * 2
    assert values("证书编号") == ["together"]


def test_routing_quality_and_bounds() -> None:
    right, wrong = "right", "wrong"
    documents = [
        document(
            1,
            {
                "rules": ({"姓名": right, "证书编号": wrong}, 0.9, 0),
                "llm": ({"姓名": wrong, "证书编号": right}, 0.9, 100),
            },
        ),
        document(
            2,
            {
                "rules": ({"姓名": right, "证书编号": right}, 0.9, 0),
                "llm": ({"姓名": right, "证书编号": wrong}, 0.9, 100),
            },
        ),
        document(
            3,
            {
                "rules": ({"姓名": wrong, "证书编号": wrong}, 0.9, 0),
                "llm": ({"姓名": wrong, "证书编号": wrong}, 0.9, 100),
            },
        ),
    ]
    found = study(documents, [RULES, LLM], build)
    rules, llm = found.trials
    assert found.unit == "tokens"
    assert (rules.routing.winnable, rules.routing.reached, rules.routing.won) == (4, 3, 3)
    assert (llm.routing.reached, llm.routing.won) == (2, 2)
    assert rules.routing.quality == 0.75
    assert found.oracle.accuracy == pytest.approx(2 / 3)
    assert found.oracle.mean_amount == pytest.approx(100 / 3)
    assert [bound.name for bound in found.singles] == ["llm", "rules"]
    assert rules.accuracy == pytest.approx(0.5)


def test_the_recommended_point_is_of_the_study_s_documents() -> None:
    documents = batch(60)
    found = study(documents, [RULES, LLM, MOE], build)
    trial = recommend(documents, [RULES, LLM, MOE], build).trial
    assert len(trial.amounts) == len(documents)
    # A strategy that ran stands in the chart already.
    assert "recommended" not in {point.role for point in study_points(found, trial)}
    trial = replace(trial, candidate=replace(trial.candidate, configured=False))
    points = {point.role: point for point in study_points(found, trial)}
    assert points["recommended"].accuracy == trial.accuracy
    assert points["recommended"].cost == trial.mean_amount
    assert points["recommended"].accuracy <= points["oracle"].accuracy


def test_unverified_cells_are_left_out_and_failures_are_wrong() -> None:
    failing = Answer(
        expert="llm",
        readings=(Reading(field="姓名", error=Failure(type="E", message="e")),),
    )
    one = RecordedDocument(
        sha256="0" * 64,
        page=1,
        subject=None,
        schema=SCHEMA,
        answers=(Recorded("llm", "", failing),),
        verified=frozenset({"姓名"}),
        judge=lambda field, value: value is None,
    )
    trial = try_out(LLM, [one], build, "tokens")
    assert trial.fields == ("姓名",)
    assert (int(trial.asked.sum()), int(trial.right.sum())) == (1, 0)


def test_a_lottery_between_experts_lies_on_the_line_between_them() -> None:
    singles = (Bound("rules", 0.8, 0.0), Bound("llm", 0.9, 100.0), Bound("bad", 0.5, 50.0))
    assert mixed_accuracy(singles, 0.0) == 0.8
    assert mixed_accuracy(singles, 50.0) == pytest.approx(0.85)
    assert mixed_accuracy(singles, 500.0) == 0.9
    assert oracle(batch(50), "tokens").accuracy > 0.98


def test_costs_are_counted_in_money_tokens_or_seconds() -> None:
    free = document(1, {"rules": ({}, 0.5, 0)})
    assert unit_of([free]) == "seconds"
    assert unit_of([free, document(2, {"llm": ({}, 0.5, 7)})]) == "tokens"
    cost = Cost(calls=9, prompt_tokens=30, completion_tokens=4, seconds=1.5, money=0.25)
    assert [amount(cost, unit) for unit in ("money", "tokens", "seconds")] == [0.25, 34.0, 1.5]
    # Calls say nothing of their size, so that costs are never told in them.
    assert unit_for([Cost(calls=9, seconds=1.0)]) == "seconds"
    assert unit_for([cost, Cost(seconds=900.0)]) == "money"
    assert unit_for([]) == "seconds"


def test_the_cheapest_of_equally_good_policies_is_chosen() -> None:
    documents = batch(300)
    trials = [try_out(candidate, documents, build, "tokens") for candidate in (LLM, MOE, RULES)]
    assert cheapest_good(trials, 0.99) is MOE
    same = [try_out(c, batch(300, accuracy=(1.0, 1.0)), build, "tokens") for c in (LLM, MOE, RULES)]
    assert cheapest_good(same, 0.99).name in {"moe", "rules"}


@pytest.fixture(scope="module")
def recommendation() -> Recommendation:
    return recommend(batch(900), [RULES, LLM, MOE], build, target=0.97)


def test_a_policy_is_recommended_with_certified_thresholds(
    recommendation: Recommendation,
) -> None:
    assert sum(recommendation.documents) == 900
    assert recommendation.certified == SCHEMA.names
    assert "every field is certified" in recommendation.verdict
    against = {each.name: each for each in recommendation.against}
    assert set(against) == {"rules", "llm", "moe"}
    result = recommendation.result
    assert result.mean_amount < against["llm"].mean_amount / 2
    assert against["llm"].accuracy <= result.accuracy <= recommendation.oracle.accuracy
    assert result.routing is not None
    assert result.routing > 0.9
    tried = {each.name for each in recommendation.tried}
    assert {"rules", "best_per_field", "learned_votes", "moe@0.9", "moe/learned@0.1"} <= tried
    for report in recommendation.report:
        assert report.accepted > 0
        assert report.wrong_accepted / report.accepted < 0.06


def test_the_recommendation_is_a_configuration(recommendation: Recommendation) -> None:
    text = recommendation.to_yaml()
    assert text.startswith(f"# {recommendation.verdict}")
    overlay = yaml.safe_load(text)
    strategy = overlay["strategies"]["recommended"]
    assert overlay["strategy"] == "recommended"
    gate, combiner = build(
        Component.model_validate(strategy["gate"]), Component.model_validate(strategy["combiner"])
    )
    fresh = batch(500, seed=7)
    accepted = wrong = 0
    for each in fresh:
        decisions = each.replay(gate, combiner).decisions
        for name, decision in decisions.items():
            if decision.status is Status.ACCEPTED:
                accepted += 1
                wrong += not each.right(name, decision.value)
    assert accepted > 300
    assert wrong / accepted < 0.04


def test_too_little_truth_is_told_with_what_is_missing() -> None:
    short = recommend(batch(60, accuracy=(1.0, 1.0)), [RULES, LLM, MOE], build)
    assert short.fallback == "nothing_certified"
    assert short.certified == ()
    assert "no field can be certified" in short.verdict
    assert f"Verify about {short.missing} more documents" in short.verdict
    assert short.missing > 300
    strategy = short.overlay["strategies"]["recommended"]
    assert strategy["title"].endswith("(not certified)")
    assert "accept" not in strategy["combiner"]
    two = recommend(batch(2), [RULES, LLM], build)
    assert (two.fallback, two.documents, two.certified) == ("too_few", (2, 0, 0), ())
    assert two.accuracy == max(each.accuracy for each in two.against)
    assert "the most accurate strategy that ran" in two.verdict
    with pytest.raises(TruthError, match="no configured strategy"):
        recommend(batch(30), [], build)
    with pytest.raises(TruthError, match="answer about a verified document"):
        study([document(1, {})], [RULES], build)


@pytest.mark.parametrize("n", [3, 4, 5, 8])
def test_a_handful_of_documents_is_enough_to_say_that_more_are_needed(n: int) -> None:
    found = recommend(batch(n), [RULES, LLM, MOE], build)
    assert sum(found.documents) == n
    assert found.certified == ()
    assert found.missing > 100


def test_what_the_calibration_has_seen_is_not_tested_on() -> None:
    documents = batch(120)
    seen = [d.sha256[:8] for d in documents]
    assert len(set(seen)) == 1
    marked = [
        replace(d, sha256=("a" if i < 40 else "b") * 8 + d.sha256[8:])
        for i, d in enumerate(documents)
    ]
    found = recommend(marked, [RULES, LLM], build, fitted_on=["a" * 8], target=0.8)
    assert found.set_aside == 40
    assert sum(found.documents) == 120
    assert found.documents[0] > 40


class Patient:
    """A gate from elsewhere: asks its second expert where the first was not sure enough."""

    class Params(Value):
        first: str
        second: str
        patience: float = 0.5

    def __init__(self, params: Params) -> None:
        self._params = params

    def route(self, state: State) -> list[Ask]:
        asked = {expert for readings in state.readings.values() for expert in readings}
        names = state.schema.names
        if self._params.first not in asked:
            return [Ask(self._params.first, names)]
        unsure = [n for n in names if (state.decisions[n].confidence or 0) < self._params.patience]
        return [Ask(self._params.second, names)] if unsure and len(asked) == 1 else []

    def variants(self) -> list[Variant]:
        return [
            Variant(f"{patience:g}", f"patience {patience:g}", {"patience": patience})
            for patience in (0.1, 0.9)
        ]


def test_a_gate_from_elsewhere_gets_its_variants_tried_too() -> None:
    def build_patient(gate: Component, combiner: Component) -> tuple[Gate, Combiner]:
        if gate.kind != "patient":
            return build(gate, combiner)
        _, built = build(fixed(), combiner)
        return Patient(Patient.Params.model_validate(gate.params)), built

    own = PolicyCandidate(
        "own",
        "Own",
        component("patient", first="rules", second="llm", patience=0.5),
        Component(kind="moe"),
    )
    found = {candidate.name: candidate for candidate in tuned([RULES, own], build_patient)}
    assert set(found) == {"own@0.1", "own@0.9"}
    assert found["own@0.9"].title == "Own (patience 0.9)"
    assert found["own@0.9"].gate.params == {"first": "rules", "second": "llm", "patience": 0.9}
    assert not found["own@0.9"].configured
    learnt = fitted(batch(60), [RULES, own], build_patient, "tokens")
    assert any(candidate.name.startswith("own/learned@") for candidate in learnt)
    recommended = recommend(batch(90), [RULES, own], build_patient)
    assert {"own@0.1", "own@0.9"} <= {each.name for each in recommended.tried}
    few, many = (
        try_out(found[name], batch(90), build_patient, "tokens") for name in ("own@0.1", "own@0.9")
    )
    assert few.questions.get("llm", 0) < many.questions["llm"]


def test_a_gate_that_never_asks_gets_failed_decisions() -> None:
    class Silent:
        def route(self, state: object) -> list[Ask]:
            return []

    _, combiner = build(MOE.gate, MOE.combiner)
    result = batch(1)[0].replay(Silent(), combiner)
    assert {d.status for d in result.decisions.values()} == {Status.FAILED}


def made_up(name: str, right: list[list[bool]], amounts: list[float], *, ran: bool) -> Trial:
    """A trial with no more than a choice looks at; rows are documents, and nothing is ever sure."""
    hits = np.array(right, dtype=bool)
    return Trial(
        candidate=PolicyCandidate(name, name, RULES.gate, RULES.combiner, configured=ran),
        fields=SCHEMA.names,
        asked=np.ones_like(hits),
        right=hits,
        confidence=np.full(hits.shape, 0.5),
        accepted=hits,
        cost=Cost(),
        field_costs={},
        amounts=np.array(amounts),
        questions={},
        routing=Routing(0, 0, 0),
    )


@st.composite
def trials(draw: st.DrawFn) -> list[Trial]:
    """Policies over the same few documents; some cost the same, some read the same."""
    documents = draw(st.integers(1, 12))
    reads = st.lists(
        st.lists(st.booleans(), min_size=2, max_size=2), min_size=documents, max_size=documents
    )
    count = draw(st.integers(1, 6))
    return [
        made_up(
            f"policy {number}",
            draw(reads),
            [float(draw(st.sampled_from((0, 1, 1, 100))))] * documents,
            ran=draw(st.booleans()),
        )
        for number in range(count)
    ]


@given(trials(), st.sampled_from([0.5, 0.9, 0.99]))
@settings(max_examples=200, deadline=None)
def test_no_policy_is_chosen_that_another_beats_for_no_more_money(
    found: list[Trial], target: float
) -> None:
    name = cheapest_good(found, target).name
    chosen = next(trial for trial in found if trial.candidate.name == name)
    for other in found:
        cheap = other.mean_amount <= chosen.mean_amount
        assert not (cheap and other.accuracy > chosen.accuracy + 1e-9)
        same = other.mean_amount == chosen.mean_amount and other.accuracy == chosen.accuracy
        good = np.array_equal(other.right, chosen.right)
        if same and good and other.candidate.configured:
            assert chosen.candidate.configured


def test_a_loss_that_is_no_chance_is_seen() -> None:
    right, wrong = [True, True], [True, False]
    best = made_up("best", [right] * 40, [1.0] * 40, ran=True)
    worse = made_up("worse", [wrong] * 12 + [right] * 28, [0.0] * 40, ran=True)
    unlucky = made_up("unlucky", [wrong] + [right] * 39, [0.0] * 40, ran=True)
    assert falls_short(worse, best)
    assert not falls_short(unlucky, best)
    assert not falls_short(best, worse)
    assert cheapest_good([best, worse], 0.9).name == "best"
    assert cheapest_good([best, unlucky], 0.9).name == "unlucky"


CONFIGURED = (RULES, LLM, MOE)


@given(
    n=st.integers(1, 70),
    seed=st.integers(0, 50),
    accuracy=st.tuples(st.sampled_from([0.5, 0.9, 0.99, 1.0]), st.sampled_from([0.5, 0.9, 1.0])),
    target=st.sampled_from([0.6, 0.8, 0.99]),
    ran=st.sets(st.sampled_from(range(3)), min_size=1),
)
@settings(max_examples=25, deadline=None)
def test_nothing_is_recommended_that_loses_to_what_ran(
    n: int, seed: int, accuracy: tuple[float, float], target: float, ran: set[int]
) -> None:
    documents = batch(n, seed, accuracy)
    configured = [CONFIGURED[i] for i in sorted(ran)]
    found = recommend(documents, configured, build, target=target, confidence=0.8)
    assert len(found.trial.asked) == n
    for each in found.against:
        if each.mean_amount <= found.mean_amount + 1e-9:
            assert each.accuracy <= found.accuracy + 1e-9
    if not found.certified:
        assert found.fallback is not None
        assert found.candidate in configured
        assert found.accuracy == pytest.approx(max(each.accuracy for each in found.against))
        assert found.overlay["strategies"]["recommended"]["title"].endswith("(not certified)")
    if found.fallback is None:
        assert found.certified


def test_a_policy_that_turns_out_worse_than_what_ran_is_set_aside() -> None:
    """Good on the documents for choosing, and certified; the rest of them shows what ran to be better
    at the same cost."""
    both: dict[str, str | None] = {"姓名": "right", "证书编号": "right"}
    one_wrong: dict[str, str | None] = {"姓名": "right", "证书编号": "wrong"}
    documents = [
        document(i, {"rules": (both, 0.9, 10), "llm": (both, 0.9, 10)}) for i in range(300)
    ]
    choosing, testing, reporting = split(documents, (0.3, 0.5, 0.2))
    lucky = {d.sha256 for d in choosing[:1]}
    unlucky = {d.sha256 for d in reporting[:3]}

    def as_it_went(each: RecordedDocument) -> RecordedDocument:
        number = int(each.sha256, 16)
        if each.sha256 in lucky:
            return document(number, {"rules": (one_wrong, 0.9, 10), "llm": (both, 0.9, 10)})
        if each.sha256 in unlucky:
            return document(number, {"rules": (both, 0.9, 10), "llm": (one_wrong, 0.9, 10)})
        return each

    played = [as_it_went(each) for each in documents]
    assert sum(map(len, (choosing, testing, reporting))) == 300
    found = recommend(played, [RULES, LLM], build, target=0.9)
    assert (found.fallback, found.candidate, found.certified) == ("less_accurate", RULES, ())
    assert "LLM was tried, and is less accurate" in found.verdict
    assert "was chosen on the documents that were to test it" in found.to_yaml()
    certified = recommend(documents, [RULES, LLM], build, target=0.9)
    assert certified.fallback is None
    assert set(certified.certified) == set(SCHEMA.names)


PEOPLE = SCHEMA.model_copy(
    update={
        "subjects": Subjects(
            pattern=r"(?P<name>\D+)-\d+",
            name_field="姓名",
            constant=("姓名",),
        )
    }
)


def of_person(number: int, path: str, name: str, score: float, **more: Any) -> RecordedDocument:
    read: dict[str, str | None] = {"姓名": name, "证书编号": f"10613{number:013d}"}
    plain = document(number, {"rules": (read, score, 0)}, **more)
    return replace(plain, path=path, schema=PEOPLE, judge=lambda field, value: value != "张二")


def test_documents_of_one_subject_are_weighed_together_where_the_strategy_does_so() -> None:
    documents = [of_person(1, "张三-1.jpg", "张二", 0.3), of_person(2, "张三-2.jpg", "张三", 0.99)]
    alone = replace(RULES, name="alone")
    together = replace(RULES, dossiers=DossierParams())
    assert int(try_out(alone, documents, build, "tokens").right.sum()) == 3
    assert int(try_out(together, documents, build, "tokens").right.sum()) == 4
    # A fellow without verified cells is heard, and neither scored nor paid for.
    fellow = replace(documents[1], verified=frozenset())
    heard = try_out(together, documents[:1], build, "tokens", fellows=[fellow])
    assert heard.right.shape == (1, 2)
    assert int(heard.right.sum()) == 2
    assert heard.questions == {"rules": 1}


def test_what_is_recommended_weighs_documents_as_its_strategy_does() -> None:
    weighing = replace(
        RULES, dossiers=DossierParams(sure=0.95, accept=Thresholds(default=0.8)), name="weighing"
    )
    documents = [of_person(i, f"张三-{i}.jpg", "张三", 0.95) for i in range(1, 5)]
    documents += [of_person(i, f"{i}.jpg", "张三", 0.95) for i in range(5, 200)]
    found = recommend(documents, [weighing], build, target=0.9)
    assert found.certified
    strategy = StrategyConfig.model_validate(found.overlay["strategies"]["recommended"])
    assert strategy.dossiers is not None
    assert strategy.dossiers.sure == 0.95
    assert strategy.dossiers.accept.default == 0.8
    # Who has the last word on a value knows what is certified.
    thresholds = {each.field: each.threshold for each in found.certificates}
    assert strategy.dossiers.accept.fields == strategy.combiner.params["accept"]["fields"]
    assert strategy.dossiers.accept.fields == thresholds
    learnt = {c.name: c for c in fitted(batch(60), [replace(MOE, dossiers=DossierParams())], build,
                                        "tokens")}  # fmt: skip
    assert learnt["moe/learned@0.1"].dossiers == DossierParams()
    assert learnt["best_per_field"].dossiers is None
    assert all(c.dossiers == DossierParams()
               for c in tuned([replace(MOE, dossiers=DossierParams())], build))  # fmt: skip
