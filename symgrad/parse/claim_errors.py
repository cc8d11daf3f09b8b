"""What people write beside or in place of one equation, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise

from symgrad.parse.errors import ParseError, Source
from symgrad.parse.functions import FUNCTIONS
from symgrad.parse.names import base_of
from symgrad.parse.tree import Group, Relation, Scripted, Statement, Tree

#: A statement holds wherever both sides have a value; the verdict says where that is.
NO_CONDITIONS = (
    "a statement has no conditions on parameters and signals: leave it out, the verdict names "
    "those that are needed; or write cases, as in {a if w ≠ 1; b otherwise}"
)
_WORD = re.compile(r"\\?[^\W\d_]+")


def about_values(words: str, names: Collection[str]) -> bool:
    """Whether a stretch compares parameters or signals, such as ``w ≠ 1``, and no times.

    ``names``: those of the cell.
    """
    bases = {name.partition("_")[0] for name in names}
    return any(match.group().lstrip("\\") in bases for match in _WORD.finditer(words))


def no_equation(source: Source, statement: Statement) -> ParseError:
    """The error for what is not one equation: a chain, a condition, a formula alone."""
    at, end = statement.at, statement.end
    relations = set(statement.relations)
    if relations == {"="}:
        sides = [" ".join(source.text[item.at : item.end].split()) for item in statement.items]
        pairs = [f"{a} = {b}" for a, b in pairwise(sides)]
        shown = " and ".join(pairs)
        short = len(pairs) == 2 and len(shown) < 80 and "&" not in shown
        return source.error(
            f"a chain of {len(pairs)} equations: state one at a time"
            + (f", {shown}" if short else ""),
            at,
            end,
        )
    (first, *more) = statement.items
    inner = first.items[0] if isinstance(first, Group) and len(first.items) == 1 else None
    if relations & {"≠", "≥", "≤"} or (isinstance(inner, Relation) and not more):
        return source.error(NO_CONDITIONS, at, end)
    return source.error("expected one equals sign", at, end)


def is_activation(tree: Tree) -> bool:
    """Whether a function stands alone: tanh in ``phi = tanh``."""
    atom = base_of(tree)
    return atom is not None and not isinstance(tree, Scripted) and atom.base in FUNCTIONS
