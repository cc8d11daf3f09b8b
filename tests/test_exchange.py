"""Formulas as SymPy expressions and as lines of text: same values, same empty ranges."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from sympy.core.function import AppliedUndef

from symgrad.adjoint import backward, final, loss, summed
from symgrad.cells import CATALOGUE
from symgrad.errors import NotSupportedYet, OutsideDomain, UsageError
from symgrad.evaluate.exchange import equation_text, python_text, to_sympy
from symgrad.evaluate.lambdified import (
    COMPLEX128,
    FLOAT64,
    lambdified,
    lambdified_program,
    multiprecision,
)
from symgrad.evaluate.names import declared_name, python_name
from symgrad.evaluate.ranges import admissible, always, feasible
from symgrad.lang.affine import ONE, Affine, T, as_affine, j, k, symbol, t
from symgrad.lang.algebra import Floats, Multiprecision, Rationals, is_array
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Condition,
    Node,
    block,
    cases,
    const,
    derivative,
    index_value,
    iverson,
    name,
    param,
    part,
    prod_over,
    signal,
    sum_over,
)
from symgrad.lang.program import Inputs, Runner
from symgrad.lang.tape import Environment, evaluate
from symgrad.ops import (
    absolute,
    activation,
    exp,
    log,
    logsumexp,
    maximum,
    relu,
    sigma,
    sign,
    softmax,
    softplus,
    sqrt,
    step,
    tanh,
)
from symgrad.ops.build import make
from symgrad.ops.elementwise import opaque

w, b, u = param("w"), param("b"), param("u")
TIMES = (0, 1, 2, 5)
HALF = Fraction(1, 2)


def at(label: str, time: Any) -> Node:
    return signal(label, SCALAR, time)


def matmul(*factors: Node) -> Node:
    return OPERATORS["matmul"](*factors)


def two_state_factor() -> Node:
    return block([(at("f", j), at("o", j) * u), (at("i", j), at("g", j))])


def triangular_factor() -> Node:
    return block(
        [
            (at("f", j), const(0), w),
            (const(0), at("g", j), at("h", j - 1)),
            (const(0), const(0), at("i", j)),
        ]
    )


def two_state_row() -> Node:
    return block([(at("o", T), const(1))])


def two_state_column() -> Node:
    return block([(at("c", k),), (at("h", k - 1),)])


def paths() -> Node:
    product = prod_over("j", k + 1, T, two_state_factor())
    return sum_over(
        "k", 1, T, b * matmul(two_state_row(), matmul(product, two_state_column())) + at("x", k)
    )


#: Formulas with rational values, by what is special about them.
RATIONAL: dict[str, Node] = {
    "power as written": index_value(T) * w ** (T - 1) + w**T,
    "product from k + 1": sum_over("k", 1, T, at("x", k) * prod_over("j", k + 1, T, at("h", j))),
    "range emptier than Karr's": sum_over("k", 1, T - 3, at("h", k)) + prod_over("j", 4, T, w),
    "inner range emptier": sum_over("k", 1, T, prod_over("j", k + 3, T, at("h", j))),
    "sum in a sum": sum_over(
        "t", 1, T, b * sum_over("k", 1, t, w ** (t - k) * index_value(k) * w ** (k - 1))
    ),
    "bare sum in a sum": sum_over("t", 1, T, sum_over("k", 1, t, prod_over("j", k + 1, t, w))),
    "product in a product": prod_over("t", 1, T, prod_over("k", 1, t, at("h", k))),
    "index below zero": sum_over("k", -2, T, index_value(k) * index_value(k) * b),
    "condition on an index below zero": sum_over(
        "k",
        -2,
        T,
        cases([(b, (Condition(k, "≥", Affine()),)), (index_value(k) * w, ())]),
    ),
    "rational numbers": (const(2) / 3) ** T * w + const(1) / 7 - w * const(Fraction(5, 3)),
    "names of SymPy": param("beta") * at("gamma", T) + param("S") - param("lambda") * param("re"),
    "bracket": sum_over("k", 0, T, iverson(T - k - 1) * at("h", k)),
    "cases": cases(
        [
            (const(5), (Condition(T, "=", Affine()),)),
            (sum_over("k", 2, T, at("h", k)), (Condition(T, "≥", Affine(const=2)),)),
            (w, ()),
        ]
    ),
    "cases between values": cases(
        [(index_value(T), (Condition(w, "=", const(1)),)), ((1 - w**T) / (1 - w), ())]
    ),
    "two states": paths(),
    "three states": matmul(
        block([(w, const(1), b)]),
        matmul(
            prod_over("j", 1, T, triangular_factor()),
            block([(const(1),), (at("h", 0),), (u,)]),
        ),
    ),
    "one of two states": matmul(
        block([(const(1), const(0))]),
        matmul(prod_over("j", 3, T, two_state_factor()), block([(const(0),), (const(1),)])),
    ),
    "upper bound moves too": sum_over(
        "t",
        1,
        T,
        sum_over(
            "k",
            1,
            t,
            matmul(
                block([(w, b)]),
                matmul(prod_over("j", k + 1, t, two_state_factor()), two_state_column()),
            ),
        ),
    ),
    "blocks written out": matmul(
        two_state_row(),
        matmul(OPERATORS["transpose"](block([(w, b), (u, const(3))])), two_state_column()),
    )
    * b,
    "a part of blocks": matmul(
        block([(w, at("x", 2))]),
        part(block([(b,), (u,), (at("h", k),)]), (ONE, as_affine(0)), (as_affine(2), ONE)),
    ),
    "kinks in a sum in a sum": sum_over(
        "t",
        1,
        T,
        sum_over("k", 1, t, relu(at("h", t) - at("h", k), 0) * relu(at("x", k) + w, HALF))
        + prod_over("j", 1, t, maximum(at("h", j), b, 1) + step(at("x", j), 0)),
    ),
    "at the kink": b * (2 * step(w - w, HALF) + 4 * step(w - w, 1) + step(w - w, 0)) + relu(w - w),
    "tie": maximum(w, w, 0) + maximum(at("x", T), w, HALF) + maximum(w + 1, w),
    "signs": sum_over("k", 1, T, sign(at("h", k) - 2, 0) * absolute(at("x", k), 0)) - absolute(b),
    "no convention": step(w * w + 1) + sign(-1 - u * u) + relu(w) * step(w * w + 3),
}
SLOW = {"two states", "three states", "upper bound moves too"}


def number(label: str, time: int = 0) -> Fraction:
    """A rational that depends on the name and the time only."""
    seed = sum(ord(letter) * (i + 3) for i, letter in enumerate(label)) + 37 * time
    return Fraction(seed % 19 - 7, seed % 5 + 2)


class Numbers(dict[str, Fraction]):
    def __missing__(self, key: str) -> Fraction:
        return number(key)


def exact(node: Node, horizon: int, **params: Fraction) -> Fraction:
    environment = Environment(Numbers(params), number, {"T": horizon, "k": 1})
    value = evaluate(node, Rationals(), environment)
    return Fraction(value.item() if is_array(value) else value)


def with_numbers(expr: sympy.Expr, **params: Fraction) -> Fraction:
    """The value of an evaluated expression, numbers put in for functions and symbols."""

    def rational(value: Fraction) -> sympy.Expr:
        return sympy.Rational(value.numerator, value.denominator)

    result = expr.replace(
        lambda e: isinstance(e, AppliedUndef),
        lambda e: rational(number(declared_name(e.func.__name__), int(e.args[0]))),
    )
    values = Numbers(params)
    result = result.subs({s: rational(values[declared_name(s.name)]) for s in result.free_symbols})
    return Fraction(int(result.p), int(result.q))


def with_star_import(text: str) -> sympy.Expr:
    """The text as a line of a program that begins with ``from sympy import *``."""
    names: dict[str, Any] = {}
    exec("from sympy import *", names)
    alone = sympy.sympify(text)
    binders = alone.atoms(sympy.Sum, sympy.Product, sympy.Subs)
    bound = {v for binder in binders for v in binder.variables}
    declared = {symbol_.name: symbol_ for symbol_ in alone.free_symbols | bound}
    called = {applied.func.__name__ for applied in alone.atoms(AppliedUndef)}
    assert not (declared.keys() | called) & names.keys(), "a name of SymPy"
    assert not declared.keys() & called
    names |= declared | {label: sympy.Function(label) for label in called}
    return eval(text, names)


@pytest.mark.parametrize("case", RATIONAL)
def test_text_reads_back_to_the_same_values(case: str) -> None:
    node = RATIONAL[case]
    text = python_text(node)
    assert "\n" not in text
    assert "Dummy" not in text
    readers: list[Callable[[str], Any]] = [sympy.sympify, with_star_import]
    for read in readers[:1] if case in SLOW else readers:
        expr = read(text)
        for horizon in TIMES if case not in SLOW else (0, 1, 2):
            value = expr.subs({"T": horizon, "k": 1}).doit()
            assert with_numbers(value) == exact(node, horizon), (case, horizon, text)


def test_paths_at_four_steps() -> None:
    node = RATIONAL["two states"]
    expr = with_star_import(python_text(node))
    assert with_numbers(expr.subs("T", 4).doit()) == exact(node, 4)


def test_paths_with_states_that_nothing_enters_or_leaves() -> None:
    text = python_text(RATIONAL["three states"])
    # Six of nine entries are not zero; each stands with two selections.
    factor = next(iter(sympy.sympify(text).atoms(sympy.Product))).function
    assert len(sympy.Add.make_args(factor)) == 5


@pytest.mark.parametrize("case", ["power as written", "sum in a sum", "bare sum in a sum"])
@pytest.mark.parametrize("value", [Fraction(0), Fraction(1), Fraction(-1)])
def test_special_weights(case: str, value: Fraction) -> None:
    node = RATIONAL[case]
    expr = sympy.sympify(python_text(node))
    for horizon in (1, 2, 5):
        expected = exact(node, horizon, w=value)
        after = expr.subs("T", horizon).doit()
        before = expr.subs("w", int(value)).subs("T", horizon).doit()
        assert with_numbers(after, w=value) == expected
        assert with_numbers(before, w=value) == expected


def test_a_power_keeps_its_exponent() -> None:
    assert python_text(index_value(T) * w ** (T - 1)) == "T*w**(T - 1)"
    assert python_text(index_value(T - k) * w ** (T - k - 1)) == "w**(T - k - 1)*(T - k)"
    assert to_sympy(w**T).subs({"w": 0}).subs({"T": 0}) != 0
    horizon = sympy.Symbol("T", integer=True, nonnegative=True)
    weight = sympy.Symbol("w", real=True)
    assert to_sympy(w**T).subs({weight: 0, horizon: 0}) == 1


def test_sympy_still_counts_backwards_and_we_still_guard() -> None:
    index = sympy.Symbol("k")
    assert sympy.Sum(index, (index, 1, -2)).doit() == 1
    text = python_text(sum_over("k", 1, T - 2, index_value(k)))
    assert text == "Piecewise((Sum(k, (k, 1, T - 2)), T >= 3), (0, True))"
    assert sympy.sympify(text).subs("T", 0).doit() == 0
    # No guard where the range is never emptier than upper = lower - 1.
    assert "Piecewise" not in python_text(RATIONAL["product from k + 1"])


def test_conditions_that_exclude_an_empty_range_spare_the_guard() -> None:
    node = cases(
        [
            (const(0), (Condition(T, "=", Affine()),)),
            (sum_over("k", 1, T - 1, at("h", k)), (Condition(T, "≠", Affine(const=7)),)),
            (w, ()),
        ]
    )
    assert python_text(node) == (
        "Piecewise((0, Eq(T, 0)), (Sum(h(k), (k, 1, T - 1)), Ne(T, 7)), (w, True))"
    )


def test_ranges() -> None:
    n = symbol("n")
    assert not feasible((n - 1, -n))
    assert feasible((n - 1, 5 - n))
    # 2n = 1 has rational solutions and no integer one.
    assert not feasible((n + n - 1, 1 - n - n))
    assert always(admissible({"k", "t"}), t - k)
    assert not always(admissible({"k"}), T - k - 1)


@pytest.mark.parametrize(
    "declared",
    ["beta", "gamma", "zeta", "S", "N", "E", "I", "Q", "O", "re", "lambda", "is", "print", "pi"],
)
def test_names_of_sympy_and_python_get_an_underscore(declared: str) -> None:
    assert python_name(declared) == f"{declared}_"
    assert declared_name(python_name(declared)) == declared


@pytest.mark.parametrize("declared", ["w_h", "b_f", "h", "lam_h", "delta_f", "x", "theta", "dl_y"])
def test_other_names_stay(declared: str) -> None:
    assert python_name(declared) == declared == declared_name(declared)


def test_letters_of_indices_avoid_declared_names() -> None:
    node = sum_over("a", 1, T, at("k", symbol("a")) * param("j") * param("i"))
    assert python_text(node) == "Sum(i*j*k(p), (p, 1, T))"


def test_names_and_derivatives() -> None:
    h_T, h_k, L = at("h", T), at("h", k), name("L")
    assert python_text(derivative("gradient", L, w)) == "dL_dw"
    assert python_text(derivative("total", h_T, h_k)) == "dh_dh(T, k)"
    assert python_text(derivative("immediate", at("h", t), w)) == "immediate_dh_dw(t)"
    assert python_text(derivative("restricted", h_T, h_k, along=("c",))) == "dh_dh_along_c(T, k)"
    # A parameter of that name keeps it.
    both = python_text(derivative("gradient", L, w) * param("dL_dw"))
    assert both == "dL_dw*dL_dw__"
    assert equation_text(derivative("gradient", L, w), w**T) == "Eq(dL_dw, w**T)"
    with pytest.raises(NotSupportedYet, match="L"):
        lambdified(L)


def test_all_values_are_real_and_times_are_integers() -> None:
    expr = to_sympy(RATIONAL["product from k + 1"] * w)
    for found in expr.free_symbols:
        assert found.is_integer and found.is_nonnegative if found.name == "T" else found.is_real
    assert all(applied.is_real for applied in expr.atoms(AppliedUndef))


def test_functions() -> None:
    node = tanh(w) + sigma(at("h", T)) * exp(-b)
    assert python_text(node) == "tanh(w) + exp(-b)/(1 + exp(-h(T)))"


def test_functions_as_text() -> None:
    x = at("x", T)
    assert python_text(log(w) * sqrt(x) / softplus(b)) == "sqrt(x(T))*log(w)/log(exp(b) + 1)"
    assert python_text(relu(w, 1) + absolute(x)) == "Abs(x(T)) + Max(0, w)"
    assert python_text(maximum(w, x, 0)) == "Max(w, x(T))"
    assert python_text(step(w) + step(x, HALF)) == "Heaviside(w, nan) + Heaviside(x(T))"
    assert python_text(step(w, 0) * step(w, 1)) == "Heaviside(w, 0)*Heaviside(w, 1)"
    assert python_text(sign(w, 0)) == "sign(w)"


@pytest.mark.parametrize("node", [step(w), sign(w)], ids=["step", "sign"])
def test_where_there_is_no_convention_sympy_has_no_value(node: Node) -> None:
    weight = next(iter(to_sympy(node).free_symbols))
    assert to_sympy(node).subs(weight, 0) is sympy.nan
    assert to_sympy(node).subs(weight, 3) == 1
    with pytest.raises(OutsideDomain, match="kink"):
        lambdified(node)({"w": 0.0}, number, 1)


def derivative_of(name: str, order: int, argument: Node) -> Node:
    return make(opaque(name, order), argument)


def test_generic_activations() -> None:
    phi = activation("phi")
    node = sum_over("k", 1, T, derivative_of("phi", 1, w * at("h", k)) * phi(at("x", k)))
    text = python_text(node)
    assert text == "Sum(phi(x(k))*Subs(Derivative(phi(xi), xi), xi, w*h(k)), (k, 1, T))"
    # With tanh for φ it is what it should be: the derivative at w h, not along w or h.
    phi_of, h_of, x_of = (sympy.Function(name) for name in ("phi", "h", "x"))
    read = sympy.sympify(text).subs("T", 2).doit().replace(phi_of, sympy.tanh).doit()
    weight = sympy.Symbol("w")
    expected = sum((1 - sympy.tanh(weight * h_of(i)) ** 2) * sympy.tanh(x_of(i)) for i in (1, 2))
    assert sympy.expand(read - expected) == 0


def test_derivatives_of_generic_activations_nest() -> None:
    text = python_text(derivative_of("phi", 2, derivative_of("phi", 1, w)))
    phi, weight = sympy.Function("phi"), sympy.Symbol("w")
    value = sympy.sympify(text).replace(phi, lambda x: x**4 / 4).doit()
    assert value == 3 * (weight**3) ** 2


def test_a_generic_activation_never_gets_the_name_of_something_else() -> None:
    h, beta, T_ = activation("h"), activation("beta"), activation("T")
    assert python_text(h(at("h", k)) + w**T) == "w**T + h__(h(k))"
    assert python_text(beta(w) + T_(w)) == "T__(w) + beta_(w)"
    # Neither do the index and the variable of a derivative get that of an activation.
    assert python_text(sum_over("k", 1, T, activation("k")(at("h", k)))) == (
        "Sum(k(h(j)), (j, 1, T))"
    )
    assert "Derivative(xi(xi1), xi1)" in python_text(derivative_of("xi", 1, w))
    h_T, h_k = at("h", T), at("h", k)
    both = python_text(derivative("total", h_T, h_k) + activation("dh_dh")(w))
    assert both == "dh_dh(w) + dh_dh__(T, k)"


#: Whatever has an irrational value, on positive and on negative arguments.
REAL: dict[str, Node] = {
    "log": log(at("x", T) ** 2 + exp(w)),
    "sqrt": sqrt(w * w + sqrt(at("h", k) ** 2)) ** 3,
    "softplus": softplus(w) * softplus(-w) + softplus(30 * b) + softplus(-30 * b),
    "relu": relu(tanh(w)) + relu(tanh(-w), 1) - relu(exp(b), HALF) * step(exp(b)),
    "maximum": maximum(exp(w), exp(b)) + maximum(exp(b), exp(w), 0),
    "absolute": absolute(tanh(w)) * sign(tanh(w)) + absolute(-tanh(w), 0) * sign(-w, 0),
}
GENERIC: dict[str, Node] = {
    "generic": activation("phi")(w) * activation("lambda")(b),
    "its derivatives": derivative_of("phi", 1, w) + derivative_of("phi", 2, at("x", T)) * w,
}


@pytest.mark.parametrize("case", REAL)
def test_functions_through_text_agree_with_the_tape(case: str) -> None:
    node, algebra = REAL[case], Multiprecision(40)
    expr = with_star_import(python_text(node)).subs({"T": 2, "k": 1})
    for w_value in (Fraction(5, 3), Fraction(-5, 3)):
        values = Numbers(w=w_value)
        found = expr.replace(
            lambda e: isinstance(e, AppliedUndef),
            lambda e: sympy.Rational(*number(e.func.__name__, int(e.args[0])).as_integer_ratio()),
        ).subs({s: sympy.Rational(*values[s.name].as_integer_ratio()) for s in expr.free_symbols})
        expected = in_multiprecision(node, algebra, w=w_value)
        gap = algebra.context.mpf(str(sympy.N(found, 40))) - expected
        assert abs(gap) <= abs(expected) * 1e-35


def in_multiprecision(node: Node, algebra: Multiprecision, **given: Fraction) -> Any:
    values = Numbers(given)
    params = {name: algebra.const(values[name]) for name in ("w", "b", "u")}
    environment = Environment(
        params, lambda label, time: algebra.const(number(label, time)), {"T": 2, "k": 1}
    )
    return evaluate(node, algebra, environment)


@pytest.mark.parametrize("case", [*REAL, *GENERIC])
@pytest.mark.parametrize("value", [Fraction(5, 3), Fraction(-5, 3)])
def test_lambdified_functions_agree_with_the_tape(case: str, value: Fraction) -> None:
    node, algebra = {**REAL, **GENERIC}[case], Multiprecision(50)
    expected = in_multiprecision(node, algebra, w=value)
    for arithmetic, allowed in ((FLOAT64, 1e-12), (COMPLEX128, 1e-12), (multiprecision(50), 1e-45)):
        found = lambdified(node, arithmetic)(Numbers(w=value), number, 2, k=1)
        assert abs(found - expected) <= allowed * abs(expected)


def test_the_complex_step_passes_through_lambdified_kinks() -> None:
    functions = [relu, lambda x: absolute(x), lambda x: maximum(x, u), softplus, log]
    for function in functions:
        found = lambdified(function(w), COMPLEX128)({"w": 1.5 + 1e-30j, "u": -1.0}, number, 1)
        assert found.imag > 0
        away = lambdified(function(-w * w - 1) if function is relu else u, COMPLEX128)
        assert away({"w": 1.5 + 1e-30j, "u": -1.0}, number, 1).imag == 0


def test_softplus_does_not_overflow() -> None:
    for arithmetic in (FLOAT64, COMPLEX128):
        assert lambdified(softplus(w), arithmetic)({"w": 2000.0}, number, 1) == 2000
        small = lambdified(softplus(w), arithmetic)({"w": -700.0}, number, 1)
        assert abs(small - np.exp(-700.0)) <= 1e-12 * np.exp(-700.0)
    # Its derivative by the complex step is σ, on both sides.
    for value in (40.0, 0.5, -40.0):
        found = lambdified(softplus(w), COMPLEX128)({"w": value + 1e-30j}, number, 1).imag / 1e-30
        expected = lambdified(sigma(w))({"w": value}, number, 1)
        assert abs(found - expected) <= 1e-12 * expected


@pytest.mark.parametrize(
    ("node", "refusal"), [(log(w), "not positive"), (sqrt(w), "negative")], ids=["log", "sqrt"]
)
def test_lambdified_functions_have_their_domain(node: Node, refusal: str) -> None:
    for arithmetic in (FLOAT64, multiprecision(20)):
        with pytest.raises(OutsideDomain, match=refusal):
            lambdified(node, arithmetic)({"w": -1}, number, 1)


def test_what_sympy_has_no_form_for_is_refused_by_name() -> None:
    pair = block([(w,), (b,)])
    with pytest.raises(NotSupportedYet, match="'logsumexp'"):
        to_sympy(logsumexp(pair))
    with pytest.raises(NotSupportedYet, match="'softmax'"):
        to_sympy(matmul(block([(w, b)]), softmax(pair)))


def test_a_matrix_is_refused() -> None:
    n = symbol("n")
    with pytest.raises(UsageError, match=r"cell\.scalar\(\)"):
        to_sympy(param("W", (n, n)))
    with pytest.raises(UsageError, match=r"cell\.scalar\(\)"):
        to_sympy(part(param("W", (n, n)), (as_affine(0), as_affine(0)), (ONE, ONE)))


def test_text_is_the_same_every_time() -> None:
    assert python_text(paths()) == python_text(paths())


# ---- lambdified -------------------------------------------------------------------------


@pytest.mark.parametrize("case", RATIONAL)
def test_lambdified_formulas(case: str) -> None:
    node = RATIONAL[case]
    for arithmetic, allowed in ((FLOAT64, 1e-12), (COMPLEX128, 1e-12), (multiprecision(50), 1e-45)):
        function = lambdified(node, arithmetic)
        for horizon in (*TIMES, 12):
            found = function(Numbers(), number, horizon, k=1)
            expected = exact(node, horizon)
            if expected == 0:
                assert found == 0
            else:
                gap = abs(found - arithmetic.number(expected))
                assert gap <= allowed * float(abs(expected)), (case, horizon)


def test_lambdify_never_sees_a_users_name() -> None:
    evil = param("__import__('os').abort()")
    assert lambdified(evil * 2)({evil.name: 3.0}, number, 1) == 6.0
    with pytest.raises(NameError):
        eval(python_text(evil), {})


@pytest.mark.parametrize("case", list(CATALOGUE))
@pytest.mark.parametrize("kind", ["final", "summed", "loss", "squared"])
def test_lambdified_programs_agree_with_the_tape(case: str, kind: str) -> None:
    cell = CATALOGUE[case].scalar()
    objective = {
        "final": lambda: final(cell),
        "summed": lambda: summed(cell),
        "loss": lambda: loss(cell),
        "squared": lambda: loss(cell, squared=True),
    }[kind]()
    program = backward(cell, objective).program
    run = lambdified_program(program, multiprecision(40))
    algebra = Multiprecision(40)
    number_in = algebra.context.mpf

    def given(label: str, time: int) -> Any:
        return number_in(float(number(label, time)))

    params = {p.name: number_in(float(number(p.name))) for p in cell.params}
    initial = {s.name: number_in(0.25) for s in cell.states}
    for horizon in (0, 1, 4):
        expected = Runner(program, algebra).run(Inputs(params, initial, given), horizon)
        found = run(params, initial, given, horizon)
        assert found.values.keys() == expected.values.keys()
        assert found.totals.keys() == expected.totals.keys()
        pairs = [(found.values[key], value) for key, value in expected.values.items()]
        pairs += [(found.totals[key], value) for key, value in expected.totals.items()]
        for first, second in pairs:
            assert abs(first - second) <= abs(second) * 1e-35


def test_saturated_values_through_lambdify() -> None:
    node = sigma(at("h", T))
    for arithmetic in (FLOAT64, COMPLEX128):
        assert lambdified(node, arithmetic)({}, lambda label, time: -700.0, 1) != 0
        assert lambdified(node, arithmetic)({}, lambda label, time: -2000.0, 1) == 0
    tape = evaluate(
        node, Floats(), Environment({}, lambda label, time: np.float64(-700.0), {"T": 1})
    )
    assert tape == lambdified(node)({}, lambda label, time: -700.0, 1)
