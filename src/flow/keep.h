/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What does not travel with a pending sign-in stays in the store meanwhile: a landing that is too long, a posted form.
 */
#ifndef ES_KEEP_H
#define ES_KEEP_H

#include "flow/flow.h"
#include "session/pending.h"

/* Keeps the pending sign-in's landing, and the form where there is one (else NULL), for the browser of its binding; the
 * pending then has their key, and of the landing what still fits. ES_KEEP_FULL: nothing is kept, nothing changed. */
es_rv_t es_keep_put(es_pending_t *pending, const es_flow_t *flow, const es_post_t *post, es_why_t *why);

/* Where a sign-in that has ended leads to: its landing; what is kept in place of it, and the default page, noted in the
 * answer, where that is lost; or the endpoint that repeats the form. */
const char *es_keep_landing(es_answer_t *answer, const es_flow_t *flow, const es_pending_t *pending);

/* The subject that a form belongs to: the user, or his NameID where Entra was told to leave out who he is. 0: the session
 * has neither. */
int es_keep_owner(es_hash_t *user, const es_session_t *session);

/* What is kept under a key, by this connection; *kept = NULL: lost. */
es_rv_t es_keep_find(es_kept_t **kept, const es_flow_t *flow, const es_hash_t *key, es_why_t *why);

#endif
