"""Oracles for users: other methods' gradients, comparison, and the judge of gradient functions."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import symgrad as sg
from symgrad.errors import NotSupportedYet, OutsideDomain, UsageError
from symgrad.lang.algebra import Multiprecision
from symgrad.ops import PRIMITIVES
from symgrad.testing import agree, check_gradient, gradients_by, rounding_of
from symgrad.testing.oracles import METHODS, by_name
from symgrad.testing.rounding import RunningErrors, bounded_gradient
from symgrad.testing.runs import make_run
from symgrad.testing.shrinking import shrunk, simpler
from tools import require_module

n, m = sg.sizes("n m")
h, x = sg.signal("h", n), sg.input_signal("x", m)
W, U, b, V = sg.param("W", n, n), sg.param("U", n, m), sg.param("b", n), sg.param("V", n, n + m)
a = sg.param("a")
SIZES = {"n": 2, "m": 3, "p": 2, "q": 2, "k": 2}

CELLS = {
    "kinks": sg.Cell(
        "kinks",
        [
            (
                h,
                sg.relu(W @ h.prev + U @ x + b, at_kink=0)
                + sg.absolute(b * h.prev, at_kink=0)
                + sg.maximum(b, h.prev, at_kink=Fraction(1, 2)),
            )
        ],
        inputs=[x],
    ),
    "rational": sg.Cell(
        "rational",
        [(h, sg.softplus(W @ h.prev) / (1 + h.prev**2) + a * sg.tanh(U @ x) - sg.variance(h.prev))],
        inputs=[x],
    ),
    "columns": sg.Cell(
        "columns",
        [(h, sg.softmax(W @ h.prev + U @ x) + sg.logsumexp(h.prev) * b + sg.sqrt(1 + b * b))],
        inputs=[x],
    ),
    "matrices": sg.Cell(
        "matrices",
        [
            (
                h,
                sg.tanh(V @ sg.concat(h.prev, x))
                + sg.diag(b) @ h.prev
                + (W @ W.T) @ b * sg.log(2 + sg.sigma(a)),
            )
        ],
        inputs=[x],
    ),
    "lstm": sg.CATALOGUE["lstm"],
    "linear": sg.CATALOGUE["linear"],
    "loss": sg.with_loss(sg.CATALOGUE["rnn"], "cross_entropy"),
}


def shape_of(cell: sg.Cell, node: Any) -> tuple[int, ...]:
    if cell.is_scalar:
        return ()
    return tuple(size.value(SIZES) for size in node.shape if str(size) != "1")


def arguments(cell: sg.Cell, T: int = 3, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "params": {p.name: random.normal(size=shape_of(cell, p)) for p in cell.params},
        "inputs": {s.name: random.normal(size=(T, *shape_of(cell, s))) for s in cell.inputs},
        "initial": {s.name: random.normal(size=shape_of(cell, s)) for s in cell.states},
        "T": T,
    }


def data_of(cell: sg.Cell, kind: str, T: int = 3) -> tuple[Any, dict[str, Any]]:
    """An objective and its data."""
    of = shape_of(cell, cell.output)
    random = np.random.default_rng(7)
    if kind == "squared":
        return sg.loss(cell, squared=True), {"targets": random.normal(size=(T, *of))}
    if kind == "mean":
        return sg.loss(cell, mean=True), {"dl": random.normal(size=(T, *of))}
    if kind == "last":
        return sg.loss(cell, squared=True, last_only=True), {"targets": random.normal(size=of)}
    free = not cell.is_scalar and not cell.output.is_scalar
    return sg.final(cell), {"cotangent": random.normal(size=of)} if free else {}


def package(method: str) -> None:
    if method in ("torch", "jax", "autograd"):
        require_module(method)


# ---- what others find -------------------------------------------------------------------------


@pytest.mark.parametrize("method", [m for m in METHODS if m != "differences"])
@pytest.mark.parametrize("name", CELLS)
def test_methods_agree_with_the_derived_gradient(
    method: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    package(method)
    for cell in (CELLS[name], CELLS[name].scalar()):
        objective, data = data_of(cell, "final")
        given = {**arguments(cell), **data}
        ours = sg.compile(cell, objective).gradient(**given, wrt_inputs=True)
        theirs = gradients_by(method, cell, objective, **given, wrt_inputs=True)
        rounding = rounding_of(cell, objective, **given)

        assert agree(ours, theirs, rounding=rounding), (method, name, cell.reading)


@pytest.mark.parametrize("kind", ["squared", "mean", "last", "final"])
@pytest.mark.parametrize("method", METHODS)
def test_every_objective(method: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    package(method)
    cell = sg.CATALOGUE["rnn"].scalar()
    objective, data = data_of(cell, kind)
    objective = objective.with_decay(cell.params[1])
    given = {**arguments(cell), **data}
    given["params"] |= {"rho": 0.3}
    ours = sg.compile(cell, objective).gradient(**given)
    theirs = gradients_by(method, cell, objective, **given)

    found = agree(ours, theirs)

    assert found
    assert found.largest < 1e-13


@pytest.mark.parametrize("method", ["complex step", "differences", "autograd"])
def test_no_step_at_all(method: str) -> None:
    package(method)
    cell = sg.CATALOGUE["linear"].scalar()
    found = gradients_by(method, cell, sg.final(cell), {"w": 2.0}, initial={"h": 3.0}, T=0)
    assert agree(found, {"w": 0.0, "h": 1.0})


def test_no_derivative_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = sg.CATALOGUE["rnn"].scalar()
    given = arguments(cell)
    objective = sg.final(cell)
    expected = by_name(sg.compile(cell, objective).gradient(**given))
    saved = {p: (p.partials, p.transpose, p.factor, p.pull) for p in PRIMITIVES.values()}
    try:
        for primitive in saved:
            for entry in ("partials", "transpose", "factor", "pull"):
                object.__setattr__(primitive, entry, None)
        for method in ("complex step", "differences"):
            assert agree(gradients_by(method, cell, objective, **given), expected)
    finally:
        for primitive, rules in saved.items():
            for entry, rule in zip(("partials", "transpose", "factor", "pull"), rules, strict=True):
                object.__setattr__(primitive, entry, rule)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import symgrad.testing.frameworks as frameworks

    def absent(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(frameworks, "import_module", absent)
    cell = sg.CATALOGUE["linear"].scalar()
    for method in ("torch", "jax", "autograd"):
        with pytest.raises(UsageError, match=rf"need the package {method}: pip install {method}"):
            gradients_by(method, cell, sg.final(cell), {"w": 1.0}, T=1)


def test_refusals() -> None:
    cell = sg.CATALOGUE["linear"].scalar()
    L = sg.final(cell)
    with pytest.raises(UsageError, match="use one of 'complex step', 'differences', 'torch'"):
        gradients_by("tensorflow", cell, L, {"w": 1.0}, T=1)
    with pytest.raises(UsageError, match="takes none of targets, dl and cotangent"):
        gradients_by("complex step", cell, L, {"w": 1.0}, T=1, targets=[1.0])
    with pytest.raises(UsageError, match="takes targets="):
        gradients_by("complex step", cell, sg.loss(cell, squared=True), {"w": 1.0}, T=1)
    with pytest.raises(UsageError, match=r"targets has shape \(2,\); it must be \(1,\)"):
        gradients_by(
            "complex step", cell, sg.loss(cell, squared=True), {"w": 1.0}, T=1, targets=[1.0, 2.0]
        )
    with pytest.raises(UsageError, match="one sample at a time"):
        gradients_by("complex step", cell, L, {"w": [1.0, 2.0]}, T=1)
    with pytest.raises(UsageError, match="no value of 'rho'"):
        gradients_by("complex step", cell, L.with_decay(cell.params[0]), {"w": 1.0}, T=1)
    rnn = sg.CATALOGUE["rnn"].scalar()
    zeros = dict.fromkeys((p.name for p in rnn.params), 0.0)
    with pytest.raises(UsageError, match="no value at time 0"):
        gradients_by("complex step", rnn, sg.final(rnn), zeros, {"x": []}, T=0)
    s = sg.signal("h")
    generic = sg.Cell("generic", [(s, sg.activation("phi")(s.prev))]).scalar()
    with pytest.raises(NotSupportedYet, match="generic activation 'phi'"):
        gradients_by("complex step", generic, sg.final(generic), {}, T=1)
    kink = sg.Cell("kink", [(s, sg.relu(s.prev))]).scalar()
    package("autograd")
    with pytest.raises(OutsideDomain, match="at its kink"):
        gradients_by("autograd", kink, sg.final(kink), {}, initial={"h": 0.0}, T=1)


# ---- comparison -------------------------------------------------------------------------------


def test_agreement_is_relative_entry_by_entry() -> None:
    theirs = {"w": np.array([1.0, 1e-200])}
    assert agree({"w": np.array([1.0, 1e-200 * (1 + 1e-14)])}, theirs)
    found = agree({"w": np.array([1.0, 1.1e-200])}, theirs)
    assert not found
    assert (found.name, found.entry) == ("w", (1,))
    assert str(found).startswith("w[1]: 1.1e-200 and ")
    assert not agree({"w": np.array([1.0, 0.0])}, theirs)
    assert not agree({"w": np.array([np.nan, 1e-200])}, theirs)
    assert not agree({"w": 1e-300}, {"w": 0.0})
    assert agree({"w": 0.0, "v": 1.0}, {"w": -0.0, "u": 2.0})
    with pytest.raises(UsageError, match="no name in common"):
        agree({"w": 0.0}, {"v": 0.0})
    with pytest.raises(ValueError, match="shapes"):
        agree({"w": np.zeros(2)}, {"w": np.zeros(3)})


def test_a_rounding_bound_is_what_an_entry_may_be_off() -> None:
    assert agree({"w": 1e-17}, {"w": 0.0}, rounding={"w": 1e-17})
    assert not agree({"w": 1e-15}, {"w": 0.0}, rounding={"w": 1e-17})
    assert not agree({"w": 1.0 + 1e-15}, {"w": 1.0}, rounding={"w": 0.0})


# ---- running error analysis -------------------------------------------------------------------


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("scale", [0.15, 1.0, 30.0])
def test_float64_stays_within_its_bounds(name: str, scale: float) -> None:
    for cell in (CELLS[name], CELLS[name].scalar()):
        objective, data = data_of(cell, "final", 6)
        given = {**arguments(cell, 6, seed=1), **data}
        given["params"] = {key: value * scale for key, value in given["params"].items()}
        bounded = bounded_gradient(make_run(cell, objective, **given))
        truth = by_name(bounded.values)
        ours = by_name(sg.compile(cell, objective).gradient(**given, wrt_inputs=True))
        for key, value in ours.items():
            for entry in np.ndindex(np.shape(value)):
                gap = abs(np.asarray(value)[entry] - truth[key][entry])
                assert gap <= bounded.errors[key][entry], (key, entry)


def test_bounds_are_not_far_from_the_rounding_of_a_product() -> None:
    cell = sg.CATALOGUE["linear"].scalar()
    errors = rounding_of(cell, sg.final(cell), {"w": 0.15}, initial={"h": 0.7}, T=20)
    truth = 20 * 0.15**19 * 0.7
    assert 2**-53 < errors["w"] / truth < 100 * 2**-53


def test_cancellation_and_saturation_are_in_the_bounds() -> None:
    algebra = RunningErrors()
    one, tenth, large = (algebra.number(v) for v in (1.0, 0.1, 20.0))
    gap = algebra.add(algebra.mul(tenth, tenth), algebra.neg(algebra.mul(tenth, tenth)))
    assert gap.value == 0
    assert 1e-19 < gap.error < 1e-17
    flat = algebra.direct["tanh"](large)
    slope = algebra.add(one, algebra.neg(algebra.mul(flat, flat)))
    assert slope.error > slope.value > 0
    assert algebra.exp(algebra.number(800.0)).error == float("inf")
    many = RunningErrors(60)
    flat = many.direct["tanh"](many.number(20.0))
    slope = many.add(many.one, many.neg(many.mul(flat, flat)))
    assert slope.error * 10**40 < slope.value


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "tanh", "sigma", "softplus"])
@pytest.mark.parametrize("at", [1e-3, 0.7, 9.0])
def test_an_error_that_comes_in_goes_through_a_function(name: str, at: float) -> None:
    """The bound covers the function's values over the whole interval, and little more."""
    algebra, exact = RunningErrors(), Multiprecision(60)
    evaluate = PRIMITIVES[name].evaluate
    half = 1e-6 * at
    given = algebra.made(algebra.context.mpf(at), algebra.context.mpf(half))
    found = evaluate(algebra, given)
    ends = [evaluate(exact, exact.context.mpf(at + sign * half)) for sign in (-1, 1)]
    widest = max(abs(end - found.value) for end in ends)
    assert widest <= found.error <= 1.001 * widest


