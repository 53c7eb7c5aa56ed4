"""The steps of a kernel, one after the other; what each of them needs to be emitted."""

from __future__ import annotations

from dataclasses import dataclass, field

from adjoint.codegen.lapack.call import LapackCall
from adjoint.codegen.products import Contraction
from adjoint.codegen.program import Op


@dataclass
class Group:
    """One loop nest over ``shape``, with the operations it stores or sums up.

    ``chunk`` is nonzero for a part of a group that was too large for one function; ``outside`` is
    for a loop of nothing but calls of another library.
    """

    shape: tuple[int, ...]
    roots: list[Op] = field(default_factory=list)
    chunk: int = 0
    outside: bool = False


@dataclass
class Product:
    """One matrix product, done by BLAS."""

    op: Op
    contraction: Contraction


@dataclass
class Routine:
    """A matrix function, done by LAPACK."""

    op: Op
    call: LapackCall


@dataclass
class Write:
    """An operation that writes its operands into parts of its result, one after the other."""

    op: Op


@dataclass
class Loop:
    """A scan, while loop, branch or checkpoint, whose bodies are kernels of their own."""

    op: Op


Step = Group | Product | Routine | Write | Loop
