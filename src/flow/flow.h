/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The order of things, one file per path: resume, signon, acs, logout, resend. Only these files know the story, and they know
 * no detail: they get a request's facts and return what to answer. The glue acts.
 */
#ifndef ES_FLOW_H
#define ES_FLOW_H

#include "base/cookie.h"
#include "base/crypto.h"
#include "base/es.h"
#include "entra/aadsts.h"
#include "entra/claims.h"
#include "entra/connection.h"
#include "policy/landing.h"
#include "policy/repeat.h"
#include "policy/username.h"
#include "saml/query.h"
#include "saml/request.h"
#include "saml/signoff.h"
#include "session/account.h"
#include "session/kept.h"
#include "session/session.h"
#include "session/store.h"

/* A connection ready for use: immutable, made once at start, shared by all threads. */
typedef struct {
    const es_connection_t *connection;
    const es_request_t *request;
    const es_pair_t *const *decryption; /* opens encrypted assertions; NULL where none is expected */
    const es_claim_alias_t *aliases;
    int n_aliases;
    const char *const *required_claims; /* NULL-terminated; NULL: none */
    const char *const *session_claims;  /* what a front end may see, NULL-terminated; NULL: none */
    const es_username_t *username;      /* what becomes of the claim that names the user; NULL: nothing */
    apr_interval_time_t keep;           /* longest session lifetime of any section: how long a record may be needed */
    int sessions_per_user;              /* at most, 0: any number */
    int idp_initiated;                  /* accept responses that answer no request */
    es_landing_allow_t allow;           /* where else than on our origin a sign-in may end */
    const es_signoff_t *signoff;        /* NULL where the metadata has no SingleLogoutService */
    int single_logout;                  /* a sign-out here goes on to Entra */
    int unsigned_logout;                /* a LogoutRequest needs no signature */
    const es_account_rules_t *accounts; /* NULL: any valid sign-in is good */
    es_cookie_site_t session_cookie;    /* may another site's page bring it along? */
} es_site_t;

/* What one request brings. Lives on the stack of the hook that handles it. */
typedef struct {
    const es_site_t *site;
    es_store_t *store;
    const es_seal_key_t *key;
    const char *cookies; /* the Cookie header, several joined by "; "; NULL where there is none */
    const char *client;  /* the client's address, by which the store shares out what little room it has for strangers */
    apr_time_t now;
    apr_pool_t *pool;
    const es_site_t *const *others; /* whose sessions are good here too, at most ES_OTHERS_MAX and NULL; NULL: none */
    int is_known;                   /* there is a session that is good where a sign-on starts: what it raises */
} es_flow_t;

/* What to answer. Zeroed by the caller. */
#define ES_OTHERS_MAX 8 /* connections whose sessions are good for another */
#define ES_ANSWER_COOKIES (3 + ES_OTHERS_MAX)
typedef struct {
    const char *location; /* 303 to there; NULL: the reason's page */
    int n_cookies;
    const char *cookies[ES_ANSWER_COOKIES]; /* values of Set-Cookie headers */
    es_rv_t noted;                          /* what the log shall know although nothing was refused; ES_OK: nothing */
    const char *note;
} es_answer_t;

/* Finds the session of the request's cookie, judges it by the section's limits, and notes its use. No lock, nothing
 * parsed but the record's offsets. Every cookie of our connection's name is tried, then those of the others'.
 * ES_SESSION_NONE, ES_SESSION_FOREIGN, ES_SESSION_EXPIRED, ES_SESSION_IDLE, ES_RECORD_INVALID. And what es_account_ask
 * returns: *session is set then too, since somebody is there who may be told. */
es_rv_t es_resume_find(es_session_t *session, const es_flow_t *flow, apr_interval_time_t lifetime,
                       apr_interval_time_t idle, es_why_t *why);

/* The same without noting the use: to look at a session must not keep it alive. */
typedef struct {
    es_hash_t key;
    es_stored_t stored;
} es_place_t;
es_rv_t es_resume_look(es_session_t *session, es_place_t *place, const es_flow_t *flow, apr_interval_time_t lifetime,
                       apr_interval_time_t idle, es_why_t *why);

/* Starts a sign-on for a page: location = Entra, a binding cookie where the browser has none. `ask` NULL: the plain one.
 * A landing that is absent (NULL) or refused becomes the default page; one that is too long to travel is kept in the
 * store, and becomes the default page where there is no room. A silent attempt that failed lately is
 * not made again: location = the page. ES_SESSION_LOOP: sessions are made but their cookie never comes back. */
es_rv_t es_signon_start(es_answer_t *answer, const es_flow_t *flow, const es_request_ask_t *ask, const char *landing,
                        es_why_t *why);

/* A posted form, judged: es_repeat_check_sender, es_repeat_make. */
typedef struct {
    es_kept_kind_t kind;
    es_bytes_t body;
} es_post_t;

