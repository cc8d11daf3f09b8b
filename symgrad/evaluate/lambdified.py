"""Scalar formulas and programs through SymPy's ``lambdify``: a second evaluator.

It shares nothing with ``lang.tape`` but the formulas, so property tests compare the two.
Names in the generated code are numbered by us, never the user's: ``lambdify`` executes
what a symbol is called. Σ and Π keep our empty ranges, 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

import mpmath
import numpy as np
import sympy
from sympy.printing.pycode import PythonCodePrinter

from symgrad.errors import NotSupportedYet
from symgrad.evaluate.exchange import Converter
from symgrad.evaluate.names import Expr, SymbolTable
from symgrad.evaluate.paths import Limits, Matrix
from symgrad.evaluate.scope import Scope
from symgrad.lang.nodes import Derivative, Fold, Name, Node
from symgrad.lang.program import Equation, Program, Sweep

Number = Any
SignalValue = Callable[[str, int], Number]


@dataclass(frozen=True)
class Arithmetic:
    """The numbers a formula is evaluated in: how to make one, and its functions."""

    number: Callable[[Any], Number]
    functions: Mapping[str, Callable[[Number], Number]]


def _logistic(exp: Callable[[Number], Number]) -> Callable[[Number], Number]:
    def sigma(x: Number) -> Number:
        # exp of a positive number overflows; written so, it never sees one.
        if x.real >= 0:
            return 1 / (1 + exp(-x))
        small = exp(x)
        return small / (1 + small)

    return sigma


def _numpy(number: Callable[[Any], Number]) -> Arithmetic:
    return Arithmetic(number, {"exp": np.exp, "tanh": np.tanh, "sigma": _logistic(np.exp)})


FLOAT64 = _numpy(np.float64)
COMPLEX128 = _numpy(np.complex128)


def multiprecision(digits: int) -> Arithmetic:
    """mpmath numbers with so many digits."""
    context = mpmath.MPContext()
    context.dps = digits
    functions = {"exp": context.exp, "tanh": context.tanh, "sigma": _logistic(context.exp)}

    def number(value: Any) -> Number:
        if isinstance(value, Fraction):
            return context.mpf(value.numerator) / value.denominator
        # NumPy's numbers are not Python's to mpmath.
        return context.mpf(value.item() if isinstance(value, np.generic) else value)

    return Arithmetic(number, functions)


def lambdified(node: Node, arithmetic: Arithmetic = FLOAT64) -> Callable[..., Number]:
    """A function ``(params, signal, T, **indices)`` that evaluates a scalar formula.

    ``params`` holds values by name, ``signal(label, time)`` gives values of signals and
    adjoints, ``indices`` are t, k and other free indices.

    Raises:
        NotSupportedYet: the formula holds a ``Name`` or a ``Derivative``, which have no value.
    """
    table = _NumberedSymbols(node)
    expression = _Evaluable(table).formula(node)
    indices = [name for name in table.free if name != "T"]
    arguments = [*table.values.values(), *table.signals.values(), *table.indices.values()]
    function = sympy.lambdify(
        arguments, expression, modules=[_helpers(arithmetic)], printer=_Printer, cse=False
    )
    number = arithmetic.number

    def evaluate(params: Mapping[str, Any], signal: SignalValue, T: int, **given: int) -> Number:
        if set(given) - set(indices):
            given = {name: value for name, value in given.items() if name in indices}
        free = {"T": T, **given}
        values = [number(params[name]) for name in table.values]
        signals = [_reader(signal, label, number) for label in table.signals]
        return number(function(*values, *signals, *[free[name] for name in table.indices]))

    return evaluate


def _reader(signal: SignalValue, label: str, number: Callable[[Any], Number]) -> Any:
    return lambda time: number(signal(label, int(time)))


class _NumberedSymbols(SymbolTable):
    """Symbols called v0, s0, i0, …; remembers what each stands for."""

    def __init__(self, *roots: Node) -> None:
        super().__init__(*roots)
        self.values: dict[str, Expr] = {}
        self.signals: dict[str, Expr] = {}
        self.indices: dict[str, Expr] = {}
        self._bound = 0

    def value(self, name: str) -> Expr:
        return self.values.setdefault(name, sympy.Symbol(f"v{len(self.values)}", real=True))

    def signal(self, label: str) -> Expr:
        symbol = self.signals.setdefault(label, sympy.Symbol(f"s{len(self.signals)}"))
        return sympy.Function(symbol.name, real=True)

    def index(self, name: str) -> Expr:
        return self.indices.setdefault(name, _index(f"i{len(self.indices)}"))

    def named(self, node: Name | Derivative) -> tuple[Expr, tuple[Any, ...]]:
        raise NotSupportedYet(f"{node!r} is a name without a value; evaluate what it stands for")

    def bound(self, node: Fold, used: Container[str]) -> Expr:
        return self._next_bound()

    def factor(self, used: Container[str]) -> Expr:
        return self._next_bound()

    def _next_bound(self) -> Expr:
        self._bound += 1
        return _index(f"b{self._bound}")


def _index(name: str) -> Expr:
    return sympy.Symbol(name, integer=True, nonnegative=True)


class _Sigma(sympy.Function):  # type: ignore[misc]  # SymPy has no types
    """σ by name: 1/(1 + exp(-x)) overflows."""


class _Ordered(sympy.Expr):  # type: ignore[misc]  # SymPy has no types
    """row · (product of matrices, the highest index on the left) · column, not written out."""

    is_commutative = True


class _Evaluable(Converter):
    """Formulas for evaluation: nothing is rewritten to suit SymPy's ``doit``."""

    functions: ClassVar[Mapping[str, Callable[[Expr], Expr]]] = {
        **Converter.functions,
        "sigma": _Sigma,
    }
    widens: ClassVar[bool] = False

    def _along_paths(
        self,
        row: tuple[Expr, ...],
        entries: Matrix,
        column: tuple[Expr, ...],
        inner: Scope,
        limits: Limits,
    ) -> Expr:
        parts = (row, tuple(e for line in entries for e in line), column)
        bounds = (limits.index, limits.lower, limits.upper)
        return _Ordered(*[sympy.Tuple(*part) for part in parts], *bounds)


