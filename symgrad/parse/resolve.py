"""Trees to expressions: which name is a function, what is a call and what a product.

Decided by the names of the text: a parameter or a signal before a parenthesis is a
factor, a function is called. Shapes are not known yet.
"""

from __future__ import annotations

from dataclasses import replace

from symgrad.lang.affine import Affine
from symgrad.parse.expressions import (
    Add,
    Called,
    Entrywise,
    Expr,
    Index,
    Number,
    Product,
    Stacked,
)
from symgrad.parse.functions import FUNCTIONS
from symgrad.parse.names import base_of
from symgrad.parse.scripts import ScriptResolver
from symgrad.parse.spelling import Name, affine_of, label_of
from symgrad.parse.tree import (
    Atom,
    Big,
    CaseList,
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
    Sum,
    Tree,
)


class Resolver(ScriptResolver):
    """Reads the right-hand sides of one text."""

    def read(self, tree: Tree) -> Expr:
        """The expression of a tree.

        Raises:
            ParseError: something that means nothing here, or several things.
        """
        match tree:
            case Num(value=value):
                return Number(value=value, at=tree.at, end=tree.end)
            case Sum(terms=terms):
                read = tuple((sign, self.read(term)) for sign, term in terms)
                return Add(terms=read, at=tree.at, end=tree.end)
            case Chain():
                return self.chain(tree)
            case Juxt(factors=factors):
                return self.juxtaposed(list(factors))
            case Atom() | Scripted():
                return self.juxtaposed([tree])
            case Group():
                return self.group(tree)
            case Frac(over=over, under=under):
                return self.fraction(over, under, tree)
            case Root(body=body, degree=degree):
                if degree is not None:
                    raise self.error("only square roots are read; write a power", degree)
                return self.call("sqrt", (self.read(body),), tree)
            case Fenced(kind=kind, body=body):
                return self.call(kind, (self.read(body),), tree)
            case Grid(rows=rows):
                read_rows = tuple(tuple(self.read(cell) for cell in row) for row in rows)
                return Stacked(rows=read_rows, at=tree.at, end=tree.end)
        return self.other(tree)

    def fraction(self, over: Tree, under: Tree, tree: Tree) -> Expr:
        left, right = self.read(over), self.read(under)
        return Entrywise(sign="/", left=left, right=right, at=tree.at, end=tree.end)

    def other(self, tree: Tree) -> Expr:
        """What only formulas have: sums over time, cases, relations."""
        if isinstance(tree, Big):
            raise self.error(
                "an equation of a cell is about one step: write products of matrices and vectors "
                "in place of a sum over entries, sum(x) for the sum of all entries",
                tree,
            )
        if isinstance(tree, CaseList):
            raise self.error("a cell has no cases; write relu, max or abs", tree)
        if isinstance(tree, Relation):
            raise self.error("a relation cannot stand inside a formula", tree)
        if isinstance(tree, Mark):
            raise self.error(f"{tree.text} is no term", tree)
        raise self.error("this cannot stand here", tree)

    # ---- operators --------------------------------------------------------------------

    def chain(self, tree: Chain) -> Expr:
        """``@`` and dots bind tighter than ``*``, ``⊙`` and ``/``; each from left to right."""
        segments: list[list[Tree]] = [[tree.operands[0]]]
        tight: list[list[str]] = [[]]
        loose: list[str] = []
        for sign, operand in zip(tree.operators, tree.operands[1:], strict=True):
            if sign in ("⊙", "*", "/"):
                loose.append(sign)
                segments.append([operand])
                tight.append([])
            else:
                segments[-1].append(operand)
                tight[-1].append(sign)
        result = self._segment(segments[0], tight[0])
        for sign, operands, signs in zip(loose, segments[1:], tight[1:], strict=True):
            right = self._segment(operands, signs)
            if sign == "/" and _is_open_product(operands, right):
                raise self.error(
                    "a / b c can be (a / b) c and a / (b c): put parentheses around one of them",
                    right,
                )
            if sign == "/":
                result = Entrywise(sign="/", left=result, right=right, at=result.at, end=right.end)
            else:
                kind = "⊙" if sign == "⊙" else "*"
                result = Entrywise(
                    sign="⊙" if kind == "⊙" else "*",
                    left=result,
                    right=right,
                    at=result.at,
                    end=right.end,
                )
        return result

    def _segment(self, operands: list[Tree], signs: list[str]) -> Expr:
        parts = [self.read(operand) for operand in operands]
        factors: list[Expr] = []
        between: list[str] = []
        for place, (tree, part) in enumerate(zip(operands, parts, strict=True)):
            if place:
                between.append(signs[place - 1])
            if isinstance(part, Product) and isinstance(tree, Juxt):
                factors += part.factors
                between += part.signs
            else:
                factors.append(part)
        if len(factors) == 1:
            return factors[0]
        return Product(
            factors=tuple(factors), signs=tuple(between), at=factors[0].at, end=factors[-1].end
        )

    # ---- side by side -----------------------------------------------------------------

    def juxtaposed(self, factors: list[Tree]) -> Expr:
        """A product by juxtaposition, in which functions take what follows them."""
        read: list[Expr] = []
        place = 0
        while place < len(factors):
            tree = factors[place]
            following = factors[place + 1] if place + 1 < len(factors) else None
            if read and isinstance(tree, Num):
                raise self.error(
                    f"the number {tree.text} follows another factor: write * between, or put it "
                    "first",
                    tree,
                )
            expr, used = self._factor(tree, following, factors[place + 1 :])
            place += used
            while place < len(factors) and (ranges := _ranges(factors[place])) is not None:
                brackets = factors[place]
                expr = self.sliced(expr, ranges, brackets, first=0)
                if isinstance(brackets, Scripted):
                    expr = self.scripted(expr, brackets.scripts)
                place += 1
            read.append(expr)
        if len(read) == 1:
            return read[0]
        return Product(
            factors=tuple(read),
            signs=tuple("" for _ in read[1:]),
            at=read[0].at,
            end=read[-1].end,
        )

    def _factor(self, tree: Tree, following: Tree | None, rest: list[Tree]) -> tuple[Expr, int]:
        """One factor, and how many trees it takes."""
        if base_of(tree) is None:
            return self._plain(tree), 1
        name = self.reader.read(tree)
        assert name is not None
        group, scripts = _applied(following)
        if group is not None and self.takes_time(name):
            time = self.time_in(group)
            if time is not None:
                timed = replace(name, time=time, rest=scripts, end=group.end)
                return self.named(timed), 2
        alone = group is not None and len(group.items) == 1 and _is_one_name(group.items[0])
        found = self.function(name, group is not None, alone)
        if found is not None:
            return self._call(name, found, group, scripts, rest)
        return self.named(name), 1

    def takes_time(self, name: Name) -> bool:
        """Whether a time in parentheses belongs to the name: h(t-1)."""
        return name.time is None and not name.rest

    def time_in(self, group: Group) -> Affine | None:
        """The time in ``h(t-1)`` and ``h[t-1]``."""
        if group.bracket not in ("(", "[") or len(group.items) != 1:
            return None
        form = affine_of(group.items[0], self.reader.letters)
        return form if form is not None and self.reader.is_time(form) else None

    def _plain(self, tree: Tree) -> Expr:
        if not isinstance(tree, Scripted):
            return self.read(tree)
        scripts = tree.scripts
        if isinstance(tree.base, Fenced) and tree.base.kind == "abs" and scripts[0].kind == "_":
            # |x|_0: the derivative at the kink is 0.
            labels = [label_of(item) for item in scripts[0].items]
            if labels == [("0",)]:
                called = self.call("abs_0", (self.read(tree.base.body),), tree)
                return self.scripted(called, scripts[1:])
        return self.scripted(self.read(tree.base), scripts)

    # ---- calls ------------------------------------------------------------------------

    def _call(
        self,
        name: Name,
        found: tuple[str, bool],
        group: Group | None,
        scripts: tuple[Script, ...],
        rest: list[Tree],
    ) -> tuple[Expr, int]:
        function, generic = found
        raised = tuple(script for script in name.rest if script.kind == "^")
        for script in raised:
            exponent = self.exponent(script.items[0]) if len(script.items) == 1 else None
            if exponent is not None and exponent.is_const and exponent.const == -1:
                raise self.error(
                    f"{function}^(-1) can be the inverse function and 1/{function}(…): write the "
                    "quotient, or the inverse by its own name",
                    script,
                )
        if group is None:
            if not rest:
                raise self.error(
                    f"the function {function} has no argument; write {function}(…)", name
                )
            argument = self.juxtaposed(rest)
            if isinstance(argument, Product) or len(rest) > 2:
                raise self.error(
                    f"{function} without parentheses, and several factors after it: write "
                    f"{function}(…) around what it is applied to",
                    name,
                )
            called = self.call(function, (argument,), name, generic=generic)
            return self.scripted(called, raised), 1 + len(rest)
        arguments = self.arguments(group)
        called = self.call(function, arguments, name, generic=generic)
        called = replace(called, end=group.end)
        return self.scripted(called, (*raised, *scripts)), 2

    def arguments(self, group: Group) -> tuple[Expr, ...]:
        return tuple(self.read(item) for item in group.items)

    def call(
        self, function: str, args: tuple[Expr, ...], where: Tree | Name, *, generic: bool = False
    ) -> Called:
        """A call with the right number of arguments."""
        if generic:
            wanted = "" if len(args) == 1 else "1 argument"
        else:
            wanted = FUNCTIONS[function].takes(len(args))
        if wanted:
            raise self.error(f"{function} takes {wanted}, found {len(args)}", where)
        return Called(function=function, args=args, generic=generic, at=where.at, end=where.end)

    # ---- groups -----------------------------------------------------------------------

    def group(self, tree: Group) -> Expr:
        """Parentheses, or columns below each other."""
        if len(tree.items) == 1:
            return self.read(tree.items[0])
        if tree.bracket != "[":
            raise self.error(
                "a list in parentheses is no argument of a function here: write [a, b] for "
                "columns below each other",
                tree,
            )
        rows: list[list[Expr]] = [[self.read(tree.items[0])]]
        for sign, item in zip(tree.separators, tree.items[1:], strict=True):
            cell = self.read(item)
            if sign == ",":
                rows[-1].append(cell)
            else:
                rows.append([cell])
        if len({len(row) for row in rows}) != 1:
            raise self.error("the rows of this matrix differ in length", tree)
        listed = len(rows) == 1
        return Stacked(
            rows=tuple(tuple(row) for row in rows), listed=listed, at=tree.at, end=tree.end
        )


