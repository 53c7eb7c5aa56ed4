"""The checks that Adjoint uses on itself, for your own functions and primitives."""

from adjoint.testing.derivatives import Comparison, DerivativeReport, check_derivatives
from adjoint.testing.differences import (
    Difference,
    complex_step,
    extrapolated_difference,
    kink,
    one_sided,
)
from adjoint.testing.undefined import warn_undefined

__all__ = [
    "Comparison",
    "DerivativeReport",
    "Difference",
    "check_derivatives",
    "complex_step",
    "extrapolated_difference",
    "kink",
    "one_sided",
    "warn_undefined",
]
