/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the ACS shares with the sign-on: restarting it, and the cookie that binds it.
 */
#ifndef ES_SIGNON_H
#define ES_SIGNON_H

#include "base/cookie.h"
#include "flow/flow.h"
#include "session/binding.h"
#include "session/pending.h"

/* As es_signon_start, for a user who has a session: an error of Entra's then leads back to the page. */
es_rv_t es_signon_step_up(es_answer_t *answer, const es_flow_t *flow, const es_request_ask_t *ask, const char *landing,
                          es_why_t *why);

/* Starts the sign-on of a pending one again: same landing, next round, the cookie that is there now. ES_SIGNON_LOOP
 * when the rounds are used up; whoever calls gives the cause to the log. */
es_rv_t es_signon_restart(es_answer_t *answer, const es_flow_t *flow, const es_pending_t *pending, es_why_t *why);

/* The binding cookie: the first that is one of ours, or the one with the wanted hash (ES_PENDING_TOKEN octets).
 * 0: there is none. */
int es_signon_binding(es_binding_t *binding, const es_flow_t *flow, const unsigned char *wanted);

/* What a failed silent attempt for a landing is counted under in the binding cookie: an application that tries again
 * whenever it sees nobody would send the browser round for ever. */
const char *es_signon_silent(const char *landing, apr_pool_t *pool);

/* Adds a cookie to the answer. */
void es_signon_set_cookie(es_answer_t *answer, const char *name, const char *value, es_cookie_site_t site,
                          const es_flow_t *flow);

#endif
