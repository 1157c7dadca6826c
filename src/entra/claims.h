/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Claim URIs ↔ short names. The built-in ones stand in claims.def with a number that never changes, since session
 * records carry it; any other claim gets a safe name derived from its own.
 */
#ifndef ES_CLAIMS_H
#define ES_CLAIMS_H

#include "base/es.h"
#include "saml/assertion.h"

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

/* A safe short name from a full one: its last segment behind / : or #, lower-case, every run of other characters one _;
 * "claim_" before it when it would be empty, start with a digit, or be a built-in's. */
const char *es_claims_derive(const char *name, apr_pool_t *pool);

/* ES_CONFIG_CLAIM: a short name that is not [a-z][a-z0-9_]*, that a built-in claim has, or given twice. */
es_rv_t es_claims_check_aliases(const es_claim_alias_t *aliases, int n_aliases, es_why_t *why);

/* The claims of an assertion, one entry a short name, in order of appearance. Attributes of the same full name are
 * joined; a built-in claim under its URI wins over the bare word; of two unknown claims deriving the same short name
 * the first wins (*n_dropped counts the others). NameID is the claim "nameid", SessionIndex and the like are none.
 * Attributes without values are left out. */
es_rv_t es_claims_read(const es_claim_t **claims, int *n_claims, int *n_dropped, const es_assertion_t *assertion,
                       const es_claim_alias_t *aliases, int n_aliases, es_why_t *why, apr_pool_t *pool);

/* REMOTE_USER: the first of the listed short names that is present with exactly one non-empty value free of control
 * characters. ES_REMOTE_USER_MISSING names the list. */
es_rv_t es_claims_user(const char **user, const es_claim_t *claims, int n_claims, const char *const *list,
                       es_why_t *why);

#endif
