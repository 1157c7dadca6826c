/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Killed at every instruction. A child runs one operation under ptrace and is stopped after each of its instructions.
 * What a killed process leaves behind is the shared memory and what the kernel makes of its list of robust mutexes
 * (get_robust_list(2)); so instructions that change neither cannot be told apart by anybody. One child is killed
 * after each instruction that does change something, and after some of the others all the same; `crash all` kills one
 * after every single one, which takes an hour.
 *
 * After each kill a second process, which knows nothing of the first but the memory they share, looks whether
 * everything is still there, does an operation of its own, and checks the memory. The same memory is put back before
 * each kill.
 *
 * t/unit/test_table_steps.c does something like it quickly: one child, copies of the memory, and mutexes made to look
 * as the kernel would leave them.
 */
#include "steps.h"

#include "session/table_layout.h"

#include <apr_strings.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEXT 200000
#define OTHERS 100 /* of the instructions that change nothing, one in so many */
#define STEPS_MOST 60000

static es_why_t ignored;

/* The second process */

static unsigned missing(void)
{
    unsigned gone = 0;

    for (unsigned n = 0; n < steps_sessions; n++) {
        gone += !crash_has(steps_world.table, n, steps_pool);
    }
    return gone;
}

static unsigned missing_kept(void)
{
    unsigned gone = 0;

    for (unsigned n = 0; n < STEPS_KEPT; n++) {
        gone += !crash_ring_has(steps_world.ring, n, steps_pool);
    }
    return gone;
}

static int all_stored(unsigned ends)
{
    unsigned gone = 0;

    for (unsigned n = 0; n < STEPS_SESSIONS; n++) {
        gone +=
            !crash_store_has(steps_world.store, n, steps_pool) || !crash_store_lists(steps_world.store, n, steps_pool);
    }
    return gone <= ends;
}

static int all_marked(void)
{
    int all = 1;

    for (unsigned n = 0; n < STEPS_MARKS; n++) {
        es_hash_t key = table_key(n);
        int found = 0;

        es_replay_find(&found, steps_world.marks, &key, CRASH_NOW, &ignored);
        all = all && found && crash_has_mark(steps_world.store, n);
    }
    return all;
}

/* A user signs in after the kill, and out again. Only where the table is full may that end other sessions. */
static int go_on(unsigned number)
{
    es_hash_t key = table_key(number);
    int removed = 0, there;

    there = crash_put(steps_world.table, number, 500, CRASH_LATER, steps_pool) &&
            crash_has(steps_world.table, number, steps_pool);
    return there && es_table_remove(&removed, steps_world.table, &key, &ignored) == ES_OK && removed &&
           !crash_has(steps_world.table, number, steps_pool);
}

static int go_on_in_store(unsigned number)
{
    es_hash_t key = table_key(number);
    int removed = 0, first = crash_mark(steps_world.store, number);

    return (first == 1 || (first == 0 && number == STEPS_NEW)) && crash_mark(steps_world.store, number) == 0 &&
           crash_store_put(steps_world.store, number, 500, steps_pool) &&
           crash_store_has(steps_world.store, number, steps_pool) &&
           crash_store_lists(steps_world.store, number, steps_pool) &&
           steps_world.store->remove(&removed, steps_world.store, &key, &ignored) == ES_OK && removed;
}

/* Something is kept after the kill, and taken. Where the ring is full, others may have to give way. */
static int keep_on(unsigned number)
{
    es_hash_t key = table_key(number);
    es_bytes_t content;

    return crash_ring_keep(steps_world.ring, number, 700, CRASH_NOW, steps_pool) &&
           crash_ring_has(steps_world.ring, number, steps_pool) &&
           es_ring_take(&content, steps_world.ring, &key, CRASH_NOW, &ignored, steps_pool) == ES_OK && content.data &&
           !crash_ring_has(steps_world.ring, number, steps_pool);
}

/* The mark of the killed process is there or not; whatever it is, it is set from now on. */
static int mark_again(void)
{
    es_hash_t key = table_key(STEPS_NEW);
    int first = 7, second = 7;

    return es_replay_add(&first, steps_world.marks, &key, CRASH_LATER, CRASH_NOW, &ignored) == ES_OK &&
           es_replay_add(&second, steps_world.marks, &key, CRASH_LATER, CRASH_NOW, &ignored) == ES_OK &&
           (first == 0 || first == 1) && second == 0;
}

/* Takes every mutex, so that whatever was left is repaired. */
static int visit(void)
{
    for (apr_uint32_t i = 0; i < steps_world.table->n_shards; i++) {
        if (!es_table_enter(steps_world.table, i)) {
            return 0;
        }
        es_table_leave(steps_world.table, i);
    }
    return es_table_give(steps_world.table, 0, ES_TABLE_NIL, 0);
}

