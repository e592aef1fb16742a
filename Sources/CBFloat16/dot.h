// The CPU's bfloat16 dot product (VDPBF16PS), which Swift has no name for. Inlined into the kernels of the
// level that is compiled for CPUs with it, and to be called from nowhere else.
#pragma once
#if defined(__x86_64__)
typedef float attnmesh_lanes __attribute__((ext_vector_type(16)));
typedef __bf16 attnmesh_pairs __attribute__((__vector_size__(64)));

/// sum + left * right over both elements of each word: words are pairs of bfloat16 numbers.
__attribute__((always_inline, target("avx512f,avx512bf16"))) static inline attnmesh_lanes
attnmesh_dot_pairs(attnmesh_lanes sum, attnmesh_lanes left, attnmesh_lanes right) {
  return __builtin_ia32_dpbf16ps_512(sum, (attnmesh_pairs)left, (attnmesh_pairs)right);
}
#endif
