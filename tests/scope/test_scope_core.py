"""The capabilities of the core with the values that check them, by the rows of the scope."""

from typing import Any

import numpy as np
import pytest

import adjoint as ad

X = np.array([1.5, -0.7])


def assert_close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


# -- A2: derivatives of any order in one variable


def test_a2_any_order() -> None:
    for n in range(1, 6):
        falling = np.prod([7.0 - k for k in range(n)])
        assert_close(ad.derivative(lambda x: x**7, n)(1.3), falling * 1.3 ** (7 - n))
        assert_close(ad.derivative(np.sin, n)(0.4), np.sin(0.4 + n * np.pi / 2))
        assert_close(ad.derivative(np.exp, n)(0.4), np.exp(0.4))
        sign = (-1.0) ** (n - 1)
        factorial = np.prod(np.arange(1.0, n))
        assert_close(ad.derivative(np.log, n)(0.4), sign * factorial / 0.4**n)
    t = np.tanh(0.4)
    assert_close(ad.derivative(np.tanh)(0.4), 1 - t**2)
    assert_close(ad.derivative(np.tanh, 2)(0.4), -2 * t * (1 - t**2))
    assert_close(ad.derivative(lambda x: (2 * x**2 + 1) ** 4)(0.4), 16 * 0.4 * (2 * 0.16 + 1) ** 3)
    assert_close(ad.derivative(lambda x: 6 * (-2 * x + 5) + 3)(0.4), -12.0)


# -- B: many variables


def cubed(x: Any, y: Any) -> Any:
    return (x + 2 * y**3) ** 2


def test_b1_partial_derivatives_by_name_and_position() -> None:
    x, y = 0.7, 1.2
    inner = x + 2 * y**3
    for which in ("x", 0):
        assert_close(ad.partial(cubed, which)(x, y), 2 * inner)  # type: ignore[arg-type]
    for which in ("y", 1):
        assert_close(ad.partial(cubed, which)(x, y), 12 * inner * y**2)  # type: ignore[arg-type]
    # The total derivative is that of the composition.
    total = ad.derivative(lambda t: cubed(t, np.sin(t)))(x)
    parts = ad.partial(cubed, "x")(x, np.sin(x)), ad.partial(cubed, "y")(x, np.sin(x))
    assert_close(total, parts[0] + parts[1] * np.cos(x))


def test_b2_gradient() -> None:
    a, b = X
    found = ad.grad(lambda x: x[0] ** 2 * x[1] + x[0] * x[1] ** 3)(X)
    assert_close(found, [2 * a * b + b**3, a**2 + 3 * a * b**2])


def test_b3_chain_rule() -> None:
    t = 0.9
    found = ad.derivative(lambda t: np.sin(t) ** 2 + 2 * np.cos(t))(t)
    assert_close(found, 2 * np.sin(t) * (np.cos(t) - 1))

    def inside(p: Any) -> Any:
        return np.stack([p[1] ** 2 + 2 * p[0], 3 * p[1] * p[0]])

    point = np.array([0.4, 1.1])  # s, t
    outer = ad.jacobian(lambda q: q[0] * q[1])(inside(point))
    s, t = point
    assert_close(outer @ ad.jacobian(inside)(point), ad.grad(lambda p: inside(p)[0] * inside(p)[1])(
        point))  # fmt: skip
    assert_close(
        outer @ ad.jacobian(inside)(point),
        [6 * s * t + 3 * t * (t**2 + 2 * s), 6 * s * t**2 + 3 * s * (t**2 + 2 * s)],
    )


def test_b4_directional_derivative_and_steepest_ascent() -> None:
    def f(x: Any) -> Any:
        return np.sin(x[0]) * x[1] ** 2

    gradient = ad.grad(f)(X)
    v = np.array([0.3, -2.0])
    assert_close(ad.directional(f, X, v), gradient @ v)
    steepest = gradient / np.linalg.norm(gradient)
    assert_close(ad.directional(f, X, steepest), np.linalg.norm(gradient))
    assert_close(ad.directional(f, X, v, 2), v @ ad.hessian(f)(X) @ v)


# -- C: vector fields


def test_c1_jacobian_by_every_mode() -> None:
    a = np.arange(6.0).reshape(2, 3)
    x, y, z = p = np.array([0.5, -1.0, 2.0])
    for mode in ("auto", "forward", "reverse"):
        assert_close(ad.jacobian(lambda v: a @ v, mode=mode)(p), a)  # type: ignore[arg-type]
        field = ad.jacobian(
            lambda v: np.array([v[0] ** 2 - 3 * v[1] + v[2], v[0] - v[1] ** 3 + v[2] ** 2]),
            mode=mode,  # type: ignore[arg-type]
        )
        assert_close(field(p), [[2 * x, -3, 1], [1, -3 * y**2, 2 * z]])
    assert ad.jacobian(lambda v: v @ v, layout="row")(p).shape == (1, 3)


