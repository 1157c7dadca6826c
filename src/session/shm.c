/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The shared memory:
 *
 *   [ header, one page | events, one page | session table | index | replay marks | ring ]
 *
 * The header says what the memory is, for which machine, and where the pieces lie. All of it follows from the size and
 * the ring's, so attaching computes the header anew and compares it whole: a foreign file, another version's, one of another size or
 * word order, and a damaged header differ in the same way, and nothing of them is ever used. The magic is written last:
 * a process killed while it formats leaves memory that is none of ours.
 *
 * The events are one 64-bit counter for each reason, by its number, ES_OK for sessions made. Numbers change when a
 * version adds a reason; no session need end for that. So the page says which list it counts, by a hash of all their
 * codes, and whoever attaches with another list lets it begin at zero. Nothing but the status page believes them. Two
 * words of the page say when somebody was last warned of evictions, and of how many.
 *
 * The index gets a tenth of what the marks leave: 1.7 entries for each block of the table. Entra puts tenant and object
 * id into every token, so a session has at least two blocks, and its user, NameID and SessionIndex are three entries:
 * the table is full before the index is. Were it the other way round, the same would happen.
 *
 * The marks get thirteen thirty-seconds up to 13 MiB, the share of the default 32 MiB: room for 100 sign-ins a second
 * with two marks each over the longest time a message can be used, an hour and the clock skew of three minutes. Those
 * are 756,000 marks of 16 octets and a half, 11.9 MiB; a twelfth more, because their shards do not fill evenly
 * (ES_REPLAY_SURE). Of what the administrator adds beyond, they get a thirty-second part: memory is added for more
 * sessions, and a session occupies its place eight hours where its marks take one.
 *
 * The ring has the size it is told, at most half of the memory. By default that is 1 MiB, and in a small memory a
 * sixteenth.
 */
#include "session/shm.h"

#include "session/index.h"

#include <stdatomic.h>

#define MAGIC 0x4d48532d41525445u /* "ETRA-SHM" on a little-endian machine */
#define VERSION 4
#define PAGE 4096
#define DEFAULT_SIZE ((apr_size_t)32 << 20)
#define DEFAULT_MARKS (DEFAULT_SIZE / 32 * 13)
#define MARKS_NEEDED (2 * 100 * (3600 + 180))
_Static_assert(DEFAULT_MARKS / (ES_REPLAY_MARK + 1) * ES_REPLAY_SURE / 100 >= MARKS_NEEDED,
               "the default has room for the marks of 100 sign-ins a second");
#define DEFAULT_RING ((apr_size_t)1 << 20)
#define RING_SHARE 16
#define TIDY 64 /* expired records a step frees at most */
#define INDEX_SHARE 10
/* For one entry, before the index counts as full. */
#define EVICTIONS 64
#define MISSES 8
#define WARN_EVERY apr_time_from_sec(60)

typedef struct {
    _Atomic apr_uint64_t magic;
    apr_uint32_t version;
    apr_uint32_t order; /* 0x01020304 in the machine's own order */
    apr_uint32_t word;  /* octets of a pointer: 32-bit and 64-bit programs do not share mutexes */
    apr_uint32_t block;
    apr_uint64_t size;
    apr_uint64_t table_at, table_size;
    apr_uint64_t index_at, index_size;
    apr_uint64_t marks_at, marks_size;
    apr_uint64_t ring_at, ring_size;
    unsigned char rest[PAGE - 96];
} header_t;
_Static_assert(sizeof(header_t) == PAGE, "the header fills a page");

typedef struct {
    _Atomic apr_uint64_t list; /* which reasons these are */
    _Atomic apr_uint64_t warned_at, warned_of;
    _Atomic apr_uint64_t count[PAGE / 8 - 3];
} events_t;
_Static_assert(sizeof(events_t) == PAGE, "the events fill a page");
_Static_assert(ES_REASON_COUNT <= PAGE / 8 - 3, "every reason has its counter");

