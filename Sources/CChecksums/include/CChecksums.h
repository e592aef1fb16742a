// CRC32C (Castagnoli) with the CPU's instruction where there is one, and the CPU level by CPUID.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Extends `crc` (0 at the start) over `count` bytes. RFC 3720, appendix B.4.
uint32_t attnmesh_crc32c(uint32_t crc, const void *bytes, size_t count);

/// Whether the CPU has AVX2 and FMA.
int attnmesh_cpu_has_avx2(void);

/// Whether the CPU has AVX-512 F, BW, CD, DQ and VL.
int attnmesh_cpu_has_avx512(void);

/// Whether the CPU has the AVX-512 bfloat16 dot product.
int attnmesh_cpu_has_bfloat16(void);
