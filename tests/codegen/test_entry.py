"""The entry: right results, and the fallback for every call that is not exactly as compiled."""

from __future__ import annotations

import ctypes
import gc
import inspect
import sys
from typing import Any

import numpy as np
import pytest

from adjoint.codegen import numpy_abi
from adjoint.codegen.entry import Argument, Same, Structure, TypeSpec, build_entry
from adjoint.codegen.entry import build as build_module
from adjoint.errors import ArgumentValueError, InternalError
from tests.codegen.entry_kernels import (
    F64,
    NUMBER,
    VECTOR,
    Number,
    Subarray,
    copier,
    misaligned,
    refused,
    scaled,
)
from tests.codegen.liars import Liar

MODES = pytest.mark.parametrize("portable", [False, True], ids=["native", "portable"])

# -- results --------------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize("arena_bytes", [8, 4096, 16 * 1024, 16 * 1024 + 1, 1 << 20])
@pytest.mark.parametrize("release_gil", [False, True])
def test_results_have_numpys_types_and_values(
    portable: bool, arena_bytes: int, release_gil: bool
) -> None:
    entry = scaled(portable=portable, arena_bytes=arena_bytes, release_gil=release_gil)
    x = np.arange(5.0)
    for scale in (2.0, np.float64(2.0)):
        result = entry.call(scale, x)
        assert type(result) is tuple
        assert type(result[0]) is np.ndarray
        assert type(result[1]) is np.float64
        assert result[0].dtype is F64
        assert result[0].flags.owndata
        np.testing.assert_array_equal(result[0], 2 * x)
        assert result[1] == 20.0
    assert entry.native is not portable


def test_the_native_entry_is_a_builtin() -> None:
    entry = scaled(name="gradient", doc="gradient($self, s, x, /)\n--\n\nScale and sum.")
    assert numpy_abi.why_not_native() is None
    assert type(entry.call) is type(len)
    assert entry.call.__name__ == "gradient"
    assert entry.call.__doc__ == "Scale and sum."
    assert str(inspect.signature(entry.call)) == "(s, x, /)"


@MODES
def test_results_are_fresh(portable: bool) -> None:
    entry = scaled(portable=portable)
    x = np.ones(5)
    first, second = entry.call(2.0, x)[0], entry.call(3.0, x)[0]
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(first, x)
    assert first[0] == 2.0


@MODES
@pytest.mark.parametrize("dtype", numpy_abi.SCALAR_DTYPES, ids=str)
def test_every_dtype(portable: bool, dtype: np.dtype[Any]) -> None:
    specs = [TypeSpec((), dtype, scalar=True), TypeSpec((3, 2), dtype), TypeSpec((), dtype)]
    entry = copier([*specs], specs, result="tuple", portable=portable)
    array = np.array([[1, 0], [1, 1], [0, 1]]).astype(dtype)
    for value in (0, 1):
        scalar, zero_d = dtype.type(value), np.array(value, dtype)
        got = entry.call(scalar, array, zero_d)
        assert type(got[0]) is dtype.type
        assert got[0] == scalar
        np.testing.assert_array_equal(got[1], array, strict=True)
        assert type(got[2]) is np.ndarray
        np.testing.assert_array_equal(got[2], zero_d, strict=True)


@MODES
@pytest.mark.parametrize(
    "structure",
    [
        (0, 1, 2),
        (2, (0, 1)),
        ((), (0,), ((1, 2), ())),
        [0, 1, 2],
        [[], [[2], 1], 0],
        {"w": 2, "b": [0, (1,)], "none": {}},
        (0, [{"a": 1}, {"a": 2}]),
    ],
)
def test_result_structures(portable: bool, structure: Structure) -> None:
    entry = copier([NUMBER] * 3, [NUMBER] * 3, result=structure, portable=portable)

    def expected(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: expected(p) for key, p in part.items()}
        return float(part) if isinstance(part, int) else type(part)(expected(p) for p in part)

    result = entry.call(0.0, 1.0, 2.0)
    assert result == expected(structure)
    assert gc.is_tracked(result)
    if isinstance(structure, dict):
        assert list(result) == list(structure)
    if isinstance(result, list):
        result.append(1)  # an ordinary list, that may grow
        assert result[-1] == 1


@MODES
@pytest.mark.parametrize("arena_bytes", [1, 100, 16 * 1024, 16 * 1024 + 1])
def test_the_arena_is_aligned_to_a_cache_line(portable: bool, arena_bytes: int) -> None:
    ir = """
define i32 @kernel(ptr %in, ptr %out, ptr %arena) {
  %address = ptrtoint ptr %arena to i64
  %o = load ptr, ptr %out
  store i64 %address, ptr %o
  ret i32 0
}"""
    spec = TypeSpec((), np.dtype(np.int64), scalar=True)
    options: dict[str, Any] = {"arena_bytes": arena_bytes, "portable": portable}
    entry = build_entry(ir, "kernel", [], [spec], fallback=refused, **options)
    assert all(entry.call() % 64 == 0 for _ in range(10))


