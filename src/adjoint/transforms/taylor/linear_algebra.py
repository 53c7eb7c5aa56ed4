"""Which recurrence of linear algebra belongs to which primitive."""

from __future__ import annotations

from adjoint.transforms.taylor import determinants, equations
from adjoint.transforms.taylor.series import RULES

RULES.update({
    "solve": equations.solve,
    "solve_triangular": equations.solve,
    "inv": lambda node, out, inputs: equations.inverse_of(inputs[0], out),
    "lstsq": equations.least_squares,
    "solve_sylvester": equations.sylvester,
    "solve_discrete_lyapunov": equations.lyapunov,
    "difference_quotient": equations.quotient,
    "pulled_quotient": equations.quotient,
    "matrix_function": equations.matrix_function,
    "det": determinants.determinant,
    "cofactor": determinants.cofactors,
})  # fmt: skip
