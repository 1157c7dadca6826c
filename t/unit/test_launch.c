/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Responses that answer no request: My Apps and the portal's Test button, and whoever pretends to be them.
 */
#include "scene.h"

#include "base/codec.h"

#include <apr_strings.h>

#define ELSEWHERE "https://intranet.example.com/start"

static void allow_launches(void)
{
    static const char *const prefixes[] = { ELSEWHERE, NULL };
    es_why_t why = ES_WHY_INIT;

    scene_open();
    scene_site.idp_initiated = 1;
    ck_assert_reason(es_landing_allow(&scene_site.allow, prefixes, &why, unit_pool), ES_OK, why);
}

START_TEST(a_tile_of_my_apps_signs_in)
{
    es_acs_form_t form = scene_launch(NULL, (idp_response_t){ .authn_instant = scene_flow.now - SECONDS(86400) });
    es_acs_report_t report;
    es_session_t session;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(answer.location, "/");
    ck_assert_str_eq(report.user, "alice@example.com");
    ck_assert_int_eq(report.noted.rv, ES_OK);
    ck_assert(scene_session_cookie && scene_binding_cookie);
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    ck_assert(session.authenticated == scene_flow.now - SECONDS(86400));
}
END_TEST

START_TEST(relay_state_goes_through_the_gate)
{
    static const struct {
        const char *relay_state, *location;
        es_rv_t noted;
    } cases[] = {
        { "/page?a=1", "/page?a=1", ES_OK },
        { "https://app.example.com/page", "/page", ES_OK },
        { ELSEWHERE "/of/day?x=y#z", ELSEWHERE "/of/day?x=y", ES_OK },
        { "", "/", ES_OK },
        { "https://evil.example/", "/", ES_LANDING_REFUSED },
        { "//evil.example/", "/", ES_LANDING_REFUSED },
        { ELSEWHERE "er", "/", ES_LANDING_REFUSED },
        { "http://intranet.example.com/start", "/", ES_LANDING_REFUSED },
        { "javascript:alert(1)", "/", ES_LANDING_REFUSED },
        { "urn:a:relay:state", "/", ES_LANDING_REFUSED },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        es_acs_form_t form = scene_launch(cases[i].relay_state, (idp_response_t){ 0 });
        es_acs_report_t report;
        es_answer_t answer;
        es_why_t why;

        scene_session_cookie = scene_binding_cookie = NULL;
        ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
        ck_assert_str_eq(answer.location, cases[i].location);
        ck_assert_reason(report.noted.rv, cases[i].noted, report.noted);
        ck_assert_ptr_nonnull(scene_session_cookie);
    }
}
END_TEST

START_TEST(off_unless_the_administrator_says_so)
{
    es_acs_form_t form = scene_launch(NULL, (idp_response_t){ 0 });
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    scene_site.idp_initiated = 0;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_UNSOLICITED, why);
}
END_TEST

/* What answers a request must be the answer to a request of this browser, also where others may come unasked. */
START_TEST(an_answer_to_a_request_is_no_launch)
{
    const char *redirect = scene_start("/page");
    es_acs_form_t form = scene_launch("/page", (idp_response_t){ .request_id = "_0123456789abcdef" });
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_PENDING_UNREADABLE, why);
    form.relay_state = scene_query_value(redirect, "RelayState");
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_IN_RESPONSE_TO, why);
    form = scene_entra(redirect, (idp_response_t){ 0 });
    form.relay_state = NULL;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_PENDING_UNREADABLE, why);
}
END_TEST

START_TEST(a_launch_with_our_relay_state_is_none)
{
    const char *redirect = scene_start("/page");
    es_acs_form_t form = scene_launch(scene_query_value(redirect, "RelayState"), (idp_response_t){ 0 });
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_UNSOLICITED, why);
    scene_binding_cookie = NULL;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_UNSOLICITED, why);
}
END_TEST

START_TEST(a_launch_is_good_once)
{
    es_acs_form_t form = scene_launch(NULL, (idp_response_t){ 0 });
    es_acs_report_t report;
    es_session_t session;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    /* Reload, in the same browser: on to the page by way of the sign-in endpoint, with the session that is there. */
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_ptr_null(report.user);
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    /* In another browser: the thief's. */
    scene_session_cookie = scene_binding_cookie = NULL;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_REPLAYED, why);
    ck_assert_ptr_null(scene_session_cookie);
}
END_TEST

