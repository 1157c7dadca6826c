/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keeping, finding, taking, and the repair. ring_layout.h explains the memory, ring_room.c who must go.
 */
#include "session/ring_layout.h"

#include "base/crypto.h"

#define MAGIC 0x31676e6972534fu
#define VERSION 1
#define BLOCKS_LEAST 72 /* a quarter of them holds the longest landing */

typedef struct {
    apr_uint32_t n_items, n_blocks;
    apr_size_t control, places, links, blocks, end;
} cut_t;

static apr_size_t round_up(apr_size_t value, apr_size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static cut_t cut_for(apr_size_t n_blocks)
{
    cut_t cut;

    cut.n_blocks = (apr_uint32_t)n_blocks;
    cut.n_items = cut.n_blocks / 2 < ES_RING_ITEMS_MOST ? cut.n_blocks / 2 : ES_RING_ITEMS_MOST;
    cut.control = round_up(sizeof(es_ring_header_t), 64);
    cut.places = round_up(cut.control + sizeof(es_ring_control_t), 64);
    cut.links = cut.places + cut.n_items * sizeof(es_ring_place_t);
    cut.blocks = round_up(cut.links + n_blocks * sizeof(apr_uint32_t), 64);
    cut.end = cut.blocks + n_blocks * ES_RING_BLOCK;
    return cut;
}

static cut_t cut_of_size(apr_size_t size)
{
    apr_size_t n_blocks = size / (ES_RING_BLOCK + sizeof(apr_uint32_t));
    cut_t cut = cut_for(n_blocks);

    while (cut.end > size && n_blocks > BLOCKS_LEAST) {
        cut = cut_for(--n_blocks);
    }
    return cut;
}

static es_rv_t cut_all(es_ring_t *ring, unsigned char *memory, apr_size_t size, es_why_t *why)
{
    const cut_t cut = cut_of_size(size);

    if (cut.end > size || cut.n_blocks < BLOCKS_LEAST || size / ES_RING_BLOCK >= ES_RING_SEEN ||
        (apr_uintptr_t)memory % 4096 != 0) {
        return es_fail(why, ES_CONFIG_STATE, "%lu octets of memory are no size for the ring, or not aligned",
                       (unsigned long)size);
    }
    ring->control = (es_ring_control_t *)(void *)(memory + cut.control);
    ring->places = (es_ring_place_t *)(void *)(memory + cut.places);
    ring->links = (apr_uint32_t *)(void *)(memory + cut.links);
    ring->blocks = memory + cut.blocks;
    ring->n_items = cut.n_items;
    ring->n_blocks = cut.n_blocks;
    return ES_OK;
}

static es_ring_header_t header_for(const es_ring_t *ring, apr_size_t size)
{
    es_ring_header_t header;

    memset(&header, 0, sizeof header);
    header.size = size;
    header.version = VERSION;
    header.mutex = sizeof(pthread_mutex_t);
    header.n_items = ring->n_items;
    header.n_blocks = ring->n_blocks;
    return header;
}

apr_size_t es_ring_minimum(void)
{
    return round_up(cut_for(BLOCKS_LEAST).end, 4096);
}

static apr_uint32_t most_blocks(apr_uint32_t n_blocks)
{
    return n_blocks / 4;
}

apr_size_t es_ring_largest(apr_size_t size)
{
    return (apr_size_t)most_blocks(cut_of_size(size).n_blocks) * ES_RING_BLOCK;
}

es_rv_t es_ring_format(void *memory, apr_size_t size, es_why_t *why)
{
    es_ring_header_t *header = memory;
    es_ring_t ring;
    es_rv_t rv = cut_all(&ring, memory, size, why);

    if (rv != ES_OK) {
        return rv;
    }
    atomic_store(&header->magic, 0);
    memset(memory, 0, size);
    if (es_robust_make(&ring.control->lock) != 0) {
        return es_fail(why, ES_INTERNAL, "cannot make the mutex of the ring");
    }
    *header = header_for(&ring, size);
    atomic_store(&header->magic, MAGIC);
    return ES_OK;
}

es_rv_t es_ring_attach(es_ring_t **ring, void *memory, apr_size_t size, es_why_t *why, apr_pool_t *pool)
{
    es_ring_t *made = apr_pcalloc(pool, sizeof *made);
    const es_ring_header_t *header = memory;
    es_rv_t rv = cut_all(made, memory, size, why);
    es_ring_header_t expected;

    if (rv != ES_OK) {
        return rv;
    }
    expected = header_for(made, size);
    if (atomic_load(&header->magic) != MAGIC) {
        return es_fail(why, ES_CONFIG_STATE, "the memory holds no ring");
    }
    if (memcmp((const char *)header + sizeof header->magic, (const char *)&expected + sizeof expected.magic,
               sizeof expected - sizeof expected.magic) != 0) {
        return es_fail(why, ES_CONFIG_STATE,
                       "the ring was made for another size or by another version (layout %u, %lu octets)",
                       header->version, (unsigned long)header->size);
    }
    *ring = made;
    return ES_OK;
}

/* ---- chains -------------------------------------------------------------------------------------------------- */

static unsigned char *block_at(const es_ring_t *ring, apr_uint32_t block)
{
    return ring->blocks + (apr_size_t)block * ES_RING_BLOCK;
}

void es_ring_drop(es_ring_t *ring, es_ring_place_t *place)
{
    apr_uint32_t left = es_ring_blocks_of(place->len), block = place->first, link;

    atomic_store_explicit(&place->is_live, 0, memory_order_relaxed);
    es_ring_barrier();
    for (; left > 0 && block < ring->n_blocks; left--) {
        link = ring->links[block];
        es_crypto_wipe(block_at(ring, block), ES_RING_BLOCK);
        es_ring_barrier();
        ring->links[block] = ES_RING_FREE;
        block = link - ES_RING_LINK;
    }
}

/* The next block of a chain; n_blocks where it ends, or leads nowhere. */
static apr_uint32_t next_of(const es_ring_t *ring, apr_uint32_t block)
{
    const apr_uint32_t link = ring->links[block] & ~ES_RING_SEEN;

    return link >= ES_RING_LINK && link - ES_RING_LINK < ring->n_blocks ? link - ES_RING_LINK : ring->n_blocks;
}

/* Marks the blocks of a live item as seen; undone where the chain is not whole, or runs into one that was seen before.
 * Returns whether it is whole. */
static int mark_chain(es_ring_t *ring, const es_ring_place_t *place)
{
    const apr_uint32_t wanted = es_ring_blocks_of(place->len);
    apr_uint32_t block = place->first, count = 0, last = ring->n_blocks, i;

    while (count < wanted && block < ring->n_blocks && !(ring->links[block] & ES_RING_SEEN) &&
           ring->links[block] != ES_RING_FREE) {
        ring->links[block] |= ES_RING_SEEN;
        count++;
        last = block;
        block = next_of(ring, block);
    }
    if (wanted > 0 && count == wanted && ring->links[last] == (ES_RING_LAST | ES_RING_SEEN)) {
        return 1;
    }
    for (i = 0, block = place->first; i < count; i++) {
        ring->links[block] &= ~ES_RING_SEEN;
        block = next_of(ring, block);
    }
    return 0;
}

/* A repairer may die too: the marks of the one before go first. */
static void repair(es_ring_t *ring)
{
    apr_uint32_t i;

    for (i = 0; i < ring->n_blocks; i++) {
        ring->links[i] &= ~ES_RING_SEEN;
    }
    for (i = 0; i < ring->n_items; i++) {
        if (es_ring_is_live(&ring->places[i]) && !mark_chain(ring, &ring->places[i])) {
            atomic_store_explicit(&ring->places[i].is_live, 0, memory_order_relaxed);
        }
    }
    es_ring_barrier();
    for (i = 0; i < ring->n_blocks; i++) {
        if (!(ring->links[i] & ES_RING_SEEN)) {
            es_crypto_wipe(block_at(ring, i), ES_RING_BLOCK);
        }
        ring->links[i] = ring->links[i] & ES_RING_SEEN ? ring->links[i] & ~ES_RING_SEEN : ES_RING_FREE;
    }
}

static es_rv_t enter(es_ring_t *ring, es_why_t *why)
{
    switch (es_robust_take(&ring->control->lock)) {
    case ES_ROBUST_TAKEN:
        return ES_OK;
    case ES_ROBUST_REPAIR:
        repair(ring);
        atomic_fetch_add_explicit(&ring->control->repaired, 1, memory_order_relaxed);
        return ES_OK;
    case ES_ROBUST_FAILED:
        break;
    }
    return es_fail(why, ES_INTERNAL, "the mutex of the ring cannot be taken");
}

static void leave(es_ring_t *ring)
{
    es_robust_release(&ring->control->lock);
}

es_rv_t es_ring_recover(es_ring_t *ring, es_why_t *why)
{
    if (es_robust_make(&ring->control->lock) != 0) {
        return es_fail(why, ES_INTERNAL, "cannot make the mutex of the ring");
    }
    repair(ring);
    return ES_OK;
}

/* ---- things -------------------------------------------------------------------------------------------------- */

static es_ring_place_t *find(const es_ring_t *ring, const es_hash_t *key, apr_uint32_t now)
{
    apr_uint32_t i;

    for (i = 0; i < ring->n_items; i++) {
        es_ring_place_t *place = &ring->places[i];

        if (es_ring_is_live(place) && memcmp(&place->key, key, sizeof *key) == 0) {
            return place->expires > now ? place : NULL;
        }
    }
    return NULL;
}

/* Room for it was made: there are blocks enough. */
static void put(es_ring_t *ring, es_ring_place_t *place, es_bytes_t content)
{
    apr_uint32_t left = es_ring_blocks_of((apr_uint32_t)content.len), block = ring->n_blocks, before = ring->n_blocks;
    apr_size_t at = content.len;

    /* From the last block to the first, so that each link leads to a block that is its own already. */
    for (; left > 0; left--) {
        apr_size_t from = (apr_size_t)(left - 1) * ES_RING_BLOCK;

        do {
            block--;
        } while (ring->links[block] != ES_RING_FREE);
        ring->links[block] = before == ring->n_blocks ? ES_RING_LAST : ES_RING_LINK + before;
        es_ring_barrier();
        memcpy(block_at(ring, block), content.data + from, at - from);
        at = from;
        before = block;
    }
    place->len = (apr_uint32_t)content.len;
    place->first = before;
}

static es_rv_t keep_held(es_ring_t *ring, const es_hash_t *key, es_bytes_t content, const es_holder_t *holder,
                         apr_uint32_t expires, apr_uint32_t now, es_why_t *why)
{
    es_ring_place_t *place = find(ring, key, now);

    if (place) { /* its key says that the octets are the same */
        place->since = now;
        place->expires = expires;
        place->is_served = 0;
        return ES_OK;
    }
    place = es_ring_make_room(ring, holder, es_ring_blocks_of((apr_uint32_t)content.len), now);
    if (!place) {
        atomic_fetch_add_explicit(&ring->control->refused, 1, memory_order_relaxed);
        return es_fail(why, ES_KEEP_FULL, "there is no room for %lu octets of the client that would hold most",
                       (unsigned long)content.len);
    }
    put(ring, place, content);
    place->holder = *holder;
    place->since = now;
    place->expires = expires;
    place->is_served = 0;
    place->key = *key;
    es_ring_barrier();
    atomic_store_explicit(&place->is_live, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&ring->control->kept, 1, memory_order_relaxed);
    return ES_OK;
}

es_rv_t es_ring_keep(es_ring_t *ring, const es_hash_t *key, es_bytes_t content, const es_holder_t *holder,
                     apr_time_t expires, apr_time_t now, es_why_t *why)
{
    const apr_size_t most = (apr_size_t)most_blocks(ring->n_blocks) * ES_RING_BLOCK;
    es_rv_t rv;

    if (content.len == 0 || content.len > most) {
        atomic_fetch_add_explicit(&ring->control->refused, 1, memory_order_relaxed);
        return es_fail(why, ES_KEEP_FULL, "%lu octets are more than the %lu that the memory keeps for one browser",
                       (unsigned long)content.len, (unsigned long)most);
    }
    if ((rv = enter(ring, why)) != ES_OK) {
        return rv;
    }
    rv = keep_held(ring, key, content, holder, es_ring_seconds(expires), es_ring_seconds(now), why);
    leave(ring);
    return rv;
}

/* *content.data = NULL where memory that was damaged after the start has a chain too short. */
static void copy(es_bytes_t *content, const es_ring_t *ring, const es_ring_place_t *place, apr_pool_t *pool)
{
    unsigned char *octets = apr_palloc(pool, (apr_size_t)place->len + 1);
    apr_uint32_t block = place->first;
    apr_size_t at = 0;

    while (at < place->len && block < ring->n_blocks) {
        const apr_size_t left = place->len - at, len = left < ES_RING_BLOCK ? left : ES_RING_BLOCK;

        memcpy(octets + at, block_at(ring, block), len);
        at += len;
        block = next_of(ring, block);
    }
    octets[at] = '\0';
    *content = at == place->len ? es_bytes(octets, at) : es_bytes(NULL, 0);
}

static es_rv_t get(es_bytes_t *content, es_ring_t *ring, const es_hash_t *key, int takes, apr_time_t now, es_why_t *why,
                   apr_pool_t *pool)
{
    es_bytes_t found = es_bytes(NULL, 0);
    es_ring_place_t *place;
    es_rv_t rv = enter(ring, why);

    if (rv != ES_OK) {
        return rv;
    }
    if ((place = find(ring, key, es_ring_seconds(now)))) {
        copy(&found, ring, place, pool);
        place->is_served = 1;
    }
    if (place && takes) {
        es_ring_drop(ring, place);
        atomic_fetch_add_explicit(&ring->control->taken, 1, memory_order_relaxed);
    }
    leave(ring);
    *content = found;
    return ES_OK;
}

es_rv_t es_ring_find(es_bytes_t *content, es_ring_t *ring, const es_hash_t *key, apr_time_t now, es_why_t *why,
                     apr_pool_t *pool)
{
    return get(content, ring, key, 0, now, why, pool);
}

es_rv_t es_ring_take(es_bytes_t *content, es_ring_t *ring, const es_hash_t *key, apr_time_t now, es_why_t *why,
                     apr_pool_t *pool)
{
    return get(content, ring, key, 1, now, why, pool);
}

void es_ring_tidy(es_ring_t *ring, apr_time_t now)
{
    es_why_t ignored = ES_WHY_INIT; /* another time, then */
    apr_uint32_t i;

    if (enter(ring, &ignored) != ES_OK) {
        return;
    }
    for (i = 0; i < ring->n_items; i++) {
        if (es_ring_is_live(&ring->places[i]) && ring->places[i].expires <= es_ring_seconds(now)) {
            es_ring_drop(ring, &ring->places[i]);
            atomic_fetch_add_explicit(&ring->control->expired, 1, memory_order_relaxed);
        }
    }
    leave(ring);
}

int es_ring_next(es_ring_item_t *item, apr_size_t *at, const es_ring_t *ring, apr_time_t now, apr_pool_t *pool)
{
    while (*at < ring->n_items) {
        const es_ring_place_t *place = &ring->places[(*at)++];

        if (es_ring_is_live(place) && place->expires > es_ring_seconds(now)) {
            item->key = place->key;
            item->holder = place->holder;
            item->since = apr_time_from_sec((apr_time_t)place->since);
            item->expires = apr_time_from_sec((apr_time_t)place->expires);
            copy(&item->content, ring, place, pool);
            if (item->content.data) {
                return 1;
            }
        }
    }
    return 0;
}

void es_ring_count(es_ring_counters_t *counters, es_ring_t *ring, apr_time_t now)
{
    es_ring_counters_t sum;
    es_why_t ignored = ES_WHY_INIT;
    apr_uint32_t i;

    memset(&sum, 0, sizeof sum);
    sum.room = (apr_uint64_t)ring->n_blocks * ES_RING_BLOCK;
    if (enter(ring, &ignored) == ES_OK) {
        for (i = 0; i < ring->n_items; i++) {
            if (es_ring_is_live(&ring->places[i]) && ring->places[i].expires > es_ring_seconds(now)) {
                sum.items++;
                sum.used += (apr_uint64_t)es_ring_blocks_of(ring->places[i].len) * ES_RING_BLOCK;
            }
        }
        leave(ring);
    }
    sum.kept = atomic_load_explicit(&ring->control->kept, memory_order_relaxed);
    sum.taken = atomic_load_explicit(&ring->control->taken, memory_order_relaxed);
    sum.expired = atomic_load_explicit(&ring->control->expired, memory_order_relaxed);
    sum.evicted = atomic_load_explicit(&ring->control->evicted, memory_order_relaxed);
    sum.refused = atomic_load_explicit(&ring->control->refused, memory_order_relaxed);
    sum.repaired = atomic_load_explicit(&ring->control->repaired, memory_order_relaxed);
    *counters = sum;
}

/* Is the block all zeros? */
static int is_wiped(const es_ring_t *ring, apr_uint32_t block)
{
    const unsigned char *octet = block_at(ring, block);

    return octet[0] == 0 && memcmp(octet, octet + 1, ES_RING_BLOCK - 1) == 0;
}

static es_rv_t check_held(es_ring_t *ring, es_why_t *why)
{
    es_rv_t rv = ES_OK;
    apr_uint32_t i;

    for (i = 0; i < ring->n_items && rv == ES_OK; i++) {
        if (es_ring_is_live(&ring->places[i]) && !mark_chain(ring, &ring->places[i])) {
            rv = es_fail(why, ES_CONFIG_STATE, "the chain of thing %u in the ring is not whole", i);
        }
    }
    for (i = 0; i < ring->n_blocks; i++) {
        if (rv == ES_OK && !(ring->links[i] & ES_RING_SEEN) && (ring->links[i] != ES_RING_FREE || !is_wiped(ring, i))) {
            rv = es_fail(why, ES_CONFIG_STATE, "block %u of the ring is nobody's and not free or not wiped", i);
        }
    }
    for (i = 0; i < ring->n_blocks; i++) {
        ring->links[i] &= ~ES_RING_SEEN;
    }
    return rv;
}

es_rv_t es_ring_check(es_ring_t *ring, es_why_t *why)
{
    es_rv_t rv = enter(ring, why);

    if (rv == ES_OK) {
        rv = check_held(ring, why);
        leave(ring);
    }
    return rv;
}
