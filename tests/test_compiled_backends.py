"""The backends of compiled functions: against each other, many digits, published numbers."""

from __future__ import annotations

import doctest
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

import autograd
import autograd.numpy as anp
import mpmath
import numpy as np
import pytest

from symgrad.adjoint import Objective, backward, final, loss, summed
from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.cells import CATALOGUE
from symgrad.errors import NotSupportedYet, OutsideDomain, UsageError
from symgrad.evaluate.compiled import compile as compile_
from symgrad.evaluate.compiled import operation_ratio
from symgrad.lang import affine
from symgrad.lang.algebra import Multiprecision
from symgrad.lang.nodes import index_value
from symgrad.lang.program import Inputs, Runner
from symgrad.ops import GENERIC, PRIMITIVES, absolute, activation, maximum, relu, sigma, tanh
from symgrad.verify.oracles import compare
from test_compiled import ALL, OBJECTIVES, OWN, READINGS, SIZES, make, near
from test_gradients_numeric import FORWARD
from tools import every, require_tool

COMPILED = ("c", "numba")


def require(backend: str) -> str:
    """The backend, or a skipped test where what it needs is not installed; failed in CI."""
    if backend == "c":
        require_tool("cc", "gcc", "clang")
    if backend == "numba" and importlib.util.find_spec("numba") is None:
        if os.environ.get("CI"):
            pytest.fail("numba is not installed, and in CI nothing is skipped for that")
        pytest.skip("numba is not installed")
    return backend


# ---- against each other --------------------------------------------------------------------

#: Cells that are scalar in the scalar reading, of the catalogue and of one's own.
SCALAR = [
    "lstm", "rnn", "linear", "leaky", "gated", "functions", "same", "attention", "residual",
    "powers", "timed", "shift",
]  # fmt: skip


#: All objectives for one cell, and the last step only where the output is no state. A cell of
#: many gates takes seconds to compile for each.
KINDS = {
    ("c", "lstm"): tuple(every(3, OBJECTIVES)),
    ("numba", "lstm"): tuple(every(3, ("loss", "last loss", "summed"))),
    ("c", "rnn"): tuple(OBJECTIVES),
    ("numba", "rnn"): ("final", "last loss", "summed"),
}


def equal(found: Any, expected: Any, apart: Any = None, tolerance: float = 1e-12) -> None:
    """All results of a run; ``apart``: those of each sample, of which sums may cancel."""
    for group in ("params", "initial", "inputs"):
        ours, theirs = getattr(found, group), getattr(expected, group)
        assert (ours is None) == (theirs is None)
        for key in theirs or {}:
            terms: Any = np.max(np.abs(theirs[key]), initial=0.0)
            if group == "params" and apart is not None:
                terms = np.sum(np.abs(apart.params[key]))
            # An input's gradient adds what comes through all gates.
            loose = 10 if group == "inputs" else 1
            assert near(ours[key], theirs[key], terms, loose * tolerance), (group, key)
    assert (found.value is None) == (expected.value is None)
    if expected.value is not None:
        assert near(found.value, expected.value, 0.0, tolerance)


@pytest.mark.parametrize(
    ("backend", "name"),
    [("c", name) for name in SCALAR]
    + [("numba", name) for name in ("lstm", "rnn", "functions", "attention", "timed", "shift")],
)
def test_a_compiled_backend_agrees_with_numpy(backend: str, name: str) -> None:
    require(backend)
    for kind in KINDS.get((backend, name), ("squared",)):
        compiled = None
        for T, B in ((7, 19), (0, 2), (1, None), (2, 16)):
            case = make(name, "scalar", kind, SIZES[0], T, B)
            compiled = compiled or compile_(case.cell, case.objective, backend=backend)
            numpy_f, case.f = case.f, compiled
            if numpy_f.plan.first_horizon > T:
                continue
            value = case.objective.kind != "loss"
            found = case.gradient(value=value, wrt_inputs=True)
            apart = case.gradient(value=value, wrt_inputs=True, per_sample=True)
            case.f = numpy_f
            equal(found, case.gradient(value=value, wrt_inputs=True), apart)
            expected = case.gradient(value=value, wrt_inputs=True, per_sample=True)
            equal(apart, expected)


