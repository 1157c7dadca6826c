/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The replay memory: marks live as long as they must, and of many adders exactly one wins.
 */
#include "unit.h"

#include "base/crypto.h"
#include "session/replay.h"
#include "table_tools.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW apr_time_from_sec(1700000000)
#define SEC(n) apr_time_from_sec(n)

static unsigned char *memory;
static apr_size_t memory_size;

static es_replay_t *replay_again(void)
{
    es_why_t why = ES_WHY_INIT;
    es_replay_t *replay;

    ck_assert_reason(es_replay_attach(&replay, memory, memory_size, &why, unit_pool), ES_OK, why);
    return replay;
}

static es_replay_t *replay_new(apr_size_t size)
{
    es_why_t why = ES_WHY_INIT;

    memory = table_memory(size);
    memory_size = size;
    ck_assert_reason(es_replay_format(memory, size, &why), ES_OK, why);
    return replay_again();
}

static es_hash_t mark(unsigned number)
{
    return es_crypto_sha256(es_bytes(&number, sizeof number));
}

static int add(es_replay_t *replay, unsigned number, apr_time_t expires, apr_time_t now)
{
    es_why_t why = ES_WHY_INIT;
    es_hash_t hash = mark(number);
    int added = 7;

    ck_assert_reason(es_replay_add(&added, replay, &hash, expires, now, &why), ES_OK, why);
    return added;
}

static int has(es_replay_t *replay, unsigned number, apr_time_t now)
{
    es_why_t why = ES_WHY_INIT;
    es_hash_t hash = mark(number);
    int found = 7;

    ck_assert_reason(es_replay_find(&found, replay, &hash, now, &why), ES_OK, why);
    return found;
}

