"""The command `adjoint`, and how all its commands report errors."""

from __future__ import annotations

from typing import Any

import click

import adjoint
from adjoint.cli import output
from adjoint.cli.check import check
from adjoint.cli.demo import demo
from adjoint.cli.derive import derive
from adjoint.cli.primitives import primitives
from adjoint.errors import AdjointError

_JSON = "adjoint.cli.json"


class Application(click.Group):
    """A group whose commands raise errors of Adjoint; it prints them and chooses the exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        as_json = bool(ctx.meta.get(_JSON))
        try:
            return super().invoke(ctx)
        except AdjointError as error:
            output.report(error, ctx.invoked_subcommand or "", as_json)
            ctx.exit(output.exit_code(error))
        except click.UsageError as error:
            if not as_json:
                raise
            found = {"type": "UsageError", "message": error.format_message(), "exit_code": 2}
            click.echo(output.dump({"error": found}))
            ctx.exit(output.MISUSED)


@click.group(
    cls=Application,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
    epilog=output.EXIT_CODES,
)
@click.version_option(adjoint.__version__, prog_name="adjoint")
def main() -> None:
    """Exact derivatives of plain NumPy functions."""


for _command in (demo, derive, check, primitives):
    main.add_command(_command)
