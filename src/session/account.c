/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/account.h"

#include "base/guid.h"

#include <apr_strings.h>
#include <strings.h>

#define VALUE_MAX 255
#define ADDRESS_MAX 254 /* RFC 5321, 4.5.3.1.3, less the angle brackets */
#define LOCAL_MAX 64
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define DOMAIN_CHARACTERS LOWER UPPER DIGITS "-."
/* RFC 5322 atext without what shells, SQL patterns and percent hacks make something else of. */
#define LOCAL_CHARACTERS LOWER UPPER DIGITS "-._+'&=~"
#define GUEST_MARK "#EXT#" /* in the User Principal Name that Entra gives a guest */

static const char *const states[ES_ACCOUNT_STATES] = { "pending", "active", "disabled" };

const char *es_account_state_text(es_account_state_t state)
{
    return states[state];
}

int es_account_state_read(es_account_state_t *state, const char *text)
{
    int i;

    for (i = 0; text && i < ES_ACCOUNT_STATES; i++) {
        if (strcmp(states[i], text) == 0) {
            *state = (es_account_state_t)i;
            return 1;
        }
    }
    return 0;
}

es_rv_t es_account_key_of_user(es_account_key_t *key, const char *tenant, const char *object, es_why_t *why,
                               apr_pool_t *pool)
{
    const char *tenant_guid = tenant ? es_guid_read(tenant, pool) : NULL;
    const char *object_guid = object ? es_guid_read(object, pool) : NULL;

    if (!tenant_guid || !object_guid) {
        return es_fail(why, ES_ACCOUNT_KEY, "claim %s is %s", tenant_guid ? "objectidentifier" : "tenantid",
                       (tenant_guid ? object : tenant) ? "no GUID" : "absent");
    }
    key->authority = apr_pstrcat(pool, "tenant:", tenant_guid, NULL);
    key->subject = object_guid;
    return ES_OK;
}

/* What is wrong with a key's value; NULL when nothing is. */
static const char *unfit_value(const char *value)
{
    const unsigned char *c;

    if (!value || !*value) {
        return "absent or empty";
    }
    if (strlen(value) > VALUE_MAX) {
        return "too long";
    }
    for (c = (const unsigned char *)value; *c; c++) {
        if (*c <= ' ' || *c == 0x7f) {
            return "not free of white space and control characters";
        }
    }
    return NULL;
}

es_rv_t es_account_key_of_value(es_account_key_t *key, const char *connection, const char *tenant, const char *value,
                                es_why_t *why, apr_pool_t *pool)
{
    const char *unfit = unfit_value(value);

    if (unfit) {
        return es_fail(why, ES_ACCOUNT_KEY, "the value of the claim of EntraSAMLAccountsKey is %s", unfit);
    }
    key->authority = apr_pstrcat(pool, "connection:", connection, tenant ? "/" : NULL, tenant, NULL);
    key->subject = apr_pstrdup(pool, value);
    return ES_OK;
}

int es_account_key_equal(const es_account_key_t *a, const es_account_key_t *b)
{
    return a->authority && b->authority && a->subject && b->subject && strcmp(a->authority, b->authority) == 0 &&
           strcmp(a->subject, b->subject) == 0;
}

int es_account_is_issuers(const char *tenant, const char *issuer)
{
    const apr_size_t len = strlen(tenant);
    const char *slash = issuer;

    while ((slash = strchr(slash, '/'))) {
        slash++;
        if (strncasecmp(slash, tenant, len) == 0 && (slash[len] == '/' || slash[len] == '\0')) {
            return 1;
        }
    }
    return 0;
}

static char *lower(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);
    char *c;

    for (c = copy; *c; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c + ('a' - 'A'));
        }
    }
    return copy;
}

/* Labels of letters, digits and inner hyphens, at least two of them (RFC 1123, 2.1). */
static int is_domain(const char *text)
{
    const char *label = text;
    int labels = 0;

    if (text[strspn(text, DOMAIN_CHARACTERS)] != '\0' || strlen(text) > 253) {
        return 0;
    }
    for (;;) {
        const apr_size_t len = strcspn(label, ".");

        if (len == 0 || len > 63 || label[0] == '-' || label[len - 1] == '-') {
            return 0;
        }
        labels++;
        if (label[len] == '\0') {
            return labels > 1;
        }
        label += len + 1;
    }
}

const char *es_account_domain_read(const char *text, apr_pool_t *pool)
{
    return is_domain(text) ? lower(text, pool) : NULL;
}

