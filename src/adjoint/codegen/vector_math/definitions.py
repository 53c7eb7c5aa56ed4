"""One definition per function and module, and the repair of rare arguments.

A function is built with llvmlite once per process; its text is kept and put into every module that
uses it, as a private function that LLVM always inlines. So a second module pays for parsing only.

Repair. A few functions have arguments that are rare and dear: sin(1e300) needs 1200 bits of 2/π.
Computing the general answer for each element would cost the fast loop a factor, a branch would stop
LLVM's loop vectoriser. So the fast path computes some number for every argument, and a call

    adjoint.<name>.repair.<format>(fast, measure, operands…)

replaces it where measure > limit. To the vectoriser this is a call of a pure function that has
vector variants ("vector-function-abi-variant"), so it becomes one call per vector. The variant
compares the whole vector, branches past everything unless some lane is beyond the limit, and only
then calls the slow function lane by lane. The variants are `alwaysinline`: a second run of LLVM's
always-inliner after the optimisation pipeline (`finish`) leaves one compare and one branch, never
taken, in the vector loop. Without that run the code is right too, and a little slower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]

from adjoint.codegen.vector_math.ir_helpers import Arithmetic, Format, Number, format_of

Body = Callable[..., Number]
_WIDTHS = "adjoint_vector_bits"
SLOW_ATTRIBUTES = ("cold", "noinline", "nounwind", "willreturn", "memory(none)")


class _Text(ir.Function):  # type: ignore[misc]
    """A function whose text was made in another module."""

    def __init__(self, module: ir.Module, signature: ir.FunctionType, name: str, text: str) -> None:
        super().__init__(module, signature, name)
        self._text = text

    def __str__(self) -> str:
        return self._text


class _TextOfData(ir.GlobalVariable):  # type: ignore[misc]
    """Constant data whose text was made in another module."""

    def __init__(self, module: ir.Module, kind: ir.Type, name: str, text: str) -> None:
        super().__init__(module, kind, name)
        self._text = text

    def __str__(self) -> str:
        return self._text


@dataclass(frozen=True)
class Definition:
    """The text of one function, or of constant data, and the other global values it names."""

    name: str
    signature: ir.Type
    text: str
    needs: tuple[Definition, ...] = ()
    variants: Callable[[int], Definition] | None = None

    def put(self, module: ir.Module) -> Any:
        """This function in `module`, defined there with all it needs unless it already is."""
        present = module.globals.get(self.name)
        if present is not None:
            return present
        for other in self.needs:
            other.put(module)
        made_as = _Text if isinstance(self.signature, ir.FunctionType) else _TextOfData
        function = made_as(module, self.signature, self.name, self.text)
        if self.variants is not None:
            for lanes in _lanes(module, self.signature.return_type):
                self.variants(lanes).put(module)
        return function


def prepare(module: ir.Module, vector_bits: int | Sequence[int] = (512, 256, 128)) -> None:
    """Say which vector widths the loops of `module` may get, before anything is emitted into it.

    Only repairs depend on it: they have one variant per width. No width at all, `()`, is for modules
    without loops: repairs are then inlined as branches.
    """
    widths = (vector_bits,) if isinstance(vector_bits, int) else tuple(vector_bits)
    setattr(module, _WIDTHS, widths)


def _lanes(module: ir.Module, kind: ir.Type) -> list[int]:
    size = 64 if isinstance(kind, ir.DoubleType) else 32
    widths = getattr(module, _WIDTHS, (512, 256, 128))
    lanes = {width // size for width in widths}
    if size == 32 and widths:
        # A loop that also works on 64-bit values has the number of lanes of those.
        lanes |= {width // 64 for width in widths}
    return sorted(count for count in lanes if count > 1)


@dataclass(frozen=True)
class Emitter:
    """Emits one scalar function: call it with a builder and operands, all float64 or all float32.

    The code is straight-line but for a `Repair`; it is defined once per module and always inlined,
    so that equal parts of several functions (the range reductions of sin x and cos x) are merged.
    """

    name: str
    body: Body
    arity: int = 1
    _cache: dict[str, Definition] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, builder: ir.IRBuilder, *operands: ir.Value) -> ir.Value:
        if len(operands) != self.arity:
            raise TypeError(f"{self.name} takes {self.arity} operands, got {len(operands)}")
        kind = format_of(operands[0])
        if any(operand.type != kind.float_type for operand in operands):
            types = ", ".join(str(operand.type) for operand in operands)
            raise TypeError(f"{self.name} takes operands of one type, got {types}")
        return builder.call(self.definition(kind).put(builder.module), operands)

    def definition(self, kind: Format) -> Definition:
        """The function for one format, built at the first use."""
        found = self._cache.get(kind.name)
        if found is None:
            found = self._cache[kind.name] = build(
                f"adjoint.{self.name}.{kind.name}", kind, self.arity, self.body,
                ("alwaysinline", "nounwind", "willreturn", "memory(none)"), "private",
            )  # fmt: skip
        return found


class _Attributes(ir.values.FunctionAttributes):  # type: ignore[misc]
    """Function attributes as written, also those that llvmlite has no name for."""

    def add(self, name: str) -> None:
        set.add(self, name)


def build(
    name: str, kind: Format, arity: int, body: Body, attributes: Sequence[str], linkage: str
) -> Definition:
    """Build a function of `arity` floats in a module of its own and keep its text."""
    scratch = ir.Module(name)
    signature = ir.FunctionType(kind.float_type, [kind.float_type] * arity)
    function = ir.Function(scratch, signature, name)
    function.linkage = linkage
    function.attributes = _Attributes(attributes)
    builder = ir.IRBuilder(function.append_basic_block())
    math = Arithmetic(builder, kind)
    result = body(math, *(Number(math, argument) for argument in function.args))
    builder.ret(result.value)
    return Definition(name, signature, str(function), _needs(scratch, function))


def _needs(scratch: ir.Module, function: ir.Function) -> tuple[Definition, ...]:
    """Everything else that was declared or defined while the function was built."""
    return tuple(
        getattr(other, "definition", None) or Definition(other.name, _kind(other), str(other))
        for other in scratch.global_values
        if other is not function
    )


def _kind(value: ir.values.GlobalValue) -> ir.Type:
    return value.ftype if isinstance(value, ir.Function) else value.value_type


@dataclass(frozen=True)
class Repair:
    """Replace `fast` by slow(operands) where measure > limit (not where measure is NaN).

    `slow` is the body of the general function; it may use anything, as it is never vectorised.
    """

    name: str
    slow: Callable[[Format], Definition]
    limit: Callable[[Format], float]
    _cache: dict[str, Definition] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, fast: Number, measure: Number, *operands: Number) -> Number:
        math = fast.math
        definition = self._scalar(math.format, len(operands))
        module = math.builder.module
        function = module.globals.get(definition.name)
        if function is None:
            function = ir.Function(module, definition.signature, definition.name)
            function.definition = definition
        values = [number.value for number in (fast, measure, *operands)]
        return Number(math, math.builder.call(function, values))

    def _scalar(self, kind: Format, arity: int) -> Definition:
        found = self._cache.get(kind.name)
        if found is None:
            found = self._cache[kind.name] = self._build(kind, arity)
        return found

    def _build(self, kind: Format, arity: int) -> Definition:
        slow = self.slow(kind)
        name = f"adjoint.{self.name}.repair.{kind.name}"
        signature = ir.FunctionType(kind.float_type, [kind.float_type] * (arity + 2))
        text = _SCALAR_REPAIR.format(
            name=name, slow=slow.name, t=kind.float_type, limit=_literal(kind, self.limit(kind)),
            parameters=_listed("{t} %x{i}", kind.float_type, arity),
            operands=_listed("{t} %x{i}", kind.float_type, arity),
            variants=",".join(
                f"_ZGV_LLVM_N{n}{'v' * (arity + 2)}_{name}({name}.v{n})" for n in (2, 4, 8, 16)
            ),
        )  # fmt: skip

        def variant(lanes: int) -> Definition:
            return self._vector(kind, arity, lanes, slow)

        return Definition(name, signature, text, (slow,), variant)

    def _vector(self, kind: Format, arity: int, lanes: int, slow: Definition) -> Definition:
        name = f"adjoint.{self.name}.repair.{kind.name}.v{lanes}"
        key = f"{kind.name}.v{lanes}"
        if key not in self._cache:
            vector = ir.VectorType(kind.float_type, lanes)
            extract = "\n".join(
                f"  %s{i} = extractelement {vector} %x{i}, i32 %i" for i in range(arity)
            )
            text = _VECTOR_REPAIR.format(
                name=name, slow=slow.name, t=kind.float_type, v=vector, n=lanes,
                limit=_literal(kind, self.limit(kind)),
                parameters=_listed("{t} %x{i}", vector, arity),
                extract=extract,
                operands=_listed("{t} %s{i}", kind.float_type, arity),
            )  # fmt: skip
            signature = ir.FunctionType(vector, [vector] * (arity + 2))
            reduction = _reduction(lanes)
            self._cache[key] = Definition(name, signature, text, (slow, reduction))
        return self._cache[key]


def _listed(pattern: str, kind: ir.Type, count: int) -> str:
    return ", ".join(pattern.format(t=kind, i=i) for i in range(count))


def _literal(kind: Format, value: float) -> str:
    return str(ir.Constant(kind.float_type, value)).split(" ", 1)[1]


def _reduction(lanes: int) -> Definition:
    name = f"llvm.vector.reduce.or.v{lanes}i1"
    mask = ir.VectorType(ir.IntType(1), lanes)
    signature = ir.FunctionType(ir.IntType(1), [mask])
    return Definition(name, signature, f"declare i1 @{name}({mask})\n")


# Not private: LLVM may change the parameters of a private function, and then the vector variants
# would no longer fit it. `noinline` for the same reason: the vectoriser must see the call.
_SCALAR_REPAIR = """\
define linkonce_odr hidden {t} @"{name}"({t} %fast, {t} %measure, {parameters}) \
noinline nounwind willreturn memory(none) "vector-function-abi-variant"="{variants}" {{
entry:
  %rare = fcmp ogt {t} %measure, {limit}
  br i1 %rare, label %slow, label %end
slow:
  %repaired = call {t} @"{slow}"({operands})
  br label %end
end:
  %result = phi {t} [%fast, %entry], [%repaired, %slow]
  ret {t} %result
}}
"""

_VECTOR_REPAIR = """\
define weak_odr hidden {v} @"{name}"({v} %fast, {v} %measure, {parameters}) \
alwaysinline nounwind willreturn memory(none) {{
entry:
  %first = insertelement {v} undef, {t} {limit}, i32 0
  %limit = shufflevector {v} %first, {v} undef, <{n} x i32> zeroinitializer
  %rare = fcmp ogt {v} %measure, %limit
  %any = call i1 @llvm.vector.reduce.or.v{n}i1(<{n} x i1> %rare)
  br i1 %any, label %lane, label %end
lane:
  %i = phi i32 [0, %entry], [%next, %join]
  %sofar = phi {v} [%fast, %entry], [%joined, %join]
  %this = extractelement <{n} x i1> %rare, i32 %i
  br i1 %this, label %slow, label %join
slow:
{extract}
  %repaired = call {t} @"{slow}"({operands})
  %changed = insertelement {v} %sofar, {t} %repaired, i32 %i
  br label %join
join:
  %joined = phi {v} [%sofar, %lane], [%changed, %slow]
  %next = add i32 %i, 1
  %more = icmp ult i32 %next, {n}
  br i1 %more, label %lane, label %end
end:
  %result = phi {v} [%fast, %entry], [%joined, %join]
  ret {v} %result
}}
"""

