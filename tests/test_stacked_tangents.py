"""Tangents of all entries at once, and sums that are continued: what a plain loop gives."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest

import symgrad as sg
from symgrad.derivation.evidence import Evidence
from symgrad.lang.affine import Affine, T, j, k, t
from symgrad.lang.algebra import Rationals
from symgrad.lang.environment import Environment, Kept
from symgrad.lang.nodes import SCALAR, Node, index_value, name, prod_over, signal, sum_over
from symgrad.lang.nodes import derivative as derivative_of
from symgrad.lang.tape import tape_of


def test_a_signal_that_is_a_plain_number_has_zero_derivatives() -> None:
    cell = sg.read_cell("c_t = 3\nh_t = tanh(W h_{t-1} + U x_t)", name="constant")
    evidence = Evidence(cell, thorough=False)
    (c, _), (W, U) = cell.signals, cell.params
    for objective in (sg.final(cell, c), sg.summed(cell, c)):
        left = derivative_of("gradient", name("L"), W)
        right, wrong = W - W, U @ U.T
        gradient = evidence.gradient(objective)
        assert evidence.adjoint(gradient, left, right, (), 1, None).holds
        assert evidence.adjoint(gradient, left, wrong, (), 1, None).status == "refuted"
    assert sg.check(cell, "∂⁺c_T/∂⁺h_{T-1} = 0").holds


def test_a_size_in_a_sum_is_no_time() -> None:
    cell = sg.read_cell("h_t = tanh(W h_{t-1} + U x_t)\ny_t = mean(h_t)", name="mean")
    h = cell.states[0]
    n = h.shape[0]
    left = sum_over("k", 1, T, index_value(n) * h.at(k))
    right = index_value(n) * sum_over("k", 1, T, h.at(k))
    assert sg.check(cell, (left, right)).holds
    assert sg.check(cell, (left, right + h.at(T))).status == "refuted"


def at(time: Affine) -> Node:
    return signal("h", SCALAR, time)


def ranges() -> dict[str, Node]:
    return {
        "from 1 to T": sum_over("k", 1, T, at(k) * at(k - 1)),
        "the last three": sum_over("k", T - 2, T, at(k)),
        "from T on": sum_over("k", T, T + 3, at(k)),
        "up to a number": sum_over("k", 1, 4, at(k)),
        "a sum in a sum": sum_over("t", 1, T, at(t) * sum_over("k", 1, t, at(k))),
        "with the time outside": sum_over("t", 1, T, sum_over("k", 1, 5, at(k) + 2 * at(t))),
        "factors": prod_over("j", 1, T, at(j) + 2),
        "factors after k": sum_over("k", 1, T, prod_over("j", k + 1, T, at(j))),
        "factors with k": sum_over("k", 1, T, prod_over("j", 1, k, at(j) + 2 * at(k))),
        "factors with T": prod_over("j", 1, T, at(j) + at(T)),
        "terms with T": sum_over("k", 1, T, at(k) * at(T - k)),
    }


@pytest.mark.parametrize("order", [range(7), range(6, -1, -1), (2, 5, 1, 6, 0, 5)], ids=str)
@pytest.mark.parametrize("case", ranges())
def test_what_is_kept_over_a_run_changes_no_value(case: str, order: Sequence[int]) -> None:
    algebra = Rationals()
    tape = tape_of([ranges()[case]], algebra)

    def value(label: str, time: int) -> Fraction:
        return Fraction(time * time - 5 * time + 3, 2 + time % 3)

    kept: Kept = {}
    for horizon in order:
        env = Environment({}, value, {"T": horizon})
        (alone,) = tape.run(env)
        env = Environment({}, value, {"T": horizon}, kept=kept)
        assert tape.run(env) == [alone], horizon
