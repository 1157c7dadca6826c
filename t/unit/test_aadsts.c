/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "entra/aadsts.h"

#include <apr_strings.h>

static const struct {
    long code;
    const char *advice;
} rows[] = {
#define ES_AADSTS(code, user, advice) { code, advice },
#include "entra/aadsts.def"
#undef ES_AADSTS
};
#define N_ROWS (int)(sizeof rows / sizeof rows[0])

/* What administrators of SAML applications meet: each of these has advice. */
START_TEST(codes_of_saml_applications)
{
    static const long codes[] = { 50011,  70001,  700011, 700016, 650056, 65005, 900971, 50105,  50020,  50034, 51004,
                                  90072,  50194,  90002,  75005,  75001,  75006, 750054, 75003,  75008,  75011, 75016,
                                  750161, 900236, 90011,  76021,  76026,  50006, 50003,  50146,  501241, 50058, 50074,
                                  50076,  50079,  50072,  53000,  53001,  53002, 53003,  530035, 50126,  50053, 50055,
                                  50057,  50061,  50068,  50070,  50071,  50196, 90015,  50007,  90005 };
    size_t i;

    for (i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const char *message = apr_psprintf(unit_pool, "AADSTS%ld: text\r\nTrace ID: 0", codes[i]);
        long code;

        ck_assert_msg(es_aadsts_find(&code, message) != NULL, "no advice for %ld", codes[i]);
        ck_assert_int_eq(code, codes[i]);
    }
}
END_TEST

START_TEST(every_row)
{
    const int i = _i;
    long code;

    ck_assert_msg(i == 0 || rows[i - 1].code < rows[i].code, "%ld is not in order", rows[i].code);
    ck_assert_str_eq(es_aadsts_find(&code, apr_psprintf(unit_pool, "AADSTS%ld", rows[i].code)), rows[i].advice);
    ck_assert_int_eq(code, rows[i].code);
    ck_assert_int_eq(rows[i].advice[strlen(rows[i].advice) - 1], '.');
    ck_assert_int_lt((int)strspn(rows[i].advice, "\"<>"), 1);
}
END_TEST

static void expect(const char *message, long expected, int has_advice)
{
    long code = -1;
    const char *advice = es_aadsts_find(&code, message);

    ck_assert_msg(code == expected, "%s: code %ld", message ? message : "NULL", code);
    ck_assert_msg((advice != NULL) == has_advice, "%s: %s", message ? message : "NULL", advice ? advice : "no advice");
}

START_TEST(no_code)
{
    expect(NULL, 0, 0);
    expect("", 0, 0);
    expect("A", 0, 0);
    expect("AADSTS", 0, 0);
    expect("AADSTS: 50011", 0, 0);
    expect("AADSTSx50011", 0, 0);
    expect("AADSTS0", 0, 0);
    expect("error 50011", 0, 0);
    expect("XAADSTS50011", 0, 0);
    expect("MACS75006", 0, 0);
    expect("aadsts50011", 0, 0);
    expect("AADSTS50011x", 0, 0);
    expect("AADSTS99999999999999999999999999", 0, 0);
}
END_TEST

START_TEST(unknown_code)
{
    expect("AADSTS12: something new", 12, 0);
    expect("AADSTS99999999", 99999999, 0);
    expect("AADSTS999999999", 0, 0);
}
END_TEST

START_TEST(wherever_it_stands)
{
    expect("AADSTS50011: The redirect URI", 50011, 1);
    expect("Sorry (AADSTS50011).", 50011, 1);
    expect("AAADSTS ACS AADSTS50011", 50011, 1);
    expect("ACS75003: Requested binding", 75003, 1);
}
END_TEST

START_TEST(the_cause_behind_a_general_code)
{
    expect("AADSTS75006: An error occurred. AADSTS90011: The property is not supported.", 90011, 1);
    expect("ACS75006: An error occurred. ACS75003: Requested binding: HTTP-Redirect", 75003, 1);
    expect("AADSTS75006: An error occurred. AADSTS12: news", 75006, 1);
    expect("AADSTS12: news. AADSTS13: more", 12, 0);
    expect("AADSTS12: news. AADSTS50011: more", 50011, 1);
}
END_TEST

