/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A session table for tests, in memory that forked processes share, and sessions by number whose records prove
 * themselves whole. One table at a time.
 */
#ifndef TABLE_TOOLS_H
#define TABLE_TOOLS_H

#include "session/table.h"

/* Zeroed, aligned, shared with children. */
void *table_memory(apr_size_t size);

es_table_t *table_new(apr_size_t size);
/* The handle anew, after unit_pool was cleared. */
es_table_t *table_again(void);
void *table_memory_of(void);
void table_free(void);

es_hash_t table_key(unsigned number);
/* A record of that session; each call makes another one. */
es_bytes_t table_record(unsigned number, apr_size_t len, apr_pool_t *pool);
/* Is the copy one record of that session, from one call, from the first octet to the last? */
int table_is_whole(const es_stored_t *stored, unsigned number);

/* Inserts, which must succeed. */
void table_put(es_table_t *table, unsigned number, apr_size_t len, apr_time_t expires, apr_time_t now);
/* Is it there, and whole? A torn record fails the test. */
int table_has(es_table_t *table, unsigned number, apr_time_t now);
es_table_counters_t table_count(es_table_t *table);

#endif
