/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session table: variable-size records under 32-octet keys in a piece of memory that several processes map, at
 * different addresses. Readers take no lock and write nothing; writers hold one robust mutex per shard; a writer killed
 * at any instruction loses at most its own record. table_layout.h explains the layout and its invariants.
 *
 * The table takes memory and nothing else from its caller: no clock, no file, no log.
 */
#ifndef ES_TABLE_H
#define ES_TABLE_H

#include "base/es.h"
#include "session/store.h"

/* Process-local handle of one table. */
typedef struct es_table_t es_table_t;

#define ES_TABLE_SIZES 8 /* in how many classes of size records are counted */

typedef struct {
    apr_uint64_t blocks, blocks_used; /* capacity and fill, in blocks of ES_TABLE_BLOCK octets */
    apr_uint64_t records;
    apr_uint64_t
        sizes[ES_TABLE_SIZES]; /* of the records: those of up to 2 blocks, of 3 to 4, of 5 to 8 …, and the rest */
    apr_uint64_t inserted, removed, expired, evicted, refused, repaired;
} es_table_counters_t;

#define ES_TABLE_BLOCK 256 /* octets a block, header of the block included */
#define ES_TABLE_RECORD_MAX (1024 * 1024)

/* The smallest memory a table can live in, in octets. */
apr_size_t es_table_minimum(void);

/* Lays out an empty table in memory that is zeroed or whose content does not matter; aligned to 4,096. */
es_rv_t es_table_format(void *memory, apr_size_t size, es_why_t *why);

/* Attaches to a formatted table. ES_CONFIG_STATE: not one, or of another size or layout. Nothing is written. */
es_rv_t es_table_attach(es_table_t **table, void *memory, apr_size_t size, es_why_t *why, apr_pool_t *pool);

/* Re-makes every mutex and checks every shard; only while no other process has the memory mapped in use. */
es_rv_t es_table_recover(es_table_t *table, es_why_t *why);

es_rv_t es_table_find(es_stored_t *stored, es_table_t *table, const es_hash_t *key, apr_time_t now, es_why_t *why,
                      apr_pool_t *pool);
/* When full: expired records first, then the longest idle of a sample, of any session; ES_STORE_FULL when even that
 * gives no room, or live ones are to be kept. A record that is already under the key is replaced. */
es_rv_t es_table_insert(es_table_t *table, const es_hash_t *key, es_bytes_t record, apr_time_t expires, apr_time_t now,
                        es_why_t *why);
void es_table_touch(es_table_t *table, const es_hash_t *key, const es_stored_t *stored, apr_time_t now);
es_rv_t es_table_remove(int *removed, es_table_t *table, const es_hash_t *key, es_why_t *why);

/* Through this handle, live records are evicted for new ones or not. They are, unless this says otherwise. */
void es_table_keep_live(es_table_t *table, int keeps);

/* Takes some record out to make room: the expired of a shard, else the longest idle of a sample where live ones are not
 * kept. Returns 0 when there was none to go. */
int es_table_evict(es_table_t *table, apr_time_t now);

/* A record's place: the block of its head, and the state that no other record there will have. */
typedef struct {
    apr_uint32_t block, state;
} es_table_spot_t;

/* Where the key's record is; state 0 when there is none. Takes the shard's mutex. */
es_rv_t es_table_locate(es_table_spot_t *spot, es_table_t *table, const es_hash_t *key, es_why_t *why);
/* Is the record that was there still in the table? Any octets may be asked for. */
int es_table_holds(const es_table_t *table, const es_table_spot_t *spot);
/* The key of the record; returns 0 when it is no longer there. */
int es_table_key_at(es_hash_t *key, const es_table_t *table, const es_table_spot_t *spot);

/* Walks over the records while nobody writes, from a spot of zeros on: the next one that has not expired, and when it
 * was last used. Returns 0 at the end. */
int es_table_next(es_table_spot_t *spot, apr_time_t *last_used, const es_table_t *table, apr_time_t now);

/* Frees at most `steps` expired records, starting where the last call stopped; returns how many. It looks at a bounded
 * number of records, so that 0 does not mean that no other has expired. */
int es_table_expire(es_table_t *table, apr_time_t now, int steps);

/* Live records evicted since the table was made; one word to read. */
apr_uint64_t es_table_evicted(const es_table_t *table);
/* Adds the shards' counters up: 1,024 at most, however large the table. */
void es_table_count(es_table_counters_t *counters, es_table_t *table);

#endif
