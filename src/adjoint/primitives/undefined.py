"""Derivatives that exist by convention only, and the warning about them that can be asked for.

A rule that puts a conventional value where no derivative exists passes its condition through
`notice`.  Unless warnings were asked for that is the condition itself and costs nothing.
"""

from __future__ import annotations

import os
import warnings
from contextvars import ContextVar
from typing import Any

import numpy as np

from adjoint.errors import UndefinedDerivativeWarning
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import register
from adjoint.graph.sites import here

ENABLED: ContextVar[bool] = ContextVar(
    "warn_undefined", default=os.environ.get("ADJOINT_WARN_UNDEFINED", "") not in ("", "0")
)
"""Whether to warn; ``ADJOINT_WARN_UNDEFINED=1`` in the environment turns it on everywhere."""


class Notice(Primitive):
    """The condition unchanged; where it is true, a warning.

    A primitive, so that the warning also comes where values are known only later: in a batch and
    in compiled code.
    """

    name = "undefined_notice"
    flat = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        if np.any(operands[0]):
            warnings.warn(
                f"{params['what']} has no derivative; 0 was taken, by convention. {here()}".strip(),
                UndefinedDerivativeWarning,
                stacklevel=2,
            )
        return operands[0]

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return types[0]

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return self(*operands, **params)


NOTICE = register(Notice())


def notice(condition: Any, what: str) -> Any:
    """The condition under which a convention holds; warns where it is true, if that was asked."""
    return NOTICE(condition, what=what) if ENABLED.get() else condition
