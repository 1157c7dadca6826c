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

/* What a rule that is met does in the end: mod_authz_core turns it round behind `not` and in <RequireNone>. */
typedef enum { GRANTS, DENIES, ANYTHING } effect_t;

typedef struct {
    const es_rule_t *rule;
    effect_t effect;
} line_t;

static effect_t turned(effect_t effect)
{
    return effect == GRANTS ? DENIES : GRANTS;
}

/* Read off the directive and those around it. An alias is written once and may be used either way. */
static effect_t effect_of(const ap_directive_t *directive, apr_pool_t *pool)
{
    const char *args = directive->args;
    effect_t effect = GRANTS;

    if (strcasecmp(directive->directive, "Require") != 0) {
        return ANYTHING; /* <AuthzProviderAlias> */
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

static const char *parse(cmd_parms *cmd, const char *text, const void **parsed)
{
    line_t *line = apr_pcalloc(cmd->pool, sizeof *line);
    es_why_t why = ES_WHY_INIT;
    es_rule_t *rule;

    if (es_rule_make(&rule, text, es_claims_find, &why, cmd->pool) != ES_OK) {
        return mes_conf_error(cmd, &why);
    }
    line->rule = rule;
    line->effect = effect_of(cmd->directive, cmd->temp_pool);
    *parsed = line;
    return NULL;
}

/* Whether a denial denies anybody the other rules will tell; gate.c logs it then. */
static void note_failed(request_rec *r, const char *text, const es_why_t *why)
{
    mes_request_t *request = mes_request_find(r);

    if (request) {
        request->failed =
            apr_psprintf(r->pool, "%s; claim %s: %s", request->failed ? request->failed : "", text, why->text);
        request->is_groups_unknown |= why->rv == ES_GROUPS_UNKNOWN;
    }
}

/* Without a session the answer is "not yet": httpd goes on to sign on. Where the groups are unknown nobody gets in by a
 * rule about them, whichever way it is turned; of an alias nobody knows, and the error that ends all judging becomes our
 * page in gate.c. */
static authz_status check(request_rec *r, const char *text, const void *parsed)
{
    const line_t *line = parsed;
    const es_session_t *session = mes_request_session(r);
    const mes_site_t *site = mes_request_site(r);
    es_why_t why = ES_WHY_INIT;
    es_rv_t rv;

    if (!session || !site) {
        return AUTHZ_DENIED_NO_USER;
    }
    rv = es_rule_check(line->rule, session, site->groups, &why, r->pool);
    if (rv == ES_OK) {
        return AUTHZ_GRANTED;
    }
    note_failed(r, text, &why);
    if (rv != ES_GROUPS_UNKNOWN || line->effect == GRANTS) {
        return AUTHZ_DENIED;
    }
    return line->effect == DENIES ? AUTHZ_GRANTED : AUTHZ_GENERAL_ERROR;
}

static const authz_provider provider = { check, parse };

/* Who loads another module with a `claim` of its own (mod_auth_openidc) has rules that say so already: the name stays
 * his, whichever is loaded first, and ours is `entra-claim`. beside.c says so where one of our sections does not. */
void mes_authz_register(apr_pool_t *pool)
{
    if (!ap_lookup_provider(AUTHZ_PROVIDER_GROUP, "claim", AUTHZ_PROVIDER_VERSION)) {
        ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "claim", AUTHZ_PROVIDER_VERSION, &provider,
                                  AP_AUTH_INTERNAL_PER_CONF);
    }
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "entra-claim", AUTHZ_PROVIDER_VERSION, &provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}

int mes_authz_is_ours(const char *name)
{
    return ap_lookup_provider(AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION) == &provider;
}