class _Printer(PythonCodePrinter):  # type: ignore[misc]  # SymPy has no types
    """Python code over the helpers; a literal is a number of the arithmetic, never a float."""

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        super().__init__({**(settings or {}), "allow_unknown_functions": True})

    def _print_Sum(self, expr: Expr) -> str:
        return self._fold("sum_", expr)

    def _print_Product(self, expr: Expr) -> str:
        return self._fold("prod_", expr)

    def _fold(self, helper: str, expr: Expr) -> str:
        text = str(self._print(expr.function))
        # SymPy merges Σ Σ into one: the first limits are the innermost.
        for index, lower, upper in expr.limits:
            bounds = f"{self._print(lower)}, {self._print(upper)}"
            text = f"{helper}(lambda {self._print(index)}: {text}, {bounds})"
        return text

    def _print__Ordered(self, expr: Expr) -> str:
        row, entries, column, index, lower, upper = expr.args
        return (
            f"ordered_({self._list(row)}, lambda {self._print(index)}: {self._list(entries)}, "
            f"{self._list(column)}, {self._print(lower)}, {self._print(upper)})"
        )

    def _list(self, entries: Expr) -> str:
        return f"[{', '.join(self._print(e) for e in entries)}]"

    def _print_Pow(self, expr: Expr, rational: bool = False) -> str:
        return f"power_({self._print(expr.base)}, {self._print(expr.exp)})"

    def _print_Rational(self, expr: Expr) -> str:
        return f"(number_({expr.p})/number_({expr.q}))"

    def _print_Half(self, expr: Expr) -> str:
        return self._print_Rational(expr)

    def _print_tanh(self, expr: Expr) -> str:
        return f"tanh_({self._print(expr.args[0])})"

    def _print_exp(self, expr: Expr) -> str:
        return f"exp_({self._print(expr.args[0])})"

    def _print__Sigma(self, expr: Expr) -> str:
        return f"sigma_({self._print(expr.args[0])})"

    def _print_Mul(self, expr: Expr) -> str:
        return "(" + "*".join(f"({self._print(f)})" for f in expr.args) + ")"


