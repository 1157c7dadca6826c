/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one gate for return addresses: whatever comes from a request, a query or a message and ends in a Location header.
 */
#ifndef ES_LANDING_H
#define ES_LANDING_H

#include "base/es.h"
#include "base/url.h"

/* Longest landing that travels in RelayState, so that the redirect URL stays within 2,048 characters. */
#define ES_LANDING_MAX 700
/* Longest one that a store may keep instead: httpd takes no longer address (LimitRequestLine). */
#define ES_LANDING_KEPT_MAX 8190

/* *landing = path and query of the candidate when it is on `origin` (https://host[:port]): an absolute URL of that very
 * origin without userinfo, or a path starting with exactly one slash. Characters that browsers send although RFC 3986
 * does not allow them (" < > [ ] ^ ` { | }) come out percent-encoded, everything else as it stands; the fragment is
 * dropped. ES_LANDING_REFUSED: anything else, also dot segments and escaped control characters in the path, and a
 * landing longer than ES_LANDING_MAX. */
es_rv_t es_landing_read(const char **landing, const char *candidate, const char *origin, es_why_t *why,
                        apr_pool_t *pool);

/* Addresses elsewhere that the administrator allows a sign-in to end at. Immutable. */
typedef struct {
    int count;
    const es_url_t *prefixes;
} es_landing_allow_t;

/* Reads prefixes (NULL-terminated): https://host[:port][/path] each, without user, query or fragment, the path as a
 * landing's; no wildcards. ES_CONFIG_RELAY_STATE. */
es_rv_t es_landing_allow(es_landing_allow_t *allow, const char *const *prefixes, es_why_t *why, apr_pool_t *pool);

/* As es_landing_read, but up to ES_LANDING_KEPT_MAX; in addition an absolute URL passes, whole but for the fragment, whose scheme, host and port are
 * those of an allowed prefix and whose path is the prefix's or goes on behind it at a slash: /app allows /app and
 * /app/x, not /application. `allow` NULL: nothing elsewhere. */
es_rv_t es_landing_read_allowed(const char **landing, const char *candidate, const char *origin,
                                const es_landing_allow_t *allow, es_why_t *why, apr_pool_t *pool);

#endif
