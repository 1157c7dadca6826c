/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The shared memory as a whole: a header, event counters, the session table, the index of subjects, the replay marks,
 * the ring; and a store over them. Where the memory comes from (a file, plain memory in tests) is the caller's business.
 */
#ifndef ES_SHM_H
#define ES_SHM_H

#include "base/es.h"
#include "session/carry.h"
#include "session/replay.h"
#include "session/ring.h"
#include "session/store.h"
#include "session/table.h"

typedef struct es_shm_t es_shm_t;

/* Smallest size in octets, multiple of 4,096. */
apr_size_t es_shm_minimum(void);

/* How many octets of a memory of this size the ring gets: those that are wanted, in whole pages, or for 0 what it gets
 * by default. ES_CONFIG_PRESERVE: so many leave too little for sessions, or are too few. */
es_rv_t es_shm_ring(apr_size_t *ring_size, apr_size_t size, apr_size_t wanted, es_why_t *why);

/* Lays out everything, with a ring of the default size or of this one. The header's magic is written last. */
es_rv_t es_shm_format(void *memory, apr_size_t size, es_why_t *why);
es_rv_t es_shm_format_with(void *memory, apr_size_t size, apr_size_t ring_size, es_why_t *why);

/* Attaches. ES_CONFIG_STATE: not ours, another layout version, another size, or damaged; nothing of it is trusted then.
 * Writes only where the event counters are those of another list of reasons: they begin again at zero. */
es_rv_t es_shm_attach(es_shm_t **shm, void *memory, apr_size_t size, es_why_t *why, apr_pool_t *pool);

/* As it was laid out. */
apr_size_t es_shm_ring_size(const es_shm_t *shm);

/* After a fresh start with nobody else attached: mutexes anew, shards checked. */
es_rv_t es_shm_recover(es_shm_t *shm, es_why_t *why);

/* Carries all that is alive in one memory, recovered, into another of another size, newly made; nobody else uses either.
 * The counts of what happened begin anew there. Where the new one is too small, the longest idle sessions are left
 * behind and counted, as refused too. ES_MARKS_FULL: it is too small even for the replay marks, which nobody may leave
 * behind: the new memory is of no use then. */
es_rv_t es_shm_carry(es_carried_t *carried, es_shm_t *to, es_shm_t *from, apr_time_t now, es_why_t *why,
                     apr_pool_t *pool);

/* The store; lives as long as the handle. */
es_store_t *es_shm_store(es_shm_t *shm);

/* Whether a store that is full of live sessions refuses new ones (ES_STORE_FULL) or, which is the default, evicts one of
 * the longest idle. Of this handle: set before it is used. */
void es_shm_refuse_when_full(es_shm_t *shm, int refuses);

/* Live sessions evicted that nobody was warned about yet; 0 also when the last warning, in whichever process, is less
 * than a minute old. Whoever gets another number gives the warning. */
apr_uint64_t es_shm_unwarned(es_shm_t *shm, apr_time_t now);

/* Frees some of the records that have expired, a few thousand blocks looked at; and wipes what has in the ring. */
void es_shm_tidy(es_shm_t *shm, apr_time_t now);

/* Counts one more event: a refusal by its reason, ES_OK for a session made. One relaxed atomic addition, so that any
 * thread may do it on any path. */
void es_shm_note(es_shm_t *shm, es_rv_t rv);
apr_uint64_t es_shm_noted(const es_shm_t *shm, es_rv_t rv);

typedef struct {
    es_table_counters_t table;
    es_replay_counters_t marks;
    es_ring_counters_t ring;
    apr_uint64_t signins;   /* es_shm_noted of ES_OK */
    apr_time_t oldest_mark; /* when the oldest mark still alive was set; 0: there is none */
} es_shm_counters_t;
/* Looks at a quarter of a million places of marks at most: for a status page, not for a request. */
void es_shm_count(es_shm_counters_t *counters, es_shm_t *shm, apr_time_t now);

#endif
