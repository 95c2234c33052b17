"""Declared grammars, their checks and what a wrong declaration is told."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ocr_moe.codes.automaton import compiled
from ocr_moe.codes.checks import known_checks, passes
from ocr_moe.codes.grammar import CodeGrammar, Segment

DIPLOMA = CodeGrammar(
    name="diploma",
    segments=(
        Segment(name="school", length=5),
        Segment(name="type", length=1, values=("1", "5")),
        Segment(name="year", length=4, values=("1998-2030",)),
        Segment(name="serial", length=2, max_length=3),
    ),
)


def test_segments_are_found() -> None:
    assert DIPLOMA.parse("1061312025123") == {
        "school": (0, 5),
        "type": (5, 6),
        "year": (6, 10),
        "serial": (10, 13),
    }
    assert DIPLOMA.shortest == 12
    assert DIPLOMA.longest == 13
    lengths = (11, 12, 13, 14)
    assert [DIPLOMA.has_length("1" * n) for n in lengths] == [False, True, True, False]


@pytest.mark.parametrize(
    "wrong", ["10613120251", "1061322025123", "1061311997123", "10613A2025123"]
)
def test_other_forms_are_refused(wrong: str) -> None:
    assert not DIPLOMA.matches(wrong)


@given(st.text("0123", min_size=1, max_size=4))
def test_the_automaton_accepts_what_the_grammar_matches(code: str) -> None:
    grammars = [
        CodeGrammar(name="a", segments=(Segment(length=1, max_length=2), Segment(length=1))),
        CodeGrammar(name="b", segments=(Segment(length=2, values=("01", "12")), Segment(length=2))),
        CodeGrammar(
            name="c", segments=(Segment(length=0, max_length=1), Segment(length=1, alphabet="3"))
        ),
    ]
    automaton = compiled(grammars)
    state = automaton.start
    for character in code:
        following = automaton.moves(state).get(character)
        if following is None:
            assert not any(g.matches(code) for g in grammars)
            return
        state = following
    assert (automaton.log_weight(state) is not None) == any(g.matches(code) for g in grammars)


@pytest.mark.parametrize(
    ("check", "right"),
    [
        ("uscc", "91110000600037341L"),
        ("uscc_organisation", "91110000600037341L"),
        ("mod_11_10", "110108001234569"),
        ("cn_id", "11010519491231002X"),
        ("cn_id", "990105194912310023"),  # a region that no list has: the check character decides
        ("luhn", "4539578763621486"),
        ("iso6346", "CSQU3054383"),
        ("mrz_td3", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"),
        ("mrz_td1", "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6"),
    ],
)
def test_published_examples_pass_and_any_changed_digit_fails(check: str, right: str) -> None:
    assert passes(check, right)
    digits = [i for i, c in enumerate(right) if c.isdigit()]
    place = digits[-2]
    for other in set("0123456789") - {right[place]}:
        assert not passes(check, right[:place] + other + right[place + 1 :])
    assert not passes(check, "")
    assert not passes(check, "汉字")


def test_every_known_check_refuses_nonsense() -> None:
    assert {name for name in known_checks() if passes(name, "nonsense!")} == set()


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        ({"name": "x", "segments": []}, "at least 1"),
        ({"name": "x", "segments": [{"length": 2}], "check": "sum"}, "unknown check 'sum'"),
        ({"name": "x", "segments": [{"length": 2}], "hints": ["sum"]}, "unknown check 'sum'"),
        ({"name": "x", "segments": [{"length": 3, "max_length": 2}]}, "max_length"),
        ({"name": "x", "segments": [{"length": 1, "alphabet": ""}]}, "empty"),
        ({"name": "x", "segments": [{"length": 1, "values": ["12"]}]}, "another length"),
        (
            {"name": "x", "segments": [{"length": 1, "binding": {"field": "y", "via": "values"}}]},
            "belongs to",
        ),
    ],
)
def test_wrong_declarations_say_what_is_wrong(declared: object, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        CodeGrammar.model_validate(declared)


def test_likely_beginnings_are_hints_and_no_rule() -> None:
    grammar = CodeGrammar(
        name="numbered",
        hints=("luhn",),
        segments=(
            Segment(name="school", length=2, likely=("1", "5")),
            Segment(name="serial", length=3, likely=("0",)),
        ),
    )
    hinted = {code: grammar.hinted(code) for code in ("10012", "20012", "20112", "10017", "x")}
    assert hinted == {"10012": 2, "20012": 1, "20112": 0, "10017": 3, "x": 0}
    assert all(grammar.matches(code) for code in hinted if code != "x")


def test_a_grammar_for_any_strict_field() -> None:
    container = CodeGrammar(
        name="container",
        check="iso6346",
        segments=(
            Segment(name="owner", length=3, alphabet="letters"),
            Segment(name="kind", length=1, alphabet="UJZ"),
            Segment(name="serial", length=6),
            Segment(name="check", length=1),
        ),
    )
    assert container.matches("CSQU3054383")
    assert container.checks("CSQU3054383") is True
    assert container.checks("CSQU3054384") is False
    phone = CodeGrammar(
        name="phone", segments=(Segment(length=1, values=("1",)), Segment(length=10))
    )
    assert phone.matches("13800138000")
    assert phone.checks("13800138000") is None
    assert all(not phone.matches("".join(p)) for p in product("2", "0"))