START_TEST(refuses_foreign_memory)
{
    apr_size_t size = es_replay_minimum();
    es_why_t why = ES_WHY_INIT;
    es_replay_t *replay = NULL;

    memory = table_memory(size + 4096);
    ck_assert_reason(es_replay_format(memory, 500, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_replay_format(memory + 8, size, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_replay_attach(&replay, memory, size, &why, unit_pool), ES_CONFIG_STATE, why);
    memset(memory, 0xa5, size);
    why.rv = ES_OK;
    ck_assert_reason(es_replay_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_replay_attach(&replay, memory, size + 4096, &why, unit_pool), ES_CONFIG_STATE, why);
    memory[17] ^= 1;
    why.rv = ES_OK;
    ck_assert_reason(es_replay_attach(&replay, memory, size, &why, unit_pool), ES_CONFIG_STATE, why);
    ck_assert_ptr_null(replay);
}
END_TEST

START_TEST(marks_until_its_time)
{
    es_replay_t *replay = replay_new(es_replay_minimum());

    ck_assert(!has(replay, 1, NOW));
    ck_assert_int_eq(add(replay, 1, NOW + SEC(60), NOW), 1);
    ck_assert_int_eq(add(replay, 1, NOW + SEC(60), NOW), 0);
    ck_assert_int_eq(add(replay, 1, NOW + SEC(600), NOW), 0); /* a mark is not prolonged */
    ck_assert(has(replay, 1, NOW));
    ck_assert(has(replay, 1, NOW + SEC(60) - 1));
    ck_assert(!has(replay, 1, NOW + SEC(60)));
    ck_assert_int_eq(add(replay, 2, NOW + SEC(60) + 1, NOW), 1);
    ck_assert(has(replay, 2, NOW + SEC(60) + 1)); /* rounded up, never dropped early */
    ck_assert_int_eq(add(replay, 1, NOW + SEC(120), NOW + SEC(60)), 1);
    ck_assert_int_eq(add(replay, 1, NOW + SEC(120), NOW + SEC(60)), 0);
}
END_TEST

START_TEST(a_clock_set_back_finds_what_had_expired)
{
    es_replay_t *replay = replay_new(es_replay_minimum());

    add(replay, 1, NOW + SEC(60), NOW);
    ck_assert(!has(replay, 1, NOW + SEC(7200)));
    ck_assert(has(replay, 1, NOW - SEC(7200)));
    ck_assert_int_eq(add(replay, 1, NOW + SEC(60), NOW - SEC(7200)), 0);
    /* Another mark of the future does not need its place. */
    add(replay, 2, NOW + SEC(9000), NOW + SEC(7200));
    ck_assert_int_eq(add(replay, 1, NOW + SEC(60), NOW), 0);
}
END_TEST

/* Times no clock should have: one adder wins all the same. */
START_TEST(strange_times_still_let_one_win)
{
    es_replay_t *replay = replay_new(es_replay_minimum());

    ck_assert_int_eq(add(replay, 1, NOW - SEC(1), NOW), 1);
    ck_assert_int_eq(add(replay, 1, NOW - SEC(1), NOW), 0);
    ck_assert_int_eq(add(replay, 2, -SEC(5), 0), 1);
    ck_assert_int_eq(add(replay, 2, -SEC(5), 0), 0);
    ck_assert_int_eq(add(replay, 3, APR_INT64_MAX / 2, NOW), 1);
    ck_assert_int_eq(add(replay, 3, APR_INT64_MAX / 2, NOW), 0);
}
END_TEST

/* Fills up to the first refusal, at several sizes: hardly a place is left, no mark is lost, and time makes room. */
START_TEST(full_of_live_marks_refuses)
{
    static const apr_size_t sizes[] = { 0, 64 * 1024, 1024 * 1024, 4 * 1024 * 1024 };
    es_replay_t *replay = replay_new(sizes[_i] ? sizes[_i] : es_replay_minimum());
    es_replay_counters_t counters;
    es_why_t why = ES_WHY_INIT;
    unsigned n = 0;
    es_hash_t hash;
    int added = 7;

    do {
        hash = mark(n++);
    } while (es_replay_add(&added, replay, &hash, NOW + SEC(60) + SEC(n % 7), NOW, &why) == ES_OK);
    ck_assert_reason(why.rv, ES_MARKS_FULL, why);
    n--;
    es_replay_count(&counters, replay, NOW);
    ck_assert_uint_eq(counters.used, n);
    ck_assert_uint_eq(counters.added, n);
    ck_assert_uint_eq(counters.refused, 1);
    ck_assert_uint_gt(counters.used * 100, counters.room * 97);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_msg(has(replay, i, NOW), "mark %u of %u is lost", i, n);
        ck_assert_int_eq(add(replay, i, NOW + SEC(60), NOW), 0);
    }
    ck_assert(!has(replay, n, NOW));
    ck_assert_int_eq(add(replay, n, NOW + SEC(600), NOW + SEC(61)), 1);
    ck_assert(has(replay, n, NOW + SEC(61)));
    es_replay_count(&counters, replay, NOW + SEC(1000));
    ck_assert_uint_eq(counters.used, 0);
}
END_TEST

/* The chance that the first shard is full before ES_REPLAY_SURE of all places are in use, at the smallest shards there
 * are and at larger ones: by Chernoff's bound, n marks put one of s shards over its p places with a probability below
 * exp(-n * D(p/n || 1/s)). The memory tells the places of a shard in its refusal. */
START_TEST(shards_fill_evenly_enough)
{
    static const unsigned mib[] = { 1, 13, 35, 43, 135 };
    apr_size_t size = (apr_size_t)mib[_i] * 1024 * 1024;
    es_replay_t *replay = replay_new(size);
    es_replay_counters_t counters;
    es_why_t why = ES_WHY_INIT;
    unsigned long places;
    double shards, marks, share, even;
    es_hash_t hash = mark(0);
    int added = 1;

    /* The first four octets decide the shard, the last of the fingerprint the home. */
    for (unsigned n = 0; es_replay_add(&added, replay, &hash, NOW + SEC(60), NOW, &why) == ES_OK; n++) {
        const apr_uint32_t spread = (n + 1) * 2654435761u;

        ck_assert_int_eq(added, 1);
        memcpy(hash.octet + 8, &spread, sizeof spread);
    }
    ck_assert_reason(why.rv, ES_MARKS_FULL, why);
    ck_assert_int_eq(sscanf(why.text, "all %lu replay marks", &places), 1);
    es_replay_count(&counters, replay, NOW);
    ck_assert_uint_eq(counters.room % places, 0);
    shards = (double)(counters.room / places);
    marks = (double)counters.room * ES_REPLAY_SURE / 100;
    share = (double)places / marks;
    even = 1 / shards;
    if (shards > 1) {
        double per_mark = share * log(share / even) + (1 - share) * log((1 - share) / (1 - even));

        ck_assert_msg(log(shards) - marks * per_mark < log(1e-9), "of %g shards with %lu places", shards, places);
    }
}
END_TEST

/* Marks by chance, four times: the first shard is full beyond what is promised. */
START_TEST(the_first_shard_is_full_late)
{
    es_replay_t *replay = replay_new(4 * 1024 * 1024);
    es_replay_counters_t counters;
    es_why_t why = ES_WHY_INIT;
    unsigned n = (unsigned)_i * 1000000;
    es_hash_t hash = table_key(n);
    int added;

    while (es_replay_add(&added, replay, &hash, NOW + SEC(60), NOW, &why) == ES_OK) {
        hash = table_key(++n);
    }
    ck_assert_reason(why.rv, ES_MARKS_FULL, why);
    es_replay_count(&counters, replay, NOW);
    ck_assert_uint_gt(counters.used * 100, counters.room * ES_REPLAY_SURE);
}
END_TEST

/* More than a million places: counting looks at some, and says so. */
START_TEST(a_large_memory_is_counted_by_a_sample)
{
    const unsigned many = 300000;
    es_replay_t *replay = replay_new(40 * 1024 * 1024);
    es_replay_counters_t counters;

    es_replay_count(&counters, replay, NOW);
    ck_assert(counters.sampled && counters.used == 0 && counters.oldest == 0);
    for (unsigned n = 0; n < many; n++) {
        es_why_t why = ES_WHY_INIT;
        es_hash_t hash = table_key(n);
        int added;

        ck_assert_reason(es_replay_add(&added, replay, &hash, NOW + SEC(4000), NOW + SEC(n * 3600ul / many), &why),
                         ES_OK, why);
    }
    es_replay_count(&counters, replay, NOW + SEC(3600));
    ck_assert(counters.sampled && counters.added == many);
    ck_assert_uint_ge(counters.used, many / 100 * 98);
    ck_assert_uint_le(counters.used, many / 100 * 102);
    ck_assert(counters.oldest >= NOW && counters.oldest <= NOW + SEC(5));
    es_replay_count(&counters, replay_new(16 * 1024 * 1024), NOW);
    ck_assert(!counters.sampled);
}
END_TEST

/* A day of sign-ins in a memory four fifths full: no mark is lost while it lives. */
START_TEST(forgets_nothing_in_a_day)
{
    es_replay_t *replay = replay_new(64 * 1024);
    es_replay_counters_t counters;
    unsigned n, live;

    es_replay_count(&counters, replay, NOW);
    live = (unsigned)counters.room * 4 / 5;
    for (n = 0; n < live * 24; n++) {
        ck_assert_int_eq(add(replay, n, NOW + SEC(n + live), NOW + SEC(n)), 1);
        if (n >= live) {
            unsigned old = n - (unsigned)random() % live;

            ck_assert_msg(has(replay, old, NOW + SEC(n)), "mark %u is lost at %u", old, n);
        }
    }
    ck_assert(!has(replay, 0, NOW + SEC(n)));
}
END_TEST

/* Two threads and two processes add the same marks, each mark when all four have come to it. */
#define RACES 3000
#define RACERS 4
typedef struct {
    es_replay_t *replay;
    _Atomic unsigned *arrived;
    _Atomic unsigned *winners;
} racer_t;

static void *race(void *baton)
{
    racer_t *racer = baton;

    for (unsigned n = 0; n < RACES; n++) {
        es_hash_t hash = mark(n);
        es_why_t why = ES_WHY_INIT;
        int added = 0;

        ++*racer->arrived;
        while (*racer->arrived < (n + 1) * RACERS) {
            sched_yield();
        }
        if (es_replay_add(&added, racer->replay, &hash, NOW + SEC(60), NOW, &why) == ES_OK && added) {
            racer->winners[n]++;
        }
    }
    return NULL;
}

START_TEST(one_winner_of_many)
{
    es_replay_t *replay = replay_new(1024 * 1024);
    _Atomic unsigned *winners = table_memory(RACES * sizeof *winners);
    racer_t racer = { replay, table_memory(4096), winners };
    pthread_t threads[RACERS / 2];
    pid_t children[RACERS / 2];

    for (int i = 0; i < RACERS / 2; i++) {
        children[i] = fork();
        ck_assert(children[i] >= 0);
        if (children[i] == 0) {
            race(&racer);
            _exit(0);
        }
    }
    for (int i = 0; i < RACERS / 2; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &racer), 0);
    }
    for (int i = 0; i < RACERS / 2; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(waitpid(children[i], NULL, 0) == children[i]);
    }
    for (unsigned n = 0; n < RACES; n++) {
        ck_assert_msg(winners[n] == 1, "mark %u has %u winners", n, winners[n]);
        ck_assert(has(replay, n, NOW));
    }
}
END_TEST

