"""Prose to LaTeX: any Unicode string in, text that pdfTeX sets and never executes out.

ASCII characters with a meaning in TeX are escaped, mathematical characters become
macros in ``\\ensuremath``, accented Latin letters stay, and a character that the
fonts of a small TeX installation lack is spelled by its code point.
"""

from __future__ import annotations

import unicodedata

from symgrad.render.symbols import GREEK, OPERATORS

_ASCII = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}
_PUNCTUATION = {
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "\u00a0": "~",
    "\u202f": r"\,",
    "\u2009": r"\,",
    "\u2011": "-",
    "\t": " ",
    "§": r"\S{}",
    "✓": r"\ensuremath{\checkmark}",
    "∎": r"\ensuremath{\blacksquare}",
    "■": r"\ensuremath{\blacksquare}",
    "□": r"\ensuremath{\square}",
    "∅": r"\ensuremath{\varnothing}",
    "ℝ": r"\ensuremath{\mathbb{R}}",
    "⁺": r"\textsuperscript{+}",
    "⁻": r"\textsuperscript{\ensuremath{-}}",
    "⁽": r"\textsuperscript{(}",
    "⁾": r"\textsuperscript{)}",
    "ᵀ": r"\ensuremath{{}^{\top}}",
    "•": r"\textbullet{}",
    "½": r"\textonehalf{}",
}
# One cell each, so that drawings in a listing keep their columns.
_BOX_DRAWING = dict.fromkeys("─━═╌", "-") | dict.fromkeys("│┃║╎", "|")
_BOX_DRAWING |= dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝╠╣╦╩╬", "+") | {"▶": ">", "◀": "<", "►": ">"}


def escape(text: str) -> str:
    """``text`` as it is to be read, safe anywhere in the body of a LaTeX document."""
    return "".join(_character(character) for character in text)


def escape_cells(text: str) -> str:
    """A line of a listing: every character one cell wide, runs of blanks kept."""
    leading = len(text) - len(text.lstrip(" "))
    cells = [r"\ " * leading]
    for place, character in enumerate(text[leading:], start=leading):
        if character == " " and text[place - 1] == " ":
            cells.append(r"\ ")
        elif character in _BOX_DRAWING:
            cells.append(_BOX_DRAWING[character])
        elif character == "'":
            cells.append(r"\textquotesingle{}")
        elif character == "`":
            cells.append(r"\textasciigrave{}")
        elif character.isascii():
            cells.append(_character(character))
        else:
            cells.append(rf"\cell{{{_character(character)}}}")
    return "".join(cells)


def _character(character: str) -> str:
    if character in _ASCII:
        return _ASCII[character]
    if character.isascii():
        # A control character prints nothing, and TeX refuses some of them.
        return character if character.isprintable() or character == "\n" else " "
    if character in _PUNCTUATION:
        return _PUNCTUATION[character]
    if character in _BOX_DRAWING:
        return _BOX_DRAWING[character]
    macro = GREEK.get(character) or OPERATORS.get(character)
    if macro is not None:
        return rf"\ensuremath{{{macro}}}"
    return _composed(character)


def _composed(character: str) -> str:
    """Letters of Latin-1 and Latin Extended-A, superscripts; else the code point."""
    parts = unicodedata.normalize("NFKD", character)
    name = unicodedata.name(character, "")
    if name.startswith("SUPERSCRIPT ") and parts.isascii():
        return rf"\textsuperscript{{{parts}}}"
    if name.startswith("SUBSCRIPT ") and parts.isascii():
        return rf"\textsubscript{{{parts}}}"
    if character == "ß" or (character <= "\u017f" and parts[0].isascii() and parts[0].isalpha()):
        return character
    if name.startswith("MATHEMATICAL ") and len(parts) == 1 and parts != character:
        return _character(parts)
    return rf"\texttt{{U+{ord(character):04X}}}"