struct es_shm_t {
    events_t *events;
    es_table_t *table;
    es_index_t *index;
    es_replay_t *marks;
    es_ring_t *ring;
    apr_size_t ring_size;
    es_store_t store;
};

static apr_size_t pages_down(apr_size_t size)
{
    return size / PAGE * PAGE;
}

static header_t header_for(apr_size_t size, apr_size_t ring_size)
{
    apr_size_t marks = size <= DEFAULT_SIZE ? size / 32 * 13 : DEFAULT_MARKS + (size - DEFAULT_SIZE) / 32;
    apr_size_t left = size - PAGE - sizeof(events_t);
    header_t header;

    memset(&header, 0, sizeof header);
    header.version = VERSION;
    header.order = 0x01020304;
    header.word = sizeof(void *);
    header.block = ES_TABLE_BLOCK;
    header.size = size;
    header.marks_size = pages_down(marks);
    header.ring_size = ring_size;
    left -= header.marks_size + header.ring_size;
    header.index_size = pages_down(left / INDEX_SHARE);
    header.table_at = PAGE + sizeof(events_t);
    header.table_size = left - header.index_size;
    header.index_at = header.table_at + header.table_size;
    header.marks_at = header.index_at + header.index_size;
    header.ring_at = header.marks_at + header.marks_size;
    return header;
}

static apr_size_t default_ring(apr_size_t size)
{
    const apr_size_t share = pages_down(size / RING_SHARE);

    return share > DEFAULT_RING ? DEFAULT_RING : share > es_ring_minimum() ? share : es_ring_minimum();
}

/* In whole pages, and what is left is enough for the rest. */
static int is_ring_size(apr_size_t size, apr_size_t ring_size)
{
    header_t header;

    if (ring_size % PAGE != 0 || ring_size < es_ring_minimum() ||
        (ring_size > size / 2 && ring_size != es_ring_minimum()) ||
        size / 32 * 13 + ring_size + PAGE + sizeof(events_t) > size) {
        return 0;
    }
    header = header_for(size, ring_size);
    return header.table_size >= es_table_minimum() && header.index_size >= es_index_minimum() &&
           header.marks_size >= es_replay_minimum();
}

apr_size_t es_shm_minimum(void)
{
    apr_size_t size = es_ring_minimum();

    do {
        size += PAGE;
    } while (!is_ring_size(size, es_ring_minimum()));
    return size;
}

static es_rv_t check_size(apr_size_t size, es_why_t *why)
{
    if (size < es_shm_minimum() || size % PAGE != 0) {
        return es_fail(why, ES_CONFIG_STATE, "%lu octets of shared memory: at least %lu and whole pages are needed",
                       (unsigned long)size, (unsigned long)es_shm_minimum());
    }
    return ES_OK;
}

es_rv_t es_shm_ring(apr_size_t *ring_size, apr_size_t size, apr_size_t wanted, es_why_t *why)
{
    const apr_size_t found = wanted > 0 ? (wanted + PAGE - 1) / PAGE * PAGE : default_ring(size);

    if (!is_ring_size(size, found)) {
        return es_fail(why, ES_CONFIG_PRESERVE,
                       "%lu octets for what is preserved do not fit into a shared memory of %lu: at least %lu, at most "
                       "half of it",
                       (unsigned long)found, (unsigned long)size, (unsigned long)es_ring_minimum());
    }
    *ring_size = found;
    return ES_OK;
}

/* FNV-1a over the codes of all reasons in their order: telling versions apart needs no more. */
static apr_uint64_t list_of_reasons(void)
{
    apr_uint64_t hash = 0xcbf29ce484222325u;
    int rv;

    for (rv = 0; rv < ES_REASON_COUNT; rv++) {
        const char *code = es_reason((es_rv_t)rv)->code;

        do {
            hash = (hash ^ (unsigned char)*code) * 0x100000001b3u;
        } while (*code++);
    }
    return hash;
}

