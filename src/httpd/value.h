/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Values of directives: how a line is read, by the row of the directive in directives.c.
 */
#ifndef MES_VALUE_H
#define MES_VALUE_H

#include "httpd/mes.h"

#define SECONDS(n) ((apr_int64_t)(n)*APR_USEC_PER_SEC)
#define HOURS(n) SECONDS((n)*3600)
#define KIB(n) ((apr_int64_t)(n)*1024)
#define MIB(n) KIB((n)*1024)
#define GIB(n) MIB((apr_int64_t)(n)*1024)

typedef enum {
    MES_KIND_TEXT,
    MES_KIND_FILE,
    MES_KIND_SOURCE,
    MES_KIND_LIST,
    MES_KIND_PAIRS,
    MES_KIND_TIME,
    MES_KIND_TIME_OR_OFF,
    MES_KIND_SIZE,
    MES_KIND_SIZE_OR_OFF,
    MES_KIND_NUMBER,
    MES_KIND_CHOICE,
    MES_KIND_CONDITIONAL,
    MES_KIND_FILES
} mes_kind_t;

/* How a directive is read, and where it is kept. */
typedef struct {
    mes_kind_t kind;
    int slot;
    apr_int64_t min, max, fallback; /* of times, sizes, numbers; fallback of choices too */
    const char *const *choices;
    es_rv_t fault; /* of pairs: what is wrong with a line */
    es_rv_t (*check)(const mes_value_t *value, es_why_t *why, apr_pool_t *pool); /* of pairs, lists: all so far */
} mes_row_t;

/* A time of a rule, as those of directives are written. `help`: what is wanted. ES_CONFIG_TIME. */
es_rv_t mes_value_time(apr_interval_time_t *time, const char *text, apr_int64_t min, apr_int64_t max, const char *help,
                       es_why_t *why);

/* Sets the value from the arguments of cmd's directive, whose row is cmd->info, or says what is wrong with the line:
 * ES_CONFIG_VALUE, ES_CONFIG_TIME, or the row's own fault. Paths are made absolute. */
es_rv_t mes_value_set(mes_value_t *value, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why);

#endif
