/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ring, cut up once when it is formatted:
 *
 *   [ header, control | items … | links … | blocks … ]
 *
 *   header    what the memory is and how it was cut; the magic is written last. Every process computes the same cut
 *             from the size alone and compares.
 *   control   one robust mutex for everything, and counters. Nothing here is on the way of an ordinary request: it is
 *             asked when a landing is too long to travel or a form is kept, and when their browsers come back.
 *   items     64 octets each, one for a thing that is kept: its key, whose it is, since when and until when, its length
 *             and its first block; one for every two blocks, since what fits into one is rare
 *   links     one for each block: FREE, LAST, or the next block of the thing
 *   blocks    512 octets
 *
 * The mutex is held by readers too. What a process killed inside leaves behind follows from the order of its writes:
 *
 *   keeping   links, then blocks, then the item's fields, and `is_live` last
 *   dropping  `is_live` first, then the blocks are wiped, then their links become FREE
 *
 * so that an item that is live is whole at any instruction, and what a dead process may leave is blocks that belong to
 * nobody. The next owner of the mutex is told and repairs: the chains of live items are marked, every other block is
 * wiped and freed. The same repair runs at a fresh start, over memory that may be damaged; a chain that is not as long
 * as its item says, or runs into another's, costs the item.
 *
 * Killed means that the instructions after it never ran; so the order above must be kept by the compiler (barrier), and
 * the processor's own order is nobody's business: the kernel hands the mutex on.
 */
#ifndef ES_RING_LAYOUT_H
#define ES_RING_LAYOUT_H

#include "session/ring.h"

#include "base/robust.h"

#include <stdatomic.h>

#define ES_RING_BLOCK 512
#define ES_RING_ITEMS_MOST 16384 /* all of them are looked at whenever something is kept */

#define ES_RING_FREE 0u
#define ES_RING_LAST 1u
#define ES_RING_LINK 2u /* and the number of the next block */
#define ES_RING_SEEN 0x80000000u

typedef struct {
    _Atomic apr_uint64_t magic;
    apr_uint64_t size;
    apr_uint32_t version, mutex, n_items, n_blocks;
} es_ring_header_t;

typedef struct {
    es_robust_t lock;
    _Alignas(64) _Atomic apr_uint64_t kept;
    _Atomic apr_uint64_t taken, expired, evicted, refused, repaired;
} es_ring_control_t;

typedef struct {
    _Atomic apr_uint32_t is_live;
    apr_uint32_t is_served; /* found by its browser: the first to go */
    es_holder_t holder;
    apr_uint32_t since, expires; /* Unix seconds */
    apr_uint32_t len, first;
    es_hash_t key;
} es_ring_place_t;
_Static_assert(sizeof(es_ring_place_t) == 64, "an item is a cache line");

struct es_ring_t {
    es_ring_control_t *control;
    es_ring_place_t *places;
    apr_uint32_t *links;
    unsigned char *blocks;
    apr_uint32_t n_items, n_blocks;
};

/* What stands above stays above what stands below, for whoever is killed in between. */
static inline void es_ring_barrier(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

static inline int es_ring_is_live(const es_ring_place_t *place)
{
    return atomic_load_explicit(&place->is_live, memory_order_relaxed) != 0;
}

static inline apr_uint32_t es_ring_blocks_of(apr_uint32_t len)
{
    return (len + ES_RING_BLOCK - 1) / ES_RING_BLOCK;
}

static inline apr_uint32_t es_ring_seconds(apr_time_t time)
{
    apr_time_t whole = apr_time_sec(time);

    return whole < 0 ? 0 : whole > 0xffffffffLL ? 0xffffffffu : (apr_uint32_t)whole;
}

/* With the mutex held, all of them. */

/* The item goes, and its octets with it. */
void es_ring_drop(es_ring_t *ring, es_ring_place_t *place);
/* A place and so many free blocks for a holder; others go where there are none. NULL: nobody may be made to go. */
es_ring_place_t *es_ring_make_room(es_ring_t *ring, const es_holder_t *holder, apr_uint32_t n_blocks, apr_uint32_t now);

#endif
