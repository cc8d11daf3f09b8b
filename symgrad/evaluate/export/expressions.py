"""Formulas of one step as array expressions over a batch.

Signals are arrays (B, size), so ``W @ h_{t-1}`` reads ``h_prev @ W.T``; a scalar signal is
(B, 1), which broadcasts. Parameters and sizes have no batch: a column is (n,), a matrix
(n, m). In the scalar reading a signal is (B,) and everything is elementwise.
"""

from __future__ import annotations

from collections.abc import Callable

from symgrad.errors import NotSupportedYet
from symgrad.evaluate.export.dialects import Dialect
from symgrad.evaluate.export.parts import (
    ATOM,
    PREFIX,
    PRODUCT,
    SUM,
    Part,
    at,
    is_batched,
    is_call,
    kind,
    number,
    opposite_of,
)
from symgrad.evaluate.export.structure import Structure
from symgrad.lang.affine import T, t
from symgrad.lang.nodes import (
    Apply,
    Block,
    Const,
    Full,
    IndexValue,
    Iverson,
    Node,
    Param,
    Power,
    Signal,
    Slice,
    walk,
)

#: Functions of a column, and what they give of a single entry; "" for the entry itself.
_OF_COLUMNS = {"softmax": "ones_like", "variance": "zeros_like", "logsumexp": "", "mean": ""}


