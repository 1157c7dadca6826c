/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session table made whole again: after a writer died, when damage is met, and after a fresh start. Nothing is
 * believed but owners and buckets (table_layout.h, invariant 1), and of those only what fits together.
 */
#include "session/table_layout.h"

#include <stdlib.h>

#define EVERY_SHARD ES_TABLE_NIL

/* What is counted anew. */
typedef struct {
    apr_uint32_t records;
    apr_uint32_t sizes[ES_TABLE_SIZES];
    apr_time_t earliest;
} tally_t;

static es_table_kind_t kind_of(const es_table_t *table, apr_uint32_t index)
{
    return es_table_kind(es_table_get64(&table->blocks[index].life));
}

static void rebuild_pool(es_table_t *table)
{
    apr_uint32_t i, top = ES_TABLE_NIL, count = 0;

    for (i = table->n_blocks; i-- > 0;) {
        if (es_table_get32(&table->blocks[i].owner) == ES_TABLE_NIL) {
            es_table_put32(&table->blocks[i].next, top);
            top = i;
            count++;
        }
    }
    es_table_put32(&table->pool->top, top);
    es_table_put32(&table->pool->free, count);
}

void es_table_repair_pool(es_table_t *table)
{
    rebuild_pool(table);
    es_table_add32(&table->pool->repaired, 1);
}

/* Takes off the marks that a repair left which was itself killed. */
static void unmark(es_table_t *table, apr_uint32_t shard)
{
    apr_uint32_t i;

    for (i = 0; i < table->n_blocks; i++) {
        apr_uint32_t owner = es_table_get32(&table->blocks[i].owner);

        if (owner != ES_TABLE_NIL && owner & ES_TABLE_MARK &&
            (shard == EVERY_SHARD || (owner & ~ES_TABLE_MARK) == shard)) {
            es_table_put32(&table->blocks[i].owner, owner & ~ES_TABLE_MARK);
        }
    }
}

/* Changes the owner of up to `count` blocks of a record from `from` to `to`; returns how many were as they should. */
static apr_uint32_t own_blocks(es_table_t *table, apr_uint32_t first, apr_uint32_t count, apr_uint32_t from,
                               apr_uint32_t to)
{
    apr_uint32_t n, index = first;

    for (n = 0; n < count && index < table->n_blocks; n++) {
        if (es_table_get32(&table->blocks[index].owner) != from ||
            kind_of(table, index) != (n == 0 ? ES_BLOCK_HEAD : ES_BLOCK_PART)) {
            break;
        }
        es_table_put32(&table->blocks[index].owner, to);
        index = es_table_get32(&table->blocks[index].next);
    }
    return n;
}

/* Marks the blocks of a record that is whole and stands in its own bucket. Returns 0, and nothing is marked, when not.
 * A block marked before belongs to another record: links that cross or run in a circle end here. */
static int mark_record(es_table_t *table, apr_uint32_t shard, es_word32_t *bucket, apr_uint32_t index)
{
    es_table_block_t *head = &table->blocks[index];
    apr_uint32_t marked, count = es_table_blocks_for(es_table_get32(&head->as.head.len));
    apr_uint64_t key[ES_TABLE_KEY_WORDS];

    es_table_get_key(key, head);
    if (count == 0 || es_table_place(table, key).bucket != bucket) {
        return 0;
    }
    marked = own_blocks(table, index, count, shard, shard | ES_TABLE_MARK);
    if (marked < count) {
        own_blocks(table, index, marked, shard | ES_TABLE_MARK, shard);
        return 0;
    }
    return 1;
}

/* Is it the key of the bucket's first record again? A writer killed while replacing leaves the old one behind the new;
 * the repair comes before the next writer, so only the first can be there twice. */
static int is_replaced(const es_table_t *table, apr_uint32_t first, apr_uint32_t index)
{
    apr_uint64_t key[ES_TABLE_KEY_WORDS];

    es_table_get_key(key, &table->blocks[first]);
    return first != index && es_table_same_key(&table->blocks[index], key);
}

