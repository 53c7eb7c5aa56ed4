"""Calls of compiled functions: what they close over, their branches, arguments and results."""

from __future__ import annotations

import copy
import dataclasses
import gc
import pickle
import threading
import warnings
import weakref
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.compilation.compiled import MAX_PATHS, TooManyPathsWarning
from tests.compilation.test_agreement import assert_same

Pair = namedtuple("Pair", ["first", "second"])


@dataclasses.dataclass
class Layer:
    weight: Any
    bias: Any


def strange_arrays() -> dict[str, np.ndarray[Any, Any]]:
    """Arrays of shape (4,) that are not plain contiguous float64."""
    packed = np.zeros(4 * 8 + 1, np.uint8)[1:].view(np.float64)
    packed[:] = [1.0, -2.0, 3.0, 0.5]
    record = np.zeros(4, [("a", "i1"), ("b", "f8")])
    record["b"] = np.arange(4)
    frozen = np.arange(4.0)
    frozen.flags.writeable = False
    return {
        "strided": np.arange(8.0)[::2],
        "backwards": np.arange(4.0)[::-1],
        "column": np.arange(12.0).reshape(4, 3)[:, 1],
        "misaligned": packed,
        "field of a record": record["b"],
        "other byte order": np.arange(4, dtype=">f8"),
        "read-only": frozen,
        "no stride": np.broadcast_to(np.float64(3.0), (4,)),
        "integers": np.arange(4),
        "other byte order integers": np.arange(4, dtype=">i4"),
        "booleans": np.array([True, False, True, True]),
        "float32": np.arange(4, dtype="f4"),
        "half": np.arange(4, dtype="f2"),
        "unsigned": np.arange(4, dtype="u2"),
        "long double": np.arange(4, dtype=np.longdouble),
        "complex": np.arange(4) * 1j,
    }


@pytest.mark.parametrize("kind", strange_arrays())
def test_strange_arguments(kind: str) -> None:
    def f(x: Any) -> Any:
        return x * 2 + np.exp(x * 0.1), np.sum(x)

    fast = ad.compile(f)
    for _ in range(3):
        x = strange_arrays()[kind]
        assert_same(fast(x), f(x))
    assert_same(fast(np.ones(4)), f(np.ones(4)))


@pytest.mark.parametrize("kind", strange_arrays())
def test_arrays_closed_over_are_read_at_every_call(kind: str) -> None:
    held = strange_arrays()[kind]

    def f(x: float) -> Any:
        return x * held, np.sum(x * held * held)

    fast = ad.compile(f)
    assert_same(fast(1.5), f(1.5))
    assert_same(fast(1.5), f(1.5))
    if held.flags.writeable:
        held[1] = 7 if held.dtype.kind != "b" else True
        held[2] = 0
        assert_same(fast(2.5), f(2.5))


def test_numbers_in_arrays_without_axes_are_read_at_every_call() -> None:
    rate = np.array(0.5)
    fast = ad.compile(lambda x: x * rate)
    assert fast(2.0) == 1.0
    rate[...] = 3.0
    assert fast(2.0) == 6.0


def test_a_buffer_that_the_function_fills_again() -> None:
    buffer = np.zeros(3)

    def f(x: Any) -> Any:
        total = x * 0.0
        for k in range(3):
            buffer[:] = k
            total = total + x * buffer
        return total

    fast = ad.compile(f)
    for _ in range(3):
        assert_same(fast(np.arange(3.0)), np.arange(3.0) * 3)


def test_an_argument_that_is_also_closed_over() -> None:
    held = np.arange(4.0)
    fast = ad.compile(lambda x: (x + held, held * 2))
    assert_same(fast(held), (held * 2, held * 2))
    assert_same(fast(held), (held * 2, held * 2))
    assert_same(fast(held[::-1]), (held[::-1] + held, held * 2))


def test_results_are_the_callers_own() -> None:
    held = np.arange(3.0)
    x = np.ones(3)
    for f in (lambda v: (v, v, held, v.reshape(1, 3), v[1:]),
              lambda v: (v * 1j, v[::-1], (v * 1j).T)):  # fmt: skip
        fast = ad.compile(f)
        for _ in range(3):
            results = fast(x)
            for i, r in enumerate(results):
                assert r.flags.writeable
                assert not np.shares_memory(r, x)
                assert not np.shares_memory(r, held)
                assert not any(np.shares_memory(r, s) for s in results[i + 1 :])
                r[...] = -5.0
        assert_same((x, held), (np.ones(3), np.arange(3.0)))


def test_containers() -> None:
    def f(layers: Any, pair: Any, *, scale: Any = 2.0) -> Any:
        total = sum(np.sum(la.weight * la.bias) for la in layers)
        return Layer(total * scale, pair.first), Pair(pair.second, {"x": [total]}), None

    fast = ad.compile(f)
    layers = [Layer(np.arange(3.0), 2.0), Layer(np.ones(2), np.float32(3))]
    for _ in range(3):
        assert_same(fast(layers, Pair(1.0, np.ones(2))), f(layers, Pair(1.0, np.ones(2))))
        assert_same(
            fast(layers, Pair(1.0, np.ones(2)), scale=3.0),
            f(layers, Pair(1.0, np.ones(2)), scale=3.0),
        )
    grad = ad.compile(ad.grad(lambda layer: np.sum(layer.weight**2) * layer.bias))
    for _ in range(2):
        assert_same(grad(Layer(np.arange(3.0), 2.0)).weight, np.arange(3.0) * 4)


