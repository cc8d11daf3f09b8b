"""Formulas of cells as text that is read back to the very same node.

Each operation prints its parentheses so that the reader builds the same tree; nothing is
reordered or flattened. Two syntaxes share one precedence.
"""

from __future__ import annotations

from symgrad.errors import NotSupportedYet
from symgrad.lang.affine import ONE, Affine, t
from symgrad.lang.nodes import Apply, Block, Const, Full, IndexValue, Node, Param, Power, Signal
from symgrad.lang.nodes import Slice as SliceNode
from symgrad.lang.text import compact
from symgrad.ops import GENERIC
from symgrad.render.latex_math import latex
from symgrad.render.notation_names import name_box, signal_box

# A sum, then * and /, then @, then what stands without parentheses everywhere.
SUM, LOOSE, TIGHT, ATOM = range(4)
_Part = tuple[str, int]


class TextWriter:
    """Formulas as they stand in a ``.cell`` file."""

    def write(self, node: Node) -> str:
        """The formula on one line.

        Raises:
            NotSupportedYet: a node that no cell's text can spell.
        """
        return self.part(node)[0]

    def wrapped(self, node: Node, place: int) -> str:
        text, strength = self.part(node)
        return f"({text})" if strength < place else text

    def part(self, node: Node) -> _Part:
        """The text and how strongly it binds."""
        match node:
            case Const():
                return self.number(node)
            case Param():
                return self.param(node), ATOM
            case Signal():
                if node.adjoint or node.time not in (t, t - 1):
                    raise self.impossible(node)
                return self.signal(node), ATOM
            case IndexValue():
                if len(node.form.terms) == 1 and not node.form.const:
                    ((name, count),) = node.form.terms
                    if count == 1:
                        return name, ATOM
                raise self.impossible(node)
            case Full():
                return self.full(node)
            case Power():
                return self.power(node)
            case Block():
                return self.block(node), ATOM
            case SliceNode():
                return self.slice(node), ATOM
            case Apply():
                return self.application(node)
        raise self.impossible(node)

    def impossible(self, node: Node) -> NotSupportedYet:
        return NotSupportedYet(
            f"{node!r} ({type(node).__name__}) cannot stand in the text of a cell"
        )

    # ---- leaves -----------------------------------------------------------------------

    def number(self, node: Const) -> _Part:
        value = node.value
        if value < 0:
            return f"-{self.quotient(abs(value.numerator), value.denominator)}", SUM
        text = self.quotient(value.numerator, value.denominator)
        return text, ATOM if value.denominator == 1 else LOOSE

    def quotient(self, over: int, under: int) -> str:
        return str(over) if under == 1 else f"{over}/{under}"

    def param(self, node: Param) -> str:
        return node.name

    def signal(self, node: Signal) -> str:
        return f"{node.name}_t" if node.time == t else f"{node.name}_{{t-1}}"

    def full(self, node: Full) -> _Part:
        if node.kind == "identity":
            return "I", ATOM
        if node.shape[1] != ONE:
            raise self.impossible(node)
        return (self.ones, ATOM) if node.kind == "ones" else (f"0 {self.times} {self.ones}", LOOSE)

    ones = "𝟏"

    # ---- operations -------------------------------------------------------------------

    def application(self, node: Apply) -> _Part:
        name, args = node.head.name, node.args
        if name in ("add", "mul") and len(args) != 2:
            return self.call(name, *args), ATOM
        match name:
            case "add":
                left, right = args
                sign, term = self.signed(right)
                return f"{self.wrapped(left, SUM)} {sign} {self.wrapped(term, LOOSE)}", SUM
            case "neg":
                return f"-{self.wrapped(args[0], LOOSE)}", SUM
            case "mul":
                return f"{self.wrapped(args[0], LOOSE)} {self.times} {self.tight(args[1])}", LOOSE
            case "div":
                return self.division(*args)
            case "matmul":
                return self.product(*args)
            case "transpose":
                return self.transpose(args[0]), ATOM
        return self.called(node)

    times = "*"

    def signed(self, node: Node) -> tuple[str, Node]:
        """The sign of a later term, and the term: a + (-b) is a - b."""
        if isinstance(node, Apply) and node.head.name == "neg":
            return "-", node.args[0]
        if isinstance(node, Const) and node.value < 0:
            return "-", -node
        return "+", node

    def tight(self, node: Node) -> str:
        return self.wrapped(node, TIGHT)

    def division(self, over: Node, under: Node) -> _Part:
        return f"{self.wrapped(over, LOOSE)} / {self.wrapped(under, ATOM)}", LOOSE

    def product(self, left: Node, right: Node) -> _Part:
        # Chains are read from the right: only that way they need no parentheses.
        chained = isinstance(right, Apply) and right.head.name == "matmul"
        after = self.part(right)[0] if chained else self.wrapped(right, ATOM)
        return f"{self.wrapped(left, ATOM)}{self.at}{after}", TIGHT

    at = " @ "

    def transpose(self, node: Node) -> str:
        return f"{self.wrapped(node, ATOM)}.T"

    def power(self, node: Power) -> _Part:
        if not node.exponent.is_const:
            raise self.impossible(node)
        exponent = node.exponent.const
        base = node.base
        text, strength = self.part(base)
        if strength < ATOM or isinstance(base, Power) or self.is_scripted(base):
            text = f"({text})"
        return self.raised(text, exponent), ATOM

    def is_scripted(self, node: Node) -> bool:
        """Whether what is printed has a superscript already."""
        return isinstance(node, Apply) and node.head.name == "transpose"

    def raised(self, base: str, exponent: int) -> str:
        return f"{base}^{exponent}" if exponent >= 0 else f"{base}^({exponent})"

    def called(self, node: Apply) -> _Part:
        name = node.head.name
        spelt = {"total": "sum"}.get(name, name)
        if "'" in name or name in ("add", "mul"):
            raise self.impossible(node)
        return self.call(spelt, *node.args), ATOM

    def call(self, name: str, *args: Node) -> str:
        return f"{name}({', '.join(self.part(a)[0] for a in args)})"

    def block(self, node: Block) -> str:
        return "[" + "; ".join(", ".join(map(self.write, row)) for row in node.rows) + "]"

    def slice(self, node: SliceNode) -> str:
        ranges = [
            ":" if size == whole else f"{compact(start)}:{compact(start + size)}"
            for start, size, whole in zip(node.start, node.shape, node.whole.shape, strict=True)
        ]
        kept = ranges[:1] if node.whole.shape[1] == ONE else ranges
        return f"{self.wrapped(node.whole, ATOM)}[{', '.join(kept)}]"


