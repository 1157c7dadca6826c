/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The index: what was added is found as long as its record lives, however many there are of one subject, and whoever is
 * killed meanwhile.
 */
#include "unit.h"

#include "base/crypto.h"
#include "session/index.h"
#include "table_tools.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW apr_time_from_sec(1700000000)
#define LATER (NOW + apr_time_from_sec(3600))
#define MIB (1024 * 1024)
#define WINDOW 32 /* cells */

static unsigned char *memory;
static apr_size_t memory_size;
static es_table_t *table;
static es_index_t *subjects;

static void make(apr_size_t size, apr_size_t table_size)
{
    es_why_t why = ES_WHY_INIT;

    table = table_new(table_size);
    memory = table_memory(size);
    memory_size = size;
    ck_assert_reason(es_index_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_index_attach(&subjects, memory, size, &why, unit_pool), ES_OK, why);
}

static es_hash_t subject_of(unsigned number)
{
    return table_key(number + 1000000);
}

static es_rv_t try_add(unsigned subject, unsigned session)
{
    es_hash_t key = table_key(session), hash = subject_of(subject);
    es_why_t why = ES_WHY_INIT;
    es_table_spot_t spot;

    table_put(table, session, 8, LATER, NOW);
    ck_assert_reason(es_table_locate(&spot, table, &key, &why), ES_OK, why);
    ck_assert_uint_ne(spot.state, 0);
    return es_index_add(subjects, table, &hash, &spot, &why);
}

static void add(unsigned subject, unsigned session)
{
    ck_assert_int_eq(try_add(subject, session), ES_OK);
}

static void end(unsigned session)
{
    es_hash_t key = table_key(session);
    es_why_t why = ES_WHY_INIT;
    int removed = 0;

    ck_assert_reason(es_table_remove(&removed, table, &key, &why), ES_OK, why);
    ck_assert_int_eq(removed, 1);
}

static int count(unsigned subject)
{
    es_hash_t hash = subject_of(subject);
    const es_table_spot_t *spots;

    return es_index_find(&spots, subjects, table, &hash, unit_pool);
}

/* Is the session among the subject's? */
static int has(unsigned subject, unsigned session)
{
    es_hash_t hash = subject_of(subject), key, wanted = table_key(session);
    const es_table_spot_t *spots;
    int i, found = 0, n = es_index_find(&spots, subjects, table, &hash, unit_pool);

    for (i = 0; i < n; i++) {
        found += es_table_key_at(&key, table, &spots[i]) && memcmp(&key, &wanted, sizeof key) == 0;
    }
    return found;
}

