"""Document: the linear RNN, with and without input."""

from symgrad.adjoint import final
from symgrad.cells import CATALOGUE
from symgrad.derivation import forms_table, statements
from symgrad.derivation.writer import Writer

ORDER = 1
TITLE = "The linear RNN: closed forms for every T"
SUMMARY = "Gradients of linear recurrent networks, closed in symbolic T and proved by induction."


def derive(write: Writer) -> None:
    """Write the document."""
    vector = CATALOGUE["linear"]
    scalar = vector.scalar()
    driven_vector = CATALOGUE["linear-input"]
    driven = driven_vector.scalar()

    write.section("The network")
    write.text(
        "The simplest recurrent network has no activation and no input: the state is multiplied "
        "by the same weight at every step, and all it knows is its initial value $h_0$."
    )
    statements.declare(write, scalar)
    write.picture(scalar, 3, "The scalar linear RNN unrolled over three steps.")
    forward = statements.forward_of(
        write, scalar, "h", "the weight is applied once per step", at_least="proved"
    )
    write.induction(forward, "The state after T steps")

    write.section("The gradient with respect to the weight")
    write.text(
        "The weight is used at every step, so its gradient collects one contribution per step. "
        "One step of the chain rule splits $h_T$ into what depends on $w$ directly and what "
        "depends on it through the state before:"
    )
    statements.recurrence_of(write, scalar, "h", "w", "product rule on $w h_{T-1}$")
    write.text("Carried back to the first step, the recurrence becomes a sum over time:")
    expanded = statements.expanded_of(
        write,
        scalar,
        "h",
        "w",
        "one immediate term per step, carried to $T$ by $w$ per step",
        at_least="proved",
    )
    write.induction(expanded, "The expanded form")
    write.text(
        "Every state in the sum is itself a power of $w$ times $h_0$, and all $T$ terms are equal. "
        "At $T = 0$ nothing has been multiplied and the gradient is zero; for $T ≥ 1$ the formula "
        "holds at $w = 0$ and $w = 1$ too, with $0^0 = 1$."
    )
    closed = statements.closed_of(
        write, scalar, "h", "w", "insert $h_{k-1} = w^{k-1} h_0$", at_least="proved"
    )
    write.induction(closed, "The closed form")
    write.text(
        "The exponent grows with $T$: for a weight of absolute value below one the gradient "
        "vanishes in the long run, above one it explodes. The factor $T$ makes it rise first."
    )
    statements.initial_to_state(
        write, scalar, "h", "h", "only the direct path leads from $h_0$ to $h_T$", at_least="proved"
    )

    write.section("Backpropagation through time")
    write.text(
        "The same gradient from the other end. Let $L = h_T$ and let $λ^h_t = dL/dh_t$; the "
        "adjoint runs from the last step to the first."
    )
    gradient = statements.adjoint_equations(write, scalar, final(scalar))
    recursive = statements.gradients(write, scalar, gradient)
    forms_table(
        write,
        scalar,
        "h",
        "w",
        recursive["w"],
        expanded=expanded,
        closed=closed,
        caption="Forms of $dh_T/dw$ for the linear RNN",
    )

    write.section("Vectors")
    write.text(
        "With a state of size $n$ the weight is a matrix and the order of products matters. The "
        "Jacobian of the last state is a matrix power; the gradient of $L = s^⊤ h_T$ for a fixed "
        "cotangent $s$ has the shape of $W$."
    )
    statements.declare(write, vector)
    statements.forward_of(write, vector, "h", "the matrix is applied once per step")
    statements.initial_to_state(write, vector, "h", "h", "the chain rule along the only path")
    write.text(
        "Backwards in time, for $L = s^⊤ h_T$ with a fixed cotangent $s$; the transposed Jacobian "
        "carries the adjoint back. $W^T$ is a power, $W^⊤$ the transpose."
    )
    statements.gradients(write, vector, statements.adjoint_equations(write, vector, final(vector)))
    statements.expanded_of(write, vector, "h", "W", "the adjoint carried back $T - k$ steps")
    statements.closed_of(write, vector, "h", "W", "insert $h_{k-1} = W^{k-1} h_0$")

    write.section("With input and bias")
    write.text("An input at every step turns the power into a weighted sum over the past.")
    statements.declare(write, driven)
    forward = statements.forward_of(
        write, driven, "h", "each input is carried to $T$ by $w$ per step", at_least="proved"
    )
    write.induction(forward, "The driven state after T steps")
    statements.recurrence_of(write, driven, "h", "w", "product rule on $w h_{T-1}$")
    driven_expanded = statements.expanded_of(
        write, driven, "h", "w", "one immediate term per step", at_least="proved"
    )
    driven_closed = statements.closed_of(
        write,
        driven,
        "h",
        "w",
        "insert the closed form of $h_{k-1}$ and exchange the sums",
        at_least="proved",
    )
    write.induction(driven_closed, "The closed form with inputs")
    for parameter in ("u", "b"):
        statements.closed_of(
            write,
            driven,
            "h",
            parameter,
            "the immediate terms do not contain the state",
            at_least="proved",
        )
    write.text("Backwards in time, for $L = h_T$:")
    driven_gradient = statements.adjoint_equations(write, driven, final(driven))
    driven_recursive = statements.gradients(write, driven, driven_gradient)

    write.section("Elementary forms for simple inputs")
    write.text(
        "For inputs that are zero, constant ($x_t = x$) or geometric ($x_t = x ρ^{t-1}$) the sums "
        "can be carried out. The geometric series has a special case where its ratio is one, so "
        "the conditions belong to the result. Near such a point the elementary form loses digits "
        "in floating point, and the sum form is the one to evaluate."
    )
    elementary = []
    for kind, wording in (
        ("zero", "zero input: geometric series of the bias"),
        ("constant", "constant input: geometric series"),
        ("geometric", "geometric input: two geometric series"),
    ):
        statements.elementary_of(write, driven, "h", None, kind, wording, at_least="proved")
        elementary.append(
            statements.elementary_of(
                write, driven, "h", "w", kind, f"{wording}, differentiated", at_least="proved"
            )
        )
    forms_table(
        write,
        driven,
        "h",
        "w",
        driven_recursive["w"],
        expanded=driven_expanded,
        closed=driven_closed,
        elementary=tuple(elementary),
        caption="Forms of $dh_T/dw$ for the linear RNN with input",
    )

    write.section("Vectors with input")
    write.text("The same for a state of size $n$ and an input of size $m$, with $L = s^⊤ h_T$.")
    statements.declare(write, driven_vector)
    statements.forward_of(
        write, driven_vector, "h", "each input is carried to $T$ by powers of $W$"
    )
    for parameter in ("W", "U", "b"):
        statements.closed_of(
            write, driven_vector, "h", parameter, "the adjoint $(W^⊤)^{T-k} s$ at every step"
        )