@pytest.mark.parametrize("backend", ["mpmath", *COMPILED])
def test_times_that_stand_in_a_formula(backend: str) -> None:
    require(backend)
    h, a, b = signal("h"), param("a"), param("b")
    now, left = index_value(affine.t), index_value(affine.T - affine.t + 2)
    cell = Cell("timed", [(h, sigma(a * h.prev * now - left * b))])
    arguments = ({"a": 0.7, "b": 0.2}, None, {"h": 0.4})
    expected = compile_(cell, summed(cell)).gradient(*arguments, T=6)
    found = compile_(cell, summed(cell), backend=backend).gradient(*arguments, T=6)
    for key in ("a", "b", "h"):
        assert near(float(found[key]), expected[key], 0.0, 1e-13)


@pytest.mark.parametrize("backend", ["numpy", *COMPILED])
def test_the_error_of_each_backend(backend: str) -> None:
    require(backend)
    case = make("lstm", "scalar", "squared", SIZES[0], 20, 33)
    exact_f = compile_(case.cell, case.objective, backend="mpmath", digits=40)
    case.f, compiled = exact_f, compile_(case.cell, case.objective, backend=backend)
    reference = case.gradient(per_sample=True)
    case.f = compiled
    found = case.gradient(per_sample=True)
    for key, expected in reference.params.items():
        largest = np.max(np.abs(expected))
        assert np.max(np.abs(found.params[key] - expected)) <= 1e-14 * largest, key


@pytest.mark.parametrize("backend", COMPILED)
def test_parameters_and_signals_of_each_sample(backend: str) -> None:
    require(backend)
    case = make("leaky", "scalar", "squared", SIZES[0], 5, 9)
    random = np.random.default_rng(1)
    case.params["alpha"] = random.uniform(0.1, 0.9, 9)
    expected = case.gradient(value=True, wrt_inputs=True)
    signals = case.f.forward(case.params, case.inputs, case.initial)
    case.f = compile_(case.cell, case.objective, backend=backend)
    apart = case.gradient(per_sample=True)
    equal(case.gradient(value=True, wrt_inputs=True), expected, apart)
    found = case.f.forward(case.params, case.inputs, case.initial)
    assert found.keys() == signals.keys()
    assert all(near(found[key], signals[key], 0.0, 1e-14) for key in signals)


@pytest.mark.parametrize("backend", ["numpy", "mpmath", *COMPILED])
def test_a_prepared_run_reads_its_arrays_anew(backend: str) -> None:
    require(backend)
    case = make("lstm", "scalar", "squared", SIZES[0], 3, 5)
    case.f = compile_(case.cell, case.objective, backend=backend)
    run = case.f.prepare(case.params, case.inputs, case.initial, **case.given, value=True)
    before = run()
    other = make("lstm", "scalar", "squared", SIZES[0], 3, 5)
    other.params = {k: v / 2 for k, v in case.params.items()}
    other.inputs["x"] = case.inputs["x"] * 2
    other.initial["h"] = case.initial["h"] * 3
    other.given["targets"] = case.given["targets"] / 4
    for key, array in run.params.items():
        array[...] = other.params[key]
    run.inputs["x"][...] = other.inputs["x"]
    run.initial["h"][...] = other.initial["h"]
    run.given["target_h"][...] = other.given["targets"]
    expected = other.gradient(value=True)
    after = run()
    for key in expected.params:
        assert near(np.float64(after.params[key]), expected.params[key], 0.0, 1e-11), key
    assert near(float(after.value), float(expected.value))
    assert near(float(before.value), float(case.gradient(value=True).value))


