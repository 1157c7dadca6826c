/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/url.h"
#include "unit.h"

#define LIMIT 2048

static es_url_t read_url(const char *text)
{
    es_why_t why = ES_WHY_INIT;
    es_url_t url;

    ck_assert_reason(es_url_read(&url, text, LIMIT, &why, unit_pool), ES_OK, why);
    return url;
}

START_TEST(every_part)
{
    es_url_t url = read_url("HTTPS://me:pw@App.Example.COM:8443/A%2fb/c?d=e?f&g=%41#h?i");

    ck_assert_str_eq(url.scheme, "https");
    ck_assert_str_eq(url.user, "me:pw");
    ck_assert_str_eq(url.host, "app.example.com");
    ck_assert_int_eq(url.port, 8443);
    ck_assert_int_eq(url.has_port, 1);
    ck_assert_str_eq(url.path, "/A%2fb/c");
    ck_assert_str_eq(url.query, "d=e?f&g=%41");
    ck_assert_str_eq(url.fragment, "h?i");
}
END_TEST

START_TEST(absent_parts)
{
    es_url_t url = read_url("https://app.example.com");

    ck_assert_ptr_null(url.user);
    ck_assert_int_eq(url.port, 443);
    ck_assert_int_eq(url.has_port, 0);
    ck_assert_str_eq(url.path, "");
    ck_assert_ptr_null(url.query);
    ck_assert_ptr_null(url.fragment);

    url = read_url("/page");
    ck_assert_ptr_null(url.scheme);
    ck_assert_ptr_null(url.host);
    ck_assert_int_eq(url.port, 0);
    ck_assert_str_eq(url.path, "/page");
}
END_TEST

/* Empty is not absent: "/page?" is another address than "/page". */
START_TEST(empty_parts)
{
    es_url_t url = read_url("https://@app.example.com/page?#");

    ck_assert_str_eq(url.user, "");
    ck_assert_str_eq(url.query, "");
    ck_assert_str_eq(url.fragment, "");
}
END_TEST

START_TEST(ports)
{
    es_url_t url = read_url("http://app.example.com/");

    ck_assert_int_eq(url.port, 80);
    url = read_url("https://app.example.com:443/");
    ck_assert_int_eq(url.port, 443);
    ck_assert_int_eq(url.has_port, 1);
    url = read_url("https://app.example.com:65535");
    ck_assert_int_eq(url.port, 65535);
    url = read_url("https://[2001:DB8::1]:8443?x");
    ck_assert_int_eq(url.port, 8443);
    ck_assert_str_eq(url.host, "[2001:db8::1]");
    url = read_url("https://[2001:db8::1]");
    ck_assert_int_eq(url.has_port, 0);
    url = read_url("https://me:1@10.0.0.1/a:1");
    ck_assert_int_eq(url.has_port, 0);
    url = read_url("https://127");
    ck_assert_int_eq(url.has_port, 0);
    url = read_url("ldap://app.example.com");
    ck_assert_int_eq(url.port, 0);
}
END_TEST

/* Escapes stay: an escaped host is no host of ours, an escaped slash no slash. */
START_TEST(nothing_is_decoded)
{
    es_url_t url = read_url("https://app%2eexample.com/%2e%2e/?%26");

    ck_assert_str_eq(url.host, "app%2eexample.com");
    ck_assert_str_eq(url.path, "/%2e%2e/");
    ck_assert_str_eq(url.query, "%26");
}
END_TEST

static const char *const refused[] = {
    "https://app.example.com/a b",
    "/a\tb",
    "/a\nb",
    "/a\rb",
    "/a\x01",
    "/a\x7f",
    "/a\\b",
    "/\xc3\xa9",
    " /a",
    "/a ",
    "https://app.example.com:/",
    "https://app.example.com:0/",
    "https://app.example.com:65536/",
    "https://app.example.com:443:443/",
    "https://app.example.com:4x/",
    "https://app.example.com:-1/",
    "https://app.example.com:99999999999999999999/",
    "https://[::1",
    "https://[::1]x/",
    "https://[]/",
    "https://[/evil]/",
    "https://[app.example.com]/",
    "https://[::1%25eth0]/",
    "https://[v1.x]/",
    "https://[1:2:3:4:5:6:7:8:9]/",
    "https://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/",
    "/%",
    "/%4",
    "/%4x",
    "/a{b}",
    "/a|b",
    "/a?b[c]=d",
    "/\"",
    "/<a>",
    "/^",
    "/`",
    "1a:b",
    ":a",
    "/a#b#c",
    "ht tp://a/",
};

