/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/robust.h"

#include <errno.h>
#include <string.h>

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

/* The mutex is declared consistent before the repair: should the repairer die too, the next owner is told again. */
es_robust_rv_t es_robust_take(es_robust_t *robust)
{
    switch (pthread_mutex_lock(&robust->mutex)) {
    case 0:
        return ES_ROBUST_TAKEN;
    case EOWNERDEAD:
        pthread_mutex_consistent(&robust->mutex);
        return ES_ROBUST_REPAIR;
    default:
        return ES_ROBUST_FAILED;
    }
}

void es_robust_release(es_robust_t *robust)
{
    pthread_mutex_unlock(&robust->mutex);
}
