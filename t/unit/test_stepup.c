/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Another sign-in for a user whom the rules deny: once for a session, and none for one that came of it.
 */
#include "scene.h"

#include "flow/stepup.h"

#define MINUTES(n) SECONDS(60 * (n))

static es_session_t session;

/* Answers a redirect to Entra, and reads the session that there is then. */
static void come_back(const char *redirect)
{
    es_acs_form_t form = scene_entra(redirect, (idp_response_t){ 0 });
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(answer.location, "/page");
    ck_assert_int_eq(scene_resume(&session), ES_OK);
}

static void open_session(void)
{
    scene_open();
    come_back(scene_start("/page"));
}

static int is_due(es_request_kind_t kind)
{
    return es_stepup_is_due(&scene_flow, &session, kind, 0);
}

static es_rv_t go(const char **redirect, es_request_kind_t kind)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    es_rv_t rv;

    scene_send_cookies(1);
    rv = es_stepup_start(&answer, &scene_flow, &session, kind, "/page", &why);
    *redirect = answer.location;
    scene_keep_cookies(&answer);
    return rv;
}

START_TEST(one_for_each_kind)
{
    const char *redirect;

    ck_assert(is_due(ES_REQUEST_FRESH) && is_due(ES_REQUEST_MFA));
    ck_assert_int_eq(go(&redirect, ES_REQUEST_FRESH), ES_OK);
    ck_assert(scene_pending(redirect)->is_step_up && scene_pending(redirect)->is_fresh);
    ck_assert(!scene_pending(redirect)->is_mfa && scene_pending(redirect)->has_session);
    ck_assert(!is_due(ES_REQUEST_FRESH) && is_due(ES_REQUEST_MFA));
    ck_assert_int_eq(go(&redirect, ES_REQUEST_FRESH), ES_ACCESS_DENIED);
    ck_assert_ptr_null(redirect);
    ck_assert_int_eq(go(&redirect, ES_REQUEST_MFA), ES_OK);
    ck_assert(scene_pending(redirect)->is_step_up && scene_pending(redirect)->is_fresh);
    ck_assert(scene_pending(redirect)->is_mfa);
    ck_assert(!is_due(ES_REQUEST_MFA));
}
END_TEST

/* The session that comes of it takes the old one's place, and asks for no other. */
START_TEST(a_session_that_came_of_it)
{
    const char *redirect;

    ck_assert_uint_eq(session.asked, 0);
    ck_assert_int_eq(go(&redirect, ES_REQUEST_FRESH), ES_OK);
    come_back(redirect);
    ck_assert_uint_eq(session.asked, ES_SESSION_ASKED_FRESH | ES_SESSION_ASKED_STEP_UP);
    ck_assert(!is_due(ES_REQUEST_FRESH) && is_due(ES_REQUEST_MFA));
    ck_assert_int_eq(go(&redirect, ES_REQUEST_MFA), ES_OK);
    come_back(redirect);
    ck_assert_uint_eq(session.asked, ES_SESSION_ASKED_ALL);
    ck_assert(!is_due(ES_REQUEST_FRESH) && !is_due(ES_REQUEST_MFA));
    scene_flow.now += MINUTES(59);
    ck_assert(!is_due(ES_REQUEST_FRESH) && !is_due(ES_REQUEST_MFA));
}
END_TEST

/* EntraSAMLFreshSignIn has just asked for the same; hours later another page may ask once, too. */
START_TEST(a_session_of_a_fresh_sign_in)
{
    come_back(scene_start_asking(ES_REQUEST_FRESH, "/page"));
    ck_assert_uint_eq(session.asked, ES_SESSION_ASKED_FRESH);
    scene_flow.now += SECONDS(59);
    ck_assert(!is_due(ES_REQUEST_FRESH) && is_due(ES_REQUEST_MFA));
    scene_flow.now += SECONDS(1);
    ck_assert(is_due(ES_REQUEST_FRESH) && is_due(ES_REQUEST_MFA));
    come_back(scene_start_asking(ES_REQUEST_MFA, "/page"));
    ck_assert_uint_eq(session.asked, ES_SESSION_ASKED_FRESH | ES_SESSION_ASKED_MFA);
    ck_assert(!is_due(ES_REQUEST_FRESH) && !is_due(ES_REQUEST_MFA));
}
END_TEST