/* Marks the records of one bucket and unlinks what is none. */
static void mark_bucket(tally_t *tally, es_table_t *table, apr_uint32_t shard, es_word32_t *bucket)
{
    es_word32_t *link = bucket;
    apr_uint32_t index, first = ES_TABLE_NIL;

    while ((index = es_table_get32(link)) != ES_TABLE_NIL) {
        es_table_block_t *head;
        apr_time_t expires;

        if (index >= table->n_blocks || kind_of(table, index) != ES_BLOCK_HEAD ||
            es_table_get32(&table->blocks[index].owner) != shard) {
            es_table_put32(link, ES_TABLE_NIL); /* no head of ours: what follows cannot be known */
            es_table_add32(&table->shards[shard].changes, 1);
            return;
        }
        head = &table->blocks[index];
        first = first == ES_TABLE_NIL ? index : first;
        if (is_replaced(table, first, index) || !mark_record(table, shard, bucket, index)) {
            es_table_put32(link, es_table_get32(&head->as.head.chain));
            es_table_add32(&table->shards[shard].changes, 1);
            first = first == index ? ES_TABLE_NIL : first;
            /* No head any more: a chain of such heads running in a circle ends here. */
            es_table_put64(&head->life, es_table_next_life(es_table_get64(&head->life), ES_BLOCK_PART, 0));
            continue;
        }
        expires = es_table_time(&head->as.head.expires);
        tally->earliest = expires < tally->earliest ? expires : tally->earliest;
        tally->records++;
        tally->sizes[es_table_size(es_table_blocks_for(es_table_get32(&head->as.head.len)))]++;
        link = &head->as.head.chain;
    }
}

static void mark_shard(es_table_t *table, apr_uint32_t index)
{
    es_table_shard_t *shard = &table->shards[index];
    tally_t tally = { .earliest = ES_TABLE_NEVER };
    apr_uint32_t i;
    int size;

    /* For the record that the dead writer unlinked without coming to this. */
    es_table_add32(&shard->changes, 1);
    for (i = 0; i < table->n_buckets; i++) {
        mark_bucket(&tally, table, index, &table->buckets[(apr_size_t)index * table->n_buckets + i]);
    }
    es_table_put32(&shard->records, tally.records);
    for (size = 0; size < ES_TABLE_SIZES; size++) {
        es_table_put32(&shard->sizes[size], tally.sizes[size]);
    }
    es_table_put64(&shard->earliest, (apr_uint64_t)tally.earliest);
}

void es_table_repair(es_table_t *table, apr_uint32_t shard)
{
    apr_uint32_t i, lost = ES_TABLE_NIL, n_lost = 0;

    unmark(table, shard);
    mark_shard(table, shard);
    for (i = 0; i < table->n_blocks; i++) {
        es_table_block_t *block = &table->blocks[i];
        apr_uint32_t owner = es_table_get32(&block->owner);

        if (owner == (shard | ES_TABLE_MARK)) {
            es_table_put32(&block->owner, shard);
        } else if (owner == shard) {
            es_table_put64(&block->life, es_table_next_life(es_table_get64(&block->life), ES_BLOCK_PART, 0));
            es_table_put32(&block->next, lost);
            lost = i;
            n_lost++;
        }
    }
    es_table_give(table, shard, lost, n_lost);
    es_table_add32(&table->shards[shard].repaired, 1);
}

es_rv_t es_table_recover(es_table_t *table, es_why_t *why)
{
    apr_uint32_t i, left = 0, unused = es_table_get32(&table->pool->free);

    if (es_robust_make(&table->pool->lock) != 0) {
        return es_fail(why, ES_INTERNAL, "cannot make the mutex of the session pool");
    }
    unmark(table, EVERY_SHARD);
    for (i = 0; i < table->n_shards; i++) {
        if (es_robust_make(&table->shards[i].lock) != 0) {
            return es_fail(why, ES_INTERNAL, "cannot make the mutex of session shard %u", i);
        }
        left += es_table_get32(&table->shards[i].busy) != 0;
        es_table_put32(&table->shards[i].busy, 0);
        mark_shard(table, i);
    }
    for (i = 0; i < table->n_blocks; i++) {
        es_table_block_t *block = &table->blocks[i];
        apr_uint32_t owner = es_table_get32(&block->owner);

        if (owner != ES_TABLE_NIL && owner & ES_TABLE_MARK) {
            es_table_put32(&block->owner, owner & ~ES_TABLE_MARK);
        } else {
            left += owner != ES_TABLE_NIL;
            es_table_put64(&block->life, es_table_next_life(es_table_get64(&block->life), ES_BLOCK_FREE, 0));
            es_table_put32(&block->owner, ES_TABLE_NIL);
        }
    }
    rebuild_pool(table);
    /* Looking over what is whole is no repair. */
    if (left > 0 || unused != es_table_get32(&table->pool->free)) {
        es_table_add32(&table->pool->repaired, 1);
    }
    return es_table_check(table, why);
}

/* The consistency check: sees every block exactly once, from the buckets or from the free list. */

