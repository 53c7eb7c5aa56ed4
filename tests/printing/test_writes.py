"""Functions that write into arrays: what is printed, and the source, which has their values."""

import functools
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

import adjoint as ad

G, J = ad.grad, ad.jacobian
SIZES = {"n": 5, "m": 4}
HAS_JAX = importlib.util.find_spec("jax") is not None


def shifted(x):
    y = np.zeros_like(x)
    y[0] = x[1] ** 2
    y[1:] = np.sin(x[:-1])
    return y


def column(A, v):
    B = A.copy()
    B[:, 0] = v
    B[:, 1:] = A[:, :-1]
    return B


def rows(X, v):
    Y = np.zeros_like(X)
    Y[0] = v
    Y[1:] = X[:-1]
    return Y


def scaled_pair(x):
    y = x.copy()
    y[np.array([0, 2])] *= x[1]
    return y


def held(u):
    v = u.copy()
    v[0] = 0
    v[-1] = 0
    return np.sum((v[1:] - v[:-1]) ** 2)


def second_differences(u):
    v = np.zeros_like(u)
    v[1:-1] = u[2:] - 2 * u[1:-1] + u[:-2]
    return v


def two(X):
    Y = X.copy()
    Y[:, 0] = 1.0
    Y[1] = X[0]
    return Y


def interleaved(a, b):
    y = np.zeros(2 * len(a), like=a)
    y[::2] = a
    y[1::2] = b
    return y


def tripled(x):
    y = x.copy()
    y[::2] *= 3
    return y


def overwritten(x):
    y = np.exp(x)
    y[1] = 5.0
    y[:3] = x[1]
    return y


def last_of_three(x):
    y = x.copy()
    y[np.array([1, 1, 1])] = x[2:]
    return y


def first_is_last(x):
    y = x.copy()
    y[-1] = x[0]
    return y


def masked(x):
    y = np.exp(x)
    y[x > 0.5] = 0
    return y


def square_sum(f):
    @functools.wraps(f)
    def total(*args):
        return np.sum(f(*args) ** 2)

    return total


FIVE, TWENTY = np.linspace(0.1, 1.0, 5), np.linspace(0.1, 1.0, 20)
N, NM = {"x": "n"}, {"X": "n m"}
CASES = [
    (shifted, N, "[x₁², sin(x[:-1])]"),
    (J(shifted), N, "[2x₁I[:, 1]ᵀ; diag(cos(x[:-1]))I[:-1]]"),
    (J(shifted), {"x": FIVE}, "[2x₁ [0, 1, 0, 0, 0]ᵀ; diag(cos(x[:-1]))I[:4]]"),
    (column, {"A": "n m", "v": "n"}, "[v, A[:, :-1]]"),
    (rows, {"X": "n m", "v": "m"}, "[vᵀ; X[:-1]]"),
    (G(square_sum(rows)), {"X": "n m", "v": "m"}, "2I[:, :-1]X[:-1]"),
    (scaled_pair, {"x": FIVE}, "x with x₁x[[0, 2]] at [0, 2]"),
    (square_sum(scaled_pair), {"x": FIVE}, "‖x with x₁x[[0, 2]] at [0, 2]‖²"),
    (G(square_sum(scaled_pair)), {"x": FIVE},
     "[2x₁²v₀, 2x₁(‖v‖² + 1), 2x₁²v₁, 2x₃, 2x₄]ᵀ\nwhere v = x[[0, 2]]"),
    (G(square_sum(scaled_pair)), {"x": TWENTY},
     "(2x with 2x₁²v at [0, 2])ᵀ + 2scatter(x₁‖v‖² at 1)ᵀ\nwhere v = x[[0, 2]]"),
    (held, {"u": "n"}, "‖v[1:] − v[:-1]‖²\nwhere v = u with 0 at 0, then 0 at -1"),
    (second_differences, {"u": "n"}, "[0, u[2:] − 2u[1:-1] + u[:-2], 0]"),
    (J(second_differences), {"u": "n"}, "[𝟎; I[2:] − 2I[1:-1] + I[:-2]; 𝟎]"),
    (two, NM, "X with 1 at (:, 0), then X₀ at 1"),
    (G(square_sum(two)), NM, "2scatter(X₀ at 0) + (2X with 0 at 1, then 0 at (:, 0))"),
    (interleaved, {"a": "n", "b": "n"}, "0 with a at ::2, then b at 1::2"),
    (G(square_sum(interleaved)), {"a": "n", "b": "n"}, "2aᵀ"),
    (tripled, N, "x with 3x[::2] at ::2"),
    (G(square_sum(tripled)), N, "(2x with 18x[::2] at ::2)ᵀ"),
    (overwritten, {"x": FIVE}, "exp(x) with x₁ at :3"),
    (last_of_three, {"x": FIVE}, "x with x₄ at 1"),
    (first_is_last, N, "x with x₀ at -1"),
    (J(first_is_last), N, "I with I[:, 0] at -1"),
    (masked, {"x": TWENTY}, "exp(x) with 0 at [9, 10, …, 19]"),
    (J(masked), {"x": FIVE}, "diag(exp(x) with 0 at [2, 3, 4])"),
    (lambda x: np.concatenate([x[:2], x[2:]]), N, "x"),
    (lambda x, y: np.concatenate([x, y]), {"x": "n", "y": "m"}, "[x; y]"),
    (lambda A, B: np.concatenate([A, B], axis=1), {"A": "n m", "B": "n n"}, "[A, B]"),
]  # fmt: skip


