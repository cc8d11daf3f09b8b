"""Cases that hold at single values of parameters: no random point meets w = 1 by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from symgrad.lang.affine import Affine
from symgrad.lang.nodes import Cases, Condition, Node, Param, index_value, params_in, walk

Imposed = tuple[tuple[Param, Node], ...]


@runtime_checkable
class WithCases(Protocol):
    """A claim about formulas some of whose parameters may have imposed values."""

    left: Node
    right: Node
    imposed: Imposed


class NotMet(ValueError):
    """A case whose condition cannot be brought about by values of parameters."""


def special_claims(claim: Any) -> Iterator[tuple[str, Any]]:
    """The claim at the values of parameters that its cases single out, in words and itself.

    Raises:
        NotMet: a case is about something else than the value of a parameter.
    """
    if not isinstance(claim, WithCases):
        return
    seen: set[Imposed] = set()
    for node in walk(claim.left, claim.right):
        if isinstance(node, Cases):
            for row in node.conditions:
                imposed = _values(row, claim.imposed)
                if imposed and imposed not in seen:
                    seen.add(imposed)
                    words = " and ".join(f"{p!r} = {value!r}" for p, value in imposed)
                    at: Any = claim
                    yield words, replace(at, imposed=(*claim.imposed, *imposed))


def _values(row: tuple[Condition, ...], known: Imposed) -> Imposed:
    """What makes every comparison of parameters in a row an equality."""
    found: list[tuple[Param, Node]] = []
    for condition in row:
        left, right = condition.left, condition.right
        if isinstance(left, Affine) and isinstance(right, Affine):
            continue
        sides = [index_value(s) if isinstance(s, Affine) else s for s in (left, right)]
        taken = {p for p, _ in (*known, *found)}
        for target, value in (sides, sides[::-1]):
            free = isinstance(target, Param) and target.is_scalar and target not in taken
            if free and isinstance(target, Param) and target not in params_in(value):
                found.append((target, value))
                break
        else:
            if not all(isinstance(s, Param) and s in taken for s in sides):
                raise NotMet(f"{sides[0]!r} = {sides[1]!r}")
    return tuple(found)
