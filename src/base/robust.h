/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A robust, process-shared mutex that lives in shared memory (POSIX pthread_mutexattr_setrobust). APR's own mutexes do
 * not tell the next owner that the last one died; this one does, and the new owner repairs what the dead one left.
 */
#ifndef ES_ROBUST_H
#define ES_ROBUST_H

#include <pthread.h>

typedef struct {
    _Alignas(64) pthread_mutex_t mutex;
} es_robust_t;

typedef enum {
    ES_ROBUST_TAKEN,  /* ours; the data is whole */
    ES_ROBUST_REPAIR, /* ours, but the last owner died inside: repair the data, then go on */
    ES_ROBUST_FAILED  /* not ours */
} es_robust_rv_t;

/* Makes the mutex anew, whatever the memory held. Only while nobody else can use it. 0 on success. */
int es_robust_make(es_robust_t *robust);
es_robust_rv_t es_robust_take(es_robust_t *robust);
void es_robust_release(es_robust_t *robust);

#endif
