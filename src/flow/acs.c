/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Path 2: the POST at the reply URL (SAML profiles 4.1.4.3). Everything down to `commit` only reads: a message that is
 * refused leaves no trace. Commit sets the two marks, then makes the session.
 */
#include "flow/signon.h"
#include "flow/subject.h"

#include "entra/aadsts.h"
#include "saml/check.h"

#include <stdio.h>

/* What has been proven so far, in the order in which it is. */
typedef struct {
    es_response_t *response;
    es_assertion_t *assertion;
    es_pending_t *pending;
    es_binding_t binding;
    es_expected_t expected;
    apr_time_t not_after; /* the assertion's */
    es_bytes_t record;    /* the session to be */
    es_session_t session; /* the same, read */
    apr_time_t expires;   /* the record's */
} es_signin_t;

static es_hash_t mark_of(const char *kind, const es_flow_t *flow, es_bytes_t id)
{
    const es_connection_id_t *connection = &flow->site->connection->id;
    const es_bytes_t pieces[] = { es_bytes(kind, strlen(kind) + 1), es_bytes(connection, sizeof *connection), id };

    return es_crypto_sha256_of(pieces, 3);
}

static es_hash_t request_mark(const es_flow_t *flow, const es_pending_t *pending)
{
    return mark_of("request", flow, es_bytes(pending->request_id, sizeof pending->request_id));
}

/* Entra's own errors carry a code; what to do about it goes behind what Entra said. */
static void add_advice(es_why_t *why)
{
    const apr_size_t len = strlen(why->text);
    long code;
    const char *advice = why->rv == ES_RESPONSE_STATUS ? es_aadsts_find(&code, why->text) : NULL;

    if (advice) {
        snprintf(why->text + len, sizeof why->text - len, " (AADSTS%ld: %s)", code, advice);
    }
}

/* The field, the proof, the assertion, and whether it is ours at all. */
static es_rv_t read_response(es_signin_t *in, const es_flow_t *flow, const es_acs_form_t *form, es_why_t *why)
{
    const es_connection_t *connection = flow->site->connection;
    es_rv_t rv;

    if (!form->saml_response || !*form->saml_response) {
        return es_fail(why, ES_RESPONSE_MISSING, "the form has no SAMLResponse");
    }
    in->expected.issuer = connection->issuer;
    in->expected.entity_id = connection->entity_id;
    in->expected.reply_url = connection->reply_url;
    in->expected.skew = connection->skew;
    rv = es_response_load(&in->response, es_bytes_of(form->saml_response), connection->metadata->keys,
                          flow->site->decryption, why, flow->pool);
    if (rv != ES_OK) {
        add_advice(why);
    } else {
        rv = es_assertion_read(&in->assertion, in->response->proof, why, flow->pool);
    }
    if (rv == ES_OK) {
        rv = es_check_parties(in->response, in->assertion, &in->expected, why);
    }
    return rv;
}

/* The request it answers: sealed by us, for this connection. */
static es_rv_t read_pending(es_signin_t *in, const es_flow_t *flow, const es_acs_form_t *form, es_why_t *why)
{
    es_request_id_t id;
    es_rv_t rv = es_check_request(in->response, in->assertion, &in->expected, why);

    if (rv == ES_OK) {
        rv = es_pending_open(&in->pending, form->relay_state, flow->key, why, flow->pool);
    }
    if (rv != ES_OK) {
        return rv;
    }
    if (memcmp(&in->pending->connection, &flow->site->connection->id, sizeof in->pending->connection) != 0) {
        return es_fail(why, ES_PENDING_FOREIGN, "RelayState was sealed for another connection than %s",
                       flow->site->connection->tag);
    }
    memcpy(id.octet, in->pending->request_id, sizeof id.octet);
    in->expected.request_id = es_request_id_text(&id, flow->pool);
    in->expected.started = in->pending->started;
    return es_check_request(in->response, in->assertion, &in->expected, why);
}

/* The claims, the name, and the record they make. */
static es_rv_t make_record(es_signin_t *in, es_acs_report_t *report, const es_flow_t *flow, es_why_t *why)
{
    const es_site_t *site = flow->site;
    const es_assertion_t *assertion = in->assertion;
    es_session_new_t fresh = {
        .connection = site->connection->id,
        .created = flow->now,
        .authenticated = assertion->authn_instant,
        .ends = assertion->session_not_on_or_after,
        .name_id = assertion->name_id ? assertion->name_id : "",
        .name_id_format = assertion->name_id_format ? assertion->name_id_format : "",
        .session_index = assertion->session_index ? assertion->session_index : "",
    };
    es_rv_t rv = es_claims_read(&fresh.claims, &fresh.n_claims, &report->n_claims_dropped, assertion, site->aliases,
                                site->n_aliases, why, flow->pool);

    if (rv == ES_OK && site->required_claims) {
        rv = es_claims_require(fresh.claims, fresh.n_claims, site->required_claims, why);
    }
    if (rv == ES_OK) {
        rv = es_claims_user(&fresh.user, fresh.claims, fresh.n_claims, site->connection->remote_user, why);
    }
    if (rv == ES_OK) {
        rv = es_session_pack(&in->record, &fresh, why, flow->pool);
    }
    if (rv == ES_OK) {
        rv = es_session_read(&in->session, in->record, why);
    }
    if (rv != ES_OK) {
        return rv;
    }
    in->expires = flow->now + site->keep;
    if (fresh.ends && fresh.ends < in->expires) {
        in->expires = fresh.ends;
    }
    report->is_overage = es_claims_overage(fresh.claims, fresh.n_claims);
    report->user = fresh.user;
    report->assertion_id = assertion->id;
    return ES_OK;
}

