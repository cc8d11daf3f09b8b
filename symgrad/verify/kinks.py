"""Witnesses at a kink: for sides that differ only where a step has the value of its convention.

Elsewhere a kink is no place for a witness. Here nothing else is left: step_half(x)² and
step_half(x) are equal at every x but 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from symgrad.lang.algebra import Rationals
from symgrad.lang.nodes import Derivative, Node, walk
from symgrad.verify.known_values import ExactValues
from symgrad.verify.sampling import Claim
from symgrad.verify.verdict import Witness
from symgrad.verify.witness import Point, find_exactly


class ExactWithKinks(Rationals):
    """As ``ExactValues``; a step at its kink has the value of its convention, if it has one."""

    exp, log, sqrt, opaque = ExactValues.exp, ExactValues.log, ExactValues.sqrt, ExactValues.opaque


def at_kink(
    claim: Claim, horizon: int, sizes: Mapping[str, int], *, scalar: bool
) -> tuple[Witness, Point] | None:
    """A witness at the kink of a function with a convention.

    None where a side has a derivative: what it should be at a kink is not for a witness to say.
    """
    sides = (getattr(claim, "left", None), getattr(claim, "right", None))
    nodes = [side for side in sides if isinstance(side, Node)]
    if not nodes or any(isinstance(item, Derivative) for item in walk(*nodes)):
        return None
    if getattr(claim, "backward", None) is not None:
        return None
    return find_exactly(claim, horizon, sizes, ExactWithKinks(), scalar=scalar)
