"""Every error of the core is raised once, and its message read.

`EXERCISES` holds one call per raise site.  The sites are found in the syntax tree, and the last
test fails for one that no exercise reaches.
"""

import ast
import copy
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import errors
from adjoint.graph import registry
from adjoint.graph.primitive import Primitive

PACKAGE = Path(ad.__file__).parent
CORE = [
    *sorted(PACKAGE.glob("graph/*.py")),
    *sorted(PACKAGE.glob("transforms/*.py")),
    *(PACKAGE / "calculus" / f"{name}.py"
      for name in ("gradients", "matrices", "products", "scalars", "vectorize")),
    *(PACKAGE / "primitives" / f"{name}.py"
      for name in ("scalar", "arithmetic", "elementwise", "selection", "contraction", "shaping",
                   "indexing", "products", "subscripts", "creation", "reshaping", "methods")),
]  # fmt: skip

ELSEWHERE = {
    "the method {name}": "every method has a function now; it is for a table that grows before",
    "after {transform}": "tests/core/test_typecheck.py plants the defect it reports",
    "{self.name} has no reverse rule": "every primitive of ours that needs the rule has one",
}

ONES = np.ones(2)
HERE = r"(?s:.*)at test_messages\.py:\d+:  "


class Bare(Primitive):
    """A primitive without any rule."""

    name = "bare"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return operands[0] * 1.0

    def infer(self, *types: Any, **params: Any) -> Any:
        return types[0]


class Linear(Bare):
    linear = (0,)


def write(buffer: Any, value: Any) -> Any:
    buffer[...] = value
    return buffer


def keep(x: Any, kept: list[Any]) -> Any:
    kept.append(x * 2)
    return np.sum(x)


def escaped() -> Any:
    kept: list[Any] = []
    ad.grad(lambda x: keep(x, kept))(ONES)
    return kept[0] + 1


def refused(use: Callable[[Any], Any], x: Any = ONES) -> Callable[[], Any]:
    """Uses a traced value in a way that raises."""
    return lambda: ad.grad(lambda x: (use(x), np.sum(x))[1])(x)


E = errors
Exercise = tuple[Callable[[], Any], type[Exception], str]

