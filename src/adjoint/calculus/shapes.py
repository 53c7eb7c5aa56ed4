"""Compositions: the shapes of the Jacobians along them, and of their product.

For f = f_K ∘ … ∘ f₁ the chain rule is J_f = J_K ⋯ J₁.  In numerator layout J_k has the shape
``f_k.shape + input.shape``, so that neighbours fit where one function takes what the other gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from adjoint.calculus.matrices import jacobian
from adjoint.errors import ArgumentError, ShapeMismatchError
from adjoint.graph.arraytype import ArrayType, describe, type_of
from adjoint.graph.binding import adopt
from adjoint.graph.tracing import differentiable, require_callable
from adjoint.printing.tables import Table

_MOST_PROBED = 32


def chain(*functions: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The composition, outermost first as in mathematics: ``chain(f, g, h)(x) = f(g(h(x)))``.

    Plain NumPy on the way; every transform of this package differentiates it.

    Raises
    ------
    ShapeMismatchError: a function cannot take what the one inside it returns; the message names
        both shapes.

    >>> import numpy as np, adjoint as ad
    >>> h = ad.chain(lambda g: 6 * g + 3, lambda x: -2 * x + 5)
    >>> float(ad.derivative(h)(1.0))
    -12.0
    """
    _require_functions(functions, "chain")

    def composed(x: Any) -> Any:
        value = x
        for k in range(len(functions) - 1, -1, -1):
            value = _apply(functions, k, value, "chain")
        return value

    return composed


def dimension_report(*functions: Callable[[Any], Any]) -> Callable[[Any], DimensionReport]:
    """The shape of every Jacobian along a composition, and of their product.

    Parameters
    ----------
    functions: outermost first, as in `chain`; each maps one array (or number) to one.

    Returns
    -------
    A function of x that gives a `DimensionReport`: ``.factors`` with the Jacobian of every
    function at its own argument, ``.product``, and a table when printed.

    Raises
    ------
    ShapeMismatchError: a function cannot take what the one inside it returns; the message names
        both shapes.
    ArgumentError: a function returns a container: its derivative is not one Jacobian.

    Notes
    -----
    Forms every Jacobian: meant for looking, not for training.  `vjp` and `jvp` multiply by the
    factors without forming them.

    >>> import numpy as np, adjoint as ad
    >>> def f(x):
    ...     return x[0] * x[1]
    >>> def inner(p):
    ...     s, t = p
    ...     return np.array([t**2 + 2 * s, 3 * s * t])
    >>> print(ad.dimension_report(f, inner)(np.array([1.0, 2.0])))
    factor   function  takes   gives   Jacobian
    J2       f         f64[2]  f64     1×2
    J1       inner     f64[2]  f64[2]  2×2
    J2 · J1                            1×2
    multiplications: 4 from the left (reverse mode), 4 from the right (forward mode)
    """
    _require_functions(functions, "dimension_report")

    def report(x: Any) -> DimensionReport:
        value = differentiable(x, "dimension_report", "x")
        factors = []
        for k in range(len(functions) - 1, -1, -1):
            before = value
            value = _apply(functions, k, before, "dimension_report")
            factors.append(_factor(functions[k], before, value))
        return DimensionReport(factors[::-1])

    return report


@dataclass(frozen=True)
class Factor:
    """One Jacobian of a composition: of which function, from what to what, and its numbers."""

    function: str
    takes: ArrayType
    gives: ArrayType
    jacobian: Any

    @property
    def shape(self) -> str:
        """Output × input: ``1×2``, ``4×(4×3)``."""
        return _spell(self.gives.shape, self.takes.shape)


