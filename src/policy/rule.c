/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/rule.h"

#include "base/guid.h"

#define PCRE2_CODE_UNIT_WIDTH 8

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <pcre2.h>

/* Steps a regex may take for one value. Patterns that need to go back and forth a lot pass it only on values that were
 * made for that; then the value does not match, and no further one is tried. */
#define STEPS_MAX 50000

typedef struct {
    unsigned id; /* 0: by name */
    const char *name;
    int is_guid;
    const char *plain; /* the value as written */
    const char *value; /* escaped as the record holds it, a GUID in lower case; NULL for a regex */
    pcre2_code *regex;
} term_t;

struct es_rule_t {
    int n_terms;
    const term_t *terms;
    unsigned groups, groups_link, roles; /* the numbers of these claims */
    pcre2_match_context *limits;
    pcre2_match_data
        *spare; /* what a match works in, kept for the next one; the only thing here that is ever written */
};

typedef enum {
    MET,
    ABSENT,
    UNKNOWN, /* Entra sent a link in place of the groups */
    NO_MATCH,
    GIVEN_UP /* the regex took too many steps, or PCRE2 had no memory */
} outcome_t;

static apr_status_t free_code(void *code)
{
    pcre2_code_free(code);
    return APR_SUCCESS;
}

/* What the rule made for its matches. */
static apr_status_t free_rest(void *made)
{
    es_rule_t *rule = made;

    pcre2_match_context_free(rule->limits);
    pcre2_match_data_free(rule->spare);
    return APR_SUCCESS;
}

/* Cuts the next term off the line, quotes and backslashes resolved; *quoted says whether it stood in quotes. */
static es_rv_t next_term(const char **term, int *quoted, const char **line, es_why_t *why, apr_pool_t *pool)
{
    const char *in = *line;
    const char quote = *in == '"' || *in == '\'' ? *in : '\0';
    char *text = apr_palloc(pool, strlen(in) + 1), *out = text;

    if (quote) {
        in++;
    }
    while (*in && (quote ? *in != quote : !apr_isspace(*in))) {
        if (*in == '\\' && (in[1] == '\\' || (quote && in[1] == quote))) {
            in++;
        }
        *out++ = *in++;
    }
    *out = '\0';
    if (quote && *in++ != quote) {
        return es_fail(why, ES_CONFIG_RULE, "a quotation mark is not closed: %.200s", *line);
    }
    if (*in && !apr_isspace(*in)) {
        return es_fail(why, ES_CONFIG_RULE, "something follows a closing quotation mark: %.200s", in);
    }
    while (apr_isspace(*in)) {
        in++;
    }
    *term = text;
    *quoted = quote != '\0';
    *line = in;
    return ES_OK;
}

/* Where the name may end at the earliest: behind "https://host:8443" in a URI. */
static const char *behind_authority(const char *term)
{
    const char *c;

    if (apr_cstr_casecmpn(term, "http://", 7) != 0 && apr_cstr_casecmpn(term, "https://", 8) != 0) {
        return term;
    }
    c = strstr(term, "//") + 2;
    c += strcspn(c, "/:~");
    if (*c == ':') {
        const char *port = c + 1 + strspn(c + 1, "0123456789");

        return port > c + 1 && *port == '/' ? port : c;
    }
    return c;
}

/* A GUID as Entra writes it, in lower case: then comparing need not fold. */
static void take_value(term_t *made, const char *value, apr_pool_t *pool)
{
    const char *guid = es_guid_read(value, pool);

    made->plain = value;
    made->is_guid = guid != NULL;
    made->value = es_session_escape(guid ? guid : value, pool);
}

