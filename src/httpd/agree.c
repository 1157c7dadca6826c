/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hosts of one connection must agree on what its sessions mean.
 */
#include "httpd/refresh.h"

static int same_list(const mes_value_t *a, const mes_value_t *b)
{
    const int count = a->list ? a->list->nelts : 0;
    int i;

    if ((b->list ? b->list->nelts : 0) != count) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        if (strcmp(APR_ARRAY_IDX(a->list, i, const char *), APR_ARRAY_IDX(b->list, i, const char *)) != 0) {
            return 0;
        }
    }
    return 1;
}

static int agree(const mes_server_t *a, const mes_server_t *b, const int *slots, apr_size_t count)
{
    apr_size_t i;

    for (i = 0; i < count; i++) {
        if (!same_list(&a->value[slots[i]], &b->value[slots[i]])) {
            return 0;
        }
    }
    return 1;
}

int mes_agree_names(const mes_server_t *a, const mes_server_t *b)
{
    static const int slots[] = { MES_REMOTE_USER, MES_REMOTE_USER_MATCH, MES_REMOTE_USER_STRIP, MES_CLAIM,
                                 MES_REQUIRED_CLAIMS };

    return agree(a, b, slots, sizeof slots / sizeof *slots) &&
           a->value[MES_REMOTE_USER_LOWER].number == b->value[MES_REMOTE_USER_LOWER].number;
}

static int agree_on_parties(const mes_server_t *a, const mes_server_t *b)
{
    static const int slots[] = { MES_ALLOWED_TENANTS, MES_AUDIENCE };

    return agree(a, b, slots, sizeof slots / sizeof *slots);
}

/* Before there is metadata, if it will come from the same source. */
int mes_agree_connection(const mes_server_t *a, const mes_site_t *site, const mes_server_t *b, const mes_site_t *other)
{
    if (site->is_ready && other->is_ready) {
        return memcmp(&site->connection->id, &other->connection->id, sizeof site->connection->id) == 0;
    }
    return strcmp(a->source->name, b->source->name) == 0 &&
           strcmp(site->connection->entity_id, other->connection->entity_id) == 0;
}

/* A session made by one virtual host is good in every other of the same connection, and browsers are not the only ones
 * who carry cookies: what a user name and a short name mean, and whose messages are taken, must not differ between them.
 */
es_rv_t mes_agree_check(const mes_server_t *conf, const mes_site_t *site, es_why_t *why)
{
    const apr_array_header_t *sources = site->state->refresh->sources;
    int i, n;

    for (i = 0; i < sources->nelts; i++) {
        const mes_source_t *source = APR_ARRAY_IDX(sources, i, mes_source_t *);

        for (n = 0; n < source->servers->nelts; n++) {
            const mes_server_t *other = APR_ARRAY_IDX(source->servers, n, mes_server_t *);
            const mes_site_t *theirs = other != conf ? es_slot_look(other->slot) : NULL;

            if (theirs && mes_agree_connection(conf, site, other, theirs) &&
                !(mes_agree_names(other, conf) && agree_on_parties(other, conf))) {
                return es_fail(why, ES_CONFIG_SHARED,
                               "the virtual host of %.200s has the same tenant and entity ID, %.300s",
                               theirs->connection->origin, site->connection->entity_id);
            }
        }
    }
    return ES_OK;
}
