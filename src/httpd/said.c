/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lines that say what an application gets, as they are read: what one of them alone can tell. What they mean together
 * is for names.c and plan.c.
 */
#include "httpd/plan.h"
#include "httpd/value.h"

#include "entra/claims.h"
#include "policy/naming.h"

#include <apr_strings.h>
#include <limits.h>

static const char *const encodings[] = { "utf8", "percent", "base64", NULL };
static const char *const forms[] = { "joined", "indexed", "both", NULL };

static int find_choice(const char *const *choices, const char *text)
{
    int i;

    for (i = 0; choices[i]; i++) {
        if (strcasecmp(choices[i], text) == 0) {
            return i;
        }
    }
    return -1;
}

/* A short name or a full one, which may be any text without white space. Which claims there will be nobody knows before
 * somebody signs in. */
static es_rv_t read_claim(mes_named_t *claim, const cmd_parms *cmd, const char *text, es_why_t *why)
{
    mes_named_t read = { apr_pstrdup(cmd->pool, text), "", 0, MES_OWN_NONE };
    const char *c;
    int own;

    for (c = text; (unsigned char)*c > 0x20 && *c != 0x7f; c++) {
    }
    if (c == text || *c) {
        return es_fail(why, ES_CONFIG_EXPORT, "\"%.200s\" is not the name of a claim", text);
    }
    for (own = MES_OWN_USER; own < MES_OWNS; own++) {
        if (strcmp(text, mes_plan_own_name((mes_own_t)own)) == 0) {
            read.own = (mes_own_t)own;
        }
    }
    read.id = read.own ? 0 : es_claims_find(text);
    *claim = read;
    return ES_OK;
}

static es_rv_t read_encoding(es_header_encoding_t *encoding, const char *text, es_why_t *why)
{
    const int choice = find_choice(encodings, text);

    if (choice < 0) {
        return es_fail(why, ES_CONFIG_EXPORT, "\"%.100s\" is none of utf8, percent, base64", text);
    }
    *encoding = (es_header_encoding_t)choice;
    return ES_OK;
}

static void push_line(const apr_array_header_t **list, const mes_line_t *line, apr_pool_t *pool)
{
    apr_array_header_t *lines = *list ? apr_array_copy(pool, *list) : apr_array_make(pool, 4, sizeof(mes_line_t));

    APR_ARRAY_PUSH(lines, mes_line_t) = *line;
    *list = lines;
}

static es_rv_t set_prefix(mes_said_t *said, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why)
{
    (void)argc;
    said->prefix = apr_pstrdup(cmd->pool, argv[0]);
    said->prefix_at = cmd->directive;
    return es_naming_check_variable_prefix(argv[0], why);
}

static es_rv_t set_variable(mes_said_t *said, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why)
{
    mes_line_t line = { .name = apr_pstrdup(cmd->pool, argv[1]), .at = cmd->directive };
    const mes_line_t *other;
    es_rv_t rv;

    (void)argc;
    if ((rv = read_claim(&line.claim, cmd, argv[0], why)) != ES_OK ||
        (rv = es_naming_check_variable(argv[1], why)) != ES_OK) {
        return rv;
    }
    if (line.claim.own == MES_OWN_USER) {
        return es_fail(why, ES_CONFIG_EXPORT, "the user's name is in REMOTE_USER");
    }
    if ((other = mes_plan_find_variable(said, &line.claim)) != NULL) {
        return es_fail(why, ES_CONFIG_EXPORT, "claim %.200s has the variable %.64s already", argv[0], other->name);
    }
    push_line(&said->variables, &line, cmd->pool);
    return ES_OK;
}

/* Adds claims to a list. */
static es_rv_t add_claims(const apr_array_header_t **list, const cmd_parms *cmd, int argc, char *const argv[],
                          es_why_t *why)
{
    apr_array_header_t *claims =
        *list ? apr_array_copy(cmd->pool, *list) : apr_array_make(cmd->pool, argc, sizeof(mes_named_t));
    int i;

    for (i = 0; i < argc; i++) {
        mes_named_t claim;
        const es_rv_t rv = read_claim(&claim, cmd, argv[i], why);

        if (rv != ES_OK) {
            return rv;
        }
        APR_ARRAY_PUSH(claims, mes_named_t) = claim;
    }
    *list = claims;
    return ES_OK;
}

static es_rv_t set_allowed(mes_said_t *said, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why)
{
    const int is_all = strcasecmp(argv[0], "all") == 0, is_none = strcasecmp(argv[0], "none") == 0;

    if ((is_all || is_none) && (argc > 1 || said->allowed_at)) {
        return es_fail(why, ES_CONFIG_EXPORT, "\"%s\" stands alone", argv[0]);
    }
    if (said->allowed_at && (!said->allowed || said->allowed->nelts == 0)) {
        return es_fail(why, ES_CONFIG_EXPORT, "the section has said \"all\" or \"none\" before");
    }
    said->allowed_at = cmd->directive;
    if (is_none) {
        said->allowed = apr_array_make(cmd->pool, 1, sizeof(mes_named_t));
    }
    return is_all || is_none ? ES_OK : add_claims(&said->allowed, cmd, argc, argv, why);
}

