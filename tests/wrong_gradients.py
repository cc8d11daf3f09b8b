"""Backpropagation through time by hand in plain NumPy, right or with one error.

One loop for three cells, of which each says how one step goes forward and backward. An error
is a name that the loop or a step looks for; ``SHARED`` and ``LATE`` are those of the loop and
of what comes after it, ``own`` those of the steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symgrad as sg

Values = dict[str, Any]
Gradient = Callable[..., Values]

CLIPS = (1.0, 5.0, 10.0, 100.0, 1e4)


def sigma(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def column(values: Any) -> Any:
    return np.reshape(values, (-1, 1))


class Linear:
    """h_t = W h_{t-1} + U x_t + b in the vector reading, L = s^⊤ h_T."""

    cell = sg.CATALOGUE["linear-input"]
    objective = sg.final(cell)
    own = (
        "no transpose in the recurrence", "outer product the wrong way round",
        "state after for before", "weights without sign", "by dividing by the weight",
        "bias averaged over its entries", "bias summed over its entries",
    )  # fmt: skip

    @staticmethod
    def forward(p: Values, x: Any, state: Values, error: str) -> tuple[Values, Values]:
        W = np.abs(p["W"]) if error == "weights without sign" else p["W"]
        h = W @ state["h"] + p["U"] @ x + p["b"]
        return {"h": h}, {"before": state["h"], "h": h, "x": x}

    @staticmethod
    def backward(p: Values, kept: Values, lam: Values, error: str) -> tuple[Values, Values, Any]:
        lam_h = lam["h"]
        before = kept["h"] if error == "state after for before" else kept["before"]
        dW = column(lam_h) * before
        if error == "outer product the wrong way round":
            dW = dW.T
        if error == "by dividing by the weight":
            dW = dW * p["W"] / p["W"]
        db = lam_h
        if error == "bias averaged over its entries":
            db = 0 * db + np.mean(db)
        if error == "bias summed over its entries":
            db = 0 * db + np.sum(db)
        W = p["W"] if error == "no transpose in the recurrence" else p["W"].T
        moved = {"W": dW, "U": column(lam_h) * kept["x"], "b": db}
        return moved, {"h": W @ lam_h}, p["U"].T @ lam_h

    @staticmethod
    def seed(kept: Values, t: int, T: int, data: Values, error: str) -> Values:
        return {"h": data["cotangent"] * (t == T)}


class Rnn:
    """h_t = tanh(W_x x_t + W_h h_{t-1} + b_h), y_t = W_y h_t + b_y, half the squared error."""

    cell = sg.CATALOGUE["rnn"]
    objective = sg.loss(cell, squared=True)
    own = (
        "slope of the activated value", "slope of sigma", "no slope",
        "no transpose in the recurrence", "no path through the state", "no path through the output",
        "tanh by its definition", "slope never 0", "squared error without a half",
        "mean over the outputs", "targets one step late", "only the loss of the last step",
        "by dividing by the weight",
    )  # fmt: skip

    @staticmethod
    def forward(p: Values, x: Any, state: Values, error: str) -> tuple[Values, Values]:
        a = p["W_x"] @ x + p["W_h"] @ state["h"] + p["b_h"]
        h = np.tanh(a)
        if error == "tanh by its definition":
            h = (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a))
        y = p["W_y"] @ h + p["b_y"]
        return {"h": h, "y": y}, {"before": state["h"], "h": h, "x": x, "y": y}

    @staticmethod
    def backward(p: Values, kept: Values, lam: Values, error: str) -> tuple[Values, Values, Any]:
        h, lam_y = kept["h"], lam["y"]
        lam_h = lam["h"] + (0 if error == "no path through the output" else p["W_y"].T @ lam_y)
        slope = 1 - h * h
        if error == "slope of the activated value":
            slope = 1 - np.tanh(h) ** 2
        if error == "slope of sigma":
            slope = h * (1 - h)
        if error == "no slope":
            slope = 1
        if error == "slope never 0":
            slope = slope + 1e-10
        delta = lam_h * slope
        W_h = p["W_h"] if error == "no transpose in the recurrence" else p["W_h"].T
        dW_h = column(delta) * kept["before"]
        if error == "by dividing by the weight":
            dW_h = dW_h * p["W_h"] / p["W_h"]
        moved = {
            "W_x": column(delta) * kept["x"], "W_h": dW_h, "b_h": delta,
            "W_y": column(lam_y) * h, "b_y": lam_y,
        }  # fmt: skip
        back = W_h @ delta * (error != "no path through the state")
        return moved, {"h": back, "y": 0}, p["W_x"].T @ delta

    @staticmethod
    def seed(kept: Values, t: int, T: int, data: Values, error: str) -> Values:
        late = error == "targets one step late"
        lam = kept["y"] - data["targets"][max(t - 2, 0) if late else t - 1]
        if error == "squared error without a half":
            lam = 2 * lam
        if error == "mean over the outputs":
            lam = lam / len(lam)
        if error == "only the loss of the last step":
            lam = lam * (t == T)
        return {"h": 0, "y": lam}


class Lstm:
    """The LSTM in the scalar reading, L = h_T: nothing weighs L, and every unit saturates."""

    cell = sg.CATALOGUE["lstm"].scalar()
    objective = sg.final(cell)
    own = (
        "forget gate detached", "input gate detached", "output gate detached", "candidate detached",
        "only the path through c", "no path through c", "no path of h to the gates",
        "c not squashed", "slope of sigma for the candidate", "gates swapped",
        "c after for before", "sigma's slope by exp", "no gradient of c_0",
    )  # fmt: skip

    @staticmethod
    def forward(p: Values, x: Any, state: Values, error: str) -> tuple[Values, Values]:
        a = {k: p[f"w_{k}"] * x + p[f"u_{k}"] * state["h"] + p[f"b_{k}"] for k in "fiog"}
        k = {"f": sigma(a["f"]), "i": sigma(a["i"]), "o": sigma(a["o"]), "g": np.tanh(a["g"])}
        c = k["f"] * state["c"] + k["i"] * k["g"]
        h = k["o"] * np.tanh(c)
        return {"c": c, "h": h}, {**k, "a": a, "c": c, "x": x, "before": state}

    @staticmethod
    def backward(p: Values, kept: Values, lam: Values, error: str) -> tuple[Values, Values, Any]:
        f, i, o, g, c, before = (kept[name] for name in ("f", "i", "o", "g", "c", "before"))
        slope = 1 if error == "c not squashed" else 1 - np.tanh(c) ** 2
        lam_c = lam["c"] * (error != "no path through c") + lam["h"] * o * slope
        before_c = c if error == "c after for before" else before["c"]
        lam_k = {"f": lam_c * before_c, "i": lam_c * g, "o": lam["h"] * np.tanh(c), "g": lam_c * i}
        if error == "gates swapped":
            lam_k["f"], lam_k["i"] = lam_k["i"], lam_k["f"]
        slopes = {"f": f * (1 - f), "i": i * (1 - i), "o": o * (1 - o), "g": 1 - g * g}
        if error == "slope of sigma for the candidate":
            slopes["g"] = g * (1 - g)
        if error == "sigma's slope by exp":
            slopes["f"] = np.exp(-kept["a"]["f"]) / (1 + np.exp(-kept["a"]["f"])) ** 2
        delta = {k: lam_k[k] * slopes[k] for k in "fiog"}
        for k, name in zip("fiog", Lstm.own, strict=False):
            delta[k] = delta[k] * (error != name)
        moved: Values = {}
        for k in "fiog":
            moved |= {f"w_{k}": delta[k] * kept["x"], f"u_{k}": delta[k] * before["h"]}
            moved[f"b_{k}"] = delta[k]
        back = sum(p[f"u_{k}"] * delta[k] for k in "fiog")
        if error in ("only the path through c", "no path of h to the gates"):
            back = 0 * back
        lam_before = {
            "c": lam_c * f * (error != "no gradient of c_0" or kept.get("t") != 1),
            "h": back,
        }
        return moved, lam_before, sum(p[f"w_{k}"] * delta[k] for k in "fiog")

    @staticmethod
    def seed(kept: Values, t: int, T: int, data: Values, error: str) -> Values:
        return {"c": 0, "h": float(t == T)}


MODELS: dict[str, Any] = {"linear": Linear, "rnn": Rnn, "lstm": Lstm}

SHARED = (
    *(f"norm clipped at {limit:g}" for limit in CLIPS),
    *(f"values clipped at {limit:g}" for limit in CLIPS),
    *(f"adjoints clipped at {limit:g}" for limit in CLIPS[:-1]),
    "truncated after 1 step", "truncated after 2 steps", "truncated after 5 steps",
    "state reset at every step", "initial state taken for 0", "no gradient of the initial state",
    "initial state's gradient a step short", "the first step overwritten by the last",
    "parameters of the last step only", "the first step left out", "mean over time",
    "twice as much", "half as much", "wrong sign", "wrong by 1e-10", "computed in float32",
    "rounded to 6 decimals", "rounded to 12 decimals", "0 where tiny", "noise of 1e-12 added",
    "not a number at T = 1", "not a number at 0", "inputs' gradient shifted",
    "states without sign",
)  # fmt: skip

#: Those that show at few T.
LATE = (
    "truncated after 19 steps", "not a number at T = 0", "infinite at T = 13",
)  # fmt: skip


def bptt(name: str, error: str = "") -> Gradient:
    """The gradient function of a model: right, or with one error."""
    model = MODELS[name]
    words = error.split()
    number = next((float(word) for word in words if word[:1].isdigit()), np.inf)

    def gradient(params: Values, inputs: Values, initial: Values, T: int, **data: Any) -> Values:
        if error == "computed in float32":
            params, inputs, initial, data = (
                {k: np.asarray(v, np.float32)[()] for k, v in group.items()}
                for group in (params, inputs, initial, data)
            )
        state = dict(initial)
        if error == "initial state taken for 0":
            state = {k: 0 * v for k, v in state.items()}
        if error == "states without sign":
            state = {k: np.abs(v) for k, v in state.items()}
        start, kept = state, []
        for t in range(1, T + 1):
            if error == "state reset at every step":
                state = start
            state, more = model.forward(params, inputs["x"][t - 1], state, error)
            kept.append({**more, "t": t})
        found = {k: 0 * v for k, v in params.items()}
        dx = 0 * inputs["x"]
        # L = s^⊤ h_0 where there is no step.
        lam = {k: 0 * v for k, v in initial.items()}
        if T == 0 and model is not Rnn:
            lam["h"] = lam["h"] + data.get("cotangent", 1.0)
        for t in range(T, 0, -1):
            seed = model.seed(kept[t - 1], t, T, data, error)
            now = {k: seed[k] + lam.get(k, 0) for k in seed}
            if error.startswith("adjoints clipped"):
                now = {k: np.clip(v, -number, number) for k, v in now.items()}
            if error.startswith("truncated") and T - t >= number:
                now = {k: 0 * v for k, v in now.items()}
            moved, back, dx[t - 1] = model.backward(params, kept[t - 1], now, error)
            counts = error != "the first step left out" or t > 1
            counts = counts and (error != "parameters of the last step only" or t == T)
            for k, v in moved.items():
                overwritten = error == "the first step overwritten by the last" and t < T
                found[k] = v if overwritten else found[k] + v * counts
            if error != "initial state's gradient a step short" or t > 1:
                lam = {k: v for k, v in back.items() if k in initial}
        found = {**found, **lam, "x": dx}
        return spoilt(error, number, found, initial, T)

    return gradient


def spoilt(error: str, number: float, found: Values, initial: Values, T: int) -> Values:
    """What is done to a gradient that is right, for errors that come after it."""

    def all_of(change: Callable[[Any], Any]) -> Values:
        return {k: change(v) for k, v in found.items()}

    simple: dict[str, Callable[[Any], Any]] = {
        "mean over time": lambda v: v / max(T, 1),
        "twice as much": lambda v: 2 * v,
        "half as much": lambda v: v / 2,
        "wrong sign": lambda v: -v,
        "wrong by 1e-10": lambda v: v * (1 + 1e-10),
        "rounded to 6 decimals": lambda v: np.round(v, 6),
        "rounded to 12 decimals": lambda v: np.round(v, 12),
        "0 where tiny": lambda v: np.where(np.abs(v) < 1e-10, 0, v),
        "not a number at T = 1": lambda v: v * np.float64(T - 1) / np.float64(T - 1),
        "not a number at T = 0": lambda v: v * np.float64(T) / np.float64(T),
        "infinite at T = 13": lambda v: v + np.float64(1) / (T - 13) * 0 if T != 13 else v / 0.0,
        "noise of 1e-12 added": lambda v: v + 1e-12,
        "not a number at 0": lambda v: v * v / v,
    }
    if error.startswith("values clipped"):
        return all_of(lambda v: np.clip(v, -number, number))
    if error.startswith("norm clipped"):
        norm = np.sqrt(sum(np.sum(np.square(v)) for v in found.values()))
        return all_of(lambda v: v * min(1, number / norm) if norm > 0 else v)
    if error == "no gradient of the initial state":
        return {k: 0 * v if k in initial else v for k, v in found.items()}
    if error == "inputs' gradient shifted":
        return {**found, "x": np.roll(found["x"], 1, axis=0)}
    return all_of(simple[error]) if error in simple else found