@pytest.mark.parametrize("number", [0, 1])
def test_blocks_of_the_batch_give_the_same(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = "symgrad.evaluate.compiled.numpy_backend"
    case = make("lstm", "vector", "squared", SIZES[2], 3, 29)
    expected = case.gradient(value=True, wrt_inputs=True, per_sample=bool(number))
    monkeypatch.setattr(f"{backend}.block_width", lambda problem, passes: 8)
    equal(case.gradient(value=True, wrt_inputs=True, per_sample=bool(number)), expected)
    signals = case.f.forward(case.params, case.inputs, case.initial)
    assert signals["h"].shape == (3, 29, 3)
    monkeypatch.undo()
    again = case.f.forward(case.params, case.inputs, case.initial)
    assert all(near(signals[key], again[key]) for key in again)


# ---- other oracles ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", CATALOGUE)
def test_against_autograd(name: str) -> None:
    cell = CATALOGUE[name]
    case = make(name, "vector", "squared", SIZES[2], 6, 2)
    found = case.gradient()

    def L(params: Any) -> Any:
        result = 0.0
        for b in range(2):
            columns = {
                key: anp.reshape(value, (-1, 1)) if anp.ndim(value) == 1 else value
                for key, value in params.items()
            }
            start = {key: value[b][:, None] for key, value in case.initial.items()}
            xs = [x[b][:, None] for x in case.inputs["x"]] if cell.inputs else []
            outs = FORWARD[name](columns, start, xs, 6)
            for out, wanted in zip(outs, case.given["targets"], strict=True):
                result = result + anp.sum((out[:, 0] - wanted[b]) ** 2) / 2
        return result

    for key, expected in autograd.grad(L)(case.params).items():
        assert near(found.params[key], expected, 1e3 * np.max(np.abs(expected)), 1e-13), key


@pytest.mark.parametrize(("name", "reading"), READINGS)
def test_complex_step_through_the_forward_pass(name: str, reading: str) -> None:
    case = make(name, reading, "squared", SIZES[2], 3, 2)
    gradient = case.gradient()
    f = compile_(case.cell, case.objective, dtype=np.complex128)
    random = np.random.default_rng(5)
    output = case.objective.signal.name
    for key, value in case.params.items():
        direction = random.uniform(0.5, 1.5, np.shape(value))
        moved = case.params | {key: value + 1e-30j * direction}
        out = f.forward(moved, case.inputs, case.initial, T=3)[output]
        slope = np.sum((out - case.given["targets"]) ** 2 / 2).imag / 1e-30
        terms = gradient.params[key] * direction
        assert abs(slope - np.sum(terms)) <= 1e-12 * np.sum(np.abs(terms)), key


def exact(value: Any, digits: int) -> Any:
    """The value in an algebra of many digits, for the reference."""
    algebra = Multiprecision(digits)
    return algebra.map(lambda x: algebra.context.mpf(float(x)), value)


@pytest.mark.parametrize("scale", [1.0, 40.0, 1e3, 1e-3, 1e-200])
@pytest.mark.parametrize(
    ("name", "reading"), [("lstm", "scalar"), ("rnn", "vector"), ("gated", "scalar")]
)
def test_many_digits_where_everything_is_saturated(name: str, reading: str, scale: float) -> None:
    case = make(name, reading, "squared", SIZES[1 if reading == "vector" else 0], 3, 1)
    case.params = {key: value * scale for key, value in case.params.items()}
    digits = 1200 if scale > 100 else 120
    case.f = compile_(case.cell, case.objective, backend="mpmath", digits=digits)
    found = case.gradient(per_sample=True)
    values = case.sample(0)
    inputs = Inputs(
        {k: exact(v, digits) for k, v in values.params.items()},
        {k: exact(v, digits) for k, v in values.initial.items()},
        lambda label, t: exact(values.signals(label, t), digits),
        values.sizes,
    )
    program = backward(case.cell, case.objective).program
    run = Runner(program, Multiprecision(digits)).run(inputs, 3)
    for key, expected in run.totals.items():
        reshaped = np.reshape(np.asarray(expected, dtype=object), np.shape(found.params[key][0]))
        assert compare(found.params[key][0], reshaped) < 1e-50, key


def test_a_text_keeps_all_its_digits() -> None:
    cell = CATALOGUE["linear"].scalar()
    f = compile_(cell, final(cell), backend="mpmath", digits=40)
    found = f.gradient({"w": "0.1"}, initial={"h": "0.3"}, T=2)
    with mpmath.workdps(40):
        expected = mpmath.mpf(2) * 3 / 100
        assert abs(found["w"] - expected) < expected * mpmath.mpf(10) ** -38


def test_more_digits_are_more_accurate() -> None:
    case = make("lstm", "scalar", "squared", SIZES[0], 30, 4)
    case.f = compile_(case.cell, case.objective, backend="mpmath", digits=40)
    reference = case.gradient(per_sample=True)

    def error(dtype: Any) -> float:
        case.f = compile_(case.cell, case.objective, dtype=dtype)
        found = case.gradient(per_sample=True)
        assert found["w_f"].dtype == dtype
        assert (
            found["w_f"].dtype == case.f.forward(case.params, case.inputs, case.initial)["h"].dtype
        )
        exactly = {k: [mpmath.mpf(str(x)) for x in v] for k, v in found.params.items()}
        gaps = [
            abs(a - b) / abs(b)
            for k in exactly
            for a, b in zip(exactly[k], reference[k], strict=True)
        ]
        return float(max(gaps))

    single, double = error(np.float32), error(np.float64)
    assert 1e-9 < single < 1e-2
    assert double < 1e-11
    if np.finfo(np.longdouble).eps < np.finfo(np.float64).eps:
        assert error(np.longdouble) < double / 100


@pytest.mark.parametrize("backend", ["numpy", *COMPILED])
def test_functions_keep_relative_accuracy_far_out(backend: str) -> None:
    require(backend)
    x = input_signal("x")
    h, g, s = signal("h"), signal("g"), signal("s")
    cell = Cell("far", [(h, sigma(x)), (g, tanh(x)), (s, s.prev)], inputs=[x]).scalar()
    points = np.concatenate([np.linspace(-700, 30, 3001), -np.logspace(-300, 0, 301)])
    found = compile_(cell, backend=backend).forward({}, {"x": points})
    with mpmath.workdps(330):
        for x_t, h_t, g_t in zip(points, found["h"], found["g"], strict=True):
            point = mpmath.mpf(float(x_t))
            expected = 1 / (1 + mpmath.exp(-point))
            assert abs(h_t - expected) < 1e-15 * expected, x_t
            assert abs(g_t - mpmath.tanh(point)) <= 1e-15 * abs(mpmath.tanh(point)), x_t


# ---- published numbers -----------------------------------------------------------------------

XS, TARGETS = (0.5, -1.0, 0.8), (0.2, -0.4, 0.3)
RNN_S = {"w_x": 0.7, "w_h": 1.3, "b_h": 0.1, "w_y": 0.9, "b_y": 0.0}
LSTM_S = {
    "w_f": 0.4, "u_f": -0.6, "b_f": 0.1, "w_i": -0.3, "u_i": 0.5, "b_i": 0.2,
    "w_o": 0.7, "u_o": 0.9, "b_o": -0.1, "w_g": 0.8, "u_g": -1.1, "b_g": 0.05,
}  # fmt: skip


def printed(value: Any, text: str) -> bool:
    """Whether the value, rounded to as many places, is what is printed."""
    return (
        f"{float(value):.{len(text.split('.')[1])}f}"
        == f"{float(text):.{len(text.split('.')[1])}f}"
    )


@pytest.mark.parametrize("backend", ["numpy", "mpmath", *COMPILED])
def test_published_numbers(backend: str) -> None:
    """Instances RNN-S and LSTM-S of the corpus of published formulas."""
    require(backend)
    rnn, lstm = CATALOGUE["rnn"].scalar(), CATALOGUE["lstm"].scalar()
    f = compile_(rnn, loss(rnn, squared=True), backend=backend)
    found = f.gradient(RNN_S, {"x": XS}, {"h": 0.2}, targets=TARGETS)
    for key, text in {
        "w_x": "-0.1865422222", "w_h": "0.5983848352", "b_h": "1.5916374120",
        "w_y": "0.5742706324", "h": "0.9825030122",
    }.items():  # fmt: skip
        assert printed(found[key], text), key
    f = compile_(rnn, final(rnn, "h"), backend=backend)
    assert printed(f.gradient(RNN_S, {"x": XS}, {"h": 0.2})["w_h"], "0.5578305346")
    f = compile_(rnn, loss(rnn, squared=True, last_only=True), backend=backend)
    for start, text in ((0.2, "0.1749924500"), (0.0, "0.0571921327")):
        last = f.gradient(RNN_S, {"x": XS}, {"h": start}, targets=TARGETS[-1])
        assert printed(last["w_h"], text)
    f = compile_(lstm, loss(lstm, squared=True), backend=backend)
    start = {"h": 0.1, "c": 0.2}
    found = f.gradient(LSTM_S, {"x": XS}, start, targets=TARGETS, value=True)
    assert printed(found.value, "0.0700096313")
    for key, text in {
        "w_f": "0.0083066894", "u_f": "-0.0014677178", "b_f": "0.0103922887",
        "w_i": "-0.0194721565", "u_i": "0.0023751381", "b_i": "-0.0267426608",
        "w_o": "0.0161656740", "u_o": "-0.0034265172", "b_o": "-0.0328762843",
        "w_g": "-0.0375766062", "u_g": "0.0029425340", "b_g": "-0.0498887023",
        "h": "0.0121018147", "c": "-0.0175138668",
    }.items():  # fmt: skip
        assert printed(found[key], text), key
    table = f.forward(LSTM_S, {"x": XS}, start)
    row = ("0.62003066", "0.47550330", "0.58794643", "0.67383992", "0.10113303", "0.05925891")
    for key, text in zip("fiogch", row, strict=True):
        assert printed(table[key][2], text), key


@pytest.mark.parametrize("backend", ["numpy", "mpmath"])
def test_the_lstm_example_of_gomez(backend: str) -> None:
    """A. Gomez, Backpropagating an LSTM: a numerical example (2016); n = 1, m = 2."""
    cell = CATALOGUE["lstm"]
    values = {
        "g": ((0.45, 0.25), 0.15, 0.2), "i": ((0.95, 0.8), 0.8, 0.65),
        "f": ((0.7, 0.45), 0.1, 0.15), "o": ((0.6, 0.4), 0.25, 0.1),
    }  # fmt: skip
    params: dict[str, Any] = {}
    for gate, (W, U, b) in values.items():
        params |= {
            f"W_{gate}": np.array([W]),
            f"U_{gate}": np.array([[U]]),
            f"b_{gate}": np.array([b]),
        }
    f = compile_(cell, loss(cell, squared=True), backend=backend)
    found = f.gradient(
        params, {"x": np.array([[1.0, 2.0], [0.5, 3.0]])},
        targets=np.array([[0.5], [1.25]]), wrt_inputs=True, value=True,
    )  # fmt: skip
    rows = {
        "g": ("-0.02671622", "-0.09220113", "-0.01039609", "-0.03640839"),
        "i": ("-0.00220369", "-0.00663861", "-0.00059832", "-0.00276150"),
        "f": ("-0.00315327", "-0.01891963", "-0.00338228", "-0.00630654"),
        "o": ("-0.02592411", "-0.16260389", "-0.02969987", "-0.05361303"),
    }
    for gate, (w1, w2, u, b) in rows.items():
        assert printed(found[f"W_{gate}"][0, 0], w1)
        assert printed(found[f"W_{gate}"][0, 1], w2)
        assert printed(found[f"U_{gate}"][0, 0], u)
        assert printed(found[f"b_{gate}"][0], b)
    for row, texts in zip(
        found["x"], (("-0.00816553", "-0.00486680"), ("-0.04742407", "-0.03072765")), strict=True
    ):
        assert all(printed(a, b) for a, b in zip(row, texts, strict=True))
    assert printed(found["h"][0], "-0.00342911")
    signals = f.forward(params, {"x": np.array([[1.0, 2.0], [0.5, 3.0]])})
    assert printed(signals["h"][1, 0], "0.77198111")


# ---- errors ----------------------------------------------------------------------------------


def lstm_case() -> Any:
    return make("lstm", "vector", "squared", SIZES[2], 4, 3)


def test_a_wrong_argument_gets_one_clear_error() -> None:
    case = lstm_case()

    def refused(match: str, **change: Any) -> None:
        arguments = {
            "params": case.params, "inputs": case.inputs, "initial": case.initial, **case.given
        } | change  # fmt: skip
        with pytest.raises(UsageError, match=match):
            case.f.gradient(**arguments)

    refused("no parameter 'V_f'.*did you mean", params=case.params | {"V_f": 1.0})
    refused(
        "no value of parameter 'W_f'", params={k: v for k, v in case.params.items() if k != "W_f"}
    )
    refused(r"'b_f'.*shape \(4,\).*\(n,\) or \(B, n\)", params=case.params | {"b_f": np.zeros(4)})
    refused("m = 5, but m = 2|must be", params=case.params | {"W_i": np.zeros((3, 5))})
    refused("must be a mapping by name", params=[1, 2])
    refused("must be a mapping by name", inputs=np.zeros((4, 3, 2)))
    refused(r"must be \(T, m\) or \(T, B, m\)", inputs={"x": np.zeros(4)})
    refused("T = 6, but T = 4", T=6)
    refused("integer, 0 or more", T=-1)
    refused("B = 7, but the batch B = 3", initial={"h": np.zeros((7, 3)), "c": np.zeros((7, 3))})
    refused("T = 5, but T = 4", targets=np.zeros((5, 3, 3)))
    refused("needs targets=", targets=None)
    refused("dl= was given", dl=np.zeros((4, 3, 3)))
    refused("no array of numbers", params=case.params | {"b_f": ["a", "b", "c"]})
    refused("complex", params=case.params | {"b_f": 1j * case.params["b_f"]})
    with pytest.raises(UsageError, match="without an objective"):
        compile_(case.cell).gradient(case.params, case.inputs)
    with pytest.raises(UsageError, match="pass T="):
        compile_(CATALOGUE["linear"]).forward({"W": np.eye(2)}, initial={"h": np.ones(2)})
    h = signal("h", sizes("n")[0])
    with pytest.raises(UsageError, match="no argument tells the size n"):
        compile_(Cell("still", [(h, h.prev * 2)])).forward({}, T=3)
    with pytest.raises(KeyError, match="there is"):
        case.gradient()["nothing"]
    for options in ({"backend": "fortran"}, {"dtype": int}, {"backend": "mpmath", "digits": 0}):
        with pytest.raises(UsageError):
            compile_(case.cell, case.objective, **options)
    with pytest.raises(UsageError, match="another objective"):
        compile_(backward(case.cell, case.objective), final(case.cell))


@pytest.mark.parametrize("backend", COMPILED)
def test_vectors_are_refused_by_compiled_backends_with_what_to_use(backend: str) -> None:
    require(backend)
    with pytest.raises(NotSupportedYet, match=r"backend='numpy'"):
        compile_(CATALOGUE["lstm"], backend=backend)


def test_the_message_of_a_failing_compiler_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    require("c")
    cell = CATALOGUE["rnn"].scalar()
    f = compile_(cell, final(cell), backend="c")
    monkeypatch.setenv("CC", "false")
    with pytest.raises(UsageError, match=r"compiler .*failed"):
        f.gradient(RNN_S, {"x": XS}, {"h": 0.2})
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(UsageError, match="no-such-compiler"):
        compile_(cell, final(cell), backend="c")
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="none of cc, gcc and clang"):
        compile_(cell, final(cell), backend="c")


