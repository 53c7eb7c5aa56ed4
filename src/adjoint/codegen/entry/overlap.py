"""Machine code that all entries with ``out=`` share: whether arrays overlap, and copying results.

`disjoint(places, ranges, n, others, other_ranges, m)` says whether each of n arrays is apart from
each of m others.  An array is the address of its first element and two offsets from there, the
lowest byte and the one after the highest; arrays of no bytes overlap nothing.  Given the same table
twice, it compares each pair of different arrays once.  It costs a nanosecond per pair.

`copy_results(from, to, ranges, n)` copies arrays that are not in their place yet.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from adjoint.codegen.llvm_session import CompiledModule, compile_ir

_IR = """
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)

define i1 @disjoint(ptr %a, ptr %ra, i64 %n, ptr %b, ptr %rb, i64 %m) nounwind {
start:
  %same = icmp eq ptr %a, %b
  br label %row
row:
  %i = phi i64 [0, %start], [%i1, %rowend]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %first, label %apart
first:
  %i1 = add i64 %i, 1
  %pa = getelementptr i64, ptr %a, i64 %i
  %pra = getelementptr [2 x i64], ptr %ra, i64 %i
  %pra1 = getelementptr i64, ptr %pra, i64 1
  %base = load i64, ptr %pa
  %loa = load i64, ptr %pra
  %hia = load i64, ptr %pra1
  %la = add i64 %base, %loa
  %ha = add i64 %base, %hia
  %isarray = icmp ult i64 %la, %ha
  %limit = select i1 %same, i64 %i, i64 %m
  %columns = select i1 %isarray, i64 %limit, i64 0
  br label %column
column:
  %j = phi i64 [0, %first], [%j1, %columnend]
  %left = icmp ult i64 %j, %columns
  br i1 %left, label %second, label %rowend
second:
  %j1 = add i64 %j, 1
  %pb = getelementptr i64, ptr %b, i64 %j
  %prb = getelementptr [2 x i64], ptr %rb, i64 %j
  %prb1 = getelementptr i64, ptr %prb, i64 1
  %baseb = load i64, ptr %pb
  %lob = load i64, ptr %prb
  %hib = load i64, ptr %prb1
  %lb = add i64 %baseb, %lob
  %hb = add i64 %baseb, %hib
  %c0 = icmp ult i64 %lb, %hb
  %c1 = icmp ult i64 %la, %hb
  %c2 = icmp ult i64 %lb, %ha
  %c3 = and i1 %c0, %c1
  %meet = and i1 %c3, %c2
  br i1 %meet, label %together, label %columnend
columnend:
  br label %column
rowend:
  br label %row
apart:
  ret i1 true
together:
  ret i1 false
}

define void @copy_results(ptr %from, ptr %to, ptr %ranges, i64 %n) nounwind {
start:
  br label %test
test:
  %i = phi i64 [0, %start], [%i1, %next]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %look, label %done
look:
  %i1 = add i64 %i, 1
  %pf = getelementptr ptr, ptr %from, i64 %i
  %pt = getelementptr ptr, ptr %to, i64 %i
  %pr = getelementptr [2 x i64], ptr %ranges, i64 %i
  %pr1 = getelementptr i64, ptr %pr, i64 1
  %source = load ptr, ptr %pf
  %target = load ptr, ptr %pt
  %size = load i64, ptr %pr1
  %there = icmp eq ptr %source, %target
  br i1 %there, label %next, label %copy
copy:
  call void @llvm.memmove.p0.p0.i64(ptr %target, ptr %source, i64 %size, i1 false)
  br label %next
next:
  br label %test
done:
  ret void
}
"""

_NAMES = ("disjoint", "copy_results")


@functools.lru_cache(maxsize=1)
def overlap_code() -> CompiledModule:
    """The code, compiled when first needed."""
    return compile_ir(_IR, opt_level=1, exports=_NAMES)


def overlap_symbols() -> Mapping[str, int]:
    """The addresses of the functions by name.

    >>> sorted(overlap_symbols())
    ['copy_results', 'disjoint']
    """
    return {name: overlap_code().address(name) for name in _NAMES}
