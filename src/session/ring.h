/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ring: octets that are kept for a while for browsers that are away to sign in, in a piece of shared memory of its
 * own. It is small and anybody may have something kept in it, so things get lost; what must not happen is that one
 * client pushes out what is kept for the others.
 */
#ifndef ES_RING_H
#define ES_RING_H

#include "session/store.h"

typedef struct es_ring_t es_ring_t;

apr_size_t es_ring_minimum(void);
es_rv_t es_ring_format(void *memory, apr_size_t size, es_why_t *why);
es_rv_t es_ring_attach(es_ring_t **ring, void *memory, apr_size_t size, es_why_t *why, apr_pool_t *pool);
es_rv_t es_ring_recover(es_ring_t *ring, es_why_t *why);

/* The largest thing that a ring of this size keeps: a quarter of its room. */
apr_size_t es_ring_largest(apr_size_t size);

/* See keep, kept_find and kept_take in session/store.h. */
es_rv_t es_ring_keep(es_ring_t *ring, const es_hash_t *key, es_bytes_t content, const es_holder_t *holder,
                     apr_time_t expires, apr_time_t now, es_why_t *why);
es_rv_t es_ring_find(es_bytes_t *content, es_ring_t *ring, const es_hash_t *key, apr_time_t now, es_why_t *why,
                     apr_pool_t *pool);
es_rv_t es_ring_take(es_bytes_t *content, es_ring_t *ring, const es_hash_t *key, apr_time_t now, es_why_t *why,
                     apr_pool_t *pool);

/* Drops and wipes what is past its time. */
void es_ring_tidy(es_ring_t *ring, apr_time_t now);

/* A thing as the ring has it. */
typedef struct {
    es_hash_t key;
    es_holder_t holder;
    apr_time_t since, expires;
    es_bytes_t content; /* in the pool */
} es_ring_item_t;
/* Walks over what is kept while nobody else is at work there: *at goes on from 0. Returns 0 at the end. */
int es_ring_next(es_ring_item_t *item, apr_size_t *at, const es_ring_t *ring, apr_time_t now, apr_pool_t *pool);

typedef struct {
    apr_uint64_t room, used; /* octets */
    apr_uint64_t items;
    apr_uint64_t kept, taken, expired, evicted, refused, repaired;
} es_ring_counters_t;
void es_ring_count(es_ring_counters_t *counters, es_ring_t *ring, apr_time_t now);

/* The invariants: every chain as long as its thing, no block in two of them, every other block free and zero.
 * ES_CONFIG_STATE says which is broken. */
es_rv_t es_ring_check(es_ring_t *ring, es_why_t *why);

#endif
