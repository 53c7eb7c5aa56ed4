"""The part of the entry that looks at the arguments.

Containers are opened first, numbers and arrays read afterwards: to find a key of a dict may run
code of the keys' own, which may change any array, but after the last container nothing is called
any more, and there are loads and comparisons only.  What a list or a dict contains is held until
the call is over, since other code may change it; a tuple holds its items itself, and the caller
holds the arguments.
"""

from __future__ import annotations

from adjoint.codegen.entry.ir_writer import IrWriter
from adjoint.codegen.entry.spec import Argument, Captured, Same, TypeSpec
from adjoint.codegen.numpy_abi import C_CONTIGUOUS_AND_ALIGNED, NativeAbi

Leaf = tuple[str, TypeSpec]
"""The name of an object in the IR, and what it has to be."""


class ArgumentReader:
    """Checks arguments against what was compiled, and finds their data."""

    def __init__(
        self, writer: IrWriter, abi: NativeAbi, flags: int = C_CONTIGUOUS_AND_ALIGNED
    ) -> None:
        self.writer = writer
        self.abi = abi
        self.flags = flags
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

    def open(self, thing: str, wanted: Argument) -> list[Leaf]:
        """Check the containers of one argument; the objects in them, to be read later."""
        if isinstance(wanted, TypeSpec):
            return [(thing, wanted)]
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
        return [leaf for part, inner in pairs for leaf in self.open(part, inner)]

    def read(self, thing: str, spec: TypeSpec) -> str:
        """Check a number or an array; the pointer to its data."""
        return self.read_scalar(thing, spec) if spec.scalar else self.read_array(thing, spec)

    def read_scalar(self, thing: str, spec: TypeSpec) -> str:
        names = [spec.python_type.__name__] if spec.python_type else []
        names += [spec.dtype.name] if spec.numpy_type else []
        self.check_type(thing, *names)
        return self.writer.at(thing, self.abi.scalar_value(spec.dtype))

    def read_array(self, thing: str, spec: TypeSpec) -> str:
        self.check_type(thing, "ndarray")
        descr = self.writer.load("ptr", thing, self.abi.array_descr)
        self.writer.require_equal("ptr", descr, self.writer.thing(f"descr.{spec.dtype.name}"))
        mask = self.flags
        flags = self.writer.value(
            f"and i32 {self.writer.load('i32', thing, self.abi.array_flags)}, {mask}"
        )
        self.writer.require_equal("i32", flags, str(mask))
        self.require_sizes(thing, self.abi.array_shape, spec.shape)
        return self.writer.load("ptr", thing, self.abi.array_data)

    def require_sizes(self, thing: str, where: int, wanted: tuple[int, ...]) -> None:
        """Check the number of axes, and the shape or the strides."""
        rank = self.writer.load("i32", thing, self.abi.array_ndim)
        self.writer.require_equal("i32", rank, str(len(wanted)))
        if wanted:
            numbers = self.writer.load("ptr", thing, where)
            for axis, size in enumerate(wanted):
                number = self.writer.load("i64", numbers, 8 * axis)
                self.writer.require_equal("i64", number, str(size))

    def recognise(self, captured: Captured, address: str) -> None:
        """Check that an array that the kernel reads is still where and how it was."""
        thing = self.writer.keep("captured", captured.array)
        data = self.writer.load("ptr", thing, self.abi.array_data)
        self.writer.require_equal("ptr", data, address)
        descr = self.writer.load("ptr", thing, self.abi.array_descr)
        self.writer.require_equal("ptr", descr, self.writer.keep("descr", captured.dtype))
        self.require_sizes(thing, self.abi.array_shape, captured.shape)
        self.require_sizes(thing, self.abi.array_strides, captured.strides)

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
