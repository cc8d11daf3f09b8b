"""``check_gradient`` without being told where to look: wrong functions and right ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgrad as sg
from symgrad.errors import UsageError
from symgrad.testing import check_gradient, gradients
from symgrad.testing.oracles import by_name
from symgrad.testing.rounding import bounded_gradient
from symgrad.testing.tried import tried_runs
from wrong_gradients import LATE, MODELS, SHARED, Values, bptt

LINEAR = sg.CATALOGUE["linear"].scalar()

#: Every cell with its own errors. The others take turns; what comes late is slow to judge, and
#: clipped gradients are hardest to tell where nothing weighs L.
CASES = [
    *((name, error) for name, model in MODELS.items() for error in model.own),
    *(
        (name, error)
        for name, error in zip(["linear", "rnn", "lstm"] * 99, SHARED, strict=False)
        if (name, "adjoints" in error) != ("lstm", True)
    ),
    *(("linear", error) for error in LATE),
    *(("lstm", error) for error in SHARED if "values clipped" in error),
    ("lstm", "adjoints clipped at 10000"),
]


@pytest.fixture
def unshrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witnesses as they are found: making them small takes most of the time."""
    monkeypatch.setattr(gradients, "shrunk", lambda run, found, fails: (run, found))


@pytest.mark.usefixtures("unshrunk")
@pytest.mark.parametrize(("name", "error"), CASES)
def test_a_wrong_function_is_refuted(name: str, error: str) -> None:
    model = MODELS[name]
    verdict = check_gradient(model.cell, model.objective, bptt(name, error))
    assert verdict.status == "refuted"


# ---- right functions ------------------------------------------------------------------------


def powers(params: Values, inputs: Values, initial: Values, T: int, cotangent: Any) -> Values:
    """The linear cell without adjoints that run back: powers of W, earliest step first."""
    W, U, b = params["W"], params["U"], params["b"]
    driven = [U @ x + b for x in inputs["x"]]
    back = [np.linalg.matrix_power(W, T - k).T @ cotangent for k in range(T + 1)]
    found = {"W": 0 * W, "U": 0 * U, "b": 0 * b, "h": back[0]}
    for k in range(1, T + 1):
        before = np.linalg.matrix_power(W, k - 1) @ initial["h"]
        for j in range(1, k):
            before = before + np.linalg.matrix_power(W, k - 1 - j) @ driven[j - 1]
        found["W"] = found["W"] + np.outer(back[k], before)
        found["U"] = found["U"] + np.outer(back[k], inputs["x"][k - 1])
        found["b"] = found["b"] + back[k]
    return found


def stacked(params: Values, inputs: Values, initial: Values, T: int, targets: Any) -> Values:
    """The tanh RNN with the products over time as three matrix products after the loop."""
    x = inputs["x"]
    driven, h = x @ params["W_x"].T + params["b_h"], np.zeros((T + 1, len(params["b_h"])))
    h[0] = initial["h"]
    for t in range(T):
        h[t + 1] = np.tanh(driven[t] + params["W_h"] @ h[t])
    lam_y = h[1:] @ params["W_y"].T + params["b_y"] - targets
    delta, lam = np.zeros((T, h.shape[1])), np.zeros(h.shape[1])
    for t in reversed(range(T)):
        slope = 1 / np.cosh(driven[t] + params["W_h"] @ h[t]) ** 2
        delta[t] = (lam + lam_y[t] @ params["W_y"]) * slope
        lam = delta[t] @ params["W_h"]
    moved = {"W_x": delta.T @ x, "W_h": delta.T @ h[:-1], "b_h": np.einsum("tn->n", delta)}
    return {**moved, "W_y": lam_y.T @ h[1:], "b_y": lam_y.sum(0), "h": lam}