static es_rv_t take_regex(term_t *made, const char *pattern, es_why_t *why, apr_pool_t *pool)
{
    /* DOLLAR_ENDONLY: else "^admin$" would take a value with a line feed behind it, did a record hold one */
    const uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    PCRE2_UCHAR message[160];
    PCRE2_SIZE at;
    int error;

    made->regex = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &at, NULL);
    if (!made->regex) {
        pcre2_get_error_message(error, message, sizeof message);
        return es_fail(why, ES_CONFIG_REGEX, "regex \"%.200s\" of claim %.200s does not compile: %s at offset %lu",
                       pattern, made->name, (const char *)message, (unsigned long)at);
    }
    apr_pool_cleanup_register(pool, made->regex, free_code, apr_pool_cleanup_null);
    /* Faster where the system lets us; where not (no memory both writable and executable), PCRE2 interprets. */
    pcre2_jit_compile(made->regex, PCRE2_JIT_COMPLETE);
    return ES_OK;
}

static es_rv_t take_term(term_t *made, const char *term, int quoted, es_rule_resolve_t *resolve, es_why_t *why,
                         apr_pool_t *pool)
{
    const char *start = behind_authority(term);
    const char *end = start + strcspn(start, ":~");
    const char *value;

    if (!*end) {
        return es_fail(why, ES_CONFIG_RULE, "\"%.200s\" is neither name:value nor name~regex", term);
    }
    value = end + 1;
    made->name = apr_pstrmemdup(pool, term, (apr_size_t)(end - term));
    if (!*made->name || !*value) {
        return es_fail(why, ES_CONFIG_RULE, "\"%.200s\" has no name or nothing behind it", term);
    }
    if (apr_cstr_casecmp(made->name, "urn") == 0) {
        return es_fail(why, ES_CONFIG_RULE, "\"%.200s\": give the claim a short name with EntraSAMLClaim", term);
    }
    if (!quoted && (*value == '"' || *value == '\'')) {
        return es_fail(why, ES_CONFIG_RULE, "\"%.200s\": quotation marks belong around name and value", term);
    }
    made->id = resolve(made->name);
    if (*end == '~') {
        return take_regex(made, value, why, pool);
    }
    take_value(made, value, pool);
    return ES_OK;
}

es_rv_t es_rule_make(es_rule_t **rule, const char *line, es_rule_resolve_t *resolve, es_why_t *why, apr_pool_t *pool)
{
    es_rule_t *made = apr_pcalloc(pool, sizeof *made);
    apr_array_header_t *terms = apr_array_make(pool, 4, sizeof(term_t));

    while (apr_isspace(*line)) {
        line++;
    }
    if (!*line) {
        return es_fail(why, ES_CONFIG_RULE, "there is nothing behind Require claim");
    }
    while (*line) {
        const char *term = NULL;
        int quoted = 0;
        es_rv_t rv = next_term(&term, &quoted, &line, why, pool);

        if (rv == ES_OK) {
            rv = take_term(apr_array_push(terms), term, quoted, resolve, why, pool);
        }
        if (rv != ES_OK) {
            return rv;
        }
    }
    made->groups = resolve("groups");
    made->groups_link = resolve("groups_link");
    made->roles = resolve("roles");
    made->limits = pcre2_match_context_create(NULL);
    if (!made->limits) {
        return es_fail(why, ES_INTERNAL, "PCRE2 has no memory for a match context");
    }
    apr_pool_cleanup_register(pool, made, free_rest, apr_pool_cleanup_null);
    pcre2_set_match_limit(made->limits, STEPS_MAX);
    pcre2_set_depth_limit(made->limits, STEPS_MAX);
    made->terms = (const term_t *)terms->elts;
    made->n_terms = terms->nelts;
    *rule = made;
    return ES_OK;
}

static const char *value_at(const es_session_claim_t *claim, int index)
{
    return claim->joined + claim->sorted[index];
}

/* Binary search in the sorted index. Values that differ in case only stand together, so that either way of comparing
 * finds its own. */
