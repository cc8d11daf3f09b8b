"""The callbacks of both grammars for statements, operators and scripts.

Called by the parser as it reduces, so nothing recurses, whatever the nesting.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from lark import Token

from symgrad.parse.atombuilder import (
    AtomBuilder,
    BadTree,
    Items,
    at_of,
    depth_of,
    end_of,
    macro,
    trees_in,
)
from symgrad.parse.letters import MARKS
from symgrad.parse.tree import (
    Atom,
    Big,
    Chain,
    Group,
    Juxt,
    Mark,
    Num,
    Range,
    Relation,
    Script,
    Scripted,
    Statement,
    Sum,
    Tree,
)

_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_MINUS = {"−": "-"}
_OPERATORS = {
    "odot": "⊙", "circ": "⊙", "otimes": "⊙", "bigodot": "⊙", "bullet": "⊙", "∘": "⊙", "⊗": "⊙",
    ".*": "⊙", "ast": "*", "∗": "*", "div": "/", "oslash": "/", "./": "/", "cdot": "·", "⋅": "·",
    "times": "·", "×": "×",
}  # fmt: skip


def _is_matrix_times_vector(base: Any) -> bool:
    """Whether bold letters side by side are a capital and a small one."""
    if not isinstance(base, Juxt) or len(base.factors) != 2:
        return False
    matrix, vector = base.factors
    both = isinstance(matrix, Atom) and isinstance(vector, Atom)
    return both and matrix.base.isupper() and vector.base.islower()  # type: ignore[attr-defined]


def _is_letter(tree: Any, base: str) -> bool:
    return isinstance(tree, Atom) and (tree.base, tree.labels, tree.accents) == (base, (), ())


class TreeBuilder(AtomBuilder):
    """One method for each rule of the grammars."""

    # ---- statements -------------------------------------------------------------------

    def start(self, parts: list[Any]) -> list[Any]:
        return parts[0] if parts else []

    def pending(self, parts: list[Any]) -> list[Any]:
        return [*parts[0], *parts[1:]] if parts else []

    def finished(self, parts: list[Any]) -> list[Any]:
        parts[0].append(parts[1])
        found: list[Any] = parts[0]
        return found

    def sep(self, parts: list[Token]) -> Token:
        return parts[0]

    def rel(self, parts: list[Token]) -> Token:
        return parts[0]

    def op(self, parts: list[Token]) -> Token:
        return parts[0]

    def statement(self, parts: list[Any]) -> Statement:
        trees = trees_in(parts)
        signs = tuple(self.relation(p) for p in parts if isinstance(p, Token))
        return Statement(
            items=tuple(trees), relations=signs, **self.place(parts, depth_of(trees, 0))
        )

    # ---- operators --------------------------------------------------------------------

    def addition(self, parts: list[Any]) -> Tree:
        trees = trees_in(parts)
        if len(parts) == 1:
            return trees[0]
        signs = [_MINUS.get(p, str(p)) for p in parts if isinstance(p, Token)]
        leading = len(signs) == len(trees)
        if not leading:
            signs.insert(0, "+")
        elif len(trees) == 1 and signs == ["+"]:
            return trees[0]
        place = self.place(parts, depth_of(trees, len(trees)))
        return Sum(terms=tuple(zip(signs, trees, strict=True)), leading=leading, **place)

    def product(self, parts: list[Any]) -> Tree:
        trees = trees_in(parts)
        if len(parts) == 1:
            return trees[0]
        signs = tuple(_OPERATORS.get(macro(p), str(p)) for p in parts if isinstance(p, Token))
        place = self.place(parts, depth_of(trees, len(trees)))
        return Chain(operands=tuple(trees), operators=signs, **place)

    def operand(self, parts: list[Any]) -> Tree:
        found: Tree = parts[-1]
        for sign in reversed(parts[:-1]):
            if _MINUS.get(sign, sign) == "-":
                place = self.place([sign, parts[-1]], found.depth + 1)
                found = Sum(terms=(("-", found),), leading=True, **place)
        return found

    def juxt(self, parts: list[Any]) -> Tree:
        parts = self._with_steps(parts)
        if len(parts) == 1:
            only: Tree = parts[0]
            return only
        return Juxt(factors=tuple(parts), **self.place(parts, depth_of(parts, len(parts))))

    def _with_steps(self, parts: list[Any]) -> list[Any]:
        """``\\Delta t`` is one name, the step of time."""
        found: list[Any] = []
        for part in parts:
            before = found[-1] if found else None
            letter = part.base if isinstance(part, Scripted) else part
            if not _is_letter(letter, "t") or not _is_letter(before, "Delta"):
                found.append(part)
                continue
            step = Atom(base="dt", **self.place([before, letter], 1))
            found[-1] = replace(part, base=step, at=step.at) if part is not letter else step
        return found

    def big(self, parts: list[Any]) -> Tree:
        kind = "sum" if parts[0].lstrip("\\") in ("sum", "∑", "Σ") else "prod"
        scripts, body = tuple(parts[1:-1]), parts[-1]
        return Big(
            kind="sum" if kind == "sum" else "prod",
            word=parts[0].isalpha() and parts[0].isascii(),
            scripts=scripts,
            body=body,
            **self.place(parts, body.depth + 1),
        )

    # ---- scripts ----------------------------------------------------------------------

    def factor(self, parts: list[Any]) -> Tree:
        base, *scripts = parts
        if not scripts:
            found: Tree = base
            return found
        if _is_matrix_times_vector(base) and scripts[0].kind == "_":
            # \mathbf{Wx}_t: the time belongs to the letter that it stands at.
            matrix, vector = base.factors
            return Juxt(
                factors=(matrix, self.factor([vector, *scripts])),
                **self.place(parts, base.depth + 1),
            )
        inner = [base, *(tree for script in scripts for tree in script.items)]
        return Scripted(base=base, scripts=tuple(scripts), **self.place(parts, depth_of(inner)))

    def _script(self, kind: str, parts: list[Any], inner: Items | None = None) -> Script:
        return Script(
            kind=kind,
            items=tuple(inner.items) if inner else (),
            at=at_of(parts[0]),
            end=end_of(parts[-1]),
            braced=inner is not None and inner.braced,
        )

    def sub(self, parts: list[Any]) -> Script:
        return self._script("_", parts, parts[1])

    def sub_digit(self, parts: list[Token]) -> Script:
        """``_0`` behind a bracket; at a name it belongs to the name."""
        text = str(parts[0][1:])
        number = Num(value=Fraction(text), text=text, **self.place(parts, 1))
        return self._script("_", parts, Items(number.at, number.end, [number]))

    def sup(self, parts: list[Any]) -> Script:
        return self._script("^", parts, parts[1])

    def sup_digits(self, parts: list[Token]) -> Script:
        text = parts[0].translate(_DIGITS)
        number = Num(value=Fraction(text), text=text, **self.place(parts, 1))
        return self._script("^", parts, Items(number.at, number.end, [number], braced=True))

    def restrict(self, parts: list[Any]) -> Script:
        return self._script("|", parts, parts[-1])

    def prev(self, parts: list[Token]) -> Script:
        return self._script("prev", parts)

    def transposed(self, parts: list[Token]) -> Script:
        return self._script("T", parts)

    def prime(self, parts: list[Token]) -> Script:
        text = "'" if parts[0].startswith("\\") else str(parts[0])
        mark = Mark(text=text, **self.place(parts, 1))
        return self._script("'", parts, Items(mark.at, mark.end, [mark]))

    def sarg(self, parts: list[Any]) -> Items:
        first = parts[0]
        braced = isinstance(first, Token) and first.type in ("LBRACE", "LPAR")
        if braced and len(parts) == 3:
            inner = parts[1].items if isinstance(parts[1], Items) else [parts[1]]
        else:
            inner = [] if braced else [self._bare(parts)]
        return Items(*self.span(parts), inner, braced=braced)

    def _bare(self, parts: list[Any]) -> Tree:
        """A script without braces."""
        first = parts[0]
        if isinstance(first, Token) and first.type == "FONT":
            return self.font(parts)
        if len(parts) == 2:  # a sign and a number
            value = self.number(parts[1:])
            if _MINUS.get(first, first) == "-":
                return Sum(terms=(("-", value),), leading=True, **self.place(parts, 2))
            return value
        if first.type == "NUMBER" and self.single_digits and len(first) > 1:
            raise BadTree(
                f"TeX takes one digit without braces: write {{{first}}}",
                at_of(first),
                end_of(first),
            )
        make = {
            "LETTER": self.letter,
            "NUMBER": self.number,
            "GREEK": self.greek,
            "WORD": self.word,
            "FUNCTION": self.function,
            "NAME": self.name,
        }.get(first.type, self.mark)
        return make(parts)

    #: LaTeX takes one digit after ^, plain text a whole number.
    single_digits = False

    def contents(self, parts: list[Any]) -> Items:
        at, end = self.span(parts) if parts else (0, 0)
        return Items(at, end, trees_in(parts))

    def range(self, parts: list[Any]) -> Range:
        """``low:high``; the colon says which end is there."""
        trees = trees_in(parts)
        first = isinstance(parts[0], Tree)
        return Range(
            low=trees[0] if first else None,
            high=trees[-1] if len(trees) == 2 or (trees and not first) else None,
            **self.place(parts, depth_of(trees)),
        )

    def content(self, parts: list[Any]) -> Tree:
        if len(parts) == 1:
            found: Tree = parts[0]
            return found
        if parts[1].type == "ARROW":
            return self.related(parts, "→")
        if len(parts) > 5:
            raise BadTree(
                "one index stands between two bounds: write a sum inside a sum", *self.span(parts)
            )
        found = self.related(parts[:3], self.relation(parts[1]))
        # 1 ≤ k ≤ t: what compares with t is the first relation.
        return found if len(parts) == 3 else self._chained(found, parts)

    def _chained(self, first: Relation, parts: list[Any]) -> Relation:
        return self.related([first, *parts[3:]], self.relation(parts[3]))

    def bound(self, parts: list[Token]) -> Token:
        if parts[0] in ("⟨", "⟩", "\\langle", "\\rangle"):
            raise BadTree(f"{parts[0]} compares nothing: write < or >", *self.span(parts))
        return parts[0]

    def mark(self, parts: list[Token]) -> Mark:
        text = macro(parts[0])
        return Mark(text=MARKS.get(text, text), **self.place(parts, 1))

    def transposed_too(self, parts: list[Any]) -> Juxt:
        """``(t)\\top``: a time or a label, and a transpose, in one superscript."""
        factors = (parts[0], self.mark(parts[1:]))
        return Juxt(factors=factors, **self.place(parts, parts[0].depth + 1))

    def angle(self, parts: list[Any]) -> Group:
        return Group(bracket="<", items=(parts[1],), **self.place(parts, parts[1].depth + 1))


class LatexTreeBuilder(TreeBuilder):
    """The same, with TeX's rule for a script without braces."""

    single_digits = True
