"""The passage between one matrix on ``[h_{t-1}, x_t]`` and a matrix for each of the two.

``W [h; x]`` is ``W_h h + W_x x``, where W_h and W_x are the columns of W that meet h and x.
"""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.errors import DeclarationError
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Block,
    Node,
    Param,
    Signal,
    block,
    param,
    signals_in,
    transform,
    walk,
)
from symgrad.lang.program import Equation


def has_concatenation(equations: tuple[Equation, ...]) -> bool:
    """Whether a column of blocks stands in a cell."""
    return any(isinstance(node, Block) for e in equations for node in walk(e.value))


def separated(equations: tuple[Equation, ...]) -> tuple[Equation, ...]:
    """The equations with a matrix of its own for each part of a concatenation.

    The matrix of the part made of ``h`` is called ``W_h``.

    Raises:
        DeclarationError: a matrix or a concatenation is used in another way as well.
    """

    def change(item: Node) -> Node:
        if not _is_product(item):
            return item
        matrix, column = item.args
        assert isinstance(matrix, Param)
        assert isinstance(column, Block)
        terms = [
            param(f"{matrix.name}_{name}", (matrix.shape[0], part.shape[0])) @ part
            for name, part in _named_parts(column)
        ]
        return OPERATORS["add"](*terms)

    found = tuple(Equation(e.target, transform(e.value, change)) for e in equations)
    split = {node.args[0] for e in equations for node in walk(e.value) if _is_product(node)}
    for equation in found:
        for node in walk(equation.value):
            if isinstance(node, Block):
                raise DeclarationError(
                    f"equation {equation.target!r}: the concatenation {node!r} does not stand "
                    "right of one matrix, so it cannot be separated"
                )
            if node in split:
                raise DeclarationError(
                    f"equation {equation.target!r}: {node!r} multiplies a concatenation and "
                    "something else; use two matrices"
                )
    return found


def concatenated(equations: tuple[Equation, ...]) -> tuple[Equation, ...]:
    """The equations with one matrix on ``[u; v]`` where a sum has ``A u + B v``.

    The joint matrix takes the name of the first; a matrix used twice stays as it is.
    """
    uses: dict[Node, int] = {}
    for equation in equations:
        for node in walk(equation.value):
            for argument in node.args:
                if isinstance(argument, Param):
                    uses[argument] = uses.get(argument, 0) + 1

    def change(item: Node) -> Node:
        if not (isinstance(item, Apply) and item.head.name == "add"):
            return item
        kept: list[Node] = []
        joined: list[Apply] = []
        for term in item.args:
            plain = isinstance(term, Apply) and term.head.name == "matmul"
            if plain and isinstance(term.args[0], Param) and uses.get(term.args[0]) == 1:
                assert isinstance(term, Apply)
                joined.append(term)
            else:
                kept.append(term)
        if len(joined) < 2:
            return item
        first = joined[0].args[0]
        assert isinstance(first, Param)
        # The states come first: [h_{t-1}, x_t].
        joined.sort(key=lambda term: not _looks_back(term.args[1]))
        column = block([(term.args[1],) for term in joined])
        wide = param(first.name, (first.shape[0], column.shape[0]))
        return OPERATORS["add"](wide @ column, *kept)

    return tuple(Equation(e.target, transform(e.value, change)) for e in equations)


def _is_product(node: Node) -> bool:
    return (
        isinstance(node, Apply)
        and node.head.name == "matmul"
        and isinstance(node.args[0], Param)
        and isinstance(node.args[1], Block)
        and node.args[1].grid[1] == 1
    )


def _looks_back(node: Node) -> bool:
    return any(used.time.const == -1 for used in signals_in(node))


def _named_parts(column: Block) -> Iterator[tuple[str, Node]]:
    """The parts with a name each: that of the first signal in it, numbered where two agree."""
    taken: set[str] = set()
    for number, (part,) in enumerate(column.rows, start=1):
        names = [s.name for s in walk(part) if isinstance(s, Signal)]
        name = names[0] if names and names[0] not in taken else str(number)
        taken.add(name)
        yield name, part
