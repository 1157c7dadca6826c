/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is alive goes from one shared memory into another. A record's octets stay as they are; only its blocks, and with
 * them what index entries point to, are others there. The entries follow in a pass of their own: they lead from the
 * old record to its key, and by the key to the new one.
 */
#include "session/carry.h"

#include <stdlib.h>

/* A record that waits for its turn. */
typedef struct {
    es_table_spot_t spot;
    apr_time_t idle;
} waiting_t;

/* A session last used "in the future", before the clock was set back, counts as far from now as one in the past. */
static apr_time_t idle_time(apr_time_t last_used, apr_time_t now)
{
    return last_used > now ? last_used - now : now - last_used;
}

static int compare(const void *a, const void *b)
{
    const apr_time_t x = ((const waiting_t *)a)->idle, y = ((const waiting_t *)b)->idle;

    return x < y ? -1 : x > y;
}

/* All records that are alive, those used last first; to be freed by the caller, NULL: no memory. */
static waiting_t *line_up(apr_size_t *count, const es_table_t *from, apr_time_t now)
{
    es_table_spot_t spot = { 0, 0 };
    apr_size_t n = 0, i = 0;
    apr_time_t last_used;
    waiting_t *line;

    while (es_table_next(&spot, &last_used, from, now)) {
        n++;
    }
    if (!(line = calloc(n + 1, sizeof *line))) {
        return NULL;
    }
    for (spot = (es_table_spot_t){ 0, 0 }; i < n && es_table_next(&spot, &last_used, from, now); i++) {
        line[i] = (waiting_t){ spot, idle_time(last_used, now) };
    }
    qsort(line, i, sizeof *line, compare);
    *count = i;
    return line;
}

/* Inserts a copy of one record; *done says whether there was room. */
static es_rv_t carry_record(int *done, es_table_t *to, es_table_t *from, const es_table_spot_t *spot, apr_time_t now,
                            es_why_t *why, apr_pool_t *pool)
{
    es_why_t tried = ES_WHY_INIT;
    es_table_spot_t place;
    es_stored_t stored;
    es_hash_t key;
    es_rv_t rv;

    *done = 0;
    if (!es_table_key_at(&key, from, spot) || (rv = es_table_find(&stored, from, &key, now, why, pool)) != ES_OK ||
        !stored.record.data) {
        return es_fail(why, ES_CONFIG_STATE, "the record in block %u of the session table cannot be found",
                       spot->block);
    }
    rv = es_table_insert(to, &key, stored.record, stored.expires, now, &tried);
    if (rv == ES_STORE_FULL) {
        return ES_OK;
    }
    if (rv != ES_OK) {
        return es_fail(why, rv, "%s", tried.text);
    }
    if ((rv = es_table_locate(&place, to, &key, why)) == ES_OK) {
        stored.slot = place.block;
        es_table_touch(to, &key, &stored, stored.last_used);
        *done = 1;
    }
    return rv;
}

/* Gives one entry to the new record. A session that could not be found again by whoever must end it is not kept, as at
 * a sign-in. */
static es_rv_t carry_entry(es_carried_t *carried, es_table_t *to, es_index_t *to_index, const es_hash_t *subject,
                           const es_hash_t *key, es_why_t *why)
{
    es_why_t tried = ES_WHY_INIT;
    es_table_spot_t place;
    int removed = 0;
    es_rv_t rv = es_table_locate(&place, to, key, why);

    if (rv != ES_OK || place.state == 0) {
        return rv; /* without a record: it was left behind */
    }
    rv = es_index_add(to_index, to, subject, &place, &tried);
    if (rv == ES_STORE_FULL) {
        rv = es_table_remove(&removed, to, key, why);
        carried->sessions -= removed;
        carried->left += removed;
        return rv;
    }
    return rv == ES_OK ? ES_OK : es_fail(why, rv, "%s", tried.text);
}

es_rv_t es_carry_sessions(es_carried_t *carried, es_table_t *to, es_index_t *to_index, es_table_t *from,
                          const es_index_t *from_index, apr_time_t now, es_why_t *why, apr_pool_t *pool)
{
    apr_size_t i, count = 0, at = 0;
    waiting_t *line = line_up(&count, from, now);
    es_rv_t rv = ES_OK;
    es_table_spot_t spot;
    apr_pool_t *copies;
    es_hash_t subject;

    if (!line) {
        return es_fail(why, ES_INTERNAL, "no memory to carry the sessions over");
    }
    apr_pool_create(&copies, pool);
    for (i = 0; i < count && rv == ES_OK; i++) {
        int done;

        rv = carry_record(&done, to, from, &line[i].spot, now, why, copies);
        carried->sessions += done;
        carried->left += rv == ES_OK && !done;
        apr_pool_clear(copies);
    }
    apr_pool_destroy(copies);
    free(line);
    while (rv == ES_OK && es_index_next(&subject, &spot, &at, from_index, from)) {
        es_hash_t key;

        if (es_table_key_at(&key, from, &spot)) {
            rv = carry_entry(carried, to, to_index, &subject, &key, why);
        }
    }
    return rv;
}

/* Each is added as of the time when it was first set, which keeps its age; never as of a time to come, at which others
 * would seem to be past theirs. */
es_rv_t es_carry_marks(es_carried_t *carried, es_replay_t *to, const es_replay_t *from, apr_time_t now, es_why_t *why)
{
    es_replay_mark_t mark;
    apr_size_t at = 0;

    while (es_replay_next(&mark, &at, from, now)) {
        int added = 0;
        es_rv_t rv = es_replay_add(&added, to, &mark.mark, mark.expires, mark.set < now ? mark.set : now, why);

        if (rv != ES_OK) {
            return rv;
        }
        carried->marks += added;
    }
    return ES_OK;
}

/* Each as of the time when it came, but never of one to come, at which others would seem to have expired. */
es_rv_t es_carry_ring(es_ring_t *to, const es_ring_t *from, apr_time_t now, es_why_t *why, apr_pool_t *pool)
{
    es_ring_item_t item;
    apr_size_t at = 0;
    apr_pool_t *copies;
    es_rv_t rv = ES_OK;

    apr_pool_create(&copies, pool);
    while (rv == ES_OK && es_ring_next(&item, &at, from, now, copies)) {
        es_why_t tried = ES_WHY_INIT;

        rv = es_ring_keep(to, &item.key, item.content, &item.holder, item.expires, item.since < now ? item.since : now,
                          &tried);
        if (rv == ES_KEEP_FULL) {
            rv = ES_OK;
        } else if (rv != ES_OK) {
            rv = es_fail(why, rv, "%s", tried.text);
        }
        apr_pool_clear(copies);
    }
    apr_pool_destroy(copies);
    return rv;
}
