"""Decisions at long horizons: what one modular point sees and 64 float64 points do not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import symgrad as sg

sys.path.insert(0, str(Path(__file__).parent.parent))  # the benchmarks are no installed package

from benchmarks import decisions  # after the path
from symgrad.derivation.evidence import Evidence  # with the one above
from symgrad.lang.nodes import const  # with the one above
from symgrad.verify.claims import Scope, check

T = 200


def both_gradients(w: float, x: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """dL/dw_h of ½ Σ (h_t - target_t)² of a tanh RNN by hand, and with h_2 for h_1 at t = 2."""
    h = np.zeros(T + 1)
    for t in range(1, T + 1):
        h[t] = np.tanh(0.5 * x[t - 1] + w * h[t - 1])
    right = wrong = back = 0.0
    for t in range(T, 0, -1):
        # The loss of the last half alone: what reaches t = 2 has come a long way.
        own = h[t] - targets[t - 1] if t > T // 2 else 0.0
        delta = (own + back) * (1 - h[t] ** 2)
        right += delta * h[t - 1]
        wrong += delta * (h[2] if t == 2 else h[t - 1])
        back = w * delta
    return right, wrong


def test_64_points_in_float64_accept_a_wrong_early_summand() -> None:
    random = np.random.default_rng(3)
    for _ in range(64):
        right, wrong = both_gradients(
            random.uniform(0.3, 0.8), random.normal(size=T), random.normal(size=T)
        )
        assert right != 0
        assert abs(right - wrong) <= 1e-14 * abs(right)


def test_exact_points_refute_it() -> None:
    assert decisions.early_summand(wrong=False).status == "checked"
    verdict = decisions.early_summand(wrong=True)
    assert verdict.status == "refuted"
    assert verdict.witness is not None
    assert verdict.witness.horizon == T


def test_an_lstm_at_a_thousand_steps() -> None:
    for decide in (decisions.total_gradient, decisions.backward_pass):
        verdict = decide(1000)
        assert verdict.status == "checked"
        assert "2^61 - 1 and another prime at 2 random points" in verdict.how[0]


def test_a_squared_state_gets_no_verdict_from_a_vacuous_bound() -> None:
    verdict = decisions.squared_state()
    assert verdict.status == "undecided"
    assert "the degree is too high" in verdict.how[0]


def test_the_same_for_every_horizon() -> None:
    verdict = decisions.every_horizon()
    assert verdict.status == "proved"
    assert verdict.scope == "all T ≥ 0"


@pytest.mark.parametrize("prime", [2**61 - 1, 2**61 - 31, 2**61 - 45])
@pytest.mark.parametrize("steps", [3, 1000])
def test_a_multiple_of_a_prime_is_seen_however_many_points_there_are(
    prime: int, steps: int
) -> None:
    """A difference of p vanishes at every point modulo p, and modulo no other prime."""
    cell = sg.CATALOGUE["linear"].scalar()
    form = sg.closed_form(cell, "h_T", "w")
    claim = Evidence(cell).claim(form.left, form.full + const(prime))
    assert check(claim, Scope((steps,))).status == "refuted"


def test_everything_that_is_timed_has_its_verdict() -> None:
    found = {words: decide for words, decide in decisions.decisions() if "1000" not in words}
    assert len(found) == 8
    verdict, seconds = decisions.measured(
        found["RNN, index of the summand t = 2 right, T = 200"], 1
    )
    assert verdict.status == "checked"
    assert seconds.median > 0
