"""The names of a text of equations: which are signals, inputs, parameters, functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from symgrad.lang.affine import symbol
from symgrad.lang.nodes import Shape
from symgrad.parse.errors import ParseError, Source, did_you_mean
from symgrad.parse.expressions import Expr, Index, Number, Ref, Special
from symgrad.parse.functions import FUNCTIONS, WRITTEN_OUT, always_generic
from symgrad.parse.letters import GREEK_WORDS
from symgrad.parse.names import NameReader, base_of, parts_of
from symgrad.parse.spelling import Name, Spelling, Spellings, affine_of
from symgrad.parse.table import Entry, Names
from symgrad.parse.tree import Group, Juxt, Scripted, Tree

_t = symbol("t")
_GREEK = frozenset(GREEK_WORDS.values()) | {"varepsilon", "varphi", "varsigma"}


@dataclass
class _Uses:
    """How a spelling occurs."""

    timed: int | None = None
    applied: int = 0
    bare: int = 0


class Scope:
    """Decides what a name means, from all its occurrences."""

    def __init__(self, source: Source, reader: NameReader) -> None:
        self.source, self.reader = source, reader
        self.spellings = Spellings(source)
        self.names = Names()
        self.targets: dict[Spelling, Tree] = {}
        self.declared: dict[Spelling, tuple[Shape, Tree]] = {}
        #: Generic activations that the text lists in its header.
        self.generic: frozenset[str] = frozenset()
        self.aliases: dict[Spelling, tuple[str, bool]] = {}
        self._uses: dict[Spelling, _Uses] = {}

    # ---- before anything is read -------------------------------------------------------

    def learn(self, trees: list[Tree]) -> None:
        """Look at all occurrences, so that none depends on the order of the equations."""
        for name, applied in self._occurrences(trees):
            uses = self._uses.setdefault(name.spelling, _Uses())
            if name.time is not None:
                uses.timed = name.at if uses.timed is None else uses.timed
            elif applied:
                uses.applied += 1
            else:
                uses.bare += 1

    def _occurrences(self, roots: list[Tree]) -> Iterator[tuple[Name, bool]]:
        stack: list[tuple[Tree, Tree | None]] = [(root, None) for root in roots]
        while stack:
            tree, following = stack.pop()
            if base_of(tree) is None:
                parts = parts_of(tree)
                if isinstance(tree, Juxt):
                    stack.extend(zip(parts, (*parts[1:], None), strict=True))
                else:
                    stack.extend((part, None) for part in parts)
                continue
            name = self.reader.read(tree)
            assert name is not None
            if isinstance(following, Scripted):
                following = following.base
            applied = isinstance(following, Group) and following.bracket in ("(", "[", "{")
            if applied and isinstance(following, Group) and len(following.items) == 1:
                form = affine_of(following.items[0], self.reader.letters)
                if form is not None and form.names and following.bracket != "{":
                    name = Name(name.spelling, name.font, form, (), name.at, name.end)
            yield name, applied
            stack.extend((item, None) for script in name.rest for item in script.items)

    # ---- names -------------------------------------------------------------------------

    def entry(self, name: Name, role: str) -> Entry:
        """The entry of a name, made at its first use."""
        word = self.spellings.name_of(name)
        found = self.names.entries.get(word)
        if found is None:
            shape, tree = self.declared.get(name.spelling, (None, None))
            found = self.names.entries[word] = Entry(
                name=word,
                role="signal" if role == "signal" else "input" if role == "input" else "parameter",
                at=name.at,
                end=name.end,
                base=name.spelling.base,
                declared=shape,
                declared_at=None if tree is None else tree.at,
            )
        return found

    def refer(self, name: Name) -> Expr:
        """What a name that is no function means where it stands.

        Raises:
            ParseError: a time other than t and t - 1, or none where one is needed.
        """
        spelling = name.spelling
        if name.spelling.base == "𝟏" and name.font == "bold":
            # Papers write a bold 1 where a literal broadcasts.
            return Number(value=Fraction(1), at=name.at, end=name.end)
        if spelling.base == "𝟏":
            return Special(kind="ones", at=name.at, end=name.end)
        if name.time is not None:
            return self._signal(name)
        if spelling in self.targets:
            entry = self.entry(name, "signal")
            return Ref(name=entry.name, time=_t, at=name.at, end=name.end)
        uses = self._uses.get(spelling, _Uses())
        plain = spelling.plain
        if spelling not in self.declared:
            if plain in self.names.size_names:
                return Index(form=symbol(plain), at=name.at, end=name.end)
            if plain == "I":
                return Special(kind="identity", at=name.at, end=name.end)
            if plain == "t":
                raise self._error("t is the time; it stands in subscripts only", name)
            if base_zero := self.initial(spelling):
                raise self._error(
                    f"{base_zero}_0 is the initial state, which is free; an equation uses "
                    f"{base_zero}_{{t-1}}",
                    name,
                )
        if uses.timed is not None:
            raise self._error(
                f"{plain} stands without a time here and with one in line "
                f"{self.source.line_of(uses.timed)}: write {plain}_t, or give one of the two "
                "another name",
                name,
            )
        entry = self.entry(name, "parameter")
        return Ref(name=entry.name, at=name.at, end=name.end)

    def initial(self, spelling: Spelling) -> str:
        """The state that ``h_0`` belongs to, if it does."""
        if spelling.labels[-1:] != ("0",):
            return ""
        state = Spelling(spelling.base, spelling.accents, spelling.labels[:-1])
        return state.plain if state in self.targets else ""

    def _error(self, message: str, name: Name) -> ParseError:
        return self.source.error(message, name.at, name.end)

    def _signal(self, name: Name) -> Expr:
        assert name.time is not None
        lag = name.time - _t
        plain = name.spelling.plain
        if not lag.is_const:
            raise self._error(f"{plain} at the time {name.time}: times are t and t-1", name)
        if lag.const > 0:
            raise self._error(
                f"{plain} at t+{lag.const} lies ahead: a step knows t and t-1 only; shift the "
                "equation back in time",
                name,
            )
        is_signal = name.spelling in self.targets
        if lag.const < -1:
            if not is_signal:
                raise self._delayed(plain, name, -lag.const)
            raise self._error(
                f"{plain} at t-{-lag.const}: a step knows t and t-1 only; carry the value in a "
                f"state of its own: add {plain}_old_t = {plain}_{{t-1}} and write "
                f"{plain}_old_{{t-1}} here",
                name,
            )
        if lag.const == -1 and not is_signal:
            raise self._delayed(plain, name, 1)
        entry = self.entry(name, "signal" if is_signal else "input")
        return Ref(name=entry.name, time=name.time, at=name.at, end=name.end)

    def _delayed(self, plain: str, name: Name, steps: int) -> ParseError:
        first, rest = name.spelling.base[:1], name.spelling.base[1:]
        if Spelling(rest, labels=name.spelling.labels) in self.targets:
            raise self._error(
                f"{plain} is one name here: write {first} {rest}_{{t-{steps}}} with a blank", name
            )
        more = "" if steps == 1 else f" (and so on, {steps} states for {steps} steps)"
        return self._error(
            f"{plain} has no equation, so it is an input, and an input is known at t only: add "
            f"the equation {plain}_old_t = {plain}_t and write {plain}_old_{{t-1}} here{more}; or "
            f"give {plain} an equation",
            name,
        )

    # ---- functions ---------------------------------------------------------------------

    def function(self, name: Name, applied: bool, alone: bool = False) -> tuple[str, bool] | None:
        """The function a name means here, with whether it is generic; None for a factor.

        ``alone``: one name stands in the parentheses, which a factor would not need.

        Raises:
            ParseError: a word before a parenthesis that is neither.
        """
        spelling = name.spelling
        plain = spelling.plain
        uses = self._uses.get(spelling, _Uses())
        if name.time is not None:
            return None
        if spelling in self.aliases:
            return self.aliases[spelling]
        if spelling in self.targets or spelling in self.declared or uses.timed is not None:
            timed = spelling in self.targets and self.reader.read(self.targets[spelling])
            own = timed and timed.time is None
            if applied and plain in FUNCTIONS and spelling not in self.declared and not own:
                return plain, False
            return None
        if plain in self.generic:
            return plain, True
        if plain in FUNCTIONS:
            return plain, False
        if name.function:
            raise self._error(f"{plain} is not supported; it has no derivative here yet", name)
        if not applied or uses.bare:
            return None
        if always_generic(plain) or (alone and len(plain) == 1 and plain.islower()):
            # φ and ϕ in one text are two functions.
            return self.spellings.name_of(name), True
        word = len(spelling.base) > 1 and spelling.base not in _GREEK
        # Linear_d is a layer, and each of its uses has parameters of its own.
        if word and (name.font == "roman" or (spelling.is_bare and self.reader.syntax == "text")):
            raise unknown_function(self.source, name)
        return None


def unknown_function(source: Source, name: Name) -> ParseError:
    """The error for a word before a parenthesis that is no function."""
    word = name.spelling.plain
    hint = WRITTEN_OUT.get(word, "") or WRITTEN_OUT.get(name.spelling.base, "")
    hint = f"{hint}; " if hint else did_you_mean(word, sorted(FUNCTIONS, key=str.swapcase))
    return source.error(
        f"{word} is no function here: {hint}a parameter called {word} needs a declaration to be "
        f"multiplied, such as {source.declaration(word)}",
        name.at,
        name.end,
    )
