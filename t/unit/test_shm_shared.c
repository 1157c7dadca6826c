/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The store over shared memory among threads: sign-ins, requests, lists and sign-outs of the same few users at once, as
 * ThreadSanitizer likes to see them (make check-tsan).
 */
#include "unit.h"

#include "session/shm.h"
#include "table_records.h"
#include "table_tools.h"

#include <pthread.h>

#define NOW apr_time_from_sec(1700000000)
#define LATER (NOW + apr_time_from_sec(3600))

#define THREADS 4
#define ROUNDS 1500
#define USERS 3
#define MARKS 500

typedef struct {
    es_shm_t *shm;
    _Atomic unsigned *winners; /* of each mark */
    unsigned number;
    unsigned wrong; /* Check's assertions belong to the main thread */
} worker_t;

/* The one session that this thread alone makes and ends. */
static void use_own(worker_t *worker, unsigned round, apr_pool_t *pool)
{
    es_store_t *store = es_shm_store(worker->shm);
    unsigned number = 100 + worker->number;
    es_hash_t key = table_key(number), user = table_key(round % USERS);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;
    es_listed_t *listed;
    int n_listed, removed = 0, seen = 0;

    worker->wrong +=
        store->insert(store, &key, table_record(number, 100 + round % 900, pool), &user, 1, LATER, NOW, &why) != ES_OK;
    worker->wrong += store->find(&stored, store, &key, NOW, &why, pool) != ES_OK || !stored.record.data ||
                     !table_is_whole(&stored, number);
    store->touch(store, &key, &stored, NOW + apr_time_from_sec(round));
    worker->wrong += store->list(&listed, &n_listed, store, &user, NOW, &why, pool) != ES_OK;
    while (n_listed-- > 0) {
        seen += memcmp(&listed[n_listed].key, &key, sizeof key) == 0;
    }
    worker->wrong += seen != 1;
    worker->wrong += store->remove(&removed, store, &key, &why) != ES_OK || !removed;
    es_shm_note(worker->shm, ES_OK);
}

/* Something kept for this thread alone, and something that all of them take: never torn, and after it was taken gone. */
static void keep_and_take(worker_t *worker, unsigned round, apr_pool_t *pool)
{
    es_store_t *store = es_shm_store(worker->shm);
    const es_holder_t holder = { worker->number, round };
    const unsigned own = 500 + worker->number, common = 600 + round % USERS;
    es_why_t why = ES_WHY_INIT;

    for (unsigned i = 0; i < 2; i++) {
        const unsigned number = i ? common : own;
        es_hash_t key = table_key(number);
        es_stored_t stored = { .slot = 0 };

        worker->wrong +=
            store->keep(store, &key, table_record(number, 100 + number, pool), &holder, LATER, NOW, &why) != ES_OK;
        worker->wrong += store->kept_find(&stored.record, store, &key, NOW, &why, pool) != ES_OK ||
                         (stored.record.data ? !table_is_whole(&stored, number) : number == own);
        worker->wrong += store->kept_take(&stored.record, store, &key, NOW, &why, pool) != ES_OK ||
                         (stored.record.data ? !table_is_whole(&stored, number) : number == own);
    }
}

/* A session that all of them make and end, and a mark that all of them want. */
static void use_common(worker_t *worker, unsigned round, apr_pool_t *pool)
{
    es_store_t *store = es_shm_store(worker->shm);
    es_hash_t key = table_key(round % USERS), mark = table_key(1000 + round % MARKS);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;
    int added = 0;

    worker->wrong += store->insert(store, &key, table_record(round % USERS, 100 + round % 900, pool), &key, 1, LATER,
                                   NOW, &why) != ES_OK;
    worker->wrong += store->find(&stored, store, &key, NOW, &why, pool) != ES_OK ||
                     (stored.record.data && !table_is_whole(&stored, round % USERS));
    if (round % 3 == worker->number % 3) {
        worker->wrong += store->remove(NULL, store, &key, &why) != ES_OK;
    }
    worker->wrong += store->mark_add(&added, store, &mark, LATER, NOW, &why) != ES_OK;
    worker->winners[round % MARKS] += added != 0;
}

