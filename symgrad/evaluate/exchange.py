"""Scalar formulas as ordinary SymPy expressions, and as one line that SymPy reads back.

Σ is 0 and Π is 1 whenever upper < lower. SymPy agrees only down to upper = lower - 1
(Karr, Summation in finite terms, J. ACM 28, 1981: beyond that it counts backwards), so
a range that can be emptier for an admissible T >= 0 stands in a ``Piecewise``. Powers
keep their exponent as it is written: ``T*w**(T - 1)``, right at w = 0 and T = 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import sympy
from sympy.printing.str import StrPrinter

from symgrad.errors import NotSupportedYet, ShapeError, UsageError
from symgrad.evaluate.functions import ARITHMETIC, FUNCTIONS
from symgrad.evaluate.names import Expr, SymbolTable
from symgrad.evaluate.paths import (
    Limits,
    Matrix,
    dot,
    identity,
    path_sum,
    product,
    product_over,
    sum_over,
)
from symgrad.evaluate.ranges import admissible, assume, exclude
from symgrad.evaluate.scope import RELATIONS, Scope, piecewise
from symgrad.lang.affine import ONE, Affine, symbol
from symgrad.lang.nodes import (
    Apply,
    Block,
    Cases,
    Condition,
    Const,
    Derivative,
    Fold,
    Full,
    IndexValue,
    Iverson,
    Misfit,
    Name,
    Node,
    Param,
    Power,
    Signal,
    Slice,
    substitute_indices,
)
from symgrad.ops.elementwise import GENERIC


def to_sympy(node: Node) -> Expr:
    """A formula of the scalar reading as a SymPy expression.

    Free indices are taken as 0 <= k <= t <= T. Matrices may occur inside as blocks of
    scalars; the value is a number. Values are the same, derivatives at a kink need not be:
    ``relu_0(x)`` is ``Max(0, x)``, and SymPy has 1/2 for its derivative at 0. Our own
    derivatives keep their convention: ``step_0(x)`` is ``Heaviside(x, 0)``.

    Raises:
        UsageError: the formula is not a number, or holds a matrix of symbolic size.
        NotSupportedYet: a function in it has no counterpart in SymPy.
    """
    return Converter(SymbolTable(node)).formula(node)


def python_text(formula: Expr | Node) -> str:
    """One line that ``sympify`` and, with its names declared, ``from sympy import *`` read back."""
    expression = to_sympy(formula) if isinstance(formula, Node) else formula
    return str(_LinePrinter().doprint(expression))


def equation_text(lhs: Expr | Node, rhs: Expr | Node) -> str:
    """``Eq(lhs, rhs)`` on one line."""
    return f"Eq({python_text(lhs)}, {python_text(rhs)})"


class _LinePrinter(StrPrinter):  # type: ignore[misc]  # SymPy has no types
    def _print_Rational(self, expr: Expr) -> str:
        # Not 2/3, which Python would make a float.
        return f"S({expr.p})/{expr.q}"


class Converter:
    """One conversion: nodes in, SymPy expressions out, over one table of symbols."""

    #: Functions of numbers by the name of their primitive.
    functions: ClassVar[Mapping[str, Callable[..., Expr]]] = FUNCTIONS

    #: Whether a sum inside another binder gets a range that does not depend on the outer
    #: index. SymPy leaves Σ_k Σ_{j<k} as it is or sums the inner one symbolically, which
    #: is wrong at w = 0 where it writes w**k/w.
    widens: ClassVar[bool] = True

    def __init__(self, symbols: SymbolTable) -> None:
        self.symbols = symbols

    def formula(self, node: Node) -> Expr:
        """A number-valued formula, its free indices in their admissible range."""
        indices = {name: self.symbols.index(name) for name in self.symbols.free}
        return self._scalar(node, Scope(indices, admissible(indices)), {})

    # ---- numbers ------------------------------------------------------------------

    def _scalar(self, node: Node, scope: Scope, done: dict[Node, Expr]) -> Expr:
        """``done`` holds the parts already converted in this scope: formulas share parts."""
        found = done.get(node)
        if found is None:
            if not node.is_scalar:
                raise UsageError(
                    f"{node!r} is no number: SymPy gets formulas of the scalar reading; "
                    "use cell.scalar()"
                )
            found = done[node] = self._number(node, scope, done)
        return found

    def _number(self, node: Node, scope: Scope, done: dict[Node, Expr]) -> Expr:
        if isinstance(node, Const):
            return sympy.Rational(node.value.numerator, node.value.denominator)
        if isinstance(node, Param):
            return self.symbols.value(node.name)
        if isinstance(node, Signal):
            return self.symbols.signal(node.label)(scope.affine(node.time))
        if isinstance(node, IndexValue):
            return scope.affine(node.form)
        if isinstance(node, Iverson):
            condition = scope.compare(node.form, "=", Affine())
            return piecewise([sympy.Integer(1), sympy.Integer(0)], [condition, True])
        if isinstance(node, Power):
            return sympy.Pow(self._scalar(node.base, scope, done), scope.affine(node.exponent))
        if isinstance(node, Fold):
            return self._fold(node, scope)[0][0]
        if isinstance(node, Cases):
            return self._cases(node, scope)[0][0]
        if isinstance(node, Name | Derivative):
            name, times = self.symbols.named(node)
            return name(*[scope.affine(time) for time in times]) if times else name
        if isinstance(node, Apply):
            return self._application(node, scope, done)
        if isinstance(node, Slice):
            return self._part(node, scope)[0][0]
        if isinstance(node, Misfit):
            raise ShapeError(node.message)
        raise NotSupportedYet(f"no SymPy form for {node!r} ({type(node).__name__})")

    def _application(self, node: Apply, scope: Scope, done: dict[Node, Expr]) -> Expr:
        head = node.head
        if head.name == "matmul":
            return self._chain(_factors(node), scope)[0][0]
        if head.name == "total":
            return sympy.Add(*[e for row in self._matrix(node.args[0], scope) for e in row])
        operation = self._entry_operation(head.name)
        if operation is None:
            raise NotSupportedYet(f"no SymPy form for {head.name!r} in {node!r}")
        return operation(*[self._scalar(argument, scope, done) for argument in node.args])

    def _entry_operation(self, name: str) -> Callable[..., Expr] | None:
        """What an operation does to numbers; None where it is none that acts entry by entry."""
        plain = name.rstrip("'")
        if plain in GENERIC:
            return lambda x: self._generic(plain, len(name) - len(plain), x)
        return ARITHMETIC.get(name) or self.functions.get(name)

    def _generic(self, name: str, order: int, x: Expr) -> Expr:
        """φ(x), or a derivative of φ at x, which SymPy keeps apart from the x it is taken at."""
        function = self.symbols.function(name)
        if not order:
            return function(x)
        variable = self.symbols.argument()
        return sympy.Subs(sympy.Derivative(function(variable), (variable, order)), variable, x)

    # ---- binders and cases ----------------------------------------------------------

    def _opened(self, node: Fold, scope: Scope) -> tuple[Fold, Expr, Scope]:
        """The fold from an index >= 0 on, the letter of its index, the scope of its body."""
        if not scope.always(node.lower):
            # Index symbols are declared nonnegative: count from 0 instead.
            shifted = {node.index: symbol(node.index) + node.lower}
            key = (node.kind, node.index, Affine(), node.upper - node.lower)
            node = Fold(key, (substitute_indices(node.body, shifted),), node.shape)
        letter = self.symbols.bound(node, scope.letters)
        inner = scope.inside(node.index, letter, node.kind, node.lower, node.upper)
        return node, letter, inner

    def _fold(self, node: Fold, scope: Scope) -> Matrix:
        rows, columns = node.shape
        if node.kind == "prod" and rows == columns and not node.is_scalar:
            return self._chain([node], scope)
        node, letter, inner = self._opened(node, scope)
        lower, upper = node.lower, node.upper
        if self.widens and (node.kind == "sum" or "prod" in scope.kinds):
            lower, upper = scope.widest(lower, upper)
        where: list[Expr] = []
        bound = symbol(node.index)
        if lower != node.lower:
            where.append(inner.compare(bound, "≥", node.lower))
        if upper != node.upper:
            where.append(inner.compare(node.upper, "≥", bound))
        limits = (letter, scope.affine(lower), scope.affine(upper))
        over, empty = _KINDS[node.kind]

        def over_range(entry: Expr) -> Expr:
            value = over(entry, limits, sympy.And(*where))
            return scope.guarded(value, lower, upper, empty)

        return _entrywise(over_range, self._matrix(node.body, inner))

    def _cases(self, node: Cases, scope: Scope) -> Matrix:
        known = scope.known
        branches: list[Matrix] = []
        conditions: list[Expr] = []
        for value, row in zip(node.values, node.conditions, strict=True):
            branches.append(self._matrix(value, scope.where(assume(known, row))))
            conditions.append(sympy.And(*[self._condition(c, scope) for c in row]))
            known = exclude(known, row)
        return _entrywise(lambda *values: piecewise(values, conditions), *branches)

    def _condition(self, condition: Condition, scope: Scope) -> Expr:
        left, right = condition.left, condition.right
        if isinstance(left, Affine) and isinstance(right, Affine):
            return scope.compare(left, condition.relation, right)
        assert isinstance(left, Node)
        assert isinstance(right, Node)
        sides = [self._scalar(side, scope, {}) for side in (left, right)]
        return RELATIONS[condition.relation](*sides)

    # ---- small matrices of numbers ------------------------------------------------------

    def _matrix(self, node: Node, scope: Scope) -> Matrix:
        """The entries of a matrix that is written out."""
        if node.is_scalar:
            return ((self._scalar(node, scope, {}),),)
        if isinstance(node, Block):
            rows: list[tuple[Expr, ...]] = []
            for blocks in node.rows:
                parts = [self._matrix(block, scope) for block in blocks]
                rows += [sum(pieces, ()) for pieces in zip(*parts, strict=True)]
            return tuple(rows)
        if isinstance(node, Full) and node.shape[0].is_const and node.shape[1].is_const:
            height, width = node.shape[0].const, node.shape[1].const
            if node.kind == "identity":
                return identity(height)
            entry = sympy.Integer(1 if node.kind == "ones" else 0)
            return ((entry,) * width,) * height
        if isinstance(node, Slice):
            return self._part(node, scope)
        if isinstance(node, Fold):
            return self._fold(node, scope)
        if isinstance(node, Cases):
            return self._cases(node, scope)
        if isinstance(node, Power):
            if node.is_matrix_power:
                return self._chain([node], scope)
            exponent = scope.affine(node.exponent)
            return _entrywise(lambda e: sympy.Pow(e, exponent), self._matrix(node.base, scope))
        if isinstance(node, Apply):
            return self._matrix_application(node, scope)
        raise UsageError(
            f"{node!r} is a matrix that is not written out in numbers; use cell.scalar()"
        )

    def _part(self, node: Slice, scope: Scope) -> Matrix:
        """Rows and columns of a matrix that is written out."""
        whole = self._matrix(node.whole, scope)
        # What is written out has sizes that are numbers, and so have its parts.
        (top, left), (height, width) = [[f.const for f in p] for p in (node.start, node.shape)]
        return tuple(row[left : left + width] for row in whole[top : top + height])

    def _matrix_application(self, node: Apply, scope: Scope) -> Matrix:
        name = node.head.name
        if name == "matmul":
            return self._chain(_factors(node), scope)
        parts = [self._matrix(argument, scope) for argument in node.args]
        if name == "transpose":
            return tuple(zip(*parts[0], strict=True))
        if name == "diag":
            zero = sympy.Integer(0)
            return tuple(
                tuple(entry if r == c else zero for c in range(len(parts[0])))
                for r, (entry,) in enumerate(parts[0])
            )
        combine = self._entry_operation(name)
        if combine is None:
            raise NotSupportedYet(f"no SymPy form for {name!r} of matrices in {node!r}")
        return _entrywise(combine, *parts)

    def _chain(self, factors: list[Node], scope: Scope) -> Matrix:
        """A product of matrices: written-out ones multiplied, ordered ones between them."""
        right: Matrix | None = None
        rest = list(factors)
        while rest:
            factor = rest.pop()
            if not _is_ordered(factor):
                part = self._matrix(factor, scope)
                right = part if right is None else product(part, right)
                continue
            size = factor.shape[0]
            if not size.is_const:
                raise UsageError(f"{factor!r} has the symbolic size {size}; use cell.scalar()")
            left = identity(size.const)
            explicit: list[Node] = []
            while rest and not _is_ordered(rest[-1]):
                explicit.insert(0, rest.pop())
            if explicit:
                left = self._chain(explicit, scope)
            columns = tuple(zip(*(right or identity(size.const)), strict=True))
            right = tuple(
                tuple(self._ordered(factor, row, column, scope) for column in columns)
                for row in left
            )
        assert right is not None
        return right

    def _ordered(
        self, factor: Node, row: tuple[Expr, ...], column: tuple[Expr, ...], scope: Scope
    ) -> Expr:
        """row · (ordered product) · column."""
        if isinstance(factor, Fold):
            factor, letter, inner = self._opened(factor, scope)
            lower, upper, entries = factor.lower, factor.upper, self._matrix(factor.body, inner)
        else:
            assert isinstance(factor, Power)
            letter = self.symbols.factor(scope.letters)
            lower, upper, entries = ONE, factor.exponent, self._matrix(factor.base, scope)
            inner = scope.inside(letter.name, letter, "prod", lower, upper)
        ends = [scope.affine(form) for form in (lower, upper, *scope.widest(lower, upper))]
        value = self._along_paths(row, entries, column, inner, Limits(letter, *ends))
        return scope.guarded(value, lower, upper, dot(row, column))

    def _along_paths(
        self,
        row: tuple[Expr, ...],
        entries: Matrix,
        column: tuple[Expr, ...],
        inner: Scope,
        limits: Limits,
    ) -> Expr:
        return path_sum(row, entries, column, limits, self.symbols.path(inner.letters))


_KINDS = {"sum": (sum_over, sympy.Integer(0)), "prod": (product_over, sympy.Integer(1))}


def _factors(node: Node) -> list[Node]:
    """The factors of a product of matrices, from left to right."""
    if isinstance(node, Apply) and node.head.name == "matmul":
        return [factor for argument in node.args for factor in _factors(argument)]
    return [node]


def _is_ordered(node: Node) -> bool:
    if node.is_scalar or node.shape[0] != node.shape[1]:
        return False
    return isinstance(node, Power) or (isinstance(node, Fold) and node.kind == "prod")


def _entrywise(function: Callable[..., Expr], *parts: Matrix) -> Matrix:
    """A function of entries; a single number broadcasts."""
    wide = next((p for p in parts if len(p) > 1 or len(p[0]) > 1), parts[0])

    def entry(part: Matrix, r: int, c: int) -> Expr:
        return part[0][0] if len(part) == len(part[0]) == 1 else part[r][c]

    return tuple(
        tuple(function(*[entry(p, r, c) for p in parts]) for c in range(len(wide[0])))
        for r in range(len(wide))
    )
