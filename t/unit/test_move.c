/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Requests without TLS: where they are led, and how a browser shows that it has TLS after all. The session's cookie for
 * embedded applications.
 */
#include "scene.h"

#include <apr_strings.h>

static const char *move(const char *path)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_signon_move(&answer, &scene_flow, path, &why), ES_OK, why);
    ck_assert_int_eq(answer.n_cookies, 1);
    ck_assert_ptr_nonnull(strstr(answer.cookies[0], "; Path=/; Secure; HttpOnly; SameSite=None"));
    scene_keep_cookies(&answer);
    return answer.location + strlen(scene_site.connection->origin);
}

/* Whatever the path, it is one of ours. */
START_TEST(to_the_same_page_on_our_origin)
{
    static const char *const paths[] = { "/", "/page?a=1&b=%2f#", "//evil.example/", "/\\evil.example",
                                         "/.//evil.example" };
    static const char *const others[] = {
        "http://evil.example/", "https://evil.example/", "*", "", "evil.example:443", "@evil"
    };
    apr_size_t i;

    for (i = 0; i < sizeof paths / sizeof *paths; i++) {
        ck_assert_str_eq(move(paths[i]), paths[i]);
    }
    for (i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert_str_eq(move(others[i]), scene_site.connection->default_page);
    }
}
END_TEST

START_TEST(the_cookie_shows_tls)
{
    scene_flow.cookies = NULL;
    ck_assert(!es_signon_has_tls(&scene_flow));
    scene_flow.cookies = "other=1; __Host-entra-signin-00000000=x";
    ck_assert(!es_signon_has_tls(&scene_flow));
    move("/page");
    scene_flow.cookies = scene_binding_cookie;
    ck_assert(es_signon_has_tls(&scene_flow));
    scene_flow.cookies = apr_pstrcat(unit_pool, "other=1; ", scene_site.connection->session_cookie, "=x", NULL);
    ck_assert(es_signon_has_tls(&scene_flow));
}
END_TEST

/* The sign-on that follows goes on with that very cookie. */
START_TEST(the_cookie_binds_the_sign_on)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;

    move("/page");
    scene_flow.cookies = scene_binding_cookie;
    ck_assert_reason(es_signon_start(&answer, &scene_flow, NULL, "/page", &why), ES_OK, why);
    ck_assert_int_eq(answer.n_cookies, 0);
}
END_TEST

static const char *session_cookie_set(es_cookie_site_t site)
{
    es_answer_t answer = { NULL };
    es_acs_report_t report;
    es_acs_form_t form;
    es_why_t why;

    scene_site.session_cookie = site;
    form = scene_entra(scene_start("/page"), (idp_response_t){ NULL });
    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    return answer.cookies[0];
}

static const char *session_cookie_erased(void)
{
    es_answer_t answer = { NULL };
    es_why_t why = ES_WHY_INIT;
    int ended;

    ck_assert_reason(es_logout_start(&answer, &ended, &scene_flow, NULL, 0, &why), ES_OK, why);
    return answer.cookies[0];
}

START_TEST(lax_unless_told)
{
    ck_assert_ptr_nonnull(strstr(session_cookie_set(ES_COOKIE_LAX), "; SameSite=Lax"));
    ck_assert_ptr_nonnull(strstr(session_cookie_erased(), "; SameSite=Lax; Max-Age=0"));
    ck_assert_ptr_nonnull(strstr(session_cookie_set(ES_COOKIE_NONE), "; SameSite=None"));
    ck_assert_ptr_nonnull(strstr(session_cookie_erased(), "; SameSite=None; Max-Age=0"));
}
END_TEST

Suite *suite_move(void)
{
    Suite *suite = suite_create("move");
    TCase *tcase = unit_case(suite, "move");

    tcase_add_checked_fixture(tcase, scene_open, NULL);
    tcase_add_test(tcase, to_the_same_page_on_our_origin);
    tcase_add_test(tcase, the_cookie_shows_tls);
    tcase_add_test(tcase, the_cookie_binds_the_sign_on);
    tcase_add_test(tcase, lax_unless_told);
    return suite;
}
