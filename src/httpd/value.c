/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reads one line's value: here only what the line alone can tell. What it means together with others is judge.c's
 * business.
 */
#include "httpd/value.h"

#include "base/url.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <limits.h>

#define ADDRESS_MAX 2048

typedef struct {
    const char *name;
    apr_int64_t factor;
} unit_t;

static const unit_t time_units[] = { { "", SECONDS(1) },  { "ms", 1000 },
                                     { "s", SECONDS(1) }, { "min", SECONDS(60) },
                                     { "h", HOURS(1) },   { "d", HOURS(24) },
                                     { NULL, 0 } };
static const unit_t number_units[] = { { "", 1 }, { NULL, 0 } };
static const unit_t size_units[] = { { "", 1 }, { "K", KIB(1) }, { "M", MIB(1) }, { "G", GIB(1) }, { NULL, 0 } };

static es_rv_t read_number(apr_int64_t *number, const mes_row_t *row, const unit_t *units, const char *text,
                           const char *help, es_why_t *why)
{
    const es_rv_t fault = units == time_units ? ES_CONFIG_TIME : ES_CONFIG_VALUE;
    apr_int64_t value = 0;
    const char *c;

    for (c = text; apr_isdigit(*c) && value < APR_INT64_C(1000000000000); c++) {
        value = value * 10 + (*c - '0');
    }
    while (c > text && units->name && strcasecmp(units->name, c) != 0) {
        units++;
    }
    if (c == text || !units->name) {
        return es_fail(why, fault, "\"%.100s\" is not of the form %s", text, help);
    }
    if (value > INT64_MAX / units->factor || value * units->factor < row->min || value * units->factor > row->max) {
        return es_fail(why, fault, "\"%.100s\" is out of range: %s", text, help);
    }
    *number = value * units->factor;
    return ES_OK;
}

es_rv_t mes_value_time(apr_interval_time_t *time, const char *text, apr_int64_t min, apr_int64_t max, const char *help,
                       es_why_t *why)
{
    const mes_row_t row = { .kind = MES_KIND_TIME, .min = min, .max = max };

    return read_number(time, &row, time_units, text, help, why);
}

static es_rv_t read_choice(apr_int64_t *number, const mes_row_t *row, const char *text, const char *help, es_why_t *why)
{
    int i;

    for (i = 0; row->choices[i]; i++) {
        if (strcasecmp(row->choices[i], text) == 0) {
            *number = i;
            return ES_OK;
        }
    }
    return es_fail(why, ES_CONFIG_VALUE, "\"%.100s\" is none of %s", text, help);
}

static apr_array_header_t *add_words(const apr_array_header_t *old, int argc, char *const argv[], apr_pool_t *pool)
{
    apr_array_header_t *list = old ? apr_array_copy(pool, old) : apr_array_make(pool, argc, sizeof(const char *));
    int i;

    for (i = 0; i < argc; i++) {
        APR_ARRAY_PUSH(list, const char *) = apr_pstrdup(pool, argv[i]);
    }
    return list;
}

/* No name and password: the address stands in the log. */
static int is_address(const char *text, apr_pool_t *pool)
{
    es_why_t ignored = ES_WHY_INIT; /* speaks of return addresses */
    es_url_t url;

    return es_url_read(&url, text, ADDRESS_MAX, &ignored, pool) == ES_OK && url.host && !url.user && !url.fragment;
}

/* A file's path, or an https address: integrity of the latter comes from TLS alone. */
static es_rv_t set_source(mes_value_t *value, const cmd_parms *cmd, const char *text, es_why_t *why)
{
    if (strncasecmp(text, "https://", 8) == 0) {
        value->text = apr_pstrdup(cmd->pool, text);
        return is_address(text, cmd->temp_pool)
                   ? ES_OK
                   : es_fail(why, ES_CONFIG_VALUE,
                             "%.100s is not https://HOST[:PORT]/PATH, without user name, password or fragment",
                             cmd->cmd->name);
    }
    if (strstr(text, "://")) {
        return es_fail(why, ES_CONFIG_VALUE, "\"%.200s\" is not https: anybody on the way could change the keys", text);
    }
    value->text = ap_server_root_relative(cmd->pool, text);
    return value->text ? ES_OK : es_fail(why, ES_CONFIG_VALUE, "\"%.200s\" is not a path", text);
}

