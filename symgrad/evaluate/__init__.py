"""Formulas and programs as values and as SymPy expressions."""

from symgrad.evaluate.exchange import equation_text as equation_text
from symgrad.evaluate.exchange import python_text as python_text
from symgrad.evaluate.exchange import to_sympy as to_sympy
