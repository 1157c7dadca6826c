/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The story, path by path, with a clock in hand: what a real httpd cannot be made to wait for.
 */
#include "scene.h"

#include "base/codec.h"
#include "base/cookie.h"

#include <apr_strings.h>

START_TEST(a_user_signs_in_and_is_known)
{
    es_acs_form_t form = scene_entra(scene_start("/page?a=1"), (idp_response_t){ 0 });
    es_acs_report_t report;
    es_session_claim_t claim;
    es_session_t session;
    es_answer_t answer;
    es_why_t why;

    ck_assert_int_eq(scene_resume(&session), ES_SESSION_NONE);
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(answer.location, "/page?a=1");
    ck_assert_str_eq(report.user, "alice@example.com");
    ck_assert_int_eq(report.restarted, ES_OK);
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    ck_assert_str_eq(session.user, "alice@example.com");
    ck_assert(es_session_find(&claim, &session, es_claims_find("name"), "name"));
    ck_assert_str_eq(claim.joined, "alice@example.com");
}
END_TEST

START_TEST(going_back_ends_on_the_landing)
{
    es_acs_form_t form = scene_entra(scene_start("/page"), (idp_response_t){ 0 });
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    scene_flow.now += SECONDS(1800);
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(answer.location, "/page");
    ck_assert_int_eq(answer.n_cookies, 0);
    ck_assert_ptr_null(report.user);
}
END_TEST

START_TEST(an_assertion_is_good_once)
{
    idp_response_t about = { .assertion_id = "_once" };
    es_acs_form_t form = scene_entra(scene_start("/"), about);
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    form = scene_entra(scene_start("/"), about); /* the same assertion ID as the answer to another request */
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_REPLAYED, why);
}
END_TEST

START_TEST(another_browser_starts_again_and_gives_up)
{
    const char *redirect = scene_start("/page");
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    for (int round = 1; round < ES_PENDING_ROUNDS; round++) {
        es_acs_form_t form = scene_entra(redirect, (idp_response_t){ 0 });

        scene_binding_cookie = NULL;
        ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
        ck_assert_int_eq(report.restarted, ES_BINDING_MISSING);
        ck_assert_ptr_null(report.user);
        ck_assert_ptr_null(scene_session_cookie);
        ck_assert_int_eq(strncmp(answer.location, "https://login.example.com/", 26), 0);
        redirect = answer.location;
    }
    scene_binding_cookie = NULL;
    es_acs_form_t form = scene_entra(redirect, (idp_response_t){ 0 });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_SIGNON_LOOP, why);
}
END_TEST

START_TEST(tabs_opened_before_the_first_cookie_all_succeed)
{
    enum { TABS = 200 };
    const char *redirect[TABS];
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    for (int tab = 0; tab < TABS; tab++) { /* each without a cookie; the browser keeps the last one it was given */
        scene_binding_cookie = NULL;
        redirect[tab] = scene_start(apr_psprintf(unit_pool, "/tab/%d", tab));
    }
    for (int tab = TABS - 1; tab >= 0; tab--) {
        int other = (tab * 7) % TABS; /* in any order */
        es_acs_form_t form = scene_entra(redirect[other], (idp_response_t){ 0 });

        ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
        if (report.restarted != ES_OK) {
            form = scene_entra(answer.location, (idp_response_t){ 0 });
            ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
        }
        ck_assert_str_eq(answer.location, apr_psprintf(unit_pool, "/tab/%d", other));
        ck_assert_uint_lt(strlen(scene_binding_cookie), 256);
    }
}
END_TEST

START_TEST(a_login_page_left_open_starts_again_once)
{
    const char *redirect = scene_start("/page");
    es_acs_report_t report;
    es_acs_form_t form;
    es_answer_t answer;
    es_why_t why;

    scene_flow.now += ES_PENDING_LIFETIME + SECONDS(1);
    form = scene_entra(redirect, (idp_response_t){ 0 });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_int_eq(report.restarted, ES_PENDING_EXPIRED);
    form = scene_entra(answer.location, (idp_response_t){ 0 });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(answer.location, "/page");
    ck_assert_ptr_nonnull(report.user);
}
END_TEST

