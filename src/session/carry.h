/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Moving house: what is alive in one shared memory goes into another, of another size.
 */
#ifndef ES_CARRY_H
#define ES_CARRY_H

#include "session/index.h"
#include "session/replay.h"
#include "session/ring.h"
#include "session/table.h"

typedef struct {
    apr_uint64_t sessions, marks; /* carried over */
    apr_uint64_t left;            /* live sessions left behind for want of room */
} es_carried_t;

/* The session of every record that has not expired, with its last use, its expiry and its entries in the index; those
 * used last first, so that where the new table is too small the longest idle stay behind. Both are this process's
 * alone, recovered or fresh, and the new table keeps its live records. *carried counts on. */
es_rv_t es_carry_sessions(es_carried_t *carried, es_table_t *to, es_index_t *to_index, es_table_t *from,
                          const es_index_t *from_index, apr_time_t now, es_why_t *why, apr_pool_t *pool);

/* Every mark in force. ES_MARKS_FULL: one had no room, and what it guards could be used again in the new memory. */
es_rv_t es_carry_marks(es_carried_t *carried, es_replay_t *to, const es_replay_t *from, apr_time_t now, es_why_t *why);

/* What is kept for browsers, as much as there is room for: what has no room is lost, as it may be at any time. */
es_rv_t es_carry_ring(es_ring_t *to, const es_ring_t *from, apr_time_t now, es_why_t *why, apr_pool_t *pool);

#endif
