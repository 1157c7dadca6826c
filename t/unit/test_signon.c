/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a sign-on asks of Entra beyond the ordinary, and what becomes of the answer: ForceAuthn for pages that want a
 * fresh sign-in, IsPassive for those that only want to know.
 */
#include "scene.h"

#include "base/codec.h"

#include <apr_strings.h>
#include <zlib.h>

#define MINUTES(n) SECONDS(60 * (n))

static const char *request_of(const char *redirect)
{
    static char xml[8192];
    z_stream stream = { 0 };
    es_why_t why = ES_WHY_INIT;
    es_bytes_t packed;

    ck_assert_reason(
        es_codec_base64_decode(&packed, es_bytes_of(scene_query_value(redirect, "SAMLRequest")), &why, unit_pool),
        ES_OK, why);
    memset(xml, 0, sizeof xml);
    ck_assert_int_eq(inflateInit2(&stream, -15), Z_OK);
    stream.next_in = (Bytef *)(apr_uintptr_t)packed.data;
    stream.avail_in = (uInt)packed.len;
    stream.next_out = (Bytef *)xml;
    stream.avail_out = sizeof xml - 1;
    ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    inflateEnd(&stream);
    return xml;
}

/* Signs in for a page that wants a fresh sign-in, after the user signed in at Entra at a time. */
static es_rv_t sign_in_fresh(es_why_t *why, apr_time_t authn_instant)
{
    es_acs_form_t form =
        scene_entra(scene_start_asking(ES_REQUEST_FRESH, "/page"), (idp_response_t){ .authn_instant = authn_instant });
    es_acs_report_t report;
    es_answer_t answer;

    return scene_post(&answer, &report, &form, why);
}

static es_rv_t judge_fresh(apr_interval_time_t fresh)
{
    es_why_t why = ES_WHY_INIT;
    es_session_t session;

    ck_assert_int_eq(scene_resume(&session), ES_OK);
    return es_session_check_fresh(&session, scene_flow.now, fresh, &why);
}

START_TEST(each_kind_asks_for_its_own)
{
    const char *redirect = scene_start("/page");

    ck_assert_ptr_null(strstr(request_of(redirect), "ForceAuthn"));
    ck_assert_ptr_null(strstr(request_of(redirect), "IsPassive"));
    ck_assert(!scene_pending(redirect)->is_fresh && !scene_pending(redirect)->is_passive);
    redirect = scene_start_asking(ES_REQUEST_FRESH, "/page");
    ck_assert_ptr_nonnull(strstr(request_of(redirect), " ForceAuthn=\"true\""));
    ck_assert_ptr_null(strstr(request_of(redirect), "IsPassive"));
    ck_assert(scene_pending(redirect)->is_fresh && !scene_pending(redirect)->is_passive);
    redirect = scene_start_asking(ES_REQUEST_PASSIVE, "/page");
    ck_assert_ptr_nonnull(strstr(request_of(redirect), " IsPassive=\"true\""));
    ck_assert_ptr_null(strstr(request_of(redirect), "ForceAuthn"));
    ck_assert(!scene_pending(redirect)->is_fresh && scene_pending(redirect)->is_passive);
    redirect = scene_start_asking(ES_REQUEST_MFA, "/page");
    ck_assert_ptr_nonnull(strstr(request_of(redirect), " ForceAuthn=\"true\""));
    ck_assert_ptr_nonnull(strstr(request_of(redirect), ">http://schemas.microsoft.com/claims/multipleauthn<"));
    ck_assert(scene_pending(redirect)->is_fresh && scene_pending(redirect)->is_mfa);
    ck_assert(!scene_pending(redirect)->is_step_up);
}
END_TEST

START_TEST(an_old_sign_in_is_not_fresh)
{
    es_why_t why;

    ck_assert_reason(sign_in_fresh(&why, scene_flow.now - SECONDS(181)), ES_AUTHN_STALE, why);
    ck_assert_ptr_nonnull(strstr(why.text, "181 seconds before"));
    ck_assert_ptr_null(scene_session_cookie);
    ck_assert_reason(sign_in_fresh(&why, scene_flow.now - SECONDS(180)), ES_OK, why);
    ck_assert_reason(sign_in_fresh(&why, scene_flow.now + SECONDS(180)), ES_OK, why);
    ck_assert_reason(sign_in_fresh(&why, scene_flow.now + SECONDS(181)), ES_AUTHN_FUTURE, why);
}
END_TEST

