/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The slot: what is taken stays, what is replaced and given back goes; and the same with threads that take, look closely
 * and give back while another replaces as fast as it can (make check-tsan, check-asan).
 */
#include "unit.h"

#include "base/slot.h"

#include <pthread.h>
#include <stdatomic.h>

#define WORDS 64
#define READERS 4
#define EDITIONS 20000

/* An object that says of itself whether it is whole. */
typedef struct {
    unsigned number;
    unsigned word[WORDS];
} thing_t;

static apr_status_t note_gone(void *gone)
{
    ++*(int *)gone;
    return APR_SUCCESS;
}

/* Overwritten as it goes, so that one who reads it too late sees it also without a sanitizer. */
static apr_status_t spoil(void *thing)
{
    memset(((thing_t *)thing)->word, 0xff, sizeof((thing_t *)thing)->word);
    return APR_SUCCESS;
}

static void put(es_slot_t *slot, unsigned number, int *gone)
{
    apr_pool_t *pool;
    thing_t *thing;
    int i;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    thing = apr_palloc(pool, sizeof *thing);
    thing->number = number;
    for (i = 0; i < WORDS; i++) {
        thing->word[i] = number;
    }
    apr_pool_cleanup_register(pool, thing, spoil, apr_pool_cleanup_null);
    apr_pool_cleanup_register(pool, gone, note_gone, apr_pool_cleanup_null);
    es_slot_replace(slot, thing, pool);
}

static unsigned number_of(const es_edition_t *edition)
{
    return ((const thing_t *)es_edition_object(edition))->number;
}

START_TEST(empty)
{
    es_slot_t *slot = es_slot_make(unit_pool);

    ck_assert_ptr_null(es_slot_take(slot));
    ck_assert_ptr_null(es_slot_look(slot));
    ck_assert_int_eq(es_slot_sweep(slot), 0);
    es_slot_empty(slot);
}
END_TEST

START_TEST(taken_stays)
{
    es_slot_t *slot = es_slot_make(unit_pool);
    es_edition_t *first, *second, *again;
    int gone = 0;

    put(slot, 1, &gone);
    first = es_slot_take(slot);
    again = es_slot_take(slot);
    put(slot, 2, &gone);
    ck_assert_int_eq(gone, 0);
    second = es_slot_take(slot);
    ck_assert_uint_eq(number_of(first), 1);
    ck_assert_uint_eq(number_of(second), 2);
    ck_assert_uint_eq(((const thing_t *)es_slot_look(slot))->number, 2);
    es_slot_give_back(first);
    ck_assert_int_eq(es_slot_sweep(slot), 1);
    ck_assert_uint_eq(number_of(again), 1);
    es_slot_give_back(again);
    ck_assert_int_eq(es_slot_sweep(slot), 0);
    ck_assert_int_eq(gone, 1);
    ck_assert_uint_eq(number_of(second), 2);
    es_slot_give_back(second);
    ck_assert_int_eq(es_slot_sweep(slot), 0);
    ck_assert_int_eq(gone, 1); /* the current one is nobody's, and stays */
    es_slot_empty(slot);
    ck_assert_int_eq(gone, 2);
    ck_assert_ptr_null(es_slot_take(slot));
}
END_TEST

/* A request may hold its edition for hours (a websocket) while others come and go. */
START_TEST(long_held)
{
    es_slot_t *slot = es_slot_make(unit_pool);
    es_edition_t *held[10];
    int gone = 0;
    unsigned i;

    for (i = 0; i < 10; i++) {
        put(slot, i, &gone);
        held[i] = es_slot_take(slot);
        put(slot, 100 + i, &gone);
    }
    ck_assert_int_eq(gone, 9);
    ck_assert_int_eq(es_slot_sweep(slot), 10);
    for (i = 0; i < 10; i++) {
        ck_assert_uint_eq(number_of(held[i]), i);
        es_slot_give_back(held[i]);
    }
    ck_assert_int_eq(es_slot_sweep(slot), 0);
    ck_assert_int_eq(gone, 19);
    es_slot_empty(slot);
    ck_assert_int_eq(gone, 20);
}
END_TEST

typedef struct {
    es_slot_t *slot;
    atomic_int *done;
    unsigned wrong, seen; /* Check's assertions belong to the main thread */
} reader_t;

static void *read_on(void *baton)
{
    reader_t *reader = baton;
    unsigned last = 0;

    while (!atomic_load(reader->done)) {
        es_edition_t *edition = es_slot_take(reader->slot);
        const thing_t *thing = es_edition_object(edition);
        int i;

        for (i = 0; i < WORDS; i++) {
            reader->wrong += thing->word[i] != thing->number;
        }
        reader->wrong += thing->number < last; /* never back to an older one */
        reader->seen += thing->number != last;
        last = thing->number;
        es_slot_give_back(edition);
    }
    return NULL;
}

START_TEST(threads)
{
    es_slot_t *slot = es_slot_make(unit_pool);
    pthread_t thread[READERS];
    reader_t reader[READERS];
    atomic_int done = 0;
    int gone = 0;
    unsigned i;

    put(slot, 1, &gone);
    for (i = 0; i < READERS; i++) {
        reader[i] = (reader_t){ .slot = slot, .done = &done };
        ck_assert_int_eq(pthread_create(&thread[i], NULL, read_on, &reader[i]), 0);
    }
    for (i = 2; i <= EDITIONS; i++) {
        put(slot, i, &gone);
    }
    atomic_store(&done, 1);
    for (i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
        ck_assert_uint_eq(reader[i].wrong, 0);
        ck_assert_uint_gt(reader[i].seen, 0);
    }
    ck_assert_int_eq(es_slot_sweep(slot), 0);
    ck_assert_int_eq(gone, EDITIONS - 1);
    es_slot_empty(slot);
    ck_assert_int_eq(gone, EDITIONS);
}
END_TEST

Suite *suite_slot(void)
{
    Suite *suite = suite_create("slot");
    TCase *tc = unit_case(suite, "slot");

    tcase_add_test(tc, empty);
    tcase_add_test(tc, taken_stays);
    tcase_add_test(tc, long_held);
    tcase_add_test(tc, threads);
    return suite;
}
