/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From what a section and those around it say to the one plan of what an application gets: for each claim that is known
 * beforehand its variable and its headers.
 */
#include "httpd/plan.h"

#include <apr_lib.h>
#include <apr_strings.h>

/* Lines of 8,190 octets are what httpd, nginx (8,192), gunicorn accept by default; Tomcat and Jetty want all headers of a
 * request in 8,192. This leaves 2 KiB for what a browser sends, and takes the 150 groups that Entra sends at most. */
#define LIMIT 6144

const mes_said_t mes_plan_default = { .prefix = MES_PREFIX, .limit = LIMIT };

static const char *const own_names[MES_OWNS] = {
    "", "user", ES_CLAIMS_GROUP_NAMES, ES_CLAIMS_OVERAGE, ES_CLAIMS_LOGOUT_URL, ES_CLAIMS_HEADERS_MISSING,
};

const char *mes_plan_own_name(mes_own_t own)
{
    return own_names[own];
}

int mes_plan_is_same(const mes_named_t *a, const mes_named_t *b)
{
    if (a->own || b->own) {
        return a->own == b->own;
    }
    if (a->id || b->id) {
        return a->id == b->id;
    }
    return strcmp(a->name, b->name) == 0 || strcmp(a->name, b->full_name) == 0 || strcmp(a->full_name, b->name) == 0;
}

static int is_listed(const apr_array_header_t *list, const mes_named_t *claim)
{
    int i;

    for (i = 0; list && i < list->nelts; i++) {
        if (mes_plan_is_same(&APR_ARRAY_IDX(list, i, mes_named_t), claim)) {
            return 1;
        }
    }
    return 0;
}

/* That something is missing is no claim: an allow list does not mean it. */
int mes_plan_exports(const mes_said_t *said, const mes_named_t *claim)
{
    return !is_listed(said->denied, claim) &&
           (!said->allowed || claim->own == MES_OWN_HEADERS_MISSING || is_listed(said->allowed, claim));
}

const mes_line_t *mes_plan_find_variable(const mes_said_t *said, const mes_named_t *claim)
{
    int i;

    for (i = 0; said->variables && i < said->variables->nelts; i++) {
        const mes_line_t *line = &APR_ARRAY_IDX(said->variables, i, mes_line_t);

        if (mes_plan_is_same(&line->claim, claim)) {
            return line;
        }
    }
    return NULL;
}

const char *mes_plan_variable_name(const char *prefix, const char *short_name, apr_pool_t *pool)
{
    char *name = apr_pstrcat(pool, short_name, NULL);

    ap_str_toupper(name);
    return apr_pstrcat(pool, prefix, name, NULL);
}

const char *mes_plan_header_name(const char *prefix, const char *short_name, apr_pool_t *pool)
{
    char *name = apr_pstrdup(pool, short_name), *c;
    int is_initial = 1;

    for (c = name; *c; c++) {
        if (is_initial) {
            *c = (char)apr_toupper(*c);
        }
        is_initial = *c == '_';
        if (is_initial) {
            *c = '-';
        }
    }
    return apr_pstrcat(pool, prefix, name, NULL);
}

/* ---- several sections ---------------------------------------------------------------------------------------- */

/* Those of `add`, and of `base` those that say nothing of the same claim and take no name that is given anew. */
static const apr_array_header_t *join_variables(const mes_said_t *base, const mes_said_t *add, apr_pool_t *pool)
{
    apr_array_header_t *lines;
    int i, n;

    if (!base->variables || !add->variables) {
        return base->variables ? base->variables : add->variables;
    }
    lines = apr_array_copy(pool, add->variables);
    for (i = 0; i < base->variables->nelts; i++) {
        const mes_line_t *line = &APR_ARRAY_IDX(base->variables, i, mes_line_t);

        for (n = 0; n < add->variables->nelts; n++) {
            const mes_line_t *other = &APR_ARRAY_IDX(add->variables, n, mes_line_t);

            if (mes_plan_is_same(&other->claim, &line->claim) || es_fold_same(other->name, line->name)) {
                break;
            }
        }
        if (n == add->variables->nelts) {
            APR_ARRAY_PUSH(lines, mes_line_t) = *line;
        }
    }
    return lines;
}

