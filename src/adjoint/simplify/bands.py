"""Bands of ones and zeros in products: a mask told by i − j keeps a triangle of a matrix."""

from __future__ import annotations

import numpy as np

from adjoint.simplify.einstein import add, product, scale
from adjoint.simplify.exact import MINUS, ONE
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Factor,
    Power,
    Sum,
    Symbol,
    Term,
    number,
    number_of,
    symbol,
)
from adjoint.simplify.finiteness import stays_finite
from adjoint.simplify.indices import core_in, spread
from adjoint.simplify.regular import Band, is_made


def masked_product(e: Expr) -> Expr:
    """where(mask, X, 0) = L ∘ X for a mask that follows a rule, where L has its zeros and ones; and
    = X where X is 0 outside the mask."""
    if not (isinstance(e, Apply) and e.name == "where" and number_of(e.args[2]) == 0):
        return e
    (mask, kept), value = core_in(e.args[0], e.shape), e.args[1]
    if not isinstance(mask, Symbol) or mask.value is None or not is_made(mask):
        return e
    value = spread(value, e.shape)
    if len(kept) == 1 and _is_zero_at(value, kept[0], np.flatnonzero(mask.value == 0)):
        return value
    if not isinstance(mask.origin, Band) or not stays_finite(value):
        return e
    band = symbol("rule", mask.shape, mask.origin, 1.0 * np.asarray(mask.value))
    sizes = dict(enumerate(e.shape))
    return product(ONE, [(band, tuple(kept)), (value, tuple(sizes))], tuple(sizes), sizes)


def _is_zero_at(e: Expr, axis: int, places: np.ndarray) -> bool:
    """Whether an expression is visibly 0 at some indices of an axis: a band in it is."""
    if isinstance(e, Sum):
        return all(_is_zero_at(t, axis, places) for t in e.terms)
    if isinstance(e, Power):
        return _is_zero_at(e.base, axis, places)
    if is_band(e):
        return not np.any(np.take(e.value, places, axis))  # type: ignore[attr-defined]
    if not isinstance(e, Term):
        return False
    label = e.out[axis]
    return any(
        _is_zero_at(f, labels.index(label), places) for f, labels in e.factors if label in labels
    )


def bands_of_ones(e: Expr) -> Expr:
    """L² = L; on the diagonal L is one number; Uᵀ for an upper band U is a lower one; and ones but
    for the diagonal are 𝟏𝟏ᵀ − I."""
    if is_band(e):
        return _turned(e)  # type: ignore[arg-type]
    if isinstance(e, Power):
        return e.base if is_band(e.base) and number_of(e.exponent) in (2, 3, 4) else e
    if not isinstance(e, Term):
        return e
    kept: list[Factor] = []
    coefficient = e.coefficient
    for f, labels in e.factors:
        if is_band(f) and labels[0] == labels[1]:
            coefficient = coefficient * f.origin.on_diagonal()  # type: ignore[attr-defined]
        else:
            kept.append((f, labels))
    if len(kept) == len(e.factors):
        return e
    return product(coefficient, kept, e.out, e.sizes)


def _turned(e: Symbol) -> Expr:
    rule, (n, m) = e.origin, e.shape
    if rule.outside and rule.low == rule.high == 0:
        delta = product(ONE, [], (0, 0), {0: n}) if n == m else None
        return e if delta is None else add([number(ONE, e.shape), scale(MINUS, delta)])
    if rule.flipped() == rule and n == m:
        e.symmetric = True
    if rule.low is None or rule.high is not None:
        return e
    lower = symbol("rule", (m, n), rule.flipped(), np.transpose(e.value))
    return product(ONE, [(lower, (1, 0))], (0, 1), {0: n, 1: m})


def is_band(e: Expr) -> bool:
    """Whether an expression is a band of ones and zeros, to be multiplied with."""
    return isinstance(e, Symbol) and e.name == "rule" and isinstance(e.origin, Band)


__all__ = ["bands_of_ones", "is_band", "masked_product"]