class DimensionReport(Table):
    """The Jacobians along a composition, outermost first: made by `dimension_report`."""

    headings = ("factor", "function", "takes", "gives", "Jacobian")

    def __init__(self, factors: list[Factor]) -> None:
        self.factors = factors

    @property
    def product(self) -> Any:
        """J_K ⋯ J₁, the derivative of the composition, of shape ``f.shape + x.shape``."""
        found = self.factors[-1].jacobian
        for factor in self.factors[-2::-1]:
            found = np.tensordot(factor.jacobian, found, axes=len(factor.takes.shape))
        return found[()] if isinstance(found, np.ndarray) else found

    @property
    def shape(self) -> str:
        """The shape of the product, output × input."""
        return _spell(self.factors[0].gives.shape, self.factors[-1].takes.shape)

    @property
    def multiplications(self) -> dict[str, int]:
        """What the product costs from the left (reverse mode) and from the right (forward)."""
        sizes = [f.gives.size for f in self.factors] + [self.factors[-1].takes.size]
        inner = range(1, len(sizes) - 1)
        return {
            "reverse": sum(sizes[0] * sizes[k] * sizes[k + 1] for k in inner),
            "forward": sum(sizes[k - 1] * sizes[k] * sizes[-1] for k in inner),
        }

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table as text: a row per factor, and one for the product."""
        names = [f"J{k}" for k in range(len(self.factors), 0, -1)]
        rows: list[tuple[str, ...]] = [
            (name, f.function, str(f.takes), str(f.gives), f.shape)
            for name, f in zip(names, self.factors, strict=True)
        ]
        return [*rows, (" · ".join(names), "", "", "", self.shape)] if len(names) > 1 else rows

    @property
    def remark(self) -> str:
        if len(self.factors) == 1:
            return ""
        cost = self.multiplications
        return (
            f"multiplications: {cost['reverse']} from the left (reverse mode), "
            f"{cost['forward']} from the right (forward mode)"
        )


def _spell(output: tuple[int, ...], inputs: tuple[int, ...]) -> str:
    return f"{_axes(output)}×{_axes(inputs)}"


def _axes(shape: tuple[int, ...]) -> str:
    return f"({'×'.join(map(str, shape))})" if len(shape) > 1 else str(shape[0] if shape else 1)


def _require_functions(functions: tuple[Any, ...], called: str) -> None:
    if not functions:
        raise ArgumentError(
            f"{called} needs at least one function; got none.", hint=f"{called}(f, g), for f ∘ g."
        )
    for f in functions:
        require_callable(f, f"{called}(f, g)")


def _name(function: Callable[[Any], Any]) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "λ" if name == "<lambda>" else str(name)


def _placed(functions: tuple[Callable[[Any], Any], ...], k: int) -> str:
    """The name of a function; a λ has none, and is told from the others by its Jacobian."""
    name = _name(functions[k])
    return f"the λ of J{len(functions) - k}" if name == "λ" else name


def _factor(function: Callable[[Any], Any], before: Any, value: Any) -> Factor:
    if isinstance(value, tuple | list | dict) or value is None:
        raise ArgumentError(
            f"dimension_report needs functions that return one array; {_name(function)} returned "
            f"{describe(value)}.",
            hint="join the parts: np.concatenate([...]), or np.array([...]) of numbers.",
        )
    return Factor(_name(function), _type(before), _type(value), jacobian(function)(before))


def _type(value: Any) -> ArrayType:
    return type_of(value) if not hasattr(value, "shape") else ArrayType(value.shape, value.dtype)


def _apply(functions: tuple[Callable[[Any], Any], ...], k: int, value: Any, called: str) -> Any:
    """One function of a composition; an error about shapes says which two do not fit."""
    try:
        found = functions[k](value)
    except (ValueError, IndexError, TypeError) as error:
        wanted = _accepted(functions[k], np.shape(value))
        if wanted is None:
            raise
        name, innermost = _placed(functions, k), k == len(functions) - 1
        raise ShapeMismatchError(
            f"{called}: {name} takes {ArrayType(wanted, np.dtype(np.float64))}, but "
            f"{'x is' if innermost else f'{_placed(functions, k + 1)} returns'} {describe(value)}: "
            f"inner dimensions {_axes(wanted)} and {_axes(np.shape(value))}.",
            hint=f"{name} itself says: {str(error).splitlines()[0]}",
        ) from error
    return adopt(found) if isinstance(found, np.ndarray) and found.dtype.hasobject else found


def _accepted(function: Callable[[Any], Any], got: tuple[int, ...]) -> tuple[int, ...] | None:
    """The first shape near the one given that a function takes, if it does not take that one."""
    if _takes(function, got):
        return None  # the error was about the values
    return next((s for s in _nearby(got) if _takes(function, s)), None)


def _nearby(got: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The transpose, other sizes of each axis, and other numbers of axes."""
    yield got[::-1]
    for axis in range(len(got) - 1, -1, -1):
        sizes = sorted(range(1, _MOST_PROBED + 1), key=lambda n: abs(n - got[axis]))
        yield from ((*got[:axis], n, *got[axis + 1 :]) for n in sizes)
    yield ()
    for n in range(1, _MOST_PROBED + 1):
        yield (n,)
    for n in range(1, _MOST_PROBED + 1):
        yield (n, n)


def _takes(function: Callable[[Any], Any], shape: tuple[int, ...]) -> bool:
    try:
        with np.errstate(all="ignore"):
            function(np.full(shape, 0.5)[()])
    except Exception:
        return False
    return True


__all__ = ["DimensionReport", "Factor", "chain", "dimension_report"]
