"""The untyped tree that both grammars make: what was written, and where.

Nothing is decided here: a name beside a parenthesis is neither a call nor a product
yet, a superscript neither a power nor a label. ``at`` and ``end`` are offsets into the
source; ``depth`` is how deep the tree nests, and is limited when a tree is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

Bracket = Literal["(", "[", "{", "<", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Base: the place, and the nesting."""

    at: int
    end: int
    depth: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Num(Tree):
    """A literal number."""

    value: Fraction
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Atom(Tree):
    """A name without scripts: a letter, a Greek letter by its word, or a word.

    ``font``: ``""`` for the plain one, else bold, roman and so on. ``function``: written
    as a function (``\\tanh``). ``labels``: what stands after underscores in plain text.
    """

    base: str
    font: str = ""
    accents: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    function: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark(Tree):
    """A sign that is no term: ⊤, ′, ∗, + or - alone in a script."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One script: ``_``, ``^``, ``prev`` (.prev), ``T`` (.T) or ``|`` (restriction)."""

    kind: str
    items: tuple[Tree, ...] = ()
    at: int = 0
    end: int = 0
    braced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted(Tree):
    """A base and the scripts at it, in the order written."""

    base: Tree
    scripts: tuple[Script, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Juxt(Tree):
    """Factors side by side."""

    factors: tuple[Tree, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain(Tree):
    """Operands with operators between: ``operators[i]`` stands before ``operands[i+1]``."""

    operands: tuple[Tree, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum(Tree):
    """Terms, each with its sign ``+`` or ``-``; a single negative term is a negation."""

    terms: tuple[tuple[str, Tree], ...]
    leading: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation(Tree):
    """``left = right``, ``left ∈ right``, ``k = 1``."""

    sign: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Range(Tree):
    """``low:high``, rows or columns of a matrix; None on both sides for all of them."""

    low: Tree | None = None
    high: Tree | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Tree):
    """Something in brackets: items and the separators between them."""

    bracket: Bracket
    items: tuple[Tree, ...]
    separators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frac(Tree):
    """A fraction."""

    over: Tree
    under: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Root(Tree):
    """A root; without a degree the square root."""

    body: Tree
    degree: Tree | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced(Tree):
    """``|x|`` (``abs``) or ``‖x‖`` (``norm``)."""

    kind: Literal["abs", "norm"]
    body: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid(Tree):
    """A matrix environment, row by row."""

    rows: tuple[tuple[Tree, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Big(Tree):
    """Σ or Π with its scripts and body; ``word``: written as ``sum_{…}`` or ``prod_{…}``."""

    kind: Literal["sum", "prod"]
    word: bool = False
    scripts: tuple[Script, ...]
    body: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow(Tree):
    """A value and the conditions under which it holds; none for the last."""

    value: Tree
    conditions: tuple[Relation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseList(Tree):
    """A function by cases."""

    rows: tuple[CaseRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Tree):
    """``items`` joined by ``relations``: one equation, one declaration, or neither."""

    items: tuple[Tree, ...]
    relations: tuple[str, ...]
