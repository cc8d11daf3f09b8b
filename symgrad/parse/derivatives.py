"""Derivatives by name: ``dh_T/dw``, ``w_h dh_{t-1}/dw_h``, ``∂⁺h_t/∂⁺h_{t-1}``, ``(…) |_c``.

Two differentials with a slash between them are one factor, whatever stands beside them: the
slash binds its two neighbours, as in ``f_t (dc_{t-1}/dw)``. A name of the cell that begins with
d could be meant as well; then the text says which, or it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from symgrad.lang.nodes import Name as NameNode
from symgrad.lang.nodes import name
from symgrad.parse.errors import ParseError
from symgrad.parse.expressions import Derived, Expr, Index, Number, Ref, Transposed
from symgrad.parse.formula_names import FormulaNameReader, FormulaScope
from symgrad.parse.formula_shapes import FormulaShapes
from symgrad.parse.formula_trees import operator, raised_partial
from symgrad.parse.names import base_of
from symgrad.parse.resolve import Resolver
from symgrad.parse.spelling import Spelling, label_of
from symgrad.parse.table import form_of
from symgrad.parse.tree import Atom, Chain, Frac, Juxt, Script, Scripted, Tree


@dataclass(frozen=True)
class _Differential:
    """``dh_t``: the sign, what it is of, how many factors it takes.

    ``declared``: also a name; ``partial``: written with ∂.
    """

    sign: str
    inner: Tree
    count: int
    declared: bool = False
    partial: bool = False


class DerivativeResolver(Resolver):
    """Reads quotients of differentials."""

    reader: FormulaNameReader
    scope: FormulaScope
    shapes: FormulaShapes

    def fraction(self, over: Tree, under: Tree, tree: Tree) -> Expr:
        return self._derivative(over, under, tree) or super().fraction(over, under, tree)

    def with_derivatives(self, tree: Chain) -> Tree:
        """The chain with every ``dA/dB`` in it as one factor.

        Raises:
            ParseError: the slash could divide by something else as well.
        """
        operands = [_factors(tree.operands[0])]
        operators: list[str] = []
        for sign, operand in zip(tree.operators, tree.operands[1:], strict=True):
            after = _factors(operand)
            found = self._joined(operands[-1], after) if sign == "/" else None
            if found is None:
                operands.append(after)
                operators.append(sign)
                continue
            before, quotient, rest = found
            if operators[-1:] == ["/"] and not before:
                raise self.error(
                    "a / dA/dB can be a / (dA/dB) and (a / dA) / dB: put parentheses around the "
                    "derivative",
                    quotient,
                )
            operands[-1] = [*before, quotient, *rest]
        if not operators:
            return _juxtaposed(operands[0])
        parts = tuple(_juxtaposed(factors) for factors in operands)
        return replace(tree, operands=parts, operators=tuple(operators))

    def _joined(
        self, before: list[Tree], after: list[Tree]
    ) -> tuple[list[Tree], Tree, list[Tree]] | None:
        """What stands before a derivative, the derivative, and what stands after it."""
        over = self._differential(before[-2:]) or self._differential(before[-1:])
        if over is None:
            return None
        first, bars = _without_bar(after, 0)
        under = self._differential(first[:1])
        if under is None:
            first, bars = _without_bar(after, 1)
            under = self._differential(first[:2])
        if under is None:
            return None
        upper, lower = before[-over.count :], first[: under.count]
        frac = Frac(
            over=_juxtaposed(upper),
            under=_juxtaposed(lower),
            at=upper[0].at,
            end=lower[-1].end,
            depth=1 + max(item.depth for item in (*upper, *lower)),
        )
        if self._derivative(frac.over, frac.under, frac) is None:
            return None
        quotient: Tree = frac
        if bars:
            quotient = Scripted(
                base=frac, scripts=bars, at=frac.at, end=bars[-1].end, depth=frac.depth + 1
            )
        return before[: -over.count], quotient, after[under.count :]

    def _derivative(self, over: Tree, under: Tree, tree: Tree) -> Expr | None:
        """``dh_T/dw``, ``∂⁺h_t/∂⁺h_{t-1}``, ``∂ℓ_t/∂y_t``; None for an ordinary quotient."""
        first, second = self._differential(_factors(over)), self._differential(_factors(under))
        if first is None or second is None:
            return None
        if first.sign != second.sign and not (first.sign == "∂⁺" and second.partial):
            # ∂⁺h/∂w is one of Pascanu et al.; nobody says what a plus below alone means.
            raise self.error(
                "a plus at one differential alone: write ∂⁺h_t/∂⁺w or ∂⁺h_t/∂w for the immediate "
                "derivative, dh_t/dw for the total one",
                tree,
            )
        if len(_factors(over)) != first.count or len(_factors(under)) != second.count:
            return None
        if first.declared or second.declared:
            if first.declared and second.declared and not self._both_declared(first, second):
                return None
            raise self._ambiguous(first, second, tree)
        wrt = self._quantity(second.inner, "with respect to")
        return self._derived(first.sign, first.inner, wrt, tree)

    def _derived(self, sign: str, quantity: Tree, wrt: Expr, tree: Tree) -> Derived:
        written = self.reader.read(quantity) if base_of(quantity) is not None else None
        if (
            written is not None
            and written.spelling.base == "ell"
            and self.scope.find(written) is None
        ):
            self.scope.check_loss(written, wrt)
            return Derived(kind="loss", of=wrt, wrt=wrt, at=tree.at, end=tree.end)
        kind = "immediate" if sign == "∂⁺" else "total"
        of = self._quantity(quantity, "of")
        return Derived(kind=kind, of=of, wrt=wrt, at=tree.at, end=tree.end)

    def _factor(self, tree: Tree, following: Tree | None, rest: list[Tree]) -> tuple[Expr, int]:
        """``∇_{h_t} L`` and ``∂_{w} h_t`` take what follows them."""
        wrt = operator(tree)
        if wrt is None or following is None:
            return super()._factor(tree, following, rest)
        place = replace(tree, end=following.end)
        found = self._derived("d", following, self._quantity(wrt, "with respect to"), place)
        atom = base_of(tree)
        assert atom is not None
        if atom.base == "∂" or found.kind == "loss":
            return found, 2
        if self.form_of(found.of) != "S":
            raise self.error("∇ is the gradient of a scalar; write ∂ for a Jacobian", place)
        if self.shapes.is_named(found.of):
            return found, 2
        # The derivative of a signal is a row.
        return Transposed(body=found, at=place.at, end=place.end), 2

    def form_of(self, expr: Expr) -> str:
        """Scalar, column or matrix, by a letter."""
        return "S" if isinstance(expr, Number | Index) else form_of(self.shapes.of(expr))

    def _quantity(self, tree: Tree, place: str) -> Ref:
        """A signal at its time, or a parameter."""
        written = self.reader.read(tree) if base_of(tree) is not None else None
        if written is not None and written.rest:
            raise self.error(
                "a script at a derivative: write (dh_t/dw)^2 for the square of a derivative, and "
                "the derivative of a power by the chain rule",
                written.rest[0],
            )
        found = self.read(tree)
        if not isinstance(found, Ref):
            raise self.error(
                f"a derivative is {place} a signal at a time or a parameter: give what stands "
                "here a name with an equation or a definition of its own",
                tree,
            )
        node = self.scope.nodes[found.name]
        if isinstance(node, NameNode) and node is not name("L"):
            raise self.error(
                f"a derivative is {place} a signal or a parameter of the cell, not {place} a name "
                "that is defined beside the statement: write its definition out here",
                tree,
            )
        return found

    # ---- differentials -----------------------------------------------------------------

    def _differential(self, factors: Sequence[Tree]) -> _Differential | None:
        """What one factor (``dh_t`` in plain text) or two (``∂ h_t``, ``d h_t``) are."""
        if len(factors) == 2:
            head, inner = factors
            # d_t is a name of its own, no differential.
            bare = isinstance(head, Atom) and not (head.labels or head.accents)
            mark = head.base if bare else raised_partial(head)  # type: ignore[attr-defined]
            if mark in ("∂", "∂⁺"):
                return _Differential("∂⁺" if mark == "∂⁺" else "d", inner, 2, partial=True)
            if mark != "d" or base_of(inner) is None:
                return None
            roman = isinstance(head, Atom) and head.font == "roman"
            return _Differential("d", inner, 2, not roman and "d" in self.scope.timeless)
        if len(factors) != 1:
            return None
        (tree,) = factors
        atom = base_of(tree)
        word = atom is not None and atom.base[:1] == "d" and len(atom.base) > 1
        if atom is None or not word or self.reader.syntax != "text":
            return None
        written = self.reader.read(tree)
        short = replace(atom, base=atom.base[1:])
        inner = replace(tree, base=short) if isinstance(tree, Scripted) else short
        declared = written is None or self.scope.find(written) is not None
        return _Differential("d", inner, 1, declared)

    def _both_declared(self, *parts: _Differential) -> bool:
        """Whether what the differentials are of are names as well."""
        names = [self.reader.read(part.inner) for part in parts]
        return all(item is not None and self.scope.find(item) is not None for item in names)

    def _ambiguous(self, first: _Differential, second: _Differential, tree: Tree) -> ParseError:
        text = self.source.text
        upper, lower = (text[part.inner.at : part.inner.end] for part in (first, second))
        if first.count == second.count == 1:
            upper, lower = upper.removeprefix("d"), lower.removeprefix("d")
        if self.reader.syntax == "latex":
            derivative = rf"\frac{{\partial {upper}}}{{\partial {lower}}}"
            quotient = rf"\frac{{d \cdot {upper}}}{{d \cdot {lower}}}"
        else:
            derivative = f"∂{upper}/∂{lower}"
            words = first.count == second.count == 1
            quotient = f"(d{upper})/(d{lower})" if words else f"(d * {upper})/(d * {lower})"
        return self.error(
            f"this can be a derivative, and the cell has a name that begins with d: write "
            f"{derivative} for the derivative, {quotient} for a quotient",
            tree,
        )

    # ---- restricted to paths -----------------------------------------------------------

    def scripted(self, base: Expr, scripts: tuple[Script, ...]) -> Expr:
        if scripts and scripts[0].kind == "|":
            along = tuple(self._signal_name(item) for item in scripts[0].items)
            if not isinstance(base, Derived):
                raise self.error("only a derivative is restricted to paths", scripts[0])
            return self.scripted(replace(base, along=along), scripts[1:])
        return super().scripted(base, scripts)

    def _signal_name(self, item: Tree) -> str:
        labels = label_of(item)
        if labels is None:
            raise self.error("expected the names of signals", item)
        return Spelling(labels[0].lstrip("\\"), (), labels[1:]).plain


def _factors(tree: Tree) -> list[Tree]:
    """The factors of a product without signs."""
    if isinstance(tree, Juxt):
        return [*tree.factors]
    return [tree]


def _juxtaposed(factors: list[Tree]) -> Tree:
    if len(factors) == 1:
        return factors[0]
    return Juxt(
        factors=tuple(factors),
        at=factors[0].at,
        end=factors[-1].end,
        depth=len(factors) + max(factor.depth for factor in factors),
    )


def _without_bar(factors: list[Tree], place: int) -> tuple[list[Tree], tuple[Script, ...]]:
    """The factors without the bar of a restriction at one of them, which is the quotient's."""
    if place >= len(factors):
        return factors, ()
    item = factors[place]
    if not isinstance(item, Scripted) or item.scripts[-1].kind != "|":
        return factors, ()
    kept = item.scripts[:-1]
    end = kept[-1].end if kept else item.base.end
    bare = replace(item, scripts=kept, end=end) if kept else item.base
    return [*factors[:place], bare, *factors[place + 1 :]], item.scripts[-1:]
