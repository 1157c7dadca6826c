/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session table: how the memory is cut, and the readers. table_layout.h explains the layout, its invariants, and
 * why readers need no lock.
 */
#include "session/table_layout.h"

#define MAGIC 0x31656c6261745345u /* "EStable1" on a little-endian machine */
#define VERSION 3

#define BLOCKS_LEAST 64
#define BLOCKS_MOST 0x7fffffffu
#define SHARDS_MOST 1024
#define BLOCKS_PER_SHARD 1024 /* keeps a walk over one shard below some tens of microseconds */
#define BLOCKS_PER_BUCKET 2

/* A reader gives up, and misses, when records are taken out of its shard faster than it can copy one, this many times
 * in a row. */
#define ATTEMPTS 1000

typedef struct {
    es_word64_t magic;
    apr_uint64_t size;
    apr_uint32_t version;
    apr_uint32_t mutex; /* another C library's mutex may be another size */
    apr_uint32_t n_shards, n_buckets, n_blocks;
    apr_uint32_t block;
} header_t;

/* Numbers and offsets of the pieces. */
typedef struct {
    apr_uint32_t n_shards, n_buckets, n_blocks;
    apr_size_t pool, shards, buckets, blocks, end;
} cut_t;

typedef enum { MISS, FOUND, AGAIN } outcome_t;

