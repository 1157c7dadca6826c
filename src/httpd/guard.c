/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What goes past the application in both directions: request headers that would look like our variables, and response
 * headers that would let a cache show one user's page to the next.
 */
#include "httpd/mes.h"

#include "base/fold.h"

#include <apr_date.h>
#include <apr_strings.h>
#include <util_filter.h>

/* ---- inbound ------------------------------------------------------------------------------------------------- */

/* Connection names headers that are for this hop alone, and mod_proxy drops those it names before it asks the backend:
 * whoever could name ours there would be a user without groups, or nobody. */
static const char *keep_tokens(const char *value, const es_fold_set_t *ours, apr_pool_t *pool)
{
    const char *kept = NULL;

    if (!strpbrk(value, ", \t")) {
        return es_fold_has(ours, value) ? "" : value; /* nearly always: keep-alive, close */
    }
    while (*(value += strspn(value, ", \t"))) {
        const apr_size_t len = strcspn(value, ", \t");
        const char *token = apr_pstrmemdup(pool, value, len);

        if (!es_fold_has(ours, token)) {
            kept = kept ? apr_pstrcat(pool, kept, ", ", token, NULL) : token;
        }
        value += len;
    }
    return kept ? kept : "";
}

static int is_connection(const char *name)
{
    return es_fold(*name) == 'C' && strcasecmp(name, "Connection") == 0;
}

/* For internal redirects too, where httpd runs the hook anew: what was set for the section before is removed with it. */
int mes_guard_headers(request_rec *r)
{
    const es_fold_set_t *ours = mes_conf_server(r->server)->inbound;
    const apr_array_header_t *headers = apr_table_elts(r->headers_in);
    int i = 0;

    if (!ours) {
        return DECLINED;
    }
    while (i < headers->nelts) {
        apr_table_entry_t *header = &APR_ARRAY_IDX(headers, i, apr_table_entry_t);

        if (es_fold_has(ours, header->key)) {
            mes_io_trace(r, "removed request header", header->key);
            apr_table_unset(r->headers_in, header->key); /* all of that name, the rest moves up */
            continue;
        }
        if (is_connection(header->key)) {
            header->val = (char *)(apr_uintptr_t)keep_tokens(header->val, ours, r->pool);
        }
        i++;
    }
    return DECLINED;
}

/* ---- outbound ------------------------------------------------------------------------------------------------ */

static ap_filter_rec_t *first_filter, *last_filter;

