"""`check_derivatives`: the test of derivatives that is shipped to users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adjoint.calculus.products import jvp, vjp
from adjoint.errors import ArgumentError, ArgumentValueError, DerivativeCheckError
from adjoint.graph.arraytype import describe
from adjoint.graph.containers import flatten, tree_map, unflatten
from adjoint.graph.tracing import differentiable, require_callable
from adjoint.testing.differences import complex_step, extrapolated_difference, kink
from adjoint.testing.localise import close, direction, faulty_rules

_CALLED = "check_derivatives(f, x)"


@dataclass(frozen=True)
class Comparison:
    """Two ways to one number.

    >>> Comparison(1, "forward, differences", 2.0, 2.5).error
    0.2
    """

    order: int
    what: str
    got: float
    expected: float

    @property
    def error(self) -> float:
        """Relative to the expected number, or to 1 if that is smaller."""
        return abs(self.got - self.expected) / max(1.0, abs(self.expected))

    def __str__(self) -> str:
        return (
            f"order {self.order}  {self.what:<34} {self.got: .12e}  {self.expected: .12e}  "
            f"error {self.error:.1e}"
        )


@dataclass
class DerivativeReport:
    """What was compared with what; prints as a table.

    >>> print(DerivativeReport([Comparison(1, "forward, differences", 2.0, 2.0)]).worst)
    0.0
    """

    comparisons: list[Comparison] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The largest relative error."""
        return max((c.error for c in self.comparisons), default=0.0)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.comparisons), *(f"note: {n}" for n in self.notes)])


def check_derivatives(
    f: Callable[..., Any], x: Any, order: int = 2, *, tolerance: float | None = None, seed: int = 0
) -> DerivativeReport:
    """Compares every way to a derivative of f with the others and with differences.

    For random directions v and cotangents w, ⟨w, J v⟩ is computed by forward mode, by reverse mode,
    by extrapolated central differences and, where f is made of holomorphic functions, by a complex
    step; for order 2 and more, each further derivative along a further direction is compared with
    its counterpart in other directions and with differences of the one before.

    Parameters
    ----------
    f: a function of arrays or containers; its result may be a container too.
    x: the point; a tuple is several arguments, as in `jvp`.
    order: the highest derivative to check.
    tolerance: the largest relative error allowed; by default what differences can tell apart
        (1e-6 in float64, 2e-2 in float32).

    Returns
    -------
    A report that prints as a table.  Costs some 20 evaluations of f for each order.

    Raises
    ------
    DerivativeCheckError: two of the numbers differ.  The message says which rule is wrong, by how
        much and where in the user's file it was used: each step of f is checked on its own.

    >>> import numpy as np, adjoint as ad
    >>> report = ad.check_derivatives(lambda x: np.sum(np.sin(x) * x), np.array([1.0, 2.0]))
    >>> report.worst < 1e-8
    True
    """
    require_callable(f, _CALLED)
    if isinstance(order, bool) or not isinstance(order, int | np.integer):
        raise ArgumentError(f"{_CALLED} needs an integer order; got {order!r}.")
    if order < 1:
        raise ArgumentValueError(f"{_CALLED} needs an order of at least 1; got {order}.")
    return _Check(f, x, tolerance, seed).run(int(order))


