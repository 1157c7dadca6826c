/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Entra's errors on their way through the flow: told, explained, and without consequence.
 */
#include "scene.h"

#include "base/codec.h"

#include <apr_strings.h>

#define TRACE "d75d5305-d3fc-40b0-9087-d59032682dd9"
#define CORRELATION "ca26b4bd-23d4-4233-9c28-96bc0a336c39"
#define TIMESTAMP "2026-03-01 12:00:00Z"
#define LINES "\r\nTrace ID: " TRACE "\r\nCorrelation ID: " CORRELATION "\r\nTimestamp: " TIMESTAMP

static void expect(const es_acs_form_t *form, long code, const char *trace, es_why_t *why)
{
    es_acs_report_t report;
    es_answer_t answer;

    ck_assert_reason(scene_post(&answer, &report, form, why), ES_RESPONSE_STATUS, *why);
    ck_assert_int_eq(report.error.code, code);
    ck_assert_str_eq(report.error.trace_id, trace);
    ck_assert_ptr_null(report.user);
}

static void expect_in(const char *text, const char *piece)
{
    ck_assert_msg(strstr(text, piece) != NULL, "no \"%s\" in: %s", piece, text);
}

START_TEST(code_and_identifiers_come_first)
{
    es_acs_form_t form = scene_error(NULL, "AADSTS50105: The signed in user is not assigned." LINES);
    es_why_t why;

    expect(&form, 50105, TRACE, &why);
    expect_in(why.text, "aadsts=50105 trace=" TRACE " correlation=" CORRELATION " timestamp=\"" TIMESTAMP "\": ");
    expect_in(why.text, "assign the user or a group");
    expect_in(why.text,
              "status urn:oasis:names:tc:SAML:2.0:status:Responder, "
              "urn:oasis:names:tc:SAML:2.0:status:NoPassive: AADSTS50105: The signed in user is not assigned. "
              "Trace ID: ");
}
END_TEST

/* Whatever the length of the message, what support asks for is in the log. */
START_TEST(a_long_message_keeps_both_ends)
{
    char *middle = apr_pcalloc(unit_pool, 5001);
    es_acs_form_t form;
    es_why_t why;

    memset(middle, 'm', 5000);
    form = scene_error(NULL, apr_pstrcat(unit_pool, "AADSTS50011: ", middle, LINES, NULL));
    expect(&form, 50011, TRACE, &why);
    expect_in(why.text, "aadsts=50011 trace=" TRACE);
    expect_in(why.text, "mmm ... mmm");
    ck_assert_uint_lt(strlen(why.text), sizeof why.text);
}
END_TEST

START_TEST(a_message_without_code)
{
    es_acs_form_t form = scene_error(NULL, "Something else");
    es_why_t why;

    expect(&form, 0, "", &why);
    expect_in(why.text, "Something else");
    ck_assert_ptr_null(strstr(why.text, "aadsts="));
    form = scene_error(NULL, "");
    expect(&form, 0, "", &why);
}
END_TEST

/* Anybody can post one: it ends nothing, marks nothing, and what it answers can still be answered. */
START_TEST(an_error_has_no_consequence)
{
    es_acs_form_t form = scene_entra(scene_start("/page"), (idp_response_t){ 0 }), error;
    es_acs_report_t report;
    es_session_t session;
    es_answer_t answer;
    const char *second;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    second = scene_start("/page");
    error = scene_error(second, "AADSTS50105: no" LINES);
    scene_send_cookies(1);
    expect(&error, 50105, TRACE, &why);
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    form = scene_entra(second, (idp_response_t){ 0 });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(report.user, "alice@example.com");
}
END_TEST

START_TEST(genuine_errors)
{
    static const struct {
        const char *file;
        long code;
        const char *trace, *correlation, *timestamp;
    } cases[] = {
        { "errors/error-2013-unsupported-binding.xml", 75003, TRACE, CORRELATION, "2013-11-17 12:35:10Z" },
        { "errors/error-docs-request-unsupported.xml", 90011, "0000aaaa-11bb-cccc-dd22-eeeeee333333", "",
          "2013-03-18 08:49:24Z" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = unit_fixture(cases[i].file);
        es_acs_form_t form = { NULL };
        es_acs_report_t report;
        es_answer_t answer;
        es_why_t why;

        if (!path) {
            return;
        }
        form.saml_response = es_codec_base64_encode(unit_file(path), unit_pool);
        ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_RESPONSE_STATUS, why);
        ck_assert_int_eq(report.error.code, cases[i].code);
        ck_assert_str_eq(report.error.trace_id, cases[i].trace);
        ck_assert_str_eq(report.error.correlation_id, cases[i].correlation);
        ck_assert_str_eq(report.error.timestamp, cases[i].timestamp);
        ck_assert(report.error.advice && report.error.user_advice);
    }
}
END_TEST

Suite *suite_status(void)
{
    Suite *suite = suite_create("status");
    TCase *tcase = unit_case(suite, "status");

    tcase_add_checked_fixture(tcase, scene_open, NULL);
    tcase_add_test(tcase, code_and_identifiers_come_first);
    tcase_add_test(tcase, a_long_message_keeps_both_ends);
    tcase_add_test(tcase, a_message_without_code);
    tcase_add_test(tcase, an_error_has_no_consequence);
    tcase_add_test(tcase, genuine_errors);
    return suite;
}
