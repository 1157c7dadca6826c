/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * make check-crash: what a process killed in the middle of a write does to the others. `crash steps` and `crash load`
 * run one of the two parts, `crash all` the first one at full length.
 */
#include "crash.h"

#include <apr_general.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Whoever fails fails often. */
#define PRINTED_MOST 40

typedef struct {
    _Atomic unsigned long passed, failed;
} tally_t;

static tally_t *tally;
int crash_everywhere;

static void fail(const char *format, va_list arguments)
{
    char text[400];

    if (++tally->failed <= PRINTED_MOST) {
        vsnprintf(text, sizeof text, format, arguments);
        dprintf(STDOUT_FILENO, "FAILED %s\n", text); /* unbuffered: the process may be about to be killed */
    }
}

int crash_expect(int good, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (good) {
        tally->passed++;
    } else {
        fail(format, arguments);
    }
    va_end(arguments);
    return good;
}

void crash_insist(int good, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (!good) {
        fail(format, arguments);
    }
    va_end(arguments);
}

int crash_fork(void)
{
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child < 0) {
        perror("fork");
        exit(EXIT_FAILURE);
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    return child;
}

void *crash_memory(apr_size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(EXIT_FAILURE);
    }
    return memory;
}

void crash_finish(void)
{
    printf("%lu passed, %lu failed\n", tally->passed, tally->failed);
    exit(tally->failed || !tally->passed ? EXIT_FAILURE : EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "";
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    tally = crash_memory(sizeof *tally);
    crash_everywhere = strcmp(part, "all") == 0;
    if (strcmp(part, "load") != 0) {
        crash_steps(pool);
    }
    if (strcmp(part, "steps") != 0 && !crash_everywhere) {
        crash_load(pool);
    }
    crash_finish();
}