static events_t *attach_events(unsigned char *memory)
{
    events_t *events = (events_t *)(void *)(memory + PAGE);
    apr_uint64_t list = list_of_reasons();
    apr_size_t i;

    if (atomic_load(&events->list) != list) {
        for (i = 0; i < sizeof events->count / sizeof events->count[0]; i++) {
            atomic_store(&events->count[i], 0);
        }
        atomic_store(&events->list, list);
    }
    return events;
}

es_rv_t es_shm_format(void *memory, apr_size_t size, es_why_t *why)
{
    return es_shm_format_with(memory, size, 0, why);
}

es_rv_t es_shm_format_with(void *memory, apr_size_t size, apr_size_t ring_size, es_why_t *why)
{
    unsigned char *octets = memory;
    header_t *header = memory;
    es_rv_t rv = check_size(size, why);

    if (rv != ES_OK || (rv = es_shm_ring(&ring_size, size, ring_size, why)) != ES_OK) {
        return rv;
    }
    atomic_store(&header->magic, 0);
    *header = header_for(size, ring_size);
    memset(octets + PAGE, 0, sizeof(events_t));
    rv = es_table_format(octets + header->table_at, header->table_size, why);
    if (rv == ES_OK) {
        rv = es_index_format(octets + header->index_at, header->index_size, why);
    }
    if (rv == ES_OK) {
        rv = es_replay_format(octets + header->marks_at, header->marks_size, why);
    }
    if (rv == ES_OK) {
        rv = es_ring_format(octets + header->ring_at, header->ring_size, why);
    }
    if (rv == ES_OK) {
        atomic_store(&header->magic, MAGIC);
    }
    return rv;
}

static es_rv_t store_find(es_stored_t *stored, es_store_t *store, const es_hash_t *key, apr_time_t now, es_why_t *why,
                          apr_pool_t *pool)
{
    es_shm_t *shm = store->self;

    return es_table_find(stored, shm->table, key, now, why, pool);
}

/* As for blocks: others go before there is no room. The one that was to go may have gone by itself meanwhile, a
 * sign-out's: that is as good. */
static es_rv_t add_entry(es_shm_t *shm, const es_hash_t *subject, const es_table_spot_t *spot, apr_time_t now,
                         es_why_t *why)
{
    es_rv_t rv;
    int try = 0, misses = 0;

    for (;;) {
        es_why_t tried = ES_WHY_INIT;

        rv = es_index_add(shm->index, shm->table, subject, spot, &tried);
        if (rv != ES_STORE_FULL || try++ == EVICTIONS || misses == MISSES) {
            return rv == ES_OK ? ES_OK : es_fail(why, rv, "%s", tried.text);
        }
        misses += !es_table_evict(shm->table, now);
    }
}

/* The entries of a record that is in the table already. */
static es_rv_t add_entries(es_shm_t *shm, const es_hash_t *key, const es_hash_t *subjects, int n_subjects,
                           apr_time_t now, es_why_t *why)
{
    es_table_spot_t spot;
    es_rv_t rv = n_subjects > 0 ? es_table_locate(&spot, shm->table, key, why) : ES_OK;
    int i;

    /* It may be gone again, evicted for somebody else's: then its entries were free from the beginning. */
    for (i = 0; i < n_subjects && rv == ES_OK; i++) {
        rv = add_entry(shm, &subjects[i], &spot, now, why);
    }
    return rv;
}

static es_rv_t store_insert(es_store_t *store, const es_hash_t *key, es_bytes_t record, const es_hash_t *subjects,
                            int n_subjects, apr_time_t expires, apr_time_t now, es_why_t *why)
{
    es_shm_t *shm = store->self;
    es_rv_t rv = es_table_insert(shm->table, key, record, expires, now, why);

    if (rv == ES_OK && (rv = add_entries(shm, key, subjects, n_subjects, now, why)) != ES_OK) {
        es_table_remove(NULL, shm->table, key, why);
    }
    return rv;
}