def test_c2_composition() -> None:
    t = 0.6

    def curve(t: Any) -> Any:
        return np.array([t * np.cos(t), t * np.sin(t)])

    def f(x: Any) -> Any:
        return np.exp(x[0] * x[1] ** 2)

    x1, x2 = curve(t)
    outer = f((x1, x2)) * np.array([x2**2, 2 * x1 * x2])
    inner = np.array([np.cos(t) - t * np.sin(t), np.sin(t) + t * np.cos(t)])
    assert_close(ad.derivative(lambda t: f(curve(t)))(t), outer @ inner)


def test_c3_least_squares() -> None:
    rng = np.random.default_rng(0)
    phi, y, theta = rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=3)
    found = ad.jacobian(lambda t: np.sum((y - phi @ t) ** 2), layout="row")(theta)
    assert_close(found, [-2 * (y - phi @ theta) @ phi])
    half = ad.grad(lambda x: 0.5 * np.linalg.norm(y - phi @ x) ** 2)(theta)
    assert_close(half, -(y - phi @ theta) @ phi)


def test_c4_inner_dimensions_are_checked() -> None:
    with pytest.raises(ad.errors.ShapeMismatchError, match=r"f64\[2,3\] @ f64\[2\]"):
        ad.grad(lambda x: np.sum(np.ones((2, 3)) @ x))(np.ones(2))


# -- D: matrices


def test_d1_matrix_by_vector_two_ways() -> None:
    base = np.arange(24.0).reshape(4, 2, 3)

    def a(x: Any) -> Any:
        return np.sin(base @ x)

    x = np.array([0.1, -0.2, 0.3])
    whole = ad.jacobian(a)(x)
    assert whole.shape == (4, 2, 3)
    stacked = np.stack([ad.jvp(a, (x,), (e,))[1] for e in np.eye(3)], axis=-1)
    flattened = ad.jacobian(lambda x: a(x).reshape(-1))(x).reshape(4, 2, 3)
    assert_close(whole, stacked)
    assert_close(whole, flattened)


def test_d2_vector_by_matrix() -> None:
    a, x = np.ones((2, 3)), np.array([1.0, 2.0, 3.0])
    found = ad.jacobian(lambda a: a @ x)(a)
    assert found.shape == (2, 2, 3)
    assert_close(found, np.einsum("ij,q->ijq", np.eye(2), x))


def test_d3_matrix_by_matrix() -> None:
    r = np.arange(6.0).reshape(3, 2) - 2.5
    found = ad.jacobian(lambda r: r.T @ r)(r)
    delta = np.eye(2)
    expected = np.einsum("iq,jp->pqij", r, delta) + np.einsum("ip,jq->pqij", r, delta)
    assert_close(found, expected)


def test_d4_entries_as_functions() -> None:
    def matrix(v: Any) -> Any:
        x, y = v
        return np.array([[2 * x + 4 * y, x * y**2], [x * y, x**2 + y]])

    x, y = X
    found = ad.jacobian(matrix)(X)
    assert_close(found[..., 0], [[2, y**2], [y, 2 * x]])
    assert_close(found[..., 1], [[4, 2 * x * y], [x, 1]])


# -- F: automatic differentiation


def test_f3_every_mode_on_a_graph() -> None:
    def f(x: Any) -> Any:
        return (x[0] ** 2 - 2 * x[1]) / np.sqrt(x[0] * x[1] - np.sin(x[1]))

    x = np.array([2.0, 1.0])
    r = 2.0 - np.sin(1.0)
    expected = [4 / np.sqrt(r) - 2 * 0.5 * 1.0 / r**1.5,
                -2 / np.sqrt(r) - 2 * 0.5 * (2.0 - np.cos(1.0)) / r**1.5]  # fmt: skip
    assert_close(ad.jacobian(f, mode="forward")(x), expected)
    assert_close(ad.jacobian(f, mode="reverse")(x), expected)
    assert_close(ad.vjp(f, x)[1](1.0)[0], expected)
    assert_close([ad.jvp(f, (x,), (e,))[1] for e in np.eye(2)], expected)


def test_f3_reverse_mode_costs_a_multiple_whatever_n() -> None:
    """Counted in nodes of the gradient's graph, which do not grow with the number of variables."""
    from adjoint.graph import ir

    def nodes(n: int) -> int:
        before = ir.next_serial()
        ad.grad(lambda t: ad.grad(lambda x: np.sum(np.sin(x) * x))(t * np.ones(n)).sum())(1.0)
        return ir.next_serial() - before

    assert nodes(2) == nodes(2000) < 60


