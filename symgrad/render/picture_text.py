"""Formulas of a picture as runs of text on one line, and how much room they take.

A picture has no fonts of its own, so widths are those of the widest common serif
face (DejaVu Serif); a narrower face leaves a little air.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from symgrad.render.layout import (
    Big,
    Box,
    Call,
    Cases,
    Fence,
    Frac,
    Grid,
    Ident,
    Number,
    Op,
    Restrict,
    Root,
    Row,
    Script,
    Under,
    Words,
)
from symgrad.render.symbols import head_box, is_multiple, is_product

SCRIPT = 0.72  # size of a script relative to its base
RAISE, LOWER = 0.40, 0.22  # how far a script moves off the baseline, in em of its base
ASCENT, DESCENT = 0.86, 0.27  # of the face, in em: parentheses and accents included

_WIDTHS = {
    0.24: "′",
    0.33: "ijlI.,· ",
    0.41: "()[]<>;:/|tfJ⟨⟩∣-'\"`!",
    0.52: "rs∂ε‖ℓ",
    0.58: "czvykxτβ",
    0.65: "abdeghnopquσλθαγπκμ0123456789PFLSYδ∑",
    0.74: "ABCEKTVXZRΔ∈?φ",
    0.85: "wDGUOQHN+−=⊙≠≥≤→×≈∞∏{}&#*ω⊤~^_",
}
_WIDTH = {character: width for width, characters in _WIDTHS.items() for character in characters}
_WIDEST = 1.04


@dataclass(frozen=True, slots=True)
class Run:
    """Characters in one style. ``shift`` is upwards, ``kern`` is room before; both in em."""

    text: str
    style: str = "upright"
    scale: float = 1.0
    shift: float = 0.0
    kern: float = 0.0


def runs(box: Box) -> tuple[Run, ...]:
    """The box on one line, from left to right; em are those of the whole text's size."""
    match box:
        case Ident(text, style):
            return (Run(text, style),)
        case Number(text) | Words(text):
            return (Run(text),)
        case Op(text, kind):
            return () if kind == "invisible" else (Run(text),)
        case Row():
            line = flat(box)
            return _row(line.items if isinstance(line, Row) else (line,))
        case Script(Frac() as base, sub, sup):
            return _script(Fence(base), sub, sup)
        case Script(base, sub, sup):
            return _script(base, sub, sup)
        case Frac():
            return runs(flat(box))
        case Big(text, lower, upper, body):
            return (*_script(Op(text, "ordinary"), lower, upper), *_kerned(runs(body), 0.15))
        case Fence(body, left, right):
            return (Run(left), *runs(body), Run(right))
        case Root(body):
            return (Run("√("), *runs(body), Run(")"))
        case Call(_, arguments):
            return (*runs(head_box(box)), Run("("), *_listed(arguments, ","), Run(")"))
        case Grid(rows, bracket):
            close = "]" if bracket == "[" else ")"
            lines = tuple(Row(_separated(row)) for row in rows)
            return (Run(bracket), *_listed(lines, ";"), Run(close))
        case Cases(rows):
            lines = tuple(Row((value, Words(" if "), condition)) for value, condition in rows)
            return (Run("{"), *_listed(lines, ";"))
        case Restrict(body, sub):
            return (*runs(body), *_script(Op("|", "ordinary"), sub, None))
        case Under(body, _):
            return runs(body)
    raise TypeError(f"no line of text for a {type(box).__name__}")


_ROOM = {"binary": (0.2, 0.2), "relation": (0.28, 0.28), "punctuation": (0.0, 0.2)}


def _row(items: Sequence[Box]) -> tuple[Run, ...]:
    """Boxes side by side, with the operators' room and a thin space between factors."""
    out: list[Run] = []
    room, letter = 0.0, False
    for item in items:
        before, after = (0.0, 0.0)
        if isinstance(item, Op):
            before, after = _ROOM.get(item.kind, (0.0, 0.0))
            if item.kind == "invisible":
                continue
        elif letter:
            room = max(room, 0.12)
        out.extend(_kerned(runs(item), max(room, before)))
        room, letter = after, not isinstance(item, Op)
    return tuple(out)


