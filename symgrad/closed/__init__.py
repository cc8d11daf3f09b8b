"""Symbolic T: sums over time of products of Jacobians, and closed forms with conditions."""

from symgrad.closed.elementary import elementary as elementary
from symgrad.closed.expanded import expanded as expanded
from symgrad.closed.forms import Form as Form
from symgrad.closed.forms import Recurrence as Recurrence
from symgrad.closed.closed_form import closed as closed
from symgrad.closed.closed_form import forward_closed as forward_closed
