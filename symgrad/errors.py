"""The errors symgrad raises on purpose, and the exit code each one ends a command with.

A message names the thing that is wrong with its value, the relation that is broken
and what to do next. Wrong Python arguments stay ``TypeError`` and ``ValueError``.
"""

from __future__ import annotations


class SymgradError(Exception):
    """Base of every error that is the user's to act on."""

    exit_code = 2


class DeclarationError(SymgradError):
    """A cell, a formula or a document that contradicts itself; refused when it is made."""


class ShapeError(DeclarationError):
    """Two shapes that do not conform."""


class UsageError(SymgradError):
    """A name, a form or an option that does not exist here."""


class NotSupportedYet(SymgradError):
    """Meaningful, but symgrad cannot do it yet."""


class OutsideDomain(SymgradError, ArithmeticError):
    """A value at which a function or its derivative does not exist: log(-1), relu' at 0."""


class NoClosedForm(SymgradError):
    """No closed form is known; the reason is the message."""

    exit_code = 3


class FailedCheck(SymgradError):
    """Something that had to hold does not: a refuted or undecided equation, a failed build."""

    exit_code = 1


class Undecided(FailedCheck):
    """An equation that had to be decided is not."""
