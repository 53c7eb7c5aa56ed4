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

from adjoint.codegen.entry.spec import Argument, Same, Structure, TypeSpec
from adjoint.codegen.numpy_abi import C_CONTIGUOUS_AND_ALIGNED, NativeAbi

STACK_ARENA_LIMIT = 16 * 1024  # more might not fit on what is left of a small thread stack
ARENA_ALIGNMENT = 64
_OFFSET_FLAG_MASK = 0x7FFF_FFFF_FFFF_FFFF  # the top bit of nargsf is a flag of vectorcall

_FUNCTIONS = {
    "Py_IncRef": "void (ptr)",
    "Py_DecRef": "void (ptr)",
    "PyTuple_New": "ptr (i64)",
    "PyObject_Vectorcall": "ptr (ptr, ptr, i64, ptr)",
    "PyEval_SaveThread": "ptr ()",
    "PyEval_RestoreThread": "void (ptr)",
    "PyMem_RawMalloc": "ptr (i64)",
    "PyMem_RawFree": "void (ptr)",
    "PyErr_NoMemory": "ptr ()",
    "PyErr_Clear": "void ()",
    "PyDict_Size": "i64 (ptr)",
    "PyDict_GetItemWithError": "ptr (ptr, ptr)",
    "PyArray_NewFromDescr": "ptr (ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)",
}


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


@dataclass(frozen=True)
class EntryText:
    """The IR, and the objects it refers to by symbol besides those of the ABI."""

    ir: str
    objects: dict[str, object]
    names: tuple[str, ...]


def entry_ir(plan: EntryPlan, abi: NativeAbi) -> EntryText:
    """The IR of the entry, to be put into one module with the kernel.

    LLVM's optimiser is told to leave the entry alone: it would gain 1.5 ns per call and take as
    long again as the worked example's whole kernel (both measured), as it is mostly branches.
    """
    writer = _Writer(plan, abi)
    text = writer.write()
    return EntryText(text, writer.objects, tuple(writer.used))


def symbol(name: str) -> str:
    """How the IR spells the external symbol `name`."""
    return f'@"adjoint.{name}"'


