/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The order of things, one file per path: resume, signon, acs, logout. Only these files know the story, and they know
 * no detail: they get a request's facts and return what to answer. The glue acts.
 */
#ifndef ES_FLOW_H
#define ES_FLOW_H

#include "base/crypto.h"
#include "base/es.h"
#include "entra/claims.h"
#include "entra/connection.h"
#include "saml/request.h"
#include "session/session.h"
#include "session/store.h"

/* A connection ready for use: immutable, made once at start, shared by all threads. */
typedef struct {
    const es_connection_t *connection;
    const es_request_t *request;
    const es_claim_alias_t *aliases;
    int n_aliases;
    const char *const *required_claims; /* NULL-terminated; NULL: none */
    apr_interval_time_t keep;           /* longest session lifetime of any section: how long a record may be needed */
    int sessions_per_user;              /* at most, 0: any number */
} es_site_t;

/* What one request brings. Lives on the stack of the hook that handles it. */
typedef struct {
    const es_site_t *site;
    es_store_t *store;
    const es_seal_key_t *key;
    const char *cookies; /* the Cookie header, several joined by "; "; NULL where there is none */
    apr_time_t now;
    apr_pool_t *pool;
} es_flow_t;

/* What to answer. Zeroed by the caller. */
#define ES_ANSWER_COOKIES 3
typedef struct {
    const char *location; /* 303 to there; NULL: the reason's page */
    int n_cookies;
    const char *cookies[ES_ANSWER_COOKIES]; /* values of Set-Cookie headers */
} es_answer_t;

/* Finds the session of the request's cookie, judges it by the section's limits, and notes its use. No lock, nothing
 * parsed but the record's offsets. ES_SESSION_NONE, ES_SESSION_FOREIGN, ES_SESSION_EXPIRED, ES_SESSION_IDLE,
 * ES_RECORD_INVALID. */
es_rv_t es_resume_find(es_session_t *session, const es_flow_t *flow, apr_interval_time_t lifetime,
                       apr_interval_time_t idle, es_why_t *why);

/* Starts a sign-on for a page: location = Entra, a binding cookie where the browser has none. A landing that is absent
 * (NULL), refused or too long becomes the default page. ES_SESSION_LOOP: sessions are made but their cookie never comes
 * back. */
es_rv_t es_signon_start(es_answer_t *answer, const es_flow_t *flow, const char *landing, es_why_t *why);

/* The POST at the reply URL. ES_OK: location = the page first asked for, or Entra again (restarted is then the reason,
 * else ES_OK), with its cookies. Anything else: refused, nothing stored. */
typedef struct {
    const char *saml_response; /* form fields, decoded; NULL where absent */
    const char *relay_state;
} es_acs_form_t;
typedef struct {
    es_rv_t restarted;        /* why the sign-on starts again, ES_OK when it does not */
    const char *user;         /* REMOTE_USER of a session made, NULL when none was */
    const char *assertion_id; /* for the log */
    int n_claims_dropped;
    int is_overage; /* Entra sent a link in place of the groups */
    int n_ended;    /* sessions of the same user that had to go for this one */
} es_acs_report_t;
es_rv_t es_acs_accept(es_answer_t *answer, es_acs_report_t *report, const es_flow_t *flow, const es_acs_form_t *form,
                      es_why_t *why);

/* Ends every session whose cookie came along; answers with cookies that erase ours. Never fails to erase. */
es_rv_t es_logout_local(es_answer_t *answer, int *ended, const es_flow_t *flow, es_why_t *why);

#endif