START_TEST(refusal)
{
    es_why_t why = ES_WHY_INIT;
    es_url_t url = { .path = "untouched" };

    ck_assert_reason(es_url_read(&url, refused[_i], LIMIT, &why, unit_pool), ES_LANDING_REFUSED, why);
    ck_assert_str_eq(url.path, "untouched");
}
END_TEST

START_TEST(limit)
{
    es_why_t why = ES_WHY_INIT;
    es_url_t url;

    ck_assert_reason(es_url_read(&url, "/234", 4, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_url_read(&url, "/2345", 4, &why, unit_pool), ES_LANDING_REFUSED, why);
}
END_TEST

START_TEST(empty_reference)
{
    es_url_t url = read_url("");

    ck_assert_ptr_null(url.host);
    ck_assert_str_eq(url.path, "");
}
END_TEST

static const struct {
    const char *a, *b;
    int same;
} origins[] = {
    { "https://app.example.com", "https://app.example.com/a?b#c", 1 },
    { "https://app.example.com", "HTTPS://APP.example.COM:443/", 1 },
    { "https://app.example.com", "https://app.example.com:0443/", 1 },
    { "http://app.example.com", "http://app.example.com:80/", 1 },
    { "https://[::1]:8443", "https://[::1]:8443/x", 1 },
    { "https://app.example.com", "http://app.example.com/", 0 },
    { "https://app.example.com", "http://app.example.com:443/", 0 },
    { "https://app.example.com", "https://app.example.com:8443/", 0 },
    { "https://app.example.com", "https://app.example.com./", 0 },
    { "https://app.example.com", "https://www.app.example.com/", 0 },
    { "https://app.example.com", "https://app.example.com.evil.example/", 0 },
    { "https://app.example.com", "//app.example.com/", 0 },
    { "https://app.example.com", "/", 0 },
    { "https://app.example.com", "https:/app.example.com", 0 },
    { "https:/a", "https:/a", 0 },
    { "/a", "/a", 0 },
};

START_TEST(same_origin)
{
    es_url_t a = read_url(origins[_i].a), b = read_url(origins[_i].b);

    ck_assert_int_eq(es_url_same_origin(&a, &b), origins[_i].same);
    ck_assert_int_eq(es_url_same_origin(&b, &a), origins[_i].same);
    ck_assert_int_eq(es_url_is_on(origins[_i].b, origins[_i].a, unit_pool), origins[_i].same);
}
END_TEST

/* What is no address comes from nowhere: a sandboxed page's Origin, a header that was made up. */
START_TEST(no_address_is_on_an_origin)
{
    const char *origin = "https://app.example.com";

    ck_assert_int_eq(es_url_is_on("null", origin, unit_pool), 0);
    ck_assert_int_eq(es_url_is_on("", origin, unit_pool), 0);
    ck_assert_int_eq(es_url_is_on("https://app.example.com https://evil.example", origin, unit_pool), 0);
    ck_assert_int_eq(es_url_is_on("https://app.example.com\\@evil.example/", origin, unit_pool), 0);
}
END_TEST

static const char *origin_of(const char *text)
{
    es_url_t url = read_url(text);

    return es_url_origin(&url, unit_pool);
}

START_TEST(origin)
{
    ck_assert_str_eq(origin_of("https://App.example.com/x"), "https://app.example.com");
    ck_assert_str_eq(origin_of("https://app.example.com:443/x"), "https://app.example.com:443");
    ck_assert_str_eq(origin_of("https://me@[::1]:8443"), "https://[::1]:8443");
    ck_assert_ptr_null(origin_of("/x"));
    ck_assert_ptr_null(origin_of("mailto:x"));
}
END_TEST

static const struct {
    const char *path;
    int is_path, has_dots;
} paths[] = {
    { "/", 1, 0 },
    { "/saml", 1, 0 },
    { "/Shibboleth.sso/SAML2/POST", 1, 0 },
    { "/a.b/..c/d../...", 1, 0 },
    { "/.well-known/x", 1, 0 },
    { "/a%20b", 0, 0 },
    { "/a%2Bb;c=d,e:f@g!$&'()*+=~_-", 1, 0 },
    { "/a/", 1, 0 },
    { "", 0, 0 },
    { "saml", 0, 0 },
    { "saml/acs", 0, 0 },
    { "//saml", 0, 0 },
    { "/a//b", 0, 0 },
    { "/a//", 0, 0 },
    { "/.", 0, 1 },
    { "/..", 0, 1 },
    { "/./a", 0, 1 },
    { "/a/../b", 0, 1 },
    { "/a/%2e%2E/b", 0, 1 },
    { "/a/.%2e", 0, 1 },
    { "/%2e/a", 0, 1 },
    { "..", 0, 1 },
    { "a/..", 0, 1 },
    { "//..", 0, 1 },
    { "/...", 1, 0 },
    { "/%2e%2e%2e", 1, 0 },
    { "/a%2f..%2Fb", 0, 1 },
    { "/..%5cb", 0, 1 },
    { "/a\\..\\b", 0, 1 },
    { "/..;a=b/c", 0, 1 },
    { "/..a/.b/c./d..", 1, 0 },
    { "/a;..", 1, 0 },
    { "/%2f", 0, 0 },
    { "/a%2Fb", 0, 0 },
    { "/a%5cb", 0, 0 },
    { "/a\\b", 0, 0 },
    { "/a b", 0, 0 },
    { "/a\tb", 0, 0 },
    { "/a%0ab", 0, 0 },
    { "/a%00", 0, 0 },
    { "/a%7f", 0, 0 },
    { "/a%c3%a9", 0, 0 },
    { "/\xc3\xa9", 0, 0 },
    { "/a%", 0, 0 },
    { "/a%2", 0, 0 },
    { "/a%zz", 0, 0 },
    { "/a?b", 0, 0 },
    { "/a#b", 0, 0 },
    { "/a{b}", 0, 0 },
    { "/a\"b", 0, 0 },
    { "https://app.example.com/saml", 0, 0 },
};

START_TEST(path)
{
    ck_assert_msg(es_url_is_path(paths[_i].path) == paths[_i].is_path, "%s", paths[_i].path);
    ck_assert_msg(es_url_has_dot_segment(paths[_i].path) == paths[_i].has_dots, "%s", paths[_i].path);
}
END_TEST

START_TEST(octets)
{
    int width;

    ck_assert_int_eq(es_url_octet(&width, "ab"), 'a');
    ck_assert_int_eq(width, 1);
    ck_assert_int_eq(es_url_octet(&width, "%2Fb"), '/');
    ck_assert_int_eq(width, 3);
    ck_assert_int_eq(es_url_octet(&width, "%ff"), 0xff);
    ck_assert_int_eq(es_url_octet(&width, "\xff"), 0xff);
    ck_assert_int_eq(es_url_octet(&width, "%+1"), -1);
    ck_assert_int_eq(es_url_octet(&width, "%1"), -1);
    ck_assert_int_eq(es_url_octet(&width, "%"), -1);
    ck_assert_int_eq(width, 1);
    ck_assert_int_eq(es_url_octet(&width, ""), 0);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof *(table))

Suite *suite_url(void)
{
    Suite *suite = suite_create("url");
    TCase *tcase = unit_case(suite, "read");

    tcase_add_test(tcase, every_part);
    tcase_add_test(tcase, absent_parts);
    tcase_add_test(tcase, empty_parts);
    tcase_add_test(tcase, ports);
    tcase_add_test(tcase, nothing_is_decoded);
    tcase_add_test(tcase, limit);
    tcase_add_test(tcase, empty_reference);
    tcase_add_loop_test(tcase, refusal, 0, COUNT(refused));
    tcase = unit_case(suite, "origin");
    tcase_add_loop_test(tcase, same_origin, 0, COUNT(origins));
    tcase_add_test(tcase, no_address_is_on_an_origin);
    tcase_add_test(tcase, origin);
    tcase = unit_case(suite, "path");
    tcase_add_loop_test(tcase, path, 0, COUNT(paths));
    tcase_add_test(tcase, octets);
    return suite;
}