def _script(base: Box, sub: Box | None, sup: Box | None) -> tuple[Run, ...]:
    """Base and scripts; of two scripts the narrower is set first and stepped back over."""
    out = list(runs(base))
    apart = 0.05 if sub is not None and sup is not None else 0.0
    scripts = [
        [
            replace(
                run,
                scale=run.scale * SCRIPT,
                shift=run.shift * SCRIPT + shift,
                kern=run.kern * SCRIPT * 0.6,
            )
            for run in runs(script)
        ]
        for script, shift in ((sup, RAISE + apart), (sub, -LOWER - apart))
        if script is not None
    ]
    scripts.sort(key=lambda script: width(script, 1.0))
    back = 0.0
    for script in scripts:
        out.extend(_kerned(tuple(script), 0.04 - back))
        back = width(script, 1.0) + 0.04
    return tuple(out)


def flat(box: Box) -> Box:
    """The box with a slash for every fraction bar, so that it is one line high."""
    match box:
        case Frac(over, under):
            return Row((_side(over), Op("/", "ordinary"), _below(under)))
        case Row(items):
            return Row(tuple(_beside(items, place) for place in range(len(items))))
        case Script(base, sub, sup):
            return Script(flat(Fence(base) if isinstance(base, Frac) else base), sub, sup)
        case Big(text, lower, upper, body):
            return Big(text, lower, upper, flat(body))
        case Fence(body, left, right):
            return Fence(flat(body), left, right)
        case Root(body):
            return Root(flat(body))
        case Call(name, arguments, sub):
            return Call(name, tuple(map(flat, arguments)), sub)
    return box


def _beside(items: tuple[Box, ...], place: int) -> Box:
    """An item of a row; what a slash divides by must not run on into the next factor."""
    inner = flat(items[place])
    neighbours = items[max(place - 1, 0) : place + 2]
    factor = isinstance(items[place], Frac) and any(map(is_product, neighbours))
    return Fence(inner) if factor else inner


def _side(box: Box) -> Box:
    """One side of a slash: in parentheses when it is more than one thing."""
    tight = ("prefix", "ordinary")
    items = box.items if isinstance(box, Row) else ()
    loose = any(isinstance(item, Op) and item.kind not in tight for item in items)
    return Fence(flat(box)) if loose or isinstance(box, Frac | Big) else flat(box)


def _below(box: Box) -> Box:
    return Fence(flat(box)) if is_multiple(box) else _side(box)


def _listed(boxes: Sequence[Box], mark: str) -> tuple[Run, ...]:
    return _row(_separated(boxes, mark))


def _separated(boxes: Sequence[Box], mark: str = ",") -> tuple[Box, ...]:
    out: list[Box] = []
    for box in boxes:
        if out:
            out.append(Op(mark, "punctuation"))
        out.append(box)
    return tuple(out)


def _kerned(parts: tuple[Run, ...], room: float) -> tuple[Run, ...]:
    if not parts or room == 0.0:
        return parts
    return (replace(parts[0], kern=parts[0].kern + room), *parts[1:])


def width(parts: Sequence[Run], size: float) -> float:
    """How wide the runs are at a font size."""
    total = 0.0
    for run in parts:
        wide = 1.12 if run.style == "bold" else 1.0
        total += run.kern
        total += sum(_WIDTH.get(c, _WIDEST) for c in run.text) * run.scale * wide
    return total * size


def extent(parts: Sequence[Run], size: float) -> tuple[float, float]:
    """How far the runs reach above and below their baseline."""
    up = max((run.shift + ASCENT * run.scale for run in parts), default=0.0)
    down = max((DESCENT * run.scale - run.shift for run in parts), default=0.0)
    return up * size, down * size


def plain(box: Box) -> str:
    """The box in plain characters, for descriptions: ``h_{t−1}`` keeps its index mark."""
    if isinstance(box, Script):
        sub = "" if box.sub is None else "_" + _grouped(plain(box.sub))
        sup = "" if box.sup is None else "^" + _grouped(plain(box.sup))
        return plain(box.base) + sub + sup
    if isinstance(box, Row):
        words = [f" {plain(i)} " if isinstance(i, Op) else plain(i) for i in box.items]
        return " ".join(" ".join(words).split())
    if isinstance(box, Fence):
        return f"{box.left}{plain(box.body)}{box.right}"
    if isinstance(box, Call):
        return f"{plain(head_box(box))}({', '.join(map(plain, box.arguments))})"
    if isinstance(box, Op) and box.kind == "invisible":
        return ""
    return "".join(run.text for run in runs(box))


def _grouped(text: str) -> str:
    return text if len(text) == 1 else "{" + text + "}"
