"""Objects that lie about themselves, raise when they are asked, or change what they came with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

F64 = np.dtype(np.float64)


class Liar:
    """Says that it is an array."""

    __class__ = np.ndarray  # type: ignore[assignment]
    shape, ndim, dtype, flags = (5,), 1, F64, np.zeros(5).flags

    def __array__(self, *_: object, **__: object) -> object:
        raise RuntimeError("asked")


def _raise(*_: object, **__: object) -> Any:
    raise RuntimeError("asked")


Raises: type = type(
    "Raises",
    (),
    {
        f"__{name}__": _raise
        for name in (
            "array", "len", "index", "float", "int", "complex", "bool", "iter", "getitem", "eq",
            "add", "radd", "mul", "rmul", "neg", "array_function", "contains", "call",
        )
    }
    | {"__hash__": lambda self: 5, "__array_ufunc__": _raise},
)  # fmt: skip


class Interface:
    """Points to memory that is not there, in a buffer that is too short."""

    def __init__(self, **more: Any) -> None:
        told = {"shape": (5,), "typestr": "<f8", "version": 3, "data": bytearray(8)}
        self.__array_interface__ = {**told, **more}


class Struct:
    __array_struct__ = "no capsule"


class Turns:
    """Turns into whatever it was given, when NumPy asks."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def __array__(self, *_: object, **__: object) -> Any:
        return self if self.result is None else self.result


class Thief:
    """A number that empties a container when somebody looks at it."""

    def __init__(self, victim: Any) -> None:
        self.victim = victim

    def __float__(self) -> float:
        self.victim.clear()
        return 1.0

    def __index__(self) -> int:
        self.victim.clear()
        return 1

    def __array__(self, *_: object, **__: object) -> Any:
        self.victim.clear()
        return np.ones(5)


class Key(str):
    """A key that acts whenever it is compared."""

    action: Callable[[], object] | None = None

    def __eq__(self, other: object) -> bool:
        if self.action is not None:
            self.action()
        return str.__eq__(self, other)

    __hash__ = str.__hash__


class Dictionary(dict[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("asked")

    def __len__(self) -> int:
        return 7


class Sequence(list[Any]):
    def __len__(self) -> int:
        return 1 << 40

    def __iter__(self) -> Any:
        self.clear()
        yield 1.0
        raise RuntimeError("asked")


class Pair(tuple[Any, ...]):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        raise IndexError(index)


class Shapeless(np.ndarray[Any, Any]):
    """An array whose attributes tell another story, and whose methods fail."""

    @property
    def shape(self) -> Any:  # type: ignore[override]
        return (3,)

    @property
    def dtype(self) -> Any:  # type: ignore[override]
        return F64

    __len__ = __getitem__ = __array_wrap__ = _raise  # type: ignore[assignment]
    copy = view = astype = _raise  # type: ignore[assignment]

    def __array_finalize__(self, _: object) -> None:
        return


class Changing(float):
    """A float of which every look gives another."""

    def __float__(self) -> float:
        raise RuntimeError("asked")

    def __mul__(self, _: object) -> Any:
        return self

    __rmul__ = __add__ = __radd__ = __mul__


def robbed() -> list[Any]:
    """A list with the thief inside."""
    found: list[Any] = [np.arange(5.0), np.ones(5)]
    found.append(Thief(found))
    return found


def robbed_dict() -> dict[str, Any]:
    """A dict whose key empties it when it is looked up."""
    key = Key("k")
    found: dict[str, Any] = {key: 2.0}
    key.action = found.clear
    return found


def thieves() -> list[Any]:
    """What NumPy itself may not survive, for native code alone: a list that is emptied while it
    is read, and what says that any bytes are objects."""
    return [robbed(), robbed_dict(), Interface(typestr="|O")]


def liars() -> list[Any]:
    """One of each of the others, fresh."""
    zeros = np.zeros(5)
    return [
        Liar(), Raises(), Interface(), Interface(shape=(1 << 60,)),
        Interface(data=None, shape=(-1,)), Interface(descr=3), Struct(), Turns(None), Turns("text"),
        Turns(zeros), Turns([zeros]), Turns(zeros[:3]), Thief([1.0]), Dictionary(k=1.0),
        Sequence([1.0, 2.0]), Pair((zeros, zeros)), zeros.view(Shapeless), Changing(2.0),
        {Key("k"): 3.0}, {"k": Thief([2.0])}, 1 << 80, -(1 << 63),
        memoryview(bytes(40)), memoryview(zeros), bytearray(40), range(1 << 40),
        np.zeros((), [("a", "f8")])[()], np.datetime64("2020-01-01"), np.str_("x"),
    ]  # fmt: skip