class Expressions(Structure):
    """Prints formulas for one target.

    Attributes:
        leaf: what a parameter or a signal is called where the formula stands.
        function: what a head of the table, or a generic activation, is called.
        size: what a symbolic size is called.
        flat: the scalar reading.
        shared: names of formulas that were assigned before.
    """

    def __init__(
        self,
        dialect: Dialect,
        leaf: Callable[[Node], str],
        function: Callable[[str], str],
        size: Callable[[str], str],
        *,
        flat: bool,
    ) -> None:
        self.dialect = dialect
        self.leaf = leaf
        self.function = function
        self.size = size
        self.flat = flat
        self.shared: dict[Node, str] = {}

    def text(self, node: Node) -> str:
        """The expression on one line."""
        return self.part(node)[0]

    def part(self, node: Node) -> Part:
        if node in self.shared:
            return self.shared[node], ATOM
        if isinstance(node, Const):
            return number(node.value)
        if isinstance(node, Param | Signal):
            return self.leaf(node), ATOM
        if isinstance(node, IndexValue):
            return self.length(node.form)
        if isinstance(node, Iverson) and node.form == T - t:
            return "last", ATOM
        if isinstance(node, Full):
            return self.full(node), ATOM
        if isinstance(node, Power):
            return self.power(node)
        if isinstance(node, Block):
            return self.block(node), ATOM
        if isinstance(node, Slice):
            return self.slice(node), ATOM
        if isinstance(node, Apply):
            return self._apply(node)
        raise NotSupportedYet(
            f"{node!r} ({type(node).__name__}) cannot be exported; only formulas of one step can"
        )

    # ---- operations ----------------------------------------------------------------------

    def _apply(self, node: Apply) -> Part:
        name = node.head.name
        if name == "add":
            return self._sum(node)
        if name == "neg":
            return f"-{self.at(node.args[0], PREFIX)}", PREFIX
        if name == "mul":
            return self._product(node)
        if name == "div":
            over, under = (self._wide(a, node) for a in node.args)
            return f"{at(over, PRODUCT)} / {at(under, PREFIX)}", PRODUCT
        if name == "matmul":
            return self._matmul(*node.args)
        if name == "transpose":
            return self._transpose(node.args[0])
        if name == "diag":
            return f"{self.at(node.args[0], ATOM)}[..., None] * {self.eye(node)}", PRODUCT
        if name == "total":
            return self._total(node.args[0])
        return self._call(node)

    def _sum(self, node: Apply) -> Part:
        first, *rest = node.args
        text = self._wide(first, node)[0]
        for term in rest:
            opposite = opposite_of(term)
            negative = opposite is not None
            part = self._wide(term if opposite is None else opposite, node)
            text += f" {'-' if negative else '+'} {at(part, PRODUCT)}"
        return text, SUM

    def _product(self, node: Apply) -> Part:
        first, *rest = (self._wide(a, node) for a in node.args)
        parts = [at(first, PRODUCT), *[at(part, PREFIX) for part in rest]]
        return " * ".join(parts), PRODUCT

    def _wide(self, node: Node, of: Node) -> Part:
        """An operand; a scalar per sample gets an axis more beside matrices."""
        part = self.part(node)
        if kind(of) == "matrix" and node.is_scalar and is_batched(node) and not self.flat:
            return f"{at(part, ATOM)}[..., None]", ATOM
        return part

    def _matmul(self, left: Node, right: Node) -> Part:
        shapes = kind(left), kind(right)
        if is_call(left, "diag"):
            scale = self.at(left.args[0], ATOM)
            if shapes[1] == "matrix":
                scale += "[..., None]"
            return f"{scale} * {self.at(right, PREFIX)}", PRODUCT
        if is_call(right, "diag"):
            scale = self.at(right.args[0], ATOM)
            if shapes[0] == "matrix":
                scale += "[..., None, :]"
            return f"{self.at(left, PREFIX)} * {scale}", PRODUCT
        if shapes == ("column", "row"):
            outer = f"{self.at(left, ATOM)}[..., None] * {self.at(right, ATOM)}[..., None, :]"
            return outer, PRODUCT
        if shapes == ("row", "column"):
            return self._inner(left, right)
        if shapes == ("matrix", "column"):
            return self._matrix_times(left, right)
        if shapes == ("row", "matrix") and is_batched(right):
            product = f"{self.at(left, ATOM)}[..., None, :] @ {self.at(right, ATOM)}"
            return f"({product})[..., 0, :]", ATOM
        place = PRODUCT if is_call(left, "matmul") else PREFIX
        return f"{self.at(left, place)} @ {self.at(right, PREFIX)}", PRODUCT

    def _inner(self, left: Node, right: Node) -> Part:
        product = f"{self.at(left, PREFIX)} * {self.at(right, PREFIX)}"
        if is_batched(left) or is_batched(right):
            return self.dialect.sum_last(product), ATOM
        return f"{self.dialect.np}.sum({product})", ATOM

    def _matrix_times(self, matrix: Node, column: Node) -> Part:
        if is_batched(matrix):
            return f"({self.at(matrix, ATOM)} @ {self.at(column, ATOM)}[..., None])[..., 0]", ATOM
        turned = self._transpose(matrix)
        return f"{self.at(column, PREFIX)} @ {at(turned, PREFIX)}", PRODUCT

    def _transpose(self, node: Node) -> Part:
        if is_call(node, "transpose"):
            return self.part(node.args[0])
        if kind(node) != "matrix":
            # Rows and columns are the same arrays.
            return self.part(node)
        if is_batched(node):
            return self.dialect.swapped(self.at(node, ATOM)), ATOM
        return f"{self.at(node, ATOM)}.T", ATOM

    def _total(self, node: Node) -> Part:
        if self.flat or node.is_scalar:
            return self.part(node)
        if not is_batched(node):
            return f"{self.dialect.np}.sum({self.text(node)})", ATOM
        if kind(node) == "matrix":
            return self.dialect.sum_matrix(self.text(node)), ATOM
        return self.dialect.sum_last(self.text(node)), ATOM

    def _call(self, node: Apply) -> Part:
        name = node.head.name
        if name in _OF_COLUMNS and node.args[0].is_scalar:
            # Of a single entry.
            argument = self.part(node.args[0])
            made = _OF_COLUMNS[name]
            return (f"{self.dialect.np}.{made}({argument[0]})", ATOM) if made else argument
        arguments = [self._argument(a) for a in node.args]
        return f"{self.function(name)}({', '.join(arguments)})", ATOM

    def _argument(self, node: Node) -> str:
        text = self.text(node)
        literal = not any(isinstance(item, Param | Signal) for item in walk(node))
        if literal and self.dialect.is_torch:
            # Functions of PyTorch take tensors only.
            return f"torch.tensor({text}{self.dialect.like})"
        return text