es_rv_t es_account_address_read(const char **address, const char *text, es_why_t *why, apr_pool_t *pool)
{
    const apr_size_t local = text ? strspn(text, LOCAL_CHARACTERS) : 0;

    if (local == 0 || local > LOCAL_MAX || strlen(text) > ADDRESS_MAX || text[local] != '@' ||
        !is_domain(text + local + 1)) {
        return es_fail(why, ES_ACCOUNT_ADDRESS, "\"%.200s\" is no plain address", text ? text : "");
    }
    *address = lower(text, pool);
    return ES_OK;
}

/* A row's address may have been typed. */
static int is_for(const es_account_t *row, const char *address, apr_pool_t *pool)
{
    es_why_t ignored = ES_WHY_INIT;
    const char *own;

    return row->address && es_account_address_read(&own, row->address, &ignored, pool) == ES_OK &&
           strcmp(own, address) == 0;
}

static int is_assigned(const char *const *domains, const char *address)
{
    const char *domain = strchr(address, '@') + 1;

    for (; domains && *domains; domains++) {
        if (strcmp(*domains, domain) == 0) {
            return 1;
        }
    }
    return 0;
}

/* What speaks against his being a member of the tenant; NULL where something proves that he is one. Silence proves
 * nothing: an administrator may have deleted the claims that would tell. */
static const char *guest_by(const es_account_person_t *person, apr_pool_t *pool)
{
    const char *provider = person->identity_provider;
    int proven = 0;

    if (person->member) {
        if (strcmp(person->member, "0") != 0) {
            return "acct";
        }
        proven = 1;
    }
    if (person->principal && strcasestr(person->principal, GUEST_MARK)) {
        return "the User Principal Name";
    }
    if (provider) {
        if (!(person->issuer && strcmp(provider, person->issuer) == 0) &&
            !(person->tenant &&
              strcmp(provider, apr_pstrcat(pool, "https://sts.windows.net/", person->tenant, "/", NULL)) == 0)) {
            return "identityprovider";
        }
        proven = 1;
    }
    return proven ? NULL : "the absence of both identityprovider and acct";
}

/* May prepared rows become his at all? */
static es_rv_t check_person(const es_account_person_t *person, es_why_t *why, apr_pool_t *pool)
{
    const char *guest = guest_by(person, pool), *principal;
    es_why_t ignored = ES_WHY_INIT;

    if (guest) {
        return es_fail(why, ES_ACCOUNT_GUEST, "a row is prepared for %.200s, but by %s the user is a guest",
                       person->address, guest);
    }
    if (!is_assigned(person->domains, person->address)) {
        return es_fail(why, ES_ACCOUNT_DOMAIN,
                       "a row is prepared for %.200s, whose domain EntraSAMLAccountsDomains does not name",
                       person->address);
    }
    if (person->is_principal) {
        return ES_OK;
    }
    /* Mail is whatever somebody wrote into the directory; the suffix of a User Principal Name is a domain that the
     * tenant has proven to own (Microsoft, "Optional claims reference"). */
    if (!person->principal || es_account_address_read(&principal, person->principal, &ignored, pool) != ES_OK ||
        !is_assigned(person->domains, principal)) {
        return es_fail(why, ES_ACCOUNT_UNVERIFIED,
                       "a row is prepared for %.200s, but the User Principal Name \"%.200s\" is of no assigned domain",
                       person->address, person->principal ? person->principal : "");
    }
    return ES_OK;
}

es_rv_t es_account_choose(const es_account_t **row, int *bound, const es_account_t *rows, int n_rows,
                          const es_account_person_t *person, es_why_t *why, apr_pool_t *pool)
{
    const es_account_t *found = NULL, *foreign = NULL;
    int i, n_found = 0, n_bound = 0;
    es_rv_t rv;

    for (i = 0; i < n_rows; i++) {
        if (!is_for(&rows[i], person->address, pool)) {
            continue;
        }
        if (rows[i].key.authority || rows[i].key.subject) {
            n_bound++;
        } else if (!rows[i].connection || strcmp(rows[i].connection, person->connection) != 0) {
            foreign = &rows[i];
        } else {
            found = &rows[i];
            n_found++;
        }
    }
    if (n_found > 1) {
        return es_fail(why, ES_ACCOUNT_AMBIGUOUS, "%d rows are prepared for %.200s", n_found, person->address);
    }
    if (!found && foreign) {
        return es_fail(why, ES_ACCOUNT_CONNECTION, "the row that is prepared for %.200s is of connection %.64s, not %s",
                       person->address, foreign->connection ? foreign->connection : "(none)", person->connection);
    }
    if (found && (rv = check_person(person, why, pool)) != ES_OK) {
        return rv;
    }
    *row = found;
    *bound = n_bound > 0;
    return ES_OK;
}