START_TEST(a_session_cookie_that_never_comes_back_gets_a_page)
{
    es_answer_t answer = { NULL };
    es_acs_report_t report;
    es_why_t why = ES_WHY_INIT;

    for (int i = 0; i < 2; i++) {
        es_acs_form_t form = scene_entra(scene_start("/page"), (idp_response_t){ 0 });

        ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
        scene_session_cookie = NULL;
    }
    scene_send_cookies(1);
    answer = (es_answer_t){ NULL };
    ck_assert_reason(es_signon_start(&answer, &scene_flow, NULL, "/page", &why), ES_SESSION_LOOP, why);
    why = ES_WHY_INIT;
    ck_assert_reason(es_signon_start(&answer, &scene_flow, NULL, "/other", &why), ES_OK, why);
    scene_flow.now += SECONDS(61);
    ck_assert_reason(es_signon_start(&answer, &scene_flow, NULL, "/page", &why), ES_OK, why);
}
END_TEST

START_TEST(signing_out_and_in_again_is_no_loop)
{
    es_session_t session;
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;
    int ended;

    for (int i = 0; i < 4; i++) {
        es_acs_form_t form = scene_entra(scene_start("/page"), (idp_response_t){ 0 });

        ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
        answer = (es_answer_t){ NULL };
        scene_send_cookies(1);
        ck_assert_reason(es_logout_start(&answer, &ended, &scene_flow, NULL, 1, &why), ES_OK, why);
        ck_assert_int_eq(ended, 1);
        ck_assert_int_eq(scene_resume(&session),
                         ES_SESSION_NONE); /* the cookie as it was: the session is gone, not only its cookie */
        scene_keep_cookies(&answer);
        ck_assert_ptr_null(scene_session_cookie);
    }
}
END_TEST

START_TEST(signing_in_again_ends_the_old_session)
{
    es_acs_form_t form = scene_entra(scene_start("/page"), (idp_response_t){ 0 });
    es_acs_report_t report;
    es_session_t session;
    es_answer_t answer;
    es_why_t why;
    char *old;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    old = scene_session_cookie;
    form = scene_entra(scene_start("/page"), (idp_response_t){ 0 });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_ne(scene_session_cookie, old);
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    scene_session_cookie = old;
    ck_assert_int_eq(scene_resume(&session), ES_SESSION_NONE);
}
END_TEST

#define ENTRA_CLAIM(name, value)                                                                                       \
    "<Attribute Name=\"http://schemas.microsoft.com/identity/claims/" name "\"><AttributeValue>" value                 \
    "</AttributeValue></Attribute>"
#define TENANT ENTRA_CLAIM("tenantid", "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34")

/* Signs in with another browser; its session cookie. */
static char *sign_in_anew(const char *attributes, int ended)
{
    es_acs_report_t report;
    es_acs_form_t form;
    es_answer_t answer;
    es_why_t why;

    scene_session_cookie = scene_binding_cookie = NULL;
    form = scene_entra(scene_start("/page"), (idp_response_t){ .attributes = attributes });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_int_eq(report.n_ended, ended);
    scene_flow.now += SECONDS(10);
    return scene_session_cookie;
}

static es_rv_t resume_with(char *cookie)
{
    es_session_t session;

    scene_session_cookie = cookie;
    return scene_resume(&session);
}

START_TEST(a_user_has_so_many_sessions_and_no_more)
{
    const char *ada = ALICE TENANT ENTRA_CLAIM("objectidentifier", "ada");
    const char *ben = ALICE TENANT ENTRA_CLAIM("objectidentifier", "ben"); /* of the same name, and yet another */
    char *first, *second, *third, *bens;

    scene_use_memory(1024 * 1024);
    first = sign_in_anew(ada, 0);
    second = sign_in_anew(ada, 0);
    scene_site.sessions_per_user = 2;
    bens = sign_in_anew(ben, 0);
    scene_flow.now += IDLE / 2;
    ck_assert_int_eq(resume_with(first), ES_OK); /* and so is not the longest idle any more */
    third = sign_in_anew(ada, 1);
    ck_assert_int_eq(resume_with(second), ES_SESSION_NONE);
    ck_assert(resume_with(first) == ES_OK && resume_with(third) == ES_OK && resume_with(bens) == ES_OK);
    scene_site.sessions_per_user = 1;
    second = sign_in_anew(ada, 2);
    ck_assert(resume_with(first) == ES_SESSION_NONE && resume_with(third) == ES_SESSION_NONE);
    ck_assert(resume_with(second) == ES_OK && resume_with(bens) == ES_OK);
}
END_TEST