def test_a_compiler_without_vector_functions_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = require_tool("cc", "gcc", "clang")
    strict = tmp_path / "cc"
    strict.write_text(
        '#!/bin/sh\ncase "$*" in *VECTOR_MATH*) exit 1;; esac\nexec ' + compiler + ' "$@"\n'
    )
    strict.chmod(0o755)
    monkeypatch.setenv("CC", str(strict))
    case = make("lstm", "scalar", "squared", SIZES[0], 6, 20)
    expected = case.gradient(per_sample=True)
    case.f = compile_(case.cell, case.objective, backend="c")
    equal(case.gradient(per_sample=True), expected)


def test_compiling_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("c")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cell = CATALOGUE["rnn"].scalar()
    f = compile_(cell, final(cell), backend="c")
    assert np.isfinite(f.gradient(RNN_S, {"x": XS}, {"h": 0.2})["w_h"])
    assert list(tmp_path.iterdir()) == []


# ---- where derivatives do not exist, and what is not finite ---------------------------------


def kinked(f: Any) -> Cell:
    x, h = input_signal("x"), signal("h")
    return Cell("kinked", [(h, f(param("w") * x) + h.prev)], inputs=[x]).scalar()


KINKS = {
    "relu": (relu, {None: None, 0: 0.0, 1: 1.0}),
    "abs": (absolute, {None: None, 0: 0.0}),
    "max": (lambda x, at=None: maximum(x, 2 * x, at), {None: None, 0: 2.0, 1: 1.0}),
}


