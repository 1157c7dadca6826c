/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From one shared memory into another of another size: whoever is alive arrives whole, or is counted.
 */
#include "unit.h"

#include "session/shm.h"
#include "table_tools.h"

#define SEC(n) apr_time_from_sec(n)
#define NOW SEC(1700000000)
#define LATER (NOW + SEC(3600))
#define KIB ((apr_size_t)1024)

#define EVERYBODY 9000000 /* the subject of all sessions */

static es_shm_t *make(apr_size_t size)
{
    unsigned char *memory = table_memory(size);
    es_why_t why = ES_WHY_INIT;
    es_shm_t *shm;

    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    return shm;
}

/* A session with two subjects, one of its own and EVERYBODY. */
static es_rv_t put(es_shm_t *shm, unsigned number, apr_size_t len, apr_time_t expires, apr_time_t used)
{
    const es_hash_t subjects[] = { table_key(number + 1000000), table_key(EVERYBODY) };
    es_store_t *store = es_shm_store(shm);
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;

    return store->insert(store, &key, table_record(number, len, unit_pool), subjects, 2, expires, used, &why);
}

static es_stored_t find(es_shm_t *shm, unsigned number, apr_time_t now)
{
    es_store_t *store = es_shm_store(shm);
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;

    ck_assert_reason(store->find(&stored, store, &key, now, &why, unit_pool), ES_OK, why);
    ck_assert_msg(!stored.record.data || table_is_whole(&stored, number), "the record of session %u is torn", number);
    return stored;
}

static int listed(es_shm_t *shm, unsigned subject, apr_time_t now)
{
    es_store_t *store = es_shm_store(shm);
    es_hash_t hash = table_key(subject);
    es_why_t why = ES_WHY_INIT;
    es_listed_t *list;
    int n;

    ck_assert_reason(store->list(&list, &n, store, &hash, now, &why, unit_pool), ES_OK, why);
    return n;
}

/* Returns whether the mark was new. */
static int mark(es_shm_t *shm, unsigned number, apr_time_t expires, apr_time_t now)
{
    es_store_t *store = es_shm_store(shm);
    es_hash_t hash = table_key(number);
    es_why_t why = ES_WHY_INIT;
    int added = 7;

    ck_assert_reason(store->mark_add(&added, store, &hash, expires, now, &why), ES_OK, why);
    return added;
}

static es_shm_counters_t count(es_shm_t *shm, apr_time_t now)
{
    es_shm_counters_t counters;

    es_shm_count(&counters, shm, now);
    return counters;
}

