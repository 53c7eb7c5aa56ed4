"""adjoint.numpy: NumPy, whose new arrays accept traced values; and aliasing as NumPy has it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
import adjoint.numpy as anp
from adjoint.errors import TracedConversionError
from adjoint.graph.scope import is_tracing
from adjoint.graph.tracer import TracedArray, Tracer

POINT = np.array([2.0, 3.0, 0.5])


def differences(f: Callable[[Any], Any], x: Any) -> Any:
    step = 1e-6 * np.eye(x.size)
    return np.stack([(f(x + e) - f(x - e)) / 2e-6 for e in step], -1)


# -- buffers --------------------------------------------------------------------------------------


def powers(x: Any) -> Any:
    out = anp.empty(4)
    out[0] = 1.0
    for k in range(1, 4):
        out[k] = out[k - 1] * x[0]
    out[1:3] *= x[1]
    every_other = out[::2]
    every_other += x[2]
    return out


def symmetric(x: Any) -> Any:
    square = anp.zeros((3, 3))
    square[0] = x
    square[1:, 1] = x[1:] ** 2
    square += square.T
    return square.ravel()


def banded(x: Any) -> Any:
    matrix = anp.eye(3)
    anp.fill_diagonal(matrix[1:], x[0])
    matrix.T[2] = x
    return (matrix @ x) * anp.ones(3)


def tables(x: Any) -> Any:
    rows = anp.array([[x[0], 1.0], [x[1] * 2, x[0] * x[1]]])
    return anp.concatenate([rows.ravel(), anp.asarray([x[2], 3.0]), anp.full(2, x[1])])


def grids(x: Any) -> Any:
    return anp.concatenate([
        anp.linspace(x[0], x[1], 3), anp.arange(x[0], x[1] * 2 - 0.1, x[2]),
        anp.full((2,), 3.0) * x[0],
    ])  # fmt: skip


def lists(x: Any) -> Any:
    return anp.stack([
        anp.mean([x[0], x[1] * 2]), anp.linalg.norm([x[0], x[1]]), anp.max([[x[0], x[1]], [1, 2]])
    ])  # fmt: skip


def elementwise(x: Any) -> Any:
    choose = anp.vectorize(lambda t, u: t * u if t > 1 else u**2)
    return choose(x, anp.arange(3.0) + x[0])


@pytest.mark.parametrize("f", [powers, symmetric, banded, tables, grids, lists, elementwise])
def test_code_that_fills_buffers(f: Callable[[Any], Any]) -> None:
    expected = f(POINT)
    assert type(expected) is np.ndarray
    np.testing.assert_allclose(ad.vjp(f, POINT)[0], expected, rtol=1e-15)
    for mode in ("forward", "reverse"):
        got = ad.jacobian(f, mode=mode)(POINT)  # type: ignore[arg-type]
        np.testing.assert_allclose(got, differences(f, POINT), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("f", [powers, symmetric, banded, tables])
def test_buffers_in_a_batch(f: Callable[[Any], Any]) -> None:
    batch = np.stack([POINT, POINT * 2, POINT - 1])
    np.testing.assert_allclose(ad.vmap(f)(batch), np.stack([f(x) for x in batch]), rtol=1e-14)


def test_buffers_of_second_derivatives() -> None:
    got = ad.hessian(lambda x: np.sum(powers(x)))(POINT)
    expected = differences(ad.grad(lambda x: np.sum(powers(x))), POINT)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)


# -- when a new array is traced -------------------------------------------------------------------

CREATED: dict[str, Callable[[], Any]] = {
    "zeros": lambda: anp.zeros(3),
    "ones": lambda: anp.ones((2, 2), dtype=np.float32),
    "empty": lambda: anp.empty(2),
    "full": lambda: anp.full((2,), 7),
    "eye": lambda: anp.eye(2, 3, k=1),
    "identity": lambda: anp.identity(2),
    "arange": lambda: anp.arange(4),
    "linspace": lambda: anp.linspace(0, 1, 5),
    "logspace": lambda: anp.logspace(0, 1, 5),
    "geomspace": lambda: anp.geomspace(1, 8, 4),
    "array": lambda: anp.array([[1, 2], [3, 4]], ndmin=3),
    "asarray": lambda: anp.asarray([1.0, 2.0]),
    "zeros_like": lambda: anp.zeros_like(np.ones(2)),
    "full_like": lambda: anp.full_like(np.ones(2), 5),
    "tri": lambda: anp.tri(3),
    "copy": lambda: anp.copy(np.arange(3.0)),
    "indices": lambda: anp.indices((2, 2)),
}


@pytest.mark.parametrize("name", CREATED)
def test_new_arrays_are_traced_only_while_tracing(name: str) -> None:
    create = CREATED[name]
    plain = create()
    assert type(plain) is np.ndarray
    seen: list[Any] = []

    def f(x: Any) -> Any:
        made = create()
        assert isinstance(made, TracedArray)
        seen.append(np.asarray(made))  # a constant may become plain again
        return x

    ad.grad(f)(1.0)
    assert seen[0].dtype == plain.dtype and seen[0].shape == plain.shape
    if name != "empty":
        np.testing.assert_array_equal(seen[0], plain)
    assert type(create()) is np.ndarray


def test_asarray_of_a_plain_array_is_that_array() -> None:
    data = np.ones(2)

    def f(x: Any) -> Any:
        assert anp.asarray(data) is data and anp.asarray(x) is x
        return x

    ad.grad(f)(1.0)


def test_tracing_ends_with_the_transform_whatever_happens() -> None:
    def fails(x: Any) -> Any:
        assert is_tracing()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ad.grad(fails)(1.0)
    with pytest.raises(KeyError, match="mine"):
        ad.vjp(fails, 1.0)
    assert not is_tracing()
    _, pullback = ad.vjp(lambda x: x * anp.ones(2), 1.0)
    _, linear = ad.linearize(lambda x: x * anp.ones(2), 1.0)
    assert not is_tracing()
    assert pullback(np.ones(2))[0] == 2.0 and linear(1.0)[1] == 1.0
    ad.grad(lambda x: ad.grad(lambda y: y * x)(x) * (1.0 if is_tracing() else np.nan))(1.0)


def test_other_threads_are_not_tracing() -> None:
    found: list[type] = []

    def f(x: Any) -> Any:
        thread = threading.Thread(target=lambda: found.append(type(anp.zeros(1))))
        thread.start()
        thread.join()
        return x

    ad.grad(f)(1.0)
    assert found == [np.ndarray]


def test_a_constant_may_become_plain_but_a_variable_may_not() -> None:
    def f(x: Any) -> Any:
        buffer = anp.zeros(2)
        assert float(buffer[0]) == 0.0 and complex(buffer[1]) == 0.0
        assert type(np.asarray(buffer)) is np.ndarray
        buffer[0] = x
        with pytest.raises(TracedConversionError, match=r"traced f64\[2\]"):
            np.asarray(buffer)
        return buffer[0]

    assert ad.grad(f)(1.0) == 1.0


# -- the namespace --------------------------------------------------------------------------------


def test_it_is_numpy_otherwise() -> None:
    assert anp.float64 is np.float64 and anp.sin is np.sin and anp.pi == np.pi
    assert anp.__array_namespace_info__ is np.__array_namespace_info__
    assert set(np.__all__) <= set(dir(anp))
    for name in np.__all__:
        assert hasattr(anp, name), name
    np.testing.assert_array_equal(anp.linalg.inv(np.eye(2)), np.eye(2))
    np.testing.assert_array_equal(anp.fft.fft(np.ones(2)), [2, 0])
    assert anp.random.default_rng is np.random.default_rng


@pytest.mark.parametrize("module", [anp, anp.linalg, anp.fft, anp.random])
def test_unknown_names_are_refused_as_python_does(module: Any) -> None:
    with pytest.raises(AttributeError, match=rf"{module.__name__}' has no attribute 'no_such'"):
        module.no_such  # noqa: B018


def test_traced_values_report_it() -> None:
    def f(x: Any) -> Any:
        xp = x.__array_namespace__()
        assert xp is anp
        return xp.sum(xp.astype(xp.concat([x, x]), xp.float64))

    np.testing.assert_array_equal(ad.grad(f)(POINT), [2, 2, 2])


def test_the_type_checker_resolves_it(tmp_path: Any) -> None:
    source = tmp_path / "buffer.py"
    source.write_text("import adjoint.numpy as np\nx = np.zeros(3)\ny = np.linalg.norm(x)\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(source)]
    pytest.importorskip("mypy")
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert "Cannot find" not in run.stdout and "has no attribute" not in run.stdout, run.stdout


# -- aliasing -------------------------------------------------------------------------------------
# A program is a list of steps on a pool of arrays that are views of each other: on plain arrays and
# on traced ones it has to leave the same numbers everywhere.

Step = tuple[int, list[int], float]


def program(rng: np.random.Generator) -> list[Step]:
    count = int(rng.integers(4, 14))
    return [
        (int(rng.integers(0, 18)), rng.integers(0, 1000, size=3).tolist(), float(rng.normal()))
        for _ in range(count)
    ]


def view_of(a: Any, op: int, k: int) -> Any:
    """A new array of the pool, or None."""
    strides = [slice(None), slice(None, None, 2), slice(None, None, -1), slice(1, None)]
    if op == 0:
        return a[tuple(strides[(k + i) % 4] for i in range(a.ndim))]
    if op == 1 and a.ndim > 1 and a.shape[0]:
        return a[k % a.shape[0]]
    if op == 2:
        return np.transpose(a)
    if op == 3:
        return a.reshape(-1, order="CF"[k % 2])
    if op == 4:
        return np.ravel(a)
    if op == 5:
        return a.copy()
    if op == 6 and a.ndim > 1:
        return np.swapaxes(a, 0, -1)
    if op == 7:
        return np.expand_dims(a, k % (a.ndim + 1)) if a.ndim < 4 else np.squeeze(a)
    return np.broadcast_to(a, (2, *a.shape)) if op == 8 and a.ndim < 3 else None


def write_to(a: Any, op: int, k: int, number: float, s: Any, other: Any) -> None:
    if op == 9:
        a += number
    elif op == 10:
        a *= s
    elif op == 11 and a.size:
        a.flat[k % a.size] = s * number
    elif op == 12 and a.ndim and a.shape[0]:
        a[k % a.shape[0]] = number * s
    elif op == 13 and a.ndim and a.shape[0]:
        a[[0, k % a.shape[0]]] = s + number
    elif op == 14 and a.ndim == 2 and min(a.shape):
        np.fill_diagonal(a, s)
    elif op == 15 and a.size:
        np.put(a, [k % a.size], s + number)
    elif op == 16 and a.shape == other.shape:
        a[...] = other * 1.0
    elif op == 17:
        a[a > 0.5] = s


def run(steps: list[Step], start: Any, s: Any) -> list[Any]:
    pool = [start, start.copy()]
    for op, (which, k, second), number in steps:
        a = pool[which % len(pool)]
        new = view_of(a, op, k)
        if new is not None:
            pool.append(new)
            continue
        try:
            write_to(a, op, k, number, s, pool[second % len(pool)])
        except ValueError:  # NumPy and we refuse to write to a broadcast
            pool.append(anp.ones(1))
    return pool


def start_of(seed: int, rng: np.random.Generator) -> Any:
    x = rng.normal(size=[(6,), (3, 4), (2, 3, 2)][seed % 3])
    return np.asfortranarray(x) if seed % 4 == 0 else x


def flat(pool: list[Any]) -> Any:
    return np.concatenate([np.reshape(p, -1) for p in pool])


@pytest.mark.filterwarnings("ignore:Numpy has detected:FutureWarning")
@pytest.mark.parametrize("block", range(12))
def test_views_and_writes_alias_as_in_numpy(block: int) -> None:
    for seed in range(20 * block, 20 * block + 20):
        rng = np.random.default_rng(seed)
        steps, x = program(rng), start_of(seed, rng)
        expected = run(steps, x.copy(order="K"), 1.5)

        def f(s: Any, steps: list[Step] = steps, x: Any = x) -> Any:
            start = anp.array(x) if isinstance(s, Tracer) else x.copy(order="K")
            return flat(run(steps, start, s))

        value, tangent = ad.jvp(f, (1.5,), (1.0,))
        assert_equal(value, flat(expected), seed)
        slopes = (f(1.5 + 1e-7) - f(1.5 - 1e-7)) / 2e-7
        np.testing.assert_allclose(tangent, slopes, rtol=1e-4, atol=1e-5, err_msg=f"seed {seed}")


def assert_equal(got: Any, expected: Any, seed: int) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-13, err_msg=f"seed {seed}")
