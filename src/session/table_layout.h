/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session table's memory, private to the files that touch it: table.c (the cut, readers), table_write.c (writers),
 * table_room.c (expiry, eviction), table_repair.c (repair, recovery, the consistency check).
 *
 * The memory is one piece, cut up once when it is formatted:
 *
 *   [ header | pool | shards … | buckets … | blocks … ]
 *
 *   header   what the memory is and how it was cut. Constant; the magic is written last. Every process computes the
 *            same cut from the size alone and compares, so no length or offset is ever taken from the memory.
 *   pool     the blocks nobody uses: a list, its length, a robust mutex.
 *   shards   a power of two. Each has a robust mutex, its own share of the buckets, and counters.
 *   buckets  one word for two blocks: the index of the first record's head, the others follow by `chain`.
 *   blocks   of 256 octets. A record is one head and as many parts as its length asks for, linked by `next`:
 *
 *     head   | life | next owner | key | expires | len chain | 192 octets of the record |
 *     part   | life | next owner |                 240 octets of the record             |
 *     free   | life | next owner |                       anything                       |
 *
 * A link is an index, so processes may map the memory at different addresses. The key decides the shard and the bucket;
 * the blocks of a record come from anywhere in the pool, so the whole memory serves every shard and the table is full
 * only when no block is left. `life` is one 64-bit word at the same place in every block: a version that grows whenever
 * the block changes its part in the game, the kind (free, part, head), and the second of last use. Nothing of a record
 * is ever stored over a life, so no record's content can pass for a head.
 *
 * Who may write what
 *   - Holder of a shard: its buckets, its counters, and all blocks whose owner is the shard.
 *   - Holder of the pool: the list of free blocks, and the owner of a block on its way from or to the pool; the latter
 *     only while holding the shard too. The shard is always taken first, and never two shards at once.
 *   - Anybody: the last use inside a life, by compare-and-swap, which fails when the version has moved.
 *
 * Invariants
 *   1. owner says whose a block is. All lists can be rebuilt from the owners and the buckets alone: what a shard owns
 *      and cannot reach from its buckets is free, what nobody owns is the pool.
 *   2. A record that can be reached is complete and never changes, but for its last use. There is no update in place:
 *      a new record is written beside the old one, linked before it, and then the old one is taken out.
 *   3. A block is recycled in this order: its record is unlinked; the shard's `changes` grows; the head's version
 *      moves; only now anything else in its blocks is written, a new record's words after one more release fence.
 *
 * Why readers need no lock
 *   A reader notes `changes`, walks the bucket to a head with its key, notes the head's version, copies, and looks
 *   again whether version and key are the same. By 3, whoever overwrites what the reader copies has moved the version
 *   before. The copy goes word by word with relaxed atomic loads (the writer stores likewise): each may see old or
 *   new, so there is no data race to speak of, and order is needed only between the copy and the second look. That is
 *   what the two fences do: if one copied word comes from after the writer's release fence, the reader's acquire
 *   fence makes the second look see what was written before it, the moved version. A walk that steps on a recycled
 *   block may go astray, miss the record, or find an index that is none; then, by the same argument, `changes` has
 *   moved and the walk starts again. If it has not moved, the memory is damaged and the answer is a miss. Every index
 *   is checked, every walk is bounded by the number of blocks.
 *
 * Why a kill does no harm
 *   All bookkeeping goes through release stores, so it is in the memory in the order it is written here, and a
 *   process can be killed between any two of them:
 *
 *     take     owner = shard; version moves; the pool's list steps on. Killed between: both mutexes tell the next
 *              owner. The pool is rebuilt from blocks without owner, the shard finds what it owns and cannot reach.
 *     write    into blocks nobody can reach: as before.
 *     publish  earliest expiry, then one store to the bucket. Before it there is no record, after it a whole one.
 *     unlink   one store to the link that led to the record, then as in 3: blocks owned and out of reach.
 *     give     version moves, next = the list's first; owner = nobody; the list's first = block. As in take.
 *
 *   Replacing a record publishes first and unlinks then: killed between, the repair finds the key twice and keeps the
 *   first. Counters that matter (records and their sizes, the earliest expiry, the length of the free list) are counted
 *   anew by the repair. A repair that is killed leaves marks in owners; the next one begins by taking them off. A repair looks at
 *   every block, some 100 ms for each GiB in which its shard takes no writers; readers go on.
 *
 * When the pool is empty
 *   Each shard knows a time before which none of its records expires. So expired records anywhere are found without
 *   looking at live ones, and all of them go before the first live one. Then a shard that a killed writer left is
 *   repaired, since it may own blocks out of reach; and only then, unless the caller keeps the living, the longest idle
 *   of a sample is evicted.
 */
