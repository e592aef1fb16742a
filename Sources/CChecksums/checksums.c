#include "CChecksums.h"
#include <string.h>

// Byte-wise table for CPUs without a CRC32C instruction, filled on first use. Filling it twice at the
// same time writes the same values.
static uint32_t table[256];

static uint32_t crc32c_table(uint32_t crc, const uint8_t *p, size_t n) {
  if (table[1] == 0) {
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t c = i;
      for (int k = 0; k < 8; k++) c = (c >> 1) ^ (0x82F63B78u & (0u - (c & 1u)));
      table[i] = c;
    }
  }
  while (n--) crc = table[(crc ^ *p++) & 0xFF] ^ (crc >> 8);
  return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *p,
                                                               size_t n) {
  uint64_t c = crc;
  while (n >= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    c = _mm_crc32_u64(c, word);
    p += 8;
    n -= 8;
  }
  uint32_t c32 = (uint32_t)c;
  while (n--) c32 = _mm_crc32_u8(c32, *p++);
  return c32;
}

// Bytes of each of the three streams below: long enough to hide the two shifts.
enum { STREAM = 1024 };

// x^(8 * STREAM - 33) and x^(16 * STREAM - 33) modulo the polynomial, bits reflected: what moves a
// CRC past one and past two streams. The 33 are what the multiplication and the CRC instruction add.
static const uint64_t PAST_ONE = 0x170076FA, PAST_TWO = 0xA51B6135;

__attribute__((target("sse4.2,pclmul"))) static uint64_t crc32c_past(uint64_t crc, uint64_t power) {
  __m128i product =
      _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc), _mm_cvtsi64_si128((int64_t)power), 0);
  return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

// The instruction takes 3 cycles and a new one can start in each: one stream is bound by latency to
// 8 bytes every 3 cycles, three streams are not.
__attribute__((target("sse4.2,pclmul"))) static uint32_t crc32c_pclmul(uint32_t crc,
                                                                       const uint8_t *p, size_t n) {
  uint64_t first = crc;
  while (n >= 3 * STREAM) {
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < STREAM; i += 8) {
      uint64_t a, b, c;
      memcpy(&a, p + i, 8);
      memcpy(&b, p + i + STREAM, 8);
      memcpy(&c, p + i + 2 * STREAM, 8);
      first = _mm_crc32_u64(first, a);
      second = _mm_crc32_u64(second, b);
      third = _mm_crc32_u64(third, c);
    }
    first = crc32c_past(first, PAST_TWO) ^ crc32c_past(second, PAST_ONE) ^ third;
    p += 3 * STREAM;
    n -= 3 * STREAM;
  }
  return crc32c_sse42((uint32_t)first, p, n);
}

int attnmesh_cpu_has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

int attnmesh_cpu_has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

int attnmesh_cpu_has_bfloat16(void) { return __builtin_cpu_supports("avx512bf16") != 0; }

uint32_t attnmesh_crc32c(uint32_t crc, const void *bytes, size_t count) {
  if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
    return ~crc32c_pclmul(~crc, bytes, count);
  if (__builtin_cpu_supports("sse4.2")) return ~crc32c_sse42(~crc, bytes, count);
  return ~crc32c_table(~crc, bytes, count);
}
#else
int attnmesh_cpu_has_avx2(void) { return 0; }
int attnmesh_cpu_has_avx512(void) { return 0; }
int attnmesh_cpu_has_bfloat16(void) { return 0; }
uint32_t attnmesh_crc32c(uint32_t crc, const void *bytes, size_t count) {
  return ~crc32c_table(~crc, bytes, count);
}
#endif