static const apr_array_header_t *join_headers(const mes_said_t *base, const mes_said_t *add, apr_pool_t *pool)
{
    apr_array_header_t *lines;
    int i, n;

    if (!base->headers || add->off_at || !add->headers) {
        return base->headers && !add->off_at ? base->headers : add->headers;
    }
    lines = apr_array_copy(pool, add->headers);
    for (i = 0; i < base->headers->nelts; i++) {
        const mes_line_t *line = &APR_ARRAY_IDX(base->headers, i, mes_line_t);

        for (n = 0; n < add->headers->nelts; n++) {
            const mes_line_t *other = &APR_ARRAY_IDX(add->headers, n, mes_line_t);

            if (es_fold_same(other->name, line->name) || es_fold_same(other->missing, line->name) ||
                es_fold_same(other->name, line->missing)) {
                break;
            }
        }
        if (n == add->headers->nelts) {
            APR_ARRAY_PUSH(lines, mes_line_t) = *line;
        }
    }
    return lines;
}

/* What a section says takes the place of what those around it say; names add up, and what is denied stays denied. */
static void join_said(mes_said_t *said, const mes_said_t *base, const mes_said_t *add, apr_pool_t *pool)
{
    *said = *base;
    if (add->prefix_at) {
        said->prefix = add->prefix;
    }
    if (add->allowed_at) {
        said->allowed = add->allowed;
    }
    if (add->header_prefix_at) {
        said->header_prefix = add->header_prefix;
        said->header_encoding = add->header_encoding;
    }
    if (add->values_at) {
        said->values = add->values;
    }
    if (add->limit_at) {
        said->limit = add->limit;
    }
    said->variables = join_variables(base, add, pool);
    said->headers = join_headers(base, add, pool);
    said->denied = base->denied && add->denied ? apr_array_append(pool, base->denied, add->denied)
                   : base->denied              ? base->denied
                                               : add->denied;
}

/* ---- a plan -------------------------------------------------------------------------------------------------- */

void mes_plan_find_headers(mes_target_t *target, const mes_said_t *said, const mes_named_t *claim,
                           const es_fold_set_t *taken, apr_pool_t *pool)
{
    const int n = said->headers ? said->headers->nelts : 0;
    apr_array_header_t *lines = NULL;
    const char *name = NULL;
    int i;

    if (is_listed(said->denied, claim)) {
        return;
    }
    if (said->header_prefix && mes_plan_exports(said, claim)) {
        name = mes_plan_header_name(said->header_prefix, claim->name, pool);
    }
    if (taken && name && es_fold_has(taken, name)) {
        name = NULL;
    }
    if (n > 0 || name) {
        lines = apr_array_make(pool, 1, sizeof(mes_line_t));
    }
    for (i = 0; i < n; i++) {
        const mes_line_t *line = &APR_ARRAY_IDX(said->headers, i, mes_line_t);

        if (name && (es_fold_same(line->name, name) || es_fold_same(line->missing, name))) {
            name = NULL;
        }
        if (mes_plan_is_same(&line->claim, claim)) {
            APR_ARRAY_PUSH(lines, mes_line_t) = *line;
        }
    }
    if (name) {
        const mes_line_t made = { *claim, name, apr_pstrcat(pool, name, MES_MISSING, NULL), said->header_encoding,
                                  NULL };

        APR_ARRAY_PUSH(lines, mes_line_t) = made;
    }
    if (lines) {
        target->n_headers = lines->nelts;
        target->headers = (const mes_line_t *)lines->elts;
    }
}

