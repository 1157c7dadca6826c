/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ring: what is kept comes back whole, once where it is taken, and one client's flood costs that client.
 */
#include "unit.h"

#include "base/crypto.h"
#include "session/ring_layout.h"
#include "table_tools.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW apr_time_from_sec(1700000000)
#define SEC(n) apr_time_from_sec(n)
#define LATER (NOW + SEC(3600))
#define SIZE (256 * 1024)
#define PAGE 4096

static unsigned char *memory;
static es_ring_t *ring;

static void open_size(apr_size_t size)
{
    es_why_t why = ES_WHY_INIT;

    memory = table_memory(size);
    ck_assert_reason(es_ring_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_ring_attach(&ring, memory, size, &why, unit_pool), ES_OK, why);
}

static void open_ring(void)
{
    open_size(SIZE);
}

/* So many octets that tell which they are. */
static es_bytes_t octets_of(unsigned number, apr_size_t len)
{
    unsigned char *octets = apr_palloc(unit_pool, len + 1);

    for (apr_size_t i = 0; i < len; i++) {
        octets[i] = (unsigned char)(number * 31 + i * 7 + i / 251);
    }
    return es_bytes(octets, len);
}

static es_rv_t keep_for(es_holder_t holder, unsigned number, apr_size_t len, apr_time_t now)
{
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;

    return es_ring_keep(ring, &key, octets_of(number, len), &holder, now + SEC(3600), now, &why);
}

static es_rv_t keep(unsigned client, unsigned number, apr_size_t len)
{
    return keep_for((es_holder_t){ client, client }, number, len, NOW);
}

static int has_at(unsigned number, apr_size_t len, apr_time_t now, int takes)
{
    es_hash_t key = table_key(number);
    es_why_t why = ES_WHY_INIT;
    es_bytes_t content, wanted = octets_of(number, len);
    es_rv_t rv = takes ? es_ring_take(&content, ring, &key, now, &why, unit_pool)
                       : es_ring_find(&content, ring, &key, now, &why, unit_pool);

    ck_assert_reason(rv, ES_OK, why);
    if (!content.data) {
        return 0;
    }
    ck_assert_uint_eq(content.len, len);
    ck_assert(memcmp(content.data, wanted.data, len) == 0 && content.data[len] == '\0');
    return 1;
}

/* Without being found, which makes it the first to go. */
static int is_kept(unsigned number)
{
    es_hash_t key = table_key(number);
    es_ring_item_t item;
    apr_size_t at = 0;

    while (es_ring_next(&item, &at, ring, NOW, unit_pool)) {
        if (memcmp(&item.key, &key, sizeof key) == 0) {
            return 1;
        }
    }
    return 0;
}

static es_ring_counters_t count(void)
{
    es_ring_counters_t counters;

    es_ring_count(&counters, ring, NOW);
    return counters;
}

static void check(void)
{
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_ring_check(ring, &why), ES_OK, why);
}

