"""The plan at the desk: blind cells, words that contradict what was read, and restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.types import Status
from ocr_moe.workshop.config import Config
from tests.deskkit import copy_of, desk_settings

pytestmark = pytest.mark.slow


@pytest.fixture
def run(reviewed_run: Path, tmp_path: Path) -> Path:
    return copy_of(reviewed_run, tmp_path)


def opened(run: Path, **review: object) -> Desk:
    return Desk.open(run, config=Config.model_validate(desk_settings(**review)))


@pytest.fixture
def desk(run: Path) -> Iterator[Desk]:
    with opened(run, blind_share=0.3) as desk:
        yield desk


def hidden(desk: Desk) -> list[CellKey]:
    return [each.key for each in desk.waiting() if desk.view(each.key, "li").hidden]


def other_than(value: str) -> str:
    """Another value of the same kind: a digit that differs, or a character more."""
    for old, new in (("2", "3"), ("1", "2"), ("0", "1")):
        if old in value:
            return value.replace(old, new, 1)
    return value + "甲"


def one_that_can_be_misread(desk: Desk) -> tuple[CellKey, str]:
    for key in hidden(desk):
        record = desk.record(key.document)
        assert record is not None
        value = record.fields[key.field].value
        kind = desk.view(key, "li").field.kind.value
        if value is not None and kind in ("person", "organisation", "text", "code"):
            return key, value
    raise AssertionError("no blind cell with a text")


def test_a_share_of_the_sure_cells_waits_without_values(desk: Desk) -> None:
    plan = desk.plan()
    blind = hidden(desk)
    assert len(blind) == plan.blind.due > 0
    for key in blind:
        view = desk.view(key, "li")
        assert view.decision.value is None
        assert view.decision.confidence is None
        assert view.candidates == ()
        [summary] = [each for each in desk.cells_of(key.document) if each.key == key]
        assert summary.value is None
        record = desk.record(key.document)
        assert record is not None
        assert record.fields[key.field].status in (Status.ACCEPTED, Status.ABSENT)


def test_the_same_cells_are_hidden_after_a_restart(run: Path) -> None:
    with opened(run, blind_share=0.3) as desk:
        first = hidden(desk)
        desk.judge(first[0], None, "li")
        rest = hidden(desk)
    assert set(rest) == set(first[1:])
    with opened(run, blind_share=0.3) as desk:
        assert hidden(desk) == rest
        assert desk.plan().blind.drawn == 1


def test_a_blind_word_that_agrees_is_counted_and_done(desk: Desk) -> None:
    key, value = one_that_can_be_misread(desk)
    desk.judge(key, value, "li")
    plan = desk.plan()
    assert (plan.blind.drawn, plan.blind.right, plan.blind.open) == (1, 1, 0)
    assert key not in [each.key for each in desk.waiting()]


def test_a_blind_word_that_differs_comes_back_with_both_values(desk: Desk) -> None:
    key, value = one_that_can_be_misread(desk)
    typed = other_than(value)
    desk.judge(key, typed, "li")
    assert desk.plan().blind.open == 1
    assert key in [each.key for each in desk.waiting()]
    view = desk.view(key, "li")
    assert not view.hidden
    assert {value, typed} <= {each.value for each in view.candidates}

    desk.judge(key, value, "li")

    plan = desk.plan()
    assert (plan.blind.drawn, plan.blind.right, plan.blind.open) == (1, 1, 0)
    assert plan.reviewer.slips == 1
    assert key not in [each.key for each in desk.waiting()]


def test_what_is_taken_back_waits_again(desk: Desk) -> None:
    key, value = one_that_can_be_misread(desk)
    before = desk.plan()
    for typed in (value, other_than(value)):
        desk.judge(key, typed, "li")
        desk.undo("li")
        assert desk.plan() == before
        assert not desk.view(key, "li").hidden  # its value may have been seen by now
        # What was drawn by chance and contradicts the run is not got rid of by taking one's word back.
        assert key in [each.key for each in desk.waiting()]
        assert desk.next_cell("li", document=key.document, field=key.field) == key
    desk.judge(key, value, "li")
    assert key not in [each.key for each in desk.waiting()]
    key = hidden(desk)[0]
    assert desk.view(key, "li").decision.value is None


def test_typing_what_was_not_read_brings_the_plan_forward(desk: Desk) -> None:
    before = desk.plan()
    assert before.must > 0
    empty = next(
        each.key
        for each in desk.waiting()
        if each.value is None and not desk.view(each.key, "li").hidden
    )
    desk.judge(empty, None, "li")
    after = desk.plan()
    assert (after.checked, after.must) == (before.checked + 1, before.must - 1)
    assert after.accuracy > before.accuracy


def test_further_cells_are_drawn_for_a_certificate(desk: Desk) -> None:
    before = hidden(desk)
    assert desk.draw_blind(3) == 3
    assert len(hidden(desk)) == len(before) + 3
    assert set(before) < set(hidden(desk))


def test_checking_everything_certifies_what_one_word_can(run: Path) -> None:
    with opened(run, target=0.9, blind_share=1.0) as desk:
        while (key := desk.next_cell("li")) is not None:
            record = desk.record(key.document)
            assert record is not None
            own = desk.store.record(desk.strategy, key.document, alone=True)
            assert own is not None
            desk.judge(key, own.fields[key.field].value, "li")
        plan = desk.plan()
    assert plan.checked == plan.cells
    assert plan.stop
    assert plan.certificate.bound >= 0.9