# ---- gradients of users -----------------------------------------------------------------------


def linear_gradient(steps: float) -> Callable[..., dict[str, Any]]:
    """dh_T/dw and dh_T/dh_0 of h_t = w h_{t-1} by hand, cut after some steps."""

    def gradient(params: Any, inputs: Any, initial: Any, T: int) -> dict[str, Any]:
        w, states = params["w"], [initial["h"]]
        for _ in range(T):
            states.append(w * states[-1])
        lam, dw = 1 + 0 * w, 0 * w
        for t in range(T, 0, -1):
            if T - t >= steps:
                lam = 0 * lam
            dw = dw + lam * states[t - 1]
            lam = lam * w
        return {"w": dw, "h": lam}

    return gradient


def rnn_gradient(steps: float) -> Callable[..., dict[str, Any]]:
    """The same of y_T of the scalar tanh RNN."""

    def gradient(params: Any, inputs: Any, initial: Any, T: int) -> dict[str, Any]:
        states = [initial["h"]]
        for value in inputs["x"]:
            states.append(
                np.tanh(params["w_x"] * value + params["w_h"] * states[-1] + params["b_h"])
            )
        lam = params["w_y"]
        found = dict.fromkeys(("w_x", "w_h", "b_h"), 0 * lam)
        for t in range(T, 0, -1):
            if T - t >= steps:
                lam = 0 * lam
            delta = lam * (1 - states[t] * states[t])
            found["w_x"] = found["w_x"] + delta * inputs["x"][t - 1]
            found["w_h"] = found["w_h"] + delta * states[t - 1]
            found["b_h"] = found["b_h"] + delta
            lam = delta * params["w_h"]
        return {**found, "h": lam}

    return gradient


