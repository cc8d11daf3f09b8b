"""Normal forms with symbolic T: what is recognised as equal, and what must never be.

Every pair is also evaluated as written, by loops over fractions: the ``equal`` ones agree
and the near misses differ, so neither list can be wrong itself.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symgrad.lang.affine import Affine, T, as_affine, symbol
from symgrad.lang.algebra import Rationals
from symgrad.lang.nodes import (
    SCALAR,
    Node,
    const,
    index_value,
    param,
    prod_over,
    signal,
    sum_over,
)
from symgrad.lang.tape import Environment, evaluate
from symgrad.ops import sigma, tanh
from symgrad.verify.normal import NoNormalForm, Requirement, difference

F = Fraction
w, u, b, v = (param(name) for name in "wubv")
k, j, m = symbol("k"), symbol("j"), symbol("m")
Body = Callable[[Affine], Node]


def x(time: Affine | int) -> Node:
    return signal("x", SCALAR, as_affine(time))


def y(time: Affine | int) -> Node:
    return signal("y", SCALAR, as_affine(time))


def total(lower: Affine | int, upper: Affine | int, body: Body, index: str = "k") -> Node:
    return sum_over(index, lower, upper, body(symbol(index)))


def product(lower: Affine | int, upper: Affine | int, body: Body, index: str = "j") -> Node:
    return prod_over(index, lower, upper, body(symbol(index)))


def one(_: Affine) -> Node:
    return const(1)


# ---- evaluation as written ------------------------------------------------------------------

VALUES = {"w": F(3, 5), "u": F(-4, 3), "b": F(7, 2), "v": F(5, 9)}


def value(node: Node, horizon: int, middle: int = 0) -> Fraction:
    """Plain evaluation over fractions; activations by a rational stand-in, one for each."""

    def read(label: str, time: int) -> Fraction:
        return F(3 * time + 2, 7) if label == "x" else F(2, 3 * abs(time) + 1)

    class Stand(Rationals):
        direct = {  # noqa: RUF012
            "tanh": lambda a: (a * a + 3) / (a * a + 7),
            "sigma": lambda a: (a * a * a + 2) / (a * a + 5),
        }

    env = Environment(VALUES, read, {"T": horizon, "m": middle})
    result: Fraction = evaluate(node, Stand(), env)
    return result


def equal(left: Node, right: Node, step: str | None = None) -> bool:
    gap, _ = difference(left, right, step=step)
    return gap.is_zero


# ---- recognised as equal ---------------------------------------------------------------------

EQUAL: dict[str, tuple[Node, Node]] = {
    "reordered sum": (w + u + b, b + w + u),
    "reordered product": (w * u * x(T), x(T) * w * u),
    "expanded": ((w + u) * (w - u), w * w - u * u),
    "a square": ((w + u) ** 2, w**2 + 2 * w * u + u**2),
    "factored": (w * u + w * b, w * (u + b)),
    "negations": (-(w - u), u - w),
    "literals": (w / 2 + w / 3, w * F(5, 6)),
    "powers collected": (w * w ** (T - 1), w**T),
    "a power of a product": ((w * u) ** T, u**T * w**T),
    "a power of a literal": ((2 * w) ** T, const(2) ** T * w**T),
    "a power of a sum": ((1 - w) ** T * (1 - w), (1 - w) ** (T + 1)),
    "a quotient": ((1 - w * w) / (1 - w), 1 + w),
    "quotients added": (1 / w + 1 / u, (u + w) / (w * u)),
    "arguments of calls": (tanh(w * x(T) + b), tanh(b + x(T) * w)),
    "nested calls": (sigma(u * tanh(w + b)), sigma(tanh(b + w) * u)),
    "the letter of the index": (total(1, T, x, "k"), total(1, T, x, "i")),
    "a constant summand": (total(1, T, one), index_value(T)),
    "an index summed": (total(1, T, lambda i: w * index_value(T)), w * index_value(T) ** 2),
    "a factor out of a sum": (total(1, T, lambda i: w * x(i)), w * total(1, T, x)),
    "a factor out of a product": (product(1, T, lambda i: w * x(i)), w**T * product(1, T, x)),
    "a power out of a product": (product(1, T, lambda i: x(i) * x(i)), product(1, T, x) ** 2),
    "a sum of two": (
        total(1, T, lambda i: x(i) + u * y(i)),
        total(1, T, x) + u * total(1, T, y),
    ),
    "an exponent taken apart": (
        total(1, T, lambda i: w ** (T - i) * x(i)),
        w * total(1, T - 1, lambda i: w ** (T - 1 - i) * x(i)) + x(T),
    ),
    "the last term": (total(1, T, x), total(1, T - 1, x) + x(T)),
    "the last two terms": (total(1, T, x), x(T) + total(1, T - 2, x) + x(T - 1)),
    "the last factor": (product(1, T, x), x(T) * product(1, T - 1, x)),
    "split in the middle": (total(1, T, x), total(1, m, x) + total(m + 1, T, x)),
    "a product split in the middle": (product(1, T, x), product(m + 1, T, x) * product(1, m, x)),
    "a later beginning": (total(3, T, x), total(1, T, x) - x(1) - x(2)),
    "a sum of sums": (total(1, T, lambda i: total(1, T, lambda q: x(i) * y(q), "q")),
                      total(1, T, x) * total(1, T, y)),
    "products inside a sum": (
        total(1, T, lambda i: product(i + 1, T, lambda q: w * x(q)) * y(i)),
        total(1, T, lambda i: w ** (T - i) * product(i + 1, T, x) * y(i)),
    ),
    "calls inside a sum": (
        total(1, T, lambda i: tanh(x(i) + b)),
        total(1, T - 1, lambda i: tanh(b + x(i))) + tanh(x(T) + b),
    ),
    "calls inside a product": (
        product(1, T, lambda i: 1 - tanh(x(i)) ** 2),
        (1 - tanh(x(T))) * (1 + tanh(x(T))) * product(1, T - 1, lambda i: 1 - tanh(x(i)) ** 2),
    ),
    "written out": (total(1, 3, x), x(3) + x(2) + x(1)),
}  # fmt: skip


@pytest.mark.parametrize("case", EQUAL)
def test_recognised_as_equal(case: str) -> None:
    left, right = EQUAL[case]
    for horizon in (3, 4, 7):
        assert value(left, horizon, 2) == value(right, horizon, 2)
    assert equal(left, right, "T")
    assert equal(right, left, "T")


@given(st.permutations(range(5)), st.permutations(range(5)), st.integers(1, 4))
def test_any_order_and_any_grouping(first: list[int], second: list[int], cut: int) -> None:
    parts = [w * x(T), u, total(1, T, lambda i: b * x(i)), tanh(w + b), w ** (T - 1)]

    def added(order: list[int], at: int) -> Node:
        head, tail = (
            sum((parts[i] for i in group[1:]), parts[group[0]])
            for group in (order[:at], order[at:])
        )
        return head + tail

    left, right = added(first, cut), added(second, 5 - cut)
    assert equal(left, right, "T")
    assert equal(left * u, u * right, "T")
    assert not equal(left, right + w, "T")


# ---- near misses -----------------------------------------------------------------------------

TINY = 1 + F(1, 10**9)
MISSES: dict[str, tuple[Node, Node]] = {
    "index shifted": (total(1, T, x), total(1, T, lambda i: x(i - 1))),
    "upper bound": (total(1, T, x), total(1, T - 1, x)),
    "lower bound": (total(1, T, x), total(2, T, x)),
    "lower bound of a product": (product(1, T, x), product(2, T, x)),
    "factor dropped": (total(1, T, lambda i: w * x(i)), total(1, T, x)),
    "term dropped": (w * u + b, w * u),
    "sign": (w - u, w + u),
    "sign of one term": (total(1, T, x) + b, total(1, T, x) - b),
    "sign under a power": ((1 - w) ** T, (w - 1) ** T),
    "exponent": (w**T, w ** (T - 1)),
    "exponent in a sum": (
        total(1, T, lambda i: w ** (T - i) * x(i)),
        total(1, T, lambda i: w ** (T - i - 1) * x(i)),
    ),
    "coefficient": (w * x(T), TINY * w * x(T)),
    "coefficient in a sum": (total(1, T, x), total(1, T, lambda i: TINY * x(i))),
    "coefficient under a power": ((2 * w) ** T, (2 * TINY * w) ** T),
    "a factor T": (index_value(T) * w, index_value(T - 1) * w),
    "argument of a call": (tanh(w * x(T)), tanh(w * x(T - 1))),
    "coefficient in a call": (tanh(w), tanh(TINY * w)),
    "another call": (tanh(w), sigma(w)),
    "square of a call": (1 - tanh(w) ** 2, 1 - tanh(w)),
    "a product for a sum": (product(1, T, x), total(1, T, x)),
    "sum of products": (
        total(1, T, lambda i: product(i + 1, T, x) * y(i)),
        total(1, T, lambda i: product(i, T, x) * y(i)),
    ),
    "one term twice": (total(1, T, x), total(1, T, x) + x(T)),
    "overlap": (total(1, T, x), total(1, m, x) + total(m, T, x)),
    "gap": (total(1, T, x), total(1, m, x) + total(m + 2, T, x)),
    "a constant summand": (total(1, T, one), index_value(T - 1)),
    "another signal": (total(1, T, x), total(1, T, y)),
    "sum of squares": (total(1, T, lambda i: x(i) * x(i)), total(1, T, x) ** 2),
    "product of sums": (product(1, T, lambda i: x(i) + 1), product(1, T, x) + 1),
    "written out": (total(1, 3, x), x(1) + x(2)),
    "far written out": (total(1, 20, x), total(1, 19, x)),
    "inverse": (w / u, u / w),
    "other parameter": (w**T * u, u**T * w),
}


@pytest.mark.parametrize("case", MISSES)
def test_near_misses_are_refused(case: str) -> None:
    left, right = MISSES[case]
    assert any(value(left, h, 2) != value(right, h, 2) for h in (2, 3, 4, 5))
    for step in (None, "T"):
        assert not equal(left, right, step)
        assert not equal(right, left, step)


@given(
    st.lists(st.integers(-3, 3), min_size=3, max_size=3),
    st.lists(st.integers(-3, 3), min_size=3, max_size=3),
)
def test_polynomials_are_equal_where_their_coefficients_are(a: list[int], c: list[int]) -> None:
    def made(numbers: list[int]) -> Node:
        terms: list[Any] = [n * part for n, part in zip(numbers, (w, w * u, w**T), strict=True)]
        return terms[0] + terms[1] + terms[2]

    assert equal(made(a), made(c)) == (a == c)


# ---- what the result needs -------------------------------------------------------------------


def holds(node: Node, start: int) -> bool:
    _, needs = difference(node, node)
    return all(need.holds_from("T", start) for need in needs)


@pytest.mark.parametrize(
    ("node", "start"),
    [
        (w**T, 0),
        (w ** (T - 1), 1),
        (w ** (T - 3), 3),
        (total(1, T, x), 0),
        (total(1, T - 1, x), 1),
        (total(3, T, x), 2),
        (total(1, T - 1, one), 1),
        (product(2, T - 1, x), 2),
        (total(1, T, lambda i: w ** (T - i)), 0),
        (total(1, T, lambda i: w ** (T - i - 1)), None),
        (total(1, T - 1, lambda i: w ** (T - i - 1)), 1),
        (total(1, T, lambda i: w ** (i - 1)), 0),
        (total(1, T, lambda i: w ** (i - 2)), None),
        (total(1, T, lambda i: product(i + 1, T, x)), 0),
        (total(1, T, lambda i: product(i + 2, T, x)), None),
        (total(1, T, lambda i: total(1, i - 1, y, "q")), 0),
        (total(1, T, lambda i: total(1, i - 2, y, "q")), None),
    ],
)
def test_requirements_tell_from_which_t_on_it_holds(node: Node, start: int | None) -> None:
    """None: for no T, as the range or the exponent of some summand is too small every time."""
    assert [holds(node, first) for first in range(5)] == [
        start is not None and first >= start for first in range(5)
    ]


def test_a_requirement_under_premises() -> None:
    need = Requirement(T - 5, (T - 5,))
    assert need.holds_from("T", 0)
    assert not Requirement(T - 5, (T - 4,)).holds_from("T", 0)
    assert not Requirement(5 - T).holds_from("T", 0)
    assert Requirement(5 - T, (4 - T,)).holds_from("T", 0)
    assert not Requirement(T - m).holds_from("T", 0)


@pytest.mark.parametrize("node", [const(0) ** (T - 1), product(1, T, lambda i: w**i)])
def test_what_has_no_normal_form_says_so(node: Node) -> None:
    with pytest.raises(NoNormalForm):
        difference(node, node)


# ---- found while these tests were written ------------------------------------------------------


@pytest.mark.parametrize("lower", [0, -2])
@pytest.mark.parametrize("fold", [total, product])
def test_ranges_that_begin_before_one(fold: Any, lower: int) -> None:
    """S(u) - S(l-1) with S(u) = 0 for u < 0 forgets the terms l..0: unsound."""
    early, late = fold(lower, T, x), fold(1, T, x)
    assert value(early, 3) != value(late, 3)
    assert not equal(early, late)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (total(2, T + 1, lambda i: x(i - 1)), total(1, T, x)),
        (total(1, T, lambda i: x(T + 1 - i)), total(1, T, x)),
        (
            total(1, T, lambda i: x(T + 1 - i) * w ** (i - 1)),
            total(1, T, lambda i: x(i) * w ** (T - i)),
        ),
        (total(1, T, lambda i: w ** (i - 1)), total(1, T, lambda i: w ** (T - i))),
        (product(1, T, lambda i: x(T + 1 - i)), product(1, T, x)),
        (product(0, T - 1, lambda i: x(i + 1)), product(1, T, x)),
        (
            total(0, T - 1, lambda i: x(i) * product(i + 2, T, x)),
            total(1, T, lambda i: x(i - 1) * product(i + 1, T, x)),
        ),
        (
            total(1, T, lambda i: x(T - i) * product(T + 2 - i, T, x)),
            total(1, T, lambda i: x(i - 1) * product(i + 1, T, x)),
        ),
    ],
)
def test_shifted_and_reversed_sums(left: Node, right: Node) -> None:
    assert all(value(left, h) == value(right, h) for h in range(5))
    assert equal(left, right, "T")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (total(1, T, lambda i: x(T - i)), total(1, T, x)),
        (total(2, T, lambda i: x(i - 1)), total(1, T, x)),
        (total(1, T, lambda i: x(T + 1 - i) * w**i), total(1, T, lambda i: x(i) * w ** (T - i))),
        (product(1, T, lambda i: x(T + 2 - i)), product(1, T, x)),
        (total(1, T, lambda i: x(i) * x(T + 1 - i)), total(1, T, lambda i: x(i) * x(i))),
    ],
)
def test_wrong_shifts_and_reversals_differ(left: Node, right: Node) -> None:
    assert any(value(left, h) != value(right, h) for h in range(5))
    assert not equal(left, right, "T")
