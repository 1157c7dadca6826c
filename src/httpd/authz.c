/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `Require claim`, under two names since another module may own the first. The rule is compiled with the configuration
 * and judged against the session's record; r->user alone means nothing here.
 */
#include "httpd/mes.h"

#include "policy/rule.h"

#include <ap_provider.h>
#include <apr_strings.h>
#include <mod_auth.h>

static const char *parse(cmd_parms *cmd, const char *line, const void **parsed)
{
    es_why_t why = ES_WHY_INIT;
    es_rule_t *rule;

    if (es_rule_make(&rule, line, es_claims_find, &why, cmd->pool) != ES_OK) {
        return mes_conf_error(cmd, &why);
    }
    *parsed = rule;
    return NULL;
}

/* Without a session the answer is "not yet": httpd goes on to sign on. */
static authz_status check(request_rec *r, const char *line, const void *parsed)
{
    const es_session_t *session = mes_request_session(r);
    mes_request_t *request = mes_request_find(r);
    es_why_t why = ES_WHY_INIT;

    if (!session) {
        return AUTHZ_DENIED_NO_USER;
    }
    if (es_rule_check(parsed, session, &why, r->pool) == ES_OK) {
        return AUTHZ_GRANTED;
    }
    /* Whether this denies anybody the other rules will tell; gate.c logs it then. */
    if (request) {
        request->failed =
            apr_psprintf(r->pool, "%s; claim %s: %s", request->failed ? request->failed : "", line, why.text);
    }
    return AUTHZ_DENIED;
}

static const authz_provider provider = { check, parse };

void mes_authz_register(apr_pool_t *pool)
{
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "claim", AUTHZ_PROVIDER_VERSION, &provider,
                              AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "entra-claim", AUTHZ_PROVIDER_VERSION, &provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}

int mes_authz_is_ours(const char *name)
{
    return ap_lookup_provider(AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION) == &provider;
}
