/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/visitor.h"

#include <apr_lib.h>
#include <strings.h>

static int is(const char *value, const char *expected)
{
    return value && strcasecmp(value, expected) == 0;
}

/* Is the media range at the start of text `range`, up to parameter, comma, blank or end? */
static int range_is(const char *text, const char *range)
{
    apr_size_t len = strlen(range);

    return strncasecmp(text, range, len) == 0 && strchr(";, \t", text[len]);
}

/* RFC 9110 section 12.4.2: a weight of 0 means "not acceptable". */
static int is_rejected(const char *range, const char *end)
{
    const char *c;

    for (c = memchr(range, ';', (size_t)(end - range)); c; c = memchr(c, ';', (size_t)(end - c))) {
        c++;
        c += strspn(c, " \t");
        if (strncasecmp(c, "q=0", 3) == 0) {
            return !apr_isdigit(c[2 + strspn(c + 2, "0.")]);
        }
    }
    return 0;
}

typedef enum { TAKES_OTHER, TAKES_ANYTHING, TAKES_HTML } takes_t;

/* Would the visitor show a page? Anything-goes counts only when it stands alone: stylesheets, images and API clients
 * put it last, behind what they want. */
static takes_t read_accept(const char *accept)
{
    const char *range = accept ? accept : "";
    int count = 0, anything = 0;

    while (*(range += strspn(range, " \t,"))) {
        const char *end = range + strcspn(range, ",");

        if (!is_rejected(range, end)) {
            if (range_is(range, "text/html")) {
                return TAKES_HTML;
            }
            anything = range_is(range, "*/*");
        }
        count++;
        range = end;
    }
    return count == 0 || (count == 1 && anything) ? TAKES_ANYTHING : TAKES_OTHER;
}

int es_visitor_is_framed(const char *sec_fetch_dest)
{
    return is(sec_fetch_dest, "iframe") || is(sec_fetch_dest, "frame");
}

/* Fetch Metadata (W3C): navigate is a link, a form or the address bar; its destination says where the answer will be
 * shown. object and embed navigate too, but nobody signs in inside them. */
static int is_shown(const es_visitor_headers_t *headers)
{
    const char *dest = headers->sec_fetch_dest;

    return is(headers->sec_fetch_mode, "navigate") && (!dest || is(dest, "document") || es_visitor_is_framed(dest));
}

/* The three encodings of an HTML form; a script that sends them asks for no HTML. */
static int is_form(const es_visitor_headers_t *headers)
{
    const char *type = headers->content_type ? headers->content_type : "";

    return read_accept(headers->accept) == TAKES_HTML &&
           (range_is(type, "application/x-www-form-urlencoded") || range_is(type, "multipart/form-data") ||
            range_is(type, "text/plain"));
}

/* For browsers without fetch metadata, and everything that is none. */
static int is_person(const es_visitor_headers_t *headers, int is_post)
{
    if (is(headers->requested_with, "XMLHttpRequest")) {
        return 0;
    }
    return is_post ? is_form(headers) : read_accept(headers->accept) != TAKES_OTHER;
}

es_visitor_t es_visitor_read(const es_visitor_headers_t *headers)
{
    int is_get = strcmp(headers->method, "GET") == 0 || strcmp(headers->method, "HEAD") == 0;
    int is_post = strcmp(headers->method, "POST") == 0;

    if ((!is_get && !is_post) || is(headers->upgrade, "websocket")) {
        return ES_VISITOR_PROGRAM;
    }
    if (headers->sec_fetch_mode ? !is_shown(headers) : !is_person(headers, is_post)) {
        return ES_VISITOR_PROGRAM;
    }
    return is_post ? ES_VISITOR_FORM : ES_VISITOR_NAVIGATION;
}