START_TEST(refuses_foreign_memory)
{
    apr_size_t size = es_index_minimum();
    es_why_t why = ES_WHY_INIT;
    es_index_t *index = NULL;

    memory = table_memory(size + 4096);
    ck_assert_reason(es_index_format(memory, 500, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_index_format(memory + 8, size, &why), ES_CONFIG_STATE, why);
    why.rv = ES_OK;
    ck_assert_reason(es_index_attach(&index, memory, size, &why, unit_pool), ES_CONFIG_STATE, why);
    memset(memory, 0xa5, size);
    why.rv = ES_OK;
    ck_assert_reason(es_index_format(memory, size, &why), ES_OK, why);
    ck_assert_reason(es_index_attach(&index, memory, size + 4096, &why, unit_pool), ES_CONFIG_STATE, why);
    memory[17] ^= 1;
    why.rv = ES_OK;
    ck_assert_reason(es_index_attach(&index, memory, size, &why, unit_pool), ES_CONFIG_STATE, why);
    ck_assert_ptr_null(index);
    memory[17] ^= 1;
    why.rv = ES_OK;
    ck_assert_reason(es_index_attach(&index, memory, size, &why, unit_pool), ES_OK, why);
}
END_TEST

START_TEST(finds_the_living)
{
    es_why_t why = ES_WHY_INIT;

    make(64 * 1024, MIB);
    ck_assert_int_eq(count(1), 0);
    add(1, 10);
    add(1, 11);
    add(2, 20);
    ck_assert(has(1, 10) == 1 && has(1, 11) == 1 && has(2, 20) == 1);
    ck_assert(count(1) == 2 && count(2) == 1 && count(3) == 0);
    end(10);
    ck_assert(has(1, 10) == 0 && has(1, 11) == 1 && count(1) == 1);
    /* The block goes to somebody else, to whom the old entry does not lead. */
    add(3, 30);
    ck_assert(count(1) == 1 && has(3, 30) == 1);
    /* The same session anew is another record. */
    table_put(table, 11, 8, LATER, NOW);
    ck_assert_int_eq(count(1), 0);
    /* A restart. */
    ck_assert_reason(es_index_attach(&subjects, memory, memory_size, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_index_recover(subjects, &why), ES_OK, why);
    ck_assert_reason(es_table_recover(table, &why), ES_OK, why);
    ck_assert(has(2, 20) == 1 && has(3, 30) == 1);
}
END_TEST

/* Two subjects with the same first 64 bits: the caller looks at the records. */
START_TEST(a_fingerprint_may_lead_to_another)
{
    es_hash_t key = table_key(10), hash = subject_of(1);
    const es_table_spot_t *spots;

    make(64 * 1024, MIB);
    add(1, 10);
    hash.octet[8] ^= 1;
    ck_assert_int_eq(es_index_find(&spots, subjects, table, &hash, unit_pool), 1);
    ck_assert(es_table_key_at(&key, table, &spots[0]));
    hash.octet[7] ^= 1;
    ck_assert_int_eq(es_index_find(&spots, subjects, table, &hash, unit_pool), 0);
}
END_TEST

/* Thousands of one subject find room elsewhere, each once, while its neighbours keep theirs. */
START_TEST(one_subject_may_have_thousands)
{
    enum { MANY = 5000, OTHERS = 2000 };
    unsigned n;

    make(256 * 1024, 4 * MIB);
    for (n = 0; n < MANY; n++) {
        add(1, n);
        if (n % 50 == 0) {
            ck_assert_int_eq(count(1), (int)n + 1);
        }
    }
    for (n = 0; n < OTHERS; n++) {
        add(100 + n, MANY + n);
    }
    ck_assert_int_eq(count(1), MANY);
    for (n = 0; n < OTHERS; n++) {
        ck_assert(count(100 + n) == 1 && has(100 + n, MANY + n));
    }
    for (n = 0; n < MANY; n++) {
        end(n);
    }
    ck_assert_int_eq(count(1), 0);
    for (n = 0; n < OTHERS; n++) {
        ck_assert_int_eq(count(100 + n), 1);
    }
}
END_TEST

/* One after the other, never more than a few at a time: the entries stay where they are looked for. */
START_TEST(a_robot_leaves_no_trail)
{
    enum { ROUNDS = 20000, LIVE = 100 };
    const apr_uint16_t *depths;
    unsigned n, deepest = 0;

    make(256 * 1024, MIB);
    depths = (const apr_uint16_t *)(const void *)(memory + 128);
    for (n = 0; n < ROUNDS; n++) {
        add(1, n);
        if (n >= LIVE) {
            end(n - LIVE);
        }
    }
    ck_assert_int_eq(count(1), LIVE);
    for (n = 0; n < 256 * 1024 / 66; n++) {
        deepest = depths[n] > deepest ? depths[n] : deepest;
    }
    ck_assert_uint_ge(deepest, LIVE / WINDOW - 1);
    ck_assert_uint_le(deepest, 6 * LIVE / WINDOW);
    for (n = ROUNDS - LIVE; n < ROUNDS; n++) {
        end(n);
    }
    add(1, ROUNDS);
    for (n = 0; n < 256 * 1024 / 66; n++) {
        ck_assert_uint_eq(depths[n], 0);
    }
}
END_TEST

/* Full up to the last percents, and then it says so; what was there is still found, and what goes makes room. */
START_TEST(full_refuses)
{
    unsigned n = 0, i, cells = 64 * 1024 / 66 * 4;

    make(64 * 1024, 4 * MIB);
    while (try_add(n, n) == ES_OK) {
        n++;
    }
    ck_assert_uint_le(n, cells);
    ck_assert_uint_ge(n, cells / 100 * 97);
    for (i = 0; i < n; i++) {
        ck_assert(has(i, i));
    }
    for (i = 0; i < n; i += 4) {
        end(i);
    }
    for (i = 0; i < n / 5; i++) {
        add(n + 1 + i, n + 1 + i);
    }
}
END_TEST

/* Adds without end, in a child that will be killed: no assertion of check, which talks to the parent through a pipe. */
static void add_for_ever(unsigned child)
{
    es_hash_t subject = subject_of(child);
    es_why_t why = ES_WHY_INIT;
    unsigned n;

    for (n = 0;; n++) {
        es_hash_t key = table_key(child * 1000000 + n % 500);
        es_table_spot_t spot;

        if (es_table_insert(table, &key, es_bytes(&key, sizeof key), LATER, NOW, &why) != ES_OK ||
            es_table_locate(&spot, table, &key, &why) != ES_OK ||
            es_index_add(subjects, table, &subject, &spot, &why) != ES_OK) {
            _exit(1);
        }
    }
}

/* Adders killed at any moment: others go on, and an entry that was finished stays. */
START_TEST(killed_adders_do_no_harm)
{
    unsigned n, round;
    int status;

    make(256 * 1024, 4 * MIB);
    for (n = 0; n < 500; n++) {
        add(n, n);
    }
    for (round = 0; round < 100; round++) {
        pid_t child = fork();

        if (child == 0) {
            add_for_ever(10 + round % 5);
        }
        usleep(1000 + (unsigned)random() % 3000);
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status)); /* not for want of room */
        add(7000 + round, 7000 + round);
        ck_assert(has(7000 + round, 7000 + round));
    }
    for (n = 0; n < 500; n++) {
        ck_assert(has(n, n));
    }
}
END_TEST