class _Writer:
    """Writes one entry; the methods follow the order of the blocks."""

    def __init__(self, plan: EntryPlan, abi: NativeAbi) -> None:
        self.plan = plan
        self.abi = abi
        self.body: list[str] = []
        self.slots: list[str] = []  # allocas: they have to be in the first block
        self.constants: list[str] = []
        self.used: dict[str, str] = {}
        self.objects: dict[str, object] = {}
        self.held: list[str] = []
        self.tuples: list[str] = []
        self.fills: list[tuple[str, list[str]]] = []
        self.counter = 0

    # -- pieces of text -------------------------------------------------------------------

    def new(self, stem: str) -> str:
        self.counter += 1
        return f"%{stem}{self.counter}"

    def emit(self, line: str) -> None:
        self.body.append(f"  {line}")

    def value(self, expression: str) -> str:
        name = self.new("v")
        self.emit(f"{name} = {expression}")
        return name

    def at(self, pointer: str, offset: int) -> str:
        return (
            pointer if offset == 0 else self.value(f"getelementptr i8, ptr {pointer}, i64 {offset}")
        )

    def load(self, kind: str, pointer: str, offset: int) -> str:
        return self.value(f"load {kind}, ptr {self.at(pointer, offset)}")

    def thing(self, name: str) -> str:
        self.used[name] = "object"
        return symbol(name)

    def keep(self, stem: str, value: object) -> str:
        name = f"{stem}.{len(self.objects)}"
        self.objects[name] = value
        return self.thing(name)

    def call(self, name: str, *arguments: str, cold: bool = False) -> str:
        self.used[name] = "function"
        result = _FUNCTIONS[name].split(" ", 1)[0]
        text = f"call {result} {symbol(name)}({', '.join(arguments)}){' cold' if cold else ''}"
        if result == "void":
            self.emit(text)
            return ""
        return self.value(text)

    def slot(self, kind: str, start: str = "") -> str:
        name = self.new("s")
        self.slots.append(f"  {name} = alloca {kind}")
        if start:
            self.slots.append(f"  store {start}, ptr {name}")
        return name

    def label(self, name: str) -> None:
        self.body.append(f"{name.removeprefix('%')}:")

    def branch(self, condition: str, otherwise: str) -> None:
        following = self.new("next")
        self.emit(f"br i1 {condition}, label {following}, label {otherwise}")
        self.label(following)

    def require_equal(self, kind: str, value: str, wanted: str) -> None:
        self.branch(self.value(f"icmp eq {kind} {value}, {wanted}"), "%slow")

    def require_pointer(self, pointer: str, otherwise: str = "%fail") -> None:
        self.branch(self.value(f"icmp ne ptr {pointer}, null"), otherwise)

    # -- arguments ------------------------------------------------------------------------

    def check_count(self) -> None:
        count = self.value(f"and i64 %nargsf, {_OFFSET_FLAG_MASK}")
        self.require_equal("i64", count, str(len(self.plan.arguments)))
        self.require_equal("ptr", "%kwnames", "null")

    def check_type(self, thing: str, *names: str) -> None:
        kind = self.load("ptr", thing, self.abi.object_type)
        tests = [self.value(f"icmp eq ptr {kind}, {self.thing(f'type.{name}')}") for name in names]
        while len(tests) > 1:
            tests.append(self.value(f"or i1 {tests.pop()}, {tests.pop()}"))
        self.branch(tests[0], "%slow")

    def read(self, thing: str, wanted: Argument) -> list[str]:
        """Check one argument; the pointers to its data."""
        if isinstance(wanted, TypeSpec):
            return [
                self.read_scalar(thing, wanted) if wanted.scalar else self.read_array(thing, wanted)
            ]
        if isinstance(wanted, Same):
            self.require_equal("ptr", thing, self.keep("same", wanted.value))
            return []
        if isinstance(wanted, dict):
            parts, within = self.open_dict(thing, wanted), list(wanted.values())
        elif isinstance(wanted, list):
            parts, within = self.open_list(thing, wanted), wanted
        else:
            parts, within = self.open_tuple(thing, wanted), list(wanted)
        pairs = zip(parts, within, strict=True)
        return [pointer for part, inner in pairs for pointer in self.read(part, inner)]

    def read_scalar(self, thing: str, spec: TypeSpec) -> str:
        names = [spec.python_type.__name__] if spec.python_type else []
        names += [spec.dtype.name] if spec.numpy_type else []
        self.check_type(thing, *names)
        return self.at(thing, self.abi.scalar_value(spec.dtype))

    def read_array(self, thing: str, spec: TypeSpec) -> str:
        self.check_type(thing, "ndarray")
        descr = self.load("ptr", thing, self.abi.array_descr)
        self.require_equal("ptr", descr, self.thing(f"descr.{spec.dtype.name}"))
        mask = C_CONTIGUOUS_AND_ALIGNED
        flags = self.value(f"and i32 {self.load('i32', thing, self.abi.array_flags)}, {mask}")
        self.require_equal("i32", flags, str(mask))
        rank = self.load("i32", thing, self.abi.array_ndim)
        self.require_equal("i32", rank, str(len(spec.shape)))
        if spec.shape:
            shape = self.load("ptr", thing, self.abi.array_shape)
            for axis, size in enumerate(spec.shape):
                self.require_equal("i64", self.load("i64", shape, 8 * axis), str(size))
        return self.load("ptr", thing, self.abi.array_data)

    def open_tuple(self, thing: str, wanted: tuple[Argument, ...]) -> list[str]:
        self.check_type(thing, "tuple")
        self.require_equal("i64", self.load("i64", thing, self.abi.tuple_size), str(len(wanted)))
        start = self.abi.tuple_items
        return [self.load("ptr", thing, start + 8 * k) for k in range(len(wanted))]

    def open_list(self, thing: str, wanted: list[Argument]) -> list[str]:
        self.check_type(thing, "list")
        self.require_equal("i64", self.load("i64", thing, self.abi.tuple_size), str(len(wanted)))
        items = self.load("ptr", thing, self.abi.list_items)
        # All are read and held before anything else happens: other code may change the list.
        return [self.hold(self.load("ptr", items, 8 * k)) for k in range(len(wanted))]

    def open_dict(self, thing: str, wanted: dict[str, Argument]) -> list[str]:
        self.check_type(thing, "dict")
        size = self.call("PyDict_Size", f"ptr {thing}")
        self.require_equal("i64", size, str(len(wanted)))
        found = []
        for key in wanted:
            name = self.keep("key", key)
            item = self.call("PyDict_GetItemWithError", f"ptr {thing}", f"ptr {name}")
            self.require_pointer(item, "%failed_lookup")
            found.append(self.hold(item))
        return found

    def hold(self, thing: str) -> str:
        self.call("Py_IncRef", f"ptr {thing}")
        slot = self.slot("ptr", "ptr null")
        self.emit(f"store ptr {thing}, ptr {slot}")
        self.held.append(slot)
        return thing

    # -- the call --------------------------------------------------------------------------

    def make_outputs(self) -> list[str]:
        """Allocate result arrays; slots of their objects, and room for results that are numbers."""
        table = self.slot(f"[{max(1, len(self.plan.outputs))} x ptr]")
        slots, data = [], []
        for number, spec in enumerate(self.plan.outputs):
            slots.append(self.slot("ptr", "ptr null"))
            if spec.scalar:
                data.append(self.slot("i128"))
            else:
                made = self.new_array(number, spec)
                self.emit(f"store ptr {made}, ptr {slots[number]}")
                self.require_pointer(made)
                data.append(self.load("ptr", made, self.abi.array_data))
            self.emit(f"store ptr {data[number]}, ptr {self.at(table, 8 * number)}")
        self.table, self.data = table, data
        return slots

    def new_array(self, number: int, spec: TypeSpec) -> str:
        shape = "null"
        if spec.shape:
            shape = f'@"{self.plan.name}.shape.{number}"'
            sizes = ", ".join(f"i64 {size}" for size in spec.shape)
            kind = f"[{len(spec.shape)} x i64]"
            self.constants.append(f"{shape} = private unnamed_addr constant {kind} [{sizes}]")
        descr = self.thing(f"descr.{spec.dtype.name}")
        self.call("Py_IncRef", f"ptr {descr}")  # the next call takes this reference
        return self.call(
            "PyArray_NewFromDescr",
            f"ptr {self.thing('type.ndarray')}",
            f"ptr {descr}",
            f"i32 {len(spec.shape)}",
            f"ptr {shape}",
            *("ptr null", "ptr null", "i32 0", "ptr null"),
        )

    def run_kernel(self, pointers: list[str]) -> None:
        table = self.slot(f"[{max(1, len(pointers))} x ptr]")
        for number, pointer in enumerate(pointers):
            self.emit(f"store ptr {pointer}, ptr {self.at(table, 8 * number)}")
        block, arena = self.take_arena()
        state = self.call("PyEval_SaveThread") if self.plan.release_gil else ""
        operands = f"ptr {table}, ptr {self.table}, ptr {arena}"
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

    # -- results ---------------------------------------------------------------------------

    def box_scalars(self, slots: list[str]) -> None:
        for spec, slot, data in zip(self.plan.outputs, slots, self.data, strict=True):
            if not spec.scalar:
                continue
            if spec.dtype.name == "bool":
                self.emit(f"store ptr {self.boxed_bool(data)}, ptr {slot}")
                continue
            # Scalars come from their own type's allocator, the one its deallocator expects.
            allocator = f"alloc.{spec.dtype.name}"
            self.used[allocator] = "allocator"
            kind = self.thing(f"type.{spec.dtype.name}")
            boxed = self.value(f"call ptr {symbol(allocator)}(ptr {kind}, i64 0)")
            self.emit(f"store ptr {boxed}, ptr {slot}")
            self.require_pointer(boxed)
            self.copy(data, self.at(boxed, self.abi.scalar_value(spec.dtype)), spec.dtype.itemsize)

    def boxed_bool(self, data: str) -> str:
        is_true = self.value(f"icmp ne i8 {self.load('i8', data, 0)}, 0")
        operands = f"ptr {self.thing('true')}, ptr {self.thing('false')}"
        boxed = self.value(f"select i1 {is_true}, {operands}")
        self.call("Py_IncRef", f"ptr {boxed}")
        return boxed

    def copy(self, source: str, target: str, size: int) -> None:
        for offset in range(0, size, 8):
            kind = f"i{8 * min(8, size - offset)}"
            value = self.load(kind, source, offset)
            self.emit(f"store {kind} {value}, ptr {self.at(target, offset)}, align 1")

    def make_tuples(self, structure: Structure, slots: list[str]) -> str:
        """Allocate all tuples before filling any, so that a failure has nothing to take apart."""
        if isinstance(structure, int):
            return slots[structure]
        slot = self.slot("ptr", "ptr null")
        new = self.call("PyTuple_New", f"i64 {len(structure)}")
        self.emit(f"store ptr {new}, ptr {slot}")
        self.require_pointer(new)
        self.tuples.append(slot)
        parts = [self.make_tuples(part, slots) for part in structure]
        self.fills.append((slot, parts))
        return slot

    def fill_tuples(self) -> None:
        for slot, parts in self.fills:
            new = self.value(f"load ptr, ptr {slot}")
            for place, part in enumerate(parts):
                item = self.value(f"load ptr, ptr {part}")
                self.emit(f"store ptr {item}, ptr {self.at(new, self.abi.tuple_items + 8 * place)}")

    def release(self, slots: list[str]) -> None:
        for slot in slots:
            self.call("Py_DecRef", f"ptr {self.value(f'load ptr, ptr {slot}')}")

    def write(self) -> str:
        self.check_count()
        pointers: list[str] = []
        for number, wanted in enumerate(self.plan.arguments):
            pointers += self.read(self.load("ptr", "%args", 8 * number), wanted)
        slots = self.make_outputs()
        self.run_kernel(pointers)
        self.box_scalars(slots)
        outermost = self.make_tuples(self.plan.structure, slots)
        self.fill_tuples()
        self.release(self.held)
        self.emit(f"ret ptr {self.value(f'load ptr, ptr {outermost}')}")
        self.write_exits(slots)
        return self.text()

    def write_exits(self, slots: list[str]) -> None:
        self.label("no_memory")
        self.call("PyErr_NoMemory", cold=True)
        self.emit("br label %fail")
        self.label("fail")
        self.release([*self.tuples, *slots, *self.held])
        self.emit("ret ptr null")
        self.label("fault")
        self.release(slots)
        self.emit("br label %slow")
        self.label("failed_lookup")
        self.call("PyErr_Clear", cold=True)
        self.emit("br label %slow")
        self.label("slow")
        self.release(self.held)
        operands = (f"ptr {self.thing('fallback')}", "ptr %args", "i64 %nargsf", "ptr %kwnames")
        self.emit(f"ret ptr {self.call('PyObject_Vectorcall', *operands, cold=True)}")

    def text(self) -> str:
        parameters = "ptr %self, ptr %args, i64 %nargsf, ptr %kwnames"
        return "\n".join(
            [
                *(self.declaration(name, kind) for name, kind in self.used.items()),
                *self.constants,
                f'define ptr @"{self.plan.name}"({parameters}) nounwind noinline optnone {{',
                "start:",
                *self.slots,
                "  br label %check",
                "check:",
                *self.body,
                "}",
                "",
            ]
        )

    @staticmethod
    def declaration(name: str, kind: str) -> str:
        if kind == "object":
            return f"{symbol(name)} = external global i8"
        result, parameters = _FUNCTIONS.get(name, "ptr (ptr, i64)").split(" ", 1)
        return f"declare {result} {symbol(name)}{parameters}"
