/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All names under which anything is exported anywhere: that no two things have one name in a section, and the sets of
 * what a client may not send. The latter hold for every host of the server, since a backend that trusts a header is
 * often reached from several.
 */
#include "httpd/plan.h"

#include <apr_strings.h>

/* ---- two things under one name ------------------------------------------------------------------------------- */

typedef struct {
    const mes_said_t *said;
    const ap_directive_t **at;
    es_why_t *why;
    apr_pool_t *pool;
} judging_t;

static int clash(const char *a, const char *b, int is_indexed, apr_pool_t *pool)
{
    const es_fold_kind_t kind = is_indexed ? ES_FOLD_INDEXED : ES_FOLD_WHOLE;
    const es_fold_name_t names[] = { { a, kind }, { b, kind } };

    return es_fold_has(es_fold_make(&names[0], 1, pool), b) || es_fold_has(es_fold_make(&names[1], 1, pool), a);
}

static es_rv_t check_variable(const judging_t *judging, const mes_line_t *line, const char *other,
                              const mes_named_t *claim)
{
    if (mes_plan_is_same(&line->claim, claim) || !mes_plan_exports(judging->said, &line->claim) ||
        !clash(line->name, other, judging->said->values != MES_VALUES_JOINED, judging->pool)) {
        return ES_OK;
    }
    *judging->at = line->at;
    return es_fail(judging->why, ES_CONFIG_EXPORT, "variable %s would be that of claim %.200s, and %s that of %.200s",
                   line->name, line->claim.name, other, claim->name);
}

static es_rv_t check_header(const judging_t *judging, const mes_line_t *line, const mes_line_t *other)
{
    if (!es_fold_same(line->name, other->name) && !es_fold_same(line->missing, other->name) &&
        !es_fold_same(line->name, other->missing)) {
        return ES_OK;
    }
    *judging->at = line->at;
    return es_fail(judging->why, ES_CONFIG_EXPORT,
                   "header %s (with its %s) would be that of claim %.200s, and %s that of %.200s", line->name,
                   line->missing, line->claim.name, other->name, other->claim.name);
}

/* Against what a claim is called without a line of its own. */
static es_rv_t check_claim(const judging_t *judging, const mes_named_t *claim)
{
    const mes_said_t *said = judging->said;
    es_rv_t rv = ES_OK;
    int i;

    if (!mes_plan_exports(said, claim)) {
        return ES_OK;
    }
    if (claim->own != MES_OWN_USER && !mes_plan_find_variable(said, claim)) {
        const char *name = mes_plan_variable_name(said->prefix, claim->name, judging->pool);

        for (i = 0; rv == ES_OK && said->variables && i < said->variables->nelts; i++) {
            rv = check_variable(judging, &APR_ARRAY_IDX(said->variables, i, mes_line_t), name, claim);
        }
    }
    if (said->header_prefix && claim->own != MES_OWN_HEADERS_MISSING) {
        const char *name = mes_plan_header_name(said->header_prefix, claim->name, judging->pool);
        const mes_line_t made = { *claim, name, apr_pstrcat(judging->pool, name, MES_MISSING, NULL), ES_HEADER_UTF8,
                                  NULL };

        for (i = 0; rv == ES_OK && said->headers && i < said->headers->nelts; i++) {
            const mes_line_t *line = &APR_ARRAY_IDX(said->headers, i, mes_line_t);

            if (!mes_plan_is_same(&line->claim, claim)) {
                rv = check_header(judging, line, &made);
            }
        }
    }
    return rv;
}

static es_rv_t check_lines(const judging_t *judging)
{
    const apr_array_header_t *variables = judging->said->variables, *headers = judging->said->headers;
    es_rv_t rv = ES_OK;
    int i, n;

    for (i = 0; variables && i < variables->nelts; i++) {
        for (n = 0; rv == ES_OK && n < i; n++) {
            const mes_line_t *other = &APR_ARRAY_IDX(variables, n, mes_line_t);

            rv = check_variable(judging, &APR_ARRAY_IDX(variables, i, mes_line_t), other->name, &other->claim);
        }
    }
    for (i = 0; headers && i < headers->nelts; i++) {
        for (n = 0; rv == ES_OK && n < i; n++) {
            rv = check_header(judging, &APR_ARRAY_IDX(headers, i, mes_line_t), &APR_ARRAY_IDX(headers, n, mes_line_t));
        }
    }
    return rv;
}

