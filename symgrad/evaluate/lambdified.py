"""Scalar formulas and programs through SymPy's ``lambdify``: a second evaluator.

It shares nothing with ``lang.tape`` but the formulas, so property tests compare the two.
Names in the generated code are numbered by us, never the user's: ``lambdify`` executes
what a symbol is called.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import sympy

from symgrad.errors import NotSupportedYet
from symgrad.evaluate.exchange import Converter
from symgrad.evaluate.generated import (
    COMPLEX128 as COMPLEX128,
)
from symgrad.evaluate.generated import (
    FLOAT64 as FLOAT64,
)
from symgrad.evaluate.generated import (
    Arithmetic,
    CodePrinter,
    Generic,
    Number,
    Ordered,
    helpers,
    kept,
)
from symgrad.evaluate.generated import (
    multiprecision as multiprecision,
)
from symgrad.evaluate.names import Expr, SymbolTable
from symgrad.evaluate.paths import Limits, Matrix
from symgrad.evaluate.scope import Scope
from symgrad.lang.nodes import Derivative, Fold, Name, Node
from symgrad.lang.program import Equation, Program, Sweep

SignalValue = Callable[[str, int], Number]


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
    modules = [helpers(arithmetic, table.activations)]
    function = sympy.lambdify(
        arguments, expression, modules=modules, printer=CodePrinter, cse=False
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
        self.activations: list[str] = []
        self._bound = 0

    def generic(self, name: str) -> int:
        """The number of a generic activation."""
        if name not in self.activations:
            self.activations.append(name)
        return self.activations.index(name)

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


class _Evaluable(Converter):
    """Formulas for evaluation: nothing is rewritten to suit SymPy's ``doit``."""

    functions: ClassVar[Mapping[str, Callable[..., Expr]]] = {
        name: Converter.functions[name] if name in ("exp", "tanh") else kept(name)
        for name in Converter.functions
    }
    widens: ClassVar[bool] = False
    symbols: _NumberedSymbols

    def _generic(self, name: str, order: int, x: Expr) -> Expr:
        return Generic(self.symbols.generic(name), order, x)

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
        return Ordered(*[sympy.Tuple(*part) for part in parts], *bounds)


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
