/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which posts are kept, and the form that sends them again.
 */
#include "unit.h"

#include "policy/repeat.h"

#include <apr_strings.h>

#define ORIGIN "https://app.example.com"
#define FORM "application/x-www-form-urlencoded"

typedef struct {
    const char *type, *encoding;
    es_rv_t rv;
    es_repeat_type_t is;
} type_t;
static const type_t types[] = {
    { FORM, NULL, ES_OK, ES_REPEAT_URLENCODED },
    { "Application/X-WWW-Form-UrlEncoded ; charset=UTF-8", NULL, ES_OK, ES_REPEAT_URLENCODED },
    { FORM ";charset=\"utf-8\" ", NULL, ES_OK, ES_REPEAT_URLENCODED },
    { "text/plain", NULL, ES_OK, ES_REPEAT_TEXT },
    { FORM "; charset=iso-8859-1", NULL, ES_POST_TYPE, 0 },
    { FORM "ish", NULL, ES_POST_TYPE, 0 },
    { FORM, "gzip", ES_POST_TYPE, 0 },
    { "multipart/form-data; boundary=x", NULL, ES_POST_TYPE, 0 },
    { "application/json", NULL, ES_POST_TYPE, 0 },
    { "", NULL, ES_POST_TYPE, 0 },
    { NULL, NULL, ES_POST_TYPE, 0 },
};

START_TEST(types_that_are_kept)
{
    const es_repeat_headers_t headers = { .content_type = types[_i].type, .content_encoding = types[_i].encoding };
    es_why_t why = ES_WHY_INIT;
    es_repeat_type_t type;

    ck_assert_reason(es_repeat_type(&type, &headers, &why), types[_i].rv, why);
    ck_assert(why.rv != ES_OK || type == types[_i].is);
}
END_TEST

typedef struct {
    const char *fetch_site, *origin, *referer;
    es_rv_t rv;
} sender_t;
static const sender_t senders[] = {
    { "same-origin", NULL, NULL, ES_OK },
    { "same-origin", "null", NULL, ES_OK }, /* a page with Referrer-Policy: no-referrer */
    { "same-site", ORIGIN, NULL, ES_POST_CROSS_SITE },
    { "cross-site", ORIGIN, ORIGIN "/", ES_POST_CROSS_SITE },
    { "none", NULL, NULL, ES_POST_CROSS_SITE },
    { "", ORIGIN, NULL, ES_POST_CROSS_SITE },
    { NULL, ORIGIN, NULL, ES_OK },
    { NULL, ORIGIN ":443", NULL, ES_OK },
    { NULL, "null", ORIGIN "/", ES_POST_CROSS_SITE },
    { NULL, "https://evil.example", ORIGIN "/", ES_POST_CROSS_SITE },
    { NULL, "http://app.example.com", NULL, ES_POST_CROSS_SITE },
    { NULL, ORIGIN ".evil.example", NULL, ES_POST_CROSS_SITE },
    { NULL, "/", NULL, ES_POST_CROSS_SITE },
    { NULL, NULL, ORIGIN "/form?x=1", ES_OK },
    { NULL, NULL, "https://evil.example/" ORIGIN, ES_POST_CROSS_SITE },
    { NULL, NULL, "/form", ES_POST_CROSS_SITE },
    { NULL, NULL, NULL, ES_POST_CROSS_SITE },
};

START_TEST(senders_that_are_believed)
{
    const es_repeat_headers_t headers = { .sec_fetch_site = senders[_i].fetch_site,
                                          .origin = senders[_i].origin,
                                          .referer = senders[_i].referer };
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_repeat_check_sender(&headers, ORIGIN, &why, unit_pool), senders[_i].rv, why);
}
END_TEST

#define INPUT(name, value) "<input type=\"hidden\" name=\"" name "\" value=\"" value "\">\n"

