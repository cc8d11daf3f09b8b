"""The language itself: names inside conditions, values of mixed types, printable errors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from symgrad.cell import param, signal, sizes
from symgrad.lang.affine import T, as_affine, k, symbol, t
from symgrad.lang.algebra import Algebra, Floats, Multiprecision, PrimeField, Rationals
from symgrad.lang.nodes import Condition, Fold, Node, cases, const, sum_over
from symgrad.lang.tape import Environment, evaluate
from symgrad.lang.text import free_names, named_body

(n,) = sizes("n")
w, h = param("w"), signal("h")


def by_cases(*conditions: Condition) -> Node:
    return cases([(const(1), conditions), (const(0), ())])


def environment(**indices: int) -> Environment:
    return Environment({"w": 2}, lambda label, time: time, indices)


# ---- names in conditions ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (by_cases(Condition(T, "=", as_affine(0))), {"T"}),
        (by_cases(Condition(as_affine(2), "<", t - k)), {"t", "k"}),
        (by_cases(Condition(h, "≠", w)), {"t"}),
        (by_cases(Condition(T, "≥", k), Condition(h.at(0), "=", w)), {"T", "k"}),
    ],
)
def test_names_in_conditions_are_free(node: Node, expected: set[str]) -> None:
    assert free_names(node) == expected


def test_a_bound_index_is_not_mistaken_for_a_name_in_a_condition() -> None:
    # The condition is about an outer k, so the index of the sum must have another letter.
    inner = cases([(w, (Condition(symbol("s"), "<", k),)), (h.at(symbol("s")), ())])
    node = sum_over("s", 1, T, inner)
    assert isinstance(node, Fold)

    letter, body = named_body(node, frozenset())

    assert letter != "k"
    assert free_names(body) == {letter, "k"}


@pytest.mark.parametrize(
    ("relation", "true_for"), [("=", {3}), ("≠", {1, 2, 4}), ("≥", {3, 4}), ("<", {1, 2})]
)
def test_conditions_between_times(relation: str, true_for: set[int]) -> None:
    node = by_cases(Condition(t, relation, as_affine(3)))  # type: ignore[arg-type]

    found = {time for time in range(1, 5) if evaluate(node, Rationals(), environment(t=time)) == 1}

    assert found == true_for


def test_formulas_are_compared_for_equality_only() -> None:
    node = by_cases(Condition(h, "=", w))
    assert [evaluate(node, Rationals(), environment(t=time)) for time in (1, 2)] == [0, 1]

    with pytest.raises(TypeError, match="can be compared with = and ≠ only, got <"):
        evaluate(by_cases(Condition(h, "<", w)), Rationals(), environment(t=1))


# ---- values of mixed types --------------------------------------------------------------

COLUMN = np.array([[1.0], [2.0]])


@pytest.mark.parametrize(
    ("algebra", "column", "expected"),
    [
        (Floats(), COLUMN, np.float64),
        (Floats(np.complex128), COLUMN, np.complex128),
        (Floats(np.complex128), COLUMN * 1j, np.complex128),
        (Floats(np.longdouble), COLUMN, np.longdouble),
        (Rationals(), COLUMN.astype(int).astype(object), object),
        (PrimeField(7), COLUMN.astype(int).astype(object), object),
        (Multiprecision(30), COLUMN.astype(int).astype(object), object),
    ],
)
def test_a_diagonal_matrix_is_as_wide_as_its_algebra(
    algebra: Algebra, column: np.ndarray, expected: type
) -> None:
    found = algebra.diagonal(column)

    assert found.dtype == expected
    assert np.array_equal(found, [[column[0, 0], 0], [0, column[1, 0]]])


# ---- errors are readable whatever has been imported -------------------------------------


def test_formulas_print_when_only_cells_are_imported() -> None:
    program = (
        "from symgrad.cell import param, signal, sizes\n"
        "n, = sizes('n')\n"
        "print(repr(param('W', n, n) @ signal('h', n).prev))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert shown.stdout == "W @ h_{t-1}\n"
