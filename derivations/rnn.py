"""Document: the tanh RNN with a linear output layer."""

from symgrad.adjoint import final, loss
from symgrad.cells import CATALOGUE
from symgrad.derivation import forms_table, statements
from symgrad.derivation.writer import Writer

ORDER = 2
TITLE = "The tanh RNN: backpropagation through time"
SUMMARY = "Adjoint equations, expanded gradients and products of Jacobians of the tanh RNN."


def derive(write: Writer) -> None:
    """Write the document."""
    vector = CATALOGUE["rnn"]
    scalar = vector.scalar()

    write.section("The network")
    write.text(
        "The state is squashed by a hyperbolic tangent at every step and read out by a linear "
        "layer. The same parameters serve every step; $x_t$ has size $m$, $h_t$ size $n$, $y_t$ "
        "size $q$, and $h_0$ is given."
    )
    statements.declare(write, vector)
    write.text(
        "One derivative is needed that is not plain algebra. It is written with the value of the "
        "activation itself, so that the backward pass reuses what the forward pass computed:"
    )
    statements.table_entries(write, vector)
    write.picture(vector, 3, "The tanh RNN unrolled over three steps.")

    write.section("One step")
    write.text(
        "The state one step back enters through $W_h$ and the slope of the activation. In "
        "numerator layout the diagonal stands on the left, with the state of the later step."
    )
    statements.one_step_jacobian(write, vector, "chain rule through tanh")

    write.section("Backpropagation through time")
    write.text(
        "Let $L = ℓ_1 + … + ℓ_T$ be a sum of losses, each looking at the output of its own step, "
        "and let $λ^h_t = dL/dh_t$ be the total derivative, through every later step. "
        "$δ^h_t$ is the derivative with respect to the argument of the hyperbolic tangent."
    )
    gradient = statements.adjoint_equations(write, vector, loss(vector))
    write.text("Every parameter collects one term per step:")
    statements.gradients(write, vector, gradient)

    write.section("The gradient as a sum over time")
    write.text(
        "Written out, the adjoint is a product of Jacobians. Here $L = s^⊤ h_T$ looks at "
        "the last state only, through a fixed cotangent $s$. Its gradient sums, over the step $k$ "
        "at which a parameter acts, the immediate effect at $k$ and its way to $T$:"
    )
    statements.state_to_state(
        write, vector, "h", "h", "one Jacobian per step, the latest on the left"
    )
    for parameter in ("W_h", "W_x", "b_h"):
        statements.expanded_of(
            write, vector, "h", parameter, "immediate gradient at $k$ of what comes back to $h_k$"
        )

    write.section("The scalar network")
    write.text(
        "With all sizes equal to one everything commutes, and the same statements can be proved "
        "for every $T$. The weights are written in lower case."
    )
    statements.declare(write, scalar)
    statements.one_step_jacobian(write, scalar, "chain rule through tanh")
    statements.recurrence_of(
        write, scalar, "h", "w_h", "chain rule: through the state before, and directly"
    )
    expanded = statements.expanded_of(
        write,
        scalar,
        "h",
        "w_h",
        "the recurrence carried back to the first step",
        at_least="proved",
    )
    write.induction(expanded, "The expanded form")
    for parameter in ("w_x", "b_h"):
        statements.expanded_of(
            write,
            scalar,
            "h",
            parameter,
            "the same with another immediate term",
            at_least="proved",
        )
    product = statements.state_to_state(
        write, scalar, "h", "h", "one factor per step", at_least="proved"
    )
    write.induction(product, "The product of Jacobians")
    write.text("The adjoint equations of $L = h_T$, and the gradients they give:")
    scalar_gradient = statements.adjoint_equations(write, scalar, final(scalar, "h"))
    recursive = statements.gradients(write, scalar, scalar_gradient)
    write.text(
        "There is no closed form: the factors $1 - h_j^2$ depend on the states, and the states "
        "on the factors before them. The factors are at most one in absolute value, so a weight "
        "of absolute value below one makes the product vanish; a larger weight can make it grow "
        "only as long as the states stay away from saturation."
    )
    forms_table(
        write,
        scalar,
        "h",
        "w_h",
        recursive["w_h"],
        expanded=expanded,
        caption="Forms of $dh_T/dw_h$ for the tanh RNN",
    )

    write.section("The output layer and the whole loss")
    write.text(
        "Now $L = ℓ_1 + … + ℓ_T$ again: a loss at every step weighs the derivative of each output. "
        "Each term of the double sum "
        "is one path: from the use of the weight at step $k$ to the output of step $t$."
    )
    statements.expanded_of(
        write, scalar, "y", "w_h", "the output layer reads the state", condition="$T ≥ 1$"
    )
    statements.expanded_of(
        write, scalar, "y", "w_y", "only the last use of $w_y$", condition="$T ≥ 1$"
    )
    statements.loss_expanded_of(write, scalar, "w_h", "linearity of the derivative")
    statements.loss_expanded_of(write, vector, "W_h", "linearity of the derivative")
