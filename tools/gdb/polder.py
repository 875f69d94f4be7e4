"""Shows reports and optimizers of polder in gdb: (gdb) source tools/gdb/polder.py

    (gdb) print report          polder::Report {loss = 0.5, perturbed_loss = 0.6, sharpness = 0.1, evaluations = 2}
    (gdb) print optimizer       polder::SAM<polder::Adam> {step = 3, method = {...}, base = {...}}

Numbers of a report that were not measured are left out. $_siginfo and the like are not touched: nothing of the program is called.
"""

import math

import gdb
import gdb.printing


class ReportPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return "polder::Report"

    def children(self):
        numbers = {}
        for field in self.value.type.fields():
            if field.is_base_class or not hasattr(field, "bitpos"):
                continue  # static members
            value = self.value[field.name]
            if field.type.strip_typedefs().code == gdb.TYPE_CODE_FLT and math.isnan(float(value)):
                continue
            numbers[field.name] = value
            if field.name == "perturbed_loss" and "loss" in numbers:
                numbers["sharpness"] = float(value) - float(numbers["loss"])
        return ((name, str(value)) for name, value in numbers.items())


class OptimizerPrinter:
    """An Optimizer, or one of the classes that are derived from it."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return str(self.value.type.strip_typedefs())

    def children(self):
        yield "step", str(self.value["data_"]["steps"])
        skipped = int(self.value["data_"]["skipped"])
        if skipped:
            yield "skipped", str(skipped)
        yield "method", self.value["method_"]
        yield "base", self.value["base_"]


def is_optimizer(kind):
    if kind.code != gdb.TYPE_CODE_STRUCT:
        return False
    if (kind.name or "").startswith("polder::Optimizer<"):
        return True
    return any(field.is_base_class and is_optimizer(field.type.strip_typedefs()) for field in kind.fields())


class Printers(gdb.printing.PrettyPrinter):
    def __init__(self):
        super().__init__("polder", [])

    def __call__(self, value):
        kind = value.type.strip_typedefs().unqualified()
        if kind.code != gdb.TYPE_CODE_STRUCT or not kind.name:
            return None
        if kind.name == "polder::Report":
            return ReportPrinter(value)
        if is_optimizer(kind):
            return OptimizerPrinter(value)
        return None


gdb.printing.register_pretty_printer(None, Printers(), replace=True)
