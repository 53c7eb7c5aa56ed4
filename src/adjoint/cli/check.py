"""`adjoint check`: are the derivatives of this function right, in every mode?"""

from __future__ import annotations

import itertools
from typing import Any

import click
import numpy as np

from adjoint.cli import output, targets
from adjoint.cli.derive import computing
from adjoint.cli.targets import Target
from adjoint.graph.arraytype import describe
from adjoint.testing import DerivativeReport, check_derivatives

_SHAPES: tuple[tuple[int, ...], ...] = ((), (3,), (3, 3))
_TRIES = 81


@click.command(cls=output.ExpressionCommand, epilog=output.EXIT_CODES)
@click.argument("target", metavar="FILE.py:FUNCTION|EXPRESSION")
@click.option("--at", "points", multiple=True, metavar="POINT",
              help='The point: "x=[1,2],n=3". Without it, random numbers that fit.')  # fmt: skip
@click.option("--wrt", multiple=True, metavar="NAMES", help="Variables to differentiate: x1,x2.")
@click.option("--order", type=click.IntRange(1, 4), default=2, show_default=True,
              help="The highest derivative to check.")  # fmt: skip
@click.option("--tolerance", type=click.FloatRange(0, min_open=True), default=None,
              help="Largest relative error; by default what differences can see.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
              help="Of the random directions, and of the point if --at gives none.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, errors included.")
def check(
    target: str,
    points: tuple[str, ...],
    wrt: tuple[str, ...],
    order: int,
    tolerance: float | None,
    seed: int,
    as_json: bool,
) -> None:
    """Compares the derivatives of a function with each other and with differences.

    Forward mode, reverse mode, extrapolated central differences and, where it applies, a complex
    step have to agree along random directions. If they do not, each step of the function is checked
    on its own, and the rule that is wrong is named.

    \b
    Examples:
      adjoint check model.py:loss --at w=[0.5,1]
      adjoint check model.py:loss
      adjoint check "x*log(x)" --at x=2 --order 3
    """
    named, unnamed = targets.read_point(points)
    found = targets.load(target, list(named))
    point = targets.place(found, named, unnamed)
    drawn = targets.missing(found, point)
    if drawn:
        point.update(_draw(found, point, drawn, seed))
    chosen = targets.choose(found, wrt, point)
    if not chosen:
        raise output.CommandError(
            f"{found.label} has no argument that is a number; there is nothing to differentiate."
        )
    report = _run(found, point, chosen, order=order, tolerance=tolerance, seed=seed)
    if as_json:
        click.echo(output.dump(_as_dict(found, point, chosen, report)))
    else:
        click.echo(_as_text(found, point, chosen, drawn, report))


def _run(
    target: Target, point: dict[str, Any], chosen: tuple[str, ...], **options: Any
) -> DerivativeReport:
    def of_chosen(*values: Any) -> Any:
        named = {**point, **dict(zip(chosen, values, strict=True))}
        return target.function(*(named[name] for name in target.parameters))

    with computing(target.label):
        return check_derivatives(
            of_chosen, tuple(targets.as_float(point[name]) for name in chosen), **options
        )


def _draw(target: Target, point: dict[str, Any], names: list[str], seed: int) -> dict[str, Any]:
    """Random values for arguments that were given none, of the first shapes that f accepts."""
    rng = np.random.default_rng(seed)
    # What mathematics writes with a capital is a matrix, more often than not.
    orders = [_SHAPES[::-1] if name[0].isupper() else _SHAPES for name in names]
    combinations = itertools.product(*orders)
    reason = "it accepts neither numbers, nor vectors of 3, nor 3×3 matrices"
    for shapes in itertools.islice(combinations, _TRIES):
        drawn = {
            name: rng.uniform(0.2, 1.8, shape)[()]
            for name, shape in zip(names, shapes, strict=True)
        }
        named = {**point, **drawn}
        try:
            with np.errstate(all="ignore"):
                value = target.function(*(named[name] for name in target.parameters))
            if np.asarray(value).dtype.kind in "fc" and np.all(np.isfinite(value)):
                return drawn
        except Exception as error:
            reason = f"the last try raised {type(error).__name__}: {error}"
    example = ",".join(f"{name}=…" for name in names)
    raise output.CommandError(
        f"{target.label} needs a value for {' and '.join(names)}, and no random one fits: "
        f"{str(reason).splitlines()[0].rstrip('.')}.",
        hint=f'give the point: --at "{example}".',
    )


def _as_dict(
    target: Target, point: dict[str, Any], chosen: tuple[str, ...], report: DerivativeReport
) -> dict[str, Any]:
    return {
        "function": target.label,
        "with_respect_to": list(chosen),
        "at": {name: output.plain(v) for name, v in point.items()},
        "worst_error": output.plain(report.worst),
        "comparisons": [
            {"order": c.order, "what": c.what, "got": output.plain(c.got),
             "expected": output.plain(c.expected), "error": output.plain(c.error)}
            for c in report.comparisons
        ],
        "notes": list(report.notes),
    }  # fmt: skip


def _as_text(
    target: Target,
    point: dict[str, Any],
    chosen: tuple[str, ...],
    drawn: list[str],
    report: DerivativeReport,
) -> str:
    width = max(map(len, point))
    lines = [f"{target.label}, differentiated with respect to {', '.join(chosen)}, at"]
    for name, value in point.items():
        origin = "   (random; --at chooses)" if name in drawn else ""
        large = np.size(value) > 12
        shown = describe(value) if large else output.show(value).replace("\n", " ")
        lines.append(f"  {name:<{width}}  {shown}{origin}")
    lines += ["", str(report), ""]
    count = len(report.comparisons)
    lines.append(f"right: {count} comparisons agree, worst relative error {report.worst:.1e}")
    return "\n".join(lines)
