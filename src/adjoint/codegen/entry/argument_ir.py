"""The part of the entry that looks at the arguments.

Nothing is called while they are read, except to find a key of a dict: loads and comparisons only.
What a list or a dict contains is held until the call is over, since other code may change it; a
tuple holds its items itself, and the caller holds the arguments.
"""

from __future__ import annotations

from adjoint.codegen.entry.ir_writer import IrWriter
from adjoint.codegen.entry.spec import Argument, Same, TypeSpec
from adjoint.codegen.numpy_abi import C_CONTIGUOUS_AND_ALIGNED, NativeAbi


class ArgumentReader:
    """Checks arguments against what was compiled, and finds their data."""

    def __init__(self, writer: IrWriter, abi: NativeAbi) -> None:
        self.writer = writer
        self.abi = abi
        self.held: list[str] = []

    def check_type(self, thing: str, *names: str) -> None:
        kind = self.writer.load("ptr", thing, self.abi.object_type)
        tests = [
            self.writer.value(f"icmp eq ptr {kind}, {self.writer.thing(f'type.{name}')}")
            for name in names
        ]
        while len(tests) > 1:
            tests.append(self.writer.value(f"or i1 {tests.pop()}, {tests.pop()}"))
        self.writer.branch(tests[0], "%slow")

    def read(self, thing: str, wanted: Argument) -> list[str]:
        """Check one argument; the pointers to its data."""
        if isinstance(wanted, TypeSpec):
            return [
                self.read_scalar(thing, wanted) if wanted.scalar else self.read_array(thing, wanted)
            ]
        if isinstance(wanted, Same):
            self.writer.require_equal("ptr", thing, self.writer.keep("same", wanted.value))
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
        return self.writer.at(thing, self.abi.scalar_value(spec.dtype))

    def read_array(self, thing: str, spec: TypeSpec) -> str:
        self.check_type(thing, "ndarray")
        descr = self.writer.load("ptr", thing, self.abi.array_descr)
        self.writer.require_equal("ptr", descr, self.writer.thing(f"descr.{spec.dtype.name}"))
        mask = C_CONTIGUOUS_AND_ALIGNED
        flags = self.writer.value(
            f"and i32 {self.writer.load('i32', thing, self.abi.array_flags)}, {mask}"
        )
        self.writer.require_equal("i32", flags, str(mask))
        rank = self.writer.load("i32", thing, self.abi.array_ndim)
        self.writer.require_equal("i32", rank, str(len(spec.shape)))
        if spec.shape:
            shape = self.writer.load("ptr", thing, self.abi.array_shape)
            for axis, size in enumerate(spec.shape):
                self.writer.require_equal(
                    "i64", self.writer.load("i64", shape, 8 * axis), str(size)
                )
        return self.writer.load("ptr", thing, self.abi.array_data)

    def open_tuple(self, thing: str, wanted: tuple[Argument, ...]) -> list[str]:
        self.check_type(thing, "tuple")
        self.writer.require_equal(
            "i64", self.writer.load("i64", thing, self.abi.tuple_size), str(len(wanted))
        )
        start = self.abi.tuple_items
        return [self.writer.load("ptr", thing, start + 8 * k) for k in range(len(wanted))]

    def open_list(self, thing: str, wanted: list[Argument]) -> list[str]:
        self.check_type(thing, "list")
        self.writer.require_equal(
            "i64", self.writer.load("i64", thing, self.abi.tuple_size), str(len(wanted))
        )
        items = self.writer.load("ptr", thing, self.abi.list_items)
        # All are read and held before anything else happens: other code may change the list.
        return [self.hold(self.writer.load("ptr", items, 8 * k)) for k in range(len(wanted))]

    def open_dict(self, thing: str, wanted: dict[str, Argument]) -> list[str]:
        self.check_type(thing, "dict")
        size = self.writer.call("PyDict_Size", f"ptr {thing}")
        self.writer.require_equal("i64", size, str(len(wanted)))
        found = []
        for key in wanted:
            name = self.writer.keep("key", key)
            item = self.writer.call("PyDict_GetItemWithError", f"ptr {thing}", f"ptr {name}")
            self.writer.require_pointer(item, "%failed_lookup")
            found.append(self.hold(item))
        return found

    def hold(self, thing: str) -> str:
        self.writer.call("Py_IncRef", f"ptr {thing}")
        slot = self.writer.slot("ptr", "ptr null")
        self.writer.emit(f"store ptr {thing}, ptr {slot}")
        self.held.append(slot)
        return thing
