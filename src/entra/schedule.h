/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * When a metadata document is fetched again. Pure: the time and the chance come in.
 */
#ifndef ES_SCHEDULE_H
#define ES_SCHEDULE_H

#include "base/es.h"

/* The first repetition after a failure; each further failure in a row doubles it, up to the interval. */
#define ES_SCHEDULE_RETRY apr_time_from_sec(30)
/* A response signed by an unknown key asks for the document at once, but not again within this. */
#define ES_SCHEDULE_ASK apr_time_from_sec(300)

/* The time of the next fetch, after `failures` in a row (0: the last one succeeded). `chance` is any random number: it
 * moves the time by up to a tenth to both sides, so that many servers and connections do not come at once. */
apr_time_t es_schedule_next(apr_time_t now, apr_interval_time_t interval, unsigned failures, unsigned chance);

/* Has the time `due` come, which was at most `most` ahead when it was set? After a clock was set back, one that seems to be
 * farther away has. */
int es_schedule_is_due(apr_time_t now, apr_time_t due, apr_interval_time_t most);

/* May an unknown key ask, when one last did at `asked` (0: never)? */
int es_schedule_may_ask(apr_time_t now, apr_time_t asked);

#endif
