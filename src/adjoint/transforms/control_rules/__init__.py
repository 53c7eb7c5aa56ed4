"""The rules of control flow, attached to its primitives.

They differentiate and batch the graphs that are the primitives' parameters, so they need the
transforms, which stand above the primitives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adjoint.graph.primitive import Primitive
from adjoint.primitives.control.checkpointing import CHECKPOINT
from adjoint.primitives.control.conditional import COND
from adjoint.primitives.control.custom import CUSTOM
from adjoint.primitives.control.loops import WHILE, WHILE_PULLBACK
from adjoint.primitives.control.scan import SCAN
from adjoint.transforms.control_rules import checkpointing, conditional, custom, loops, scan


def attach(primitive: Primitive, **rules: Callable[..., Any]) -> None:
    """Gives the class of a primitive its rules."""
    for name, rule in rules.items():
        setattr(type(primitive), name, rule)


attach(SCAN, jvp=scan.jvp, pull_back=scan.pull_back, batch=scan.batch)
attach(
    CHECKPOINT,
    jvp=checkpointing.jvp,
    pull_back=checkpointing.pull_back,
    batch=checkpointing.batch,
)
attach(COND, jvp=conditional.jvp, pull_back=conditional.pull_back, batch=conditional.batch)
attach(WHILE, jvp=loops.jvp, pull_back=loops.pull_back, batch=loops.batch)
attach(
    WHILE_PULLBACK,
    jvp=loops.sweep_jvp,
    pull_back=loops.sweep_pull_back,
    batch=loops.sweep_batch,
)
attach(CUSTOM, jvp=custom.jvp, pull_back=custom.pull_back, batch=custom.batch)
