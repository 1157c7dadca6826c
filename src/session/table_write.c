/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session table's writers. table_layout.h says who may write what and in which order, so that a reader never sees a
 * torn record and a writer can be killed between any two instructions.
 */
#include "session/table_layout.h"

/* Times an insert makes room before it gives up because others took the room each time. */
#define TRIES 64
/* Expired records an insert clears from its own shard on the way, so that a table in use keeps itself tidy. */
#define TIDY 16

int es_table_enter(es_table_t *table, apr_uint32_t index)
{
    es_table_shard_t *shard = &table->shards[index];
    es_robust_rv_t rv = es_robust_take(&shard->lock);

    if (rv == ES_ROBUST_FAILED) {
        return 0;
    }
    es_table_put32(&shard->busy, 1);
    if (rv == ES_ROBUST_REPAIR) {
        es_table_repair(table, index);
    }
    return 1;
}

void es_table_leave(es_table_t *table, apr_uint32_t index)
{
    es_table_shard_t *shard = &table->shards[index];

    es_table_put32(&shard->busy, 0);
    es_robust_release(&shard->lock);
}

static int enter_pool(es_table_t *table)
{
    es_robust_rv_t rv = es_robust_take(&table->pool->lock);

    if (rv == ES_ROBUST_REPAIR) {
        es_table_repair_pool(table);
    }
    return rv != ES_ROBUST_FAILED;
}

static es_rv_t fail_lock(es_why_t *why, apr_uint32_t shard)
{
    return es_fail(why, ES_INTERNAL, "the mutex of session shard %u cannot be taken", shard);
}

/* Taking and giving blocks */

static void free_block(es_table_t *table, apr_uint32_t index)
{
    es_table_pool_t *pool = table->pool;
    es_table_block_t *block = &table->blocks[index];

    es_table_put64(&block->life, es_table_next_life(es_table_get64(&block->life), ES_BLOCK_FREE, 0));
    es_table_put32(&block->next, es_table_get32(&pool->top));
    es_table_put32(&block->owner, ES_TABLE_NIL);
    es_table_put32(&pool->top, index);
    es_table_add32(&pool->free, 1);
}

int es_table_give(es_table_t *table, apr_uint32_t shard, apr_uint32_t first, apr_uint32_t count)
{
    apr_uint32_t index = first, next;

    if (!enter_pool(table)) {
        return 0;
    }
    while (count > 0 && index < table->n_blocks && es_table_get32(&table->blocks[index].owner) == shard) {
        next = es_table_get32(&table->blocks[index].next);
        free_block(table, index);
        index = next;
        count--;
    }
    es_robust_release(&table->pool->lock);
    return count == 0;
}

/* Moves one block from the free list in front of *first. Returns 0 when the list is damaged. */
static int take_block(apr_uint32_t *first, es_table_t *table, apr_uint32_t shard)
{
    es_table_pool_t *pool = table->pool;
    apr_uint32_t index = es_table_get32(&pool->top);
    es_table_block_t *block;

    if (index >= table->n_blocks || es_table_get32(&table->blocks[index].owner) != ES_TABLE_NIL) {
        return 0;
    }
    block = &table->blocks[index];
    es_table_put32(&block->owner, shard);
    es_table_put64(&block->life, es_table_next_life(es_table_get64(&block->life), ES_BLOCK_PART, 0));
    es_table_put32(&pool->top, es_table_get32(&block->next));
    es_table_add32(&pool->free, (apr_uint32_t)-1);
    es_table_put32(&block->next, *first);
    *first = index;
    return 1;
}

/* Takes `count` blocks for the shard, linked by `next`; returns 0 when there are not so many. */
static int take_blocks(apr_uint32_t *first, es_table_t *table, apr_uint32_t shard, apr_uint32_t count)
{
    apr_uint32_t taken = 0, chain = ES_TABLE_NIL;
    int mended = 0;

    if (!enter_pool(table)) {
        return 0;
    }
    while (taken < count && es_table_get32(&table->pool->free) >= count - taken) {
        if (take_block(&chain, table, shard)) {
            taken++;
        } else if (!mended) {
            es_table_repair_pool(table);
            mended = 1;
        } else {
            break;
        }
    }
    es_robust_release(&table->pool->lock);
    if (taken < count) {
        es_table_give(table, shard, chain, taken);
        return 0;
    }
    /* From here on the blocks' content is written: a reader that still looks at their last record must be able to see
     * by then that its head has changed (table_layout.h, invariant 3). */
    atomic_thread_fence(memory_order_release);
    *first = chain;
    return 1;
}

/* Records in their buckets; the shard is held */

/* From *link on, finds the link that leads to the key's head, or to NIL at the end of the bucket. *index is where it
 * leads. Returns 0 when the bucket is damaged. */
