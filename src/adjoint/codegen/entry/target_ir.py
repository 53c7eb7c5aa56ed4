"""The part of the entry that serves ``out=``: results in arrays that the caller gave.

A kernel takes it for granted that its operands do not overlap, and one that can fail may do so when
half of its results are written.  So it writes in place only if it cannot fail and every target is
apart from all inputs, captured arrays and other targets; else the results go to fresh arrays and
are copied when all of them are there.  Either way a call that ends in an exception has changed
nothing.
"""

from __future__ import annotations

from adjoint.codegen.entry.argument_ir import ArgumentReader
from adjoint.codegen.entry.ir_writer import IrWriter
from adjoint.codegen.entry.spec import (
    Argument,
    Range,
    Structure,
    TypeSpec,
    numbers,
    target_arguments,
)
from adjoint.codegen.numpy_abi import C_CONTIGUOUS_AND_ALIGNED, WRITEABLE, NativeAbi


class TargetReader:
    """Checks the targets of one entry and chooses where its kernel writes."""

    def __init__(
        self,
        writer: IrWriter,
        abi: NativeAbi,
        name: str,
        structure: Structure,
        outputs: tuple[TypeSpec, ...],
    ) -> None:
        self.writer = writer
        self.abi = abi
        self.name = name
        self.wanted: Argument = target_arguments(structure, outputs)
        self.order = list(numbers(structure))
        self.sizes = [(0, spec.byte_count) for spec in outputs]
        self.reader = ArgumentReader(writer, abi, C_CONTIGUOUS_AND_ALIGNED | WRITEABLE)
        self.leaves: list[tuple[str, TypeSpec]] = []
        self.out = writer.slot("ptr", "ptr null")
        self.table = writer.slot(f"[{max(1, len(outputs))} x ptr]")

    def open(self, place: int) -> None:
        """Take the keyword argument, if there is one, and its containers apart."""
        writer = self.writer
        named, unnamed = writer.new("named"), writer.new("unnamed")
        absent = writer.value("icmp eq ptr %kwnames, null")
        writer.emit(f"br i1 {absent}, label {unnamed}, label {named}")
        writer.label(named)
        count = writer.load("i64", "%kwnames", self.abi.tuple_size)
        writer.require_equal("i64", count, "1")
        # Names in calls are interned: another string of the same letters is the fallback's.
        key = writer.load("ptr", "%kwnames", self.abi.tuple_items)
        writer.require_equal("ptr", key, writer.keep("name", "out"))
        out = writer.load("ptr", "%args", 8 * place)
        writer.emit(f"store ptr {out}, ptr {self.out}")
        for thing, spec in self.reader.open(out, self.wanted):
            slot = writer.slot("ptr")
            writer.emit(f"store ptr {thing}, ptr {slot}")
            self.leaves.append((slot, spec))
        writer.emit(f"br label {unnamed}")
        writer.label(unnamed)

    def choose(self, results: str, others: list[tuple[str, list[Range]]] | None) -> str:
        """Read the targets; where they are apart from `others`, a table of places and byte ranges
        each, put them into the table `results`.  Falls through where fresh arrays are needed; the
        label to go on at when they are made."""
        writer = self.writer
        given, fresh, run = writer.new("given"), writer.new("fresh"), writer.new("run")
        writer.emit(f"br i1 {self.is_absent()}, label {fresh}, label {given}")
        writer.label(given)
        places = [
            self.reader.read(writer.value(f"load ptr, ptr {slot}"), spec)
            for slot, spec in self.leaves
        ]
        for number, pointer in zip(self.order, places, strict=True):
            writer.emit(f"store ptr {pointer}, ptr {writer.at(self.table, 8 * number)}")
        if others is not None:
            for table, ranges in [(self.table, self.sizes), *others]:
                self.require_apart(table, ranges, fresh)
            for number, pointer in zip(self.order, places, strict=True):
                writer.emit(f"store ptr {pointer}, ptr {writer.at(results, 8 * number)}")
            writer.emit(f"br label {run}")
        else:
            writer.emit(f"br label {fresh}")
        writer.label(fresh)
        return run

    def is_absent(self) -> str:
        out = self.writer.value(f"load ptr, ptr {self.out}")
        return self.writer.value(f"icmp eq ptr {out}, null")

    def require_apart(self, table: str, ranges: list[Range], otherwise: str) -> None:
        if not ranges or not self.sizes:
            return
        writer = self.writer
        operands = [
            f"ptr {self.table}",
            f"ptr {self.ranges(self.sizes)}",
            f"i64 {len(self.sizes)}",
            f"ptr {table}",
            f"ptr {self.ranges(ranges)}",
            f"i64 {len(ranges)}",
        ]
        writer.branch(writer.call("disjoint", *operands), otherwise)

    def ranges(self, ranges: list[Range]) -> str:
        """A constant table of byte ranges."""
        numbers = ", ".join(f"i64 {edge}" for pair in ranges for edge in pair)
        kind = f"[{2 * len(ranges)} x i64]"
        line = f"private unnamed_addr constant {kind} [{numbers}]"
        for known in self.writer.constants:
            if known.endswith(line):
                return known.split(" = ", 1)[0]
        name = f'@"{self.name}.ranges.{len(self.writer.constants)}"'
        self.writer.constants.append(f"{name} = {line}")
        return name

    def finish(self, results: str, owned: list[str], held: list[str]) -> None:
        """After the kernel: fill targets that it did not write itself, and return what was given;
        falls through where nothing was."""
        writer = self.writer
        fill, absent = writer.new("fill"), writer.new("absent")
        writer.emit(f"br i1 {self.is_absent()}, label {absent}, label {fill}")
        writer.label(fill)
        if self.sizes:
            sizes = f"ptr {self.ranges(self.sizes)}", f"i64 {len(self.sizes)}"
            writer.call("copy_results", f"ptr {results}", f"ptr {self.table}", *sizes)
        writer.release([*owned, *held])
        out = writer.value(f"load ptr, ptr {self.out}")
        writer.call("Py_IncRef", f"ptr {out}")
        writer.emit(f"ret ptr {out}")
        writer.label(absent)
