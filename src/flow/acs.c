/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Path 2: the POST at the reply URL (SAML profiles 4.1.4.3). Everything down to `commit` only reads: a message that is
 * refused leaves no trace. Commit sets the two marks, then makes the session.
 */
#include "flow/account.h"
#include "flow/keep.h"
#include "flow/raise.h"
#include "flow/signon.h"
#include "flow/subject.h"

#include "base/codec.h"
#include "entra/issuer.h"
#include "entra/stranger.h"
#include "saml/check.h"

#include <apr_strings.h>
#include <stdio.h>

/* What has been proven so far, in the order in which it is. */
typedef struct {
    es_response_t *response;
    es_assertion_t *assertion;
    es_pending_t *pending;
    es_binding_t binding;
    es_expected_t expected;
    apr_time_t not_after;        /* the assertion's */
    es_bytes_t record;           /* the session to be */
    es_session_t session;        /* the same, read */
    es_raise_t raise;            /* what becomes of those that the browser has */
    apr_time_t expires;          /* the record's */
    es_account_signin_t account; /* where there are accounts */
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

/* Entra's own errors carry a code and what Microsoft's support asks for: first in the sentence, with what to do about
 * it, whatever the message is like that follows. */
static void explain(es_why_t *why, es_aadsts_t *error, apr_pool_t *pool)
{
    const char *said = apr_pstrdup(pool, why->text);

    es_aadsts_read(error, said, pool);
    if (error->code) {
        snprintf(why->text, sizeof why->text, "aadsts=%ld trace=%s correlation=%s timestamp=\"%s\": %s%s%s",
                 error->code, error->trace_id, error->correlation_id, error->timestamp,
                 error->advice ? error->advice : "", error->advice ? " " : "", said);
    }
}

/* An unknown key may tell whose it is; what to do about it goes behind. */
static void suspect(es_why_t *why, const es_keys_t *keys)
{
    const apr_size_t len = strlen(why->text);
    const char *advice = why->rv == ES_SIGNATURE_KEY_UNKNOWN ? es_stranger_advice(keys, why->text) : NULL;

    if (advice) {
        snprintf(why->text + len, sizeof why->text - len, "; %s", advice);
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
    in->expected.entity_id = connection->entity_id;
    in->expected.audiences = connection->audiences;
    in->expected.reply_url = connection->reply_url;
    in->expected.skew = connection->skew;
    rv = es_response_load(&in->response, es_bytes_of(form->saml_response), connection->metadata->keys,
                          flow->site->decryption, why, flow->pool);
    if (rv != ES_OK) {
        suspect(why, connection->metadata->keys);
    } else {
        rv = es_assertion_read(&in->assertion, in->response->proof, why, flow->pool);
    }
    if (rv == ES_OK) {
        rv = es_issuer_expect(&in->expected.issuer, connection->issuer, connection->tenants, in->assertion, why,
                              flow->pool);
    }
    if (rv == ES_OK) {
        rv = es_check_parties(in->response, in->assertion, &in->expected, why);
    }
    return rv;
}

/* RelayState: sealed by us, for this connection. */
static es_rv_t open_pending(es_signin_t *in, const es_flow_t *flow, const es_acs_form_t *form, es_why_t *why)
{
    es_rv_t rv = es_pending_open(&in->pending, form->relay_state, flow->key, why, flow->pool);

    if (rv == ES_OK &&
        memcmp(&in->pending->connection, &flow->site->connection->id, sizeof in->pending->connection) != 0) {
        rv = es_fail(why, ES_PENDING_FOREIGN, "RelayState was sealed for another connection than %s",
                     flow->site->connection->tag);
    }
    return rv;
}

/* The request it answers. */
static es_rv_t read_pending(es_signin_t *in, const es_flow_t *flow, const es_acs_form_t *form, es_why_t *why)
{
    es_request_id_t id;
    es_rv_t rv = es_check_request(in->response, in->assertion, &in->expected, why);

    if (rv == ES_OK) {
        rv = open_pending(in, flow, form, why);
    }
    if (rv != ES_OK) {
        return rv;
    }
    memcpy(id.octet, in->pending->request_id, sizeof id.octet);
    in->expected.request_id = es_request_id_text(&id, flow->pool);
    in->expected.started = in->pending->started;
    return es_check_request(in->response, in->assertion, &in->expected, why);
}

/* AuthnInstant by this server's clock: not in the future, and not before a request with ForceAuthn, since the check has
 * found that Entra asked again; else a clock that goes wrong by some seconds would make a fresh sign-in a stale one. */
static apr_time_t authenticated_at(const es_signin_t *in, const es_flow_t *flow)
{
    const apr_time_t instant = in->assertion->authn_instant;

    if (in->pending->is_fresh && instant < in->pending->started) {
        return in->pending->started;
    }
    return instant < flow->now ? instant : flow->now;
}

static unsigned asked_for(const es_pending_t *pending)
{
    return (pending->is_fresh ? ES_SESSION_ASKED_FRESH : 0u) | (pending->is_mfa ? ES_SESSION_ASKED_MFA : 0u) |
           (pending->is_step_up ? ES_SESSION_ASKED_STEP_UP : 0u);
}

/* The record, and what the browser's sessions have proved already. */
static es_rv_t pack(es_signin_t *in, es_session_new_t *fresh, const es_flow_t *flow, es_why_t *why)
{
    es_rv_t rv = es_session_pack(&in->record, fresh, why, flow->pool);

    if (rv == ES_OK) {
        rv = es_session_read(&in->session, in->record, why);
    }
    if (rv == ES_OK && es_raise_judge(&in->raise, fresh, flow, in->pending, &in->binding, &in->session)) {
        rv = es_session_pack(&in->record, fresh, why, flow->pool);
        return rv == ES_OK ? es_session_read(&in->session, in->record, why) : rv;
    }
    return rv;
}

/* The claims, the name, and the record they make. */
static es_rv_t make_record(es_signin_t *in, es_acs_report_t *report, const es_flow_t *flow, es_why_t *why)
{
    const es_site_t *site = flow->site;
    const es_assertion_t *assertion = in->assertion;
    es_session_new_t fresh = {
        .connection = site->connection->id,
        .created = flow->now,
        .authenticated = authenticated_at(in, flow),
        .ends = assertion->session_not_on_or_after,
        .name_id = assertion->name_id ? assertion->name_id : "",
        .name_id_format = assertion->name_id_format ? assertion->name_id_format : "",
        .session_index = assertion->session_index ? assertion->session_index : "",
        .asked = asked_for(in->pending),
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
        rv = es_username_apply(&fresh.user, site->username, fresh.user, why, flow->pool);
    }
    if (rv == ES_OK) {
        rv = pack(in, &fresh, flow, why);
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

/* Makes the session in the place of those that the browser had, and holds its user to his number of sessions: by tenant
 * and object id, or by NameID where Entra was told to leave those out, and then of his tenant where there may be several.
 * When two sign-ins of one user meet here, both have made theirs before either counts, so that never too many are left. */
static es_rv_t make_session(es_acs_report_t *report, const es_hash_t *key, const es_signin_t *in, const es_flow_t *flow,
                            es_why_t *why)
{
    const char *tenant = flow->site->connection->tenants ? es_subject_tenant(&in->session) : NULL;
    const int most = flow->site->sessions_per_user;
    es_subject_kind_t kind = ES_SUBJECT_USER;
    es_store_t *store = flow->store;
    es_hash_t subjects[ES_SUBJECTS];
    int n_subjects = es_subject_all(subjects, &in->session);
    es_rv_t rv = store->insert(store, key, in->record, subjects, n_subjects, in->expires, flow->now, why);

    if (rv != ES_OK) {
        return rv;
    }
    es_raise_end(&in->raise, flow);
    if (most > 0 && !es_subject_of(&subjects[0], kind, &in->session)) {
        kind = ES_SUBJECT_NAME_ID;
    }
    if (most > 0 && es_subject_of(&subjects[0], kind, &in->session)) {
        rv = es_subject_end(&report->n_ended, flow, kind, &subjects[0], tenant, most, key, why);
    }
    if (rv != ES_OK) {
        store->remove(NULL, store, key, why);
    }
    return rv;
}

/* Of any number of posts of one assertion *added is true for one. */
static es_rv_t mark_assertion(int *added, const es_signin_t *in, const es_flow_t *flow, es_why_t *why)
{
    const es_hash_t mark = mark_of("assertion", flow, es_bytes_of(in->assertion->id));

    return flow->store->mark_add(added, flow->store, &mark, in->not_after, flow->now, why);
}

/* The account, then the session. After the marks, so that a message can make one account at most. */
static es_rv_t admit(es_acs_report_t *report, const es_hash_t *key, const es_signin_t *in, const es_flow_t *flow,
                     es_why_t *why)
{
    const es_account_rules_t *accounts = flow->site->accounts;
    es_account_state_t state = ES_ACCOUNT_IS_ACTIVE;
    es_rv_t rv = accounts ? es_account_take(&state, &in->account, flow, &in->session, why) : ES_OK;

    if (rv == ES_OK) {
        rv = make_session(report, key, in, flow, why);
    }
    if (rv == ES_OK && accounts && state == ES_ACCOUNT_IS_ACTIVE) {
        es_account_trust(accounts, key, flow->now);
    }
    report->is_waiting = state == ES_ACCOUNT_IS_PENDING;
    return rv;
}

/* The assertion's mark, the account, the session, the cookies. */
static es_rv_t finish(es_answer_t *answer, es_signin_t *in, es_acs_report_t *report, const es_flow_t *flow,
                      es_why_t *why)
{
    const es_connection_t *connection = flow->site->connection;
    const char *cookie;
    es_hash_t key;
    int added;
    es_rv_t rv;

    if ((rv = es_session_token_make(&cookie, &key, why, flow->pool)) != ES_OK ||
        (rv = mark_assertion(&added, in, flow, why)) != ES_OK) {
        return rv;
    }
    if (!added) {
        return es_fail(why, ES_REPLAYED, "assertion %.100s was used before", in->assertion->id);
    }
    if ((rv = admit(report, &key, in, flow, why)) != ES_OK) {
        return rv;
    }
    answer->location = es_keep_landing(answer, flow, in->pending);
    in->binding.has_session = 1;
    in->binding.session = key;
    es_binding_count(&in->binding, in->pending->is_post ? in->pending->landing : answer->location, flow->now);
    es_signon_set_cookie(answer, connection->session_cookie, cookie, flow->site->session_cookie, flow);
    es_signon_set_cookie(answer, connection->binding_cookie, es_binding_text(&in->binding, flow->pool), ES_COOKIE_NONE,
                         flow);
    return ES_OK;
}

/* The request's mark first: of a double click or of parallel posts one makes the session, and the others follow to its
 * page. */
static es_rv_t commit(es_answer_t *answer, es_signin_t *in, es_acs_report_t *report, const es_flow_t *flow,
                      es_why_t *why)
{
    const es_hash_t request = request_mark(flow, in->pending);
    es_store_t *store = flow->store;
    int added;
    es_rv_t rv =
        store->mark_add(&added, store, &request,
                        in->pending->started + ES_PENDING_LIFETIME + flow->site->connection->skew, flow->now, why);

    if (rv != ES_OK) {
        return rv;
    }
    if (!added) {
        answer->location = es_keep_landing(answer, flow, in->pending);
        report->user = NULL;
        return ES_OK;
    }
    return finish(answer, in, report, flow, why);
}

static es_rv_t restart(es_answer_t *answer, es_acs_report_t *report, const es_flow_t *flow, const es_signin_t *in,
                       es_rv_t cause, es_why_t *why)
{
    report->restarted = cause;
    return es_signon_restart(answer, flow, in->pending, why);
}

/* What there is to judge once it is known which request is answered, or that there is none. */
static es_rv_t judge(es_signin_t *in, es_acs_report_t *report, const es_flow_t *flow, es_why_t *why)
{
    es_rv_t rv = es_check_times(&in->not_after, in->response, in->assertion, &in->expected, flow->now, why);

    if (rv == ES_OK) {
        rv = es_check_authn(in->assertion, &in->expected, in->pending->is_fresh, flow->now, why);
    }
    if (rv == ES_OK) {
        rv = make_record(in, report, flow, why);
    }
    return rv == ES_OK && flow->site->accounts
               ? es_account_look(&in->account, flow, &in->session, in->expected.issuer, why)
               : rv;
}

/* An error of Entra, which anybody can write, since it is not signed: it is told and nothing more. To whoever asked
 * silently it says that there is nobody (SAML core 3.2.2.2, NoPassive; Microsoft does not document which errors come),
 * and the page that he came for is the answer. So it is for who was asked to sign in once more and could not, or would not:
 * his session is as good as before, and the page knows that he was asked. */
static es_rv_t end_by_status(es_answer_t *answer, es_acs_report_t *report, const es_flow_t *flow, es_signin_t *in,
                             const es_acs_form_t *form, es_why_t *why)
{
    es_why_t ignored = ES_WHY_INIT;

    if (open_pending(in, flow, form, &ignored) != ES_OK || !(in->pending->is_passive || in->pending->is_step_up) ||
        !es_signon_binding(&in->binding, flow, in->pending->binding)) {
        explain(why, &report->error, flow->pool);
        return why->rv;
    }
    answer->location = es_keep_landing(answer, flow, in->pending);
    if (in->pending->is_step_up) {
        explain(why, &report->error, flow->pool);
        es_fail(&report->noted, ES_STEP_UP_FAILED, "%.900s", why->text);
        return ES_OK;
    }
    es_fail(&report->noted, ES_SILENT_FAILED, "%.900s", why->text);
    es_binding_count(&in->binding, es_signon_silent(answer->location, flow->pool), flow->now);
    es_signon_set_cookie(answer, flow->site->connection->binding_cookie, es_binding_text(&in->binding, flow->pool),
                         ES_COOKIE_NONE, flow);
    return ES_OK;
}

/* A stand-in for the request that there was none of: nothing known, but where it leads. */
static es_rv_t imagine_pending(es_signin_t *in, es_acs_report_t *report, const es_flow_t *flow,
                               const es_acs_form_t *form, es_why_t *why)
{
    const es_connection_t *connection = flow->site->connection;
    const char *wanted = form->relay_state;
    es_why_t ignored = ES_WHY_INIT;

    if (wanted && es_pending_open(&in->pending, wanted, flow->key, &ignored, flow->pool) == ES_OK) {
        return es_fail(why, ES_UNSOLICITED,
                       "neither response nor assertion has InResponseTo, but RelayState is of a "
                       "sign-in that was started here");
    }
    in->pending = apr_pcalloc(flow->pool, sizeof *in->pending);
    in->pending->landing = connection->default_page;
    if (wanted && *wanted) {
        es_landing_read_allowed(&in->pending->landing, wanted, connection->origin, &flow->site->allow, &report->noted,
                                flow->pool);
    }
    return ES_OK;
}

/* My Apps, or the portal's Test button (SAML profiles 4.1.5). The session cookie does not come with a post from another
 * site, so whether the browser has a session is not known here; but the binding cookie does, and where there is none
 * there never was a session. */
static es_rv_t accept_launch(es_answer_t *answer, es_acs_report_t *report, const es_flow_t *flow, es_signin_t *in,
                             const es_acs_form_t *form, es_why_t *why)
{
    es_rv_t rv;
    int added;

    if ((rv = imagine_pending(in, report, flow, form, why)) != ES_OK || (rv = judge(in, report, flow, why)) != ES_OK) {
        return rv;
    }
    if (!es_signon_binding(&in->binding, flow, NULL)) {
        rv = es_binding_make(&in->binding, why);
        return rv == ES_OK ? finish(answer, in, report, flow, why) : rv;
    }
    if ((rv = mark_assertion(&added, in, flow, why)) != ES_OK) {
        return rv;
    }
    es_fail(&report->noted, ES_LAUNCH_ASKED, "a response for %.200s, which nobody asked for", report->user);
    report->user = NULL;
    answer->location = apr_pstrcat(flow->pool, flow->site->connection->login_path,
                                   "?return=", es_codec_url_encode(in->pending->landing, flow->pool), NULL);
    return ES_OK;
}

/* Signed by a key that the metadata does not have: perhaps the metadata is older than the key, and will have it after
 * another round. Of an encrypted assertion nobody is told what was wrong, so it may have been that. Only in the first
 * round of a sign-on that this very browser started. */
static int may_have_rolled_over(es_signin_t *in, const es_flow_t *flow, const es_acs_form_t *form, es_rv_t rv)
{
    es_why_t ignored = ES_WHY_INIT;

    return (rv == ES_SIGNATURE_KEY_UNKNOWN || rv == ES_DECRYPTION_FAILED) &&
           open_pending(in, flow, form, &ignored) == ES_OK && in->pending->round == 0 &&
           es_signon_binding(&in->binding, flow, in->pending->binding) &&
           es_pending_check_age(in->pending, flow->site->connection->skew, flow->now, &ignored) == ES_OK;
}

es_rv_t es_acs_accept(es_answer_t *answer, es_acs_report_t *report, const es_flow_t *flow, const es_acs_form_t *form,
                      es_why_t *why)
{
    es_signin_t in = { NULL };
    es_why_t aged = ES_WHY_INIT;
    es_hash_t request;
    int used;
    es_rv_t rv;

    rv = read_response(&in, flow, form, why);
    if (rv == ES_RESPONSE_STATUS) {
        return end_by_status(answer, report, flow, &in, form, why);
    }
    if (may_have_rolled_over(&in, flow, form, rv)) {
        return restart(answer, report, flow, &in, rv, why);
    }
    if (rv == ES_OK && flow->site->idp_initiated && es_check_is_unsolicited(in.response, in.assertion)) {
        return accept_launch(answer, report, flow, &in, form, why);
    }
    if (rv != ES_OK || (rv = read_pending(&in, flow, form, why)) != ES_OK) {
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
        answer->location = es_keep_landing(answer, flow, in.pending);
        return ES_OK;
    }
    if (es_pending_check_age(in.pending, in.expected.skew, flow->now, &aged) != ES_OK) {
        return restart(answer, report, flow, &in, ES_PENDING_EXPIRED, why);
    }
    if ((rv = judge(&in, report, flow, why)) != ES_OK) {
        return rv;
    }
    return commit(answer, &in, report, flow, why);
}