START_TEST(without_an_object_id_the_name_id_counts)
{
    char *first, *second;

    scene_site.sessions_per_user = 1;
    first = sign_in_anew(ALICE, 0);
    second = sign_in_anew(ALICE, 1);
    ck_assert(resume_with(first) == ES_SESSION_NONE && resume_with(second) == ES_OK);
}
END_TEST

START_TEST(the_session_that_is_replaced_does_not_count)
{
    es_acs_report_t report;
    es_acs_form_t form;
    es_answer_t answer;
    es_why_t why;
    char *other;

    scene_site.sessions_per_user = 2;
    other = sign_in_anew(ALICE, 0);
    sign_in_anew(ALICE, 0);
    form = scene_entra(scene_start("/page"), (idp_response_t){ 0 }); /* with the cookie of the second */
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_int_eq(report.n_ended, 0);
    ck_assert_int_eq(resume_with(other), ES_OK);
}
END_TEST

START_TEST(what_was_not_started_here_is_refused)
{
    const char *redirect = scene_start("/page");
    es_acs_report_t report;
    es_acs_form_t form = scene_entra(redirect, (idp_response_t){ .request_id = "_0123456789abcdef0123456789abcdef" });
    es_connection_t other = *scene_site.connection;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_IN_RESPONSE_TO, why);
    form = scene_entra(redirect, (idp_response_t){ 0 });
    form.relay_state = "https://app.example.com/page";
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_PENDING_UNREADABLE, why);
    form.relay_state = NULL;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_PENDING_UNREADABLE, why);
    form.saml_response = NULL;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_RESPONSE_MISSING, why);
    form = scene_entra(redirect, (idp_response_t){ 0 });
    other.id.octet[0] ^= 1;
    scene_site.connection = &other;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_PENDING_FOREIGN, why);
}
END_TEST

START_TEST(an_unsolicited_response_is_refused)
{
    idp_response_t about = { .reply_url = scene_site.connection->reply_url,
                             .audience = scene_site.connection->entity_id,
                             .attributes = ALICE,
                             .now = scene_flow.now };
    es_acs_form_t form = { idp_response(scene_idp, &about, unit_pool), NULL };
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_UNSOLICITED, why);
    form.relay_state = scene_query_value(scene_start("/page"), "RelayState");
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_UNSOLICITED, why);
}
END_TEST

START_TEST(a_session_ends_when_it_must)
{
    idp_response_t about = { .session_not_on_or_after = scene_flow.now + SECONDS(7200) };
    es_acs_form_t form = scene_entra(scene_start("/page"), about);
    const apr_time_t signed_in = scene_flow.now;
    es_acs_report_t report;
    es_session_t session;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    for (int minutes = 50; minutes < 120; minutes += 50) { /* used often enough, it is not idle */
        scene_flow.now = signed_in + SECONDS(60 * minutes);
        ck_assert_int_eq(scene_resume(&session), ES_OK);
    }
    scene_flow.now = signed_in + SECONDS(7201);
    ck_assert_int_ne(scene_resume(&session), ES_OK);

    scene_flow.now = signed_in;
    form = scene_entra(scene_start("/page"), (idp_response_t){ 0 });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    scene_flow.now += IDLE + SECONDS(1);
    ck_assert_int_eq(scene_resume(&session), ES_SESSION_IDLE);
}
END_TEST

