"""The NumPy backend beside a hand-written backward pass of the scalar LSTM.

The pass by hand is what a good engineer writes: gates below each other in one array, arrays
made once, ``out=`` everywhere, products with the parameters as matrix products.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symgrad.adjoint import loss
from symgrad.cells import CATALOGUE
from symgrad.evaluate.compiled import compile as compile_

Array = Any


def sigmoid(x: Array, out: Array) -> None:
    np.negative(x, out)
    np.exp(out, out)
    np.add(out, 1.0, out)
    np.reciprocal(out, out)


def by_hand(
    W: Array, U: Array, b: Array, x: Array, h_0: Array, c_0: Array, target: Array
) -> tuple[Array, ...]:
    """dL/dW, dL/dU, dL/db of the gates f, i, o, g and dL/dh_0, dL/dc_0; x is (T, B)."""
    T, B = x.shape
    gates, tanh_c = np.empty((T, 4, B)), np.empty((T, B))
    c, h = np.empty((T + 1, B)), np.empty((T + 1, B))
    h[0], c[0] = h_0, c_0
    z, more, part = np.empty((4, B)), np.empty((4, B)), np.empty(B)
    W_column, U_column, b_column = W[:, None], U[:, None], b[:, None]
    with np.errstate(over="ignore"):
        for t in range(T):
            np.multiply(W_column, x[t], z)
            np.multiply(U_column, h[t], more)
            np.add(z, more, z)
            np.add(z, b_column, z)
            gate = gates[t]
            sigmoid(z[:3], gate[:3])
            np.tanh(z[3], gate[3])
            np.multiply(gate[0], c[t], c[t + 1])
            np.multiply(gate[1], gate[3], part)
            np.add(c[t + 1], part, c[t + 1])
            np.tanh(c[t + 1], tanh_c[t])
            np.multiply(gate[2], tanh_c[t], h[t + 1])
    dW, dU, db = np.zeros(4), np.zeros(4), np.zeros(4)
    dh, dc = np.zeros(B), np.zeros(B)
    d, left, u, v = np.empty((4, B)), np.empty((3, B)), np.empty(B), np.empty(B)
    for t in range(T - 1, -1, -1):
        f, i, o, g = gates[t]
        np.add(dh, h[t + 1], dh)
        np.subtract(dh, target[t], dh)
        np.multiply(dh, o, u)
        np.multiply(tanh_c[t], tanh_c[t], v)
        np.subtract(1.0, v, v)
        np.multiply(v, u, v)
        np.add(dc, v, dc)
        np.subtract(1.0, gates[t, :3], left)
        np.multiply(u, tanh_c[t], d[2])
        np.multiply(d[2], left[2], d[2])
        np.multiply(dc, i, u)
        np.multiply(g, g, v)
        np.subtract(1.0, v, v)
        np.multiply(u, v, d[3])
        np.multiply(u, g, d[1])
        np.multiply(d[1], left[1], d[1])
        np.multiply(dc, f, dc)
        np.multiply(dc, c[t], d[0])
        np.multiply(d[0], left[0], d[0])
        np.matmul(U, d, dh)
        dW += d @ x[t]
        dU += d @ h[t]
        db += d.sum(axis=1)
    return dW, dU, db, dh, dc


def arguments(T: int, B: int) -> tuple[tuple[Array, ...], dict[str, Any]]:
    """The same values for the pass by hand and for the compiled function."""
    random = np.random.default_rng(T + B)
    W, U, b = random.normal(size=(3, 4))
    x, target = random.normal(size=(2, T, B))
    h_0, c_0 = random.normal(size=(2, B))
    params = {
        f"{name}_{gate}": values[k]
        for name, values in (("w", W), ("u", U), ("b", b))
        for k, gate in enumerate("fiog")
    }
    named = {"params": params, "inputs": {"x": x}, "initial": {"h": h_0, "c": c_0}}
    return (W, U, b, x, h_0, c_0, target), {**named, "targets": target}


def median_times(functions: list[Callable[[], object]], repetitions: int) -> list[float]:
    """Medians of interleaved runs, so that what else the machine does hits all alike."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repetitions):
        for entry, function in zip(times, functions, strict=True):
            start = time.perf_counter()
            function()
            entry.append(time.perf_counter() - start)
    return [statistics.median(entry) for entry in times]


@pytest.mark.parametrize("B", [1, 1000, 9001])
def test_the_pass_by_hand_gives_the_same(B: int) -> None:
    cell = CATALOGUE["lstm"].scalar()
    f = compile_(cell, loss(cell, squared=True))
    positional, named = arguments(5, B)
    dW, dU, db, dh, dc = by_hand(*positional)
    found = f.gradient(**named)
    for name, values in (("w", dW), ("u", dU), ("b", db)):
        for gate, value in zip("fiog", values, strict=True):
            assert abs(found[f"{name}_{gate}"] - value) <= 1e-11 * np.max(np.abs(values))
    for name, value in (("h", dh), ("c", dc)):
        assert np.all(np.abs(found[name] - value) <= 1e-11 * np.max(np.abs(value)))


def test_numpy_is_about_as_fast_as_by_hand() -> None:
    cell = CATALOGUE["lstm"].scalar()
    f = compile_(cell, loss(cell, squared=True))
    positional, named = arguments(100, 1000)
    f.gradient(**named)
    hand, ours = median_times([lambda: by_hand(*positional), lambda: f.gradient(**named)], 15)
    # Measured alone it is 0.95; other work on the machine makes single runs vary.
    assert ours < 1.3 * hand


def test_time_grows_with_the_horizon_and_the_code_does_not() -> None:
    cell = CATALOGUE["lstm"].scalar()
    f = compile_(cell, loss(cell, squared=True))
    f.gradient(**arguments(2, 3)[1])
    f.gradient(**arguments(200, 3)[1])
    assert len(f.backend._compiled) == 1
