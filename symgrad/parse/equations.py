"""Statements of a text to equations of signals: left sides, stacked gates, the order."""

from __future__ import annotations

import heapq
from dataclasses import replace

from symgrad.lang.affine import symbol
from symgrad.lang.nodes import Shape
from symgrad.parse.declarations import Declarations
from symgrad.parse.errors import ParseError, Source
from symgrad.parse.expressions import Called, Expr, Portion, Ref, every
from symgrad.parse.grammar import Syntax, read_statements
from symgrad.parse.names import NameReader, base_of
from symgrad.parse.resolve import Resolver
from symgrad.parse.rows import Rows
from symgrad.parse.scope import Scope
from symgrad.parse.spelling import Name, Spelling, affine_of
from symgrad.parse.tree import Grid, Group, Juxt, Scripted, Statement, Tree

_t = symbol("t")


class Equations:
    """The equations and declarations of one text."""

    def __init__(self, source: Source, rows: Rows, syntax: Syntax) -> None:
        self.source, self.rows, self.syntax = source, rows, syntax
        self.reader = NameReader(source, syntax, frozenset(["t"]))
        self.scope = Scope(source, self.reader)
        self.declarations = Declarations(source, self.reader)
        header = rows.headers.get("functions")
        self.scope.generic = frozenset((header.value if header else "").replace(",", " ").split())
        self.resolver = _CellResolver(source, self.reader, self.scope)

    def read(self) -> list[tuple[Ref, Expr]]:
        """The equations in an order of evaluation.

        Raises:
            ParseError: statements that are none, or equations that go in a circle.
        """
        equations = self._equations(self._pairs())
        if not equations:
            raise ParseError(
                f"{self.source.name}: no equation; write one, such as "
                "h_t = tanh(W x_t + U h_{t-1})"
            )
        return _in_order(self.source, equations)

    # ---- statements --------------------------------------------------------------------

    def _pairs(self) -> list[tuple[Tree, Tree]]:
        """The sides of all equations; declarations are kept on the way."""
        pairs: list[tuple[Tree, Tree]] = []
        groups = [
            group
            for start, end in self.rows.rows
            for group in read_statements(self.source, self.rows.cleaned, start, end, self.syntax)
        ]
        self.reader.learn([statement for group in groups for statement in group])
        for group in groups:
            declaration = self.declarations.split(group)
            if declaration is not None:
                for tree in declaration[0]:
                    self._declare(tree, declaration)
            else:
                pairs.append(self._sides(group))
        self.scope.names.size_names = self.declarations.size_names
        return pairs

    def _declare(self, tree: Tree, declaration: tuple[list[Tree], Shape]) -> None:
        name = self._left_name(tree)
        if name is None or name.rest or name.time not in (None, _t):
            raise self.source.error("expected a name before its shape: x_t : m", tree.at, tree.end)
        before = self.scope.declared.get(name.spelling)
        if before is not None:
            raise self.source.error(
                f"{name.spelling.plain} is declared twice, first in line "
                f"{self.source.line_of(before[1].at)}; remove one",
                tree.at,
                tree.end,
            )
        self.scope.declared[name.spelling] = (declaration[1], tree)

    def _sides(self, group: list[Statement]) -> tuple[Tree, Tree]:
        last = group[-1]
        if len(group) > 1:
            raise self.source.error(
                "this has no equals sign: one equation for each signal, h_t = …, "
                "or a declaration, W : n x m",
                group[0].at,
                group[0].end,
            )
        if not last.relations:
            raise self.source.error(
                "this is no equation: expected an equals sign, h_t = …", last.at, last.end
            )
        if len(last.relations) > 1:
            raise self.source.error(
                "several relations in one line: write one equation h_t = … a line",
                last.items[2].at,
                last.items[2].end,
            )
        if last.relations != ("=",):
            raise self.source.error(
                f"the relation {last.relations[0]} makes no equation: write h_t = …",
                last.items[1].at,
                last.items[1].end,
            )
        return last.items[0], last.items[1]

    # ---- left sides --------------------------------------------------------------------

    def _left_name(self, tree: Tree) -> Name | None:
        """The name on a left side, with its time: ``h_t``, ``h(t)``, ``h[t]``."""
        if isinstance(tree, Juxt) and len(tree.factors) == 2:
            first, second = tree.factors
            if base_of(first) is not None and isinstance(second, Group) and len(second.items) == 1:
                name = self.reader.read(first)
                time = affine_of(second.items[0], self.reader.letters)
                if name is not None and time is not None and time.names and name.time is None:
                    return replace(name, time=time, end=tree.end)
        return self.reader.read(tree)

    def _equations(self, pairs: list[tuple[Tree, Tree]]) -> list[tuple[Ref, Expr]]:
        scope = self.scope
        for left, right in pairs:
            cells = _column(left)
            if cells is None and self._alias(left, right):
                continue
            for tree in cells or [left]:
                self._target(tree)
        scope.learn([tree for pair in pairs for tree in pair])
        for spelling, tree in scope.targets.items():
            state = scope.initial(spelling)
            if state:
                raise self.source.error(
                    f"{state}_0 is free in symgrad: remove this equation, and give the value where "
                    f"numbers are asked for (--at {state}_0=0)",
                    tree.at,
                    tree.end,
                )
        self.resolver.size_letters = frozenset(self.declarations.size_names)
        found: list[tuple[Ref, Expr]] = []
        for left, right in pairs:
            cells = _column(left)
            if cells is not None:
                found += self._stacked(cells, right)
            elif self._is_target(left):
                found.append((self._reference(left), self.resolver.read(right)))
        return found

    def _is_target(self, tree: Tree) -> bool:
        name = self._left_name(tree)
        return name is not None and name.spelling in self.scope.targets

    def _alias(self, left: Tree, right: Tree) -> bool:
        """``\\phi = \\tanh`` defines what a letter means where it is applied."""
        name = self._left_name(left)
        meant = self.reader.read(right) if base_of(right) is not None else None
        if name is None or meant is None or name.time is not None or meant.time is not None:
            return False
        found = self.scope.function(meant, True) if meant.spelling.plain != "I" else None
        if found is None or found[1] or name.rest or meant.rest:
            return False
        self.scope.aliases[name.spelling] = found
        return True

    def _target(self, tree: Tree) -> None:
        name = self._left_name(tree)
        if name is None or name.rest:
            raise self.source.error(
                "the left side must be one signal at time t, such as h_t", tree.at, tree.end
            )
        plain = name.spelling.plain
        if name.time is not None and name.time != _t:
            hint = "shift the equation in time so that it defines the value at t"
            raise self.source.error(
                f"the left side is {plain} at {name.time}: {hint}, {plain}_t = …", tree.at, tree.end
            )
        if name.function or name.spelling in (Spelling("t"), Spelling("T")):
            raise self.source.error(f"{plain} cannot be a signal", tree.at, tree.end)
        before = self.scope.targets.get(name.spelling)
        if before is not None:
            raise self.source.error(
                f"{plain} has two equations, the first in line {self.source.line_of(before.at)}: "
                "give the second signal another name",
                tree.at,
                tree.end,
            )
        self.scope.targets[name.spelling] = tree

    def _reference(self, tree: Tree) -> Ref:
        name = self._left_name(tree)
        assert name is not None
        entry = self.scope.entry(name, "signal")
        return Ref(name=entry.name, time=_t, at=tree.at, end=tree.end)

    def _stacked(self, cells: list[Tree], right: Tree) -> list[tuple[Ref, Expr]]:
        """Several signals below each other, each with its function and its rows."""
        refs = tuple(self._reference(cell) for cell in cells)
        functions = self._functions(right)
        body_tree = right
        if functions is not None:
            assert isinstance(right, Juxt)
            if len(functions) != len(cells):
                raise self.source.error(
                    f"{len(cells)} signals on the left, {len(functions)} functions on the right",
                    right.at,
                    right.end,
                )
            factors = right.factors[1:]
            if not factors:
                raise self.source.error("these functions have no argument", right.at, right.end)
            body_tree = Juxt(factors=factors, at=factors[0].at, end=right.end)
            if len(factors) == 1:
                body_tree = factors[0]
        found: list[tuple[Ref, Expr]] = []
        for place, ref in enumerate(refs):
            # Each signal reads the right side anew: an expression has one place in the tree.
            body = self.resolver.read(body_tree)
            value: Expr = Portion(
                body=body, signals=refs, place=place, at=body_tree.at, end=body_tree.end
            )
            if functions is not None:
                function, generic = functions[place]
                value = Called(
                    function=function, args=(value,), generic=generic, at=right.at, end=right.end
                )
            found.append((ref, value))
        return found

    def _functions(self, right: Tree) -> list[tuple[str, bool]] | None:
        """The column of functions that a right side begins with."""
        if not isinstance(right, Juxt):
            return None
        cells = _column(right.factors[0])
        found: list[tuple[str, bool]] = []
        for cell in cells or ():
            name = self.reader.read(cell) if base_of(cell) is not None else None
            function = None if name is None else self.scope.function(name, True)
            if function is None:
                return None
            found.append(function)
        return found or None


