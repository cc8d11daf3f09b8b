"""Wrong and true formulas made by machine, and the score of the verdicts on them.

``mutants`` changes one thing in a formula, ``rewritings`` writes it in another true way;
``python -m symgrad.testing.score`` judges both for every cell and writes the table.
"""

from symgrad.testing.mutations import mutants as mutants
from symgrad.testing.rewritings import rewritings as rewritings
from symgrad.testing.statements import Statement as Statement
from symgrad.testing.statements import statements as statements
