"""Every primitive, and every composition of two, against derivatives from elsewhere.

Each function of a column is written twice: with symgrad's nodes, and by hand for autograd,
which differentiates it knowing nothing of symgrad. A cell puts the function between two
affine maps that are not square, so every derivative is taken through the chain rule, at x
and at 7 x, for sizes from 1 to 5. Exact evaluation modulo a prime with dual numbers, which
read no table, decides the same gradients without rounding.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from symgrad.adjoint import backward, final
from symgrad.cell import Cell, param, signal, sizes
from symgrad.closed import expanded_form
from symgrad.derivation.entries import cell_entries, entry_verdicts
from symgrad.derivation.evidence import Evidence
from symgrad.errors import DeclarationError, OutsideDomain
from symgrad.lang.algebra import Floats, Multiprecision, some_function
from symgrad.lang.nodes import Node
from symgrad.lang.program import Inputs, Runner
from symgrad.ops import (
    GENERIC,
    PRIMITIVES,
    absolute,
    activation,
    concat,
    diag,
    dot,
    exp,
    log,
    logsumexp,
    maximum,
    mean,
    minimum,
    norm,
    outer,
    relu,
    rows,
    sigma,
    sign,
    softmax,
    softplus,
    sqrt,
    step,
    tanh,
    total,
)
from symgrad.verify.oracles import Direction, complex_step, high_precision_difference
from tools import THOROUGH, every

N, K = sizes("n q")
V, E, S = param("v", N), param("E", N, N), param("rho")
F = param("F", N, 2 * N)
PHI = activation("phi")

#: A function of a column x: with nodes, and by hand from x and the parameters.
Pair = tuple[Callable[[Node], Node], Callable[[Any, dict[str, Any]], Any]]


def _softplus(x: Any) -> Any:
    return anp.log(1 + anp.exp(x))


def _softmax(x: Any) -> Any:
    e = anp.exp(x - anp.max(x))
    return e / anp.sum(e)


HALF = Fraction(1, 2)
FUNCTIONS: dict[str, Pair] = {
    "exp": (lambda x: exp(x / 3), lambda x, p: anp.exp(x / 3)),
    "log": (lambda x: log(HALF + x**2), lambda x, p: anp.log(0.5 + x * x)),
    "sqrt": (lambda x: sqrt(HALF + x**2), lambda x, p: anp.sqrt(0.5 + x * x)),
    "sigma": (sigma, lambda x, p: 1 / (1 + anp.exp(-x))),
    "tanh": (tanh, lambda x, p: anp.tanh(x)),
    "softplus": (softplus, lambda x, p: _softplus(x)),
    "relu": (lambda x: relu(x, 0), lambda x, p: anp.where(x > 0, x, 0)),
    "relu_half": (lambda x: relu(x, HALF), lambda x, p: (x + anp.abs(x)) / 2),
    "step": (lambda x: x * step(x - V, 0), lambda x, p: x * anp.where(x > p["v"], 1.0, 0.0)),
    "abs": (lambda x: absolute(x, 0), lambda x, p: anp.abs(x)),
    "sign": (lambda x: x * sign(x + V, 0), lambda x, p: x * anp.sign(x + p["v"])),
    "max": (lambda x: maximum(x, V, 0), lambda x, p: anp.where(x > p["v"], x, p["v"])),
    "max of a scalar": (
        lambda x: maximum(S, x, 0),
        lambda x, p: anp.where(p["rho"] > x, p["rho"] + 0 * x, x),
    ),
    "min": (lambda x: minimum(V, x, 1), lambda x, p: anp.where(x < p["v"], x, p["v"])),
    "softmax": (softmax, lambda x, p: _softmax(x)),
    "logsumexp": (
        lambda x: x * logsumexp(x),
        lambda x, p: x * (anp.max(x) + anp.log(anp.sum(anp.exp(x - anp.max(x))))),
    ),
    "phi": (PHI, lambda x, p: some_function(anp, "phi", 0, x)),
    "power": (lambda x: x**3 - 2 * x**2, lambda x, p: x * x * x - 2 * x * x),
    "divide by": (lambda x: V / (1 + x**2), lambda x, p: p["v"] / (1 + x * x)),
    "divide": (lambda x: x / (2 + V * V), lambda x, p: x / (2 + p["v"] ** 2)),
    "divide by a scalar": (
        lambda x: x / (1 + total(x**2)),
        lambda x, p: x / (1 + anp.sum(x * x)),
    ),
    "scalar over": (lambda x: S / (2 + tanh(x)), lambda x, p: p["rho"] / (2 + anp.tanh(x))),
    "times": (lambda x: V * x, lambda x, p: p["v"] * x),
    "times a scalar": (lambda x: S * x, lambda x, p: p["rho"] * x),
    "plus": (lambda x: x + V, lambda x, p: x + p["v"]),
    "plus a scalar": (lambda x: S + x - 1, lambda x, p: p["rho"] + x - 1),
    "negative": (lambda x: -x, lambda x, p: -x),
    "matrix": (lambda x: E @ x, lambda x, p: anp.dot(p["E"], x)),
    "transposed matrix": (lambda x: E.T @ x, lambda x, p: anp.dot(p["E"].T, x)),
    "mean": (lambda x: x - mean(x), lambda x, p: x - anp.mean(x)),
    "norm": (
        lambda x: x / (1 + norm(x + V)),
        lambda x, p: x / (1 + anp.sqrt(anp.sum((x + p["v"]) ** 2))),
    ),
    "layer norm": (
        lambda x: (x - mean(x)) / sqrt(mean((x - mean(x)) ** 2) + Fraction(1, 10)),
        lambda x, p: (x - anp.mean(x)) / anp.sqrt(anp.mean((x - anp.mean(x)) ** 2) + 0.1),
    ),
    "total": (lambda x: total(V * x) * x, lambda x, p: anp.sum(p["v"] * x) * x),
    "dot": (lambda x: dot(x, E @ x) * V, lambda x, p: anp.sum(x * anp.dot(p["E"], x)) * p["v"]),
    "outer": (lambda x: outer(x, V) @ x, lambda x, p: x * anp.sum(p["v"] * x)),
    "diag": (lambda x: diag(x) @ E @ V, lambda x, p: x * anp.dot(p["E"], p["v"])),
    "concat": (
        lambda x: F @ concat(x, V),
        lambda x, p: anp.dot(p["F"], anp.concatenate([x, p["v"]])),
    ),
    "rows": (
        lambda x: rows(F.T @ x, N, N) * rows(F.T @ V, 0, N),
        lambda x, p: anp.dot(p["F"].T, x)[x.shape[0] :] * anp.dot(p["F"].T, p["v"])[: x.shape[0]],
    ),
}


def cell_with(function: Callable[[Node], Node], scale: int) -> Cell:
    """h_t = C f(scale (A h_{t-1} + b)) + d, the middle of another size than the state."""
    h, z = signal("h", K), signal("z", N)
    A, b, C, d = param("A", N, K), param("b", N), param("C", K, N), param("d", K)
    inner = scale * z if scale != 1 else z
    return Cell("between", [(z, A @ h.prev + b), (h, C @ function(inner) + d)])


def values_for(cell: Cell, n: int, k: int, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    draw = np.random.default_rng(seed)
    known = {"n": n, "q": k}

    def array(shape: Any) -> Any:
        return draw.uniform(-0.4, 0.4, tuple(size.value(known) for size in shape))

    params = {p.name: array(p.shape) for p in cell.params}
    params["s"] = array(cell.output.shape)
    return params, {s.name: array(s.shape) for s in cell.states}


def ours(cell: Cell, params: dict[str, Any], start: dict[str, Any], T: int) -> dict[str, Any]:
    found = backward(cell, final(cell))
    n, k = params["C"].shape[1], params["C"].shape[0]
    inputs = Inputs(params, start, lambda label, time: None, {"n": n, "q": k})
    # In 50 digits: in float64 a right formula is off where tanh or σ saturate, 1 - h² = 0.
    algebra = Multiprecision(50)

    def number(value: Any) -> Any:
        return algebra.map(algebra.context.mpf, np.asarray(value, dtype=object))

    exact = Inputs(
        {name: number(value) for name, value in params.items()},
        {name: number(value) for name, value in start.items()},
        inputs.signals,
        inputs.sizes,
    )
    trace = Runner(found.program, algebra).run(exact, T)
    everything = {**trace.totals, "h_0": trace.values["lam_h", 0]}
    return {name: np.asarray(value, dtype=float) for name, value in everything.items()}


def theirs(
    function: Callable[[Any, dict[str, Any]], Any],
    scale: int,
    params: dict[str, Any],
    start: dict[str, Any],
    T: int,
) -> dict[str, Any]:
    def objective(values: dict[str, Any]) -> Any:
        p = {name: v[0, 0] if v.shape == (1, 1) and name == "rho" else v
             for name, v in values.items()}  # fmt: skip
        h = values["h_0"]
        for _ in range(T):
            a = anp.dot(p["A"], h) + p["b"]
            h = anp.dot(p["C"], function(scale * a, p)) + p["d"]
        return anp.sum(p["s"] * h)

    result: dict[str, Any] = autograd.grad(objective)({**params, "h_0": start["h"]})
    return result


def agree(mine: dict[str, Any], reference: dict[str, Any], names: list[str]) -> None:
    scale = max(np.max(np.abs(value)) for value in reference.values())
    for name in names:
        size = np.max(np.abs(reference[name]))
        gap = np.max(np.abs(mine[name] - reference[name]))
        # softmax(x + ρ) does not depend on ρ, and with one entry x - mean(x) is 0: derivatives
        # of 0, which autograd gives up to its rounding. All others are of ordinary size here.
        if size < 1e-12 * scale:
            assert np.max(np.abs(mine[name])) < 1e-12 * scale
        else:
            assert gap <= 1e-9 * size, f"{name}: {mine[name]} against {reference[name]}"


# 5 and the number of functions have no common divisor: every function is outside and inside.
@pytest.mark.parametrize(("outside", "inner"), every(5, product(FUNCTIONS, FUNCTIONS)))
def test_compositions_against_autograd(outside: str, inner: str) -> None:
    (f, f_by_hand), (g, g_by_hand) = FUNCTIONS[outside], FUNCTIONS[inner]
    for scale in (1, 7):
        cell = cell_with(lambda x: f(g(x)), scale)
        seed = zlib.crc32(f"{outside} {inner} {scale}".encode())
        n, k = 1 + seed % 5, 1 + seed // 5 % 5
        k = k % 5 + 1 if n == k else k
        params, start = values_for(cell, n, k, seed)
        mine = ours(cell, params, start, 2)
        reference = theirs(lambda x, p: f_by_hand(g_by_hand(x, p), p), scale, params, start, 2)
        agree(mine, reference, [*[p.name for p in cell.params], "h_0"])


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 4), (2, 3), (3, 2), (4, 5), (5, 1)])
def test_functions_at_all_sizes(name: str, n: int, k: int) -> None:
    function, by_hand = FUNCTIONS[name]
    for scale, T in product((1, 7), (0, 1, 4)):
        cell = cell_with(function, scale)
        params, start = values_for(cell, n, k, 17 * n + k)
        reference = theirs(by_hand, scale, params, start, T)
        mine = ours(cell, params, start, T)
        if T == 0:
            assert np.array_equal(mine["h_0"], params["s"])
            assert all(not np.any(mine[p.name]) for p in cell.params)
            continue
        agree(mine, reference, [*[p.name for p in cell.params], "h_0"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_decided_exactly(name: str) -> None:
    """Dual numbers modulo a prime, at three sets of sizes, without any rounding."""
    cell = cell_with(FUNCTIONS[name][0], 1)
    assert all(v.status == "proved" for v in entry_verdicts(cell).values())
    for of, wrt in (("h_T", "A"), ("h_T", "b"), ("h_T", "h_0")):
        form = expanded_form(cell, of, wrt)
        verdict = Evidence(cell, thorough=THOROUGH).form(form, objective=final(cell))
        assert verdict.status in ("checked", "proved"), f"{wrt}: {verdict}"


def test_every_primitive_of_the_table_is_tried() -> None:
    tried = set()
    for function, _ in FUNCTIONS.values():
        cell = cell_with(function, 1)
        found = backward(cell, final(cell))
        for value in [e.value for e in (*cell.equations, *found.equations)]:
            stack = [value]
            while stack:
                node = stack.pop()
                tried.add(getattr(getattr(node, "head", None), "name", ""))
                stack.extend(node.args)
    families = {name.removesuffix("_0").removesuffix("_half").removesuffix("_1").rstrip("'")
                for name in tried}  # fmt: skip
    missing = {
        name
        for name in PRIMITIVES
        if name.removesuffix("_0").removesuffix("_half").removesuffix("_1").rstrip("'")
        not in families
        and name.rstrip("'") not in GENERIC
    }
    assert missing == set()


# ---- saturated values -------------------------------------------------------------------


@pytest.mark.parametrize("size", [40, 800])
@pytest.mark.parametrize("name", ["sigma", "tanh", "softplus", "softmax", "logsumexp", "exp"])
def test_saturated_values(name: str, size: int) -> None:
    """1 - tanh² and σ(1 - σ) are 0 in float64 here; in enough digits they are right."""
    cell = cell_with(FUNCTIONS[name][0], 1)
    params, start = values_for(cell, 2, 3, 5)
    params["b"] = np.array([[float(size)], [-float(size)]])
    params["C"] = params["C"] / size
    if name == "exp":
        params["C"] = params["C"] * 0 + 1e-120
    inputs = Inputs(params, start, lambda label, time: None, {"n": 2, "q": 3})
    digits = 900
    algebra = Multiprecision(digits)
    number = algebra.context.mpf
    as_mp = {k: algebra.map(number, v.astype(object)) for k, v in params.items()}
    start_mp = {k: algebra.map(number, v.astype(object)) for k, v in start.items()}
    found = backward(cell, final(cell))
    exact = Inputs(as_mp, start_mp, inputs.signals, inputs.sizes)
    trace = Runner(found.program, algebra).run(exact, 1)
    unit = np.array([[1.0], [0.0]])
    s = as_mp["s"]

    def objective(t: Any) -> Any:
        return (t.signal("h", 1) * s).sum()

    estimate = high_precision_difference(
        cell.program, inputs, 1, objective, Direction(params={"b": unit}), digits
    )
    mine = trace.totals["b"][0, 0]
    assert mine != 0
    assert abs(mine - estimate.value) <= abs(estimate.value) * number(10) ** -15


# ---- kinks and domains ------------------------------------------------------------------


def one_step(function: Callable[[Node], Node], at: float) -> Any:
    """d f(x) / dx at a number, by the derived equations."""
    h, b = signal("h"), param("b")
    cell = Cell("kink", [(h, function(b) + 0 * h.prev if False else function(b) + h.prev)])
    found = backward(cell, final(cell))
    inputs = Inputs({"b": np.float64(at)}, {"h": np.float64(0)}, lambda label, time: None, {})
    return Runner(found.program, Floats()).run(inputs, 1).totals["b"]


@pytest.mark.parametrize("at_kink", [0, HALF, 1])
def test_the_convention_at_the_kink_is_kept(at_kink: Any) -> None:
    assert one_step(lambda x: relu(x, at_kink), 0.0) == float(at_kink)
    assert one_step(lambda x: relu(x, at_kink), -0.0) == float(at_kink)
    assert one_step(lambda x: maximum(x, 2, at_kink), 2.0) == float(at_kink)
    assert one_step(lambda x: maximum(2, x, at_kink), 2.0) == 1 - float(at_kink)
    assert one_step(lambda x: relu(x, at_kink), 1e-300) == 1
    assert one_step(lambda x: relu(x, at_kink), -1e-300) == 0


def test_without_a_convention_the_kink_is_refused() -> None:
    for function in (relu, absolute, lambda x: maximum(x, 0), lambda x: minimum(0, x)):
        assert one_step(function, 0.5) in (0, 1)
        with pytest.raises(OutsideDomain, match="choose a convention"):
            one_step(function, 0.0)
    assert one_step(lambda x: absolute(x, 0), 0.0) == 0


def test_a_value_outside_the_domain_is_refused() -> None:
    for function in (log, sqrt):
        with pytest.raises(OutsideDomain, match=r"not positive|negative"):
            one_step(function, -1.0)


def test_the_value_at_the_kink_needs_no_convention() -> None:
    h, b = signal("h"), param("b")
    cell = Cell("kink", [(h, relu(b) + h.prev)])
    inputs = Inputs({"b": np.float64(0)}, {"h": np.float64(2)}, lambda label, time: None, {})
    assert Runner(cell.program, Floats()).run(inputs, 1).values["h", 1] == 2


def test_complex_step_passes_kinks() -> None:
    cell = cell_with(FUNCTIONS["relu"][0], 1)
    params, start = values_for(cell, 3, 2, 3)
    inputs = Inputs(params, start, lambda label, time: None, {"n": 3, "q": 2})
    unit = np.zeros((3, 1))
    unit[1, 0] = 1.0
    found = complex_step(
        cell.program, inputs, 2, lambda t: np.sum(t.signal("h", 2) * params["s"]),
        Direction(params={"b": unit}),
    )  # fmt: skip
    mine = ours(cell, params, start, 2)["b"][1, 0]
    assert abs(found - mine) <= 1e-12 * abs(mine)


# ---- entries that are wrong -------------------------------------------------------------


def test_the_entries_of_generic_activations_are_derivatives_by_name() -> None:
    cell = cell_with(FUNCTIONS["phi"][0], 1)
    assert set(cell_entries(cell)) == {"phi"}


@pytest.mark.parametrize("name", ["__import__", "a b", "φ", "", "tanh", "sum", "relu_0", "_f", 3])
def test_a_name_that_is_no_activation_is_refused(name: object) -> None:
    with pytest.raises(DeclarationError, match=r"cannot name an activation|function of its own"):
        activation(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [2, -1, Fraction(1, 3)])
def test_a_convention_that_is_none_is_refused(value: Any) -> None:
    for function in (relu, lambda x, c: maximum(x, 0, c), absolute, sign, step):
        with pytest.raises(DeclarationError, match="at_kink="):
            function(V, value)
