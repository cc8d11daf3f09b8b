"""Changes at single places of a formula: rebuilt around the change, binders never capture."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from symgrad.lang.nodes import Apply, Cases, Derivative, Fold, Misfit, Node, fold, open_fold, walk

#: What can be put in the place of a node, each with a label.
Local = Callable[[Node], Iterator[tuple[str, Node]]]


def everywhere(node: Node, local: Local) -> Iterator[tuple[str, Node]]:
    """The formula with one node replaced, for every node and everything ``local`` has for it.

    What does not have the shape of the node that it replaces, or contains operands that do
    not conform, is left out. Bodies of Σ and Π are opened, so the bound index has a name
    that occurs nowhere else while they are changed.
    """
    for label, made in _edits(node, local):
        if made is not node and not any(isinstance(item, Misfit) for item in walk(made)):
            yield label, made


def _edits(node: Node, local: Local) -> Iterator[tuple[str, Node]]:
    for label, made in local(node):
        if made.shape == node.shape and made is not node:
            yield label, made
    if isinstance(node, Derivative):
        return  # a name
    if isinstance(node, Fold):
        index, body = open_fold(node)
        for label, made in _edits(body, local):
            yield label, fold(node.kind, index, node.lower, node.upper, made)
        return
    # What conditions compare is no part of the value.
    parts = node.values if isinstance(node, Cases) else node.args
    for place, argument in enumerate(parts):
        for label, made in _edits(argument, local):
            yield label, node.with_args((*node.args[:place], made, *node.args[place + 1 :]))


def is_call(node: Node, *heads: str) -> bool:
    """Whether a node is an application of one of these operations."""
    return isinstance(node, Apply) and node.head.name in heads


__all__ = ["everywhere", "is_call"]
