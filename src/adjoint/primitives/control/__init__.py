"""Control flow as primitives: loops stay loops, branches stay branches."""

from adjoint.primitives.control import checkpointing, conditional, loops, scan  # noqa: F401
