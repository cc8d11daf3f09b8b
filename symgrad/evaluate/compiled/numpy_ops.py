"""NumPy code of operations: one call for an operation, or for a group of alike ones."""

from __future__ import annotations

from symgrad.evaluate.compiled.numpy_names import Names, form_text, rank
from symgrad.evaluate.compiled.plan import Op, Operand
from symgrad.lang.affine import ONE

ELEMENTWISE = frozenset({"add", "mul", "neg", "div"})
#: Heads that this module writes itself; any other is a function.
STRUCTURAL = ELEMENTWISE | {
    "matmul",
    "transpose",
    "total",
    "diag",
    "block",
    "slice",
    "full",
    "index",
    "iverson",
    "matpower",
    "power",
    "softmax",
    "logsumexp",
    "mean",
    "variance",
}


class Operations(Names):
    """Writes operations into ``body``, each result into the array of its target."""

    def _chain(self, op: Op, entries: list[str], out: str) -> None:
        """A sum or product of several entries, or a function of them, into ``out``."""
        if op.head in ("mul", "add"):
            signs = op.data if op.head == "add" else (1,) * len(entries)
            kind = {"mul": ("multiply", "multiply"), "add": ("add", "subtract")}[op.head]
            first = entries[0]
            for sign, entry in zip(signs[1:], entries[1:], strict=True):
                self.body.append(f"{kind[0 if sign > 0 else 1]}({first}, {entry}, {out})")
                first = out
        elif op.head == "div":
            self.body.append(f"divide({', '.join(entries)}, {out})")
        elif op.head == "neg":
            self.body.append(f"negative({entries[0]}, {out})")
        else:
            self.body.append(f"{self.function(op.head)}({', '.join(entries)}, {out})")

    def _single(self, op: Op) -> None:
        target = op.target
        if target in self._alias:
            return
        if not self.packing.varies(target):
            self._still(op)
            return
        out = self.name(target)
        if op.head in ("index", "iverson", "full"):
            self.body.append(f"{out}[...] = {self._still_text(op)}")
            return
        if op.head in ELEMENTWISE or op.head not in STRUCTURAL:
            self._chain(op, [self._entry(a, target.shape) for a in op.args], out)
            return
        if op.head == "matmul" and self._matmul(op, out):
            return
        if op.head == "total" and rank(op.args[0].shape) == 1 and self.packing.varies(op.args[0]):
            self.body.append(f"add_reduce({self.name(op.args[0])}, 0, None, {out})")
            return
        if op.head == "power":
            entry = self._entry(op.args[0], target.shape)
            self.body.append(f"copyto({out}, integer_power({entry}, {form_text(op.data[0])}))")
            return
        self.body.append(f"copyto({self._cube(target)}, {self._general(op)})")

    def _matmul(self, op: Op, out: str) -> bool:
        """A product of a shared matrix, or of two columns; False for any other."""
        left, right = op.args
        varies = self.packing.varies
        if not varies(left) and varies(right) and right.shape[1] == ONE:
            row = "[0]" if left.shape[0] == ONE else ""
            self.body.append(f"matmul({self.name(left)}{row}, {self.name(right)}, {out})")
        elif varies(left) and not varies(right) and left.shape[0] == ONE and right.shape[0] != ONE:
            column = "[0]" if right.shape[1] == ONE else ""
            self.body.append(f"matmul({self.name(right)}.T{column}, {self.name(left)}, {out})")
        elif varies(left) and varies(right) and left.shape[1] == right.shape[0] == ONE:
            pair = f"{self.name(left)}[:, None], {self.name(right)}[None]"
            self.body.append(f"multiply({pair}, {out})")
        else:
            return False
        return True

    def _general(self, op: Op) -> str:
        """Any other operation on (rows, columns, B)."""
        cubes = [self._cube(a) for a in op.args]
        if op.head == "matmul":
            return f"product({', '.join(cubes)})"
        if op.head == "transpose":
            return f"{cubes[0]}.swapaxes(0, 1)"
        if op.head == "total":
            return f"{cubes[0]}.sum((0, 1))[None, None]"
        if op.head == "diag":
            return f"diagonal({cubes[0]})"
        if op.head == "block":
            return f"blocks({op.data[1]}, {', '.join(cubes)})"
        if op.head == "slice":
            top, rows, left, columns = (form_text(form) for form in op.data)
            return f"{cubes[0]}[{top}:{top} + {rows}, {left}:{left} + {columns}]"
        if op.head == "matpower":
            return f"matrix_power({cubes[0]}, {form_text(op.data[0])})"
        if op.head in ("mean", "variance"):
            return f"{op.head}({cubes[0]})"
        if op.head == "softmax":
            return f"softmax({self.function('exp')}, {cubes[0]})"
        assert op.head == "logsumexp", op.head
        return f"logsumexp({self.function('exp')}, {self.function('log')}, {cubes[0]})"

    def _still(self, op: Op) -> None:
        """An operation on what all samples share: (), (n, 1) or (n, m), made anew."""
        self.body.append(f"{op.target.name} = {self._still_text(op)}")

    def _still_text(self, op: Op) -> str:
        names = [self.name(a) for a in op.args]
        if op.head == "index":
            return f"number({form_text(op.data[0])})"
        if op.head == "iverson":
            return f"number(1 if {form_text(op.data[0])} == 0 else 0)"
        if op.head == "full":
            rows, columns = (form_text(size) for size in op.target.shape)
            return f"full({op.data[0]!r}, {rows}, {columns})"
        if op.head == "add":
            signs = ["" if s > 0 else "-" for s in op.data]
            return " + ".join(f"{s}{n}" for s, n in zip(signs, names, strict=True))
        if op.head == "mul":
            return " * ".join(names)
        if op.head == "div":
            return " / ".join(names)
        if op.head == "neg":
            return f"-{names[0]}"
        if op.head == "transpose":
            return f"{names[0]}.T"
        if op.head == "power":
            return f"integer_power({names[0]}, {form_text(op.data[0])})"
        if op.head not in STRUCTURAL:
            return f"{self.function(op.head)}({', '.join(names)}, None)"
        cube = self._general(op)
        return f"{cube}[0, 0, 0]" if op.target.is_scalar else f"({cube})[:, :, 0]"

    def _column(self, operands: list[Operand]) -> str:
        """The same argument of all operations of a group: one value, or values of a home."""
        if len(set(operands)) == 1:
            return self._entry(operands[0], operands[0].shape)
        place = self.packing.place(operands)
        assert place is not None
        return self._part(*place, len(operands))

    def _group(self, ops: list[Op]) -> None:
        place = self.packing.place([op.target for op in ops])
        assert place is not None
        out = self._part(*place, len(ops))
        columns = [list(column) for column in zip(*[op.args for op in ops], strict=True)]
        if ops[0].head != "matmul":
            self._chain(ops[0], [self._column(column) for column in columns], out)
            return
        params = self.packing.place(columns[0])
        assert params is not None
        if len(set(columns[1])) == 1:
            left, flat = self._flat(*params, len(ops)), self._flat(*place, len(ops))
            self.body.append(f"matmul({left}, {self.name(columns[1][0])}, {flat})")
        else:
            left = self._part(*params, len(ops))
            self.body.append(f"matmul({left}, {self._column(columns[1])}, {out})")

    def _sum(self, total: Op, ops: list[Op]) -> None:
        """``total`` with all products of the parameters of a home as one product."""
        out = self.name(total.target)
        param = self.packing.parameter(ops[0].args[0])
        assert param is not None
        params = self.packing.homes[param]
        place = self.packing.place([op.args[1] for op in ops])
        assert place is not None
        if ops[0].head == "matmul":
            left, right = self._flat(params, 0, params.count), self._flat(*place, len(ops))
            self.body.append(f"matmul({left}.T, {right}, {out})")
        elif self.packing.varies(param):
            pair = f"{self._pack(params)}, {self._part(*place, len(ops))}"
            self.body.append(f"add_reduce(multiply({pair}), 0, None, {out})")
        else:
            left = self._local(("row", params), f"{self._pack(params)}[:, 0]", each_step=False)
            self.body.append(f"matmul({left}, {self._part(*place, len(ops))}, {out})")
        done = {op.target for op in ops}
        rest = [(s, a) for s, a in zip(total.data, total.args, strict=True) if a not in done]
        for sign, operand in rest:
            call = "add" if sign > 0 else "subtract"
            self.body.append(f"{call}({out}, {self._entry(operand, total.target.shape)}, {out})")
