"""Forward equations in PyTorch, JAX and autograd: an algebra over the arrays of each.

Only values are computed here, with the framework's own tanh, σ and softmax; its
differentiation does the rest. Each package is optional.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np

from symgrad.errors import UsageError
from symgrad.evaluate.compiled.problem import Array
from symgrad.lang.algebra import Algebra, Value, at_kink

#: Which package a framework needs, as pip calls it.
PACKAGES = {"torch": "torch", "jax": "jax", "autograd": "autograd"}


class ArrayAlgebra(Algebra):
    """Arithmetic over arrays with NumPy's functions: ``xp`` is the namespace they are in."""

    def __init__(self, xp: Any, array: Callable[[Any], Value]) -> None:
        self.xp, self.array = xp, array
        self.direct = {
            "tanh": self._call(xp.tanh),
            "sigma": self._call(self._sigma),
            "softplus": self._call(lambda x: xp.logaddexp(0 * x, x)),
            "softmax": self._softmax,
            "logsumexp": self._logsumexp,
        }

    def _call(self, function: Callable[[Value], Value]) -> Callable[[Value], Value]:
        # A rational constant is a Python number, which not every framework takes.
        return lambda x: function(self.array(x) if isinstance(x, float) else x)

    def _sigma(self, x: Value) -> Value:
        return self.xp.exp(-self.xp.logaddexp(0 * x, -x))

    def _softmax(self, x: Value) -> Value:
        shifted = self.exp(x - self.xp.max(x))
        return shifted / self.xp.sum(shifted)

    def _logsumexp(self, x: Value) -> Value:
        largest = self.xp.max(x)
        return self._matrix(self.xp.log(self.xp.sum(self.exp(x - largest))) + largest, x)

    def _matrix(self, number: Value, like: Value) -> Value:
        """One number as a matrix of one entry, where matrices are used."""
        return self.xp.reshape(number, (1, 1)) if _is_matrix(like) else number

    def const(self, value: Fraction) -> Value:
        return value.numerator / value.denominator

    def matmul(self, left: Value, right: Value) -> Value:
        both = _is_matrix(left) and _is_matrix(right)
        return left @ right if both else left * right

    def transpose(self, value: Value) -> Value:
        return self.xp.swapaxes(value, -1, -2) if _is_matrix(value) else value

    def total(self, value: Value) -> Value:
        return self._matrix(self.xp.sum(value), value) if _is_matrix(value) else value

    def diagonal(self, value: Value) -> Value:
        return value * self.eye(value.shape[-2]) if _is_matrix(value) else value

    def filled(self, rows: int, columns: int, value: Fraction) -> Value:
        return self.array(np.full((rows, columns), self.const(value)))

    def eye(self, size: int) -> Value:
        return self.array(np.eye(size))

    def blocks(self, rows: list[list[Value]]) -> Value:
        grid = [
            [c if _is_matrix(c) else self.xp.reshape(self.array(c), (1, 1)) for c in row]
            for row in rows
        ]
        return self.xp.concatenate([self.xp.concatenate(row, -1) for row in grid], -2)

    def inverse(self, value: Value) -> Value:
        return 1 / value

    def div(self, left: Value, right: Value) -> Value:
        return left / right

    def exp(self, value: Value) -> Value:
        return self._call(self.xp.exp)(value)

    def log(self, value: Value) -> Value:
        return self._call(self.xp.log)(value)

    def sqrt(self, value: Value) -> Value:
        return self._call(self.xp.sqrt)(value)

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        value = self.array(value) if isinstance(value, float) else value
        if at_zero is None and bool(self.xp.any(value == 0)):
            raise at_kink()
        there = self.array(float(at_zero or 0))
        low, high = self.array(0.0), self.array(1.0)
        return self.xp.where(value > 0, high, self.xp.where(value < 0, low, there))

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        # The slope is that of the factor, which is constant: the convention is kept.
        return value * self.step(value, at_zero)

    def is_zero(self, value: Value) -> bool:
        return bool(self.xp.all(self.array(value) == 0))


def _is_matrix(value: Value) -> bool:
    return getattr(value, "ndim", 0) >= 2


#: L from its arguments, in the arrays of a framework and their algebra.
Function = Callable[[Sequence[Value], Algebra], Value]


def differentiated(framework: str, function: Function, leaves: Sequence[Array]) -> list[Array]:
    """The gradient of a function of arrays, by the framework; float64 throughout.

    Raises:
        UsageError: the package is not installed; the message says how to install it.
    """
    return {"torch": _by_torch, "jax": _by_jax, "autograd": _by_autograd}[framework](
        function, leaves
    )


def _package(framework: str, module: str = "") -> Any:
    package = PACKAGES[framework]
    try:
        return import_module(module or package)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise UsageError(
            f"gradients by {framework} need the package {package}: pip install {package}"
        ) from None


def _by_torch(function: Function, leaves: Sequence[Array]) -> list[Array]:
    torch = _package("torch")

    def array(x: Any) -> Value:
        return x if isinstance(x, torch.Tensor) else torch.tensor(np.array(x), dtype=torch.float64)

    algebra = ArrayAlgebra(torch, array)
    tensors = [torch.tensor(leaf, dtype=torch.float64, requires_grad=True) for leaf in leaves]
    value = function(tensors, algebra)
    if not getattr(value, "requires_grad", False):
        return [np.zeros(leaf.shape) for leaf in leaves]
    found = torch.autograd.grad(value.sum(), tensors, allow_unused=True)
    return [
        np.zeros(leaf.shape) if slope is None else slope.numpy()
        for leaf, slope in zip(leaves, found, strict=True)
    ]


def _by_jax(function: Function, leaves: Sequence[Array]) -> list[Array]:
    jax = _package("jax")
    with _double_precision(jax):
        xp = jax.numpy
        algebra = ArrayAlgebra(xp, lambda x: xp.asarray(x, dtype=xp.float64))
        slopes = jax.grad(lambda given: xp.sum(algebra.array(function(given, algebra))))
        found = slopes([xp.asarray(leaf, dtype=xp.float64) for leaf in leaves])
        return [np.asarray(slope) for slope in found]


def _double_precision(jax: Any) -> AbstractContextManager[Any]:
    """JAX computes in float32 unless told otherwise; here for the time of one call."""
    switch = getattr(jax, "enable_x64", None)
    if switch is None:  # before JAX 0.8
        switch = _package("jax", "jax.experimental").enable_x64
    manager: AbstractContextManager[Any] = switch(True)
    return manager


def _by_autograd(function: Function, leaves: Sequence[Array]) -> list[Array]:
    autograd = _package("autograd")
    xp = _package("autograd", "autograd.numpy")

    def array(x: Any) -> Value:
        return np.asarray(x, dtype=np.float64) if isinstance(x, float | np.ndarray) else x

    algebra = ArrayAlgebra(xp, array)
    with warnings.catch_warnings():
        # An L that depends on nothing has the gradient 0, which is right.
        warnings.filterwarnings("ignore", "Output seems independent of input")
        found = autograd.grad(lambda given: xp.sum(function(given, algebra)))(
            [np.array(leaf, dtype=np.float64) for leaf in leaves]
        )
    return [np.asarray(slope) for slope in found]
