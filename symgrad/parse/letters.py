"""Letters, accents and fonts: what is written, and the word that a name gets for it."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho "
    "varsigma sigma tau upsilon phi chi psi omega"
)
#: Greek letter -> its word; variants that print alike in plain text share the word.
GREEK_WORDS: dict[str, str] = {
    chr(0x3B1 + place): name for place, name in enumerate(_GREEK.split())
} | {
    "ϵ": "epsilon", "ϕ": "phi", "ϑ": "vartheta", "ϱ": "varrho", "ϖ": "varpi", "Γ": "Gamma",
    "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma",
    "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega", "ℓ": "ell",
}  # fmt: skip

#: Accent, as a macro or as a combining character -> the suffix of the name.
ACCENT_WORDS: dict[str, str] = {
    "hat": "hat", "widehat": "hat", "tilde": "tilde", "widetilde": "tilde", "bar": "bar",
    "overline": "bar", "dot": "dot", "ddot": "ddot", "check": "check", "breve": "breve",
    "acute": "acute", "grave": "grave", "overrightarrow": "right", "overleftarrow": "left",
    "\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0305": "bar", "\u0307": "dot",
    "\u0308": "ddot", "\u030c": "check", "\u0306": "breve", "\u0301": "acute", "\u0300": "grave",
}  # fmt: skip

#: Macro -> the font; fonts of one look share a name.
FONTS: dict[str, str] = {
    "mathbf": "bold", "boldsymbol": "bold", "bm": "bold", "pmb": "bold", "textbf": "bold",
    "mathrm": "roman", "text": "roman", "textrm": "roman", "textnormal": "roman",
    "operatorname": "roman", "mathop": "roman", "rm": "roman", "mathit": "", "textit": "",
    "mathsf": "sans", "textsf": "sans", "mathtt": "mono", "texttt": "mono",
    "mathcal": "script", "mathscr": "script", "mathbb": "blackboard", "mathfrak": "fraktur",
    "vec": "arrow", "underline": "underlined",
}  # fmt: skip
#: In these fonts several letters are one word, in the others a product of letters.
WORD_FONTS = words(
    "mathrm text textrm textnormal operatorname mathop rm mathit textit mathsf textsf mathtt "
    "texttt textbf"
)

MARKS: dict[str, str] = {
    "top": "⊤", "intercal": "⊤", "transpose": "⊤", "ast": "*", "star": "*", "−": "-",
    "prime": "'", "′": "'",
}  # fmt: skip

#: Fonts whose letters are letters of their own, and the suffix of their names.
OTHER_LETTERS: dict[str, str] = {"script": "cal", "fraktur": "frak", "blackboard": "bb"}

#: Two forms of one letter, which share the letter's name unless both occur.
VARIANTS: dict[str, str] = {"varepsilon": "epsilon", "varphi": "phi"}