static int walk_to(apr_uint32_t *index, es_word32_t **link, es_table_t *table, apr_uint32_t shard,
                   const apr_uint64_t key[ES_TABLE_KEY_WORDS])
{
    apr_uint32_t steps;

    for (steps = 0; steps < table->n_blocks; steps++) {
        es_table_block_t *block;

        *index = es_table_get32(*link);
        if (*index == ES_TABLE_NIL) {
            return 1;
        }
        if (*index >= table->n_blocks) {
            return 0;
        }
        block = &table->blocks[*index];
        if (es_table_kind(es_table_get64(&block->life)) != ES_BLOCK_HEAD || es_table_get32(&block->owner) != shard) {
            return 0;
        }
        if (es_table_same_key(block, key)) {
            return 1;
        }
        *link = &block->as.head.chain;
    }
    return 0;
}

es_word32_t *es_table_find_link(apr_uint32_t *index, es_table_t *table, es_table_place_t place,
                                const apr_uint64_t key[ES_TABLE_KEY_WORDS])
{
    es_word32_t *link = place.bucket;
    int whole = walk_to(index, &link, table, place.shard, key);

    if (!whole) {
        es_table_repair(table, place.shard);
        link = place.bucket;
        whole = walk_to(index, &link, table, place.shard, key);
    }
    return whole && *index != ES_TABLE_NIL ? link : NULL;
}

/* Invariant 3, step by step. */
void es_table_take_out(es_table_t *table, apr_uint32_t shard, es_word32_t *link, apr_uint32_t index)
{
    es_table_block_t *head = &table->blocks[index];
    apr_uint32_t count = es_table_blocks_for(es_table_get32(&head->as.head.len));

    es_table_put32(link, es_table_get32(&head->as.head.chain));
    es_table_add32(&table->shards[shard].changes, 1);
    es_table_put64(&head->life, es_table_next_life(es_table_get64(&head->life), ES_BLOCK_PART, 0));
    es_table_add32(&table->shards[shard].records, (apr_uint32_t)-1);
    es_table_add32(&table->shards[shard].sizes[es_table_size(count)], (apr_uint32_t)-1);
    if (count == 0 || !es_table_give(table, shard, index, count)) {
        es_table_repair(table, shard);
    }
}

static void store_words(es_word64_t *to, const unsigned char *from, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i += 8) {
        apr_uint64_t word = 0;

        memcpy(&word, from + i, len - i < 8 ? len - i : 8);
        atomic_store_explicit(&to[i / 8], word, memory_order_relaxed);
    }
}

static apr_size_t smaller(apr_size_t a, apr_size_t b)
{
    return a < b ? a : b;
}

/* Writes key and record into blocks nobody can reach yet. Returns 0 when their links are damaged. */
static int write_record(es_table_t *table, apr_uint32_t first, const apr_uint64_t key[ES_TABLE_KEY_WORDS],
                        es_bytes_t record, apr_time_t expires)
{
    es_table_block_t *block = &table->blocks[first];
    apr_size_t at = smaller(record.len, ES_TABLE_HEAD_WORDS * 8), n;
    int i;

    for (i = 0; i < ES_TABLE_KEY_WORDS; i++) {
        atomic_store_explicit(&block->as.head.key[i], key[i], memory_order_relaxed);
    }
    es_table_put64(&block->as.head.expires, (apr_uint64_t)expires);
    es_table_put32(&block->as.head.len, (apr_uint32_t)record.len);
    store_words(block->as.head.data, record.data, at);
    for (; at < record.len; at += n) {
        apr_uint32_t next = es_table_get32(&block->next);

        if (next >= table->n_blocks) {
            return 0;
        }
        block = &table->blocks[next];
        n = smaller(record.len - at, ES_TABLE_PART_WORDS * 8);
        store_words(block->as.part.data, record.data + at, n);
    }
    return 1;
}

static void publish(es_table_t *table, es_table_place_t place, apr_uint32_t first, apr_time_t expires, apr_time_t now)
{
    es_table_shard_t *shard = &table->shards[place.shard];
    es_table_block_t *head = &table->blocks[first];

    es_table_put32(&head->as.head.chain, es_table_get32(place.bucket));
    es_table_put64(&head->life, es_table_next_life(es_table_get64(&head->life), ES_BLOCK_HEAD, es_table_seconds(now)));
    if (expires < es_table_time(&shard->earliest)) {
        es_table_put64(&shard->earliest, (apr_uint64_t)expires);
    }
    es_table_put32(place.bucket, first);
    es_table_add32(&shard->records, 1);
    es_table_add32(&shard->sizes[es_table_size(es_table_blocks_for(es_table_get32(&head->as.head.len)))], 1);
    es_table_add64(&shard->inserted, 1);
}

