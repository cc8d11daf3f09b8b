"""Attacks on the kernel: proofs of what is false, each of which has to be refused.

An attack stands beside a proof of something true that differs from it in the point at issue,
so that a refusal for another reason is noticed. Whether random formulas that the kernel holds
to be equal are equal, the evaluator of the tests decides.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest

import symgrad as sg
from proof_model import Model
from symgrad.derivation.certificates import NoCertificate, certificate
from symgrad.derivation.hypotheses import Hypotheses
from symgrad.lang.affine import symbol
from symgrad.lang.nodes import index_value
from symgrad.verify import kernel
from symgrad.verify.encoding import NotEncoded, encode

Json = Any

ONE, N, M = {"": 1}, {"n": 1}, {"m": 1}
T, BEFORE = {"T": 1}, {"T": 1, "": -1}
a, b, now = ["par", "a"], ["par", "b"], ["sig", "x", {"T": 1}]
u, v = ["par", "u", N, ONE], ["par", "v", N, ONE]
A, B, S = ["par", "A", N, M], ["par", "B", M, N], ["par", "S", N, N]


def num(value: int) -> Json:
    return ["num", str(value)]


def sig(name: str, time: Json, *size: Json) -> Json:
    return ["sig", name, time, *size]


def x(index: int = 0) -> Json:
    return sig("x", {f"@{index}": 1})


def given(left: Json, right: Json, *when: Json) -> Json:
    return {"rule": "given", "when": [*when], "claims": [[left, right]]}


def show(
    left: Json,
    right: Json,
    *,
    on: str = "T",
    start: Json = None,
    bases: Json = (),
    step: Json = (),
    when: Json = (),
) -> Json:
    claims = [[left, right]]
    found = {"rule": "show", "when": [*when], "claims": claims, "on": on, "from": start or {}}
    return found | {"bases": [*bases], "step": [*step]}


def slope(name: str, of: Json, value: Json) -> Json:
    return {"rule": "slope", "call": ["call", name, of], "is": value}


def differentiate(line: int, wrt: Json, kind: str = "d") -> Json:
    return {"rule": "differentiate", "line": line, "wrt": wrt, "kind": kind}


def check(*lines: Json) -> dict[str, Json]:
    return kernel.check(json.dumps(lines))


def equal(left: Json, right: Json, **options: Json) -> None:
    """Accepted as an identity for all T >= 0, or what ``start`` says."""
    check(show(left, right, **options))


def refused(*lines: Json, why: str = "") -> None:
    with pytest.raises(kernel.Refused, match=why or None):
        check(*lines)


def unequal(left: Json, right: Json, why: str = "not shown", **options: Json) -> None:
    refused(show(left, right, **options), why=why)


# ---- empty ranges and powers --------------------------------------------------------------------


def total(lower: Json, upper: Json, body: Json) -> Json:
    return ["sum", lower, upper, body]


def test_a_range_may_be_empty() -> None:
    split = ["add", total(ONE, BEFORE, x()), now]
    equal(total(ONE, T, x()), split, start=ONE)
    unequal(total(ONE, T, x()), split)  # at T = 0 the left side is 0
    unequal(total(ONE, T, x()), split, start={"": -5})
    product = ["mul", now, ["prod", ONE, BEFORE, x()]]
    equal(["prod", ONE, T, x()], product, start=ONE)
    unequal(["prod", ONE, T, x()], product)


def test_a_sum_over_less_than_nothing_is_nothing() -> None:
    equal(total(ONE, {"T": -1}, a), num(0))
    unequal(total(ONE, {"T": -1, "": 1}, a), num(0))
    unequal(total(ONE, {"T": -1}, a), num(0), start={"": -1})
    equal(total(ONE, {"T": -1, "": -1}, a), num(0), start={"": -1})


def test_products_are_ordered() -> None:
    body, start = sig("y", {"@0": 1}, N, N), sig("y", ONE, N, N)
    last, two = sig("y", {"": 2}, N, N), {"": 2}
    equal(["prod", ONE, two, body], ["mul", last, start])
    unequal(["prod", ONE, two, body], ["mul", start, last])


def test_exponents_are_not_negative() -> None:
    power = ["pow", a, BEFORE]
    equal(["mul", power, a], ["pow", a, T], start=ONE)
    unequal(["mul", power, a], ["pow", a, T], "negative")  # at a = 0, T = 0: 0 and 1
    unequal(["mul", ["pow", a, T], ["pow", a, {"T": -1}]], num(1), "negative")
    equal(["pow", a, {}], num(1))
    unequal(["pow", a, T], ["mul", a, ["pow", a, BEFORE]], "negative")
    inside = total(ONE, T, ["pow", a, {"T": 1, "@0": -1}])
    equal(inside, inside)
    unequal(total({}, T, ["pow", a, {"@0": 1, "": -1}]), num(0), "negative")


def test_a_case_is_chosen_where_the_times_decide_it() -> None:
    case = ["cases", {"T": 1, "": -5}, a, b]
    equal(case, b, start={"": 6})
    equal(["cases", {"T": 1, "": 1}, a, b], b)
    for value in (a, b):
        unequal(case, value, "open case")
        unequal(case, value, "open case", start={"": 5})
    unequal(total(ONE, T, ["cases", {"@0": 1, "": -1}, a, b]), total(ONE, T, b), "open case")


def test_powers_of_sums_and_products_of_matrices() -> None:
    two = {"": 2}
    equal(["pow", ["mul", a, b], T], ["mul", ["pow", b, T], ["pow", a, T]])
    unequal(["pow", ["add", a, b], two], ["add", ["pow", a, two], ["pow", b, two]])
    K = ["par", "K", N, N]
    equal(["pow", ["mul", S, K], two], ["mul", S, K, S, K])
    unequal(["pow", ["mul", S, K], two], ["mul", S, S, K, K])
    unequal(["pow", ["mul", S, K], T], ["mul", ["pow", S, T], ["pow", K, T]])
    unequal(["pow", ["mul", num(2), S], T], ["mul", num(2), ["pow", S, T]])
    unequal(["pow", A, T], A, "no square")


def test_products_of_sums() -> None:
    one, both = total(ONE, T, x()), total(ONE, T, ["mul", x(), x()])
    unequal(["mul", one, one], both, "two sums")
    equal(["mul", a, one, b], total(ONE, T, ["mul", b, x(), a]))
    unequal(["call", "f", one], total(ONE, T, ["call", "f", x()]))
    unequal(["mul", now, one], both)


def test_a_factor_from_outside_keeps_its_indices() -> None:
    """The index of a sum is free in nothing that is multiplied into it."""
    inner = ["prod", ONE, {"@0": 1}, x()]
    outer = ["prod", ONE, T, x()]
    unequal(["mul", outer, total(ONE, T, x())], total(ONE, T, ["mul", x(), inner]))
    nested = total(ONE, T, total(ONE, T, ["mul", x(0), x(1)]))
    equal(nested, total(ONE, T, ["mul", x(), total(ONE, T, x())]))
    unequal(nested, total(ONE, T, total(ONE, T, ["mul", x(0), x(0)])))
    unequal(total(ONE, T, total(ONE, T, x(0))), total(ONE, {"T": 2}, x(0)))


# ---- indices ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "term",
    [
        total(ONE, T, x(1)),
        sig("x", {"@0": 1}),
        total(ONE, {"@0": 1}, x()),
        total({"@0": 1}, T, x()),
        ["add", total(ONE, T, x()), x()],
        total(ONE, T, sig("x", {"@00": 1})),
        total(ONE, T, sig("x", {"@-1": 1})),
        total(ONE, T, sig("x", {"%0": 1})),
        ["pow", a, {"@0": 1}],
        ["int", {"·n": 1}],
        ["sig", "@0", T],
    ],
)
def test_an_index_stands_below_its_sum(term: Json) -> None:
    unequal(term, term, "stands wrongly|no proof|term here|KeyError")


def test_no_index_comes_in_with_a_time() -> None:
    lines = [given(sig("h", {"j": 1}), a, {"j": 1})]
    good = show(sig("h", T), a, step=[[0, 0, {"j": T}]])
    check(*lines, good)
    sums = [total(ONE, T, sig("h", {"@0": 1})), total(ONE, T, a)]
    refused(*lines, show(*sums, step=[[0, 0, {"j": {"@0": 1}}]]), why="stands wrongly")
    refused(*lines, show(*sums, step=[[0, 0, {"j": T}]]), why="changes nothing")
    refused(*lines, show(*sums, step=[[0, 0, {"@": T}]]))


def test_a_size_is_no_time() -> None:
    ones = ["ones", {"T": 1}, ONE]
    counted = ["mul", ["T", ones], ones]
    unequal(counted, ["int", T])
    equal(counted, counted)
    vector = ["par", "u", {"T": 1}, ONE]
    fact = given(["mul", ["T", vector], vector], ["int", T])
    # At T = 5 the size is still T: nothing is said of columns of length 5.
    five = ["par", "u", {"": 5}, ONE]
    wanted = show(["mul", ["T", five], five], num(5), on="t", step=[[0, 0, {"T": {"": 5}}]])
    refused(fact, wanted, why="changes nothing")


# ---- induction ----------------------------------------------------------------------------------

STEP = given(sig("h", T), ["mul", a, sig("h", BEFORE)], {"T": 1, "": -1})
POWER = (sig("h", T), ["mul", ["pow", a, T], sig("h", {})])


def test_induction_needs_its_bases() -> None:
    step = [[0, 0, {}], [1, 0, {"T": BEFORE}]]
    check(STEP, show(*POWER, bases=[[]], step=step))
    refused(STEP, show(*POWER, step=step), why="does not hold")
    refused(STEP, show(*POWER, start={"": -3}, bases=[[]], step=step))
    zero = (sig("h", T), num(0))
    refused(STEP, show(*zero, bases=[[]], step=step), why="not shown")
    refused(STEP, show(*zero, bases=[[[1, 0, {"T": BEFORE}]]], step=step), why="does not hold")
    refused(STEP, show(*zero, bases=[[[1, 0, {"T": T}]]], step=step), why="does not hold")


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (T, "does not hold|changes nothing"),
        ({"T": 1, "": 1}, "does not hold"),
        ({"T": 1, "": -2}, "does not hold"),
        ({"": -1}, "does not hold"),
        ({"T": 2}, "does not hold"),
        ({"T": -1}, "does not hold"),
    ],
)
def test_the_hypothesis_is_about_earlier_values(at: Json, why: str) -> None:
    claim = (sig("h", T), sig("k", T))
    lines = [given(sig(name, T), ["mul", a, sig(name, at)]) for name in "hk"]
    lines += [given(sig("h", {}), sig("k", {}))]
    step = [[0, 0, {}], [1, 0, {}], [3, 0, {"T": at}]]
    refused(*lines, show(*claim, bases=[[[2, 0, {}]]], step=step), why=why)


def test_two_steps_back_need_two_bases() -> None:
    back = {"T": 1, "": -2}
    lines = [
        given(sig("h", T), sig("h", back), back),
        given(sig("h", {}), a),
        given(sig("h", ONE), a),
    ]
    claim, step = (sig("h", T), a), [[0, 0, {}], [3, 0, {"T": back}]]
    check(*lines, show(*claim, bases=[[[1, 0, {}]], [[2, 0, {}]]], step=step))
    refused(*lines[:2], show(*claim, bases=[[[1, 0, {}]]], step=[[0, 0, {}], [2, 0, {"T": back}]]))


def test_the_hypothesis_is_about_the_same_case() -> None:
    """The hypothesis is for the same k, at smaller T."""
    claim = (sig("h", {"T": 1, "k": 1}), a)
    base = given(sig("h", {"k": 1}), a, {"k": 1})
    step = given(sig("h", {"T": 1, "k": 1}), sig("h", {"T": 1, "k": 2, "": -1}))
    options: Json = {"bases": [[[0, 0, {}]]], "when": [{"k": 1}]}
    same = show(*claim, step=[[1, 0, {}], [2, 0, {"T": BEFORE}]], **options)
    refused(base, step, same, why="changes nothing")
    other = show(*claim, step=[[1, 0, {}], [2, 0, {"T": BEFORE, "k": {"k": 2}}]], **options)
    refused(base, step, other, why="another value")


def test_the_induction_is_not_bounded() -> None:
    step = [[0, 0, {}], [1, 0, {"T": BEFORE}]]
    bounded = show(*POWER, bases=[[]], step=step, when=[{"T": -1, "": 3}])
    refused(STEP, bounded, why="bounded")
    refused(STEP, show(*POWER, start=T, bases=[[]], step=step), why="bounded")


def test_premises_do_not_contradict_each_other() -> None:
    unequal(num(0), num(1), "contradict", when=[{"T": -1, "": -1}])
    unequal(num(0), num(1), "contradict", on="k", when=[T, {"T": -1, "": -1}])
    unequal(num(0), num(1), "contradict", on="k", when=[{"": -1}])
    # What no integer satisfies is an empty theorem, and says so.
    found = check(show(num(1), num(1), on="k", when=[{"T": 2, "": -1}, {"T": -2, "": 1}]))
    assert {"T": 2, "": -1} in found["when"]


def test_lines_hold_where_they_say() -> None:
    late = given(sig("h", T), a, {"T": 1, "": -3})
    check(late, show(sig("h", T), a, start={"": 3}, step=[[0, 0, {}]]))
    refused(late, show(sig("h", T), a, start={"": 2}, step=[[0, 0, {}]]), why="does not hold")
    shown = show(sig("h", T), a, start={"": 3}, step=[[0, 0, {}]])
    early = show(sig("h", {"": 2}), a, on="k", step=[[1, 0, {"T": {"": 2}}]])
    refused(late, shown, early, why="does not hold")


@pytest.mark.parametrize("line", [-1, -2, 1, 2, 3, True, False, 0.0, None, "0"])
def test_references_lead_to_earlier_lines(line: Json) -> None:
    lines = [given(sig("h", T), a, T)]
    claim = show(sig("h", T), a, step=[[line, 0, {}]])
    refused(*lines, claim, show(sig("h", T), a, step=[[0, 0, {}]]))
    refused(*lines, show(sig("h", T), a, step=[[0, line or -1, {}]]))
    differentiated = differentiate(line, a)  # type: ignore[arg-type]
    refused(differentiated, given(sig("h", T), a, T), show(sig("h", T), a, step=[[1, 0, {}]]))


# ---- sizes --------------------------------------------------------------------------------------


def test_both_sides_have_one_size() -> None:
    refused(given(u, num(0)), show(u, num(0), step=[[0, 0, {}]]), why="differ in size")
    unequal(["mul", num(0), u], num(0), "differ in size")
    unequal(["diag", ["ones", N, ONE]], num(1), "differ in size")
    unequal(["mul", num(0), A], ["mul", num(0), B], "differ in size")


def test_cases_have_one_size() -> None:
    """A sum over nothing has the size of its terms, which may not depend on the times."""
    identity = ["diag", ["ones", N, ONE]]
    for first, other in ((identity, num(1)), (num(1), identity)):
        unequal(total(ONE, T, ["cases", {}, first, other]), total(ONE, T, num(1)), "sizes")
        unequal(total(ONE, T, ["cases", {"@0": 1, "T": -1}, first, other]), num(0), "sizes")
        hidden = ["add", total(ONE, {}, ["cases", {"@0": 1}, first, other]), num(1)]
        unequal(hidden, num(1), "sizes")


@pytest.mark.parametrize(
    ("term", "why"),
    [
        (["add", u, a], "do not fit"),
        (["add", A, B], "do not fit"),
        (["mul", A, A], "do not fit"),
        (["mul", u, u], "do not fit"),
        (["diag", A], "no column"),
        (["diag", ["T", u]], "no column"),
        (["call", "f", A], "no column"),
        (["tr", A], "no square"),
        (["tr", ["diag", ["ones", N, ONE]]], "identity"),
        (["prod", ONE, T, A], "no square"),
        (["prod", ONE, T, u], "no square"),
        (["der", u, a, "d"], "no derivative"),
        (["der", sig("h", T, N, M), sig("x", T), "d"], "no column"),
        (["der", sig("h", T, N, ONE), sig("x", T, M, N), "d"], "no column"),
        (["par", "w", {"n": -1}, ONE], "negative size"),
    ],
)
def test_a_term_has_a_size(term: Json, why: str) -> None:
    unequal(term, term, why)


def test_traces_turn_and_do_not_permute() -> None:
    K = ["par", "K", N, N]
    equal(["tr", ["mul", A, B]], ["tr", ["mul", B, A]])
    equal(["tr", ["mul", A, ["T", A]]], ["tr", ["mul", ["T", A], A]])
    equal(["mul", ["T", u], S, v], ["mul", ["T", v], ["T", S], u])
    unequal(["tr", ["mul", A, B]], ["tr", ["mul", A, ["T", A]]])
    unequal(["tr", ["mul", S, K]], ["mul", ["tr", S], ["tr", K]])
    unequal(["tr", ["mul", S, K, K, S]], ["tr", ["mul", S, K, S, K]])
    unequal(["mul", A, B], ["mul", B, A], "differ in size")
    unequal(["mul", ["T", u], S, v], ["mul", ["T", u], ["T", S], v])


def test_diagonals_commute_with_diagonals_alone() -> None:
    D, E = ["diag", u], ["diag", v]
    equal(["mul", D, v], ["mul", E, u])
    equal(["mul", D, E, S], ["mul", E, D, S])
    unequal(["mul", D, S], ["mul", S, D])
    unequal(["mul", D, v], ["mul", S, v])
    unequal(["mul", D, D], D)
    unequal(["diag", ["mul", S, u]], ["mul", S, D])
    unequal(["diag", ["add", u, v]], ["mul", D, E])
    unequal(["mul", ["pow", D, T], E], ["mul", D, E])
    unequal(["mul", E, ["pow", D, T]], ["mul", D, E])
    equal(["diag", ["add", u, v]], ["add", E, D])


def test_blocks_of_the_identity() -> None:
    first, second = ["unit", {}, N, M], ["unit", N, M, {}]
    identity = ["diag", ["ones", N, ONE]]
    equal(["mul", ["T", first], first], identity)
    equal(["mul", ["T", first], second], ["mul", num(0), A])
    unequal(["mul", first, ["T", first]], ["diag", ["ones", {"n": 1, "m": 1}, ONE]])
    # Columns 1 to n and 2 to n + 1 of one identity overlap.
    late, early = ["unit", ONE, N, {}], ["unit", {}, N, ONE]
    unequal(["mul", ["T", late], early], ["mul", num(0), identity])
    unequal(["mul", ["T", late], early], identity)


# ---- derivatives --------------------------------------------------------------------------------

h_t, h_u = sig("h", {"t": 1}), sig("h", {"u": 1})
LATER = {"t": 1, "": -1}


def test_values_do_not_determine_derivatives() -> None:
    """h_T = k_T along one run says nothing of how they move."""
    same = given(sig("h", T), sig("k", T), T)
    der = [["der", sig(name, T), a, "d"] for name in "hk"]
    refused(same, show(*der, step=[[0, 0, {}]]), why="changes nothing")
    shown = show(sig("h", T), sig("k", T), step=[[0, 0, {}]])
    refused(same, shown, differentiate(1, a), show(*der, step=[[2, 0, {}]]), why="given")


def test_what_is_varied_does_not_keep_its_own_equation() -> None:
    own = given(h_t, ["mul", a, sig("h", LATER)], LATER)
    der = ["der", sig("h", T), sig("h", T), "d"]
    lines = [own, differentiate(0, h_u)]
    claim = show(der, ["mul", a, ["der", sig("h", BEFORE), sig("h", T), "d"]], start=ONE)
    claim["step"] = [[1, 0, {"t": T, "u": T}]]
    refused(*lines, claim, why="does not hold")
    later = ["der", sig("h", T), sig("h", {}), "d"]
    good = ["mul", a, ["der", sig("h", BEFORE), sig("h", {}), "d"]]
    check(*lines, show(later, good, start=ONE, step=[[1, 0, {"t": T, "u": {}}]]))
    refused(*lines, show(later, good, step=[[1, 0, {"t": T, "u": {}}]]), why="does not hold")


def test_the_slope_of_a_number_on_a_diagonal() -> None:
    """d(diag(s) v)/ds is v: a column, and no diagonal matrix."""
    q, y = sig("q", {"t": 1}, N, ONE), sig("y", {"t": 1}, N, ONE)
    still = given(["der", y, a, "d"], ["mul", num(0), y])
    lines = [given(q, ["mul", ["diag", a], y], {"t": 1}), still, differentiate(0, a)]
    der = ["der", q, a, "d"]
    check(*lines, show(der, y, on="t", step=[[2, 0, {}], [1, 0, {}]]))
    lines[1] = given(["der", y, a, "d"], num(0))
    refused(*lines, show(der, ["diag", y], on="t", step=[[2, 0, {}]]), why="differ in size")


@pytest.mark.parametrize(
    "right",
    [
        ["T", sig("y", {"t": 1}, ONE, N)],
        ["mul", ["pow", a, {"": 2}], u],
        ["mul", total(ONE, {"": 2}, a), u],
        ["mul", ["cases", {"t": 1}, a, b], u],
        ["mul", ["mul", ["diag", sig("x", {"t": 1}, N, ONE)], S], u],
        ["mul", sig("x", {"t": 1}, N, ONE), ["T", u], u, sig("x", {"t": 1}, N, ONE)],
    ],
)
def test_what_has_no_rule_has_no_derivative(right: Json) -> None:
    """Nothing is proved of it, for a parameter or a column."""
    q = sig("q", {"t": 1}, N, ONE)
    for wrt in (a, sig("x", {"u": 1}, N, ONE)):
        refused(
            given(q, right), differentiate(0, wrt), show(["der", q, wrt, "d"], ["der", q, wrt, "d"])
        )


def test_a_function_has_the_slope_that_is_given() -> None:
    lines = [given(h_t, ["call", "f", ["mul", a, x_t()]], {"t": 1})]
    der = ["der", h_t, a, "d"]
    moved = ["add", ["der", x_t(), a, "d"], num(1)]
    refused(*lines, differentiate(0, a), show(der, moved, on="t", step=[[1, 0, {}]]))
    slopes = slope("f", ["par", "arg"], ["par", "ans"])
    refused(*lines, slopes, slopes, differentiate(0, a), show(der, der), why="no new line")
    still = given(["der", x_t(), a, "d"], num(0))
    step = [[2, 0, {}], [3, 0, {}]]
    right = ["mul", h_t, x_t()]
    found = check(*lines, slopes, differentiate(0, a), still, show(der, right, on="t", step=step))
    assert [line["rule"] for line in found["hypotheses"]] == ["given", "slope", "given"]
    other = ["mul", a, x_t()]
    refused(*lines, slopes, differentiate(0, a), still, show(der, other, on="t", step=step))


def x_t() -> Json:
    return sig("x", {"t": 1})


def test_paths_end_at_other_signals() -> None:
    """Along h alone, what goes through k does not count; through everything, it does."""
    k_t = sig("k", {"t": 1})
    lines = [given(h_t, ["add", sig("h", LATER), k_t], LATER), differentiate(0, h_u, "h,")]
    of = ["der", h_t, h_u, "h,"]
    right = ["der", sig("h", LATER), h_u, "h,"]
    step, when = [[1, 0, {}]], [{"t": 1, "u": -1, "": -1}]
    check(*lines, show(of, right, on="t", start=ONE, step=step, when=when))
    lines[1]["kind"] = "d"
    of, right = ([*term[:3], "d"] for term in (of, right))
    refused(*lines, show(of, right, on="t", start=ONE, step=step, when=when), why="not shown")
    refused(*lines[:1], differentiate(0, h_u, "k,"), show(of, of), why="nothing moves")


# ---- the text of a proof ------------------------------------------------------------------------

GOOD = json.dumps([show(a, a)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "[[]]",
        '"show"',
        "[NaN]",
        GOOD[:-1],
        GOOD.replace('"from": {}', '"from": {"": NaN}'),
        GOOD.replace('"from": {}', '"from": {"": Infinity}'),
        GOOD.replace('"from": {}', '"from": {"": 1.0}'),
        GOOD.replace('"from": {}', '"from": {"": true}'),
        GOOD.replace('"from": {}', '"from": {"": 0}'),
        GOOD.replace('"from": {}', '"from": {"": ' + "9" * 9999 + "}"),
        GOOD.replace('"from": {}', '"from": {}, "from": {}'),
        GOOD.replace('"from": {}', '"from": {"k": 1, "k": 2}'),
        GOOD.replace('"rule"', '"note": "", "rule"'),
        GOOD.replace('"when": []', '"when": ""'),
        GOOD.replace('"when": []', '"when": {}'),
        GOOD.replace('"bases": []', '"bases": ""'),
        GOOD.replace('"bases": []', '"bases": {}'),
        GOOD.replace('["par", "a"]', '["num", "1/0"]'),
        GOOD.replace('["par", "a"]', '["num", 1]'),
        GOOD.replace('["par", "a"]', '["num", "1e9"]'),
        GOOD.replace('["par", "a"]', '["num", "' + "9" * 301 + '"]'),
        GOOD.replace('["par", "a"]', '["par"]'),
        GOOD.replace('["par", "a"]', '["add"]'),
        GOOD.replace('["par", "a"]', '["par", "a b"]'),
        GOOD.replace('["par", "a"]', '["par", "a", 1, 1]'),
        GOOD.replace('["par", "a"]', '["T", ' * 60 + '["par", "a"]' + "]" * 60),
        GOOD.replace('["par", "a"]', "[" * 99_999 + "]" * 99_999),
        GOOD.replace('["par", "a"]', '["exp", ["par", "a"]]'),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    kernel.check(GOOD)
    with pytest.raises(kernel.Refused):
        kernel.check(text)


def test_a_proof_ends_in_what_is_shown_and_uses_every_line() -> None:
    fact = given(sig("h", T), a, T)
    good = show(sig("h", T), a, step=[[0, 0, {}]])
    check(fact, good)
    refused(fact, why="idle")
    refused(fact, given(sig("k", T), a), good, why="idle")
    refused(fact, show(b, b), show(sig("h", T), a, step=[[0, 0, {}]]), why="idle")


def test_large_terms_are_refused_and_not_worked_out() -> None:
    tower = num(9)
    for _ in range(20):
        tower = ["pow", tower, {"": 60}]
    unequal(tower, tower, "too large")
    K, long = ["par", "K", N, N], ["mul", S, ["par", "K", N, N]]
    for _ in range(20):
        long = ["pow", long, {"": 60}]
    unequal(long, K, "too large")
    wide = ["add", a, b, now, num(1)]
    for _ in range(5):
        wide = ["mul", wide, ["add", wide, ["call", "f", wide]]]
    unequal(wide, a, "too large")
    unequal(["pow", ["add", a, b], {"": 65}], a, "more than")
    unequal(total(ONE, {"": 10**30}, x()), a, "more than")


# ---- what the caller has to tell apart ----------------------------------------------------------


def test_a_signal_named_d() -> None:
    """Along d is not along everything."""
    d, e, w = sg.signal("d"), sg.signal("e"), sg.param("w")
    cell = sg.Cell("two", [(d, w * d.prev + e.prev), (e, d.prev * d.prev)]).scalar()
    restricted = sg.expanded_form(cell, "d_T", "d_k", along=("d",))
    assert encode(restricted.left) != encode(sg.expanded_form(cell, "d_T", "d_k").left)
    certificate(cell, restricted)
    every = sg.expanded_form(cell, "d_T", "d_k")
    for form, right in ((restricted, every), (every, restricted)):
        with pytest.raises(NoCertificate):
            certificate(cell, replace(form, right=right.right, where=right.where))


def test_a_function_named_like_a_quotient() -> None:
    h, x, w = sg.signal("h"), sg.input_signal("x"), sg.param("w")
    inverse = sg.activation("inv")
    cell = sg.Cell("inv", [(h, inverse(w * h.prev) + 1 / x)], inputs=[x]).scalar()
    with pytest.raises(NotEncoded):
        encode(cell.equations[0].value)


def test_a_size_as_a_number_is_no_hypothesis() -> None:
    """It would be assumed for all numbers, and contradict itself."""
    (n,) = sg.sizes("n")
    h = sg.signal("h", n)
    value = index_value(symbol("n")) * h.prev
    cell = sg.Cell("counted", [(h, value)])
    assert encode(value)
    with pytest.raises(NotEncoded, match="n as a number"):
        Hypotheses(cell).equation(cell.signals[0])


# ---- random formulas ----------------------------------------------------------------------------


def _leaf(draw: random.Random, rows: Json, columns: Json) -> Json:
    size = (rows, columns)
    if size == (ONE, ONE):
        return draw.choice([a, b, now, num(2), num(-1), ["int", T]])
    name = draw.choice("UV") + "".join(letter or "1" for side in size for letter in side)
    return draw.choice([["par", name, rows, columns], sig("s" + name, T, rows, columns)])


def _term(draw: random.Random, rows: Json, columns: Json, depth: int) -> Json:
    if depth == 0 or draw.random() < 0.15:
        return _leaf(draw, rows, columns)

    def below(r: Json, c: Json) -> Json:
        return _term(draw, r, c, depth - 1)

    kinds = ["add", "mul", "mul", "number", "T", "sum"]
    kinds += ["diag", "call"] if columns == ONE and rows != ONE else []
    kinds += ["prod", "pow"] if rows == columns else []
    kinds += ["tr"] * 2 if rows == columns == ONE else []
    kind = draw.choice(kinds)
    inner = draw.choice([ONE, N, M])
    if kind == "add":
        return ["add", below(rows, columns), below(rows, columns)]
    if kind == "mul":
        return ["mul", below(rows, inner), below(inner, columns)]
    if kind == "number":
        return ["mul", below(ONE, ONE), below(rows, columns)]
    if kind == "T":
        return ["T", below(columns, rows)]
    if kind in ("sum", "prod"):
        body = below(rows, columns)
        return [kind, ONE, draw.choice([T, BEFORE, {"": 2}]), _indexed(draw, body)]
    if kind == "diag":
        return ["mul", ["diag", below(rows, ONE)], below(rows, ONE)]
    if kind == "call":
        return ["call", draw.choice("fg"), below(rows, ONE)]
    if kind == "pow":
        return ["pow", below(rows, columns), draw.choice([T, {"": 2}, {}])]
    return ["tr", ["mul", below(inner, rows), below(rows, inner)]]


def _indexed(draw: random.Random, term: Json, depth: int = 0) -> Json:
    """Some of the times in the body become the index of the sum."""
    if isinstance(term, dict):
        return {f"@{depth}": 1} if term == T and draw.random() < 0.6 else term
    if not isinstance(term, list):
        return term
    inner = depth + (term[0] in ("sum", "prod"))
    parts = enumerate(term)
    return [
        part if i and term[0] == "pow" else _indexed(draw, part, inner if i == 3 else depth)
        for i, part in parts
    ]


def _changed(draw: random.Random, term: Json) -> Json:
    """One thing turned round, moved or left out: right at some places, wrong at others."""
    paths = [path for path, part in _terms(term) if part[0] in CHANGES]
    if not paths:
        return term
    path = draw.choice(paths)

    def at(part: Json, way: tuple[int, ...]) -> Json:
        if way:
            return [*part[: way[0]], at(part[way[0]], way[1:]), *part[way[0] + 1 :]]
        return draw.choice(CHANGES[part[0]])(part)

    return at(term, path)


def _terms(term: Json, path: tuple[int, ...] = ()) -> Any:
    if isinstance(term, list) and term and isinstance(term[0], str):
        yield path, term
        for i, part in enumerate(term):
            yield from _terms(part, (*path, i))


CHANGES: dict[str, list[Any]] = {
    "add": [lambda t: ["add", *t[:0:-1]], lambda t: ["add", t[1], t[1]]],
    "mul": [
        lambda t: ["mul", *t[:0:-1]],
        lambda t: ["T", ["mul", *(["T", p] for p in t[:0:-1])]],
        lambda t: ["mul", t[1], *t[2][1:]] if t[2][0] == "mul" else t,
        lambda t: ["add", *(["mul", t[1], p] for p in t[2][1:])] if t[2][0] == "add" else t,
        lambda t: ["add", *(["mul", p, t[2]] for p in t[1][1:])] if t[1][0] == "add" else t,
    ],
    "T": [lambda t: t[1], lambda t: ["T", ["T", t]], lambda t: t[1][1] if t[1][0] == "T" else t],
    "tr": [
        lambda t: ["tr", ["mul", *t[1][:0:-1]]],
        lambda t: ["tr", ["T", t[1]]],
    ],
    "sum": [
        lambda t: ["add", *(["sum", *t[1:3], p] for p in t[3][1:])] if t[3][0] == "add" else t,
        lambda t: ["sum", {"": 2}, *t[2:]],
    ],
    "prod": [lambda t: ["prod", {"": 2}, *t[2:]]],
    "pow": [lambda t: ["prod", ONE, t[2], t[1]], lambda t: ["mul", t[1], t[1]]],
    "diag": [lambda t: t],
    "par": [lambda t: ["par", "U" + t[1][1:], *t[2:]]],
}


def _equal(left: Json, right: Json) -> bool:
    try:
        equal(left, right, start=ONE)
    except kernel.Refused:
        return False
    return True


@pytest.mark.parametrize("seed", range(6))
def test_what_is_held_to_be_equal_is_equal(seed: int) -> None:
    """At T = 1, 2 and 3, sizes 2 and 3, and at sizes 1, where more is equal."""
    draw, accepted, refusals = random.Random(seed), 0, 0
    for _ in range(150):
        rows, columns = draw.choice([(ONE, ONE), (N, ONE), (N, N), (N, M), (M, N)])
        left = _term(draw, rows, columns, 3)
        right = left
        for _ in range(draw.randint(1, 2)):
            right = _changed(draw, right)
        if right == left or not _equal(left, right):
            refusals += right != left
            continue
        accepted += 1
        model = Model({"hypotheses": []}, seed)
        for time in (1, 2, 3):
            values = [model(term, {"T": time})[0] for term in (left, right)]
            assert values[0].shape == values[1].shape, (left, right)
            assert (values[0] == values[1]).all(), (left, right)
    assert accepted >= 20
    assert refusals >= 20