@MODES
def test_sizes_zero_and_no_operands(portable: bool) -> None:
    empty = TypeSpec((2, 0), F64)
    entry = copier([empty], [empty], portable=portable)
    assert entry.call(np.zeros((2, 0))).shape == (2, 0)
    assert copier([], [], result="tuple", portable=portable).call() == ()


@MODES
def test_nested_arguments(portable: bool) -> None:
    arguments: list[Argument] = [
        {"w": [(VECTOR, NUMBER), (VECTOR, NUMBER)], "b": VECTOR},
        Same(None),
        (),
    ]
    outputs = [VECTOR, NUMBER, VECTOR, NUMBER, VECTOR]
    entry = copier(arguments, outputs, result="tuple", portable=portable)
    vectors = [np.full(5, float(k)) for k in range(3)]
    layers = [(vectors[0], 10.0), (vectors[1], 11.0)]
    tree = {"b": vectors[2], "w": layers}
    before = [sys.getrefcount(v) for v in [*vectors, tree, layers]]
    got = entry.call(tree, None, ())
    assert [float(np.max(part)) for part in got] == [0.0, 10.0, 1.0, 11.0, 2.0]
    wrong: tuple[Any, ...]
    for wrong in (
        (tree, False, ()),
        (tree, None, []),
        ({"w": layers}, None, ()),
        ({"b": vectors[2], "v": layers}, None, ()),
        ({"b": vectors[2], "w": tuple(layers)}, None, ()),
        ({"b": vectors[2], "w": layers[:1]}, None, ()),
        ({"b": vectors[2], "w": [layers[0], (1.0, vectors[1])]}, None, ()),
    ):
        assert entry.call(*wrong) == ("refused", wrong, {})
    del wrong
    assert [sys.getrefcount(v) for v in [*vectors, tree, layers]] == before


# -- what is not exactly as compiled goes to the fallback -----------------------------------------


X = np.arange(5.0)
INEXACT: list[tuple[Any, ...]] = [
    (),
    (2.0,),
    (2.0, X, X),
    (X, 2.0),
    (2, X),
    (True, X),
    (Number(2.0), X),
    (np.float32(2.0), X),
    (np.array(2.0), X),
    ("2", X),
    (None, None),
    (2.0, X[::-1]),
    (2.0, np.arange(10.0)[::2]),
    (2.0, X.astype(">f8")),
    (2.0, X.astype(np.float32)),
    (2.0, X.view(Subarray)),
    (2.0, np.ma.masked_array(X)),
    (2.0, X.reshape(5, 1)),
    (2.0, np.arange(6.0)),
    (2.0, misaligned()),
    (2.0, list(X)),
    (2.0, memoryview(X.tobytes())),
    (2.0, Liar()),
    (2.0, X.view(np.dtype(F64, metadata={"unit": "m"}))),
]


@MODES
@pytest.mark.parametrize("number", range(len(INEXACT)))
def test_inexact_arguments_reach_the_fallback_unchanged(portable: bool, number: int) -> None:
    got = scaled(portable=portable).call(*INEXACT[number])
    assert got[0] == "refused"
    assert len(got[1]) == len(INEXACT[number])
    assert all(a is b for a, b in zip(got[1], INEXACT[number], strict=True))


@MODES
def test_keywords_reach_the_fallback(portable: bool) -> None:
    entry = scaled(portable=portable)
    out = np.zeros(5)
    got = entry.call(2.0, X, out=out)
    assert got[1][1] is X
    assert got[2]["out"] is out
    assert entry.call(s=2.0)[2] == {"s": 2.0}
    assert type(entry.call(2.0, X)[1]) is np.float64


@MODES
def test_origin_tells_python_numbers_from_numpy_scalars(portable: bool) -> None:
    for origin, taken, refusedly in (("python", 1.0, np.float64(1)), ("numpy", np.float64(1), 1.0)):
        spec = TypeSpec((), F64, scalar=True, origin=origin)  # type: ignore[arg-type]
        call = copier([spec], [NUMBER], portable=portable).call
        assert call(taken) == 1.0
        assert call(refusedly)[0] == "refused"


@MODES
def test_read_only_arrays_are_read(portable: bool) -> None:
    x = np.arange(5.0)
    x.flags.writeable = False
    assert scaled(portable=portable).call(1.0, x)[1] == 10.0


