/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A person's form without a session, as a rule because it was idle for too long while he wrote: kept where
 * EntraSAMLPreservePost says so. Programs never come here, they get their 401; nor does anything in a frame, where Entra
 * is not shown.
 */
#include "httpd/mes.h"

#include <apr_strings.h>

/* Where nobody is redirected, a form is no exception. */
int mes_preserve_applies(request_rec *r, es_visitor_t visitor)
{
    const mes_location_t *location = mes_request_location(r);
    const char *dest = apr_table_get(r->headers_in, "Sec-Fetch-Dest");

    return visitor == ES_VISITOR_FORM && location->value[MES_PRESERVE_POST].number > 0 &&
           (!dest || strcmp(dest, "document") == 0) &&
           mes_condition_choose(&location->value[MES_UNAUTHENTICATED], r) != MES_UNAUTHENTICATED_401;
}

/* The faults of a sign-in message are other words for those of a form. */
static es_rv_t read_body(es_bytes_t *body, request_rec *r, es_why_t *why)
{
    const apr_size_t limit = (apr_size_t)mes_request_location(r)->value[MES_PRESERVE_POST].number;
    es_why_t cause = ES_WHY_INIT;
    es_rv_t rv = mes_body_read_any(body, r, limit, &cause);

    return rv == ES_OK ? ES_OK
                       : es_fail(why, rv == ES_FORM_TOO_LARGE ? ES_POST_TOO_LARGE : ES_POST_UNREAD, "%s", cause.text);
}

/* Nothing of the body is read of what is refused for where it comes from, or what it is. */
static es_rv_t read_post(es_post_t *post, request_rec *r, const mes_site_t *site, es_why_t *why)
{
    const es_repeat_headers_t headers = {
        .content_type = apr_table_get(r->headers_in, "Content-Type"),
        .content_encoding = apr_table_get(r->headers_in, "Content-Encoding"),
        .sec_fetch_site = apr_table_get(r->headers_in, "Sec-Fetch-Site"),
        .origin = apr_table_get(r->headers_in, "Origin"),
        .referer = apr_table_get(r->headers_in, "Referer"),
    };
    es_repeat_type_t type;
    es_repeat_t repeat;
    es_rv_t rv;

    if ((rv = es_repeat_check_sender(&headers, site->connection->origin, why, r->pool)) != ES_OK ||
        (rv = es_repeat_type(&type, &headers, why)) != ES_OK || (rv = read_body(&post->body, r, why)) != ES_OK ||
        (rv = es_repeat_make(&repeat, type, post->body, why, r->pool)) != ES_OK) {
        return rv;
    }
    post->kind = type == ES_REPEAT_TEXT ? ES_KEPT_TEXT : ES_KEPT_URLENCODED;
    return ES_OK;
}

int mes_preserve_start(request_rec *r, const mes_site_t *site, const mes_request_t *request)
{
    const int is_fresh = mes_request_wants_fresh(r);
    const es_request_ask_t ask = { .kind = is_fresh ? ES_REQUEST_FRESH : ES_REQUEST_PLAIN };
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_post_t post;
    es_flow_t flow;

    if (read_post(&post, r, site, &why) != ES_OK) {
        return mes_io_refuse(r, site, &why, is_fresh ? MES_OFFER_SIGN_IN_ANEW : MES_OFFER_SIGN_IN);
    }
    mes_request_flow(&flow, r, site);
    flow.is_known = request->resumed == ES_OK || request->resumed == ES_SESSION_STALE;
    if (es_signon_start_post(&answer, &flow, &ask, mes_request_landing(r), &post, &why) != ES_OK) {
        return mes_io_refuse(r, site, &why, why.rv == ES_SESSION_LOOP ? MES_OFFER_AGAIN : MES_OFFER_SIGN_IN);
    }
    if (request->resumed != ES_OK) {
        mes_io_log(r, request->resumed, request->cause);
    }
    mes_io_trace(r, "kept a form for", r->uri);
    return mes_io_redirect(r, &answer);
}
