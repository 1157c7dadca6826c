/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Path 5: what a front end may know of its user's session, so that it can warn before the session ends.
 */
#ifndef ES_TELL_H
#define ES_TELL_H

#include "flow/flow.h"

/* The limits of the section that the page is in. */
typedef struct {
    apr_interval_time_t lifetime, idle;
    apr_interval_time_t fresh; /* how long ago the user may have signed in at Entra; 0: any time */
} es_tell_limits_t;

/* *json = one object (RFC 8259) with a line feed behind it; docs/directives.md lists its members. Nothing in it leads to
 * the session's cookie. Asking is no use of the session, unless `extends`: then its idle time begins anew, to the second.
 * `page` is where the sign-in address leads back to. As es_resume_look, and ES_SESSION_STALE. */
es_rv_t es_tell_session(const char **json, const es_flow_t *flow, const es_tell_limits_t *limits, const char *page,
                        int extends, es_why_t *why);

/* The address of a sign-in that leads back to the page; `anew` also where there is a session. */
const char *es_tell_sign_in(const es_connection_t *connection, const char *page, int anew, apr_pool_t *pool);

/* EntraSAMLSessionClaims. ES_CONFIG_CLAIM: something that is no short name, or stands twice. */
es_rv_t es_tell_check_claims(const char *const *list, int count, es_why_t *why);

#endif
