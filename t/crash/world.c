/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crash.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 4096

static void need(es_rv_t rv, const es_why_t *why)
{
    if (rv != ES_OK) {
        fprintf(stderr, "crash: %s\n", why->text);
        exit(EXIT_FAILURE);
    }
}

void crash_world_make(crash_world_t *world, apr_size_t table_size, apr_size_t store_size, apr_pool_t *pool)
{
    apr_size_t marks_size = es_replay_minimum(), ring_size = es_ring_minimum();
    es_why_t why = ES_WHY_INIT;
    unsigned char *at;
    es_shm_t *shm;

    table_size = (table_size + PAGE - 1) / PAGE * PAGE;
    world->size = table_size + marks_size + ring_size + store_size;
    world->memory = at = crash_memory(world->size);
    need(es_table_format(at, table_size, &why), &why);
    need(es_table_attach(&world->table, at, table_size, &why, pool), &why);
    at += table_size;
    need(es_replay_format(at, marks_size, &why), &why);
    need(es_replay_attach(&world->marks, at, marks_size, &why, pool), &why);
    at += marks_size;
    need(es_ring_format(at, ring_size, &why), &why);
    need(es_ring_attach(&world->ring, at, ring_size, &why, pool), &why);
    at += ring_size;
    need(es_shm_format(at, store_size, &why), &why);
    need(es_shm_attach(&shm, at, store_size, &why, pool), &why);
    world->store = es_shm_store(shm);
}

int crash_put(es_table_t *table, unsigned number, apr_size_t len, apr_time_t expires, apr_pool_t *pool)
{
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;

    return es_table_insert(table, &key, table_record(number, len, pool), expires, CRASH_NOW, &why) == ES_OK;
}

/* Is what was found there, and whole? */
static int is_there(es_rv_t rv, const es_stored_t *stored, unsigned number)
{
    int found = rv == ES_OK && stored->record.data;

    crash_insist(!found || table_is_whole(stored, number), "the record of session %u is torn", number);
    return found;
}

int crash_has(es_table_t *table, unsigned number, apr_pool_t *pool)
{
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;
    es_rv_t rv = es_table_find(&stored, table, &key, CRASH_NOW, &why, pool);

    return is_there(rv, &stored, number);
}

int crash_store_put(es_store_t *store, unsigned number, apr_size_t len, apr_pool_t *pool)
{
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;

    return store->insert(store, &key, table_record(number, len, pool), &key, 1, CRASH_LATER, CRASH_NOW, &why) == ES_OK;
}

int crash_store_has(es_store_t *store, unsigned number, apr_pool_t *pool)
{
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;
    es_rv_t rv = store->find(&stored, store, &key, CRASH_NOW, &why, pool);

    return is_there(rv, &stored, number);
}

int crash_store_lists(es_store_t *store, unsigned number, apr_pool_t *pool)
{
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    es_listed_t *listed;
    int n_listed, found = 0;

    if (store->list(&listed, &n_listed, store, &key, CRASH_NOW, &why, pool) != ES_OK) {
        return 0;
    }
    while (n_listed-- > 0) {
        found += memcmp(&listed[n_listed].key, &key, sizeof key) == 0;
    }
    return found == 1;
}

int crash_keep(es_store_t *store, unsigned number, apr_size_t len, apr_pool_t *pool)
{
    const es_holder_t holder = { number, number };
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;

    return store->keep(store, &key, table_record(number, len, pool), &holder, CRASH_LATER, CRASH_NOW, &why) == ES_OK;
}

static int is_kept(es_rv_t rv, es_bytes_t content, unsigned number)
{
    const es_stored_t stored = { .record = content };

    return is_there(rv, &stored, number);
}

int crash_has_kept(es_store_t *store, unsigned number, int takes, apr_pool_t *pool)
{
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    es_bytes_t content = { NULL, 0 };
    es_rv_t rv = takes ? store->kept_take(&content, store, &key, CRASH_NOW, &why, pool)
                       : store->kept_find(&content, store, &key, CRASH_NOW, &why, pool);

    return is_kept(rv, content, number);
}

int crash_ring_keep(es_ring_t *ring, unsigned number, apr_size_t len, apr_time_t now, apr_pool_t *pool)
{
    const es_holder_t holder = { number, number };
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;

    return es_ring_keep(ring, &key, table_record(number, len, pool), &holder, CRASH_LATER, now, &why) == ES_OK;
}

int crash_ring_has(es_ring_t *ring, unsigned number, apr_pool_t *pool)
{
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    es_bytes_t content = { NULL, 0 };
    es_rv_t rv = es_ring_find(&content, ring, &key, CRASH_NOW, &why, pool);

    return is_kept(rv, content, number);
}

int crash_mark(es_store_t *store, unsigned number)
{
    es_hash_t mark = table_key(number);
    es_why_t why = ES_WHY_INIT;
    int added;

    return store->mark_add(&added, store, &mark, CRASH_LATER, CRASH_NOW, &why) == ES_OK ? added : -1;
}

int crash_has_mark(es_store_t *store, unsigned number)
{
    es_hash_t mark = table_key(number);
    es_why_t why = ES_WHY_INIT;
    int found;

    return store->mark_find(&found, store, &mark, CRASH_NOW, &why) == ES_OK && found;
}
