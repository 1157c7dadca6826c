/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `Require claim name:value … name~regex …`: parsed and compiled at configuration, judged against a session record. One
 * line is met when any of its terms is (as mod_authz_core's own multi-valued Require lines).
 */
#ifndef ES_RULE_H
#define ES_RULE_H

#include "base/es.h"
#include "policy/group.h"
#include "session/session.h"

#include <apr_tables.h>

typedef struct es_rule_t es_rule_t;

/* Resolves a claim name of a rule to its number, 0 when it is not built in (entra/claims: es_claims_find). */
typedef unsigned es_rule_resolve_t(const char *name);

/* The line behind the provider's name. Terms are separated by white space. Quotes (" or ') around a whole term keep it
 * together; inside them a backslash before the quote or before a backslash takes it literally, outside them before a
 * backslash, as in all of httpd's configuration (ap_getword_conf).
 *
 * The name ends at the first ':' or '~', in an http(s) URI at the first behind its authority; it is a short name or a
 * full one. A claim called urn:… can only be named by a short name. A regex is PCRE2 in UTF-8, unanchored, matched
 * against each value; $ matches at the very end only.
 *
 * ES_CONFIG_RULE: no term, no : or ~, an empty name, value or regex, a urn: name, quotes that do not close, that open
 * behind the name, or that something follows. ES_CONFIG_REGEX: does not compile. */
es_rv_t es_rule_make(es_rule_t **rule, const char *line, es_rule_resolve_t *resolve, es_why_t *why, apr_pool_t *pool);

/* ES_OK when a term is met. A value of the claim groups may be a name of `groups`, which then means that group and
 * nothing else. GUID values compare without regard to case, all others exactly. A regex that takes too many steps for a
 * value, or a value that is not UTF-8, does not match.
 *
 * Any thread. Nothing is allocated, whatever the verdict, but where a regex meets a value of more than 512 octets with
 * one of our own separators in it, and where threads match regexes of one rule at the same moment.
 *
 * ES_GROUPS_UNKNOWN  no term is met, and one asks for groups that Entra left out: above 150 of them it sends a link in
 *                    place of their values (Microsoft: "SAML token claims reference", groups overage). A rule that is
 *                    turned round must take this for "met": nobody knows that the user is not in the group
 * ES_ACCESS_DENIED   no term is met */
es_rv_t es_rule_check(es_rule_t *rule, const es_session_t *session, const es_groups_t *groups, apr_pool_t *pool);

/* Why it was judged so, for the log: for each term up to the first one met whether the claim was absent, unknown, or
 * which number of values did not match. Values themselves are not told. */
const char *es_rule_explain(es_rule_t *rule, const es_session_t *session, const es_groups_t *groups, apr_pool_t *pool);

/* The values of the claims that it asks about, "name=value;value", for whoever debugs; "" where all are absent. */
const char *es_rule_values(const es_rule_t *rule, const es_session_t *session, apr_pool_t *pool);

/* Is this GUID, in any case of letters, among the claim's values? */
int es_rule_holds_guid(const es_session_claim_t *claim, const char *guid);
/* EntraSAMLGroup's names (const char *) of the groups in a claim, in their order. */
apr_array_header_t *es_rule_group_names(const es_groups_t *groups, const es_session_claim_t *claim, apr_pool_t *pool);

#endif
