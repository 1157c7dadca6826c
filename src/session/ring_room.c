/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who must go when the ring is full. Anybody can have things kept without signing in, so the oldest first would let one
 * client push out what is kept for all others. Instead, in this order:
 *
 *   1. what is past its time;
 *   2. what its browser has come back for already (a landing is kept for Back and reload only, from then on);
 *   3. of the client that holds most, the new thing counted as held: of that client's browsers the one that holds most,
 *      of its things the oldest. One flood takes its room from itself;
 *   4. where that client is the one who asks, and has nothing yet: the oldest thing of all, if it has waited so long that
 *      its user has hardly gone on signing in; else nothing, and what is new is not kept.
 *
 * A client is an address, a browser a binding cookie. Cookies are for the asking, addresses are not: hence the address
 * counts first. Both are counted by hash in a few hundred sums: two clients that share a sum are as one.
 */
#include "session/ring_layout.h"

#define SUMS 256
#define PATIENCE 600 /* seconds */

typedef struct {
    apr_uint32_t n_free;        /* blocks */
    es_ring_place_t *free;      /* NULL: every place is taken */
    apr_uint32_t clients[SUMS]; /* blocks of each */
} survey_t;

static void add_up(survey_t *survey, es_ring_t *ring, apr_uint32_t now)
{
    apr_uint32_t i;

    memset(survey, 0, sizeof *survey);
    for (i = 0; i < ring->n_items; i++) {
        es_ring_place_t *place = &ring->places[i];

        if (es_ring_is_live(place) && place->expires <= now) {
            es_ring_drop(ring, place);
            atomic_fetch_add_explicit(&ring->control->expired, 1, memory_order_relaxed);
        }
        if (!es_ring_is_live(place)) {
            survey->free = survey->free ? survey->free : place;
            continue;
        }
        survey->clients[place->holder.client % SUMS] += es_ring_blocks_of(place->len);
    }
    for (i = 0; i < ring->n_blocks; i++) {
        survey->n_free += ring->links[i] == ES_RING_FREE;
    }
}

/* The largest sum; `last` only where it is larger than all others. */
static apr_uint32_t largest(const apr_uint32_t sums[SUMS], apr_uint32_t last)
{
    apr_uint32_t i, found = last;

    for (i = 0; i < SUMS; i++) {
        if (i != last && sums[i] >= sums[found] && sums[i] > 0) {
            found = i;
        }
    }
    return found;
}

/* After the clock was set back things seem to be of a time to come: they are young. */
static apr_int64_t age_of(const es_ring_place_t *place, apr_uint32_t now)
{
    return (apr_int64_t)now - place->since;
}

typedef enum { SERVED, OF_BROWSER, ANY } which_t;

/* The oldest of a kind; NULL: there is none. */
static es_ring_place_t *oldest(const es_ring_t *ring, which_t which, const es_holder_t *sums, apr_uint32_t now)
{
    es_ring_place_t *found = NULL;
    apr_uint32_t i;

    for (i = 0; i < ring->n_items; i++) {
        es_ring_place_t *place = &ring->places[i];

        if (es_ring_is_live(place) && (which != SERVED || place->is_served) &&
            (which != OF_BROWSER ||
             (place->holder.client % SUMS == sums->client && place->holder.browser % SUMS == sums->browser)) &&
            (!found || age_of(place, now) > age_of(found, now))) {
            found = place;
        }
    }
    return found;
}

/* Of the client's browsers the one that holds most. */
static apr_uint32_t largest_browser(const es_ring_t *ring, apr_uint32_t client)
{
    apr_uint32_t browsers[SUMS] = { 0 };
    apr_uint32_t i;

    for (i = 0; i < ring->n_items; i++) {
        const es_ring_place_t *place = &ring->places[i];

        if (es_ring_is_live(place) && place->holder.client % SUMS == client) {
            browsers[place->holder.browser % SUMS] += es_ring_blocks_of(place->len);
        }
    }
    return largest(browsers, 0);
}

static es_ring_place_t *choose(const es_ring_t *ring, survey_t *survey, const es_holder_t *holder,
                               apr_uint32_t n_blocks, apr_uint32_t now)
{
    const apr_uint32_t own = holder->client % SUMS;
    es_ring_place_t *found = oldest(ring, SERVED, NULL, now);
    es_holder_t sums;

    if (found) {
        return found;
    }
    survey->clients[own] += n_blocks;
    sums.client = largest(survey->clients, own);
    sums.browser = largest_browser(ring, sums.client);
    if ((found = oldest(ring, OF_BROWSER, &sums, now))) {
        return found;
    }
    found = oldest(ring, ANY, NULL, now);
    return found && age_of(found, now) > PATIENCE ? found : NULL;
}

es_ring_place_t *es_ring_make_room(es_ring_t *ring, const es_holder_t *holder, apr_uint32_t n_blocks, apr_uint32_t now)
{
    es_ring_place_t *victim;
    survey_t survey;

    for (;;) {
        add_up(&survey, ring, now);
        if (survey.free && survey.n_free >= n_blocks) {
            return survey.free;
        }
        if (!(victim = choose(ring, &survey, holder, n_blocks, now))) {
            return NULL;
        }
        es_ring_drop(ring, victim);
        atomic_fetch_add_explicit(&ring->control->evicted, 1, memory_order_relaxed);
    }
}
