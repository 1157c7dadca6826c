/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The shared memory as a whole: only what is ours is attached to, and the store over it does what a store does.
 */
#include "unit.h"

#include "base/crypto.h"
#include "session/shm.h"
#include "table_tools.h"

#define NOW apr_time_from_sec(1700000000)
#define LATER (NOW + apr_time_from_sec(3600))
#define PAGE 4096
#define EVENTS PAGE
#define TABLE (2 * PAGE)

static es_rv_t attach(unsigned char *memory, apr_size_t size, es_why_t *why)
{
    es_shm_t *shm = NULL;
    es_rv_t rv;

    why->rv = ES_OK;
    rv = es_shm_attach(&shm, memory, size, why, unit_pool);
    ck_assert((rv == ES_OK) == (shm != NULL));
    return rv;
}

START_TEST(attaches_to_its_own_only)
{
    apr_size_t size = es_shm_minimum() + 16 * PAGE;
    unsigned char *memory = table_memory(size + PAGE);
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(attach(memory, size, &why), ES_CONFIG_STATE, why); /* zeros: a new file */
    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(attach(memory, size, &why), ES_OK, why);
    ck_assert_reason(attach(memory, size + PAGE, &why), ES_CONFIG_STATE, why);
    ck_assert_reason(attach(memory, size - PAGE, &why), ES_CONFIG_STATE, why);
    ck_assert_reason(attach(memory, size - 1, &why), ES_CONFIG_STATE, why);
    /* Any octet of the header page changed, and not a new header over an old table. */
    for (apr_size_t at = 0; at < PAGE; at++) {
        memory[at] ^= 0x40;
        ck_assert_reason(attach(memory, size, &why), ES_CONFIG_STATE, why);
        memory[at] ^= 0x40;
    }
    memory[TABLE] ^= 1;
    ck_assert_reason(attach(memory, size, &why), ES_CONFIG_STATE, why);
    memory[TABLE] ^= 1;
    ck_assert_reason(attach(memory, size, &why), ES_OK, why);
}
END_TEST

