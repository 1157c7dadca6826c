/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/robust.h"
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static es_robust_t *robust;

static void map(void)
{
    robust = mmap(NULL, sizeof *robust, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(robust, MAP_FAILED);
    memset(robust, 0xa5, sizeof *robust); /* whatever the memory held */
    ck_assert_int_eq(es_robust_make(robust), 0);
}

static void unmap(void)
{
    munmap(robust, sizeof *robust);
}

/* Runs `work` in a child and returns how it ended. */
static int in_child(void (*work)(void))
{
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        work();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static void take_and_die(void)
{
    es_robust_take(robust);
    raise(SIGKILL);
}

static void take_and_release(void)
{
    if (es_robust_take(robust) != ES_ROBUST_TAKEN) {
        _exit(1);
    }
    es_robust_release(robust);
}

/* The other process, told of a death, dies before it has repaired anything. */
static void repair_and_die(void)
{
    if (es_robust_take(robust) != ES_ROBUST_REPAIR) {
        _exit(1);
    }
    raise(SIGKILL);
}

static int killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

START_TEST(take_and_release_again)
{
    int i;

    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(es_robust_take(robust), ES_ROBUST_TAKEN);
        es_robust_release(robust);
    }
}
END_TEST

START_TEST(another_process_takes_it)
{
    ck_assert_int_eq(in_child(take_and_release), 0);
    ck_assert_int_eq(es_robust_take(robust), ES_ROBUST_TAKEN);
    es_robust_release(robust);
}
END_TEST

START_TEST(death_of_the_owner_is_told_once)
{
    ck_assert(killed(in_child(take_and_die)));
    ck_assert_int_eq(es_robust_take(robust), ES_ROBUST_REPAIR);
    es_robust_release(robust);
    ck_assert_int_eq(es_robust_take(robust), ES_ROBUST_TAKEN);
    es_robust_release(robust);
}
END_TEST

START_TEST(death_of_the_repairer_is_told_too)
{
    ck_assert(killed(in_child(take_and_die)));
    ck_assert(killed(in_child(repair_and_die)));
    ck_assert_int_eq(es_robust_take(robust), ES_ROBUST_REPAIR);
    es_robust_release(robust);
    ck_assert_int_eq(in_child(take_and_release), 0);
}
END_TEST

START_TEST(owner_does_not_wait_for_itself)
{
    ck_assert_int_eq(es_robust_take(robust), ES_ROBUST_TAKEN);
    ck_assert_int_eq(es_robust_take(robust), ES_ROBUST_FAILED);
    es_robust_release(robust);
    ck_assert_int_eq(es_robust_take(robust), ES_ROBUST_TAKEN);
    es_robust_release(robust);
}
END_TEST

/* Mutual exclusion itself: two processes add to one plain number. */
#define ROUNDS 20000

static volatile int *sum;

static void add(void)
{
    int i;

    for (i = 0; i < ROUNDS; i++) {
        es_robust_take(robust);
        *sum = *sum + 1;
        es_robust_release(robust);
    }
}

START_TEST(two_processes_exclude_each_other)
{
    pid_t child;
    int status;

    sum = mmap(NULL, sizeof *sum, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne((void *)sum, MAP_FAILED);
    child = fork();
    ck_assert_int_ge(child, 0);
    add();
    if (child == 0) {
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(*sum, 2 * ROUNDS);
    munmap((void *)sum, sizeof *sum);
}
END_TEST

Suite *suite_robust(void)
{
    Suite *suite = suite_create("robust");
    TCase *tcase = unit_case(suite, "mutex");

    tcase_add_checked_fixture(tcase, map, unmap);
    tcase_add_test(tcase, take_and_release_again);
    tcase_add_test(tcase, another_process_takes_it);
    tcase_add_test(tcase, death_of_the_owner_is_told_once);
    tcase_add_test(tcase, death_of_the_repairer_is_told_too);
    tcase_add_test(tcase, owner_does_not_wait_for_itself);
    tcase_add_test(tcase, two_processes_exclude_each_other);
    return suite;
}
