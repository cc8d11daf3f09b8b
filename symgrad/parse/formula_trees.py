"""What the tree of a formula says before its names are read: indices, operators, ranges."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from symgrad.parse.names import parts_of
from symgrad.parse.tree import Atom, Big, Mark, Num, Relation, Script, Scripted, Sum, Tree


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
                    left = bound.left if isinstance(bound, Relation) else None
                    if isinstance(left, Atom):
                        found.add(left.base)
    return frozenset(found)


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
