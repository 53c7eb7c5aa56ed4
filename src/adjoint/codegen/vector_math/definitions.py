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
from dataclasses import dataclass, field, replace
from typing import Any

from llvmlite import ir

from adjoint.codegen.vector_math.ir_helpers import F32, F64, Arithmetic, Format, Number, format_of

Body = Callable[..., Number]
_WIDTHS = "adjoint_vector_bits"
_SHARED = "adjoint_shared_repairs"
_REPAIRS: list[Repair] = []
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
    declaration: str | None = None

    def put(self, module: ir.Module) -> Any:
        """This function in `module`, defined there with all it needs unless it already is."""
        present = module.globals.get(self.name)
        if present is not None:
            return present
        if self.declaration is not None and getattr(module, _SHARED, False):
            return _Text(module, self.signature, self.name, self.declaration)
        for other in self.needs:
            other.put(module)
        made_as = _Text if isinstance(self.signature, ir.FunctionType) else _TextOfData
        function = made_as(module, self.signature, self.name, self.text)
        if self.variants is not None:
            for lanes in _lanes(module, self.signature.return_type):
                self.variants(lanes).put(module)
        return function


def prepare(
    module: ir.Module, vector_bits: int | Sequence[int] = (512, 256, 128), *, shared: bool = False
) -> None:
    """Say how repairs go into `module`, before anything is emitted into it.

    `vector_bits` are the vector widths its loops may get: a repair has one variant for each. No
    width at all, `()`, is for modules without loops. With `shared`, the slow functions behind
    repairs are only declared: they are those of `support_module`, to be bound when the module is
    linked.
    """
    widths = (vector_bits,) if isinstance(vector_bits, int) else tuple(vector_bits)
    setattr(module, _WIDTHS, widths)
    setattr(module, _SHARED, shared)


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


class Attributes(ir.values.FunctionAttributes):  # type: ignore[misc]
    """Function attributes as written, also those that llvmlite has no name for."""

    def add(self, name: str) -> None:
        set.add(self, name)


FULL_WIDTH = ("nounwind", '"prefer-vector-width"="512"')
"""Attributes of functions with loops in them: LLVM would use half of the width of some CPUs."""


def build(
    name: str, kind: Format, arity: int, body: Body, attributes: Sequence[str], linkage: str
) -> Definition:
    """Build a function of `arity` floats in a module of its own and keep its text."""
    scratch = ir.Module(name)
    signature = ir.FunctionType(kind.float_type, [kind.float_type] * arity)
    function = ir.Function(scratch, signature, name)
    function.linkage = linkage
    function.attributes = Attributes(attributes)
    builder = ir.IRBuilder(function.append_basic_block())
    math = Arithmetic(builder, kind)
    result = body(math, *(Number(math, argument) for argument in function.args))
    builder.ret(result.value)
    declaration = None
    if linkage != "private":
        parameters = ", ".join([str(kind.float_type)] * arity)
        declaration = f'declare {kind.float_type} @"{name}"({parameters}) {" ".join(attributes)}\n'
    return Definition(name, signature, str(function), _needs(scratch, function), None, declaration)


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
    arity: int = 1
    _cache: dict[str, Definition] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        _REPAIRS.append(self)

    def __call__(self, fast: Number, measure: Number, *operands: Number) -> Number:
        math = fast.math
        definition = self._scalar(math.format)
        module = math.builder.module
        function = module.globals.get(definition.name)
        if function is None:
            function = ir.Function(module, definition.signature, definition.name)
            function.definition = definition
        values = [number.value for number in (fast, measure, *operands)]
        return Number(math, math.builder.call(function, values))

    def _scalar(self, kind: Format) -> Definition:
        found = self._cache.get(kind.name)
        if found is None:
            found = self._cache[kind.name] = self._build(kind, self.arity)
        return found

    def shared(self, kind: Format) -> tuple[Definition, Definition]:
        """The functions of one format that modules may share."""
        return self.slow(kind), self._rare_lanes(kind, self.arity)

    def _build(self, kind: Format, arity: int) -> Definition:
        name = f"adjoint.{self.name}.repair.{kind.name}"
        rare = self._rare_lanes(kind, arity)
        signature = ir.FunctionType(kind.float_type, [kind.float_type] * (arity + 2))
        text = _SCALAR_REPAIR.format(
            name=name, slow=self.slow(kind).name, t=kind.float_type,
            limit=_literal(kind, self.limit(kind)),
            parameters=_listed("{t} %x{i}", kind.float_type, arity),
            operands=_listed("{t} %x{i}", kind.float_type, arity),
            variants=",".join(
                f"_ZGV_LLVM_N{n}{'v' * (arity + 2)}_{name}({name}.v{n})" for n in (2, 4, 8, 16)
            ),
        )  # fmt: skip

        def variant(lanes: int) -> Definition:
            return self._vector(kind, arity, lanes, rare)

        return Definition(name, signature, text, (self.slow(kind),), variant)

    def _rare_lanes(self, kind: Format, arity: int) -> Definition:
        """A function that repairs the lanes of one vector in memory."""
        name = f"adjoint.{self.name}.lanes.{kind.name}"
        slow = self.slow(kind)
        pointer, count = kind.float_type.as_pointer(), ir.IntType(64)
        text = _LANES.format(
            name=name, slow=slow.name, t=kind.float_type, limit=_literal(kind, self.limit(kind)),
            parameters=_listed("ptr %x{i}", pointer, arity),
            loads="\n".join(
                f"  %p{i} = getelementptr {kind.float_type}, ptr %x{i}, i64 %i\n"
                f"  %s{i} = load {kind.float_type}, ptr %p{i}"
                for i in range(arity)
            ),
            operands=_listed("{t} %s{i}", kind.float_type, arity),
        )  # fmt: skip
        signature = ir.FunctionType(ir.VoidType(), [pointer] * (arity + 2) + [count])
        declaration = (
            f'declare void @"{name}"({", ".join(["ptr"] * (arity + 2))}, i64) '
            "cold nounwind willreturn memory(argmem: readwrite)\n"
        )
        return Definition(name, signature, text, (slow,), None, declaration)

    def _vector(self, kind: Format, arity: int, lanes: int, rare: Definition) -> Definition:
        key = f"{kind.name}.v{lanes}"
        if key not in self._cache:
            name = f"adjoint.{self.name}.repair.{key}"
            vector = ir.VectorType(kind.float_type, lanes)
            text = _VECTOR_REPAIR.format(
                name=name, rare=rare.name, t=kind.float_type, v=vector, n=lanes,
                limit=_literal(kind, self.limit(kind)),
                parameters=_listed("{t} %x{i}", vector, arity),
                places="\n".join(f"  %p{i} = alloca {vector}" for i in range(arity)),
                stores="\n".join(f"  store {vector} %x{i}, ptr %p{i}" for i in range(arity)),
                operands=_listed("ptr %p{i}", vector, arity),
            )  # fmt: skip
            signature = ir.FunctionType(vector, [vector] * (arity + 2))
            self._cache[key] = Definition(name, signature, text, (rare, _reduction(lanes)))
        return self._cache[key]


