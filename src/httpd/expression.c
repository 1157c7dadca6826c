/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Claims where httpd evaluates things: the function entra_claim of expressions, and %{NAME}^EC of log formats. Both say
 * nothing about whoever is not signed in for the place that the request is at.
 */
#include "httpd/mes.h"

#include "policy/rule.h"

#include <apr_optional.h>
#include <apr_strings.h>
#include <mod_log_config.h>

#define FUNCTION "entra_claim"
#define LOG_FORMAT "^EC"

/* What is asked for: a claim, or one of the two things beside them that are exported. */
typedef struct {
    enum { CLAIM, GROUP_NAMES, OVERAGE } kind;
    unsigned id; /* of a claim that is built in; 0: by name */
    const char *name;
} asked_t;

static asked_t resolve(const char *name)
{
    const asked_t asked = { strcmp(name, ES_CLAIMS_GROUP_NAMES) == 0 ? GROUP_NAMES
                            : strcmp(name, ES_CLAIMS_OVERAGE) == 0   ? OVERAGE
                                                                     : CLAIM,
                            es_claims_find(name), name };

    return asked;
}

/* ---- what there is to say ------------------------------------------------------------------------------------ */

/* The values, as Entra sent them; empty where there are none. */
static apr_array_header_t *list_values(const asked_t *asked, const mes_site_t *site, const es_session_t *session,
                                       apr_pool_t *pool)
{
    es_session_claim_t claim;

    if (asked->kind == GROUP_NAMES && es_session_find(&claim, session, site->claim_groups, NULL)) {
        return es_rule_group_names(site->groups, &claim, pool);
    }
    if (asked->kind == CLAIM && es_session_find(&claim, session, asked->id, asked->name)) {
        return es_session_values(&claim, pool);
    }
    return apr_array_make(pool, 1, sizeof(const char *));
}

/* As the environment has it; NULL where it has nothing. */
static const char *join_values(const asked_t *asked, const mes_site_t *site, const es_session_t *session,
                               apr_pool_t *pool)
{
    es_session_claim_t claim;

    switch (asked->kind) {
    case GROUP_NAMES: {
        const apr_array_header_t *names = list_values(asked, site, session, pool);

        return names->nelts ? apr_array_pstrcat(pool, names, ';') : NULL;
    }
    case OVERAGE:
        return es_session_find(&claim, session, site->claim_groups_link, NULL) ? "1" : NULL;
    case CLAIM:
        break;
    }
    return es_session_find(&claim, session, asked->id, asked->name) ? claim.joined : NULL;
}

/* ---- expressions --------------------------------------------------------------------------------------------- */

/* <If>, SetEnvIfExpr and rewrite rules of a virtual host are evaluated before httpd comes to authorization: then by what
 * the section is that the request is in by now, and once for each of those. To be asked about is no use of the session:
 * authorization notes that, where it comes to it, and the session endpoint asks for sections that nobody goes to. */
static const es_session_t *look_ahead(request_rec *r, const mes_site_t *site)
{
    mes_request_t *request = mes_request_get(r);
    es_why_t why = ES_WHY_INIT;
    es_session_t session;

    if (request->looked_in != r->per_dir_config) {
        request->looked_in = r->per_dir_config;
        request->ahead =
            mes_gate_look(&session, r, site, &why) == ES_OK ? apr_pmemdup(r->pool, &session, sizeof session) : NULL;
    }
    return request->ahead;
}

/* Of whom an expression speaks; at our endpoints of nobody. Whether it was asked in vain, gate.c and endpoint.c want to
 * know: mod_authz_core takes an expression that is false for a denial, and does not ask who the user is. */
static const es_session_t *find_session(request_rec *r, const mes_site_t *site)
{
    mes_request_t *request = mes_request_find(r);
    const es_session_t *session = mes_request_session(r);

    if (session || !mes_request_is_ours(r) || mes_request_location(r)->is_bare) {
        return session;
    }
    if (mes_request_judged(r) || (request && request->endpoint)) {
        if (request) {
            request->is_claim_asked = 1;
        }
        return NULL;
    }
    return look_ahead(r, site);
}