def gates_at_once(params: Values, inputs: Values, initial: Values, T: int) -> Values:
    """The LSTM with its gates in one array, and σ by tanh."""
    W, U, b = (np.array([params[f"{kind}_{k}"] for k in "fiog"]) for kind in "wub")
    scale = np.array([0.5, 0.5, 0.5, 1.0])
    h, c, kept = initial["h"], initial["c"], []
    for x in inputs["x"]:
        gates = np.tanh((W * x + U * h + b) * scale) * scale + (1 - scale)
        kept.append((x, h, c, gates))
        c = gates[0] * c + gates[1] * gates[3]
        h = gates[2] * np.tanh(c)
    found, lam_h, lam_c = np.zeros((3, 4)), 1.0, 0.0
    for x, h, before, (f, i, o, g) in reversed(kept):
        c = f * before + i * g
        lam_c = lam_c + lam_h * o * (1 - np.tanh(c)) * (1 + np.tanh(c))
        moved = np.array([lam_c * before, lam_c * g, lam_h * np.tanh(c), lam_c * i])
        delta = moved * [f * (1 - f), i * (1 - i), o * (1 - o), (1 - g) * (1 + g)]
        found += np.outer([x, h, 1], delta)
        lam_h, lam_c = U @ delta, lam_c * f
    names = {f"{kind}_{k}": v for kind, r in zip("wub", found, strict=True)
             for k, v in zip("fiog", r, strict=True)}  # fmt: skip
    return {**names, "h": lam_h, "c": lam_c}


RIGHT: list[tuple[str, Callable[..., Values]]] = [
    *((name, bptt(name)) for name in MODELS),
    ("linear", powers),
    ("rnn", stacked),
    ("lstm", gates_at_once),
]


@pytest.mark.parametrize(("name", "function"), RIGHT)
def test_a_right_function_is_not_refuted(name: str, function: Callable[..., Values]) -> None:
    model = MODELS[name]
    verdict = check_gradient(model.cell, model.objective, function)
    assert verdict.status == "tested", verdict
    # Of entries that keep their digits; where units saturate float64 may have none.
    assert float(verdict.how[1].split()[3].rstrip(";")) < 1e-7


# ---- the runs -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*MODELS, "rnn, scalar, last output"])
def test_gradients_vanish_and_are_large(name: str) -> None:
    """Most gradients are large in some run, with their digits, and h_0's is small in another."""
    if name in MODELS:
        cell, objective = MODELS[name].cell, MODELS[name].objective
    else:
        cell = sg.CATALOGUE["rnn"].scalar()
        objective = sg.final(cell)
    large, small, every = set(), set(), set()
    for run in tried_runs(cell, objective, (1, 2, 3, 5, 8)):
        found = bounded_gradient(run)
        for key, values in by_name(found.values).items():
            every.add(key)
            for value, error in zip(np.ravel(values), np.ravel(found.errors[key]), strict=True):
                large |= {key} if abs(value) > 1e5 and error < 1e-3 * abs(value) else set()
                small |= {key} if abs(value) < 1e-5 and error < 1e-3 * abs(value) else set()
    assert len(large) >= len(every) / 2
    assert large == every or name not in ("linear", "rnn")
    # The state at 0 is farthest from the end.
    assert "h" in small


def test_few_horizons_see_every_kind() -> None:
    runs = list(tried_runs(LINEAR, sg.loss(LINEAR, squared=True), [4]))
    sizes = [abs(float(run.params["w"])) for run in runs]
    assert min(sizes) < 1e-8 < 1e-2 < max(sizes) > 99
    assert len(runs) == 7
    assert list(tried_runs(LINEAR, sg.final(LINEAR), [])) == []


# ---- float32 --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linear", "rnn", "lstm"])
def test_a_function_in_float32(name: str) -> None:
    """Judged by its own rounding: right it passes, and wrong by 1e-3 or a path it does not."""
    model, seen = MODELS[name], set()

    def function(scale: float, error: str = "") -> Callable[..., Values]:
        def gradient(*args: Any, **named: Any) -> Values:
            seen.update(np.asarray(v).dtype for group in args for v in group.values())
            found = bptt(name, error)(*args, **named)
            return {k: np.asarray(v, np.float32) * np.float32(scale) for k, v in found.items()}

        return gradient

    def judged(*args: Any) -> Any:
        return check_gradient(
            model.cell, model.objective, function(*args), dtype="float32", horizons=(1, 5)
        )

    right = judged(1.0)
    assert right.status == "tested", right
    assert right.how[0].startswith("float32 against")
    assert seen == {np.dtype(np.float32)}
    for wrong in (judged(1.001), judged(1.0, "truncated after 2 steps")):
        assert wrong.status == "refuted"
        assert "rounding of float32 explains" in wrong.how[0]
    assert "np.float32(" in wrong.witness.numpy_lines() or name != "lstm"