@MODES
@pytest.mark.parametrize("arena_bytes", [8, 1 << 17])
def test_a_fault_goes_to_the_fallback(portable: bool, arena_bytes: int) -> None:
    entry = scaled(portable=portable, arena_bytes=arena_bytes)
    x = np.arange(5.0)
    before = sys.getrefcount(x)
    for _ in range(10):
        assert entry.call(-1.0, x)[0] == "refused"
    assert sys.getrefcount(x) == before


@MODES
def test_an_exception_of_the_fallback_passes_through(portable: bool) -> None:
    def fallback(*_: object) -> object:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        scaled(fallback, portable=portable).call("x")


# -- the raw kernel -------------------------------------------------------------------------------


def test_the_raw_kernel_returns_its_code() -> None:
    raw = scaled(arena_bytes=1 << 17).raw
    outputs = raw.empty_outputs()
    assert raw([np.array(3.0), X], outputs) == 0
    np.testing.assert_array_equal(outputs[0], 3 * X)
    assert outputs[1] == 30.0
    assert raw([np.array(-1.0), X], outputs) == 7


def test_the_raw_kernel_checks_its_operands() -> None:
    raw = scaled().raw
    outputs = raw.empty_outputs()
    with pytest.raises(InternalError, match="needs 2 inputs; it got 1"):
        raw([X], outputs)
    for wrong in (X[::-1], X.astype(">f8"), misaligned(), [1.0] * 5, np.zeros((5, 1))):
        with pytest.raises(InternalError, match="input 1 of the kernel needs a contiguous float64"):
            raw([np.array(3.0), wrong], outputs)  # type: ignore[list-item]
    outputs[0].flags.writeable = False
    with pytest.raises(InternalError, match="output 0"):
        raw([np.array(3.0), X], outputs)


def test_specifications_are_checked() -> None:
    with pytest.raises(InternalError, match="cannot take or return object"):
        TypeSpec((), np.dtype(object))
    with pytest.raises(InternalError, match=r"a scalar has shape \(\); it got \(5,\)"):
        TypeSpec((5,), F64, scalar=True)
    with pytest.raises(InternalError, match="each of its 2 outputs once"):
        copier([NUMBER] * 2, [NUMBER] * 2, result=(0, 0))


# -- object code ----------------------------------------------------------------------------------


def test_object_code_serves_a_second_entry() -> None:
    first = scaled(arena_bytes=1 << 17)
    again = build_entry(
        None,
        "kernel",
        [NUMBER, VECTOR],
        [VECTOR, NUMBER],
        fallback=lambda *_: "another",
        result="tuple",
        arena_bytes=1 << 17,
        object_code=first.module.object_code,
        imports=first.module.imports,
    )
    assert again.call(2.0, X)[1] == 20.0
    assert again.call() == "another"
    assert first.call()[0] == "refused"


def test_object_code_of_another_signature_does_not_link() -> None:
    code = scaled().module.object_code
    for inputs in ([NUMBER, TypeSpec((6,), F64)], [NUMBER, VECTOR, VECTOR]):
        with pytest.raises(ArgumentValueError, match="it got code with other symbols"):
            build_entry(
                None,
                "kernel",
                inputs,
                [VECTOR, NUMBER],
                fallback=refused,
                result="tuple",
                arena_bytes=64,
                object_code=code,
            )


# -- where the layout of objects is not as expected -----------------------------------------------


def test_an_unknown_layout_gives_the_portable_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "why_not_native", lambda: "of a test")
    entry = scaled()
    assert not entry.native
    assert entry.call(2.0, X)[1] == 20.0


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("_HEADER", 24, "ob_type is elsewhere"),
        ("_scalar_value", lambda dtype: 24, "float differs"),
        ("_ARRAY_TYPE", 3, "table of C functions differs"),
        ("_PYTHON_FUNCTIONS", ("Py_NoSuchThing",), "does not export Py_NoSuchThing"),
        ("C_CONTIGUOUS_AND_ALIGNED", 0x0002, "flags mean something else"),
    ],
)
def test_a_wrong_layout_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object, reason: str
) -> None:
    monkeypatch.setattr(numpy_abi, name, value)
    found = numpy_abi._probe.__wrapped__()
    assert isinstance(found, str)
    assert reason in found


def test_shifted_array_fields_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = numpy_abi._ArrayFields._fields_

    class Shifted(ctypes.Structure):
        _fields_ = (fields[0], ("extra", ctypes.c_void_p), *fields[1:])

    monkeypatch.setattr(numpy_abi, "_ArrayFields", Shifted)
    assert numpy_abi._probe.__wrapped__() == "an array's data pointer is elsewhere"


def test_the_reason_is_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_abi, "_probe", lambda: "tuples are elsewhere")
    assert numpy_abi.why_not_native() == "tuples are elsewhere"
    with pytest.raises(InternalError, match="cannot be used here: tuples are elsewhere"):
        numpy_abi.native_abi()
