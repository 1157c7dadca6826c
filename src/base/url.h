/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * URLs by RFC 3986, parsed by libxml2, for configuration and for the landing gate.
 */
#ifndef ES_URL_H
#define ES_URL_H

#include "base/es.h"

typedef struct {
    const char *scheme; /* lower-case, NULL in a relative reference */
    const char *host;   /* lower-case, IPv6 with brackets; NULL where there is no authority */
    int port;           /* explicit, or the scheme's default (80, 443), or 0 */
    int has_port;       /* written explicitly */
    const char *user;   /* userinfo, NULL where there is none */
    const char *path;   /* "" possible, undecoded */
    const char *query;  /* without ?, NULL where there is none, undecoded */
    const char *fragment;
} es_url_t;

/* Parses; ES_LANDING_REFUSED for anything RFC 3986 does not call a URI reference, for a control character, white space,
 * backslash or octet above 0x7e anywhere, for an empty port or one outside 1 … 65535, for a bracketed host that is no
 * IPv6 address, and for more than `limit` octets. */
es_rv_t es_url_read(es_url_t *url, const char *text, apr_size_t limit, es_why_t *why, apr_pool_t *pool);

/* Same scheme, host and effective port (RFC 6454). */
int es_url_same_origin(const es_url_t *a, const es_url_t *b);

/* Is an address, as browsers write it in Origin and Referer, one of this origin? Not when it is none at all. */
int es_url_is_on(const char *address, const char *origin, apr_pool_t *pool);

/* "https://host[:port]": the port as written, the host in lower case. NULL without scheme or host. */
const char *es_url_origin(const es_url_t *url, apr_pool_t *pool);

/* The octet at the start of a path, an escape decoded; *width = the characters it takes. -1 for a broken escape,
 * width 1. */
int es_url_octet(int *width, const char *text);

/* Has the path a segment "." or "..", also when dots or slashes around it are escaped, the slash is a backslash or a
 * path parameter (;) follows? Whoever resolves it ends elsewhere. */
int es_url_has_dot_segment(const char *path);

/* An absolute path fit for an endpoint: starts with one /, no //, no dot segment, no query or fragment, only what RFC
 * 3986 allows in a path; no octet, escaped or not, that is white space, a control character, a backslash or above 0x7e,
 * no escaped /. */
int es_url_is_path(const char *path);

#endif