static int survive(int which, unsigned step)
{
    const char *name = steps_operations[which].name;
    unsigned ends = steps_operations[which].ends;
    unsigned more = steps_sessions > STEPS_SESSIONS ? 4 : 0; /* evicted by the second process, in a full table */
    es_why_t why = ES_WHY_INIT;
    unsigned gone = missing();
    int good = 1;

    good &= crash_expect(gone <= ends, "%s, killed after %u: %u sessions are gone", name, step, gone);
    crash_has(steps_world.table, STEPS_NEW, steps_pool);
    crash_store_has(steps_world.store, STEPS_NEW, steps_pool);
    good &= crash_expect(all_stored(ends), "%s, killed after %u: the store lost sessions", name, step);
    good &= crash_expect(go_on(NEXT) && go_on(STEPS_NEW), "%s, killed after %u: the next sign-in fails", name, step);
    good &= crash_expect(go_on_in_store(NEXT) && go_on_in_store(STEPS_NEW) && mark_again(),
                         "%s, killed after %u: the next sign-in by the store fails", name, step);
    good &= crash_expect(visit() && es_table_check(steps_world.table, &why) == ES_OK, "%s, killed after %u: %s", name,
                         step, why.text);
    good &= crash_expect(missing_kept() <= steps_operations[which].drops,
                         "%s, killed after %u: the ring lost something", name, step);
    crash_ring_has(steps_world.ring, STEPS_NEW, steps_pool);
    good &= crash_expect(keep_on(NEXT), "%s, killed after %u: nothing can be kept", name, step);
    good &=
        crash_expect(es_ring_check(steps_world.ring, &why) == ES_OK, "%s, killed after %u: %s", name, step, why.text);
    gone = missing();
    good &= crash_expect(gone <= ends + more, "%s, killed after %u: the repair lost %u sessions", name, step, gone);
    good &= crash_expect(all_stored(ends) && all_marked(), "%s, killed after %u: the store lost something", name, step);
    return good;
}

/* Whether a second process gets through, within the time it is given. */
static int second_process(int which, unsigned step)
{
    pid_t child = crash_fork();
    int status;

    if (child == 0) {
        alarm(CRASH_PATIENCE);
        _exit(survive(which, step) ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    waitpid(child, &status, 0);
    crash_expect(WIFEXITED(status), "%s, killed after %u: the next process %s", steps_operations[which].name, step,
                 WTERMSIG(status) == SIGALRM ? "waits for ever" : "dies");
    return status == 0;
}

/* The first process */

/* The head of the list of mutexes it holds, as the kernel will find it. */
typedef struct {
    long word[sizeof(struct robust_list_head) / sizeof(long)];
} held_t;

static held_t held_by(pid_t child)
{
    struct robust_list_head *head = NULL;
    size_t len = 0;
    held_t held = { { 0 } };

    if (syscall(SYS_get_robust_list, child, &head, &len) == 0 && head) {
        for (size_t i = 0; i < sizeof held.word / sizeof *held.word; i++) {
            held.word[i] = ptrace(PTRACE_PEEKDATA, child, (long *)head + i, NULL);
        }
    }
    return held;
}

/* Notes after which instructions a kill is worth trying; returns how many there are, 0 where nothing can be traced. */
static unsigned watch(unsigned char worth[STEPS_MOST], unsigned char *last, int which)
{
    pid_t child = steps_start(steps_operations[which].run);
    held_t held, before = { { 0 } };
    unsigned count;

    if (!crash_expect(child != 0, "%s: the process cannot be traced", steps_operations[which].name)) {
        return 0;
    }
    for (count = 0; count < STEPS_MOST; count++) {
        held = held_by(child);
        worth[count] = crash_everywhere || count % OTHERS == 0 || memcmp(&held, &before, sizeof held) != 0 ||
                       memcmp(last, steps_world.memory, steps_world.size) != 0;
        memcpy(last, steps_world.memory, worth[count] ? steps_world.size : 0);
        before = held;
        if (!steps_step(child)) {
            return count + 1;
        }
    }
    crash_expect(0, "%s: it does not end", steps_operations[which].name);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return 0;
}

/* Kills a process after so many instructions. */
static int kill_after(int which, unsigned count)
{
    pid_t child = steps_start(steps_operations[which].run);
    int alive = child != 0;

    while (alive && count-- > 0) {
        alive = steps_step(child);
    }
    if (alive) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    return crash_expect(alive, "%s: it ended before it was killed", steps_operations[which].name);
}

/* All of one operation. */
static void kill_everywhere(int which)
{
    static unsigned char worth[STEPS_MOST];
    unsigned char *before, *last;
    unsigned total, killed = 0;

    steps_prepare(&steps_operations[which]);
    before = apr_pmemdup(steps_pool, steps_world.memory, steps_world.size);
    last = apr_pmemdup(steps_pool, before, steps_world.size);
    total = watch(worth, last, which);
    for (unsigned count = 0; count < total; count++) {
        if (worth[count]) {
            memcpy(steps_world.memory, before, steps_world.size);
            killed++;
            if (!kill_after(which, count) || !second_process(which, count)) {
                break; /* told once is enough */
            }
        }
    }
    crash_expect(killed > 10, "%s: only %u kills", steps_operations[which].name, killed);
    printf("%-12s %5u instructions, killed after %4u of them\n", steps_operations[which].name, total, killed);
}

/* A traced process and its tracer take turns, so one processor is enough for both, and no more are woken. */
static void stay_on(int worker)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(worker, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void await_worker(void)
{
    int status = 0;

    wait(&status);
    crash_expect(status == 0, "a process of the test died with status %d", status);
}

void crash_steps(apr_pool_t *pool)
{
    int workers = (int)sysconf(_SC_NPROCESSORS_ONLN), running = 0;

    steps_pool = pool;
    for (int which = 0; which < STEPS_OPERATIONS; which++) {
        if (running == workers) {
            await_worker();
            running--;
        }
        if (crash_fork() == 0) {
            stay_on(which % workers);
            kill_everywhere(which);
            fflush(stdout);
            _exit(EXIT_SUCCESS);
        }
        running++;
    }
    while (running-- > 0) {
        await_worker();
    }
}