/* Makes the session in the place of the one that the browser had, and holds its user to his number of sessions: by tenant
 * and object id, or by NameID where Entra was told to leave those out. When two sign-ins of one user meet here, both
 * have made theirs before either counts, so that never too many are left. */
static es_rv_t make_session(es_acs_report_t *report, const es_hash_t *key, const es_signin_t *in, const es_flow_t *flow,
                            es_why_t *why)
{
    const int most = flow->site->sessions_per_user;
    es_subject_kind_t kind = ES_SUBJECT_USER;
    es_store_t *store = flow->store;
    es_hash_t subjects[ES_SUBJECTS];
    int n_subjects = es_subject_all(subjects, &in->session);
    es_rv_t rv = store->insert(store, key, in->record, subjects, n_subjects, in->expires, flow->now, why);

    if (rv != ES_OK) {
        return rv;
    }
    if (in->pending->has_session) {
        es_why_t ignored = ES_WHY_INIT; /* the new session stands; the old one ends by itself at the latest */

        store->remove(NULL, store, &in->pending->session, &ignored);
    }
    if (most > 0 && !es_subject_of(&subjects[0], kind, &in->session)) {
        kind = ES_SUBJECT_NAME_ID;
    }
    if (most > 0 && es_subject_of(&subjects[0], kind, &in->session)) {
        rv = es_subject_end(&report->n_ended, flow, kind, &subjects[0], most, key, why);
    }
    if (rv != ES_OK) {
        store->remove(NULL, store, key, why);
    }
    return rv;
}

/* The request's mark first: of a double click or of parallel posts one makes the session, and the others follow to its
 * page. */
static es_rv_t commit(es_answer_t *answer, es_signin_t *in, es_acs_report_t *report, const es_flow_t *flow,
                      es_why_t *why)
{
    const es_connection_t *connection = flow->site->connection;
    const es_hash_t request = request_mark(flow, in->pending);
    const es_hash_t assertion = mark_of("assertion", flow, es_bytes_of(in->assertion->id));
    es_store_t *store = flow->store;
    const char *cookie;
    es_hash_t key;
    int added;
    es_rv_t rv;

    if ((rv = es_session_token_make(&cookie, &key, why, flow->pool)) != ES_OK ||
        (rv = store->mark_add(&added, store, &request, in->pending->started + ES_PENDING_LIFETIME + connection->skew,
                              flow->now, why)) != ES_OK) {
        return rv;
    }
    if (!added) {
        answer->location = in->pending->landing;
        report->user = NULL;
        return ES_OK;
    }
    if ((rv = store->mark_add(&added, store, &assertion, in->not_after, flow->now, why)) != ES_OK) {
        return rv;
    }
    if (!added) {
        return es_fail(why, ES_REPLAYED, "assertion %.100s was used before", in->assertion->id);
    }
    if ((rv = make_session(report, &key, in, flow, why)) != ES_OK) {
        return rv;
    }
    answer->location = in->pending->landing;
    es_binding_count(&in->binding, in->pending->landing, flow->now);
    es_signon_set_cookie(answer, connection->session_cookie, cookie, ES_COOKIE_LAX, flow);
    es_signon_set_cookie(answer, connection->binding_cookie, es_binding_text(&in->binding, flow->pool), ES_COOKIE_NONE,
                         flow);
    return ES_OK;
}

static es_rv_t restart(es_answer_t *answer, es_acs_report_t *report, const es_flow_t *flow, const es_signin_t *in,
                       es_rv_t cause, es_why_t *why)
{
    report->restarted = cause;
    return es_signon_restart(answer, flow, in->pending, why);
}

es_rv_t es_acs_accept(es_answer_t *answer, es_acs_report_t *report, const es_flow_t *flow, const es_acs_form_t *form,
                      es_why_t *why)
{
    es_signin_t in = { NULL };
    es_why_t aged = ES_WHY_INIT;
    es_hash_t request;
    int used;
    es_rv_t rv;

    if ((rv = read_response(&in, flow, form, why)) != ES_OK || (rv = read_pending(&in, flow, form, why)) != ES_OK) {
        return rv;
    }
    if (!es_signon_binding(&in.binding, flow, in.pending->binding)) {
        return restart(answer, report, flow, &in, ES_BINDING_MISSING, why);
    }
    request = request_mark(flow, in.pending);
    if ((rv = flow->store->mark_find(&used, flow->store, &request, flow->now, why)) != ES_OK) {
        return rv;
    }
    if (used) { /* Back or reload: the landing decides whether there is still a session */
        answer->location = in.pending->landing;
        return ES_OK;
    }
    if (es_pending_check_age(in.pending, in.expected.skew, flow->now, &aged) != ES_OK) {
        return restart(answer, report, flow, &in, ES_PENDING_EXPIRED, why);
    }
    if ((rv = es_check_times(&in.not_after, in.response, in.assertion, &in.expected, flow->now, why)) != ES_OK ||
        (rv = make_record(&in, report, flow, why)) != ES_OK) {
        return rv;
    }
    return commit(answer, &in, report, flow, why);
}
