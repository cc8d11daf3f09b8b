"""Plain text of formulas: ``W_h @ h_{t-1} + b_h``.

Products of matrices are ``@``, elementwise products ``*``, transposes ``.T``; times
stand in braces. This is what error messages and ``repr`` show.
"""

from __future__ import annotations

from symgrad.lang.affine import ONE, Affine
from symgrad.lang.display import RENDERERS
from symgrad.lang.nodes import (
    Apply,
    Block,
    Cases,
    Condition,
    Const,
    Derivative,
    Fold,
    Full,
    IndexValue,
    Iverson,
    Misfit,
    Name,
    Node,
    Param,
    Power,
    Signal,
    Slice,
    rename_index,
    walk,
)

# Binding strengths: a part is put in parentheses when it binds weaker than its place.
SUM, PRODUCT, PREFIX, POWER, ATOM = range(5)

_BOUND_NAMES = ("k", "j", "i", "m", "p", "q")


def compact(form: Affine) -> str:
    """An affine form without spaces, as it stands in an index."""
    return str(form).replace(" ", "")


def bound_name(node: Fold, used: frozenset[str]) -> str:
    """The letter a bound index is printed with: the first that is not in use.

    The index of adjoints is time itself, t, as people write Σ_t δ_t x_t.
    """
    wanted: tuple[str, ...] = _BOUND_NAMES if node.kind == "sum" else ("j", "i", "k", "m", "p", "q")
    if node.kind == "sum" and _indexes_adjoints(node):
        wanted = ("t", *wanted)
    return next(letter for letter in (*wanted, *(f"j{i}" for i in range(99))) if letter not in used)


def _indexes_adjoints(node: Fold) -> bool:
    return any(
        isinstance(item, Signal) and item.adjoint and item.time.names == {node.index}
        for item in walk(node.body)
    )


def free_names(node: Node) -> frozenset[str]:
    """Index names that occur in a formula, bound ones by their canonical name."""
    names: set[str] = set()
    seen: set[Node] = set()
    stack = [node]
    while stack:
        item = stack.pop()
        if item in seen:
            continue
        seen.add(item)
        stack.extend(item.args)
        if isinstance(item, Signal):
            names |= item.time.names
        elif isinstance(item, IndexValue | Iverson):
            names |= item.form.names
        elif isinstance(item, Power):
            names |= item.exponent.names
        elif isinstance(item, Name) and item.time is not None:
            names |= item.time.names
        elif isinstance(item, Fold):
            names |= item.lower.names | item.upper.names
        elif isinstance(item, Cases):
            names |= item.condition_names
    return frozenset(names)


def slice_names(node: Slice) -> frozenset[str]:
    """The sizes that the ranges of a part of a matrix are written with."""
    forms = (*node.start, *node.shape)
    return frozenset().union(*[form.names for form in forms])


def named_body(node: Fold, used: frozenset[str]) -> tuple[str, Node]:
    """A readable letter for the bound index, and the body written with it."""
    sizes = [slice_names(part) for part in walk(node.body) if isinstance(part, Slice)]
    free = {n for n in free_names(node) if not n.startswith("#")}
    letter = bound_name(node, used.union(free, *sizes))
    return letter, rename_index(node.body, node.index, letter)


def text(node: Node) -> str:
    """The formula on one line."""
    return _text(node, frozenset())[0]


def _wrap(part: tuple[str, int], place: int) -> str:
    return f"({part[0]})" if part[1] < place else part[0]


