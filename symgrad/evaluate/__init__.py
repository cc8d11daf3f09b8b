"""Formulas and programs as values and as SymPy expressions."""

from symgrad.evaluate.exchange import equation_text as equation_text
from symgrad.evaluate.exchange import python_text as python_text
from symgrad.evaluate.exchange import to_sympy as to_sympy
from symgrad.evaluate.forms import form_value as form_value
from symgrad.evaluate.graph_equations import sympy_equations as sympy_equations
