"""What the signs in a document mean, as the list at its end: those that occur in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from symgrad.derivation.model import Derivation, InductionProof, Step
from symgrad.lang.nodes import Apply, Block, Node, Power, Slice, walk
from symgrad.ops.elementwise import GENERIC
from symgrad.render.blocks import Text
from symgrad.render.inline import inline
from symgrad.render.layout import Ident
from symgrad.render.notation_parts import applied

_ALWAYS = (
    "$t = 1, …, T$ counts time; $T$ is the horizon and index $0$ the given initial state. Empty "
    "sums are $0$ and empty products $1$; products of matrices are ordered, the latest step on "
    "the left.",
    "$⊙$ is the elementwise product, $\\operatorname{diag}(v)$ the diagonal matrix of $v$, $⊤$ the "
    "transpose; an exponent $T$ is a power, not a transpose. The scalar reading prints parameters "
    "in lower case.",
    "$d$ is the total derivative, through every path. $∂^+$ is the immediate one (Pascanu et al. "
    "2013): states of the step before and inputs are held fixed, what is computed within the step "
    "follows. A bar with signals below restricts a derivative to paths through those signals.",
    "The gradient of a scalar has the shape of its argument; the derivative of one vector with "
    "respect to another is a Jacobian in numerator layout.",
)


def notation_list(derivation: Derivation) -> tuple[Text, ...]:
    """The signs of every document, then what only some have."""
    nodes = walk(*_formulas(derivation))
    sometimes = [line for line, occurs in _SOMETIMES if any(occurs(node) for node in nodes)]
    generic = sorted({_generic(node) for node in nodes} - {""})
    return (*map(inline, (*_ALWAYS, *sometimes)), *map(_of_generic, generic))


def _formulas(derivation: Derivation) -> Iterator[Node]:
    for section in derivation.sections:
        for item in section.items:
            if isinstance(item, Step):
                yield from (item.left, *item.chain)
            elif isinstance(item, InductionProof):
                for line in item.induction.lines:
                    yield from (line.left, *[value for value, _ in line.chain])


def _calls(*names: str) -> Callable[[Node], bool]:
    """Whether a node is a function of one of these names, whatever its convention."""

    def occurs(node: Node) -> bool:
        return isinstance(node, Apply) and node.head.name.partition("_")[0] in names

    return occurs


def _by_entries(node: Node) -> bool:
    """A power or a fraction that is taken entry by entry."""
    if isinstance(node, Power):
        return not node.is_scalar and not node.is_matrix_power
    return _calls("div")(node) and not node.args[1].is_scalar


def _broadcasts(node: Node) -> bool:
    """A number added to what is no number."""
    if not _calls("add", "max")(node) or node.is_scalar:
        return False
    return any(argument.is_scalar for argument in node.args)


def _stacks(node: Node) -> bool:
    return isinstance(node, Block) and 1 in node.grid


_SOMETIMES: tuple[tuple[str, Callable[[Node], bool]], ...] = (
    ("Powers and fractions of vectors are taken entry by entry.", _by_entries),
    ("A number added to a vector is added to each of its entries.", _broadcasts),
    ("$\\operatorname{sum}(v)$ is the sum of the entries of $v$.", _calls("total")),
    ("Vectors below each other in brackets are one long vector.", _stacks),
    (
        "$W_{:,i:j}$ are the columns $i$ to $j$ of $W$, the last one included, and $W_{i:j,:}$ its "
        "rows; $a_{i:j}$ are the entries $i$ to $j$ of $a$.",
        lambda node: isinstance(node, Slice),
    ),
    (
        "$\\operatorname{softmax}(z) = \\exp(z) / \\operatorname{sum}(\\exp(z))$.",
        _calls("softmax"),
    ),
    (
        "$\\operatorname{logsumexp}(z) = \\log(\\operatorname{sum}(\\exp(z)))$.",
        _calls("logsumexp"),
    ),
    (
        "$\\operatorname{mean}(v)$ is the mean of the entries of $v$, and "
        "$\\operatorname{var}(v)$ that of their squared distances from it.",
        _calls("mean", "variance"),
    ),
    ("$\\operatorname{softplus}(x) = \\log(1 + \\exp(x))$.", _calls("softplus")),
    (
        "$\\operatorname{relu}(x) = \\max(x, 0)$, with the derivative $\\operatorname{step}(x)$.",
        _calls("relu"),
    ),
    (
        "$\\operatorname{step}(x)$ is $1$ for $x > 0$ and $0$ for $x < 0$.",
        _calls("step", "relu", "max"),
    ),
    (
        "$\\operatorname{sign}(x)$ is $1$ for $x > 0$ and $-1$ for $x < 0$; it is the derivative "
        "of the absolute value.",
        _calls("sign", "abs"),
    ),
    (
        "A subscript at step, relu, max, sign or a bar is a convention at the kink: the derivative "
        "there, for step and sign the value. Without a subscript there is none.",
        _calls("step", "relu", "max", "sign", "abs"),
    ),
)


def _generic(node: Node) -> str:
    """The name of a generic activation, its derivatives left out; else empty."""
    plain = node.head.name.rstrip("'") if isinstance(node, Apply) else ""
    return plain if plain in GENERIC else ""


def _of_generic(name: str) -> Text:
    function, derivative = (applied(name + primes, (Ident("x"),))[0] for primes in ("", "'"))
    anything = " is any differentiable function, applied entry by entry, and "
    return (function, anything, derivative, " its derivative.")