/* Only where it was asked for: else weeks are fine (Microsoft keeps people signed in for 90 days). */
START_TEST(an_old_sign_in_is_good_elsewhere)
{
    es_acs_form_t form =
        scene_entra(scene_start("/page"), (idp_response_t){ .authn_instant = scene_flow.now - SECONDS(81 * 86400) });
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_int_eq(judge_fresh(MINUTES(5)), ES_SESSION_STALE);
    form = scene_entra(scene_start("/page"), (idp_response_t){ .authn_instant = scene_flow.now + SECONDS(181) });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_AUTHN_FUTURE, why);
}
END_TEST

START_TEST(a_fresh_session_grows_old)
{
    es_why_t why;

    ck_assert_reason(sign_in_fresh(&why, 0), ES_OK, why);
    scene_flow.now += MINUTES(5);
    ck_assert_int_eq(judge_fresh(MINUTES(5)), ES_OK);
    scene_flow.now += 1;
    ck_assert_int_eq(judge_fresh(MINUTES(5)), ES_SESSION_STALE);
    ck_assert_int_eq(judge_fresh(MINUTES(6)), ES_OK);
}
END_TEST

/* Entra's clock is behind ours, or before it: what was fresh by its own time must be by ours, or the sign-on would
 * start for ever; and nobody is fresh for longer than was allowed. */
START_TEST(the_clocks_differ)
{
    es_why_t why;

    ck_assert_reason(sign_in_fresh(&why, scene_flow.now - SECONDS(120)), ES_OK, why);
    ck_assert_int_eq(judge_fresh(MINUTES(1)), ES_OK);
    scene_flow.now += SECONDS(61);
    ck_assert_int_eq(judge_fresh(MINUTES(1)), ES_SESSION_STALE);
    ck_assert_reason(sign_in_fresh(&why, scene_flow.now + SECONDS(120)), ES_OK, why);
    scene_flow.now += SECONDS(61);
    ck_assert_int_eq(judge_fresh(MINUTES(1)), ES_SESSION_STALE);
}
END_TEST

START_TEST(a_fresh_sign_in_takes_the_old_sessions_place)
{
    es_session_t session;
    es_why_t why;
    char *old;

    ck_assert_reason(sign_in_fresh(&why, 0), ES_OK, why);
    old = scene_session_cookie;
    scene_flow.now += MINUTES(30);
    scene_start_asking(ES_REQUEST_FRESH, "/page"); /* and given up: the session is still good elsewhere */
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    ck_assert_reason(sign_in_fresh(&why, 0), ES_OK, why);
    ck_assert_int_eq(judge_fresh(MINUTES(1)), ES_OK);
    scene_session_cookie = old;
    ck_assert_int_eq(scene_resume(&session), ES_SESSION_NONE);
}
END_TEST

/* What was asked for goes on through a restart. */
START_TEST(a_restart_asks_the_same)
{
    static const es_request_kind_t kinds[] = { ES_REQUEST_FRESH, ES_REQUEST_PASSIVE };
    es_acs_report_t report;
    es_answer_t answer;
    es_acs_form_t form;
    es_why_t why;

    for (int i = 0; i < 2; i++) {
        form = scene_entra(scene_start_asking(kinds[i], "/page"), (idp_response_t){ 0 });
        scene_binding_cookie = NULL;
        ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
        ck_assert_int_eq(report.restarted, ES_BINDING_MISSING);
        ck_assert_ptr_nonnull(strstr(request_of(answer.location), i == 0 ? "ForceAuthn=" : "IsPassive="));
    }
    form = scene_entra(answer.location, (idp_response_t){ 0 });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(report.user, "alice@example.com");
}
END_TEST

START_TEST(a_silent_attempt_that_works_signs_in)
{
    es_acs_form_t form = scene_entra(scene_start_asking(ES_REQUEST_PASSIVE, "/page"), (idp_response_t){ 0 });
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(answer.location, "/page");
    ck_assert_ptr_nonnull(scene_session_cookie);
}
END_TEST

START_TEST(a_silent_attempt_that_fails_leads_to_the_page)
{
    es_acs_form_t form = scene_error(scene_start_asking(ES_REQUEST_PASSIVE, "/page?a=1"), "AADSTS50058: nobody");
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(answer.location, "/page?a=1");
    ck_assert_int_eq(report.noted.rv, ES_SILENT_FAILED);
    ck_assert_ptr_nonnull(strstr(report.noted.text, "AADSTS50058"));
    ck_assert_ptr_null(report.user);
    ck_assert_ptr_null(scene_session_cookie);
    /* The page may ask for a user: that is no silent attempt any more. */
    ck_assert_ptr_null(strstr(request_of(scene_start("/page?a=1")), "IsPassive"));
}
END_TEST

