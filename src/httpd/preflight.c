/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * CORS preflights (Fetch standard, 3.2.2): a browser asks with OPTIONS, and never with credentials, whether another
 * site's script may send its request. Where EntraSAMLPreflight says so they pass without a session, to whatever answers
 * OPTIONS there; nothing else is reached by one.
 */
#include "httpd/mes.h"

static int has(const request_rec *r, const char *header)
{
    const char *value = apr_table_get(r->headers_in, header);

    return value && *value;
}

static int has_body(const request_rec *r)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");

    return apr_table_get(r->headers_in, "Transfer-Encoding") || (length && strcmp(length, "0") != 0);
}

/* Browsers send neither a body nor headers of the script's. What asks an application to take OPTIONS for another method
 * is no preflight, whatever else it says. */
static int is_preflight(const request_rec *r)
{
    return r->method_number == M_OPTIONS && has(r, "Origin") && has(r, "Access-Control-Request-Method") &&
           !has_body(r) && !has(r, "X-HTTP-Method-Override") && !has(r, "X-HTTP-Method") &&
           !has(r, "X-Method-Override");
}

static const request_rec *first_of(const request_rec *r)
{
    while (r->prev || r->main) {
        r = r->prev ? r->prev : r->main;
    }
    return r;
}

/* What httpd's rules leave open for want of a user is granted, a denial stays one. The hook is called from within itself
 * to hear the rules. Subrequests too, which mod_dir and mod_negotiation look with: none of them answers, see below. */
int mes_preflight_admit(request_rec *r)
{
    mes_request_t *request;
    int verdict;

    if (!mes_request_location(r)->value[MES_PREFLIGHT].number) {
        return DECLINED;
    }
    request = mes_request_find(r);
    if (!request || request->is_judging || !request->is_resumed || request->resumed == ES_OK ||
        request->resumed == ES_CONFIG_SECTION || !is_preflight(first_of(r))) {
        return DECLINED;
    }
    request->is_judging = 1;
    verdict = ap_run_access_checker_ex(r);
    request->is_judging = 0;
    if (verdict != DECLINED) {
        return verdict;
    }
    request->is_preflight = 1;
    mes_io_trace(r, "preflight", r->uri);
    return OK;
}

/* Was it let in as a preflight, itself or where httpd took over the verdict for it? See mes_request_session. */
static int is_admitted(const request_rec *r)
{
    while (r) {
        const mes_request_t *request = mes_request_find(r);

        if (request && request->is_resumed) {
            return request->is_preflight;
        }
        if (r->prev && r->prev->per_dir_config == r->per_dir_config) {
            r = r->prev;
        } else {
            r = r->main && r->main->per_dir_config == r->per_dir_config ? r->main : NULL;
        }
    }
    return 0;
}

/* An error document, a page included by SSI, a local redirect of a CGI program are asked for with GET by httpd itself,
 * and mostly without asking the rules again. The last moment before anything answers. */
int mes_preflight_hold(request_rec *r)
{
    if (!mes_request_location(r)->value[MES_PREFLIGHT].number || r->method_number == M_OPTIONS) {
        return DECLINED;
    }
    return is_admitted(r) ? HTTP_UNAUTHORIZED : DECLINED;
}