static int holds_value(const es_session_claim_t *claim, const char *value, int is_guid)
{
    int low = 0, high = claim->count;

    while (low < high) {
        const int middle = low + (high - low) / 2;
        const char *found = value_at(claim, middle);
        const int order = is_guid ? es_session_compare_folded(found, value) : es_session_compare(found, value);

        if (order == 0) {
            return 1;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return 0;
}

int es_rule_holds_guid(const es_session_claim_t *claim, const char *guid)
{
    return holds_value(claim, guid, 1);
}

apr_array_header_t *es_rule_group_names(const es_groups_t *groups, const es_session_claim_t *claim, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, groups->count, sizeof(const char *));
    int i;

    for (i = 0; i < groups->count; i++) {
        if (es_rule_holds_guid(claim, groups->groups[i].guid)) {
            APR_ARRAY_PUSH(names, const char *) = groups->groups[i].name;
        }
    }
    return names;
}

/* Values with escapes up to this length are read without an allocation. */
#define ROOM 512

/* The next of the joined values, without its escapes: in place where it has none, else in `room` where that is enough.
 * NULL behind the last one. */
static const char *next_value(apr_size_t *len, const char **joined, char *room, apr_pool_t *pool)
{
    const char *start = *joined, *in = start;
    apr_size_t plain, n = 0;
    char *text;

    if (!start) {
        return NULL;
    }
    plain = strcspn(start, ";\\");
    if (start[plain] != '\\') {
        *len = plain;
        *joined = start[plain] ? start + plain + 1 : NULL;
        return start;
    }
    while (*in && *in != ';') {
        in += *in == '\\' && in[1] ? 2 : 1;
    }
    text = in - start <= ROOM ? room : apr_palloc(pool, (apr_size_t)(in - start));
    *joined = *in ? in + 1 : NULL;
    for (; start < in; start++) {
        start += *start == '\\' && start + 1 < in;
        text[n++] = *start;
    }
    *len = n;
    return text;
}

/* Of threads that match at once one has the spare, the others make their own, and the first to end leaves his. */
static pcre2_match_data *take_data(es_rule_t *rule)
{
    pcre2_match_data *data = __atomic_exchange_n(&rule->spare, NULL, __ATOMIC_ACQUIRE);

    return data ? data : pcre2_match_data_create(1, NULL);
}

static void leave_data(es_rule_t *rule, pcre2_match_data *data)
{
    pcre2_match_data *none = NULL;

    if (!__atomic_compare_exchange_n(&rule->spare, &none, data, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
        pcre2_match_data_free(data);
    }
}

static int match_value(const term_t *term, const es_rule_t *rule, pcre2_match_data *data, const char *value,
                       apr_size_t len)
{
    int rc = pcre2_match(term->regex, (PCRE2_SPTR)value, len, 0, 0, data, rule->limits);

    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
        rc = pcre2_match(term->regex, (PCRE2_SPTR)value, len, 0, PCRE2_NO_JIT, data, rule->limits);
    }
    return rc;
}

static int is_bad_utf(int rc)
{
    return rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21;
}

static outcome_t match_any(const term_t *term, es_rule_t *rule, const es_session_claim_t *claim, apr_pool_t *pool)
{
    pcre2_match_data *data = take_data(rule);
    const char *value, *joined = claim->joined;
    outcome_t outcome = data ? NO_MATCH : GIVEN_UP;
    char room[ROOM];
    apr_size_t len;

    while (outcome == NO_MATCH && (value = next_value(&len, &joined, room, pool)) != NULL) {
        const int rc = match_value(term, rule, data, value, len);

        if (rc >= 0) {
            outcome = MET;
        } else if (rc != PCRE2_ERROR_NOMATCH && !is_bad_utf(rc)) {
            outcome = GIVEN_UP;
        }
    }
    if (data) {
        leave_data(rule, data);
    }
    return outcome;
}

/* With a link in their place nobody knows the groups. Entra also sends groups as roles, or under a name of the
 * administrator's (then without any other value): of those an absent one may be meant. */
static int is_unknown(const term_t *term, const es_rule_t *rule, const es_session_t *session, int is_present)
{
    es_session_claim_t link;

    if (term->id != rule->groups && (is_present || (term->id && term->id != rule->roles))) {
        return 0;
    }
    return es_session_find(&link, session, rule->groups_link, NULL);
}

static outcome_t judge(const term_t *term, es_rule_t *rule, const es_session_t *session, const es_groups_t *groups,
                       apr_pool_t *pool)
{
    es_session_claim_t claim;
    const int is_present = es_session_find(&claim, session, term->id, term->name);
    const char *guid;

    if (is_unknown(term, rule, session, is_present)) {
        return UNKNOWN;
    }
    if (!is_present) {
        return ABSENT;
    }
    if (term->regex) {
        return match_any(term, rule, &claim, pool);
    }
    guid = term->id == rule->groups && !term->is_guid ? es_groups_find(groups, term->plain) : NULL;
    return holds_value(&claim, guid ? guid : term->value, guid || term->is_guid) ? MET : NO_MATCH;
}

/* One term's part of the sentence: names and numbers, no values. */
static void describe(char *text, apr_size_t room, const term_t *term, outcome_t outcome, const es_session_t *session)
{
    es_session_claim_t claim;

    if (outcome == UNKNOWN) {
        apr_snprintf(text, room, "claim %.100s is unknown, Entra sent groups.link", term->name);
    } else if (outcome == ABSENT || !es_session_find(&claim, session, term->id, term->name)) {
        apr_snprintf(text, room, "claim %.100s is absent", term->name);
    } else if (outcome == GIVEN_UP) {
        apr_snprintf(text, room, "a value of claim %.100s needs more steps than a regex may take", term->name);
    } else {
        apr_snprintf(text, room, "%s of %d value%s of claim %.100s matches", outcome == MET ? "one" : "none",
                     claim.count, claim.count == 1 ? "" : "s", term->name);
    }
}

const char *es_rule_explain(es_rule_t *rule, const es_session_t *session, const es_groups_t *groups, apr_pool_t *pool)
{
    char text[ES_WHY_TEXT] = "";
    apr_size_t len = 0;
    int i;

    for (i = 0; i < rule->n_terms && len + 3 < sizeof text; i++) {
        const outcome_t outcome = judge(&rule->terms[i], rule, session, groups, pool);

        len += (apr_size_t)apr_snprintf(text + len, sizeof text - len, "%s", i ? ", " : "");
        describe(text + len, sizeof text - len, &rule->terms[i], outcome, session);
        len = strlen(text);
        if (outcome == MET) {
            break; /* nothing behind it was looked at */
        }
    }
    return apr_pstrdup(pool, text);
}

/* A line of a log is not longer. */
#define VALUES_MAX 4096

const char *es_rule_values(const es_rule_t *rule, const es_session_t *session, apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 0; i < rule->n_terms && strlen(text) < VALUES_MAX; i++) {
        const term_t *term = &rule->terms[i];
        es_session_claim_t claim;

        if (es_session_find(&claim, session, term->id, term->name)) {
            text = apr_psprintf(pool, "%s%s%.100s=%.1000s", text, *text ? " " : "", term->name, claim.joined);
        }
    }
    return text;
}

/* Of a denial nothing is written down here: where rules are alternatives, most requests fail some. */
es_rv_t es_rule_check(es_rule_t *rule, const es_session_t *session, const es_groups_t *groups, apr_pool_t *pool)
{
    es_rv_t rv = ES_ACCESS_DENIED;
    int i;

    for (i = 0; i < rule->n_terms; i++) {
        const outcome_t outcome = judge(&rule->terms[i], rule, session, groups, pool);

        if (outcome == MET) {
            return ES_OK;
        }
        if (outcome == UNKNOWN) {
            rv = ES_GROUPS_UNKNOWN;
        }
    }
    return rv;
}
