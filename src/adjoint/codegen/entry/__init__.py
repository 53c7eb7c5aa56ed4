"""The native entry: from a Python call to a compiled kernel and back in about 0.1 µs."""

from adjoint.codegen.entry.build import Entry, build_entry
from adjoint.codegen.entry.callable import NativeCallable
from adjoint.codegen.entry.raw import RawKernel
from adjoint.codegen.entry.spec import (
    Argument,
    Captured,
    OutArgument,
    Same,
    Structure,
    TypeSpec,
    leaves,
)

__all__ = [
    "Argument",
    "Captured",
    "Entry",
    "NativeCallable",
    "OutArgument",
    "RawKernel",
    "Same",
    "Structure",
    "TypeSpec",
    "build_entry",
    "leaves",
]