EXERCISES: list[Exercise] = [
    # arguments of the public functions
    (lambda: ad.grad(3), E.ArgumentError, r"^grad\(f\) needs a function; got 3\.\n  use grad\("),
    (lambda: ad.vmap("f"), E.ArgumentError, r"^vmap\(f\) needs a function; got 'f'\."),
    (lambda: ad.grad(np.sin)("a"), E.ArgumentError, r"argument 0 to be a number.*; got 'a'\.$"),
    (lambda: ad.grad(np.sin)(None), E.ArgumentError, r"argument 0 to be a number.*; got None\.$"),
    (lambda: ad.grad(np.sum)(np.array(["a"])), E.ArgumentError, r"an array or a container"),
    (lambda: ad.grad(np.sin)(), E.ArgumentError,
     r"differentiates argument 0, but it was called with 0 positional arguments\.\n  pass the"),
    (lambda: ad.grad(np.sin, "x"), E.ArgumentError, r"argnums as an integer.*; got 'x'\."),
    (lambda: ad.grad(np.dot, (0, 0))(ONES, ONES), E.ArgumentValueError, r"got \(0, 0\) for 2"),
    (lambda: ad.grad(lambda x: None)(1.0), E.ArgumentError,
     r"needs f to return a value; it returned None\.\n  add a return statement to f\."),
    (lambda: ad.grad(lambda x: x * 2)(ONES), E.NotScalarError,
     r"one real number; it returned f64\[2\]\.\n  at test_messages\.py:\d+:  .*\n  use jacobian"),
    (lambda: ad.grad(lambda x: (x, x))(1.0), E.NotScalarError, r"it returned a tuple of 2 arrays"),
    (lambda: ad.grad(lambda z: z * 2)(1j), E.NotScalarError, r"returned c128\.(?s:.*)np\.real"),
    (lambda: ad.grad(np.sum, has_aux=True)(ONES), E.ArgumentError, r"return \(value, extra\)"),
    (lambda: ad.jacobian(np.sin, mode="foward")(ONES), E.UnknownNameError,
     r"auto, forward, reverse; got 'foward'\.\n  use mode='forward'\."),
    (lambda: ad.jacobian(np.sin, layout="col"), E.UnknownNameError, r"layout='row'.*got 'col'"),
    (lambda: ad.jacobian(np.conj)(np.array([1j])), E.NotHolomorphicError,
     r"needs a holomorphic f; here(?s:.*)jvp\(f, \(z,\), \(v,\)\)"),
    (lambda: ad.derivative(np.conj)(1j), E.NotHolomorphicError, r"along 1j it is -1j"),
    (lambda: ad.derivative(np.sin, 1.5), E.ArgumentError, r"an integer order; got 1\.5"),
    (lambda: ad.derivative(np.sin, -1), E.ArgumentValueError, r"at least 0; got -1"),
    (lambda: ad.derivative_tensor(np.sin, 1.5), E.ArgumentError, r"integer order k; got 1\.5"),
    (lambda: ad.derivative_tensor(np.sin, -1), E.ArgumentValueError, r"k of at least 0; got -1"),
    (lambda: ad.partial(np.sin, 1.5), E.ArgumentError, r"name or the position.*got 1\.5"),
    (lambda: ad.partial(min, "x"), E.ArgumentError, r"cannot read.*\n  give the position"),
    (lambda: ad.partial(lambda rate, x: x, "rat"), E.UnknownNameError,
     r"f has rate, x\.\n  use partial\(f, 'rate'\)\."),
    (lambda: ad.directional(np.sum, ONES, np.ones(3)), E.ShapeMismatchError,
     r"x has shape \(2,\), v has \(3,\)"),
    (lambda: ad.jvp(np.sin, 1.0, 1.0), E.ArgumentError, r"as tuples.*; got 1\.0\.\n  jvp\(f"),
    (lambda: ad.jvp(np.sin, (1.0,), (1.0, 2.0)), E.ArgumentError, r"1 primals and 2 tangents"),
    (lambda: ad.jvp(np.sin, (ONES,), (1.0,)), E.ShapeMismatchError, r"type f64\[2\]; got f64\."),
    (lambda: ad.jvp(np.sin, (1.0,), (1j,)), E.DtypeError, r"of type f64; got c128"),
    (lambda: ad.vjp(lambda x: [x], 1.0)[1](1.0), E.StructureError, r"the cotangent nested like"),
    (lambda: ad.hvp(np.sum, (ONES,), ONES), E.ArgumentError, r"as a tuple.*got f64\[2\]"),
    # vmap
    (lambda: ad.vmap(np.sin)(1.0), E.ShapeMismatchError, r"axis 0 of argument 0, which is f64"),
    (lambda: ad.vmap(np.add)(ONES, np.ones(3)), E.ShapeMismatchError,
     r"argument 1 has 3 examples \(f64\[3\], axis 0\), an earlier one 2"),
    (lambda: ad.vmap(np.add, (0,))(ONES, ONES), E.ArgumentError, r"got \(0,\) for 2 arguments"),
    (lambda: ad.vmap(np.sin, None)(ONES), E.ArgumentError, r"at least one argument with a batch"),
    (lambda: ad.vmap(np.add, (0, "b"))(ONES, ONES), E.ArgumentError, r"as axes of argument 1"),
    (lambda: ad.vmap(lambda x: x[0], ([0, 0],))([ONES]), E.ArgumentError, r"axes nested like"),
    (lambda: ad.vmap(np.sin, out_axes=3)(ONES), E.ArgumentError, r"which.*is f64\[2\]; got 3"),
    (lambda: ad.vmap(lambda x: x if x > 0 else -x)(ONES), E.AbstractValueError,
     r"^a branch.* of a traced bool, but vmap computes it for all(?s:.*)np\.where.*or ad\.cond"),
    # traced values that leave or are asked to be something else
    (escaped, E.EscapedTracerError, r"grad\(f\) has returned(?s:.*)made at test_messages\.py:\d+"),
    (refused(lambda x: float(x[0])), E.TracedConversionError, r"^float\(x\)" + HERE),
    (refused(lambda x: complex(x[0])), E.TracedConversionError, r"^complex\(x\)" + HERE),
    (refused(np.asarray), E.TracedConversionError, r"^np\.asarray.*got a traced f64\[2\]" + HERE),
    (refused(pickle.dumps), E.TracedConversionError, r"^pickle needs plain values" + HERE),
    # functions without a rule, operands that do not fit
    (refused(np.packbits), E.UntraceableFunctionError,
     r"^np\.packbits has no rule for traced values: .*bits of integers" + HERE
     + r"(?s:.*)adjoint primitives"),
    (refused(np.frompyfunc(abs, 1, 1)), E.UntraceableFunctionError, r"^abs.* has no rule"),
    (refused(lambda x: x + np.ones(3)), E.ShapeMismatchError,
     r"^add needs shapes that broadcast; it got f64\[2\], f64\[3\]\." + HERE),
    (lambda: ad.vmap(lambda x: x + np.ones(3))(np.ones((4, 2))), E.ShapeMismatchError,
     r"^add needs shapes that fit; it got f64\[2\], f64\[3\]"),
    (refused(lambda x: x * np.array(["a", "b"])), E.DtypeError, r"array of numbers.*dtype <U1"),
    (refused(lambda x: x * np.ma.array(ONES)), E.DtypeError, r"got a MaskedArray" + HERE),
    (refused(lambda x: np.add(x, None)), E.DtypeError, r"an array is needed here; got None" + HERE),
    (refused(lambda x: np.ones((2, 3)) @ x), E.ShapeMismatchError, r"f64\[2,3\] @ f64\[2\]" + HERE),
    (refused(lambda x: np.tensordot(np.ones((2, 3)), x, 1)), E.ShapeMismatchError,
     r"f64\[2,3\] axes \(1,\) and f64\[2\] axes \(0,\)" + HERE),
    (refused(lambda x: np.einsum("ij->i", x)), E.ShapeMismatchError, r"term 'ij' names 2 axes"),
    (refused(lambda x: np.einsum("i,i->", x, np.ones(3))), E.ShapeMismatchError,
     r"index i has size 2 in operand 0 \(f64\[2\]\) but size 3 in operand 1 \(f64\[3\]\)"),
    (refused(lambda x: x.copy().__iadd__(np.ones((3, 2)))), E.ShapeMismatchError,
     r"in-place operation needs a result of type f64\[2\]; it got f64\[3,2\]" + HERE),
    (refused(lambda x: write(np.diagonal(np.outer(x, x)), 0.0)), E.ReadOnlyError,
     r"read-only(?s:.*)y = x\.copy\(\)"),
    (refused(lambda x: np.add(x, 1.0, out=np.zeros(2))), E.TracedConversionError,
     r"that can hold traced values; it got a plain f64\[2\]"),
    (refused(lambda x: np.ravel(x[::2], order="K"), np.ones(3)), E.ArgumentValueError,
     r"order='K'.*skips some"),
    # primitives without rules
    (lambda: ad.jvp(Bare(), (1.0,), (1.0,)), E.MissingRuleError, r"^bare has no forward rule"),
    (lambda: ad.grad(Linear())(1.0), E.MissingRuleError, r"^bare has no transpose rule"),
    (lambda: ad.vmap(Bare())(ONES), E.MissingRuleError, r"^bare has no batching rule"),
    (lambda: ad.grad(lambda n: registry.PRIMITIVES["ldexp"].partial(1, (1.0, 1), 2.0))(1.0),
     E.MissingRuleError, r"^ldexp has no derivative with respect to operand 1: the exponent is an"),
]  # fmt: skip