/* Two files, behind those of the lines before. */
static es_rv_t set_files(mes_value_t *value, const cmd_parms *cmd, char *const argv[], es_why_t *why)
{
    char *paths[2];
    int i;

    for (i = 0; i < 2; i++) {
        paths[i] = ap_server_root_relative(cmd->pool, argv[i]);
        if (!paths[i]) {
            return es_fail(why, ES_CONFIG_VALUE, "\"%.200s\" is not a path", argv[i]);
        }
    }
    value->list = add_words(value->list, 2, paths, cmd->pool);
    return ES_OK;
}

/* A choice for the rest, or one for where an expression is true. */
static es_rv_t set_conditional(mes_value_t *value, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why)
{
    apr_int64_t choice = 0;
    es_rv_t rv = read_choice(&choice, cmd->info, argv[0], cmd->cmd->errmsg, why);

    if (rv != ES_OK) {
        return rv;
    }
    if (argc == 2) {
        return mes_condition_add(value, choice, argv[1], cmd, why);
    }
    value->number = choice;
    return ES_OK;
}

/* How many arguments a line may have; a list has no end. */
static int most_arguments(mes_kind_t kind)
{
    switch (kind) {
    case MES_KIND_LIST:
        return INT_MAX;
    case MES_KIND_PAIRS:
    case MES_KIND_FILES:
    case MES_KIND_CONDITIONAL:
        return 2;
    default:
        return 1;
    }
}

es_rv_t mes_value_set(mes_value_t *value, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why)
{
    const mes_row_t *row = cmd->info;
    const int wanted = row->kind == MES_KIND_PAIRS || row->kind == MES_KIND_FILES ? 2 : 1;
    const char *help = cmd->cmd->errmsg;

    if (argc < wanted || argc > most_arguments(row->kind) || !*argv[0]) {
        return es_fail(why, row->kind == MES_KIND_PAIRS ? row->fault : ES_CONFIG_VALUE, "takes %s", help);
    }
    value->at = cmd->directive;
    switch (row->kind) {
    case MES_KIND_TEXT:
        value->text = apr_pstrdup(cmd->pool, argv[0]);
        return ES_OK;
    case MES_KIND_SOURCE:
        return set_source(value, cmd, argv[0], why);
    case MES_KIND_FILE:
        value->text = ap_server_root_relative(cmd->pool, argv[0]);
        return value->text ? ES_OK : es_fail(why, ES_CONFIG_VALUE, "\"%.200s\" is not a path", argv[0]);
    case MES_KIND_LIST:
        value->list = add_words(NULL, argc, argv, cmd->pool);
        return row->check ? row->check(value, why, cmd->temp_pool) : ES_OK;
    case MES_KIND_PAIRS:
        value->list = add_words(value->list, argc, argv, cmd->pool);
        return row->check(value, why, cmd->temp_pool);
    case MES_KIND_FILES:
        return set_files(value, cmd, argv, why);
    case MES_KIND_TIME:
        return read_number(&value->number, row, time_units, argv[0], help, why);
    case MES_KIND_TIME_OR_OFF:
        value->number = 0;
        return strcasecmp(argv[0], "Off") == 0 ? ES_OK
                                               : read_number(&value->number, row, time_units, argv[0], help, why);
    case MES_KIND_SIZE:
        return read_number(&value->number, row, size_units, argv[0], help, why);
    case MES_KIND_SIZE_OR_OFF:
        value->number = 0;
        return strcasecmp(argv[0], "Off") == 0 ? ES_OK
                                               : read_number(&value->number, row, size_units, argv[0], help, why);
    case MES_KIND_NUMBER:
        return read_number(&value->number, row, number_units, argv[0], help, why);
    case MES_KIND_CHOICE:
        return read_choice(&value->number, row, argv[0], help, why);
    case MES_KIND_CONDITIONAL:
        return set_conditional(value, cmd, argc, argv, why);
    }
    return es_fail(why, ES_INTERNAL, "no such kind of directive");
}
