/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Room in the session table: expired records go, and in a full table the longest idle of a sample. table_layout.h says
 * in which order.
 */
#include "session/table_layout.h"

/* Places in the table where a candidate for eviction is looked for, and blocks looked at in each. */
#define SAMPLES 16
#define SAMPLE_WALK 64
/* Evictions that may fail, because others were faster, before there is no room. */
#define MISSES 64
/* Buckets and records that a step of es_table_expire looks at before it leaves the other shards to the next. */
#define STEP_LOOKS 16384

int es_table_is_due(es_table_t *table, apr_uint32_t shard, apr_time_t now)
{
    return es_table_time(&table->shards[shard].earliest) <= now;
}

/* Seeing all records of the shard makes `earliest` exact. */
int es_table_expire_shard(es_table_t *table, apr_uint32_t index, apr_time_t now, int most)
{
    es_table_shard_t *shard = &table->shards[index];
    apr_time_t earliest = ES_TABLE_NEVER;
    apr_uint32_t i, repaired = es_table_get32(&shard->repaired);
    int freed = 0;

    for (i = 0; i < table->n_buckets; i++) {
        es_word32_t *link = &table->buckets[(apr_size_t)index * table->n_buckets + i];
        apr_uint32_t at, steps;

        for (steps = 0; (at = es_table_get32(link)) != ES_TABLE_NIL; steps++) {
            es_table_block_t *head;
            apr_time_t expires;

            if (at >= table->n_blocks || steps >= table->n_blocks ||
                es_table_kind(es_table_get64(&table->blocks[at].life)) != ES_BLOCK_HEAD) {
                es_table_repair(table, index);
                return freed;
            }
            head = &table->blocks[at];
            expires = es_table_time(&head->as.head.expires);
            if (expires > now) {
                earliest = expires < earliest ? expires : earliest;
                link = &head->as.head.chain;
                continue;
            }
            if (freed >= most) {
                return freed;
            }
            es_table_take_out(table, index, link, at);
            es_table_add64(&shard->expired, 1);
            freed++;
            if (es_table_get32(&shard->repaired) != repaired) {
                return freed; /* the repair has seen to `earliest`, and the link may be stale */
            }
        }
    }
    es_table_put64(&shard->earliest, (apr_uint64_t)earliest);
    return freed;
}

int es_table_expire(es_table_t *table, apr_time_t now, int steps)
{
    apr_uint32_t visited, shard = es_table_get32(&table->pool->cursor) & (table->n_shards - 1);
    apr_size_t looked = 0;
    int freed = 0;

    for (visited = 0; visited < table->n_shards && freed < steps && looked < STEP_LOOKS; visited++) {
        if (es_table_is_due(table, shard, now) && es_table_enter(table, shard)) {
            looked += (apr_size_t)table->n_buckets + es_table_get32(&table->shards[shard].records);
            freed += es_table_expire_shard(table, shard, now, steps - freed);
            es_table_leave(table, shard);
        }
        if (freed < steps) {
            shard = (shard + 1) & (table->n_shards - 1);
        }
    }
    es_table_put32(&table->pool->cursor, shard);
    return freed;
}

/* Clears the shard whose earliest expiry has passed longest ago; returns 0 when there is none. */
static int expire_one_shard(es_table_t *table, apr_time_t now)
{
    apr_uint32_t i, oldest = 0;

    for (i = 1; i < table->n_shards; i++) {
        if (es_table_time(&table->shards[i].earliest) < es_table_time(&table->shards[oldest].earliest)) {
            oldest = i;
        }
    }
    if (!es_table_is_due(table, oldest, now) || !es_table_enter(table, oldest)) {
        return 0;
    }
    es_table_expire_shard(table, oldest, now, (int)table->n_blocks);
    es_table_leave(table, oldest);
    return 1;
}

/* A writer that died inside a shard may have left blocks there that nobody can reach: taking the lock repairs it. */
static void repair_left_shards(es_table_t *table)
{
    apr_uint32_t i;

    for (i = 0; i < table->n_shards; i++) {
        if (es_table_get32(&table->shards[i].busy) && es_table_enter(table, i)) {
            es_table_leave(table, i);
        }
    }
}