class LatexWriter(TextWriter):
    """The same formulas in LaTeX, spelt out where the render layer would rearrange them."""

    # A bold 1 is a literal that broadcasts; this one has a size.
    ones = r"\mathbb{1}"
    times = r"\odot"
    at = r"\,"

    def quotient(self, over: int, under: int) -> str:
        return str(over) if under == 1 else rf"\frac{{{over}}}{{{under}}}"

    def number(self, node: Const) -> _Part:
        text, strength = super().number(node)
        return text, ATOM if node.value >= 0 else strength

    def param(self, node: Param) -> str:
        return latex_name(node.name)

    def signal(self, node: Signal) -> str:
        return latex(signal_box(node.name, node.time))

    def division(self, over: Node, under: Node) -> _Part:
        return rf"\frac{{{self.write(over)}}}{{{self.write(under)}}}", ATOM

    def transpose(self, node: Node) -> str:
        text, strength = self.part(node)
        plain = strength == ATOM and isinstance(node, Param | Signal)
        return rf"{text if plain else f'({text})'}^{{\top}}"

    def raised(self, base: str, exponent: int) -> str:
        return f"{base}^{{{exponent}}}"

    def call(self, name: str, *args: Node) -> str:
        inside = ", ".join(self.part(a)[0] for a in args)
        return rf"{latex_function(name)}({inside})"

    def block(self, node: Block) -> str:
        rows = r" \\ ".join(" & ".join(map(self.write, row)) for row in node.rows)
        return rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}"

    def slice(self, node: SliceNode) -> str:
        ranges = [
            ":" if size == whole else f"{compact(start + 1)}:{compact(start + size)}"
            for start, size, whole in zip(node.start, node.shape, node.whole.shape, strict=True)
        ]
        kept = ranges[:1] if node.whole.shape[1] == ONE else ranges
        return f"({self.write(node.whole)})_{{{', '.join(kept)}}}"


_MACROS = ("tanh", "exp", "log")


def latex_name(name: str) -> str:
    """A name as the render layer prints it."""
    return latex(name_box(name))


def latex_function(name: str) -> str:
    """The name of a function: a macro where there is one, a letter, or a word."""
    if name == "sigma" or (name in GENERIC and len(name.split("_")[0]) == 1):
        return latex_name(name)
    if (
        name in GENERIC
        and latex_name(name.split("_")[0]).startswith("\\")
        and ("mathrm" not in latex_name(name))
    ):
        return latex_name(name)
    if name in _MACROS:
        return "\\" + name
    return rf"\operatorname{{{name.replace('_', chr(92) + '_')}}}"


def size_text(size: Affine) -> str:
    """A size in a declaration: ``2n``, ``n+m``."""
    return compact(size)
