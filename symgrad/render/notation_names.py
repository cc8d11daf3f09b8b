"""Names, times and signals as boxes: ``W_h``, ``T − k``, ``h_{t−1}``, ``λ^h_t``.

The leaves of the notation; ``notation`` builds formulas from them.
"""

from __future__ import annotations

from symgrad.lang.affine import Affine, as_affine
from symgrad.render.layout import Box, Frac, Ident, Number, Op, Row, Script
from symgrad.render.symbols import ACCENTS, GREEK, is_letter, split_name

_LETTERS = {
    **{macro.lstrip("\\"): letter for letter, macro in GREEK.items() if macro != "o"},
    "epsilon": "ε",
    "phi": "φ",
}
_ACCENTS = {macro.lstrip("\\"): accent for accent, macro in ACCENTS.items()}
MINUS = Op("−")
NEGATIVE = Op("−", "prefix")
EQUALS = Op("=", "relation")
PARTIAL: Box = Op("∂", "prefix")


def affine_box(form: Affine | int) -> Box:
    """An affine form: ``T − k``, ``2n + 1``."""
    form = as_affine(form)
    parts: list[Box] = []
    # Positive terms first, so that T − k reads as people write it.
    for name, size in sorted(form.terms, key=lambda item: (item[1] < 0, item[0])):
        join_term(parts, size < 0)
        if abs(size) != 1:
            parts.append(Number(str(abs(size))))
        parts.append(name_box(name))
    if form.const or not parts:
        join_term(parts, form.const < 0)
        parts.append(Number(str(abs(form.const))))
    return in_row(*parts)


def name_box(name: str) -> Box:
    """A declared name: ``W_h`` is W with the subscript h, ``alpha`` is α."""
    base, subs = name_parts(name)
    return Script(base, subs) if subs is not None else base


def signal_box(name: str, time: Affine | int, kind: str = "") -> Box:
    """A signal, or what belongs to one: ``lam``, ``delta``, ``dl`` (∂ℓ/∂y) or ``target``."""
    index = affine_box(time)
    if kind in ("lam", "delta"):
        return Script(Ident("λ" if kind == "lam" else "δ"), index, name_box(name))
    base, subs = name_parts(name)
    below = index if subs is None else in_row(subs, Op(",", "ordinary"), index)
    if kind == "dl":
        over = in_row(PARTIAL, Script(Ident("ℓ"), index))
        return Frac(over, in_row(PARTIAL, Script(base, below)))
    return Script(base, below, Op("*", "ordinary") if kind == "target" else None)


def name_parts(name: str) -> tuple[Box, Box | None]:
    """A declared name as its first word and, if there are more, its subscript."""
    first, *rest = name.split("_")
    if rest and rest[0] in _ACCENTS and is_letter(letter_name(first)):
        # c_tilde is c̃: what papers call a candidate.
        first, rest = letter_name(first) + _ACCENTS[rest[0]], rest[1:]
    subs: list[Box] = []
    for word in rest:
        if subs:
            subs.append(Op(",", "ordinary"))
        subs.append(letter_box(word))
    return letter_box(first), in_row(*subs) if subs else None


def letter_box(word: str) -> Box:
    """A letter in italics, a word upright, digits as a number."""
    if word.isdigit():
        return Number(word)
    text = letter_name(word)
    return Ident(text, "italic" if is_letter(split_name(text)[0]) else "upright")


def limit_box(index: str, lower: Affine) -> Box:
    """What stands below Σ or Π: ``k = 1``."""
    return in_row(name_box(index), EQUALS, affine_box(lower))


def in_row(*items: Box) -> Box:
    """Side by side in one flat row, so that lines can be broken at any sum's signs."""
    flat: list[Box] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Row) else (item,))
    return flat[0] if len(flat) == 1 else Row(tuple(flat))


def join_term(parts: list[Box], negative: bool) -> None:
    """The sign before the next term of a sum."""
    if parts:
        parts.append(MINUS if negative else Op("+"))
    elif negative:
        parts.append(NEGATIVE)


def letter_name(word: str) -> str:
    """The letter that a word spells: ``alpha`` is α; any other word stays."""
    return _LETTERS.get(word, word)
