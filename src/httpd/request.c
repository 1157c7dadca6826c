/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What we know of a request, and how the flow gets to see it.
 */
#include "httpd/mes.h"

#include <apr_strings.h>
#include <strings.h>

mes_request_t *mes_request_find(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &entra_saml_module);
}

mes_request_t *mes_request_get(request_rec *r)
{
    mes_request_t *request = mes_request_find(r);

    if (!request) {
        request = apr_pcalloc(r->pool, sizeof *request);
        request->resumed = ES_SESSION_NONE;
        ap_set_module_config(r->request_config, &entra_saml_module, request);
    }
    return request;
}

request_rec *mes_request_first(const request_rec *r)
{
    while (r->prev || r->main) {
        r = r->prev ? r->prev : r->main;
    }
    return (request_rec *)(apr_uintptr_t)r;
}

static apr_status_t give_back(void *edition)
{
    es_slot_give_back(edition);
    return APR_SUCCESS;
}

es_edition_t *mes_request_take(request_rec *r, es_slot_t *slot)
{
    es_edition_t *edition = es_slot_take(slot);

    apr_pool_cleanup_register(r->pool, edition, give_back, apr_pool_cleanup_null);
    return edition;
}

const mes_site_t *mes_request_site(request_rec *r)
{
    es_slot_t *slot = mes_conf_server(r->server)->slot;
    mes_request_t *request = mes_request_find(r);

    if (!slot) {
        return NULL;
    }
    if (!request || !request->edition) {
        r = mes_request_first(r);
        request = mes_request_get(r);
    }
    if (!request->edition) {
        request->edition = mes_request_take(r, slot);
    }
    return es_edition_object(request->edition);
}

const mes_location_t *mes_request_location(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &entra_saml_module);
}

int mes_request_wants_fresh(const request_rec *r)
{
    return mes_request_location(r)->value[MES_FRESH_SIGN_IN].number != 0;
}

es_request_kind_t mes_request_kind(const request_rec *r)
{
    return mes_request_wants_fresh(r) ? ES_REQUEST_FRESH : ES_REQUEST_PLAIN;
}

int mes_request_is_ours(request_rec *r)
{
    const mes_request_t *request = mes_request_find(r);
    const char *type;

    if (request && request->ours_in && request->ours_in == r->per_dir_config) {
        return 1;
    }
    type = ap_auth_type(r);
    return type && strcasecmp(type, MES_AUTH_TYPE) == 0;
}

/* httpd runs the authorization hooks once for requests that share a per-directory configuration, and takes over user
 * and verdict from the request redirected from, else from the outer one (ap_process_request_internal). So do we. */
const mes_request_t *mes_request_judged(const request_rec *r)
{
    const request_rec *seen = r;

    while (seen) {
        const mes_request_t *request = mes_request_find(seen);

        if (request && request->is_resumed) {
            return request;
        }
        if (seen->prev && seen->prev->per_dir_config == seen->per_dir_config) {
            seen = seen->prev;
        } else if (seen->main && seen->main->per_dir_config == seen->per_dir_config) {
            seen = seen->main;
        } else {
            seen = NULL;
        }
    }
    return NULL;
}

const es_session_t *mes_request_session(const request_rec *r)
{
    const mes_request_t *judged = mes_request_judged(r);

    return judged && judged->resumed == ES_OK ? &judged->session : NULL;
}

int mes_request_is_known(const mes_request_t *request)
{
    return request->resumed == ES_OK || request->resumed == ES_SESSION_STALE;
}

int mes_request_is_error_document(const request_rec *r)
{
    for (r = r->prev; r; r = r->prev) {
        if (r->status != HTTP_OK) {
            return 1;
        }
    }
    return 0;
}

/* Rewriting, FallbackResource, index files redirect internally; the browser knows nothing of it. */
const char *mes_request_landing(const request_rec *r)
{
    while (r->prev) {
        r = r->prev;
    }
    return r->unparsed_uri;
}

void mes_request_flow(es_flow_t *flow, request_rec *r, const mes_site_t *site)
{
    flow->site = &site->flow;
    flow->store = site->state->store;
    flow->key = &site->state->key;
    flow->cookies = mes_cookies_sent(r);
    flow->client = r->useragent_ip;
    flow->now = r->request_time;
    flow->pool = r->pool;
    flow->others = site->from ? mes_scope_others(r, site) : NULL;
    flow->is_known = 0;
}

es_rv_t mes_request_resume(es_session_t *session, const request_rec *r, const es_flow_t *flow, es_why_t *why)
{
    const mes_value_t *value = mes_request_location(r)->value;

    return es_resume_find(session, flow, value[MES_LIFETIME].number, value[MES_IDLE].number, why);
}

int mes_request_is_framed(const request_rec *r)
{
    return es_visitor_is_framed(apr_table_get(r->headers_in, "Sec-Fetch-Dest"));
}

es_visitor_t mes_request_visitor(const request_rec *r)
{
    const es_visitor_headers_t headers = {
        .method = r->method,
        .accept = apr_table_get(r->headers_in, "Accept"),
        .sec_fetch_mode = apr_table_get(r->headers_in, "Sec-Fetch-Mode"),
        .sec_fetch_dest = apr_table_get(r->headers_in, "Sec-Fetch-Dest"),
        .requested_with = apr_table_get(r->headers_in, "X-Requested-With"),
        .content_type = apr_table_get(r->headers_in, "Content-Type"),
        .upgrade = apr_table_get(r->headers_in, "Upgrade"),
    };

    return es_visitor_read(&headers);
}
