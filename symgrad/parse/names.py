"""Occurrences of names: scripts are read as times, labels, powers, transposes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from symgrad.lang.affine import Affine, symbol
from symgrad.parse.errors import ParseError, Source
from symgrad.parse.grammar import Syntax
from symgrad.parse.letters import OTHER_LETTERS
from symgrad.parse.spelling import Name, Spelling, affine_of, label_of
from symgrad.parse.tree import (
    Atom,
    Big,
    CaseList,
    CaseRow,
    Chain,
    Fenced,
    Frac,
    Grid,
    Group,
    Juxt,
    Mark,
    Num,
    Range,
    Relation,
    Root,
    Script,
    Scripted,
    Statement,
    Sum,
    Tree,
)

_t = symbol("t")
_MOST_SCRIPTS = 12


def parts_of(tree: Tree) -> tuple[Tree, ...]:
    """The trees directly inside, scripts included."""
    match tree:
        case Scripted(base=base, scripts=scripts):
            return (base, *(item for script in scripts for item in script.items))
        case Juxt(factors=parts) | Chain(operands=parts) | Group(items=parts):
            return parts
        case Sum(terms=terms):
            return tuple(term for _, term in terms)
        case Relation(left=left, right=right):
            return (left, right)
        case Range(low=low, high=high):
            return tuple(end for end in (low, high) if end is not None)
        case Frac(over=over, under=under):
            return (over, under)
        case Root(body=body) | Fenced(body=body):
            return (body,)
        case Grid(rows=rows):
            return tuple(cell for row in rows for cell in row)
        case Big(scripts=scripts, body=body):
            return (body, *(item for script in scripts for item in script.items))
        case CaseList(rows=cases):
            return tuple(cases)
        case CaseRow(value=value, conditions=conditions):
            return (value, *conditions)
        case Statement(items=items):
            return items
    return ()


def base_of(tree: Tree) -> Atom | None:
    """The letter or word that scripts stand at, if that is what stands there."""
    if isinstance(tree, Scripted):
        tree = tree.base
    if isinstance(tree, Group) and tree.bracket == "" and len(tree.items) == 1:
        tree = tree.items[0]
    return tree if isinstance(tree, Atom) else None


class NameReader:
    """Reads names of one text in one syntax.

    ``letters`` are those of times; ``numbered``: bases whose superscript numbers are
    labels, because the number 1 is among them.
    """

    def __init__(self, source: Source, syntax: Syntax, letters: frozenset[str]) -> None:
        self.source, self.syntax, self.letters = source, syntax, letters
        self.numbered: set[Spelling] = set()

    # ---- one occurrence ----------------------------------------------------------------

    def read(self, tree: Tree) -> Name | None:
        """The name, if the tree is one: a letter or a word with its scripts."""
        atom = base_of(tree)
        if atom is None:
            return None
        labels = atom.labels
        time: Affine | None = None
        if self.syntax == "text" and labels and labels[-1] == "t":
            labels, time = labels[:-1], _t
        font, accents = atom.font, atom.accents
        if self.syntax == "text":
            # ŷ and y_hat are one name where people type it.
            labels, accents = (*accents, *labels), ()
        if font in OTHER_LETTERS:
            # A calligraphic W is another letter than W; a bold one may be carelessness.
            font, accents = "", (*accents, OTHER_LETTERS[font])
        spelling = Spelling(atom.base, accents, labels)
        found = Name(spelling, font, time, (), tree.at, tree.end, atom.function)
        scripts = self._scripts(tree)
        if len(scripts) > _MOST_SCRIPTS:
            raise self.source.error("too many scripts at one name", tree.at, tree.end)
        for place, script in enumerate(scripts):
            read = self._script(found, script)
            if read is None:
                return replace(found, rest=scripts[place:])
            found = read
        return found

    def _scripts(self, tree: Tree) -> tuple[Script, ...]:
        """The scripts, those that cannot be a power first: ``h^2_t`` is ``h_t^2``."""
        if not isinstance(tree, Scripted):
            return ()
        inner = tree.base
        if isinstance(inner, Group) and inner.bracket == "":
            more = self._scripts(inner.items[0])
        else:
            more = ()
        scripts = (*more, *(part for script in tree.scripts for part in _split(script)))
        return tuple(sorted(scripts, key=lambda s: s.kind in ("^", "T", "|")))

    def _script(self, name: Name, script: Script) -> Name | None:
        """The name with one more script; None where it acts on the value of the name."""
        if script.kind == "prev":
            if name.time is not None:
                return self._timed(replace(name, time=None), name.time - 1, script)
            return self._timed(name, _t - 1, script)
        if script.kind == "'":
            if self.syntax == "text":
                raise self.source.error(
                    "a prime is not read here: write .T for the transpose, h_prime for a name",
                    script.at,
                    script.end,
                )
            mark = script.items[0]
            assert isinstance(mark, Mark)
            return self._primed(name, len(mark.text))
        if script.kind == "_":
            ranges = any(isinstance(item, Range) for item in script.items)
            return None if ranges else self._below(name, script)
        if script.kind == "^":
            return self._above(name, script)
        return None

    def _primed(self, name: Name, count: int) -> Name:
        spelling = replace(name.spelling, primes=name.spelling.primes + count)
        return replace(name, spelling=spelling)

    def _timed(self, name: Name, time: Affine, script: Script) -> Name:
        if name.time is not None:
            raise self.source.error(
                f"{name.spelling.plain} has two times; leave one out", script.at, script.end
            )
        return replace(name, time=time)

    def time_of(self, tree: Tree) -> Affine | None:
        """The time that a script spells; only forms with t (or another time letter) are times."""
        inner = tree
        if isinstance(tree, Group) and len(tree.items) == 1 and tree.bracket in ("(", "<", "["):
            inner = tree.items[0]
        form = affine_of(inner, self.letters)
        return form if form is not None and self.is_time(form) else None

    def is_time(self, form: Affine) -> bool:
        return bool(form.names)

    def _below(self, name: Name, script: Script) -> Name:
        for item in script.items:
            time = self.time_of(item)
            if time is not None:
                name = self._timed(name, time, script)
                continue
            labels = ("half",) if _is_half(item) else label_of(item)
            if labels is None:
                raise self.no_label(item, "subscript")
            spelling = replace(name.spelling, labels=(*name.spelling.labels, *labels))
            name = replace(name, spelling=spelling)
        if not script.items:
            raise self.source.error("an empty subscript; remove it", script.at, script.end)
        return name

    def no_label(self, item: Tree, where: str) -> ParseError:
        """The error for a script that is neither a time nor a label."""
        return self.source.error(
            f"this {where} is neither a time, such as t-1, nor a label, such as xh; a time is t "
            "plus or minus a number",
            item.at,
            item.end,
        )

    def _above(self, name: Name, script: Script) -> Name | None:
        if not script.items:
            raise self.source.error("an empty superscript; remove it", script.at, script.end)
        if len(script.items) == 1 and self.acts(name, script.items[0]):
            return None
        for item in script.items:
            if isinstance(item, Mark) and set(item.text) == {"'"}:
                name = self._primed(name, len(item.text))
                continue
            time = self.time_of(item)
            if time is not None:
                name = self._timed(name, time, script)
                continue
            labels = label_of(item)
            if labels is None:
                raise self.no_label(item, "superscript")
            spelling = replace(name.spelling, uppers=(*name.spelling.uppers, *labels))
            name = replace(name, spelling=spelling)
        return name

    def acts(self, name: Name, item: Tree) -> bool:
        """Whether a superscript is a power, a transpose or an argument, not part of the name."""
        if name.spelling == Spelling("e") or is_transpose(item):
            return True
        if isinstance(item, Num):
            return name.spelling not in self.numbered
        if isinstance(item, Frac | Chain):
            return True
        return isinstance(item, Sum) and self.time_of(item) is None

    # ---- all occurrences ---------------------------------------------------------------

    def learn(self, statements: list[Tree]) -> None:
        """Find the bases that are numbered by superscripts: W^1 makes W^2 a name as well."""
        for tree in self._trees(statements):
            if isinstance(tree, Scripted) and base_of(tree) is not None:
                for script in tree.scripts:
                    item = script.items[0] if len(script.items) == 1 else None
                    if script.kind == "^" and isinstance(item, Num) and item.value in (0, 1):
                        name = self.read(tree)
                        if name is not None:
                            self.numbered.add(name.spelling)

    def _trees(self, roots: list[Tree]) -> Iterator[Tree]:
        stack = list(roots)
        while stack:
            tree = stack.pop()
            yield tree
            stack.extend(parts_of(tree))


def _split(script: Script) -> tuple[Script, ...]:
    """``h^{(t)\\top}`` is h at t, transposed."""
    item = script.items[0] if script.kind == "^" and len(script.items) == 1 else None
    if not isinstance(item, Juxt) or not isinstance(item.factors[-1], Mark):
        return (script,)
    label, top = item.factors
    return replace(script, items=(label,)), replace(script, items=(top,))


def _is_half(item: Tree) -> bool:
    """1/2 in the subscript of a function: its derivative at the kink."""
    if not isinstance(item, Chain) or item.operators != ("/",):
        return False
    values = [part.value for part in item.operands if isinstance(part, Num)]
    return values == [1, 2]


def is_transpose(item: Tree) -> bool:
    """Whether a superscript is ⊤, or the letter T."""
    if isinstance(item, Group) and item.bracket == "" and len(item.items) == 1:
        item = item.items[0]
    if isinstance(item, Mark):
        return item.text == "⊤"
    return isinstance(item, Atom) and item.base in ("T", "⊤") and not item.labels
