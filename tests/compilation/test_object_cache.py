"""The cache on disk: used by another process, private, and no worse for damaged files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import adjoint as ad
from adjoint.codegen import llvm_session, object_cache

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the cache is for POSIX systems")

PROGRAM = """
import numpy as np, adjoint as ad
from adjoint.codegen import llvm_session
held = np.arange(4.0)[::-1]
made = []
plain = llvm_session.compile_ir
import adjoint.codegen.entry.build as build
build.compile_ir = lambda *a, **k: made.append(1) or plain(*a, **k)
w = np.linspace(0, 1, 60 * 60).reshape(60, 60)
f = ad.compile(ad.value_and_grad(lambda x: np.sum(np.sin(x) * held) + np.sum((w @ w) * x[0])))
first, second = f(np.ones(4)), f(np.ones(4))
held[:] = 2.0
third = f(np.ones(4))
print(len(made), repr(float(second[0])), third[1].tolist(), "define" in f.llvm_ir())
"""


def run(folder: Path | str) -> list[str]:
    """What the program prints in a process of its own."""
    env = {**os.environ, "ADJOINT_CACHE": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(" ", 1)


def test_another_process_takes_the_code(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    made, results = run(folder)
    assert made == "1"
    assert folder.stat().st_mode & 0o777 == 0o700
    files = list(folder.iterdir())
    assert files
    assert all(f.stat().st_mode & 0o777 == 0o600 for f in files)
    assert run(folder) == ["0", results]
    for damage in (b"junk", files[0].read_bytes()[:-9]):
        for file in files:
            file.write_bytes(damage)
        assert run(folder) == ["1", results]
        assert run(folder) == ["0", results]


def test_nothing_is_taken_from_a_place_that_others_can_enter(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    _, results = run(folder)
    folder.chmod(0o755)
    assert run(folder) == ["1", results]
    folder.chmod(0o700)
    assert run(folder) == ["0", results]
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert run(link) == ["1", results]
    for file in folder.iterdir():
        target = tmp_path / file.name
        file.rename(target)
        file.symlink_to(target)
    assert run(folder) == ["1", results]


def test_switched_off_or_impossible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for place in ("0", str(tmp_path / "file" / "inside"), str(tmp_path / "file")):
        monkeypatch.setenv("ADJOINT_CACHE", place)
        fast = ad.compile(lambda x: np.sin(x) * 3)
        assert fast(1.0) == np.sin(1.0) * 3
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_code_of_one_key_is_not_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADJOINT_CACHE", str(tmp_path / "cache"))
    code = llvm_session.compile_ir("define i32 @f() { ret i32 1 }").object_code
    object_cache.store("a" * 64, code, ())
    assert object_cache.load("a" * 64) == (code, ())
    assert object_cache.load("b" * 64) is None
    folder = tmp_path / "cache"
    (folder / ("a" * 64)).rename(folder / ("b" * 64))
    assert object_cache.load("b" * 64) is None


def test_old_files_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADJOINT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(object_cache, "LARGEST_TOTAL", 100)
    monkeypatch.setattr(object_cache, "_PRUNE_EVERY", 1)
    monkeypatch.setattr(object_cache, "_written", 1)
    for k in range(8):
        object_cache.store(f"{k}" * 64, bytes(60), ())
    assert len(list((tmp_path / "cache").iterdir())) < 8
