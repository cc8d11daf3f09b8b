"""What the printers know in common: Greek letters, accents, operators, tall boxes.

Nothing here belongs to one output language except the two tables of LaTeX macros,
which the reader of inline mathematics uses backwards.
"""

from __future__ import annotations

import unicodedata

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

_GREEK_NAMES = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi o pi rho "
    "varsigma sigma tau upsilon varphi chi psi omega"
)
# The letters without a macro of their own (omicron, capital Alpha …) are Latin letters.
GREEK: dict[str, str] = {
    chr(0x3B1 + place): "o" if name == "o" else "\\" + name
    for place, name in enumerate(_GREEK_NAMES.split())
} | {
    "ϵ": r"\epsilon",
    "ϕ": r"\phi",
    "ϑ": r"\vartheta",
    "ϱ": r"\varrho",
    "ϖ": r"\varpi",
    "Γ": r"\Gamma",
    "Δ": r"\Delta",
    "Θ": r"\Theta",
    "Λ": r"\Lambda",
    "Ξ": r"\Xi",
    "Π": r"\Pi",
    "Σ": r"\Sigma",
    "Υ": r"\Upsilon",
    "Φ": r"\Phi",
    "Ψ": r"\Psi",
    "Ω": r"\Omega",
    "ℓ": r"\ell",
}

OPERATORS: dict[str, str] = {
    "−": "-",
    "⊙": r"\odot",
    "⊗": r"\otimes",
    "·": r"\cdot",
    "⋅": r"\cdot",
    "×": r"\times",
    "∗": "*",
    "∘": r"\circ",
    "±": r"\pm",
    "≠": r"\ne",
    "≥": r"\ge",
    "≤": r"\le",
    "≈": r"\approx",
    "≡": r"\equiv",
    "∼": r"\sim",
    "≔": r"\mathrel{:=}",
    "∈": r"\in",
    "∀": r"\forall",
    "∞": r"\infty",
    "…": r"\dots",
    "⋯": r"\cdots",
    "⋮": r"\vdots",
    "⋱": r"\ddots",
    "∣": r"\mid",
    "‖": r"\Vert",
    "∂": r"\partial",
    "∇": r"\nabla",
    "⊤": r"\top",
    "→": r"\to",
    "↦": r"\mapsto",
    "←": r"\leftarrow",
    "⇒": r"\Rightarrow",
    "⇔": r"\Leftrightarrow",
    "′": r"\prime",
    "d": r"\mathrm{d}",
    "∑": r"\sum",
    "∏": r"\prod",
    "⟨": r"\langle",
    "⟩": r"\rangle",
    "√": r"\surd",
}

ACCENTS: dict[str, str] = {
    "\u0302": r"\hat",
    "\u0304": r"\bar",
    "\u0303": r"\tilde",
    "\u0307": r"\dot",
}

# Functions with a macro of their own in plain LaTeX.
_FUNCTION_NAMES = (
    "arg cos cosh cot coth csc deg det dim exp gcd inf ker lim ln log max min sec sin sinh sup "
    "tan tanh"
)
FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
# Of these, those under which a display sets what is a subscript elsewhere.
LIMITS = frozenset(["det", "gcd", "inf", "lim", "max", "min", "sup"])

PRODUCTS = frozenset("⊙·⋅×⊗∘")


def split_name(text: str) -> tuple[str, str, str]:
    """``(base, accent, primes)`` of a name: ``ŷ′`` is ``("y", "\\u0302", "′")``."""
    base = text.rstrip("′'")
    primes = "′" * (len(text) - len(base))
    if not base:
        return text, "", ""
    parts = unicodedata.normalize("NFD", base)
    if len(parts) == 2 and parts[1] in ACCENTS:
        return parts[0], parts[1], primes
    return base, "", primes


def is_letter(text: str) -> bool:
    """One letter that stands for a quantity: set in italics, not as a word."""
    return text in GREEK or (len(text) == 1 and text.isascii() and text.isalpha())


def children(box: Box) -> tuple[Box, ...]:
    """The boxes directly inside ``box``, in reading order."""
    match box:
        case Row(items):
            return items
        case Script(base, sub, sup):
            return tuple(part for part in (base, sub, sup) if part is not None)
        case Frac(over, under):
            return (over, under)
        case Big(_, lower, upper, body):
            return (lower, upper, body)
        case Fence(body) | Root(body):
            return (body,)
        case Call(_, arguments, sub):
            return arguments if sub is None else (sub, *arguments)
        case Grid(rows):
            return tuple(cell for row in rows for cell in row)
        case Cases(pairs):
            return tuple(cell for pair in pairs for cell in pair)
        case Restrict(body, sub):
            return (body, sub)
        case Under(body, remark):
            return (body, remark)
    return ()


def height(box: Box) -> int:
    """0: of one line; 1: as tall as a sum with limits; 2: taller, so that fences must grow.

    Scripts are small, so what stands in a script does not count.
    """
    if isinstance(box, (Frac, Grid, Cases, Under, Restrict)):
        return 2
    if isinstance(box, Script):
        return height(box.base)
    if isinstance(box, Big):
        return max(1, height(box.body))
    inside = box.arguments if isinstance(box, Call) else children(box)
    return max((height(child) for child in inside), default=0)


def is_multiple(box: Box) -> bool:
    """2T: a number that runs on into a letter, which a slash before it would cut in two."""
    return isinstance(box, Row) and len(box.items) > 1 and isinstance(box.items[0], Number)


def spaced_words(items: tuple[Box, ...], place: int) -> str:
    """The text of ``items[place]``, with a space towards each neighbour in its row."""
    words = items[place]
    assert isinstance(words, Words)
    before = " " if place else ""
    following = items[place + 1] if place + 1 < len(items) else None
    closing = isinstance(following, Op) and following.kind == "punctuation"
    after = "" if following is None or closing or isinstance(following, Words) else " "
    return before + words.text.strip() + after


def is_product(box: Box) -> bool:
    """An operator that multiplies, juxtaposition included."""
    return isinstance(box, Op) and (box.kind == "invisible" or box.text in PRODUCTS)


def is_sum(box: Box) -> bool:
    """A binary plus or minus."""
    return isinstance(box, Op) and box.kind == "binary" and box.text in {"+", "−", "-", "±"}


def is_relation(box: Box) -> bool:
    """An operator that relates two sides: = ≠ ≤ ∈."""
    return isinstance(box, Op) and box.kind == "relation"


def name_box(name: str) -> Ident:
    """The name of a function as a box: a letter in italics, a word upright."""
    return Ident(name, "italic" if is_letter(split_name(name)[0]) else "upright")


def head_box(call: Call) -> Box:
    """What stands before the parentheses of a call: the name and its subscript."""
    name = name_box(call.name)
    return name if call.sub is None else Script(name, call.sub)
