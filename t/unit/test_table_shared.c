/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session table among processes and threads: writers killed at any moment, readers beside writers.
 */
#include "unit.h"

#include "session/table_layout.h"
#include "table_tools.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW apr_time_from_sec(1700000000)
#define LATER (NOW + apr_time_from_sec(3600))

/* Sessions of the writers to be killed; those above belong to bystanders. */
#define OWN 40
#define BYSTANDERS 200
#define ROUNDS 120

/* One random operation on one of the writer's own sessions. */
static void write_something(es_table_t *table, unsigned first, apr_pool_t *pool)
{
    unsigned n = first + (unsigned)random() % OWN;
    es_hash_t key = table_key(n);
    es_why_t why = ES_WHY_INIT;

    switch (random() % 6) {
    case 0:
        es_table_remove(NULL, table, &key, &why);
        break;
    case 1:
        es_table_expire(table, NOW, 3);
        break;
    default:
        es_table_insert(table, &key, table_record(n, (apr_size_t)random() % 4000, pool), NOW + random() % 3 - 1, NOW,
                        &why);
    }
}

/* Starts a process that writes, and kills it after some microseconds. */
static void kill_a_writer(es_table_t *table, unsigned round)
{
    apr_uint64_t inserted = table_count(table).inserted;
    pid_t child = fork();

    ck_assert(child >= 0);
    if (child == 0) {
        apr_pool_t *pool;

        apr_pool_create(&pool, NULL);
        srandom(round);
        for (;;) {
            write_something(table, 0, pool);
            apr_pool_clear(pool);
        }
    }
    while (table_count(table).inserted == inserted) {
        sched_yield(); /* until it is at work */
    }
    usleep((useconds_t)random() % 2000);
    kill(child, SIGKILL);
    ck_assert(waitpid(child, NULL, 0) == child);
}

/* Starts a process that reads the bystanders' sessions all the time, also beside the repairs. */
static pid_t start_reader(es_table_t *table, _Atomic unsigned *seen, _Atomic unsigned *missed)
{
    pid_t child = fork();
    apr_pool_t *pool;

    ck_assert(child >= 0);
    if (child > 0) {
        return child;
    }
    apr_pool_create(&pool, NULL);
    for (unsigned i = 0;; i++) {
        es_hash_t key = table_key(OWN + i % BYSTANDERS);
        es_why_t why = ES_WHY_INIT;
        es_stored_t stored;

        es_table_find(&stored, table, &key, NOW, &why, pool);
        ++*(stored.record.data && table_is_whole(&stored, OWN + i % BYSTANDERS) ? seen : missed);
        apr_pool_clear(pool);
    }
}

/* Whoever comes next repairs on sight: it need only take every mutex once. */
static void visit(es_table_t *table)
{
    es_why_t why = ES_WHY_INIT;

    for (apr_uint32_t i = 0; i < table->n_shards; i++) {
        ck_assert(es_table_enter(table, i));
        es_table_leave(table, i);
    }
    table_put(table, OWN + BYSTANDERS, 100, LATER, NOW);
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}

START_TEST(a_killed_writer_harms_nobody_else)
{
    static const apr_size_t sizes[] = { 512 * 1024, 4 * 1024 * 1024 };
    es_table_t *table = table_new(sizes[_i]);
    _Atomic unsigned *seen = table_memory(4096), *missed = seen + 1;
    pid_t reader;

    for (unsigned n = OWN; n < OWN + BYSTANDERS; n++) {
        table_put(table, n, 900, LATER, NOW);
    }
    reader = start_reader(table, seen, missed);
    for (unsigned round = 0; round < ROUNDS; round++) {
        kill_a_writer(table, round);
        for (unsigned n = OWN; n < OWN + BYSTANDERS; n++) {
            ck_assert_msg(table_has(table, n, NOW), "round %u: session %u is gone", round, n);
        }
        for (unsigned n = 0; n < OWN; n++) {
            table_has(table, n, NOW);
        }
        visit(table);
        apr_pool_clear(unit_pool);
        table = table_again();
    }
    kill(reader, SIGKILL);
    ck_assert(waitpid(reader, NULL, 0) == reader);
    ck_assert_uint_gt(*seen, 1000);
    ck_assert_uint_eq(*missed, 0);
    ck_assert_uint_eq(table_count(table).evicted, 0);
    ck_assert_msg(table_count(table).repaired > ROUNDS / 10, "only %lu of %d kills struck a writer inside",
                  (unsigned long)table_count(table).repaired, ROUNDS);
}
END_TEST

/* The same in a table that is full all the time, so that evictions are interrupted too. Nothing may leak: in the end
 * the table is filled again to the last block. */