class _Check:
    """One call of `check_derivatives`."""

    def __init__(self, f: Callable[..., Any], x: Any, tolerance: float | None, seed: int) -> None:
        given = x if type(x) is tuple else (x,)  # a named tuple is one argument
        self.f = f
        self.primals = tuple(
            tree_map(lambda leaf: np.asarray(differentiable(leaf, _CALLED, "x"))[()], p)
            for p in given
        )
        leaves = [leaf for p in self.primals for leaf in flatten(p)[0]]
        if not leaves:
            raise ArgumentError(f"{_CALLED} needs x to contain a number; got {describe(x)}.")
        if not all(np.all(np.isfinite(leaf)) for leaf in leaves):
            raise ArgumentValueError(f"{_CALLED} needs x to be finite.")
        digits = min(np.finfo(leaf.dtype).precision for leaf in leaves)
        self.coarse = digits < 10
        self.tolerance = tolerance if tolerance is not None else (2e-2 if self.coarse else 1e-6)
        self.rng = np.random.default_rng(seed)
        self.report = DerivativeReport()

    def run(self, order: int) -> DerivativeReport:
        value = self.f(*self.primals)
        self.weights = [direction(leaf, self.rng) for leaf in self._numbers(value)]
        chain: list[Any] = []
        scalar = self._weighted
        for level in range(1, order + 1):
            v = tuple(tree_map(lambda leaf: direction(leaf, self.rng), p) for p in self.primals)
            if not self._level(level, scalar, v):
                return self.report
            chain.append(v)
            scalar = _along(scalar, v)
        if order > 1:
            self._symmetric(chain[0], chain[1])
        return self.report

    def _numbers(self, value: Any) -> list[Any]:
        return [np.asarray(leaf)[()] for leaf in flatten(value)[0]]

    def _weighted(self, *args: Any) -> Any:
        """⟨w, f⟩, a real number."""
        leaves = flatten(self.f(*args))[0]
        total: Any = 0.0
        for w, leaf in zip(self.weights, leaves, strict=True):
            product = np.sum(np.multiply(w, leaf))
            total = total + (np.real(product) if np.result_type(w).kind == "c" else product)
        return total

    def _level(self, level: int, scalar: Callable[..., Any], v: Any) -> bool:
        """The derivative of ⟨w, Dᵏ⁻¹f[v₁…]⟩ along a further direction, in every way there is.
        False at a kink, where there is no next order."""
        forward = float(np.real(jvp(scalar, self.primals, v)[1]))
        pulled = vjp(scalar, *self.primals)[1](np.ones((), _dtype_of(scalar, self.primals))[()])
        reverse = _dot(pulled, v)
        line = self._line(scalar, v)
        self._compare(level, "reverse, forward", reverse, forward, scalar)
        if self._kink(level, line, forward):
            return False
        difference = extrapolated_difference(line, 2.0**-3 if self.coarse else 2.0**-5)
        expected = float(np.real(difference.value))
        self._compare(level, "forward, differences", forward, expected, scalar)
        if level == 1 and self._real():
            stepped = self._complex_step(line)
            if stepped is not None and close(stepped, expected, 1e-4):
                self._compare(level, "forward, complex step", forward, stepped, scalar)
        return True

    def _line(self, scalar: Callable[..., Any], v: Any) -> Callable[[Any], Any]:
        return lambda t: scalar(*_moved(self.primals, v, t))

    def _real(self) -> bool:
        return not self.coarse and all(
            leaf.dtype.kind == "f" for p in self.primals for leaf in flatten(p)[0]
        )

    def _complex_step(self, line: Callable[[Any], Any]) -> float | None:
        try:
            found = float(complex_step(line))
        except Exception:
            return None  # f does not take complex numbers; the other witnesses remain
        return found if np.isfinite(found) else None

    def _symmetric(self, u: Any, v: Any) -> None:
        """D²f[u, v] = D²f[v, u], the latter also as the derivative of the gradient."""
        one, other = (
            float(np.real(jvp(_along(self._weighted, a), self.primals, b)[1]))
            for a, b in ((u, v), (v, u))
        )
        self._compare(2, "D²f[u, v], D²f[v, u]", one, other, _along(self._weighted, u))
        slope = _pulled(self._weighted, u)
        mixed = float(np.real(jvp(slope, self.primals, v)[1]))
        self._compare(2, "forward over reverse, forward", mixed, one, slope)

    def _compare(
        self, order: int, what: str, got: float, expected: float, scalar: Callable[..., Any]
    ) -> None:
        comparison = Comparison(order, what, got, expected)
        self.report.comparisons.append(comparison)
        if not close(got, expected, self.tolerance):
            self._fail(comparison, scalar)

    def _kink(self, order: int, line: Callable[[Any], Any], got: float) -> bool:
        """Whether the slopes to both sides differ, and the derivative is one of those between."""
        slopes = kink(line, 2.0**-8 if self.coarse else 1e-7)
        if slopes is None or not slopes[0] <= got <= slopes[1]:
            return False
        self.report.notes.append(
            f"order {order}: x lies on a kink; {got:.6g} is one of the slopes there"
        )
        return True

    def _fail(self, comparison: Comparison, scalar: Callable[..., Any]) -> None:
        found = faulty_rules(scalar, self.primals, max(self.tolerance, 1e-6))
        numbers = f"{comparison.what}: {comparison.got!r} and {comparison.expected!r}"
        if not found:
            raise DerivativeCheckError(
                f"{_CALLED}: the derivatives of order {comparison.order} of f differ by "
                f"{comparison.error:.2g} ({numbers}).",
                hint="each step of f is right on its own: f may not be smooth at x, or not give "
                "the same result at every call.",
            )
        fault = found[0]
        raise DerivativeCheckError(
            f"{_CALLED}: {fault.rule} ({fault.types}) is off by {fault.off_by:.3g}: it gives "
            f"{fault.got:.9g}, differences {fault.expected:.9g}.",
            where=f"{fault.site}\nseen at order {comparison.order}, {numbers}",
            hint="correct the rule in its row or class, then run check_derivatives again.",
        )


def _along(scalar: Callable[..., Any], v: Any) -> Callable[..., Any]:
    return lambda *args: jvp(scalar, args, v)[1]


def _pulled(scalar: Callable[..., Any], v: Any) -> Callable[..., Any]:
    """The same number as `_along` gives, by reverse mode."""

    def slope(*args: Any) -> Any:
        value, pull = vjp(scalar, *args)
        pairs = zip(flatten(pull(np.ones_like(value)))[0], flatten(v)[0], strict=True)
        return sum(np.real(np.sum(np.conj(a) * b)) for a, b in pairs)

    return slope


def _dtype_of(scalar: Callable[..., Any], primals: Any) -> Any:
    found = np.result_type(scalar(*primals))
    return found if found.kind == "f" else np.float64


def _moved(primals: Sequence[Any], v: Sequence[Any], t: Any) -> list[Any]:
    moved = []
    for p, d in zip(primals, v, strict=True):
        leaves, structure = flatten(p)
        steps = flatten(d)[0]
        moved.append(
            unflatten(structure, [a + _step(t, b) for a, b in zip(leaves, steps, strict=True)])
        )
    return moved


def _step(t: Any, d: Any) -> Any:
    return t * d if isinstance(t, complex) else (t * d).astype(d.dtype)


def _dot(left: Any, right: Any) -> float:
    pairs = zip(flatten(left)[0], flatten(right)[0], strict=True)
    return float(sum(np.real(np.sum(np.conj(a) * b)) for a, b in pairs))


__all__ = ["Comparison", "DerivativeReport", "check_derivatives"]