/* Adders killed at any moment: a mark is there or not, others are untouched, nobody hangs. */
START_TEST(a_killed_adder_harms_nobody)
{
    es_replay_t *replay = replay_new(64 * 1024);

    for (unsigned n = 0; n < 500; n++) {
        add(replay, n, NOW + SEC(100000), NOW);
    }
    for (unsigned round = 0; round < 60; round++) {
        pid_t child = fork();

        ck_assert(child >= 0);
        if (child == 0) {
            for (unsigned n = 0;; n++) {
                es_hash_t hash = mark(1000 + n % 2000);
                es_why_t why = ES_WHY_INIT;
                int added;

                es_replay_add(&added, replay, &hash, NOW + SEC(n % 40000 + 1), NOW + SEC(n % 40000), &why);
            }
        }
        usleep((useconds_t)random() % 2000);
        kill(child, SIGKILL);
        ck_assert(waitpid(child, NULL, 0) == child);
        for (unsigned n = 0; n < 500; n++) {
            ck_assert_msg(has(replay, n, NOW), "round %u: mark %u is lost", round, n);
        }
        ck_assert_int_eq(add(replay, 5000 + round, NOW + SEC(100000), NOW + SEC(50000)), 1);
    }
}
END_TEST

START_TEST(works_at_any_address_and_recovers)
{
    es_replay_t *replay = replay_new(1024 * 1024);
    unsigned char *copy = table_memory(memory_size);
    es_why_t why = ES_WHY_INIT;
    unsigned n;

    for (n = 0; n < 40000; n++) {
        add(replay, n, NOW + SEC(60), NOW);
    }
    memcpy(copy, memory, memory_size);
    memory = copy;
    replay = replay_again();
    ck_assert_reason(es_replay_recover(replay, &why), ES_OK, why);
    for (n = 0; n < 40000; n++) {
        ck_assert(has(replay, n, NOW));
    }
    ck_assert_int_eq(add(replay, n, NOW + SEC(60), NOW), 1);
}
END_TEST

