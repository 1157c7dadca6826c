/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The index: which records of the session table are about a subject (a user, a NameID, a SessionIndex), in a piece of
 * shared memory of its own. It only points: an entry leads to a record's place in the table for as long as the record
 * lives, so ending a session needs no work here, and a fingerprint that two subjects share is for the caller to notice,
 * who has the record in his hands then.
 */
#ifndef ES_INDEX_H
#define ES_INDEX_H

#include "base/es.h"
#include "session/table.h"

typedef struct es_index_t es_index_t;

apr_size_t es_index_minimum(void);
es_rv_t es_index_format(void *memory, apr_size_t size, es_why_t *why);
/* ES_CONFIG_STATE: not an index, or of another size or layout. Nothing is written. */
es_rv_t es_index_attach(es_index_t **index, void *memory, apr_size_t size, es_why_t *why, apr_pool_t *pool);
/* Re-makes the mutex; only while no other process uses the memory. */
es_rv_t es_index_recover(es_index_t *index, es_why_t *why);

/* Adds an entry for a record that is in the table already. ES_STORE_FULL: no room, nothing was added. */
es_rv_t es_index_add(es_index_t *index, es_table_t *table, const es_hash_t *subject, const es_table_spot_t *spot,
                     es_why_t *why);

/* The records under the subject's fingerprint, in no order; every entry whose addition was finished before is found, as
 * long as its record lives. Takes no lock. */
int es_index_find(const es_table_spot_t **spots, es_index_t *index, const es_table_t *table, const es_hash_t *subject,
                  apr_pool_t *pool);

/* Walks over the entries that live, while nobody adds: *at goes on from 0. Of the subject it tells what the index knows
 * of it and needs, the rest is zeros. Returns 0 at the end. */
int es_index_next(es_hash_t *subject, es_table_spot_t *spot, apr_size_t *at, const es_index_t *index,
                  const es_table_t *table);

#endif
