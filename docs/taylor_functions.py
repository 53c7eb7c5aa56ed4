"""Write the table of Taylor mode:  python docs/taylor_functions.py

Forty-nine common functions, each expanded at a point and held against a witness: scalar functions
against mpmath to order 12, functions of arrays against forward mode nested four times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from scipy import special

import adjoint as ad
from adjoint.calculus.products import Traced
from adjoint.graph.arraytype import describe
from adjoint.graph.ir import reachable
from adjoint.scipy.special import logsumexp
from adjoint.transforms.taylor.series import rule_of

TARGET = Path(__file__).with_suffix(".md")
SCALAR_ORDER, ARRAY_ORDER = 12, 4

HEAD = """\
# Taylor mode: forty-nine common functions

Each row is computed when this page is made: {scalars} scalar functions agree with mpmath to order
{scalar_order} within 10⁻¹² of the largest term so far, {arrays} functions of arrays with forward
mode nested {array_order} times within 10⁻⁹. All {total} hold.

*Series by* says where the coefficients come from: a recurrence of the function's own, the series of
its parts, or its first-order rule run on series, which every primitive has.

| function | at | checked against | order | series by |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """A function of one argument, where it is expanded, and mpmath's function if it is scalar."""

    name: str
    f: Callable[[Any], Any]
    x: Any
    witness: Callable[[Any], Any] | None = None

    @property
    def order(self) -> int:
        """The order to which it is checked."""
        return ARRAY_ORDER if self.witness is None else SCALAR_ORDER

    def coefficients(self) -> list[Any]:
        """Along the line x + t v: the coefficients of order 0 … n."""
        v = direction(self.x)
        value, terms = ad.jet(self.f, (self.x,), ([v] + [0.0 * v] * (self.order - 1),))
        scale = np.cumprod([1.0, *range(1, self.order + 1)])
        return [np.asarray(c) / s for c, s in zip([value, *terms], scale, strict=True)]

    def expected(self) -> list[Any]:
        """The same from the witness."""
        if self.witness is not None:
            with mpmath.workdps(60):
                return [float(c) for c in mpmath.taylor(self.witness, float(self.x), self.order)]
        scale = np.cumprod([1.0, *range(1, self.order + 1)])
        return [np.asarray(nested(self, k)(0.0)) / s for k, s in enumerate(scale)]

    def error(self) -> float:
        """The largest error of a coefficient, relative to the largest coefficient up to it."""
        worst, size = 0.0, 0.0
        for got, wanted in zip(self.coefficients(), self.expected(), strict=True):
            size = max(size, float(np.max(np.abs(wanted))))
            worst = max(worst, float(np.max(np.abs(got - wanted))) / size)
        return worst

    def series_by(self) -> str:
        """Where the coefficients come from."""
        traced = Traced(self.f, (self.x,), "jet")
        traced.scope.close()
        nodes = reachable(traced.outputs.nodes, traced.scope)
        primitives = [n.primitive for n in nodes if n.primitive.name not in ("variable",)]
        special_ones = [p for p in primitives if not p.linear and not p.flat
                        and p.name != "projection"]  # fmt: skip
        if all(rule_of(p.name) for p in special_ones):
            return "recurrence" if len(primitives) <= 2 else "its parts"
        return "first-order rule"


def direction(x: Any) -> Any:
    """1 for a number, else a fixed array."""
    if not np.ndim(x):
        return 1.0
    v = np.cos(np.arange(1.0, np.size(x) + 1)).reshape(np.shape(x))
    return (v + v.T) / 2 if v.ndim == 2 and v.shape[0] == v.shape[1] else v


def nested(row: Row, k: int) -> Callable[[float], Any]:
    """The k-th derivative along the line by forward mode of forward mode."""
    if k == 0:
        return lambda t: row.f(row.x + t * direction(row.x))
    return lambda t: ad.jvp(nested(row, k - 1), (t,), (1.0,))[1]


VECTOR = np.array([0.7, -1.2, 0.4])
MATRIX = np.array([[2.0, 0.3, -0.4], [0.3, 1.7, 0.5], [-0.4, 0.5, 2.4]])
FACTOR = np.array([[1.0, 0.2], [-0.5, 1.3], [0.7, -0.9]])


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _projector(a: Any) -> Any:
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    return u @ np.diag(np.sqrt(s)) @ vh