class _CellResolver(Resolver):
    """Reads right-hand sides of a cell: the scope knows the names."""

    def __init__(self, source: Source, reader: NameReader, scope: Scope) -> None:
        super().__init__(source, reader, scope.refer, scope.function)
        self.scope = scope

    def known(self, name: str) -> bool:
        spelling = Spelling(name)
        return spelling in self.scope.targets or spelling in self.scope.declared


def _column(tree: Tree) -> list[Tree] | None:
    """The cells of a matrix of one column."""
    if isinstance(tree, Scripted):
        return None
    if isinstance(tree, Grid) and all(len(row) == 1 for row in tree.rows) and len(tree.rows) > 1:
        return [row[0] for row in tree.rows]
    if isinstance(tree, Group) and tree.bracket == "[" and set(tree.separators) == {";"}:
        return list(tree.items)
    return None


def _in_order(source: Source, equations: list[tuple[Ref, Expr]]) -> list[tuple[Ref, Expr]]:
    """The equations, each after those it needs; the given order where it is one.

    Raises:
        ParseError: signals that need each other within one step.
    """
    by_name = {ref.name: (ref, value) for ref, value in equations}
    needs = {
        ref.name: [
            item.name
            for item in every(value)
            if isinstance(item, Ref) and item.time == _t and item.name in by_name
        ]
        for ref, value in equations
    }
    order = {ref.name: place for place, (ref, _) in enumerate(equations)}
    users: dict[str, list[str]] = {name: [] for name in order}
    open_needs = {name: len(set(found)) for name, found in needs.items()}
    for name, found in needs.items():
        for need in set(found):
            users[need].append(name)
    ready = [order[name] for name, count in open_needs.items() if not count]
    done: list[tuple[Ref, Expr]] = []
    while ready:
        ref, value = equations[heapq.heappop(ready)]
        done.append((ref, value))
        for name in users[ref.name]:
            open_needs[name] -= 1
            if not open_needs[name]:
                heapq.heappush(ready, order[name])
    if len(done) < len(equations):
        waiting = [name for name, count in open_needs.items() if count]
        raise _cycle(source, needs, waiting, by_name)
    return done


def _cycle(
    source: Source,
    needs: dict[str, list[str]],
    waiting: list[str],
    by_name: dict[str, tuple[Ref, Expr]],
) -> ParseError:
    path = [waiting[0]]
    while path.count(path[-1]) == 1:
        path.append(next(need for need in needs[path[-1]] if need in waiting))
    path = path[path.index(path[-1]) :]
    ref, _ = by_name[path[0]]
    shown = " needs ".join(f"{name}_t" for name in path)
    return source.error(
        f"the equations go in a circle within one step: {shown}; use the value one step back, "
        f"{path[0]}_{{t-1}}, in one of them",
        ref.at,
        ref.end,
    )
