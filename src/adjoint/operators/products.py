"""Products with a linear map: the vector is contracted into the factors, in the cheapest order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.operators.parts import Part, Split, Values, join, split, unknown
from adjoint.simplify.contraction_order import pairwise
from adjoint.simplify.einstein import product
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import Expr, Labels, Symbol, Term, as_term, number, number_of
from adjoint.simplify.rebuild import evaluate


class Products:
    """x ↦ A x for a sum of terms over the axes [outputs, inputs], no tensor formed.

    A part is multiplied out once, where that and the product with it cost no more than a product
    with its factors: VᵀV of a tall V is, XᵀX of a data matrix is not.  ``shape`` has the sizes of
    the outputs, then of the inputs.
    """

    def __init__(
        self, terms: Sequence[Expr], shape: Sequence[int], outs: int, values: Values
    ) -> None:
        self.shape, self.outs, self.values = tuple(shape), outs, values
        self.places = tuple(range(outs)), tuple(range(len(self.shape) - outs))
        self.terms = [self._prepared(split(e, *self.places)) for e in terms]
        self._made: dict[int, tuple[Symbol, list[Expr]]] = {}

    def __call__(self, x: Any) -> Any:
        """A x, for x in the shape of the inputs, with one more axis for several x."""
        argument, results = self._results(x.shape[len(self.shape) - self.outs :])
        known = {**self.values.known, argument: x}
        total: Any = None
        for e in results:
            if number_of(e) != 0:
                value = evaluate([e], known)[0]
                total = value if total is None else total + value
        wanted = self.shape[: self.outs] + argument.shape[len(self.shape) - self.outs :]
        own = isinstance(total, np.ndarray) and total.shape == wanted and total.flags.owndata
        if own and total is not x:
            return total
        return np.array(np.broadcast_to(0.0 if total is None else total, wanted))

    def _results(self, more: tuple[int, ...]) -> tuple[Symbol, list[Expr]]:
        width = more[0] if more else 0
        if width not in self._made:
            argument = unknown(self.shape[self.outs :] + more)
            found = [self._applied(t, argument) for t in self.terms]
            for e in found:
                for factor in e.children() if isinstance(e, Term) else ():
                    if factor is not argument:
                        self.values.keep(factor)
            self._made = {width: (argument, found)}  # only the last width is kept
        return self._made[width]

    def _applied(self, e: Expr, argument: Symbol) -> Expr:
        """Σ over the input axes of e · argument."""
        labels = tuple(range(e.rank))
        extra = tuple(range(e.rank, self.outs + argument.rank))
        sizes = dict(zip(labels + extra, self.shape + argument.shape[-len(extra) :], strict=False))
        factors = [(e, labels), (argument, labels[self.outs :] + extra)]
        return product(ONE, factors, labels[: self.outs] + extra, sizes)

    def _prepared(self, found: Split) -> Expr:
        """The term, with the parts multiplied out for which that pays."""
        argument = unknown(self.shape[self.outs :])
        best = join(found, *self.places)
        flops = _flops(self._applied(best, argument))
        for k, part in enumerate(found.parts):
            core = as_term(part.array)
            if len(core.factors) < 2:
                continue
            kept = tuple(dict.fromkeys(_order(core.out, part)))
            whole = product(core.coefficient, core.factors, kept, core.sizes)
            size = math.prod(whole.shape)
            given = sum(math.prod(f.shape) for f, _ in core.factors)
            placed = unknown(whole.shape)
            sizes = {i: core.sizes[i] for i in kept}
            array = product(ONE, [(placed, kept)], core.out, sizes)
            parts = (*found.parts[:k], Part(part.outs, part.ins, array), *found.parts[k + 1 :])
            other = join(Split(found.scale, parts), *self.places)
            formed = _flops(whole) + _flops(self._applied(other, argument))
            if formed <= flops and size <= max(given, 1):
                # The number in front is taken into what is formed.
                self.values.known[placed] = self.values(found.scale) * self.values(whole)
                found = Split(number(ONE), parts)
                best = join(found, *self.places)
                flops = formed - _flops(whole)
        return best


def _order(labels: Labels, part: Part) -> Labels:
    """The axes of a part in the order in which a product reads them from memory: A[i, k] x[k, j],
    but x[j, k] A[k, i]."""
    outs = len(part.outs)
    return labels[outs:] + labels[:outs] if part.ins and part.ins[0] > 0 else labels


def _flops(e: Expr) -> float:
    return pairwise(e)[1] if isinstance(e, Term) else 0.0


__all__ = ["Products"]
