"""NumPy's polynomial functions on coefficients, highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import MissingRuleError
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import index_of, value_or_raise
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import implements, register
from adjoint.graph.sites import here
from adjoint.primitives.convolution import convolve
from adjoint.primitives.joining import atleast_1d
from adjoint.primitives.shaping import array


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """``np.polyval``, by Horner's scheme."""
    p, x = array(p), array(x)
    result = np.zeros(x.shape, x.dtype)
    for k in range(p.shape[0]):
        result = result * x + p[k]
    return result


def _trimmed(p: Any) -> Any:
    """Without leading zeros, as NumPy's polynomials are: a decision on the values."""
    p = atleast_1d(p)
    known = np.asarray(value_or_raise(p, "a polynomial (its leading zeros are dropped)"))
    found = np.flatnonzero(known)
    return p[found[0] :] if found.size else p[:1] * 0


def _aligned(a1: Any, a2: Any) -> tuple[Any, Any]:
    a, b = atleast_1d(a1), atleast_1d(a2)
    size = max(a.size, b.size)
    return np.pad(a, (size - a.size, 0)), np.pad(b, (size - b.size, 0))


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """``np.polyadd``."""
    a, b = _aligned(a1, a2)
    return a + b


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """``np.polysub``."""
    a, b = _aligned(a1, a2)
    return a - b


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """``np.polymul``."""
    return convolve(_trimmed(a1), _trimmed(a2))


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """``np.polydiv``: quotient and remainder; which leading coefficients of the remainder are
    dropped as zero is decided on the values."""
    u, v = atleast_1d(u) + 0.0, atleast_1d(v) + 0.0
    dtype = np.result_type(u.dtype, v.dtype)
    m, n = u.size - 1, v.size - 1
    quotient = []
    rest = u
    for k in range(m - n + 1):
        factor = rest[k] / v[0]
        quotient.append(factor)
        rest = rest - np.pad(factor * v, (k, m - n - k))
    found = np.stack(quotient) if quotient else np.zeros(1, dtype)
    known = np.asarray(value_or_raise(rest, "np.polydiv"))
    start = 0
    while start < rest.size - 1 and np.allclose(known[start], 0, rtol=1e-14):
        start += 1
    return found.astype(dtype), rest[start:].astype(dtype)


@implements(np.polyder)
def polyder(p: Any, m: Any = 1) -> Any:
    """``np.polyder``."""
    p, order = array(p), index_of(m)
    if order < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    for _ in range(order):
        p = p[:-1] * np.arange(p.size - 1, 0, -1)
    return p.copy()


@implements(np.polyint)
def polyint(p: Any, m: Any = 1, k: Any = None) -> Any:
    """``np.polyint`` with constants of integration k."""
    p, order = array(p), index_of(m)
    if order < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = atleast_1d(0.0 if k is None else k)
    if constants.size == 1 and order > 1:
        constants = constants[0] * np.ones(order)
    if constants.size < order:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    for place in range(order):
        p = np.concatenate((p / np.arange(p.size, 0, -1), constants[place : place + 1]))
    return p.copy()


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """``np.poly``: the coefficients of Π (x − zₖ), or the characteristic polynomial of a matrix."""
    zeros = atleast_1d(seq_of_zeros)
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] and zeros.shape[0]:
        return np.real_if_close(poly(np.linalg.eigvals(zeros)), tol=1000)
    if zeros.ndim != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    result: Any = np.ones(1, zeros.dtype)
    for k in range(zeros.size):
        result = convolve(result, np.stack([np.ones((), zeros.dtype), -zeros[k]]))
    return result


class Roots(Primitive):
    """The roots of a polynomial with nonzero first and last coefficient.

    Implicit differentiation of p(r) = 0 gives ṙ = −Σ ṗₖ rⁿ⁻ᵏ / p′(r).
    """

    name = "roots"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.roots(operands[0]).astype(np.complex128)

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType((types[0].size - 1,), np.dtype(np.complex128))

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        (p,), (dot,) = primals, tangents
        slope = polyval(polyder(p), out)
        powers = np.vander(out, p.shape[0])
        return -(powers @ dot) / slope

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        raise MissingRuleError(
            "np.roots of a batch of polynomials has no rule: NumPy finds the roots of one.",
            where=here(),
            hint="use a loop over the polynomials in place of vmap.",
        )


ROOTS = register(Roots())


@implements(np.roots)
def roots(p: Any) -> Any:
    """``np.roots``; real where all roots are real, as in NumPy.  A root that is repeated has no
    derivative (it is infinite)."""
    p = atleast_1d(p)
    known = np.asarray(value_or_raise(p, "np.roots"))
    places = np.flatnonzero(known)
    if not places.size:
        return np.zeros(0)
    inner = p[places[0] : places[-1] + 1]
    zeros = np.zeros(p.size - 1 - places[-1])
    if inner.size < 2:
        return zeros
    inner = inner if inner.dtype.kind in "fc" else inner.astype(np.float64)
    found = ROOTS(inner)
    if np.roots(known).dtype.kind == "f":
        found = np.real(found)
    return np.concatenate((found, zeros)) if zeros.size else found


@implements(np.polyfit)
def polyfit(
    x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None,
    cov: Any = False,
) -> Any:  # fmt: skip
    """``np.polyfit``: least squares on scaled powers."""
    if full or cov:
        raise MissingRuleError(
            "np.polyfit of traced values returns the coefficients only; it got full or cov.",
            where=here(),
            hint="leave full and cov out, or use np.linalg.lstsq with np.vander(x, deg + 1).",
        )
    x, y = array(x) + 0.0, array(y) + 0.0
    powers = np.vander(x, index_of(deg) + 1)
    if w is not None:
        w = array(w) + 0.0
        powers = powers * w[:, None]
        y = y * (w[:, None] if y.ndim == 2 else w)
    scale = np.sqrt(np.sum(powers * powers, axis=0))
    limit = x.size * np.finfo(x.dtype).eps if rcond is None else rcond
    found = np.linalg.lstsq(powers / scale, y, limit)[0]
    return (found.T / scale).T
