/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/naming.h"

#include "base/fold.h"

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* Folded; an asterisk stands for any end. */

/* Headers of requests that mean something to httpd or mod_proxy, that belong to one connection, or that every client
 * must be able to send: RFC 9110, 9111, 9112, 6265, 6455, 7239, Fetch, CORS, WebDAV, what proxies add. Proxy would be
 * HTTP_PROXY to a CGI program, and Set-Cookie or Location mean nothing here but are read by careless gateways. */
static const char *const headers[] = {
    "ACCEPT*",
    "ACCESS_CONTROL_*",
    "AUTHORIZATION",
    "CACHE_CONTROL",
    "CONNECTION",
    "CONTENT_*",
    "COOKIE*",
    "DATE",
    "DEPTH",
    "DESTINATION",
    "DNT",
    "EARLY_DATA",
    "EXPECT*",
    "FORWARDED",
    "FROM",
    "HOST",
    "HTTP2_*",
    "IF",
    "IF_*",
    "KEEP_ALIVE",
    "LAST_EVENT_*",
    "LOCATION",
    "LOCK_TOKEN",
    "MAX_FORWARDS",
    "ORIGIN",
    "OVERWRITE",
    "PRAGMA",
    "PRIORITY",
    "PROXY*",
    "RANGE",
    "REFERER",
    "SEC_*",
    "SET_COOKIE*",
    "STATUS",
    "TE",
    "TIMEOUT",
    "TRAILER*",
    "TRANSFER_*",
    "UPGRADE*",
    "USER_AGENT",
    "VIA",
    "WWW_AUTHENTICATE",
    "X_FORWARDED_*",
    "X_REAL_IP",
    "X_CLIENT_IP",
    "X_REQUESTED_WITH",
    "X_HTTP_METHOD*",
    "X_CSRF_*",
    "TRUE_CLIENT*",
    NULL,
};

/* Variables: CGI's and httpd's own; what the loader, the C library, shells and interpreters take orders from. */
static const char *const variables[] = {
    "ALL_PROXY", "APACHE_*",    "AUTH_*",     "BASH*",     "CDPATH",      "CLASSPATH",     "CONN_*",      "CONTENT_*",
    "CONTEXT_*", "CURL_*",      "DOCUMENT_*", "DYLD_*",    "ENV",         "FCGI_*",        "FTP_PROXY",   "GATEWAY_*",
    "GCONV_*",   "GEM_*",       "GIT_*",      "GLIBC_*",   "H2*",         "HOME",          "HOSTALIASES", "HTTP*",
    "IFS",       "IS_SUBREQ",   "JAVA_*",     "JDK_*",     "LANG*",       "LAST_MODIFIED", "LC_*",        "LD_*",
    "LIBPATH",   "LOCALDOMAIN", "LOCPATH",    "MALLOC_*",  "MOD_WSGI_*",  "NLSPATH",       "NODE_*",      "NOKEEPALIVE",
    "NO_PROXY",  "NPM_*",       "OPENSSL_*",  "PATH*",     "PERL*",       "PHP*",          "PWD",         "PYTHON*",
    "QUERY_*",   "REDIRECT_*",  "REMOTE_*",   "REQUEST_*", "RESOLV_*",    "RES_OPTIONS",   "RUBY*",       "SCRIPT_*",
    "SERVER_*",  "SHELL*",      "SHLIB_PATH", "SSL_*",     "THE_REQUEST", "TEMP",          "TMP*",        "TZ*",
    "UNIQUE_ID", "USER_NAME",   "WSGI_*",     "_JAVA_*",   NULL,
};

/* Does the name, or a name that begins with the prefix, mean something already? Returns the one it would be. */
static const char *find_reserved(const char *const *reserved, const char *name, int is_prefix)
{
    for (; *reserved; reserved++) {
        const char *r = *reserved, *n = name;

        while (*r && *r != '*' && *n && es_fold(*n) == *r) {
            r++;
            n++;
        }
        if (*r == '*' || (!*n && (!*r || is_prefix))) {
            return *reserved;
        }
    }
    return NULL;
}

static es_rv_t check_header(const char *name, int is_prefix, es_why_t *why)
{
    const char *reserved;

    if (!*name || name[strspn(name, LETTERS DIGITS "!#$%&'*+-.^_`|~")] || strlen(name) > ES_NAMING_MAX) {
        return es_fail(why, ES_CONFIG_NAME, "\"%.100s\" is not the name of a header (RFC 9110: letters, digits, -)",
                       name);
    }
    if ((reserved = find_reserved(headers, name, is_prefix)) != NULL) {
        return es_fail(why, ES_CONFIG_NAME, "header %.100s%s means something else to HTTP (%s)", name,
                       is_prefix ? "…" : "", reserved);
    }
    return ES_OK;
}

static es_rv_t check_variable(const char *name, int is_prefix, es_why_t *why)
{
    const char *reserved;

    if (!*name || strchr(DIGITS, *name) || name[strspn(name, LETTERS DIGITS "_")] || strlen(name) > ES_NAMING_MAX) {
        return es_fail(why, ES_CONFIG_NAME, "\"%.100s\" is not the name of a variable (letters, digits, _)", name);
    }
    if ((reserved = find_reserved(variables, name, is_prefix)) != NULL) {
        return es_fail(why, ES_CONFIG_NAME, "variable %.100s%s is for httpd, CGI or those who run programs (%s)", name,
                       is_prefix ? "…" : "", reserved);
    }
    if ((reserved = find_reserved(headers, name, is_prefix)) != NULL) {
        return es_fail(why, ES_CONFIG_NAME,
                       "variable %.100s%s looks like a header that clients must be able to send (%s)", name,
                       is_prefix ? "…" : "", reserved);
    }
    return ES_OK;
}

/* So that a beginning takes away no more than what is ours. */
static int is_beginning(const char *prefix, const char *ends)
{
    const apr_size_t len = strlen(prefix);

    return len >= 3 && strchr(ends, prefix[len - 1]) != NULL;
}

es_rv_t es_naming_check_header(const char *name, es_why_t *why)
{
    return check_header(name, 0, why);
}

es_rv_t es_naming_check_header_prefix(const char *prefix, es_why_t *why)
{
    return is_beginning(prefix, "-_")
               ? check_header(prefix, 1, why)
               : es_fail(why, ES_CONFIG_NAME, "\"%.100s\" is not the beginning of headers, such as X-Entra-", prefix);
}

es_rv_t es_naming_check_variable(const char *name, es_why_t *why)
{
    return check_variable(name, 0, why);
}

es_rv_t es_naming_check_variable_prefix(const char *prefix, es_why_t *why)
{
    return is_beginning(prefix, "_")
               ? check_variable(prefix, 1, why)
               : es_fail(why, ES_CONFIG_NAME, "\"%.100s\" is not the beginning of variables, such as ENTRA_", prefix);
}