START_TEST(attaches_to_its_own_only)
{
    es_why_t why = ES_WHY_INIT;
    es_ring_t *other;

    for (apr_size_t at = 0; at < sizeof(es_ring_header_t); at++) {
        memory[at] ^= 0x10;
        why.rv = ES_OK;
        ck_assert_reason(es_ring_attach(&other, memory, SIZE, &why, unit_pool), ES_CONFIG_STATE, why);
        memory[at] ^= 0x10;
    }
    why.rv = ES_OK;
    ck_assert_reason(es_ring_attach(&other, memory, SIZE - PAGE, &why, unit_pool), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_ring_format(memory, es_ring_minimum() - PAGE, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_ring_format(memory + 64, SIZE - 64, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_ring_format(memory, es_ring_minimum(), &why), ES_OK, why);
    ck_assert_uint_ge(es_ring_largest(es_ring_minimum()), 8190 + 100); /* the longest landing, sealed */
}
END_TEST

START_TEST(what_is_kept_comes_back)
{
    static const apr_size_t lens[] = { 1, ES_RING_BLOCK - 1, ES_RING_BLOCK, ES_RING_BLOCK + 1, 5000, 0 };

    for (unsigned n = 0; lens[n]; n++) {
        ck_assert_int_eq(keep(n, n, lens[n]), ES_OK);
    }
    for (unsigned n = 0; lens[n]; n++) {
        ck_assert(has_at(n, lens[n], NOW, 0) && has_at(n, lens[n], NOW, 0));
        ck_assert(has_at(n, lens[n], NOW, 1));
        ck_assert(!has_at(n, lens[n], NOW, 1) && !has_at(n, lens[n], NOW, 0));
    }
    ck_assert(count().items == 0 && count().used == 0 && count().kept == 5 && count().taken == 5);
    check();
}
END_TEST

/* Nothing, and more than a quarter. */
START_TEST(has_a_least_and_a_most)
{
    ck_assert_int_eq(keep(1, 1, 0), ES_KEEP_FULL);
    ck_assert_int_eq(keep(1, 1, es_ring_largest(SIZE) + 1), ES_KEEP_FULL);
    ck_assert_int_eq(keep(1, 1, es_ring_largest(SIZE)), ES_OK);
    ck_assert(has_at(1, es_ring_largest(SIZE), NOW, 1));
    ck_assert_uint_eq(count().refused, 2);
    check();
}
END_TEST

START_TEST(it_expires_and_is_wiped)
{
    ck_assert_int_eq(keep(1, 1, 3000), ES_OK);
    ck_assert_int_eq(keep_for((es_holder_t){ 1, 1 }, 2, 3000, NOW + SEC(10)), ES_OK);
    ck_assert(has_at(1, 3000, LATER - 1, 0));
    ck_assert(!has_at(1, 3000, LATER, 0));
    es_ring_tidy(ring, LATER);
    check();
    ck_assert(has_at(2, 3000, LATER, 0));
    ck_assert_uint_eq(count().expired, 1);
    es_ring_tidy(ring, LATER + SEC(10));
    for (apr_size_t i = 0; i < (apr_size_t)ring->n_blocks * ES_RING_BLOCK; i++) {
        ck_assert_int_eq(ring->blocks[i], 0);
    }
}
END_TEST

/* A page that is reloaded while its browser is away. */
START_TEST(the_same_is_kept_once)
{
    es_ring_counters_t first;

    ck_assert_int_eq(keep(1, 1, 3000), ES_OK);
    first = count();
    ck_assert_int_eq(keep_for((es_holder_t){ 2, 2 }, 1, 3000, NOW + SEC(1000)), ES_OK);
    ck_assert(count().items == 1 && count().used == first.used);
    ck_assert(has_at(1, 3000, LATER + SEC(999), 0)); /* from then on an hour */
}
END_TEST

/* 200 tabs with addresses of 4 KiB, by default. */
START_TEST(the_default_holds_two_hundred_tabs)
{
    open_size(1024 * 1024);
    for (unsigned n = 0; n < 200; n++) {
        ck_assert_int_eq(keep(1, n, 4096 + 100), ES_OK);
    }
    for (unsigned n = 0; n < 200; n++) {
        ck_assert(has_at(n, 4096 + 100, NOW, 0));
    }
    ck_assert_uint_eq(count().evicted, 0);
}
END_TEST

/* One client keeps on sending; everybody else's is there at the end. */
START_TEST(a_flood_takes_its_room_from_itself)
{
    for (unsigned n = 1; n <= 20; n++) {
        ck_assert_int_eq(keep(n, n, 4000), ES_OK);
    }
    for (unsigned n = 1000; n < 2000; n++) {
        /* with a new cookie each time, as who keeps none */
        ck_assert_int_eq(keep_for((es_holder_t){ 999, n }, n, 4000 + n % 1000, NOW + SEC(n % 7)), ES_OK);
    }
    for (unsigned n = 1; n <= 20; n++) {
        ck_assert_msg(is_kept(n), "client %u has lost what was kept for him", n);
    }
    ck_assert(is_kept(1999));
    ck_assert_int_eq(keep(21, 21, 4000), ES_OK); /* and who comes now has room too */
    ck_assert_uint_gt(count().evicted, 900);
    check();
}
END_TEST

/* Behind one address, as in an office: the browser that holds most, and of it the oldest. */
START_TEST(among_the_browsers_of_one_address)
{
    ck_assert_int_eq(keep_for((es_holder_t){ 1, 7 }, 1, 4000, NOW), ES_OK);
    for (unsigned n = 1000; n < 1500; n++) {
        ck_assert_int_eq(keep_for((es_holder_t){ 1, 8 }, n, 4000, NOW + SEC(n - 1000)), ES_OK);
    }
    ck_assert(is_kept(1) && is_kept(1499) && !is_kept(1000));
    check();
}
END_TEST

/* The ring is full of things as small as anybody's share: who wants more than all others gets nothing, unless what is
 * there has waited for long. */
START_TEST(nobody_large_pushes_out_the_small)
{
    unsigned n = 0;

    while (count().evicted == 0) {
        ck_assert_int_eq(keep(n, n, 2000), ES_OK);
        n++;
    }
    ck_assert_int_eq(keep(5000, 5000, 20000), ES_KEEP_FULL);
    ck_assert_uint_eq(count().evicted, 1);
    ck_assert_int_eq(keep_for((es_holder_t){ 5000, 5000 }, 5000, 20000, NOW + SEC(600)), ES_KEEP_FULL);
    ck_assert_int_eq(keep_for((es_holder_t){ 5000, 5000 }, 5000, 20000, NOW + SEC(601)), ES_OK);
    ck_assert(is_kept(5000));
    check();
}
END_TEST

/* Who has come back needs it for Back only. */
START_TEST(what_was_found_goes_first)
{
    unsigned n;

    for (n = 0; n < 10; n++) {
        ck_assert_int_eq(keep(n, n, 4000), ES_OK);
    }
    ck_assert(has_at(3, 4000, NOW, 0));
    for (n = 100; count().evicted == 0; n++) {
        ck_assert_int_eq(keep(50, n, 4000), ES_OK);
    }
    ck_assert(!is_kept(3) && is_kept(100));
}
END_TEST

/* Places can be fewer than blocks. */
START_TEST(many_small_things)
{
    for (unsigned n = 0; n < 2000; n++) {
        ck_assert_int_eq(keep(1, n, 10), ES_OK);
    }
    ck_assert_uint_eq(count().items, ring->n_items);
    check();
}
END_TEST

/* Memory that was damaged: what is whole stays, what is not goes, and every block is somebody's or free. */
START_TEST(damage_is_repaired)
{
    es_why_t why = ES_WHY_INIT;

    for (unsigned n = 0; n < 10; n++) {
        ck_assert_int_eq(keep(n, n, 3000), ES_OK);
    }
    ring->links[ring->places[2].first] = ES_RING_FREE;
    ring->links[ring->places[4].first] = ES_RING_LINK + ring->n_blocks;
    ring->places[6].first = ring->places[7].first;
    ring->places[8].len = 0;
    ring->blocks[0] = 1;
    ck_assert_reason(es_ring_check(ring, &why), ES_CONFIG_STATE, why);
    ck_assert_reason(es_ring_recover(ring, &why), ES_OK, why);
    check();
    for (unsigned n = 0; n < 10; n++) {
        ck_assert_msg(is_kept(n) == !(n == 2 || n == 4 || n == 7 || n == 8), "thing %u", n);
    }
    for (unsigned n = 100; n < 400; n++) {
        ck_assert_int_eq(keep(n, n, 3000), ES_OK);
    }
    check();
}
END_TEST

/* Random operations against a model: never more than what was kept, never torn, and no block is lost. */
START_TEST(anything_goes)
{
    apr_pool_t *all = unit_pool;

    srandom(7);
    apr_pool_create(&unit_pool, all);
    for (unsigned round = 0; round < 20000; round++) {
        const unsigned number = (unsigned)random() % 60;
        const apr_size_t len = 1 + number * 97;
        const apr_time_t now = NOW + SEC(random() % 7200);

        switch (random() % 4) {
        case 0:
            has_at(number, len, now, 1);
            break;
        case 1:
            has_at(number, len, now, 0);
            break;
        default:
            keep_for((es_holder_t){ (unsigned)random() % 5, (unsigned)random() % 9 }, number, len, now);
        }
        if (round % 500 == 0) {
            check();
            apr_pool_clear(unit_pool);
        }
    }
    unit_pool = all;
    check();
}
END_TEST

#define RACERS 4
#define PRIZES 200

/* Of any number of processes that take the same thing one has it. */
START_TEST(one_takes_it)
{
    unsigned *won = table_memory(sizeof(unsigned) * RACERS);
    unsigned sum = 0;

    for (unsigned n = 0; n < PRIZES; n++) {
        ck_assert_int_eq(keep(1, n, 300), ES_OK);
    }
    for (int racer = 0; racer < RACERS; racer++) {
        if (fork() == 0) {
            for (unsigned n = 0; n < PRIZES; n++) {
                won[racer] += (unsigned)has_at(n, 300, NOW, 1);
            }
            _exit(0);
        }
    }
    for (int racer = 0; racer < RACERS; racer++) {
        int status;

        ck_assert(wait(&status) > 0 && status == 0);
    }
    for (int racer = 0; racer < RACERS; racer++) {
        sum += won[racer];
    }
    ck_assert_uint_eq(sum, PRIZES);
    check();
}
END_TEST

Suite *suite_ring(void)
{
    Suite *suite = suite_create("ring");
    TCase *tcase = unit_case(suite, "ring");

    tcase_add_checked_fixture(tcase, open_ring, NULL);
    tcase_add_test(tcase, attaches_to_its_own_only);
    tcase_add_test(tcase, what_is_kept_comes_back);
    tcase_add_test(tcase, has_a_least_and_a_most);
    tcase_add_test(tcase, it_expires_and_is_wiped);
    tcase_add_test(tcase, the_same_is_kept_once);
    tcase_add_test(tcase, the_default_holds_two_hundred_tabs);
    tcase_add_test(tcase, a_flood_takes_its_room_from_itself);
    tcase_add_test(tcase, among_the_browsers_of_one_address);
    tcase_add_test(tcase, nobody_large_pushes_out_the_small);
    tcase_add_test(tcase, what_was_found_goes_first);
    tcase_add_test(tcase, many_small_things);
    tcase_add_test(tcase, damage_is_repaired);
    tcase_add_test(tcase, anything_goes);
    tcase_add_test(tcase, one_takes_it);
    return suite;
}
