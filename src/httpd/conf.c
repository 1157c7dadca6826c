/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The configuration as written: made, merged, and found again.
 */
#include "httpd/plan.h"
#include "httpd/value.h"

#include <apr_strings.h>

const char *mes_conf_error(const cmd_parms *cmd, const es_why_t *why)
{
    const es_reason_t *reason = es_reason(why->rv);

    return apr_psprintf(cmd->pool, "[entra_saml] reason=%s: %s: %s. %s", reason->code, cmd->cmd->name, why->text,
                        reason->remedy);
}

const es_claim_alias_t *mes_conf_aliases(int *n_aliases, const mes_value_t *value, apr_pool_t *pool)
{
    const int count = value->list ? value->list->nelts / 2 : 0;
    es_claim_alias_t *aliases = apr_pcalloc(pool, (apr_size_t)(count + 1) * sizeof *aliases);
    int i;

    for (i = 0; i < count; i++) {
        aliases[i].name = APR_ARRAY_IDX(value->list, 2 * i, const char *);
        aliases[i].short_name = APR_ARRAY_IDX(value->list, 2 * i + 1, const char *);
    }
    *n_aliases = count;
    return aliases;
}

const es_group_t *mes_conf_groups(int *n_groups, const mes_value_t *value, apr_pool_t *pool)
{
    const int count = value->list ? value->list->nelts / 2 : 0;
    es_group_t *groups = apr_pcalloc(pool, (apr_size_t)(count + 1) * sizeof *groups);
    int i;

    for (i = 0; i < count; i++) {
        groups[i].name = APR_ARRAY_IDX(value->list, 2 * i, const char *);
        groups[i].guid = APR_ARRAY_IDX(value->list, 2 * i + 1, const char *);
    }
    *n_groups = count;
    return groups;
}

const char *const *mes_conf_names(const mes_value_t *value, apr_pool_t *pool)
{
    apr_array_header_t *list;

    if (!value->list) {
        return NULL;
    }
    list = apr_array_copy(pool, value->list);
    APR_ARRAY_PUSH(list, const char *) = NULL;
    return (const char *const *)list->elts;
}

static void merge_values(mes_value_t *merged, const mes_value_t *base, const mes_value_t *add, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        merged[i] = add[i].at ? add[i] : base[i];
    }
}

/* Pairs of a virtual host come to those of the main server. */
static void join_lists(mes_value_t *merged, const mes_value_t *base, const mes_value_t *add, int slot, apr_pool_t *pool)
{
    if (base[slot].list && add[slot].list) {
        merged[slot].list = apr_array_append(pool, base[slot].list, add[slot].list);
    }
}

void *mes_conf_make_server(apr_pool_t *pool, server_rec *server)
{
    mes_server_t *made = apr_pcalloc(pool, sizeof *made);

    (void)server;
    mes_directives_default_server(made->value);
    made->sections = apr_array_make(pool, 4, sizeof(mes_location_t *));
    made->parts = apr_array_make(pool, 4, sizeof(mes_part_t *));
    made->keep = HOURS(8);
    return made;
}

void *mes_conf_merge_server(apr_pool_t *pool, void *base_config, void *add_config)
{
    const mes_server_t *base = base_config;
    const mes_server_t *add = add_config;
    mes_server_t *merged = apr_pmemdup(pool, add, sizeof *merged);

    merge_values(merged->value, base->value, add->value, MES_SERVER_SLOTS);
    merge_values(merged->beside, base->beside, add->beside, MES_BESIDE_SLOTS);
    /* A host that names its tenant and application does not want the metadata of others. */
    if (add->value[MES_APPLICATION].at && !add->value[MES_METADATA].at) {
        merged->value[MES_METADATA] = add->value[MES_METADATA];
    }
    merged->tls = add->tls != MES_TLS_UNSAID ? add->tls : base->tls;
    join_lists(merged->value, base->value, add->value, MES_CLAIM, pool);
    join_lists(merged->value, base->value, add->value, MES_GROUP, pool);
    join_lists(merged->value, base->value, add->value, MES_ACCOUNTS_STATEMENT, pool);
    merged->keep = base->keep > add->keep ? base->keep : add->keep;
    return merged;
}

void *mes_conf_make_location(apr_pool_t *pool, char *path)
{
    mes_location_t *made = apr_pcalloc(pool, sizeof *made);

    made->path = path;
    made->value = apr_pcalloc(pool, MES_LOCATION_SLOTS * sizeof *made->value);
    mes_directives_default_location(made->value);
    return made;
}

/* httpd merges sections for every request: where one of the two says nothing, and the defaults are the same, there is
 * nothing to merge. */
static mes_value_t *join_values(const mes_location_t *base, const mes_location_t *add, apr_pool_t *pool)
{
    mes_value_t *joined;

    if (!add->is_said || !base->is_said) {
        return add->is_said ? add->value : base->value;
    }
    joined = apr_palloc(pool, MES_LOCATION_SLOTS * sizeof *joined);
    merge_values(joined, base->value, add->value, MES_LOCATION_SLOTS);
    return joined;
}

/* AuthType and no rule beside it: of a section itself, or found out when it was merged. */
static int is_bare(const mes_location_t *location)
{
    return location->is_bare || (location->ours_at && location->n_rules == 0);
}

void *mes_conf_merge_location(apr_pool_t *pool, void *base_config, void *add_config)
{
    const mes_location_t *base = base_config;
    const mes_location_t *add = add_config;
    mes_location_t *merged = apr_pmemdup(pool, add, sizeof *merged);

    merged->value = join_values(base, add, pool);
    merged->is_said = base->is_said || add->is_said;
    /* As mod_authz_core merges: rules of its own replace the outer ones. Combined with them, "all granted" of one
     * part says nothing about the whole. httpd merges sections with each other before it merges them with what is
     * around, so that the result must tell both apart again. */
    merged->is_bare = is_bare(add) || (is_bare(base) && add->n_rules == 0 && !add->is_other);
    if (add->n_rules == 0) {
        merged->n_rules = base->n_rules;
        merged->is_open = base->is_open;
        merged->is_merging = base->is_merging || add->is_merging;
    }
    if (merged->is_merging) {
        merged->is_open = 0;
    }
    if (base->carried) {
        merged->carried = mes_nest_join(base->carried, add->carried, pool);
    }
    return merged;
}

mes_server_t *mes_conf_server(const server_rec *server)
{
    return ap_get_module_config(server->module_config, &entra_saml_module);
}
