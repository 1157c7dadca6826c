/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The binding cookie: one small cookie that ties any number of pending sign-ins to a browser, counts the sessions
 * lately made for a landing, so that a session cookie that never comes back is noticed, and names the session made last,
 * since that one's own cookie does not come with Entra's cross-site POST. Its holder can only harm himself by changing
 * it: the name is the hash that the store has, which nobody can use as a cookie or guess.
 */
#ifndef ES_BINDING_H
#define ES_BINDING_H

#include "base/es.h"

#define ES_BINDING_VISITS 4 /* landings remembered */
#define ES_BINDING_WINDOW apr_time_from_sec(60)

typedef struct {
    unsigned char token[16];
    int has_session;
    es_hash_t session; /* key of the session made last */
    int n_visits;
    struct {
        apr_uint32_t landing; /* first 4 octets of its SHA-256 */
        apr_uint32_t at;      /* Unix seconds of the first session counted */
        int count;
    } visit[ES_BINDING_VISITS];
} es_binding_t;

es_rv_t es_binding_make(es_binding_t *binding, es_why_t *why);

/* The cookie's value, at most 114 characters of base64url and '.'. */
const char *es_binding_text(const es_binding_t *binding, apr_pool_t *pool);
/* Returns 0 when the value is not one of ours. */
int es_binding_read(es_binding_t *binding, const char *text, apr_pool_t *pool);

/* First 16 octets of SHA-256 of the token: what the pending sign-in carries. */
void es_binding_hash(unsigned char hash[16], const es_binding_t *binding);

/* Counts a session made for a landing; forgets what is older than the window. */
void es_binding_count(es_binding_t *binding, const char *landing, apr_time_t now);
/* Sessions made for a landing within the window. */
int es_binding_visits(const es_binding_t *binding, const char *landing, apr_time_t now);

#endif