/* A constant name is looked up when the expression is read. */
static const es_session_t *prepare(asked_t *asked, const mes_site_t **site, const ap_expr_eval_ctx_t *ctx,
                                   const void *data, const char *name)
{
    if (!ctx->r || (*site = mes_request_site(ctx->r)) == NULL || !(*site)->is_ready) {
        return NULL;
    }
    *asked = data ? *(const asked_t *)data : resolve(name);
    return find_session(ctx->r, *site);
}

static const char *evaluate_text(ap_expr_eval_ctx_t *ctx, const void *data, const char *name)
{
    const mes_site_t *site;
    asked_t asked;
    const es_session_t *session = prepare(&asked, &site, ctx, data, name);
    const char *text = session ? join_values(&asked, site, session, ctx->p) : NULL;

    return text ? text : "";
}

static apr_array_header_t *evaluate_list(ap_expr_eval_ctx_t *ctx, const void *data, const char *name)
{
    const mes_site_t *site;
    asked_t asked;
    const es_session_t *session = prepare(&asked, &site, ctx, data, name);

    return session ? list_values(&asked, site, session, ctx->p) : apr_array_make(ctx->p, 1, sizeof(const char *));
}

/* Whether there is such a claim only Entra knows; what can be none is refused. */
static const char *find_fault(const char *name)
{
    const unsigned char *c;

    for (c = (const unsigned char *)name; *c > ' ' && *c != 0x7f; c++) {
    }
    return !*name ? "names no claim" : *c ? "is not the name of a claim" : NULL;
}

/* ISO C knows no way from a pointer to a function to one to an object, which is what httpd wants. */
static void set_function(ap_expr_lookup_parms *parms)
{
    ap_expr_string_func_t *const text = evaluate_text;
    ap_expr_list_func_t *const list = evaluate_list;

    memcpy(parms->func, parms->type == AP_EXPR_FUNC_LIST ? (const void *)&list : (const void *)&text, sizeof text);
}

int mes_expression_find(ap_expr_lookup_parms *parms)
{
    const char *fault;

    if (strcasecmp(parms->name, FUNCTION) != 0 ||
        (parms->type != AP_EXPR_FUNC_STRING && parms->type != AP_EXPR_FUNC_LIST)) {
        return DECLINED;
    }
    if (parms->arg && (fault = find_fault(parms->arg)) != NULL) {
        *parms->err = apr_psprintf(parms->ptemp, FUNCTION "('%.100s') %s", parms->arg, fault);
        return !OK;
    }
    set_function(parms);
    *parms->data = NULL;
    if (parms->arg) {
        const asked_t asked = resolve(apr_pstrdup(parms->pool, parms->arg));

        *parms->data = apr_pmemdup(parms->pool, &asked, sizeof asked);
    }
    return OK;
}

/* ---- logs ---------------------------------------------------------------------------------------------------- */

/* Of the request that is logged, or of one that led to it: an ErrorDocument may stand in an open place, and what went
 * before it was the user's all the same. Escaped as all that clients send is. */
static const char *log_claim(request_rec *r, char *name)
{
    const mes_site_t *site = mes_request_site(r);
    const asked_t asked = resolve(name);
    const es_session_t *session = NULL;
    const request_rec *at;
    const char *text;

    if (!site || !site->is_ready) {
        return NULL;
    }
    for (at = r; at && !session; at = at->prev) {
        session = mes_request_session(at);
    }
    text = session ? join_values(&asked, site, session, r->pool) : NULL;
    return text ? ap_escape_logitem(r->pool, text) : NULL;
}

int mes_expression_register_log(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    static char tag[] = LOG_FORMAT; /* not const to mod_log_config, which only reads it */
    APR_OPTIONAL_FN_TYPE(ap_register_log_handler) *add = APR_RETRIEVE_OPTIONAL_FN(ap_register_log_handler);

    (void)plog;
    (void)ptemp;
    if (add) {
        add(pconf, tag, log_claim, 0);
    }
    return OK;
}
