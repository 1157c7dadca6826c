/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The endpoints' place in httpd. They live in the virtual host's address space but belong to nobody's file system,
 * proxy or rewrite rules: translate_name marks the request, every later hook looks at the mark only.
 */
#include "httpd/mes.h"

#include <apr_strings.h>

static mes_endpoint_t endpoint_of(const request_rec *r)
{
    const mes_request_t *request = mes_request_find(r);

    return request ? request->endpoint : MES_ENDPOINT_NONE;
}

/* Every address of the server is held against ours, twice: nearly all differ within a few letters, sooner than strcmp
 * could be called. */
static int is_same(const char *a, const char *b)
{
    while (*a == *b && *a) {
        a++;
        b++;
    }
    return *a == *b;
}

mes_endpoint_t mes_endpoint_find(const mes_site_t *site, const char *path)
{
    const es_connection_t *connection = site->connection;
    const struct {
        const char *path;
        mes_endpoint_t endpoint;
    } endpoints[] = {
        { connection->reply_path, MES_ENDPOINT_ACS },       { connection->login_path, MES_ENDPOINT_LOGIN },
        { connection->logout_path, MES_ENDPOINT_LOGOUT },   { connection->metadata_path, MES_ENDPOINT_METADATA },
        { connection->session_path, MES_ENDPOINT_SESSION }, { connection->resend_path, MES_ENDPOINT_RESEND }
    };
    apr_size_t i;

    for (i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        if (is_same(endpoints[i].path, path)) {
            return endpoints[i].endpoint;
        }
    }
    return MES_ENDPOINT_NONE;
}

/* ProxyPass with mapping=encoded would take the address in pre_translate_name, before it is decoded; ours hold no
 * escapes, so that both forms are the same. */
int mes_endpoint_protect(request_rec *r)
{
    const mes_site_t *site = mes_request_site(r);

    return site && !r->main && mes_endpoint_find(site, r->uri) ? OK : DECLINED;
}

int mes_endpoint_claim(request_rec *r)
{
    const mes_site_t *site = mes_request_site(r);
    const mes_endpoint_t endpoint = site && !r->main ? mes_endpoint_find(site, r->uri) : MES_ENDPOINT_NONE;

    if (!endpoint) {
        return DECLINED;
    }
    mes_request_get(r)->endpoint = endpoint;
    r->filename = apr_pstrcat(r->pool, "entra-saml:", r->uri, NULL);
    r->canonical_filename = r->filename;
    r->proxyreq = PROXYREQ_NONE;
    r->handler = NULL;
    /* Whoever looks for a substitute where there is no file (FallbackResource, MultiViews, mod_speling) finds one. */
    r->finfo.filetype = APR_REG;
    return OK;
}

/* No directory walk: <Directory> and .htaccess speak of files. <Location> still holds. */
int mes_endpoint_map(request_rec *r)
{
    return endpoint_of(r) ? OK : DECLINED;
}

/* mod_mime_magic would open the file that is none. */
int mes_endpoint_type(request_rec *r)
{
    return endpoint_of(r) ? OK : DECLINED;
}

/* Whoever may come before he has signed in may sign in: what httpd's rules leave open for want of a user is granted, a
 * denial (a foreign address, all denied) stays one, unless an expression asked for a claim: see mes_gate_judge. The hook is
 * called from within itself to hear the rules. */
int mes_endpoint_admit(request_rec *r)
{
    mes_request_t *request = mes_request_find(r);
    int verdict;

    if (!request || !request->endpoint || request->is_judging) {
        return DECLINED;
    }
    request->is_judging = 1;
    request->is_claim_asked = 0;
    verdict = ap_run_access_checker_ex(r);
    request->is_judging = 0;
    return verdict == DECLINED || (verdict == HTTP_FORBIDDEN && request->is_claim_asked) ? OK : verdict;
}

int mes_endpoint_handle(request_rec *r)
{
    const mes_site_t *site = mes_request_site(r);

    const mes_endpoint_t endpoint = endpoint_of(r);

    /* Our own metadata is needed to register the application, and needs nothing of Entra's. */
    if (endpoint && endpoint != MES_ENDPOINT_METADATA && !site->is_ready) {
        es_why_t why = ES_WHY_INIT;

        es_fail(&why, ES_METADATA_PENDING, "%.300s can do nothing before there is metadata", r->uri);
        return mes_io_refuse(r, site, &why, MES_OFFER_NONE);
    }
    /* Neither can see the browser's cookies where they do not come along. */
    if (endpoint == MES_ENDPOINT_LOGIN || endpoint == MES_ENDPOINT_LOGOUT) {
        const int moved = mes_plain_move(r, site);

        if (moved != DECLINED) {
            return moved;
        }
    }
    switch (endpoint) {
    case MES_ENDPOINT_ACS:
        return mes_serve_acs(r, site);
    case MES_ENDPOINT_LOGIN:
        return mes_serve_login(r, site);
    case MES_ENDPOINT_LOGOUT:
        return mes_logout_serve(r, site);
    case MES_ENDPOINT_METADATA:
        return mes_serve_metadata(r, site);
    case MES_ENDPOINT_SESSION:
        return mes_tell_serve(r, site);
    case MES_ENDPOINT_RESEND:
        return mes_resend_serve(r, site);
    case MES_ENDPOINT_NONE:
        break;
    }
    return DECLINED;
}
