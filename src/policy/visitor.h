/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who asks: a person following a link, a person sending a form, or a program? Only a navigation can be redirected to
 * Entra.
 */
#ifndef ES_VISITOR_H
#define ES_VISITOR_H

#include "base/es.h"

typedef enum {
    ES_VISITOR_NAVIGATION, /* GET or HEAD by a browser that will show what comes */
    ES_VISITOR_FORM,       /* a person's form post: a page, not JSON */
    ES_VISITOR_PROGRAM     /* fetch, XHR, API, preflight, subresource: 401 */
} es_visitor_t;

/* Request header values, NULL where absent. */
typedef struct {
    const char *method;
    const char *accept;
    const char *sec_fetch_mode;
    const char *sec_fetch_dest;
    const char *requested_with; /* X-Requested-With */
    const char *content_type;
    const char *upgrade;
} es_visitor_headers_t;

/* Only GET, HEAD and POST can be a person's, and no WebSocket handshake. Fetch metadata decides where it is sent (W3C
 * Fetch Metadata: mode navigate with destination document, iframe or frame); else X-Requested-With: XMLHttpRequest is a
 * program. Without either, a GET is a navigation when its Accept names text/html, names anything and nothing else, or
 * is missing (old browsers, curl and link checkers follow redirects); a POST is a form when its Accept names text/html
 * and its body is one that HTML forms send. */
es_visitor_t es_visitor_read(const es_visitor_headers_t *headers);

/* Will the answer be shown in a frame of another page? Sec-Fetch-Dest, NULL where absent: then nobody knows. */
int es_visitor_is_framed(const char *sec_fetch_dest);

#endif
