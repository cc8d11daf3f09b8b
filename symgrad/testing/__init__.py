"""Gradients judged: by other methods, against the derived one, and verdicts by mutation.

``check_gradient`` judges somebody's gradient function against the derived gradient, and
``gradients_by`` asks PyTorch, JAX, autograd, the complex step or differences for it.
``mutants`` changes one thing in a formula, ``rewritings`` writes it in another true way;
``python -m symgrad.testing.score`` judges both for every cell and writes the table.
"""

from symgrad.testing.gradients import check_gradient as check_gradient
from symgrad.testing.mutations import mutants as mutants
from symgrad.testing.oracles import Agreement as Agreement
from symgrad.testing.oracles import agree as agree
from symgrad.testing.oracles import gradients_by as gradients_by
from symgrad.testing.oracles import rounding_of as rounding_of
from symgrad.testing.rewritings import rewritings as rewritings
from symgrad.testing.runs import Run as Run
from symgrad.testing.runs import make_run as make_run
from symgrad.testing.statements import Statement as Statement
from symgrad.testing.statements import statements as statements
