"""Inverses of one Kronecker factor: by its diagonal, its blocks, its rank, or by iteration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg
from scipy.linalg import lapack
from scipy.sparse.linalg import LinearOperator, cg, gmres

from adjoint.errors import ArgumentValueError, ConvergenceError, SingularOperatorError
from adjoint.operators.low_rank import LowRank, low_rank
from adjoint.operators.parts import MAX_BYTES, Values, diagonal_of, ties
from adjoint.operators.products import Products
from adjoint.simplify.einstein import add
from adjoint.simplify.expression import Expr

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Block:
    """A square linear map: a sum of terms over output axes, then input axes.

    Where all terms have a delta between an output and an input axis, the map is block-diagonal: one
    block for each index of these tied axes.
    """

    output: tuple[int, ...]
    input: tuple[int, ...]
    terms: tuple[Expr, ...]
    values: Values

    @property
    def size(self) -> int:
        return math.prod(self.output)

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """The axes that are tied in all terms."""
        outs = len(self.output)
        return sorted(set.intersection(*(ties(e, outs) for e in self.terms)))

    @cached_property
    def free(self) -> tuple[list[int], list[int]]:
        """The other axes; those of the inputs in the order of the outputs, where one can tell."""
        outs = [a for a in range(len(self.output)) if a not in [p[0] for p in self.pairs]]
        ins = [b for b in range(len(self.input)) if b not in [p[1] for p in self.pairs]]
        for e in self.terms:
            order = dict(ties(e, len(self.output)))
            if all(a in order for a in outs):
                return outs, [order[a] for a in outs]
        return outs, ins

    @cached_property
    def counts(self) -> tuple[int, int]:
        """How many blocks there are, and their size."""
        blocks = math.prod(self.output[a] for a, _ in self.pairs)
        return blocks, self.size // max(blocks, 1)

    def array(self) -> Any:
        """The blocks, of shape (blocks, size, size)."""
        outs, ins = self.free
        order = [a for a, _ in self.pairs] + outs + [len(self.output) + b for b in ins]
        total = sum(
            self.values(diagonal_of(e, self.pairs, order, len(self.output))) for e in self.terms
        )
        blocks, n = self.counts
        sizes = [*self.output, *self.input]
        return np.broadcast_to(total, [sizes[k] for k in order]).reshape(blocks, n, n)

    def inward(self, b: Any) -> Any:
        """Flat outputs, several as columns, as (blocks, size, columns)."""
        outs = self.free[0]
        order = [a for a, _ in self.pairs] + outs
        cube = b.reshape(*self.output, b.shape[1]).transpose(*order, len(order))
        return cube.reshape(*self.counts, b.shape[1])

    def outward(self, x: Any) -> Any:
        """Blocks of the solution as flat inputs."""
        order = [b for _, b in self.pairs] + self.free[1]
        cube = x.reshape(*(self.input[k] for k in order), x.shape[2])
        return cube.transpose(*np.argsort(order), len(order)).reshape(self.size, x.shape[2])


class Inverse:
    """Base: b ↦ A⁻¹ b for a block; b is flat, several as columns."""

    def __init__(self, block: Block) -> None:
        self.block, self.size = block, block.size

    def solve(self, b: Any, rtol: float, max_steps: int | None) -> Any:
        return self.block.outward(self.solved(self.block.inward(b)))

    def solved(self, b: Any) -> Any:
        """The same for (blocks, size, columns)."""
        raise NotImplementedError

    def logdet(self) -> float:
        """log |det A|."""
        raise NotImplementedError


class Division(Inverse):
    """A diagonal, or a multiple of the identity."""

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self.diagonal = block.array()[:, 0, 0]
        bad = np.flatnonzero(~(np.abs(self.diagonal) > 0))
        if len(bad):
            raise singular(f"entry {bad[0]} of its diagonal is {self.diagonal[bad[0]]}")

    def solved(self, b: Any) -> Any:
        return b / self.diagonal[:, None, None]

    def logdet(self) -> float:
        return float(np.sum(np.log(np.abs(self.diagonal))))

    def __str__(self) -> str:
        same = bool(np.all(self.diagonal == self.diagonal[:1]))
        name = "identity" if same and np.all(self.diagonal == 1) else "diagonal"
        return f"{name} of size {self.size}"


class Dense(Inverse):
    """One block as an array: Cholesky where it is positive definite, else LU."""

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        a = np.array(block.array()[0])
        if not np.all(np.isfinite(a)):
            raise singular("it has entries that are not finite")
        norm = float(np.max(np.sum(np.abs(a), axis=0), initial=0.0))
        self.positive = is_symmetric(a)
        if self.positive:
            self.factor, info = lapack.dpotrf(a, lower=1)
            self.positive = info == 0
        if self.positive:
            rcond = lapack.dpocon(self.factor, norm, uplo="L")[0]
        else:
            self.factor, self.pivots, info = lapack.dgetrf(a)
            rcond = 0.0 if info else lapack.dgecon(self.factor, norm)[0]
        if not rcond > self.size * EPS:
            raise singular(f"1 / its condition number is {rcond:.1e}")

    def solved(self, b: Any) -> Any:
        if self.positive:
            found = scipy.linalg.cho_solve((self.factor, True), b[0], check_finite=False)
        else:
            pair = (self.factor, self.pivots)
            found = scipy.linalg.lu_solve(pair, b[0], check_finite=False)
        return found[None]

    def logdet(self) -> float:
        total = float(np.sum(np.log(np.abs(np.diagonal(self.factor)))))
        return 2 * total if self.positive else total

    def __str__(self) -> str:
        method = "Cholesky" if self.positive else "LU"
        return f"{method} of f64[{self.size},{self.size}]"


class Stack(Inverse):
    """Many small blocks: A = U S Vᵀ for all of them at once."""

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        a = block.array()
        if not np.all(np.isfinite(a)):
            raise singular("it has entries that are not finite")
        self.u, self.s, self.vt = np.linalg.svd(a)
        bad = np.flatnonzero(~(self.s[:, -1] > a.shape[1] * EPS * self.s[:, 0]))
        if len(bad):
            first, last = self.s[bad[0], 0], self.s[bad[0], -1]
            raise singular(f"block {bad[0]} has singular values from {first:.1e} to {last:.1e}")

    def solved(self, b: Any) -> Any:
        inner = np.matmul(self.u.transpose(0, 2, 1), b) / self.s[:, :, None]
        return np.matmul(self.vt.transpose(0, 2, 1), inner)

    def logdet(self) -> float:
        return float(np.sum(np.log(self.s)))

    def __str__(self) -> str:
        blocks, n, _ = self.u.shape
        return f"SVD of {blocks} blocks f64[{n},{n}]"


class Woodbury(Inverse):
    """D + L R, with a diagonal D and few columns in L (Woodbury, *Memorandum Report* 42, 1950):
    A⁻¹ = D⁻¹ − D⁻¹L (I + R D⁻¹L)⁻¹ R D⁻¹, in O(n r) a right side, after O(n r²)."""

    def __init__(self, block: Block, found: LowRank) -> None:
        super().__init__(block)
        self.diagonal, self.right = found.diagonal, found.right
        self.scaled = found.left / self.diagonal[:, None]
        small = self.right @ self.scaled
        self.inner = np.eye(len(small)) + small
        sizes = np.linalg.svd(self.inner, compute_uv=False)
        if not sizes[-1] > self.size * EPS * max(1.0, float(np.max(np.abs(small)))):
            raise singular(
                f"the {len(small)}×{len(small)} matrix of Woodbury's formula has a smallest "
                f"singular value of {sizes[-1]:.1e}"
            )
        self.factor = scipy.linalg.lu_factor(self.inner, check_finite=False)

    def _once(self, b: Any) -> Any:
        first = b / self.diagonal[:, None]
        return first - self.scaled @ scipy.linalg.lu_solve(self.factor, self.right @ first)

    def solved(self, b: Any) -> Any:
        x = self._once(b[0])
        # One step of refinement: cancellation between D and L R is undone.
        left = self.diagonal[:, None] * self.scaled
        x = x + self._once(b[0] - self.diagonal[:, None] * x - left @ (self.right @ x))
        return x[None]

    def logdet(self) -> float:
        inner = np.linalg.slogdet(self.inner)[1]
        return float(np.sum(np.log(np.abs(self.diagonal))) + inner)

    def __str__(self) -> str:
        return f"Woodbury: diagonal of size {self.size} and rank {len(self.inner)}"


class Iteration(Inverse):
    """Conjugate gradients for a symmetric block, GMRES for another: products only."""

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        outs = len(block.output)
        self.products = Products(block.terms, block.output + block.input, outs, block.values)
        order = [*range(outs, outs + len(block.input)), *range(outs)]
        total = add(block.terms)
        flipped = add([diagonal_of(e, (), order, outs) for e in block.terms])
        self.symmetric = block.output == block.input and flipped is total
        self.precondition: Any = None
        if self.symmetric:
            pairs = [(k, k) for k in range(outs)]
            entries = [diagonal_of(e, pairs, range(outs), outs) for e in block.terms]
            d = np.broadcast_to(sum(map(block.values, entries)), block.output).reshape(-1)
            if np.all(d > 0):
                self.precondition = LinearOperator((self.size,) * 2, lambda r: r.ravel() / d)

    def solve(self, b: Any, rtol: float, max_steps: int | None) -> Any:
        columns = [self._column(b[:, k], rtol, max_steps) for k in range(b.shape[1])]
        return np.stack(columns, axis=1) if columns else np.zeros_like(b)

    def _matvec(self, x: Any) -> Any:
        return self.products(x.reshape(self.block.input)).reshape(-1)

    def _column(self, b: Any, rtol: float, max_steps: int | None) -> Any:
        a = LinearOperator((self.size,) * 2, self._matvec, dtype=np.float64)
        steps: list[None] = []
        options: dict[str, Any] = {"rtol": rtol, "atol": 0.0, "M": self.precondition}
        limit = 10 * min(self.size, 1000) if max_steps is None else max_steps
        if self.symmetric:
            x, _ = cg(a, b, maxiter=limit, callback=lambda _: steps.append(None), **options)
        else:
            restart = min(50, self.size, limit)
            x, _ = gmres(
                a, b, maxiter=-(-limit // restart), restart=restart,
                callback=lambda _: steps.append(None), callback_type="pr_norm", **options,
            )  # fmt: skip
        wanted = float(np.linalg.norm(b))
        reached = float(np.linalg.norm(b - self._matvec(x))) / (wanted or 1.0)
        # The residual of the recurrence and the true one part by rounding: a factor of ten.
        if not reached <= 10 * rtol:
            raise ConvergenceError(
                f"solve(b) stopped at a relative residual of {reached:.1e} after {len(steps)} "
                f"steps of {self.name}; {rtol:.1e} was asked for.",
                hint="allow more steps: solve(b, max_steps=...), or ask for less: solve(b, "
                "rtol=1e-6).",
            )
        return x

    @property
    def name(self) -> str:
        return "conjugate gradients" if self.symmetric else "GMRES"

    def logdet(self) -> float:
        raise ArgumentValueError(
            f"logdet() needs a factorisation; this factor of size {self.size} is too large to be "
            f"formed and is solved by {self.name}.",
            hint="estimate it from products, by stochastic Lanczos quadrature.",
        )

    def __str__(self) -> str:
        return f"{self.name} on products of size {self.size}"


def inverse_of(block: Block) -> Inverse:
    """The inverse that the structure of a block allows."""
    blocks, n = block.counts
    if n <= 1:
        return Division(block)
    if blocks == 1:
        found = low_rank(block.terms, block.output, block.free[1], block.values)
        if found is not None and found.diagonal is None:
            raise singular(f"it is of size {block.size} and rank at most {len(found.right)}")
        if found is not None and np.all(np.abs(found.diagonal) > 0):
            return Woodbury(block, found)
    if 8 * blocks * n * n > MAX_BYTES:
        return Iteration(block)
    return Dense(block) if blocks == 1 else Stack(block)


def is_symmetric(a: Any) -> bool:
    """Whether a matrix is its own transpose up to the rounding of the product that made it."""
    return bool(np.all(np.abs(a - a.T) <= 8 * len(a) * EPS * np.max(np.abs(a), initial=0.0)))


def singular(reason: str) -> SingularOperatorError:
    """The error for what has no inverse."""
    return SingularOperatorError(
        f"solve needs an operator with an inverse; {reason}.",
        hint="add damping, or use scipy.sparse.linalg.lsmr(A, b): the smallest x that fits best.",
    )


__all__ = ["Block", "Inverse", "inverse_of"]
