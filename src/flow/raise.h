/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a sign-in does to the sessions that its browser has. It raises its user's and never lowers it: what he had proved
 * by then stays proved. It replaces them: their cookies are dead at once.
 *
 * Two are known at the ACS, where no session cookie comes: the one that was there when the sign-on started (the pending
 * sign-in has it), and the one made last in this browser (the binding cookie has it). They differ where sign-ins run side by
 * side. Then the later answer may be the older sign-in at Entra, with less proved, and its cookie takes the other's
 * place: what that one proved is taken over too.
 *
 * The end of the new session is its own: its lifetime begins with it, SessionNotOnOrAfter is that of the new assertion.
 */
#ifndef ES_RAISE_H
#define ES_RAISE_H

#include "flow/flow.h"
#include "session/binding.h"
#include "session/pending.h"

#define ES_RAISE_SESSIONS 2

typedef struct {
    int n_ended;
    es_hash_t ended[ES_RAISE_SESSIONS];
} es_raise_t;

/* Finds out which sessions will end, and adds to `fresh` what those of the same user proved: the later AuthnInstant, and
 * authentication methods. `session` is what was packed of it so far; returns whether it must be packed again. Reads
 * only. */
int es_raise_judge(es_raise_t *raise, es_session_new_t *fresh, const es_flow_t *flow, const es_pending_t *pending,
                   const es_binding_t *binding, const es_session_t *session);

/* Ends them. The new session stands: what does not end now ends by itself. */
void es_raise_end(const es_raise_t *raise, const es_flow_t *flow);

#endif
