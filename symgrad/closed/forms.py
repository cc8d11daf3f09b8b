"""Forms of a derivative as data: what is equal to what, for which times, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from symgrad.adjoint.objective import Objective
from symgrad.lang.affine import Affine, as_affine
from symgrad.lang.display import Displayable
from symgrad.lang.nodes import Name, Node, fold, substitute_indices, transform
from symgrad.verify.times import Times

ZERO = as_affine(0)

FormKind = Literal["expanded", "closed", "elementary", "restricted", "immediate", "one-step"]


@dataclass(frozen=True)
class Recurrence:
    """y_T = step(y_{T-1}) with y_start given: what an induction on T is built on.

    Attributes:
        previous: the name that stands for y_{T-1} in ``step``.
        step: y_T in terms of ``previous``, at the generic time T.
        start: y at T = ``first``.
        second: y at T = ``first`` + 1, where ``step`` only holds from the next T on.
    """

    previous: Node
    step: Node
    start: Node
    first: Affine = ZERO
    second: Node | None = None


@dataclass(frozen=True)
class Branch:
    """One case of an elementary form.

    Attributes:
        conditions: what is assumed, as pairs (parameter, value) that are equal here.
        excluded: differences that are assumed not to be zero.
        right: the formula, for T >= ``first``.
        recurrence: what it satisfies, under the conditions.
    """

    conditions: tuple[tuple[Node, Node], ...]
    excluded: tuple[Node, ...]
    right: Node
    recurrence: Recurrence
    first: int = 0


@dataclass(frozen=True, repr=False)
class Form(Displayable):
    """``left = right``, with names for repeated parts and the times for which it holds.

    Attributes:
        where: definitions of the names in ``right``, each at the generic time t.
        times: free times with their first and last value.
        first_horizon: the smallest T for which it holds.
        recurrence: for scalar forms, what the value satisfies in T.
        branches: for elementary forms, the branches of ``right`` one by one.
        stable: for elementary forms, the Σ form that is evaluated near an excluded point.
        objective: what L is, for derivatives of ``L``.
        notes: conditions in words.
    """

    display_kind: ClassVar[str] = "form"

    kind: FormKind
    left: Node
    right: Node
    where: tuple[tuple[Name, Node], ...] = ()
    times: Times = ()
    first_horizon: int = 0
    recurrence: Recurrence | None = None
    branches: tuple[Branch, ...] = ()
    stable: Node | None = None
    objective: Objective | None = None
    notes: tuple[str, ...] = ()

    @property
    def full(self) -> Node:
        """The right side with the names written out."""
        return write_out(self.right, self.where)


def write_out(node: Node, where: tuple[tuple[Name, Node], ...]) -> Node:
    """Replace names by their definitions, each at the time it is used.

    A definition may use those before it; it is written at a free time of its own.
    """
    definitions: dict[str, tuple[Name, Node]] = {}

    def change(item: Node) -> Node:
        if not isinstance(item, Name) or item.name not in definitions:
            return item
        written, value = definitions[item.name]
        if item.time is None or written.time is None:
            return value
        (letter,) = written.time.names
        return substitute_indices(value, {letter: item.time})

    for written, value in where:
        definitions[written.name] = (written, transform(value, change))
    return transform(node, change)


def product_over(index: str, lower: Affine, upper: Affine, body: Node) -> Node:
    """Π over a range that is at least empty; a power where nothing depends on the index."""
    if not _mentions(body, index):
        return body ** (upper - lower + 1)
    if lower == upper:
        return substitute_indices(body, {index: lower})
    return fold("prod", index, lower, upper, body)


def _mentions(body: Node, index: str) -> bool:
    return substitute_indices(body, {index: Affine((("⋆", 1),))}) is not body


__all__ = ["Form", "Recurrence", "product_over", "write_out"]