LINEAR, RNN = sg.CATALOGUE["linear"].scalar(), sg.CATALOGUE["rnn"].scalar()
VANISHING: dict[str, tuple[sg.Cell, Any, dict[str, Any]]] = {
    "linear": (LINEAR, linear_gradient, {"params": {"w": 0.15}, "initial": {"h": 1.0}, "T": 20}),
    "rnn": (
        RNN,
        rnn_gradient,
        {
            "params": {"w_x": 0.5, "w_h": 0.15, "b_h": 0.1, "w_y": 1.0, "b_y": 0.0},
            "inputs": {"x": 0.1 * (np.arange(20) % 3) - 0.05},
            "initial": {"h": 0.2},
        },
    ),
}


def as_gradcheck(analytic: float, numeric: float) -> bool:
    """The test of torch.autograd.gradcheck with its default tolerances."""
    smallest, relative = 1e-5, 1e-3
    return abs(analytic - numeric) <= smallest + relative * abs(numeric)


@pytest.mark.parametrize("name", VANISHING)
def test_a_truncated_gradient_that_gradcheck_accepts_is_refuted(name: str) -> None:
    """w = 0.15, T = 20, cut after 12 steps."""
    cell, make, at = VANISHING[name]
    objective = sg.final(cell)
    truncated, whole = make(12), make(np.inf)
    run = make_run(cell, objective, **at)
    positional, named = run.arguments()
    numeric = by_name(gradients_by("differences", cell, objective, **at))
    for key, value in truncated(*positional, **named).items():
        assert as_gradcheck(value, float(numeric[key]))
    assert truncated(*positional, **named)["h"] == 0 != numeric["h"]

    assert check_gradient(cell, objective, whole, at=at).status == "tested"
    verdict = check_gradient(cell, objective, truncated, at=at)
    assert verdict.status == "refuted"
    # And so it is without being told where to look.
    assert check_gradient(cell, objective, whole).status == "tested"
    assert check_gradient(cell, objective, truncated).status == "refuted"


