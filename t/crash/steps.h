/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The operations that are killed at every instruction, the world they work in, and stepping through them.
 */
#ifndef CRASH_STEPS_H
#define CRASH_STEPS_H

#include "crash.h"

#include <sys/types.h>

#define STEPS_SESSIONS 40 /* in the store, and in the table where it is large */
#define STEPS_MARKS 40
#define STEPS_NEW 100000 /* the session, or mark, that is written */

typedef struct {
    const char *name;
    void (*prepare)(void);
    void (*run)(void);
    apr_size_t size; /* of the table; 0: the smallest */
    unsigned ends;   /* sessions that the operation itself ends */
    unsigned drops;  /* things of the ring that it drops */
} steps_operation_t;

#define STEPS_OPERATIONS 13
#define STEPS_KEPT 12 /* things in the ring */
extern const steps_operation_t steps_operations[STEPS_OPERATIONS];

/* Of the operation that was prepared last: numbers 0 … steps_sessions - 1 are in the table before it. */
extern crash_world_t steps_world;
extern unsigned steps_sessions;
extern apr_pool_t *steps_pool;

void steps_prepare(const steps_operation_t *operation);

/* A process stopped before it runs; 0 where no process can be traced. */
pid_t steps_start(void (*run)(void));
/* One instruction; returns 0 when the process came to its end. */
int steps_step(pid_t child);

#endif