typedef struct {
    es_repeat_type_t type;
    const char *body, *charset, *fields; /* fields NULL: ES_POST_INEXACT */
} body_t;
static const body_t bodies[] = {
    { ES_REPEAT_URLENCODED, "", "utf-8", "" },
    { ES_REPEAT_URLENCODED, "a=1&b=2&a=3", "utf-8", INPUT("a", "1") INPUT("b", "2") INPUT("a", "3") },
    { ES_REPEAT_URLENCODED, "a=&b&c==", "utf-8", INPUT("a", "") INPUT("b", "") INPUT("c", "=") },
    { ES_REPEAT_URLENCODED, "&a=1&&", "utf-8", INPUT("a", "1") },
    { ES_REPEAT_URLENCODED, "a+b=c+d%2B", "utf-8", INPUT("a b", "c d+") },
    { ES_REPEAT_URLENCODED, "x%22%3E=%3Cscript%3E%26amp%3B%27", "utf-8",
      INPUT("x&quot;&gt;", "&lt;script&gt;&amp;amp;'") },
    { ES_REPEAT_URLENCODED, "t=one%0D%0Atwo%0D%0A", "utf-8", INPUT("t", "one&#13;&#10;two&#13;&#10;") },
    { ES_REPEAT_URLENCODED, "u=%C3%A4%E2%82%AC%F0%9F%98%80", "utf-8",
      INPUT("u", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") },
    { ES_REPEAT_URLENCODED, "c=%01%09%1B%7F", "utf-8", INPUT("c", "\x01\x09\x1b\x7f") },
    /* € and ä as windows-1252 has them, and an octet that it has no character for */
    { ES_REPEAT_URLENCODED, "u=%80%E4%81", "windows-1252", INPUT("u", "\xe2\x82\xac\xc3\xa4\xc2\x81") },
    /* one field's charset is all fields' */
    { ES_REPEAT_URLENCODED, "u=%FF&v=%C3%A4", "windows-1252", INPUT("u", "\xc3\xbf") INPUT("v", "\xc3\x83\xc2\xa4") },
    { ES_REPEAT_URLENCODED, "s=%ED%A0%80", "windows-1252", INPUT("s", "\xc3\xad\xc2\xa0\xe2\x82\xac") },
    { ES_REPEAT_URLENCODED, "_Charset_=UTF-8&a=b", "utf-8",
      "<textarea hidden name=\"_Charset_\">\nUTF-8</textarea>\n" INPUT("a", "b") },
    { ES_REPEAT_URLENCODED, "_charset_=%3C%2Ftextarea%3E", "utf-8",
      "<textarea hidden name=\"_charset_\">\n&lt;/textarea&gt;</textarea>\n" },
    { ES_REPEAT_URLENCODED, "=1", NULL, NULL },
    { ES_REPEAT_URLENCODED, "a=1&=", NULL, NULL },
    { ES_REPEAT_URLENCODED, "a=%00", NULL, NULL },
    { ES_REPEAT_URLENCODED, "a=%4", NULL, NULL },
    { ES_REPEAT_URLENCODED, "a%zz=1", NULL, NULL },
    { ES_REPEAT_TEXT, "a=1\r\nb=2\r\n", "utf-8", INPUT("a", "1&#13;&#10;b=2") },
    { ES_REPEAT_TEXT, "a=\r\n", "utf-8", INPUT("a", "") },
    { ES_REPEAT_TEXT, "a=%41+\xe4\r\n", "windows-1252", INPUT("a", "%41+\xc3\xa4") },
    { ES_REPEAT_TEXT, "a=1", NULL, NULL },
    { ES_REPEAT_TEXT, "=1\r\n", NULL, NULL },
    { ES_REPEAT_TEXT, "hello\r\n", NULL, NULL },
    { ES_REPEAT_TEXT, "hello\r\n=", NULL, NULL },
};

START_TEST(the_form_that_sends_it_again)
{
    const body_t *wanted = &bodies[_i];
    es_why_t why = ES_WHY_INIT;
    es_repeat_t repeat;
    es_rv_t rv = es_repeat_make(&repeat, wanted->type, es_bytes_of(wanted->body), &why, unit_pool);

    ck_assert_reason(rv, wanted->fields ? ES_OK : ES_POST_INEXACT, why);
    if (wanted->fields) {
        ck_assert_str_eq(repeat.fields, wanted->fields);
        ck_assert_str_eq(repeat.charset, wanted->charset);
        ck_assert_str_eq(repeat.enctype, wanted->type == ES_REPEAT_TEXT ? "text/plain" : FORM);
    }
}
END_TEST

/* Raw octets that no escape hides. */
START_TEST(a_nul_in_the_body)
{
    es_why_t why = ES_WHY_INIT;
    es_repeat_t repeat;

    ck_assert_reason(es_repeat_make(&repeat, ES_REPEAT_URLENCODED, es_bytes("a=\0b", 4), &why, unit_pool),
                     ES_POST_INEXACT, why);
    why.rv = ES_OK;
    ck_assert_reason(es_repeat_make(&repeat, ES_REPEAT_TEXT, es_bytes("a=\0b\r\n", 6), &why, unit_pool),
                     ES_POST_INEXACT, why);
}
END_TEST

/* 256 octets to 256 characters, all of them different. */
START_TEST(every_octet_has_a_character)
{
    char *body = apr_pstrdup(unit_pool, "x=");
    const char *found[256] = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_repeat_t repeat;

    for (int octet = 0x80; octet < 0x100; octet++) {
        body = apr_psprintf(unit_pool, "x=%%FF%%%02X", octet);
        ck_assert_reason(es_repeat_make(&repeat, ES_REPEAT_URLENCODED, es_bytes_of(body), &why, unit_pool), ES_OK, why);
        found[octet] = repeat.fields;
        for (int other = 0x80; other < octet; other++) {
            ck_assert_str_ne(found[octet], found[other]);
        }
    }
}
END_TEST

START_TEST(as_many_fields_as_a_page_can_take)
{
    const apr_size_t len = 4 * 10001;
    char *body = apr_palloc(unit_pool, len + 1);
    es_why_t why = ES_WHY_INIT;
    es_repeat_t repeat;

    for (apr_size_t i = 0; i < len; i += 4) {
        memcpy(body + i, "a=b&", 4);
    }
    ck_assert_reason(es_repeat_make(&repeat, ES_REPEAT_URLENCODED, es_bytes(body, len), &why, unit_pool),
                     ES_POST_INEXACT, why);
    why.rv = ES_OK;
    ck_assert_reason(es_repeat_make(&repeat, ES_REPEAT_URLENCODED, es_bytes(body, len - 4), &why, unit_pool), ES_OK,
                     why);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof(table)[0])

Suite *suite_repeat(void)
{
    Suite *suite = suite_create("repeat");
    TCase *tcase = unit_case(suite, "repeat");

    tcase_add_loop_test(tcase, types_that_are_kept, 0, COUNT(types));
    tcase_add_loop_test(tcase, senders_that_are_believed, 0, COUNT(senders));
    tcase_add_loop_test(tcase, the_form_that_sends_it_again, 0, COUNT(bodies));
    tcase_add_test(tcase, a_nul_in_the_body);
    tcase_add_test(tcase, every_octet_has_a_character);
    tcase_add_test(tcase, as_many_fields_as_a_page_can_take);
    return suite;
}