def test_the_witness_is_small_and_reproduces_by_pasting() -> None:
    cell, make, at = VANISHING["linear"]
    gradient = make(12)
    verdict = check_gradient(cell, sg.final(cell), gradient, at=at)
    witness = verdict.witness
    assert witness is not None
    # The first T at which a step is cut off.
    assert witness.horizon == 13
    assert witness.values == (("w", "1"), ("h_0", "0"))
    assert (witness.left, witness.right) == ("1.0", "0.0")
    assert "relative error of 1" in verdict.how[0]
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        run_lines(witness.numpy_lines(), gradient)
    assert float(output.getvalue()) == 0.0
    assert witness.numpy_lines().endswith("# has to be 1.0")


def run_lines(text: str, gradient: Any) -> None:
    """Lines as somebody pastes them, beside the function they call."""
    code = compile(text, "witness", "exec")
    exec(code, {"gradient": gradient})


def test_what_float64_rounds_away_is_seen_in_many_digits() -> None:
    """dh_T/dw_h alone, 1e-14 off: within 1e-12, and refuted with 60 digits at that very run."""
    cell, make, at = VANISHING["rnn"]

    def only(steps: float) -> Callable[..., dict[str, Any]]:
        def gradient(*args: Any, **named: Any) -> dict[str, Any]:
            return {"w_h": make(steps)(*args, **named)["w_h"]}

        return gradient

    objective = sg.final(cell)
    assert check_gradient(cell, objective, only(np.inf), at=at, digits=60).status == "tested"
    # All 20 steps but the last: the summand of t = 1 is 1e-16 of the sum.
    assert check_gradient(cell, objective, only(19), at=at).status == "tested"
    verdict = check_gradient(cell, objective, only(19), at=at, digits=60)
    assert verdict.status == "refuted"
    assert verdict.witness is not None
    assert verdict.witness.horizon == 20


