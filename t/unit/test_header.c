/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Claims as the values of headers: encodings, limits, what may not stand in a header.
 */
#include "unit.h"

#include "base/codec.h"
#include "policy/header.h"
#include "session/session.h"

#include <apr_strings.h>

#define NO_LIMIT 1000000
#define VALUES(...)                                                                                                    \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }

/* As a session record will have them. */
static es_header_values_t join(const char *const *list)
{
    es_header_values_t values = { "", 0, 0 };

    for (; list[values.count]; values.count++) {
        values.joined = apr_pstrcat(unit_pool, values.joined, values.count ? ";" : "",
                                    es_session_escape(list[values.count], unit_pool), NULL);
    }
    values.len = strlen(values.joined);
    return values;
}

static void assert_text(const char *const *list, es_header_encoding_t encoding, apr_size_t limit, const char *expected,
                        int expected_missing)
{
    const es_header_values_t values = join(list);
    const char *text = "unset";
    int missing = -1;

    es_header_write(&text, &missing, &values, encoding, limit, unit_pool);
    ck_assert_pstr_eq(text, expected);
    ck_assert_int_eq(missing, expected_missing);
}

START_TEST(encodings)
{
    assert_text(VALUES("Zo\xc3\xab"), ES_HEADER_UTF8, NO_LIMIT, "Zo\xc3\xab", 0);
    assert_text(VALUES("Zo\xc3\xab", "a;b", "c\\d", ""), ES_HEADER_UTF8, NO_LIMIT, "Zo\xc3\xab;a\\;b;c\\\\d;", 0);
    assert_text(VALUES("Zo\xc3\xab", "a;b", "c\\d", "", "x y"), ES_HEADER_PERCENT, NO_LIMIT,
                "Zo%C3%AB;a%3Bb;c%5Cd;;x%20y", 0);
    assert_text(VALUES("\xf0\x9f\x98\x80", "AZaz09-._~", "%+\""), ES_HEADER_PERCENT, NO_LIMIT,
                "%F0%9F%98%80;AZaz09-._~;%25%2B%22", 0);
    assert_text(VALUES("Zo\xc3\xab", "a;b", "c\\d", "", "M", "Ma"), ES_HEADER_BASE64, NO_LIMIT,
                "Wm/Dqw==;YTti;Y1xk;;TQ==;TWE=", 0);
    assert_text(VALUES(""), ES_HEADER_UTF8, NO_LIMIT, "", 0);
    assert_text(VALUES(""), ES_HEADER_BASE64, NO_LIMIT, "", 0);
    assert_text(VALUES(";"), ES_HEADER_PERCENT, NO_LIMIT, "%3B", 0);
    assert_text(VALUES("\\", ";;", "\\;"), ES_HEADER_UTF8, NO_LIMIT, "\\\\;\\;\\;;\\\\\\;", 0);
    assert_text(VALUES("\\", ";;", "\\;"), ES_HEADER_PERCENT, NO_LIMIT, "%5C;%3B%3B;%5C%3B", 0);
}
END_TEST

/* Whole values or none. */
START_TEST(limits)
{
    assert_text(VALUES("abc", "def", "ghi"), ES_HEADER_UTF8, 11, "abc;def;ghi", 0);
    assert_text(VALUES("abc", "def", "ghi"), ES_HEADER_UTF8, 10, "abc;def", 1);
    assert_text(VALUES("abc", "def", "ghi"), ES_HEADER_UTF8, 7, "abc;def", 1);
    assert_text(VALUES("abc", "def", "ghi"), ES_HEADER_UTF8, 6, "abc", 2);
    assert_text(VALUES("abc", "def", "ghi"), ES_HEADER_UTF8, 2, NULL, 3);
    assert_text(VALUES("a;c", "def"), ES_HEADER_UTF8, 4, "a\\;c", 1);
    assert_text(VALUES("a;c", "def"), ES_HEADER_UTF8, 3, NULL, 2);
    assert_text(VALUES("", "def"), ES_HEADER_UTF8, 1, "", 1);
    assert_text(VALUES("\xc3\xab", "d"), ES_HEADER_PERCENT, 8, "%C3%AB;d", 0);
    assert_text(VALUES("\xc3\xab", "d"), ES_HEADER_PERCENT, 7, "%C3%AB", 1);
    assert_text(VALUES("\xc3\xab", "d"), ES_HEADER_PERCENT, 5, NULL, 2);
    assert_text(VALUES("ab", "c"), ES_HEADER_BASE64, 9, "YWI=;Yw==", 0);
    assert_text(VALUES("ab", "c"), ES_HEADER_BASE64, 8, "YWI=", 1);
    assert_text(VALUES("ab", "c"), ES_HEADER_BASE64, 3, NULL, 2);
    assert_text(VALUES(";;;;", "c"), ES_HEADER_PERCENT, 12, "%3B%3B%3B%3B", 1);
    assert_text(VALUES("\\\\\\\\", "c"), ES_HEADER_BASE64, 8, "XFxcXA==", 1);
}
END_TEST

