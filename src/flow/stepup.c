/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "flow/stepup.h"

#include "flow/signon.h"

/* A session younger than this was made for the very request that comes now. */
#define JUST_MADE apr_time_from_sec(60)

/* Of the session by its record, which holds the moment of the sign-in and is never written again. */
static es_hash_t mark_of(const es_session_t *session, es_request_kind_t kind)
{
    const char *name = kind == ES_REQUEST_MFA ? "step-up mfa" : "step-up fresh";
    const es_bytes_t pieces[] = { es_bytes(name, strlen(name) + 1), session->record };

    return es_crypto_sha256_of(pieces, 2);
}

/* Was Entra asked for as much when the session was made? Both kinds ask for a fresh sign-in. */
static int has_been_asked(const es_session_t *session, es_request_kind_t kind)
{
    return (session->asked & (kind == ES_REQUEST_MFA ? ES_SESSION_ASKED_MFA : ES_SESSION_ASKED_FRESH)) != 0;
}

/* A session that was made so, and just now, is all that can be had, whoever asked for it. Later on it still is, where it
 * was asked for since the rules denied its user; but for what time has taken away. */
static int is_in_vain(const es_session_t *session, es_request_kind_t kind, int is_aged, apr_time_t now)
{
    if (!has_been_asked(session, kind)) {
        return 0;
    }
    return now - session->created < JUST_MADE || ((session->asked & ES_SESSION_ASKED_STEP_UP) && !is_aged);
}

int es_stepup_is_due(const es_flow_t *flow, const es_session_t *session, es_request_kind_t kind, int is_aged)
{
    es_why_t ignored = ES_WHY_INIT;
    es_hash_t mark;
    int used = 1;

    if (is_in_vain(session, kind, is_aged, flow->now)) {
        return 0;
    }
    mark = mark_of(session, kind);
    return flow->store->mark_find(&used, flow->store, &mark, flow->now, &ignored) == ES_OK && !used;
}

es_rv_t es_stepup_start(es_answer_t *answer, const es_flow_t *flow, const es_session_t *session, es_request_kind_t kind,
                        const char *landing, es_why_t *why)
{
    const es_request_ask_t ask = { .kind = kind };
    const es_hash_t mark = mark_of(session, kind);
    int added = 0;
    es_rv_t rv = flow->store->mark_add(&added, flow->store, &mark, flow->now + ES_PENDING_LIFETIME, flow->now, why);

    if (rv != ES_OK) {
        return rv;
    }
    if (!added) {
        return es_fail(why, ES_ACCESS_DENIED, "the user was sent to sign in once more before");
    }
    return es_signon_step_up(answer, flow, &ask, landing, why);
}
