"""What is compared with other libraries: functions written once, for every library's NumPy.

Each definition takes the module that plays NumPy (``numpy``, ``jax.numpy``, ``autograd.numpy``) and
gives the function; what belongs to it as data comes from a function beside it.  Data are arguments
and not constants, so that nobody can compute with them ahead of the call.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy


def worked_example(np: Any) -> Any:
    """√(x² + eˣ²) + cos(x² + eˣ²)."""

    def f(x: Any) -> Any:
        a = x**2
        c = a + np.exp(a)
        return np.sqrt(c) + np.cos(c)

    return f


def rosenbrock(np: Any) -> Any:
    """Rosenbrock's function of n variables."""

    def f(x: Any) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return f


def tanh_network(np: Any) -> Any:
    """The mean square error of a tanh network, as a function of weights, biases and data."""

    def loss(parameters: Any, inputs: Any, targets: Any) -> Any:
        h = inputs
        for weights, bias in parameters[:-1]:
            h = np.tanh(np.dot(h, weights) + bias)
        weights, bias = parameters[-1]
        return np.mean((np.dot(h, weights) + bias - targets) ** 2)

    return loss


def network_data(sizes: tuple[int, ...], batch: int) -> tuple[Any, ...]:
    """Parameters, inputs and targets."""
    rng = numpy.random.default_rng(0)
    parameters = [
        (rng.normal(0.0, n**-0.5, (n, m)), rng.normal(size=m)) for n, m in pairwise(sizes)
    ]
    return parameters, rng.normal(size=(batch, sizes[0])), rng.normal(size=(batch, sizes[-1]))


def sine_chain(np: Any) -> Any:
    """A thousand sines, one after the other."""

    def f(x: Any) -> Any:
        for _ in range(1000):
            x = np.sin(x)
        return x

    return f


# -- Hessians: the three problems of Laue, Mitterreiter and Giesen (NeurIPS 2018, section 4) ------


def logistic_regression(np: Any) -> Any:
    """Σᵢ log(1 + exp(−yᵢ xᵢᵀw)): its Hessian is Xᵀdiag(v)X."""

    def f(w: Any, x: Any, y: Any) -> Any:
        return np.sum(np.log(np.exp(-y * np.dot(x, w)) + 1.0))

    return f


def logistic_data(n: int) -> tuple[Any, ...]:
    """n features, twice as many observations."""
    rng = numpy.random.default_rng(0)
    return (
        rng.normal(0.0, 0.01, n),
        rng.normal(size=(2 * n, n)),
        numpy.sign(rng.normal(size=2 * n)),
    )


def factorisation(np: Any) -> Any:
    """‖T − UVᵀ‖²: its Hessian with respect to U is 2(VᵀV)⊗I."""

    def f(u: Any, v: Any, t: Any) -> Any:
        return np.sum((t - np.dot(u, v.T)) ** 2)

    return f


def factorisation_data(n: int, k: int) -> tuple[Any, ...]:
    """Factors of k columns for a matrix of n rows and columns."""
    rng = numpy.random.default_rng(0)
    return rng.normal(size=(n, k)), rng.normal(size=(n, k)), rng.normal(size=(n, n))


def deep_network(np: Any) -> Any:
    """Cross entropy of a network of rectified linear layers, in the weights of its first layer."""

    def f(first: Any, others: Any, x: Any) -> Any:
        h = np.maximum(np.dot(first, x), 0.0)
        for weights in others:
            h = np.maximum(np.dot(weights, h), 0.0)
        return np.log(np.sum(np.exp(h))) - h[0]

    return f


def deep_data(n: int, layers: int) -> tuple[Any, ...]:
    """Square layers of n neurons, scaled so that their outputs keep their size."""
    rng = numpy.random.default_rng(0)
    first, *others = rng.normal(0.0, (2.0 / n) ** 0.5, (layers, n, n))
    return first, others, rng.normal(size=n)


# -- Taylor ---------------------------------------------------------------------------------------


def composite(np: Any) -> Any:
    """tanh(exp(sin x)) + log(1 + x²), of functions that every library's Taylor mode knows."""

    def f(x: Any) -> Any:
        return np.tanh(np.exp(np.sin(x))) + np.log(1.0 + x * x)

    return f
