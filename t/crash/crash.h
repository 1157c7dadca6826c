/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of the crash test share. The test kills real processes with SIGKILL while they write into shared
 * memory, so the robust mutexes, the death of their owners as the kernel tells it, and the repair are the real ones.
 */
#ifndef CRASH_H
#define CRASH_H

#include "session/replay.h"
#include "session/ring.h"
#include "session/shm.h"
#include "session/table.h"
#include "table_records.h"

#define CRASH_NOW apr_time_from_sec(1700000000)
#define CRASH_SOON (CRASH_NOW + apr_time_from_sec(30)) /* when the processes to be killed write */
#define CRASH_LATER (CRASH_NOW + apr_time_from_sec(3600))

/* Longer than this nobody waits for anything but a deadlock. */
#define CRASH_PATIENCE 20

/* Counts a check, in whatever process; a failed one is printed. Returns `good`. */
int crash_expect(int good, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What is looked at all the time is counted only where it fails. */
void crash_insist(int good, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the closing line and ends the program; its children end with it. */
void crash_finish(void) __attribute__((noreturn));

/* fork(2); ends the program where no process is to be had. */
int crash_fork(void);

/* Zeroed, aligned, shared with all processes forked from here on. */
void *crash_memory(apr_size_t size);

/* A session table, replay marks, a ring, and a store over all three in memory of its own. */
typedef struct {
    unsigned char *memory;
    apr_size_t size;
    es_table_t *table;
    es_replay_t *marks;
    es_ring_t *ring;
    es_store_t *store;
} crash_world_t;

/* In one piece of memory, so that it can be saved and put back as a whole. */
void crash_world_make(crash_world_t *world, apr_size_t table_size, apr_size_t store_size, apr_pool_t *pool);

/* Inserts session `number` with a fresh record; returns whether that went well. */
int crash_put(es_table_t *table, unsigned number, apr_size_t len, apr_time_t expires, apr_pool_t *pool);
/* Is the session there? A record that is not whole fails the test. */
int crash_has(es_table_t *table, unsigned number, apr_pool_t *pool);
/* The same through the store. */
int crash_store_put(es_store_t *store, unsigned number, apr_size_t len, apr_pool_t *pool);
int crash_store_has(es_store_t *store, unsigned number, apr_pool_t *pool);
/* Is it found by its subject too? */
int crash_store_lists(es_store_t *store, unsigned number, apr_pool_t *pool);
/* Keeps thing `number` of so many octets for a client of that number; returns whether that went well. */
int crash_keep(es_store_t *store, unsigned number, apr_size_t len, apr_pool_t *pool);
/* Is the thing there? One that is not whole fails the test. It is gone after that when it is taken. */
int crash_has_kept(es_store_t *store, unsigned number, int takes, apr_pool_t *pool);
/* The same of a ring by itself, at a time. */
int crash_ring_keep(es_ring_t *ring, unsigned number, apr_size_t len, apr_time_t now, apr_pool_t *pool);
int crash_ring_has(es_ring_t *ring, unsigned number, apr_pool_t *pool);
/* Adds mark `number`: 1 when it was added, 0 when it was there, -1 when neither. */
int crash_mark(es_store_t *store, unsigned number);
int crash_has_mark(es_store_t *store, unsigned number);

/* Kill after every instruction, also where nobody could tell the difference. */
extern int crash_everywhere;

/* One writer at a time, killed after each of its instructions in turn. */
void crash_steps(apr_pool_t *pool);
/* Writers killed at any moment, beside readers and writers that are not. */
void crash_load(apr_pool_t *pool);

#endif
