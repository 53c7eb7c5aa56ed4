"""The derivative as a linear map: `StructuredOperator`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from adjoint.errors import ArgumentError, DtypeError, ShapeMismatchError
from adjoint.graph.arraytype import describe
from adjoint.operators.parts import MAX_BYTES, Values, diagonal_of, require_room, summands
from adjoint.operators.products import Products
from adjoint.operators.solutions import Solution, solution_of
from adjoint.simplify.einstein import add, product
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import Expr


class StructuredOperator(LinearOperator):  # type: ignore[misc]
    """A derivative of shape outputs + inputs as a linear map, in the structure of its formula.

    Made by `Formula.operator`.  A SciPy ``LinearOperator`` of shape (number of outputs, number of
    inputs): vectors are outputs and inputs flattened as ``ravel()`` does it, last axis fastest.
    ``A @ x`` also takes x in the shape of the argument and then answers in the shape of the
    output.

    Attributes
    ----------
    output_shape, input_shape: the shapes that the derivative has, one after the other.
    T: the transpose, as structured.
    solver: in words, how `solve` works.

    Notes
    -----
    A product contracts the vector into the factors in the cheapest order, so it costs what one
    would write by hand: for 2(VᵀV) ⊗ I, which maps an n×k matrix W to 2W(VᵀV), that is O(nk²).
    ``str`` of it is the formula, with the sizes of identities; ⊗ there means columns stacked, as in
    `formula`.

    >>> import numpy as np, adjoint as ad
    >>> def loss(U, V, T):
    ...     return np.sum((T - U @ V.T) ** 2)
    >>> H = ad.formula(ad.hessian(loss), U="n k", V="m k", T="n m").operator(
    ...     U=np.ones((10000, 2)), V=np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    ... )
    >>> print(H)
    2(VᵀV) ⊗ I₁₀₀₀₀
    >>> H.shape, (H @ np.ones((10000, 2)))[0].tolist()
    ((20000, 20000), [6.0, 6.0])
    >>> H.solve(np.ones((10000, 2)))[0].round(3).tolist(), H.trace()
    ([0.167, 0.167], 80000.0)
    >>> H.solver
    'identity of size 10000 ⊗ Cholesky of f64[2,2]'
    """

    def __init__(
        self, derivative: Expr, outs: int, values: Values, text: Callable[[Expr], str]
    ) -> None:
        self.output_shape = derivative.shape[:outs]
        self.input_shape = derivative.shape[outs:]
        self._derivative, self._values, self._text = derivative, values, text
        self._terms = summands(derivative)
        super().__init__(
            np.dtype(np.float64), (math.prod(self.output_shape), math.prod(self.input_shape))
        )

    def __str__(self) -> str:
        return self._text(self._derivative)

    def __repr__(self) -> str:
        shapes = [",".join(map(str, s)) for s in (self.input_shape, self.output_shape)]
        return f"<StructuredOperator f64[{shapes[0]}] → f64[{shapes[1]}]: {self}>"

    # -- products ---------------------------------------------------------------------------

    @cached_property
    def _products(self) -> Products:
        outs = len(self.output_shape)
        return Products(self._terms, self._derivative.shape, outs, self._values)

    def _matvec(self, x: Any) -> Any:
        return self._products(_real(x).reshape(self.input_shape)).reshape(-1)

    def _matmat(self, x: Any) -> Any:
        found = self._products(_real(x).reshape(*self.input_shape, x.shape[-1]))
        return found.reshape(self.shape[0], x.shape[-1])

    def _rmatvec(self, x: Any) -> Any:
        return self.T._matvec(x)

    def _rmatmat(self, x: Any) -> Any:
        return self.T._matmat(x)

    def __matmul__(self, x: Any) -> Any:
        if not isinstance(x, LinearOperator) and np.shape(x) == self.input_shape:
            return self._products(_real(x))
        if not isinstance(x, LinearOperator):
            self._require_vectors(x, self.input_shape, "A @ x")
        return super().__matmul__(x)

    def _require_vectors(self, x: Any, shape: tuple[int, ...], what: str) -> None:
        shown = ",".join(map(str, shape))
        if np.ndim(x) not in (1, 2) or np.shape(x)[0] != math.prod(shape):
            raise ShapeMismatchError(
                f"{what} needs f64[{shown}], or vectors of length {math.prod(shape)}; "
                f"got {describe(np.asarray(x))}."
            )

    # -- solving ----------------------------------------------------------------------------

    @cached_property
    def _solution(self) -> Solution:
        if self.shape[0] != self.shape[1]:
            raise ShapeMismatchError(
                f"solve needs a square operator; this one has shape {self.shape}: "
                f"from {self.input_shape} to {self.output_shape}.",
                hint="for the smallest x that fits best: scipy.sparse.linalg.lsmr(A, b).",
            )
        return solution_of(self._terms, self._derivative.shape, len(self.output_shape),
                           self._values)  # fmt: skip

    @property
    def solver(self) -> str:
        """How `solve` works: one solver for each Kronecker factor."""
        return str(self._solution)

    def solve(self, b: Any, *, rtol: float = 1e-10, max_steps: int | None = None) -> Any:
        """The x with A x = b, in the shape of the input where b has that of the output.

        b may also be flat, or a matrix of flat columns.  Kronecker factors are solved one by one:
        identities and diagonals by division, small factors by Cholesky where they are positive
        definite, else by LU; a diagonal plus low rank by Woodbury's formula.  What is too large to
        be formed (more than 1 GiB) is solved by conjugate gradients if it is symmetric, else by
        GMRES, to a relative residual of ``rtol`` in at most ``max_steps`` steps; the other solvers
        need neither.

        Raises
        ------
        SingularOperatorError: A has no inverse, or none that rounding leaves meaningful.
        ConvergenceError: an iterative solver did not reach ``rtol``.
        ShapeMismatchError: A is not square, or b does not fit.
        """
        solution, b = self._solution, _real(b)
        if b.shape == self.output_shape:
            return solution(b[..., None], rtol, max_steps)[..., 0]
        self._require_vectors(b, self.output_shape, "solve(b)")
        columns = b.reshape(*self.output_shape, -1)
        return solution(columns, rtol, max_steps).reshape(b.shape)

    def logdet(self) -> float:
        """log |det A|, from the factorisations that `solve` uses."""
        return self._solution.logdet()

    # -- numbers and arrays -----------------------------------------------------------------

    def trace(self) -> float:
        """Σ Aᵢᵢ, as a contraction of the factors."""
        return float(self._along((), "trace"))

    def diagonal(self) -> Any:
        """The entries Aᵢᵢ in the shape of the output, as a contraction of the factors."""
        return self._along(tuple(range(len(self.output_shape))), "diagonal")

    def _along(self, kept: Sequence[int], what: str) -> Any:
        if self.output_shape != self.input_shape:
            raise ShapeMismatchError(
                f"{what}() needs outputs and inputs of one shape; they have "
                f"{self.output_shape} and {self.input_shape}."
            )
        outs = len(self.output_shape)
        pairs = [(k, k) for k in range(outs)]
        found = [self._values(diagonal_of(e, pairs, kept, outs)) for e in self._terms]
        return np.array(np.broadcast_to(sum(found), tuple(self.output_shape[k] for k in kept)))

    def tensor(self, max_bytes: int = MAX_BYTES) -> Any:
        """The whole derivative, of shape ``output_shape + input_shape``.

        Raises
        ------
        ArgumentValueError: it has more than ``max_bytes``; the message says how many.
        """
        require_room(self._derivative.shape, "the tensor", max_bytes)
        total = sum(self._values(e) for e in self._terms)
        return np.array(np.broadcast_to(total, self._derivative.shape), dtype=np.float64)

    def to_dense(self, max_bytes: int = MAX_BYTES) -> Any:
        """The whole derivative as a matrix, of shape ``shape``."""
        return self.tensor(max_bytes).reshape(self.shape)

    # -- transposes -------------------------------------------------------------------------

    @cached_property
    def _flipped(self) -> StructuredOperator:
        outs, e = len(self.output_shape), self._derivative
        labels = tuple(range(e.rank))
        turned = labels[outs:] + labels[:outs]
        sizes = dict(zip(labels, e.shape, strict=True))
        flipped = [product(ONE, [(t, labels)], turned, sizes) for t in summands(e)]
        found = add(flipped)
        if found is e and 2 * outs == e.rank:
            return self
        return StructuredOperator(found, e.rank - outs, self._values, self._text)

    def _transpose(self) -> StructuredOperator:
        return self._flipped

    def _adjoint(self) -> StructuredOperator:
        return self._flipped

    @property
    def symmetric(self) -> bool:
        """Whether the formula shows that A is its own transpose."""
        return self._flipped is self


def _real(x: Any) -> Any:
    """An array of real numbers as float64."""
    found = np.asarray(x)
    if found.dtype.kind not in "fiub":
        if found.dtype.kind == "c":
            raise DtypeError(
                f"a derivative of a real function maps real arrays; got {describe(found)}.",
                hint="apply it to x.real and x.imag.",
            )
        raise ArgumentError(f"a derivative maps arrays of numbers; got {describe(x)}.")
    return found.astype(np.float64, copy=False)


__all__ = ["StructuredOperator"]
