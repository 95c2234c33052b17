"""Log-odds and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_moe.odds import DECISION_EDGE, FEATURE_EDGE, inside, logit, sigmoid


@given(st.floats(0.0, 1.0), st.sampled_from((FEATURE_EDGE, DECISION_EDGE)))
def test_there_and_back(p: float, edge: float) -> None:
    assert sigmoid(logit(p, edge)) == pytest.approx(inside(p, edge), rel=1e-9)
    assert edge <= inside(p, edge) <= 1.0 - edge
    assert logit(p, edge) == pytest.approx(-logit(1.0 - p, edge), abs=1e-6)


def test_log_odds_stay_finite() -> None:
    assert logit(0.0) == pytest.approx(-logit(1.0))
    assert logit(0.0) > logit(0.0, DECISION_EDGE)
    assert sigmoid(-1000.0) == 0.0
    assert sigmoid(1000.0) == 1.0
