"""Which name is a scalar, a column or a matrix, where nothing declares it.

Signals are columns, unless their formula is a scalar. A parameter gets the reading that
textbooks give it: a capital letter left of a column is a matrix; what is added to a
column is a column; other letters are scalars where they multiply, and columns beside ⊙.
Each occurrence of a parameter votes; where the votes leave several readings and no rule
of these prefers one, the user is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from symgrad.parse.errors import ParseError, Source
from symgrad.parse.expressions import (
    Add,
    Called,
    Entrywise,
    Expr,
    Portion,
    Product,
    Raised,
    Ref,
    Sliced,
    Special,
    Stacked,
    Transposed,
)
from symgrad.parse.functions import FUNCTIONS
from symgrad.parse.table import Entry, Form, Names, form_of

#: Where an expression stands: left of something wider, multiplied, beside ⊙ or *, below a
#: fraction line, added to a column or a matrix, where a column is needed, right of a matrix.
Place = Literal["", "left", "@", "times", "⊙", "*", "/", "+C", "+M", "column", "last", "flat"]


_FLIPPED: dict[Form, Form] = {"C": "R", "R": "C", "M": "M", "S": "S"}
#: What functions make that do not act entry by entry.
_RESULTS: dict[str, Form] = {
    "column": "C",
    "reduce": "S",
    "dot": "S",
    "outer": "M",
    "diag": "M",
}


@dataclass(frozen=True)
class _Vote:
    allowed: frozenset[Form]
    preferred: Form | None
    where: Expr
    words: str


class Forms:
    """Decides the forms of all names of a cell."""

    def __init__(self, source: Source, names: Names, equations: list[tuple[str, Expr]]) -> None:
        self.source, self.names, self.equations = source, names, equations
        self.votes: dict[int, tuple[str, _Vote]] = {}
        self.quiet = False

    def decide(self) -> None:
        """Give every entry its form.

        Raises:
            ParseError: a parameter that can be several things.
        """
        for entry in self.names.entries.values():
            if entry.declared is not None:
                entry.form, entry.why = form_of(entry.declared), self._declared(entry)
            elif entry.role != "parameter":
                entry.form = "C"
        while True:
            free = [
                e
                for e in self.names.entries.values()
                if e.role == "parameter" and e.declared is None
            ]
            for entry in free:
                entry.form = None
            self._parameters(free)
            flipped = False
            for name, value in self.equations:
                entry = self.names.entries[name]
                if entry.declared is None and entry.form == "C" and self.visit(value, "") == "S":
                    entry.form, flipped = "S", True
                    entry.why = f"its formula in line {self.source.line_of(value.at)} is a scalar"
            if not flipped:
                return

    def _declared(self, entry: Entry) -> str:
        assert entry.declared_at is not None
        return f"declared in line {self.source.line_of(entry.declared_at)}"

    def _parameters(self, free: list[Entry]) -> None:
        while any(entry.form is None for entry in free):
            self.votes = {}
            for _, value in self.equations:
                self.visit(value, "")
            decided = False
            for entry in free:
                if entry.form is None:
                    decided |= self._elect(entry)
            if not decided:
                raise self._ask(next(entry for entry in free if entry.form is None))

    def _elect(self, entry: Entry) -> bool:
        votes = [vote for name, vote in self.votes.values() if name == entry.name]
        if not votes:
            return False
        allowed = frozenset[Form](["S", "C", "M"])
        for vote in votes:
            # Votes that exclude each other: the first counts, and the shapes will clash.
            allowed = allowed & vote.allowed or allowed
        choice = next((v for v in votes if v.preferred in allowed), None)
        if choice is None and len(allowed) == 1:
            (entry.form,) = allowed
            choice = votes[0]
        elif choice is not None:
            entry.form = choice.preferred
        else:
            return False
        line = self.source.line_of(choice.where.at)
        entry.why = f"{choice.words} in line {line}"
        return True

    def _ask(self, entry: Entry) -> ParseError:
        word = " ".join(self.source.text[entry.at : entry.end].split())
        lines = [self.source.declaration(word, *sizes) for sizes in ((), ("n",), ("n", "n"))]
        return self.source.error(
            f"the shape of {word} does not follow from the equations: declare it with a line such "
            f"as one of these{self.source.asked(*lines)}",
            entry.at,
            entry.end,
        )

    # ---- forms of expressions ---------------------------------------------------------

    def visit(self, expr: Expr, place: Place) -> Form | None:
        """The form, None while it is unknown; unknown parameters vote."""
        match expr:
            case Ref():
                return self._leaf(expr, place)
            case Special(kind=kind):
                return "M" if kind == "identity" else "C"
            case Add(terms=terms):
                return self._sum([term for _, term in terms], place)
            case Product():
                return self._product(expr, place)
            case Entrywise():
                return self._entrywise(expr, place)
            case Raised(base=base):
                return self.visit(base, place)
            case Transposed(body=body):
                return self._transposed(body, place)
            case Called():
                return self._called(expr, place)
            case Stacked():
                return self._stacked(expr)
            case Portion(body=body):
                self.visit(body, "column")
                return "C"
            case Sliced(body=body, count=(_, columns)):
                return self.visit(body, "column" if columns is None else "")
        return "S"

    def _vote(self, ref: Ref, allowed: str, preferred: Form | None, words: str) -> None:
        if self.quiet:
            return
        forms = frozenset[Form]([f for f in ("S", "C", "M") if f in allowed])
        self.votes[id(ref)] = (ref.name, _Vote(forms, preferred, ref, words))

    def _leaf(self, ref: Ref, place: Place) -> Form | None:
        entry = self.names.entries[ref.name]
        if entry.form is not None:
            return entry.form
        capital = entry.looks_like_matrix
        kind = "a capital letter" if capital else "a small letter"
        match place:
            case "left":
                self._vote(ref, "SM", "M" if capital else "S", f"{kind} left of a column")
            case "@":
                self._vote(ref, "M", "M", "left of @")
            case "times":
                scalar = not capital or self._all_scalar()
                self._vote(ref, "SCM", "S" if scalar else None, f"{kind} that multiplies")
            case "⊙":
                self._vote(ref, "SC", "C", "beside ⊙")
            case "*" | "/":
                self._vote(ref, "SC", None if capital else "S", f"{kind} beside {place}")
            case "+C":
                self._vote(ref, "SC", "C", "added to a column")
            case "+M":
                self._vote(ref, "SM", "M", "added to a matrix")
            case "column":
                self._vote(ref, "C", "C", "where a column is needed")
            case "flat":
                self._vote(ref, "SC", "S" if self._all_scalar() else None, "an argument")
        return None

    def _all_scalar(self) -> bool:
        return all(e.form == "S" for e in self.names.entries.values() if e.role != "parameter")

    def _sum(self, terms: list[Expr], place: Place) -> Form | None:
        found: list[Form | None] = []
        later: list[Expr] = []
        for term in terms:
            last = self._scaled(term)
            if last is not None:
                later.append(last)
            else:
                found.append(self.visit(term, place))
        wide = next((form for form in found if form not in (None, "S")), None)
        if wide is not None:
            for term in later:
                self.visit(term, "+M" if wide == "M" else "+C")
            return wide
        if later and self._all_scalar() and None not in found:
            place = place or "times"
        inner = [self.visit(term, place) for term in later]
        return None if None in (*found, *inner) else "S"

    def _scaled(self, term: Expr) -> Ref | None:
        """The unknown parameter that a term is a multiple of, by scalars."""
        if isinstance(term, Product):
            *scalars, last = term.factors
            if self.quiet or any(self._peek(factor) not in ("S", None) for factor in scalars):
                return None
            small = all(
                not isinstance(f, Ref) or not self.names.entries[f.name].looks_like_matrix
                for f in scalars
            )
            return self._scaled(last) if small and isinstance(last, Ref) else None
        if isinstance(term, Ref) and self.names.entries[term.name].form is None:
            return term
        return None

    def _product(self, expr: Product, place: Place) -> Form | None:
        forms: list[Form | None] = [None] * len(expr.factors)
        for i in range(len(expr.factors) - 1, -1, -1):
            factor = expr.factors[i]
            right = forms[i + 1 :]
            if any(form != "S" for form in right):
                sign = expr.signs[i] if i < len(expr.signs) else ""
                forms[i] = self.visit(factor, "@" if sign == "@" else "left")
            else:
                forms[i] = self.visit(factor, self._last(expr, i, place))
        return product_form(forms)

    def _peek(self, expr: Expr) -> Form | None:
        """The form, without votes."""
        if self.quiet:
            return None
        self.quiet = True
        try:
            return self.visit(expr, "")
        finally:
            self.quiet = False

    def _last(self, expr: Product, i: int, place: Place) -> Place:
        """Where the last factor stands that is no scalar."""
        factor = expr.factors[i]
        if not isinstance(factor, Ref) or self.names.entries[factor.name].form is not None:
            return "" if place in ("left", "@") else "times"
        for other in expr.factors[:i]:
            body = other.body if isinstance(other, Transposed) else other
            if not isinstance(body, Ref):
                if self._peek(other) == "C":
                    return "left" if self.names.entries[factor.name].looks_like_matrix else "times"
                continue
            entry = self.names.entries[body.name]
            if entry.form in ("C", "R"):
                # h α scales, and x_t W is the product in the convention of rows.
                return "left" if self.names.entries[factor.name].looks_like_matrix else "times"
            if entry.form == "M" or (entry.form is None and entry.looks_like_matrix):
                if place in ("left", "@") or self.names.entries[factor.name].looks_like_matrix:
                    return "left"
                raise self._untimed(factor)
        return "left" if place in ("left", "@") else "times"

    def _untimed(self, ref: Ref) -> ParseError:
        name = ref.name
        return self.source.error(
            f"{name} has no time and no equation, so it is a parameter, but it stands where a "
            f"signal is expected: write {name}_t for an input, or declare the parameter with "
            f"{self.source.declaration(name, 'n')}",
            ref.at,
            ref.end,
        )

    def _entrywise(self, expr: Entrywise, place: Place) -> Form | None:
        if expr.sign == "/":
            forms = [self.visit(expr.left, place), self.visit(expr.right, "/")]
        else:
            forms = [self.visit(expr.left, expr.sign), self.visit(expr.right, expr.sign)]
        return joined(forms)

    def _transposed(self, body: Expr, place: Place) -> Form | None:
        entry = self.names.entries[body.name] if isinstance(body, Ref) else None
        if isinstance(body, Ref) and entry is not None and entry.form is None:
            if entry.looks_like_matrix:
                self._vote(body, "M", "M", "a capital letter, transposed,")
                return None
            self._vote(body, "CM", "C", "a small letter, transposed,")
            return None
        found = self.visit(body, place if place != "column" else "")
        return None if found is None else _FLIPPED[found]

    def _called(self, expr: Called, place: Place) -> Form | None:
        acts = "entries" if expr.generic else FUNCTIONS[expr.function].acts
        if acts == "entries":
            return self.visit(expr.args[0], place)
        if acts in ("pair", "many"):
            known = joined([self.visit(a, "") for a in expr.args if not _bare(a)] or ["S"])
            inner: Place = "+C" if known == "C" and place == "⊙" else "flat"
            return joined([self.visit(a, inner) if _bare(a) else known for a in expr.args])
        for argument in expr.args:
            self.visit(argument, "column")
        return _RESULTS[acts]

    def _stacked(self, expr: Stacked) -> Form | None:
        height, width = len(expr.rows), len(expr.rows[0])
        cells = [cell for row in expr.rows for cell in row]
        if width == 1 or (height == 1 and expr.listed):
            forms = [self.visit(cell, "column") for cell in cells]
            return "M" if "M" in forms else "C"
        for cell in cells:
            self.visit(cell, "+M")
        return "M"


def _bare(expr: Expr) -> bool:
    return isinstance(expr, Ref)


def joined(forms: list[Form | None]) -> Form | None:
    """The form of operands entry by entry: scalars broadcast."""
    wide = next((form for form in forms if form not in (None, "S")), None)
    if wide is not None:
        return wide
    return None if None in forms else "S"


def product_form(forms: list[Form | None]) -> Form | None:
    """The form of a chain of factors; None while it is open."""
    wide = [form for form in forms if form != "S"]
    if not wide:
        return "S"
    first, last = wide[0], wide[-1]
    if first == "C" and all(form in ("M", None) for form in wide[1:]):
        return "C"
    if last == "C":
        return "S" if first == "R" else "C"
    if None in wide:
        return None
    if first == "R":
        return "R"
    return "M"
