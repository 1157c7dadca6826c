/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "entra/claims.h"

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>

#define NAME_ID 1
#define GROUPS_LINK 13
#define PREFIX "claim_"

static const struct {
    const char *short_name;
    const char *name;
} built_in[] = {
    { NULL, NULL }, /* numbers begin with 1 */
#define ES_CLAIM(number, short_name, name) [number] = { short_name, name },
#include "entra/claims.def"
#undef ES_CLAIM
};

unsigned es_claims_count(void)
{
    return (unsigned)(sizeof built_in / sizeof built_in[0]) - 1;
}

const char *es_claims_short_name(unsigned id)
{
    return id >= 1 && id <= es_claims_count() ? built_in[id].short_name : NULL;
}

static unsigned find_uri(const char *name)
{
    unsigned id;

    for (id = es_claims_count(); id && strcmp(built_in[id].name, name) != 0; id--) {
    }
    return id;
}

static unsigned find_short(const char *name)
{
    unsigned id;

    for (id = es_claims_count(); id && strcmp(built_in[id].short_name, name) != 0; id--) {
    }
    return id;
}

unsigned es_claims_find(const char *name)
{
    const unsigned id = find_uri(name);

    return id ? id : find_short(name);
}

static int is_separator(char c)
{
    return c == '/' || c == ':' || c == '#';
}

/* Our own variables beside those of the claims: of the link, of EntraSAMLGroup, of EntraSAMLHeaderLimit, and the
 * sign-out address. */
static int is_reserved(const char *short_name)
{
    return strcmp(short_name, ES_CLAIMS_OVERAGE) == 0 || strcmp(short_name, ES_CLAIMS_GROUP_NAMES) == 0 ||
           strcmp(short_name, ES_CLAIMS_HEADERS_MISSING) == 0 || strcmp(short_name, ES_CLAIMS_LOGOUT_URL) == 0;
}

const char *es_claims_derive(const char *name, apr_pool_t *pool)
{
    char text[ES_CLAIMS_SHORT_MAX + 1 - (sizeof PREFIX - 1)]; /* the prefix must find room before it */
    apr_size_t len = 0, start, end = strlen(name);
    int gap = 0;

    while (end > 0 && is_separator(name[end - 1])) {
        end--;
    }
    for (start = end; start > 0 && !is_separator(name[start - 1]); start--) {
    }
    for (; start < end; start++) {
        const char c = name[start];

        if ((unsigned char)c >= 0x80 || !apr_isalnum(c)) {
            gap = len > 0;
            continue;
        }
        if (len + 1 + (apr_size_t)gap >= sizeof text) {
            break;
        }
        if (gap) {
            text[len++] = '_';
        }
        gap = 0;
        text[len++] = (char)apr_tolower(c);
    }
    text[len] = '\0';
    if (len == 0 || apr_isdigit(text[0]) || find_short(text) || is_reserved(text)) {
        return apr_pstrcat(pool, PREFIX, text, NULL);
    }
    return apr_pstrmemdup(pool, text, len);
}

static int is_short_name(const char *text)
{
    const apr_size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return text[0] >= 'a' && text[0] <= 'z' && text[len] == '\0' && len <= ES_CLAIMS_SHORT_MAX;
}

static int is_full_name(const char *text)
{
    const unsigned char *c;

    for (c = (const unsigned char *)text; *c > 0x20 && *c != 0x7f; c++) {
    }
    return *text && !*c;
}

es_rv_t es_claims_check_aliases(const es_claim_alias_t *aliases, int n_aliases, es_why_t *why)
{
    int i, j;

    for (i = 0; i < n_aliases; i++) {
        const es_claim_alias_t *alias = &aliases[i];
        unsigned id;

        if (!is_full_name(alias->name)) {
            return es_fail(why, ES_CONFIG_CLAIM, "\"%.200s\" is not a claim name", alias->name);
        }
        if (!is_short_name(alias->short_name)) {
            return es_fail(why, ES_CONFIG_CLAIM, "\"%.200s\" is not a short name of a-z, 0-9 and _ (at most %d)",
                           alias->short_name, ES_CLAIMS_SHORT_MAX);
        }
        if ((id = es_claims_find(alias->name)) != 0) {
            return es_fail(why, ES_CONFIG_CLAIM, "claim %.200s is built in as %s", alias->name,
                           built_in[id].short_name);
        }
        if ((id = find_short(alias->short_name)) != 0) {
            return es_fail(why, ES_CONFIG_CLAIM, "short name %s is the built-in claim %s", alias->short_name,
                           built_in[id].name);
        }
        if (is_reserved(alias->short_name)) {
            return es_fail(why, ES_CONFIG_CLAIM, "short name %s is a variable of the module's own", alias->short_name);
        }
        for (j = 0; j < i; j++) {
            if (strcmp(aliases[j].short_name, alias->short_name) == 0) {
                return es_fail(why, ES_CONFIG_CLAIM, "short name %s is given to %.200s and to %.200s",
                               alias->short_name, aliases[j].name, alias->name);
            }
            if (strcmp(aliases[j].name, alias->name) == 0) {
                return es_fail(why, ES_CONFIG_CLAIM, "claim %.200s is given two short names, %s and %s", alias->name,
                               aliases[j].short_name, alias->short_name);
            }
        }
    }
    return ES_OK;
}

