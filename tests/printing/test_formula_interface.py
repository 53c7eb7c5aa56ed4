"""What `formula`, `latex` and `source` accept, what they return, and what they say."""

import subprocess
import sys

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import (
    AbstractValueError,
    ArgumentError,
    ArgumentValueError,
    MissingRuleError,
    UnknownNameError,
)

WEIGHTS = np.array([[1.0, 2.0], [3.0, 5.0]])


def quadratic(x, B):
    return x @ B @ x


def network(W1, b1, W2, b2, x):
    return np.sum((W2 @ np.tanh(W1 @ x + b1) + b2) ** 2)


def branch(x):
    return x**2 if x > 0 else -x


def test_layouts():
    gradient = ad.grad(quadratic)
    assert str(ad.formula(gradient, "n", "n n")) == "xᵀ(B + Bᵀ)"
    assert str(ad.formula(gradient, "n", "n n", layout="argument")) == "(B + Bᵀ)x"
    assert str(ad.formula(ad.jacobian(quadratic), "n", "n n")) == "xᵀ(B + Bᵀ)"
    assert str(ad.formula(ad.partial(quadratic, "x"), "n", "n n")) == "xᵀ(B + Bᵀ)"
    assert str(ad.formula(lambda x, B: (B + B.T) @ x, "n", "n n")) == "(B + Bᵀ)x"


def test_shapes_are_given_in_many_ways():
    for shapes in ({"x": "n", "B": "n n"}, {"x": (3,), "B": "3, 3"}, {"x": ("n",), "B": ("n", "n")},
                   {"x": np.ones(3), "B": np.eye(3)}):  # fmt: skip
        assert str(ad.formula(quadratic, **shapes)) == "xᵀBx"
        assert str(ad.formula(ad.grad(quadratic), **shapes)) == "xᵀ(B + Bᵀ)"


def test_dimensions_are_printed_by_name():
    f = ad.grad(lambda x: np.mean(x))
    assert str(ad.formula(f, "n")) == "1/n"
    assert str(ad.formula(lambda X: np.mean(X), "n m")) == "1/(nm) sum(X)"
    assert ad.formula(f, "n").function()(np.ones(4)).tolist() == [0.25] * 4


def test_examples_decide_branches():
    assert str(ad.formula(branch, 2.0)) == "x²"
    assert str(ad.formula(branch, x=-2.0)) == "−x"
    with pytest.raises(AbstractValueError, match="a formula holds for all values; give an example"):
        ad.formula(branch)


def test_latex():
    assert ad.latex(ad.grad(quadratic), "n", "n n") == r"x^\top \left(B + B^\top\right)"
    f = ad.grad(lambda X, a, b: a @ np.linalg.inv(X) @ b)
    assert ad.latex(f, "n n", "n", "n") == r"-X^{-\top} a b^\top X^{-\top}"
    assert ad.latex(ad.grad(lambda theta: np.linalg.norm(theta)), "n") == (
        r"\frac{\theta^\top}{\left\|\theta\right\|}"
    )
    formula = ad.formula(ad.grad(lambda x: (2 * x**2 + 1) ** 4))
    assert formula._repr_latex_() == r"$\displaystyle 16\,x \left(2\,x^{2} + 1\right)^{3}$"


def test_source_is_standalone():
    text = ad.source(ad.grad(quadratic), "n", "n n")
    assert text == (
        "import numpy as np\n\n\ndef quadratic(x, B):\n"
        '    """xᵀ(B + Bᵀ)"""\n    return x @ (B + B.T)\n'
    )
    script = text + "\nprint(quadratic(np.ones(2), np.eye(2)))\nimport sys\n"
    script += "print('adjoint' in sys.modules)\n"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert run.stdout.split("\n")[:2] == ["[2. 2.]", "False"], run.stderr


def test_source_solves_rather_than_inverts():
    f = ad.grad(lambda X, a, b: a @ np.linalg.inv(X) @ b)
    assert "np.outer(np.linalg.solve(X.T, a), np.linalg.solve(X, b))" in ad.source(
        f, "n n", "n", "n"
    )


def test_helpers_do_not_shadow_the_function():
    def softmax(x):
        return np.exp(x) / np.sum(np.exp(x))

    source = ad.source(softmax, "n")
    assert "def _softmax(x, axis=-1)" in source and "def softmax(x):" in source
    x = np.array([1.0, 1000.0])
    np.testing.assert_array_equal(ad.formula(softmax, "n").function()(x), [0.0, 1.0])


def test_arrays_from_outside_have_their_names():
    formula = ad.formula(ad.grad(lambda x: x @ WEIGHTS @ x), "2")
    assert str(formula) == "xᵀ(WEIGHTS + WEIGHTSᵀ)"
    assert formula.parameters == ("x", "WEIGHTS")
    local = WEIGHTS + 1
    assert str(ad.formula(lambda x: local @ x, "2")) == "local x"


def test_arrays_without_a_name_are_written_out():
    formula = ad.formula(lambda x: np.array([[1.0, 2.0], [3.0, 4.0]]) @ x, "2")
    assert str(formula) == "C₁x\nwhere C₁ is a given f64[2,2]"
    assert formula.function()(np.array([1.0, 1.0])).tolist() == [3.0, 7.0]


