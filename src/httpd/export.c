/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session's claims as environment variables that point into its record, and as request headers where a section says
 * so. REMOTE_USER and AUTH_TYPE are httpd's own doing, from what resume set.
 */
#include "httpd/plan.h"

#include "policy/rule.h"

#include <apr_strings.h>

/* ES_CLAIMS_GROUP_NAMES, ES_CLAIMS_OVERAGE and ES_CLAIMS_LOGOUT_URL, which no claim can have. */
#define MES_GROUP_NAMES MES_PREFIX "GROUP_NAMES"
#define MES_GROUPS_OVERAGE MES_PREFIX "GROUPS_OVERAGE"
#define MES_LOGOUT_URL MES_PREFIX "LOGOUT_URL"

const char *const *mes_export_names(apr_pool_t *pool)
{
    const unsigned count = es_claims_count();
    const char **names = apr_pcalloc(pool, (count + 1) * sizeof *names);
    unsigned id;

    for (id = 1; id <= count; id++) {
        names[id] = mes_plan_variable_name(MES_PREFIX, es_claims_short_name(id), pool);
    }
    return names;
}

static int is_one(const char *key, const es_fold_set_t *ours, const es_fold_set_t *sent)
{
    return (ours && es_fold_has(ours, key)) || (sent && strncmp(key, "HTTP_", 5) == 0 && es_fold_has(sent, key + 5));
}

/* Variables by these names, and those that CGI makes of these headers (NULL: none). All at once: a table of many names
 * with one first letter is slow to search, and there may be thousands of indexed values. */
static void remove_variables(request_rec *r, const es_fold_set_t *ours, const es_fold_set_t *sent)
{
    const apr_array_header_t *entries = apr_table_elts(r->subprocess_env);
    apr_table_t *kept;
    int i;

    for (i = 0; i < entries->nelts && !is_one(APR_ARRAY_IDX(entries, i, apr_table_entry_t).key, ours, sent); i++) {
    }
    if (i == entries->nelts) {
        return;
    }
    kept = apr_table_make(r->pool, entries->nelts);
    for (i = 0; i < entries->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(entries, i, apr_table_entry_t);

        if (!is_one(entry->key, ours, sent)) {
            apr_table_addn(kept, entry->key, entry->val);
        }
    }
    r->subprocess_env = kept;
}

/* What no claim says by itself: the names of groups, joined as values are, and that the groups are unknown. */
static int find_names(es_header_values_t *names, const mes_site_t *site, const es_session_t *session, apr_pool_t *pool)
{
    es_session_claim_t claim;
    const apr_array_header_t *list;

    if (site->groups->count == 0 || !es_session_find(&claim, session, site->claim_groups, NULL)) {
        return 0;
    }
    list = es_rule_group_names(site->groups, &claim, pool);
    names->count = list->nelts;
    names->joined = apr_array_pstrcat(pool, list, ';');
    names->len = strlen(names->joined);
    return list->nelts > 0;
}

static int is_overage(const mes_site_t *site, const es_session_t *session)
{
    es_session_claim_t claim;

    return es_session_find(&claim, session, site->claim_groups_link, NULL);
}

static void export_by_default(request_rec *r, const mes_site_t *site, const es_session_t *session)
{
    es_header_values_t names;
    int i;

    for (i = 0; i < session->n_claims; i++) {
        es_session_claim_t claim;

        es_session_claim(&claim, session, i);
        apr_table_addn(r->subprocess_env,
                       claim.id && claim.id <= es_claims_count()
                           ? site->state->names[claim.id]
                           : mes_plan_variable_name(MES_PREFIX, claim.short_name, r->pool),
                       claim.joined);
    }
    if (find_names(&names, site, session, r->pool)) {
        apr_table_addn(r->subprocess_env, MES_GROUP_NAMES, names.joined);
    }
    if (is_overage(site, session)) {
        apr_table_addn(r->subprocess_env, MES_GROUPS_OVERAGE, "1");
    }
    apr_table_addn(r->subprocess_env, MES_LOGOUT_URL, site->connection->logout_url);
}

/* ---- by a plan ----------------------------------------------------------------------------------------------- */

/* NAME_1 … NAME_n as Entra sent them, and NAME_COUNT. */
static void add_indexed(request_rec *r, const char *variable, const es_header_values_t *values)
{
    const char *in = values->joined, *const end = in + values->len;
    char *out = apr_palloc(r->pool, values->len + 1); /* the values one behind the other, NUL instead of ';' */
    int i;

    for (i = 1; i <= values->count && in <= end; i++, in++) {
        const char *value = out;

        for (; in < end && *in != ';'; in++) {
            in += *in == '\\' && in + 1 < end;
            *out++ = *in;
        }
        *out++ = '\0';
        apr_table_addn(r->subprocess_env, apr_psprintf(r->pool, "%s_%d", variable, i), value);
    }
    apr_table_addn(r->subprocess_env, apr_pstrcat(r->pool, variable, "_COUNT", NULL), apr_itoa(r->pool, i - 1));
}

static void deliver(mes_sending_t *sending, const mes_target_t *target, const es_header_values_t *values)
{
    request_rec *r = sending->r;

    if (target->variable && sending->plan->said.values != MES_VALUES_INDEXED) {
        apr_table_addn(r->subprocess_env, target->variable, values->joined);
    }
    if (target->variable && sending->plan->said.values != MES_VALUES_JOINED) {
        add_indexed(r, target->variable, values);
    }
    if (target->n_headers > 0) {
        mes_headers_send(sending, target, values);
    }
}

