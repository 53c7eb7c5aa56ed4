"""Accuracy and speed of the vector mathematics, one row per function and format.

    OPENBLAS_NUM_THREADS=1 taskset -c 1 python benchmarks/vector_math_accuracy.py

prints the largest error in units in the last place (ulp) over random bit patterns and special
values, nanoseconds per element in a plain loop, NumPy's or SciPy's time, and whether the loop's
machine code holds vector arithmetic. References: 80-bit long doubles where the platform has them,
else mpmath on fewer points.
"""

from __future__ import annotations

import ctypes
import re
import time
import zlib
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from adjoint.codegen.vector_math import SCALAR_FUNCTIONS, Emitter, finish
from benchmarks import vector_math_references as by_mpmath

Array = NDArray[Any]
L = np.longdouble
PI = L("3.14159265358979323846264338327950288")
EXTENDED = np.finfo(L).nmant >= 63
NOT_MEASURED = {"heaviside", "nextafter", "spacing"}
"""Their results are given by their definitions."""


class Loop:
    """A compiled loop out[i] = f(a[i], …) over contiguous arrays."""

    def __init__(
        self,
        emitter: Emitter,
        dtype: type[np.floating[Any]],
        prepared: Callable[[ir.Module], None] = lambda module: None,
        finished: bool = True,
    ) -> None:
        self.arity, self.dtype = emitter.arity, dtype
        kind = ir.DoubleType() if dtype is np.float64 else ir.FloatType()
        module = loop_module(emitter, kind, emitter.arity, prepared)
        self.engine, self.assembly, self.seconds = compiled(str(module), finished)
        self.call = ctypes.CFUNCTYPE(
            None, *([ctypes.c_void_p] * (emitter.arity + 1)), ctypes.c_long
        )(self.engine.get_function_address("loop"))

    def __call__(self, *operands: Array) -> Array:
        arrays = [np.ascontiguousarray(a, dtype=self.dtype) for a in operands]
        out = np.empty_like(arrays[0])
        self.run(*arrays, out)
        return out

    def run(self, *arrays: Array) -> None:
        """Operands and, last, the output."""
        self.call(*(a.ctypes.data for a in arrays), arrays[-1].size)

    @property
    def widest(self) -> str:
        """The widest registers that arithmetic in the loop uses."""
        body = re.search(r"^loop:.*?\.Lfunc_end", self.assembly, re.S | re.M)
        text = body.group(0) if body else ""
        names = [name for name in ("zmm", "ymm", "xmm") if name in text]
        return names[0] if names else "scalar"


def loop_module(
    emitter: Emitter, kind: ir.Type, arity: int, prepared: Callable[[ir.Module], None]
) -> ir.Module:
    """A module with the function loop(operands…, out, count)."""
    module = ir.Module("loop")
    prepared(module)
    pointer, i64 = kind.as_pointer(), ir.IntType(64)
    signature = ir.FunctionType(ir.VoidType(), [pointer] * (arity + 1) + [i64])
    function = ir.Function(module, signature, "loop")
    set.add(function.attributes, '"prefer-vector-width"="512"')
    for argument in function.args[:-1]:
        argument.add_attribute("noalias")
    entry, body, end = (function.append_basic_block(name) for name in ("entry", "body", "end"))
    builder = ir.IRBuilder(entry)
    builder.cbranch(builder.icmp_signed(">", function.args[-1], ir.Constant(i64, 0)), body, end)
    builder.position_at_end(body)
    i = builder.phi(i64)
    i.add_incoming(ir.Constant(i64, 0), entry)
    operands = [builder.load(builder.gep(p, [i])) for p in function.args[:arity]]
    builder.store(emitter(builder, *operands), builder.gep(function.args[arity], [i]))
    following = builder.add(i, ir.Constant(i64, 1))
    i.add_incoming(following, body)
    builder.cbranch(builder.icmp_signed("<", following, function.args[-1]), body, end)
    builder.position_at_end(end)
    builder.ret_void()
    return module