static void *work(void *baton)
{
    worker_t *worker = baton;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        use_own(worker, round, pool);
        use_common(worker, round, pool);
        keep_and_take(worker, round, pool);
        if (round % 100 == 0) {
            es_shm_tidy(worker->shm, NOW);
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

START_TEST(threads_share_a_store)
{
    apr_size_t size = 1024 * 1024;
    void *memory = table_memory(size);
    _Atomic unsigned winners[MARKS] = { 0 };
    es_why_t why = ES_WHY_INIT;
    pthread_t threads[THREADS];
    worker_t workers[THREADS];
    es_shm_counters_t counters;
    es_shm_t *shm;

    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker_t){ shm, winners, i, 0 };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(workers[i].wrong, 0);
    }
    for (int i = 0; i < MARKS; i++) {
        ck_assert_uint_eq(winners[i], 1);
    }
    es_shm_count(&counters, shm, NOW);
    ck_assert_uint_eq(counters.signins, THREADS * ROUNDS);
    ck_assert_uint_eq(counters.table.evicted, 0);
    ck_assert_uint_le(counters.table.records, USERS);
    ck_assert_uint_ge(counters.ring.taken, THREADS * ROUNDS);
    ck_assert_uint_eq(counters.ring.used, 0);
    ck_assert_reason(es_shm_recover(shm, &why), ES_OK, why);
}
END_TEST

/* A full store: sign-ins that evict each other's sessions, for want of blocks or of entries, while others look at the
 * status and give the warnings. */
typedef struct {
    es_shm_t *shm;
    unsigned number;
    _Atomic apr_uint64_t *warned;
    _Atomic int *stop;
    unsigned wrong;
} crowd_t;

#define CROWD 900 /* sign-ins of a thread, some ten times as many as there is room for */

static void *sign_in_to_a_full_store(void *baton)
{
    crowd_t *crowd = baton;
    es_store_t *store = es_shm_store(crowd->shm);
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    for (unsigned n = 0; n < CROWD; n++) {
        unsigned number = (crowd->number + 1) * 100000 + n;
        es_hash_t key = table_key(number), user = table_key(n % USERS);
        const es_hash_t subjects[] = { user, key, table_key(7) };
        apr_time_t now = NOW + apr_time_from_sec(n);
        es_why_t why = ES_WHY_INIT;

        crowd->wrong += store->insert(store, &key, table_record(number, n % 3 ? 8 : 2000, pool), subjects, 3, LATER,
                                      now, &why) != ES_OK;
        *crowd->warned += es_shm_unwarned(crowd->shm, now);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void *look_at_the_status(void *baton)
{
    crowd_t *crowd = baton;
    es_shm_counters_t counters;
    apr_uint64_t evicted = 0;

    while (!*crowd->stop) {
        es_shm_count(&counters, crowd->shm, NOW);
        crowd->wrong += counters.table.blocks_used > counters.table.blocks || counters.table.evicted < evicted;
        evicted = counters.table.evicted;
        es_shm_tidy(crowd->shm, NOW);
    }
    return NULL;
}

START_TEST(threads_fill_a_store)
{
    apr_size_t size = es_shm_minimum() + 32 * 1024;
    void *memory = table_memory(size);
    _Atomic apr_uint64_t warned = 0;
    _Atomic int stop = 0;
    es_why_t why = ES_WHY_INIT;
    apr_uint64_t by_size = 0;
    es_shm_counters_t counters;
    pthread_t threads[THREADS];
    crowd_t crowd[THREADS];
    es_shm_t *shm;

    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    for (unsigned i = 0; i < THREADS; i++) {
        crowd[i] = (crowd_t){ shm, i, &warned, &stop, 0 };
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, i == 0 ? look_at_the_status : sign_in_to_a_full_store, &crowd[i]), 0);
    }
    for (int i = THREADS - 1; i >= 0; i--) {
        stop = i == 0;
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(crowd[i].wrong, 0);
    }
    es_shm_count(&counters, shm, NOW);
    for (int i = 0; i < ES_TABLE_SIZES; i++) {
        by_size += counters.table.sizes[i];
    }
    ck_assert_uint_gt(counters.table.evicted, CROWD);
    ck_assert_uint_eq(counters.table.inserted, (THREADS - 1) * CROWD);
    ck_assert_uint_eq(counters.table.records, counters.table.inserted - counters.table.evicted);
    ck_assert_uint_eq(by_size, counters.table.records);
    warned += es_shm_unwarned(shm, NOW + apr_time_from_sec(CROWD + 60));
    ck_assert_uint_eq(warned, counters.table.evicted);
    ck_assert_reason(es_shm_recover(shm, &why), ES_OK, why);
    es_shm_count(&counters, shm, NOW);
    ck_assert_uint_eq(counters.table.records, by_size);
    ck_assert_uint_eq(counters.table.repaired, 0);
}
END_TEST

Suite *suite_shm_shared(void)
{
    Suite *suite = suite_create("shm_shared");
    TCase *threads = unit_case(suite, "threads");

    tcase_add_test(threads, threads_share_a_store);
    tcase_add_test(threads, threads_fill_a_store);
    return suite;
}