/* All attributes of one full name. */
typedef struct {
    es_claim_t claim;
    int chosen; /* by URI or by the administrator: before a bare word or a derived name */
    int slot;
    const char **fill; /* where its next value goes; NULL when another source has the slot */
} source_t;

static void name_source(source_t *source, const char *name, const es_claim_alias_t *aliases, int n_aliases,
                        apr_pool_t *pool)
{
    es_claim_t *claim = &source->claim;
    int i;

    claim->name = name;
    claim->id = find_uri(name);
    source->chosen = claim->id != 0;
    if (!claim->id) {
        claim->id = find_short(name);
    }
    if (claim->id) {
        claim->short_name = built_in[claim->id].short_name;
        return;
    }
    for (i = 0; i < n_aliases; i++) {
        if (strcmp(aliases[i].name, name) == 0) {
            claim->short_name = aliases[i].short_name;
            source->chosen = 1;
            return;
        }
    }
    claim->short_name = es_claims_derive(name, pool);
}

/* The sources by full name, each with the number of its values. Hashed, since an assertion may repeat one name for each
 * of 2,000 groups or hold thousands of names. */
static int read_sources(source_t *sources, source_t **of_attribute, const es_assertion_t *assertion,
                        const es_claim_alias_t *aliases, int n_aliases, apr_pool_t *pool)
{
    apr_hash_t *by_name = apr_hash_make(pool);
    int i, n = 0;

    for (i = 0; i < assertion->n_attributes; i++) {
        const es_attribute_t *attribute = &assertion->attributes[i];
        source_t *source;

        of_attribute[i] = NULL;
        if (attribute->count == 0) {
            continue;
        }
        source = apr_hash_get(by_name, attribute->name, APR_HASH_KEY_STRING);
        if (!source) {
            source = &sources[n++];
            name_source(source, attribute->name, aliases, n_aliases, pool);
            apr_hash_set(by_name, attribute->name, APR_HASH_KEY_STRING, source);
        }
        source->claim.count += attribute->count;
        of_attribute[i] = source;
    }
    return n;
}

/* One winner a short name; returns how many slots there are. */
static int choose_sources(source_t **winners, int *n_dropped, source_t *sources, int n_sources, apr_pool_t *pool)
{
    apr_hash_t *by_short = apr_hash_make(pool);
    int i, n = 0;

    for (i = 0; i < n_sources; i++) {
        source_t *source = &sources[i];
        source_t *rival;

        if (source->claim.id == NAME_ID) {
            ++*n_dropped;
            continue;
        }
        rival = apr_hash_get(by_short, source->claim.short_name, APR_HASH_KEY_STRING);
        if (!rival) {
            source->slot = n++;
        } else {
            ++*n_dropped;
            if (rival->chosen || !source->chosen) {
                continue;
            }
            source->slot = rival->slot;
        }
        winners[source->slot] = source;
        apr_hash_set(by_short, source->claim.short_name, APR_HASH_KEY_STRING, source);
    }
    return n;
}

/* The subject's identifier is a claim like any other to rules and environment. */
static int add_name_id(es_claim_t *claim, const es_assertion_t *assertion, apr_pool_t *pool)
{
    const char **value;

    if (!assertion->name_id || !*assertion->name_id) {
        return 0;
    }
    value = apr_palloc(pool, sizeof *value);
    *value = assertion->name_id;
    claim->id = NAME_ID;
    claim->name = built_in[NAME_ID].name;
    claim->short_name = built_in[NAME_ID].short_name;
    claim->count = 1;
    claim->values = value;
    return 1;
}