#define TRACE "d75d5305-d3fc-40b0-9087-d59032682dd9"

static void expect_ids(const char *message, const char *trace, const char *correlation, const char *timestamp)
{
    es_aadsts_t error = { 0 };

    es_aadsts_read(&error, message, unit_pool);
    ck_assert_str_eq(error.trace_id, trace);
    ck_assert_str_eq(error.correlation_id, correlation);
    ck_assert_str_eq(error.timestamp, timestamp);
}

START_TEST(what_support_asks_for)
{
    expect_ids("AADSTS1: x\r\nTrace ID: " TRACE "\r\nCorrelation ID: c\r\nTimestamp: 2013-11-17 12:35:10Z", TRACE, "c",
               "2013-11-17 12:35:10Z");
    expect_ids("AADSTS1: x Trace ID: " TRACE " Correlation ID: c Timestamp: 2013-11-17 12:35:10Z   ", TRACE, "c",
               "2013-11-17 12:35:10Z");
    expect_ids("Timestamp:2013-11-17T12:35:10.123Z;Correlation ID:c.Trace ID:  t", "t", "c",
               "2013-11-17T12:35:10.123Z");
    expect_ids(NULL, "", "", "");
    expect_ids("", "", "", "");
    expect_ids("Trace ID", "", "", "");
    expect_ids("Trace ID:", "", "", "");
    expect_ids("Trace ID: <b>\nCorrelation ID: \"x\nTimestamp: noon", "", "", "");
    expect_ids("Trace ID: a<script>\nTimestamp: 12:00<script>", "a", "", "12:00");
    expect_ids("Trace ID: aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd", "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd", "",
               "");
    expect_ids("Trace ID: aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde", "", "", "");
    expect_ids("Timestamp: 2013-11-17 2013-11-17 2013-11-17 1", "", "", "");
}
END_TEST

START_TEST(advice_for_both)
{
    es_aadsts_t error = { 0 };

    es_aadsts_read(&error, "AADSTS75006: An error. AADSTS50105: Not assigned.", unit_pool);
    ck_assert_int_eq(error.code, 50105);
    ck_assert_ptr_nonnull(strstr(error.advice, "assign the user"));
    ck_assert_ptr_nonnull(strstr(error.user_advice, "Ask your administrator for access"));
    es_aadsts_read(&error, "AADSTS12: News.", unit_pool);
    ck_assert(error.code == 12 && !error.advice && !error.user_advice);
    es_aadsts_read(&error, NULL, unit_pool);
    ck_assert(error.code == 0 && !error.advice && !error.user_advice);
}
END_TEST

START_TEST(genuine_messages)
{
    const char *error = unit_fixture("errors/error-2013-unsupported-binding.xml");
    const char *documented = unit_fixture("errors/error-docs-request-unsupported.xml");

    if (!error) {
        return;
    }
    expect((const char *)unit_file(error).data, 75003, 1);
    expect((const char *)unit_file(documented).data, 90011, 1);
}
END_TEST

Suite *suite_aadsts(void)
{
    Suite *suite = suite_create("aadsts");
    TCase *tcase = unit_case(suite, "aadsts");

    tcase_add_test(tcase, codes_of_saml_applications);
    tcase_add_loop_test(tcase, every_row, 0, N_ROWS);
    tcase_add_test(tcase, no_code);
    tcase_add_test(tcase, unknown_code);
    tcase_add_test(tcase, wherever_it_stands);
    tcase_add_test(tcase, the_cause_behind_a_general_code);
    tcase_add_test(tcase, what_support_asks_for);
    tcase_add_test(tcase, advice_for_both);
    tcase_add_test(tcase, genuine_messages);
    return suite;
}
