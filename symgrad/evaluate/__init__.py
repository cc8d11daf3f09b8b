"""Formulas and programs as values and as SymPy expressions."""
