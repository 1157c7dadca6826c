/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Claim URIs ↔ short names. The built-in ones stand in claims.def with a number that never changes, since session
 * records carry it; any other claim gets a safe name derived from its own.
 */
#ifndef ES_CLAIMS_H
#define ES_CLAIMS_H

#include "base/es.h"
#include "saml/assertion.h"

/* Longest short name, derived or given. */
#define ES_CLAIMS_SHORT_MAX 64

/* EntraSAMLClaim: a full claim name and the short name the administrator gives it. */
typedef struct {
    const char *name;
    const char *short_name;
} es_claim_alias_t;

/* Built-in claims are numbered 1 … es_claims_count(). */
unsigned es_claims_count(void);
/* Short name of a number, NULL when there is no such. */
const char *es_claims_short_name(unsigned id);
/* Number of a claim by full name or by short name (a bare claim of a built-in short name is that claim); 0 = not built
 * in. */
unsigned es_claims_find(const char *name);

/* A safe short name from a full one: its last segment behind / : or #, lower-case, every run of anything but letters
 * and digits one _, none at either end, at most ES_CLAIMS_SHORT_MAX characters; "claim_" before it when it would be
 * empty, start with a digit, or be a built-in's or one of ours. */
const char *es_claims_derive(const char *name, apr_pool_t *pool);

/* ES_CONFIG_CLAIM: a short name that is not [a-z][a-z0-9_]* of at most ES_CLAIMS_SHORT_MAX characters, or that a
 * built-in claim or a variable of ours has; a full name that is empty, holds white space, or is built in itself; either given twice. */
es_rv_t es_claims_check_aliases(const es_claim_alias_t *aliases, int n_aliases, es_why_t *why);

/* The claims of an assertion, one entry a short name, in order of appearance, NameID ("nameid") first. Attributes of
 * the same full name are joined. Where two full names lead to one short name, one of them is taken: a built-in claim
 * under its URI before the bare word, an alias before a derived name, else the first; *n_dropped counts the others.
 * Nothing but the NameID is "nameid"; attributes that call themselves so are dropped. Attributes without values are
 * left out, values are taken over octet by octet. The texts are the assertion's and the aliases' own. Cannot fail. */
es_rv_t es_claims_read(const es_claim_t **claims, int *n_claims, int *n_dropped, const es_assertion_t *assertion,
                       const es_claim_alias_t *aliases, int n_aliases, es_why_t *why, apr_pool_t *pool);

/* Names that our own variables take: no claim may have them as its short name. */
#define ES_CLAIMS_OVERAGE "groups_overage"
#define ES_CLAIMS_GROUP_NAMES "group_names"
#define ES_CLAIMS_LOGOUT_URL "logout_url"
#define ES_CLAIMS_HEADERS_MISSING "headers_missing"

/* EntraSAMLRequiredClaims. ES_CONFIG_CLAIM: something that is no short name. */
es_rv_t es_claims_check_required(const char *const *list, int count, es_why_t *why);
/* ES_CLAIM_MISSING: one of the listed short names is absent, or has no value that is more than white space. */
es_rv_t es_claims_require(const es_claim_t *claims, int n_claims, const char *const *list, es_why_t *why);

/* Did Entra send a link in place of the groups? (Microsoft: "SAML token claims reference", groups overage) */
int es_claims_overage(const es_claim_t *claims, int n_claims);

/* REMOTE_USER: the first of the listed short names that is present with exactly one non-empty value free of control
 * characters and of blanks at its ends. ES_REMOTE_USER_MISSING names the list, and what was wrong with each. */
es_rv_t es_claims_user(const char **user, const es_claim_t *claims, int n_claims, const char *const *list,
                       es_why_t *why);

#endif
