/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The logout endpoint. Three come here: a user who wants out, a LogoutRequest of Entra's in a frame or on top, and the
 * user again with Entra's LogoutResponse. Each message counts by its own proof, a user's wish by where he clicked.
 */
#include "httpd/mes.h"

#include "base/codec.h"
#include "base/url.h"
#include "policy/landing.h"

#include <apr_strings.h>

static int is_on_origin(const char *text, const mes_site_t *site, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    es_url_t url, ours;

    return text && es_url_read(&url, text, 4096, &why, pool) == ES_OK &&
           es_url_read(&ours, site->connection->origin, 4096, &why, pool) == ES_OK && es_url_same_origin(&url, &ours);
}

/* HEAD is safe (RFC 9110 section 9.2.1); a prefetch is nobody's wish. */
static int is_harmless(const request_rec *r)
{
    return r->header_only || apr_table_get(r->headers_in, "Sec-Purpose");
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
    /* Another site's form brings no session cookie along, unless it is told to: only then must who does not say where he
     * comes from be taken for another site's. */
    if (r->method_number == M_POST && !origin && site->flow.session_cookie == ES_COOKIE_LAX) {
        return 1;
    }
    if (is_harmless(r)) {
        return 0;
    }
    if (fetch_site) {
        return strcmp(fetch_site, "same-origin") == 0;
    }
    return is_on_origin(origin ? origin : apr_table_get(r->headers_in, "Referer"), site, r->pool);
}

/* A page of ours as the query's `return` names it; NULL where it names none. One that is refused keeps nobody signed
 * in: it is told to the log. */
static const char *read_return(request_rec *r, const mes_site_t *site)
{
    const char *wanted = NULL, *landing = NULL;
    es_why_t why = ES_WHY_INIT;

    if (es_codec_form_find(&wanted, es_bytes_of(r->args ? r->args : ""), "return", &why, r->pool) != ES_OK ||
        (wanted && es_landing_read(&landing, wanted, site->connection->origin, &why, r->pool) != ES_OK)) {
        mes_io_log(r, why.rv, why.text);
    }
    return landing;
}

/* A program follows redirects without a browser's cookies for Entra: it is signed out here, and hears so. */
static int sign_out(request_rec *r, const mes_site_t *site)
{
    const int asks = mes_request_visitor(r) != ES_VISITOR_PROGRAM;
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_flow_t flow;
    int ended;

    if (!is_meant(r, site)) {
        es_fail(&why, ES_LOGOUT_UNCONFIRMED, "the link was not opened from a page of this site");
        return mes_io_refuse(r, site, &why, MES_OFFER_SIGN_OUT);
    }
    mes_request_flow(&flow, r, site);
    if (es_logout_start(&answer, &ended, &flow, read_return(r, site), asks, &why) != ES_OK) {
        mes_io_set_cookies(r, &answer);
        return mes_io_refuse(r, site, &why, MES_OFFER_SIGN_OUT);
    }
    mes_io_log_signout(r, site, ended, NULL);
    if (answer.location && asks) {
        return mes_io_redirect(r, &answer);
    }
    mes_io_set_cookies(r, &answer);
    return mes_io_signed_out(r, site, 0);
}

static int follow(request_rec *r, const mes_site_t *site, const es_query_t *query)
{
    es_logout_report_t report = { NULL };
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_flow_t flow;

    mes_request_flow(&flow, r, site);
    if (es_logout_follow(&answer, &report, &flow, query, &why) != ES_OK) {
        return mes_io_refuse(r, site, &why, MES_OFFER_SIGN_OUT);
    }
    mes_io_log_signout(r, site, report.ended, report.request_id);
    if (answer.location) {
        return mes_io_redirect(r, &answer);
    }
    mes_io_set_cookies(r, &answer);
    return mes_io_signed_out(r, site, 1);
}

/* Whatever it says, the session here ended before Entra was asked: the user comes to a page. */
static int finish(request_rec *r, const mes_site_t *site, const es_query_t *query)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_flow_t flow;

    mes_request_flow(&flow, r, site);
    if (es_logout_finish(&answer, &flow, query, &why) != ES_OK) {
        mes_io_log(r, why.rv, why.text);
    }
    return answer.location ? mes_io_redirect(r, &answer) : mes_io_signed_out(r, site, why.rv == ES_OK);
}

int mes_logout_serve(request_rec *r, const mes_site_t *site)
{
    es_why_t why = ES_WHY_INIT;
    es_query_t *query = NULL;

    if (r->method_number != M_GET && r->method_number != M_POST) {
        ap_allow_methods(r, REPLACE_ALLOW, "GET", "POST", NULL);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (r->method_number == M_GET && !is_harmless(r) &&
        es_query_read(&query, es_bytes_of(r->args ? r->args : ""), &why, r->pool) != ES_OK) {
        return mes_io_refuse(r, site, &why, MES_OFFER_SIGN_OUT);
    }
    if (!query) {
        return sign_out(r, site);
    }
    return query->is_response ? finish(r, site, query) : follow(r, site, query);
}
