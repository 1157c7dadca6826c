/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A signed-in user whom the rules deny, where another sign-in may change that: he is sent to Entra once, and then the
 * rules have the last word.
 *
 * What "once" means is known in two places. The session says what Entra was asked for when it was made, and why: the
 * user of one that came from such a sign-in is not sent there again. And a mark says that a session's user was sent, so that whoever gives up at
 * Entra, goes back, or opens the page in ten tabs finds the page that says no.
 */
#ifndef ES_STEPUP_H
#define ES_STEPUP_H

#include "flow/flow.h"

/* Could a sign-in of this kind (ES_REQUEST_FRESH, ES_REQUEST_MFA) change anything for the user of this session, and has
 * he not been sent yet? `is_aged`: what he lacks is a sign-in that is recent enough, which time takes away again, so that
 * even a session made by such a sign-in may need another one, though not within its first minute. Nothing is written. */
int es_stepup_is_due(const es_flow_t *flow, const es_session_t *session, es_request_kind_t kind, int is_aged);

/* Marks the session and sends its user: location = Entra. Of requests that come at once one is answered so.
 * ES_ACCESS_DENIED: he was sent before. ES_MARKS_FULL, or what es_signon_start says: he cannot be sent. */
es_rv_t es_stepup_start(es_answer_t *answer, const es_flow_t *flow, const es_session_t *session, es_request_kind_t kind,
                        const char *landing, es_why_t *why);

#endif