def _helpers(arithmetic: Arithmetic) -> dict[str, Any]:
    """What the generated code calls."""
    number = arithmetic.number

    def power(base: Any, exponent: int) -> Number:
        return number(base) ** int(exponent)

    def fold_sum(body: Callable[[int], Number], lower: int, upper: int) -> Number:
        return sum((body(i) for i in range(lower, upper + 1)), number(0))

    def fold_product(body: Callable[[int], Number], lower: int, upper: int) -> Number:
        result = number(1)
        for i in range(lower, upper + 1):
            result = body(i) * result
        return result

    def ordered(
        row: list[Number],
        factor: Callable[[int], list[Number]],
        column: list[Number],
        lower: int,
        upper: int,
    ) -> Number:
        size = len(row)
        for i in range(lower, upper + 1):
            entries = factor(i)
            rows = [entries[r * size : (r + 1) * size] for r in range(size)]
            column = [sum(a * b for a, b in zip(line, column, strict=True)) for line in rows]
        return sum(a * b for a, b in zip(row, column, strict=True))

    def of_number(function: Callable[[Number], Number]) -> Callable[[Any], Number]:
        return lambda x: function(number(x))

    functions = {f"{name}_": of_number(f) for name, f in arithmetic.functions.items()}
    return {
        "number_": number,
        "power_": power,
        "sum_": fold_sum,
        "prod_": fold_product,
        "ordered_": ordered,
        **functions,
    }


# ---- programs -----------------------------------------------------------------------


@dataclass
class Run:
    """The values of one run: signals and adjoints by (label, time), gradients by name."""

    values: dict[tuple[str, int], Number] = field(default_factory=dict)
    totals: dict[str, Number] = field(default_factory=dict)


@dataclass(frozen=True)
class _Step:
    """The equations of one sweep, each a function."""

    sweep: Sweep
    equations: tuple[tuple[str, Callable[..., Number]], ...]
    at_start: tuple[tuple[str, Callable[..., Number]], ...]
    terms: tuple[tuple[str, Callable[..., Number]], ...]


def lambdified_program(program: Program, arithmetic: Arithmetic = FLOAT64) -> Callable[..., Run]:
    """A function ``(params, initial, signal, T)`` that runs the sweeps of a scalar program.

    Every equation goes through ``lambdify`` once. An adjoint that a backward sweep
    computes is zero at T + 1.
    """

    def made(equations: tuple[Equation, ...]) -> tuple[tuple[str, Callable[..., Number]], ...]:
        return tuple((e.target.label, lambdified(e.value, arithmetic)) for e in equations)

    steps = [
        _Step(
            sweep,
            made(sweep.equations),
            made(sweep.at_start),
            tuple((a.name, lambdified(a.term, arithmetic)) for a in sweep.accumulators),
        )
        for sweep in program.sweeps
    ]
    backwards = {e.target.label for s in program.sweeps if s.direction < 0 for e in s.equations}

    def run(
        params: Mapping[str, Any], initial: Mapping[str, Any], signal: SignalValue, T: int
    ) -> Run:
        result = Run()

        def read(label: str, time: int) -> Number:
            if (label, time) in result.values:
                return result.values[label, time]
            if time == 0 and label in initial:
                return initial[label]
            if time > T and label in backwards:
                return 0
            return signal(label, time)

        for step in steps:
            forward = step.sweep.direction == 1
            for t in range(1, T + 1) if forward else range(T, 0, -1):
                for label, function in step.equations:
                    result.values[label, t] = function(params, read, T, t=t)
                for name, function in step.terms:
                    term = function(params, read, T, t=t)
                    result.totals[name] = result.totals.get(name, arithmetic.number(0)) + term
            for label, function in step.at_start:
                result.values[label, 0] = function(params, read, T, t=0)
            for name, _ in step.terms:
                result.totals.setdefault(name, arithmetic.number(0))
        return result

    return run
