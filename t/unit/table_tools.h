/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A session table for tests, in memory that forked processes share, filled with the records of table_records.h. One
 * table at a time.
 */
#ifndef TABLE_TOOLS_H
#define TABLE_TOOLS_H

#include "session/table.h"
#include "table_records.h"

/* Zeroed, aligned, shared with children. */
void *table_memory(apr_size_t size);

es_table_t *table_new(apr_size_t size);
/* The handle anew, after unit_pool was cleared. */
es_table_t *table_again(void);
void *table_memory_of(void);
void table_free(void);

/* Inserts, which must succeed. */
void table_put(es_table_t *table, unsigned number, apr_size_t len, apr_time_t expires, apr_time_t now);
/* Is it there, and whole? A torn record fails the test. */
int table_has(es_table_t *table, unsigned number, apr_time_t now);
es_table_counters_t table_count(es_table_t *table);

#endif