WRONG: dict[str, Callable[[Any], Any]] = {
    "a factor 1 + 1e-12": lambda g: {**g, "U_f": g["U_f"] * (1 + 1e-12)},
    "a transpose": lambda g: {**g, "U_f": g["U_f"].T},
    "a sign": lambda g: {**g, "h": -g["h"]},
    "not a number": lambda g: {**g, "h": g["h"] * np.nan},
    "zero for small": lambda g: {k: np.where(abs(v) < 1e-8, 0 * v, v) for k, v in g.items()},
    "an input shifted": lambda g: {**g, "x": np.roll(g["x"], 1, axis=0)},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_vector_gradient_wrong_by_little_is_refuted(case: str) -> None:
    vanishing = case == "zero for small"
    cell = sg.CATALOGUE["rnn" if vanishing else "lstm"]
    # What reaches the first steps from the last one alone is small.
    objective = sg.final(cell) if vanishing else sg.loss(cell, squared=True)
    compiled = sg.compile(cell, objective)

    def gradient(*args: Any, **named: Any) -> Any:
        found = compiled.gradient(*args, **named, wrt_inputs=True)
        return WRONG[case](by_name(found))

    verdict = check_gradient(cell, objective, gradient, horizons=[1, 2, 8])

    assert verdict.status == "refuted"
    assert verdict.witness is not None
    wide = {"a transpose": 2}.get(case, 1)
    assert dict(verdict.witness.sizes)["n"] == wide
    # A shift by one needs two steps, and zeros for small values a gradient that vanishes.
    least = {"an input shifted": 2, "zero for small": 8}.get(case, 1)
    assert verdict.witness.horizon is not None
    assert verdict.witness.horizon <= least


@pytest.mark.parametrize("kind", ["squared", "mean", "last", "final"])
def test_symgrads_own_functions_pass(kind: str) -> None:
    for cell in (CELLS["rational"], CELLS["columns"].scalar()):
        objective, _ = data_of(cell, kind)
        compiled = sg.compile(cell, objective.with_decay(cell.params[0]))
        verdict = check_gradient(
            cell, objective.with_decay(cell.params[0]), compiled.gradient, horizons=[1, 2, 5]
        )
        assert verdict.status == "tested", verdict
        assert verdict.scope == "T = 1, 2, 5"


def test_a_gradient_function_is_told_what_does_not_fit() -> None:
    cell, make, at = VANISHING["linear"]
    objective = sg.final(cell)

    def giving(result: Any) -> Callable[..., Any]:
        return lambda *args, **named: result

    with pytest.raises(UsageError, match="a gradient of 'v'; there are w, h"):
        check_gradient(cell, objective, giving({"v": 1.0}), at=at)
    with pytest.raises(UsageError, match=r"'w' has shape \(1,\); that of 'w' is \(\)"):
        check_gradient(cell, objective, giving({"w": np.ones(1)}), at=at)
    with pytest.raises(UsageError, match="a mapping from names to arrays"):
        check_gradient(cell, objective, giving(1.0), at=at)
    with pytest.raises(UsageError, match="came back as float64"):
        check_gradient(cell, objective, giving({"w": 1.0}), at=at, digits=60)
    with pytest.raises(UsageError, match="digits=5"):
        check_gradient(cell, objective, make(20), at=at, digits=5)
    with pytest.raises(TypeError, match="would be rounded to float64"):
        check_gradient(cell, objective, lambda p, i, s, T: {"w": float(p["w"])}, at=at, digits=60)


def test_no_gradient_anywhere_is_undecided() -> None:
    s = sg.signal("h")
    cell = sg.Cell("outside", [(s, sg.log(-1 - s.prev * s.prev))]).scalar()

    def gradient(params: Any, inputs: Any, initial: Any, T: int) -> Any:
        return {"h": 1.0 if T == 0 else 0.0}

    assert check_gradient(cell, sg.final(cell), gradient).scope == "T = 0"
    verdict = check_gradient(cell, sg.final(cell), gradient, horizons=[1, 2])
    assert verdict.status == "undecided"


# ---- shrinking --------------------------------------------------------------------------------


def test_runs_shrink_to_what_matters() -> None:
    cell = sg.CATALOGUE["rnn"]
    objective, data = data_of(cell, "squared", 9)
    run = make_run(cell, objective, **{**arguments(cell, 9), **data})

    def fails(candidate: Any) -> str | None:
        wide = candidate.sizes["n"] >= 2 and candidate.horizon >= 4
        return "wide" if wide and candidate.params["W_h"][1, 0] != 0 else None

    small, found = shrunk(run, "wide", fails)

    assert found == "wide"
    assert small.horizon == 4
    assert small.sizes == {"n": 2, "m": 1, "k": 1} or sum(small.sizes.values()) == 4
    assert small.params["W_h"].tolist() in ([[1, 1], [1, 1]], [[0, 0], [1, 0]])
    assert not any(np.any(v) for k, v in small.params.items() if k != "W_h")
    assert not np.any(small.inputs["x"])
    assert not np.any(small.data["targets"])


def test_simpler_numbers_come_first() -> None:
    assert list(simpler(0.0)) == []
    assert list(simpler(-1.0)) == [0.0, 1.0]
    assert list(simpler(0.1234567)) == [0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 0.1, 0.12, 0.123]
