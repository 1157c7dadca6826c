/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `Require entra-account active|pending`. Whose account is not active has a session that is nobody's: no rule sees a user.
 * A section that says `Require entra-account pending` is for those who wait, and lets them be seen there.
 */
#include "httpd/mes.h"

#include "flow/account.h"

#include <ap_provider.h>
#include <mod_auth.h>

typedef struct {
    int is_active, is_pending; /* the states that are named */
    int grants;                /* the line lets in whom it is met by, and is no part of an exception */
} line_t;

static int is_rule(const ap_directive_t *directive)
{
    return strncasecmp(directive->directive, "Require", 7) == 0 ||
           strncasecmp(directive->directive, "<Require", 8) == 0;
}

/* Is there another rule beside it, which may let in by itself? */
static int has_alternative(const ap_directive_t *directive)
{
    const ap_directive_t *other = directive->parent ? directive->parent->first_child : NULL;

    if (!directive->parent || strcasecmp(directive->parent->directive, "<RequireAll") == 0) {
        return 0;
    }
    while (other && (other == directive || !is_rule(other))) {
        other = other->next;
    }
    return other != NULL;
}

/* An alias is written once and may be used either way: it lets nobody be seen. Nor does a line within a <RequireAll> that
 * is one way in of several: when the rest of that fails, `valid-user` beside it would take him for a user. */
static int grants(const ap_directive_t *directive, apr_pool_t *pool)
{
    const char *args = directive->args;
    int is_part = 0;

    if (strcasecmp(directive->directive, "Require") != 0 || strcasecmp(ap_getword_conf(pool, &args), "not") == 0) {
        return 0;
    }
    for (directive = directive->parent; directive; directive = directive->parent) {
        is_part |= strcasecmp(directive->directive, "<RequireAll") == 0;
        if (strcasecmp(directive->directive, "<RequireNone") == 0 || (is_part && has_alternative(directive))) {
            return 0;
        }
    }
    return 1;
}

static const char *parse(cmd_parms *cmd, const char *text, const void **parsed)
{
    line_t *line = apr_pcalloc(cmd->pool, sizeof *line);
    es_why_t why = ES_WHY_INIT;

    while (*text) {
        const char *word = ap_getword_conf(cmd->temp_pool, &text);

        line->is_active |= strcmp(word, "active") == 0;
        line->is_pending |= strcmp(word, "pending") == 0;
        if (strcmp(word, "active") != 0 && strcmp(word, "pending") != 0) {
            es_fail(&why, ES_CONFIG_RULE, "\"%.40s\" is not active or pending", word);
            return mes_conf_error(cmd, &why);
        }
    }
    if (!line->is_active && !line->is_pending) {
        es_fail(&why, ES_CONFIG_RULE, "Require entra-account takes active, pending, or both");
        return mes_conf_error(cmd, &why);
    }
    line->grants = grants(cmd->directive, cmd->temp_pool);
    *parsed = line;
    return NULL;
}

/* From here on he is the request's user, for the rules behind this one and for the application. */
static void let_be_seen(request_rec *r, mes_request_t *request)
{
    request->resumed = ES_OK;
    r->user = (char *)(apr_uintptr_t)request->session.user;
    r->ap_auth_type = (char *)(apr_uintptr_t)MES_AUTH_TYPE;
}

static authz_status check(request_rec *r, const char *text, const void *parsed)
{
    const line_t *line = parsed;
    mes_request_t *request = mes_request_find(r);
    const mes_site_t *site = mes_request_site(r);
    const es_session_t *session = mes_request_session(r);

    (void)text;
    if (request && request->resumed == ES_ACCOUNT_PENDING && line->is_pending) {
        request->is_waiting = 1;
        if (line->grants) {
            let_be_seen(r, request);
        }
        return AUTHZ_GRANTED;
    }
    if (!session || !site) {
        return AUTHZ_DENIED_NO_USER;
    }
    if (request && request->is_waiting) { /* seen by an earlier line */
        return line->is_pending ? AUTHZ_GRANTED : AUTHZ_DENIED;
    }
    return line->is_active && site->flow.accounts ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

static const authz_provider provider = { check, parse };

void mes_accountauthz_register(apr_pool_t *pool)
{
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "entra-account", AUTHZ_PROVIDER_VERSION, &provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}