ROWS = [
    Row("exp", np.exp, 0.7, mpmath.exp),
    Row("expm1", np.expm1, 0.3, mpmath.expm1),
    Row("log", np.log, 1.4, mpmath.log),
    Row("log1p", np.log1p, 0.6, mpmath.log1p),
    Row("sin", np.sin, 0.7, mpmath.sin),
    Row("cos", np.cos, 0.7, mpmath.cos),
    Row("tan", np.tan, 0.7, mpmath.tan),
    Row("arcsin", np.arcsin, 0.3, mpmath.asin),
    Row("arccos", np.arccos, 0.3, mpmath.acos),
    Row("arctan", np.arctan, 0.7, mpmath.atan),
    Row("sinh", np.sinh, 0.7, mpmath.sinh),
    Row("cosh", np.cosh, 0.7, mpmath.cosh),
    Row("tanh", np.tanh, 0.7, mpmath.tanh),
    Row("arcsinh", np.arcsinh, 0.7, mpmath.asinh),
    Row("arccosh", np.arccosh, 1.9, mpmath.acosh),
    Row("arctanh", np.arctanh, 0.3, mpmath.atanh),
    Row("sqrt", np.sqrt, 1.4, mpmath.sqrt),
    Row("cbrt", np.cbrt, 1.4, mpmath.cbrt),
    Row("square", np.square, 1.4, lambda x: x**2),
    Row("reciprocal", np.reciprocal, 1.4, lambda x: 1 / x),
    Row("power", lambda x: x**2.5, 1.4, lambda x: x ** mpmath.mpf(2.5)),
    Row("divide", lambda x: x / (1 + x**2), 0.7, lambda x: x / (1 + x**2)),
    Row("abs", np.abs, -1.4, lambda x: -x),
    Row("maximum", lambda x: np.maximum(x**3, x), 1.4, lambda x: x**3),
    Row("minimum", lambda x: np.minimum(x**3, x), 0.4, lambda x: x**3),
    Row("clip", lambda x: np.clip(np.sin(x), -0.9, 0.9), 0.4, mpmath.sin),
    Row("where", lambda x: np.where(x > 0, np.sin(x), x), 0.4, mpmath.sin),
    Row("sigmoid", _sigmoid, 0.7, lambda x: 1 / (1 + mpmath.exp(-x))),
    Row("softplus", lambda x: np.logaddexp(0.0, x), 0.7, lambda x: mpmath.log(1 + mpmath.exp(x))),
    Row("sinc", np.sinc, 0.0, lambda x: mpmath.sincpi(x)),
    Row("arctan2", lambda x: np.arctan2(x, 1 + x**2), 0.7, lambda x: mpmath.atan(x / (1 + x**2))),
    Row("erf", special.erf, 0.7, mpmath.erf),
    Row("gammaln", special.gammaln, 2.4, mpmath.loggamma),
    Row("sum", lambda x: np.sum(np.sin(x)), VECTOR),
    Row("prod", np.prod, VECTOR),
    Row("cumsum", lambda x: np.cumsum(np.exp(x)), VECTOR),
    Row("max", lambda x: np.max(x**3), VECTOR),
    Row("sort", lambda x: np.sort(x) ** 3, VECTOR),
    Row("norm", np.linalg.norm, VECTOR),
    Row("logsumexp", logsumexp, VECTOR),
    Row("dot", lambda x: np.dot(x, np.sin(x)), VECTOR),
    Row("matmul", lambda a: a @ np.cos(a), MATRIX),
    Row("einsum", lambda a: np.einsum("ij,jk,ki->i", a, a, np.sin(a)), MATRIX),
    Row("solve", lambda a: np.linalg.solve(a, a[0] ** 2), MATRIX),
    Row("inv", np.linalg.inv, MATRIX),
    Row("det", np.linalg.det, MATRIX),
    Row("cholesky", np.linalg.cholesky, MATRIX),
    Row("eigh", lambda a: np.linalg.eigh(a)[0], MATRIX),
    Row("svd", _projector, FACTOR),
]


def lines() -> Iterator[str]:
    """The rows of the table; a row that does not hold raises."""
    for row in ROWS:
        allowed = 1e-9 if row.witness is None else 1e-12
        error = row.error()
        if not error <= allowed:
            raise AssertionError(f"{row.name}: its series is off by {error:.1e}")
        witness = "nested forward mode" if row.witness is None else "mpmath"
        place = describe(row.x) if np.shape(row.x) else f"{row.x:g}"
        yield f"| `{row.name}` | {place} | {witness} | {row.order} | {row.series_by()} |"


def page() -> str:
    """The whole page."""
    scalars = sum(row.witness is not None for row in ROWS)
    head = HEAD.format(
        scalars=scalars, arrays=len(ROWS) - scalars, total=len(ROWS), scalar_order=SCALAR_ORDER,
        array_order=ARRAY_ORDER,
    )  # fmt: skip
    return head + "\n".join(lines()) + "\n"


def main() -> None:
    """Write the table beside this script."""
    TARGET.write_text(page(), "utf-8")
    print(TARGET)


if __name__ == "__main__":
    main()