static es_rv_t see(unsigned char *seen, const es_table_t *table, apr_uint32_t index, es_table_kind_t kind,
                   apr_uint32_t owner, es_why_t *why)
{
    if (index >= table->n_blocks) {
        return es_fail(why, ES_CONFIG_STATE, "a link of the session table leads to block %u of %u", index,
                       table->n_blocks);
    }
    if (seen[index]) {
        return es_fail(why, ES_CONFIG_STATE, "two links of the session table lead to block %u", index);
    }
    seen[index] = 1;
    if (kind_of(table, index) != kind || es_table_get32(&table->blocks[index].owner) != owner) {
        return es_fail(why, ES_CONFIG_STATE, "block %u of the session table is kind %d of shard %u, not %d of %u",
                       index, kind_of(table, index), es_table_get32(&table->blocks[index].owner), kind, owner);
    }
    return ES_OK;
}

static es_rv_t check_record(unsigned char *seen, const es_table_t *table, apr_uint32_t shard, es_word32_t *bucket,
                            apr_uint32_t index, es_why_t *why)
{
    es_rv_t rv = see(seen, table, index, ES_BLOCK_HEAD, shard, why);
    apr_uint64_t key[ES_TABLE_KEY_WORDS];
    apr_uint32_t n, count;

    if (rv != ES_OK) {
        return rv;
    }
    es_table_get_key(key, &table->blocks[index]);
    count = es_table_blocks_for(es_table_get32(&table->blocks[index].as.head.len));
    if (count == 0 || es_table_place(table, key).bucket != bucket) {
        return es_fail(why, ES_CONFIG_STATE, "the record in block %u of the session table is too long or misplaced",
                       index);
    }
    if (es_table_time(&table->blocks[index].as.head.expires) < es_table_time(&table->shards[shard].earliest)) {
        return es_fail(why, ES_CONFIG_STATE, "the record in block %u expires before its shard knows", index);
    }
    for (n = 1; n < count && rv == ES_OK; n++) {
        index = es_table_get32(&table->blocks[index].next);
        rv = see(seen, table, index, ES_BLOCK_PART, shard, why);
    }
    return rv;
}

static es_rv_t check_shard(unsigned char *seen, es_table_t *table, apr_uint32_t shard, es_why_t *why)
{
    apr_uint32_t i, records = 0, sizes[ES_TABLE_SIZES] = { 0 };

    for (i = 0; i < table->n_buckets; i++) {
        es_word32_t *bucket = &table->buckets[(apr_size_t)shard * table->n_buckets + i];
        apr_uint32_t index = es_table_get32(bucket);

        for (; index != ES_TABLE_NIL; index = es_table_get32(&table->blocks[index].as.head.chain)) {
            es_rv_t rv = check_record(seen, table, shard, bucket, index, why);

            if (rv != ES_OK) {
                return rv;
            }
            records++;
            sizes[es_table_size(es_table_blocks_for(es_table_get32(&table->blocks[index].as.head.len)))]++;
        }
    }
    if (records != es_table_get32(&table->shards[shard].records)) {
        return es_fail(why, ES_CONFIG_STATE, "session shard %u holds %u records and counts %u", shard, records,
                       es_table_get32(&table->shards[shard].records));
    }
    for (i = 0; i < ES_TABLE_SIZES; i++) {
        if (sizes[i] != es_table_get32(&table->shards[shard].sizes[i])) {
            return es_fail(why, ES_CONFIG_STATE, "session shard %u holds %u records of size %u and counts %u", shard,
                           sizes[i], i, es_table_get32(&table->shards[shard].sizes[i]));
        }
    }
    return ES_OK;
}

static es_rv_t check_pool(unsigned char *seen, es_table_t *table, es_why_t *why)
{
    apr_uint32_t i, index, count = 0;

    for (index = es_table_get32(&table->pool->top); index != ES_TABLE_NIL;
         index = es_table_get32(&table->blocks[index].next)) {
        es_rv_t rv = see(seen, table, index, ES_BLOCK_FREE, ES_TABLE_NIL, why);

        if (rv != ES_OK) {
            return rv;
        }
        count++;
    }
    if (count != es_table_get32(&table->pool->free)) {
        return es_fail(why, ES_CONFIG_STATE, "%u blocks of the session table are free and %u are counted", count,
                       es_table_get32(&table->pool->free));
    }
    for (i = 0; i < table->n_blocks; i++) {
        if (!seen[i]) {
            return es_fail(why, ES_CONFIG_STATE, "block %u of the session table is lost", i);
        }
    }
    return ES_OK;
}

es_rv_t es_table_check(es_table_t *table, es_why_t *why)
{
    unsigned char *seen = calloc(table->n_blocks, 1);
    es_rv_t rv = ES_OK;
    apr_uint32_t i;

    if (!seen) {
        return es_fail(why, ES_INTERNAL, "no memory to check the session table");
    }
    for (i = 0; i < table->n_shards && rv == ES_OK; i++) {
        rv = check_shard(seen, table, i, why);
    }
    if (rv == ES_OK) {
        rv = check_pool(seen, table, why);
    }
    free(seen);
    return rv;
}
