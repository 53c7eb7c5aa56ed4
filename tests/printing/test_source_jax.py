"""The JAX source of a derivative runs on many devices, with its data split across them.

The script below knows nothing of Adjoint: it gets the source and the arrays.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="the source for JAX needs JAX to run"
)

DEVICES = 8

SCRIPT = """
import json, sys
import numpy
folder, name = sys.argv[1:]
space = {}
exec(open(f"{folder}/source.py").read(), space)

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

mesh = Mesh(numpy.array(jax.devices()), ("data",))
arrays = numpy.load(f"{folder}/arrays.npz")
placed, devices = [], {}
for key in arrays.files:
    split = key.startswith("split")
    sharding = NamedSharding(mesh, PartitionSpec("data") if split else PartitionSpec())
    placed.append(jax.device_put(arrays[key], sharding))
    if split:
        shards = placed[-1].addressable_shards
        devices[key] = [len({s.device for s in shards}), shards[0].data.shape[0]]
function = jax.jit(space[name])
program = function.lower(*placed).compile().as_text()
results = function(*placed)
results = results if isinstance(results, tuple) else (results,)
numpy.savez(f"{folder}/results.npz", *[numpy.asarray(r) for r in results])
print(json.dumps(dict(devices=devices, exchanges="all-reduce" in program)))
"""


def run_sharded(
    folder: Path, name: str, source: str, whole: list[Any], split: list[Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The results of the source in a process with eight devices, and what was where."""
    (folder / "source.py").write_text(source)
    arrays = {f"whole{i}": a for i, a in enumerate(whole)}
    arrays |= {f"split{i}": a for i, a in enumerate(split)}
    np.savez(folder / "arrays.npz", **arrays)
    flags = f"--xla_force_host_platform_device_count={DEVICES}"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", SCRIPT, str(folder), name]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert run.returncode == 0, run.stderr
    with np.load(folder / "results.npz") as found:
        results = [found[key] for key in found.files]
    return results, json.loads(run.stdout.splitlines()[-1])


def logistic(w: Any, x: Any, y: Any) -> Any:
    return np.sum(np.log1p(np.exp(-y * (x @ w))))


def network(W: Any, b: Any, v: Any, x: Any, y: Any) -> Any:
    return np.mean((np.tanh(x @ W + b) @ v - y) ** 2)


SIZES = {"n": 5, "m": 4 * DEVICES, "d": 3, "h": 6}
OBSERVATIONS = {"w": "n", "x": "m n", "y": "m"}
LAYERS = {"W": "d h", "b": "h", "v": "h", "x": "m d", "y": "m"}

CASES = {
    "value and gradient of logistic regression": (ad.value_and_grad(logistic), OBSERVATIONS),
    "Hessian of logistic regression": (ad.hessian(logistic), OBSERVATIONS),
    "gradient of a network": (ad.grad(network, argnums=(0, 1, 2)), LAYERS),
}
"""Derivatives, and the shapes of their arguments, of which the last two are the data."""


@pytest.mark.parametrize("case", CASES)
def test_data_split_over_eight_devices_give_what_numpy_gives(
    case: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Each device holds an eighth of the data; sums over all of them are exchanged."""
    derivative, shapes = CASES[case]
    source = ad.source(derivative, target="jax", **shapes)
    assert "adjoint" not in source
    arrays = [rng.normal(size=[SIZES[k] for k in s.split()]) for s in shapes.values()]
    name = next(line for line in source.splitlines()[::-1] if line.startswith("def "))
    name = name.removeprefix("def ").split("(")[0]
    results, seen = run_sharded(tmp_path, name, source, arrays[:-2], arrays[-2:])
    assert seen["exchanges"]
    assert seen["devices"] == {"split0": [DEVICES, 4], "split1": [DEVICES, 4]}
    expected = derivative(*arrays)
    expected = expected if isinstance(expected, tuple) else (expected,)
    assert len(results) == len(expected)
    for result, value in zip(results, expected, strict=True):
        assert result.dtype == np.float64
        np.testing.assert_allclose(result, value, rtol=1e-12, atol=1e-14)
