"""``out=`` of compiled functions: the same arrays come back, right whatever they overlap."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.codegen.entry import OutArgument
from adjoint.compilation import compiled
from adjoint.graph.containers import flatten
from tests.compilation.functions import PLAIN
from tests.compilation.test_agreement import assert_same


def empty_like(result: Any) -> Any:
    """Arrays for a result, in its containers."""
    if type(result) is dict:
        return {key: empty_like(part) for key, part in result.items()}
    if type(result) in (tuple, list):
        return type(result)(map(empty_like, result))
    array = np.asarray(result)
    return np.full(array.shape, 77).astype(array.dtype)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:Casting complex")
@pytest.mark.parametrize("name", PLAIN)
def test_every_program(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    f, given = PLAIN[name]
    args = tuple(a.copy() if isinstance(a, np.ndarray) else a for a in given)  # all contiguous
    fast = ad.compile(f)
    with np.errstate(all="ignore"):
        fast(*args)
        expected = fast(*args)
        out = empty_like(expected)
        if any(path.direct is not None for path in fast._all_paths()):
            monkeypatch.setattr(compiled, "write_results", None)  # it is native code that writes
        for _ in range(2):
            assert fast(*args, out=out) is out
            for got, wanted in zip(flatten(out)[0], flatten(expected)[0], strict=True):
                assert_same(got[()], np.asarray(wanted)[()])
    assert_same(fast(*args), expected)


def test_out_on_the_first_call() -> None:
    fast = ad.compile(lambda x: x * 2)
    out = np.zeros(3)
    assert fast(np.ones(3), out=out) is out
    assert_same(out, np.full(3, 2.0))


def test_what_the_kernel_does_with_it() -> None:
    def way(f: Any, *args: Any) -> OutArgument:
        fast = ad.compile(f)
        fast(*args)
        return fast._all_paths()[0]._out()

    x = np.ones(3)
    assert way(lambda v: np.sin(v) * v, x) == "written"
    assert way(lambda v: (v @ v, np.sum(v[::-1])), x) == "written"
    assert way(lambda v: v if v[0] > 0 else -v, x) == "copied"  # a guard
    assert way(lambda v, i: v[i], x, np.array([0, 2])) == "copied"  # a checked index
    assert way(lambda v, out: v * out, x, x) == "refused"


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:Casting complex")
@pytest.mark.parametrize("name", PLAIN)
def test_what_writes_in_place_cannot_fail(name: str) -> None:
    """LLVM finds that the kernel returns 0 always; it knows nothing of how we came to think so."""
    f, args = PLAIN[name]
    fast = ad.compile(f)
    with np.errstate(all="ignore"):
        fast(*args)
    for path in fast._all_paths():
        if path.kernel is not None and not path.kernel.can_fail:
            text = path.modules[0].llvm_ir
            body = text[text.index("@kernel(") :].partition("\n}")[0]
            assert set(re.findall(r"ret i32 (\S+)", body)) == {"0"}


def test_threads_write_in_place_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjoint.codegen.kernel.available", lambda: 2)
    fast = ad.compile(lambda v: np.sin(v) * v, parallel=True)
    x, out = np.linspace(0, 1, 100_000), np.zeros(100_000)
    fast(x)
    (path,) = fast._all_paths()
    assert path._out() == "written"
    assert fast(x, out=out) is out
    assert_same(out, fast(x))
    assert fast(x, out=x) is x
    assert_same(x, out)


@pytest.mark.parametrize("shift", [-3, -1, 0, 1, 3, 8])
def test_overlap(shift: int) -> None:
    memory = np.zeros(40)
    held = memory[20:28]
    fast = ad.compile(lambda x: (x[::-1] + held, np.sum(x) + x * held[::-1]))
    memory[:] = np.arange(40.0)
    fast(memory[10:18])
    for start in (10 + shift, 20 + shift):
        memory[:] = np.arange(40.0)
        x = memory[10:18]
        expected = x[::-1] + held, np.sum(x) + x * held[::-1]
        a, b = memory[start : start + 8], np.zeros(8)
        fast(x, out=(a, b))
        assert_same((a, b), expected)
        memory[:] = np.arange(40.0)
        both = memory[start : start + 8]
        fast(x, out=(both, both))
        assert_same(both, expected[1])  # written last


def test_a_guard_that_fails_leaves_all_to_the_other_path() -> None:
    def f(x: Any) -> Any:
        y = x * 2
        if y[-1] < 0:
            raise KeyError("negative")
        return (y, y + 1) if y[0] > 0 else (y - 1, y - 2)

    fast = ad.compile(f)
    points = [np.array(v) for v in ([1.0, 2.0], [-1.0, 3.0])]
    for x in points:
        fast(x)
    for x in points * 2:
        out = (np.zeros(2), np.zeros(2))
        assert fast(x, out=out) is out
        assert_same(out, f(x))
        assert fast(x, out=(x, out[1]))[0] is x
        with pytest.raises(KeyError, match="negative"):
            fast(np.array([1.0, -1.0]), out=out)
        assert_same(out[1], f(out[0] / 2 if x is points[0] else (out[0] + 1) / 2)[1])


def test_an_index_outside_changes_nothing() -> None:
    fast = ad.compile(lambda x, i: (x * 2, x[i] * 3))
    x, out = np.arange(4.0), (np.full(4, 9.0), np.full(2, 9.0))
    fast(x, np.array([0, 1]))
    with pytest.raises(IndexError, match="out of bounds"):
        fast(x, np.array([0, 4]), out=out)
    assert all((part == 9.0).all() for part in out)
    fast(x, np.array([3, -4]), out=out)
    assert_same(out, (x * 2, np.array([9.0, 0.0])))


def frozen() -> Any:
    array = np.full(3, 9.0)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("second", "error", "message"),
    [
        (np.full(4, 9.0), ValueError, r"out needs an array of shape \(3,\); got \(4,\)"),
        ([9.0, 9.0, 9.0], TypeError, "out is nested as"),
        (9.0, ValueError, r"out needs an array of shape \(3,\); got float"),
        (np.full(3, 9), TypeError, "cast from float64; got int64"),
        (frozen(), ValueError, r"written to; got a read-only one of shape \(3,\)"),
    ],
)
def test_what_does_not_fit_changes_nothing(second: Any, error: Any, message: str) -> None:
    fast = ad.compile(lambda x: (x * 2, x * 3))
    for _ in range(2):
        first = np.full(3, 9.0)
        with pytest.raises(error, match=message):
            fast(np.ones(3), out=(first, second))
        assert (first == 9.0).all()


class Lying(np.ndarray[Any, Any]):
    """An array that says it fits."""

    @property
    def shape(self) -> Any:  # type: ignore[override]
        return (3,)

    @property
    def dtype(self) -> Any:  # type: ignore[override]
        return np.dtype(float)


def test_other_arrays_are_written_as_numpy_would() -> None:
    fast = ad.compile(lambda x: x * 2)
    x = np.arange(3.0)
    fast(x)
    for out in (
        np.zeros(3, ">f8"), np.zeros(3, "f4"), np.zeros(6)[::2], np.zeros(3)[::-1],
        np.zeros(3, "c16"), np.zeros(25, np.uint8)[1:].view(float),
        np.zeros(3, object), np.ma.zeros(3),
    ):  # fmt: skip
        assert fast(x, out=out) is out
        np.testing.assert_array_equal(
            np.asarray(out, float if out.dtype != "c16" else complex), x * 2
        )
    assert fast(x, out=None) is not None
    with pytest.raises(ValueError, match=r"shape \(3,\); got \(4,\)"):
        fast(x, out=np.zeros(4).view(Lying))


def test_results_that_are_views_of_what_is_overwritten() -> None:
    class Plain:
        """Not compiled: its contents may change."""

    fast = ad.compile(lambda x, p: (x[::-1], x[1:], x))
    x = np.arange(4.0)
    expected = (x[::-1].copy(), x[1:].copy(), x.copy())
    out = (x, np.zeros(3), np.zeros(4))
    fast(x, Plain(), out=out)
    assert_same(out, expected)


def test_a_parameter_of_this_name_stays_the_functions() -> None:
    def f(x: Any, out: Any = 3.0) -> Any:
        return np.sum(x * out)

    def by_keyword(x: Any, *, out: Any) -> Any:
        return np.sum(x * out)

    class Method:
        def __call__(self, x: Any, out: Any) -> Any:
            return np.sum(x * out)

    x, y = np.ones(2), np.array([2.0, 5.0])
    functions: list[Any] = [f, by_keyword, Method(), functools.partial(f), ad.vmap(f, in_axes=0)]
    for g in functions:
        fast = ad.compile(g)
        for _ in range(3):
            assert_same(fast(x, out=y), g(x, out=y)) if g is not functions[-1] else None
        assert y.tolist() == [2.0, 5.0]
    gradient = ad.compile(ad.grad(f))
    for _ in range(2):
        assert_same(gradient(x, out=y), y)
        assert_same(gradient(x), np.full(2, 3.0))
    sine = ad.compile(np.sin)
    assert sine(x, out=y) is y
    assert_same(y, np.sin(x))


def test_captured_arrays_that_change_in_place() -> None:
    held = np.arange(4.0)
    fast = ad.compile(lambda x: x * held)
    for _ in range(3):
        assert_same(fast(2.0), 2.0 * held)
    held.shape = (2, 2)
    for _ in range(3):
        assert_same(fast(2.0), 2.0 * held)
    held.resize((100_000,), refcheck=False)
    held[:] = 1.0
    for _ in range(3):
        assert_same(fast(2.0), np.full(100_000, 2.0))
    held.resize((3,), refcheck=False)
    for _ in range(3):
        assert_same(fast(2.0), np.full(3, 2.0))
    swapped = np.arange(4.0).astype(">f8")
    fast = ad.compile(lambda x: x * swapped)
    for shape in ((4,), (2, 2), (4, 1)):
        swapped.shape = shape
        for _ in range(2):
            assert_same(fast(2.0), 2.0 * np.arange(4.0).reshape(shape))


def test_a_matrix_that_turns_out_singular_changes_nothing() -> None:
    fast = ad.compile(lambda a, b: (b * 2.0, np.linalg.solve(a, b)))
    good, b = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
    fast(good, b)
    (path,) = fast._all_paths()
    assert path.kernel is None or path._out() == "copied"
    out = (np.full(2, 9.0), np.full(2, 9.0))
    with pytest.raises(np.linalg.LinAlgError):
        fast(np.ones((2, 2)), b, out=out)
    assert all((part == 9.0).all() for part in out)
    assert fast(good, b, out=(b, out[1]))[0] is b
    assert_same(out[1], np.linalg.solve(good, np.array([1.0, 2.0])))
