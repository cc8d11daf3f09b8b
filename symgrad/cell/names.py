"""What a declaration is written with: sizes, parameters and signals.

A signal or a parameter of no size is a scalar; one size makes a column, two a matrix.
"""

from __future__ import annotations

import re

from symgrad.errors import DeclarationError
from symgrad.lang import nodes
from symgrad.lang.affine import ONE, Affine, as_affine, symbol, t
from symgrad.lang.nodes import Param, Shape, Signal

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
#: Letters of times, which no declared name can be.
RESERVED = {"T", "t", "k", "j", "L"}
_RESERVED_PREFIXES = ("lam_", "delta_", "dl_", "target_", "pre_", "mu_")


def check_name(name: str, what: str) -> str:
    """The name, if it can be one.

    Raises:
        DeclarationError: not letters, digits and single underscores; or reserved.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DeclarationError(
            f"{name!r} cannot name a {what}: use letters, digits and single underscores, "
            "a letter first (W_h, x, alpha)"
        )
    if name in RESERVED:
        raise DeclarationError(
            f"{name!r} cannot name a {what}: T is the horizon, t, k and j are times, "
            f"L is the objective; choose another letter, such as {name}_1"
        )
    for prefix in _RESERVED_PREFIXES:
        if name.startswith(prefix):
            raise DeclarationError(
                f"{name!r} cannot name a {what}: names that begin with {prefix} are those of "
                "adjoints; choose another name"
            )
    return name


def sizes(names: str) -> tuple[Affine, ...]:
    """Symbolic sizes from a string of names: ``n, m = sizes("n m")``."""
    found = names.replace(",", " ").split()
    if not found:
        raise DeclarationError('sizes needs at least one name, such as sizes("n m")')
    return tuple(symbol(check_name(name, "size")) for name in found)


def symbol_size(name: str) -> Affine:
    """One symbolic size."""
    return symbol(check_name(name, "size"))


def _is_size(size: object) -> bool:
    if isinstance(size, Affine):
        return size.const >= 1 if size.is_const else not size.names & RESERVED
    return isinstance(size, int) and not isinstance(size, bool) and size >= 1


def _shape(name: str, dimensions: tuple[Affine | int, ...]) -> Shape:
    if len(dimensions) > 2:
        raise DeclarationError(
            f"{name!r} has {len(dimensions)} sizes; give at most two, rows and columns"
        )
    for size in dimensions:
        if not _is_size(size):
            raise DeclarationError(
                f"size {size} of {name!r} is neither a symbolic size nor a positive integer; "
                'make symbolic sizes with n, m = sizes("n m")'
            )
    rows = as_affine(dimensions[0]) if dimensions else ONE
    columns = as_affine(dimensions[1]) if len(dimensions) == 2 else ONE
    return (rows, columns)


def param(name: str, *dimensions: Affine | int) -> Param:
    """A parameter, the same at every time: ``W = param("W", n, m)``, ``b = param("b", n)``."""
    return nodes.param(check_name(name, "parameter"), _shape(name, dimensions))


def signal(name: str, size: Affine | int = 1) -> Signal:
    """A signal at time t, computed by an equation; ``.prev`` is its value at t - 1."""
    return nodes.signal(check_name(name, "signal"), _shape(name, (size,)), t)


def input_signal(name: str, size: Affine | int = 1) -> Signal:
    """A signal at time t that is given from outside; list it in the cell's ``inputs``."""
    return signal(name, size)
