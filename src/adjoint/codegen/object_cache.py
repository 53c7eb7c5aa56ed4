"""Object code kept on disk between processes.

The key is a digest of the IR, which follows from the graph, together with the versions of Adjoint
and LLVM, the CPU, and the layout of CPython's and NumPy's objects.  A hit saves LLVM's time.

Code is only ever taken from a directory that belongs to this user and that nobody else can enter;
in any other the cache is off.  Files that are damaged, foreign or too large count as absent.

`ADJOINT_CACHE=0` switches the cache off, `ADJOINT_CACHE=DIR` puts it elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from adjoint.codegen import llvm_session, vector_math
from adjoint.codegen.llvm_session import fingerprint
from adjoint.codegen.numpy_abi import native_abi, why_not_native
from adjoint.version import VERSION

_MAGIC = b"adjoint object code 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size
LARGEST_FILE = 64 << 20
LARGEST_TOTAL = 512 << 20
"""Bytes of all files together, above which the oldest half is deleted."""

_PRUNE_EVERY = 64
_written = 0


def directory() -> Path | None:
    """Where the cache is; None where it is switched off."""
    wanted = os.environ.get("ADJOINT_CACHE", "")
    if wanted == "0" or os.name != "posix":
        return None
    if wanted:
        return Path(wanted)
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return Path(base) / "adjoint" if base else Path.home() / ".cache" / "adjoint"
    except RuntimeError:  # a user without a home
        return None


def key_of(*parts: object) -> str:
    """The name under which code made from these parts is kept."""
    layout = native_abi().fingerprint() if why_not_native() is None else "portable"
    whole = "\0".join([VERSION, _recipe(), fingerprint(), layout, *map(str, parts)])
    return hashlib.sha256(whole.encode()).hexdigest()


@functools.lru_cache(maxsize=1)
def _recipe() -> str:
    """A digest of the modules that turn IR into code, for those who change them."""
    digest = hashlib.sha256()
    for module in (llvm_session, vector_math):
        with contextlib.suppress(OSError):
            digest.update(Path(module.__file__ or "").read_bytes())
    return digest.hexdigest()


def load(key: str) -> tuple[bytes, tuple[str, ...]] | None:
    """Object code and the symbols that it imports; None if there is none that can be trusted."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), _opened(False) as folder:
        if folder is None:
            return None
        handle = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(handle, "rb") as file:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
                return None
            if about.st_size > LARGEST_FILE:
                return None
            return _unpacked(file.read(), key)
    return None


def store(key: str, code: bytes, imports: tuple[str, ...]) -> None:
    """Keep object code; a failure to do so is nobody's problem."""
    global _written
    with contextlib.suppress(OSError), _opened(True) as folder:
        place = directory()
        if folder is None or place is None:
            return
        handle, name = tempfile.mkstemp(prefix="new.", dir=place)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_packed(code, imports, key))
            os.replace(Path(name).name, key, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        _written += 1
        if _written % _PRUNE_EVERY == 1 % _PRUNE_EVERY:
            _prune(place)


@contextlib.contextmanager
def _opened(create: bool) -> Iterator[int | None]:
    """A descriptor of the directory, if it is private; no name is looked up twice."""
    place = directory()
    if place is None:
        yield None
        return
    if create:
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode=0o700)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(place, flags)
    try:
        about = os.fstat(folder)
        private = about.st_uid == os.geteuid() and not about.st_mode & 0o077
        yield folder if private else None
    finally:
        os.close(folder)


def _packed(code: bytes, imports: tuple[str, ...], key: str) -> bytes:
    head = json.dumps({"key": key, "imports": imports}).encode() + b"\n"
    return _MAGIC + hashlib.sha256(head + code).digest() + head + code


def _unpacked(data: bytes, key: str) -> tuple[bytes, tuple[str, ...]] | None:
    if not data.startswith(_MAGIC):
        return None
    seal, rest = data[len(_MAGIC) :][:_DIGEST_BYTES], data[len(_MAGIC) + _DIGEST_BYTES :]
    if hashlib.sha256(rest).digest() != seal:
        return None
    head, _, code = rest.partition(b"\n")
    about = json.loads(head)
    return (code, tuple(about["imports"])) if about["key"] == key else None


def _prune(place: Path) -> None:
    """Deletes the oldest half when there is too much."""
    with contextlib.suppress(OSError):
        found = [(e.stat().st_mtime, e.stat().st_size, e.path) for e in os.scandir(place)]
        if sum(size for _, size, _ in found) > LARGEST_TOTAL:
            for _, _, path in sorted(found)[: len(found) // 2]:
                with contextlib.suppress(OSError):
                    os.unlink(path)