@pytest.mark.parametrize("backend", ["numpy", "mpmath", *COMPILED])
@pytest.mark.parametrize("name", KINKS)
def test_a_derivative_at_a_kink(backend: str, name: str) -> None:
    require(backend)
    function, conventions = KINKS[name]
    for at, expected in conventions.items():
        cell = kinked(lambda x, at=at: function(x, at))
        f = compile_(cell, final(cell), backend=backend)
        arguments = ({"w": 0.0}, {"x": np.array([3.0])}, {"h": 1.0})
        if expected is not None:
            assert float(f.gradient(*arguments)["w"]) == 3 * expected
        elif backend in COMPILED:
            assert np.isnan(f.gradient(*arguments)["w"])
        else:
            with pytest.raises(OutsideDomain, match="kink"):
                f.gradient(*arguments)
        assert float(f.gradient({"w": 2.0}, *arguments[1:])["w"]) == (6.0 if name == "max" else 3.0)
        below = float(f.gradient({"w": -2.0}, *arguments[1:])["w"])
        assert below == {"relu": 0.0, "abs": -3.0, "max": 3.0}[name]


@pytest.mark.parametrize("backend", ["numpy", *COMPILED])
def test_what_is_not_finite_stays_with_its_sample(backend: str) -> None:
    require(backend)
    case = make("lstm", "scalar", "squared", SIZES[0], 3, 40)
    expected = case.gradient(per_sample=True, value=True)
    case.f = compile_(case.cell, case.objective, backend=backend)
    case.inputs["x"] = case.inputs["x"].copy()
    case.inputs["x"][1, 7] = np.nan
    with np.errstate(invalid="ignore"):
        found = case.gradient(per_sample=True, value=True)
    others = np.arange(40) != 7
    for key, value in found.params.items():
        assert np.isnan(value[7]), key
        assert near(value[others], expected.params[key][others], 0.0, 1e-11), key
    assert np.isnan(found.value[7])
    case.inputs["x"][1, 7] = np.inf
    with np.errstate(invalid="ignore"):
        signals = case.f.forward(case.params, case.inputs, case.initial)
    assert set(signals["f"][1, 7:8]) <= {0.0, 1.0}
    assert np.all(np.isfinite(signals["h"]))