/* Readers beside writers: an entry that stands is found every time, although everything around it changes. */
START_TEST(found_while_others_add)
{
    pid_t child[2];
    unsigned n, i;
    int status;

    make(64 * 1024, 4 * MIB);
    for (n = 0; n < 100; n++) {
        add(n % 3, n);
    }
    for (i = 0; i < 2; i++) {
        if ((child[i] = fork()) == 0) {
            add_for_ever(10 + i);
        }
    }
    for (n = 0; n < 20000; n++) {
        unsigned session = n % 100;

        ck_assert_int_eq(has(session % 3, session), 1);
        if (n % 100 == 0) {
            es_why_t why = ES_WHY_INIT;

            apr_pool_clear(unit_pool);
            table = table_again();
            ck_assert_reason(es_index_attach(&subjects, memory, memory_size, &why, unit_pool), ES_OK, why);
        }
    }
    for (i = 0; i < 2; i++) {
        kill(child[i], SIGKILL);
        ck_assert_int_eq(waitpid(child[i], &status, 0), child[i]);
        ck_assert(WIFSIGNALED(status));
    }
}
END_TEST

/* Any octets in the memory: no crash, no endless walk, and entries go on being added and found. */
START_TEST(damage_is_survived)
{
    unsigned n, session = 1000000;

    make(64 * 1024, MIB);
    for (n = 0; n < 300; n++) {
        add(n % 20, n);
    }
    for (n = 0; n < 20000; n++) {
        memory[128 + (apr_size_t)random() % (memory_size - 128)] ^= (unsigned char)(1 << random() % 8);
        if (n % 100 == 0) {
            add(n, session);
            ck_assert_int_eq(has(n, session), 1);
            end(session++);
        }
    }
}
END_TEST

Suite *suite_index(void)
{
    Suite *suite = suite_create("index");
    TCase *index = unit_case(suite, "index");

    tcase_set_timeout(index, 60);
    tcase_add_test(index, refuses_foreign_memory);
    tcase_add_test(index, finds_the_living);
    tcase_add_test(index, a_fingerprint_may_lead_to_another);
    tcase_add_test(index, one_subject_may_have_thousands);
    tcase_add_test(index, a_robot_leaves_no_trail);
    tcase_add_test(index, full_refuses);
    tcase_add_test(index, killed_adders_do_no_harm);
    tcase_add_test(index, found_while_others_add);
    tcase_add_test(index, damage_is_survived);
    return suite;
}
