"""Proofs by induction on T: true formulas prove, and no wrong one ever does.

Recurrences and formulas are written here; wrong formulas are all single changes of the
right ones, kept where plain evaluation over fractions says that they are wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import pytest

from symgrad.lang.affine import Affine, T, as_affine, symbol
from symgrad.lang.algebra import Rationals
from symgrad.lang.nodes import (
    SCALAR,
    Apply,
    Cases,
    Condition,
    Const,
    Fold,
    IndexValue,
    Node,
    Param,
    Power,
    Signal,
    cases,
    const,
    index_value,
    name,
    param,
    prod_over,
    signal,
    substitute_indices,
    sum_over,
    transform,
)
from symgrad.lang.tape import Environment, evaluate
from symgrad.ops import tanh
from symgrad.verify.induction import Induction, prove_induction

F = Fraction
w, u, b, rho = (param(text) for text in ("w", "u", "b", "rho"))
h_0 = signal("h", SCALAR, 0)
Y, BEFORE = name("Y"), name("Y_before")
ZERO = const(0)
Body = Callable[[Affine], Node]


def x(time: Affine | int) -> Node:
    return signal("x", SCALAR, as_affine(time))


def total(lower: Affine | int, upper: Affine | int, body: Body, index: str = "k") -> Node:
    return sum_over(index, lower, upper, body(symbol(index)))


def product(lower: Affine | int, upper: Affine | int, body: Body, index: str = "j") -> Node:
    return prod_over(index, lower, upper, body(symbol(index)))


def from_one(node: Node, at_zero: Node = ZERO) -> Node:
    return cases([(at_zero, (Condition(T, "=", as_affine(0)),)), (node, ())])


def driven(index: Affine) -> Node:
    return u * x(index) + b


def n(form: Affine) -> Node:
    return index_value(form)


TRUE: dict[str, Induction] = {
    "power": Induction(Y, w**T * h_0, BEFORE, w * BEFORE, h_0),
    "state": Induction(
        Y, w**T * h_0 + total(1, T, lambda i: w ** (T - i) * driven(i)), BEFORE,
        w * BEFORE + driven(T), h_0,
    ),
    "slope of a power": Induction(
        Y, from_one(n(T) * w ** (T - 1) * h_0), BEFORE, w * BEFORE + w ** (T - 1) * h_0, ZERO
    ),
    "slope of the state": Induction(
        Y,
        from_one(
            n(T) * w ** (T - 1) * h_0
            + total(1, T - 1, lambda i: n(T - i) * w ** (T - i - 1) * driven(i))
        ),
        BEFORE,
        w * BEFORE + w ** (T - 1) * h_0 + total(1, T - 1, lambda i: w ** (T - 1 - i) * driven(i)),
        ZERO,
    ),
    "varying factor": Induction(
        Y,
        product(1, T, lambda i: w * x(i)) * h_0
        + total(1, T, lambda i: product(i + 1, T, lambda q: w * x(q)) * b),
        BEFORE, w * x(T) * BEFORE + b, h_0,
    ),
    "factor 1 + x": Induction(
        Y, total(1, T, lambda i: product(i + 1, T, lambda q: 1 + x(q)) * x(i)), BEFORE,
        (1 + x(T)) * BEFORE + x(T), ZERO,
    ),
    "activations": Induction(
        Y, total(1, T, lambda i: w ** (T - i) * tanh(u * x(i))), BEFORE,
        w * BEFORE + tanh(u * x(T)), ZERO,
    ),
    "geometric sum": Induction(Y, (1 - w**T) / (1 - w), BEFORE, w * BEFORE + 1, ZERO),
    "two geometric": Induction(
        Y, (w**T - rho**T) / (w - rho), BEFORE, w * BEFORE + rho ** (T - 1), ZERO,
        second=const(1),
    ),
    "resonance": Induction(
        Y, from_one(n(T) * w ** (T - 1)), BEFORE, w * BEFORE + w ** (T - 1), ZERO
    ),
    "triangle": Induction(Y, n(T) * n(T + 1) / 2, BEFORE, BEFORE + n(T), ZERO),
    "squares": Induction(
        Y, n(T) * n(T + 1) * n(T + T + 1) / 6, BEFORE, BEFORE + n(T) * n(T), ZERO
    ),
    "from k": Induction(
        Y, product(symbol("k") + 1, T, x), BEFORE, x(T) * BEFORE, const(1), first=symbol("k")
    ),
    "from 2": Induction(
        Y, total(3, T, x) + b, BEFORE, BEFORE + x(T), b, first=as_affine(2)
    ),
}  # fmt: skip


# ---- evaluation as written ------------------------------------------------------------------

VALUES = {"w": F(3, 5), "u": F(-4, 3), "b": F(7, 2), "rho": F(-2, 9)}


def value(node: Node, horizon: int, before: Fraction | None = None, k: int = 2) -> Fraction:
    def read(label: str, time: int) -> Fraction:
        return F(11, 4) if label == "h" else F(3 * time + 2, 7)

    class Stand(Rationals):
        """A rational stand-in for tanh: proofs know nothing about it but its arguments."""

        direct = {"tanh": lambda a: (a * a + 3) / (a * a + 7)}  # noqa: RUF012

    env = Environment(VALUES, read, {"T": horizon, "k": k}, named=lambda _: before)
    result: Fraction = evaluate(node, Stand(), env)
    return result


def truth(proof: Induction, count: int, k: int = 2) -> list[tuple[int, Fraction]]:
    """The sequence that the recurrence makes, from its first T on."""
    first = proof.first.value({"k": k})
    known = [(first, value(proof.start, first, k=k))]
    for horizon in range(first + 1, first + count):
        if horizon == first + 1 and proof.second is not None:
            known.append((horizon, value(proof.second, horizon, k=k)))
        else:
            known.append((horizon, value(proof.step, horizon, known[-1][1], k=k)))
    return known


def is_right(proof: Induction, right: Node) -> bool:
    try:
        return all(value(right, h, k=k) == y for k in (0, 2) for h, y in truth(proof, 7, k))
    except ZeroDivisionError:
        return False


# ---- true formulas -------------------------------------------------------------------------


@pytest.mark.parametrize("case", TRUE)
def test_true_formulas_are_proved(case: str) -> None:
    proof = TRUE[case]
    assert is_right(proof, proof.right)
    verdict = prove_induction(proof)
    assert verdict.status == "proved"
    assert verdict.scope == f"all T ≥ {proof.first}"
    assert verdict.proof is proof
    assert proof.replay()


@pytest.mark.parametrize("case", TRUE)
def test_every_line_of_a_proof_is_true(case: str) -> None:
    """What is printed: base cases, then definition, hypothesis and formula at a later T."""
    proof = TRUE[case]
    *bases, step = proof.lines
    assert len(bases) == len(proof.bases)
    known = dict(truth(proof, 8))
    for (time, _, _), line in zip(proof.bases, bases, strict=True):
        at = time.value({"k": 2})
        assert [value(node, at) for node, _ in line.chain] == [known[at]] * 2
    for at in list(known)[-3:]:
        assert [value(node, at, known[at - 1]) for node, _ in step.chain] == [known[at]] * 3


def test_assumptions_are_part_of_the_scope() -> None:
    verdict = prove_induction(replace(TRUE["geometric sum"], assumptions=("1 - w ≠ 0",)))
    assert verdict.scope == "all T ≥ 0, 1 - w ≠ 0"


# ---- wrong formulas ------------------------------------------------------------------------

TINY = 1 + F(1, 10**9)


def shifted(node: Node) -> Iterator[Node]:
    """The node's own times, bounds and exponents moved by one."""
    for change in (-1, 1):
        if isinstance(node, Signal) and not node.time.is_const:
            yield node.at(node.time + change)
        elif isinstance(node, IndexValue):
            yield index_value(node.form + change)
        elif isinstance(node, Power) and not node.exponent.is_const:
            yield Power((node.exponent + change,), node.args, node.shape)
        elif isinstance(node, Fold):
            kind, index = node.kind, node.index
            yield Fold((kind, index, node.lower + change, node.upper), node.args, node.shape)
            yield Fold((kind, index, node.lower, node.upper + change), node.args, node.shape)


