/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/robust.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* Between two attempts, in nanoseconds: whoever holds the mutex needs a few microseconds, or some time for a repair. */
#define NAP_LEAST 20000
#define NAP_MOST 640000

int es_robust_make(es_robust_t *robust)
{
    pthread_mutexattr_t attributes;
    int error = pthread_mutexattr_init(&attributes);

    if (error) {
        return error;
    }
    memset(robust, 0, sizeof *robust);
    error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (!error) {
        error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    }
    /* An owner that asks again is told so instead of waiting for itself. */
    if (!error) {
        error = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    }
    if (!error) {
        error = pthread_mutex_init(&robust->mutex, &attributes);
    }
    pthread_mutexattr_destroy(&attributes);
    return error;
}

/* Nobody waits in the kernel to be woken, since a wake-up can be lost for good: the owner unlocks and wakes the first of
 * two waiters; before that one has run, a third process takes the mutex, knowing of no waiters; the first waiter is
 * killed, and the kernel, which sees an owner who is alive, wakes nobody in its place; the third unlocks and wakes
 * nobody either. The second waiter would sleep on a free mutex. So an attempt whose deadline has passed (unlike
 * pthread_mutex_trylock it notices an owner that asks again), then a nap.
 *
 * The mutex is declared consistent before the repair: should the repairer die too, the next owner is told again. */
es_robust_rv_t es_robust_take(es_robust_t *robust)
{
    static const struct timespec passed = { 0, 0 };
    struct timespec nap = { 0, NAP_LEAST };
    int error;

    while ((error = pthread_mutex_timedlock(&robust->mutex, &passed)) == ETIMEDOUT) {
        nanosleep(&nap, NULL);
        nap.tv_nsec = nap.tv_nsec < NAP_MOST ? 2 * nap.tv_nsec : NAP_MOST;
    }
    if (error == EOWNERDEAD) {
        pthread_mutex_consistent(&robust->mutex);
        return ES_ROBUST_REPAIR;
    }
    return error == 0 ? ES_ROBUST_TAKEN : ES_ROBUST_FAILED;
}

void es_robust_release(es_robust_t *robust)
{
    pthread_mutex_unlock(&robust->mutex);
}
