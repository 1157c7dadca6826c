/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What each endpoint does: gets the facts together, asks the flow, hands its answer to io.
 */
#include "httpd/mes.h"

#include "base/codec.h"
#include "flow/account.h"
#include "policy/hint.h"
#include "policy/landing.h"

#include <apr_strings.h>

/* 405 with Allow (RFC 9110 section 15.5.6), which httpd writes from this list. */
static int refuse_method(request_rec *r, const char *first, const char *second)
{
    ap_allow_methods(r, REPLACE_ALLOW, first, second, NULL);
    return HTTP_METHOD_NOT_ALLOWED;
}

static int redirect_to(request_rec *r, const char *location)
{
    const es_answer_t answer = { .location = location };

    return mes_io_redirect(r, &answer);
}

/* What a sign-in owes the others: expired sessions go, as many as come, so that expiry needs no clockwork of its own; and
 * the administrator hears of live ones that had to go. */
static void look_after_sessions(request_rec *r, const es_flow_t *flow, es_shm_t *shm)
{
    apr_uint64_t evicted;

    es_shm_tidy(shm, flow->now);
    evicted = es_shm_unwarned(shm, flow->now);
    if (evicted > 0) {
        mes_io_log(r, ES_SESSIONS_EVICTED,
                   apr_psprintf(r->pool, "live sessions that had to go for new ones: %" APR_UINT64_T_FMT, evicted));
    }
}

/* Whatever became of the response: a key that the metadata does not have is a reason to look whether it has it now. What
 * was wrong with an encrypted assertion nobody is told; it may have been that. */
static void look_for_key(const request_rec *r, const es_why_t *why, apr_time_t now)
{
    if (why->rv == ES_SIGNATURE_KEY_UNKNOWN || why->rv == ES_DECRYPTION_FAILED) {
        mes_refresh_ask(mes_conf_server(r->server), now);
    }
}

/* A bookmark, or Back on some browsers: to the default page, whose section decides what happens. */
int mes_serve_acs(request_rec *r, const mes_site_t *site)
{
    es_acs_report_t report = { ES_OK };
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_acs_form_t form = { NULL };
    es_bytes_t body;
    es_flow_t flow;
    es_rv_t rv;

    if (r->method_number == M_GET) {
        return redirect_to(r, site->connection->default_page);
    }
    if (r->method_number != M_POST) {
        return refuse_method(r, "GET", "POST");
    }
    mes_request_flow(&flow, r, site);
    if (mes_body_read(&body, r, site->response_limit, &why) != ES_OK) {
        return mes_io_refuse(r, site, &why, MES_OFFER_AGAIN);
    }
    flow.now = apr_time_now(); /* a body may take its time, and what was good when it began must still be */
    rv = es_codec_form_find(&form.saml_response, body, "SAMLResponse", &why, r->pool);
    if (rv == ES_OK) {
        rv = es_codec_form_find(&form.relay_state, body, "RelayState", &why, r->pool);
    }
    if (rv == ES_OK) {
        rv = es_acs_accept(&answer, &report, &flow, &form, &why);
    }
    look_for_key(r, &why, flow.now);
    if (rv != ES_OK) {
        return rv == ES_RESPONSE_STATUS ? mes_io_refuse_by_entra(r, site, &why, &report.error)
                                        : mes_io_refuse(r, site, &why, MES_OFFER_AGAIN);
    }
    if (report.noted.rv != ES_OK) {
        mes_io_log(r, report.noted.rv, report.noted.text);
    }
    if (report.restarted != ES_OK) {
        mes_io_log(r, report.restarted,
                   apr_pstrcat(r->pool, why.text, *why.text ? "; " : "", "the sign-on starts again", NULL));
    }
    if (report.user) {
        mes_io_log_signin(r, site, &report);
        look_after_sessions(r, &flow, site->state->shm);
    }
    return mes_io_redirect(r, &answer);
}

