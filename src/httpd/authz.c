/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The providers of Require: what they have in common, and `Require claim`, under two names since another module may own
 * the first. A line is compiled with the configuration and judged against the session's record; r->user alone means
 * nothing here.
 */
#include "httpd/authz.h"

#include <ap_provider.h>
#include <apr_strings.h>

static mes_effect_t turned(mes_effect_t effect)
{
    return effect == MES_GRANTS ? MES_DENIES : MES_GRANTS;
}

/* An alias is written once and may be used either way. */
static int is_alias(const ap_directive_t *directive)
{
    return strcasecmp(directive->directive, "Require") != 0; /* <AuthzProviderAlias> */
}

/* Read off the directive and those around it. */
static mes_effect_t effect_of(const ap_directive_t *directive, apr_pool_t *pool)
{
    const char *args = directive->args;
    mes_effect_t effect = MES_GRANTS;

    if (is_alias(directive)) {
        return MES_ANYTHING;
    }
    if (strcasecmp(ap_getword_conf(pool, &args), "not") == 0) {
        effect = turned(effect);
    }
    for (directive = directive->parent; directive; directive = directive->parent) {
        if (strcasecmp(directive->directive, "<RequireNone") == 0) {
            effect = turned(effect);
        }
    }
    return effect;
}

mes_rule_t *mes_authz_line(const mes_provider_t *provider, const cmd_parms *cmd, const char *name, const char *args)
{
    mes_rule_t *line = apr_pcalloc(cmd->pool, sizeof *line);

    line->provider = provider;
    line->text = is_alias(cmd->directive) ? apr_pstrcat(cmd->pool, name, " ", args, NULL)
                                          : apr_pstrdup(cmd->pool, cmd->directive->args);
    line->effect = effect_of(cmd->directive, cmd->temp_pool);
    return line;
}

/* Whether it denies anybody the other rules will tell; denial.c explains it then. Alternatives fail all the time, so that
 * nothing is written down here but which line it was. */
static void note_failed(request_rec *r, const mes_rule_t *line, es_rv_t rv)
{
    mes_request_t *request = mes_request_find(r);

    if (request) {
        if (request->n_failed < MES_FAILED_MAX) {
            request->failed[request->n_failed] = line;
        }
        request->n_failed++;
        request->is_groups_unknown |= rv == ES_GROUPS_UNKNOWN;
    }
}

/* Without a session the answer is "not yet": httpd goes on to sign on. Where the groups are unknown nobody gets in by a
 * rule about them, whichever way it is turned; of an alias nobody knows, and the error that ends all judging becomes our
 * page in gate.c. */
authz_status mes_authz_check(request_rec *r, const char *args, const void *parsed)
{
    const mes_rule_t *line = parsed;
    const es_session_t *session = mes_request_session(r);
    const mes_site_t *site = mes_request_site(r);
    es_rv_t rv;

    (void)args;
    if (!session || !site) {
        return AUTHZ_DENIED_NO_USER;
    }
    rv = line->provider->judge(line, r, session, site);
    if (rv == ES_GROUPS_UNKNOWN) {
        note_failed(r, line, rv);
        return line->effect == MES_GRANTS   ? AUTHZ_DENIED
               : line->effect == MES_DENIES ? AUTHZ_GRANTED
                                            : AUTHZ_GENERAL_ERROR;
    }
    if ((rv == ES_OK) == (line->effect == MES_DENIES)) {
        note_failed(r, line, rv);
    }
    return rv == ES_OK ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

/* ---- Require claim ------------------------------------------------------------------------------------------- */

static es_rv_t judge(const mes_rule_t *line, const request_rec *r, const es_session_t *session, const mes_site_t *site)
{
    return es_rule_check(line->rule, session, site->groups, r->pool);
}

static const char *explain(const mes_rule_t *line, const request_rec *r, const es_session_t *session,
                           const mes_site_t *site)
{
    return es_rule_explain(line->rule, session, site->groups, r->pool);
}

static const char *values(const mes_rule_t *line, const es_session_t *session, apr_pool_t *pool)
{
    return es_rule_values(line->rule, session, pool);
}

static const mes_provider_t claim = { .judge = judge, .explain = explain, .values = values };

static const char *parse(cmd_parms *cmd, const char *args, const void **parsed)
{
    mes_rule_t *line = mes_authz_line(&claim, cmd, "claim", args);
    es_why_t why = ES_WHY_INIT;

    if (es_rule_make(&line->rule, args, es_claims_find, &why, cmd->pool) != ES_OK) {
        return mes_conf_error(cmd, &why);
    }
    *parsed = line;
    return NULL;
}

static const authz_provider provider = { mes_authz_check, parse };

static void add_provider(apr_pool_t *pool, const char *name, const authz_provider *added)
{
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION, added,
                              AP_AUTH_INTERNAL_PER_CONF);
}

/* Who loads another module with a `claim` of its own (mod_auth_openidc) has rules that say so already: the name stays
 * his, whichever is loaded first, and ours is `entra-claim`. beside.c says so where one of our sections does not. */
void mes_authz_register(apr_pool_t *pool)
{
    if (!ap_lookup_provider(AUTHZ_PROVIDER_GROUP, "claim", AUTHZ_PROVIDER_VERSION)) {
        add_provider(pool, "claim", &provider);
    }
    add_provider(pool, "entra-claim", &provider);
    add_provider(pool, "entra-mfa", &mes_assurance_mfa);
    add_provider(pool, "entra-authn-age", &mes_assurance_age);
}

int mes_authz_is_ours(const char *name)
{
    return ap_lookup_provider(AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION) == &provider;
}