START_TEST(a_user_without_a_name_is_refused_by_name)
{
    es_acs_form_t form =
        scene_entra(scene_start("/page"),
                    (idp_response_t){ .attributes = "<Attribute Name=\"mail\"><AttributeValue>a@b</AttributeValue>"
                                                    "</Attribute>" });
    static const char *const wanted[] = { "upn", "employeeid", NULL };
    es_connection_t strict = *scene_site.connection;
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    strict.remote_user = wanted;
    scene_site.connection = &strict;
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_REMOTE_USER_MISSING, why);
    ck_assert_ptr_nonnull(strstr(why.text, "employeeid"));
}
END_TEST

START_TEST(every_cookie_of_our_name_is_tried_up_to_a_limit)
{
    es_acs_form_t form = scene_entra(scene_start("/page"), (idp_response_t){ 0 });
    es_acs_report_t report;
    es_session_t session;
    es_answer_t answer;
    es_why_t why;
    int before;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    for (before = ES_COOKIE_TRIES - 1; before <= ES_COOKIE_TRIES; before++) {
        scene_flow.cookies = scene_session_cookie;
        for (int i = 0; i < before; i++) {
            scene_flow.cookies =
                apr_psprintf(unit_pool, "%s=%043d; %s", scene_site.connection->session_cookie, i, scene_flow.cookies);
        }
        why = ES_WHY_INIT;
        ck_assert_reason(es_resume_find(&session, &scene_flow, LIFETIME, IDLE, &why),
                         before < ES_COOKIE_TRIES ? ES_OK : ES_SESSION_NONE, why);
    }
}
END_TEST

START_TEST(return_addresses_pass_the_gate)
{
    static const char *const hostile[] = { "https://evil.example/", "//evil.example/", "/\\evil.example", "", NULL };
    es_why_t why = ES_WHY_INIT;
    es_pending_t *pending;
    char *longest = apr_pcalloc(unit_pool, 4097);

    for (unsigned i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        ck_assert_reason(es_pending_open(&pending, scene_query_value(scene_start(hostile[i]), "RelayState"), &scene_key,
                                         &why, unit_pool),
                         ES_OK, why);
        ck_assert_str_eq(pending->landing, "/");
    }
    memset(longest, '/', 1);
    memset(longest + 1, 'x', 4095);
    ck_assert_reason(
        es_pending_open(&pending, scene_query_value(scene_start(longest), "RelayState"), &scene_key, &why, unit_pool),
        ES_OK, why);
    ck_assert_str_eq(pending->landing, "/");
}
END_TEST

Suite *suite_flow(void)
{
    Suite *suite = suite_create("flow");
    TCase *tcase = unit_case(suite, "flow");

    tcase_add_checked_fixture(tcase, scene_open, NULL);
    tcase_add_test(tcase, a_user_signs_in_and_is_known);
    tcase_add_test(tcase, going_back_ends_on_the_landing);
    tcase_add_test(tcase, an_assertion_is_good_once);
    tcase_add_test(tcase, another_browser_starts_again_and_gives_up);
    tcase_add_test(tcase, tabs_opened_before_the_first_cookie_all_succeed);
    tcase_add_test(tcase, a_login_page_left_open_starts_again_once);
    tcase_add_test(tcase, a_session_cookie_that_never_comes_back_gets_a_page);
    tcase_add_test(tcase, signing_out_and_in_again_is_no_loop);
    tcase_add_test(tcase, signing_in_again_ends_the_old_session);
    tcase_add_test(tcase, a_user_has_so_many_sessions_and_no_more);
    tcase_add_test(tcase, without_an_object_id_the_name_id_counts);
    tcase_add_test(tcase, the_session_that_is_replaced_does_not_count);
    tcase_add_test(tcase, what_was_not_started_here_is_refused);
    tcase_add_test(tcase, an_unsolicited_response_is_refused);
    tcase_add_test(tcase, a_session_ends_when_it_must);
    tcase_add_test(tcase, a_user_without_a_name_is_refused_by_name);
    tcase_add_test(tcase, every_cookie_of_our_name_is_tried_up_to_a_limit);
    tcase_add_test(tcase, return_addresses_pass_the_gate);
    return suite;
}
