/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Each edition has a header with a count of those who have taken it. To take is to read which header is current, to
 * count up in it, and to look whether it still is current: only then the object behind it may be touched.
 *
 * A reader can be held up between reading the pointer and counting, for as long as the scheduler likes. Hence headers
 * are memory that stays what it is: they come from malloc, are used again for later editions, and are freed with the
 * whole slot only. A late count in a header that is free, or already another edition's, is taken back at once or is as
 * good as one that came in time.
 *
 * The writer must not overlook a reader who has counted. The reader counts, then reads `current`; the writer changes
 * `current`, then reads the count. In the one order that sequentially consistent operations have (C11 7.17.3) one of
 * the two comes second and sees what the other did: either the reader goes away, or the writer waits. Weaker orders
 * allow both to see the old state.
 */
#include "base/slot.h"

#include <stdatomic.h>
#include <stdlib.h>

struct es_edition_t {
    atomic_long taken;
    /* The writer's, and of whoever has taken it. */
    const void *object;
    apr_pool_t *pool; /* NULL: free for another edition */
    es_edition_t *next;
};

struct es_slot_t {
    _Atomic(es_edition_t *) current;
    es_edition_t *all; /* the writer's */
};

es_slot_t *es_slot_make(apr_pool_t *pool)
{
    es_slot_t *slot = apr_palloc(pool, sizeof *slot);

    atomic_init(&slot->current, NULL);
    slot->all = NULL;
    return slot;
}

es_edition_t *es_slot_take(es_slot_t *slot)
{
    es_edition_t *edition;

    while ((edition = atomic_load(&slot->current))) {
        atomic_fetch_add(&edition->taken, 1);
        if (atomic_load(&slot->current) == edition) {
            return edition;
        }
        es_slot_give_back(edition);
    }
    return NULL;
}

/* Whatever was read of the object was read before. */
void es_slot_give_back(es_edition_t *edition)
{
    atomic_fetch_sub_explicit(&edition->taken, 1, memory_order_release);
}

const void *es_edition_object(const es_edition_t *edition)
{
    return edition->object;
}

static es_edition_t *find_free(es_slot_t *slot)
{
    es_edition_t *edition;

    for (edition = slot->all; edition && edition->pool; edition = edition->next) {
    }
    if (!edition) {
        edition = malloc(sizeof *edition);
        if (!edition) {
            abort();
        }
        atomic_init(&edition->taken, 0);
        edition->next = slot->all;
        slot->all = edition;
    }
    return edition;
}

void es_slot_replace(es_slot_t *slot, const void *object, apr_pool_t *pool)
{
    es_edition_t *edition = find_free(slot);

    edition->object = object;
    edition->pool = pool;
    atomic_store(&slot->current, edition);
    es_slot_sweep(slot);
}

int es_slot_sweep(es_slot_t *slot)
{
    const es_edition_t *current = atomic_load(&slot->current);
    es_edition_t *edition;
    int waiting = 0;

    for (edition = slot->all; edition; edition = edition->next) {
        if (edition == current || !edition->pool) {
            continue;
        }
        if (atomic_load(&edition->taken) > 0) {
            waiting++;
            continue;
        }
        apr_pool_destroy(edition->pool);
        edition->object = NULL;
        edition->pool = NULL;
    }
    return waiting;
}

const void *es_slot_look(const es_slot_t *slot)
{
    const es_edition_t *current = atomic_load(&slot->current);

    return current ? current->object : NULL;
}

void es_slot_empty(es_slot_t *slot)
{
    es_edition_t *edition;

    atomic_store(&slot->current, NULL);
    while ((edition = slot->all)) {
        slot->all = edition->next;
        if (edition->pool) {
            apr_pool_destroy(edition->pool);
        }
        free(edition);
    }
}
