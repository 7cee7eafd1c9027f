"""Ask the processor for a cache line ahead of its use."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from vp_engine.numba_internals import item_pointer

_READ, _KEEP, _DATA = 0, 3, 1  # for reading, in every level of cache, data rather than code


def _prefetch(typing_context: Any, values: Any, index: Any) -> Any:
    """Within a kernel: begin to load values[index] of a one-dimensional array; a hint without effect on results."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, arguments[0])
        at = context.cast(builder, arguments[1], signature.args[1], types.intp)
        item = item_pointer(context, builder, kind, array, [at], wraparound=False)
        address = builder.bitcast(item, ir.IntType(8).as_pointer())
        int32 = ir.IntType(32)
        hint = builder.module.declare_intrinsic(
            "llvm.prefetch", [address.type], ir.FunctionType(ir.VoidType(), [address.type, int32, int32, int32])
        )
        builder.call(hint, [address, int32(_READ), int32(_KEEP), int32(_DATA)])
        return context.get_dummy_value()

    return types.void(values, index), generate


prefetch_nb: Any = intrinsic(_prefetch)
