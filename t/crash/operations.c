/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "steps.h"

#include "session/ring_layout.h"
#include "session/table_layout.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE (600 * 1024) /* two shards */
#define STORE_SIZE (256 * 1024)
#define FEW 10
#define LEN_MOST 1500
#define LEN_FULL 180 /* one block: what a full table is full of */
#define OLD 3

/* What the operations write is made before, so that no instruction is spent on it. */
crash_world_t steps_world;
static es_hash_t new_key, old_key;
static es_bytes_t new_record, replacement;
static es_stored_t old_stored;
static es_bytes_t new_thing, taken;
static const es_holder_t holder = { STEPS_NEW, STEPS_NEW };
static es_why_t ignored;
apr_pool_t *steps_pool;
unsigned steps_sessions;

static void insert_new(void)
{
    es_table_insert(steps_world.table, &new_key, new_record, CRASH_LATER, CRASH_SOON, &ignored);
}

static void replace(void)
{
    es_table_insert(steps_world.table, &old_key, replacement, CRASH_LATER, CRASH_SOON, &ignored);
}

static void remove_one(void)
{
    es_table_remove(NULL, steps_world.table, &old_key, &ignored);
}

static void expire(void)
{
    es_table_expire(steps_world.table, CRASH_SOON, 10);
}

static void mark(void)
{
    int added;

    es_replay_add(&added, steps_world.marks, &new_key, CRASH_LATER, CRASH_SOON, &ignored);
}

/* What flow/acs.c commits: one mark stands for both. */
static void sign_in(void)
{
    es_store_t *store = steps_world.store;
    int added;

    store->mark_add(&added, store, &new_key, CRASH_LATER, CRASH_SOON, &ignored);
    store->insert(store, &new_key, new_record, &new_key, 1, CRASH_LATER, CRASH_SOON, &ignored);
}

static void use_and_sign_out(void)
{
    es_store_t *store = steps_world.store;

    store->touch(store, &old_key, &old_stored, CRASH_SOON);
    store->remove(NULL, store, &old_key, &ignored);
}

static void keep(void)
{
    es_ring_keep(steps_world.ring, &new_key, new_thing, &holder, CRASH_LATER, CRASH_SOON, &ignored);
}

static void take(void)
{
    es_ring_take(&taken, steps_world.ring, &old_key, CRASH_SOON, &ignored, steps_pool);
}

static void some(void)
{
    for (steps_sessions = 0; steps_sessions < STEPS_SESSIONS; steps_sessions++) {
        crash_put(steps_world.table, steps_sessions, 1 + steps_sessions * LEN_MOST / STEPS_SESSIONS, CRASH_LATER,
                  steps_pool);
    }
}

/* In a table of 64 blocks: going through all of it shall not take too many instructions. */
static void few(void)
{
    for (steps_sessions = 0; steps_sessions < FEW; steps_sessions++) {
        crash_put(steps_world.table, steps_sessions, LEN_FULL, CRASH_LATER, steps_pool);
    }
}

static void few_expired(void)
{
    few();
    for (unsigned n = 0; n < 4; n++) {
        crash_put(steps_world.table, n, LEN_FULL, CRASH_NOW + 1, steps_pool);
    }
}

static void full(void)
{
    es_table_counters_t counters;

    some();
    do {
        crash_put(steps_world.table, steps_sessions++, LEN_FULL, CRASH_LATER, steps_pool);
        es_table_count(&counters, steps_world.table);
    } while (counters.blocks_used < counters.blocks);
}

/* Things of one block fill the ring; each of its own client, all old enough to give way. */
static void ring_full(void)
{
    es_ring_counters_t counters;
    unsigned n = 10 * STEPS_NEW;

    few();
    do {
        crash_ring_keep(steps_world.ring, n++, LEN_FULL, CRASH_NOW - apr_time_from_sec(1000), steps_pool);
        es_ring_count(&counters, steps_world.ring, CRASH_NOW);
    } while (counters.evicted == 0 && counters.refused == 0 && counters.used < counters.room);
}