def test_keywords_and_defaults() -> None:
    def f(x: Any, y: Any = 3.0, *, flip: bool = False) -> Any:
        return y - x if flip else x * y

    fast = ad.compile(f)
    for _ in range(2):
        assert fast(2.0) == 6.0
        assert fast(2.0, 4.0) == 8.0
        assert fast(x=2.0, y=4.0) == 8.0
        assert fast(y=4.0, x=2.0, flip=True) == 2.0
        assert fast(2.0, flip=True) == 1.0


def test_types_of_numbers() -> None:
    fast = ad.compile(lambda x, y: x * y)
    for _ in range(2):
        for x in (2, 2.0, np.float32(2), np.float64(2), np.int8(2), True, np.bool_(True), 2j):
            for y in (np.float32(1.5), np.ones(2, "f4"), np.int8(3)):
                assert_same(fast(x, y), x * y)
    assert fast(2**70, 1.0) == 2.0**70


class Mutable:
    def __init__(self, w: Any) -> None:
        self.w = w


def test_an_object_that_may_change_is_evaluated() -> None:
    fast = ad.compile(lambda m, x: m.w * x)
    m = Mutable(np.ones(2))
    assert_same(fast(m, 2.0), np.full(2, 2.0))
    m.w = np.full(2, 5.0)
    assert_same(fast(m, 2.0), np.full(2, 10.0))


# -- branches -------------------------------------------------------------------------------------


def test_guards_choose_between_paths() -> None:
    def f(x: Any) -> Any:
        if np.all(x > 0):
            return np.log(x)
        return x * 2 if x[0] > -1 else -x

    fast = ad.compile(f)
    inputs = [np.array(v) for v in ([1.0, 2.0], [0.5, -1.0], [-3.0, 1.0], [0.0, 0.0])]
    for _ in range(3):
        for x in inputs:
            assert_same(fast(x), f(x))
    assert fast.explain().startswith("3 paths compiled")


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_integer_parts_as_guards(dtype: str) -> None:
    def f(x: Any) -> Any:
        return x * int(x[0])

    fast = ad.compile(f)
    for value in (2.5, 2.75, -2.5, -0.5, 0.5, 1e18, 3.0):
        x = np.array([value, 1.0], dtype)
        assert_same(fast(x), f(x))
    for bad, error in ((np.nan, ValueError), (np.inf, OverflowError), (-np.inf, OverflowError)):
        with pytest.raises(error):
            fast(np.array([bad, 1.0], dtype))
    assert_same(fast(np.array([2.6, 1.0], dtype)), f(np.array([2.6, 1.0], dtype)))


def test_guards_on_masks_indices_and_integers() -> None:
    def f(x: Any, n: int) -> Any:
        return np.sum(x[x > 0]) * n + x[np.argmin(x)] + np.sum(x[: n % 3])

    fast = ad.compile(f)
    rng = np.random.default_rng(0)
    for _ in range(12):
        x, n = rng.choice([-1.0, 2.0], 2) + rng.normal(size=2) * 0.1, int(rng.integers(1, 3))
        assert_same(fast(x, n), f(x, n))


def test_masks_inside_a_derivative_are_guards_too() -> None:
    def f(x: Any) -> Any:
        return np.sum(x[x > 0] ** 3)

    fast = ad.compile(ad.grad(f))
    for x in ([1.0, -2.0, 3.0], [1.5, -1.0, 2.0], [-1.0, 2.0, -3.0]):
        assert_same(fast(np.array(x)), ad.grad(f)(np.array(x)))


def test_too_many_paths_fall_back_to_numpy() -> None:
    fast = ad.compile(lambda x: x * int(x))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for k in range(MAX_PATHS + 5):
            assert fast(k + 0.5) == k * (k + 0.5)
    assert [w.category for w in caught] == [TooManyPathsWarning]
    assert "ways through its branches" in str(caught[0].message)


# -- out, nesting, errors, threads ----------------------------------------------------------------


def test_out() -> None:
    fast = ad.compile(lambda x: (x * 2, np.sum(x)))
    x = np.arange(3.0)
    out = (np.zeros(6)[::2], np.zeros(()))
    for _ in range(2):
        assert fast(x, out=out) is out
        assert_same(out, (x * 2, np.float64(3.0)))
    overlapping = (x, np.zeros(()))
    fast(x, out=overlapping)
    assert_same(x, np.arange(3.0) * 2)
    with pytest.raises(ValueError, match="shape"):
        fast(x, out=(np.zeros(4), np.zeros(())))
    with pytest.raises(TypeError, match="nested"):
        fast(x, out=np.zeros(3))
    with pytest.raises(TypeError, match="cast"):
        fast(x, out=(np.zeros(3, int), np.zeros(())))


