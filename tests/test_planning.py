"""The plan says how many cells to check, what they are worth, and keeps up with the work."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.review import TRUTH, Known, simulate
from ocr_moe.reviewing.blind import blind_order, evidence_against
from ocr_moe.reviewing.cells import Cell, Check, cells_of, check_of
from ocr_moe.reviewing.planning import Plan, Planner, PlanWarning, uncalibrated_fields
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.routing.calibration import Calibration, Logistic, Quality
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.settings import ReviewOptions
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import (
    Decision,
    DocumentRef,
    Failure,
    Judgement,
    JudgementKind,
    Record,
    Shown,
    Status,
)

RIGHT = Check(1, machine_right=True)
WRONG = Check(1, machine_right=False)
BLIND = Check(1, blind=True, machine_right=True, words=1, agreed=True)


def named(number: int) -> CellKey:
    return CellKey(DocumentKey(f"{number}.jpg"), f"field {number % 3}")


def cell(number: int, confidence: float | None, status: Status = Status.ACCEPTED) -> Cell:
    return Cell(named(number), "certificate", status, confidence)


def sheet(*confidences: float | None) -> list[Cell]:
    """Doubtful below 0.9, to be typed where there is none."""
    return [
        cell(i, c, Status.ACCEPTED if c is not None and c >= 0.9 else Status.ABSTAINED)
        for i, c in enumerate(confidences)
    ]


def plan_of(cells: list[Cell], **options: Any) -> Plan:
    return Planner(cells, ReviewOptions(**options), "seed").plan()


def fewest(risks: list[float], must: int, target: float, rate: float = 0.005) -> int:
    """Cells to check, one after the other, until the expected number of wrong ones is small enough."""
    todo = sorted(risks, reverse=True)
    allowed = (1 - target) * (len(risks) + must) + 1e-9
    checked = must
    while sum(todo) + rate * checked > allowed and todo and todo[0] > rate:
        todo.pop(0)
        checked += 1
    return checked


confidences = st.one_of(st.none(), st.integers(0, 1000).map(lambda c: c / 1000))


@given(st.lists(confidences, max_size=40), st.sampled_from([0.5, 0.9, 0.98, 0.995]))
@settings(max_examples=150, deadline=None)
def test_the_fewest_cells_that_do(given_confidences: list[float | None], target: float) -> None:
    plan = plan_of(sheet(*given_confidences), target=target)
    known = [1 - c for c in given_confidences if c is not None]
    must = len(given_confidences) - len(known)
    assert plan.must == must
    assert plan.to_check == fewest(known, must, target)
    least, most = plan.to_check_interval
    assert must <= least <= plan.to_check <= most <= plan.cells
    if given_confidences:
        wrong = sum(known) + must
        assert plan.accuracy == pytest.approx(1 - wrong / len(given_confidences))
    low, high = plan.accuracy_interval
    assert 0 <= low <= plan.accuracy + 1e-9
    assert plan.accuracy - 1e-9 <= high <= 1


def test_a_sheet_is_planned_as_an_officer_would_read_it() -> None:
    """97 doubtful cells of 968; the sure ones are wrong once in a thousand."""
    doubtful = [0.3 + 0.005 * i for i in range(97)]
    plan = plan_of(sheet(*doubtful, *[0.999] * 871))
    assert (plan.cells, plan.checked, plan.must) == (968, 0, 0)
    # 968 cells may hold 4.84 wrong ones; the sure ones come to 0.87, each checked one to 0.005.
    assert plan.to_check == fewest([1 - c for c in doubtful] + [0.001] * 871, 0, 0.995)
    assert 80 < plan.to_check < 97
    assert not plan.reached
    assert not plan.stop
    assert plan.blind.due == 44
    assert plan.certificate.allowed == 4


def worked(planner: Planner, cells: list[Cell], check: Check, count: int) -> None:
    """The first so many cells of the queue are checked."""
    by_key = {cell.key: cell for cell in cells}
    for key in planner.queue(count):
        planner.update(by_key[key]._replace(check=check))


def test_work_brings_the_plan_down_to_nothing() -> None:
    cells = sheet(None, None, *np.linspace(0.2, 0.89, 60).tolist(), *[0.9995] * 500)
    planner = Planner(cells, ReviewOptions(), "seed")
    asked = planner.plan().to_check
    assert planner.queue(2) == [named(0), named(1)], "what must be typed comes first"
    assert planner.queue(4)[2:] == [named(2), named(3)], "then the most doubtful"
    seen = 0
    while (plan := planner.plan()).to_check:
        worked(planner, cells, RIGHT if seen % 3 else WRONG, 1)
        seen += 1
    assert plan.reached
    assert plan.accuracy >= plan.target
    assert plan.checked == seen
    # Doubtful cells turned out right more often than they said, so there was less to do.
    assert seen <= asked
    assert not plan.stop, "expected is not certified"


def test_errors_among_sure_cells_are_believed() -> None:
    cells = sheet(*[0.998] * 400)
    planner = Planner(cells, ReviewOptions(), "seed")
    before = planner.plan()
    assert before.reached
    by_key = {cell.key: cell for cell in cells}
    for i in range(60):
        key = planner.next_blind()
        assert key is not None
        found = WRONG if i % 10 == 0 else RIGHT
        planner.update(by_key[key]._replace(check=found._replace(blind=True, words=1, order=i)))
    after = planner.plan()
    assert not after.reached
    assert after.accuracy < before.accuracy
    assert (after.blind.drawn, after.blind.right) == (60, 54)
    assert after.blind.expected_wrong == pytest.approx(60 * 0.002)
    assert after.blind.accuracy < 0.9
    assert PlanWarning.CONFIDENCE_CONTRADICTED in after.warnings
    assert PlanWarning.CONFIDENCE_CONTRADICTED not in before.warnings


def test_the_interval_holds_the_truth() -> None:
    """Sheets whose risk is off by a factor, as the plan supposes, with people who slip."""
    generator = np.random.default_rng(3)
    inside, sheets = 0, 300
    for _ in range(sheets):
        stated = np.r_[generator.beta(1, 200, 250), generator.uniform(0.2, 0.6, 30)]
        factors = generator.gamma(2.0, 0.5, 2)
        risk = np.minimum(1.0, stated * np.repeat(factors, [250, 30]))
        wrong = generator.random(280) < risk
        cells = [
            cell(i, 1 - float(p), Status.ACCEPTED if i < 250 else Status.ABSTAINED)
            for i, p in enumerate(stated)
        ]
        planner = Planner(cells, ReviewOptions(), "seed")
        rate = generator.gamma(1.0, 1 / 200)
        left = wrong.copy()
        for i in generator.choice(280, size=40, replace=False):
            check = WRONG if wrong[i] else RIGHT
            planner.update(cells[i]._replace(check=check))
            left[i] = generator.random() < rate
        low, high = planner.plan().accuracy_interval
        inside += low - 1e-9 <= 1 - left.sum() / 280 <= high + 1e-9
    # Of 300 intervals of 95 %, 276 hold it at least, but for one in a thousand such tests.
    assert inside >= 276


actions = st.lists(
    st.tuples(st.integers(0, 29), st.sampled_from(["right", "wrong", "open", "undo", "doubt"])),
    max_size=40,
)


@given(actions)
@settings(max_examples=60, deadline=None)
def test_a_restart_finds_the_same_plan(done: list[tuple[int, str]]) -> None:
    """Cell by cell, all at once, or after a restart: what is known says what the plan is."""
    cells = sheet(*[0.3, 0.6, None] * 3, *[0.95, 0.99, 0.999] * 7)
    options = ReviewOptions(target=0.9, assurance=0.8)
    live = Planner(cells, options, "run 1")
    now = {cell.key: cell for cell in cells}
    for order, (index, action) in enumerate(done):
        before = now[named(index)]
        checks = {
            "right": Check(order, blind=index % 2 == 0, machine_right=True, words=1, agreed=True),
            "wrong": Check(order, blind=index % 2 == 0, machine_right=False, words=1),
            "open": Check(order, blind=True, open=True),
            "undo": None,
            "doubt": before.check,
        }
        confidence = 0.5 if action == "doubt" else before.confidence
        after = before._replace(check=checks[action], confidence=confidence)
        now[after.key] = after
        live.update(after)
        live.plan()
    again = Planner(now.values(), options, "run 1")
    assert again.plan() == live.plan()
    assert again.queue() == live.queue()
    assert again.next_blind() == live.next_blind()
    at_once = Planner(cells, options, "run 1")
    at_once.update(*now.values())
    assert at_once.plan() == live.plan()


def test_what_is_taken_back_was_never_said() -> None:
    cells = sheet(*[0.999] * 60)
    planner = Planner(cells, ReviewOptions(), "seed")
    before = planner.plan()
    by_key = {cell.key: cell for cell in cells}
    key = planner.next_blind()
    assert key is not None
    planner.update(by_key[key]._replace(check=BLIND))
    assert planner.plan().blind.drawn == 1
    assert planner.next_blind() != key
    planner.update(by_key[key])
    assert planner.plan() == before
    assert planner.next_blind() == key


def test_every_sure_cell_checked_blind_is_a_certificate() -> None:
    cells = sheet(0.4, 0.6, *[0.99] * 98)
    planner = Planner(cells, ReviewOptions(target=0.98), "seed")
    by_key = {cell.key: cell for cell in cells}
    first = planner.plan().certificate
    assert first.more is not None
    worked(planner, cells, RIGHT, 2)
    drawn = 0
    while not (plan := planner.plan()).stop:
        key = planner.next_blind()
        assert key is not None
        planner.update(by_key[key]._replace(check=BLIND._replace(order=2 + drawn)))
        drawn += 1
    assert drawn == first.more < 98
    assert plan.certificate.bound >= 0.98
    assert plan.certificate.more == 0
    assert plan.reviewer.words == drawn


def test_cells_outside_the_audit_count_as_wrong_until_checked() -> None:
    cells = sheet(0.5, *[0.999] * 40)
    planner = Planner(cells, ReviewOptions(target=0.9, assurance=0.8), "seed")
    by_key = {cell.key: cell for cell in cells}

    def bound() -> int:
        return planner.plan().certificate.wrong_at_most

    while (key := planner.next_blind()) is not None:
        planner.update(by_key[key]._replace(check=BLIND))
    assert bound() == 1  # the doubtful one
    planner.update(cells[0]._replace(check=RIGHT))
    assert bound() == 0
    others = [
        cells[1]._replace(key=named(41), own=False),
        cells[2]._replace(key=named(42), changed=True),
    ]
    more = Planner([*cells, *others], ReviewOptions(target=0.9, assurance=0.8), "seed")
    plan = more.plan()
    assert plan.blind.sure == 41, "what a person's word brought about is no part of the audit"
    # All 41 may be wrong, the doubtful cell, the one that is not the run's, and the changed one.
    assert plan.certificate.wrong_at_most == 43


def test_the_blind_order_is_repeatable_and_fair() -> None:
    keys = [named(i) for i in range(20)]
    order = blind_order(keys, "run")
    assert sorted(order.tolist()) == list(range(20))
    shuffled = list(reversed(keys))
    again = [shuffled[i] for i in blind_order(shuffled, "run")]
    assert again == [keys[i] for i in order]
    firsts = np.bincount([blind_order(keys, str(seed))[0] for seed in range(2000)], minlength=20)
    # Each comes first 100 times on average; 5.5 standard deviations either way.
    assert 47 < firsts.min() <= firsts.max() < 153


def test_cells_that_came_up_count_as_drawn_however_they_are_judged() -> None:
    cells = sheet(*[0.99] * 30)
    by_key = {cell.key: cell for cell in cells}
    planner = Planner(cells, ReviewOptions(), "seed")
    first, second = planner.blind_keys(2)
    planner.update(by_key[second]._replace(check=BLIND))
    waiting = planner.plan().blind.accuracy
    assert waiting == 0.0, "the second is counted when the first is known"
    planner.update(by_key[first]._replace(check=WRONG._replace(order=2)))
    drawn = planner.plan()
    left = Planner(
        [
            each._replace(check=WRONG if each.key == first else None)
            if each.key != second
            else each._replace(check=BLIND._replace(order=2))
            for each in cells
        ],
        ReviewOptions(),
        "seed",
    ).plan()
    assert drawn.certificate.wrong_at_most >= left.certificate.wrong_at_most
    assert planner.next_blind() not in (first, second)


def warnings_of(cells: list[Cell], **options: Any) -> set[PlanWarning]:
    return set(plan_of(cells, **options).warnings)


def test_warnings_say_what_the_plan_cannot() -> None:
    varied = sheet(*np.linspace(0.99, 0.9999, 60).tolist())
    assert warnings_of(varied) == set()
    assert warnings_of(sheet(*[0.99] * 60)) == {PlanWarning.CONFIDENCE_EQUAL}
    unread = cell(60, None, Status.FAILED)
    assert warnings_of([*varied, unread]) == {PlanWarning.CELLS_UNREAD}
    assert warnings_of([*varied, unread._replace(check=WRONG)]) == set()
    assert warnings_of(varied, target=0.9999) == {
        PlanWarning.TARGET_OUT_OF_REACH,
    }
    judged = [each._replace(check=RIGHT) for each in sheet(*[0.3] * 400)]
    assert warnings_of(judged) == {PlanWarning.CERTIFICATE_OUT_OF_REACH}
    known = {("certificate", "field 1")}
    planner = Planner(varied, ReviewOptions(target=0.98), "seed", uncalibrated=known)
    assert set(planner.plan().warnings) == {PlanWarning.CONFIDENCE_UNCALIBRATED}
    planner.update(*(each._replace(check=RIGHT) for each in varied if each.key.field == "field 1"))
    assert set(planner.plan().warnings) == set()


def test_fields_without_a_model_are_known() -> None:
    fields = (Field(name="名称", kind=Kind.ORGANISATION), Field(name="日期", kind=Kind.DATE))
    schema = Schema(name="receipt", fields=fields)
    model = Logistic(bias=1.0)
    assert uncalibrated_fields([schema], Calibration()) == {
        ("receipt", "名称"),
        ("receipt", "日期"),
    }
    dates = Calibration(models={Kind.DATE: model})
    assert uncalibrated_fields([schema], dates) == {("receipt", "名称")}
    others = Calibration(models={Kind.DATE: model}, quality={"生日": Quality(cells=9, wrong=1)})
    assert ("receipt", "日期") in uncalibrated_fields([schema], others)


def test_calibrated_confidences_are_hardly_ever_contradicted() -> None:
    generator = np.random.default_rng(0)
    alarms = found = 0
    for _ in range(400):
        stated = generator.beta(1, 50, 150)
        luck = generator.random(150)
        for factor in (1.0, 8.0):
            wrong = luck < factor * stated
            seen = max(evidence_against(stated[:n], wrong[:n]) for n in range(0, 151, 10))
            alarms += factor == 1.0 and seen >= 20
            found += factor > 1.0 and seen >= 20
    assert alarms <= 36  # 20 expected at most; with this many one would doubt it at 1 in 2,000
    assert found > 350


def test_an_empty_sheet_is_right() -> None:
    plan = plan_of([])
    assert (plan.cells, plan.to_check, plan.accuracy, plan.stop) == (0, 0, 1.0, True)
    assert Planner([], ReviewOptions(), "seed").next_blind() is None


def test_keys_are_identities() -> None:
    cells = sheet(0.9, 0.8)
    with pytest.raises(ValueError, match="same key"):
        Planner([cells[0], cells[0]], ReviewOptions(), "seed")
    planner = Planner(cells, ReviewOptions(), "seed")
    with pytest.raises(KeyError, match="9"):
        planner.update(cells[0]._replace(key=named(9)))


def test_risks_of_single_cells() -> None:
    cells = sheet(None, 0.7, 0.999, 0.95)
    planner = Planner(cells, ReviewOptions(), "seed")
    assert [planner.risk(each.key) for each in cells] == pytest.approx([1.0, 0.3, 0.001, 0.05])
    planner.update(
        cells[1]._replace(check=Check(1, blind=True, open=True)), cells[2]._replace(check=BLIND)
    )
    assert planner.risk(named(1)) == 0.5
    assert planner.risk(named(2)) == pytest.approx(0.02 / 201)
    assert planner.queue() == [named(0), named(1), named(3)]
    assert planner.plan().must == 2


def test_many_cells_are_light() -> None:
    cells = [cell(i, 0.9 + (i % 997) / 10_000) for i in range(20_000)]
    tracemalloc.start()
    planner = Planner(cells, ReviewOptions(), "seed")
    held, _ = tracemalloc.get_traced_memory()
    planner.plan()
    tracemalloc.stop()
    assert held < 20_000 * 300  # 80,000 cells stay below 24 MB
    assert planner.plan().cells == 20_000


PAGE = DocumentRef(path="a.jpg", sha256="0" * 64)


def decision(value: str | None, confidence: float | None, status: Status, **more: Any) -> Decision:
    return Decision(value=value, confidence=confidence, status=status, **more)


def test_the_cells_of_records() -> None:
    record = Record(
        document=PAGE,
        schema_name="certificate",
        strategy="moe",
        fields={
            "name": decision("张三", 0.99, Status.ACCEPTED),
            "date": decision(None, 0.97, Status.ABSENT),
            "number": decision(None, 0.9, Status.ABSTAINED),
            "school": decision(None, None, Status.FAILED),
            "major": decision("法学", None, Status.ACCEPTED),
            "sex": decision("男", 0.9, Status.ABSTAINED, ceiling=0.5),
        },
    )
    found = {each.key.field: each for each in cells_of(record, checks={"name": RIGHT})}
    assert {name: each.confidence for name, each in found.items()} == {
        "name": 0.99,
        "date": 0.97,
        "number": None,
        "school": None,
        "major": 0.5,
        "sex": 0.9,
    }
    assert found["name"].check == RIGHT
    assert len({each.key for each in found.values()}) == 6
    plan = plan_of(list(found.values()))
    assert (plan.cells, plan.checked, plan.must, plan.blind.sure) == (6, 1, 2, 3)
    failure = Failure(type="ImageError", message="broken")
    unread = Record(document=PAGE, schema_name=None, strategy="moe", error=failure)
    assert [each.confidence for each in cells_of(unread, ["name", "number"])] == [None, None]
    blank = Record(document=PAGE, schema_name=None, strategy="moe", blank=True)
    assert list(cells_of(blank, ["name"])) == []


def said(
    value: str | None, *, by: str = "A", hidden: bool = False, alone: bool = False
) -> Judgement:
    shown = Shown(value="m", confidence=0.9, status=Status.ACCEPTED, strategy="moe", hidden=hidden)
    return Judgement(
        field="name", value=value, reviewer=by, at="2026-01-01", shown=shown, independent=alone
    )


SAID: dict[str, tuple[list[Judgement], Check | None]] = {
    "nothing": ([], None),
    "another kind": (
        [Judgement(kind=JudgementKind.SCHEMA, value="x", reviewer="A", at="2026-01-01")],
        None,
    ),
    "accepted in view": ([said("m")], Check(7, machine_right=True)),
    "corrected in view": ([said("p")], Check(7, machine_right=False)),
    "absent": ([said(None)], Check(7, machine_right=False)),
    "blind, the same": (
        [said("m", hidden=True)],
        Check(7, blind=True, machine_right=True, words=1, agreed=True),
    ),
    "blind, another": ([said("p", hidden=True)], Check(7, blind=True, open=True)),
    "blind, settled for the person": (
        [said("p", hidden=True), said("p")],
        Check(7, blind=True, machine_right=False, words=1),
    ),
    "blind, settled for the machine": (
        [said("p", hidden=True), said("m")],
        Check(7, blind=True, machine_right=True, words=1, slips=1),
    ),
    "blind, both wrong": (
        [said("p", hidden=True), said("q")],
        Check(7, blind=True, machine_right=False, words=1, slips=1),
    ),
    "two agree": (
        [said("p", alone=True), said("p", by="B", alone=True)],
        Check(7, machine_right=False, words=2, agreed=True),
    ),
    "two differ": (
        [said("m", alone=True), said("p", by="B", alone=True)],
        Check(7, open=True),
    ),
    "two differ, a third decides": (
        [said("m", alone=True), said("p", by="B", alone=True), said("p", by="C")],
        Check(7, machine_right=False, words=2, slips=1),
    ),
    "one changes their mind": (
        [said("m"), said("p")],
        Check(7, machine_right=False),
    ),
    "one changes their mind in double entry": (
        [said("m", alone=True), said("p", alone=True), said("p", by="B", alone=True)],
        Check(7, machine_right=False, words=2, agreed=True),
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_what_judgements_come_to(case: str) -> None:
    given_judgements, expected = SAID[case]
    assert check_of("m", given_judgements, 7) == expected


def test_values_may_say_the_same_in_other_words() -> None:
    same: Callable[[str | None, str | None], bool] = lambda a, b: (a or "") == (b or "").strip()  # noqa: E731
    check = check_of("m", [said("m ", hidden=True)], 1, same=lambda a, b: same(b, a))
    assert check is not None
    assert check.machine_right


def test_a_reviewer_who_follows_the_plan_keeps_its_promise() -> None:
    """A few sheets of 25 documents, with errors at the boundary; benchmarks.review does hundreds."""
    generator = np.random.default_rng(8)
    documents = [
        [
            Known(
                cell(number, 0.7 if doubtful else 0.995, status)._replace(
                    key=CellKey(DocumentKey(str(document)), str(number))
                ),
                TRUTH if generator.random() < (0.7 if doubtful else 0.98) else "wrong",
            )
            for number in range(8)
            for doubtful in [number == 0]
            for status in [Status.ABSTAINED if doubtful else Status.ACCEPTED]
        ]
        for document in range(25)
    ]
    outcomes = list(
        simulate(documents, repetitions=12, target=0.97, reliability=0.995, resampled=25)
    )
    assert sum(each.certified for each in outcomes) >= 6
    assert sum(not each.kept for each in outcomes) <= 3
    assert all(each.looks <= each.all_looks for each in outcomes)
    assert all(math.isfinite(each.accuracy) for each in outcomes)
