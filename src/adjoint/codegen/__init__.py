"""Native code: fused loops, BLAS calls and the entry that Python calls, through LLVM."""
