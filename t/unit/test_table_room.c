/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The full session table: what fits, and who goes first.
 */
#include "unit.h"

#include "session/table_layout.h"
#include "table_tools.h"

#define NOW apr_time_from_sec(1700000000)
#define LATER (NOW + apr_time_from_sec(1000000))

/* A table for N sessions holds N, whatever the spread over its shards, before the first live one goes. */
START_TEST(is_full_only_when_full)
{
    es_table_t *table = table_new(4 * 1024 * 1024);
    unsigned n, per = (unsigned)table_count(table).blocks / 4;

    ck_assert_uint_gt(table->n_shards, 4);
    for (n = 0; n < per; n++) {
        table_put(table, n, 900, LATER, NOW + apr_time_from_sec(n));
    }
    ck_assert_uint_eq(table_count(table).evicted, 0);
    ck_assert_uint_eq(table_count(table).records, per);
    ck_assert_uint_le(table_count(table).blocks - table_count(table).blocks_used, 3);
    for (n = 0; n < per; n++) {
        ck_assert_msg(table_has(table, n, NOW), "session %u of %u is gone", n, per);
        apr_pool_clear(unit_pool);
        table = table_again();
    }
    table_put(table, per, 900, LATER, NOW);
    ck_assert_uint_eq(table_count(table).evicted, 1);
    ck_assert_uint_eq(table_count(table).records, per);
}
END_TEST

START_TEST(fits_1_25_and_8_kib)
{
    apr_size_t size = 32 * 1024 * 1024;
    es_table_t *table = table_new(size);
    apr_size_t blocks = table_count(table).blocks;

    /* All that is not blocks counts too. */
    ck_assert_uint_le(size / (blocks / es_table_blocks_for(900)), 1280);
    ck_assert_uint_le(size / (blocks / es_table_blocks_for(900 + 145 * 41)), 8192);
}
END_TEST

/* Fills the table; the sessions of numbers divisible by `some` expire at NOW + 10 s. Returns how many there are. */
static unsigned fill(es_table_t *table, unsigned some)
{
    unsigned n;

    for (n = 0; table_count(table).blocks - table_count(table).blocks_used >= 4; n++) {
        table_put(table, n, 900, n % some == 0 ? NOW + apr_time_from_sec(10) : LATER, NOW);
    }
    return n;
}

START_TEST(expired_go_before_live)
{
    es_table_t *table = table_new(4 * 1024 * 1024);
    es_why_t why = ES_WHY_INIT;
    unsigned i, n = fill(table, 97), dead = (n + 96) / 97;
    apr_time_t now = NOW + apr_time_from_sec(20);

    for (i = 0; i < dead; i++) {
        table_put(table, n + i, 900, LATER, now);
        ck_assert_uint_eq(table_count(table).evicted, 0);
    }
    ck_assert_uint_eq(table_count(table).expired, dead);
    table_put(table, n + dead, 900, LATER, now);
    ck_assert_uint_eq(table_count(table).evicted, 1);
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}
END_TEST

START_TEST(the_one_expired_is_found_among_thousands)
{
    es_table_t *table = table_new(4 * 1024 * 1024);
    unsigned n = fill(table, 1000000);

    ck_assert_uint_gt(n, 3000);
    table_put(table, n, 900, LATER, NOW + apr_time_from_sec(11));
    ck_assert_uint_eq(table_count(table).evicted, 0);
    ck_assert_uint_eq(table_count(table).expired, 1);
    ck_assert(!table_has(table, 0, NOW));
}
END_TEST

START_TEST(the_longest_idle_of_a_sample_goes)
{
    es_table_t *table = table_new(4 * 1024 * 1024);
    es_why_t why = ES_WHY_INIT;
    apr_time_t now = NOW + apr_time_from_sec(1800);
    unsigned i, gone_idle = 0, gone_used = 0, n = fill(table, 1000000);

    /* Every second one is used, the others are not; as many come in as a tenth of them. */
    for (i = 1; i < n; i += 2) {
        es_hash_t key = table_key(i);
        es_stored_t stored;

        es_table_find(&stored, table, &key, NOW, &why, unit_pool);
        es_table_touch(table, &key, &stored, now);
    }
    for (i = 0; i < n / 10; i++) {
        table_put(table, n + i, 900, LATER, now);
    }
    for (i = 1; i < n; i++) {
        if (!table_has(table, i, NOW)) {
            *(i % 2 ? &gone_used : &gone_idle) += 1;
        }
    }
    ck_assert_uint_eq(table_count(table).expired, 1); /* number 0 of fill() */
    ck_assert_uint_eq(table_count(table).evicted, n / 10 - 1);
    ck_assert_uint_eq(gone_used, 0); /* 16 samples, half of them idle: by chance once in 65,536 */
    ck_assert_uint_eq(gone_idle, n / 10 - 1);
}
END_TEST

