"""The arithmetic that NumPy code runs in, and what the code calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.errors import UsageError
from symgrad.evaluate.compiled import functions as helper
from symgrad.evaluate.compiled.functions import Function, numpy_functions
from symgrad.evaluate.compiled.problem import Array


@dataclass
class Numbers:
    """The arithmetic: how to make a number and an array, and the functions of heads."""

    dtype: np.dtype[Any]
    number: Callable[[Any], Any]
    functions: Mapping[str, Function]

    def fraction(self, value: Fraction) -> Any:
        return self.number(value.numerator) / self.number(value.denominator)

    def zeros(self, *shape: int) -> Array:
        array = np.zeros(shape, dtype=self.dtype)
        if self.dtype.kind == "O":
            array[...] = self.number(0)
        return array

    def full(self, kind: str, rows: int, columns: int) -> Array:
        array = self.zeros(rows, columns)
        if kind == "identity":
            for i in range(rows):
                array[i, i] = self.number(1)
        elif kind == "ones":
            array[...] = self.number(1)
        return array


def numpy_numbers(dtype: Any) -> Numbers:
    """Floating-point numbers of a NumPy type."""
    found = np.dtype(dtype)
    if found.kind not in "fc":
        raise UsageError(
            f"dtype {found}: use float64, float32, longdouble, complex128, or the mpmath backend"
        )
    return Numbers(found, found.type, numpy_functions(found))


def helpers(numbers: Numbers) -> dict[str, Any]:
    """What the generated code calls, by the name it has there."""
    return {
        "add": np.add,
        "subtract": np.subtract,
        "multiply": np.multiply,
        "divide": np.divide,
        "negative": np.negative,
        "matmul": np.matmul,
        "dot": np.dot,
        "copyto": np.copyto,
        "add_reduce": np.add.reduce,
        "number": numbers.number,
        "full": numbers.full,
        "zero": numbers.number(0),
        **{name: getattr(helper, name) for name in _HELPER_NAMES},
    }


_HELPER_NAMES = (
    "product", "matrix_power", "integer_power", "diagonal", "blocks", "softmax", "logsumexp",
    "mean", "variance",
)  # fmt: skip
