/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which posts may be kept while their sender signs in, and how a page of ours sends them again: only what a browser's
 * own form would send in the same octets, and only what came from a page of the very site.
 */
#ifndef ES_REPEAT_H
#define ES_REPEAT_H

#include "base/es.h"

typedef enum { ES_REPEAT_URLENCODED, ES_REPEAT_TEXT } es_repeat_type_t;

/* Request header values, NULL where absent. */
typedef struct {
    const char *content_type, *content_encoding;
    const char *sec_fetch_site, *origin, *referer;
} es_repeat_headers_t;

/* The body's type. ES_POST_TYPE: it carries files, is compressed, says another charset than UTF-8, or is no form at
 * all. */
es_rv_t es_repeat_type(es_repeat_type_t *type, const es_repeat_headers_t *headers, es_why_t *why);

/* Did a page of `origin` send it? What another site posts in the user's name comes without his session (the session
 * cookie is SameSite=Lax); repeated by our page it would come with one. A browser with fetch metadata is believed; else
 * Origin, else Referer must be ours (RFC 6454). ES_POST_CROSS_SITE: it is not, or nobody says. */
es_rv_t es_repeat_check_sender(const es_repeat_headers_t *headers, const char *origin, es_why_t *why, apr_pool_t *pool);

/* A form that sends the body again: its attributes, and the HTML of its hidden fields. */
typedef struct {
    const char *enctype, *charset; /* for enctype and accept-charset */
    const char *fields;
} es_repeat_t;

/* ES_POST_INEXACT: no form could send these octets: a field without a name, a broken escape, a NUL, plain text that is
 * not NAME=VALUE with CRLF behind it, more than 10,000 fields. The one thing that may differ: a line end that is not
 * CRLF, which no browser sends, comes out as CRLF (HTML, "constructing the entry list"). */
es_rv_t es_repeat_make(es_repeat_t *repeat, es_repeat_type_t type, es_bytes_t body, es_why_t *why, apr_pool_t *pool);

#endif
