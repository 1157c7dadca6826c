/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Long landings and posted forms: what the store keeps while the browser is away, who gets it back, and once only.
 */
#include "scene.h"

#include "base/codec.h"
#include "session/store.h"

#include <apr_strings.h>

#define FORM "name=Ada&note=%0D%0A"
#define PERSON(object)                                                                                                 \
    ALICE "<Attribute Name=\"http://schemas.microsoft.com/identity/claims/tenantid\"><AttributeValue>t</"              \
          "AttributeValue></Attribute><Attribute Name=\"http://schemas.microsoft.com/identity/claims/"                 \
          "objectidentifier\"><AttributeValue>" object "</AttributeValue></Attribute>"

static const char *long_page(unsigned number, apr_size_t len)
{
    char *page = apr_psprintf(unit_pool, "/page%04u?%*s", number, (int)len - 10, "");

    for (char *c = page; *c; c++) {
        *c = *c == ' ' ? 'x' : *c;
    }
    ck_assert_uint_eq(strlen(page), len);
    return page;
}

/* Another user's answer, with the rest as the scene has it. */
static const char *arrive(const char *redirect, const char *attributes)
{
    es_acs_form_t form = scene_entra(redirect, (idp_response_t){ .attributes = attributes });
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    return answer.location;
}

static es_rv_t post_to(es_answer_t *answer, const char *landing, const char *body, es_why_t *why)
{
    const es_post_t post = { ES_KEPT_URLENCODED, es_bytes_of(body) };
    es_rv_t rv;

    memset(answer, 0, sizeof *answer);
    *why = ES_WHY_INIT;
    scene_send_cookies(1);
    rv = es_signon_start_post(answer, &scene_flow, NULL, landing, &post, why);
    if (rv == ES_OK) {
        ck_assert_uint_le(strlen(answer->location), 2048);
        scene_keep_cookies(answer);
    }
    return rv;
}

static const char *post(const char *landing, const char *body)
{
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(post_to(&answer, landing, body, &why), ES_OK, why);
    return answer.location;
}

/* At the address that the sign-in ended at. */
static es_rv_t resend(es_resend_t *resend, const char *location, es_why_t *why)
{
    es_session_t session;
    const char *id;

    *why = ES_WHY_INIT;
    ck_assert_int_eq(strncmp(location, "/saml/resend?", 13), 0);
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    id = scene_query_value(location, "id");
    return es_resend_take(resend, &scene_flow, &session, id, why);
}

START_TEST(a_long_landing_is_kept)
{
    static const apr_size_t lens[] = { 701, 2000, 4096, 8190 };
    const char *page = long_page(1, lens[_i]), *redirect;

    scene_use_memory(2 * 1024 * 1024);
    redirect = scene_start(page);
    ck_assert(scene_pending(redirect)->is_kept && !scene_pending(redirect)->is_post);
    ck_assert_str_eq(scene_pending(redirect)->landing, "/");
    ck_assert_str_eq(arrive(redirect, NULL), page);
    ck_assert_str_eq(arrive(redirect, NULL), page); /* Back: the request was used, and the page is still known */
}
END_TEST

START_TEST(a_short_one_travels)
{
    const char *page = long_page(1, 700), *redirect = scene_start(page);

    ck_assert(!scene_pending(redirect)->is_kept);
    ck_assert_str_eq(arrive(redirect, NULL), page);
    ck_assert(!scene_pending(scene_start(long_page(1, 8191)))->is_kept); /* no address of httpd's */
}
END_TEST

START_TEST(two_hundred_tabs)
{
    const char *redirect[200];

    scene_use_memory(32 * 1024 * 1024);
    for (unsigned n = 0; n < 200; n++) {
        redirect[n] = scene_start(long_page(n, 4096));
    }
    for (unsigned n = 200; n-- > 0;) {
        ck_assert_str_eq(arrive(redirect[n], NULL), long_page(n, 4096));
    }
    ck_assert_uint_lt(strlen(scene_binding_cookie) + strlen(scene_session_cookie), 1024);
}
END_TEST

/* In the least memory not two of the longest have room. */
START_TEST(what_is_lost_ends_on_the_default_page)
{
    es_acs_report_t report;
    es_answer_t answer;
    es_acs_form_t form;
    es_why_t why;
    const char *first = scene_start(long_page(1, 8000));

    for (unsigned n = 2; n < 10; n++) {
        scene_start(long_page(n, 8000));
    }
    form = scene_entra(first, (idp_response_t){ 0 });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    ck_assert_str_eq(answer.location, "/");
    ck_assert_reason(answer.noted, ES_LANDING_LOST, why);
    ck_assert_ptr_nonnull(scene_session_cookie);
}
END_TEST

