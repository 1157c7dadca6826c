/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "entra/schedule.h"

/* Doublings of the first repetition that surely reach every interval. */
#define DOUBLINGS_MAX 16u

apr_time_t es_schedule_next(apr_time_t now, apr_interval_time_t interval, unsigned failures, unsigned chance)
{
    apr_interval_time_t wait = interval;

    if (failures > 0) {
        const unsigned doublings = failures - 1 < DOUBLINGS_MAX ? failures - 1 : DOUBLINGS_MAX;

        wait = ES_SCHEDULE_RETRY << doublings;
        wait = wait < interval ? wait : interval;
    }
    return now + wait - wait / 10 + wait / 5 * (apr_interval_time_t)(chance % 1001) / 1000;
}

int es_schedule_is_due(apr_time_t now, apr_time_t due, apr_interval_time_t most)
{
    return now >= due || due - now > most;
}

/* A clock that was set back must not silence it for long. */
int es_schedule_may_ask(apr_time_t now, apr_time_t asked)
{
    return asked == 0 || now < asked || now - asked >= ES_SCHEDULE_ASK;
}