# ---- heads -------------------------------------------------------------------------------------


def head_cell(name: str) -> Cell:
    """A cell with one primitive in it, at points where it is defined."""
    x, h = input_signal("x"), signal("h")
    argument = 2 + x * x
    node = PRIMITIVES[name]
    count = 2 if name.startswith("max") else 1
    from symgrad.ops.build import make as apply

    return Cell("one", [(h, h.prev + apply(node, *[argument, param("w")][:count]))], inputs=[x])


def shared_heads() -> list[str]:
    """Functions of the table that every backend must have."""
    structural = {"add", "neg", "mul", "div", "matmul", "transpose", "diag", "total"}
    # A cell with these has a column in it; the vector cells below have them.
    structural |= {"softmax", "logsumexp", "mean", "variance"}
    generic = {name for name in PRIMITIVES if name.rstrip("'") in GENERIC}
    return sorted(set(PRIMITIVES) - structural - generic)


@pytest.mark.parametrize("backend", ["numpy", "mpmath", *COMPILED])
@pytest.mark.parametrize("name", shared_heads())
def test_every_head_of_the_table_has_code(backend: str, name: str) -> None:
    require(backend)
    cell = head_cell(name).scalar()
    compile_(cell, final(cell), backend=backend)


def test_every_head_of_columns_has_code_where_vectors_are_supported() -> None:
    n = sizes("n")[0]
    h = signal("h", n)
    W = param("W", n, n)
    from symgrad.ops.build import make as apply

    for name in ("softmax", "logsumexp", "mean", "variance", "total", "diag"):
        inner = apply(PRIMITIVES[name], W @ h.prev)
        value = inner @ h.prev if name == "diag" else inner * h.prev
        cell = Cell("one", [(h, value)])
        for backend in ("numpy", "mpmath"):
            compile_(cell, backend=backend)
        for backend in COMPILED:
            require(backend)
            compile_(cell.scalar(), backend=backend)


