"""NumPy functions of the primitives, ``function(x, out)``, and helpers of generated code.

Accurate in the relative sense: σ(-700) is 1e-304 with all its digits, not 0. (1 - σ(x) for
large x keeps no more digits than float64 has; so do gradients that contain s (1 - s). For
those use more digits.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from symgrad.errors import NotSupportedYet, OutsideDomain
from symgrad.evaluate.compiled.problem import Array

Function = Callable[..., Any]


def _sigma(x: Array, out: Array | None = None) -> Array:
    # 1 / (1 + e^-x): where e^-x overflows the result is 0, which is right below 1e-308.
    if out is None:
        # NumPy gives numbers, which nothing can be written into, for what has no axis.
        out = np.empty_like(x)
    np.negative(x, out)
    np.exp(out, out)
    np.add(out, 1, out)
    return np.reciprocal(out, out)


def _complex_sigma(x: Array, out: Array | None = None) -> Array:
    # An infinite complex number is no number: exp must not overflow.
    positive = np.real(x) >= 0
    small = np.exp(np.where(positive, -x, x))
    return _into(out, np.where(positive, 1 / (1 + small), small / (1 + small)))


def _into(out: Array | None, value: Array) -> Array:
    if out is None:
        return value
    np.copyto(out, value)
    return out


def _softplus(x: Array, out: Array | None = None) -> Array:
    positive = np.real(x) >= 0
    small = np.log1p(np.exp(np.where(positive, -x, x)))
    return _into(out, np.where(positive, x, 0) + small)


def _step(at_zero: Fraction | None, x: Array, out: Array | None = None) -> Array:
    real = np.real(x)
    zero = real == 0
    if at_zero is None and np.any(zero):
        raise OutsideDomain(
            "a function with a kink (relu, max, abs) is differentiated exactly at its kink; "
            "choose a convention there, such as relu_0, or move the point"
        )
    there = 0.0 if at_zero is None else float(at_zero)
    return _into(out, np.where(zero, there, np.where(real > 0, 1.0, 0.0)).astype(x.dtype))


def _relu(x: Array, out: Array | None = None) -> Array:
    return _into(out, np.where(np.real(x) > 0, x, np.zeros_like(x)))


def _max(a: Array, b: Array, out: Array | None = None) -> Array:
    return _into(out, np.where(np.real(a) > np.real(b), a, b))


def _abs(x: Array, out: Array | None = None) -> Array:
    return _into(out, np.where(np.real(x) < 0, -x, x))


def _sign(at_zero: Fraction | None, x: Array, out: Array | None = None) -> Array:
    half = None if at_zero is None else Fraction(1, 2)
    step = _step(half, np.asarray(x))
    return _into(out, 2 * step - 1)


def _checked(
    function: Function, name: str, *, zero: bool, x: Array, out: Array | None = None
) -> Array:
    """log and sqrt refuse what has no real value, instead of NaN."""
    real = np.real(x)
    if not np.all((real >= 0) if zero else (real > 0)):
        raise OutsideDomain(f"{name} of a number that is {'negative' if zero else 'not positive'}")
    result: Array = function(x, out) if out is not None else function(x)
    return result


def _log(x: Array, out: Array | None = None) -> Array:
    return _checked(np.log, "log", zero=False, x=x, out=out)


def _sqrt(x: Array, out: Array | None = None) -> Array:
    return _checked(np.sqrt, "sqrt", zero=True, x=x, out=out)


#: Suffixes of functions with a kink, and the value of ``step`` at 0.
KINKS: dict[str, Fraction | None] = {
    "": None,
    "_0": Fraction(0),
    "_half": Fraction(1, 2),
    "_1": Fraction(1),
}


def numpy_functions(dtype: np.dtype[Any]) -> dict[str, Function]:
    """The functions of all heads but generic ones, by head."""
    functions: dict[str, Function] = {
        "exp": np.exp,
        "tanh": np.tanh,
        "sigma": _complex_sigma if dtype.kind == "c" else _sigma,
        "log": _log,
        "sqrt": _sqrt,
        "softplus": _softplus,
        "sign": partial(_sign, None),
        "sign_0": partial(_sign, Fraction(0)),
        "abs": _abs,
        "abs_0": _abs,
    }
    for suffix, at_zero in KINKS.items():
        functions[f"step{suffix}"] = partial(_step, at_zero)
        functions[f"relu{suffix}"] = _relu
        functions[f"max{suffix}"] = _max
    return functions


def functions_for(
    heads: frozenset[str],
    known: Mapping[str, Function],
    own: Mapping[str, Function],
    backend: str,
    structural: frozenset[str],
) -> dict[str, Function]:
    """The function of every head that occurs.

    Raises:
        NotSupportedYet: a head without code, named.
    """
    wanted = sorted(heads - structural)
    missing = [head for head in wanted if head not in own and head not in known]
    if missing:
        listed = ", ".join(f"{head!r}: …" for head in missing)
        raise NotSupportedYet(
            f"the {backend} backend has no code for {' and '.join(map(repr, missing))}; give it as "
            f"functions={{{listed}}}, or use another backend"
        )
    return {head: _plain(own[head]) if head in own else known[head] for head in wanted}


def _plain(function: Function) -> Function:
    def call(*args: Any) -> Any:
        *values, out = args
        return _into(out, function(*values))

    return call


# ---- helpers on (rows, columns, batch) ---------------------------------------------------


def product(a: Array, b: Array) -> Array:
    """Matrix products of each sample: (r, k, B) and (k, c, B); a batch of 1 broadcasts."""
    result: Array = (a[:, :, None, :] * b[None, :, :, :]).sum(axis=1)
    return result


def matrix_power(a: Array, exponent: int) -> Array:
    """The power of each sample's matrix, by squaring."""
    if exponent < 0:
        raise ArithmeticError("a matrix power with a negative exponent")
    size = a.shape[0]
    result = np.zeros(a.shape, dtype=a.dtype)
    for i in range(size):
        result[i, i] = a.flat[0] * 0 + 1
    while exponent:
        if exponent & 1:
            result = product(result, a)
        exponent >>= 1
        if exponent:
            a = product(a, a)
    return result


