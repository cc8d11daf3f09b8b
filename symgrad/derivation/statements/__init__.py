"""The statements of a textbook derivation, ready to be written into a document.

Each function states what the calculus derived and asks for its evidence; documents
choose which to call and write the prose between.
"""

from symgrad.derivation.claiming import collapsed_sum as collapsed_sum
from symgrad.derivation.statements.backward_sweep import adjoint_equations as adjoint_equations
from symgrad.derivation.statements.backward_sweep import gradients as gradients
from symgrad.derivation.statements.basic import declare as declare
from symgrad.derivation.statements.basic import param_of as param_of
from symgrad.derivation.statements.basic import signal_of as signal_of
from symgrad.derivation.statements.basic import table_entries as table_entries
from symgrad.derivation.statements.basic import written_form as written_form
from symgrad.derivation.statements.one_step import first_step as first_step
from symgrad.derivation.statements.one_step import one_step_jacobian as one_step_jacobian
from symgrad.derivation.statements.one_step import one_step_total as one_step_total
from symgrad.derivation.statements.one_step import path_count as path_count
from symgrad.derivation.statements.one_step import two_step_total as two_step_total
from symgrad.derivation.statements.symbolic_horizon import closed_of as closed_of
from symgrad.derivation.statements.symbolic_horizon import direct_of as direct_of
from symgrad.derivation.statements.symbolic_horizon import elementary_of as elementary_of
from symgrad.derivation.statements.symbolic_horizon import expanded_of as expanded_of
from symgrad.derivation.statements.symbolic_horizon import forward_of as forward_of
from symgrad.derivation.statements.symbolic_horizon import initial_to_state as initial_to_state
from symgrad.derivation.statements.symbolic_horizon import loss_expanded_of as loss_expanded_of
from symgrad.derivation.statements.symbolic_horizon import recurrence_of as recurrence_of
from symgrad.derivation.statements.symbolic_horizon import state_to_state as state_to_state
