/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/url.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <libxml/uri.h>
#include <stdlib.h>

#define PORT_MAX 65535
#define ADDRESS_MAX 8192 /* httpd takes no longer header, unless it is told to (LimitRequestFieldSize) */

static const char *copy(const char *text, apr_pool_t *pool)
{
    return text ? apr_pstrdup(pool, text) : NULL;
}

static const char *copy_lower(const char *text, apr_pool_t *pool)
{
    char *lower = text ? apr_pstrdup(pool, text) : NULL;
    char *c;

    for (c = lower; c && *c; c++) {
        *c = (char)apr_tolower(*c);
    }
    return lower;
}

/* Printable ASCII without blank and backslash; browsers drop or turn around everything else (WHATWG URL), each in its
 * own way. */
static int is_plain(const char *text, apr_size_t limit)
{
    const unsigned char *c = (const unsigned char *)text;

    while (*c > 0x20 && *c < 0x7f && *c != '\\') {
        c++;
    }
    return *c == '\0' && (apr_size_t)(c - (const unsigned char *)text) <= limit;
}

/* libxml2 takes anything between brackets; RFC 3986 section 3.2.2 an IPv6 address (or a future form nobody has). */
static int is_host(const char *host)
{
    apr_size_t len = strlen(host);
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;

    if (host[0] != '[') {
        return len > 0;
    }
    if (len < 3 || len - 2 >= sizeof address) {
        return 0;
    }
    apr_cpystrn(address, host + 1, len - 1);
    return inet_pton(AF_INET6, address, &parsed) == 1;
}

/* Whether an authority ends in ":" and a port; libxml2 gives 0 for none and for ":0". */
static int has_port(const char *text)
{
    const char *authority = strstr(text, "//") + 2;
    const char *end = authority + strcspn(authority, "/?#");
    const char *c = end;

    while (c > authority && apr_isdigit(c[-1])) {
        c--;
    }
    return c > authority && c < end && c[-1] == ':';
}

static int default_port(const char *scheme)
{
    if (!scheme) {
        return 0;
    }
    return strcmp(scheme, "https") == 0 ? 443 : strcmp(scheme, "http") == 0 ? 80 : 0;
}

/* Everything copied before the parser's own object goes. */
static void take(es_url_t *url, const xmlURI *uri, const char *text, apr_pool_t *pool)
{
    url->scheme = copy_lower(uri->scheme, pool);
    url->host = copy_lower(uri->server, pool);
    url->has_port = uri->server && has_port(text);
    url->port = url->has_port ? uri->port : uri->server ? default_port(url->scheme) : 0;
    url->user = copy(uri->user, pool);
    url->path = uri->path ? copy(uri->path, pool) : "";
    url->query = copy(uri->query_raw, pool);
    url->fragment = copy(uri->fragment, pool);
}

es_rv_t es_url_read(es_url_t *url, const char *text, apr_size_t limit, es_why_t *why, apr_pool_t *pool)
{
    xmlURIPtr uri = NULL;
    es_url_t read;

    if (!is_plain(text, limit)) {
        return es_fail(why, ES_LANDING_REFUSED, "the address is longer than %" APR_SIZE_T_FMT " or not plain ASCII",
                       limit);
    }
    /* raw: nothing is unescaped, so that an escaped host or slash stays what it is */
    uri = xmlParseURIRaw(text, 1);
    if (!uri) {
        return es_fail(why, ES_LANDING_REFUSED, "the address %.200s is no URL", text);
    }
    take(&read, uri, text, pool);
    xmlFreeURI(uri);
    if (read.host && !is_host(read.host)) {
        return es_fail(why, ES_LANDING_REFUSED, "the address %.200s has no proper host", text);
    }
    if (read.has_port && (read.port < 1 || read.port > PORT_MAX)) {
        return es_fail(why, ES_LANDING_REFUSED, "the address %.200s has no proper port", text);
    }
    *url = read;
    return ES_OK;
}

int es_url_same_origin(const es_url_t *a, const es_url_t *b)
{
    return a->scheme && b->scheme && a->host && b->host && strcmp(a->scheme, b->scheme) == 0 &&
           strcmp(a->host, b->host) == 0 && a->port == b->port;
}

int es_url_is_on(const char *address, const char *origin, apr_pool_t *pool)
{
    es_why_t ignored = ES_WHY_INIT;
    es_url_t url, ours;

    return es_url_read(&url, address, ADDRESS_MAX, &ignored, pool) == ES_OK &&
           es_url_read(&ours, origin, ADDRESS_MAX, &ignored, pool) == ES_OK && es_url_same_origin(&url, &ours);
}

const char *es_url_origin(const es_url_t *url, apr_pool_t *pool)
{
    if (!url->scheme || !url->host) {
        return NULL;
    }
    return url->has_port ? apr_psprintf(pool, "%s://%s:%d", url->scheme, url->host, url->port)
                         : apr_pstrcat(pool, url->scheme, "://", url->host, NULL);
}

int es_url_octet(int *width, const char *text)
{
    char digits[3] = { 0 };

    *width = 1;
    if (*text != '%') {
        return (unsigned char)*text;
    }
    apr_cpystrn(digits, text + 1, sizeof digits);
    if (!apr_isxdigit(digits[0]) || !apr_isxdigit(digits[1])) {
        return -1;
    }
    *width = 3;
    return (int)strtol(digits, NULL, 16);
}

static int is_separator(int octet)
{
    return octet == '/' || octet == '\\';
}

/* Is the segment that starts here "." or ".."? */
static int is_dot_segment(const char *path)
{
    int dots = 0, width, octet;

    while ((octet = es_url_octet(&width, path)) == '.') {
        path += width;
        dots++;
    }
    return (dots == 1 || dots == 2) && (octet == '\0' || octet == ';' || is_separator(octet));
}

int es_url_has_dot_segment(const char *path)
{
    int width;

    if (is_dot_segment(path)) {
        return 1;
    }
    for (; *path; path += width) {
        if (is_separator(es_url_octet(&width, path)) && is_dot_segment(path + width)) {
            return 1;
        }
    }
    return 0;
}

int es_url_is_path(const char *path)
{
    const char *c;
    int width;

    if (path[0] != '/' || strstr(path, "//") || es_url_has_dot_segment(path)) {
        return 0;
    }
    for (c = path; *c; c += width) {
        int octet = es_url_octet(&width, c);

        if (octet <= 0x20 || octet >= 0x7f || octet == '\\' || (octet == '/' && width == 3) ||
            (width == 1 && strchr("?#\"<>[]^`{|}", octet))) {
            return 0;
        }
    }
    return 1;
}
