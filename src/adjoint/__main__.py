"""`python -m adjoint` is the command `adjoint`."""

from adjoint.cli import main

main(prog_name="adjoint")