def test_a_head_without_code_is_named() -> None:
    phi = activation("phi_of_compiled")
    x, h = input_signal("x"), signal("h")
    cell = Cell("own", [(h, phi(param("w") * h.prev + x))], inputs=[x]).scalar()
    with pytest.raises(NotSupportedYet, match="phi_of_compiled"):
        compile_(cell, final(cell))
    with pytest.raises(NotSupportedYet, match="phi_of_compiled'"):
        compile_(cell, final(cell), functions={"phi_of_compiled": np.sin})
    for backend in COMPILED:
        require(backend)
        with pytest.raises(NotSupportedYet, match="functions="):
            compile_(cell, final(cell), backend=backend, functions={"phi_of_compiled": np.sin})
    own = {"phi_of_compiled": np.sin, "phi_of_compiled'": np.cos}
    arguments = ({"w": 0.7}, {"x": np.array([0.1, 0.2])}, {"h": 0.3})
    found = compile_(cell, final(cell), functions=own).gradient(*arguments)
    h1 = np.sin(0.7 * 0.3 + 0.1)
    z2 = 0.7 * h1 + 0.2
    expected = np.cos(z2) * (h1 + 0.7 * np.cos(0.31) * 0.3)
    assert near(found["w"], expected, 0.0, 1e-14)
    many = {"phi_of_compiled": mpmath.sin, "phi_of_compiled'": mpmath.cos}
    digits = compile_(cell, final(cell), backend="mpmath", functions=many).gradient(*arguments)
    assert near(float(digits["w"]), expected, 0.0, 1e-14)