def values_of(shapes):
    """Values of the parameters; those of an example are the example."""
    rng = np.random.default_rng(0)
    return {
        name: rng.uniform(0.2, 0.9, [SIZES[c] for c in given.split()])
        if isinstance(given, str)
        else given
        for name, given in shapes.items()
    }


@pytest.mark.parametrize(("f", "shapes", "text"), CASES, ids=range(len(CASES)))
def test_a_write_is_printed_and_computed(f, shapes, text):
    formula = ad.formula(f, **shapes)
    assert str(formula) == text
    assert formula.general
    values = values_of(shapes)
    expected = f(*values.values())
    got = formula.function()(**{name: values[name] for name in formula.parameters})
    assert got.shape == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)


def test_blocks_and_writes_in_latex():
    assert ad.latex(column, A="n m", v="n") == r"\begin{bmatrix} v & A_{:, :-1} \end{bmatrix}"
    assert ad.latex(rows, X="n m", v="m") == r"\begin{bmatrix} v^\top \\ X_{:-1} \end{bmatrix}"
    assert ad.latex(shifted, x="n") == (r"\left[x_{1}^{2},\; \sin\left(x_{:-1}\right)\right]")
    assert ad.latex(two, X="n m") == (
        r"X \text{ with } 1 \text{ at } \left(:, 0\right) \text{, then } X_{0} \text{ at } 1"
    )
    assert r"\left(2\,x \text{ with }" in ad.latex(G(square_sum(tripled)), x="n")


def body(source):
    return source.split('"""')[-1].strip("\n")


def test_a_write_is_a_statement_in_numpy_and_an_expression_in_jax():
    assert body(ad.source(two, X="n m")) == (
        "    u = 1.0 * X\n    u[:, 0] = 1\n    u[1] = X[0]\n    return u"
    )
    assert body(ad.source(two, X="n m", target="jax")) == (
        "    return (1.0 * X).at[:, 0].set(1).at[1].set(X[0])"
    )
    assert body(ad.source(held, u="n")) == (
        "    v = 1.0 * u\n    v[0] = 0\n    v[-1] = 0\n    return np.sum((v[1:] - v[:-1])**2)"
    )
    assert body(ad.source(masked, FIVE)) == (
        "    u = np.exp(x)\n    u[np.array([2, 3, 4])] = 0\n    return u"
    )


def test_floats_are_written_into_floats():
    def halves(x):
        y = x.copy()
        y[0] = 0.5 * x[1]
        return y

    function = ad.formula(halves, x="n").function()
    x = np.array([3, 1, 2])
    assert function(x).tolist() == [0.5, 1.0, 2.0]
    assert x.tolist() == [3, 1, 2]
    assert function(x.astype(np.float32)).dtype == np.float32


def test_integers_that_are_written_into_stay_integers():
    def reordered(x):
        order = np.argsort(x)
        order[0] = 0
        return x[order]

    x = np.array([0.5, 0.1, 0.9])
    formula = ad.formula(reordered, x)
    assert "argsort(x) with 0 at 0" in str(formula)
    assert formula.function()(x).tolist() == reordered(x).tolist()


def test_what_is_written_has_a_name_that_nothing_else_has():
    def f(u, v, w):
        a = u.copy()
        a[0] = v[1]
        b = w.copy()
        b[::2] = np.sin(a[::2])
        return a + b

    u, v, w = (np.linspace(0.1, k, 5) for k in (1, 2, 3))
    formula = ad.formula(f, u="n", v="n", w="n")
    assert formula.general
    np.testing.assert_allclose(formula.function()(u, v, w), f(u, v, w), rtol=1e-15)
    assert w[0] == 0.1
    assert u[0] == 0.1


def test_a_length_of_zero_is_said():
    def none(x):
        return np.sin(x[np.array([], np.intp)])

    assert ad.formula(none, FIVE).function()(FIVE).shape == (0,)
    assert ad.formula(J(none), FIVE).function()(FIVE).shape == (0, 5)


def test_one_number_in_all_elements_is_an_array_where_that_matters():
    def f(x):
        y = np.full_like(x, 1.0) * np.cos(x[0])
        z = np.concatenate([y, x])
        y[1:3] = 0
        return z[np.array([0, 6])] * y[:2]

    formula = ad.formula(f, FIVE)
    np.testing.assert_allclose(formula.function()(FIVE), f(FIVE), rtol=1e-15)