static es_rv_t store_list(es_listed_t **listed, int *n_listed, es_store_t *store, const es_hash_t *subject,
                          apr_time_t now, es_why_t *why, apr_pool_t *pool)
{
    es_shm_t *shm = store->self;
    const es_table_spot_t *spots;
    int i, n = 0, n_spots = es_index_find(&spots, shm->index, shm->table, subject, pool);
    es_listed_t *found = apr_palloc(pool, (apr_size_t)(n_spots + 1) * sizeof *found);

    for (i = 0; i < n_spots; i++) {
        es_rv_t rv;

        if (!es_table_key_at(&found[n].key, shm->table, &spots[i])) {
            continue;
        }
        if ((rv = es_table_find(&found[n].stored, shm->table, &found[n].key, now, why, pool)) != ES_OK) {
            return rv;
        }
        n += found[n].stored.record.data != NULL;
    }
    *listed = found;
    *n_listed = n;
    return ES_OK;
}

static void store_touch(es_store_t *store, const es_hash_t *key, const es_stored_t *stored, apr_time_t now)
{
    es_shm_t *shm = store->self;

    es_table_touch(shm->table, key, stored, now);
}

static es_rv_t store_remove(int *removed, es_store_t *store, const es_hash_t *key, es_why_t *why)
{
    es_shm_t *shm = store->self;

    return es_table_remove(removed, shm->table, key, why);
}

static es_rv_t store_mark_find(int *found, es_store_t *store, const es_hash_t *mark, apr_time_t now, es_why_t *why)
{
    es_shm_t *shm = store->self;

    return es_replay_find(found, shm->marks, mark, now, why);
}

static es_rv_t store_mark_add(int *added, es_store_t *store, const es_hash_t *mark, apr_time_t expires, apr_time_t now,
                              es_why_t *why)
{
    es_shm_t *shm = store->self;

    return es_replay_add(added, shm->marks, mark, expires, now, why);
}

static es_rv_t store_keep(es_store_t *store, const es_hash_t *key, es_bytes_t content, const es_holder_t *holder,
                          apr_time_t expires, apr_time_t now, es_why_t *why)
{
    es_shm_t *shm = store->self;

    return es_ring_keep(shm->ring, key, content, holder, expires, now, why);
}

static es_rv_t store_kept_find(es_bytes_t *content, es_store_t *store, const es_hash_t *key, apr_time_t now,
                               es_why_t *why, apr_pool_t *pool)
{
    es_shm_t *shm = store->self;

    return es_ring_find(content, shm->ring, key, now, why, pool);
}

static es_rv_t store_kept_take(es_bytes_t *content, es_store_t *store, const es_hash_t *key, apr_time_t now,
                               es_why_t *why, apr_pool_t *pool)
{
    es_shm_t *shm = store->self;

    return es_ring_take(content, shm->ring, key, now, why, pool);
}

es_rv_t es_shm_attach(es_shm_t **shm, void *memory, apr_size_t size, es_why_t *why, apr_pool_t *pool)
{
    es_shm_t *made = apr_pcalloc(pool, sizeof *made);
    unsigned char *octets = memory;
    const header_t *header = memory;
    es_rv_t rv = check_size(size, why);
    header_t expected;

    if (rv != ES_OK) {
        return rv;
    }
    if (atomic_load(&header->magic) != MAGIC) {
        return es_fail(why, ES_CONFIG_STATE, "the shared memory is not ours, or was left half made");
    }
    expected = header_for(size, is_ring_size(size, header->ring_size) ? header->ring_size : default_ring(size));
    if (memcmp((const char *)header + sizeof header->magic, (const char *)&expected + sizeof expected.magic,
               PAGE - sizeof header->magic) != 0) {
        return es_fail(
            why, ES_CONFIG_STATE,
            "the shared memory was made for another size, machine or version (layout %u, %lu octets), or is damaged",
            header->version, (unsigned long)header->size);
    }
    rv = es_table_attach(&made->table, octets + expected.table_at, expected.table_size, why, pool);
    if (rv == ES_OK) {
        rv = es_index_attach(&made->index, octets + expected.index_at, expected.index_size, why, pool);
    }
    if (rv == ES_OK) {
        rv = es_replay_attach(&made->marks, octets + expected.marks_at, expected.marks_size, why, pool);
    }
    if (rv == ES_OK) {
        rv = es_ring_attach(&made->ring, octets + expected.ring_at, expected.ring_size, why, pool);
    }
    if (rv != ES_OK) {
        return rv;
    }
    made->events = attach_events(octets);
    made->ring_size = expected.ring_size;
    made->store = (es_store_t){ made,         store_find,      store_insert,    store_touch,
                                store_remove, store_list,      store_mark_find, store_mark_add,
                                store_keep,   store_kept_find, store_kept_take };
    *shm = made;
    return ES_OK;
}

