"""The command line: `adjoint demo`, `derive`, `check` and `primitives`."""

from adjoint.cli.application import main

__all__ = ["main"]