def changed(node: Node) -> Iterator[Node]:
    """Single changes of the node itself."""
    yield from shifted(node)
    yield -node
    yield node * TINY
    if isinstance(node, Const):
        yield node + 1
    if isinstance(node, Param):
        yield rho if node is w else w
    if isinstance(node, Fold):
        kind = "prod" if node.kind == "sum" else "sum"
        yield Fold((kind, *node.key[1:]), node.args, node.shape)
    if isinstance(node, Apply) and node.head.name in ("add", "mul"):
        for dropped in range(len(node.args)):
            rest = [a for i, a in enumerate(node.args) if i != dropped]
            made = rest[0]
            for part in rest[1:]:
                made = made + part if node.head.name == "add" else made * part
            yield made
    if isinstance(node, Apply) and node.head.name == "div":
        yield node.args[0]
        yield node.args[1] / node.args[0]
    if isinstance(node, Cases):
        yield node.values[-1]


def mutations(node: Node) -> Iterator[Node]:
    """Every single change anywhere in a formula."""
    yield from changed(node)
    for place, argument in enumerate(node.args):
        for mutant in mutations(argument):
            yield node.with_args((*node.args[:place], mutant, *node.args[place + 1 :]))


def wrong(case: str) -> list[Node]:
    proof = TRUE[case]
    found = dict.fromkeys(mutations(proof.right))
    return [mutant for mutant in found if not is_right(proof, mutant)]