static apr_size_t round_up(apr_size_t value, apr_size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Cuts the memory for a number of blocks. */
static cut_t cut_for(apr_uint32_t n_blocks)
{
    cut_t cut;

    cut.n_blocks = n_blocks;
    cut.n_shards = 1;
    while (cut.n_shards < SHARDS_MOST && cut.n_shards * 2 <= n_blocks / BLOCKS_PER_SHARD) {
        cut.n_shards *= 2;
    }
    cut.n_buckets = n_blocks / BLOCKS_PER_BUCKET / cut.n_shards + 1;
    cut.pool = round_up(sizeof(header_t), 64);
    cut.shards = cut.pool + sizeof(es_table_pool_t);
    cut.buckets = cut.shards + cut.n_shards * sizeof(es_table_shard_t);
    cut.blocks = round_up(cut.buckets + (apr_size_t)cut.n_shards * cut.n_buckets * sizeof(es_word32_t), ES_TABLE_BLOCK);
    cut.end = cut.blocks + (apr_size_t)n_blocks * sizeof(es_table_block_t);
    return cut;
}

/* As many blocks as fit. */
static es_rv_t cut_all(es_table_t *table, unsigned char *memory, apr_size_t size, es_why_t *why)
{
    apr_size_t n_blocks = size / (sizeof(es_table_block_t) + sizeof(es_word32_t) / BLOCKS_PER_BUCKET);
    cut_t cut;

    if (n_blocks > BLOCKS_MOST) {
        n_blocks = BLOCKS_MOST;
    }
    cut = cut_for((apr_uint32_t)n_blocks);
    while (cut.end > size && cut.n_blocks > BLOCKS_LEAST) {
        cut = cut_for(cut.n_blocks - 1);
    }
    if (cut.end > size || cut.n_blocks < BLOCKS_LEAST || (apr_uintptr_t)memory % 4096 != 0) {
        return es_fail(why, ES_CONFIG_STATE, "%lu octets of memory are too few for a session table, or not aligned",
                       (unsigned long)size);
    }
    table->pool = (es_table_pool_t *)(void *)(memory + cut.pool);
    table->shards = (es_table_shard_t *)(void *)(memory + cut.shards);
    table->buckets = (es_word32_t *)(void *)(memory + cut.buckets);
    table->blocks = (es_table_block_t *)(void *)(memory + cut.blocks);
    table->n_shards = cut.n_shards;
    table->n_buckets = cut.n_buckets;
    table->n_blocks = cut.n_blocks;
    return ES_OK;
}

static header_t header_for(const es_table_t *table, apr_size_t size)
{
    header_t header;

    memset(&header, 0, sizeof header);
    header.size = size;
    header.version = VERSION;
    header.mutex = sizeof(pthread_mutex_t);
    header.n_shards = table->n_shards;
    header.n_buckets = table->n_buckets;
    header.n_blocks = table->n_blocks;
    header.block = ES_TABLE_BLOCK;
    return header;
}

apr_size_t es_table_minimum(void)
{
    return round_up(cut_for(BLOCKS_LEAST).end, 4096);
}

es_rv_t es_table_format(void *memory, apr_size_t size, es_why_t *why)
{
    es_table_t table;
    header_t *header = memory;
    apr_uint32_t i;
    es_rv_t rv = cut_all(&table, memory, size, why);

    if (rv != ES_OK) {
        return rv;
    }
    es_table_put64(&header->magic, 0);
    memset(header, 0, (apr_size_t)((unsigned char *)table.blocks - (unsigned char *)memory));
    for (i = 0; i < table.n_shards * table.n_buckets; i++) {
        es_table_put32(&table.buckets[i], ES_TABLE_NIL);
    }
    for (i = 0; i < table.n_blocks; i++) {
        es_table_put64(&table.blocks[i].life, 0);
        es_table_put32(&table.blocks[i].next, i + 1 < table.n_blocks ? i + 1 : ES_TABLE_NIL);
        es_table_put32(&table.blocks[i].owner, ES_TABLE_NIL);
    }
    es_table_put32(&table.pool->free, table.n_blocks);
    for (i = 0; i < table.n_shards; i++) {
        es_table_put64(&table.shards[i].earliest, (apr_uint64_t)ES_TABLE_NEVER);
        if (es_robust_make(&table.shards[i].lock) != 0) {
            return es_fail(why, ES_INTERNAL, "cannot make the mutex of session shard %u", i);
        }
    }
    if (es_robust_make(&table.pool->lock) != 0) {
        return es_fail(why, ES_INTERNAL, "cannot make the mutex of the session pool");
    }
    *header = header_for(&table, size);
    es_table_put64(&header->magic, MAGIC);
    return ES_OK;
}

es_rv_t es_table_attach(es_table_t **table, void *memory, apr_size_t size, es_why_t *why, apr_pool_t *pool)
{
    es_table_t *made = apr_pcalloc(pool, sizeof *made);
    const header_t *header = memory;
    es_rv_t rv = cut_all(made, memory, size, why);
    header_t expected;

    if (rv != ES_OK) {
        return rv;
    }
    expected = header_for(made, size);
    if (es_table_get64(&header->magic) != MAGIC) {
        return es_fail(why, ES_CONFIG_STATE, "the memory holds no session table");
    }
    if (memcmp((const char *)header + sizeof header->magic, (const char *)&expected + sizeof expected.magic,
               sizeof expected - sizeof expected.magic) != 0) {
        return es_fail(why, ES_CONFIG_STATE,
                       "the session table was made for another size or by another version (layout %u, %lu octets)",
                       header->version, (unsigned long)header->size);
    }
    *table = made;
    return ES_OK;
}

/* Keys are SHA-256 values, any bits of them would do; all words take part so that made-up keys spread as well. */
es_table_place_t es_table_place(const es_table_t *table, const apr_uint64_t key[ES_TABLE_KEY_WORDS])
{
    apr_uint64_t mixed = ((key[0] ^ key[1]) + (key[2] ^ key[3])) * 0x9e3779b97f4a7c15u;
    es_table_place_t place;

    mixed ^= mixed >> 32;
    place.shard = (apr_uint32_t)mixed & (table->n_shards - 1);
    place.bucket =
        table->buckets + (apr_size_t)place.shard * table->n_buckets + ((mixed >> 32) * table->n_buckets >> 32);
    return place;
}

int es_table_same_key(const es_table_block_t *block, const apr_uint64_t key[ES_TABLE_KEY_WORDS])
{
    apr_uint64_t difference = 0;
    int i;

    for (i = 0; i < ES_TABLE_KEY_WORDS; i++) {
        difference |= atomic_load_explicit(&block->as.head.key[i], memory_order_relaxed) ^ key[i];
    }
    return difference == 0;
}

static inline void copy_word(unsigned char *to, const es_word64_t *from)
{
    const apr_uint64_t word = atomic_load_explicit(from, memory_order_relaxed);

    memcpy(to, &word, 8);
}

/* By six words, which both kinds of block hold a multiple of: the compiler never unrolls a loop of atomic loads, and
 * would spend more on counting than on copying. */
static void copy_words(unsigned char *to, const es_word64_t *from, apr_size_t words)
{
    for (; words >= 6; words -= 6, from += 6, to += 6 * 8) {
        copy_word(to, &from[0]);
        copy_word(to + 8, &from[1]);
        copy_word(to + 16, &from[2]);
        copy_word(to + 24, &from[3]);
        copy_word(to + 32, &from[4]);
        copy_word(to + 40, &from[5]);
    }
    for (; words > 0; words--, from++, to += 8) {
        copy_word(to, from);
    }
}

/* Copies `words` words of the record that begins in a head. Returns 0 when a link leads nowhere. */
static int copy_record(unsigned char *to, const es_table_t *table, const es_table_block_t *head, apr_size_t words)
{
    apr_size_t n = words < ES_TABLE_HEAD_WORDS ? words : ES_TABLE_HEAD_WORDS;
    apr_uint32_t index = atomic_load_explicit(&head->next, memory_order_relaxed);

    copy_words(to, head->as.head.data, n);
    while (words -= n, words > 0) {
        const es_table_block_t *part;

        if (index >= table->n_blocks) {
            return 0;
        }
        part = &table->blocks[index];
        index = atomic_load_explicit(&part->next, memory_order_relaxed);
        to += 8 * n;
        n = words < ES_TABLE_PART_WORDS ? words : ES_TABLE_PART_WORDS;
        copy_words(to, part->as.part.data, n);
    }
    return 1;
}

/* The second look, after everything that was loaded before the call. */
static int is_same(const es_table_block_t *block, apr_uint64_t life)
{
    atomic_thread_fence(memory_order_acquire);
    return es_table_state(atomic_load_explicit(&block->life, memory_order_relaxed)) == es_table_state(life);
}

static apr_time_t used_at(apr_uint64_t life)
{
    return apr_time_from_sec((apr_time_t)(life & 0xffffffffu));
}

/* Takes the record out of a head that had the key a moment ago. */
static outcome_t take_copy(es_stored_t *stored, const es_table_t *table, apr_uint32_t index, apr_uint64_t life,
                           const apr_uint64_t key[ES_TABLE_KEY_WORDS], apr_time_t now, apr_pool_t *pool)
{
    const es_table_block_t *head = &table->blocks[index];
    apr_time_t expires = (apr_time_t)atomic_load_explicit(&head->as.head.expires, memory_order_relaxed);
    apr_size_t len = atomic_load_explicit(&head->as.head.len, memory_order_relaxed);
    apr_size_t words = (len + 7) / 8;
    unsigned char *copy;
    int whole;

    if (!is_same(head, life)) {
        return AGAIN;
    }
    if (expires <= now || es_table_blocks_for(len) == 0) {
        return MISS;
    }
    copy = apr_palloc(pool, 8 * words + 8);
    whole = copy_record(copy, table, head, words);
    if (!is_same(head, life) || !es_table_same_key(head, key)) {
        return AGAIN;
    }
    if (!whole) {
        return MISS;
    }
    stored->record = es_bytes(copy, len);
    stored->expires = expires;
    stored->last_used = used_at(life);
    stored->slot = index;
    return FOUND;
}

static outcome_t look(es_stored_t *stored, const es_table_t *table, const apr_uint64_t key[ES_TABLE_KEY_WORDS],
                      apr_time_t now, apr_pool_t *pool)
{
    es_table_place_t place = es_table_place(table, key);
    const es_table_shard_t *shard = &table->shards[place.shard];
    apr_uint32_t changes = es_table_get32(&shard->changes);
    apr_uint32_t index = es_table_get32(place.bucket);
    apr_uint32_t steps;

    for (steps = 0; index < table->n_blocks && steps < table->n_blocks; steps++) {
        const es_table_block_t *block = &table->blocks[index];
        apr_uint64_t life = es_table_get64(&block->life);
        outcome_t outcome;

        if (es_table_kind(life) != ES_BLOCK_HEAD) {
            break;
        }
        if (es_table_same_key(block, key)) {
            outcome = take_copy(stored, table, index, life, key, now, pool);
            if (outcome != AGAIN) {
                return outcome;
            }
            break;
        }
        index = es_table_get32(&block->as.head.chain);
    }
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&shard->changes, memory_order_relaxed) == changes ? MISS : AGAIN;
}

