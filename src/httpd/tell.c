/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session endpoint, for scripts of this site: GET asks how long the session still lasts, POST goes on with it.
 */
#include "httpd/mes.h"

#include "base/codec.h"
#include "flow/tell.h"
#include "policy/landing.h"

/* Does a page of this site ask? Browsers that send fetch metadata are believed; the others say Origin wherever it is
 * another. A POST must say it: nobody else shall keep a session alive. Of what is refused nothing was looked at, so that
 * the answer is the same with a session and without. */
static int is_from_here(const request_rec *r, const mes_site_t *site)
{
    const char *fetch_site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (fetch_site) {
        return strcmp(fetch_site, "same-origin") == 0 || (r->method_number == M_GET && strcmp(fetch_site, "none") == 0);
    }
    return origin ? strcmp(origin, site->connection->origin) == 0 : r->method_number == M_GET;
}

/* The page that asks, for whose section the limits are; the default page where none is named. */
static es_rv_t read_page(const char **page, const request_rec *r, const mes_site_t *site, es_why_t *why)
{
    const char *wanted = NULL;
    es_rv_t rv = es_codec_form_find(&wanted, es_bytes_of(r->args ? r->args : ""), "page", why, r->pool);

    if (rv == ES_OK && wanted) {
        return es_landing_read(page, wanted, site->connection->origin, why, r->pool);
    }
    *page = site->connection->default_page;
    return rv;
}

/* httpd finds the sections of an address while it looks a subrequest up. Nothing is run for it, and the gate knows that
 * it is no use of the session. */
static es_tell_limits_t limits_of(request_rec *r, const char *page)
{
    request_rec *there = ap_sub_req_lookup_uri(page, r, NULL);
    const mes_value_t *value = mes_request_location(there)->value;
    const es_tell_limits_t limits = { value[MES_LIFETIME].number, value[MES_IDLE].number,
                                      value[MES_FRESH_SIGN_IN].number };

    ap_destroy_sub_req(there);
    return limits;
}

int mes_tell_serve(request_rec *r, const mes_site_t *site)
{
    es_why_t why = ES_WHY_INIT;
    es_tell_limits_t limits;
    const char *page, *json;
    es_flow_t flow;

    if (r->method_number != M_GET && r->method_number != M_POST) {
        ap_allow_methods(r, REPLACE_ALLOW, "GET", "POST", NULL);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    /* Not for scripts and images of other sites either (Fetch standard, 3.7) */
    apr_table_setn(r->err_headers_out, "Cross-Origin-Resource-Policy", "same-origin");
    if (!is_from_here(r, site)) {
        es_fail(&why, ES_CROSS_SITE, "the session was asked for from %.200s",
                apr_table_get(r->headers_in, "Origin") ? apr_table_get(r->headers_in, "Origin") : "elsewhere");
        return mes_io_refuse_json(r, site, &why, NULL);
    }
    if (read_page(&page, r, site, &why) != ES_OK) {
        return mes_io_refuse_json(r, site, &why, NULL);
    }
    limits = limits_of(r, page);
    mes_request_flow(&flow, r, site);
    if (es_tell_session(&json, &flow, &limits, page, r->method_number == M_POST, &why) != ES_OK) {
        return mes_io_refuse_json(r, site, &why, es_tell_sign_in(site->connection, page, limits.fresh != 0, r->pool));
    }
    return mes_io_json(r, json);
}
