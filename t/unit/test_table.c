/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session table in one process: the contract, the limits, a model, damaged memory. test_table_room.c has the full
 * table, test_table_shared.c processes and threads.
 */
#include "unit.h"

#include "session/table_layout.h"
#include "table_tools.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOW apr_time_from_sec(1700000000)
#define LATER (NOW + apr_time_from_sec(3600))

/* Refuses what is too small, not aligned, no table, of another size or layout */

START_TEST(refuses_foreign_memory)
{
    apr_size_t size = es_table_minimum();
    unsigned char *memory = table_memory(size + 4096);
    es_table_t *table = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_table_format(memory, size - 4096, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_table_format(memory + 64, size, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_table_attach(&table, memory, size, &why, unit_pool), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_table_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_table_attach(&table, memory, size + 4096, &why, unit_pool), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_table_attach(&table, memory, 100, &why, unit_pool), ES_CONFIG_STATE, why);
    ck_assert_ptr_null(table);
    for (int at = 0; at < 40; at++) {
        why.rv = ES_OK;
        memory[at] ^= 0x10;
        ck_assert_reason(es_table_attach(&table, memory, size, &why, unit_pool), ES_CONFIG_STATE, why);
        memory[at] ^= 0x10;
    }
    why.rv = ES_OK;
    ck_assert_reason(es_table_attach(&table, memory, size, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}
END_TEST

START_TEST(formats_over_anything)
{
    apr_size_t size = es_table_minimum();
    unsigned char *memory = table_memory(size);
    es_table_t *table;
    es_why_t why = ES_WHY_INIT;

    memset(memory, 0xa5, size);
    ck_assert_reason(es_table_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_table_attach(&table, memory, size, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}
END_TEST

START_TEST(keeps_replaces_and_removes)
{
    es_table_t *table = table_new(256 * 1024);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored;
    es_hash_t key = table_key(1), other = table_key(2);
    int removed = 7;

    ck_assert_reason(es_table_find(&stored, table, &key, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_ptr_null(stored.record.data);
    table_put(table, 1, 900, LATER, NOW);
    ck_assert_reason(es_table_find(&stored, table, &key, NOW, &why, unit_pool), ES_OK, why);
    ck_assert(table_is_whole(&stored, 1));
    ck_assert_uint_eq((apr_uintptr_t)stored.record.data % 8, 0);
    ck_assert_uint_eq(stored.record.len, 900);
    ck_assert(stored.expires == LATER && stored.last_used == NOW);
    table_put(table, 1, 17, LATER + 1, NOW);
    ck_assert(table_has(table, 1, NOW));
    ck_assert_reason(es_table_find(&stored, table, &key, NOW, &why, unit_pool), ES_OK, why);
    ck_assert_uint_eq(stored.record.len, 17);
    ck_assert_uint_eq(table_count(table).records, 1);
    ck_assert_reason(es_table_remove(&removed, table, &other, &why), ES_OK, why);
    ck_assert_int_eq(removed, 0);
    ck_assert_reason(es_table_remove(&removed, table, &key, &why), ES_OK, why);
    ck_assert_int_eq(removed, 1);
    ck_assert_reason(es_table_remove(NULL, table, &key, &why), ES_OK, why);
    ck_assert(!table_has(table, 1, NOW));
    ck_assert_uint_eq(table_count(table).blocks_used, 0);
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}
END_TEST

/* Every length around the borders of blocks, up to the longest there is. */
START_TEST(holds_every_length)
{
    es_table_t *table = table_new(4 * 1024 * 1024);
    es_why_t why = ES_WHY_INIT;
    apr_size_t head = ES_TABLE_HEAD_WORDS * 8, part = ES_TABLE_PART_WORDS * 8;
    es_stored_t stored;
    es_hash_t key = table_key(3);

    for (apr_size_t len = 0; len <= ES_TABLE_RECORD_MAX; len = len < 1500 ? len + 1 : len * 3 / 2 + 1) {
        table_put(table, 3, len, LATER, NOW);
        ck_assert_reason(es_table_find(&stored, table, &key, NOW, &why, unit_pool), ES_OK, why);
        ck_assert_ptr_nonnull(stored.record.data);
        ck_assert_uint_eq(stored.record.len, len);
        ck_assert(table_is_whole(&stored, 3));
        ck_assert_uint_eq(table_count(table).blocks_used, len <= head ? 1 : 1 + (len - head + part - 1) / part);
        apr_pool_clear(unit_pool);
        table = table_again();
    }
    table_put(table, 3, ES_TABLE_RECORD_MAX, LATER, NOW);
    ck_assert(table_has(table, 3, NOW));
    ck_assert_reason(es_table_insert(table, &key, es_bytes("", ES_TABLE_RECORD_MAX + 1), LATER, NOW, &why),
                     ES_RECORD_TOO_LARGE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}
END_TEST

START_TEST(misses_what_has_expired)
{
    es_table_t *table = table_new(256 * 1024);

    table_put(table, 1, 100, NOW + 1, NOW);
    ck_assert(table_has(table, 1, NOW));
    ck_assert(!table_has(table, 1, NOW + 1));
    ck_assert(!table_has(table, 1, LATER));
    ck_assert(table_has(table, 1, NOW - apr_time_from_sec(7200))); /* the clock was set back */
    table_put(table, 2, 100, NOW - 1, NOW);
    ck_assert(!table_has(table, 2, NOW));
    table_put(table, 4, 100, -5, NOW);
    ck_assert(!table_has(table, 4, 0));
}
END_TEST

START_TEST(notes_the_last_use)
{
    es_table_t *table = table_new(256 * 1024);
    es_why_t why = ES_WHY_INIT;
    es_stored_t stored, again, elsewhere;
    es_hash_t key = table_key(1), other = table_key(2);

    table_put(table, 1, 500, LATER, NOW);
    es_table_find(&stored, table, &key, NOW, &why, unit_pool);
    es_table_touch(table, &key, &stored, NOW + apr_time_from_sec(90) + 5);
    es_table_find(&again, table, &key, NOW, &why, unit_pool);
    ck_assert(again.last_used == NOW + apr_time_from_sec(90));
    es_table_touch(table, &key, &again, NOW - apr_time_from_sec(90)); /* the clock was set back */
    es_table_find(&again, table, &key, NOW, &why, unit_pool);
    ck_assert(again.last_used == NOW - apr_time_from_sec(90));

    /* Gone, its place taken by another, and a slot that is none: nothing happens. */
    es_table_remove(NULL, table, &key, &why);
    es_table_touch(table, &key, &stored, LATER);
    table_put(table, 2, 500, LATER, NOW);
    es_table_find(&again, table, &other, NOW, &why, unit_pool);
    ck_assert_uint_eq(again.slot, stored.slot);
    es_table_touch(table, &key, &stored, LATER);
    elsewhere = again;
    elsewhere.slot = (apr_size_t)-1;
    es_table_touch(table, &other, &elsewhere, LATER);
    es_table_find(&again, table, &other, NOW, &why, unit_pool);
    ck_assert(again.last_used == NOW);
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}
END_TEST

/* Random operations beside a plain array that says what must be there. */
#define MODEL 150
START_TEST(agrees_with_a_model)
{
    struct {
        int there;
        apr_size_t len;
        apr_time_t expires;
    } model[MODEL] = { { 0, 0, 0 } };
    es_table_t *table = table_new(2 * 1024 * 1024);
    es_why_t why = ES_WHY_INIT;
    apr_time_t now = NOW;
    int removed;

    srandom(42);
    for (int step = 0; step < 30000; step++) {
        unsigned n = (unsigned)random() % MODEL;
        es_hash_t key = table_key(n);
        es_stored_t stored;

        now += random() % 1000;
        if (model[n].there && model[n].expires <= now) {
            model[n].there = 0;
        }
        switch (random() % 8) {
        case 0:
        case 1:
        case 2:
            model[n].there = 1;
            model[n].len = (apr_size_t)random() % (random() % 50 == 0 ? 9000 : 1200);
            model[n].expires = now + 1 + random() % 500000;
            table_put(table, n, model[n].len, model[n].expires, now);
            break;
        case 3:
            ck_assert_reason(es_table_remove(&removed, table, &key, &why), ES_OK, why);
            ck_assert_msg(removed || !model[n].there, "session %u was not there to remove", n);
            model[n].there = 0;
            break;
        case 4:
            es_table_expire(table, now, (int)(random() % 5));
            break;
        default:
            ck_assert_reason(es_table_find(&stored, table, &key, now, &why, unit_pool), ES_OK, why);
            ck_assert_int_eq(stored.record.data != NULL, model[n].there);
            if (model[n].there) {
                ck_assert_uint_eq(stored.record.len, model[n].len);
                ck_assert(stored.expires == model[n].expires);
                ck_assert(table_is_whole(&stored, n));
                es_table_touch(table, &key, &stored, now);
            }
        }
        if (step % 1000 == 0) {
            ck_assert_reason(es_table_check(table, &why), ES_OK, why);
            apr_pool_clear(unit_pool);
            table = table_again();
        }
    }
    ck_assert_uint_eq(table_count(table).evicted, 0);
    ck_assert_uint_eq(table_count(table).repaired, 0);
    es_table_expire(table, now + apr_time_from_sec(10), 1 << 30);
    ck_assert_uint_eq(table_count(table).blocks_used, 0);
}
END_TEST

/* The same under want of room: what is found is right, and as many are missing as were evicted. */
START_TEST(agrees_with_a_model_when_full)
{
    apr_size_t lens[MODEL] = { 0 };
    int there[MODEL] = { 0 };
    es_table_t *table = table_new(64 * 1024);
    es_why_t why = ES_WHY_INIT;
    apr_uint64_t missing = 0;

    srandom(43);
    for (int step = 0; step < 20000; step++) {
        unsigned n = (unsigned)random() % MODEL;
        es_hash_t key = table_key(n);
        es_stored_t stored;

        es_table_find(&stored, table, &key, NOW, &why, unit_pool);
        missing += there[n] && !stored.record.data;
        if (stored.record.data) {
            ck_assert(there[n] && stored.record.len == lens[n] && table_is_whole(&stored, n));
        }
        lens[n] = (apr_size_t)random() % 2500;
        there[n] = 1;
        table_put(table, n, lens[n], LATER, NOW + step);
        if (step % 1000 == 0) {
            ck_assert_reason(es_table_check(table, &why), ES_OK, why);
            apr_pool_clear(unit_pool);
            table = table_again();
        }
    }
    for (unsigned n = 0; n < MODEL; n++) {
        missing += there[n] && !table_has(table, n, NOW);
    }
    ck_assert_uint_eq(missing, table_count(table).evicted);
    ck_assert_uint_gt(missing, 1000);
}
END_TEST

/* The same memory at another address, as another process has it. */
START_TEST(works_at_any_address)
{
    apr_size_t size = 512 * 1024;
    int file = memfd_create("table", MFD_CLOEXEC);
    es_why_t why = ES_WHY_INIT;
    es_table_t *one, *two;
    void *a, *b;

    ck_assert(file >= 0 && ftruncate(file, (off_t)size) == 0);
    a = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ck_assert(a != MAP_FAILED && b != MAP_FAILED && a != b);
    ck_assert_reason(es_table_format(a, size, &why), ES_OK, why);
    ck_assert_reason(es_table_attach(&one, a, size, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_table_attach(&two, b, size, &why, unit_pool), ES_OK, why);
    for (unsigned n = 0; n < 200; n++) {
        table_put(n % 2 ? one : two, n, n * 7, LATER, NOW);
    }
    for (unsigned n = 0; n < 200; n++) {
        ck_assert(table_has(n % 2 ? two : one, n, NOW));
    }
    ck_assert_reason(es_table_check(one, &why), ES_OK, why);
    ck_assert_reason(es_table_check(two, &why), ES_OK, why);
    close(file);
}
END_TEST

/* Recovery after a fresh start: everything whole is kept, with mutexes as new. */
START_TEST(recovers_what_is_whole)
{
    es_table_t *table = table_new(1024 * 1024);
    es_why_t why = ES_WHY_INIT;

    for (unsigned n = 0; n < 300; n++) {
        table_put(table, n, n * 9, LATER, NOW);
    }
    /* A mutex as a killed machine leaves it, a free list that is lost, counters that are wrong. */
    memset(&table->shards[0].lock, 0xff, sizeof table->shards[0].lock);
    memset(table->pool, 0xff, sizeof *table->pool);
    table->shards[0].records = 12345;
    ck_assert_reason(es_table_recover(table, &why), ES_OK, why);
    for (unsigned n = 0; n < 300; n++) {
        ck_assert(table_has(table, n, NOW));
    }
    table_put(table, 1000, 5000, LATER, NOW);
    ck_assert(table_has(table, 1000, NOW));
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}
END_TEST

/* The check itself sees each kind of damage to one record or the pool; `word` is put back. */
static void expect_seen(es_table_t *table, es_word32_t *word, apr_uint32_t damage)
{
    apr_uint32_t kept = es_table_get32(word);
    es_why_t why = ES_WHY_INIT;

    es_table_put32(word, damage);
    ck_assert_reason(es_table_check(table, &why), ES_CONFIG_STATE, why);
    es_table_put32(word, kept);
    why.rv = ES_OK;
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
}

START_TEST(the_check_sees_damage)
{
    es_table_t *table = table_new(256 * 1024);
    es_why_t why = ES_WHY_INIT;
    es_hash_t key = table_key(1);
    es_stored_t stored;
    es_table_block_t *head;
    apr_uint32_t slot;

    table_put(table, 1, 900, LATER, NOW);
    es_table_find(&stored, table, &key, NOW, &why, unit_pool);
    slot = (apr_uint32_t)stored.slot;
    head = &table->blocks[slot];
    expect_seen(table, &head->next, 0x7fffffff);
    expect_seen(table, &head->next, slot);
    expect_seen(table, &head->owner, ES_TABLE_NIL);
    expect_seen(table, &head->as.head.len, 0xffffffff);
    expect_seen(table, &head->as.head.len, 10);
    expect_seen(table, &head->as.head.chain, 5);
    expect_seen(table, &table->pool->top, ES_TABLE_NIL);
    expect_seen(table, &table->pool->top, slot);
    expect_seen(table, &table->pool->free, 3);
    expect_seen(table, &table->shards[0].records, 2);
    es_table_put64(&head->life, 0);
    ck_assert_reason(es_table_check(table, &why), ES_CONFIG_STATE, why);
}
END_TEST

/* Flips bits anywhere but in the mutexes, which are the C library's own. */
static void flip_bits(es_table_t *table, unsigned char *memory, apr_size_t size, int count)
{
    while (count > 0) {
        apr_size_t at =
            (apr_size_t)random() % (random() % 2 ? size : (apr_size_t)((unsigned char *)table->blocks - memory));
        int in_lock = at >= (apr_size_t)((unsigned char *)table->pool - memory) &&
                      at < (apr_size_t)((unsigned char *)table->pool - memory) + sizeof(es_robust_t);

        for (apr_uint32_t i = 0; i < table->n_shards; i++) {
            apr_size_t lock = (apr_size_t)((unsigned char *)&table->shards[i].lock - memory);

            in_lock = in_lock || (at >= lock && at < lock + sizeof(es_robust_t));
        }
        if (!in_lock) {
            memory[at] ^= (unsigned char)(1 << random() % 8);
            count--;
        }
    }
}

/* Damaged memory may lose records; it must not crash or hang anybody, and recovery makes a sound table of it. */
START_TEST(survives_damage)
{
    es_why_t why = ES_WHY_INIT;

    for (int round = 0; round < 60; round++) {
        apr_size_t size = round % 2 ? es_table_minimum() : 1024 * 1024;
        es_table_t *table = table_new(size);
        unsigned char *memory = table_memory_of();

        srandom((unsigned)round);
        for (unsigned n = 0; n < 400; n++) {
            table_put(table, n, n * 3, LATER, NOW);
        }
        for (int burst = 0; burst < 40; burst++) {
            flip_bits(table, memory, size, 20);
            for (unsigned n = 0; n < 20; n++) {
                unsigned which = (unsigned)random() % 400;
                es_hash_t key = table_key(which);
                es_bytes_t record = table_record(which, (apr_size_t)random() % 3000, unit_pool);
                es_why_t ignored = ES_WHY_INIT;
                es_stored_t stored;

                es_table_find(&stored, table, &key, NOW, &ignored, unit_pool);
                es_table_touch(table, &key, &stored, NOW);
                es_table_insert(table, &key, record, LATER, NOW, &ignored);
                es_table_remove(NULL, table, &key, &ignored);
                es_table_expire(table, NOW + n, 3);
            }
        }
        ck_assert_reason(es_table_recover(table, &why), ES_OK, why);
        ck_assert_reason(es_table_check(table, &why), ES_OK, why);
        table_put(table, 1, 900, LATER, NOW);
        ck_assert(table_has(table, 1, NOW));
        table_free();
    }
}
END_TEST

Suite *suite_table(void)
{
    Suite *suite = suite_create("table");
    TCase *contract = unit_case(suite, "contract"), *model = unit_case(suite, "model"),
          *damage = unit_case(suite, "damage");

    tcase_add_test(contract, refuses_foreign_memory);
    tcase_add_test(contract, formats_over_anything);
    tcase_add_test(contract, keeps_replaces_and_removes);
    tcase_add_test(contract, holds_every_length);
    tcase_add_test(contract, misses_what_has_expired);
    tcase_add_test(contract, notes_the_last_use);
    tcase_add_test(contract, works_at_any_address);
    tcase_add_test(model, agrees_with_a_model);
    tcase_add_test(model, agrees_with_a_model_when_full);
    tcase_add_test(damage, recovers_what_is_whole);
    tcase_add_test(damage, the_check_sees_damage);
    tcase_add_test(damage, survives_damage);
    return suite;
}