/* The first head among `walk` blocks from a place on; NIL where there is none. */
static apr_uint32_t head_from(const es_table_t *table, apr_uint32_t start, apr_uint32_t walk)
{
    apr_uint32_t i;

    for (i = 0; i < walk; i++) {
        apr_uint32_t index = (apr_uint32_t)(((apr_uint64_t)start + i) % table->n_blocks);

        if (es_table_kind(es_table_get64(&table->blocks[index].life)) == ES_BLOCK_HEAD) {
            return index;
        }
    }
    return ES_TABLE_NIL;
}

/* How long ago, or how far in the future: a clock that ran ahead must not make a session look busy for ever. */
static apr_uint32_t idle_time(const es_table_t *table, apr_uint32_t index, apr_uint32_t now)
{
    apr_uint32_t used = (apr_uint32_t)es_table_get64(&table->blocks[index].life);

    return used > now ? used - now : now - used;
}

/* The longest idle of a sample; NIL when there is no record at all. */
static apr_uint32_t sample(es_table_t *table, apr_uint32_t now)
{
    apr_uint32_t i, best = ES_TABLE_NIL, start = 0;

    for (i = 0; i < SAMPLES; i++) {
        apr_uint64_t seed = atomic_fetch_add_explicit(&table->pool->seed, 0x9e3779b97f4a7c15u, memory_order_relaxed);
        apr_uint32_t index;

        seed = (seed ^ seed >> 31) * 0xbf58476d1ce4e5b9u;
        start = (apr_uint32_t)((seed >> 32) * table->n_blocks >> 32);
        index = head_from(table, start, SAMPLE_WALK);
        if (index != ES_TABLE_NIL &&
            (best == ES_TABLE_NIL || idle_time(table, index, now) > idle_time(table, best, now))) {
            best = index;
        }
    }
    return best != ES_TABLE_NIL ? best : head_from(table, start, table->n_blocks);
}

/* Evicts one record; returns 0 when that failed. */
static int evict(es_table_t *table, apr_time_t now)
{
    apr_uint32_t index = sample(table, es_table_seconds(now));
    apr_uint64_t key[ES_TABLE_KEY_WORDS];
    es_table_place_t place;
    es_word32_t *link;

    if (index == ES_TABLE_NIL) {
        return 0;
    }
    es_table_get_key(key, &table->blocks[index]);
    /* Not locked yet: the key may be torn, or the record gone. Then it is not found. */
    place = es_table_place(table, key);
    if (!es_table_enter(table, place.shard)) {
        return 0;
    }
    link = es_table_find_link(&index, table, place, key);
    if (link) {
        int live = es_table_time(&table->blocks[index].as.head.expires) > now;

        es_table_take_out(table, place.shard, link, index);
        if (live) {
            atomic_fetch_add_explicit(&table->pool->evicted, 1, memory_order_relaxed);
        } else {
            es_table_add64(&table->shards[place.shard].expired, 1);
        }
    }
    es_table_leave(table, place.shard);
    return link != NULL;
}

int es_table_evict(es_table_t *table, apr_time_t now)
{
    return expire_one_shard(table, now) || (!table->keeps_live && evict(table, now));
}

int es_table_make_room(es_table_t *table, apr_uint32_t count, apr_time_t now)
{
    int repaired = 0, misses = 0;
    apr_uint32_t round;

    for (round = 0; round < table->n_blocks && misses < MISSES; round++) {
        if (es_table_get32(&table->pool->free) >= count) {
            return 1;
        }
        if (expire_one_shard(table, now)) {
            continue;
        }
        if (!repaired) {
            repair_left_shards(table);
            repaired = 1;
            continue;
        }
        if (table->keeps_live) {
            break;
        }
        misses += !evict(table, now);
    }
    return es_table_get32(&table->pool->free) >= count;
}
