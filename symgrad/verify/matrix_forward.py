"""Forward derivatives of matrix formulas for all sizes: along a free direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from symgrad.lang.affine import ONE
from symgrad.lang.algebra import Value
from symgrad.lang.nodes import Node, Param, Signal
from symgrad.verify.forward import Forward, Kind, Source
from symgrad.verify.matrices import matrix_atom
from symgrad.verify.polynomial import Atom
from symgrad.verify.tensors import by_direction

_DIRECTION = Atom("direction", ("",))


class MatrixForward(Forward):
    """Tangents of signals where one column moves in a direction v: they are J v."""

    def unit(self, like: Value, *, every: bool) -> Value:
        if like.is_scalar:
            return self.algebra.one
        return matrix_atom(_DIRECTION.kind, _DIRECTION.data[0], like.shape)

    def jacobian(
        self,
        of: tuple[str, int],
        wrt: Node,
        wrt_time: int | None,
        kind: Kind,
        along: tuple[str, ...],
    ) -> Value:
        if not isinstance(wrt, Signal | Param) or wrt.shape[1] != ONE:
            raise KeyError(f"a derivative by the matrix {wrt!r} is no matrix")
        label = wrt.label if isinstance(wrt, Signal) else wrt.name
        moved = self.tangents(Source(label, wrt_time, every=False), kind, along).at(*of)
        return moved if wrt.is_scalar else by_direction(moved, _DIRECTION, wrt.shape[0])

    def gradient(
        self,
        weights: Mapping[tuple[str, int], Value],
        wrt: Node,
        wrt_time: int | None,
        penalty: Node | None = None,
    ) -> NoReturn:
        raise KeyError("a gradient is proved by the adjoint identity")
