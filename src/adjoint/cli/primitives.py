"""`adjoint primitives`: what can be traced, and what can be done with it."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from adjoint.cli import output
from adjoint.cli.inventory import Entry, inventory, names
from adjoint.errors import UnknownNameError, nearest
from adjoint.graph.registry import REASONS

RULES = ("forward", "reverse", "taylor", "batch", "native")
_STYLE = {"yes": "green", "no": "red", "partly": "yellow"}


@click.command(epilog=output.EXIT_CODES)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, errors included.")
@click.option("--markdown", is_flag=True, help="Print the table of the documentation.")
def primitives(name: str | None, as_json: bool, markdown: bool) -> None:
    """Lists the functions that can be traced, and the rules they have.

    Every function is tried on a small sample when you ask, so the list takes a few seconds. For
    each it says whether it can be differentiated forward and in reverse, expanded to higher order
    (taylor), batched (vmap), and compiled (native; partly: NumPy computes some of its steps).
    zero: the derivative is 0 wherever it exists. -: nothing to differentiate.

    \b
    Examples:
      adjoint primitives
      adjoint primitives np.linalg.norm
      adjoint primitives --json
    """
    entries = inventory(_full_name(name) if name else None)
    if as_json:
        click.echo(output.dump({"functions": [entry.as_dict() for entry in entries]}))
    elif markdown:
        click.echo(as_markdown(entries))
    elif name:
        click.echo(_describe(entries[0]))
    else:
        _print_table(entries)


def _full_name(name: str) -> str:
    known = names()
    typed = "np." + name.removeprefix("numpy.") if name.startswith("numpy.") else name
    candidates = (typed, f"np.{typed}", f"np.linalg.{typed}", f"np.fft.{typed}",
                  f"scipy.special.{typed}")  # fmt: skip
    for candidate in candidates:
        if candidate in known:
            return candidate
    reason = next((REASONS[c] for c in candidates if c in REASONS), "")
    if reason:
        raise UnknownNameError(f"{typed} cannot be traced: {reason}.")
    short = {full.rpartition(".")[2]: full for full in reversed(known)}
    close = [short[s] for s in nearest(typed.rpartition(".")[2], short)]
    question = f" Did you mean {' or '.join(close)}?" if close else ""
    raise UnknownNameError(f"{name} is not among the functions that can be traced.{question}")


def _describe(entry: Entry) -> str:
    lines = [entry.name, f"  kind     {entry.kind}"]
    if entry.parts:
        lines.append(f"  made of  {', '.join(entry.parts)}")
    lines += [f"  {rule:<8} {getattr(entry, rule)}" for rule in RULES]
    return "\n".join(lines)


def _print_table(entries: list[Entry]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("function", "kind", *RULES):
        table.add_column(column, no_wrap=True)
    for entry in entries:
        cells = [getattr(entry, rule) for rule in RULES]
        table.add_row(entry.name, entry.kind, *(_coloured(cell) for cell in cells))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"\n{len(entries)} functions. adjoint primitives NAME says more about one.")


def _coloured(cell: str) -> str:
    style = _STYLE.get(cell)
    return f"[{style}]{cell}[/{style}]" if style else cell


def as_markdown(entries: list[Entry]) -> str:
    """The table of the documentation."""
    header = ("function", "kind", *RULES)
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for entry in entries:
        cells = (f"`{entry.name}`", entry.kind, *(getattr(entry, rule) for rule in RULES))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