START_TEST(has_a_smallest_size)
{
    apr_size_t size = es_shm_minimum();
    unsigned char *memory = table_memory(size);
    es_why_t why = ES_WHY_INIT;

    ck_assert_uint_eq(size % PAGE, 0);
    ck_assert_reason(es_shm_format(memory, size - PAGE, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_shm_format(memory, size - 1, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_shm_format(memory, 0, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(attach(memory, size, &why), ES_OK, why);
}
END_TEST

/* A hundred sign-ins a second with two marks each for an hour and the clock skew find room in the default size: on
 * paper, where 95 of 100 places are sure, and in fact. */
START_TEST(default_size_holds_the_marks)
{
    const unsigned needed = 2 * 100 * (3600 + 180), more = needed / 20;
    apr_size_t size = 32 * 1024 * 1024;
    es_shm_counters_t counters;
    unsigned char *memory = table_memory(size);
    es_why_t why = ES_WHY_INIT;
    es_shm_t *shm;
    es_store_t *store;
    int added;

    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    store = es_shm_store(shm);
    es_shm_count(&counters, shm, NOW);
    ck_assert_uint_ge(counters.marks.room * ES_REPLAY_SURE / 100, needed);
    for (unsigned n = 0; n < needed + more; n++) {
        es_hash_t mark = table_key((unsigned)_i * 10000000 + n);

        ck_assert_reason(store->mark_add(&added, store, &mark, LATER, NOW, &why), ES_OK, why);
        ck_assert_int_eq(added, 1);
    }
}
END_TEST

START_TEST(is_a_store)
{
    apr_size_t size = 1024 * 1024;
    unsigned char *memory = table_memory(size);
    es_hash_t key = table_key(1), mark = table_key(2);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;
    es_shm_t *shm;
    es_store_t *store;
    int result = 7;

    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    store = es_shm_store(shm);
    ck_assert_reason(store->insert(store, &key, es_bytes_of("record"), NULL, 0, LATER, NOW, &why), ES_OK, why);
    ck_assert_reason(store->mark_add(&result, store, &mark, LATER, NOW, &why), ES_OK, why);
    ck_assert_int_eq(result, 1);

    /* A restart: the same memory, attached to anew and recovered. */
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_shm_recover(shm, &why), ES_OK, why);
    store = es_shm_store(shm);
    ck_assert_reason(store->find(&stored, store, &key, NOW, &why, unit_pool), ES_OK, why);
    ck_assert(stored.record.len == 6 && memcmp(stored.record.data, "record", 6) == 0);
    store->touch(store, &key, &stored, NOW + apr_time_from_sec(7));
    ck_assert_reason(store->find(&stored, store, &key, NOW, &why, unit_pool), ES_OK, why);
    ck_assert(stored.last_used == NOW + apr_time_from_sec(7));
    ck_assert_reason(store->mark_find(&result, store, &mark, NOW, &why), ES_OK, why);
    ck_assert_int_eq(result, 1);
    ck_assert_reason(store->mark_add(&result, store, &mark, LATER, NOW, &why), ES_OK, why);
    ck_assert_int_eq(result, 0);
    ck_assert_reason(store->remove(&result, store, &key, &why), ES_OK, why);
    ck_assert_int_eq(result, 1);
    ck_assert_reason(store->find(&stored, store, &key, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_ptr_null(stored.record.data);
}
END_TEST

static es_shm_t *shm_new(unsigned char *memory, apr_size_t size)
{
    es_why_t why = ES_WHY_INIT;
    es_shm_t *shm;

    ck_assert_reason(es_shm_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    return shm;
}

START_TEST(counts_events)
{
    apr_size_t size = es_shm_minimum();
    unsigned char *memory = table_memory(size);
    es_why_t why = ES_WHY_INIT;
    es_shm_t *shm = shm_new(memory, size);

    for (int rv = 0; rv < ES_REASON_COUNT; rv++) {
        ck_assert_uint_eq(es_shm_noted(shm, (es_rv_t)rv), 0);
    }
    for (int n = 0; n < 3; n++) {
        es_shm_note(shm, ES_OK);
    }
    es_shm_note(shm, ES_INTERNAL); /* the last of them */
    es_shm_note(shm, (es_rv_t)ES_REASON_COUNT);
    es_shm_note(shm, (es_rv_t)-1);
    ck_assert_uint_eq(es_shm_noted(shm, (es_rv_t)ES_REASON_COUNT), 0);

    /* A restart keeps them; another version's list of reasons begins at zero, and keeps the sessions. */
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_shm_recover(shm, &why), ES_OK, why);
    ck_assert_uint_eq(es_shm_noted(shm, ES_OK), 3);
    ck_assert_uint_eq(es_shm_noted(shm, ES_INTERNAL), 1);
    ck_assert_uint_eq(es_shm_noted(shm, ES_REPLAYED), 0);
    memory[EVENTS] ^= 1;
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    ck_assert_uint_eq(es_shm_noted(shm, ES_OK), 0);
    ck_assert_uint_eq(es_shm_noted(shm, ES_INTERNAL), 0);
    es_shm_note(shm, ES_OK);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    ck_assert_uint_eq(es_shm_noted(shm, ES_OK), 1);
}
END_TEST

START_TEST(counts_and_tidies)
{
    apr_size_t size = 1024 * 1024;
    unsigned char *memory = table_memory(size);
    es_shm_t *shm = shm_new(memory, size);
    es_store_t *store = es_shm_store(shm);
    es_why_t why = ES_WHY_INIT;
    es_shm_counters_t counters;
    int added;

    es_shm_count(&counters, shm, NOW);
    ck_assert(counters.table.records == 0 && counters.marks.used == 0 && counters.oldest_mark == 0);
    for (unsigned n = 0; n < 100; n++) {
        es_hash_t key = table_key(n);

        ck_assert_reason(
            store->insert(store, &key, es_bytes_of("record"), NULL, 0, n < 90 ? LATER : LATER + 1, NOW, &why), ES_OK,
            why);
    }
    for (unsigned n = 0; n < 3; n++) {
        es_hash_t mark = table_key(n);

        ck_assert_reason(store->mark_add(&added, store, &mark, LATER, NOW + apr_time_from_sec(n), &why), ES_OK, why);
    }
    es_shm_note(shm, ES_OK);
    es_shm_count(&counters, shm, NOW);
    ck_assert(counters.table.records == 100 && counters.table.inserted == 100 && counters.signins == 1);
    ck_assert(counters.marks.used == 3 && counters.oldest_mark == NOW);
    es_shm_tidy(shm, LATER - 1);
    es_shm_count(&counters, shm, NOW);
    ck_assert(counters.table.records == 100);
    es_shm_tidy(shm, LATER); /* a bounded step, */
    es_shm_count(&counters, shm, LATER);
    ck_assert(counters.table.records < 100 && counters.table.records > 10);
    ck_assert(counters.marks.used == 0 && counters.oldest_mark == 0);
    es_shm_tidy(shm, LATER); /* and the next */
    es_shm_count(&counters, shm, LATER);
    ck_assert(counters.table.records == 10 && counters.table.expired == 90);
}
END_TEST

static es_rv_t insert(es_store_t *store, unsigned number, apr_size_t len, int n_subjects, apr_time_t now, es_why_t *why)
{
    es_hash_t key = table_key(number);
    const es_hash_t subjects[] = { table_key(number + 1000000), table_key(7), key };

    *why = ES_WHY_INIT;
    return store->insert(store, &key, table_record(number, len, unit_pool), subjects, n_subjects, LATER, now, why);
}

static int list(es_store_t *store, unsigned subject)
{
    es_hash_t hash = table_key(subject);
    es_why_t why = ES_WHY_INIT;
    es_listed_t *listed;
    int n;

    ck_assert_reason(store->list(&listed, &n, store, &hash, NOW, &why, unit_pool), ES_OK, why);
    return n;
}

START_TEST(lists_by_subject)
{
    apr_size_t size = 1024 * 1024;
    unsigned char *memory = table_memory(size);
    es_shm_t *shm = shm_new(memory, size);
    es_store_t *store = es_shm_store(shm);
    es_hash_t hash = table_key(1000001), key = table_key(1);
    es_why_t why = ES_WHY_INIT;
    es_listed_t *listed;
    int n;

    for (unsigned number = 0; number < 100; number++) {
        ck_assert_reason(insert(store, number, 900, 2, NOW, &why), ES_OK, why);
    }
    ck_assert_reason(store->list(&listed, &n, store, &hash, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(n, 1);
    ck_assert(memcmp(&listed[0].key, &key, sizeof key) == 0 && table_is_whole(&listed[0].stored, 1));
    ck_assert(listed[0].stored.expires == LATER && listed[0].stored.last_used == NOW);
    ck_assert_int_eq(list(store, 7), 100);
    ck_assert_int_eq(list(store, 8), 0);
    for (unsigned number = 0; number < 50; number++) {
        key = table_key(number);
        ck_assert_reason(store->remove(NULL, store, &key, &why), ES_OK, why);
    }
    ck_assert_int_eq(list(store, 7), 50);
    ck_assert_reason(es_shm_attach(&shm, memory, size, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_shm_recover(shm, &why), ES_OK, why);
    ck_assert_int_eq(list(es_shm_store(shm), 7), 50);
}
END_TEST

/* Records smaller than any of Entra's fill the index before the table: a session that could not be found again is not
 * made. */
START_TEST(no_session_without_its_entries)
{
    apr_size_t size = 1024 * 1024;
    unsigned char *memory = table_memory(size);
    es_shm_t *shm = shm_new(memory, size);
    es_store_t *store = es_shm_store(shm);
    es_shm_counters_t counters;
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;
    unsigned number = 0;
    es_hash_t key;

    es_shm_refuse_when_full(shm, 1);
    while (insert(store, number, 8, 3, NOW, &why) == ES_OK) {
        ck_assert_int_eq(list(store, 1000000 + number), 1);
        number++;
    }
    ck_assert_reason(why.rv, ES_STORE_FULL, why);
    key = table_key(number);
    why = ES_WHY_INIT;
    ck_assert_reason(store->find(&stored, store, &key, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_ptr_null(stored.record.data);
    es_shm_count(&counters, shm, NOW);
    ck_assert_uint_eq(counters.table.records, number);
    ck_assert_uint_eq(counters.table.evicted, 0);

    es_shm_refuse_when_full(shm, 0);
    for (unsigned n = number; n < number + 500; n++) {
        ck_assert_reason(insert(store, n, 8, 3, NOW + apr_time_from_sec(1), &why), ES_OK, why);
        ck_assert_int_eq(list(store, 1000000 + n), 1);
    }
    es_shm_count(&counters, shm, NOW);
    ck_assert_uint_ge(counters.table.evicted, 400);
    ck_assert_uint_eq(counters.table.records, number + 500 - counters.table.evicted);
}
END_TEST

/* How much the ring gets: a default that grows with the memory, or what is wanted as long as the rest has room. */
START_TEST(the_ring_has_its_share)
{
    static const struct {
        apr_size_t size, wanted, ring; /* 0: ES_CONFIG_PRESERVE */
    } shares[] = {
        { 32 << 20, 0, 1 << 20 },      { 64 << 20, 0, 1 << 20 },        { 8 << 20, 0, 512 << 10 },
        { 2 << 20, 0, 128 << 10 },     { 2 << 20, 64 << 10, 64 << 10 }, { 2 << 20, 65537, 69632 },
        { 2 << 20, 1 << 20, 1 << 20 }, { 2 << 20, (1 << 20) + 1, 0 },   { 2 << 20, 4096, 0 },
        { 2 << 20, 3 << 20, 0 },
    };
    es_why_t why = ES_WHY_INIT;
    apr_size_t ring = 0;

    ck_assert_reason(es_shm_ring(&ring, shares[_i].size, shares[_i].wanted, &why),
                     shares[_i].ring ? ES_OK : ES_CONFIG_PRESERVE, why);
    ck_assert_uint_eq(ring, shares[_i].ring);
}
END_TEST

/* The smallest sessions Entra makes, of two blocks with three subjects: the index is never what is full. */
START_TEST(the_table_is_full_before_the_index)
{
    static const apr_size_t sizes[] = { 1024 * 1024, 32 * 1024 * 1024 };
    unsigned char *memory = table_memory(sizes[_i]);
    es_shm_t *shm = shm_new(memory, sizes[_i]);
    es_store_t *store = es_shm_store(shm);
    es_shm_counters_t counters;
    es_why_t why = ES_WHY_INIT;
    unsigned number = 0;

    es_shm_refuse_when_full(shm, 1);
    while (insert(store, number, 260, 3, NOW, &why) == ES_OK) {
        number++;
        if (number % 1000 == 0) {
            apr_pool_clear(unit_pool);
            ck_assert_reason(es_shm_attach(&shm, memory, sizes[_i], &why, unit_pool), ES_OK, why);
            es_shm_refuse_when_full(shm, 1);
            store = es_shm_store(shm);
        }
    }
    ck_assert_reason(why.rv, ES_STORE_FULL, why);
    es_shm_count(&counters, shm, NOW);
    ck_assert_uint_le(counters.table.blocks - counters.table.blocks_used, 1);
}
END_TEST

START_TEST(full_evicts_and_warns_or_refuses)
{
    apr_size_t size = 1024 * 1024;
    unsigned char *memory = table_memory(size);
    es_shm_t *shm = shm_new(memory, size), *other;
    es_store_t *store = es_shm_store(shm);
    const apr_time_t minute = apr_time_from_sec(60);
    es_shm_counters_t counters;
    es_why_t why = ES_WHY_INIT;
    unsigned full = 0, n;

    ck_assert_reason(es_shm_attach(&other, memory, size, &why, unit_pool), ES_OK, why);
    es_shm_refuse_when_full(other, 1);
    while (insert(es_shm_store(other), full, 900, 3, NOW, &why) == ES_OK) {
        full++;
    }
    ck_assert_reason(why.rv, ES_STORE_FULL, why);
    es_shm_count(&counters, shm, NOW);
    ck_assert(counters.table.evicted == 0 && counters.table.records == full && counters.table.refused == 1);
    ck_assert_uint_eq(es_shm_unwarned(shm, NOW), 0);

    /* The other handle evicts. One warning a minute, whichever process gives it, and none is lost. */
    for (n = full; n < full + 5; n++) {
        ck_assert_reason(insert(store, n, 900, 3, NOW, &why), ES_OK, why);
    }
    ck_assert_uint_eq(es_shm_unwarned(shm, NOW), 5);
    ck_assert_reason(insert(store, n++, 900, 3, NOW, &why), ES_OK, why);
    ck_assert_uint_eq(es_shm_unwarned(shm, NOW + 1), 0);
    ck_assert_uint_eq(es_shm_unwarned(other, NOW + minute - 1), 0);
    ck_assert_uint_eq(es_shm_unwarned(other, NOW + minute), 1);
    ck_assert_uint_eq(es_shm_unwarned(shm, NOW + 3 * minute), 0);
    ck_assert_reason(insert(store, n++, 900, 3, NOW, &why), ES_OK, why);
    ck_assert_uint_eq(es_shm_unwarned(shm, NOW - minute), 1); /* a clock set back */
    es_shm_count(&counters, shm, NOW);
    ck_assert_uint_eq(counters.table.evicted, 7);

    /* What has expired goes first, also where live sessions are kept. */
    ck_assert_reason(insert(es_shm_store(other), n, 900, 3, LATER - 1, &why), ES_STORE_FULL, why);
    ck_assert_reason(insert(es_shm_store(other), n, 900, 3, LATER, &why), ES_OK, why);
    es_shm_count(&counters, shm, NOW);
    ck_assert_uint_eq(counters.table.evicted, 7);
}
END_TEST

/* A session of five groups, about 900 octets and so four blocks, with its three entries. */
START_TEST(a_session_takes_little_memory)
{
    apr_size_t size = 64 * 1024 * 1024, marks = 14 * 1024 * 1024;
    unsigned char *memory = table_memory(size);
    es_shm_t *shm = shm_new(memory, size);
    es_shm_counters_t counters;

    es_shm_count(&counters, shm, NOW);
    ck_assert_uint_le((size - marks) / (counters.table.blocks / 4), 1280);
}
END_TEST

/* The smallest memory that may be configured: 2,000 groups with names as long as Entra allows, 256 characters, find room
 * among sessions of others. */
START_TEST(a_user_with_2000_groups_fits)
{
    apr_size_t size = 2 * 1024 * 1024;
    unsigned char *memory = table_memory(size);
    es_shm_t *shm = shm_new(memory, size);
    es_store_t *store = es_shm_store(shm);
    es_why_t why = ES_WHY_INIT;
    unsigned n;

    for (n = 0; n < 2000; n++) {
        ck_assert_reason(insert(store, n, 900, 3, NOW, &why), ES_OK, why);
    }
    ck_assert_reason(insert(store, n, 2000 * (256 + 1 + 4) + 2000, 3, NOW + apr_time_from_sec(1), &why), ES_OK, why);
    ck_assert_int_eq(list(store, 1000000 + n), 1);
}
END_TEST

Suite *suite_shm(void)
{
    Suite *suite = suite_create("shm");
    TCase *shm = unit_case(suite, "shm");

    tcase_add_test(shm, attaches_to_its_own_only);
    tcase_add_test(shm, has_a_smallest_size);
    tcase_add_loop_test(shm, default_size_holds_the_marks, 0, 3);
    tcase_add_test(shm, is_a_store);
    tcase_add_test(shm, counts_events);
    tcase_add_test(shm, counts_and_tidies);
    tcase_add_test(shm, lists_by_subject);
    tcase_add_test(shm, no_session_without_its_entries);
    tcase_add_loop_test(shm, the_ring_has_its_share, 0, 10);
    tcase_add_loop_test(shm, the_table_is_full_before_the_index, 0, 2);
    tcase_add_test(shm, full_evicts_and_warns_or_refuses);
    tcase_add_test(shm, a_session_takes_little_memory);
    tcase_add_test(shm, a_user_with_2000_groups_fits);
    return suite;
}