def begins_before_one(node: Node) -> bool:
    """A shape that a known fault lets through: see the end of this file."""
    ranges = [node] if isinstance(node, Fold) else []
    return any(f.lower.is_const and f.lower.const < 1 for f in ranges) or any(
        begins_before_one(argument) for argument in node.args
    )


def test_there_are_many_wrong_formulas() -> None:
    counts = {case: len(wrong(case)) for case in TRUE}
    assert min(counts.values()) >= 6
    assert sum(counts.values()) >= 380


@pytest.mark.parametrize("case", TRUE)
def test_no_wrong_formula_is_proved(case: str) -> None:
    proof = TRUE[case]
    for mutant in wrong(case):
        if begins_before_one(mutant):
            continue
        assert prove_induction(replace(proof, right=mutant)).status == "undecided", mutant


@pytest.mark.parametrize("case", TRUE)
def test_no_formula_is_proved_from_another_recurrence(case: str) -> None:
    """Wrong steps and wrong starts, for the same formula."""
    proof = TRUE[case]
    for step in dict.fromkeys(mutations(proof.step)):
        other = replace(proof, step=step)
        try:
            same = is_right(other, proof.right)
        except ZeroDivisionError:
            same = False
        if not same and not begins_before_one(step):
            assert prove_induction(other).status == "undecided", step
    for start in (proof.start + 1, proof.start * 2 + 1, -(proof.start + 3)):
        assert prove_induction(replace(proof, start=start)).status == "undecided"


# ---- empty ranges and negative exponents ------------------------------------------------------


def test_a_negative_exponent_at_the_first_step_is_not_passed_over() -> None:
    """T w^{T-1} h_0 has no meaning at T = 0 and w = 0, so not for T ≥ 0."""
    with_row = TRUE["slope of a power"]
    assert prove_induction(replace(with_row, right=with_row.main)).status == "undecided"
    from_1 = replace(with_row, right=with_row.main, start=h_0, first=as_affine(1))
    assert prove_induction(from_1).status == "proved"


def test_a_range_that_is_emptier_than_empty_is_not_passed_over() -> None:
    """Σ_{k=1}^{T-1} 1 is T - 1 from T = 1 on, and 0 at T = 0."""
    count = total(1, T - 1, lambda i: const(1))
    claim = Induction(Y, count, BEFORE, BEFORE + 1, const(-1))
    assert value(count, 0) == 0
    assert prove_induction(claim).status == "undecided"
    assert prove_induction(replace(claim, start=ZERO)).status == "undecided"
    from_1 = replace(claim, start=ZERO, first=as_affine(1))
    assert prove_induction(from_1).status == "proved"
    swapped = Induction(Y, n(T - 1), BEFORE, BEFORE + 1, count)
    assert prove_induction(swapped).status == "undecided"


