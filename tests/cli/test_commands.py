"""`adjoint derive`, `check` and `primitives` as they are typed: output, JSON, exit codes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import adjoint as ad
from adjoint.cli import main

MODEL = '''
import numpy as np

RATE = 3.0


def loss(w, x=np.array([1.0, 2.0]), *, scale=2.0):
    """A least-squares loss."""
    return scale * np.sum((w * x - 1.0) ** 2)


def power(x, n):
    y = 1.0
    for _ in range(n):
        y = y * x
    return y


def broken(x):
    values = {"a": 1.0}
    return values["b"] * x


def leaky(x):
    return np.sin(float(x))


def pair(x):
    return x, 2 * x
'''

WRONG = """
import numpy as np
from adjoint.extend import row

cube = row(lambda x: x**3, lambda x, y: 2 * x * x, name="cube_with_a_wrong_rule")


def f(x):
    y = np.exp(x)
    return np.sum(cube(y))
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def as_json(*arguments: str, code: int = 0) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"not JSON: {name}"))


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "model.py").write_text(MODEL, "utf-8")
    return str(tmp_path / "model.py")


# -- derive ---------------------------------------------------------------------------------------


def test_derive_prints_value_and_derivatives() -> None:
    result = run("derive", "exp(x1*x2**2)", "--wrt", "x2", "--at", "x1=1,x2=2")
    value = float(np.exp(4.0))
    assert result.exit_code == 0
    assert f"f       {value!r}" in result.output
    assert f"∂f/∂x2  {4 * value!r}" in result.output
    assert "∂f/∂x1" not in result.output


def test_derive_takes_several_orders_and_one_variable_without_name() -> None:
    found = as_json("derive", "sin(x)", "--at", "0.5", "--order", "3")["derivatives"]
    assert [d["label"] for d in found] == ["df/dx", "d²f/dx²", "d³f/dx³"]
    expected = [np.cos(0.5), -np.sin(0.5), -np.cos(0.5)]
    assert np.allclose([d["value"] for d in found], expected, rtol=1e-14)


def test_derive_gives_jacobians_of_output_by_input() -> None:
    found = as_json("derive", "A @ x", "--at", "A=[[1,2],[3,4],[5,6]], x=[1,-1]")
    assert found["value"] == [-1.0, -1.0, -1.0]
    shapes = {d["label"]: d["shape"] for d in found["derivatives"]}
    assert shapes == {"∂f/∂A": [3, 3, 2], "∂f/∂x": [3, 2]}
    assert found["derivatives"][1]["value"] == [[1, 2], [3, 4], [5, 6]]


def test_derive_hessian_of_numbers_is_one_matrix() -> None:
    found = as_json("derive", "x1**2*x2 + x1*x2**3", "--at", "x1=1,x2=2", "--hessian")
    assert found["derivatives"][-1]["value"] == [[4.0, 14.0], [14.0, 12.0]]
    assert found["derivatives"][-1]["with_respect_to"] == ["x1", "x2"]


def test_derive_hessian_of_arrays_is_in_blocks() -> None:
    at = ("--at", "A=[[2,1],[1,20]]", "--at", "x=[1,2]")
    found = as_json("derive", "x @ A @ x", *at, "--wrt", "x,A", "--hessian")["derivatives"]
    blocks = {d["label"]: np.array(d["value"]) for d in found}
    assert np.allclose(blocks["∂²f/∂x²"], [[4, 2], [2, 40]])
    x, eye = np.array([1.0, 2.0]), np.eye(2)
    mixed = np.einsum("ki,j->kij", eye, x) + np.einsum("kj,i->kij", eye, x)
    assert np.allclose(blocks["∂²f/∂x∂A"], mixed)
    assert not np.any(blocks["∂²f/∂A²"])


def test_derive_a_function_in_a_file(model: str) -> None:
    found = as_json("derive", f"{model}:loss", "--at", "w=[0.5,1]")
    x, w = np.array([1.0, 2.0]), np.array([0.5, 1.0])
    assert found["function"] == "model.py:loss"
    slopes = {d["label"]: d["value"] for d in found["derivatives"]}
    assert set(slopes) == {"∂f/∂w", "∂f/∂x", "∂f/∂scale"}
    assert np.allclose(slopes["∂f/∂w"], 4 * (w * x - 1) * x)
    assert np.allclose(slopes["∂f/∂scale"], np.sum((w * x - 1) ** 2))


