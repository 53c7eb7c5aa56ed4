"""Products with constant identity matrices are done by renaming an index."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad


def frozen_eye(n):
    eye = np.eye(n)
    eye.flags.writeable = False
    return eye


@pytest.mark.parametrize(
    "subscripts",
    ["ij,jk->ik", "ij,jk->ki", "ij,kj->ik", "ij,jk->ijk", "ij,ij->i", "ij,ij->", "ij,jk->j"],
)
def test_a_product_with_an_identity_is_what_numpy_says(subscripts):
    eye = frozen_eye(3)
    x = np.arange(9.0).reshape(3, 3) + 1

    def f(x):
        return np.einsum(subscripts, x, eye) * 1.0

    compiled = ad.compile(f)
    compiled(x)
    np.testing.assert_array_equal(compiled(x), f(x))


def test_two_identities():
    eye = frozen_eye(3)
    x = np.arange(9.0).reshape(3, 3)

    def f(x):
        return np.einsum("ai,ij,jb->ab", eye, x, eye) + 0.0

    compiled = ad.compile(f)
    compiled(x)
    np.testing.assert_array_equal(compiled(x), x)


def test_no_product_is_left_in_the_jacobian_of_a_linear_map():
    A = np.arange(64.0 * 64).reshape(64, 64)
    compiled = ad.compile(ad.jacobian(lambda x: A @ x))
    compiled(np.ones(64))
    np.testing.assert_array_equal(compiled(np.ones(64)), A)
    assert "gemm" not in compiled.explain()


def test_an_identity_that_can_change_is_read_at_every_call():
    eye = np.eye(2)
    compiled = ad.compile(lambda x: x @ eye)
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    compiled(x)
    np.testing.assert_array_equal(compiled(x), x)
    eye *= 3
    np.testing.assert_array_equal(compiled(x), 3 * x)


def test_a_read_only_view_of_an_array_that_can_change_is_no_identity():
    base = np.eye(2)
    view = base[:]
    view.flags.writeable = False
    compiled = ad.compile(lambda x: x @ view)
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    compiled(x)
    base *= 2
    np.testing.assert_array_equal(compiled(x), 2 * x)