/* What the query asks for: `return`, the default page where there is none; login_hint and whr; fresh=1, mfa=1 or passive=1. */
static es_rv_t read_query(const char **landing, es_request_ask_t *ask, const request_rec *r, const mes_site_t *site,
                          es_why_t *why)
{
    const es_bytes_t query = es_bytes_of(r->args ? r->args : "");
    const char *wanted = NULL, *login_hint = NULL, *whr = NULL, *fresh = NULL, *mfa = NULL, *passive = NULL;
    es_rv_t rv;

    if ((rv = es_codec_form_find(&wanted, query, "return", why, r->pool)) != ES_OK ||
        (rv = es_codec_form_find(&login_hint, query, "login_hint", why, r->pool)) != ES_OK ||
        (rv = es_codec_form_find(&whr, query, "whr", why, r->pool)) != ES_OK ||
        (rv = es_codec_form_find(&fresh, query, "fresh", why, r->pool)) != ES_OK ||
        (rv = es_codec_form_find(&mfa, query, "mfa", why, r->pool)) != ES_OK ||
        (rv = es_codec_form_find(&passive, query, "passive", why, r->pool)) != ES_OK ||
        (rv = es_hint_read(&ask->hints, login_hint, whr, why, r->pool)) != ES_OK) {
        return rv;
    }
    if (passive && strcmp(passive, "1") != 0) {
        return es_fail(why, ES_HINT_REFUSED, "passive is %.20s", passive);
    }
    if (fresh && (passive || strcmp(fresh, "1") != 0)) {
        return es_fail(why, ES_HINT_REFUSED, "fresh is %.20s%s", fresh, passive ? ", beside passive" : "");
    }
    if (mfa && (passive || strcmp(mfa, "1") != 0)) {
        return es_fail(why, ES_HINT_REFUSED, "mfa is %.20s%s", mfa, passive ? ", beside passive" : "");
    }
    ask->kind = mfa ? ES_REQUEST_MFA : fresh ? ES_REQUEST_FRESH : passive ? ES_REQUEST_PASSIVE : ES_REQUEST_PLAIN;
    if (wanted) {
        return es_landing_read_allowed(landing, wanted, site->connection->origin, &site->flow.allow, why, r->pool);
    }
    *landing = site->connection->default_page;
    return ES_OK;
}

/* With a live session there is nothing to do but go on, unless a fresh sign-in is asked for. Which limits hold is the landing's section's business; here
 * those of the endpoint's own place are as good as any, since a landing that finds the session too old starts anew. */
int mes_serve_login(request_rec *r, const mes_site_t *site)
{
    const mes_location_t *location = mes_request_location(r);
    es_why_t why = ES_WHY_INIT, none = ES_WHY_INIT;
    es_answer_t answer = { NULL };
    es_request_ask_t ask;
    es_session_t session;
    const char *landing;
    es_flow_t flow;
    es_rv_t rv;

    if (r->method_number != M_GET) {
        return refuse_method(r, "GET", NULL);
    }
    if (read_query(&landing, &ask, r, site, &why) != ES_OK) {
        return mes_io_refuse(r, site, &why, MES_OFFER_AGAIN);
    }
    mes_request_flow(&flow, r, site);
    rv = es_resume_find(&session, &flow, location->value[MES_LIFETIME].number, location->value[MES_IDLE].number, &none);
    flow.is_known = rv == ES_OK;
    /* Whose account is not active has nothing to gain by another sign-in: the page says so. */
    if ((rv == ES_OK || es_account_holds(rv)) && ask.kind != ES_REQUEST_FRESH && ask.kind != ES_REQUEST_MFA) {
        return redirect_to(r, landing);
    }
    /* A silent attempt is made in frames; any other Entra would show nothing of. */
    if (ask.kind != ES_REQUEST_PASSIVE && mes_request_is_framed(r)) {
        es_fail(&why, ES_FRAME_WITHOUT_SESSION, "the sign-in endpoint was opened in a frame");
        return mes_io_refuse(r, site, &why, MES_OFFER_SIGN_IN);
    }
    if (es_signon_start(&answer, &flow, &ask, landing, &why) != ES_OK) {
        return mes_io_refuse(r, site, &why, MES_OFFER_AGAIN);
    }
    return mes_io_redirect(r, &answer);
}

int mes_serve_metadata(request_rec *r, const mes_site_t *site)
{
    return r->method_number == M_GET ? mes_io_metadata(r, site) : refuse_method(r, "GET", NULL);
}
