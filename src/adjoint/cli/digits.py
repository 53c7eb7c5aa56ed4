"""The digits of the demo: a small network in plain NumPy, and its training.

The loss is ordinary NumPy code; its gradient comes from `adjoint.value_and_grad`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from adjoint.errors import AdjointError

HIDDEN = 64
BATCH = 32
NOISE = 0.2
RATE = 0.02
HELD_OUT = 0.25

Layer = dict[str, Any]
Parameters = list[Layer]
ValueAndGradient = Callable[..., tuple[Any, Parameters]]


class MissingPackageError(AdjointError, ImportError):
    """A package that only an extra installs is not there."""


class Digits(NamedTuple):
    """Images as rows of 64 grey values between 0 and 1, and which digit each shows."""

    images: Any
    labels: Any
    held_out_images: Any
    held_out_labels: Any


def load_digits(seed: int) -> Digits:
    """The 1797 handwritten digits that come with scikit-learn, a quarter of them held out."""
    try:
        from sklearn.datasets import load_digits as load
    except ImportError:
        raise MissingPackageError(
            "scikit-learn is not installed; the digits come with it.",
            hint="pip install scikit-learn   # or, from a checkout: pip install '.[examples]'",
        ) from None
    data = load()
    images, labels = data.data / 16.0, data.target.astype(np.int64)
    order = np.random.default_rng(seed).permutation(len(labels))
    split = int(len(labels) * (1 - HELD_OUT))
    train, test = order[:split], order[split:]
    return Digits(images[train], labels[train], images[test], labels[test])


# -- the model: what a user would write -----------------------------------------------------------


def scores(parameters: Parameters, images: Any) -> Any:
    """One score per digit: tanh layers, and a linear one at the end."""
    h = images
    for layer in parameters[:-1]:
        h = np.tanh(h @ layer["weights"] + layer["bias"])
    return h @ parameters[-1]["weights"] + parameters[-1]["bias"]


def loss(parameters: Parameters, images: Any, labels: Any) -> Any:
    """Mean cross-entropy: −log of the probability that softmax gives to the right digit."""
    s = scores(parameters, images)
    top = np.max(s, axis=1, keepdims=True)
    log_total = top[:, 0] + np.log(np.sum(np.exp(s - top), axis=1))
    return np.mean(log_total - s[np.arange(len(labels)), labels])


def accuracy(parameters: Parameters, images: Any, labels: Any) -> float:
    """The share of images whose highest score is that of the right digit."""
    return float(np.mean(np.argmax(scores(parameters, images), axis=1) == labels))


def initial_parameters(rng: np.random.Generator, sizes: tuple[int, ...]) -> Parameters:
    """Weights of variance 1/n for n inputs, which keeps tanh out of saturation."""
    return [
        {"weights": rng.normal(0.0, n**-0.5, (n, m)), "bias": np.zeros(m)}
        for n, m in pairwise(sizes)
    ]


# -- training -------------------------------------------------------------------------------------


@dataclass
class Adam:
    """Adam (Kingma and Ba, 2015, algorithm 1), updating the parameters in place."""

    rate: float = RATE
    decay: float = 0.9
    decay_of_squares: float = 0.999
    steps: int = 0
    moments: list[tuple[Any, Any]] = field(default_factory=list)

    def step(self, parameters: Parameters, gradient: Parameters) -> None:
        """One step against a gradient of the form of the parameters."""
        leaves = [(p, g, key) for p, g in zip(parameters, gradient, strict=True) for key in p]
        if not self.moments:
            self.moments = [(np.zeros_like(p[key]), np.zeros_like(p[key])) for p, _, key in leaves]
        self.steps += 1
        rate = (
            self.rate
            * (1 - self.decay_of_squares**self.steps) ** 0.5
            / (1 - self.decay**self.steps)
        )
        for (p, g, key), (mean, square) in zip(leaves, self.moments, strict=True):
            mean += (1 - self.decay) * (g[key] - mean)
            square += (1 - self.decay_of_squares) * (g[key] ** 2 - square)
            p[key] -= rate * mean / (np.sqrt(square) + 1e-8)


@dataclass
class History:
    """The state after each epoch, the untrained one first."""

    epochs: list[tuple[float, float, float]] = field(default_factory=list)

    def record(self, parameters: Parameters, digits: Digits) -> None:
        """Adds an epoch, all of it or nothing: an interrupt may come at any moment."""
        held_out = digits.held_out_images, digits.held_out_labels
        self.epochs.append((
            float(loss(parameters, digits.images, digits.labels)),
            float(loss(parameters, *held_out)),
            accuracy(parameters, *held_out),
        ))  # fmt: skip

    @property
    def training_loss(self) -> list[float]:
        return [epoch[0] for epoch in self.epochs]

    @property
    def held_out_loss(self) -> list[float]:
        return [epoch[1] for epoch in self.epochs]

    @property
    def accuracy(self) -> list[float]:
        return [epoch[2] for epoch in self.epochs]


def train(
    gradient_of: ValueAndGradient,
    parameters: Parameters,
    digits: Digits,
    epochs: int,
    rng: np.random.Generator,
    history: History,
) -> Iterator[int]:
    """Trains in place, in mini-batches; yields each epoch when it is done.

    A little noise on the images keeps them from being learned by heart; the rate falls to 0 along
    half a cosine (Loshchilov and Hutter, 2017, equation 5).
    """
    adam = Adam()
    history.record(parameters, digits)
    for epoch in range(1, epochs + 1):
        adam.rate = RATE * (1 + np.cos(np.pi * (epoch - 1) / epochs)) / 2
        order = rng.permutation(len(digits.labels))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            images = digits.images[batch]
            images += rng.normal(0.0, NOISE, images.shape)
            _, gradient = gradient_of(parameters, images, digits.labels[batch])
            adam.step(parameters, gradient)
        history.record(parameters, digits)
        yield epoch
