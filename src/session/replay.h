/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Replay memory: marks that say "this was used", each until its own time, in a piece of shared memory of its own. A
 * mark is an 80-bit fingerprint, an expiry and the time until then when it was set: 16 octets. Marks are never dropped
 * before their time; when there is no room, the sign-in fails.
 */
#ifndef ES_REPLAY_H
#define ES_REPLAY_H

#include "base/es.h"

typedef struct es_replay_t es_replay_t;

#define ES_REPLAY_MARK 16 /* octets a mark */

apr_size_t es_replay_minimum(void);
es_rv_t es_replay_format(void *memory, apr_size_t size, es_why_t *why);
es_rv_t es_replay_attach(es_replay_t **replay, void *memory, apr_size_t size, es_why_t *why, apr_pool_t *pool);
es_rv_t es_replay_recover(es_replay_t *replay, es_why_t *why);

es_rv_t es_replay_find(int *found, es_replay_t *replay, const es_hash_t *mark, apr_time_t now, es_why_t *why);
/* See mark_add in session/store.h. */
es_rv_t es_replay_add(int *added, es_replay_t *replay, const es_hash_t *mark, apr_time_t expires, apr_time_t now,
                      es_why_t *why);

/* A mark as the memory has it: of the hash what it keeps and needs, the rest is zeros. */
typedef struct {
    es_hash_t mark;
    apr_time_t set, expires;
} es_replay_mark_t;
/* Walks over the marks in force while nobody adds: *at goes on from 0. Returns 0 at the end. */
int es_replay_next(es_replay_mark_t *mark, apr_size_t *at, const es_replay_t *replay, apr_time_t now);

/* The shards of the memory fill unevenly; of its room this much is there before the first of them is full, in percent,
 * but for one time in more than a billion. Usually 99 are. */
#define ES_REPLAY_SURE 95

typedef struct {
    apr_uint64_t room, used;
    int sampled; /* used and oldest come from a sample: the memory has more than a million places */
    apr_uint64_t added, refused;
    apr_time_t oldest; /* when the oldest mark still alive was set, in whole seconds; 0: there is none */
} es_replay_counters_t;
void es_replay_count(es_replay_counters_t *counters, es_replay_t *replay, apr_time_t now);

#endif
