"""The unrolled graph as SymPy equations."""

from __future__ import annotations

import pytest
import sympy

import symgrad as sg
from symgrad.errors import UsageError


def test_one_equation_a_node_with_nothing_substituted() -> None:
    """rnn: h_t = tanh(w_x x_t + w_h h_{t-1} + b_h), y_t = w_y h_t + b_y."""
    found = sg.sympy_equations(sg.CATALOGUE["rnn"].scalar().unroll(2))

    h, y, x = (sympy.Function(n, real=True) for n in "hyx")
    w_x, w_h, b_h, w_y, b_y = sympy.symbols("w_x w_h b_h w_y b_y", real=True)
    assert found == (
        sympy.Eq(h(1), sympy.tanh(w_x * x(1) + w_h * h(0) + b_h)),
        sympy.Eq(y(1), w_y * h(1) + b_y),
        sympy.Eq(h(2), sympy.tanh(w_x * x(2) + w_h * h(1) + b_h)),
        sympy.Eq(y(2), w_y * h(2) + b_y),
    )


def test_cost_is_linear_in_T() -> None:
    lengths = [len(sg.sympy_equations(sg.CATALOGUE["lstm"].scalar().unroll(T))) for T in (0, 1, 9)]

    assert lengths == [0, 6, 54]


def test_vector_graphs_are_refused_with_the_repair() -> None:
    with pytest.raises(UsageError, match=r"unroll cell\.scalar\(\)"):
        sg.sympy_equations(sg.CATALOGUE["rnn"].unroll(1))