es_rv_t es_table_find(es_stored_t *stored, es_table_t *table, const es_hash_t *key, apr_time_t now, es_why_t *why,
                      apr_pool_t *pool)
{
    apr_uint64_t words[ES_TABLE_KEY_WORDS];
    es_stored_t found;
    int attempt;

    (void)why; /* nothing can fail here; a store over the network will differ */
    memset(&found, 0, sizeof found);
    es_table_key_words(words, key);
    for (attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (look(&found, table, words, now, pool) != AGAIN) {
            break;
        }
    }
    *stored = found;
    return ES_OK;
}

void es_table_touch(es_table_t *table, const es_hash_t *key, const es_stored_t *stored, apr_time_t now)
{
    apr_uint64_t words[ES_TABLE_KEY_WORDS];
    es_table_block_t *block;
    apr_uint64_t life;

    if (stored->slot >= table->n_blocks) {
        return;
    }
    block = &table->blocks[stored->slot];
    life = es_table_get64(&block->life);
    es_table_key_words(words, key);
    if (es_table_kind(life) != ES_BLOCK_HEAD || !es_table_same_key(block, words)) {
        return;
    }
    /* The version is part of the word: a block that has been recycled since is left alone. When another toucher was
     * faster, its second is as good as ours. */
    atomic_compare_exchange_strong_explicit(&block->life, &life, (life >> 32) << 32 | es_table_seconds(now),
                                            memory_order_acq_rel, memory_order_relaxed);
}