#ifndef ES_TABLE_LAYOUT_H
#define ES_TABLE_LAYOUT_H

#include "base/robust.h"
#include "session/table.h"

#include <stdatomic.h>

#if ATOMIC_INT_LOCK_FREE != 2 || ATOMIC_LLONG_LOCK_FREE != 2
#error "the session table needs lock-free 32-bit and 64-bit atomics"
#endif

typedef _Atomic apr_uint32_t es_word32_t;
typedef _Atomic apr_uint64_t es_word64_t;

#define ES_TABLE_NIL 0xffffffffu     /* no block; no owner */
#define ES_TABLE_MARK 0x80000000u    /* in an owner, while a repair is under way */
#define ES_TABLE_NEVER APR_INT64_MAX /* an earliest expiry: no record */

#define ES_TABLE_KEY_WORDS (ES_HASH_LEN / 8)
#define ES_TABLE_HEAD_WORDS 24
#define ES_TABLE_PART_WORDS 30

typedef enum { ES_BLOCK_FREE = 0, ES_BLOCK_PART = 1, ES_BLOCK_HEAD = 2 } es_table_kind_t;

typedef struct {
    es_word64_t life; /* version (30 bits), kind (2 bits), Unix second of last use (32 bits) */
    es_word32_t next; /* the record's next part, or the next free block */
    es_word32_t owner;
    union {
        struct {
            es_word64_t key[ES_TABLE_KEY_WORDS];
            es_word64_t expires;
            es_word32_t len;
            es_word32_t chain; /* the next head in the bucket */
            es_word64_t data[ES_TABLE_HEAD_WORDS];
        } head;
        struct {
            es_word64_t data[ES_TABLE_PART_WORDS];
        } part;
    } as;
} es_table_block_t;
_Static_assert(sizeof(es_table_block_t) == ES_TABLE_BLOCK, "a block is one block long");

typedef struct {
    es_robust_t lock;
    _Alignas(64) es_word64_t earliest; /* no record of the shard expires before */
    es_word32_t changes;               /* grows with every record taken out */
    es_word32_t busy;                  /* a writer is inside, or died there */
    es_word32_t records;
    es_word32_t repaired;
    es_word64_t inserted, removed, expired;
    es_word32_t sizes[ES_TABLE_SIZES]; /* of the records */
} es_table_shard_t;

typedef struct {
    es_robust_t lock;
    _Alignas(64) es_word32_t top; /* first free block */
    es_word32_t free;             /* how many */
    es_word32_t cursor;           /* the shard where es_table_expire goes on */
    es_word32_t repaired;
    es_word64_t seed; /* where the next sample begins */
    es_word64_t refused, evicted;
} es_table_pool_t;

/* Everything here is computed from the size, in each process for itself. */
struct es_table_t {
    es_table_pool_t *pool;
    es_table_shard_t *shards;
    es_word32_t *buckets;
    es_table_block_t *blocks;
    apr_uint32_t n_shards;
    apr_uint32_t n_buckets; /* a shard */
    apr_uint32_t n_blocks;
    int keeps_live; /* of this process: evicts nobody */
};

/* Where a key belongs. */
typedef struct {
    apr_uint32_t shard;
    es_word32_t *bucket;
} es_table_place_t;

