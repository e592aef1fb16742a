// XXH3 from libxxhash, in the version for this CPU.
#pragma once
#include <stddef.h>
#include <xxhash.h>
#if defined(__x86_64__)
// Chooses the vector width at run time; inlined code would have that of the compiler's flags.
#include <xxh_x86dispatch.h>
#endif

static inline XXH128_hash_t attnmesh_xxh3(const void *bytes, size_t count) {
  return XXH3_128bits(bytes, count);
}
