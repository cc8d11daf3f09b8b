"""The language of formulas: nodes, times, programs, evaluation. No calculus, no output format."""

# Registers the plain text of formulas: without it error messages could not show any.
import symgrad.lang.text  # noqa: F401
