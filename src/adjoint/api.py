"""Public functions whose name is also that of a folder, so that they cannot be loaded late."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adjoint.printing.drawing import ComputationGraph


def graph(f: Callable[..., Any], *, values: bool = False) -> Callable[..., ComputationGraph]:
    """The computation graph of f at a point.

    Parameters
    ----------
    values: show the value of every step, and ∂f/∂step where edges leave it.

    Returns
    -------
    A function of f's arguments that gives a `ComputationGraph`: it draws itself in notebooks, and
    ``save("f.svg")`` (or .png, .dot, .mmd) writes it.

    >>> import numpy as np, adjoint as ad
    >>> print(ad.graph(lambda x: np.sin(x) * x)(2.0).mermaid())
    graph TD
      n0["x"]
      n1["a = sin x"]
      n2["b = a · x"]
      n0 --> n1
      n1 --> n2
      n0 --> n2
    """
    from adjoint.printing.drawing import draw

    return draw(f, values=values)
