"""Which primitive answers a ufunc of `scipy.special` that meets a traced value.

The tables are asked when a ufunc arrives that nothing else answers.  Only who has imported
scipy.special can call one of its ufuncs, so nothing is imported for code that uses NumPy alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.errors import DtypeError
from adjoint.graph import registry
from adjoint.graph.binding import adopt
from adjoint.graph.sites import here
from adjoint.primitives import elementwise

from .function import SpecialFunction, is_complex
from .row import Kernel, SpecialRow
from .tables import load_rows
from .without import WITHOUT_DERIVATIVE

Handler = Callable[..., Any]

SAME_AS_NUMPY: dict[str, np.ufunc] = {
    "log1p": np.log1p, "expm1": np.expm1, "exp2": np.exp2, "cbrt": np.cbrt, "round": np.rint,
}  # fmt: skip
"""Functions that NumPy has too: its primitives have native code and recognise patterns."""


def find_special(ufunc: np.ufunc) -> Handler | None:
    """The handler of a ufunc of `scipy.special`, or None for any other."""
    if "scipy.special" not in sys.modules:
        return None
    name = ufunc.__name__
    row = load_rows().get(name)
    if row is not None:
        return _handler(row) if row.ufunc() is ufunc else None
    reason = WITHOUT_DERIVATIVE.get(name)
    if reason is None or getattr(sys.modules["scipy.special"], name) is not ufunc:
        return None
    return _without_derivative(ufunc, reason)


def _handler(row: SpecialRow) -> Handler:
    numpy_ufunc = SAME_AS_NUMPY.get(row.name)
    if numpy_ufunc is not None:
        return registry.UFUNCS[numpy_ufunc]
    if row.name == "expit":
        return logistic
    if row.components:
        return _tuple_of(tuple(kernel.primitive for kernel in row.components))
    return row.primitive


def logistic(x: Any) -> Any:
    """``scipy.special.expit``, which takes real operands only."""
    x = adopt(x)
    if is_complex(x):
        raise DtypeError(
            f"scipy.special.expit needs real operands; it got {np.result_type(x)}.", where=here(),
            hint="write 1 / (1 + np.exp(-z)) for a complex z.",
        )  # fmt: skip
    return elementwise.expit(x)


def _tuple_of(components: tuple[SpecialFunction, ...]) -> Handler:
    """The handler of a ufunc with several results: each is a function of its own."""

    def handler(*operands: Any) -> tuple[Any, ...]:
        return tuple(component(*operands) for component in components)

    return handler


def _without_derivative(ufunc: np.ufunc, reason: str) -> Handler:
    """Values as everywhere; the reason is quoted when a derivative is needed."""
    reasons = (reason,) * ufunc.nin
    domain = ((1.0, 1.0),) * ufunc.nin
    if ufunc.nout == 1:
        return registry.register(SpecialFunction(ufunc, ufunc.__name__, reasons, domain))

    def component(index: int) -> SpecialFunction:
        name = f"{ufunc.__name__}_{index}"
        return Kernel(name, lambda *z: ufunc(*z)[index], reasons, domain).primitive

    return _tuple_of(tuple(map(component, range(ufunc.nout))))


registry.LAZY_UFUNCS.append(find_special)
