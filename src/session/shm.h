/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The shared memory as a whole: a header, the session table, the replay marks; and a store over them. Where the memory
 * comes from (a file, plain memory in tests) is the caller's business.
 */
#ifndef ES_SHM_H
#define ES_SHM_H

#include "base/es.h"
#include "session/store.h"

typedef struct es_shm_t es_shm_t;

/* Smallest size in octets, multiple of 4,096. */
apr_size_t es_shm_minimum(void);

/* Lays out header, table and marks. The header's magic is written last. */
es_rv_t es_shm_format(void *memory, apr_size_t size, es_why_t *why);

/* Attaches. ES_CONFIG_STATE: not ours, another layout version, another size, or damaged; nothing of it is trusted then.
 */
es_rv_t es_shm_attach(es_shm_t **shm, void *memory, apr_size_t size, es_why_t *why, apr_pool_t *pool);

/* After a fresh start with nobody else attached: mutexes anew, shards checked. */
es_rv_t es_shm_recover(es_shm_t *shm, es_why_t *why);

/* The store; lives as long as the handle. */
es_store_t *es_shm_store(es_shm_t *shm);

#endif
