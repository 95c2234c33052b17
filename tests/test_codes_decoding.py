"""The decoder against brute force, and the promises that its scores make."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_moe.codes.automaton import Automaton, State, compiled
from ocr_moe.codes.decoding import Emissions, decode, free_reading, join, reduce, score
from ocr_moe.codes.grammar import CodeGrammar, Segment
from ocr_moe.protocols import Posterior
from ocr_moe.testing import line_posterior

ALPHABET = ("", "0", "1", "A")
DIGITS = CodeGrammar(name="digits", segments=(Segment(length=2),))
MIXED = CodeGrammar(name="mixed", segments=(Segment(length=1, max_length=3, alphabet="01A"),))
LISTED = CodeGrammar(
    name="listed", segments=(Segment(length=1, values=("0", "A")), Segment(length=1, alphabet="1A"))
)
PARITY = CodeGrammar(name="luhn", segments=(Segment(length=3),), check="luhn")


@st.composite
def posteriors(draw: st.DrawFn, steps: int = 5) -> Posterior:
    rows = draw(
        st.lists(
            st.lists(st.floats(0.01, 1.0), min_size=len(ALPHABET), max_size=len(ALPHABET)),
            min_size=2,
            max_size=steps,
        )
    )
    p = np.array(rows, dtype=np.float64)
    return Posterior((p / p.sum(axis=1, keepdims=True)).astype(np.float32), ALPHABET)


def brute_force(emissions: Emissions, code: str) -> float:
    """The sum over every labelling of the time steps that reads `code`."""
    steps = len(emissions.rest)
    column = {c: i for i, c in enumerate(emissions.characters)}
    total = 0.0
    for start, end in itertools.combinations(range(steps + 1), 2):
        outside = emissions.skip[:start].sum() + emissions.skip[end:].sum()
        for labels in itertools.product([*emissions.characters, ""], repeat=end - start):
            if not labels[0] or not labels[-1]:
                continue
            read = "".join(key for key, _ in itertools.groupby(labels))
            if read != code:
                continue
            inside = sum(
                emissions.emit[start + i, column[label]] if label else emissions.rest[start + i]
                for i, label in enumerate(labels)
            )
            total += math.exp(outside + inside)
    return math.log(total) if total else -math.inf


def codes_of(grammar: CodeGrammar) -> list[str]:
    lengths = range(grammar.shortest, grammar.longest + 1)
    every = ("".join(c) for n in lengths for c in itertools.product("01A", repeat=n))
    return [code for code in every if grammar.matches(code)]


@settings(max_examples=25, deadline=None)
@given(posteriors(), st.sampled_from(["0", "A1", "00", "011", "AA"]))
def test_score_is_the_sum_over_all_alignments(posterior: Posterior, code: str) -> None:
    emissions = reduce(posterior, frozenset("01A"))
    assert score(emissions, [code])[0] == pytest.approx(brute_force(emissions, code), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(posteriors(steps=6), st.sampled_from([MIXED, LISTED]))
def test_a_wide_beam_finds_what_brute_force_finds(
    posterior: Posterior, grammar: CodeGrammar
) -> None:
    emissions = reduce(posterior, grammar.characters)
    codes = codes_of(grammar)
    exact = dict(zip(codes, score(emissions, codes), strict=True))
    found = decode(emissions, compiled([grammar]), beam=4096, best=4096)
    assert found[0].logprob == pytest.approx(max(exact.values()), abs=1e-9)
    for hypothesis in found:
        assert hypothesis.logprob == pytest.approx(exact[hypothesis.code], abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(posteriors(steps=8), st.sampled_from([DIGITS, MIXED, LISTED, PARITY]), st.integers(1, 8))
def test_whatever_is_decoded_is_of_its_grammar(
    posterior: Posterior, grammar: CodeGrammar, beam: int
) -> None:
    emissions = reduce(posterior, grammar.characters)
    hypotheses = decode(emissions, compiled([grammar]), beam=beam)
    assert all(grammar.matches(h.code) for h in hypotheses)
    assert [h.logprob for h in hypotheses] == sorted((h.logprob for h in hypotheses), reverse=True)


@settings(max_examples=60, deadline=None)
@given(posteriors(steps=7), st.sampled_from([DIGITS, LISTED]))
def test_scores_never_rise_when_a_constraint_is_added(
    posterior: Posterior, grammar: CodeGrammar
) -> None:
    loose = CodeGrammar(name="loose", segments=(Segment(length=2, alphabet="alphanumeric"),))
    bound = decode(reduce(posterior, grammar.characters), compiled([grammar]), beam=4096)
    free = decode(reduce(posterior, loose.characters), compiled([loose]), beam=4096)
    if bound:
        assert free[0].logprob >= bound[0].logprob - 1e-9


NUMBER = CodeGrammar(name="number", segments=(Segment(length=6),))


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("123456", "123456"),
        ("证:123456", "123456"),
        ("123456 证", "123456"),
        ("12 34 56", "123456"),
        ("000000", "000000"),
        ("12345O", "123450"),
        ("1234S6", "123456"),
    ],
)
def test_label_groups_and_lookalikes(printed: str, expected: str) -> None:
    emissions = reduce(line_posterior(printed), NUMBER.characters)
    assert decode(emissions, compiled([NUMBER]))[0].code == expected


def test_a_code_over_two_boxes_is_joined() -> None:
    parts = [reduce(line_posterior(text), NUMBER.characters) for text in ("证:123", "456")]
    assert decode(join(parts), compiled([NUMBER]))[0].code == "123456"


def test_nothing_of_the_form_is_no_code() -> None:
    assert decode(reduce(line_posterior("证证"), NUMBER.characters), compiled([NUMBER])) == []


def test_the_length_that_is_printed_wins_over_a_shorter_variant() -> None:
    grammars = [NUMBER, CodeGrammar(name="short", segments=(Segment(length=5),))]
    emissions = reduce(line_posterior("证123456"), NUMBER.characters)
    assert decode(emissions, compiled(grammars))[0].code == "123456"


def test_unknown_characters_and_long_codes_are_impossible() -> None:
    emissions = reduce(line_posterior("12"), NUMBER.characters)
    assert score(emissions, ["1X", "123456789", ""]) == [-math.inf] * 3
    assert score(emissions, []) == []
    assert score(emissions, [""]) == [-math.inf]


def test_free_reading_is_the_best_path() -> None:
    text, confidences = free_reading(line_posterior("证:112", sure=0.9))
    assert text == "证:112"
    assert confidences == pytest.approx([0.9] * 5)


class Walked(Automaton):
    """Counts how often a state's moves are looked up: the steps of the search."""

    looked_up = 0

    def moves(self, state: State) -> Mapping[str, State]:
        self.looked_up += 1
        return super().moves(state)


@pytest.mark.parametrize("beam", [4, 24])
def test_the_work_grows_with_the_line_and_the_beam_only(beam: int) -> None:
    rng = np.random.default_rng(1)
    grammar = CodeGrammar(name="long", segments=(Segment(length=18),))
    posterior = line_posterior("证:106131202505004931")
    noisy = 0.8 * posterior.probabilities + 0.2 * rng.dirichlet(
        np.ones(len(posterior.alphabet)), len(posterior.probabilities)
    )
    emissions = reduce(Posterior(noisy.astype(np.float32), posterior.alphabet), grammar.characters)
    automaton = Walked([grammar])
    assert decode(emissions, automaton, beam=beam)[0].code == "106131202505004931"
    assert automaton.looked_up <= 1 + beam * len(emissions.rest)