pid_t steps_start(void (*run)(void))
{
    pid_t child = crash_fork();
    int status;

    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(EXIT_FAILURE);
        }
        raise(SIGSTOP);
        run();
        _exit(EXIT_SUCCESS);
    }
    return waitpid(child, &status, 0) == child && WIFSTOPPED(status) ? child : 0;
}

int steps_step(pid_t child)
{
    int status;

    return ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0 && waitpid(child, &status, 0) == child &&
           WIFSTOPPED(status);
}

/* A process was killed when it had taken a block out of the pool and done nothing with it. */
static void few_and_a_dead_one(void)
{
    apr_uint32_t before;
    pid_t child;

    few();
    before = es_table_get32(&steps_world.table->pool->free);
    child = steps_start(insert_new);
    while (es_table_get32(&steps_world.table->pool->free) == before && steps_step(child)) {
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* A process was killed when it had taken a block for a thing, and the thing was not yet there. */
static void few_and_a_dead_keeper(void)
{
    apr_uint32_t last = steps_world.ring->n_blocks - 1; /* the free block that is taken first */
    unsigned steps = 0;
    pid_t child;

    few();
    while (steps_world.ring->links[last] != ES_RING_FREE) {
        last--;
    }
    child = steps_start(keep);
    while (steps_world.ring->links[last] == ES_RING_FREE && steps++ < 20000 && steps_step(child)) {
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

const steps_operation_t steps_operations[STEPS_OPERATIONS] = {
    { "insert", some, insert_new, LARGE, 0, 0 },
    { "update", some, replace, LARGE, 0, 0 },
    { "delete", some, remove_one, LARGE, 1, 0 },
    { "eviction", full, insert_new, LARGE, 2, 0 },
    { "expiry", few_expired, expire, 0, 4, 0 },
    { "repair", few_and_a_dead_one, replace, 0, 0, 0 },
    { "replay mark", few, mark, 0, 0, 0 },
    { "sign-in", some, sign_in, LARGE, 0, 0 },
    { "sign-out", some, use_and_sign_out, LARGE, 1, 0 },
    { "keeping", few, keep, 0, 0, 0 },
    { "taking", few, take, 0, 0, 1 },
    { "giving way", ring_full, keep, 0, 0, 3 },
    { "ring's repair", few_and_a_dead_keeper, keep, 0, 0, 0 },
};

void steps_prepare(const steps_operation_t *operation)
{
    apr_size_t size = operation->size;

    crash_world_make(&steps_world, size > 0 ? size : es_table_minimum(), STORE_SIZE, steps_pool);
    new_key = table_key(STEPS_NEW);
    old_key = table_key(OLD);
    new_record = table_record(STEPS_NEW, 300, steps_pool);
    replacement = table_record(OLD, 300, steps_pool);
    new_thing = table_record(STEPS_NEW, 1200, steps_pool);
    for (unsigned n = 0; n < STEPS_KEPT; n++) {
        crash_ring_keep(steps_world.ring, n, 1 + n * LEN_MOST / STEPS_KEPT, CRASH_NOW, steps_pool);
    }
    for (unsigned n = 0; n < STEPS_MARKS; n++) {
        es_hash_t key = table_key(n);
        int added;

        es_replay_add(&added, steps_world.marks, &key, CRASH_LATER, CRASH_NOW, &ignored);
        crash_mark(steps_world.store, n);
    }
    for (unsigned n = 0; n < STEPS_SESSIONS; n++) {
        crash_store_put(steps_world.store, n, 1 + n * LEN_MOST / STEPS_SESSIONS, steps_pool);
    }
    operation->prepare();
    steps_world.store->find(&old_stored, steps_world.store, &old_key, CRASH_NOW, &ignored, steps_pool);
}
