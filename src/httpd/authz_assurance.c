/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `Require entra-mfa` and `Require entra-authn-age TIME`: how, and how lately, the user has signed in at Entra.
 */
#include "httpd/authz.h"
#include "httpd/value.h"

#include "policy/assurance.h"

static es_rv_t judge_mfa(const mes_rule_t *line, const request_rec *r, const es_session_t *session,
                         const mes_site_t *site)
{
    (void)r;
    (void)site;
    return es_assurance_is_mfa(session, line->claim) ? ES_OK : ES_ACCESS_DENIED;
}

static const char *explain_mfa(const mes_rule_t *line, const request_rec *r, const es_session_t *session,
                               const mes_site_t *site)
{
    (void)site;
    return es_assurance_explain_mfa(session, line->claim, r->pool);
}

static const char *values_mfa(const mes_rule_t *line, const es_session_t *session, apr_pool_t *pool)
{
    es_session_claim_t claim;

    (void)pool;
    return es_session_find(&claim, session, line->claim, NULL) ? claim.joined : "";
}

static const mes_provider_t mfa = { .judge = judge_mfa, .explain = explain_mfa, .values = values_mfa };

static const char *parse_mfa(cmd_parms *cmd, const char *args, const void **parsed)
{
    mes_rule_t *line = mes_authz_line(&mfa, cmd, "entra-mfa", args);
    es_why_t why = ES_WHY_INIT;

    if (*ap_getword_conf(cmd->temp_pool, &args)) {
        es_fail(&why, ES_CONFIG_RULE, "nothing stands behind entra-mfa");
        return mes_conf_error(cmd, &why);
    }
    line->claim = es_claims_find("authnmethodsreferences");
    *parsed = line;
    return NULL;
}

static es_rv_t judge_age(const mes_rule_t *line, const request_rec *r, const es_session_t *session,
                         const mes_site_t *site)
{
    (void)site;
    return es_assurance_is_recent(session, r->request_time, line->age) ? ES_OK : ES_ACCESS_DENIED;
}

static const char *explain_age(const mes_rule_t *line, const request_rec *r, const es_session_t *session,
                               const mes_site_t *site)
{
    (void)line;
    (void)site;
    return es_assurance_explain_age(session, r->request_time, r->pool);
}

static const mes_provider_t age = { .judge = judge_age, .explain = explain_age, .is_of_time = 1 };

static const char *parse_age(cmd_parms *cmd, const char *args, const void **parsed)
{
    mes_rule_t *line = mes_authz_line(&age, cmd, "entra-authn-age", args);
    const char *time = ap_getword_conf(cmd->temp_pool, &args);
    es_why_t why = ES_WHY_INIT;
    es_rv_t rv;

    if (!*time || *args) {
        rv = es_fail(&why, ES_CONFIG_RULE, "entra-authn-age takes one TIME");
    } else {
        rv = mes_value_time(&line->age, time, SECONDS(60), HOURS(24 * 365), "entra-authn-age TIME, 1min to 365d", &why);
    }
    if (rv != ES_OK) {
        return mes_conf_error(cmd, &why);
    }
    *parsed = line;
    return NULL;
}

const authz_provider mes_assurance_mfa = { mes_authz_check, parse_mfa };
const authz_provider mes_assurance_age = { mes_authz_check, parse_age };