def test_parameters_of_functions_are_printed():
    assert str(ad.formula(lambda X: np.max(X, axis=1), "n m")) == "max(X, axis=1)"
    assert str(ad.formula(lambda X: np.max(X), "n m")) == "max(X)"
    x = np.array([1.0, 5.0, 2.0])
    gradient = ad.formula(ad.grad(lambda x, a: np.cumsum(x) @ a), "n", "n")
    assert str(gradient) == "cumsum(a, reverse=True)ᵀ"
    assert gradient.function()(x, x).tolist() == [8.0, 7.0, 2.0]


def test_containers():
    formula = ad.formula(ad.grad(lambda p: p["a"] @ p["b"]), {"a": np.ones(3), "b": np.ones(3)})
    assert str(formula) == "['a'] = p['b']ᵀ\n['b'] = p['a']ᵀ"
    pair = ad.formula(ad.value_and_grad(lambda A: np.sum(A**2)), "n m")
    value, gradient = pair.function()(np.ones((2, 2)))
    assert str(pair) == "[0] = ‖A‖²\n[1] = 2A"
    assert value == 4 and gradient.tolist() == [[2, 2], [2, 2]]


def test_parts_that_are_reused_have_names():
    shapes = ("h n", "h", "m h", "m", "n")
    assert str(ad.formula(ad.grad(network, 2), *shapes)) == (
        "2(W₂v + b₂)vᵀ\nwhere v = tanh(W₁x + b₁)"
    )
    assert str(ad.formula(ad.grad(network, 0), *shapes)) == (
        "2((1 − v²) ∘ W₂ᵀ(W₂v + b₂))xᵀ\nwhere v = tanh(W₁x + b₁)"
    )
    rng = np.random.default_rng(0)
    args = [rng.normal(size=s) for s in ((4, 3), 4, (2, 4), 2, 3)]
    for i in range(4):
        got = ad.formula(ad.grad(network, i), *shapes).function()(*args)
        np.testing.assert_allclose(got, ad.grad(network, i)(*args), rtol=1e-12)


def test_a_formula_that_is_too_long_says_so():
    text = str(ad.formula(ad.jacobian(ad.jacobian(lambda x: np.cumprod(x))), "n"))
    assert text.startswith("(too long to read as one formula: ")


def test_what_numpy_cannot_spell_is_refused():
    formula = ad.formula(lambda x: np.convolve(x, x), "5")
    with pytest.raises(MissingRuleError, match=r"no NumPy spelling for the primitive"):
        formula.source()


def test_a_formula_for_one_length_says_so():
    formula = ad.formula(lambda x: np.sum(x[: x.shape[0] // 2]), "n")
    assert str(formula) == "sum(x[:11])\n(for n = 23)" and not formula.general
    with pytest.raises(ArgumentValueError, match="f counts or slices along n"):
        formula.source()
    fixed = ad.formula(ad.grad(lambda x: x[3] ** 2), "4")
    assert str(fixed) == "[0, 0, 0, 2x₃]ᵀ" and fixed.general
    assert ad.formula(ad.grad(quadratic), "n", "n n").general


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ArgumentError, "needs a function; got 3", lambda: ad.formula(3)),
        (UnknownNameError, r"parameters of f \(x, B\); got y",
         lambda: ad.formula(quadratic, y="n")),
        (ArgumentError, "got 3 shapes; f has 2 parameters",
         lambda: ad.formula(quadratic, "n", "n n", "")),
        (ArgumentError, "got two shapes for x", lambda: ad.formula(quadratic, "n", x="n")),
        (ArgumentValueError, "dimensions as names or numbers.*got 'n!'",
         lambda: ad.formula(quadratic, "n!", "n n")),
        (UnknownNameError, "knows the layouts 'numerator' and 'argument'; got 'column'",
         lambda: ad.formula(quadratic, "n", "n n", layout="column")),
        (UnknownNameError, "knows numpy, jax; got 'jacks'",
         lambda: ad.source(quadratic, "n", "n n", target="jacks")),
        (ArgumentError, "cannot read the parameters of f", lambda: ad.formula(min)),
        (ValueError, "a @ b needs", lambda: ad.formula(quadratic, "n", "m m")),
    ],
)  # fmt: skip
def test_errors(error, message, call):
    with pytest.raises(error, match=message):
        call()


JAX_ON_EIGHT_DEVICES = """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
exec(open(0).read())
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
mesh = Mesh(jax.devices(), ("data",))
X = np.arange(48.0).reshape(16, 3) / 48
y = np.arange(16.0) / 16
w = np.array([0.3, -0.2, 0.1])
rows = NamedSharding(mesh, P("data"))
split = jax.jit(logistic)(w, jax.device_put(X, rows), jax.device_put(y, rows))
assert len(jax.devices()) == 8
print(*split.tolist())
"""


def logistic(w, X, y):
    return np.sum(np.log(1 + np.exp(X @ w))) - y @ (X @ w)


def test_jax_source_runs_on_eight_devices_with_split_data():
    pytest.importorskip("jax")
    text = ad.source(ad.grad(logistic), "d", "n d", "n", target="jax")
    run = subprocess.run(
        [sys.executable, "-c", JAX_ON_EIGHT_DEVICES],
        input=text, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    got = np.array([float(v) for v in run.stdout.split()])
    X, y = np.arange(48.0).reshape(16, 3) / 48, np.arange(16.0) / 16
    wanted = ad.grad(logistic)(np.array([0.3, -0.2, 0.1]), X, y)
    np.testing.assert_allclose(got, wanted, rtol=1e-12, err_msg=run.stderr)
