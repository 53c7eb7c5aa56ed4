"""What a primitive is: its value, its type, and its rules.

Rules are written in plain NumPy.  On plain arrays they run at once; on traced values they make
nodes.  That is all that nesting transforms takes.

Every primitive is differentiable in one of three ways, and reverse mode follows from each:

* `Elementwise` (in `adjoint.primitives.elementwise`): partial derivatives as expressions;
* linear in the operands listed in ``linear``: a ``transpose`` rule;
* anything else: a ``jvp`` rule, which reverse mode transposes after tracing it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from adjoint.errors import MissingRuleError
from adjoint.graph.arraytype import ArrayType

Operand = Any
"""A plain array, a number, or a traced value."""


class Hole:
    """Stands for the operand in which a transpose rule is linear: its type, and no value.

    >>> import numpy as np
    >>> from adjoint.extend import ArrayType, Hole
    >>> Hole(ArrayType((2, 3), np.dtype(float))).shape
    (2, 3)
    """

    __slots__ = ("type",)

    def __init__(self, type_: ArrayType) -> None:
        self.type = type_

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def dtype(self) -> Any:
        return self.type.dtype


class Primitive:
    """Base of all primitives; a structural primitive is one subclass in one block.

    Attributes
    ----------
    linear: positions of the operands in which the primitive is linear, each for itself
        (``multilinear``) or all together (``jointly_linear``).
    mixed: linear in the operands listed, and differentiable but not linear in others: where one
        of those varies, the ``jvp`` rule is used (a linear solve).
    flat: derivative zero almost everywhere (comparisons, argmax, floor).
    reasons: for each rule that is left out on purpose, why.

    >>> import numpy as np, adjoint as ad
    >>> from adjoint.extend import Primitive
    >>> class Doubled(Primitive):
    ...     name, linear = "doubled", (0,)
    ...     def evaluate(self, x):
    ...         return 2 * x
    ...     def transpose(self, ct, operands, position):
    ...         return 2 * ct
    >>> float(ad.grad(lambda x: Doubled()(x) ** 2)(3.0))
    24.0
    """

    name: ClassVar[str] = ""
    linear: tuple[int, ...] | str = ()
    jointly_linear = False
    mixed = False
    flat = False
    multiple_results = False
    structural = False
    reasons: ClassVar[dict[str, str]] = {}

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        """The value, from NumPy arrays."""
        raise NotImplementedError

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        """The type of the result, from the types of the operands."""
        raise NotImplementedError

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        """The tangent of the result; a tangent that is None is zero."""
        raise MissingRuleError(
            f"{self.name} has no forward rule: {self.reasons.get('jvp', 'it was never given one')}."
        )

    def pull_back(
        self, primals: Any, cts: list[Any], wanted: tuple[bool, ...], masked: bool, **params: Any
    ) -> Any:
        """For several results: the cotangents of the wanted operands and None for the others, in
        place of transposing ``jvp``; ``cts`` are those of the results (None is zero).  With
        ``masked``, what is zero in them contributes nothing whatever it is multiplied with."""
        raise MissingRuleError(
            f"{self.name} has no reverse rule: "
            f"{self.reasons.get('pull_back', 'it was never given one')}."
        )

    def transpose(
        self, ct: Operand, operands: tuple[Any, ...], position: int, **params: Any
    ) -> Operand:
        """The cotangent of the operand at ``position``, which is given as a `Hole`."""
        raise MissingRuleError(
            f"{self.name} has no transpose rule: "
            f"{self.reasons.get('transpose', 'it was never given one')}."
        )

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        """The result for a whole batch: batched operands and results have the batch axis first."""
        raise MissingRuleError(
            f"{self.name} has no batching rule: "
            f"{self.reasons.get('batch', 'it was never given one')}."
        )

    def selective(self, **params: Any) -> bool:
        """Whether the transpose leaves zeros where an operand was not read or was overwritten."""
        return False

    def is_linear_in(self, position: int) -> bool:
        return self.linear == "all" or position in self.linear

    def has_rule(self, rule: str) -> bool:
        """Whether a subclass gives this rule itself."""
        return getattr(type(self), rule, None) is not getattr(Primitive, rule, None)

    def __call__(self, *operands: Operand, **params: Any) -> Any:
        return _bind(self, operands, params)

    def __repr__(self) -> str:
        return self.name


def _unbound(primitive: Primitive, operands: Any, params: Any) -> Any:
    raise RuntimeError("the tracer is not loaded")


_bind: Any = _unbound


def install_bind(bind: Any) -> None:
    """Called once by the tracer, which stands above this module."""
    global _bind
    _bind = bind
