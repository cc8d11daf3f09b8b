"""Formulas as NumPy expressions over identifiers that are safe whatever the user's names are.

Signals are dictionaries by time, ``h[t - 1]``; sizes are written as numbers. No text of a
user reaches the program: every name passes through ``Names``.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from symgrad.lang.affine import Affine
from symgrad.lang.nodes import (
    SCALAR,
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
    Node,
    Param,
    Power,
    Signal,
    Slice,
    index_value,
)

#: An expression and how tightly it binds: 0 not at all (a conditional), 1 a sum, 2 a product.
Text = tuple[str, int]
_LOOSE, _SUM, _PRODUCT, _ATOM = range(4)

_RESERVED = {
    *keyword.kwlist,
    *("np", "T", "range", "sum", "print", "list", "dict", "time", "value", "move", "past"),
    *("first", "along", "put", "forward", "base", "chain", "slope", "weights", "objective"),
    *("left", "right", "given", "name", "factor", "factors", "result", "jacobian", "gradient"),
    *("key", "like", "unit", "row", "column", "found", "start", "size", "run", "a", "b", "total"),
    *("penalty", "step", "keep", "complex"),
}

#: Functions that NumPy has under a name of its own, and those that need a line.
_NUMPY = {"tanh": "np.tanh", "exp": "np.exp", "log": "np.log", "sqrt": "np.sqrt"}
_DEFINED = {
    "sigma": "1 / (1 + np.exp(-a))",
    "softplus": "np.log(1 + np.exp(a))",
    "softmax": "np.exp(a) / np.sum(np.exp(a))",
    "logsumexp": "np.log(np.sum(np.exp(a), keepdims=True))",
    "mean": "np.mean(a, keepdims=True)",
    "variance": "np.mean((a - np.mean(a)) ** 2, keepdims=True)",
    "step": "np.where(np.real(a) > 0, 1.0, 0.0)[()]",
    "step_half": "np.where(np.real(a) == 0, 0.5, np.real(a) > 0)[()]",
    "step_1": "np.where(np.real(a) >= 0, 1.0, 0.0)[()]",
    "sign_0": "np.sign(np.real(a))",
    "relu": "np.where(np.real(a) > 0, a, 0 * a)[()]",
    "sign": "np.where(np.real(a) > 0, 1.0, -1.0)[()]",
    "abs": "np.where(np.real(a) > 0, a, -a)[()]",
    "max": "np.where(np.real(a - b) > 0, a, b)[()]",
}
_CONVENTION = re.compile(r"_(0|half|1)$")


class Unprintable(ValueError):
    """A formula that a short NumPy program cannot hold."""


@dataclass
class Names:
    """An identifier for each thing that has a name: ASCII, unique, not taken by the program."""

    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, kind: str, name: str) -> str:
        if (kind, name) == ("index", "T"):
            return "T"
        found = self.known.get((kind, name))
        if found is None:
            found = re.sub(r"\W", "_", name, flags=re.ASCII) or "_"
            if found[0].isdigit() or found.strip("_") == "":
                found = f"k{found}"
            while found in _RESERVED or found in _FUNCTION_NAMES or found in self.known.values():
                found += "_"
            self.known[kind, name] = found
        return found


_FUNCTION_NAMES = set(_DEFINED)


@dataclass
class Printer:
    """Prints formulas; collects the functions that they use."""

    names: Names
    sizes: Mapping[str, int]
    functions: dict[str, str] = field(default_factory=dict)

    def text(self, node: Node) -> str:
        """The expression of a formula."""
        return self._text(node)[0]

    def affine(self, form: Affine) -> str:
        """A time or an exponent, with sizes as numbers."""
        form = form.substitute({n: Affine(const=v) for n, v in self.sizes.items()})
        parts: list[str] = []
        for name, c in sorted(form.terms, key=lambda item: item[1] < 0):
            letter = self.names.of("index", _index(name))
            size = letter if abs(c) == 1 else f"{abs(c)} * {letter}"
            sign = "-" if c < 0 else "+"
            parts.append(f"{sign} {size}" if parts else size if c > 0 else f"-{size}")
        if form.const or not parts:
            sign = "-" if form.const < 0 else "+"
            parts.append(f"{sign} {abs(form.const)}" if parts else str(form.const))
        return " ".join(parts)

    def signal(self, node: Signal) -> str:
        return f"{self.names.of('signal', node.label)}[{self.affine(node.time)}]"

    def shape(self, node: Node) -> tuple[int, int]:
        rows, columns = (size.value(self.sizes) for size in node.shape)
        return rows, columns

    def _text(self, node: Node) -> Text:
        if isinstance(node, Const):
            return number(node.value)
        if isinstance(node, Param):
            return self.names.of("param", node.name), _ATOM
        if isinstance(node, Signal):
            return self.signal(node), _ATOM
        if isinstance(node, IndexValue):
            return f"({self.affine(node.form)})", _ATOM
        if isinstance(node, Iverson):
            return f"(1.0 if {self.affine(node.form)} == 0 else 0.0)", _ATOM
        if isinstance(node, Full):
            rows, columns = self.shape(node)
            made = f"np.eye({rows})" if node.kind == "identity" else None
            return made or f"np.{node.kind}(({rows}, {columns}))", _ATOM
        if isinstance(node, Power):
            return self._power(node)
        if isinstance(node, Fold):
            return self._fold(node), _ATOM
        if isinstance(node, Cases):
            return self._cases(node), _ATOM
        if isinstance(node, Block):
            rows_text = ", ".join(
                "[" + ", ".join(self.text(cell) for cell in row) + "]" for row in node.rows
            )
            return f"np.block([{rows_text}])", _ATOM
        if isinstance(node, Slice):
            (top, left), (height, width) = node.start, self.shape(node)
            r, c = top.value(self.sizes), left.value(self.sizes)
            return f"{self._atom(node.whole)}[{r}:{r + height}, {c}:{c + width}]", _ATOM
        if isinstance(node, Apply):
            return self._apply(node)
        if isinstance(node, Derivative):
            return self.derivative(node), _ATOM
        raise Unprintable(f"{type(node).__name__} {node!r}")

    def derivative(self, node: Derivative) -> str:
        """A derivative in a formula; whoever knows how it is computed says how it is called."""
        raise Unprintable(f"the derivative {node!r}")

    def _atom(self, node: Node) -> str:
        return self._wrap(self._text(node), _ATOM)

    @staticmethod
    def _wrap(text: Text, least: int) -> str:
        return text[0] if text[1] >= least else f"({text[0]})"

    def _power(self, node: Power) -> Text:
        if node.is_matrix_power:
            exponent = self.affine(node.exponent)
            return f"np.linalg.matrix_power({self.text(node.base)}, {exponent})", _ATOM
        # A float that may be 0 to a power that may be negative is left to NumPy's rules.
        return f"{self._atom(node.base)} ** ({self.affine(node.exponent)})", _PRODUCT

    def _fold(self, node: Fold) -> str:
        index = self.names.of("index", _index(node.index))
        body = self.text(node.body)
        span = f"for {index} in range({self.affine(node.lower)}, {self.affine(node.upper)} + 1)"
        if node.kind == "sum":
            if node.shape == SCALAR:
                return f"sum({body} {span})"
            return f"sum(({body} {span}), np.zeros({self.shape(node)}))"
        rows, columns = node.shape
        if node.shape == SCALAR or rows != columns:
            return f"np.prod([{body} {span}], axis=0)"
        self.functions["chain"] = _CHAIN
        return f"chain([{body} {span}], {self.shape(node)[0]})"

    def _cases(self, node: Cases) -> str:
        result = self.text(node.values[-1])
        rows = list(zip(node.values[:-1], node.conditions[:-1], strict=True))
        for value, conditions in reversed(rows):
            test = " and ".join(self._condition(c) for c in conditions)
            result = f"{self._atom(value)} if {test} else ({result})"
        return f"({result})"

    def _condition(self, condition: Condition) -> str:
        relation = {"=": "==", "≠": "!=", "≥": ">=", "<": "<"}[condition.relation]
        left, right = condition.left, condition.right
        if isinstance(left, Affine) and isinstance(right, Affine):
            return f"{self.affine(left)} {relation} {self.affine(right)}"
        sides = [self._atom(index_value(s) if isinstance(s, Affine) else s) for s in (left, right)]
        return f"np.all({sides[0]} {relation} {sides[1]})"

    def _apply(self, node: Apply) -> Text:
        name = node.head.name
        if name == "add":
            return self._sum(node)
        if name == "neg":
            return f"-{self._wrap(self._text(node.args[0]), _PRODUCT)}", _SUM
        if name == "mul":
            return " * ".join(self._atom(a) for a in node.args), _PRODUCT
        if name in ("matmul", "div"):
            left, right = (self._atom(a) for a in node.args)
            return f"{left} {'@' if name == 'matmul' else '/'} {right}", _PRODUCT
        if name == "transpose":
            return f"{self._atom(node.args[0])}.T", _ATOM
        if name == "diag":
            return f"np.diagflat({self.text(node.args[0])})", _ATOM
        if name == "total":
            return f"np.sum({self.text(node.args[0])}, keepdims=True)", _ATOM
        arguments = ", ".join(self.text(a) for a in node.args)
        return f"{self._function(name)}({arguments})", _ATOM

    def _function(self, name: str) -> str:
        # A convention is in the derivative; step and sign have it in their value too.
        plain = name if name in _DEFINED else _CONVENTION.sub("", name)
        if plain in _NUMPY:
            return _NUMPY[plain]
        if plain not in _DEFINED:
            raise Unprintable(f"a function of which only the name {name} is known")
        head = f"{plain}(a, b)" if plain == "max" else f"{plain}(a)"
        self.functions[plain] = f"def {head}: return {_DEFINED[plain]}"
        return plain

    def _sum(self, node: Apply) -> Text:
        result = ""
        for argument in node.args:
            negative = isinstance(argument, Apply) and argument.head.name == "neg"
            text = self._text(argument.args[0] if negative else argument)
            term = self._wrap(text, _PRODUCT)
            if not result:
                result = f"-{term}" if negative else term
            else:
                result += f" - {term}" if negative else f" + {term}"
        return result, _SUM


_CHAIN = """def chain(factors, size):  # the latest factor on the left
    result = np.eye(size)
    for factor in factors:
        result = factor @ result
    return result
"""


def _index(name: str) -> str:
    """A bound index #2 as k2, a free one by its name."""
    return f"k{name[1:]}" if name.startswith("#") else name


def number(value: Fraction) -> Text:
    """A fraction as a float expression."""
    if value.denominator == 1:
        return (f"{value.numerator}.0", _ATOM if value >= 0 else _SUM)
    return (f"{value.numerator} / {value.denominator}", _PRODUCT if value >= 0 else _SUM)
