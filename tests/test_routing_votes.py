from __future__ import annotations

import math
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ocr_moe.routing.votes import Ballot, plurality, vote

texts = st.text(alphabet="0123456789AB大学", min_size=0, max_size=12)
weights = st.floats(min_value=0.01, max_value=10.0)
ballots = st.lists(
    st.tuples(texts, weights).map(lambda pair: Ballot(*pair)), min_size=1, max_size=6
)


@st.composite
def confident_ballots(draw: st.DrawFn) -> list[Ballot]:
    made = []
    for ballot in draw(ballots):
        n = len(ballot.value)
        characters = draw(st.lists(st.floats(0.0, 1.0), min_size=n, max_size=n))
        made.append(ballot._replace(characters=tuple(characters)))
    return made


def test_each_position_goes_to_the_majority() -> None:
    poll = vote([Ballot("106137", 1.0), Ballot("106131", 1.0), Ballot("706131", 1.0)])
    assert poll.value == "106131"
    assert poll.shares == (2 / 3, 1.0, 1.0, 1.0, 1.0, 2 / 3)


def test_a_dropped_character_is_put_back_and_a_doubled_one_removed() -> None:
    assert vote([Ballot("20019", 1.0), Ballot("2019", 1.1), Ballot("20019", 1.0)]).value == "20019"
    assert vote([Ballot("20019", 1.0), Ballot("2019", 1.1), Ballot("2019", 1.0)]).value == "2019"


def test_weights_decide() -> None:
    many = [Ballot("男", 0.2)] * 3
    assert vote([*many, Ballot("女", 1.0)]).value == "女"
    assert plurality([*many, Ballot("女", 1.0)]).value == "女"
    assert plurality([*many, Ballot("女", 0.5)]).value == "男"


def test_an_unsure_character_yields() -> None:
    unsure = Ballot("106139", 1.0, (0.99, 0.99, 0.99, 0.99, 0.99, 0.3))
    assert vote([unsure, Ballot("106131", 0.6, (0.9,) * 6)]).value == "106131"


@given(texts, st.lists(weights, min_size=1, max_size=6))
def test_unanimous_readings_always_win(text: str, gs: list[float]) -> None:
    poll = vote([Ballot(text, g) for g in gs])
    assert poll.value == text
    assert all(math.isclose(share, 1.0) for share in poll.shares)
    assert plurality([Ballot(text, g) for g in gs]).value == text


@given(confident_ballots(), st.randoms())
def test_the_order_of_the_ballots_does_not_matter(
    given_ballots: list[Ballot], random: Random
) -> None:
    shuffled = list(given_ballots)
    random.shuffle(shuffled)
    assert vote(shuffled) == vote(given_ballots)
    assert plurality(shuffled).value == plurality(given_ballots).value


@given(confident_ballots())
def test_shares_are_shares(given_ballots: list[Ballot]) -> None:
    poll = vote(given_ballots)
    assert len(poll.shares) == len(poll.value)
    assert all(0.0 <= share <= 1.0 + 1e-9 for share in poll.shares)


@given(ballots, texts)
def test_more_than_half_of_the_weight_wins(given_ballots: list[Ballot], text: str) -> None:
    heavy = sum(ballot.weight for ballot in given_ballots) + 1.0
    assert vote([*given_ballots, Ballot(text, heavy)]).value == text
