"""Formula: what `formula(f)` returns, an object that prints as text, LaTeX and source code."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from adjoint.errors import ArgumentError, ArgumentValueError, UnknownNameError, nearest
from adjoint.graph.arraytype import describe
from adjoint.printing.booleans import in_numbers
from adjoint.printing.latex import Latex, symbol_latex
from adjoint.printing.lengths import holds_elsewhere
from adjoint.printing.names import LETTERS, ascii_name, with_neighbours
from adjoint.printing.parts import UNREADABLE, Layout, lay_out
from adjoint.printing.point import point_of
from adjoint.printing.precedence import (
    LOOSE,
    SUM,
    Add,
    Call,
    Hadamard,
    Indexed,
    Pow,
    Quotient,
    Root,
    Times,
    Tree,
    Write,
)
from adjoint.printing.python import Python
from adjoint.printing.python_calls import HELPERS, JAX_HELPERS
from adjoint.printing.repeated import shared
from adjoint.printing.unicode import SizedUnicode, Unicode, symbol_text
from adjoint.simplify.cost import Cost, cost_of
from adjoint.simplify.expression import Expr, Symbol, walk

if TYPE_CHECKING:
    from adjoint.operators.structured import StructuredOperator

Naming = Callable[[dict[int, str]], dict[int, str]]
NAMINGS: tuple[Naming, ...] = (dict, with_neighbours)
"""Which lengths have names: those of the dimensions, or if it takes them others beside them."""

LOOP_HINT = "for all lengths write the loop on whole arrays: np.sum(x**2), x[1:] - x[:-1]"

WRITTEN_OUT = 1000
"""Arrays without a name are written out in `source` up to so many elements."""

TARGETS = {
    "numpy": "import numpy as np\n",
    "jax": 'import jax\nimport jax.numpy as np\n\njax.config.update("jax_enable_x64", True)\n',
}


@dataclass(frozen=True)
class Formula:
    """A function or a derivative in closed form.

    ``str(formula)`` is Unicode text, `latex` LaTeX (notebooks show it by themselves), `source` a
    standalone NumPy function.  ``before`` and ``after`` are the cost of evaluating the function
    as it was traced, and as it is printed.

    Attributes
    ----------
    name: the name of the function in `source`.
    parameters: its parameters.
    results: the simplified expressions, one per array that the function returns.
    labels: how each of them is reached in what the function returns.
    rows: which of them are rows (numerator layout).
    sizes: the names of dimensions, by their length.
    before: what the function costs as it was traced.
    shapes: the shapes of the parameters.
    pack: how the results are packed: "one", "tuple", "list" or "dict".
    constants: arrays in the formula that have no name of their own.
    again: makes the formula for other lengths of the named dimensions: for given ones, or for
        none in particular.
    inputs: how many axes of a derivative are those of its argument, if that is known.
    unrolled: whether f loops over entries in a way that has no form on whole arrays here.
    """

    name: str
    parameters: tuple[str, ...]
    results: tuple[Expr, ...]
    labels: tuple[str, ...]
    rows: tuple[bool, ...]
    sizes: dict[int, str]
    before: Cost
    shapes: dict[str, tuple[int, ...]]
    pack: str = "one"
    constants: dict[str, Any] = field(default_factory=dict)
    again: Callable[[dict[str, int] | None], Formula] | None = None
    inputs: int | None = None
    unrolled: bool = False

    # -- text -------------------------------------------------------------------------------

    @cached_property
    def layout(self) -> Layout:
        """The formula as trees of notation."""
        taken = [e.name for e in walk(self.results) if isinstance(e, Symbol)]
        taken += [*self.parameters, *self.sizes.values()]
        return lay_out(self.results, taken, self.rows, Unicode(self.sizes))

    @cached_property
    def general(self) -> bool:
        """Whether the formula holds for all lengths of the named dimensions.

        It does not where f counts, slices, or asks how long something is: a loop over the elements
        is a loop of one length.
        """
        return self._naming is not None

    @cached_property
    def _naming(self) -> Naming | None:
        """How lengths are named so that the formula holds for all of them; None if it does not."""
        try:
            other = self._elsewhere
            if other is None:
                return dict
            for naming in NAMINGS:
                mine, theirs = self._text(naming=naming), other._text(naming=naming)
                if mine == theirs and holds_elsewhere(self, other, naming):
                    return naming
        except ArgumentValueError:  # a loop that is unrolled into too many operations there
            pass
        return None

    @cached_property
    def names(self) -> dict[int, str]:
        """The lengths that are printed by name."""
        return (self._naming or dict)(self.sizes)

    @cached_property
    def _elsewhere(self) -> Formula | None:
        """The formula for other lengths of its dimensions, if it has named ones."""
        return None if self.again is None else replace(self.again(None), name=self.name)

    def __str__(self) -> str:
        text = self._text()
        if not self.general:
            text += "\n(for " + ", ".join(f"{v} = {n}" for n, v in self.sizes.items())
            text += f"; {LOOP_HINT})" if self.unrolled else ")"
        return text

    def _text(self, printer: Unicode | None = None, naming: Naming | None = None) -> str:
        names = self.names if naming is None else naming(self.sizes)
        printer, layout = printer or Unicode(names), self.layout
        lines = []
        for label, tree in zip(self.labels, layout.results, strict=True):
            text = _with_axes(printer(tree), tree)
            lines.append(f"{label} = {text}" if label else text)
        lead = "where "
        for part in layout.parts:
            axes = _axes_of(part.tree)
            level = LOOSE if isinstance(part.tree, Write) else SUM
            name = symbol_text(part.name) + (f"[{axes}]" if axes else "")
            lines.append(f"{lead}{name} = {printer(part.tree, level)}")
            lead = "      "
        for name in self._used_constants():
            lines.append(f"{lead}{symbol_text(name)} is a given {describe(self.constants[name])}")
            lead = "      "
        text = "\n".join(lines)
        if len(text) > UNREADABLE:
            head = f"(too long to read as one formula: {len(layout.parts)} named parts)"
            return f"{head}\n{text}"
        return text

    def __repr__(self) -> str:
        return str(self)

    def latex(self) -> str:
        """The formula in LaTeX, without dollar signs."""
        printer, layout = Latex(self.names), self.layout
        lines = [
            (rf"\mathtt{{{label}}} = " if label else "") + printer(tree)
            for label, tree in zip(self.labels, layout.results, strict=True)
        ]
        lead = r"\text{where } "
        for part in layout.parts:
            axes = _axes_of(part.tree).replace(",", "")
            name = symbol_latex(part.name) + (f"_{{{axes}}}" if axes else "")
            lines.append(f"{lead}{name} = {printer(part.tree)}")
            lead = ""
        if len(lines) == 1:
            return lines[0]
        return r"\begin{gathered}" + r" \\ ".join(lines) + r"\end{gathered}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    @cached_property
    def after(self) -> Cost:
        """The cost of evaluating the formula."""
        return cost_of(self.results)

    def cost(self) -> str:
        """Floating-point operations and bytes before and after simplification, as text."""
        return f"traced:     {self.before}\nsimplified: {self.after}"

    # -- operators --------------------------------------------------------------------------

    def operator(self, *values: Any, inputs: int | None = None, **named: Any) -> StructuredOperator:
        """The derivative at a point as a linear map that keeps the structure of the formula.

        Parameters
        ----------
        values, named: the variables, by position or by name.  A variable that the formula does not
            contain may be left out, if the others have all named dimensions.
        inputs: how many of the last axes of the derivative are those of its argument; needed where
            the derivative was not made by `jacobian`, `hessian` or `grad` directly.

        Returns
        -------
        A `StructuredOperator`: products with vectors and arrays, ``.T``, `solve`, `logdet`,
        `trace` and `diagonal`, none of which forms the whole array, and `tensor`, which does.

        >>> import numpy as np, adjoint as ad
        >>> J = ad.formula(ad.jacobian(lambda A, x: A @ x), A="m n", x="n").operator(
        ...     A=np.ones((2, 3)), x=np.array([1.0, 2.0, 3.0])
        ... )
        >>> (J @ np.eye(2, 3)).tolist(), J.tensor().tolist()[0]
        ([1.0, 2.0], [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
        """
        from adjoint.operators.parts import Values
        from adjoint.operators.structured import StructuredOperator

        if len(self.results) != 1:
            raise ArgumentError(
                f"operator() needs one derivative; this formula has {len(self.results)}: "
                f"{', '.join(self.labels)}.",
                hint="make the formula of one of them: formula(lambda x: derivative(x)[0], ...).",
            )
        point = point_of(self.shapes, self.sizes, values, named)
        sized = self if self.again is None else self.again(point.lengths)
        (e,) = sized.results
        trailing = self.inputs if inputs is None else inputs
        if trailing is None and e.rank == 2:
            trailing = 1
        if trailing is None or not 0 <= trailing <= e.rank:
            raise ArgumentValueError(
                f"operator() needs the number of axes of the argument, of the {e.rank} that this "
                f"formula has; got {inputs!r}.",
                hint=f"use operator(..., inputs={e.rank // 2}) for the last {e.rank // 2}.",
            )
        known: dict[Expr, Any] = {s: point.value(s) for s in walk([e]) if isinstance(s, Symbol)}
        return StructuredOperator(e, e.rank - trailing, Values(known), sized._text_of)

    def _text_of(self, e: Expr) -> str:
        """Another result of the same variables as text, with the sizes of identities."""
        return replace(self, results=(e,), rows=(False,))._text(SizedUnicode(self.sizes))

    # -- source -----------------------------------------------------------------------------

    def source(self, target: str = "numpy") -> str:
        """A Python function that computes the formula with NumPy (or JAX) and nothing else.

        Arrays that f closed over are parameters; vectors are one-dimensional.
        """
        if target not in TARGETS:
            close = nearest(target, TARGETS) or ["numpy"]
            raise UnknownNameError(
                f"source(f, target) knows {', '.join(TARGETS)}; got {target!r}.",
                hint=f"use target={close[0]!r}.",
            )
        if not self.general:
            names = ", ".join(self.sizes.values())
            raise ArgumentValueError(
                f"source(f) needs the shapes as numbers here: f counts or slices along {names}.",
                hint=f"give {next(iter(self.sizes.values()))} as a number, or an example.",
            )
        code = self.code(target)
        # Lengths that are sums of named ones are numbers in the code, though not in the text.
        other = self._elsewhere
        if other is not None and other.code(target, self._naming) != code:
            names = ", ".join(self.sizes.values())
            raise ArgumentValueError(
                "source(f) needs the shapes as numbers here: an array has a length made of "
                f"{names} that has no name.",
                hint=f"give {next(iter(self.sizes.values()))} as a number, or an example.",
            )
        return code

    def code(self, target: str, naming: Naming | None = None) -> str:
        """The code of `source`, for the lengths of this formula or for all."""
        names = self.names if naming is None else naming(self.sizes)
        printer = Python(names, self._names_in_code(), target == "jax")
        body = [f"    {name} = {self._given(name)}" for name in self._used_constants()]
        layout = in_numbers(self.layout, self.constants)
        for part in layout.parts:
            body += printer.statements(ascii_name(_spelled(part.name)), part.tree)
        returned = f"    return {self._returned([printer(t) for t in layout.results])}"
        body += [*printer.taken_out(), returned]
        sizes = [f"    {n} = {self._size_of(n)}" for n in printer.used if n not in self.parameters]
        doc = self._text(naming=naming).replace("\\", "\\\\").replace('"""', "'''")
        lines = [
            f"def {self.name}({', '.join(self.parameters)}):",
            f'    """{_indented(doc)}"""',
            *shared([*sizes, *body], self._taken(printer)),
        ]
        head = TARGETS[target]
        if "special" in printer.helpers:
            package = "jax.scipy" if target == "jax" else "scipy"
            head += f"from {package} import special\n"
        known = JAX_HELPERS if target == "jax" else {}
        helpers = [
            "\n\n"
            + (known[h] if h in known else HELPERS[h]).replace(
                f"def {h}(", f"def {printer.helper(h)}("
            )
            for h in printer.helpers
            if h in HELPERS
        ]
        return head + "".join(helpers) + "\n\n" + "\n".join(lines) + "\n"

    def _names_in_code(self) -> set[str]:
        """Names in the code that nothing else may have."""
        parts = {ascii_name(_spelled(part.name)) for part in self.layout.parts}
        return {self.name, *self.parameters, *self.sizes.values(), *self.constants, *parts}

    def _taken(self, printer: Python) -> set[str]:
        """All names in the code."""
        written = printer.written.values()
        return {*self._names_in_code(), *printer.used, *printer.helpers, *written}

    def _used_constants(self) -> list[str]:
        present = {e.name for e in walk(self.results) if isinstance(e, Symbol)}
        return [name for name in self.constants if name in present]

    def _given(self, name: str) -> str:
        """A constant array as code."""
        value = self.constants[name]
        if value.size > WRITTEN_OUT:
            raise ArgumentValueError(
                f"source(f) writes arrays without a name out up to {WRITTEN_OUT} elements; f uses "
                f"a {describe(value)}.",
                hint="give it a name that f closes over, or pass it as an argument.",
            )
        if not value.size:  # a list would not say how long the other axes are
            kind = (
                "int"
                if value.dtype.kind in "iu"
                else "bool"
                if value.dtype.kind == "b"
                else "float"
            )
            return f"np.zeros({value.shape}, dtype={kind})"
        code = re.sub("inf|nan", r"np.\g<0>", repr(value.tolist()))
        return f"np.array({code})"

    def _returned(self, texts: list[str]) -> str:
        if self.pack == "one":
            return texts[0]
        if self.pack == "tuple":
            return "(" + ", ".join(texts) + ("," if len(texts) == 1 else "") + ")"
        if self.pack == "list":
            return f"[{', '.join(texts)}]"
        if self.pack == "dict":
            pairs = zip(self.labels, texts, strict=True)
            return "{" + ", ".join(f"{label[1:-1]}: {t}" for label, t in pairs) + "}"
        raise ArgumentValueError(
            "source(f) needs f to return an array, or a tuple, a list or a dict of arrays.",
            hint="return a tuple.",
        )

    def _size_of(self, name: str) -> str:
        wanted = next(n for n, text in self.sizes.items() if text == name)
        for parameter, shape in self.shapes.items():
            if wanted in shape and parameter in self.parameters:
                return f"{parameter}.shape[{shape.index(wanted)}]"
        raise ArgumentValueError(
            f"source(f) needs the dimension {name}, which no array in the formula has.",
            hint="give the shapes as numbers.",
        )

    def function(self) -> Any:
        """The function that `source` defines, ready to be called."""
        scope: dict[str, Any] = {"np": np}
        exec(self.source(), scope)
        return scope[self.name]


def _with_axes(text: str, tree: Tree) -> str:
    """In index notation the letters of the result are named first."""
    axes = _axes_of(tree)
    return f"[{axes}] ↦ {text}" if axes else text


def _axes_of(tree: Tree) -> str:
    """The letters of the result of index notation, else nothing."""
    if isinstance(tree, Indexed):
        return ",".join(tree.out)
    parts: Sequence[Tree] = ()
    if isinstance(tree, Add):
        parts = [t for _, t in tree.parts]
    elif isinstance(tree, Pow):
        parts = [tree.base]
    elif isinstance(tree, Root):
        parts = [tree.tree]
    elif isinstance(tree, Quotient):
        parts = [tree.top, tree.bottom]
    elif isinstance(tree, Times | Hadamard):
        parts = tree.parts
    elif isinstance(tree, Call):
        parts = [a for a in tree.args if a.kind == tree.kind]
    return next(filter(None, map(_axes_of, parts)), "")


def _spelled(name: str) -> str:
    greek = {v: k for k, v in LETTERS.items()}
    return greek.get(name, name)


def _indented(text: str) -> str:
    lines: Sequence[str] = text.split("\n")
    return lines[0] if len(lines) == 1 else "\n    ".join(lines) + "\n    "


__all__ = ["Formula"]
