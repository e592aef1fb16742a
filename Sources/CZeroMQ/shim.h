#pragma once
#include <zmq.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

// In every release since 4.3.0, but declared among the drafts.
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

// glibc's Swift module hides what needs _GNU_SOURCE; the declaration is the one of <pthread.h>.
extern int pthread_setname_np(pthread_t thread, const char *name);
extern int pthread_getname_np(pthread_t thread, char *name, size_t size);

// On Linux, id 0 with PRIO_PROCESS is the calling thread, not its process.
static inline int mesh_thread_priority(void) { return getpriority(PRIO_PROCESS, 0); }
static inline int mesh_thread_set_priority(int nice) { return setpriority(PRIO_PROCESS, 0, nice); }