static es_rv_t set_denied(mes_said_t *said, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why)
{
    return add_claims(&said->denied, cmd, argc, argv, why);
}

static es_rv_t set_values(mes_said_t *said, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why)
{
    const int choice = find_choice(forms, argv[0]);

    (void)argc;
    if (choice < 0) {
        return es_fail(why, ES_CONFIG_VALUE, "\"%.100s\" is none of joined, indexed, both", argv[0]);
    }
    said->values = choice;
    said->values_at = cmd->directive;
    return ES_OK;
}

static es_rv_t set_header(mes_said_t *said, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why)
{
    mes_line_t line = { .name = apr_pstrdup(cmd->pool, argv[0]),
                        .missing = apr_pstrcat(cmd->pool, argv[0], MES_MISSING, NULL),
                        .at = cmd->directive };
    es_rv_t rv;

    if (argc == 1 && strcasecmp(argv[0], "Off") == 0) {
        said->off_at = cmd->directive;
        return ES_OK;
    }
    if (argc == 1) {
        return es_fail(why, ES_CONFIG_EXPORT, "header %.100s has no claim", argv[0]);
    }
    if ((rv = es_naming_check_header(argv[0], why)) != ES_OK ||
        (rv = read_claim(&line.claim, cmd, argv[1], why)) != ES_OK ||
        (argc > 2 && (rv = read_encoding(&line.encoding, argv[2], why)) != ES_OK)) {
        return rv;
    }
    if (line.claim.own == MES_OWN_HEADERS_MISSING) {
        return es_fail(why, ES_CONFIG_EXPORT, "%s is a variable only", argv[1]);
    }
    push_line(&said->headers, &line, cmd->pool);
    return ES_OK;
}

static es_rv_t set_header_prefix(mes_said_t *said, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why)
{
    es_rv_t rv;

    said->header_prefix_at = cmd->directive;
    said->header_prefix = NULL;
    if (argc == 1 && strcasecmp(argv[0], "Off") == 0) {
        return ES_OK;
    }
    if ((rv = es_naming_check_header_prefix(argv[0], why)) != ES_OK) {
        return rv;
    }
    said->header_prefix = apr_pstrdup(cmd->pool, argv[0]);
    said->header_encoding = ES_HEADER_UTF8;
    return argc > 1 ? read_encoding(&said->header_encoding, argv[1], why) : ES_OK;
}

/* From one GUID to what Apache httpd, the most generous of usual backends, can be told to accept. */
static es_rv_t set_limit(mes_said_t *said, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why)
{
    static const mes_row_t row = { .kind = MES_KIND_SIZE, .min = 64, .max = KIB(64) };
    mes_value_t value = { NULL };
    cmd_parms parms = *cmd;
    es_rv_t rv;

    parms.info = (void *)(apr_uintptr_t)&row;
    if ((rv = mes_value_set(&value, &parms, argc, argv, why)) == ES_OK) {
        said->limit = (apr_size_t)value.number;
        said->limit_at = cmd->directive;
    }
    return rv;
}

static const struct {
    es_rv_t (*set)(mes_said_t *said, const cmd_parms *cmd, int argc, char *const argv[], es_why_t *why);
    int min, max; /* arguments */
} rows[] = {
    [MES_SAY_PREFIX] = { set_prefix, 1, 1 },
    [MES_SAY_VARIABLE] = { set_variable, 2, 2 },
    [MES_SAY_ALLOWED] = { set_allowed, 1, INT_MAX },
    [MES_SAY_DENIED] = { set_denied, 1, INT_MAX },
    [MES_SAY_VALUES] = { set_values, 1, 1 },
    [MES_SAY_HEADER] = { set_header, 1, 3 },
    [MES_SAY_HEADER_PREFIX] = { set_header_prefix, 1, 2 },
    [MES_SAY_LIMIT] = { set_limit, 1, 1 },
};

static mes_part_t *find_part(const cmd_parms *cmd, mes_location_t *location)
{
    mes_carried_t *carried;

    if (!location->carried) {
        carried = apr_pcalloc(cmd->pool, sizeof *carried);
        carried->part = apr_pcalloc(cmd->pool, sizeof *carried->part);
        APR_ARRAY_PUSH(mes_conf_server(cmd->server)->parts, mes_part_t *) = carried->part;
        location->carried = carried;
    }
    return location->carried->part;
}

const char *mes_said_set(cmd_parms *cmd, void *location, int argc, char *const argv[])
{
    const mes_say_t which = (mes_say_t)(apr_uintptr_t)cmd->info;
    es_why_t why = ES_WHY_INIT;

    if (argc < rows[which].min || argc > rows[which].max || !*argv[0]) {
        es_fail(&why, ES_CONFIG_VALUE, "takes %s", cmd->cmd->errmsg);
    } else {
        rows[which].set(&find_part(cmd, location)->said, cmd, argc, argv, &why);
    }
    return why.rv == ES_OK ? NULL : mes_conf_error(cmd, &why);
}
