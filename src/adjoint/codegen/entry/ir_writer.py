"""Writing LLVM IR line by line: values, loads, calls, and the symbols that were used."""

from __future__ import annotations

_FUNCTIONS = {
    "Py_IncRef": "void (ptr)",
    "Py_DecRef": "void (ptr)",
    "PyTuple_New": "ptr (i64)",
    "PyObject_Vectorcall": "ptr (ptr, ptr, i64, ptr)",
    "PyEval_SaveThread": "ptr ()",
    "PyEval_RestoreThread": "void (ptr)",
    "PyMem_RawMalloc": "ptr (i64)",
    "PyMem_RawFree": "void (ptr)",
    "PyList_New": "ptr (i64)",
    "PyDict_New": "ptr ()",
    "PyDict_SetItem": "i32 (ptr, ptr, ptr)",
    "PyErr_NoMemory": "ptr ()",
    "PyErr_Clear": "void ()",
    "PyDict_Size": "i64 (ptr)",
    "PyDict_GetItemWithError": "ptr (ptr, ptr)",
    "PyArray_NewFromDescr": "ptr (ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)",
    "disjoint": "i1 (ptr, ptr, i64, ptr, ptr, i64)",
    "copy_results": "void (ptr, ptr, ptr, i64)",
    "new_recycled": "ptr (ptr, i32, ptr, i64)",
}


def symbol(name: str) -> str:
    """How the IR spells the external symbol `name`."""
    return f'@"adjoint.{name}"'


class IrWriter:
    """The text of one function that is called from Python, while it grows.

    Its blocks `slow` and `fail` are where a mismatch and an exception lead.  Objects that have to
    be released on the way out are in slots on the stack, null as long as they are empty.
    """

    def __init__(self) -> None:
        self.body: list[str] = []
        self.slots: list[str] = []  # allocas: they have to be in the first block
        self.constants: list[str] = []
        self.used: dict[str, str] = {}
        self.objects: dict[str, object] = {}
        self.counter = 0

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

    def release(self, slots: list[str]) -> None:
        for slot in slots:
            self.call("Py_DecRef", f"ptr {self.value(f'load ptr, ptr {slot}')}")

    def declarations(self) -> list[str]:
        """Everything outside that the text refers to."""
        return [_declaration(name, kind) for name, kind in self.used.items()]


def _declaration(name: str, kind: str) -> str:
    if kind == "object":
        return f"{symbol(name)} = external global i8"
    result, parameters = _FUNCTIONS.get(name, "ptr (ptr, i64)").split(" ", 1)
    return f"declare {result} {symbol(name)}{parameters}"
