"""What a person would give a name in a step because it occurs more than once."""

from __future__ import annotations

from collections import Counter

from symgrad.evaluate.export.parts import is_batched, is_call, kind
from symgrad.lang.nodes import Apply, Node, walk

#: Heads that are operators or change no number: never worth a name of their own.
_CHEAP = {"add", "neg", "mul", "div", "transpose", "diag", "total"}


def repeated(roots: list[Node]) -> list[Node]:
    """Functions and products that occur more than once, inner ones first."""
    uses = Counter(roots)
    nodes = walk(*roots)
    for node in nodes:
        uses.update(node.args)
    return [n for n in nodes if uses[n] > 1 and _is_worth_a_name(n) and n not in set(roots)]


def _is_worth_a_name(node: Node) -> bool:
    if is_call(node, "add"):
        # A pre-activation.
        return any(_is_worth_a_name(argument) for argument in node.args)
    if not isinstance(node, Apply) or node.head.name in _CHEAP:
        return False
    if is_call(node, "matmul"):
        return kind(node.args[0]) == "matrix" and kind(node) == "column"
    return is_batched(node)
