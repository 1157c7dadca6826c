/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "xml/datetime.h"

#include <apr_strings.h>

static apr_time_t read_time(const char *text)
{
    es_why_t why = ES_WHY_INIT;
    apr_time_t out = -1;

    ck_assert_reason(es_datetime_read(&out, text, "Test", &why), ES_OK, why);
    return out;
}

START_TEST(accepted)
{
    const apr_time_t base = unit_time("2021-04-09T12:53:30Z");

    ck_assert_int_eq(read_time("2021-04-09T12:53:30Z"), base);
    ck_assert_int_eq(read_time("2021-04-09T12:53:30.5Z"), base + 500000);
    ck_assert_int_eq(read_time("2021-04-09T12:53:30.562Z"), base + 562000);
    ck_assert_int_eq(read_time("2021-04-09T12:53:30.1234567Z"), base + 123456);
    ck_assert_int_eq(read_time("2021-04-09T12:53:30.999999999Z"), base + 999999);
    ck_assert_int_eq(read_time("2021-04-09T12:53:30.000000001Z"), base);
    ck_assert_int_eq(read_time("2000-01-01T00:00:00Z"), apr_time_from_sec(946684800));
    ck_assert_int_eq(read_time("2024-02-29T23:59:59Z"), unit_time("2024-02-29T23:59:59Z"));
    ck_assert_int_eq(read_time("2400-02-29T00:00:00Z"), unit_time("2400-02-29T00:00:00Z"));
    ck_assert_int_eq(read_time("9999-12-31T23:59:59Z"), apr_time_from_sec(253402300799));
}
END_TEST

START_TEST(refused)
{
    static const char *const texts[] = {
        "",
        "Z",
        "never",
        "2021-04-09T12:53:30",
        "2021-04-09T12:53:30+00:00",
        "2021-04-09T12:53:30-01:00",
        "2021-04-09 12:53:30Z",
        "2021-04-09t12:53:30Z",
        "2021-04-09T12:53:30z",
        " 2021-04-09T12:53:30Z",
        "2021-04-09T12:53:30Z ",
        "2021-04-09T12:53:30Zx",
        "2021-04-09T12:53:30.Z",
        "2021-04-09T12:53:30,5Z",
        "2021-04-09T12:53:30.1234567890Z",
        "2021-04-09T12:53Z",
        "2021-04-09Z",
        "2021-4-09T12:53:30Z",
        "2021-04-9T12:53:30Z",
        "21-04-09T12:53:30Z",
        "12021-04-09T12:53:30Z",
        "-2021-04-09T12:53:30Z",
        "+2021-04-09T12:53:30Z",
        "2021-00-09T12:53:30Z",
        "2021-13-09T12:53:30Z",
        "2021-04-00T12:53:30Z",
        "2021-04-31T12:53:30Z",
        "2021-02-29T12:53:30Z",
        "2100-02-29T12:53:30Z",
        "2021-04-09T24:00:00Z",
        "2021-04-09T12:60:30Z",
        "2021-04-09T12:53:60Z",
        "2021-04-09T-1:53:30Z",
        "2021-04-09T12:53:+3Z",
        "2021-04-09T1 :53:30Z",
        "1999-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2021-04-09T12:53:30\xc2\xa0Z",
        "２０２１-04-09T12:53:30Z",
    };
    apr_time_t out = -1;
    size_t i;

    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        es_why_t why = ES_WHY_INIT;

        ck_assert_reason(es_datetime_read(&out, texts[i], "Test", &why), ES_TIME_MALFORMED, why);
        ck_assert_int_eq(out, -1);
    }
}
END_TEST

START_TEST(missing)
{
    es_why_t why = ES_WHY_INIT;
    apr_time_t out = -1;

    ck_assert_reason(es_datetime_read(&out, NULL, "IssueInstant", &why), ES_TIME_MALFORMED, why);
    ck_assert_str_eq(why.text, "IssueInstant is missing");
}
END_TEST

/* Against APR's calendar: every day of four centuries. */
START_TEST(calendar)
{
    apr_time_t time;

    for (time = apr_time_from_sec(946684800); time < apr_time_from_sec(13569465600); time += apr_time_from_sec(86400)) {
        apr_time_exp_t parts;
        char text[32];

        apr_time_exp_gmt(&parts, time);
        apr_snprintf(text, sizeof text, "%04d-%02d-%02dT00:00:00Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday);
        ck_assert_int_eq(read_time(text), time);
    }
}
END_TEST

/* Cut off, not rounded: never in the future. */
START_TEST(written)
{
    static const char *const texts[] = { "1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "9999-12-31T23:59:59Z" };
    char text[ES_DATETIME_LEN];

    ck_assert_str_eq(es_datetime_write(text, unit_time(texts[_i])), texts[_i]);
    ck_assert_str_eq(es_datetime_write(text, unit_time(texts[_i]) + 999999), texts[_i]);
}
END_TEST

Suite *suite_datetime(void)
{
    Suite *suite = suite_create("datetime");
    TCase *tcase = unit_case(suite, "read");

    tcase_add_test(tcase, accepted);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, missing);
    tcase_add_test(tcase, calendar);
    tcase_add_loop_test(tcase, written, 0, 3);
    return suite;
}