es_rv_t es_shm_recover(es_shm_t *shm, es_why_t *why)
{
    es_rv_t rv = es_table_recover(shm->table, why);

    if (rv == ES_OK) {
        rv = es_index_recover(shm->index, why);
    }
    if (rv == ES_OK) {
        rv = es_replay_recover(shm->marks, why);
    }
    return rv == ES_OK ? es_ring_recover(shm->ring, why) : rv;
}

apr_size_t es_shm_ring_size(const es_shm_t *shm)
{
    return shm->ring_size;
}

es_rv_t es_shm_carry(es_carried_t *carried, es_shm_t *to, es_shm_t *from, apr_time_t now, es_why_t *why,
                     apr_pool_t *pool)
{
    es_carried_t counted = { 0, 0, 0 };
    es_rv_t rv = es_carry_marks(&counted, to->marks, from->marks, now, why);

    es_table_keep_live(to->table, 1);
    if (rv == ES_OK) {
        rv = es_carry_sessions(&counted, to->table, to->index, from->table, from->index, now, why, pool);
    }
    es_table_keep_live(to->table, 0);
    if (rv == ES_OK) {
        rv = es_carry_ring(to->ring, from->ring, now, why, pool);
    }
    *carried = counted;
    return rv;
}

es_store_t *es_shm_store(es_shm_t *shm)
{
    return &shm->store;
}

void es_shm_refuse_when_full(es_shm_t *shm, int refuses)
{
    es_table_keep_live(shm->table, refuses);
}

apr_uint64_t es_shm_unwarned(es_shm_t *shm, apr_time_t now)
{
    events_t *events = shm->events;
    apr_uint64_t evicted = es_table_evicted(shm->table);
    apr_uint64_t of = atomic_load_explicit(&events->warned_of, memory_order_relaxed);
    apr_uint64_t at = atomic_load_explicit(&events->warned_at, memory_order_relaxed);
    apr_time_t since = now - (apr_time_t)at;

    /* A clock that was set back does not silence us. */
    if (evicted == of || (since >= 0 && since < WARN_EVERY) ||
        !atomic_compare_exchange_strong(&events->warned_at, &at, (apr_uint64_t)now)) {
        return 0;
    }
    /* Only ever raised: somebody who read the count before us may be slower than a minute. */
    while (evicted > of && !atomic_compare_exchange_weak(&events->warned_of, &of, evicted)) {
    }
    return evicted > of ? evicted - of : 0;
}

void es_shm_tidy(es_shm_t *shm, apr_time_t now)
{
    es_table_expire(shm->table, now, TIDY);
    es_ring_tidy(shm->ring, now);
}

void es_shm_note(es_shm_t *shm, es_rv_t rv)
{
    if ((unsigned)rv < ES_REASON_COUNT) {
        atomic_fetch_add_explicit(&shm->events->count[rv], 1, memory_order_relaxed);
    }
}

apr_uint64_t es_shm_noted(const es_shm_t *shm, es_rv_t rv)
{
    return (unsigned)rv < ES_REASON_COUNT ? atomic_load_explicit(&shm->events->count[rv], memory_order_relaxed) : 0;
}

void es_shm_count(es_shm_counters_t *counters, es_shm_t *shm, apr_time_t now)
{
    es_table_count(&counters->table, shm->table);
    es_replay_count(&counters->marks, shm->marks, now);
    es_ring_count(&counters->ring, shm->ring, now);
    counters->signins = es_shm_noted(shm, ES_OK);
    counters->oldest_mark = counters->marks.oldest;
}
