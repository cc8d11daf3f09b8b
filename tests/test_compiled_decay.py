"""Weight decay in compiled gradients: ρ θ written out here, and the complex step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symgrad.adjoint import backward, loss
from symgrad.cell import Cell
from symgrad.cells import CATALOGUE
from symgrad.errors import UsageError
from symgrad.evaluate.compiled import compile as compile_
from symgrad.lang.nodes import param
from tools import THOROUGH, require_module, require_tool

SIZES = {"n": 2, "m": 3, "p": 2, "q": 2}
T, B, RHO = 4, 3, 0.3


def numbers(cell: Cell, varying: str = "") -> tuple[dict[str, Any], Any, Any]:
    """Parameters, one of them per sample, inputs and targets."""
    random = np.random.default_rng(5)
    params = {}
    for p in cell.params:
        shape = [SIZES[str(s)] for s in p.shape if str(s) != "1"]
        params[p.name] = random.normal(size=[B, *shape] if p.name == varying else shape)
    if cell.is_scalar:
        return params, random.normal(size=(T, B)), random.normal(size=(T, B))
    return params, random.normal(size=(T, B, 3)), random.normal(size=(T, B, 2))


def decayed(cell: Cell) -> list[Any]:
    return [p for p in cell.params if p.name.lower().startswith(("w", "u"))]


def backends(scalar: bool) -> list[str]:
    return ["numpy", "mpmath", "c", "numba"] if scalar else ["numpy", "mpmath"]


#: A compiler takes seconds for the LSTM.
CASES = [
    (name, reading, backend)
    for name in ("rnn", "lstm")
    for reading in ("scalar", "vector")
    for backend in backends(reading == "scalar")
    if THOROUGH or (name, backend) != ("lstm", "numba")
]


@pytest.mark.parametrize(("name", "reading", "backend"), CASES)
@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("vary", [False, True])
def test_it_adds_rho_theta(
    name: str, reading: str, backend: Any, per_sample: bool, vary: bool
) -> None:
    if backend == "c":
        require_tool("cc")
    if backend == "numba":
        require_module("numba")
    cell = CATALOGUE[name].scalar() if reading == "scalar" else CATALOGUE[name]
    chosen = decayed(cell)
    varying = chosen[0].name if vary else ""
    params, x, y = numbers(cell, varying)
    plain = compile_(cell, loss(cell, squared=True), backend=backend)
    objective = loss(cell, squared=True).with_decay(*chosen)
    full = compile_(cell, objective, backend=backend)
    options: dict[str, Any] = {"targets": y, "per_sample": per_sample, "value": True}
    without = plain.gradient(params, {"x": x}, **options)
    with_it = full.gradient({**params, "rho": RHO}, {"x": x}, **options)
    penalty = np.zeros(B)
    for p in cell.params:
        theta = params[p.name]
        samples = theta if p.name == varying else np.broadcast_to(theta, (B, *theta.shape))
        more = RHO * samples if p in chosen else 0 * samples
        if p in chosen:
            penalty += RHO / 2 * (samples**2).reshape(B, -1).sum(axis=1)
        if not per_sample and p.name != varying:
            more = more.sum(axis=0)
        got = np.asarray(with_it[p.name], dtype=float)
        assert got.shape == more.shape
        wanted = np.asarray(without[p.name], dtype=float) + more
        np.testing.assert_allclose(got, wanted, rtol=1e-11)
    got = np.asarray(with_it.value - without.value, dtype=float)
    np.testing.assert_allclose(got, penalty if per_sample else penalty.sum(), rtol=1e-12)


def test_the_complex_step_of_the_value() -> None:
    cell = CATALOGUE["lstm"].scalar()
    params, x, y = numbers(cell)
    objective = loss(cell, squared=True).with_decay(*decayed(cell))
    exact = compile_(cell, objective).gradient({**params, "rho": RHO}, {"x": x}, targets=y)
    moving = compile_(cell, objective, dtype=np.complex128)
    for name in params:
        moved = {**params, "rho": RHO, name: params[name] + 1e-40j}
        value = moving.gradient(moved, {"x": x}, targets=y, value=True).value
        assert value.imag / 1e-40 == pytest.approx(exact[name], rel=1e-12, abs=0)


def test_a_gradient_without_steps_is_that_of_the_decay() -> None:
    cell = CATALOGUE["rnn"]
    params, x, y = numbers(cell)
    objective = loss(cell, squared=True).with_decay(*decayed(cell))
    found = compile_(backward(cell, objective)).gradient(
        {**params, "rho": RHO}, {"x": x[:0]}, targets=y[:0], value=True
    )
    np.testing.assert_allclose(found["W_h"], B * RHO * params["W_h"], rtol=1e-14)
    squares = sum((params[p.name] ** 2).sum() for p in decayed(cell))
    assert found.value == pytest.approx(B * RHO / 2 * squares, rel=1e-14, abs=0)


def test_a_number_or_another_name_as_coefficient() -> None:
    cell = CATALOGUE["rnn"].scalar()
    params, x, y = numbers(cell)
    (theta, *_) = decayed(cell)
    mine = compile_(cell, loss(cell, squared=True).with_decay(theta, rho=param("strength")))
    fixed = compile_(cell, loss(cell, squared=True).with_decay(theta, rho=theta * 0 + 2))
    first = mine.gradient({**params, "strength": 2.0}, {"x": x}, targets=y)
    second = fixed.gradient(params, {"x": x}, targets=y)
    assert first[theta.name] == pytest.approx(second[theta.name], rel=1e-14, abs=0)


def test_the_coefficient_can_be_changed_between_runs() -> None:
    cell = CATALOGUE["rnn"]
    params, x, y = numbers(cell)
    objective = loss(cell, squared=True).with_decay(*decayed(cell))
    run = compile_(cell, objective).prepare({**params, "rho": RHO}, {"x": x}, targets=y)
    before = run()["W_h"].copy()
    run.params["rho"][...] = 2 * RHO
    run.params["W_h"][...] *= 1.0
    np.testing.assert_allclose(run()["W_h"] - before, B * RHO * params["W_h"], rtol=1e-9)


def test_a_missing_coefficient_is_named() -> None:
    cell = CATALOGUE["rnn"]
    params, x, y = numbers(cell)
    made = compile_(cell, loss(cell, squared=True).with_decay(*decayed(cell)))
    with pytest.raises(UsageError, match=r"no value of 'rho', the coefficient of weight decay"):
        made.gradient(params, {"x": x}, targets=y)
    with pytest.raises(UsageError, match=r"'rho' of weight decay has shape \(3,\)"):
        made.gradient({**params, "rho": np.ones(3)}, {"x": x}, targets=y)