def test_f4_all_layers_in_one_pass() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=3)
    layers = [{"A": rng.normal(size=(4, 3)), "b": rng.normal(size=4)},
              {"A": rng.normal(size=(2, 4)), "b": rng.normal(size=2)}]  # fmt: skip

    def network(layers: Any) -> Any:
        y = x
        for layer in layers:
            y = np.tanh(layer["A"] @ y + layer["b"])
        return y

    first, second = layers
    z = first["A"] @ x + first["b"]
    single = ad.jacobian(lambda b: np.tanh(first["A"] @ x + b))(first["b"])
    assert_close(single, np.diag(1 - np.tanh(z) ** 2))
    by_matrix = ad.jacobian(lambda a: np.tanh(a @ x + first["b"]))(first["A"])
    assert by_matrix.shape == (4, 4, 3)
    assert_close(by_matrix, np.einsum("ij,q->ijq", single, x))

    gradient = ad.grad(lambda layers: np.sum(network(layers)))(layers)
    hidden = np.tanh(z)
    delta = 1 - network(layers) ** 2
    assert_close(gradient[1]["b"], delta)
    assert_close(gradient[1]["A"], np.outer(delta, hidden))
    back = (second["A"].T @ delta) * (1 - hidden**2)
    assert_close(gradient[0]["b"], back)
    assert_close(gradient[0]["A"], np.outer(back, x))


def test_f5_nesting_without_confusion() -> None:
    assert_close(ad.grad(lambda x: x * ad.grad(lambda y: x * y**2)(x))(3.0), 6 * 9.0)

    def inner(x: Any) -> Any:
        return ad.grad(lambda y: ad.grad(lambda z: x * y * z**2)(y) * x)(x)

    # d/dz x y z² = 2xyz; at z = y: 2xy²; times x, d/dy: 4x²y; at y = x: 4x³.
    assert_close(inner(1.5), 4 * 1.5**3)
    assert_close(ad.derivative(inner)(1.5), 12 * 1.5**2)
    assert_close(ad.grad(lambda t: np.sum(ad.jacobian(np.sin)(t * X)))(0.8),
                 np.sum(-np.sin(0.8 * X) * X))  # fmt: skip
    each = ad.vmap(ad.hessian(lambda x: x[0] * x[1] ** 2))(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert_close(each, [[[0, 4], [4, 2]], [[0, 8], [8, 6]]])


# -- G: higher order


def test_g1_hessians() -> None:
    x, y, z = p = np.array([0.5, -1.5, 2.0])
    found = ad.hessian(lambda v: v[0] * v[1] ** 2 - 3 * v[2] ** 2)(p)
    assert_close(found, [[0, 2 * y, 0], [2 * y, 2 * x, 0], [0, 0, -6]])

    def field(v: Any) -> Any:
        x, y, z = v
        return np.array([x**2 * y + np.exp(z), x * y**2 * z - np.log(x)])

    found = ad.hessian(field)(p)
    assert found.shape == (2, 3, 3)
    assert_close(found[0], [[2 * y, 2 * x, 0], [2 * x, 0, 0], [0, 0, np.exp(z)]])
    assert_close(found[1], [[1 / x**2, 2 * y * z, y**2], [2 * y * z, 2 * x * z, 2 * x * y],
                            [y**2, 2 * x * y, 0]])  # fmt: skip


def test_g2_mixed_partials_and_tensors() -> None:
    def f(x: Any, y: Any) -> Any:
        return np.exp(x * y) + np.sin(x) * y**3

    one = ad.partial(ad.partial(f, "x"), "y")(0.3, 0.7)
    other = ad.partial(ad.partial(f, "y"), "x")(0.3, 0.7)
    assert_close(one, other)
    tensor = ad.derivative_tensor(lambda v: f(v[0], v[1]), 3)(np.array([0.3, 0.7]))
    for axes in ((0, 2, 1), (1, 0, 2), (2, 1, 0)):
        assert_close(tensor, np.transpose(tensor, axes))


def test_g3_products_without_the_matrix() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.sin(x) * x[::-1])

    x = np.linspace(-1.0, 1.0, 5)
    v = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    assert_close(ad.hvp(f, x, v), ad.hessian(f)(x) @ v)


# -- H1 and J1


def test_h1_linearisation() -> None:
    def f(x: Any) -> Any:
        return np.sin(x[0]) * x[1]

    value, linear = ad.linearize(f, X)
    nearby = np.array([1.6, -0.5])
    expected = f(X) + ad.grad(f)(X) @ (nearby - X)
    assert_close(value + linear(nearby - X), expected)


def test_j1_backpropagation_stores_no_jacobian() -> None:
    """A Jacobian of this layer would need 8 · 10¹⁰ bytes."""
    n = 100_000
    _, pullback = ad.vjp(lambda x: np.tanh(x) * x[::-1], np.ones(n))
    assert pullback(np.ones(n))[0].shape == (n,)
