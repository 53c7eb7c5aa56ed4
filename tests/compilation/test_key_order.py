"""Dictionaries whose keys were not written in alphabetical order."""

from __future__ import annotations

from typing import Any

import numpy as np

import adjoint as ad


def test_inputs_follow_their_keys_not_their_order() -> None:
    layer = {"weights": np.arange(6.0).reshape(2, 3), "bias": np.array([10.0, 20.0, 30.0])}

    def affine(p: Any, x: Any) -> Any:
        return x @ p["weights"] + p["bias"]

    x = np.array([1.0, 2.0])
    compiled = ad.compile(affine)
    for _ in range(2):
        np.testing.assert_array_equal(compiled(layer, x), affine(layer, x))
    turned = {"bias": layer["bias"], "weights": layer["weights"]}
    np.testing.assert_array_equal(compiled(turned, x), affine(layer, x))


def test_results_follow_their_keys() -> None:
    def f(x: Any) -> Any:
        return {"z": x, "a": 2 * x, "m": [3 * x, {"q": 4 * x, "b": 5 * x}]}

    compiled = ad.compile(f)
    for _ in range(2):
        found = compiled(2.0)
        assert list(found) == ["z", "a", "m"]
        assert (found["z"], found["a"], found["m"][0]) == (2.0, 4.0, 6.0)
        assert (found["m"][1]["q"], found["m"][1]["b"]) == (8.0, 10.0)