/* Takes the record out that stands under the same key behind a new one. */
static void take_out_replaced(es_table_t *table, apr_uint32_t shard, apr_uint32_t first,
                              const apr_uint64_t key[ES_TABLE_KEY_WORDS])
{
    es_word32_t *link = &table->blocks[first].as.head.chain;
    apr_uint32_t index;

    if (walk_to(&index, &link, table, shard, key) && index != ES_TABLE_NIL) {
        es_table_take_out(table, shard, link, index);
    }
}

/* Inserts if there is room; *done says whether there was. */
static es_rv_t try_insert(int *done, es_table_t *table, const apr_uint64_t key[ES_TABLE_KEY_WORDS], es_bytes_t record,
                          apr_time_t expires, apr_time_t now, es_why_t *why)
{
    es_table_place_t place = es_table_place(table, key);
    apr_uint32_t first, index, count = es_table_blocks_for(record.len);
    es_word32_t *old;
    int taken;

    if (!es_table_enter(table, place.shard)) {
        return fail_lock(why, place.shard);
    }
    if (es_table_is_due(table, place.shard, now)) {
        es_table_expire_shard(table, place.shard, now, TIDY);
    }
    old = es_table_find_link(&index, table, place, key);
    taken = take_blocks(&first, table, place.shard, count);
    if (!taken && old) {
        /* Rather a moment without the record it replaces than somebody else's session. */
        es_table_take_out(table, place.shard, old, index);
        old = NULL;
        taken = take_blocks(&first, table, place.shard, count);
    }
    if (taken && !write_record(table, first, key, record, expires)) {
        es_table_repair(table, place.shard);
        taken = 0;
    }
    if (taken) {
        publish(table, place, first, expires, now);
        if (old) {
            take_out_replaced(table, place.shard, first, key);
        }
    }
    es_table_leave(table, place.shard);
    *done = taken;
    return ES_OK;
}

es_rv_t es_table_insert(es_table_t *table, const es_hash_t *key, es_bytes_t record, apr_time_t expires, apr_time_t now,
                        es_why_t *why)
{
    apr_uint32_t count = es_table_blocks_for(record.len);
    apr_uint64_t words[ES_TABLE_KEY_WORDS];
    int try, done = 0;

    if (count == 0) {
        return es_fail(why, ES_RECORD_TOO_LARGE, "a session record of %lu octets exceeds %d", (unsigned long)record.len,
                       ES_TABLE_RECORD_MAX);
    }
    es_table_key_words(words, key);
    for (try = 0; count <= table->n_blocks && try < TRIES; try++) {
        es_rv_t rv = try_insert(&done, table, words, record, expires, now, why);

        if (rv != ES_OK || done) {
            return rv;
        }
        if (!es_table_make_room(table, count, now)) {
            break;
        }
    }
    atomic_fetch_add_explicit(&table->pool->refused, 1, memory_order_relaxed);
    return es_fail(why, ES_STORE_FULL, "no room for a session record of %lu octets among %lu blocks of %d",
                   (unsigned long)record.len, (unsigned long)table->n_blocks, ES_TABLE_BLOCK);
}

es_rv_t es_table_remove(int *removed, es_table_t *table, const es_hash_t *key, es_why_t *why)
{
    apr_uint64_t words[ES_TABLE_KEY_WORDS];
    es_table_place_t place;
    apr_uint32_t index;
    es_word32_t *link;

    es_table_key_words(words, key);
    place = es_table_place(table, words);
    if (!es_table_enter(table, place.shard)) {
        return fail_lock(why, place.shard);
    }
    link = es_table_find_link(&index, table, place, words);
    if (link) {
        es_table_take_out(table, place.shard, link, index);
        es_table_add64(&table->shards[place.shard].removed, 1);
    }
    es_table_leave(table, place.shard);
    if (removed) {
        *removed = link != NULL;
    }
    return ES_OK;
}

es_rv_t es_table_locate(es_table_spot_t *spot, es_table_t *table, const es_hash_t *key, es_why_t *why)
{
    apr_uint64_t words[ES_TABLE_KEY_WORDS];
    es_table_spot_t found = { 0, 0 };
    es_table_place_t place;
    apr_uint32_t index;

    es_table_key_words(words, key);
    place = es_table_place(table, words);
    if (!es_table_enter(table, place.shard)) {
        return fail_lock(why, place.shard);
    }
    if (es_table_find_link(&index, table, place, words)) {
        found.block = index;
        found.state = es_table_state(es_table_get64(&table->blocks[index].life));
    }
    es_table_leave(table, place.shard);
    *spot = found;
    return ES_OK;
}