/* Directives that speak to shared caches, or that "private" makes superfluous (RFC 9111 section 5.2.2). */
static int is_for_shared(const char *directive)
{
    static const char *const names[] = { "public", "private", "s-maxage", "proxy-revalidate", NULL };
    const apr_size_t len = strcspn(directive, "= \t");
    int i;

    for (i = 0; names[i]; i++) {
        if (strlen(names[i]) == len && strncasecmp(names[i], directive, len) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Where the directive ends: at a comma outside quotes. */
static const char *find_end(const char *directive)
{
    int is_quoted = 0;

    for (; *directive && (is_quoted || *directive != ','); directive++) {
        if (*directive == '"') {
            is_quoted = !is_quoted;
        } else if (is_quoted && *directive == '\\' && directive[1]) {
            directive++;
        }
    }
    return directive;
}

/* A directive that stands twice is void to some caches (RFC 9111 section 4.2.1): the first one counts. */
static int is_named(const char *kept, const char *directive)
{
    const apr_size_t len = strcspn(directive, "= \t");

    for (; *kept; kept += strspn(kept, ", ")) {
        if (strcspn(kept, "=, \t") == len && strncasecmp(kept, directive, len) == 0) {
            return 1;
        }
        kept = find_end(kept);
    }
    return 0;
}

/* What the application said to the browser itself (no-cache, max-age) stays. */
static void keep_private(const char **kept, const char *header, apr_pool_t *pool)
{
    while (*(header += strspn(header, ", \t"))) {
        const char *end = find_end(header);
        const char *directive = apr_pstrmemdup(pool, header, (apr_size_t)(end - header));

        if (!is_for_shared(directive) && !is_named(*kept, directive)) {
            *kept = apr_pstrcat(pool, *kept, ", ", directive, NULL);
        }
        header = end;
    }
}

typedef struct {
    request_rec *r;
    const char *kept;
} collect_t;

static int collect(void *context, const char *name, const char *value)
{
    collect_t *all = context;

    (void)name;
    keep_private(&all->kept, value, all->r->pool);
    return 1;
}

static void unset(request_rec *r, const char *name)
{
    apr_table_unset(r->headers_out, name);
    apr_table_unset(r->err_headers_out, name);
}

/* An Expires in the future invites caches that know no Cache-Control; one in the past, or an invalid one, keeps the
 * browser from keeping the page and stays. So does Pragma: no-cache, and no other Pragma. */
static int is_invitation(const char *name, const char *value, apr_time_t now)
{
    if (strcmp(name, "Expires") == 0) {
        return apr_date_parse_http(value) > now;
    }
    return strcasecmp(value, "no-cache") != 0;
}

static void unset_invitation(request_rec *r, const char *name)
{
    const char *value = apr_table_get(r->headers_out, name);
    const char *error_value = apr_table_get(r->err_headers_out, name);

    if ((value && is_invitation(name, value, r->request_time)) ||
        (error_value && is_invitation(name, error_value, r->request_time))) {
        unset(r, name);
    }
}

/* Headers that tell caches what to do. RFC 9213 and its forerunner speak to those of a content delivery network, against
 * Cache-Control. */
static int is_for_caches(const char *name)
{
    switch (es_fold(*name)) {
    case 'C':
        return strcasecmp(name, "Cache-Control") == 0 || strcasecmp(name, "CDN-Cache-Control") == 0;
    case 'E':
        return strcasecmp(name, "Expires") == 0;
    case 'P':
        return strcasecmp(name, "Pragma") == 0;
    case 'S':
        return strcasecmp(name, "Surrogate-Control") == 0;
    default:
        return 0;
    }
}

/* How many of them the table has; *last is the last one. */
static int count_for_caches(const apr_table_entry_t **last, const apr_table_t *table)
{
    const apr_array_header_t *headers = apr_table_elts(table);
    int i, count = 0;

    for (i = 0; i < headers->nelts; i++) {
        const apr_table_entry_t *header = &APR_ARRAY_IDX(headers, i, apr_table_entry_t);

        if (is_for_caches(header->key)) {
            *last = header;
            count++;
        }
    }
    return count;
}

/* One walk over the headers tells what nearly every answer is: without any of these when the first of our filters sees
 * it, with ours alone when the last one does. */
static void tidy(request_rec *r)
{
    const mes_request_t *request = mes_request_find(r);
    const char *only = request && request->is_own ? "no-store" : "private";
    const apr_table_entry_t *last = NULL;
    const int count = count_for_caches(&last, r->headers_out),
              error_count = count_for_caches(&last, r->err_headers_out);
    collect_t all = { r, "private" };

    if (count + error_count == 0) {
        apr_table_addn(r->headers_out, "Cache-Control", only);
        return;
    }
    if (count == 1 && error_count == 0 && strcasecmp(last->key, "Cache-Control") == 0 && strcmp(last->val, only) == 0) {
        return;
    }
    apr_table_do(collect, &all, r->headers_out, "Cache-Control", NULL);
    apr_table_do(collect, &all, r->err_headers_out, "Cache-Control", NULL);
    unset(r, "Cache-Control");
    apr_table_setn(r->headers_out, "Cache-Control", request && request->is_own ? only : all.kept);
    unset(r, "CDN-Cache-Control");
    unset(r, "Surrogate-Control");
    unset_invitation(r, "Expires");
    unset_invitation(r, "Pragma");
}

/* Headers are whole when the first piece of the body comes. */
static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    tidy(f->r);
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, brigade);
}

/* What Cache-Control says mod_cache may be told not to heed (CacheStorePrivate, CacheStoreNoStore), and its quick handler then
 * serves the page to anybody: it does not get to see it. Its filter is behind this one, wherever it was put. */
static apr_status_t filter_first(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    ap_filter_t *next = f->next;

    while (next) {
        ap_filter_t *saves = next;

        next = next->next;
        if (strncmp(saves->frec->name, "cache_save", 10) == 0) {
            ap_remove_output_filter(saves);
        }
    }
    return filter(f, brigade);
}

/* Twice: before everything, since a CACHE filter may be set anywhere (CacheQuickHandler off), and after mod_headers and
 * mod_expires but before CACHE_SAVE, which mod_cache's quick handler has put at AP_FTYPE_CONTENT_SET + 1. */
void mes_guard_register(void)
{
    first_filter = ap_register_output_filter("ENTRA_SAML_FIRST", filter_first, NULL, AP_FTYPE_RESOURCE - 1);
    last_filter = ap_register_output_filter("ENTRA_SAML", filter, NULL, AP_FTYPE_CONTENT_SET);
}

/* Is what the request shows meant for one person, or for those only whom a rule let in? */
static int is_personal(request_rec *r)
{
    const mes_request_t *request = mes_request_find(r);

    if (request && request->is_own) {
        return 1;
    }
    return mes_request_site(r) && mes_request_is_ours(r) &&
           (!mes_request_location(r)->is_open || mes_request_session(r));
}

/* For subrequests too: mod_cache keeps their responses under addresses that anybody may ask for. The headers of the
 * page around them are gone by then. */
void mes_guard_insert(request_rec *r)
{
    if (is_personal(r)) {
        ap_add_output_filter_handle(first_filter, NULL, r, r->connection);
        ap_add_output_filter_handle(last_filter, NULL, r, r->connection);
    }
}
