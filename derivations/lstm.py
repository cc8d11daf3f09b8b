"""Document: the LSTM."""

from symgrad.adjoint import final, loss
from symgrad.cells import CATALOGUE
from symgrad.derivation import forms_table, statements
from symgrad.derivation.writer import Writer

ORDER = 3
TITLE = "The LSTM: additive cell state and every path through the gates"
SUMMARY = "The total derivative of the cell state, its direct path, and backpropagation in full."


def derive(write: Writer) -> None:
    """Write the document."""
    vector = CATALOGUE["lstm"]
    scalar = vector.scalar()

    write.section("The network")
    write.text(
        "Three gates $f_t$, $i_t$, $o_t$ with values between zero and one and a candidate $g_t$ "
        "are computed from the input and the last hidden state. The cell state $c_t$ keeps a "
        "fraction $f_t$ of itself and adds a fraction $i_t$ of the candidate; the hidden state "
        "shows a fraction $o_t$ of what it holds. Inputs have size $m$, both states and all gates "
        "size $n$; for each gate, $W$ reads the input, $U$ the last hidden state, and $b$ is a "
        "bias. $σ$ is the logistic function, $I$ the identity matrix; $h_0$ and $c_0$ are given."
    )
    statements.declare(write, vector)
    write.text("The derivatives of the two activations, in terms of their own values:")
    statements.table_entries(write, vector)
    write.picture(vector, 3, "The LSTM unrolled over three steps.")

    write.section("What the cell state holds")
    write.text(
        "Taken with the gates as given numbers, the update of the cell state is a linear "
        "recurrence with a coefficient that changes over time. Its solution is exact: every "
        "candidate, weighted by how far its gate let it in and by how much each later forget gate "
        "has kept."
    )
    held = statements.direct_of(
        write, scalar, "c", "linear recurrence with time-varying coefficient", at_least="proved"
    )
    write.induction(held, "The cell state after T steps")
    statements.direct_of(write, vector, "c", "the same with diagonal matrices")

    write.section("One step of the cell state: four terms")
    write.text(
        "How does $c_t$ depend on $c_{t-1}$? Directly, through the forget gate as a factor; and "
        "through $h_{t-1}$, which shows $c_{t-1}$ to every gate of the next step. The total "
        "derivative is the sum of four terms, one for each path: the direct one, and those through "
        "the forget gate, the input gate and the candidate."
    )
    statements.one_step_total(
        write, scalar, "c", "sum over the four paths from $c_{t-1}$ to $c_t$", "$t ≥ 2$"
    )
    statements.one_step_total(
        write, vector, "c", "sum over the four paths; the latest Jacobian on the left", "$t ≥ 2$"
    )
    write.text(
        "At the first step only the direct term is there: $h_0$ is given and does not depend on "
        "$c_0$."
    )
    statements.first_step(write, scalar, "c", "only the direct path")
    statements.first_step(write, vector, "c", "only the direct path")

    write.section("The direct path over many steps")
    write.text(
        "Restricted to paths that never leave the cell state, the derivative over many steps is "
        "the product of the forget gates. This is the additive path that the LSTM was built for; "
        "it is one of many, and not the derivative."
    )
    direct = statements.state_to_state(
        write, scalar, "c", "c", "one forget gate per step", along=("c",), at_least="proved"
    )
    write.induction(direct, "The direct path")
    statements.state_to_state(write, vector, "c", "c", "one diagonal matrix per step", along=("c",))

    write.section("Both states together")
    write.text(
        "Cell state and hidden state form one state $(c_t, h_t)$. The Jacobian of one step, with "
        "the inputs and both earlier states held fixed where they are not differentiated, is a "
        "block matrix with a row for each state now and a column for each state before. Its two "
        "longer entries are written out first."
    )
    statements.one_step_jacobian(write, scalar, "chain rule within the step")
    statements.one_step_jacobian(write, vector, "chain rule within the step")

    write.section("Many steps: not a product of one-step derivatives")
    write.text(
        "The derivative over several steps is the row of $c$ in the product of these matrices, "
        "applied to what a change of $c_k$ does within its own step."
    )
    statements.state_to_state(write, scalar, "c", "c", "the row of $c$ in $M_T ⋯ M_{k+1}$")
    statements.state_to_state(write, vector, "c", "c", "the row of $c$ in $M_T ⋯ M_{k+1}$")
    every = statements.path_count(scalar, "c", avoiding=False)
    around = statements.path_count(scalar, "c", avoiding=True)
    write.text(
        f"It is tempting to multiply the four-term derivatives of single steps. Over two steps "
        f"there are {every} paths from $c_{{t-2}}$ to $c_t$; the product of two one-step "
        f"derivatives has the {every - around} that pass through $c_{{t-1}}$. The other {around} "
        "go around it: from $c_{t-2}$ to $h_{t-2}$, through the output gate $o_{t-1}$ to "
        "$h_{t-1}$, and on through a gate or the candidate of step $t$. These output-gate paths "
        "are what the product loses:"
    )
    statements.two_step_total(
        write, scalar, "c", "paths through $c_{t-1}$, then the output-gate paths around it"
    )
    statements.two_step_total(
        write, vector, "c", "paths through $c_{t-1}$, then the output-gate paths around it"
    )

    write.section("Backpropagation through time")
    write.text(
        "For a sum of losses $L = ℓ_1 + … + ℓ_T$ on the hidden states, $λ^h_t$ and $λ^c_t$ are the "
        "total derivatives of $L$ with respect to the states, and $δ$ those with respect to the "
        "arguments of the activations."
    )
    gradient = statements.adjoint_equations(write, vector, loss(vector))
    write.text("The gradients, one term per step for every parameter:")
    statements.gradients(write, vector, gradient)

    write.section("The scalar LSTM")
    write.text(
        "The same equations with all sizes equal to one, for the last hidden state, $L = h_T$. "
        "Here the whole backward pass is proved by one identity of a single step."
    )
    scalar_gradient = statements.adjoint_equations(write, scalar, final(scalar))
    recursive = statements.gradients(write, scalar, scalar_gradient)

    write.section("The gradient as a sum over time")
    write.text(
        "Each use of a parameter at step $k$ changes both states of that step; the product of the "
        "Jacobians carries the change to step $T$. In the vector reading the gradient is that of "
        "$L = s^⊤ h_T$ with a fixed cotangent $s$."
    )
    expanded = statements.expanded_of(
        write, scalar, "h", "u_f", "immediate effect at $k$, carried to $T$ by $M_T ⋯ M_{k+1}$"
    )
    statements.expanded_of(
        write, vector, "h", "U_f", "immediate gradient at $k$ of what comes back to both states"
    )
    write.text(
        "There is no closed form with no state but the initial one: the gates depend on the "
        "hidden states and the hidden states on the gates."
    )
    forms_table(
        write,
        scalar,
        "h",
        "u_f",
        recursive["u_f"],
        expanded=expanded,
        caption="Forms of $dh_T/du_f$ for the LSTM",
    )