static inline apr_uint32_t es_table_get32(const es_word32_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static inline apr_uint64_t es_table_get64(const es_word64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static inline apr_time_t es_table_time(const es_word64_t *word)
{
    return (apr_time_t)es_table_get64(word);
}

/* Release order keeps these in the order in which they are written, for readers and for whoever repairs. */
static inline void es_table_put32(es_word32_t *word, apr_uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static inline void es_table_put64(es_word64_t *word, apr_uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static inline apr_uint32_t es_table_state(apr_uint64_t life)
{
    return (apr_uint32_t)(life >> 32);
}

static inline es_table_kind_t es_table_kind(apr_uint64_t life)
{
    return (es_table_kind_t)(life >> 32 & 3);
}

/* The life of a block that becomes `kind`: the next version. */
static inline apr_uint64_t es_table_next_life(apr_uint64_t life, es_table_kind_t kind, apr_uint32_t used)
{
    return ((life >> 34) + 1) << 34 | (apr_uint64_t)kind << 32 | used;
}

/* Unix seconds, rounded down, held to 32 bits. */
static inline apr_uint32_t es_table_seconds(apr_time_t time)
{
    apr_time_t seconds = apr_time_sec(time);

    return seconds < 0 ? 0 : seconds > 0xffffffffLL ? 0xffffffffu : (apr_uint32_t)seconds;
}

/* Blocks of a record; 0 for a length no record has. */
static inline apr_uint32_t es_table_blocks_for(apr_size_t len)
{
    const apr_size_t head = ES_TABLE_HEAD_WORDS * 8, part = ES_TABLE_PART_WORDS * 8;

    if (len > ES_TABLE_RECORD_MAX) {
        return 0;
    }
    return len <= head ? 1 : (apr_uint32_t)(1 + (len - head + part - 1) / part);
}

/* The class of size in which a record of so many blocks is counted. */
static inline int es_table_size(apr_uint32_t blocks)
{
    int size = 0;

    while (size < ES_TABLE_SIZES - 1 && blocks > 2u << size) {
        size++;
    }
    return size;
}

/* The words of a key, in the machine's own order. */
static inline void es_table_key_words(apr_uint64_t words[ES_TABLE_KEY_WORDS], const es_hash_t *key)
{
    memcpy(words, key->octet, ES_HASH_LEN);
}

/* Counters have one writer at a time, whoever holds their shard or the pool. */
static inline void es_table_add32(es_word32_t *word, apr_uint32_t value)
{
    es_table_put32(word, es_table_get32(word) + value);
}

static inline void es_table_add64(es_word64_t *word, apr_uint64_t value)
{
    es_table_put64(word, es_table_get64(word) + value);
}

static inline void es_table_get_key(apr_uint64_t words[ES_TABLE_KEY_WORDS], const es_table_block_t *block)
{
    int i;

    for (i = 0; i < ES_TABLE_KEY_WORDS; i++) {
        words[i] = atomic_load_explicit(&block->as.head.key[i], memory_order_relaxed);
    }
}

/* table.c */

es_table_place_t es_table_place(const es_table_t *table, const apr_uint64_t key[ES_TABLE_KEY_WORDS]);
int es_table_same_key(const es_table_block_t *block, const apr_uint64_t key[ES_TABLE_KEY_WORDS]);

/* table_write.c; the shard is held unless said otherwise */

/* Takes a shard that is not held, repairing it when its last owner died inside. Returns 0 when it cannot be had. */
int es_table_enter(es_table_t *table, apr_uint32_t shard);
void es_table_leave(es_table_t *table, apr_uint32_t shard);

/* The link that leads to the key's head at *index, NULL when it is not there. A damaged bucket is repaired on sight, so
 * this must not be called while blocks are taken that nothing leads to yet. */
es_word32_t *es_table_find_link(apr_uint32_t *index, es_table_t *table, es_table_place_t place,
                                const apr_uint64_t key[ES_TABLE_KEY_WORDS]);

/* Takes the record at `index`, to which the link leads, out and gives its blocks back. */
void es_table_take_out(es_table_t *table, apr_uint32_t shard, es_word32_t *link, apr_uint32_t index);

/* Gives back `count` blocks of the shard, linked by `next` from `first`. Returns 0 when the links
 * are damaged or the pool cannot be had: what was not given stays owned and out of reach. */
int es_table_give(es_table_t *table, apr_uint32_t shard, apr_uint32_t first, apr_uint32_t count);

/* table_room.c */

/* Has the time come to look for expired records in a shard? */
int es_table_is_due(es_table_t *table, apr_uint32_t shard, apr_time_t now);

/* Frees up to `most` expired records of a shard that is held; returns how many. */
int es_table_expire_shard(es_table_t *table, apr_uint32_t shard, apr_time_t now, int most);

/* Makes room for `count` blocks, holding nothing: expired records, then what a killed writer left, then the idle.
 * Returns 0 when there is none; when there is, others may take it before the caller does. */
int es_table_make_room(es_table_t *table, apr_uint32_t count, apr_time_t now);

/* table_repair.c */

/* Brings a shard that is held back to the invariants: records that are whole stay, everything else goes. */
void es_table_repair(es_table_t *table, apr_uint32_t shard);

/* Rebuilds the free list from the owners; the pool is held. */
void es_table_repair_pool(es_table_t *table);

/* Checks every invariant while nobody writes; ES_CONFIG_STATE says which does not hold. */
es_rv_t es_table_check(es_table_t *table, es_why_t *why);

#endif
