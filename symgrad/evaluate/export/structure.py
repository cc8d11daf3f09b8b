"""Sizes, powers, blocks and parts of arrays: what depends on the layout of the axes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction

from symgrad.errors import NotSupportedYet
from symgrad.evaluate.export.dialects import Dialect
from symgrad.evaluate.export.parts import (
    ATOM,
    POWER,
    PRODUCT,
    SUM,
    Part,
    at,
    is_batched,
    kind,
    number,
)
from symgrad.lang.affine import Affine
from symgrad.lang.nodes import Block, Const, Full, Node, Power, Slice


class Structure(ABC):
    """Prints what is no arithmetic.

    Attributes:
        dialect: the target.
        size: what a symbolic size is called.
    """

    dialect: Dialect
    size: Callable[[str], str]

    @abstractmethod
    def part(self, node: Node) -> Part:
        """A formula and how strongly it binds."""

    def at(self, node: Node, place: int) -> str:
        """The expression, in parentheses where it binds weaker than its place."""
        return at(self.part(node), place)

    def length(self, form: Affine) -> Part:
        """A size, or a number made of sizes."""
        parts = []
        for name, factor in form.terms:
            if name == "t":
                raise NotSupportedYet(
                    f"a formula that depends on the time itself ({form}) cannot be exported"
                )
            letter = "T" if name == "T" else self.size(name)
            parts.append(letter if factor == 1 else f"{factor} * {letter}")
        if form.const or not parts:
            parts.append(str(form.const))
        text = " + ".join(parts).replace("+ -", "- ")
        if len(parts) > 1:
            return text, SUM
        return text, ATOM if text.isidentifier() or text.isdigit() else PRODUCT

    def power(self, node: Power) -> Part:
        if node.is_matrix_power:
            raise NotSupportedYet(f"the matrix power {node!r} cannot be exported; write products")
        exponent, strength = self.length(node.exponent)
        base, binding = self.part(node.base)
        plain = base.isidentifier() and strength == ATOM and not exponent.startswith("-")
        if binding < ATOM:
            base = f"({base})"
        if strength < ATOM and not exponent.lstrip("-").isdigit():
            exponent = f"({exponent})"
        return (f"{base}**{exponent}" if plain else f"{base} ** {exponent}"), POWER

    def _sizes(self, node: Node) -> list[str]:
        rows, columns = (self.length(form)[0] for form in node.shape)
        if kind(node) == "matrix":
            return [rows, columns]
        return [rows] if kind(node) == "column" else [columns]

    def full(self, node: Full) -> str:
        return self.dialect.made(node.kind, self._sizes(node))

    def eye(self, node: Node) -> str:
        return self.dialect.made("identity", [self.length(node.shape[0])[0]])

    def block(self, node: Block) -> str:
        batched = is_batched(node)
        if kind(node) != "matrix":
            return self.dialect.joined([self._cell(cell, node, batched) for cell in node.args], -1)
        rows = []
        for row in node.rows:
            cells = [self._cell(cell, node, batched) for cell in row]
            rows.append(cells[0] if len(cells) == 1 else self.dialect.joined(cells, -1))
        return rows[0] if len(rows) == 1 else self.dialect.joined(rows, -2)

    def _cell(self, cell: Node, of: Node, batched: bool) -> str:
        """A block with the axes that it has in the whole."""
        text = self.at(cell, ATOM)
        matrix = kind(of) == "matrix"
        own = is_batched(cell)
        if isinstance(cell, Full) and kind(cell) == kind(of) == "matrix" and not batched:
            return text
        if own:
            if matrix and kind(cell) in ("scalar", "column"):
                return f"{text}[..., None]"
            return f"{text}[..., None, :]" if matrix and kind(cell) == "row" else text
        sizes = [self.length(form)[0] for form in cell.shape]
        shape = sizes if matrix else [sizes[0] if kind(of) == "column" else sizes[1]]
        if isinstance(cell, Const):
            return self._filled(cell.value, shape, batched)
        if batched:
            text = self._reshaped(text, shape, cell, matrix)
            full = ", ".join(["batch", *shape])
            return f"{self.dialect.np}.broadcast_to({text}, ({full}))"
        return self._reshaped(text, shape, cell, matrix)

    def _filled(self, value: Fraction, shape: list[str], batched: bool) -> str:
        full = ", ".join(["batch", *shape] if batched else shape)
        comma = "," if len(shape) == 1 and not batched else ""
        literal = number(value)[0]
        literal += "" if "." in literal or "/" in literal else ".0"
        return f"{self.dialect.np}.full(({full}{comma}), {literal}{self.dialect.like})"

    def _reshaped(self, text: str, shape: list[str], cell: Node, matrix: bool) -> str:
        natural = kind(cell) == "matrix" if matrix else kind(cell) in ("column", "row")
        if natural:
            return text
        comma = "," if len(shape) == 1 else ""
        return f"{self.dialect.np}.reshape({text}, ({', '.join(shape)}{comma}))"

    def slice(self, node: Slice) -> str:
        whole = self.at(node.whole, ATOM)
        spans = []
        for start, count, size in zip(node.start, node.shape, node.whole.shape, strict=True):
            if count == size:
                spans.append(":")
                continue
            begin, end = self.length(start)[0], self.length(start + count)[0]
            spans.append(f"{'' if begin == '0' else begin}:{'' if start + count == size else end}")
        before = kind(node.whole)
        if before == "matrix":
            # A row or a column of a matrix keeps no axis of length 1.
            wanted = kind(node)
            index = [
                self.length(begin)[0] if wanted in (other, "scalar") else span
                for begin, span, other in zip(node.start, spans, ("row", "column"), strict=True)
            ]
            text = f"{whole}[..., {', '.join(index)}]"
            return f"{text}[..., None]" if wanted == "scalar" and is_batched(node) else text
        span = spans[0] if before == "column" else spans[1]
        if node.is_scalar and not is_batched(node):
            position = node.start[0] if before == "column" else node.start[1]
            return f"{whole}[{self.length(position)[0]}]"
        return f"{whole}[..., {span}]"
