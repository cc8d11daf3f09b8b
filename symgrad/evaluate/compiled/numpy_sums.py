"""NumPy code of accumulations: the gradients of parameters, summed over time."""

from __future__ import annotations

from symgrad.evaluate.compiled.numpy_names import rank
from symgrad.evaluate.compiled.numpy_ops import Operations
from symgrad.evaluate.compiled.plan import Operand
from symgrad.evaluate.compiled.units import Home, Unit, other
from symgrad.lang.affine import ONE


class Sums(Operations):
    """Writes accumulations into ``body``: by one matrix product where there is one."""

    def _accumulator(self, unit: Unit) -> str:
        param = unit.accumulate[0].param
        home = self.packing.homes.get(param) or Home((param,))
        if home.values not in self.layout.accumulators:
            self.layout.accumulators.append(home.values)
        number = self.layout.accumulators.index(home.values)
        whole = self._local(("sum", home), f"A[{number}]", each_step=False)
        if len(unit.accumulate) == home.count:
            return whole
        position = home.values.index(param)
        text = f"{whole}[{position}:{position + 1}]" if param.is_scalar else f"{whole}[{position}]"
        return self._local(("sum", param), text, each_step=False)

    def _accumulate(self, unit: Unit, scratch: str | None) -> None:
        call = "add" if unit.accumulate[0].sign > 0 else "subtract"
        sums = self._accumulator(unit)
        param, term = unit.accumulate[0].param, unit.accumulate[0].term
        separate = param.label in self.packing.separate
        many = len(unit.accumulate) > 1
        if unit.ops and not separate:
            text = self._reduced(unit, sums)
            if text is not None:
                self.body.append(text.replace("CALL", call))
                return
        if unit.ops:
            assert scratch is not None
            entry = self._product(unit, scratch)
        elif many:
            place = self.packing.place([item.term for item in unit.accumulate])
            assert place is not None
            entry = self._part(*place, len(unit.accumulate))
        else:
            entry = self._entry(term, param.shape)
            if not self.packing.varies(term) and not separate:
                self.body.append(f"{call}({sums}, {self.name(term)} * number(B), {sums})")
                return
        if not separate:
            if rank(param.shape) == 1 and not many:
                # The parameter keeps its own orientation, (n, 1) or (1, n).
                sums = self._local(("line", param), f"{sums}.reshape(-1)", each_step=False)
            entry = f"add_reduce({entry}, -1)"
        self.body.append(f"{call}({sums}, {entry}, {sums})")

    def _reduced(self, unit: Unit, sums: str) -> str | None:
        """A product summed over the batch by one call, where there is one."""
        head, common = unit.ops[0].head, unit.common
        assert common is not None
        factors: list[Operand] = [other(op, common) for op in unit.ops]
        if not self.packing.varies(common) or not all(self.packing.varies(f) for f in factors):
            return None
        if head == "mul" and unit.ops[0].target.is_scalar:
            left = self._column(factors) if len(factors) > 1 else self.name(factors[0])
            return f"CALL({sums}, dot({left}, {self.name(common)}), {sums})"
        outer = factors[0].shape[1] == ONE and common.shape[0] == ONE
        if head != "matmul" or not outer or rank(unit.ops[0].target.shape) < 2:
            return None
        if len(factors) > 1:
            place = self.packing.place(factors)
            assert place is not None
            flat = self._local(
                ("flat", sums), f"{sums}.reshape(-1, {sums}.shape[-1])", each_step=False
            )
            left = self._flat(*place, len(factors))
            return f"CALL({flat}, dot({left}, {self.name(common)}.T), {flat})"
        return f"CALL({sums}, dot({self.name(factors[0])}, {self.name(common)}.T), {sums})"

    def _product(self, unit: Unit, scratch: str) -> str:
        """The products of an accumulation in a buffer of their own."""
        ops = list(unit.ops)
        if len(ops) == 1:
            self._names[ops[0].target] = scratch
            self._single(ops[0])
            return scratch
        common = unit.common
        assert common is not None
        left = self._column([other(op, common) for op in ops])
        if ops[0].head == "mul":
            self.body.append(f"multiply({left}, {self._entry(common, common.shape)}, {scratch})")
        else:
            self.body.append(
                f"multiply({left}[:, :, None], {self.name(common)}[None, None], {scratch})"
            )
        return scratch
