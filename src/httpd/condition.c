/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A choice under conditions: the directive may be repeated, each line with an expression of httpd's (ap_expr) that is
 * parsed with the configuration.
 */
#include "httpd/mes.h"

#include <ap_expr.h>
#include <apr_strings.h>

#define MARK "expr="

typedef struct {
    apr_int64_t choice;
    const ap_expr_info_t *when;
} condition_t;

es_rv_t mes_condition_add(mes_value_t *value, apr_int64_t choice, const char *text, const cmd_parms *cmd, es_why_t *why)
{
    apr_array_header_t *lines = value->conditions ? apr_array_copy(cmd->pool, value->conditions)
                                                  : apr_array_make(cmd->pool, 2, sizeof(condition_t));
    condition_t *line = apr_array_push(lines);
    const char *fault = NULL;

    if (strncmp(text, MARK, strlen(MARK)) != 0) {
        return es_fail(why, ES_CONFIG_VALUE, "\"%.300s\" does not begin with " MARK, text);
    }
    line->choice = choice;
    /* Our answers are never stored, so nothing has to be said about what they vary by. */
    line->when = ap_expr_parse_cmd_mi(cmd, text + strlen(MARK), AP_EXPR_FLAG_DONT_VARY, &fault, NULL,
                                      entra_saml_module.module_index);
    if (fault) {
        return es_fail(why, ES_CONFIG_VALUE, "\"%.300s\": %.300s", text, fault);
    }
    value->conditions = lines;
    return ES_OK;
}

/* An expression that cannot be evaluated is not true, which lets nobody in; httpd tells the log. */
apr_int64_t mes_condition_choose(const mes_value_t *value, request_rec *r)
{
    int i;

    for (i = 0; value->conditions && i < value->conditions->nelts; i++) {
        const condition_t *line = &APR_ARRAY_IDX(value->conditions, i, condition_t);
        const char *fault = NULL;

        if (ap_expr_exec(r, line->when, &fault) > 0) {
            return line->choice;
        }
    }
    return value->number;
}
