#include "CMeshWire.h"

#include <stdatomic.h>
#include <stdlib.h>

// Bytes of one unpack: on the stack of the caller, so nothing is shared between threads.
typedef struct {
  size_t budget;
  size_t held;
  size_t peak;
} Budget;

// Kept in front of every block, since protobuf-c doesn't say how much it frees.
typedef union {
  size_t size;
  max_align_t alignment;
} Header;

static _Atomic size_t highest_peak;
static _Atomic size_t all_held;

static void *allocate(void *data, size_t size) {
  Budget *budget = data;
  if (size > budget->budget - budget->held) return NULL;
  Header *header = malloc(sizeof(Header) + size);
  if (!header) return NULL;
  header->size = size;
  budget->held += size;
  if (budget->held > budget->peak) budget->peak = budget->held;
  atomic_fetch_add_explicit(&all_held, size, memory_order_relaxed);
  return header + 1;
}

static void release(void *data, void *block) {
  if (!block) return;
  Header *header = (Header *)block - 1;
  // Without a budget when the message is freed, after the unpack.
  if (data) ((Budget *)data)->held -= header->size;
  atomic_fetch_sub_explicit(&all_held, header->size, memory_order_relaxed);
  free(header);
}

ProtobufCMessage *attnmesh_wire_unpack(
  const ProtobufCMessageDescriptor *descriptor, const void *bytes, size_t count, size_t budget) {
  Budget state = {.budget = budget};
  ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = &state};
  ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, count, bytes);
  size_t seen = atomic_load_explicit(&highest_peak, memory_order_relaxed);
  while (seen < state.peak && !atomic_compare_exchange_weak(&highest_peak, &seen, state.peak)) {
  }
  return message;
}

void attnmesh_wire_free(ProtobufCMessage *message) {
  ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = NULL};
  if (message) protobuf_c_message_free_unpacked(message, &allocator);
}

size_t attnmesh_wire_peak(void) { return atomic_load(&highest_peak); }
size_t attnmesh_wire_held(void) { return atomic_load(&all_held); }

const ProtobufCMessageDescriptor *attnmesh_wire_envelope(void) {
  return &mesh__v1__envelope__descriptor;
}

const ProtobufCMessageDescriptor *attnmesh_wire_data_envelope(void) {
  return &mesh__v1__data_envelope__descriptor;
}

const ProtobufCMessageDescriptor *attnmesh_wire_tile_part(void) {
  return &mesh__v1__tile_part__descriptor;
}

const ProtobufCMessageDescriptor *attnmesh_wire_softmax_state(void) {
  return &mesh__v1__softmax_state__descriptor;
}

const ProtobufCMessageDescriptor *attnmesh_wire_chunk(void) {
  return &mesh__v1__chunk__descriptor;
}

const ProtobufCFieldDescriptor *attnmesh_wire_field(
  const ProtobufCMessageDescriptor *message, uint32_t id) {
  return protobuf_c_message_descriptor_get_field(message, id);
}
