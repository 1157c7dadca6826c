/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What each endpoint does: gets the facts together, asks the flow, hands its answer to io.
 */
#include "httpd/mes.h"

#include "base/codec.h"
#include "base/url.h"
#include "policy/hint.h"

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

/* What the query asks for: `return`, the default page where there is none; login_hint and whr; passive=1. */
static es_rv_t read_query(const char **landing, es_request_ask_t *ask, const request_rec *r, const mes_site_t *site,
                          es_why_t *why)
{
    const es_bytes_t query = es_bytes_of(r->args ? r->args : "");
    const char *wanted = NULL, *login_hint = NULL, *whr = NULL, *passive = NULL;
    es_rv_t rv;

    if ((rv = es_codec_form_find(&wanted, query, "return", why, r->pool)) != ES_OK ||
        (rv = es_codec_form_find(&login_hint, query, "login_hint", why, r->pool)) != ES_OK ||
        (rv = es_codec_form_find(&whr, query, "whr", why, r->pool)) != ES_OK ||
        (rv = es_codec_form_find(&passive, query, "passive", why, r->pool)) != ES_OK ||
        (rv = es_hint_read(&ask->hints, login_hint, whr, why, r->pool)) != ES_OK) {
        return rv;
    }
    if (passive && strcmp(passive, "1") != 0) {
        return es_fail(why, ES_HINT_REFUSED, "passive is %.20s", passive);
    }
    ask->kind = passive ? ES_REQUEST_PASSIVE : ES_REQUEST_PLAIN;
    if (wanted) {
        return es_landing_read_allowed(landing, wanted, site->connection->origin, &site->flow.allow, why, r->pool);
    }
    *landing = site->connection->default_page;
    return ES_OK;
}

/* With a live session there is nothing to do but go on. Which limits hold is the landing's section's business; here
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

    if (r->method_number != M_GET) {
        return refuse_method(r, "GET", NULL);
    }
    if (read_query(&landing, &ask, r, site, &why) != ES_OK) {
        return mes_io_refuse(r, site, &why, MES_OFFER_AGAIN);
    }
    mes_request_flow(&flow, r, site);
    if (es_resume_find(&session, &flow, location->value[MES_LIFETIME].number, location->value[MES_IDLE].number,
                       &none) == ES_OK) {
        return redirect_to(r, landing);
    }
    if (es_signon_start(&answer, &flow, &ask, landing, &why) != ES_OK) {
        return mes_io_refuse(r, site, &why, MES_OFFER_AGAIN);
    }
    return mes_io_redirect(r, &answer);
}

static int is_on_origin(const char *text, const mes_site_t *site, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    es_url_t url, ours;

    return text && es_url_read(&url, text, 4096, &why, pool) == ES_OK &&
           es_url_read(&ours, site->connection->origin, 4096, &why, pool) == ES_OK && es_url_same_origin(&url, &ours);
}

/* Did the user ask for it here? A browser that sends fetch metadata is believed: it also sees the site's own origin
 * where a proxy of Microsoft's (Defender for Cloud Apps) shows it under another name. */
static int is_meant(const request_rec *r, const mes_site_t *site)
{
    const char *fetch_site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (r->method_number == M_POST && fetch_site) {
        return strcmp(fetch_site, "same-origin") == 0 || strcmp(fetch_site, "none") == 0;
    }
    if (r->method_number == M_POST) {
        return !origin || is_on_origin(origin, site, r->pool);
    }
    if (r->header_only || apr_table_get(r->headers_in, "Sec-Purpose")) {
        return 0; /* HEAD is safe (RFC 9110 section 9.2.1); a prefetch is nobody's wish */
    }
    if (fetch_site) {
        return strcmp(fetch_site, "same-origin") == 0;
    }
    return is_on_origin(origin ? origin : apr_table_get(r->headers_in, "Referer"), site, r->pool);
}

int mes_serve_logout(request_rec *r, const mes_site_t *site)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_flow_t flow;
    int ended;

    if (r->method_number != M_GET && r->method_number != M_POST) {
        return refuse_method(r, "GET", "POST");
    }
    if (!is_meant(r, site)) {
        es_fail(&why, ES_LOGOUT_UNCONFIRMED, "the link was not opened from a page of this site");
        return mes_io_refuse(r, site, &why, MES_OFFER_SIGN_OUT);
    }
    mes_request_flow(&flow, r, site);
    es_logout_local(&answer, &ended, &flow, &why);
    mes_io_set_cookies(r, &answer);
    if (why.rv != ES_OK) {
        return mes_io_refuse(r, site, &why, MES_OFFER_SIGN_OUT);
    }
    mes_io_log_signout(r, site, ended);
    return mes_io_signed_out(r, site);
}

int mes_serve_metadata(request_rec *r, const mes_site_t *site)
{
    return r->method_number == M_GET ? mes_io_metadata(r, site) : refuse_method(r, "GET", NULL);
}
