/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Every refusal below is a shape that has carried an open redirect past some gate before: at the peers, in browsers
 * that repair what they are given, or in backends that decode once more than we do.
 */
#include "policy/landing.h"

#include "base/url.h"

#include <apr_strings.h>
#include <stdio.h>

/* A candidate may be longer than its landing: by origin and fragment. */
#define CANDIDATE_MAX (ES_LANDING_KEPT_MAX + 1024)

/* Where scheme and authority end: "/", "?" or "#" behind "://", or the start of a path. */
static const char *find_path(const char *candidate)
{
    const char *colon = strstr(candidate, "://");

    if (candidate[0] == '/' || !colon) {
        return candidate;
    }
    return colon + 3 + strcspn(colon + 3, "/?#");
}

/* Browsers send these as they are although RFC 3986 has no place for them (/list?filter[name]=a|b). Escaped they mean
 * the same to the application. Never in scheme or authority: there they stay and the parser refuses them. */
static const char *escape_unwise(const char *candidate, apr_pool_t *pool)
{
    const char *in = find_path(candidate);
    char *text = apr_palloc(pool, strlen(candidate) * 3 + 1);
    char *end = text + (in - candidate);

    memcpy(text, candidate, (apr_size_t)(in - candidate));
    for (; *in; in++) {
        if (strchr("\"<>[]^`{|}", *in)) {
            end += sprintf(end, "%%%02X", (unsigned char)*in);
        } else {
            *end++ = *in;
        }
    }
    *end = '\0';
    return text;
}

/* A path of ours starts with one slash and something that nobody takes for a second one: "//host" and "/\host" are
 * other hosts to a browser, "/%2fhost" and "/%5chost" to whatever decodes before it redirects. */
static int starts_with_one_slash(const char *path)
{
    int width, second;

    if (path[0] != '/') {
        return 0;
    }
    second = es_url_octet(&width, path + 1);
    return second != '/' && second != '\\' && second != ' ';
}

static int starts_at_boundary(const char *path, const char *prefix)
{
    const apr_size_t len = strlen(prefix);

    return strncmp(path, prefix, len) == 0 &&
           (path[len] == '\0' || path[len] == '/' || (len > 0 && prefix[len - 1] == '/'));
}

static int is_allowed(const es_url_t *url, const es_landing_allow_t *allow)
{
    int i;

    for (i = 0; allow && i < allow->count; i++) {
        if (es_url_same_origin(url, &allow->prefixes[i]) &&
            starts_at_boundary(*url->path ? url->path : "/", allow->prefixes[i].path)) {
            return 1;
        }
    }
    return 0;
}

/* *is_ours: it is on our origin, without scheme and host or with ours; else it is allowed. In either case nobody's name
 * stands before the host. */
static es_rv_t check_origin(int *is_ours, const es_url_t *url, const char *origin, const es_landing_allow_t *allow,
                            es_why_t *why, apr_pool_t *pool)
{
    es_url_t ours;
    es_rv_t rv;

    if (url->user) {
        return es_fail(why, ES_LANDING_REFUSED, "the return address has user information");
    }
    *is_ours = !url->scheme && !url->host;
    if (*is_ours) {
        return ES_OK;
    }
    if ((rv = es_url_read(&ours, origin, CANDIDATE_MAX, why, pool)) != ES_OK) {
        return rv;
    }
    *is_ours = es_url_same_origin(url, &ours);
    if (!*is_ours && !is_allowed(url, allow)) {
        return es_fail(why, ES_LANDING_REFUSED, "the return address is not on %.200s%s", origin,
                       allow && allow->count ? " and not allowed by EntraSAMLRelayStateAllow" : "");
    }
    return ES_OK;
}

/* Escaped ones: the parser has refused the others. Browsers take them out of an address, decoding backends put them
 * into one. */
static int has_control(const char *path)
{
    int width, octet;

    for (; *path; path += width) {
        octet = es_url_octet(&width, path);
        if (octet < 0x20 || octet == 0x7f) {
            return 1;
        }
    }
    return 0;
}

