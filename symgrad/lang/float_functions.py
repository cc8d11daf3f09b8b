"""Functions of NumPy numbers, real or complex, that neither overflow nor lose small values."""

from __future__ import annotations

from typing import Any

import numpy as np

Value = Any


def softplus(value: Value) -> Value:
    """log(1 + e^x), entry by entry."""
    # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): exp never overflows.
    positive = np.real(value) >= 0
    return np.where(positive, value, 0) + _log1p(np.exp(np.where(positive, -value, value)))


def _log1p(value: Value) -> Value:
    """log(1 + z); NumPy's own loses the real part of small complex numbers."""
    if not np.iscomplexobj(value):
        return np.log1p(value)
    real, imag = np.real(value), np.imag(value)
    return np.log1p(real * (2 + real) + imag**2) / 2 + 1j * np.arctan2(imag, 1 + real)


def softmax(value: Value) -> Value:
    """e^x / Σ e^x over the rows and columns."""
    shifted = np.exp(value - np.max(np.real(value), axis=(-1, -2), keepdims=True))
    return shifted / shifted.sum(axis=(-1, -2), keepdims=True)


def logsumexp(value: Value) -> Value:
    """log Σ e^x over the rows and columns."""
    largest = np.max(np.real(value), axis=(-1, -2), keepdims=True)
    return largest + np.log(np.exp(value - largest).sum(axis=(-1, -2), keepdims=True))


def sigmoid(value: Value) -> Value:
    """1 / (1 + e^-x), entry by entry."""
    # Both branches of the textbook's stable form: exp never overflows. The sign is that of
    # the real part and never 0, else the complex step along a real part of 0 is lost.
    positive = np.real(value) >= 0
    small = np.exp(np.where(positive, -value, value))
    return np.where(positive, 1 / (1 + small), small / (1 + small))[()]
