"""Primes that nobody knows before a statement is there.

What is a multiple of 2^61 - 1 is zero modulo it: a coefficient of 2305843009213693951 would
pass unseen. So a statement is evaluated modulo a second prime too, which is drawn from its own
text: to write a multiple of that prime into it changes the prime.
"""

from __future__ import annotations

from functools import lru_cache
from math import log2
from typing import Any

from sympy.ntheory import isprime

from symgrad.lang.affine import Affine
from symgrad.lang.nodes import Apply, Cases, Const, Fold, IndexValue, Node, Power, walk
from symgrad.verify.sampling import digest

#: The primes are below 2^61, and not by much: error bounds are those of the first prime.
_WIDTH = 1 << 58
LEAST_PRIME = (1 << 61) - _WIDTH


def prime_of(claim: Any, draw: int = 0) -> int:
    """A prime that depends on what a claim says; another one for every draw."""
    return _prime(digest(draw, _text(getattr(claim, "left", ""), getattr(claim, "right", ""))))


@lru_cache(maxsize=256)
def _text(left: Any, right: Any) -> str:
    return f"{left!r}|{right!r}"


@lru_cache(maxsize=1024)
def _prime(number: int) -> int:
    candidate = LEAST_PRIME + number % _WIDTH | 1
    while not isprime(candidate):
        candidate = candidate + 2 if candidate + 2 < LEAST_PRIME + _WIDTH else LEAST_PRIME + 1
    return candidate


def is_heavy(claim: Any, horizon: int) -> bool:
    """Whether numbers written in a claim could make a multiple of a prime at some T alone.

    Then a few T are not enough for the second prime.
    """
    roots = [getattr(claim, side, None) for side in ("left", "right")]
    nodes = [root for root in roots if isinstance(root, Node)]
    if not any(_makes_numbers(node) for node in walk(*nodes)):
        return False
    bits: dict[Node, float] = {}
    for node in walk(*nodes):
        bits[node] = _bits(node, [bits[a] for a in node.args if a in bits], horizon)
    return max((bits[root] for root in nodes), default=0) >= log2(LEAST_PRIME)


def _makes_numbers(node: Node) -> bool:
    """Whether a coefficient other than 1 or -1 can come from a node itself."""
    if isinstance(node, Const):
        return max(abs(node.value.numerator), node.value.denominator) > 1
    if isinstance(node, Apply) and node.head.name == "add":
        return len(set(node.args)) < len(node.args)
    return isinstance(node, IndexValue)


def _bits(node: Node, below: list[float], horizon: int) -> float:
    """How many bits a coefficient in a formula can have, as far as numbers make it."""
    largest = max(below, default=0.0)
    if isinstance(node, Const):
        return log2(max(abs(node.value.numerator), node.value.denominator, 1))
    if isinstance(node, IndexValue):
        return log2(max(abs(node.form.const) + _growth(node.form) * horizon, 2))
    if isinstance(node, Power):
        return largest * (abs(node.exponent.const) + _growth(node.exponent) * horizon)
    if isinstance(node, Fold):
        terms = max(horizon, 1)
        return largest * terms if node.kind == "prod" else largest + log2(terms)
    if isinstance(node, Apply) and node.head.name == "add":
        return largest + 1
    if isinstance(node, Apply) and node.head.name in ("mul", "matmul", "div"):
        return sum(below)
    return sum(below) if isinstance(node, Cases) else largest


def _growth(form: Affine) -> int:
    """By how much a form grows at the most where each of its times grows by 1."""
    return sum(abs(count) for _, count in form.terms)