/* An application that tries again whenever nobody is signed in goes round within itself, not through Entra. */
START_TEST(a_silent_attempt_is_made_once_a_minute)
{
    es_acs_form_t form = scene_error(scene_start_asking(ES_REQUEST_PASSIVE, "/page"), "AADSTS50058: nobody");
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(scene_start_asking(ES_REQUEST_PASSIVE, "/page"), "/page");
    ck_assert_ptr_nonnull(strstr(scene_start_asking(ES_REQUEST_PASSIVE, "/other"), "SAMLRequest="));
    ck_assert_ptr_nonnull(strstr(scene_start("/page"), "SAMLRequest="));
    scene_flow.now += SECONDS(61);
    ck_assert_ptr_nonnull(strstr(scene_start_asking(ES_REQUEST_PASSIVE, "/page"), "SAMLRequest="));
}
END_TEST

START_TEST(only_a_silent_attempt_of_this_browser_swallows_an_error)
{
    const char *redirect = scene_start_asking(ES_REQUEST_PASSIVE, "/page");
    es_acs_form_t form = scene_error(redirect, "AADSTS50058: nobody");
    es_connection_t other = *scene_site.connection;
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    scene_binding_cookie = NULL;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_RESPONSE_STATUS, why);
    form = scene_error(scene_start("/page"), "AADSTS50058: nobody");
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_RESPONSE_STATUS, why);
    form = scene_error(scene_start_asking(ES_REQUEST_PASSIVE, "/page"), "AADSTS50058: nobody");
    other.id.octet[0] ^= 1;
    scene_site.connection = &other;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_RESPONSE_STATUS, why);
}
END_TEST

START_TEST(hints_travel_outside_the_request)
{
    const es_request_ask_t ask = { .hints = "&login_hint=ada%40contoso.com&whr=contoso.com" };
    char *page = apr_pcalloc(unit_pool, 701), *long_hint = apr_pcalloc(unit_pool, 1500);
    const es_request_ask_t much = { .hints = long_hint };
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_signon_start(&answer, &scene_flow, &ask, "/page", &why), ES_OK, why);
    ck_assert_str_eq(scene_query_value(answer.location, "login_hint"), "ada@contoso.com");
    ck_assert_str_eq(scene_query_value(answer.location, "whr"), "contoso.com");
    ck_assert_ptr_null(strstr(request_of(answer.location), "contoso.com"));
    ck_assert_str_eq(strstr(answer.location, "&login_hint="), ask.hints); /* behind what is signed, where it is */
    /* With the longest page there is no room for a hint of that size, and the page is worth more. */
    memset(page, 'x', 700);
    page[0] = '/';
    memset(long_hint, 'y', 1499);
    ck_assert_reason(es_signon_start(&answer, &scene_flow, &much, page, &why), ES_OK, why);
    ck_assert_ptr_null(strstr(answer.location, long_hint));
    ck_assert_str_eq(scene_pending(answer.location)->landing, page);
    ck_assert_uint_le(strlen(answer.location), ES_REQUEST_URL_MAX);
}
END_TEST

Suite *suite_signon(void)
{
    Suite *suite = suite_create("signon");
    TCase *tcase = unit_case(suite, "signon");

    tcase_add_checked_fixture(tcase, scene_open, NULL);
    tcase_add_test(tcase, each_kind_asks_for_its_own);
    tcase_add_test(tcase, an_old_sign_in_is_not_fresh);
    tcase_add_test(tcase, an_old_sign_in_is_good_elsewhere);
    tcase_add_test(tcase, a_fresh_session_grows_old);
    tcase_add_test(tcase, the_clocks_differ);
    tcase_add_test(tcase, a_fresh_sign_in_takes_the_old_sessions_place);
    tcase_add_test(tcase, a_restart_asks_the_same);
    tcase_add_test(tcase, a_silent_attempt_that_works_signs_in);
    tcase_add_test(tcase, a_silent_attempt_that_fails_leads_to_the_page);
    tcase_add_test(tcase, a_silent_attempt_is_made_once_a_minute);
    tcase_add_test(tcase, only_a_silent_attempt_of_this_browser_swallows_an_error);
    tcase_add_test(tcase, hints_travel_outside_the_request);
    return suite;
}