/* Login CSRF: a stranger's form, with a response for the stranger, in a browser where somebody is signed in. */
START_TEST(nobody_is_moved_to_a_strangers_account)
{
    es_acs_form_t form = scene_entra(scene_start("/page"), (idp_response_t){ 0 });
    es_acs_report_t report;
    es_session_t session;
    es_answer_t answer;
    es_why_t why;
    char *own;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    own = scene_session_cookie;
    form = scene_launch("/bank account", (idp_response_t){ 0 });
    form.relay_state = "/bank?a=1&b=2";
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(answer.location, "/saml/login?return=%2Fbank%3Fa%3D1%26b%3D2");
    ck_assert_int_eq(answer.n_cookies, 0);
    ck_assert_ptr_null(report.user);
    ck_assert_int_eq(report.noted.rv, ES_LAUNCH_ASKED);
    ck_assert_str_eq(scene_session_cookie, own);
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    /* It counts as used all the same. */
    scene_session_cookie = scene_binding_cookie = NULL;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_REPLAYED, why);
}
END_TEST

/* Everything else is judged as ever. */
START_TEST(a_launch_must_be_right)
{
    const char *const reply_url = "https://other.example/saml/acs", *const audience = "https://other.example/";
    const struct {
        idp_response_t about;
        es_rv_t rv;
    } cases[] = {
        { { .reply_url = reply_url }, ES_DESTINATION },
        { { .audience = audience }, ES_AUDIENCE },
        { { .now = scene_flow.now - SECONDS(2 * 3600) }, ES_ISSUE_INSTANT },
        { { .authn_instant = scene_flow.now + SECONDS(600) }, ES_AUTHN_FUTURE },
        { { .session_not_on_or_after = scene_flow.now - SECONDS(1) }, ES_AUTHN_ENDED },
        { { .attributes = "<Attribute Name=\"x\"/>" }, ES_OK },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        es_acs_form_t form = scene_launch(NULL, cases[i].about);
        es_acs_report_t report;
        es_answer_t answer;
        es_why_t why;

        ck_assert_reason(scene_post(&answer, &report, &form, &why), cases[i].rv, why);
        ck_assert_int_eq(scene_session_cookie != NULL, cases[i].rv == ES_OK);
    }
}
END_TEST

START_TEST(addresses_elsewhere_that_may_not_be_allowed)
{
    static const char *const bad[] = { "",
                                       "/",
                                       "/path",
                                       "intranet.example.com",
                                       "//intranet.example.com/",
                                       "http://intranet.example.com/",
                                       "https:///path",
                                       "https://user@intranet.example.com/",
                                       "https://intranet.example.com/?a=b",
                                       "https://intranet.example.com/#top",
                                       "https://intranet.example.com/a/../b",
                                       "https://intranet.example.com//a",
                                       "https://intranet.example.com:0/",
                                       "https://*.example.com/",
                                       "https://intranet.example.com/ a" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *prefixes[] = { ELSEWHERE, bad[i], NULL };
        es_landing_allow_t allow = { 0 };
        es_why_t why = ES_WHY_INIT;

        ck_assert_msg(es_landing_allow(&allow, prefixes, &why, unit_pool) == ES_CONFIG_RELAY_STATE, "%s", bad[i]);
        ck_assert_int_eq(allow.count, 0);
    }
}
END_TEST

Suite *suite_launch(void)
{
    Suite *suite = suite_create("launch");
    TCase *tcase = unit_case(suite, "launch");

    tcase_add_checked_fixture(tcase, allow_launches, NULL);
    tcase_add_test(tcase, a_tile_of_my_apps_signs_in);
    tcase_add_test(tcase, relay_state_goes_through_the_gate);
    tcase_add_test(tcase, off_unless_the_administrator_says_so);
    tcase_add_test(tcase, an_answer_to_a_request_is_no_launch);
    tcase_add_test(tcase, a_launch_with_our_relay_state_is_none);
    tcase_add_test(tcase, a_launch_is_good_once);
    tcase_add_test(tcase, nobody_is_moved_to_a_strangers_account);
    tcase_add_test(tcase, a_launch_must_be_right);
    tcase_add_test(tcase, addresses_elsewhere_that_may_not_be_allowed);
    return suite;
}