es_rv_t mes_names_check(const ap_directive_t **at, const mes_part_t *part, const es_claim_alias_t *aliases,
                        int n_aliases, es_why_t *why, apr_pool_t *pool)
{
    const judging_t judging = { &part->plan->said, at, why, pool };
    es_rv_t rv = check_lines(&judging);
    unsigned id;
    int i;

    for (id = 1; rv == ES_OK && id <= es_claims_count(); id++) {
        const mes_named_t claim = { es_claims_short_name(id), "", id, MES_OWN_NONE };

        rv = check_claim(&judging, &claim);
    }
    for (i = MES_OWN_USER; rv == ES_OK && i < MES_OWNS; i++) {
        const mes_named_t claim = { mes_plan_own_name((mes_own_t)i), "", 0, (mes_own_t)i };

        rv = check_claim(&judging, &claim);
    }
    for (i = 0; rv == ES_OK && i < n_aliases; i++) {
        const mes_named_t claim = { aliases[i].short_name, aliases[i].name, 0, MES_OWN_NONE };

        rv = check_claim(&judging, &claim);
    }
    return rv;
}

/* ---- what a client may not send ------------------------------------------------------------------------------ */

static void push(apr_array_header_t *names, const char *name, es_fold_kind_t kind)
{
    APR_ARRAY_PUSH(names, es_fold_name_t) = (es_fold_name_t){ name, kind };
}

static void push_part(apr_array_header_t *variables, apr_array_header_t *headers, const mes_said_t *said)
{
    int i;

    if (said->prefix) {
        push(variables, said->prefix, ES_FOLD_PREFIX);
    }
    for (i = 0; said->variables && i < said->variables->nelts; i++) {
        /* In another section the values may be indexed. */
        push(variables, APR_ARRAY_IDX(said->variables, i, mes_line_t).name, ES_FOLD_INDEXED);
    }
    if (said->header_prefix) {
        push(headers, said->header_prefix, ES_FOLD_PREFIX);
    }
    for (i = 0; said->headers && i < said->headers->nelts; i++) {
        push(headers, APR_ARRAY_IDX(said->headers, i, mes_line_t).name, ES_FOLD_WHOLE);
        push(headers, APR_ARRAY_IDX(said->headers, i, mes_line_t).missing, ES_FOLD_WHOLE);
    }
}

static const es_fold_set_t *make_set(const apr_array_header_t *names, apr_pool_t *pool)
{
    return es_fold_make((const es_fold_name_t *)names->elts, names->nelts, pool);
}

/* A header that looks like a variable is removed too: HTTP_ENTRA_GROUPS is close to ENTRA_GROUPS. */
void mes_names_collect(mes_state_t *state, server_rec *main_server, apr_pool_t *pool)
{
    apr_array_header_t *variables = apr_array_make(pool, 4, sizeof(es_fold_name_t));
    apr_array_header_t *headers = apr_array_make(pool, 4, sizeof(es_fold_name_t));
    const es_fold_set_t *everywhere, *here;
    server_rec *s;
    int i;

    for (s = main_server; s; s = s->next) {
        const mes_server_t *conf = mes_conf_server(s);

        state->is_planned |= conf->parts->nelts > 0;
        for (i = 0; i < conf->parts->nelts; i++) {
            push_part(variables, headers, &APR_ARRAY_IDX(conf->parts, i, const mes_part_t *)->said);
        }
    }
    state->is_sending = headers->nelts > 0;
    push(variables, MES_PREFIX, ES_FOLD_PREFIX);
    state->variables = make_set(variables, pool);
    apr_array_cat(headers, variables);
    everywhere = make_set(headers, pool);
    /* On a host without Entra somebody else may have reasons to send it. */
    push(headers, "REMOTE_USER", ES_FOLD_WHOLE);
    here = make_set(headers, pool);
    for (s = main_server; s; s = s->next) {
        mes_server_t *conf = mes_conf_server(s);

        conf->inbound = conf->slot ? here : everywhere;
    }
}

int mes_names_judge(const server_rec *main_server, apr_pool_t *pconf, apr_pool_t *ptemp)
{
    const server_rec *s;
    int i, faults = 0;

    for (s = main_server; s; s = s->next) {
        const mes_server_t *conf = mes_conf_server(s);
        int n_aliases;
        const es_claim_alias_t *aliases = mes_conf_aliases(&n_aliases, &conf->value[MES_CLAIM], ptemp);

        for (i = 0; i < conf->parts->nelts; i++) {
            mes_part_t *part = APR_ARRAY_IDX(conf->parts, i, mes_part_t *);
            const ap_directive_t *at = NULL;
            es_why_t why = ES_WHY_INIT;

            mes_nest_prepare(part, pconf);
            if (mes_names_check(&at, part, aliases, n_aliases, &why, ptemp) != ES_OK) {
                mes_io_config_error(&why, at);
                faults++;
            }
        }
    }
    return faults;
}
