"""The LLVM IR of the function that Python calls.

The function has CPython's fast calling convention, `(self, args, nargs, kwnames)`.  It looks at
every argument by loads and comparisons alone; as long as all of them are exactly what the kernel
was compiled for, no other function is called before the results are allocated.  At the first
difference it hands the untouched arguments to the fallback.

No address is in the text: each object and function is an external symbol named
`adjoint.<name>`, bound when the module is linked.
"""

from __future__ import annotations

from dataclasses import dataclass

from adjoint.codegen.entry.argument_ir import ArgumentReader, Leaf
from adjoint.codegen.entry.ir_writer import IrWriter
from adjoint.codegen.entry.result_ir import ResultMaker
from adjoint.codegen.entry.spec import (
    Argument,
    Captured,
    OutArgument,
    Range,
    Structure,
    TypeSpec,
)
from adjoint.codegen.entry.target_ir import TargetReader
from adjoint.codegen.numpy_abi import NativeAbi

STACK_ARENA_LIMIT = 16 * 1024  # more might not fit on what is left of a small thread stack
ARENA_ALIGNMENT = 64
_OFFSET_FLAG_MASK = 0x7FFF_FFFF_FFFF_FFFF  # the top bit of nargsf is a flag of vectorcall


@dataclass(frozen=True)
class EntryPlan:
    """Everything the IR depends on."""

    name: str
    kernel: str
    arguments: tuple[Argument, ...]
    inputs: tuple[TypeSpec, ...]
    outputs: tuple[TypeSpec, ...]
    structure: Structure
    arena_bytes: int
    release_gil: bool
    out: OutArgument = "refused"
    captured: tuple[Captured, ...] = ()
    recycled: bool = False


@dataclass(frozen=True)
class EntryText:
    """The IR, and the objects it refers to by symbol besides those of the ABI."""

    ir: str
    objects: dict[str, object]
    names: tuple[str, ...]


def entry_ir(plan: EntryPlan, abi: NativeAbi) -> EntryText:
    """The IR of the entry, as a module of its own, with the kernel as an external symbol.

    It is meant to be translated without optimisation.  To optimise it, and to inline the kernel,
    gains 1.5 ns per call; it takes as long again as the worked example's whole kernel, and five
    times as long for an entry of many arrays (measured), since the entry is mostly branches.
    """
    writer = _EntryWriter(plan, abi)
    text = writer.write()
    return EntryText(text, writer.objects, tuple(writer.used))