def _text(node: Node, used: frozenset[str]) -> tuple[str, int]:
    if isinstance(node, Const):
        number = node.value
        if number.denominator != 1:
            return str(number), PRODUCT
        return str(number), ATOM if number >= 0 else PREFIX
    if isinstance(node, Param):
        return node.name, ATOM
    if isinstance(node, Signal):
        return f"{node.label}_{_index(node.time)}", ATOM
    if isinstance(node, Name):
        return node.name + ("" if node.time is None else f"_{_index(node.time)}"), ATOM
    if isinstance(node, IndexValue):
        if len(node.form.terms) + bool(node.form.const) > 1:
            return str(node.form), SUM
        # (2T)^2 and h / (2T) are not 2T^2 and h / 2T.
        whole = all(count == 1 for _, count in node.form.terms) and node.form.const >= 0
        return str(node.form), ATOM if whole else PRODUCT
    if isinstance(node, Iverson):
        return f"[{node.form} = 0]", ATOM
    if isinstance(node, Full):
        letter = {"identity": "I", "zeros": "0", "ones": "1"}[node.kind]
        return letter, ATOM
    if isinstance(node, Power):
        exponent = compact(node.exponent)
        if not (exponent.isidentifier() or exponent.isdigit()):
            exponent = f"({exponent})"
        return f"{_wrap(_text(node.base, used), ATOM)}^{exponent}", POWER
    if isinstance(node, Fold):
        letter, body = named_body(node, used)
        inner = _wrap(_text(body, used | {letter}), PREFIX)
        limits = f"_{{{letter}={compact(node.lower)}}}^{{{compact(node.upper)}}}"
        return f"{node.kind}{limits} {inner}", PRODUCT
    if isinstance(node, Block):
        rows = "; ".join(", ".join(_text(cell, used)[0] for cell in row) for row in node.rows)
        return f"[{rows}]", ATOM
    if isinstance(node, Slice):
        return f"{_wrap(_text(node.whole, used), ATOM)}[{_ranges(node)}]", ATOM
    if isinstance(node, Cases):
        parts = []
        for value, conditions in zip(node.values, node.conditions, strict=True):
            when = " and ".join(condition_text(c) for c in conditions)
            parts.append(f"{_text(value, used)[0]} {f'if {when}' if when else 'otherwise'}")
        return "{" + "; ".join(parts) + "}", ATOM
    if isinstance(node, Derivative):
        return _derivative(node, used), ATOM
    if isinstance(node, Apply | Misfit):
        return _application(node, used)
    raise TypeError(f"no text for {type(node).__name__}")


def _index(time: Affine) -> str:
    plain = compact(time)
    return plain if plain.isalnum() else f"{{{plain}}}"


def _ranges(node: Slice) -> str:
    """Rows, then columns, each from the first (0) up to, not including, the last."""
    ranges = []
    for start, size, whole in zip(node.start, node.shape, node.whole.shape, strict=True):
        ranges.append(":" if size == whole else f"{compact(start)}:{compact(start + size)}")
    # The one column of a column is not spoken of.
    return ranges[0] if node.whole.shape[1] == ONE else ", ".join(ranges)


def _derivative(node: Derivative, used: frozenset[str]) -> str:
    d = {"immediate": "∂⁺", "loss": "∂"}.get(node.kind, "d")
    ratio = f"{d}{_text(node.of, used)[0]}/{d}{_text(node.wrt, used)[0]}"
    return f"{ratio}|_{','.join(node.along)}" if node.along else ratio


def condition_text(condition: Condition) -> str:
    """``T = 0``, ``w ≠ 1``."""

    def side(value: Affine | Node) -> str:
        return str(value) if isinstance(value, Affine) else text(value)

    return f"{side(condition.left)} {condition.relation} {side(condition.right)}"


def _application(node: Apply | Misfit, used: frozenset[str]) -> tuple[str, int]:
    name = node.head.name if isinstance(node, Apply) else node.operation
    if name in ("add", "sub"):
        result = _wrap(_text(node.args[0], used), SUM)
        for argument in node.args[1:]:
            # Each argument is written once: twice at every level is exponential.
            negative = name == "sub"
            if isinstance(argument, Apply) and argument.head.name == "neg":
                part, negative = _text(argument.args[0], used), True
            elif isinstance(argument, Const) and argument.value < 0:
                part, negative = (str(-argument.value), ATOM), True
            else:
                part = _text(argument, used)
                if _is(argument, "mul") and part[0].startswith("-"):
                    part, negative = (part[0][1:], part[1]), True
            result += (" - " if negative else " + ") + _wrap(part, PRODUCT)
        return result, SUM
    parts = [_text(a, used) for a in node.args]
    if name == "neg":
        return f"-{_wrap(parts[0], PREFIX)}", PREFIX
    if name in ("mul", "matmul", "div"):
        sign = {"mul": " * ", "matmul": " @ ", "div": " / "}[name]
        first = _wrap(parts[0], PRODUCT)
        if name == "matmul" and _is(node.args[0], "mul", "div"):
            first = f"({parts[0][0]})"
        # A sum or a product over a range would take what follows into its body.
        ranged = isinstance(node.args[0], Fold)
        if ranged or (name == "mul" and _is(node.args[0], "matmul")):
            first = f"({parts[0][0]})"
        rest = []
        for argument, part in zip(node.args[1:], parts[1:], strict=True):
            bare = name == "matmul" and _is(argument, "matmul")
            rest.append(part[0] if bare else _wrap(part, POWER))
        return sign.join([first, *rest]), PRODUCT
    if name == "transpose":
        return f"{_wrap(parts[0], ATOM)}.T", ATOM
    return f"{name}({', '.join(part[0] for part in parts)})", ATOM


def _is(node: Node, *names: str) -> bool:
    return isinstance(node, Apply) and node.head.name in names


RENDERERS["node", "text"] = text