static es_rv_t full(es_store_t *store, const es_hash_t *key, es_bytes_t content, const es_holder_t *holder,
                    apr_time_t expires, apr_time_t now, es_why_t *why)
{
    (void)store, (void)key, (void)content, (void)holder, (void)expires, (void)now;
    return es_fail(why, ES_KEEP_FULL, "full");
}

START_TEST(a_full_store)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;

    scene_flow.store->keep = full;
    ck_assert_reason(es_signon_start(&answer, &scene_flow, NULL, long_page(1, 800), &why), ES_OK, why);
    ck_assert_reason(answer.noted, ES_LANDING_LOST, why);
    ck_assert(!scene_pending(answer.location)->is_kept);
    ck_assert_str_eq(scene_pending(answer.location)->landing, "/");
    ck_assert_reason(post_to(&answer, "/form", FORM, &why), ES_KEEP_FULL, why);
    ck_assert_ptr_null(answer.location);
}
END_TEST

/* The cookie did not come, or the page was open for hours: the next round leads to the same page. */
START_TEST(it_survives_rounds)
{
    const char *page = long_page(1, 3000), *redirect = scene_start(page);
    char *cookie = scene_binding_cookie;

    scene_binding_cookie = NULL;
    redirect = arrive(redirect, NULL);
    ck_assert_int_eq(scene_pending(redirect)->round, 1);
    redirect = arrive(redirect, NULL);
    ck_assert_str_eq(redirect, page);
    ck_assert_str_ne(scene_binding_cookie, cookie);
}
END_TEST

START_TEST(a_form_is_sent_again_once)
{
    const char *location;
    es_resend_t again;
    es_why_t why;

    location = arrive(post("/form?step=2", FORM), NULL);
    ck_assert_reason(resend(&again, location, &why), ES_OK, why);
    ck_assert_str_eq(again.action, "/form?step=2");
    ck_assert_str_eq(again.form.enctype, "application/x-www-form-urlencoded");
    ck_assert_ptr_nonnull(strstr(again.form.fields, "value=\"Ada\""));
    ck_assert(!again.asks);
    ck_assert_reason(resend(&again, location, &why), ES_POST_LOST, why); /* Back, reload */
}
END_TEST

/* In two tabs, or by a double click: the same form is kept, and sent, once. */
START_TEST(the_same_form_twice)
{
    const char *one = post("/form", FORM), *two = post("/form", FORM), *other = post("/form", FORM "&x=");
    es_resend_t again;
    es_why_t why;

    one = arrive(one, NULL);
    two = arrive(two, NULL);
    other = arrive(other, NULL);
    ck_assert_reason(resend(&again, two, &why), ES_OK, why);
    ck_assert_reason(resend(&again, one, &why), ES_POST_LOST, why);
    ck_assert_reason(resend(&again, other, &why), ES_OK, why);
}
END_TEST

START_TEST(a_form_for_a_long_address)
{
    const char *page = long_page(1, 4096), *redirect = post(page, FORM);
    es_resend_t again;
    es_why_t why;

    ck_assert_reason(resend(&again, arrive(redirect, NULL), &why), ES_OK, why);
    ck_assert_str_eq(again.action, page);
}
END_TEST

/* Whoever has the address of the page that repeats a form, and a session, but not the cookie. */
START_TEST(another_browser_never_gets_it)
{
    const char *location = arrive(post("/form", FORM), NULL);
    char *cookie = scene_binding_cookie;
    es_resend_t again;
    es_why_t why;

    scene_binding_cookie = NULL;
    ck_assert_reason(resend(&again, location, &why), ES_POST_FOREIGN, why);
    scene_start("/"); /* a cookie of its own */
    ck_assert_reason(resend(&again, location, &why), ES_POST_FOREIGN, why);
    scene_binding_cookie = cookie; /* and it is still there for the right one */
    ck_assert_reason(resend(&again, location, &why), ES_OK, why);
}
END_TEST

