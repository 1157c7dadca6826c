/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Our cookies are for us: whoever has the session's may be the user. They are taken out of the request before anybody
 * sees it, so that no application, no backend, no log line and no TRACE shows them; what the browser sent is kept with
 * the request that came from it. EntraSAMLPassCookies puts it back where a location wants it.
 *
 * mod_cache, whose quick handler looks only at what is left, keeps variants by Cookie as the application behind it gives
 * them: that one sees no more either.
 */
#include "httpd/mes.h"

#include "base/cookie.h"

#include <apr_strings.h>

/* Several Cookie headers mean what one with "; " between them means (RFC 9113 section 8.2.3). */
static const char *join(const request_rec *r)
{
    const apr_array_header_t *headers = apr_table_elts(r->headers_in);
    const char *joined = NULL;
    int i;

    for (i = 0; i < headers->nelts; i++) {
        const apr_table_entry_t *header = &APR_ARRAY_IDX(headers, i, apr_table_entry_t);

        if (header->key && (*header->key | 0x20) == 'c' && strcasecmp(header->key, "Cookie") == 0) {
            joined = joined ? apr_pstrcat(r->pool, joined, "; ", header->val, NULL) : header->val;
        }
    }
    return joined;
}

static void set(request_rec *r, const char *cookies)
{
    if (cookies) {
        apr_table_setn(r->headers_in, "Cookie", cookies);
    } else {
        apr_table_unset(r->headers_in, "Cookie");
    }
}

/* An internal redirect comes here again, with the headers of the request before it: settle looks after those. But the
 * ErrorDocument of a request that httpd refused before any hook (no Host, an unknown Expect) is the first to come. */
int mes_cookies_hide(request_rec *r)
{
    mes_request_t *request;
    const char *sent;

    if (!mes_request_site(r)) {
        return DECLINED;
    }
    request = mes_request_get(mes_request_first(r));
    if (request->are_hidden) {
        return DECLINED;
    }
    request->are_hidden = 1;
    sent = join(r);
    if (sent && es_cookie_strip(&request->cookies_left, sent, r->pool)) {
        request->cookies = sent;
        set(r, request->cookies_left);
    }
    return DECLINED;
}

/* What there should be instead of the Cookie header that is there now. Ours come back only where it is what was left of
 * it: mod_headers may have written another one. They go in any case, whatever that has made of them meanwhile. */
static const char *choose(const mes_request_t *first, const char *now, int passes, apr_pool_t *pool)
{
    const char *rest = now;

    if (passes) {
        return now == first->cookies_left ? first->cookies : now;
    }
    if (now == first->cookies) {
        return first->cookies_left;
    }
    if (now) {
        es_cookie_strip(&rest, now, pool);
    }
    return rest;
}

/* Each location has its own say, and an internal redirect or a subrequest leads from one to another. */
int mes_cookies_settle(request_rec *r)
{
    const int passes = (int)mes_request_location(r)->value[MES_PASS_COOKIES].number;
    mes_request_t *first;
    const char *now, *wanted;

    first = mes_request_find(mes_request_first(r));
    if (!first || !first->cookies || (!passes && !first->are_passed)) {
        return DECLINED;
    }
    first->are_passed = 1;
    now = apr_table_get(r->headers_in, "Cookie");
    wanted = choose(first, now, passes, r->pool);
    if (now != wanted) {
        if (r->main) { /* its headers may be those of the page around it */
            r->headers_in = apr_table_copy(r->pool, r->headers_in);
        }
        set(r, wanted);
    }
    return DECLINED;
}

/* mod_dir and mod_negotiation put another file, and its section, in the place of the request's after that. */
void mes_cookies_insert(request_rec *r)
{
    mes_cookies_settle(r);
}

const char *mes_cookies_sent(const request_rec *r)
{
    const mes_request_t *first = mes_request_find(mes_request_first(r));

    return first ? first->cookies : NULL;
}