/* The variable that a line gives to another claim is not this one's. */
static int is_given(const mes_said_t *said, const char *variable)
{
    int i;

    for (i = 0; said->variables && i < said->variables->nelts; i++) {
        if (es_fold_same(APR_ARRAY_IDX(said->variables, i, mes_line_t).name, variable)) {
            return 1;
        }
    }
    return 0;
}

static void aim(mes_target_t *target, const mes_said_t *said, const mes_named_t *claim, apr_pool_t *pool)
{
    if (claim->own != MES_OWN_USER && mes_plan_exports(said, claim)) {
        const mes_line_t *line = mes_plan_find_variable(said, claim);
        const char *name = line ? line->name : mes_plan_variable_name(said->prefix, claim->name, pool);

        target->variable = line || !is_given(said, name) ? name : NULL;
    }
    if (claim->own != MES_OWN_HEADERS_MISSING) {
        mes_plan_find_headers(target, said, claim, NULL, pool);
    }
}

/* All names that known claims and lines take. */
static void take_names(mes_plan_t *plan, apr_pool_t *pool)
{
    const es_fold_kind_t kind = plan->said.values == MES_VALUES_JOINED ? ES_FOLD_WHOLE : ES_FOLD_INDEXED;
    const unsigned n_targets = es_claims_count() + MES_OWNS;
    apr_array_header_t *variables = apr_array_make(pool, 64, sizeof(es_fold_name_t));
    apr_array_header_t *headers = apr_array_make(pool, 64, sizeof(es_fold_name_t));
    unsigned i;
    int n;

    for (i = 1; i < n_targets; i++) {
        const mes_target_t *target = i <= es_claims_count() ? &plan->built_in[i] : &plan->own[i - es_claims_count()];

        if (target->variable) {
            APR_ARRAY_PUSH(variables, es_fold_name_t) = (es_fold_name_t){ target->variable, kind };
        }
        for (n = 0; n < target->n_headers; n++) {
            APR_ARRAY_PUSH(headers, es_fold_name_t) = (es_fold_name_t){ target->headers[n].name, ES_FOLD_WHOLE };
            APR_ARRAY_PUSH(headers, es_fold_name_t) = (es_fold_name_t){ target->headers[n].missing, ES_FOLD_WHOLE };
        }
    }
    for (n = 0; plan->said.variables && n < plan->said.variables->nelts; n++) {
        APR_ARRAY_PUSH(variables, es_fold_name_t) =
            (es_fold_name_t){ APR_ARRAY_IDX(plan->said.variables, n, mes_line_t).name, kind };
    }
    plan->variables = es_fold_make((const es_fold_name_t *)variables->elts, variables->nelts, pool);
    plan->headers = es_fold_make((const es_fold_name_t *)headers->elts, headers->nelts, pool);
}

const mes_plan_t *mes_plan_make(const mes_said_t *base, const mes_said_t *add, apr_pool_t *pool)
{
    const unsigned count = es_claims_count();
    mes_plan_t *plan = apr_pcalloc(pool, sizeof *plan);
    mes_target_t *built_in = apr_pcalloc(pool, (count + 1) * sizeof *built_in);
    unsigned id;
    int own;

    join_said(&plan->said, base, add, pool);
    for (id = 1; id <= count; id++) {
        const mes_named_t claim = { es_claims_short_name(id), "", id, MES_OWN_NONE };

        aim(&built_in[id], &plan->said, &claim, pool);
    }
    for (own = MES_OWN_USER; own < MES_OWNS; own++) {
        const mes_named_t claim = { own_names[own], "", 0, (mes_own_t)own };

        aim(&plan->own[own], &plan->said, &claim, pool);
    }
    plan->built_in = built_in;
    plan->is_sending = plan->said.header_prefix || (plan->said.headers && plan->said.headers->nelts > 0);
    plan->told = apr_pcalloc(pool, sizeof *plan->told);
    take_names(plan, pool);
    return plan;
}
