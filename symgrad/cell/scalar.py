"""The scalar reading: the same formulas at shape (1, 1), where everything commutes."""

from __future__ import annotations

from symgrad.cell.names import RESERVED
from symgrad.lang.affine import ONE
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Apply,
    Full,
    IndexValue,
    Node,
    Param,
    Signal,
    const,
    index_value,
    param,
    signal,
    transform,
)


def lower_case(name: str) -> str:
    """The name a parameter or a signal has in the scalar reading."""
    return name.lower()


def scalar_node(node: Node) -> Node:
    """A vector formula with every size set to 1 and every name in lower case."""

    def change(item: Node) -> Node:
        if isinstance(item, Param):
            return param(lower_case(item.name), SCALAR)
        if isinstance(item, Signal):
            return signal(lower_case(item.name), SCALAR, item.time, item.adjoint)
        if isinstance(item, Full):
            return const(0 if item.kind == "zeros" else 1)
        if isinstance(item, Apply):
            name = item.head.name
            if name == "matmul":
                return OPERATORS["mul"](*item.args)
            if name in ("transpose", "diag", "total"):
                return item.args[0]
        if isinstance(item, IndexValue):
            # A size that stands in a formula, as n in the mean of n entries.
            sizes = item.form.names - RESERVED
            return index_value(item.form.substitute(dict.fromkeys(sizes, ONE)))
        return item

    return transform(node, change)
