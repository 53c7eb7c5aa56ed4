"""Along which axes an expression differs."""

from __future__ import annotations

from collections.abc import Sequence

from adjoint.simplify.expression import Expr, Sum, Term


def axes_of(e: Expr) -> tuple[int, ...]:
    """The axes along which the elements differ (as far as can be seen)."""
    if e.axes is None:
        if isinstance(e, Sum):
            e.axes = _axes_of_any(e.terms)
        elif isinstance(e, Term):
            used = used_in(e)
            if e.has_delta:
                used |= {i for i in e.out if e.out.count(i) > 1}
            e.axes = tuple([k for k, i in enumerate(e.out) if i in used])
        else:
            e.axes = tuple(range(len(e.shape)))
    return e.axes


def _axes_of_any(terms: Sequence[Expr]) -> tuple[int, ...]:
    found: set[int] = set()
    for t in terms:
        axes = axes_of(t)
        if len(axes) == len(t.shape):
            return axes
        found.update(axes)
    return tuple(sorted(found))


def used_in(e: Term) -> set[int]:
    """The indices that some factor has."""
    return {i for _, labels in e.factors for i in labels}
