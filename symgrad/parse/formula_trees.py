"""What the tree of a formula says before its names are read: indices, operators, ranges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from symgrad.parse.names import parts_of
from symgrad.parse.tree import Atom, Big, Mark, Num, Relation, Script, Scripted, Sum, Tree

_BOTH_LIMITS = "expected both limits of a sum over time: sum_{k=1}^{T}, sum_{1 ≤ k ≤ T}"


def further_times(tree: Tree) -> frozenset[str]:
    """Letters that subscripts add a number or a time to: ``h_{i-1}``, ``S_{k-m}``."""
    found: set[str] = set()
    stack: list[Tree] = [tree]
    while stack:
        item = stack.pop()
        stack.extend(parts_of(item))
        scripts = item.scripts if isinstance(item, Scripted) else ()
        for index in (part for script in scripts if script.kind == "_" for part in script.items):
            if isinstance(index, Sum):
                atoms = [term for _, term in index.terms if isinstance(term, Atom)]
                found |= {atom.base for atom in atoms if len(atom.base) == 1}
    return frozenset(found)


def bound_letters(tree: Tree) -> frozenset[str]:
    """The indices of sums and products."""
    found: set[str] = set()
    stack: list[Tree] = [tree]
    while stack:
        item = stack.pop()
        stack.extend(parts_of(item))
        if isinstance(item, Big):
            for script in item.scripts:
                for bound in script.items:
                    index = _index_of(bound)
                    if index is not None:
                        found.add(index.base)
    return frozenset(found)


@dataclass(frozen=True)
class Limits:
    """The index of a sum or product, and its limits: ``lower + after`` to ``upper - before``."""

    index: Atom
    lower: Tree
    upper: Tree
    after: int = 0
    before: int = 0
    #: Written 1 ≤ k ≤ t.
    chained: bool = False


def limits_of(tree: Big) -> Limits | str:
    """What a sum or product goes over; a message where that is not said."""
    below = next((s for s in tree.scripts if s.kind == "_"), None)
    above = next((s for s in tree.scripts if s.kind == "^"), None)
    bound = below.items[0] if below is not None and len(below.items) == 1 else None
    if above is None and isinstance(bound, Atom) and bound.base == "t":
        bound, above = all_steps(bound)
    index = None if bound is None else _index_of(bound)
    if not isinstance(bound, Relation) or bound.sign == "in" or index is None:
        return _BOTH_LIMITS
    if bound.sign == "=" and bound.left is index:
        if above is None or len(above.items) != 1:
            return _BOTH_LIMITS
        return Limits(index, bound.right, above.items[0])
    if not isinstance(bound.left, Relation):
        k, kind = index.base, tree.kind
        return (
            f"one bound of {k}: give both, as in {kind}_{{1 ≤ {k} ≤ T}} or {kind}_{{{k}=1}}^{{T}}"
        )
    if above is not None:
        return "limits below and above: write either 1 ≤ k ≤ t below, or k=1 below and t above"
    signs = (bound.left.sign, bound.sign)
    for upwards in ("≤<", "≥>"):
        if all(sign in upwards for sign in signs):
            first, second = (int(sign in "<>") for sign in signs)
            if upwards == "≤<":
                return Limits(index, bound.left.left, bound.right, first, second, True)
            # Of matrices the factors stand in the same order whichever way the bounds are
            # written: later times on the left, as t ≥ i > k says it of a product of Jacobians.
            return Limits(index, bound.right, bound.left.left, second, first, True)
    return (
        f"bounds go one way: write 1 ≤ {index.base} ≤ t or t ≥ {index.base} ≥ 1, with < and > for "
        "a bound that is left out"
    )


def _index_of(bound: Tree) -> Atom | None:
    """k in ``k = 1``, ``1 ≤ k ≤ t``, and alone at one bound."""
    if not isinstance(bound, Relation):
        return None
    if isinstance(bound.left, Relation):
        found = bound.left.right
    elif bound.sign == "=" or isinstance(bound.left, Atom):
        found = bound.left
    else:
        found = bound.right
    return found if isinstance(found, Atom) and not (found.labels or found.accents) else None


def all_steps(letter: Atom) -> tuple[Relation, Script]:
    """The limits of a sum that has none: over t, from 1 to T."""
    at, end = letter.at, letter.end
    one = Num(value=Fraction(1), text="1", at=at, end=end)
    horizon = Script(kind="^", items=(replace(letter, base="T"),), at=at, end=end)
    return Relation(sign="=", left=letter, right=one, at=at, end=end), horizon


def operator(tree: Tree) -> Tree | None:
    """What ``∇_{h_t}`` and ``∂_{w}`` differentiate by."""
    if not isinstance(tree, Scripted) or not isinstance(tree.base, Atom):
        return None
    if tree.base.base not in ("∇", "∂") or len(tree.scripts) != 1:
        return None
    (script,) = tree.scripts
    return script.items[0] if script.kind == "_" and len(script.items) == 1 else None


def raised_partial(tree: Tree) -> str:
    """``\\partial^+``."""
    if isinstance(tree, Scripted) and isinstance(tree.base, Atom) and tree.base.base == "∂":
        (script, *more) = tree.scripts
        plus = [item for item in script.items if isinstance(item, Mark) and item.text == "+"]
        return "∂⁺" if script.kind == "^" and plus and not more else ""
    return ""
