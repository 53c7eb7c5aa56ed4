"""Choices, where(condition, a, b), that differ from one of their branches nowhere or at a point."""

from __future__ import annotations

from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.einstein import product
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Power,
    as_term,
    number,
    number_of,
    raw_apply,
    walk,
)
from adjoint.simplify.indices import spread
from adjoint.simplify.rewrite import replaced


def same_branches(e: Expr) -> Expr:
    """where(c, x, x) = x."""
    if not (isinstance(e, Apply) and e.name == "where"):
        return e
    a, b = (spread(branch, e.shape) for branch in e.args[1:])
    return a if a is b else e


def drop_guard(e: Expr) -> Expr:
    """where(y = 0, 0, f(where(y = 0, 1, y))) is f(y), but for a value by convention at y = 0.

    Rules of differentiation guard quotients in this way; a choice that a user wrote without a
    second one inside it stays.
    """
    if not (isinstance(e, Apply) and e.name == "where"):
        return e
    condition, zero, body = e.args
    away = isinstance(condition, Apply) and condition.name == "not_equal"
    if away:  # where(y ≠ 0, f(where(y ≠ 0, y, 1)), 0)
        zero, body = body, zero
    if number_of(zero) != 0 or not (away or _at_single_points(condition)):
        return e
    inner = [
        part
        for part in walk([body])
        if isinstance(part, Apply) and part.name == "where" and part.args[0] is condition
    ]
    one, other = (2, 1) if away else (1, 2)
    if not any(number_of(part.args[one]) == 1 for part in inner):
        return e
    return spread(
        replaced(body, {part: spread(part.args[other], part.shape) for part in inner}), e.shape
    )


def _at_single_points(condition: Expr) -> bool:
    """y = 0, or y = 0 and something more."""
    if not isinstance(condition, Apply):
        return False
    if condition.name in ("logical_and", "bitwise_and"):
        return any(_at_single_points(c) or number_of(c) == 0 for c in condition.args)
    return condition.name == "equal"


def drop_choice(e: Expr) -> Expr:
    """where(c, where(c, x, y), z) = where(c, x, z), and where(v ≠ 0, v x, 0) = v x; positive powers
    of v for v."""
    if not (isinstance(e, Apply) and e.name == "where"):
        return e
    condition, a, b = e.args
    whole = spread(b, e.shape)
    if _is_equality(condition) and number_of(a) == 0 and vanishes_with(condition, whole):
        return whole  # where(v = 0, 0, v x)
    if isinstance(a, Apply) and a.name == "where" and a.args[0] is condition:
        return raw_apply(e.primitive, (condition, a.args[1], b), e.params, e.shape)
    spread_condition = as_term(condition)
    if len(spread_condition.factors) != 1 or spread_condition.out != tuple(range(condition.rank)):
        return e
    test, labels = spread_condition.factors[0]
    if not (isinstance(test, Apply) and test.name == "not_equal"):
        return e
    v, zero = test.args
    if a.shape != condition.shape or number_of(zero) != 0 or number_of(b) != 0:
        return e
    if test is condition and vanishes_with(test, a):
        return spread(a, e.shape)
    return spread(a, e.shape) if (v, labels) in as_term(a).factors else e


def _is_equality(e: Expr) -> bool:
    return isinstance(e, Apply) and e.name == "equal"


def vanishes_with(test: Expr, e: Expr) -> bool:
    """Whether v, of which a test asks whether it is 0, or a positive power of it, is a factor."""
    v, zero = test.children()
    view = as_term(e)
    if number_of(zero) != 0 or v.shape != e.shape:
        return False
    for f, labels in view.factors:
        n = number_of(f.exponent) if isinstance(f, Power) and f.base is v else None
        if labels == view.out and (f is v or (n is not None and n.real > 0)):
            return True
    return False


def drop_indicator(e: Expr) -> Expr:
    """(where(c, 1, 0) ≠ 0) = c, also where it is broadcast, and (where(c, 0, 1) ≠ 0) = not c."""
    if not (isinstance(e, Apply) and e.name == "not_equal" and number_of(e.args[1]) == 0):
        return e
    view = as_term(e.args[0])
    if len(view.factors) != 1 or view.shape != e.shape:
        return e
    choice, labels = view.factors[0]
    if not (isinstance(choice, Apply) and choice.name == "where"):
        return e
    condition, a, b = choice.args
    if (number_of(a), number_of(b)) == (0, 1):
        condition = raw_apply(PRIMITIVES["logical_not"], (condition,), {}, condition.shape)
    elif (number_of(a), number_of(b)) != (1, 0):
        return e
    if condition.shape != choice.shape:
        return e
    return product(ONE, [(condition, labels)], view.out, view.sizes)


def name_step(e: Expr) -> Expr:
    """where(x > 0, 1, where(x = 0, ½, 0)) has a name: heaviside(x, ½)."""
    if not (isinstance(e, Apply) and e.name == "where" and number_of(e.args[1]) == 1):
        return e
    positive, _, other = e.args
    if not (isinstance(positive, Apply) and positive.name == "greater"):
        return e
    if not (isinstance(other, Apply) and other.name == "where" and number_of(other.args[2]) == 0):
        return e
    zero, half = other.args[:2]
    x = positive.args[0]
    same = isinstance(zero, Apply) and zero.name == "equal" and zero.args == positive.args
    if not same or number_of(positive.args[1]) != 0 or x.shape != e.shape:
        return e
    value = number_of(half)
    if value is None:
        return e
    return raw_apply(PRIMITIVES["heaviside"], (x, number(value)), {}, e.shape)


def drop_nan_test(e: Expr) -> Expr:
    """c ∨ (x is not a number) = c, for numbers x."""
    if not (isinstance(e, Apply) and e.name in ("bitwise_or", "logical_or")):
        return e
    rest = [a for a in e.args if not _asks_for_nan(a)]
    return rest[0] if len(rest) == 1 and rest[0].shape == e.shape else e


def _asks_for_nan(e: Expr) -> bool:
    if not isinstance(e, Apply):
        return False
    return e.name == "isnan" or (e.name == "not_equal" and e.args[0] is e.args[1])


__all__ = [
    "drop_choice", "drop_guard", "drop_indicator", "drop_nan_test", "name_step", "same_branches",
    "vanishes_with",
]  # fmt: skip
