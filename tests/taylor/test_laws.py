"""Series of every registered primitive against nested forward mode; a wrong rule is caught.

The primitives and their cases are those of the law suite: nothing is listed here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import MissingRuleError, UndefinedDerivativeError
from adjoint.graph.containers import flatten
from adjoint.primitives.scalar import Elementwise
from adjoint.testing.laws import Case
from adjoint.testing.localise import direction
from adjoint.transforms.taylor.series import LATE_RULES, RULES, Series, rule_of
from tests.laws.test_planted_rules import case_of, detached, partial
from tests.laws.test_registry import FREE, PRIMITIVES, cases

ORDER = 3
SMOOTH = [(name, case) for name, case in cases() if case.active]
CASES = [pytest.param(case, id=name) for name, case in SMOOTH]


def curve(case: Case) -> list[list[Any]]:
    """Derivatives of a curve through the point, none of them zero."""
    rng = np.random.default_rng(3)
    return [[direction(p, rng) * 0.5**k for k in range(1, ORDER + 1)] for p in case.points]


def along(case: Case, terms: list[list[Any]]) -> Callable[[Any], Any]:
    scales = (1.0, 0.5, 1 / 6)

    def f(t: Any) -> Any:
        powers = [t * scales[0], t * t * scales[1], t * t * t * scales[2]]
        points = [
            p + sum(w.astype(p.real.dtype) * d if w.dtype != p.real.dtype else w * d
                    for w, d in zip(powers, own, strict=True))
            for p, own in zip(case.points, terms, strict=True)
        ]  # fmt: skip
        return case(*points)

    return f


def nested(f: Callable[[Any], Any], k: int) -> Callable[[Any], Any]:
    return f if k == 0 else lambda t: ad.jvp(nested(f, k - 1), (t,), (1.0,))[1]


def assert_series(case: Case) -> None:
    """Order 1 = JVP, order 2 = JVP∘JVP, order 3 = JVP∘JVP∘JVP."""
    terms = curve(case)
    with np.errstate(all="ignore"):
        y, found = ad.jet(case, tuple(case.points), tuple(terms))
        wanted = [nested(along(case, terms), k)(0.0) for k in range(1, ORDER + 1)]
    tolerance = 1e-3 if case.coarse else 1e-9
    types = [(np.shape(leaf), np.result_type(leaf)) for leaf in flatten(y)[0]]
    for k, (got, expected) in enumerate(zip(found, wanted, strict=True), 1):
        for a, b, type_ in zip(flatten(got)[0], flatten(expected)[0], types, strict=True):
            assert (np.shape(a), np.result_type(a)) == type_, f"{case}: order {k}"
            assert np.all(np.isfinite(a)), f"{case}: order {k} is {a}"
            size = max(1.0, float(np.max(np.abs(b), initial=0.0)))
            np.testing.assert_allclose(
                a, b, rtol=tolerance, atol=tolerance * size, err_msg=f"{case}: order {k}"
            )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_series_are_nested_derivatives(case: Case) -> None:
    try:
        assert_series(case)
    except UndefinedDerivativeError:
        if case.primitive.name not in FREE:
            raise
    except MissingRuleError as error:
        reasons = [*case.primitive.reasons.values()]
        reasons += [p for p in getattr(case.primitive, "partials", ()) if isinstance(p, str)]
        if not any(reason in str(error) for reason in reasons):
            raise


def test_every_recurrence_belongs_to_a_primitive() -> None:
    assert not [name for name in {*RULES, *LATE_RULES} if name not in PRIMITIVES]
    for name in list(LATE_RULES):
        assert rule_of(name) is not None
    assert not LATE_RULES
    met = {case.primitive.name for _, case in SMOOTH}
    assert not [n for n in RULES if n not in met], "a recurrence that no case comes by"


# -- a wrong rule is caught -----------------------------------------------------------------------


def planted(name: str, change: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """A recurrence whose coefficients of order 2 and more are changed."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        right = rule_of(name)
        assert right is not None

        def wrong(node: Any, out: Any, inputs: Any) -> Any:
            series = right(node, out, inputs)
            return Series(out, lambda k: change(series[k]) if k > 1 else series[k])

        patch.setitem(RULES, name, wrong)

    return plant


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        ("tanh", partial("tanh", 0, lambda x, y: 1 - y)),
        ("sin", partial("sin", 0, lambda x, y: detached(np.cos(x)))),
        ("exp", planted("exp", lambda c: 2.0 * c)),
        ("multiply", planted("multiply", lambda c: -c)),
        ("sqrt", planted("sqrt", lambda c: None)),
        ("det", planted("det", lambda c: 2.0 * c)),
        ("inv", planted("inv", lambda c: None)),
    ],
)
def test_a_planted_rule_is_caught(
    name: str, plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_of(name)
    assert_series(case)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        assert_series(case)


@pytest.mark.parametrize(
    "name",
    [n for n, p in PRIMITIVES.items() if isinstance(p, Elementwise) and n in RULES],
)
def test_recurrences_agree_with_the_first_order_rule(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To order 6, the recurrence switched off and on."""
    case = case_of(name)
    terms = [[direction(p, np.random.default_rng(3)) * 0.3] + [0.0 * p] * 5 for p in case.points]
    with np.errstate(all="ignore"):
        own = ad.jet(case, tuple(case.points), tuple(terms))[1]
        monkeypatch.delitem(RULES, name)
        general = ad.jet(case, tuple(case.points), tuple(terms))[1]
    for a, b in zip(own, general, strict=True):
        size = max(1.0, float(np.max(np.abs(b))))
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11 * size)
