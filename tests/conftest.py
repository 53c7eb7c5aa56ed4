"""What every test shares: one BLAS thread, no window, one seed, and hypothesis without a clock."""

import os

# NumPy reads these when it is first imported, so they come before any other import.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("ADJOINT_CACHE", "0")  # code is compiled anew, and nothing left behind

import numpy as np
import pytest
from hypothesis import settings

# A shared machine may be slow at any moment: a deadline would measure the machine.
settings.register_profile("here", deadline=None)
settings.register_profile("everywhere-the-same", deadline=None, derandomize=True, database=None)
settings.load_profile("everywhere-the-same" if os.environ.get("CI") else "here")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts at the same seed in every test, whatever ran before."""
    return np.random.default_rng(20240229)
