// The generated messages of Protos/mesh.proto, and unpacking with a budget.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "mesh.pb-c.h"

/// The messages that are frames. Their descriptors are reached by pointer: an imported C constant
/// would be copied, and protobuf-c compares addresses.
const ProtobufCMessageDescriptor *attnmesh_wire_envelope(void);
const ProtobufCMessageDescriptor *attnmesh_wire_data_envelope(void);
const ProtobufCMessageDescriptor *attnmesh_wire_tile_part(void);
const ProtobufCMessageDescriptor *attnmesh_wire_softmax_state(void);
const ProtobufCMessageDescriptor *attnmesh_wire_chunk(void);

/// Field `id` of a message, or NULL.
const ProtobufCFieldDescriptor *attnmesh_wire_field(
  const ProtobufCMessageDescriptor *message, uint32_t id);

/// Unpacks a message, holding at most `budget` bytes at any time. NULL when the bytes are malformed
/// or take more. protobuf-c without a budget turns 1 MiB of unknown fields into 44 MiB.
ProtobufCMessage *attnmesh_wire_unpack(
  const ProtobufCMessageDescriptor *descriptor, const void *bytes, size_t count, size_t budget);

/// Frees what `attnmesh_wire_unpack` returned.
void attnmesh_wire_free(ProtobufCMessage *message);

/// The most bytes that one unpack of this process ever held, and those held now. For tests.
size_t attnmesh_wire_peak(void);
size_t attnmesh_wire_held(void);
