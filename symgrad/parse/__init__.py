"""Cells and formulas from text, and back: two grammars, one typed reading."""

from symgrad.parse.arranged import arranged as arranged
from symgrad.parse.cells import read_cell as read_cell
from symgrad.parse.cells import read_cell_file as read_cell_file
from symgrad.parse.claims import parse_claim as parse_claim
from symgrad.parse.claims import parse_statement as parse_statement
from symgrad.parse.errors import ParseError as ParseError
from symgrad.parse.formulas import parse_formula as parse_formula
from symgrad.parse.writing import cell_latex as cell_latex
from symgrad.parse.writing import cell_text as cell_text
