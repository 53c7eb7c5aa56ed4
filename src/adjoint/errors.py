"""The exceptions Adjoint raises.

Each class names one thing that a caller may want to catch, and also inherits the built-in
exception that a caller who has never heard of Adjoint would expect.  A message has up to three
parts: what was called, what it needs and what it got; where in the user's file; and a way out
that can be pasted.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import numpy as np


class AdjointError(Exception):
    """Base of every exception of this package.

    >>> from adjoint.errors import AdjointError
    >>> print(AdjointError("f needs a number.", where="at a.py:3:  f(x)", hint="use f(1.0)."))
    f needs a number.
      at a.py:3:  f(x)
      use f(1.0).
    """

    def __init__(self, headline: str, *, where: str = "", hint: str = "") -> None:
        self.headline = headline
        self.where = where
        self.hint = hint
        lines = [headline]
        lines += [f"  {line}" for part in (where, hint) for line in part.splitlines() if line]
        super().__init__("\n".join(lines))


class ArgumentError(AdjointError, TypeError):
    """An argument of a public function has the wrong type or the wrong number of parts."""


class ArgumentValueError(AdjointError, ValueError):
    """An argument has the right type, but a value outside what the function accepts."""


class UnknownNameError(AdjointError, ValueError):
    """A name was given that the function does not know; the nearest known ones are listed."""


class ShapeMismatchError(AdjointError, ValueError):
    """Two shapes that have to fit do not; both are in the message."""


class DtypeError(AdjointError, TypeError):
    """An array has a dtype that cannot be used here."""


class StructureError(AdjointError, TypeError):
    """Two nested containers that have to have the same structure do not."""


class NotScalarError(AdjointError, TypeError):
    """A function whose gradient was asked for returned something other than one number."""


class NotHolomorphicError(AdjointError, TypeError):
    """A complex function was differentiated in a way that only holomorphic functions allow."""


class TracedConversionError(AdjointError, TypeError):
    """A traced value was asked to become a plain number or a plain array."""


class EscapedTracerError(AdjointError, RuntimeError):
    """A traced value is used after the transform that made it has returned."""


class AbstractValueError(AdjointError, TypeError):
    """A branch or an index needs a value that `vmap`, `scan` or another loop maps over."""


class UntraceableFunctionError(AdjointError, NotImplementedError, TypeError):
    """A function that has no rule met a traced value."""


class MissingRuleError(AdjointError, NotImplementedError):
    """A primitive has no rule for the transform that was asked for; the reason is given."""


class UndefinedDerivativeError(AdjointError, ValueError):
    """The derivative does not exist at this point, and no convention gives it a value."""


class ReadOnlyError(AdjointError, ValueError):
    """A write went to a traced view that NumPy would also refuse to write to."""


class ExpressionError(AdjointError, ValueError):
    """A typed expression does not parse, or uses something outside the expression language."""


class DerivativeCheckError(AdjointError, AssertionError):
    """`check_derivatives` found a rule whose numbers differ from differences of the function."""


class SingularOperatorError(AdjointError, np.linalg.LinAlgError):
    """A linear map that has to be inverted has no inverse."""


class ConvergenceError(AdjointError, ArithmeticError):
    """An iteration stopped before it reached what was asked for."""


class InternalError(AdjointError, RuntimeError):
    """A defect in Adjoint itself, found by one of its own checks."""


class UndefinedDerivativeWarning(UserWarning):
    """A derivative was asked for where it is defined by a convention only."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like `name`, best first.

    >>> nearest("sine", ["sin", "cos", "sinh"])
    ['sin', 'sinh']
    """
    return difflib.get_close_matches(name, list(known), n=count, cutoff=0.5)
