"""Arithmetic of one step as text for compiled languages, one number for each value.

C and Python write sums, products and calls alike, so both use this; the functions that it
calls (``f_sigma``) and the loops around it are theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from symgrad.errors import NotSupportedYet
from symgrad.evaluate.compiled.plan import Number, Op, Operand, Plan, Section, Value
from symgrad.lang.affine import Affine
from symgrad.lang.base import SCALAR

#: Functions of one or two numbers that the compiled languages have.
FUNCTIONS = frozenset(
    {"exp", "log", "sqrt", "sigma", "tanh", "softplus", "sign", "sign_0", "abs", "abs_0"}
    | {"softmax", "logsumexp", "mean", "variance"}
    | {f"{name}{kink}" for name in ("step", "relu", "max") for kink in ("", "_0", "_half", "_1")}
)
#: Operations that the text below writes itself.
WRITTEN = frozenset(
    {"add", "mul", "neg", "div", "power", "matpower", "matmul"}
    | {"index", "iverson", "full", "transpose", "diag", "total"}
)


def check_scalar(plan: Plan, backend: str, instead: str) -> None:
    """Refuse what is no arithmetic of single numbers.

    Raises:
        NotSupportedYet: a head without code, or a value that is a vector or a matrix.
    """
    unknown = sorted(plan.heads - FUNCTIONS - WRITTEN - {"block", "slice"})
    if unknown:
        raise NotSupportedYet(
            f"the {backend} backend has no code for {unknown[0]!r}; use backend='numpy'"
        )
    values = [*plan.params, *plan.inputs, *plan.states, *plan.givens]
    values += [op.target for section in plan.sections for op in section.ops]
    wide = next((value for value in values if value.shape != SCALAR), None)
    if wide is not None:
        what = f"{wide.label!r}" if wide.label else "a value"
        raise NotSupportedYet(
            f"the {backend} backend evaluates scalar cells; {what} of {plan.name!r} is a vector or "
            f"a matrix: {instead}"
        )


def form(affine: Affine) -> str:
    """An affine form in t and T as an integer; the loop variable counts from 0."""
    parts = [f"{c} * {'(t + 1)' if name == 't' else name}" for name, c in affine.terms]
    return f"({' + '.join([*parts, str(affine.const)])})"


def fraction(value: Fraction) -> str:
    """A literal with all digits of a double."""
    if value.denominator == 1:
        return f"{value.numerator}.0"
    return f"({value.numerator}.0 / {value.denominator}.0)"


def text(op: Op, name: Callable[[Operand], str]) -> str:
    """The right-hand side of an operation."""
    args = [name(a) for a in op.args]
    if op.head == "add":
        signs = ["" if op.data[0] > 0 else "-", *[" + " if s > 0 else " - " for s in op.data[1:]]]
        return "".join(f"{s}{a}" for s, a in zip(signs, args, strict=True))
    if op.head in ("mul", "matmul"):
        return " * ".join(args)
    if op.head == "div":
        return f"{args[0]} / {args[1]}"
    if op.head == "neg":
        return f"-{args[0]}"
    if op.head in ("transpose", "diag", "total"):
        return args[0]
    if op.head in ("power", "matpower"):
        return f"f_power({args[0]}, {form(op.data[0])})"
    if op.head == "index":
        return f"(1.0 * {form(op.data[0])})"
    if op.head == "iverson":
        return f"(1.0 * ({form(op.data[0])} == 0))"
    if op.head == "full":
        return "0.0" if op.data[0] == "zeros" else "1.0"
    return f"f_{op.head}({', '.join(args)})"


def name_of(operand: Operand) -> str:
    """A value by its name in the plan, a literal as it is."""
    return fraction(operand.value) if isinstance(operand, Number) else operand.name


def assignments(section: Section) -> Iterator[tuple[Value, str]]:
    """Each value that a section assigns, with its text."""
    for op in section.ops:
        yield op.target, text(op, name_of)


def operands_of(section: Section) -> list[Operand]:
    """What the operations of a section read."""
    return [a for op in section.ops for a in op.args]
