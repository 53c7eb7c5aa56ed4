"""The part of the entry that allocates results before the kernel runs, and arranges them after.

A slot on the stack owns each object until a container takes it, so that at every point of failure
releasing all slots is right.
"""

from __future__ import annotations

from collections.abc import Sequence

from adjoint.codegen.entry.ir_writer import IrWriter, symbol
from adjoint.codegen.entry.recycling import RECYCLED_FROM
from adjoint.codegen.entry.spec import Structure, TypeSpec
from adjoint.codegen.numpy_abi import NativeAbi


class ResultMaker:
    """Makes the results of one entry."""

    def __init__(
        self,
        writer: IrWriter,
        abi: NativeAbi,
        outputs: Sequence[TypeSpec],
        name: str,
        recycled: bool,
    ) -> None:
        self.writer = writer
        self.abi = abi
        self.outputs = outputs
        self.name = name
        self.recycled = recycled
        self.table = writer.slot(f"[{max(1, len(outputs))} x ptr]")
        self.slots: list[str] = []
        self.data: list[str] = []
        self.containers: list[tuple[str, Structure, list[str]]] = []

    @property
    def owned(self) -> list[str]:
        """Every slot that may own an object."""
        return [*(slot for slot, _, _ in self.containers), *self.slots]

    def allocate(self) -> None:
        """Make the result arrays and room for results that are numbers, and fill the table."""
        writer = self.writer
        for number, spec in enumerate(self.outputs):
            self.slots.append(writer.slot("ptr", "ptr null"))
            if spec.scalar:
                self.data.append(writer.slot("i128"))
            else:
                made = self.new_array(number, spec)
                writer.emit(f"store ptr {made}, ptr {self.slots[number]}")
                writer.require_pointer(made)
                self.data.append(writer.load("ptr", made, self.abi.array_data))
            place = writer.at(self.table, 8 * number)
            writer.emit(f"store ptr {self.data[number]}, ptr {place}")

    def new_array(self, number: int, spec: TypeSpec) -> str:
        writer = self.writer
        shape = "null"
        if spec.shape:
            shape = f'@"{self.name}.shape.{number}"'
            sizes = ", ".join(f"i64 {size}" for size in spec.shape)
            kind = f"[{len(spec.shape)} x i64]"
            writer.constants.append(f"{shape} = private unnamed_addr constant {kind} [{sizes}]")
        descr = writer.thing(f"descr.{spec.dtype.name}")
        writer.call("Py_IncRef", f"ptr {descr}")  # the next call takes this reference
        if self.recycled and spec.byte_count >= RECYCLED_FROM:
            operands = (f"i32 {len(spec.shape)}", f"ptr {shape}", f"i64 {spec.byte_count}")
            return writer.call("new_recycled", f"ptr {descr}", *operands)
        return writer.call(
            "PyArray_NewFromDescr",
            f"ptr {writer.thing('type.ndarray')}",
            f"ptr {descr}",
            f"i32 {len(spec.shape)}",
            f"ptr {shape}",
            *("ptr null", "ptr null", "i32 0", "ptr null"),
        )

    def box_scalars(self) -> None:
        """Make NumPy scalars of the numbers that the kernel has written."""
        writer = self.writer
        for spec, slot, data in zip(self.outputs, self.slots, self.data, strict=True):
            if not spec.scalar:
                continue
            if spec.dtype.name == "bool":
                writer.emit(f"store ptr {self.boxed_bool(data)}, ptr {slot}")
                continue
            # Scalars come from their own type's allocator, the one its deallocator expects.
            allocator = f"alloc.{spec.dtype.name}"
            writer.used[allocator] = "allocator"
            kind = writer.thing(f"type.{spec.dtype.name}")
            boxed = writer.value(f"call ptr {symbol(allocator)}(ptr {kind}, i64 0)")
            writer.emit(f"store ptr {boxed}, ptr {slot}")
            writer.require_pointer(boxed)
            place = writer.at(boxed, self.abi.scalar_value(spec.dtype))
            self.copy(data, place, spec.dtype.itemsize)

    def boxed_bool(self, data: str) -> str:
        writer = self.writer
        is_true = writer.value(f"icmp ne i8 {writer.load('i8', data, 0)}, 0")
        operands = f"ptr {writer.thing('true')}, ptr {writer.thing('false')}"
        boxed = writer.value(f"select i1 {is_true}, {operands}")
        writer.call("Py_IncRef", f"ptr {boxed}")
        return boxed

    def copy(self, source: str, target: str, size: int) -> None:
        for offset in range(0, size, 8):
            kind = f"i{8 * min(8, size - offset)}"
            value = self.writer.load(kind, source, offset)
            place = self.writer.at(target, offset)
            self.writer.emit(f"store {kind} {value}, ptr {place}, align 1")

    def arrange(self, structure: Structure) -> str:
        """Put the results into their containers; the outermost object, owned by the caller."""
        outermost = self.new_container(structure)
        for slot, kind, parts in reversed(self.containers):
            self.fill(slot, kind, parts)
        return self.writer.value(f"load ptr, ptr {outermost}")

    def new_container(self, structure: Structure) -> str:
        if isinstance(structure, int):
            return self.slots[structure]
        writer = self.writer
        slot = writer.slot("ptr", "ptr null")
        if isinstance(structure, dict):
            new = writer.call("PyDict_New")
        else:
            function = "PyTuple_New" if isinstance(structure, tuple) else "PyList_New"
            new = writer.call(function, f"i64 {len(structure)}")
        writer.emit(f"store ptr {new}, ptr {slot}")
        writer.require_pointer(new)
        parts: list[str] = []
        self.containers.append((slot, structure, parts))
        within = structure.values() if isinstance(structure, dict) else structure
        parts += [self.new_container(part) for part in within]
        return slot

    def fill(self, slot: str, structure: Structure, parts: list[str]) -> None:
        new = self.writer.value(f"load ptr, ptr {slot}")
        if isinstance(structure, dict):
            for key, part in zip(structure, parts, strict=True):
                self.fill_key(new, key, part)
            return
        items = new
        start = self.abi.tuple_items
        if isinstance(structure, list) and parts:
            items, start = self.writer.load("ptr", new, self.abi.list_items), 0
        for place, part in enumerate(parts):
            item = self.take(part)
            where = self.writer.at(items, start + 8 * place)
            self.writer.emit(f"store ptr {item}, ptr {where}")

    def fill_key(self, new: str, key: str, part: str) -> None:
        name = self.writer.keep("key", key)
        item = self.writer.value(f"load ptr, ptr {part}")
        operands = (f"ptr {new}", f"ptr {name}", f"ptr {item}")
        code = self.writer.call("PyDict_SetItem", *operands)
        self.writer.branch(self.writer.value(f"icmp eq i32 {code}, 0"), "%fail")
        self.writer.call("Py_DecRef", f"ptr {self.take(part)}")  # the dict has its own reference

    def take(self, slot: str) -> str:
        """The object of a slot, which gives up owning it."""
        item = self.writer.value(f"load ptr, ptr {slot}")
        self.writer.emit(f"store ptr null, ptr {slot}")
        return item