/* Every limit, every encoding: never longer, always the first so many, and one more would not fit. */
START_TEST(all_limits)
{
    static const char *const list[] = { "one", "t;wo", "thr\\ee", "", "f\xc3\xbcnf", "\xf0\x9f\x98\x80", "7", NULL };
    const es_header_values_t values = join(list);
    int encoding;
    apr_size_t limit;

    for (encoding = ES_HEADER_UTF8; encoding <= ES_HEADER_BASE64; encoding++) {
        const char *whole, *text;
        int missing, before = values.count;

        es_header_write(&whole, &missing, &values, (es_header_encoding_t)encoding, NO_LIMIT, unit_pool);
        ck_assert_int_eq(missing, 0);
        for (limit = 0; limit <= strlen(whole); limit++) {
            es_header_write(&text, &missing, &values, (es_header_encoding_t)encoding, limit, unit_pool);
            ck_assert_int_le(missing, before);
            ck_assert(!text == (missing == values.count));
            if (text) {
                ck_assert_uint_le(strlen(text), limit);
                ck_assert_int_eq(strncmp(text, whole, strlen(text)), 0);
                ck_assert(missing == 0 || whole[strlen(text)] == ';');
            }
            before = missing;
        }
        ck_assert_int_eq(missing, 0);
    }
}
END_TEST

/* 2,000 groups: what fits, and no more work than that. */
START_TEST(many)
{
    const char *list[2001] = { NULL };
    es_header_values_t values;
    const char *text;
    int i, missing;

    for (i = 0; i < 2000; i++) {
        list[i] = apr_psprintf(unit_pool, "%08x-9d4e-4b60-8a17-2c5d9e0b1f34", i);
    }
    values = join(list);
    es_header_write(&text, &missing, &values, ES_HEADER_UTF8, 6144, unit_pool);
    ck_assert_int_eq(missing, 2000 - 166);
    ck_assert_uint_eq(strlen(text), 166 * 37 - 1);
    es_header_write(&text, &missing, &values, ES_HEADER_BASE64, 6144, unit_pool);
    ck_assert_int_eq(missing, 2000 - 125);
    ck_assert_uint_eq(strlen(text), 125 * 49 - 1);
}
END_TEST

START_TEST(control_characters)
{
    /* As a session record has it: C0 and DEL are blanks there already; C1 is not. */
    assert_text(VALUES("a\r\nX-Forged: yes\tb\x7f"), ES_HEADER_UTF8, NO_LIMIT, "a  X-Forged: yes b ", 0);
    assert_text(VALUES("a\xc2\x85"
                       "b\xc2\x9f",
                       "\xc2\xa0"),
                ES_HEADER_UTF8, NO_LIMIT, "a b ;\xc2\xa0", 0);
    assert_text(VALUES("a\xc2\x85"
                       "b",
                       "cd"),
                ES_HEADER_UTF8, 4, "a b", 1);
    ck_assert_str_eq(es_header_clean("plain \xc3\xab \xf0\x9f\x98\x80", unit_pool), "plain \xc3\xab \xf0\x9f\x98\x80");
    ck_assert_str_eq(es_header_clean("a\r\nb\x1b\x7f\xc2\x80", unit_pool), "a  b   ");
    /* No UTF-8: a lone octet, an overlong form, a surrogate, beyond the end of Unicode, cut off. */
    ck_assert_str_eq(es_header_clean("\x85|\xc0\x8a|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82", unit_pool),
                     "?|??|???|????|??");
}
END_TEST

START_TEST(one_text)
{
    ck_assert_str_eq(es_header_write_one("a;b\\c", ES_HEADER_UTF8, 5, unit_pool), "a;b\\c");
    ck_assert_ptr_null(es_header_write_one("a;b\\c", ES_HEADER_UTF8, 4, unit_pool));
    ck_assert_str_eq(es_header_write_one("a\r\nb", ES_HEADER_UTF8, 9, unit_pool), "a  b");
    ck_assert_str_eq(es_header_write_one("a\r\nb", ES_HEADER_PERCENT, 9, unit_pool), "a%0D%0Ab");
    ck_assert_str_eq(es_header_write_one("a;b\\c", ES_HEADER_BASE64, 8, unit_pool), "YTtiXGM=");
    ck_assert_ptr_null(es_header_write_one("a;b\\c", ES_HEADER_BASE64, 7, unit_pool));
    ck_assert_str_eq(es_header_write_one("", ES_HEADER_BASE64, 7, unit_pool), "");
}
END_TEST

Suite *suite_header(void)
{
    Suite *suite = suite_create("header");
    TCase *tc = unit_case(suite, "all");

    tcase_add_test(tc, encodings);
    tcase_add_test(tc, limits);
    tcase_add_test(tc, all_limits);
    tcase_add_test(tc, many);
    tcase_add_test(tc, control_characters);
    tcase_add_test(tc, one_text);
    return suite;
}