/* A sign-on that starts again without the cookie ends in another browser's hands as far as anybody can tell. */
START_TEST(a_round_without_the_cookie_loses_the_form)
{
    const char *redirect = post("/form", FORM);
    es_resend_t again;
    es_why_t why;

    scene_binding_cookie = NULL;
    redirect = arrive(redirect, NULL);
    ck_assert_int_eq(scene_pending(redirect)->round, 1);
    ck_assert_reason(resend(&again, arrive(redirect, NULL), &why), ES_POST_FOREIGN, why);
}
END_TEST

/* The session was idle for too long, which is why there is a form to keep. */
START_TEST(the_same_user_is_not_asked)
{
    es_resend_t again;
    es_why_t why;

    arrive(scene_start("/"), PERSON("ada"));
    scene_flow.now += IDLE + SECONDS(1);
    ck_assert_reason(resend(&again, arrive(post("/form", FORM), PERSON("ada")), &why), ES_OK, why);
    ck_assert(!again.asks);
}
END_TEST

START_TEST(another_user_does_not_get_it)
{
    const char *location;
    es_resend_t again;
    es_why_t why;

    arrive(scene_start("/"), PERSON("ada"));
    scene_flow.now += IDLE + SECONDS(1);
    location = arrive(post("/form", FORM), PERSON("bob"));
    ck_assert_reason(resend(&again, location, &why), ES_POST_FOREIGN, why);
    ck_assert_reason(resend(&again, location, &why), ES_POST_LOST, why); /* it is gone for good */
}
END_TEST

/* A session that is over altogether: nobody knows whose it was. */
START_TEST(an_unknown_user_is_asked)
{
    es_resend_t again;
    es_why_t why;

    arrive(scene_start("/"), PERSON("ada"));
    scene_flow.now += LIFETIME + SECONDS(1);
    ck_assert_reason(resend(&again, arrive(post("/form", FORM), PERSON("ada")), &why), ES_OK, why);
    ck_assert(again.asks);
}
END_TEST

START_TEST(a_form_expires_with_its_sign_in)
{
    const char *location = arrive(post("/form", FORM), NULL);
    es_resend_t again;
    es_why_t why;

    scene_flow.now += ES_PENDING_LIFETIME;
    arrive(scene_start("/"), NULL);
    ck_assert_reason(resend(&again, location, &why), ES_POST_LOST, why);
}
END_TEST

START_TEST(addresses_that_name_no_form)
{
    const char *kept = scene_start(long_page(1, 900));
    const char *id = es_codec_base64url_encode(es_bytes(&scene_pending(kept)->kept, sizeof(es_hash_t)), unit_pool);
    const char *const ids[] = { NULL, "", "AAAA", "not base64url!", id };
    es_session_t session;
    es_resend_t again;

    arrive(scene_start("/"), NULL);
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++) {
        es_why_t why = ES_WHY_INIT;

        ck_assert_reason(es_resend_take(&again, &scene_flow, &session, ids[i], &why), ES_POST_LOST, why);
    }
}
END_TEST

START_TEST(a_form_stays_on_the_site)
{
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(post_to(&answer, "https://evil.example/form", FORM, &why), ES_LANDING_REFUSED, why);
    ck_assert_reason(post_to(&answer, "//evil.example/form", FORM, &why), ES_LANDING_REFUSED, why);
}
END_TEST

Suite *suite_keep(void)
{
    Suite *suite = suite_create("keep");
    TCase *tcase = unit_case(suite, "keep");

    tcase_add_checked_fixture(tcase, scene_open, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_long_landing_is_kept, 0, 4);
    tcase_add_test(tcase, a_short_one_travels);
    tcase_add_test(tcase, two_hundred_tabs);
    tcase_add_test(tcase, what_is_lost_ends_on_the_default_page);
    tcase_add_test(tcase, a_full_store);
    tcase_add_test(tcase, it_survives_rounds);
    tcase_add_test(tcase, a_form_is_sent_again_once);
    tcase_add_test(tcase, the_same_form_twice);
    tcase_add_test(tcase, a_form_for_a_long_address);
    tcase_add_test(tcase, another_browser_never_gets_it);
    tcase_add_test(tcase, a_round_without_the_cookie_loses_the_form);
    tcase_add_test(tcase, the_same_user_is_not_asked);
    tcase_add_test(tcase, another_user_does_not_get_it);
    tcase_add_test(tcase, an_unknown_user_is_asked);
    tcase_add_test(tcase, a_form_expires_with_its_sign_in);
    tcase_add_test(tcase, addresses_that_name_no_form);
    tcase_add_test(tcase, a_form_stays_on_the_site);
    return suite;
}