def support_module() -> tuple[ir.Module, tuple[str, ...]]:
    """A module that defines the slow functions behind all repairs, and their names.

    Compile it once per process, register the addresses, and `prepare(…, shared=True)` modules.
    """
    module = ir.Module("adjoint.support")
    names: list[str] = []
    for repair in _REPAIRS:
        for kind in (F64, F32):
            names += _put_shared(module, repair, kind)
    return module, tuple(names)


def support_for(name: str) -> tuple[ir.Module, tuple[str, ...]] | None:
    """The part of `support_module` that defines the function `name`, and the names it defines."""
    for repair in _REPAIRS:
        for kind in (F64, F32):
            if any(definition.name == name for definition in repair.shared(kind)):
                module = ir.Module("adjoint.support")
                return module, tuple(_put_shared(module, repair, kind))
    return None


def _put_shared(module: ir.Module, repair: Repair, kind: Format) -> list[str]:
    names = []
    for definition in repair.shared(kind):
        text = definition.text.replace("linkonce_odr hidden ", "", 1)
        replace(definition, text=text).put(module)
        names.append(definition.name)
    return names


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
  %result.place = alloca {v}
  %measure.place = alloca {v}
{places}
  %first = insertelement {v} undef, {t} {limit}, i32 0
  %limit = shufflevector {v} %first, {v} undef, <{n} x i32> zeroinitializer
  %rare = fcmp ogt {v} %measure, %limit
  %any = call i1 @llvm.vector.reduce.or.v{n}i1(<{n} x i1> %rare)
  br i1 %any, label %repair, label %end
repair:
  store {v} %fast, ptr %result.place
  store {v} %measure, ptr %measure.place
{stores}
  call void @"{rare}"(ptr %result.place, ptr %measure.place, {operands}, i64 {n})
  %repaired = load {v}, ptr %result.place
  br label %end
end:
  %result = phi {v} [%fast, %entry], [%repaired, %repair]
  ret {v} %result
}}
"""

_LANES = """\
define linkonce_odr hidden void @"{name}"(ptr %result, ptr %measure, {parameters}, i64 %n) \
cold noinline nounwind willreturn memory(argmem: readwrite) {{
entry:
  br label %lane
lane:
  %i = phi i64 [0, %entry], [%next, %join]
  %place = getelementptr {t}, ptr %measure, i64 %i
  %size = load {t}, ptr %place
  %rare = fcmp ogt {t} %size, {limit}
  br i1 %rare, label %slow, label %join
slow:
{loads}
  %repaired = call {t} @"{slow}"({operands})
  %target = getelementptr {t}, ptr %result, i64 %i
  store {t} %repaired, ptr %target
  br label %join
join:
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %lane, label %end
end:
  ret void
}}
"""