def _applied(following: Tree | None) -> tuple[Group | None, tuple[Script, ...]]:
    """The group that a name may be applied to, and the scripts at it."""
    scripts: tuple[Script, ...] = ()
    if isinstance(following, Scripted):
        scripts, following = following.scripts, following.base
    if isinstance(following, Group) and following.bracket in ("(", "[", "{"):
        return following, scripts
    return None, ()


def _is_open_product(operands: list[Tree], read: Expr) -> bool:
    """Whether several factors stand there with no parentheses around all of them: b c, b · c."""
    if len(operands) > 1:
        return True
    (tree,) = operands
    # Nothing is seen of the braces of LaTeX, and in -b c the sign can belong to b alone.
    while True:
        if isinstance(tree, Group) and tree.bracket == "" and len(tree.items) == 1:
            (tree,) = tree.items
        elif isinstance(tree, Sum) and len(tree.terms) == 1:
            ((_, tree),) = tree.terms
            read = read.terms[0][1] if isinstance(read, Add) else read
        else:
            break
    # A call is two trees side by side, and no product; 2 T is one time.
    return isinstance(tree, Juxt | Chain) and isinstance(read, Product | Index)


def _ranges(tree: Tree) -> tuple[Tree, ...] | None:
    """The ranges in ``[0:n, :]``; None for other brackets."""
    group = tree.base if isinstance(tree, Scripted) else tree
    if not isinstance(group, Group) or group.bracket != "[":
        return None
    return group.items if any(isinstance(item, Range) for item in group.items) else None


def _is_one_name(tree: Tree) -> bool:
    """Whether a tree is a name with its scripts, and no operation."""
    return isinstance(tree.base if isinstance(tree, Scripted) else tree, Atom)
