"""Choosing between values: where, maximum, minimum, clip, and the parts of complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph import registry
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import adopt
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import implements, register
from adjoint.graph.tracer import Tracer
from adjoint.primitives.scalar import REAL, align_examples, row


class Where(Primitive):
    """``where(condition, a, b)``.

    Reverse mode carries the condition along with the cotangent, so that the branch not taken
    contributes exactly nothing, whatever its derivative is there.
    """

    name = "where"
    linear = (1, 2)
    jointly_linear = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        result = np.where(*operands)
        return result if result.ndim else result[()]

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        shape = np.broadcast_shapes(*(t.shape for t in types))
        a, b = (t.dtype.type(0).item() if t.weak else t.dtype for t in types[1:])
        return ArrayType(shape, np.result_type(a, b))

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        condition = operands[0]
        return np.where(condition, ct, 0.0) if position == 1 else np.where(condition, 0.0, ct)

    def live(self, operands: tuple[Any, ...], position: int) -> Any:
        """Where the operand at this position reaches the result."""
        condition = operands[0] if operands[0].dtype == np.bool_ else operands[0] != 0
        return condition if position == 1 else np.logical_not(condition)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return WHERE(*align_examples(operands, batched, size))


WHERE = register(Where())


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """``np.where`` on traced values; with one argument, the indices of nonzero elements."""
    if x is None and y is None:
        return registry.FUNCTIONS[np.nonzero](condition)
    condition = adopt(condition)
    if not isinstance(condition, Tracer):
        condition = np.asarray(condition)
    return WHERE(condition, adopt(x), adopt(y))


def _wins(a: Any, b: Any, wins: Any) -> Any:
    # Ties share equally: both one-sided derivatives are treated alike.  A NaN passes through.
    return np.where(wins | np.isnan(a), 1.0, np.where(a == b, 0.5, 0.0))


maximum = row(
    np.maximum,
    lambda a, b, y: _wins(a, b, a > b),
    lambda a, b, y: _wins(b, a, b > a),
    latex=r"\max({0}, {1})", selects=True, holomorphic=False,
)  # fmt: skip
minimum = row(
    np.minimum,
    lambda a, b, y: _wins(a, b, a < b),
    lambda a, b, y: _wins(b, a, b < a),
    latex=r"\min({0}, {1})", selects=True, holomorphic=False,
)  # fmt: skip


def _wins_over_nan(a: Any, b: Any, wins: Any) -> Any:
    return np.where(wins | np.isnan(b), 1.0, np.where(a == b, 0.5, 0.0))


fmax = row(
    np.fmax,
    lambda a, b, y: _wins_over_nan(a, b, a > b),
    lambda a, b, y: _wins_over_nan(b, a, b > a),
    latex=r"\max({0}, {1})", selects=True, holomorphic=False,
)  # fmt: skip
fmin = row(
    np.fmin,
    lambda a, b, y: _wins_over_nan(a, b, a < b),
    lambda a, b, y: _wins_over_nan(b, a, b < a),
    latex=r"\min({0}, {1})", selects=True, holomorphic=False,
)  # fmt: skip

clip = row(
    np._core.umath.clip,  # type: ignore[attr-defined]
    # The interval is closed: at an edge the derivative is that of x.
    lambda x, lo, hi, y: np.where((x >= lo) & (x <= hi), 1.0, 0.0),
    lambda x, lo, hi, y: np.where((x < lo) & (lo <= hi), 1.0, 0.0),
    lambda x, lo, hi, y: np.where((hi < lo) | (x > hi), 1.0, 0.0),
    name="clip",
    latex=r"\operatorname{{clip}}({0}, {1}, {2})",
    domain=(*REAL, (-2.0, -1.0), (1.0, 2.0)),
    selects=True,
    holomorphic=False,
)


def _direction(x: Any, y: Any) -> Any:
    # For complex z the partial is conj(z)/|z|: the real part of its product with ż is d|z|.
    if x.dtype.kind != "c":
        return np.sign(x)
    return np.where(y == 0, 0.0, np.conj(x) / np.where(y == 0, 1.0, y))


absolute = row(np.absolute, _direction, latex=r"\left|{0}\right|", holomorphic=False)
fabs = row(np.fabs, lambda x, y: np.sign(x), latex=r"\left|{0}\right|", holomorphic=False)


class _RealLinear(Primitive):
    """Linear over the real numbers only; the pairing is Re(c·t)."""

    linear = (0,)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return self(*operands, **params)


class Conjugate(_RealLinear):
    """conj(z); its transpose is itself."""

    name = "conjugate"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.conjugate(operands[0])

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(types[0].shape, types[0].dtype)

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return CONJUGATE(ct)


CONJUGATE = register(Conjugate())


def _real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.empty(0, dtype).real.dtype


class Real(_RealLinear):
    """Re z; Re(c · Re z) = Re(c z), so the transpose embeds."""

    name = "real"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.real(operands[0])

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(types[0].shape, _real_dtype(types[0].dtype))

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return np.real(ct) + 0j


REAL_PART = register(Real())


class Imag(_RealLinear):
    """Im z = Re(−i z)."""

    name = "imag"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.imag(operands[0])

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(types[0].shape, _real_dtype(types[0].dtype))

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return np.real(ct) * (-1j)


IMAG_PART = register(Imag())


class Convert(_RealLinear):
    """A change of dtype."""

    name = "convert"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        value = operands[0]
        if np.iscomplexobj(value) and np.dtype(params["dtype"]).kind == "f":
            value = np.real(value)
        return np.asarray(value).astype(params["dtype"])[()]

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(types[0].shape, np.dtype(params["dtype"]))

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        if operands[0].dtype.kind not in "fc":
            return None
        return convert(ct, operands[0].dtype)


CONVERT = register(Convert())


def convert(x: Any, dtype: Any) -> Any:
    """``x.astype(dtype)``; complex to real takes the real part."""
    dtype = np.dtype(dtype)
    x = adopt(x)
    if not isinstance(x, Tracer):
        return CONVERT.evaluate(x, dtype=dtype)
    return x if x.dtype == dtype else CONVERT(x, dtype=dtype)


def cast(x: Any, dtype: Any, casting: Any) -> Any:
    """A change of dtype that NumPy's casting rule has to allow."""
    x = adopt(x)
    x = x if isinstance(x, Tracer) else np.asarray(x)
    if dtype is None:
        return x
    dtype = np.dtype(dtype)
    if not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(f"cannot cast from {x.dtype} to {dtype} by the rule {casting!r}")
    return convert(x, dtype)


def _conjugate(x: Any) -> Any:
    x = adopt(x)
    return CONJUGATE(x) if x.dtype.kind == "c" else row_positive(x)


def row_positive(x: Any) -> Any:
    return registry.UFUNCS[np.positive](x)


registry.UFUNCS[np.conjugate] = _conjugate
