/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A writer of the session table killed after every single instruction. A child runs one operation step by step under
 * ptrace; whenever a step has changed the shared memory, a copy of it is given the mutexes that the kernel would leave
 * (get_robust_list(2): the dead owner's thread id gives way to FUTEX_OWNER_DIED), and readers, the next writer and the
 * consistency check go over the copy. Memory that a step has not changed is memory that has been checked.
 */
#include "unit.h"

#include "session/table_layout.h"
#include "table_tools.h"

#include <apr_strings.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW apr_time_from_sec(1700000000)
#define SOON (NOW + apr_time_from_sec(30)) /* when the operation runs */
#define LATER (NOW + apr_time_from_sec(3600))

#define NEW 1000
#define SESSIONS 10
#define LEN 180            /* one block */
#define STEPS_MOST 1000000 /* a child that never ends is a failure */

/* What the operations write, made before, so that every step counts. */
static es_hash_t new_key, old_key;
static es_bytes_t new_record, large_record, replacement;
static es_why_t ignored;

static void insert_new(es_table_t *table)
{
    es_table_insert(table, &new_key, new_record, LATER, SOON, &ignored);
}

static void insert_large(es_table_t *table)
{
    es_table_insert(table, &new_key, large_record, LATER, SOON, &ignored);
}

static void replace(es_table_t *table)
{
    es_table_insert(table, &old_key, replacement, LATER, SOON, &ignored);
}

static void remove_one(es_table_t *table)
{
    es_table_remove(NULL, table, &old_key, &ignored);
}

static void expire(es_table_t *table)
{
    es_table_expire(table, SOON, 10);
}

/* The sessions that are there before, numbers 0 … n - 1. */
static void put_sessions(es_table_t *table, unsigned n_soon)
{
    for (unsigned n = 0; n < SESSIONS; n++) {
        table_put(table, n, LEN, n < n_soon ? NOW + 1 : LATER, NOW);
    }
}

static void some(es_table_t *table)
{
    put_sessions(table, 0);
}

static void some_expired(es_table_t *table)
{
    put_sessions(table, 2);
}

static void fill(es_table_t *table)
{
    for (unsigned n = SESSIONS; table_count(table).blocks > table_count(table).blocks_used; n++) {
        table_put(table, n, LEN, LATER, NOW);
    }
}

static void full(es_table_t *table)
{
    put_sessions(table, 0);
    fill(table);
}

static void full_expired(es_table_t *table)
{
    put_sessions(table, 2);
    fill(table);
}

static const struct {
    const char *name;
    void (*prepare)(es_table_t *table);
    void (*run)(es_table_t *table);
    unsigned may_go; /* sessions the operation itself ends */
    int twice;       /* the writer that runs comes after one that was killed half-way */
} operations[] = {
    { "insert", some, insert_new, 0, 0 },
    { "insert and tidy", some_expired, insert_new, 2, 0 },
    { "replace", some, replace, 0, 0 },
    { "remove", some, remove_one, 1, 0 },
    { "expire", some_expired, expire, 2, 0 },
    { "evict", full, insert_new, 2, 0 },
    { "evict several", full, insert_large, 3, 0 },
    { "make room of expired", full_expired, insert_new, 2, 0 },
    { "replace when full", full, replace, 2, 0 },
    { "repair after insert", some, insert_new, 0, 1 },
    { "repair after replace", some, replace, 0, 1 },
    { "repair after remove", some, remove_one, 1, 1 },
    { "repair after evict", full, insert_large, 6, 1 },
};
#define N_OPERATIONS (int)(sizeof operations / sizeof *operations)

/* What the kernel does to a mutex that a dead process held. */
static int bury(es_robust_t *lock, pid_t dead)
{
    int *futex = &lock->mutex.__data.__lock;

    if ((*futex & FUTEX_TID_MASK) != dead) {
        return 0;
    }
    *futex = (int)(((unsigned)*futex & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
    return 1;
}

static int bury_all(es_table_t *table, pid_t dead)
{
    int buried = bury(&table->pool->lock, dead);

    for (apr_uint32_t i = 0; i < table->n_shards; i++) {
        buried += bury(&table->shards[i].lock, dead);
    }
    return buried;
}

static unsigned missing_of(es_table_t *table, unsigned n)
{
    unsigned missing = 0;

    while (n-- > 0) {
        missing += !table_has(table, n, NOW);
    }
    return missing;
}

/* The world after the writer died: first the readers, then whoever takes the mutexes. */
static void expect_no_harm(es_table_t *table, int which, unsigned n, unsigned step)
{
    unsigned may_go = operations[which].may_go;
    es_why_t why = ES_WHY_INIT;

    ck_assert_msg(missing_of(table, n) <= may_go, "%s, step %u: sessions are gone", operations[which].name, step);
    table_has(table, NEW, NOW);
    for (apr_uint32_t i = 0; i < table->n_shards; i++) {
        ck_assert(es_table_enter(table, i));
        es_table_leave(table, i);
    }
    ck_assert(es_table_give(table, 0, ES_TABLE_NIL, 0)); /* takes the pool and gives nothing */
    ck_assert_msg(es_table_check(table, &why) == ES_OK, "%s, step %u: %s", operations[which].name, step, why.text);
    ck_assert_msg(missing_of(table, n) <= may_go, "%s, step %u: the repair lost sessions", operations[which].name,
                  step);
    table_has(table, NEW, NOW);
}

/* Stepping through valgrind's own instructions would take hours. */
static int under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload && strstr(preload, "vgpreload");
}

/* The child, stopped before the operation; 0 where it cannot be traced. */
static pid_t start_child(es_table_t *table, int which)
{
    pid_t child = fork();
    int status;

    ck_assert(child >= 0);
    if (child == 0) {
        if (under_valgrind() || ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(77);
        }
        raise(SIGSTOP);
        operations[which].run(table);
        _exit(0);
    }
    ck_assert(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status)) {
        printf("unit: SKIPPED the killed writer step by step: no ptrace here\n");
        return 0;
    }
    return child;
}

/* Goes through an operation; *half is the memory as a writer killed in the middle of the changes leaves it. Returns how
 * many changes there were. */
static unsigned step_through(void *half, unsigned middle, es_table_t *table, es_table_t *copy, apr_size_t size,
                             int which, unsigned n)
{
    unsigned char *memory = table_memory_of(),
                  *copied = (unsigned char *)copy->pool - ((unsigned char *)table->pool - memory);
    void *last = apr_pmemdup(unit_pool, memory, size);
    unsigned step, changes = 0, inside = 0;
    pid_t child = start_child(table, which);
    int status = 0;

    for (step = 0; child && step < STEPS_MOST; step++) {
        ck_assert(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0 && waitpid(child, &status, 0) == child);
        if (!WIFSTOPPED(status)) {
            break;
        }
        if (memcmp(last, memory, size) == 0) {
            continue;
        }
        memcpy(last, memory, size);
        memcpy(copied, memory, size);
        inside += bury_all(copy, child) > 0;
        if (++changes == middle) {
            memcpy(half, copied, size);
        }
        expect_no_harm(copy, which, n, step);
    }
    ck_assert(!child || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    ck_assert(!child || inside > changes / 2);
    return changes;
}

START_TEST(killed_after_every_instruction)
{
    apr_size_t size = es_table_minimum();
    es_table_t *copy = table_new(size), *table = table_new(size);
    void *before, *half = apr_palloc(unit_pool, size);
    es_why_t why = ES_WHY_INIT;
    unsigned n, changes;

    new_key = table_key(NEW);
    old_key = table_key(3);
    new_record = table_record(NEW, 300, unit_pool);
    large_record = table_record(NEW, 600, unit_pool);
    replacement = table_record(3, 300, unit_pool);
    operations[_i].prepare(table);
    n = (unsigned)table_count(table).records;
    before = apr_pmemdup(unit_pool, table_memory_of(), size);
    changes = step_through(half, 0, table, copy, size, _i, n);
    ck_assert_reason(es_table_check(table, &why), ES_OK, why);
    if (operations[_i].twice && changes > 0) {
        memcpy(table_memory_of(), before, size);
        step_through(half, changes / 2, table, copy, size, _i, n);
        memcpy(table_memory_of(), half, size);
        step_through(half, 0, table, copy, size, _i, n);
        ck_assert_reason(es_table_check(table, &why), ES_OK, why);
        ck_assert_uint_gt(table_count(table).repaired, 0);
    }
}
END_TEST

Suite *suite_table_steps(void)
{
    Suite *suite = suite_create("table_steps");
    TCase *steps = unit_case(suite, "steps");

    tcase_add_loop_test(steps, killed_after_every_instruction, 0, N_OPERATIONS);
    return suite;
}
