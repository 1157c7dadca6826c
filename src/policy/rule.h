/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `Require claim name:value … name~regex …`: parsed and compiled at configuration, judged against a session record. One
 * line is met when any of its terms is (as mod_authz_core's own multi-valued Require lines).
 */
#ifndef ES_RULE_H
#define ES_RULE_H

#include "base/es.h"
#include "session/session.h"

typedef struct es_rule_t es_rule_t;

/* Resolves a claim name of a rule to its number, 0 when it is not built in (entra/claims: es_claims_find). */
typedef unsigned es_rule_resolve_t(const char *name);

/* The line behind the provider's name. Terms are separated by white space; quotes (" or ') keep a term together, as
 * httpd's own directives do. The name ends at the first ':' or '~' (behind "//" in an http(s) URI). A regex is PCRE2,
 * unanchored, matched against each value. ES_CONFIG_RULE, ES_CONFIG_REGEX. */
es_rv_t es_rule_make(es_rule_t **rule, const char *line, es_rule_resolve_t *resolve, es_why_t *why, apr_pool_t *pool);

/* ES_OK when a term is met; else ES_ACCESS_DENIED, and the sentence says for each term whether the claim was absent or
 * which number of values did not match (values themselves are not told). GUID values compare without regard to case,
 * all others exactly. */
es_rv_t es_rule_check(const es_rule_t *rule, const es_session_t *session, es_why_t *why, apr_pool_t *pool);

#endif