/* A session last used "in the future", before the clock was set back, is no busier than others. */
START_TEST(a_clock_that_ran_ahead_keeps_nobody)
{
    es_table_t *table = table_new(es_table_minimum());
    es_why_t why = ES_WHY_INIT;
    es_hash_t key = table_key(5);
    es_stored_t stored;
    unsigned n = fill(table, 1000000);

    ck_assert(es_table_remove(NULL, table, &key, &why) == ES_OK);
    table_put(table, 5, 900, LATER, NOW + apr_time_from_sec(86400));
    es_table_find(&stored, table, &key, NOW, &why, unit_pool);
    ck_assert_ptr_nonnull(stored.record.data);
    for (unsigned i = 0; i < 8; i++) {
        table_put(table, n + i, 900, LATER, NOW + 5);
    }
    ck_assert(!table_has(table, 5, NOW));
}
END_TEST

START_TEST(makes_room_for_a_large_one)
{
    es_table_t *table = table_new(4 * 1024 * 1024);
    es_why_t why = ES_WHY_INIT;
    unsigned n = fill(table, 1000000);
    apr_uint64_t need = es_table_blocks_for(ES_TABLE_RECORD_MAX);

    need -= table_count(table).blocks - table_count(table).blocks_used;
    table_put(table, n, ES_TABLE_RECORD_MAX, LATER, NOW);
    ck_assert(table_has(table, n, NOW));
    ck_assert_uint_eq(table_count(table).evicted, (need + 3) / 4);
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}
END_TEST

START_TEST(refuses_without_evicting_what_can_never_fit)
{
    es_table_t *table = table_new(es_table_minimum());
    es_why_t why = ES_WHY_INIT;
    es_hash_t key = table_key(9);
    es_bytes_t record = table_record(9, table_count(table).blocks * ES_TABLE_BLOCK, unit_pool);

    table_put(table, 1, 900, LATER, NOW);
    ck_assert_reason(es_table_insert(table, &key, record, LATER, NOW, &why), ES_STORE_FULL, why);
    ck_assert(table_has(table, 1, NOW));
    ck_assert_uint_eq(table_count(table).refused, 1);
    ck_assert_uint_eq(table_count(table).evicted, 0);
}
END_TEST

/* In a full table a session replaces itself and nobody else. */
START_TEST(replaces_itself_when_full)
{
    es_table_t *table = table_new(es_table_minimum());
    unsigned i, n = fill(table, 1000000);

    for (i = 0; i < 50; i++) {
        table_put(table, 3, 900, LATER, NOW);
    }
    ck_assert_uint_eq(table_count(table).records, n);
    ck_assert_uint_eq(table_count(table).evicted, 0);
}
END_TEST

START_TEST(expires_in_steps)
{
    es_table_t *table = table_new(4 * 1024 * 1024);
    es_why_t why = ES_WHY_INIT;
    unsigned n = fill(table, 2), dead = (n + 1) / 2, freed = 0;
    apr_time_t now = NOW + apr_time_from_sec(10);
    int step;

    ck_assert_int_eq(es_table_expire(table, now - 1, 1000), 0);
    ck_assert_int_eq(es_table_expire(table, now, 0), 0);
    while ((step = es_table_expire(table, now, 7)) > 0) {
        ck_assert_int_le(step, 7);
        freed += (unsigned)step;
    }
    ck_assert_uint_eq(freed, dead);
    ck_assert_uint_eq(table_count(table).expired, dead);
    ck_assert_uint_eq(table_count(table).records, n - dead);
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}
END_TEST

/* Every shard has a record whose time is over, among many others: a step looks at some shards and leaves the rest to the
 * next, which goes on where it stopped. */
START_TEST(a_step_looks_at_some_shards_only)
{
    es_table_t *table = table_new(32 * 1024 * 1024);
    const unsigned many = 60000, dead = 2000;
    unsigned n, freed = 0, steps = 0;

    for (n = 0; n < many; n++) {
        table_put(table, n, 8, n < dead ? NOW + 1 : LATER, NOW);
        if (n % 1000 == 0) {
            apr_pool_clear(unit_pool);
            table = table_again();
        }
    }
    while (freed < dead) {
        int step = es_table_expire(table, NOW + 1, 1 << 30);

        ck_assert_int_lt(step, dead / 2);
        freed += (unsigned)step;
        ck_assert_uint_lt(++steps, 100);
    }
    ck_assert_uint_ge(steps, 4);
    ck_assert_uint_eq(table_count(table).records, many - dead);
}
END_TEST

