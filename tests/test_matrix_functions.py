"""Functions of matrices, and of what no sample changes, are taken entry by entry everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from symgrad.adjoint import loss
from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.closed import expanded_form
from symgrad.derivation import verdict_of
from symgrad.evaluate.compiled import compile as compile_
from symgrad.lang.nodes import Node
from symgrad.ops import (
    exp,
    log,
    logsumexp,
    mean,
    norm,
    sigma,
    softmax,
    softplus,
    sqrt,
    tanh,
    total,
    variance,
)

n, m = sizes("n m")
h, x = signal("h", n), input_signal("x", m)
W, U, v, a = param("W", n, m), param("U", n, n), param("v", n), param("a")
SIZES = {"n": 3, "m": 2}


def plain_sigma(z: Any) -> Any:
    return 1 / (1 + anp.exp(-z))


def plain_softmax(z: Any) -> Any:
    return anp.exp(z) / anp.sum(anp.exp(z))


#: name -> (the factor of h_{t-1}, its argument, the same in plain NumPy)
FACTORS: dict[str, tuple[Callable[[Node], Node], Node, Callable[[Any], Any]]] = {
    "tanh of a square matrix": (tanh, U, anp.tanh),
    "sigma of a square matrix": (sigma, U, plain_sigma),
    "sqrt of a square matrix": (lambda z: sqrt(exp(z)), U, lambda z: anp.exp(z / 2)),
    "quotient of square matrices": (lambda z: z / exp(z), U, lambda z: z / anp.exp(z)),
    "weights of norm 1": (lambda z: z / norm(z), U, lambda z: z / anp.sqrt(anp.sum(z**2))),
    "total of a matrix": (total, U, anp.sum),
    "norm of a column": (norm, v, lambda z: anp.sqrt(anp.sum(z**2))),
    "total of a column": (total, v, anp.sum),
    "mean of a column": (mean, v, anp.mean),
    "variance of a column": (variance, v, anp.var),
    "logsumexp of a column": (logsumexp, v, lambda z: anp.log(anp.sum(anp.exp(z)))),
    "softmax of a column": (softmax, v, plain_softmax),
    "sigma of a column": (sigma, v, plain_sigma),
    "sigma of a scalar": (sigma, a, plain_sigma),
    "tanh of a scalar": (tanh, a, anp.tanh),
    "softplus of a scalar": (softplus, a, lambda z: anp.log(1 + anp.exp(z))),
    "log of a scalar": (lambda z: log(1 + exp(z)), a, lambda z: anp.log(1 + anp.exp(z))),
}


def a_cell(name: str) -> Cell:
    function, argument, _ = FACTORS[name]
    factor = function(argument)
    kept = factor @ h.prev if factor.shape == (n, n) else factor * h.prev
    return Cell("kept", [(h, kept + W @ x)], inputs=[x])


@pytest.mark.parametrize("varying", [False, True], ids=["shared", "per sample"])
@pytest.mark.parametrize("name", FACTORS)
def test_the_gradient_is_that_of_the_plain_program(name: str, *, varying: bool) -> None:
    """Against autograd through a loop of one's own, at sizes that are not equal."""
    argument, function = FACTORS[name][1:]
    cell = a_cell(name)
    random = np.random.default_rng(len(name))
    T, B = 3, 2
    own = [size.value(SIZES) for size in argument.shape if str(size) != "1"]
    value = random.normal(size=[B, *own] if varying else own)
    weights, xs = random.normal(size=(3, 2)), random.normal(size=(T, B, 2))
    start, targets = random.normal(size=(B, 3)), random.normal(size=(T, B, 3))

    def whole(theta: Any) -> Any:
        found = 0.0
        for b in range(B):
            factor = function(theta[b] if varying else theta)
            state = start[b]
            for t in range(T):
                kept = factor @ state if anp.ndim(factor) == 2 else factor * state
                state = kept + weights @ xs[t, b]
                found = found + anp.sum((state - targets[t, b]) ** 2) / 2
        return found

    label = repr(argument)
    compiled = compile_(cell, loss(cell, squared=True))
    result = compiled.gradient(
        {"W": weights, label: value}, {"x": xs}, {"h": start}, targets=targets, value=True
    )
    expected = autograd.grad(whole)(value)
    np.testing.assert_allclose(result.value, whole(value), rtol=1e-13)
    assert np.max(np.abs(result[label] - expected)) < 1e-12 * np.max(np.abs(expected))


@pytest.mark.parametrize("function", [tanh, sigma, lambda z: z / norm(z)])
def test_the_formula_for_a_square_matrix_holds(function: Callable[[Node], Node]) -> None:
    cell = Cell("kept", [(h, function(U) @ h.prev + W @ x)], inputs=[x])
    form = expanded_form(cell, "h_t", "U")
    assert verdict_of(cell, form).status in ("proved", "checked")