def test_compiled_functions_nest() -> None:
    inner = ad.compile(lambda x: np.sin(x) * x)
    assert_same(ad.grad(inner)(1.2), np.sin(1.2) + 1.2 * np.cos(1.2))
    outer = ad.compile(lambda x: inner(x) + ad.grad(inner)(x) + ad.compile(ad.grad(np.cos))(x))
    for _ in range(2):
        assert_same(outer(1.2), np.sin(1.2) * 2.2 + 1.2 * np.cos(1.2) - np.sin(1.2))
    assert_same(ad.vmap(inner)(np.arange(3.0)), np.sin(np.arange(3.0)) * np.arange(3.0))
    assert ad.compile(inner) is inner


def test_an_exception_leaves_nothing_broken() -> None:
    def f(x: Any) -> Any:
        if np.sum(x) > 10:
            raise KeyError("large")
        return x * 2

    fast = ad.compile(f)
    with pytest.raises(KeyError, match="large"):
        fast(np.full(3, 9.0))
    assert_same(fast(np.ones(3)), np.full(3, 2.0))
    with pytest.raises(KeyError, match="large"):
        fast(np.full(3, 9.0))
    assert_same(fast(np.ones(3)), np.full(3, 2.0))
    with pytest.raises(TypeError, match="argument"):
        fast()
    with pytest.raises(ValueError, match="broadcast"):
        ad.compile(lambda x, y: x + y)(np.ones(3), np.ones(4))


def test_an_index_outside_raises_what_numpy_raises() -> None:
    fast = ad.compile(lambda x, i: x[i] * 2)
    x = np.arange(4.0)
    assert_same(fast(x, np.array([0, -4, 3])), x[[0, -4, 3]] * 2)
    assert_same(fast(x, np.array([1, -1, 2])), x[[1, -1, 2]] * 2)
    for bad in ([0, 4, 1], [0, -5, 1]):
        with pytest.raises(IndexError, match="out of bounds"):
            fast(x, np.array(bad))


def test_repeated_writes_keep_the_last_value() -> None:
    def f(x: Any, v: Any, i: Any) -> Any:
        y = x * 1.0
        y[i] = v
        return y

    fast = ad.compile(f)
    rng = np.random.default_rng(1)
    for _ in range(5):
        args = np.zeros(7), rng.normal(size=40), rng.integers(-7, 7, 40)
        assert_same(fast(*args), f(*copy.deepcopy(args)))


def test_many_threads() -> None:
    fast = ad.compile(ad.value_and_grad(lambda x: np.sum(np.sin(x) ** 2) if x[0] > 0 else x[1]))
    plain = ad.value_and_grad(lambda x: np.sum(np.sin(x) ** 2) if x[0] > 0 else x[1])
    wrong: list[Any] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(40):
            x = rng.normal(size=int(rng.integers(2, 6)))
            try:
                assert_same(fast(x), plain(x))
            except BaseException as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[0]


def test_decorator_pickle_and_text() -> None:
    @ad.compile
    def cube(x: Any) -> Any:
        """The third power."""
        return x**3

    assert cube(2.0) == 8.0
    assert cube.__name__ == "cube"
    assert cube.__doc__ == "The third power."
    assert "define" in cube.llvm_ir()
    assert cube.assembly()
    assert "1 path" in cube.explain()
    mixed = ad.compile(lambda x: np.sort(np.sin(x)) + 1)
    mixed(np.ones(3))
    assert mixed.llvm_ir().count("ModuleID") == 2
    assert "by NumPy between native segments: argsort" in mixed.explain()
    assert pickle.loads(pickle.dumps(ad.compile(np.sin)))(0.0) == 0.0


def test_what_was_computed_while_tracing_is_not_kept() -> None:
    made: list[Any] = []

    def f(x: Any) -> Any:
        y = np.exp(x)
        made.append(weakref.ref(y.node))
        return np.sum(y * x)

    fast = ad.compile(ad.value_and_grad(f))
    x = np.ones(5)
    fast(x)
    made.append(weakref.ref(x))
    del x
    gc.collect()
    assert len(made) > 1
    assert all(node() is None for node in made)
    assert "1 path" in fast.explain()
    assert "define" in fast.llvm_ir()


def test_collection_is_as_before_after_compiling() -> None:
    before = gc.get_threshold()
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append(gc.get_threshold())
        if x < 0:
            raise ValueError("negative")
        return x * 2

    fast = ad.compile(f)
    assert fast(2.0) == 4.0
    with pytest.raises(ValueError, match="negative"):
        fast(-2.0)
    assert gc.get_threshold() == before
    assert seen[0][0] > before[0]
    assert gc.isenabled()


def test_an_object_without_a_name_has_one() -> None:
    import functools

    fast = ad.compile(functools.partial(np.power, 2.0))
    assert repr(fast) == "<compiled partial, 0 paths>"
    assert fast(3.0) == 8.0
