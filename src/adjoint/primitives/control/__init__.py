"""Control flow as primitives: loops stay loops, branches stay branches."""

from adjoint.primitives.control import checkpointing, conditional, custom, loops, scan  # noqa: F401