class _EntryWriter(IrWriter):
    """Writes one entry; the methods follow the order of the blocks."""

    def __init__(self, plan: EntryPlan, abi: NativeAbi) -> None:
        super().__init__()
        self.plan = plan
        self.abi = abi
        self.arguments = ArgumentReader(self, abi)
        self.results = ResultMaker(self, abi, plan.outputs, plan.name, plan.recycled)
        self.targets = None
        if plan.out != "refused":
            self.targets = TargetReader(self, abi, plan.name, plan.structure, plan.outputs)

    def write(self) -> str:
        plan, targets = self.plan, self.targets
        self.check_count()
        leaves: list[Leaf] = []
        for number, wanted in enumerate(plan.arguments):
            leaves += self.arguments.open(self.load("ptr", "%args", 8 * number), wanted)
        for number, array in enumerate(plan.captured):
            self.arguments.recognise(array, self.load("ptr", "@captured", 8 * number))
        inputs = self.slot(f"[{max(1, len(leaves))} x ptr]")
        for number, leaf in enumerate(leaves):
            pointer = self.arguments.read(*leaf)
            self.emit(f"store ptr {pointer}, ptr {self.at(inputs, 8 * number)}")
        run = targets and targets.choose(self.results.table, self.others(inputs))
        self.results.allocate()
        if run:
            self.emit(f"br label {run}")
            self.label(run)
        self.run_kernel(inputs)
        if targets:
            targets.finish(self.results.table, self.results.owned, self.held)
        self.results.box_scalars()
        outermost = self.results.arrange(plan.structure)
        self.release(self.held)
        self.emit(f"ret ptr {outermost}")
        self.write_exits()
        return self.text()

    @property
    def held(self) -> list[str]:
        """The slots of what containers held."""
        return [*self.arguments.held, *(self.targets.reader.held if self.targets else [])]

    def check_count(self) -> None:
        count = self.value(f"and i64 %nargsf, {_OFFSET_FLAG_MASK}")
        self.require_equal("i64", count, str(len(self.plan.arguments)))
        if self.targets is None:
            self.require_equal("ptr", "%kwnames", "null")
        else:
            self.targets.open(len(self.plan.arguments))

    def others(self, inputs: str) -> list[tuple[str, list[Range]]] | None:
        """What targets may not overlap if the kernel is to write there; None if it may not."""
        if self.plan.out != "written":
            return None
        # Numbers are in objects of their own, which no array gives access to.
        sizes = [(0, 0 if spec.scalar else spec.byte_count) for spec in self.plan.inputs]
        found = [(inputs, sizes)]
        if self.plan.captured:
            found.append(("@captured", [array.extent for array in self.plan.captured]))
        return found

    def run_kernel(self, inputs: str) -> None:
        block, arena = self.take_arena()
        state = self.call("PyEval_SaveThread") if self.plan.release_gil else ""
        operands = f"ptr {inputs}, ptr {self.results.table}, ptr {arena}"
        code = self.value(f'call i32 @"{self.plan.kernel}"({operands})')
        if state:
            self.call("PyEval_RestoreThread", f"ptr {state}")
        if block:
            spare = self.value(f"atomicrmw xchg ptr {self.thing('arena')}, ptr {block} acq_rel")
            self.call("PyMem_RawFree", f"ptr {spare}")
        self.branch(self.value(f"icmp eq i32 {code}, 0"), "%fault")

    def take_arena(self) -> tuple[str, str]:
        """The block to give back afterwards, if any, and the aligned start of the arena.

        One block per entry is kept between calls.  A call takes it by an atomic exchange; calls
        that run at the same time find none and allocate their own, and of all that are given
        back one stays.
        """
        size = self.plan.arena_bytes
        if size == 0:
            return "", "null"
        if size <= STACK_ARENA_LIMIT:
            return "", self.slot(f"[{size} x i8], align {ARENA_ALIGNMENT}")
        taken = self.value(f"atomicrmw xchg ptr {self.thing('arena')}, ptr null acq_rel")
        slot = self.slot("ptr")
        self.emit(f"store ptr {taken}, ptr {slot}")
        missing, ready = self.new("missing"), self.new("ready")
        have = self.value(f"icmp ne ptr {taken}, null")
        self.emit(f"br i1 {have}, label {ready}, label {missing}")
        self.label(missing)
        made = self.call("PyMem_RawMalloc", f"i64 {size + ARENA_ALIGNMENT}", cold=True)
        self.emit(f"store ptr {made}, ptr {slot}")
        self.require_pointer(made, "%no_memory")
        self.emit(f"br label {ready}")
        self.label(ready)
        block = self.value(f"load ptr, ptr {slot}")
        number = self.value(f"ptrtoint ptr {block} to i64")
        raised = self.value(f"add i64 {number}, {ARENA_ALIGNMENT - 1}")
        aligned = self.value(f"and i64 {raised}, {-ARENA_ALIGNMENT}")
        return block, self.value(f"inttoptr i64 {aligned} to ptr")

    def write_exits(self) -> None:
        held = self.held
        self.label("no_memory")
        self.call("PyErr_NoMemory", cold=True)
        self.emit("br label %fail")
        self.label("fail")
        self.release([*self.results.owned, *held])
        self.emit("ret ptr null")
        self.label("fault")
        self.release(self.results.owned)
        self.emit("br label %slow")
        self.label("failed_lookup")
        self.call("PyErr_Clear", cold=True)
        self.emit("br label %slow")
        self.label("slow")
        self.release(held)
        operands = (f"ptr {self.thing('fallback')}", "ptr %args", "i64 %nargsf", "ptr %kwnames")
        self.emit(f"ret ptr {self.call('PyObject_Vectorcall', *operands, cold=True)}")

    def text(self) -> str:
        parameters = "ptr %self, ptr %args, i64 %nargsf, ptr %kwnames"
        return "\n".join(
            [
                *self.declarations(),
                f'declare i32 @"{self.plan.kernel}"(ptr, ptr, ptr)',
                *(["@captured = external global ptr"] if self.plan.captured else []),
                *self.constants,
                f'define ptr @"{self.plan.name}"({parameters}) nounwind {{',
                "start:",
                *self.slots,
                "  br label %check",
                "check:",
                *self.body,
                "}",
                "",
            ]
        )