/* A browser has resolved dot segments before it asks (WHATWG URL), so an honest landing has none; "/.//host" is
 * another host to whoever resolves them late. */
static es_rv_t check_path(const char *path, es_why_t *why)
{
    if (!starts_with_one_slash(path)) {
        return es_fail(why, ES_LANDING_REFUSED, "the path %.200s does not start with exactly one slash", path);
    }
    if (has_control(path)) {
        return es_fail(why, ES_LANDING_REFUSED, "the path %.200s has a control character", path);
    }
    if (es_url_has_dot_segment(path)) {
        return es_fail(why, ES_LANDING_REFUSED, "the path %.200s has a dot segment", path);
    }
    return ES_OK;
}

es_rv_t es_landing_allow(es_landing_allow_t *allow, const char *const *prefixes, es_why_t *why, apr_pool_t *pool)
{
    es_url_t *read;
    int i, count = 0;

    while (prefixes && prefixes[count]) {
        count++;
    }
    read = apr_pcalloc(pool, (apr_size_t)(count + 1) * sizeof *read);
    for (i = 0; i < count; i++) {
        es_why_t ignored = ES_WHY_INIT; /* speaks of return addresses */

        if (es_url_read(&read[i], prefixes[i], CANDIDATE_MAX, &ignored, pool) != ES_OK || !read[i].scheme ||
            strcmp(read[i].scheme, "https") != 0 || !read[i].host || strchr(read[i].host, '*') || read[i].user ||
            read[i].query || read[i].fragment || (*read[i].path && check_path(read[i].path, &ignored) != ES_OK)) {
            return es_fail(why, ES_CONFIG_RELAY_STATE, "%.300s is not https://host[:port][/path]", prefixes[i]);
        }
        read[i].path = *read[i].path ? read[i].path : "/";
    }
    allow->count = count;
    allow->prefixes = read;
    return ES_OK;
}

static es_rv_t read_within(const char **landing, apr_size_t limit, const char *candidate, const char *origin,
                           const es_landing_allow_t *allow, es_why_t *why, apr_pool_t *pool)
{
    es_url_t url;
    const char *path, *result;
    int is_ours = 0;
    es_rv_t rv;

    if (strnlen(candidate, CANDIDATE_MAX + 1) > CANDIDATE_MAX) {
        return es_fail(why, ES_LANDING_REFUSED, "the return address is longer than %d", CANDIDATE_MAX);
    }
    /* no parser is asked about a network-path reference (RFC 3986 section 4.2) */
    if (candidate[0] == '/' && !starts_with_one_slash(candidate)) {
        return check_path(candidate, why);
    }
    rv = es_url_read(&url, escape_unwise(candidate, pool), 3 * CANDIDATE_MAX, why, pool);
    if (rv == ES_OK) {
        rv = check_origin(&is_ours, &url, origin, allow, why, pool);
    }
    if (rv != ES_OK) {
        return rv;
    }
    path = url.host && url.path[0] == '\0' ? "/" : url.path;
    rv = check_path(path, why);
    if (rv != ES_OK) {
        return rv;
    }
    result = url.query ? apr_pstrcat(pool, path, "?", url.query, NULL) : path;
    if (!is_ours) {
        result = apr_pstrcat(pool, es_url_origin(&url, pool), result, NULL);
    }
    if (strlen(result) > limit) {
        return es_fail(why, ES_LANDING_REFUSED, "the page to return to is longer than %d", (int)limit);
    }
    *landing = result;
    return ES_OK;
}

es_rv_t es_landing_read(const char **landing, const char *candidate, const char *origin, es_why_t *why,
                        apr_pool_t *pool)
{
    return read_within(landing, ES_LANDING_MAX, candidate, origin, NULL, why, pool);
}

es_rv_t es_landing_read_allowed(const char **landing, const char *candidate, const char *origin,
                                const es_landing_allow_t *allow, es_why_t *why, apr_pool_t *pool)
{
    return read_within(landing, ES_LANDING_KEPT_MAX, candidate, origin, allow, why, pool);
}