def test_integers_that_are_not_differentiated_stay_integers(model: str) -> None:
    found = as_json("derive", f"{model}:power", "--at", "x=2,n=5", "--wrt", "x")
    assert found["value"] == 32.0 and found["derivatives"][0]["value"] == 80.0


def test_numbers_that_json_lacks_are_words() -> None:
    found = as_json("derive", "log(x)", "--at", "x=0")
    assert (found["value"], found["derivatives"][0]["value"]) == ("-inf", "inf")
    assert "not all of these numbers are finite" in run("derive", "log(x)", "--at", "x=0").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sine(x)", "--at", "x=1"), "Did you mean sin"),
        (("x + y", "--at", "x=1"), "--at gives no value to y."),
        (("x**2", "--at", "y=1"), "--at gives y, but x**2 is a function of x."),
        (("alpha**2", "--at", "alhpa=1"), "Did you mean alpha?"),
        (("x**2", "--at", "x=1", "--wrt", "z"), "--wrt names z"),
        (("x + y", "--at", "1"), "--at needs names here"),
        (("x", "--at", "x=1", "--at", "x=2"), "gives x twice"),
        (("nowhere.py:f", "--at", "1"), "there is no file nowhere.py"),
        (("model.py", "--at", "1"), "write file.py:function"),
        (("x", "--at", "x=1", "--order", "0"), "order"),
        (("x @ x @ x @ x", "--at", "x=[1,2]", "--hesian"), "No such option"),
    ],
)
def test_misuse_is_explained_and_exits_with_2(arguments: tuple[str, ...], words: str) -> None:
    result = run("derive", *arguments)
    assert result.exit_code == 2 and not result.stdout
    assert words in result.stderr and "Traceback" not in result.stderr
    error = as_json("derive", *arguments, code=2)["error"]
    assert error["exit_code"] == 2 and error["message"]


def test_the_message_of_a_missing_point_can_be_pasted() -> None:
    result = run("derive", "x*y")
    if result.exit_code:
        assert '--at "x=1,y=1"' in result.stderr
        assert result.stderr.rstrip().endswith("Try 'adjoint derive --help'.")


def test_an_unknown_function_of_a_file_gets_the_nearest(model: str) -> None:
    result = run("derive", f"{model}:lss")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "derive: model.py has no function lss. Did you mean loss?",
        "Try 'adjoint derive --help'.",
    ]
    assert "RATE in model.py is not a function" in run("derive", f"{model}:RATE").stderr


def test_failures_of_the_users_code_exit_with_1_and_name_the_line(model: str) -> None:
    result = run("derive", f"{model}:broken", "--at", "x=1")
    assert result.exit_code == 1
    assert "model.py:broken raised KeyError: 'b'" in result.stderr
    assert 'at model.py:21:  return values["b"] * x' in result.stderr
    result = run("derive", f"{model}:leaky", "--at", "x=1")
    assert result.exit_code == 1 and "at model.py:25:  return np.sin(float(x))" in result.stderr
    assert as_json("derive", f"{model}:leaky", "--at", "x=1", code=1)["error"]["exit_code"] == 1


def test_a_function_with_several_results_is_refused(model: str) -> None:
    result = run("derive", f"{model}:pair", "--at", "x=1")
    assert result.exit_code != 0 and "has to return a number or an array" in result.stderr


def test_a_file_that_does_not_parse_shows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("def f(x):\n    return x +\n", "utf-8")
    result = run("derive", f"{path}:f", "--at", "1")
    assert result.exit_code == 2 and "bad.py, line 2" in result.stderr and "^" in result.stderr


def test_evaluation_errors_have_a_caret_and_exit_with_1() -> None:
    error = as_json("derive", "x @ y", "--at", "x=[1,2],y=[1,2,3]", code=1)["error"]
    assert error["message"] == "@ needs shapes that fit; got f64[2] and f64[3]."
    assert error["column"] == 2 and error["where"].endswith("^")


def test_derivatives_too_large_to_print_are_refused() -> None:
    result = run("derive", "outer(x, x)", "--at", "x=linspace(0,1,60)", "--order", "2")
    assert result.exit_code != 0 and "prints up to" in result.stderr


# -- check ----------------------------------------------------------------------------------------


