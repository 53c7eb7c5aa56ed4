"""Every registered primitive obeys the laws of `adjoint.testing.laws`.

Nothing is listed: scalar functions are drawn from their rows, all others harvested from the sample
programs.  A primitive without a case, or a law without a rule, fails unless a reason is written.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import tests.laws.sample_programs  # noqa: F401  (fills SAMPLES)
from adjoint.errors import MissingRuleError, UndefinedDerivativeError
from adjoint.graph import registry
from adjoint.graph.primitive import Primitive
from adjoint.primitives.scalar import Elementwise
from adjoint.testing import laws
from adjoint.testing.laws import Case

PER_PRIMITIVE = 3

NO_CASE = {
    "constant": "has no operands",
    "variable": "an input, which is what it is",
    "spectral_function": "its operands belong together and cannot vary alone; see the traps",
    "projection": "picks one of several results; the laws of those who have several cover it",
    "undefined_notice": "there only while warnings are asked for; it hands its operand on",
}

EXEMPT = {
    ("stop_gradient", "assert_derivative"): "its derivative is 0 by definition",
    ("roots", "assert_batch"): "NumPy finds the roots of one polynomial at a time",
}

# The phase of a vector, or the choice of a basis, has no derivative: a random cotangent raises.
FREE = ("eig", "eigh", "svd", "qr", "undetermined_phase", "checked_phase",
        "undetermined_rotation", "checked_rotation")  # fmt: skip


def harvested() -> tuple[dict[str, list[Case]], dict[str, str]]:
    cases: dict[str, list[Case]] = {}
    broken: dict[str, str] = {}
    for name in laws.SAMPLES:
        try:
            for primitive, found in laws.harvest([name], PER_PRIMITIVE).items():
                cases.setdefault(primitive, []).extend(found)
        except Exception as error:
            broken[name] = f"{type(error).__name__}: {error}"
    return cases, broken


HARVEST, BROKEN = harvested()
PRIMITIVES = dict(registry.PRIMITIVES)


def cases() -> Iterator[tuple[str, Case]]:
    for name, primitive in PRIMITIVES.items():
        if isinstance(primitive, Elementwise):
            case = laws.elementwise_case(primitive, np.random.default_rng(len(name)))
            yield name, case
        else:
            for k, case in enumerate(HARVEST.get(name, [])[:PER_PRIMITIVE]):
                yield f"{name}-{k}", case


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in cases()])
def test_law(case: Case, law: Callable[[Case], None]) -> None:
    if (case.primitive.name, law.__name__) in EXEMPT:
        return
    try:
        law(case)
    except UndefinedDerivativeError:
        if case.primitive.name not in FREE:
            raise
    except MissingRuleError as error:
        reasons = [*case.primitive.reasons.values(), *row_reasons(case.primitive)]
        if not any(reason in str(error) for reason in reasons):
            raise


def row_reasons(primitive: Primitive) -> list[str]:
    partials = getattr(primitive, "partials", ())
    return [p for p in partials if isinstance(p, str)]


def test_every_sample_runs() -> None:
    assert not BROKEN, "\n".join(f"{name}: {why}" for name, why in BROKEN.items())


def test_every_primitive_has_a_case() -> None:
    missing = [
        name
        for name, primitive in PRIMITIVES.items()
        if not isinstance(primitive, Elementwise) and name not in HARVEST and name not in NO_CASE
    ]
    assert not missing, f"add a program to sample_programs.py that uses {', '.join(missing)}"


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_rule_is_there_or_a_reason_is(name: str) -> None:
    """A primitive is flat, linear with a transpose, or has a jvp; and it batches."""
    primitive = PRIMITIVES[name]
    needed = ["batch"]
    if not primitive.flat and not isinstance(primitive, Elementwise):
        needed.append("transpose" if primitive.linear else "jvp")
    if name == "constant":
        needed = []
    absent = [r for r in needed if not primitive.has_rule(r) and r not in primitive.reasons]
    if name == "projection":
        absent = [r for r in absent if r in primitive.reasons]  # every transform knows it
    assert not absent, f"{name} has no {', '.join(absent)} and no reason in `reasons`"


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "int64", "complex64", "complex128", "bool", "weak"]
)
def test_inferred_dtypes_are_numpys(dtype: str) -> None:
    """For every ufunc that accepts the dtype."""
    checked = 0
    for primitive in PRIMITIVES.values():
        if not isinstance(primitive, Elementwise) or not isinstance(primitive.ufunc, np.ufunc):
            continue
        ones = np.ones(2, np.float64 if dtype == "weak" else dtype)
        operands = (ones, *([1.0 if dtype == "weak" else ones] * (len(primitive.partials) - 1)))
        try:
            with np.errstate(all="ignore"):
                primitive.ufunc(*operands)
        except TypeError:
            continue
        laws.assert_infer(Case(primitive, operands))
        checked += 1
    assert checked > 10
