"""Operations of a plan, counted as it is run: +, -, ×, ÷ and each call of a function."""

from __future__ import annotations

from symgrad.adjoint import Objective
from symgrad.cell import Cell
from symgrad.evaluate.compiled.build import plan_of
from symgrad.evaluate.compiled.plan import Plan


def gradient_operations(plan: Plan, T: int) -> int:
    """Operations of forward values, adjoints and sums over T ≥ 1 steps; without L itself.

    The first summand of a sum is assigned and not added.
    """
    steps = plan.setup.cost + T * plan.forward.cost + plan.last.cost + (T - 1) * plan.step.cost
    added = [*plan.last.accumulate] + [*plan.step.accumulate] * (T - 1)
    first = {item.param for item in added}
    negated = sum(1 for param in first if next(i for i in added if i.param == param).sign < 0)
    return steps + len(added) - len(first) + negated


def forward_operations(plan: Plan, T: int) -> int:
    """Operations of the forward pass and of L, where L is a formula, over T ≥ 1 steps."""
    used = {
        a for section in (plan.forward, plan.loss) if section for op in section.ops for a in op.args
    }
    setup = 0
    for op in reversed(plan.setup.ops):
        # What only the backward pass needs is no part of the forward pass.
        if op.target in used:
            setup += op.cost
            used |= set(op.args)
    steps = setup + T * plan.forward.cost
    if plan.loss is None:
        return steps
    if plan.when == "final":
        return steps + plan.loss.cost
    return steps + T * plan.loss.cost + T - 1


def operation_ratio(cell: Cell, objective: Objective, T: int | None) -> float:
    """Operations of the gradient over those of the forward pass with L, at T or for T → ∞.

    Without ``T`` it is the ratio of one step more, the limit for long runs.

    Raises:
        ValueError: T is less than 1.
    """
    plan = plan_of(cell, objective)
    if T is None:
        more = gradient_operations(plan, 3) - gradient_operations(plan, 2)
        return more / (forward_operations(plan, 3) - forward_operations(plan, 2))
    if T < 1:
        raise ValueError(f"T = {T}: operations are counted for T of at least 1")
    return gradient_operations(plan, T) / forward_operations(plan, T)