/* What time takes away another sign-in gives back; but not to a session that was made for this very request. */
START_TEST(a_sign_in_that_grew_old)
{
    const char *redirect;

    ck_assert(es_stepup_is_due(&scene_flow, &session, ES_REQUEST_FRESH, 1));
    ck_assert_int_eq(go(&redirect, ES_REQUEST_FRESH), ES_OK);
    ck_assert(!es_stepup_is_due(&scene_flow, &session, ES_REQUEST_FRESH, 1));
    come_back(redirect);
    ck_assert(!es_stepup_is_due(&scene_flow, &session, ES_REQUEST_FRESH, 1));
    scene_flow.now += SECONDS(60);
    ck_assert(es_stepup_is_due(&scene_flow, &session, ES_REQUEST_FRESH, 1));
    ck_assert(!es_stepup_is_due(&scene_flow, &session, ES_REQUEST_FRESH, 0));
}
END_TEST

/* Who gives up at Entra keeps his session, and the page that says no is what he finds, for as long as he could still have
 * come back. */
START_TEST(who_gives_up)
{
    const char *redirect;
    es_acs_report_t report;
    es_acs_form_t form;
    es_answer_t answer;
    es_why_t why;

    ck_assert_int_eq(go(&redirect, ES_REQUEST_MFA), ES_OK);
    form = scene_error(redirect, "AADSTS50074: strong authentication is required");
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(answer.location, "/page");
    ck_assert_int_eq(report.noted.rv, ES_STEP_UP_FAILED);
    ck_assert_ptr_nonnull(strstr(report.noted.text, "aadsts=50074"));
    ck_assert_ptr_null(report.user);
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    ck_assert(!is_due(ES_REQUEST_MFA));
    scene_flow.now += MINUTES(59);
    ck_assert(!is_due(ES_REQUEST_MFA));
    scene_flow.now += MINUTES(2);
    ck_assert(is_due(ES_REQUEST_MFA));
}
END_TEST

/* The error of another sign-in is a page, although the user has a session: he went there by himself. */
START_TEST(only_a_step_up_swallows_an_error)
{
    es_acs_form_t form = scene_error(scene_start_asking(ES_REQUEST_MFA, "/page"), "AADSTS50074: …");
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;
    const char *redirect;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_RESPONSE_STATUS, why);
    ck_assert_int_eq(go(&redirect, ES_REQUEST_MFA), ES_OK);
    scene_binding_cookie = NULL;
    form = scene_error(redirect, "AADSTS50074: …");
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_RESPONSE_STATUS, why);
}
END_TEST

static es_rv_t no_room(int *added, es_store_t *store, const es_hash_t *mark, apr_time_t expires, apr_time_t now,
                       es_why_t *why)
{
    (void)added;
    (void)store;
    (void)mark;
    (void)expires;
    (void)now;
    return es_fail(why, ES_MARKS_FULL, "no room");
}

static es_rv_t no_answer(int *found, es_store_t *store, const es_hash_t *mark, apr_time_t now, es_why_t *why)
{
    (void)found;
    (void)store;
    (void)mark;
    (void)now;
    return es_fail(why, ES_INTERNAL, "no answer");
}

/* Without a mark nobody is sent: nothing would keep him from being sent for ever. */
START_TEST(no_mark_no_sign_in)
{
    es_store_t store = *scene_flow.store;
    const char *redirect;

    store.mark_add = no_room;
    scene_flow.store = &store;
    ck_assert(is_due(ES_REQUEST_FRESH));
    ck_assert_int_eq(go(&redirect, ES_REQUEST_FRESH), ES_MARKS_FULL);
    ck_assert_ptr_null(redirect);
    store.mark_find = no_answer;
    ck_assert(!is_due(ES_REQUEST_FRESH));
}
END_TEST

/* Each session has its own, also of one user. */
START_TEST(another_session_of_the_same_user)
{
    const es_session_t first = session;
    const char *redirect;

    scene_session_cookie = scene_binding_cookie = NULL;
    scene_flow.now++;
    come_back(scene_start("/page"));
    ck_assert_int_eq(go(&redirect, ES_REQUEST_FRESH), ES_OK);
    ck_assert(!is_due(ES_REQUEST_FRESH));
    session = first;
    ck_assert(is_due(ES_REQUEST_FRESH));
}
END_TEST

Suite *suite_stepup(void)
{
    Suite *suite = suite_create("stepup");
    TCase *tcase = unit_case(suite, "stepup");

    tcase_add_checked_fixture(tcase, open_session, NULL);
    tcase_add_test(tcase, one_for_each_kind);
    tcase_add_test(tcase, a_session_that_came_of_it);
    tcase_add_test(tcase, a_session_of_a_fresh_sign_in);
    tcase_add_test(tcase, a_sign_in_that_grew_old);
    tcase_add_test(tcase, who_gives_up);
    tcase_add_test(tcase, only_a_step_up_swallows_an_error);
    tcase_add_test(tcase, no_mark_no_sign_in);
    tcase_add_test(tcase, another_session_of_the_same_user);
    return suite;
}
