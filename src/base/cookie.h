/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Cookies as RFC 6265 has them on the wire. All of ours carry the __Host- prefix: Secure, Path=/, no Domain, so that no
 * sibling host and no plain http page can set them.
 */
#ifndef ES_COOKIE_H
#define ES_COOKIE_H

#include "base/es.h"

/* What the names of ours begin with; the tag of their connection follows. */
#define ES_COOKIE_SESSION "__Host-entra-session-"
#define ES_COOKIE_SIGNIN "__Host-entra-signin-"

/* The next value of `name` in a Cookie header, NULL at the end. *cursor starts as the header (NULL allowed) and moves
 * on: a browser may send several of one name, and the one that is ours need not be the first. */
const char *es_cookie_next(const char **cursor, const char *name, apr_pool_t *pool);

/* A Cookie header without ours, of whichever connection and however many: the others stay octet by octet. *rest = NULL
 * where none is left. Returns 0, and leaves *rest alone, where there is nothing to take out.
 *
 * Ours end at a comma too, since httpd joins the Cookie headers of HTTP/1.1 by one. es_cookie_next must not find them
 * there: a sibling host may set `a=1, __Host-…`, and the prefix would protect nothing. */
int es_cookie_strip(const char **rest, const char *header, apr_pool_t *pool);

/* How many of one name are tried: a request has room for thousands, and each costs a digest and a look into the store. */
#define ES_COOKIE_TRIES 64

typedef enum {
    ES_COOKIE_LAX, /* the session: not sent with another site's POST or frame */
    ES_COOKIE_NONE /* the sign-in: must come along with Entra's cross-site POST */
} es_cookie_site_t;

/* The value of a Set-Cookie header that lives until the browser ends; value "" erases. */
const char *es_cookie_set(const char *name, const char *value, es_cookie_site_t site, apr_pool_t *pool);

#endif