void es_table_keep_live(es_table_t *table, int keeps)
{
    table->keeps_live = keeps;
}

/* The version is part of the state: a block that has been recycled since has another. */
int es_table_holds(const es_table_t *table, const es_table_spot_t *spot)
{
    apr_uint32_t state;

    if (spot->block >= table->n_blocks) {
        return 0;
    }
    state = es_table_state(es_table_get64(&table->blocks[spot->block].life));
    return state == spot->state && (state & 3) == ES_BLOCK_HEAD;
}

int es_table_key_at(es_hash_t *key, const es_table_t *table, const es_table_spot_t *spot)
{
    const apr_uint64_t life = (apr_uint64_t)spot->state << 32;
    apr_uint64_t words[ES_TABLE_KEY_WORDS];

    if (!es_table_holds(table, spot)) {
        return 0;
    }
    es_table_get_key(words, &table->blocks[spot->block]);
    if (!is_same(&table->blocks[spot->block], life)) {
        return 0;
    }
    memcpy(key->octet, words, ES_HASH_LEN);
    return 1;
}

/* A spot of zeros is no record's, so that block 0 is looked at first. */
int es_table_next(es_table_spot_t *spot, apr_time_t *last_used, const es_table_t *table, apr_time_t now)
{
    apr_uint32_t index = spot->state == 0 ? 0 : spot->block + 1;

    for (; index < table->n_blocks; index++) {
        apr_uint64_t life = es_table_get64(&table->blocks[index].life);

        if (es_table_kind(life) == ES_BLOCK_HEAD && es_table_time(&table->blocks[index].as.head.expires) > now) {
            spot->block = index;
            spot->state = es_table_state(life);
            *last_used = used_at(life);
            return 1;
        }
    }
    return 0;
}

apr_uint64_t es_table_evicted(const es_table_t *table)
{
    return es_table_get64(&table->pool->evicted);
}

void es_table_count(es_table_counters_t *counters, es_table_t *table)
{
    es_table_counters_t sum;
    apr_uint32_t i, unused = es_table_get32(&table->pool->free);
    int size;

    memset(&sum, 0, sizeof sum);
    sum.blocks = table->n_blocks;
    sum.blocks_used = unused <= table->n_blocks ? table->n_blocks - unused : 0;
    sum.refused = es_table_get64(&table->pool->refused);
    sum.evicted = es_table_evicted(table);
    sum.repaired = es_table_get32(&table->pool->repaired);
    for (i = 0; i < table->n_shards; i++) {
        const es_table_shard_t *shard = &table->shards[i];

        sum.records += es_table_get32(&shard->records);
        sum.inserted += es_table_get64(&shard->inserted);
        sum.removed += es_table_get64(&shard->removed);
        sum.expired += es_table_get64(&shard->expired);
        for (size = 0; size < ES_TABLE_SIZES; size++) {
            sum.sizes[size] += es_table_get32(&shard->sizes[size]);
        }
        sum.repaired += es_table_get32(&shard->repaired);
    }
    *counters = sum;
}