@pytest.mark.usefixtures("unshrunk")
def test_float32_is_named_where_it_was_not_asked_for() -> None:
    model = MODELS["lstm"]
    single = bptt("lstm", "computed in float32")
    back = check_gradient(model.cell, model.objective, single)
    assert back.how[1].endswith("came back as float32; give dtype=np.float32 to judge it by the "
                                "rounding of float32")  # fmt: skip

    def hidden(*args: Any, **named: Any) -> Values:
        return {k: np.float64(v) for k, v in single(*args, **named).items()}

    assert "as far off as float32" in check_gradient(model.cell, model.objective, hidden).how[1]

    def half(*args: Any, **named: Any) -> Values:
        return {k: v / 2 for k, v in single(*args, **named).items()}

    assert "does not explain" in check_gradient(model.cell, model.objective, half).how[1]
    double = check_gradient(model.cell, model.objective, bptt("lstm", "wrong by 1e-10"))
    assert len(double.how) == 1 or "float32" in double.how[1]
    with pytest.raises(UsageError, match="float64 or float32"):
        check_gradient(LINEAR, sg.final(LINEAR), single, dtype=np.float16)
    with pytest.raises(UsageError, match="give one of them"):
        check_gradient(LINEAR, sg.final(LINEAR), single, dtype=np.float32, digits=30)
    at = {"params": {"w": 1e200}, "T": 1}
    with pytest.raises(UsageError, match="'w' has a number that is too large for float32"):
        check_gradient(LINEAR, sg.final(LINEAR), single, dtype=np.float32, at=at)


# ---- what was not judged --------------------------------------------------------------------


def test_what_is_left_out_is_said() -> None:
    def only_w(p: Values, inputs: Values, initial: Values, T: int) -> Values:
        found = {"w": T * p["w"] ** max(T - 1, 0) * initial["h"]}
        return found if T < 5 else {**found, "h": p["w"] ** T}

    verdict = check_gradient(LINEAR, sg.final(LINEAR), only_w)
    assert verdict.status == "tested"
    assert verdict.how[0].endswith(" runs: w")
    assert verdict.how[2] == "not judged, as the function leaves it out: h"
    wrong = check_gradient(LINEAR, sg.final(LINEAR), lambda p, x, s, T: {"w": 2 * p["w"]})
    assert wrong.status == "refuted"
    assert wrong.how[-1] == "not judged, as the function leaves it out: h"
    whole = check_gradient(LINEAR, sg.final(LINEAR), sg.compile(LINEAR, sg.final(LINEAR)).gradient)
    assert not any("not judged" in line for line in whole.how)


def test_what_a_function_raises_comes_with_the_run() -> None:
    def fails(p: Values, inputs: Values, initial: Values, T: int) -> Values:
        return {"w": T * p["w"] ** max(T - 1, 0) * initial["h"] * (1 / (T - 3))}

    with pytest.raises(ZeroDivisionError) as caught:
        check_gradient(LINEAR, sg.final(LINEAR), fails, horizons=[3])
    assert caught.value.__notes__[0].startswith("raised by the gradient function at make_run(")

    def needs_a_step(p: Values, inputs: Values, initial: Values, T: int) -> Values:
        w = sum(p["w"] ** (T - 1) for _ in range(T)) * initial["h"]
        return {"w": w, "h": p["w"] ** [T][:T][0]}

    verdict = check_gradient(LINEAR, sg.final(LINEAR), needs_a_step)
    assert verdict.status == "tested"
    assert verdict.how[-1] == "at T = 0 the function raises IndexError; not judged there"
    assert " 0" not in verdict.scope