def test_the_requirements_of_a_start_are_checked() -> None:
    """Σ_{k=1}^{-2} 1 is 0, not -2."""
    start = total(1, -2, lambda i: const(1))
    assert value(start, 0) == 0
    assert prove_induction(Induction(Y, n(T - 2), BEFORE, BEFORE + 1, start)).status == "undecided"
    assert prove_induction(Induction(Y, n(T - 2), BEFORE, BEFORE + 1, const(-2))).status == "proved"


def test_a_product_that_is_emptier_than_empty_is_not_passed_over() -> None:
    """Π_{j=2}^{T} x_j is 1 at T = 0, not 1/x_1."""
    claim = Induction(Y, product(2, T, x), BEFORE, x(T) * BEFORE, 1 / x(1))
    assert value(claim.right, 0) == 1
    assert prove_induction(claim).status == "undecided"
    assert prove_induction(replace(claim, start=const(1), first=as_affine(1))).status == "proved"


def test_a_range_inside_a_range() -> None:
    """Σ_k Π_{j=k+2}^{T} is emptier than empty for k = T, so 1/x_{T+1} must not come in."""
    claim = Induction(
        Y, total(1, T, lambda i: product(i + 2, T, x)), BEFORE, x(T) * BEFORE + 1 / x(T + 1), ZERO
    )
    assert value(claim.right, 1) == 1
    assert prove_induction(claim).status == "undecided"


def test_rows_of_the_first_values_are_checked() -> None:
    right = TRUE["slope of a power"]
    for at_zero in (h_0, const(1), w):
        wrong_row = from_one(right.main, at_zero)
        assert prove_induction(replace(right, right=wrong_row)).status == "undecided"
    second = replace(TRUE["two geometric"], second=const(2))
    assert prove_induction(second).status == "undecided"


def test_the_base_case_of_the_main_formula_is_checked_after_a_row() -> None:
    """A row for T = 0 must not hide that the formula is wrong at T = 1."""
    claim = Induction(Y, from_one(w**T * u, ZERO), BEFORE, w * BEFORE, ZERO)
    assert prove_induction(claim).status == "undecided"


def test_no_normal_form_is_undecided_with_the_reason() -> None:
    claim = Induction(Y, product(1, T, lambda i: w**i), BEFORE, w**T * BEFORE, const(1))
    verdict = prove_induction(claim)
    assert verdict.status == "undecided"
    assert "no normal form" in verdict.how[0]


def test_the_hypothesis_is_the_formula_one_step_back() -> None:
    proof = TRUE["state"]
    assert proof.hypothesis is substitute_indices(proof.right, {"T": T - 1})
    assert (
        transform(proof.step, lambda n: proof.hypothesis if n is BEFORE else n)
        is (proof.lines[-1].chain[1][0])
    )


def test_a_denominator_that_vanishes_at_a_base_case_is_undecided() -> None:
    claim = Induction(Y, n(T) * n(T + 1) / n(T), BEFORE, BEFORE + 1, const(1))
    assert prove_induction(claim).status == "undecided"


# ---- found while these tests were written ------------------------------------------------------


@pytest.mark.parametrize("lower", [0, -3])
def test_ranges_that_begin_before_one_are_not_passed_over(lower: int) -> None:
    """Σ_{k=0}^{T} x_k with Y_0 = 0 and Y_T = Y_{T-1} + x_T: false at T = 0, and "proved"."""
    claims = [
        Induction(Y, total(lower, T, x), BEFORE, BEFORE + x(T), ZERO),
        Induction(Y, product(lower, T, x), BEFORE, BEFORE * x(T), const(1)),
    ]
    for claim in claims:
        assert not is_right(claim, claim.right)
    assert [prove_induction(claim).status for claim in claims] == ["undecided"] * 2


def test_no_wrong_formula_that_begins_before_one_is_proved() -> None:
    early = [(case, m) for case in TRUE for m in wrong(case) if begins_before_one(m)]
    assert early
    proved = [
        (case, m)
        for case, m in early
        if prove_induction(replace(TRUE[case], right=m)).status == "proved"
    ]
    assert not proved
