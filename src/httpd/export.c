/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session's claims as environment variables that point into its record. REMOTE_USER and AUTH_TYPE are httpd's own
 * doing, from what resume set.
 */
#include "httpd/mes.h"

#include "policy/rule.h"

#include <apr_lib.h>
#include <apr_strings.h>

/* ES_CLAIMS_GROUP_NAMES, ES_CLAIMS_OVERAGE and ES_CLAIMS_LOGOUT_URL, which no claim can have. */
#define MES_GROUP_NAMES MES_PREFIX "GROUP_NAMES"
#define MES_GROUPS_OVERAGE MES_PREFIX "GROUPS_OVERAGE"
#define MES_LOGOUT_URL MES_PREFIX "LOGOUT_URL"

/* ENTRA_ and a short name (a-z, 0-9, _) in capitals. */
static const char *make_name(const char *short_name, apr_pool_t *pool)
{
    char *name = apr_pstrcat(pool, MES_PREFIX, short_name, NULL);

    ap_str_toupper(name);
    return name;
}

const char *const *mes_export_names(apr_pool_t *pool)
{
    const unsigned count = es_claims_count();
    const char **names = apr_pcalloc(pool, (count + 1) * sizeof *names);
    unsigned id;

    for (id = 1; id <= count; id++) {
        names[id] = make_name(es_claims_short_name(id), pool);
    }
    return names;
}

static int has_prefix(const char *name)
{
    return apr_toupper(name[0]) == MES_PREFIX[0] && strncasecmp(name, MES_PREFIX, strlen(MES_PREFIX)) == 0;
}

/* Whatever stands there by our names: SetEnvIf may have made it of a header, a subrequest inherits it from its parent.
 * With them gone, variables can be added without searching for each (a table of many names with one first letter is
 * slow to search). */
static void remove_ours(apr_table_t *environment)
{
    const apr_array_header_t *entries = apr_table_elts(environment);
    int i = 0;

    while (i < entries->nelts) {
        const char *name = APR_ARRAY_IDX(entries, i, apr_table_entry_t).key;

        if (has_prefix(name)) {
            apr_table_unset(environment, name); /* all of that name, the rest moves up */
        } else {
            i++;
        }
    }
}

/* What no claim says by itself: the names of groups, and that the groups are unknown. */
static void add_groups(request_rec *r, const mes_site_t *site, const es_session_t *session)
{
    es_session_claim_t claim;

    if (site->groups->count > 0 && es_session_find(&claim, session, site->claim_groups, NULL)) {
        const apr_array_header_t *names = es_rule_group_names(site->groups, &claim, r->pool);

        if (names->nelts > 0) { /* joined as values are */
            apr_table_addn(r->subprocess_env, MES_GROUP_NAMES, apr_array_pstrcat(r->pool, names, ';'));
        }
    }
    if (es_session_find(&claim, session, site->claim_groups_link, NULL)) {
        apr_table_addn(r->subprocess_env, MES_GROUPS_OVERAGE, "1");
    }
}

int mes_export_environment(request_rec *r)
{
    const mes_site_t *site = mes_request_site(r);
    const es_session_t *session;
    int i;

    if (!site || !mes_request_is_ours(r)) {
        return DECLINED;
    }
    remove_ours(r->subprocess_env);
    session = mes_request_session(r);
    for (i = 0; session && i < session->n_claims; i++) {
        es_session_claim_t claim;

        es_session_claim(&claim, session, i);
        apr_table_addn(r->subprocess_env,
                       claim.id && claim.id <= es_claims_count() ? site->state->names[claim.id]
                                                                 : make_name(claim.short_name, r->pool),
                       claim.joined);
    }
    if (session) {
        add_groups(r, site, session);
        apr_table_addn(r->subprocess_env, MES_LOGOUT_URL, site->connection->logout_url);
    }
    return DECLINED;
}