def site_of(error: BaseException) -> tuple[str, int]:
    """The line of this package on which the exception was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if Path(f.filename).is_relative_to(PACKAGE)]
    last = ours[-1]
    return str(Path(last.filename).relative_to(PACKAGE)), last.lineno or 0


@pytest.mark.parametrize("index", range(len(EXERCISES)))
def test_message(index: int) -> None:
    call, kind, pattern = EXERCISES[index]
    with pytest.raises(kind, match=pattern) as caught:
        call()
    assert isinstance(caught.value, errors.AdjointError)
    headline = str(caught.value).split("\n")[0]
    assert not any(w in headline.lower() for w in ("invalid", "illegal", "please", "sorry", "!"))


def raise_sites() -> dict[tuple[str, int, int], str]:
    """Where the core raises one of the classes in adjoint.errors: file, first and last line."""
    ours = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    found = {}
    for path in CORE:
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
                continue
            name = ast.unparse(node.exc.func)
            text = ast.unparse(node.exc)
            if name in ours | {"untraceable"} and not text.endswith("('')"):
                place = str(path.relative_to(PACKAGE)), node.lineno, node.end_lineno or 0
                found[place] = text
    return found


def test_every_raise_site_of_the_core_is_exercised() -> None:
    reached = set()
    for call, _, _ in EXERCISES:
        try:
            call()
        except Exception as error:
            current: BaseException | None = error
            while current is not None:
                reached.add(site_of(current))
                current = current.__context__
    missed = [
        f"{file}:{first}  {text[:100]}"
        for (file, first, last), text in raise_sites().items()
        if not any((file, line) in reached for line in range(first, last + 1))
        and not any(known in text for known in ELSEWHERE)
    ]
    assert not missed, "no exercise reaches\n  " + "\n  ".join(missed)


def test_an_unexercised_site_would_be_seen() -> None:
    assert len(raise_sites()) > 40


def test_classes_inherit_what_a_caller_expects() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.AdjointError):
            assert kind is errors.AdjointError or len(kind.__mro__) > 4, kind
            raised = kind("headline.", where="at a.py:1", hint="use b.")
            assert str(raised) == "headline.\n  at a.py:1\n  use b."
            assert copy.copy(raised).headline == "headline."
