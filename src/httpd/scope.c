/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EntraSAMLSessionsFrom: hosts whose sessions are good in another. Which hosts these are is found out once; what their
 * connections are at the moment, each request looks at anew, since their metadata is replaced whenever it changes, and a
 * host whose metadata has yet to come has no sessions either.
 */
#include "httpd/refresh.h"

#include "base/url.h"

#define ORIGIN_MAX 2048

/* A session's cookie goes wherever the host is the same, whatever the port (RFC 6265 section 8.5), and nowhere else. */
static int same_host(const mes_site_t *a, const mes_site_t *b, apr_pool_t *pool)
{
    es_why_t ignored = ES_WHY_INIT;
    es_url_t url, other;

    return es_url_read(&url, a->connection->origin, ORIGIN_MAX, &ignored, pool) == ES_OK &&
           es_url_read(&other, b->connection->origin, ORIGIN_MAX, &ignored, pool) == ES_OK &&
           strcmp(url.host, other.host) == 0;
}

/* What was found of one entity ID. */
typedef struct {
    const mes_server_t *host; /* with our host name */
    const mes_server_t *any;  /* the first of all */
    int is_own;               /* it is this connection's own */
} found_t;

static es_rv_t look_at(found_t *found, const mes_server_t *conf, const mes_server_t *other, const char *entity_id,
                       es_why_t *why, apr_pool_t *pool)
{
    const mes_site_t *site = es_slot_look(conf->slot), *theirs = es_slot_look(other->slot);

    if (strcmp(theirs->connection->entity_id, entity_id) != 0) {
        return ES_OK;
    }
    if (other == conf || mes_agree_connection(conf, site, other, theirs)) {
        found->is_own = 1;
        return ES_OK;
    }
    if (!found->any) {
        found->any = other;
    } else if (!mes_agree_connection(found->any, es_slot_look(found->any->slot), other, theirs)) {
        return es_fail(why, ES_CONFIG_SESSIONS_FROM, "%.300s is the entity ID of several tenants' connections",
                       entity_id);
    }
    if (!found->host && same_host(site, theirs, pool)) {
        found->host = other;
    }
    return ES_OK;
}

static es_rv_t find_all(found_t *found, const mes_server_t *conf, const char *entity_id, const mes_refresh_t *refresh,
                        es_why_t *why, apr_pool_t *pool)
{
    int i, n;

    for (i = 0; i < refresh->sources->nelts; i++) {
        const apr_array_header_t *servers = APR_ARRAY_IDX(refresh->sources, i, mes_source_t *)->servers;

        for (n = 0; n < servers->nelts; n++) {
            es_rv_t rv = look_at(found, conf, APR_ARRAY_IDX(servers, n, mes_server_t *), entity_id, why, pool);

            if (rv != ES_OK) {
                return rv;
            }
        }
    }
    return ES_OK;
}

/* Whether the host itself says so: what it inherits may be meant for others. */
static es_rv_t judge(const found_t *found, const mes_server_t *conf, const char *entity_id, int is_said, es_why_t *why)
{
    if (!found->any && !found->is_own) {
        return es_fail(why, ES_CONFIG_SESSIONS_FROM, "no virtual host of this server has the entity ID %.300s",
                       entity_id);
    }
    if (is_said && found->any && !found->host) {
        return es_fail(why, ES_CONFIG_SESSIONS_FROM,
                       "no virtual host of entity ID %.300s has the same host name, so that no browser sends its "
                       "session cookies here",
                       entity_id);
    }
    if (found->host && !mes_agree_names(conf, found->host)) {
        return es_fail(why, ES_CONFIG_SESSIONS_FROM,
                       "the virtual host of entity ID %.300s has another EntraSAMLRemoteUser, EntraSAMLClaim or "
                       "EntraSAMLRequiredClaims",
                       entity_id);
    }
    return ES_OK;
}

static int holds(const apr_array_header_t *hosts, const mes_server_t *host)
{
    int i;

    for (i = 0; i < hosts->nelts && APR_ARRAY_IDX(hosts, i, const mes_server_t *) != host; i++) {
    }
    return i < hosts->nelts;
}

es_rv_t mes_scope_find(mes_server_t *conf, const mes_server_t *main_conf, const mes_refresh_t *refresh, es_why_t *why)
{
    const mes_value_t *said = &conf->value[MES_SESSIONS_FROM];
    const int is_said = said->at != main_conf->value[MES_SESSIONS_FROM].at;
    int i;

    for (i = 0; said->list && i < said->list->nelts; i++) {
        const char *entity_id = APR_ARRAY_IDX(said->list, i, const char *);
        found_t found = { NULL, NULL, 0 };
        es_rv_t rv = find_all(&found, conf, entity_id, refresh, why, conf->from->pool);

        if (rv != ES_OK || (rv = judge(&found, conf, entity_id, is_said, why)) != ES_OK) {
            return rv;
        }
        if (found.host && !holds(conf->from, found.host)) {
            APR_ARRAY_PUSH(conf->from, const mes_server_t *) = found.host;
        }
    }
    if (conf->from && conf->from->nelts > ES_OTHERS_MAX) {
        return es_fail(why, ES_CONFIG_SESSIONS_FROM, "%d entity IDs are more than %d", conf->from->nelts,
                       ES_OTHERS_MAX);
    }
    return ES_OK;
}

const es_site_t *const *mes_scope_others(request_rec *r, const mes_site_t *site)
{
    mes_request_t *request;
    const es_site_t **others;
    int i, n = 0;

    while (r->prev || r->main) {
        r = r->prev ? r->prev : r->main;
    }
    request = mes_request_get(r);
    if (!request->others) {
        others = apr_pcalloc(r->pool, (ES_OTHERS_MAX + 1) * sizeof *others);
        for (i = 0; i < site->from->nelts; i++) {
            const mes_server_t *host = APR_ARRAY_IDX(site->from, i, const mes_server_t *);
            const mes_site_t *other = es_edition_object(mes_request_take(r, host->slot));

            if (other->is_ready) {
                others[n++] = &other->flow;
            }
        }
        request->others = others;
    }
    return request->others;
}
