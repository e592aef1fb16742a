// What Glibc's module leaves out.
#pragma once
#include <malloc.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/vfs.h>

// Gives free heap pages back to the system.
static inline void attnmesh_return_free_memory(void) { malloc_trim(0); }

// Gives every block of at least this size pages of its own, which go back when it is freed.
static inline void attnmesh_map_blocks_from(int bytes) { mallopt(M_MMAP_THRESHOLD, bytes); }

// Accepts a connection that no process started meanwhile inherits.
extern int accept4(int file, struct sockaddr *address, socklen_t *size, int flags);

// On which processors a thread may run; 0 is the calling one.
extern int sched_getaffinity(__pid_t thread, size_t size, cpu_set_t *set);
extern int sched_setaffinity(__pid_t thread, size_t size, const cpu_set_t *set);
