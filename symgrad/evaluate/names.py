"""Names and symbols of the exchange with SymPy: one policy, made in one place.

Values are real; T, t, k and other indices are integers >= 0. A signal is a function of
time. A name that ``from sympy import *``, Python or its builtins already use gets a
trailing underscore, which no declared name can have: the map is one to one. SymPy's
parser is never asked; only ``Symbol`` and ``Function`` are called.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Container
from functools import cache
from typing import Any, TypeAlias

import sympy

from symgrad.lang.nodes import Apply, Derivative, Fold, Name, Node, Param, Signal, walk
from symgrad.lang.text import free_names
from symgrad.ops.elementwise import GENERIC

#: SymPy ships no type information; this says in signatures what is meant.
Expr: TypeAlias = Any

_SUM_LETTERS = ("k", "j", "i", "p", "q", "r")
_PRODUCT_LETTERS = ("j", "i", "k", "p", "q", "r")
_PATH_LETTERS = ("p", "q", "r")
_LETTERS = {"λ": "lam", "δ": "delta", "ℓ": "l", "∂": "d", "⁺": "plus", "φ": "phi", "σ": "sigma"}


@cache
def _taken() -> frozenset[str]:
    return frozenset((*sympy.__all__, *keyword.kwlist, *dir(builtins)))


def python_name(name: str) -> str:
    """The name in SymPy-readable text: ``h``, ``beta_``; one to one on declared names."""
    spelt = "".join(_LETTERS.get(letter, letter) for letter in name)
    plain = re.sub(r"[^A-Za-z0-9_]", "_", spelt)
    if not plain[:1].isalpha():
        plain = f"v{plain}"
    return f"{plain}_" if plain in _taken() else plain


def declared_name(text: str) -> str:
    """The inverse of ``python_name`` on declared names and labels."""
    return text.removesuffix("_")


def value_symbol(name: str) -> Expr:
    """A parameter: a real symbol."""
    return sympy.Symbol(python_name(name), real=True)


def index_symbol(name: str) -> Expr:
    """T, t, k and the like: an integer >= 0."""
    return sympy.Symbol(python_name(name), integer=True, nonnegative=True)


def signal_function(label: str) -> Expr:
    """A signal or an adjoint: a real function of time."""
    return sympy.Function(python_name(label), real=True)


def _short(node: Node) -> tuple[str, tuple[Any, ...]]:
    """A name without its time, and the times."""
    if isinstance(node, Signal):
        return node.label, (node.time,)
    if isinstance(node, Name):
        return node.name, () if node.time is None else (node.time,)
    if isinstance(node, Param):
        return node.name, ()
    return repr(node), ()


def named_parts(node: Name | Derivative) -> tuple[str, tuple[Any, ...]]:
    """How a ``Name`` or a ``Derivative`` is called, and the times it depends on.

    ``dL/dw`` is ``dL_dw``, ``dh_T/dh_k`` is ``dh_dh(T, k)``; an immediate derivative
    begins with ``immediate_``, a restricted one ends with ``_along_`` and the signals.
    """
    if isinstance(node, Name):
        return _short(node)
    (of, of_times), (wrt, wrt_times) = _short(node.of), _short(node.wrt)
    text = f"d{of}_d{wrt}"
    if node.kind == "immediate":
        text = f"immediate_{text}"
    if node.along:
        text = f"{text}_along_{'_'.join(node.along)}"
    return text, (*of_times, *wrt_times)


class SymbolTable:
    """The symbols of one formula, readable ones; the same formula always gets the same."""

    def __init__(self, *roots: Node) -> None:
        declared: set[str] = set()
        generic: dict[str, None] = {}
        for node in walk(*roots):
            if isinstance(node, Param):
                declared.add(python_name(node.name))
            elif isinstance(node, Signal):
                declared.add(python_name(node.label))
            elif isinstance(node, Apply) and node.head.name.rstrip("'") in GENERIC:
                generic[node.head.name.rstrip("'")] = None
        free = {n for root in roots for n in free_names(root) if not n.startswith("#")}
        self.free = tuple(sorted(free | {"T"}))
        self._declared = frozenset(declared)
        self._named: dict[str, str] = {}
        self._functions: dict[str, str] = {}
        for activation in sorted(generic):
            # A signal may have its name: f(t) is the signal, f__(a) the function.
            plain = python_name(activation)
            while plain in {*declared, *self.free, *self._functions.values()}:
                plain += "__"
            self._functions[activation] = plain

    def value(self, name: str) -> Expr:
        return value_symbol(name)

    def index(self, name: str) -> Expr:
        return index_symbol(name)

    def signal(self, label: str) -> Expr:
        return signal_function(label)

    def function(self, name: str) -> Expr:
        """A generic activation: a real function of a number."""
        return sympy.Function(self._functions[name], real=True)

    def argument(self) -> Expr:
        """The variable with respect to which a generic activation is differentiated."""
        return sympy.Symbol(self._letter(("xi",), ()).name, real=True)

    def named(self, node: Name | Derivative) -> tuple[Expr, tuple[Any, ...]]:
        """A symbol, or a function and its times; never one that a declaration uses."""
        text, times = named_parts(node)
        plain = python_name(text)
        taken = {*self._declared, *self._functions.values()}
        while plain in taken or self._named.setdefault(plain, text) != text:
            plain += "__"
        if times:
            return sympy.Function(plain, real=True), times
        return sympy.Symbol(plain, real=True), ()

    def bound(self, node: Fold, used: Container[str]) -> Expr:
        """The letter of a bound index: the first that stands for nothing else here."""
        return self._letter(_SUM_LETTERS if node.kind == "sum" else _PRODUCT_LETTERS, used)

    def path(self, used: Container[str]) -> Expr:
        """The letter that numbers paths."""
        return self._letter(_PATH_LETTERS, used)

    def factor(self, used: Container[str]) -> Expr:
        """The letter that numbers the factors of a power."""
        return self._letter(_PRODUCT_LETTERS, used)

    def _letter(self, wanted: tuple[str, ...], used: Container[str]) -> Expr:
        numbered = (f"{wanted[0]}{i}" for i in range(1, 1000))
        letters = (*wanted, *numbered)
        taken = {*self._declared, *self.free, *self._functions.values()}
        return index_symbol(next(a for a in letters if a not in taken and a not in used))