/* The same for a form: it is kept, and the sign-in ends where it is repeated. It was posted to the landing, which must be
 * on our origin. ES_LANDING_REFUSED, ES_KEEP_FULL. */
es_rv_t es_signon_start_post(es_answer_t *answer, const es_flow_t *flow, const es_request_ask_t *ask,
                             const char *landing, const es_post_t *post, es_why_t *why);

/* A form to be sent again. */
typedef struct {
    const char *action; /* path and query on our origin */
    es_repeat_t form;
    int asks; /* it may be another user's: only when this one says so */
} es_resend_t;

/* The form of an address that es_acs_accept led to, for the user of a session that was resumed. It is not kept any
 * longer. ES_POST_LOST: it never was, is no longer, or somebody has it. ES_POST_FOREIGN: it is another browser's, or
 * another user's. */
es_rv_t es_resend_take(es_resend_t *resend, const es_flow_t *flow, const es_session_t *session, const char *id,
                       es_why_t *why);

/* For a page that was asked for without TLS, and is there with it: location = the page at the public address, with a
 * binding cookie. A browser keeps that cookie only if it has TLS all the same, to somebody in
 * front of us. `path`: of the request, with its query; what starts with no slash becomes the default page. */
es_rv_t es_signon_move(es_answer_t *answer, const es_flow_t *flow, const char *path, es_why_t *why);

/* Does the browser have TLS? Its cookies of ours say so, since they are sent no other way; without any nobody knows. */
int es_signon_has_tls(const es_flow_t *flow);

/* The POST at the reply URL. ES_OK: location = the page first asked for, or Entra again (restarted is then the reason,
 * else ES_OK), with its cookies. Anything else: refused, no session made.
 *
 * An error of Entra is refused by ES_RESPONSE_STATUS and told in `error`; when it answers a silent attempt of this very
 * browser, location = the page, which decides whether it needs a user.
 *
 * A response that answers no request (and whose RelayState is no pending sign-in of ours) is refused by ES_UNSOLICITED
 * unless the site is idp_initiated. Then RelayState is a landing, for want of one the default page. It makes a session
 * only in a browser that has signed in nobody here: any other goes to the sign-in endpoint, where its own session goes
 * on, or Entra is asked who it is. So nobody is moved to a stranger's account by a form that the stranger made. */
typedef struct {
    const char *saml_response; /* form fields, decoded; NULL where absent */
    const char *relay_state;
} es_acs_form_t;
typedef struct {
    es_rv_t restarted;        /* why the sign-on starts again, ES_OK when it does not */
    const char *user;         /* REMOTE_USER of a session made, NULL when none was */
    const char *assertion_id; /* for the log */
    int n_claims_dropped;
    int is_overage;    /* Entra sent a link in place of the groups */
    int n_ended;       /* sessions of the same user that had to go for this one */
    int is_waiting;    /* the session's account is pending */
    es_why_t noted;    /* what the log shall know although nothing was refused */
    es_aadsts_t error; /* with ES_RESPONSE_STATUS */
} es_acs_report_t;
es_rv_t es_acs_accept(es_answer_t *answer, es_acs_report_t *report, const es_flow_t *flow, const es_acs_form_t *form,
                      es_why_t *why);

/* The user signs out here. Ends every session whose cookie came along, of ours and of the others whose sessions are good
 * here, answers with cookies that erase them, and never fails to erase. location = Entra, to be asked to end its session too, where it can be and `asks` says so; else the
 * landing, a page on our origin or NULL for the page that says so. */
es_rv_t es_logout_start(es_answer_t *answer, int *ended, const es_flow_t *flow, const char *landing, int asks,
                        es_why_t *why);

/* What came of a message at the logout URL. */
typedef struct {
    const char *request_id; /* of Entra's LogoutRequest */
    int ended;              /* sessions */
} es_logout_report_t;

/* Entra's LogoutRequest (SAML profiles 4.4.3.3): ends the sessions whose SessionIndex it names, or where there are none
 * of these all of its NameID, with this connection and of the tenant whose message it is, whether their cookies came along
 * or not. location = Entra, with the
 * LogoutResponse; NULL where the metadata has no address for it. The reasons of es_query_open, es_logout_read and
 * es_logout_check, ES_LOGOUT_REPLAYED: refused, nothing ended. */
es_rv_t es_logout_follow(es_answer_t *answer, es_logout_report_t *report, const es_flow_t *flow,
                         const es_query_t *query, es_why_t *why);

/* Entra's LogoutResponse to our request. It ends nothing. location = the landing the sign-out was started with, NULL for
 * the page that says so, in any case: what is returned is for the log. The reasons above, ES_LOGOUT_UNASKED,
 * ES_LOGOUT_STATUS. */
es_rv_t es_logout_finish(es_answer_t *answer, const es_flow_t *flow, const es_query_t *query, es_why_t *why);

#endif