/* Damage behind the header and the mutexes: no crash, no hang, and a recovered memory works. */
START_TEST(survives_damage)
{
    es_replay_t *replay = replay_new(64 * 1024);
    es_why_t why = ES_WHY_INIT;

    srandom(1);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 20; i++) {
            memory[256 + (apr_size_t)random() % (memory_size - 256)] ^= (unsigned char)(1 << random() % 8);
        }
        for (unsigned n = 0; n < 50; n++) {
            es_hash_t hash = mark((unsigned)random() % 4000);
            es_why_t ignored = ES_WHY_INIT;
            int ignored_result;

            es_replay_find(&ignored_result, replay, &hash, NOW, &ignored);
            es_replay_add(&ignored_result, replay, &hash, NOW + SEC(60), NOW, &ignored);
        }
    }
    ck_assert_reason(es_replay_recover(replay, &why), ES_OK, why);
    ck_assert_int_eq(add(replay, 123456, APR_INT64_MAX / 2, NOW), 1);
    ck_assert(has(replay, 123456, NOW));
}
END_TEST

Suite *suite_replay(void)
{
    Suite *suite = suite_create("replay");
    TCase *contract = unit_case(suite, "contract"), *shared = unit_case(suite, "shared");

    tcase_add_test(contract, refuses_foreign_memory);
    tcase_add_test(contract, marks_until_its_time);
    tcase_add_test(contract, a_clock_set_back_finds_what_had_expired);
    tcase_add_test(contract, strange_times_still_let_one_win);
    tcase_add_loop_test(contract, full_of_live_marks_refuses, 0, 4);
    tcase_add_loop_test(contract, shards_fill_evenly_enough, 0, 5);
    tcase_add_loop_test(contract, the_first_shard_is_full_late, 0, 4);
    tcase_add_test(contract, a_large_memory_is_counted_by_a_sample);
    tcase_add_test(contract, forgets_nothing_in_a_day);
    tcase_add_test(contract, works_at_any_address_and_recovers);
    tcase_add_test(contract, survives_damage);
    tcase_add_test(shared, one_winner_of_many);
    tcase_add_test(shared, a_killed_adder_harms_nobody);
    return suite;
}