es_rv_t es_claims_read(const es_claim_t **claims, int *n_claims, int *n_dropped, const es_assertion_t *assertion,
                       const es_claim_alias_t *aliases, int n_aliases, es_why_t *why, apr_pool_t *pool)
{
    const apr_size_t n_attributes = (apr_size_t)assertion->n_attributes;
    source_t *sources = apr_pcalloc(pool, (n_attributes + 1) * sizeof *sources);
    source_t **of_attribute = apr_pcalloc(pool, (n_attributes + 1) * sizeof *of_attribute);
    source_t **winners = apr_pcalloc(pool, (n_attributes + 1) * sizeof *winners);
    es_claim_t *list = apr_pcalloc(pool, (n_attributes + 1) * sizeof *list);
    int i, n_winners, n = add_name_id(list, assertion, pool), dropped = 0;

    (void)why;
    n_winners = choose_sources(winners, &dropped, sources,
                               read_sources(sources, of_attribute, assertion, aliases, n_aliases, pool), pool);
    for (i = 0; i < n_winners; i++) {
        winners[i]->fill = apr_palloc(pool, (apr_size_t)winners[i]->claim.count * sizeof(char *));
        winners[i]->claim.values = winners[i]->fill;
        list[n++] = winners[i]->claim;
    }
    for (i = 0; i < assertion->n_attributes; i++) {
        const es_attribute_t *attribute = &assertion->attributes[i];

        if (of_attribute[i] && of_attribute[i]->fill) {
            memcpy(of_attribute[i]->fill, attribute->values, (apr_size_t)attribute->count * sizeof(char *));
            of_attribute[i]->fill += attribute->count;
        }
    }
    *claims = list;
    *n_claims = n;
    *n_dropped = dropped;
    return ES_OK;
}

/* C0, DEL, and C1 as UTF-8 has it: none of them may reach a log line, a header or a user name. */
static int has_control(const char *text)
{
    const unsigned char *c;

    for (c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)) {
            return 1;
        }
    }
    return 0;
}

/* What keeps a claim from being the user's name; NULL when nothing does. */
static const char *unfit_user(const es_claim_t *claim)
{
    if (!claim) {
        return "absent";
    }
    if (claim->count != 1) {
        return "several values";
    }
    if (!*claim->values[0]) {
        return "empty";
    }
    if (has_control(claim->values[0])) {
        return "a control character";
    }
    /* HTTP takes such blanks off a header (RFC 9110 section 5.5): "ada " would be ada to a backend. */
    return claim->values[0][0] == ' ' || claim->values[0][strlen(claim->values[0]) - 1] == ' ' ? "a blank at an end"
                                                                                               : NULL;
}

static const es_claim_t *find_claim(const es_claim_t *claims, int n_claims, const char *short_name)
{
    int i;

    for (i = 0; i < n_claims; i++) {
        if (strcmp(claims[i].short_name, short_name) == 0) {
            return &claims[i];
        }
    }
    return NULL;
}

es_rv_t es_claims_check_required(const char *const *list, int count, es_why_t *why)
{
    int i;

    for (i = 0; i < count; i++) {
        if (!is_short_name(list[i])) {
            return es_fail(why, ES_CONFIG_CLAIM, "\"%.200s\" is not the short name of a claim (a-z, 0-9, _)", list[i]);
        }
    }
    return ES_OK;
}

static int has_value(const es_claim_t *claim)
{
    int i;

    for (i = 0; i < claim->count; i++) {
        if (claim->values[i][strspn(claim->values[i], " \t\r\n")] != '\0') {
            return 1;
        }
    }
    return 0;
}

es_rv_t es_claims_require(const es_claim_t *claims, int n_claims, const char *const *list, es_why_t *why)
{
    for (; *list; list++) {
        const es_claim_t *claim = find_claim(claims, n_claims, *list);

        if (!claim || !has_value(claim)) {
            return es_fail(why, ES_CLAIM_MISSING, "claim %.64s is %s", *list, claim ? "empty" : "absent");
        }
    }
    return ES_OK;
}

int es_claims_overage(const es_claim_t *claims, int n_claims)
{
    int i;

    for (i = 0; i < n_claims; i++) {
        if (claims[i].id == GROUPS_LINK) {
            return 1;
        }
    }
    return 0;
}

es_rv_t es_claims_user(const char **user, const es_claim_t *claims, int n_claims, const char *const *list,
                       es_why_t *why)
{
    char text[400] = "";
    apr_size_t len = 0;

    for (; *list; list++) {
        const es_claim_t *claim = find_claim(claims, n_claims, *list);
        const char *unfit;

        if ((unfit = unfit_user(claim)) == NULL) {
            *user = claim->values[0];
            return ES_OK;
        }
        apr_snprintf(text + len, sizeof text - len, "%s%.64s (%s)", len ? ", " : "", *list, unfit);
        len = strlen(text);
    }
    return es_fail(why, ES_REMOTE_USER_MISSING, "no claim of EntraSAMLRemoteUser names the user: %s", text);
}
