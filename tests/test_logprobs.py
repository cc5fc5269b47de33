"""How likely tokens are, as observers are told."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemask.core.logprobs import TokenLogprobs, forced_logprobs, token_logprobs


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[float], int]:
    """Scores of which some are forbidden, and a token that is not."""
    finite = st.floats(-60, 60, width=32)
    scores = draw(st.lists(finite | st.just(-math.inf), min_size=1, max_size=12))
    chosen = draw(st.integers(0, len(scores) - 1))
    scores[chosen] = draw(finite)
    return scores, chosen


@given(rows(), st.integers(0, 14))
def test_they_are_those_of_a_softmax_by_hand(row: tuple[list[float], int], top: int) -> None:
    scores, chosen = row
    total = math.fsum(math.exp(score) for score in scores)
    told = token_logprobs(chosen, np.array(scores, dtype=np.float32), top)
    assert told.token_id == chosen
    assert math.isclose(told.logprob, math.log(math.exp(scores[chosen]) / total), abs_tol=1e-5)
    allowed = [token for token, score in enumerate(scores) if score > -math.inf]
    best = sorted(allowed, key=lambda token: (-scores[token], token))[:top]
    told_scores = [scores[token] for token, _ in told.top]
    assert told_scores == [scores[token] for token in best]
    for token, logprob in told.top:
        assert math.isclose(logprob, scores[token] - math.log(total), abs_tol=1e-5)
        assert logprob <= 0


def test_equally_likely_tokens_come_by_rising_id() -> None:
    told = token_logprobs(3, np.zeros(4, dtype=np.float32), 4)
    assert [token for token, _ in told.top] == [0, 1, 2, 3]
    assert math.isclose(told.logprob, -math.log(4))


def test_a_forced_token_is_certain_and_its_own_only_alternative() -> None:
    assert forced_logprobs(7, 5) == TokenLogprobs(7, 0.0, ((7, 0.0),))
    assert forced_logprobs(7, 0) == TokenLogprobs(7, 0.0, ())