static void assert_sizes(es_table_t *table, const unsigned expected[ES_TABLE_SIZES])
{
    es_table_counters_t counters = table_count(table);

    for (int size = 0; size < ES_TABLE_SIZES; size++) {
        ck_assert_msg(counters.sizes[size] == expected[size], "%lu records of size %d, not %u",
                      (unsigned long)counters.sizes[size], size, expected[size]);
    }
}

START_TEST(counts_records_by_size)
{
    const apr_size_t head = ES_TABLE_HEAD_WORDS * 8, part = ES_TABLE_PART_WORDS * 8;
    unsigned expected[ES_TABLE_SIZES] = { 0 }, n = 0;
    es_table_t *table = table_new(4 * 1024 * 1024);
    es_hash_t key = table_key(0);
    es_why_t why = ES_WHY_INIT;

    table_put(table, n++, 1, LATER, NOW);
    expected[0]++;
    for (int size = 0; size < ES_TABLE_SIZES - 1; size++) {
        const apr_size_t most = head + ((2u << size) - 1) * part; /* that many octets fill 2 << size blocks */

        table_put(table, n++, most, LATER, NOW);
        table_put(table, n++, most + 1, LATER, NOW);
        expected[size]++;
        expected[size + 1]++;
    }
    table_put(table, n++, 900000, NOW + 1, NOW);
    expected[ES_TABLE_SIZES - 1]++;
    assert_sizes(table, expected);

    /* Replaced by one of another size, removed, expired, and laid over by a restart. */
    table_put(table, 0, 1500, LATER, NOW);
    expected[0]--;
    expected[2]++;
    assert_sizes(table, expected);
    ck_assert_reason(es_table_remove(NULL, table, &key, &why), ES_OK, why);
    expected[2]--;
    ck_assert_int_eq(es_table_expire(table, NOW + 1, 10), 1);
    expected[ES_TABLE_SIZES - 1]--;
    assert_sizes(table, expected);
    ck_assert_reason(es_table_recover(table, &why), ES_OK, why);
    assert_sizes(table, expected);
    /* A number that is wrong is found, and counted anew. */
    table->shards[0].sizes[3]++;
    ck_assert_reason(es_table_check(table, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_table_recover(table, &why), ES_OK, why);
    assert_sizes(table, expected);
}
END_TEST

/* A start looks over everything; only one that found something to do counts. */
START_TEST(recovering_what_is_whole_is_no_repair)
{
    es_table_t *table = table_new(1024 * 1024);
    es_word32_t *bucket = table->buckets;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_table_recover(table, &why), ES_OK, why);
    for (unsigned n = 0; n < 300; n++) {
        table_put(table, n, 900, LATER, NOW);
    }
    ck_assert_reason(es_table_recover(table, &why), ES_OK, why);
    ck_assert_uint_eq(table_count(table).repaired, 0);
    /* A writer died inside a shard; blocks are out of reach; the free list is miscounted. */
    table->shards[0].busy = 1;
    ck_assert_reason(es_table_recover(table, &why), ES_OK, why);
    ck_assert_uint_eq(table_count(table).repaired, 1);
    while (*bucket == ES_TABLE_NIL) {
        bucket++;
    }
    *bucket = ES_TABLE_NIL;
    ck_assert_reason(es_table_recover(table, &why), ES_OK, why);
    ck_assert_uint_lt(table_count(table).records, 300);
    ck_assert_uint_eq(table_count(table).repaired, 2);
    table->pool->free--;
    ck_assert_reason(es_table_recover(table, &why), ES_OK, why);
    ck_assert_uint_eq(table_count(table).repaired, 3);
    ck_assert_reason(es_table_recover(table, &why), ES_OK, why);
    ck_assert_uint_eq(table_count(table).repaired, 3);
}
END_TEST

Suite *suite_table_room(void)
{
    Suite *suite = suite_create("table_room");
    TCase *room = unit_case(suite, "room");

    tcase_add_test(room, is_full_only_when_full);
    tcase_add_test(room, fits_1_25_and_8_kib);
    tcase_add_test(room, expired_go_before_live);
    tcase_add_test(room, the_one_expired_is_found_among_thousands);
    tcase_add_test(room, the_longest_idle_of_a_sample_goes);
    tcase_add_test(room, a_clock_that_ran_ahead_keeps_nobody);
    tcase_add_test(room, makes_room_for_a_large_one);
    tcase_add_test(room, refuses_without_evicting_what_can_never_fit);
    tcase_add_test(room, replaces_itself_when_full);
    tcase_add_test(room, expires_in_steps);
    tcase_add_test(room, a_step_looks_at_some_shards_only);
    tcase_add_test(room, counts_records_by_size);
    tcase_add_test(room, recovering_what_is_whole_is_no_repair);
    return suite;
}
