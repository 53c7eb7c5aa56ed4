"""The public names are one list, every one of them exists, and each is shown in use."""

import importlib
import importlib.util
import inspect
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import adjoint

ROOT = Path(__file__).resolve().parents[2]

# What the documentation promises under these very names.
PROMISED = [
    "grad",
    "value_and_grad",
    "derivative",
    "partial",
    "directional",
    "jacobian",
    "hessian",
    "derivative_tensor",
    "jvp",
    "vjp",
    "linearize",
    "hvp",
    "vmap",
    "checkpoint",
    "stop_gradient",
    "custom_derivative",
    "scan",
    "while_loop",
    "cond",
    "check_derivatives",
]

# Folders that people import from by name; each has its own list.
DOORS = ("extend", "operators", "testing", "learn", "optimize", "curvature", "geometry")


@cache
def doors() -> list[ModuleType]:
    """The root, and those public folders that exist."""
    names = [f"adjoint.{name}" for name in DOORS]
    return [adjoint, *(importlib.import_module(name) for name in names if exists(name))]


def exists(name: str) -> bool:
    """Whether there is such a module with code: a folder without __init__ has no origin."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def visible(module: ModuleType) -> set[str]:
    """Public names that are not modules: what `dir` shows and what has been loaded."""
    names = {name for name in {*dir(module), *vars(module)} if not name.startswith("_")}
    return {name for name in names if not isinstance(getattr(module, name), ModuleType)}


def needs_an_example(thing: object) -> bool:
    """Functions and classes do; an exception is shown where it is raised."""
    if inspect.isclass(thing):
        return not issubclass(thing, BaseException)
    return callable(thing)


def examples_missing(module: ModuleType) -> list[str]:
    things = {name: getattr(module, name) for name in module.__all__}
    return [
        f"{module.__name__}.{name}"
        for name, thing in things.items()
        if needs_an_example(thing) and ">>>" not in (inspect.getdoc(thing) or "")
    ]


@pytest.mark.parametrize("name", PROMISED)
def test_promised_names_are_public(name: str) -> None:
    assert name in adjoint.__all__
    assert callable(getattr(adjoint, name))


def test_each_list_names_what_exists_once() -> None:
    for module in doors():
        absent = [name for name in module.__all__ if not hasattr(module, name)]
        assert not absent, f"{module.__name__}.__all__ names what is not there: {absent}"
        assert len(set(module.__all__)) == len(module.__all__)


def test_each_list_names_all_that_is_public() -> None:
    for module in doors():
        unlisted = visible(module) - set(module.__all__)
        assert not unlisted, f"{module.__name__}: neither private nor listed: {sorted(unlisted)}"


def test_dir_shows_the_list() -> None:
    assert set(adjoint.__all__) <= set(dir(adjoint))


def test_every_public_function_shows_an_example() -> None:
    missing = [name for module in doors() for name in examples_missing(module)]
    assert not missing, f"docstrings without an example (>>>): {missing}"


def test_unknown_names_are_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="gradd"):
        adjoint.gradd  # noqa: B018


def test_the_version_is_written_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert adjoint.__version__ == project["version"]


def test_a_missing_example_and_an_unlisted_name_are_seen() -> None:
    module = ModuleType("planted")
    exec("def shown():\n    '>>> 1'\ndef silent():\n    'No example.'", vars(module))
    module.__all__ = ["silent"]
    assert visible(module) == {"shown", "silent"}
    assert examples_missing(module) == ["planted.silent"]