START_TEST(a_killed_writer_leaks_nothing)
{
    static const apr_size_t sizes[] = { 64 * 1024, 600 * 1024 };
    es_table_t *table = table_new(sizes[_i]);
    unsigned enough = (unsigned)table_count(table).blocks + OWN;
    es_why_t why = ES_WHY_INIT;

    for (unsigned round = 0; round < ROUNDS; round++) {
        kill_a_writer(table, round);
        /* Without a visit the blocks that the dead one took are found when room is needed. */
        for (unsigned n = 0; n < enough; n++) {
            table_put(table, n, 1, LATER, NOW);
        }
        ck_assert_uint_eq(table_count(table).blocks_used, table_count(table).blocks);
        ck_assert_reason(es_table_check(table, &why), ES_OK, why);
        apr_pool_clear(unit_pool);
        table = table_again();
    }
}
END_TEST

/* Threads. Check's assertions belong to the main thread, so the others count. */
typedef struct {
    es_table_t *table;
    unsigned number;
    _Atomic int *stop;
    apr_uint64_t seen, missed, torn;
} worker_t;

#define READ_SESSIONS 4

/* Replaces the same few sessions all the time, so that their blocks are recycled under the readers. */
static void *replace_all_the_time(void *baton)
{
    worker_t *worker = baton;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    for (unsigned i = 0; !*worker->stop; i++) {
        es_hash_t key = table_key(i % READ_SESSIONS);
        es_why_t why = ES_WHY_INIT;

        es_table_insert(worker->table, &key, table_record(i % READ_SESSIONS, 300 + i * 7 % 3000, pool), LATER, NOW,
                        &why);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void *read_all_the_time(void *baton)
{
    worker_t *worker = baton;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    for (unsigned i = 0; !*worker->stop; i++) {
        unsigned n = i % READ_SESSIONS;
        es_hash_t key = table_key(n);
        es_why_t why = ES_WHY_INIT;
        es_stored_t stored;

        es_table_find(&stored, worker->table, &key, NOW, &why, pool);
        if (!stored.record.data) {
            worker->missed++;
        } else {
            worker->seen++;
            worker->torn += !table_is_whole(&stored, n);
            es_table_touch(worker->table, &key, &stored, NOW + i);
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

START_TEST(readers_see_whole_records)
{
    es_table_t *table = table_new(64 * 1024);
    _Atomic int stop = 0;
    worker_t workers[3] = { { table, 0, &stop, 0, 0, 0 }, { table, 1, &stop, 0, 0, 0 }, { table, 2, &stop, 0, 0, 0 } };
    pthread_t threads[3];
    es_why_t why = ES_WHY_INIT;

    for (unsigned n = 0; n < READ_SESSIONS; n++) {
        table_put(table, n, 1000, LATER, NOW);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, i == 0 ? replace_all_the_time : read_all_the_time, &workers[i]), 0);
    }
    usleep(1000000);
    stop = 1;
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(workers[1].torn + workers[2].torn, 0);
    ck_assert_uint_eq(workers[1].missed + workers[2].missed, 0);
    ck_assert_uint_gt(workers[1].seen + workers[2].seen, 1000);
    ck_assert_uint_gt(table_count(table).inserted, 1000);
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}
END_TEST

static void *write_own(void *baton)
{
    worker_t *worker = baton;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    for (int i = 0; i < 4000; i++) {
        write_something(worker->table, worker->number * OWN, pool);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

/* Writers in one shard, too small for them all, so that they evict each other's sessions; and in two shards. */
START_TEST(writers_beside_writers)
{
    static const apr_size_t sizes[] = { 64 * 1024, 600 * 1024 };
    es_table_t *table = table_new(sizes[_i]);
    worker_t workers[4];
    pthread_t threads[4];
    es_why_t why = ES_WHY_INIT;

    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (worker_t){ table, i, NULL, 0, 0, 0 };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_own, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(table_count(table).repaired, 0);
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
    for (unsigned n = 0; n < 4 * OWN; n++) {
        table_has(table, n, NOW);
    }
}
END_TEST

Suite *suite_table_shared(void)
{
    Suite *suite = suite_create("table_shared");
    TCase *kills = unit_case(suite, "kills"), *threads = unit_case(suite, "threads");

    tcase_add_loop_test(kills, a_killed_writer_harms_nobody_else, 0, 2);
    tcase_add_loop_test(kills, a_killed_writer_leaks_nothing, 0, 2);
    tcase_add_test(threads, readers_see_whole_records);
    tcase_add_loop_test(threads, writers_beside_writers, 0, 2);
    return suite;
}
