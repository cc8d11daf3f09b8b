"""Symbolic T: sums over time of products of Jacobians, and closed forms with conditions."""

from symgrad.closed.forms import Form as Form
from symgrad.closed.forms import Recurrence as Recurrence
from symgrad.closed.series import elementary_form as elementary_form
from symgrad.closed.solutions import closed_form as closed_form
from symgrad.closed.solutions import forward_form as forward_form
from symgrad.closed.sums import expanded_form as expanded_form