/* The new memory keeps its invariants, too. */
static es_carried_t carry(es_shm_t *to, es_shm_t *from, apr_time_t now)
{
    es_why_t why = ES_WHY_INIT;
    es_carried_t carried;

    ck_assert_reason(es_shm_recover(from, &why), ES_OK, why);
    ck_assert_reason(es_shm_carry(&carried, to, from, now, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_shm_recover(to, &why), ES_OK, why);
    ck_assert_uint_eq(count(to, now).table.records, carried.sessions);
    ck_assert_uint_eq(count(to, now).marks.used, carried.marks);
    return carried;
}

START_TEST(everything_alive_arrives_in_a_larger_one)
{
    es_shm_t *from = make(2048 * KIB), *to = make(2048 * KIB + (apr_size_t)_i * 1024 * KIB);
    es_carried_t carried;

    for (unsigned n = 0; n < 500; n++) {
        ck_assert_int_eq(put(from, n, n == 7 ? 100000 : 1 + n * 3, LATER + SEC(n), NOW + SEC(n)), ES_OK);
    }
    for (unsigned n = 0; n < 300; n++) {
        ck_assert_int_eq(mark(from, n, LATER + SEC(n), NOW + SEC(n)), 1);
    }
    carried = carry(to, from, NOW + SEC(600));
    ck_assert(carried.sessions == 500 && carried.marks == 300 && carried.left == 0);
    for (unsigned n = 0; n < 500; n++) {
        es_stored_t stored = find(to, n, NOW + SEC(600));

        ck_assert_ptr_nonnull(stored.record.data);
        ck_assert_uint_eq(stored.record.len, n == 7 ? 100000 : 1 + n * 3);
        ck_assert(stored.expires == LATER + SEC(n) && stored.last_used == NOW + SEC(n));
        ck_assert_int_eq(listed(to, n + 1000000, NOW + SEC(600)), 1);
    }
    ck_assert_int_eq(listed(to, EVERYBODY, NOW + SEC(600)), 500);
    ck_assert(count(to, NOW + SEC(600)).oldest_mark == NOW);
    /* Each mark until its own second, and no longer. */
    for (unsigned n = 0; n < 300; n++) {
        ck_assert_int_eq(mark(to, n, LATER + SEC(n), LATER + SEC(n) - 1), 0);
        ck_assert_int_eq(mark(to, n, LATER + SEC(1000), LATER + SEC(n)), 1);
    }
}
END_TEST

START_TEST(what_has_expired_stays_behind_uncounted)
{
    es_shm_t *from = make(1024 * KIB), *to = make(2048 * KIB);
    es_carried_t carried;

    for (unsigned n = 0; n < 100; n++) {
        put(from, n, 900, n % 2 ? LATER : LATER + 1, NOW);
        mark(from, n, n % 2 ? LATER : LATER + SEC(1), NOW);
    }
    carried = carry(to, from, LATER);
    ck_assert(carried.sessions == 50 && carried.marks == 50 && carried.left == 0);
    ck_assert_int_eq(listed(to, EVERYBODY, NOW), 50);
    ck_assert_ptr_null(find(to, 1, NOW).record.data);
    ck_assert_ptr_nonnull(find(to, 0, NOW).record.data);
    carried = carry(make(1024 * KIB), make(2048 * KIB), NOW); /* nobody there */
    ck_assert(carried.sessions == 0 && carried.marks == 0 && carried.left == 0);
}
END_TEST

static es_shm_t *make_with_ring(apr_size_t size, apr_size_t ring_size)
{
    unsigned char *memory = table_memory(size);
    es_why_t why = ES_WHY_INIT;
    es_shm_t *shm;

    ck_assert_reason(es_shm_format_with(memory, size, ring_size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    ck_assert_uint_eq(es_shm_ring_size(shm), ring_size);
    return shm;
}

static es_rv_t keep(es_shm_t *shm, unsigned number, apr_size_t len, apr_time_t expires)
{
    const es_holder_t holder = { number, number };
    es_store_t *store = es_shm_store(shm);
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;

    return store->keep(store, &key, table_record(number, len, unit_pool), &holder, expires, NOW, &why);
}

static int has_kept(es_shm_t *shm, unsigned number, apr_time_t now)
{
    es_store_t *store = es_shm_store(shm);
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored = { .slot = 0 };

    ck_assert_reason(store->kept_find(&stored.record, store, &key, now, &why, unit_pool), ES_OK, why);
    ck_assert(!stored.record.data || table_is_whole(&stored, number));
    return stored.record.data != NULL;
}

/* What is kept for browsers goes along, with its expiry; where there is less room, as much of it as fits. */
START_TEST(what_is_kept_goes_along)
{
    es_shm_t *from = make_with_ring(1024 * KIB, 256 * KIB), *to = make_with_ring(1024 * KIB, 512 * KIB), *small;

    for (unsigned n = 0; n < 30; n++) {
        ck_assert_int_eq(keep(from, n, 4000, n % 2 ? LATER : LATER + SEC(1)), ES_OK);
    }
    carry(to, from, NOW + SEC(10));
    for (unsigned n = 0; n < 30; n++) {
        ck_assert(has_kept(to, n, LATER - 1));
        ck_assert_int_eq(has_kept(to, n, LATER), n % 2 == 0);
    }
    small = make_with_ring(1024 * KIB, 64 * KIB);
    carry(small, from, LATER);
    ck_assert(count(small, LATER).ring.items >= 8 && count(small, LATER).ring.items < 15);
}
END_TEST

START_TEST(the_longest_idle_stay_behind_where_room_is_less)
{
    es_shm_t *from = make(5120 * KIB), *to = make(1024 * KIB);
    es_carried_t carried;
    unsigned n, total = 0;

    es_shm_refuse_when_full(from, 1);
    while (put(from, total, 900, LATER, NOW + SEC(total * 7 % 2003)) == ES_OK) {
        total++;
    }
    ck_assert_uint_gt(total, 2003);
    carried = carry(to, from, NOW + SEC(2003));
    ck_assert_uint_eq(carried.sessions + carried.left, total);
    ck_assert(carried.sessions > 400 && carried.left > 1000);
    ck_assert_uint_lt(count(to, NOW).table.blocks - count(to, NOW).table.blocks_used, 4); /* no room for another */
    ck_assert_uint_eq(count(to, NOW).table.evicted, 0);
    /* Nobody who is there was idle for longer than somebody who is not. */
    apr_time_t earliest = LATER, latest = 0;
    for (n = 0; n < total; n++) {
        const apr_time_t used = NOW + SEC(n * 7 % 2003);

        if (find(to, n, NOW).record.data) {
            earliest = used < earliest ? used : earliest;
            ck_assert_int_eq(listed(to, n + 1000000, NOW), 1);
        } else {
            latest = used > latest ? used : latest;
            ck_assert_int_eq(listed(to, n + 1000000, NOW), 0);
        }
    }
    ck_assert(latest <= earliest && listed(to, EVERYBODY, NOW) == (int)carried.sessions);
    /* What follows evicts again, as everywhere. */
    ck_assert_int_eq(put(to, total, 900, LATER, NOW + SEC(3000)), ES_OK);
}
END_TEST

/* One too large for the new memory does not keep out those behind it. */
START_TEST(whoever_fits_is_taken)
{
    es_shm_t *from = make(8192 * KIB), *to = make(1024 * KIB);
    es_carried_t carried;

    put(from, 0, ES_TABLE_RECORD_MAX, LATER, NOW + SEC(9));
    for (unsigned n = 1; n <= 20; n++) {
        put(from, n, 900, LATER, NOW);
    }
    carried = carry(to, from, NOW + SEC(10));
    ck_assert(carried.sessions == 20 && carried.left == 1 && !find(to, 0, NOW).record.data);
}
END_TEST

/* "Used in the future", before a clock was set back, is no more recent than as long ago. */
START_TEST(the_future_is_as_far_as_the_past)
{
    es_shm_t *from = make(4096 * KIB), *to = make(512 * KIB);

    put(from, 0, 900, LATER, NOW + SEC(3000));
    for (unsigned n = 1; n < 2000; n++) {
        put(from, n, 900, LATER, NOW - SEC(2000) + SEC(n));
    }
    ck_assert_uint_gt(carry(to, from, NOW).left, 0);
    ck_assert_ptr_null(find(to, 0, NOW).record.data);
    ck_assert_ptr_nonnull(find(to, 1999, NOW).record.data);
}
END_TEST

/* Records smaller than Entra makes fill the index first: no session arrives without its entries. */
START_TEST(none_arrives_without_its_entries)
{
    es_shm_t *from = make(4096 * KIB), *to = make(1024 * KIB);
    es_carried_t carried;
    unsigned total = 0, there = 0;

    es_shm_refuse_when_full(from, 1);
    while (put(from, total, 8, LATER, NOW) == ES_OK) {
        total++;
    }
    carried = carry(to, from, NOW);
    ck_assert(carried.left > 0 && carried.sessions + carried.left == total);
    for (unsigned n = 0; n < total; n++) {
        const int is_there = find(to, n, NOW).record.data != NULL;

        ck_assert_int_eq(listed(to, n + 1000000, NOW), is_there);
        there += is_there;
    }
    ck_assert(there == carried.sessions && listed(to, EVERYBODY, NOW) == (int)there);
}
END_TEST

/* A mark left behind would let a used message in again: rather no new memory. */
START_TEST(no_mark_is_ever_left_behind)
{
    es_shm_t *from = make(2048 * KIB), *to = make(1024 * KIB);
    es_why_t why = ES_WHY_INIT;
    es_carried_t carried;

    for (unsigned n = 0; n < 40000; n++) {
        mark(from, n, LATER, NOW);
    }
    ck_assert_reason(es_shm_carry(&carried, to, from, NOW, &why, unit_pool), ES_MARKS_FULL, why);
    why = ES_WHY_INIT;
    ck_assert_reason(es_shm_carry(&carried, make(1024 * KIB), from, LATER, &why, unit_pool), ES_OK, why);
    ck_assert_uint_eq(carried.marks, 0);
}
END_TEST

/* Set before the clock was set back, or for longer than the memory counts: none takes the place of another. */
START_TEST(marks_of_any_age_arrive)
{
    es_shm_t *from = make(1024 * KIB), *to = make(1024 * KIB - 64 * KIB);
    const apr_time_t ends[] = { NOW + SEC(1), LATER, NOW + SEC(100000), NOW + SEC(1000000) };

    for (unsigned n = 0; n < 4000; n++) {
        mark(from, n, ends[n % 4], n % 2 ? NOW - SEC(100) : NOW);
    }
    ck_assert_uint_eq(carry(to, from, NOW - SEC(7200)).marks, 4000);
    for (unsigned n = 0; n < 4000; n++) {
        ck_assert_int_eq(mark(to, n, ends[n % 4], NOW), 0);
    }
}
END_TEST

Suite *suite_carry(void)
{
    Suite *suite = suite_create("carry");
    TCase *carry = unit_case(suite, "carry");

    tcase_add_loop_test(carry, everything_alive_arrives_in_a_larger_one, 0, 4);
    tcase_add_test(carry, what_has_expired_stays_behind_uncounted);
    tcase_add_test(carry, what_is_kept_goes_along);
    tcase_add_test(carry, the_longest_idle_stay_behind_where_room_is_less);
    tcase_add_test(carry, whoever_fits_is_taken);
    tcase_add_test(carry, the_future_is_as_far_as_the_past);
    tcase_add_test(carry, none_arrives_without_its_entries);
    tcase_add_test(carry, no_mark_is_ever_left_behind);
    tcase_add_test(carry, marks_of_any_age_arrive);
    return suite;
}
