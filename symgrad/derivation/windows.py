"""How much of time a form looks at."""

from __future__ import annotations

from symgrad.closed.forms import Form
from symgrad.lang.affine import as_affine
from symgrad.lang.nodes import Derivative, Node, Signal


def is_inner(left: Node) -> bool:
    """Whether a derivative is with respect to a signal after time 0."""
    return (
        isinstance(left, Derivative) and isinstance(left.wrt, Signal) and bool(left.wrt.time.names)
    )


def window(form: Form) -> tuple[str, int] | None:
    """The free time and the number of steps that a form spans, where that is fixed."""
    left = form.left
    if not isinstance(left, Derivative) or not isinstance(left.of, Signal):
        return None
    of = left.of.time
    if isinstance(left.wrt, Signal) and of.is_const and left.wrt.time == as_affine(0):
        return "", of.const
    if len(of.names) != 1 or of.const != 0:
        return None
    (name,) = of.names
    if left.kind == "immediate":
        return name, 0
    if isinstance(left.wrt, Signal) and (of - left.wrt.time).is_const:
        return name, (of - left.wrt.time).const
    return None