# ---- the plan ----------------------------------------------------------------------------------


def test_the_gradient_of_the_lstm_takes_few_operations() -> None:
    cell = CATALOGUE["lstm"].scalar()
    for T in (5, 100, None):
        assert operation_ratio(cell, loss(cell, squared=True), T) < 2.6
    # Counted by hand: 25 forward, 48 backward; forward with loss 29.
    assert operation_ratio(cell, loss(cell, squared=True), None) == 73 / 29
    with pytest.raises(ValueError, match="at least 1"):
        operation_ratio(cell, final(cell), 0)


def objectives(cell: Cell) -> list[Objective]:
    return [final(cell), loss(cell, squared=True)]


@pytest.mark.parametrize("name", ALL)
def test_no_name_of_the_user_is_in_the_source(name: str) -> None:
    cell = ALL[name]
    case = make(name, "vector", "squared", SIZES[1], 2, 2)
    case.gradient(wrt_inputs=True, value=True)
    (passes,) = case.f.backend._compiled.values()
    words = set(passes.source.replace("(", " ").replace("[", " ").replace(",", " ").split())
    for entry in (*cell.params, *cell.signals, *cell.inputs):
        if len(entry.name) > 1:
            assert not any(entry.name in word.split(".") for word in words), entry.name


def test_a_kept_value_is_one_that_the_backward_pass_reads() -> None:
    from symgrad.evaluate.compiled import plan_of

    cell = CATALOGUE["lstm"].scalar()
    plan = plan_of(cell, loss(cell, squared=True))
    labels = [value.label for value in plan.stored]
    assert labels == ["f", "i", "o", "g", "", "h"]
    assert plan_of(cell).stored == ()
    assert set(OWN) <= set(ALL)


# ---- the guide -----------------------------------------------------------------------------------


def test_the_examples_of_the_guide_print_what_they_say() -> None:
    guide = Path(__file__).parent.parent / "docs" / "evaluation.md"
    found = doctest.testfile(str(guide), module_relative=False)
    assert found.attempted > 15
    assert found.failed == 0


def test_the_ratios_of_the_guide_are_those_counted() -> None:
    guide = (Path(__file__).parent.parent / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for name in ("linear", "linear-input", "rnn", "lstm"):
        cell = CATALOGUE[name].scalar()
        objective = loss(cell, squared=True)
        counted = [f"{operation_ratio(cell, objective, T):.3f}" for T in (1, 5, 100, None)]
        assert f"| {name} | {' | '.join(counted)} |" in guide
