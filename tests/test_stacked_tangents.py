"""Tangents of all entries at once, and sums that are continued: what a plain loop gives."""

from __future__ import annotations

import symgrad as sg
from symgrad.derivation.evidence import Evidence
from symgrad.lang.affine import T, k
from symgrad.lang.nodes import derivative as derivative_of
from symgrad.lang.nodes import index_value, name, sum_over


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