def compiled(text: str, finished: bool = True) -> tuple[Any, str, float]:
    """An engine with the code, its assembly and the time it took."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    start = time.perf_counter()
    module = llvm.parse_assembly(text)
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3,
        jit=True,
    )  # fmt: skip
    module.triple = llvm.get_process_triple()
    module.data_layout = str(machine.target_data)
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = True
    tuning.loop_interleaving = True
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(module, passes)
    if finished:
        finish(module, passes)
    assembly = machine.emit_assembly(module)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine, assembly, time.perf_counter() - start


# ---- references --------------------------------------------------------------------------------


def _erf_series(x: Array) -> Array:
    """erf for |x| ≤ 2: 2/√π exp(−x²) Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!, all terms of one sign."""
    term = x.copy()
    total = x.copy()
    for n in range(1, 60):
        term = term * (2 * x * x) / (2 * n + 1)
        total += term
    return np.asarray(2 / np.sqrt(PI) * np.exp(-x * x) * total)


def _erfc_fraction(x: Array) -> Array:
    """erfc for x ≥ 1 by its continued fraction; x² in two exact parts."""
    value = x.copy()
    for n in range(400, 0, -1):
        value = x + (L(n) / 2) / value
    head = x.astype(np.float32).astype(L)
    exponential = np.exp(-head * head) * np.exp(-(x - head) * (x + head))
    return np.asarray(exponential / (value * np.sqrt(PI)))


def _erfc(x: Array) -> Array:
    near = 1 - _erf_series(np.clip(x, -2, 1))
    far = _erfc_fraction(np.clip(np.abs(x), 1, 150))
    result = np.where(x < -1, 2 - far, np.where(x > 1, far, near))
    return np.where(np.isnan(x), x, result)


def _erf(x: Array) -> Array:
    near = _erf_series(np.clip(x, -1, 1))
    far = np.copysign(1 - _erfc_fraction(np.clip(np.abs(x), 1, 150)), x)
    return np.where(np.isnan(x), x, np.where(np.abs(x) > 1, far, near))


def _softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _expit(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, e, L(1)) / (1 + e))


def _sinc(x: Array) -> Array:
    x = np.abs(x)
    turn = np.fmod(x, 2)
    quarter = np.rint(2 * turn)
    angle = (turn - quarter / 2) * PI
    which = quarter.astype(np.float64)
    which = np.where(np.isfinite(which), which, 0).astype(int) % 4
    sine = np.choose(which, [np.sin(angle), np.cos(angle), -np.sin(angle), -np.cos(angle)])
    quotient = sine / (x * PI)
    return np.where(x == 0, L(1), quotient)


def _exp10(x: Array) -> Array:
    return np.power(L(10), x)


_OWN: dict[str, Callable[..., Array]] = {
    "erf": _erf,
    "erfc": _erfc,
    "softplus": _softplus,
    "expit": _expit,
    "sinc": _sinc,
    "exp10": _exp10,
    "deg2rad": lambda x: x * (PI / 180),
    "rad2deg": lambda x: x * (180 / PI),
}
_OWN["radians"], _OWN["degrees"] = _OWN["deg2rad"], _OWN["rad2deg"]


def reference(name: str, *operands: Array) -> Array:
    """The function in long double; `floor_divide` as NumPy has it, rounding errors included."""
    if name == "floor_divide":
        with np.errstate(all="ignore"):
            return np.floor_divide(*operands).astype(L)
    function = _OWN.get(name) or getattr(np, name)
    with np.errstate(all="ignore"):
        return np.asarray(function(*(np.asarray(x, dtype=L) for x in operands)), dtype=L)


# ---- points and errors -------------------------------------------------------------------------

SPECIAL = [0.0, 0.5, 1.0, 2.0, 3.0, 0.25, 1.5, 10.0, 0.65, 0.41421356, 1e-300, 5e-324, 2.3e-308,
           1e300, 1.7976931348623157e308, np.inf, 709.78, 709.79, 745.13, 745.2, 708.3, 710.47,
           88.72, 88.73, 103.97, 104.0, 87.3, 89.41, 0.7853981, 1.5707963267948966,
           3.141592653589793,
           6.283185307179586, 1e22, 6381956970095103.0 * 2.0**797, 1.0995e12, 131072.0, 1e10,
           1.4142135623730951, 0.7071067811865476, 27.2, 26.5, 10.05, 1e-45, 1.2e-38, 3.4e38, 1e-8,
           1000.0, 8.0, 27.0, 1023.0, 1024.0, 1074.0, 1075.0, 127.0, 128.0, 149.0, 150.0, 308.2,
           np.nan]  # fmt: skip


def points(name: str, arity: int, dtype: type[np.floating[Any]], count: int) -> list[Array]:
    """Random operands: all bit patterns, moderate numbers, neighbours of 1, special values."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    integer = np.uint64 if dtype is np.float64 else np.uint32
    operands = []
    with np.errstate(all="ignore"):
        special = np.array([s * v for v in SPECIAL for s in (1.0, -1.0)]).astype(dtype)
        for _ in range(arity):
            top = np.iinfo(integer).max
            patterns = random.integers(0, top, count // 4, dtype=integer).view(dtype)
            moderate = random.normal(size=count // 4) * 10.0 ** random.uniform(-2, 3, count // 4)
            near_one = random.uniform(-1, 1, count // 4) * 1.05
            scaled = random.choice([-1, 1], count // 4) * (1 + random.normal(size=count // 4) * 0.3)
            operands.append(np.concatenate([patterns, moderate, near_one, scaled]).astype(dtype))
            if arity == 2:
                random.shuffle(operands[-1])
        if arity == 1:
            return [np.concatenate([operands[0], special])]
        first, second = (a.ravel() for a in np.meshgrid(special, special))
        return [np.concatenate([operands[0], first]), np.concatenate([operands[1], second])]


def ulp_errors(got: Array, exact: Array, floor: Array | None = None) -> Array:
    """|got − exact| in units of got's last place; ∞ for a wrong NaN, ∞ or sign of 0."""
    info = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        size = np.abs(exact) if floor is None else np.maximum(np.abs(exact), floor)
        _, exponent = np.frexp(np.where(np.isfinite(size), size, L(1)))
        unit = np.ldexp(L(1), np.maximum(exponent - info.nmant - 1, info.minexp - info.nmant))
        largest = L(info.max)
        bounded = np.where(np.abs(exact) > largest, np.copysign(largest + unit, exact), exact)
        received = np.where(np.isinf(got), np.copysign(largest + unit, got), got.astype(L))
        overflow = np.abs(exact) > largest
        unit = np.where(overflow, np.ldexp(L(1), info.maxexp - info.nmant - 1), unit)
        bounded = np.where(overflow, np.copysign(np.ldexp(L(1), info.maxexp), exact), bounded)
        received = np.where(np.isinf(got), np.copysign(np.ldexp(L(1), info.maxexp), got), received)
        error = np.abs(received - bounded) / unit
    error = np.where(np.isnan(got) & np.isnan(exact), 0, error)
    wrong = np.isnan(got) ^ np.isnan(exact)
    wrong |= np.isinf(exact) & ~np.isinf(got)
    if floor is None:
        wrong |= (got == 0) & (np.signbit(got) != np.signbit(exact)) & ~np.isnan(exact)
    return np.asarray(np.where(wrong, np.inf, error), dtype=np.float64)


def floor_of(name: str, operands: list[Array]) -> Array | None:
    """What errors are measured against if not the result alone; then signs of 0 do not count."""
    if name in ("minimum", "maximum", "fmin", "fmax", "sinc"):
        return np.zeros(operands[0].shape, dtype=L)
    if name != "logaddexp":
        return None
    with np.errstate(all="ignore"):
        larger = np.maximum(*(np.abs(np.asarray(x, dtype=L)) for x in operands))
    return np.asarray(larger)


def worst_error(
    name: str, dtype: type[np.floating[Any]], count: int, loop: Loop | None = None
) -> tuple[float, tuple[float, ...]]:
    """The largest error over the points of `name`, and where it is."""
    loop = loop or Loop(SCALAR_FUNCTIONS[name], dtype)
    if name in by_mpmath.EXACT:
        return by_mpmath.worst_error(name, dtype, min(count, 20_000) // 20, loop)
    operands = points(name, loop.arity, dtype, count)
    errors = ulp_errors(loop(*operands), reference(name, *operands), floor_of(name, operands))
    place = int(np.argmax(errors))
    return float(errors[place]), tuple(float(x[place]) for x in operands)


# ---- speed -------------------------------------------------------------------------------------

_DOMAIN = {
    "logit": (0.05, 0.95),
    "arccosh": (1.0, 50.0),
    "arcsin": (-1, 1),
    "arccos": (-1, 1),
    "arctanh": (-1, 1),
}
_POSITIVE = {
    "gammaln",
    "psi",
    "entr",
    "rel_entr",
    "kl_div",
    "huber",
    "pseudo_huber",
    "xlogy",
    "xlog1py",
    "log",
    "log2",
    "log10",
    "log1p",
    "sqrt",
    "power",
    "float_power",
}


def seconds(action: Callable[[], object], repeat: int = 7) -> float:
    """The least time of several runs."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best


def peer(name: str) -> Callable[..., Any] | None:
    """NumPy's or SciPy's function."""
    import scipy.special

    own = {"softplus": lambda x, out: np.logaddexp(0, x, out=out)}
    found = own.get(name) or getattr(np, name, None) or getattr(scipy.special, name, None)
    return found or getattr(scipy.special._ufuncs, f"_{name}", None)


def times(
    name: str, dtype: type[np.floating[Any]], loop: Loop, size: int = 100_000
) -> tuple[float, float]:
    """Nanoseconds per element of our loop and of the peer's."""
    random = np.random.default_rng(1)
    low, high = _DOMAIN.get(name, (0.01, 10.0) if name in _POSITIVE else (-10.0, 10.0))
    operands = [random.uniform(low, high, size).astype(dtype) for _ in range(loop.arity)]
    out = np.empty_like(operands[0])
    ours = seconds(lambda: loop.run(*operands, out))
    other = peer(name)
    theirs = float("nan")
    if other is not None and name != "sinc":
        theirs = seconds(lambda: other(*operands, out=out))
    return ours / size * 1e9, theirs / size * 1e9


def _value_and_derivative(builder: ir.IRBuilder, x: ir.Value, which: int) -> ir.Value:
    """√c + cos c, or its derivative, with c = x² + exp x²."""

    def call(name: str, *operands: ir.Value) -> ir.Value:
        return SCALAR_FUNCTIONS[name](builder, *operands)

    def constant(value: float) -> ir.Constant:
        return ir.Constant(x.type, value)

    square = builder.fmul(x, x)
    exponential = call("exp", square)
    c = builder.fadd(square, exponential)
    root = call("sqrt", c)
    if which == 0:
        return builder.fadd(root, call("cos", c))
    inner = builder.fmul(builder.fadd(x, x), builder.fadd(constant(1.0), exponential))
    return builder.fmul(inner, builder.fsub(builder.fdiv(constant(0.5), root), call("sin", c)))


def worked_example(size: int = 1_000_000) -> tuple[float, float]:
    """Milliseconds for value and derivative of √c + cos c in one loop, and for NumPy's value."""
    kind = ir.DoubleType()
    module = ir.Module("example")
    pointer, i64 = kind.as_pointer(), ir.IntType(64)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer] * 3 + [i64]), "loop")
    set.add(function.attributes, '"prefer-vector-width"="512"')
    for argument in function.args[:-1]:
        argument.add_attribute("noalias")
    entry, body, end = (function.append_basic_block(name) for name in ("entry", "body", "end"))
    ir.IRBuilder(entry).branch(body)
    builder = ir.IRBuilder(body)
    i = builder.phi(i64)
    i.add_incoming(ir.Constant(i64, 0), entry)
    x = builder.load(builder.gep(function.args[0], [i]))
    for which in (0, 1):
        place = builder.gep(function.args[1 + which], [i])
        builder.store(_value_and_derivative(builder, x, which), place)
    following = builder.add(i, ir.Constant(i64, 1))
    i.add_incoming(following, body)
    builder.cbranch(builder.icmp_signed("<", following, function.args[-1]), body, end)
    ir.IRBuilder(end).ret_void()
    engine, _, _ = compiled(str(module))
    call = ctypes.CFUNCTYPE(None, *([ctypes.c_void_p] * 3), ctypes.c_long)(
        engine.get_function_address("loop")
    )
    abscissae = np.random.default_rng(0).normal(size=size)
    value, slope = np.empty_like(abscissae), np.empty_like(abscissae)
    pointers = [a.ctypes.data for a in (abscissae, value, slope)]

    def numpy_value() -> Array:
        c = abscissae**2 + np.exp(abscissae**2)
        return np.asarray(np.sqrt(c) + np.cos(c))

    ours, theirs = seconds(lambda: call(*pointers, size)), seconds(numpy_value)
    np.testing.assert_allclose(value, numpy_value(), rtol=1e-6, atol=1e-6)
    return ours * 1e3, theirs * 1e3


def main() -> None:
    ours, theirs = worked_example()
    print(f"√c + cos c, c = x² + exp x², 10⁶ elements: value and derivative {ours:.2f} ms,")
    print(f"NumPy's value {theirs:.2f} ms")
    print(f"{'function':14s} {'type':8s} {'max ulp':>8s} {'ns':>7s} {'NumPy ns':>9s} {'ratio':>6s}"
          f" {'width':>6s} {'compile ms':>10s}  at")  # fmt: skip
    for name in SCALAR_FUNCTIONS:
        for dtype in (np.float64, np.float32):
            loop = Loop(SCALAR_FUNCTIONS[name], dtype)
            error, place = (
                (0.0, ()) if name in NOT_MEASURED else worst_error(name, dtype, 40_000, loop)
            )
            ours, theirs = times(name, dtype, loop)
            print(f"{name:14s} {dtype.__name__:8s} {error:8.3f} {ours:7.2f} {theirs:9.2f}"
                  f" {theirs / ours:6.1f} {loop.widest:>6s} {loop.seconds * 1e3:10.1f}"
                  f"  {', '.join(map(repr, place))}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