# -- random programs -------------------------------------------------------------------------------

FUNCTIONS = (np.sin, np.tanh, np.square, lambda a: 1.5 - a, lambda a: 2 * a, lambda a: a)


def random_slice(rng, n):
    step = int(rng.choice([1, 1, 1, 2, -1, -2, 3]))
    a, b = sorted(int(k) for k in rng.integers(0, n + 1, 2))
    a, b = (None if rng.random() < 0.3 else v for v in ((a, b) if step > 0 else (b, a)))
    return slice(a, b, None if step == 1 else step)


def random_index(rng, shape):
    """Integers, slices, masks, one or several index arrays, None and Ellipsis."""
    if rng.random() < 0.12:
        return rng.random(shape if rng.random() < 0.6 else shape[:1]) < 0.5
    index, length = [], int(rng.integers(1, 4))
    for n in shape[: int(rng.integers(1, len(shape) + 1))]:
        kind = rng.random()
        if kind < 0.3:
            index.append(int(rng.integers(-n, n)))
        elif kind < 0.75:
            index.append(random_slice(rng, n))
        else:
            index.append(rng.integers(-n, n, (2, length) if rng.random() < 0.2 else length))
    if rng.random() < 0.12:
        index.insert(int(rng.integers(0, len(index) + 1)), None)
    if rng.random() < 0.12:
        index.append(Ellipsis)
    return tuple(index)


def random_program(seed):
    """A function of one array that writes and reads at random: again, overlapping, in between."""
    rng = np.random.default_rng(seed)
    shape = [(5,), (7,), (3, 4), (2, 3, 2), (20,)][int(rng.integers(5))]
    count, inner = int(rng.integers(1, 5)), int(rng.integers(1 << 30))

    def f(x):
        rng = np.random.default_rng(inner)
        start = int(rng.integers(4))
        y = (x.copy(), np.zeros_like(x), np.sin(x), 2 * x)[start]
        z = FUNCTIONS[int(rng.integers(6))](x)
        for _ in range(count):
            i, function = random_index(rng, shape), FUNCTIONS[int(rng.integers(6))]
            source = (x, y, z)[int(rng.integers(3))]
            one = function(source.ravel()[int(rng.integers(source.size))])
            kind = int(rng.integers(5))
            if kind == 0:
                y[i] = float(rng.integers(-1, 3))
            elif kind == 1:
                y[i] = one
            elif kind == 2:
                y[i] *= one
            elif kind == 3:
                y[i] += function(source[i])
            else:
                y[i] = function(source[i])
            if rng.random() < 0.3:
                z = function(y) + 0.5 * x
        if rng.random() < 0.3:
            return 1.0 * y[random_index(rng, shape)]
        return y + z if rng.random() < 0.2 else y

    return f, rng.uniform(0.3, 1.4, shape)


def jobs(seed):
    f, x = random_program(seed)

    def loss(x):
        return np.sum(np.sin(f(x)))

    found = [f, J(f), G(loss)]
    return ([*found, ad.hessian(loss)] if x.size <= 7 else found), x


@pytest.mark.parametrize("seed", range(60))
def test_random_writes_and_reads(seed):
    derivatives, x = jobs(seed)
    for d in derivatives:
        formula, expected = ad.formula(d, x), np.asarray(d(x))
        assert formula.latex()
        got = np.asarray(formula.function()(*[x for _ in formula.parameters]))
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


SCRIPT = """
import sys
import numpy
from jax import numpy as jnp
arrays = numpy.load(sys.argv[1])
results = {}
for key in arrays.files:
    if key.startswith("source"):
        space, k = {}, key[6:]
        exec(str(arrays[key]), space)
        name, count = str(arrays["name" + k]), int(arrays["count" + k])
        results["result" + k] = space[name](*[jnp.asarray(arrays["x" + k])] * count)
numpy.savez(sys.argv[2], **results)
"""


@pytest.mark.skipif(not HAS_JAX, reason="the source for JAX needs JAX to run")
def test_random_writes_and_reads_in_jax(tmp_path):
    given, expected = {}, {}
    for seed in range(25):
        derivatives, x = jobs(seed)
        for kind, d in enumerate(derivatives[:3]):
            formula, k = ad.formula(d, x), f"{seed}_{kind}"
            given |= {f"source{k}": formula.source("jax"), f"name{k}": formula.name,
                      f"count{k}": len(formula.parameters), f"x{k}": x}  # fmt: skip
            expected[f"result{k}"] = d(x)
    np.savez(tmp_path / "given.npz", **given)
    command = [sys.executable, "-c", SCRIPT, tmp_path / "given.npz", tmp_path / "found.npz"]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert run.returncode == 0, run.stderr
    with np.load(tmp_path / "found.npz") as found:
        assert set(found.files) == set(expected)
        for key, value in expected.items():
            assert found[key].shape == np.shape(value)
            np.testing.assert_allclose(found[key], value, rtol=1e-10, atol=1e-12)
