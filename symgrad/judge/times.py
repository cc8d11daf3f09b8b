"""The times of a statement: those at which its signals exist, within the range that it states.

A statement is said for every choice of its free times at which all its signals exist, ``t``
within 1..T, ``k`` up to t. A range behind it narrows that, or says of ``k`` something else. No
verdict is about other times than these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

from symgrad.cell import Cell
from symgrad.lang.affine import Affine, symbol
from symgrad.lang.nodes import (
    Cases,
    Fold,
    Node,
    Signal,
    open_fold,
    substitute_indices,
)
from symgrad.parse import ParseError
from symgrad.parse.errors import Source
from symgrad.parse.time_ranges import Comparison, StatedRange
from symgrad.verify.ranges import TimeRange, is_difference
from symgrad.verify.regions import Region
from symgrad.verify.times import free_letters
from symgrad.verify.verdict import Verdict

_ORDER = "tkji"


@dataclass(frozen=True)
class Stated:
    """A range as it applies to a statement: ``t = T`` has taken the place of t already.

    ``fixed``: the times that have a value, in words.
    """

    constraints: tuple[Affine, ...] = ()
    fixed: tuple[str, ...] = ()


def earliest(cell: Cell, item: Signal) -> int:
    """The first time at which a signal exists: of losses, targets and δ there are none at 0."""
    return 0 if cell.is_state(item.name) and item.adjoint in ("", "lam") else 1


def letters_of(left: Node, right: Node) -> list[str]:
    """The free times of a statement other than T, t before k."""
    free = free_letters(left, right) - {"T"}
    return sorted(free, key=lambda x: (_ORDER.find(x) if x in _ORDER else len(_ORDER), x))


def times_of(cell: Cell, left: Node, right: Node, stated: tuple[Affine, ...] = ()) -> TimeRange:
    """The times at which a statement is judged."""
    letters = letters_of(left, right)
    existing = _existing(cell, left, right, letters)
    return TimeRange(letters, [*existing, *stated, *_order(letters, stated)])


def _order(letters: list[str], stated: tuple[Affine, ...]) -> list[Affine]:
    """That each time goes up to the one before it, where the range says nothing else."""
    return [
        symbol(before) - symbol(letter)
        for before, letter in pairwise(letters)
        if not any(_says_how_far(form, letter, before) for form in stated)
    ]


def _existing(cell: Cell, left: Node, right: Node, letters: list[str]) -> list[Affine]:
    """That each signal exists: from its first time to T; in a sum, each that it goes over."""
    known = Region().also(symbol("T"), *(symbol(x) for x in letters))
    known = known.also(*(symbol("T") - symbol(x) for x in letters))
    found: dict[Affine, None] = {}
    for side in (left, right):
        for form, _ in _needed(cell, side, known, ()):
            if form.names <= {"T", *letters} and is_difference(form):
                found[form] = None
    return list(found)


#: The index of a sum, with its first and its last value.
_Bound: TypeAlias = tuple[str, Affine, Affine]


def _needed(
    cell: Cell, node: Node, region: Region, bound: tuple[_Bound, ...]
) -> Iterator[tuple[Affine, Signal]]:
    """Forms that are at least 0 where the signals of a formula exist, without what is known.

    An index takes the end of its range at which the form is smallest.
    """
    if isinstance(node, Signal):
        for form in (node.time - earliest(cell, node), symbol("T") - node.time):
            if bound and region.implies(form):
                continue
            there = node
            for index, low, high in reversed(bound):
                end = {index: low if form.coefficient(index) > 0 else high}
                form, there = form.substitute(end), there.at(there.time.substitute(end))
            yield form, there
        return
    if isinstance(node, Fold):
        fresh, body = open_fold(node)
        inside = region.also(symbol(fresh) - node.lower, node.upper - symbol(fresh))
        if not inside.is_empty:
            yield from _needed(cell, body, inside, (*bound, (fresh, node.lower, node.upper)))
        return
    if isinstance(node, Cases) and bound:
        return  # which terms a case inside a sum has is decided where it is evaluated
    for argument in node.args:
        yield from _needed(cell, argument, region, bound)


def missing(cell: Cell, left: Node, right: Node) -> str:
    """The signal because of which a statement is about no time at all, as far as there is one."""
    everywhere = Region().also(symbol("T"))
    for side in (left, right):
        for form, item in _needed(cell, side, everywhere, ()):
            if form.is_const and form.const < 0:
                first = earliest(cell, item)
                return f"{item!r} is in no run: {item.at(symbol('t'))!r} exists for {first} ≤ t ≤ T"
    return "there is no time at which all its signals exist"


def _says_how_far(form: Affine, letter: str, before: str) -> bool:
    """Whether a constraint bounds a time from above, or compares it with the one before."""
    return form.coefficient(letter) < 0 or {letter, before} <= form.names


def stated_times(
    cell: Cell, left: Node, right: Node, found: StatedRange | None
) -> tuple[Node, Node, Stated]:
    """Both sides with times such as ``t = T`` in place, and what is left of the range.

    Raises:
        ParseError: the range contradicts itself, or is empty for every T.
    """
    if found is None:
        return left, right, Stated()
    whole = times_of(cell, left, right)
    # Before t has a value, in whose place k goes up to that.
    order = _order(letters_of(left, right), found.constraints)
    links = [*found.comparisons, *(Comparison(Affine(), "≤", form, 0, 0) for form in order)]
    fixed = []
    while (equal := next((c for c in links if _settles(c)), None)) is not None:
        letter, value = _solved(equal)
        there = {letter: value}
        try:
            left, right = (substitute_indices(side, there) for side in (left, right))
        except ZeroDivisionError:
            raise found.error(f"for {letter} = {value} the statement divides by zero") from None
        links.remove(equal)
        links = [
            replace(c, left=c.left.substitute(there), right=c.right.substitute(there))
            for c in links
        ]
        for form in (value, symbol("T") - value):
            # 0 ≤ t ≤ T goes for t = T - 1 as well.
            low = Affine() if form is value else value
            links.append(Comparison(low, "≤", value if form is value else symbol("T"), 0, 0))
        fixed.append(f"{letter} = {value}")
    constraints = tuple(form for c in links for form in c.constraints)
    if times_of(cell, left, right, constraints).is_empty:
        where = "at no time" if whole.is_empty else f"for {whole.words()}"
        raise found.error(
            f"this range is empty for every T; the signals of the statement exist {where}"
        )
    return left, right, Stated(constraints, tuple(fixed))


def beyond_the_run(
    cell: Cell, left: Node, right: Node, stated: tuple[Affine, ...]
) -> tuple[str, ...]:
    """The signals that are in no run at some times of a stated range.

    Where a side of the range is not stated, it ends by itself where the signals do.
    """
    within_it = Region().also(symbol("T"), *stated)
    known = Region().also(symbol("T"))
    found: dict[str, None] = {}
    for side in (left, right):
        for form, item in _needed(cell, side, known, ()):
            names = [name for name in form.names if name != "T"] or ["T"]
            bounded = all(
                any(s.coefficient(n) * form.coefficient(n) > 0 for s in stated) for n in names
            )
            if form.names and bounded and not within_it.implies(form):
                found[f"ℓ_{item.time}" if item.adjoint == "dl" else f"{item!r}"] = None
    return tuple(found)


def _settles(link: Comparison) -> bool:
    return link.relation == "=" and bool((link.left - link.right).names - {"T"})


def _solved(link: Comparison) -> tuple[str, Affine]:
    """The free time that an equation settles, and its value: of k = t that is k."""
    form = link.left - link.right
    letter = max(form.names - {"T"}, key=lambda x: (_ORDER.find(x) if x in _ORDER else 9, x))
    count = form.coefficient(letter)
    return letter, symbol(letter) - form.scale(count)


def within(found: Verdict, times: TimeRange, stated: Stated) -> Verdict:
    """A verdict about a statement with a range: its scope says the range, and nothing beyond it."""
    if found.status != "proved":
        said = ", ".join((*stated.fixed, times.words()))
        # T = 0 is said once.
        repeated = not found.scope or found.scope.startswith(f"{said}, ")
        return replace(found, scope=found.scope or said if repeated else f"{said}, {found.scope}")
    core, *sizes = found.scope.split(", all sizes")
    kept = _read_scope(core, times)
    if kept is None:
        # Both are said: the proof is for no more than its own scope.
        words = ", ".join((*stated.fixed, times.words()))
        return replace(found, scope=f"{words}, of {found.scope}")
    words = ", ".join((kept.words(), *stated.fixed))
    single = not stated.fixed and not kept.letters and kept.first() == kept.last
    return replace(found, scope=", all sizes".join((words if single else f"all {words}", *sizes)))


def _read_scope(core: str, times: TimeRange) -> TimeRange | None:
    """The times of a statement for which the proof of ``all 1 ≤ k ≤ T`` holds."""
    read = StatedRange(Source(core, "<scope>"))
    start = len("all ") if core.startswith("all ") else 0
    try:
        read.read(core, start, len(core))
    except ParseError:
        return None
    kept = read.letters.keys() <= {"T", *times.letters}
    return times.and_also(read.constraints) if kept else None
