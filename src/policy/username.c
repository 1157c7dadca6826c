/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/username.h"

#define PCRE2_CODE_UNIT_WIDTH 8

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <pcre2.h>

/* As of a rule (policy/rule.c): patterns that need more pass it only on values that were made for that. */
#define STEPS_MAX 50000
#define DOMAIN_MAX 253 /* RFC 1035 section 2.3.4, without the dot at the end */

/* A piece of a replacement: text as it is, or a group of the regex. */
typedef struct {
    const char *text; /* NULL: a group */
    unsigned group;
} piece_t;

typedef struct {
    pcre2_code *regex;
    const apr_array_header_t *pieces; /* of piece_t */
} match_t;

struct es_username_t {
    const apr_array_header_t *matches; /* of match_t */
    pcre2_match_context *limits;
    int is_stripped;            /* of any domain, or of these */
    const char *const *domains; /* NULL-terminated; NULL: any */
    int is_lower;
};

static apr_status_t free_code(void *code)
{
    pcre2_code_free(code);
    return APR_SUCCESS;
}

static apr_status_t free_context(void *context)
{
    pcre2_match_context_free(context);
    return APR_SUCCESS;
}

/* The whole value must match: an expression about "@contoso.com" that someone forgot to anchor would else take
 * "eve@contoso.com.example" for a user of Contoso's. */
static es_rv_t compile(match_t *made, const char *pattern, es_why_t *why, apr_pool_t *pool)
{
    const uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C;
    PCRE2_UCHAR message[160];
    PCRE2_SIZE at;
    int error;

    made->regex = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &at, NULL);
    if (!made->regex) {
        pcre2_get_error_message(error, message, sizeof message);
        return es_fail(why, ES_CONFIG_REMOTE_USER, "regex \"%.200s\" does not compile: %s at offset %lu", pattern,
                       (const char *)message, (unsigned long)at);
    }
    apr_pool_cleanup_register(pool, made->regex, free_code, apr_pool_cleanup_null);
    return ES_OK;
}

static void add_text(apr_array_header_t *pieces, const char *text, apr_size_t len, apr_pool_t *pool)
{
    const piece_t piece = { apr_pstrmemdup(pool, text, len), 0 };

    if (len > 0) {
        APR_ARRAY_PUSH(pieces, piece_t) = piece;
    }
}

/* $0 to $9, and $$ for a $. A backslash is nothing but that: DOMAIN\$1 is what many want. */
static es_rv_t read_replacement(match_t *made, const char *text, es_why_t *why, apr_pool_t *pool)
{
    apr_array_header_t *pieces = apr_array_make(pool, 4, sizeof(piece_t));
    const char *start = text, *c;
    uint32_t groups = 0;

    pcre2_pattern_info(made->regex, PCRE2_INFO_CAPTURECOUNT, &groups);
    for (c = text; *c; c++) {
        if (apr_iscntrl(*c)) {
            return es_fail(why, ES_CONFIG_REMOTE_USER, "the replacement \"%.200s\" holds a control character", text);
        }
        if (*c == '$' && c[1] == '$') {
            add_text(pieces, start, (apr_size_t)(c - start), pool);
            start = ++c;
        } else if (*c == '$') {
            const piece_t piece = { NULL, (unsigned)(c[1] - '0') };

            if (!apr_isdigit(c[1]) || piece.group > groups) {
                return es_fail(why, ES_CONFIG_REMOTE_USER,
                               "the replacement \"%.200s\" has a $ without the number of a group: the regex has %u",
                               text, (unsigned)groups);
            }
            add_text(pieces, start, (apr_size_t)(c - start), pool);
            APR_ARRAY_PUSH(pieces, piece_t) = piece;
            start = ++c + 1;
        }
    }
    add_text(pieces, start, (apr_size_t)(c - start), pool);
    made->pieces = pieces;
    return pieces->nelts ? ES_OK : es_fail(why, ES_CONFIG_REMOTE_USER, "the replacement is empty");
}

static es_rv_t make_matches(es_username_t *made, const es_username_conf_t *conf, es_why_t *why, apr_pool_t *pool)
{
    apr_array_header_t *matches = apr_array_make(pool, conf->n_matches, sizeof(match_t));
    int i;

    for (i = 0; i < conf->n_matches; i++) {
        match_t match = { NULL, NULL };
        es_rv_t rv = compile(&match, conf->matches[2 * i], why, pool);

        if (rv == ES_OK) {
            rv = read_replacement(&match, conf->matches[2 * i + 1], why, pool);
        }
        if (rv != ES_OK) {
            return rv;
        }
        APR_ARRAY_PUSH(matches, match_t) = match;
    }
    made->matches = matches;
    made->limits = pcre2_match_context_create(NULL);
    if (!made->limits) {
        return es_fail(why, ES_INTERNAL, "PCRE2 has no memory for a match context");
    }
    apr_pool_cleanup_register(pool, made->limits, free_context, apr_pool_cleanup_null);
    pcre2_set_match_limit(made->limits, STEPS_MAX);
    pcre2_set_depth_limit(made->limits, STEPS_MAX);
    return ES_OK;
}

/* Letters beyond ASCII too: Entra's domains may be internationalised, and show as they are written. */
static int is_domain(const char *text)
{
    const unsigned char *c;

    for (c = (const unsigned char *)text; *c >= 0x80 || apr_isalnum(*c) || *c == '-' || *c == '.'; c++) {
    }
    return *text && *text != '.' && !*c && strlen(text) <= DOMAIN_MAX;
}

