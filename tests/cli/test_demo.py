"""`adjoint demo`, with few epochs: it learns, draws, stops when asked, and says what it lacks."""

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import adjoint as ad
from adjoint.cli import digits, main
from adjoint.cli.timing import seconds_per_call


def test_the_gradient_of_the_loss_is_that_of_differences() -> None:
    data = digits.load_digits(0)
    rng = np.random.default_rng(0)
    parameters = digits.initial_parameters(rng, (64, 5, 10))
    batch = data.images[:7], data.labels[:7]
    gradient = ad.grad(digits.loss)(parameters, *batch)
    for layer, key, place in ((0, "weights", (20, 3)), (0, "bias", (2,)), (1, "weights", (4, 9))):
        values = []
        for step in (1e-5, -1e-5):
            moved = [{k: v.copy() for k, v in each.items()} for each in parameters]
            moved[layer][key][place] += step
            values.append(float(digits.loss(moved, *batch)))
        difference = (values[0] - values[1]) / 2e-5
        assert gradient[layer][key][place] == pytest.approx(difference, rel=1e-6, abs=1e-10)


def test_digits_are_split_and_none_is_in_both() -> None:
    data = digits.load_digits(3)
    assert len(data.labels) + len(data.held_out_labels) == 1797
    assert data.images.shape == (1347, 64) and 0 <= data.images.min() <= data.images.max() == 1
    assert np.array_equal(digits.load_digits(3).labels, data.labels)
    assert not np.array_equal(digits.load_digits(4).labels, data.labels)


def test_the_demo_learns_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    result = CliRunner().invoke(
        main, ["demo", "--epochs", "12", "--output", str(picture)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert "11.713402087" in result.output and "relative difference" in result.output
    assert "value and derivative, compiled" in result.output
    assert picture.read_bytes().startswith(b"\x89PNG") and str(picture) in result.output
    line = next(row for row in result.output.splitlines() if "accuracy on the held-out" in row)
    assert float(line.split("digits")[1].split("%")[0]) >= 96.0


def _listen_to_interrupts() -> None:
    """A shell starts what it runs in the background with interrupts ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_demo_keeps_its_picture(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    command = [sys.executable, "-u", "-m", "adjoint", "demo", "--epochs", "100000"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*command, "--output", str(picture)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env=environment, preexec_fn=_listen_to_interrupts,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        output = ""
        for line in process.stdout:
            output += line
            if "the two gradients differ" in line:
                time.sleep(0.7)
                process.send_signal(signal.SIGINT)
        code = process.wait(timeout=30)
        watchdog.cancel()
    assert code == 130, output
    assert "interrupted after" in output and "the picture shows the training so far" in output
    assert "Traceback" not in output and picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("package", "module"), [("scikit-learn", "sklearn.datasets"), ("Matplotlib", "matplotlib.axes")]
)
def test_a_missing_package_is_named_with_the_command(
    package: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "adjoint.plots.training", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    result = CliRunner().invoke(main, ["demo", "--output", str(tmp_path / "p.png")])
    assert result.exit_code == 1
    assert f"{package} is not installed" in result.stderr and "pip install" in result.stderr


def test_a_folder_that_does_not_exist_is_said_before_the_work(tmp_path: Path) -> None:
    start = time.perf_counter()
    result = CliRunner().invoke(main, ["demo", "--output", str(tmp_path / "no" / "p.png")])
    assert result.exit_code == 2 and "does not exist" in result.stderr
    assert time.perf_counter() - start < 5.0


def test_times_are_taken_in_turns() -> None:
    order: list[str] = []
    calls = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    times = seconds_per_call(calls, rounds=3, seconds=1e-5)
    assert set(times) == {"a", "b"} and min(times.values()) > 0
    changes = sum(one != other for one, other in pairwise(order))
    assert changes >= 5