def test_check_agrees_and_says_so(model: str) -> None:
    result = run("check", f"{model}:loss", "--at", "w=[0.5,1]")
    assert result.exit_code == 0, result.stderr
    assert "forward, differences" in result.output and "right:" in result.output
    found = as_json("check", "x*log(x)", "--at", "x=2")
    assert found["worst_error"] < 1e-6 and len(found["comparisons"]) > 3


def test_check_without_a_point_draws_one_that_fits(model: str) -> None:
    result = run("check", f"{model}:loss")
    assert result.exit_code == 0 and "(random; --at chooses)" in result.output
    assert np.shape(as_json("check", "x @ A @ x")["at"]["x"]) == (3,)
    result = run("check", f"{model}:broken")
    assert result.exit_code == 2 and "no random one fits" in result.stderr


def test_check_names_the_rule_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "planted.py"
    path.write_text(WRONG, "utf-8")
    command = [sys.executable, "-m", "adjoint", "check", f"{path}:f", "--at", "x=[0.1,0.2]"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "cube_with_a_wrong_rule" in done.stderr and "at planted.py:10" in done.stderr
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["error"]["type"] == "DerivativeCheckError"


def test_check_of_nothing_to_differentiate() -> None:
    result = run("check", "2 + 3")
    assert result.exit_code == 2 and "nothing to differentiate" in result.stderr


# -- primitives -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listing() -> dict[str, Any]:
    found = as_json("primitives")["functions"]
    return {entry["name"]: entry for entry in found}


def test_the_list_is_that_of_the_registry(listing: dict[str, Any]) -> None:
    from adjoint.graph import registry

    ufuncs = {f"np.{u.__name__}" for u in registry.UFUNCS if getattr(np, u.__name__, None) is u}
    assert ufuncs <= set(listing) and len(listing) > 400
    for name in ("np.sum", "np.linalg.norm", "np.einsum", "np.fft.fft", "scipy.special.erf"):
        assert listing[name]["forward"] == listing[name]["reverse"] == "yes", name


def test_the_list_knows_kinds_and_zero_derivatives(listing: dict[str, Any]) -> None:
    assert listing["np.tanh"]["kind"] == "elementwise" and listing["np.tanh"]["native"] == "yes"
    assert listing["np.floor"]["forward"] == "zero"
    assert listing["np.zeros"]["kind"] == "plain"
    assert listing["np.var"]["kind"] == "composite" and "einsum" in listing["np.var"]["parts"]
    assert listing["np.linalg.eigh"]["native"] == "yes"
    assert listing["np.fft.fft"]["native"] == "no"


def test_what_the_list_calls_differentiable_is(listing: dict[str, Any]) -> None:
    assert float(ad.grad(np.tanh)(0.5)) == pytest.approx(1 - np.tanh(0.5) ** 2, rel=1e-15)
    refused = [n for n, e in listing.items() if e["kind"] == "elementwise" and e["forward"] == "no"]
    assert not refused


def test_one_primitive_by_any_name() -> None:
    for name in ("np.linalg.norm", "norm", "numpy.linalg.norm"):
        assert run("primitives", name).output.startswith("np.linalg.norm\n  kind     composite")
    result = run("primitives", "tnah")
    assert result.exit_code == 2 and "Did you mean np.tanh" in result.stderr
    result = run("primitives", "np.loadtxt")
    assert result.exit_code == 2 and "cannot be traced: it reads text" in result.stderr


def test_the_table_of_the_documentation() -> None:
    lines = run("primitives", "np.exp", "--markdown").output.splitlines()
    assert lines[0] == "| function | kind | forward | reverse | taylor | batch | native |"
    assert lines[2].startswith("| `np.exp` | elementwise | yes | yes |")
    assert "functions. adjoint primitives NAME" in run("primitives").output


# -- all ------------------------------------------------------------------------------------------


def test_every_command_teaches() -> None:
    for command in ("demo", "derive", "check", "primitives"):
        result = run(command, "--help")
        assert result.exit_code == 0
        assert "Examples:" in result.output and "Exit codes:" in result.output, command
    assert ad.__version__ in run("--version").output


def test_an_unknown_command_exits_with_2() -> None:
    assert run("derivate").exit_code == 2
    found = as_json("derivate", code=2)
    assert "derivate" in found["error"]["message"]
