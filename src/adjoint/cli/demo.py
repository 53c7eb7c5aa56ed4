"""`adjoint demo`: what Adjoint is for, in a few seconds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import adjoint as ad
from adjoint.cli import digits, output
from adjoint.cli.digits import History, MissingPackageError, ValueAndGradient
from adjoint.cli.timing import in_words, seconds_per_call
from adjoint.testing import extrapolated_difference

GOAL = 0.96
INTERRUPTED = 130


def worked_example(x: Any) -> Any:
    """√(x² + eˣ²) + cos(x² + eˣ²), in plain NumPy."""
    a = x**2
    c = a + np.exp(a)
    return np.sqrt(c) + np.cos(c)


@click.command(
    epilog=output.EXIT_CODES + "  130  interrupted; the picture shows the training so far"
)
@click.option("--output", "path", type=click.Path(dir_okay=False, path_type=Path),
              default=Path("adjoint-demo.png"), show_default=True,
              help="Where the picture of loss and accuracy goes.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), default=60, show_default=True,
              help="Passes over the training digits.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
              help="Of the split, the first weights and the order of the digits.")  # fmt: skip
def demo(path: Path, epochs: int, seed: int) -> None:
    """Differentiates a function, then trains a network on real digits.

    First the worked example √(x² + eˣ²) + cos(x² + eˣ²): its value and derivative, whether
    differences agree, and what it costs. Then a tanh network 64-64-10 learns to read the 1797
    handwritten digits that come with scikit-learn. Its loss is ordinary NumPy code, and
    ad.value_and_grad gives the gradient, compiled to machine code with ad.compile.

    Needs scikit-learn and matplotlib (pip install 'adjoint[examples]'). Takes a few seconds.
    Ctrl-C stops the training and saves the picture of what there is.

    \b
    Examples:
      adjoint demo
      adjoint demo --epochs 10 --seed 3 --output digits.png
    """
    console = Console(highlight=False)
    draw = _drawing()
    data = digits.load_digits(seed)
    _require_folder(path)
    _show_worked_example(console)
    console.print()
    _train(console, data, draw, path, epochs, seed)


def _drawing() -> Callable[..., None]:
    try:
        from adjoint.plots.training import draw_training
    except ImportError:
        raise MissingPackageError(
            "Matplotlib is not installed; it draws the picture.",
            hint="pip install matplotlib   # or, from a checkout: pip install '.[examples]'",
        ) from None
    return draw_training


def _require_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise output.CommandError(
            f"--output names the folder {path.parent}, which does not exist.",
            hint=f"mkdir -p {path.parent}",
        )


# -- the worked example ---------------------------------------------------------------------------


def _show_worked_example(console: Console) -> None:
    x = 1.1
    console.print("[bold]1  f(x) = √(x² + eˣ²) + cos(x² + eˣ²), at x = 1.1[/bold]\n")
    both = ad.value_and_grad(worked_example)
    value, slope = both(x)
    found = extrapolated_difference(lambda t: worked_example(x + t))
    relative = abs(float(slope) - float(found.value)) / abs(float(slope))
    console.print(f"  value                  {float(value):.15g}")
    console.print(f"  derivative             {float(slope):.15g}")
    console.print(f"  by central differences {float(found.value):.15g}   "
                  f"relative difference {relative:.1e}")  # fmt: skip
    console.print()
    _show_times(console, x, both)


def _show_times(console: Console, x: float, both: Callable[[Any], Any]) -> None:
    number = np.float64(x)
    compiled = ad.compile(both)
    start = time.perf_counter()
    compiled(number)
    compile_time = time.perf_counter() - start
    times = seconds_per_call({
        "NumPy, value": lambda: worked_example(number),
        "value and derivative, traced at every call": lambda: both(number),
        "value and derivative, compiled": lambda: compiled(number),
    })  # fmt: skip
    _print_times(console, times, "NumPy, value")
    console.print(f"  (compiled once, in {in_words(compile_time)}; "
                  "each time includes the call of a Python lambda)")  # fmt: skip


def _print_times(console: Console, times: dict[str, float], unit: str) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2), show_header=False)
    for name, seconds in times.items():
        ratio = seconds / times[unit]
        table.add_row("", name, in_words(seconds), "" if name == unit else f"{ratio:.2g} × that")
    console.print(table)


# -- the digits -----------------------------------------------------------------------------------


def _train(
    console: Console, data: digits.Digits, draw: Callable[..., None], path: Path, epochs: int,
    seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    parameters = digits.initial_parameters(rng, (64, digits.HIDDEN, 10))
    counts = len(data.labels), len(data.held_out_labels)
    console.print("[bold]2  a tanh network 64-64-10 learns to read handwritten digits[/bold]\n")
    console.print(f"  {counts[0]} digits to learn from, {counts[1]} held out; "
                  f"batches of {digits.BATCH}\n")  # fmt: skip
    gradient_of = _fastest_gradient(console, parameters, data)
    console.print()
    history = History()
    steps = digits.train(gradient_of, parameters, data, epochs, rng, history)
    start = time.perf_counter()
    finished = _follow(console, steps, history, epochs)
    seconds = time.perf_counter() - start
    done = len(history.accuracy) - 1
    if done >= 0:
        draw(
            path, training_loss=history.training_loss, held_out_loss=history.held_out_loss,
            accuracy=history.accuracy, goal=GOAL,
            title=f"tanh network 64-64-10 on handwritten digits, {done} epochs in {seconds:.1f} s",
        )  # fmt: skip
    if not finished:
        console.print(f"\n  interrupted after {done} of {epochs} epochs; "
                      f"the picture shows the training so far: {path}", soft_wrap=True)  # fmt: skip
        raise click.exceptions.Exit(INTERRUPTED)
    console.print(f"\n  accuracy on the held-out digits  {history.accuracy[-1]:.1%}   "
                  f"after {done} epochs in {seconds:.1f} s")  # fmt: skip
    console.print(f"  picture of loss and accuracy     {path}", soft_wrap=True)


def _fastest_gradient(
    console: Console, parameters: digits.Parameters, data: digits.Digits
) -> ValueAndGradient:
    """Compares the gradient traced at every call with the compiled one, and takes the faster."""
    batch = data.images[: digits.BATCH], data.labels[: digits.BATCH]
    traced: ValueAndGradient = ad.value_and_grad(digits.loss)
    compiled: ValueAndGradient = ad.compile(traced)
    start = time.perf_counter()
    compiled(parameters, *batch)
    compile_time = time.perf_counter() - start
    times = seconds_per_call({
        "NumPy, loss": lambda: digits.loss(parameters, *batch),
        "loss and gradient, traced at every call": lambda: traced(parameters, *batch),
        "loss and gradient, compiled": lambda: compiled(parameters, *batch),
    })  # fmt: skip
    _print_times(console, times, "NumPy, loss")
    off_by = _largest_difference(traced(parameters, *batch)[1], compiled(parameters, *batch)[1])
    console.print(f"  (compiled once, in {in_words(compile_time)}; "
                  f"the two gradients differ by at most {off_by:.1e})")  # fmt: skip
    _, slow, fast = times.values()
    return compiled if fast < slow else traced


def _largest_difference(one: digits.Parameters, other: digits.Parameters) -> float:
    return max(
        float(np.max(np.abs(a[key] - b[key]))) for a, b in zip(one, other, strict=True) for key in a
    )


def _follow(console: Console, steps: Any, history: History, epochs: int) -> bool:
    """Runs the training under a progress bar; False if it was interrupted."""
    columns = (
        TextColumn("  epoch {task.completed}/{task.total}"),
        BarColumn(bar_width=30),
        TextColumn("loss {task.fields[loss]:.4f}   accuracy {task.fields[accuracy]:.1%}"),
        TimeElapsedColumn(),
    )
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(Progress(*columns, console=console))
        task = progress.add_task("", total=epochs, loss=float("nan"), accuracy=0.0)
        try:
            for epoch in steps:
                progress.update(
                    task, completed=epoch, loss=history.training_loss[-1],
                    accuracy=history.accuracy[-1],
                )  # fmt: skip
        except KeyboardInterrupt:
            return False
    return True
