"""Cases that hold at single values of parameters: no random point meets w = 1 by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from symgrad.lang.affine import Affine
from symgrad.lang.nodes import (
    Cases,
    Condition,
    Const,
    Node,
    Param,
    index_value,
    params_in,
    transform,
    walk,
)

Imposed = tuple[tuple[Param, Node], ...]


@runtime_checkable
class WithCases(Protocol):
    """A claim about formulas some of whose parameters may have imposed values."""

    left: Node
    right: Node
    imposed: Imposed


class NotMet(ValueError):
    """A case whose condition cannot be brought about by values of parameters."""


#: Places at which cases hold that are tried for one claim.
_MOST_PLACES = 64


def special_claims(claim: Any) -> Iterator[tuple[str, Any]]:
    """The claim at the values of parameters that its cases single out, in words and itself.

    Cases that hold at single values of different parameters may hold at once: w = 1 and u = 3.

    Raises:
        NotMet: a case is about something else than the value of a parameter.
    """
    if not isinstance(claim, WithCases):
        return
    rows = {
        row: None
        for node in walk(claim.left, claim.right)
        if isinstance(node, Cases)
        for row in node.conditions
        if row
    }
    start = _Place(tuple(claim.imposed))
    seen = {start.key}
    waiting = [start]
    while waiting:
        place = waiting.pop(0)
        for row in rows:
            found = place.where(row)
            if found is None or found.key in seen:
                continue
            if len(seen) > _MOST_PLACES:
                raise NotMet(f"beyond the first {_MOST_PLACES}")
            seen.add(found.key)
            waiting.append(found)
            new = found.imposed[len(start.imposed) :]
            words = " and ".join(f"{p!r} = {value!r}" for p, value in new)
            at: Any = claim
            yield words, replace(at, imposed=found.imposed)


@dataclass(frozen=True)
class _Place:
    """Parameters with values in terms of the others, so that their order does not matter."""

    imposed: Imposed

    @property
    def key(self) -> frozenset[tuple[Param, Node]]:
        return frozenset(self.imposed)

    def where(self, row: tuple[Condition, ...]) -> _Place | None:
        """Where every comparison in a row is an equality besides; None where it cannot be.

        Raises:
            NotMet: no value of a parameter brings it about.
        """
        place = self
        for condition in row:
            left, right = condition.left, condition.right
            if isinstance(left, Affine) and isinstance(right, Affine):
                continue
            if condition.relation not in ("=", "≠"):
                raise NotMet(f"{left!r} {condition.relation} {right!r}")
            sides = [index_value(s) if isinstance(s, Affine) else s for s in (left, right)]
            found = place.with_equal(*(place.put_in(side) for side in sides))
            if found is None:
                return None
            place = found
        return None if place is self else place

    def put_in(self, node: Node) -> Node:
        """A formula with the values in the place of the parameters."""
        values: dict[Node, Node] = dict(self.imposed)
        return transform(node, lambda item: values.get(item, item))

    def with_equal(self, left: Node, right: Node) -> _Place | None:
        """Where two formulas are equal besides; None where they are different numbers."""
        if left is right:
            return self
        if isinstance(left, Const) and isinstance(right, Const):
            return None
        for target, value in ((left, right), (right, left)):
            free = isinstance(target, Param) and target.is_scalar
            if free and isinstance(target, Param) and target not in params_in(value):
                new = _Place(((target, value),))
                earlier = tuple((p, new.put_in(known)) for p, known in self.imposed)
                return _Place((*earlier, (target, value)))
        raise NotMet(f"{left!r} = {right!r}")