static es_rv_t read_domains(es_username_t *made, const es_username_conf_t *conf, es_why_t *why)
{
    const char *const *list = conf->domains;
    int i, is_on;

    if (!list || !list[0] || (!list[1] && strcasecmp(list[0], "Off") == 0)) {
        return ES_OK;
    }
    is_on = !list[1] && strcasecmp(list[0], "On") == 0;
    if (is_on && conf->has_tenants) {
        return es_fail(why, ES_CONFIG_REMOTE_USER,
                       "On makes one user of all that have the same name in the domains of several tenants: name the "
                       "domain");
    }
    for (i = 0; !is_on && list[i]; i++) {
        if (!is_domain(list[i]) || strcasecmp(list[i], "On") == 0 || strcasecmp(list[i], "Off") == 0) {
            return es_fail(why, ES_CONFIG_REMOTE_USER, "\"%.200s\" is no domain", list[i]);
        }
    }
    made->is_stripped = 1;
    made->domains = is_on ? NULL : list;
    return ES_OK;
}

es_rv_t es_username_make(const es_username_t **username, const es_username_conf_t *conf, es_why_t *why,
                         apr_pool_t *pool)
{
    es_username_t *made = apr_pcalloc(pool, sizeof *made);
    es_rv_t rv = read_domains(made, conf, why);

    made->is_lower = conf->is_lower;
    if (rv == ES_OK && conf->n_matches > 0) {
        rv = make_matches(made, conf, why, pool);
    }
    if (rv == ES_OK) {
        *username = made->matches || made->is_stripped || made->is_lower ? made : NULL;
    }
    return rv;
}

int es_username_joins_domains(const es_username_t *username)
{
    return username && username->is_stripped && (!username->domains || username->domains[1]);
}

static const char *fill_in(const match_t *match, const char *value, pcre2_match_data *data, apr_pool_t *pool)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
    const uint32_t known = pcre2_get_ovector_count(data);
    apr_array_header_t *parts = apr_array_make(pool, match->pieces->nelts, sizeof(const char *));
    int i;

    for (i = 0; i < match->pieces->nelts; i++) {
        const piece_t *piece = &APR_ARRAY_IDX(match->pieces, i, piece_t);
        const unsigned group = piece->group;

        if (piece->text) {
            APR_ARRAY_PUSH(parts, const char *) = piece->text;
        } else if (group < known && at[2 * group] != PCRE2_UNSET && at[2 * group] <= at[2 * group + 1]) {
            APR_ARRAY_PUSH(parts, const char *) =
                apr_pstrmemdup(pool, value + at[2 * group], at[2 * group + 1] - at[2 * group]);
        }
    }
    return apr_array_pstrcat(pool, parts, 0);
}

/* The first that matches makes the name. One that gives up says nothing about the value, so that the next one must not
 * be asked. */
static es_rv_t replace(const char **user, const es_username_t *username, const char *value, es_why_t *why,
                       apr_pool_t *pool)
{
    int i, rc = PCRE2_ERROR_NOMATCH;

    for (i = 0; i < username->matches->nelts && rc == PCRE2_ERROR_NOMATCH; i++) {
        const match_t *match = &APR_ARRAY_IDX(username->matches, i, match_t);
        pcre2_match_data *data = pcre2_match_data_create_from_pattern(match->regex, NULL);

        rc = data ? pcre2_match(match->regex, (PCRE2_SPTR)value, PCRE2_ZERO_TERMINATED, 0, 0, data, username->limits)
                  : PCRE2_ERROR_NOMEMORY;
        if (rc > 0) {
            *user = fill_in(match, value, data, pool);
        }
        pcre2_match_data_free(data);
    }
    if (rc > 0) {
        return ES_OK;
    }
    return es_fail(why, ES_REMOTE_USER_UNFIT,
                   rc == PCRE2_ERROR_NOMATCH ? "no regex of EntraSAMLRemoteUserMatch matches the whole of \"%.200s\""
                                             : "matching \"%.200s\" fails, or takes more steps than a regex may",
                   value);
}

static const char *strip(const es_username_t *username, const char *value, apr_pool_t *pool)
{
    const char *at = strrchr(value, '@');
    const char *const *domain = username->domains;

    while (at && domain && *domain && strcasecmp(*domain, at + 1) != 0) {
        domain++;
    }
    return at && (!domain || *domain) ? apr_pstrmemdup(pool, value, (apr_size_t)(at - value)) : value;
}

/* A to Z only: what else has two cases is not the same in every language, and user names of Entra hold none of it. */
static const char *lower(const char *value, apr_pool_t *pool)
{
    char *text = apr_pstrdup(pool, value), *c;

    for (c = text; *c; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        }
    }
    return text;
}

es_rv_t es_username_apply(const char **user, const es_username_t *username, const char *value, es_why_t *why,
                          apr_pool_t *pool)
{
    const char *name = value;

    if (!username) {
        *user = value;
        return ES_OK;
    }
    if (username->matches && replace(&name, username, value, why, pool) != ES_OK) {
        return why->rv;
    }
    if (username->is_stripped) {
        name = strip(username, name, pool);
    }
    if (username->is_lower) {
        name = lower(name, pool);
    }
    if (!name[strspn(name, " ")]) {
        return es_fail(why, ES_REMOTE_USER_UNFIT, "nothing is left of \"%.200s\"", value);
    }
    *user = name;
    return ES_OK;
}
