/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names that an administrator may choose, and those that he may not.
 */
#include "unit.h"

#include "policy/naming.h"

typedef es_rv_t check_t(const char *name, es_why_t *why);

static void assert_all(check_t *check, const char *const *names, es_rv_t expected)
{
    for (; *names; names++) {
        es_why_t why = ES_WHY_INIT;
        const es_rv_t rv = check(*names, &why);

        ck_assert_msg(rv == expected, "%s: %s %s", *names, es_reason(rv)->code, why.text);
    }
}

#define LONG_64 "X234567890123456789012345678901234567890123456789012345678901234"

static const char *const good_headers[] = {
    "X-User", "Remote-User", "REMOTE_USER", "X-Groups", "x.groups", "Groups", "Entra-Groups", "X-Auth-Request-Email",
    "Iff",    "TEA",         "Hosts",       LONG_64,    "X-Proxy",  NULL,
};
/* No tokens; what belongs to one connection; what HTTP, httpd, mod_proxy and browsers use; the same as CGI folds it. */
static const char *const bad_headers[] = {
    "",
    "X User",
    "X:User",
    "X\tUser",
    "X\r\nY",
    "(X)",
    "X\xc3\xa4",
    "\"X\"",
    LONG_64 "5",
    "Connection",
    "connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Trailers",
    "Upgrade",
    "Transfer-Encoding",
    "Proxy",
    "Proxy-Connection",
    "Proxy-Authorization",
    "Host",
    "HOST",
    "Authorization",
    "Cookie",
    "Cookie2",
    "Cookies",
    "Set-Cookie",
    "Content-Length",
    "content_length",
    "Content-Type",
    "Expect",
    "Range",
    "If-Match",
    "If",
    "Accept",
    "Accept-Encoding",
    "X-Forwarded-For",
    "x_forwarded_for",
    "X-Forwarded-Proto",
    "Forwarded",
    "Via",
    "Origin",
    "Referer",
    "User-Agent",
    "Sec-Fetch-Site",
    "X-Requested-With",
    "HTTP2-Settings",
    "Date",
    "Max-Forwards",
    "Cache-Control",
    "Pragma",
    "X-Real-IP",
    NULL,
};
static const char *const good_header_prefixes[] = { "X-Entra-", "Entra_", "X-A-", "ABC-", NULL };
static const char *const bad_header_prefixes[] = {
    "",        "X-",      "-",   "X",        "X-Entra", "X-Forwarded-", "X-Forwarded-For-",
    "Sec-",    "Accept-", "If-", "Content-", "X-Real-", "Proxy-",       "X Entra-",
    "Cookie-", "User-",   "--",  NULL,
};
static const char *const good_variables[] = {
    "GROUPS", "groups", "MAIL", "eduPersonPrincipalName", "_x", "SAML_NAME", "X1", LONG_64, "USER", "HTML", NULL,
};
/* No identifiers; CGI's, httpd's; what loaders, shells and interpreters read; what looks like a header. */
static const char *const bad_variables[] = {
    "",
    "1X",
    "A-B",
    "A B",
    "A=B",
    "\xc3\xa4",
    LONG_64 "5",
    "PATH",
    "path",
    "PATH_INFO",
    "REMOTE_USER",
    "REMOTE_ADDR",
    "AUTH_TYPE",
    "HTTP_HOST",
    "http_proxy",
    "HTTPS",
    "HTTPS_PROXY",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "DYLD_X",
    "SERVER_NAME",
    "REQUEST_METHOD",
    "REQUEST_URI",
    "SCRIPT_NAME",
    "QUERY_STRING",
    "CONTENT_LENGTH",
    "DOCUMENT_ROOT",
    "GATEWAY_INTERFACE",
    "REDIRECT_STATUS",
    "SSL_CLIENT_CERT",
    "UNIQUE_ID",
    "IFS",
    "ENV",
    "BASH_ENV",
    "BASH_FUNC_x",
    "PYTHONPATH",
    "PERL5LIB",
    "RUBYOPT",
    "NODE_OPTIONS",
    "PHPRC",
    "PHP_VALUE",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "CLASSPATH",
    "TZ",
    "LANG",
    "LC_ALL",
    "HOME",
    "SHELL",
    "TMPDIR",
    "GLIBC_TUNABLES",
    "GCONV_PATH",
    "MALLOC_CHECK_",
    "OPENSSL_CONF",
    "CURL_CA_BUNDLE",
    "GIT_SSH",
    "nokeepalive",
    "HOST",
    "COOKIE",
    "ACCEPT",
    "FROM",
    "DATE",
    "ORIGIN",
    "RANGE",
    "X_FORWARDED_FOR",
    NULL,
};
static const char *const good_variable_prefixes[] = {
    "ENTRA_", "SAML_", "OIDC_CLAIM_", "MELLON_", "AB_", "app_", NULL
};
static const char *const bad_variable_prefixes[] = {
    "",      "_",       "A_",  "X_",           "ENTRA",       "HTTP_",     "REMOTE_",
    "AUTH_", "PATH_",   "LD_", "X_FORWARDED_", "HTTP_ENTRA_", "REDIRECT_", "SSL_CLIENT_",
    "USER_", "UNIQUE_", "NO_", "IF_",          "Entra-",      "1A_",       NULL,
};

START_TEST(headers)
{
    assert_all(es_naming_check_header, good_headers, ES_OK);
    assert_all(es_naming_check_header, bad_headers, ES_CONFIG_NAME);
    assert_all(es_naming_check_header_prefix, good_header_prefixes, ES_OK);
    assert_all(es_naming_check_header_prefix, bad_header_prefixes, ES_CONFIG_NAME);
}
END_TEST

START_TEST(variables)
{
    assert_all(es_naming_check_variable, good_variables, ES_OK);
    assert_all(es_naming_check_variable, bad_variables, ES_CONFIG_NAME);
    assert_all(es_naming_check_variable_prefix, good_variable_prefixes, ES_OK);
    assert_all(es_naming_check_variable_prefix, bad_variable_prefixes, ES_CONFIG_NAME);
}
END_TEST

/* The sentence names what stands in the way. */
START_TEST(what_is_said)
{
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_naming_check_header("x_forwarded-for", &why), ES_CONFIG_NAME, why);
    ck_assert_ptr_nonnull(strstr(why.text, "x_forwarded-for"));
    ck_assert_ptr_nonnull(strstr(why.text, "X_FORWARDED_*"));
}
END_TEST

Suite *suite_naming(void)
{
    Suite *suite = suite_create("naming");
    TCase *tc = unit_case(suite, "all");

    tcase_add_test(tc, headers);
    tcase_add_test(tc, variables);
    tcase_add_test(tc, what_is_said);
    return suite;
}
