"""Equality at all times of a region: what is proved, and what must never be.

Every pair is also evaluated as written, by loops over fractions, at every T and k of the region
that is small: ``SAME`` agrees everywhere and ``DIFFERENT`` does not, so neither can be wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

import pytest

from symgrad.lang.affine import Affine, T, as_affine, symbol
from symgrad.lang.algebra import Rationals
from symgrad.lang.nodes import (
    Condition,
    Node,
    cases,
    const,
    full,
    index_value,
    iverson,
    param,
    prod_over,
    signal,
    sum_over,
)
from symgrad.lang.tape import Environment, evaluate
from symgrad.ops import diag, exp, sigma, tanh
from symgrad.verify.regions import Region, region_of
from symgrad.verify.sameness import Sameness
from symgrad.verify.times import Times
from test_normal import EQUAL, MISSES, VALUES, product, total, x, y

F = Fraction
w, u = param("w"), param("u")
k = symbol("k")
ZERO, ONE = as_affine(0), as_affine(1)
TO_T: Times = (("k", ONE, T),)


def by_cases(first: Node, condition: Condition, other: Node) -> Node:
    return cases([(first, (condition,)), (other, ())])


def at(left: Affine | int, relation: str, right: Affine | int) -> Condition:
    return Condition(as_affine(left), relation, as_affine(right))  # type: ignore[arg-type]


class Stand(Rationals):
    """tanh by a rational function."""

    direct = {"tanh": lambda a: (a * a + 3) / (a * a + 7)}  # noqa: RUF012


def value(node: Node, horizon: int, **indices: int) -> Fraction:
    def read(label: str, time: int) -> Fraction:
        return F(3 * time + 2, 7) if label == "x" else F(2, 3 * abs(time) + 1)

    env = Environment(VALUES, read, {"T": horizon, **indices})
    found: Fraction = evaluate(node, Stand(), env)
    return found


def agree(left: Node, right: Node, times: Times, first: int, last: int = 6) -> bool:
    """Whether both are equal at every T up to ``last`` and every k."""
    for horizon in range(first, last):
        places = [{}] if not times else [{"k": i} for i in range(1, horizon + 1)]
        if any(value(left, horizon, **p) != value(right, horizon, **p) for p in places):
            return False
    return True


def same(left: Node, right: Node, times: Times = (), first: int = 0) -> bool:
    return Sameness(left, right, region_of(times, first)).replay()


# ---- proved -----------------------------------------------------------------------------------

SAME: dict[str, tuple[Node, Node, Times, int]] = {
    "reversed": (total(1, T, x), total(0, T - 1, lambda i: x(T - i)), (), 0),
    "both reversed": (
        total(0, T - 1, lambda i: product(0, i - 1, lambda q: x(T - q)) * y(T - i)),
        total(1, T, lambda i: product(i + 1, T, x) * y(i)),
        (),
        0,
    ),
    "geometric": (total(1, T, lambda i: w ** (T - i)) * (1 - w), 1 - w**T, (), 0),
    "geometric, shifted": (
        total(1, T, lambda i: w ** (i - 1)),
        total(0, T - 1, lambda i: w**i),
        (),
        0,
    ),
    "powers and numbers, turned": (
        total(2, T, lambda i: index_value(T - i + 1) * w ** (T - i)),
        total(1, T - 1, lambda i: index_value(i) * w ** (i - 1)),
        (),
        2,
    ),
    "the sum of the numbers": (
        total(1, T, index_value),
        index_value(T) * index_value(T + 1) / 2,
        (),
        0,
    ),
    "the sum of the squares": (
        total(1, T, lambda i: index_value(i) * index_value(i)),
        index_value(T) * index_value(T + 1) * index_value(2 * T + 1) / 6,
        (),
        0,
    ),
    "a triangle": (
        total(1, T, lambda i: total(1, i, x, "q")),
        total(1, T, lambda i: index_value(T - i + 1) * x(i)),
        (),
        0,
    ),
    "a case of its own at 0": (
        by_cases(const(0), at(T, "=", 0), index_value(T) * w ** (T - 1)),
        index_value(T) * w ** (T - 1),
        (),
        0,
    ),
    "split by a case": (
        by_cases(total(1, T - 1, x) + x(T), at(T, "≥", 1), const(0)),
        total(1, T, x),
        (),
        0,
    ),
    "a case inside a sum": (
        total(1, T, lambda i: by_cases(x(i), at(i, "=", T), 2 * x(i))),
        by_cases(2 * total(1, T - 1, x) + x(T), at(T, "≥", 1), const(0)),
        (),
        0,
    ),
    "a bracket inside a sum": (total(1, T, lambda i: iverson(i - T) * x(i)), x(T), (), 1),
    "the last factor inside a sum": (
        total(1, T, lambda i: product(i + 1, T, x)),
        total(
            1,
            T,
            lambda i: by_cases(x(T) * product(i + 1, T - 1, x), at(T, "≥", i + 1), const(1)),
        ),
        (),
        0,
    ),
    "the first factor inside a sum": (
        total(1, T, lambda i: product(i + 1, T, lambda q: (1 - x(q) ** 2) * w)),
        total(
            1,
            T,
            lambda i: by_cases(
                product(i + 2, T, lambda q: (1 - x(q) ** 2) * w) * ((1 - x(i + 1) ** 2) * w),
                at(T, "≥", i + 1),
                const(1),
            ),
        ),
        (),
        0,
    ),
    "a split at a free time": (total(1, T, x), total(1, k, x) + total(k + 1, T, x), TO_T, 1),
    "a product split at a free time": (
        product(1, T, x),
        product(k + 1, T, x) * product(1, k, x),
        TO_T,
        1,
    ),
    "a value of a parameter": (
        cases([(w * x(T), (Condition(w, "=", const(F(3, 5))),)), (w * x(T), ()), ]),
        x(T) * w,
        (),
        0,
    ),
    "a case at a value of a parameter": (
        cases([(const(F(9, 25)) * u, (Condition(w, "=", const(F(3, 5))),)), (w**2 * u, ())]),
        w * w * u,
        (),
        0,
    ),
    "calls, the last term split off": (
        total(1, T, lambda i: tanh(x(i) + w)),
        total(1, T - 1, lambda i: tanh(w + x(i))) + tanh(x(T) + w),
        (),
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_proved_at_every_time_of_the_region(case: str) -> None:
    left, right, times, first = SAME[case]
    assert agree(left, right, times, first)
    assert same(left, right, times, first)
    assert same(right, left, times, first)
    assert not same(left, right + F(1, 10**9), times, first)


@pytest.mark.parametrize("case", EQUAL)
def test_what_has_one_normal_form_is_proved(case: str) -> None:
    left, right = EQUAL[case]
    times: Times = (("m", ONE, T),)
    assert same(left, right, times, 2)


# ---- never proved -------------------------------------------------------------------------------


def shifted(of: Callable[[Affine], Node]) -> Node:
    """Σ_k Σ_j f(j) y_{k+j}."""
    return sum_over("i", 1, T, total(1, T, lambda q: of(q) * y(symbol("i") + q)))


DIFFERENT: dict[str, tuple[Node, Node, Times, int]] = {
    "at T = 0 alone": (total(1, T, x), total(1, T - 1, x) + x(T), (), 0),
    "at T = 1 alone": (
        by_cases(const(0), at(T, "=", 1), x(T)),
        by_cases(const(1), at(T, "=", 1), x(T)),
        (),
        0,
    ),
    "at T = 5 alone": (by_cases(const(0), at(T, "=", 5), x(T)), x(T), (), 0),
    "from T = 4 on": (by_cases(2 * x(T), at(T, "≥", 4), x(T)), x(T), (), 0),
    "at k = T alone": (by_cases(const(0), at(k, "=", T), x(k)), x(k), TO_T, 1),
    "a split that is off by one": (
        total(1, T, x),
        total(1, k - 1, x) + total(k + 1, T, x),
        TO_T,
        1,
    ),
    "the last case inside a sum": (
        total(1, T, lambda i: by_cases(2 * x(i), at(i, "=", T), x(i))),
        total(1, T, x),
        (),
        0,
    ),
    "factors in another product": (
        product(2, T, x) * x(0),
        product(1, T, x),
        (),
        1,
    ),
    "a range that is turned and shifted": (
        total(1, T, lambda i: w**i * x(T - i + 1)),
        total(1, T, lambda i: w ** (T - i) * x(i)),
        (),
        0,
    ),
    "two indices in one time, the inner one shared": (
        shifted(x) * total(1, T, lambda i: x(i) ** 2),
        shifted(lambda i: x(i) ** 2) * total(1, T, x),
        (),
        2,
    ),
    "geometric, off by a power": (total(0, T, lambda i: w**i) * (1 - w), 1 - w**T, (), 0),
    "a value of a parameter, wrong": (
        cases([(const(1) * u, (Condition(w, "=", const(F(3, 5))),)), (w**2 * u, ())]),
        w * w * u,
        (),
        0,
    ),
    "the sum of the numbers, off by T": (
        total(1, T, index_value),
        index_value(T) * index_value(T - 1) / 2,
        (),
        0,
    ),
    "wrong from T = 3 on, right before": (
        total(1, T, x),
        total(1, T, x) + index_value(T) * index_value(T - 1) * index_value(T - 2),
        (),
        0,
    ),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_near_misses_are_never_proved(case: str) -> None:
    left, right, times, first = DIFFERENT[case]
    assert not agree(left, right, times, first)
    assert not same(left, right, times, first)
    assert not same(right, left, times, first)


@pytest.mark.parametrize("case", MISSES)
def test_misses_of_the_normal_form_are_not_proved_either(case: str) -> None:
    left, right = MISSES[case]
    assert not same(left, right, (("m", ONE, T),), 2)


# ---- random formulas ----------------------------------------------------------------------------


def made(source: random.Random, depth: int, names: list[Affine]) -> Node:
    """A random formula in T and the indices around it."""
    kind = source.choice("xywcpsftab" if depth else "xywi")
    time = source.choice(names) + source.choice((0, 0, 1, -1))
    if kind in "xy":
        return (x if kind == "x" else y)(time)
    if kind == "w":
        return source.choice((w, u))
    if kind == "i":
        return index_value(time)
    one = made(source, depth - 1, names)
    two = made(source, depth - 1, names)
    if kind == "c":
        relation = source.choice(("=", "≥"))
        return by_cases(one, at(source.choice(names), relation, source.choice((0, 1, 2, T))), two)
    if kind == "a":
        return one + two
    if kind == "b":
        return one - two
    if kind == "p":
        return one * two
    index = f"i{depth}"
    low, high = source.choice((ZERO, ONE, names[-1] + 1)), source.choice((T, T - 1, names[-1]))
    body = made(source, depth - 1, [*names, symbol(index)])
    combine: Callable[..., Node] = prod_over if kind == "f" else sum_over
    return combine(index, low, high, body)


def changed(source: random.Random, node: Node) -> Node:
    """The same in other words, mostly; sometimes something else."""
    way = source.randrange(5)
    if way == 0:
        return by_cases(node, at(T, "≥", source.choice((1, 2))), node)
    if way == 1:
        return node * 1 + x(T) - x(T)
    if way == 2:
        return by_cases(node, at(T, "=", 2), node + iverson(T - 2) * y(T))
    if way == 3:
        return node + iverson(T - source.choice((1, 3))) * y(1)
    return F(1, 3) * node + F(2, 3) * node


def test_random_formulas_are_proved_equal_only_if_they_are() -> None:
    source = random.Random(5)
    proved = 0
    for _ in range(400):
        one = made(source, 3, [T])
        two = changed(source, one) if source.random() < 0.7 else made(source, 2, [T])
        if same(one, two):
            proved += 1
            assert agree(one, two, (), 0), (one, two)
    assert proved > 100


# ---- matrices -----------------------------------------------------------------------------------

n = symbol("n")
W, V = param("W", (n, n)), param("V", (n, n))


def column(time: Affine | int) -> Node:
    return signal("h", (n, ONE), as_affine(time))


def chain(low: Affine | int, high: Affine | int) -> Node:
    return prod_over("j", low, high, diag(column(symbol("j"))) @ W)


@pytest.mark.parametrize(
    ("left", "right", "times", "first", "expected"),
    [
        (W @ W ** (T - 1), W**T, (), 1, True),
        (W ** (T - 1) @ W, W**T, (), 0, False),
        (chain(k + 1, T) @ chain(1, k), chain(1, T), TO_T, 1, True),
        (chain(1, k) @ chain(k + 1, T), chain(1, T), TO_T, 1, False),
        (diag(column(T)) @ W @ chain(1, T - 1), chain(1, T), (), 1, True),
        (chain(2, T) @ diag(column(1)) @ W, chain(1, T), (), 1, True),
        (chain(2, T) @ W @ diag(column(1)), chain(1, T), (), 1, False),
        (
            sum_over("i", 1, T, W ** (T - symbol("i")) @ column(symbol("i"))),
            sum_over("i", 0, T - 1, W ** symbol("i") @ column(T - symbol("i"))),
            (),
            0,
            True,
        ),
        (
            sum_over("i", 1, T, W ** symbol("i") @ column(symbol("i"))),
            sum_over("i", 0, T - 1, W ** symbol("i") @ column(T - symbol("i"))),
            (),
            0,
            False,
        ),
        (W @ V, V @ W, (), 0, False),
        ((W @ V).T, V.T @ W.T, (), 0, True),
        (W.T, W, (), 0, False),
        (W @ full("identity", (n, n)), W, (), 0, True),
        (
            by_cases(W, at(T, "=", 0), V @ W),
            by_cases(V @ W, at(T, "≥", 1), W),
            (),
            0,
            True,
        ),
        (by_cases(W, at(T, "=", 1), V @ W), by_cases(V @ W, at(T, "≥", 1), W), (), 0, False),
    ],
)
def test_matrices(left: Node, right: Node, times: Times, first: int, expected: bool) -> None:
    assert same(left, right, times, first) is expected
    assert same(right, left, times, first) is expected


# ---- regions ------------------------------------------------------------------------------------


def test_a_region_knows_what_follows() -> None:
    region = region_of((("k", ONE, T),), 0)
    assert region.implies(T - 1)
    assert region.implies(T - k)
    assert not region.implies(T - k - 1)
    assert region.excludes(k - T - 1)
    assert not region.is_empty
    assert region.also(k - T - 1).is_empty


def test_what_was_replaced_by_its_value_is_still_known() -> None:
    region = region_of((), 0).also(1 - T, T - 1)
    pin = region.pinned()
    assert pin is not None
    name, its_value = pin
    inside = region.where(name, its_value)
    assert inside.implies(T - 1)
    assert inside.implies(1 - T)
    assert inside.pinned() is None


def test_the_start_of_an_induction_bounds_nothing_else() -> None:
    assert region_of((), 3).start_of("T") == 3
    assert region_of(TO_T, 3).start_of("T") is None
    assert Region().start_of("T") is None


def test_a_proof_that_does_not_hold_does_not_replay() -> None:
    held = Sameness(total(1, T, x), total(0, T - 1, lambda i: x(T - i)), region_of((), 0))
    assert held.replay()
    assert not Sameness(held.left, held.right + w, held.region).replay()
    assert not Sameness(held.left, signal("h", (n, ONE), T), held.region).replay()
    assert Sameness(W, W, Region()).replay()


# ---- related calls ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "names"),
    [
        (
            total(1, T, lambda i: sigma(-x(i))),
            index_value(T) - total(1, T, lambda i: sigma(x(i))),
            ("sigma negative",),
        ),
        (
            total(1, T, lambda i: tanh(u - x(i))),
            -total(1, T, lambda i: tanh(x(i) - u)),
            ("tanh negative",),
        ),
        (
            product(1, T, lambda i: 1 + tanh(x(i))),
            product(1, T, lambda i: 2 * sigma(2 * x(i))),
            ("tanh sigma",),
        ),
        (
            product(1, T, lambda i: exp(x(i) + w)),
            exp(w) ** T * product(1, T, lambda i: exp(x(i) / 2) ** 2),
            ("exp sum", "exp multiple"),
        ),
    ],
)
def test_calls_are_related_by_declared_relations_alone(
    left: Node, right: Node, names: tuple[str, ...]
) -> None:
    everywhere = region_of((), 0)
    found = Sameness(left, right, everywhere).relations()
    assert found is not None
    assert {relation.name for relation in found} == set(names)
    for wrong in (right + F(1, 10**9), 2 * right, total(1, T, lambda i: sigma(x(i)))):
        assert Sameness(left, wrong, everywhere).relations() is None


def test_relations_that_do_not_hold_are_not_used() -> None:
    for left, right in (
        (sigma(-x(T)), sigma(x(T))),
        (sigma(-x(T)), 1 + sigma(x(T))),
        (tanh(x(T)), 2 * sigma(x(T)) - 1),
        (exp(x(T)) * exp(x(T)), exp(x(T) * x(T))),
        (exp(x(T) + w), exp(x(T)) + exp(w)),
        (exp(-x(T)), -exp(x(T))),
    ):
        assert not same(left, right)