def integer_power(a: Array, exponent: int) -> Array:
    """``a ** exponent`` entry by entry, by squaring; 1 for the exponent 0."""
    if exponent < 0:
        return 1 / integer_power(a, -exponent)
    result = a * 0 + 1
    while exponent:
        if exponent & 1:
            result = result * a
        exponent >>= 1
        if exponent:
            a = a * a
    return result


def diagonal(a: Array) -> Array:
    """The diagonal matrix of each sample's column (n, 1, B)."""
    size = a.shape[0]
    result = np.zeros((size, size, a.shape[2]), dtype=a.dtype)
    for i in range(size):
        result[i, i] = a[i, 0]
    return result


def blocks(columns: int, *parts: Array) -> Array:
    """Block matrices of each sample, row by row."""
    batch = max(part.shape[2] for part in parts)
    wide = [np.broadcast_to(part, (*part.shape[:2], batch)) for part in parts]
    lines = [
        np.concatenate(wide[start : start + columns], axis=1)
        for start in range(0, len(wide), columns)
    ]
    return np.concatenate(lines, axis=0)


def softmax(exp: Function, a: Array) -> Array:
    """exp(a) / Σ exp(a) over the rows, from the largest entry down."""
    e = exp(a - _largest(a))
    return e / e.sum(axis=(0, 1))  # type: ignore[no-any-return]


def logsumexp(exp: Function, log: Function, a: Array) -> Array:
    """log Σ exp(a) over the rows, from the largest entry down."""
    top = _largest(a)
    return (top + log(exp(a - top).sum(axis=(0, 1))))[None, None]  # type: ignore[no-any-return]


def mean(a: Array) -> Array:
    """The mean of the rows."""
    return (a.sum(axis=0) / a.shape[0])[None]  # type: ignore[no-any-return]


def variance(a: Array) -> Array:
    """The mean of the squares of what the rows differ from their mean."""
    gap = a - mean(a)
    return mean(gap * gap)


def _largest(a: Array) -> Array:
    # Of a complex number the real part alone: any constant may be taken out.
    return np.max(np.real(a), axis=(0, 1))  # type: ignore[no-any-return]