/* Where a claim goes that is not built in: names that others have are not for it, whatever it calls itself. */
static void aim(mes_target_t *target, const mes_plan_t *plan, const es_session_claim_t *claim, apr_pool_t *pool)
{
    const mes_named_t named = { claim->short_name, claim->name, 0, MES_OWN_NONE };
    const mes_line_t *line;

    if (mes_plan_exports(&plan->said, &named)) {
        if ((line = mes_plan_find_variable(&plan->said, &named)) != NULL) {
            target->variable = line->name;
        } else {
            target->variable = mes_plan_variable_name(plan->said.prefix, claim->short_name, pool);
            if (es_fold_has(plan->variables, target->variable)) {
                target->variable = NULL;
            }
        }
    }
    if (plan->is_sending) {
        mes_plan_find_headers(target, &plan->said, &named, plan->headers, pool);
    }
}

static void export_claims(mes_sending_t *sending, const es_session_t *session)
{
    int i;

    for (i = 0; i < session->n_claims; i++) {
        es_session_claim_t claim;
        es_header_values_t values;
        mes_target_t other = { NULL };

        es_session_claim(&claim, session, i);
        values = (es_header_values_t){ claim.joined, claim.joined_len, claim.count };
        if (claim.id && claim.id <= es_claims_count()) {
            deliver(sending, &sending->plan->built_in[claim.id], &values);
        } else {
            aim(&other, sending->plan, &claim, sending->r->pool);
            deliver(sending, &other, &values);
        }
    }
}

/* All that is exported here beside claims. */
static void export_own(mes_sending_t *sending, const mes_site_t *site, const es_session_t *session)
{
    static const es_header_values_t yes = { "1", 1, 1 };
    const char *url = site->connection->logout_url;
    const es_header_values_t logout = { url, strlen(url), 1 };
    const mes_target_t *own = sending->plan->own;
    request_rec *r = sending->r;
    es_header_values_t names;

    if ((own[MES_OWN_GROUP_NAMES].variable || own[MES_OWN_GROUP_NAMES].n_headers) &&
        find_names(&names, site, session, r->pool)) {
        names.joined = es_header_clean(names.joined, r->pool); /* out of a configuration file */
        names.len = strlen(names.joined);
        deliver(sending, &own[MES_OWN_GROUP_NAMES], &names);
    }
    if (is_overage(site, session)) {
        deliver(sending, &own[MES_OWN_OVERAGE], &yes);
    }
    deliver(sending, &own[MES_OWN_LOGOUT_URL], &logout);
    if (r->user) {
        mes_headers_send_one(sending, &own[MES_OWN_USER], r->user);
    }
    if (sending->missing && own[MES_OWN_HEADERS_MISSING].variable) {
        apr_table_addn(r->subprocess_env, own[MES_OWN_HEADERS_MISSING].variable, sending->missing);
    }
}

static void export_by_plan(request_rec *r, const mes_plan_t *plan, const mes_site_t *site, const es_session_t *session)
{
    mes_sending_t sending = { r, plan, NULL };

    export_claims(&sending, session);
    export_own(&sending, site, session);
}

/* ---- hooks --------------------------------------------------------------------------------------------------- */

/* A subrequest has its parent's headers, and the variables that mod_include has made of them, but perhaps not its
 * parent's section; the initial request has headers of hooks that ran after guard.c. */
static void remove_sent(request_rec *r, const mes_site_t *site, int is_sending)
{
    if (site->state->is_sending && (r->main || is_sending)) {
        mes_guard_headers(r);
    }
    if (site->state->is_sending && r->main) {
        remove_variables(r, NULL, mes_conf_server(r->server)->inbound);
    }
}

static void export_in_ours(request_rec *r, const mes_site_t *site, const es_session_t *session)
{
    const mes_carried_t *carried = mes_request_location(r)->carried;
    const mes_plan_t *plan = carried ? mes_nest_find(carried) : NULL;

    /* SetEnvIf may have made them of a header, a subrequest inherits them. With them gone, each can be added without a
     * search for it. */
    remove_variables(r, site->state->variables, NULL);
    remove_sent(r, site, plan && plan->is_sending);
    if (session && plan) {
        export_by_plan(r, plan, site, session);
    } else if (session) {
        export_by_default(r, site, session);
    }
}

int mes_export_environment(request_rec *r)
{
    const mes_site_t *site = mes_request_site(r);

    if (!site) {
        return DECLINED;
    }
    if (site->state->is_planned) {
        mes_request_get(r)->exported_in = r->per_dir_config;
    }
    if (mes_request_is_ours(r)) {
        export_in_ours(r, site, mes_request_session(r));
    } else {
        remove_sent(r, site, 0);
    }
    return DECLINED;
}

/* mod_dir and mod_negotiation, in fixups themselves, put another file and its section in the place of the request's. Its
 * variables come with it and stand before the old ones; the request's headers are still those of the old section. */
void mes_export_settle(request_rec *r)
{
    const mes_request_t *request = mes_request_find(r);
    const es_session_t *session;

    if (!request || !request->exported_in || request->exported_in == r->per_dir_config) {
        return;
    }
    session = mes_request_is_ours(r) ? mes_request_session(r) : NULL;
    mes_guard_headers(r);
    if (session) {
        export_in_ours(r, mes_request_site(r), session);
    }
}
