/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a front end is told of a session, to the letter, and that asking leaves no trace.
 */
#include "scene.h"

#include "base/codec.h"
#include "flow/tell.h"

#include <apr_strings.h>

#define CLAIM(name, values) "<Attribute Name=\"" name "\">" values "</Attribute>"
#define VALUE(text) "<AttributeValue>" text "</AttributeValue>"
#define GROUPS "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"

static const es_tell_limits_t usual = { LIFETIME, IDLE, 0 };

static void sign_in(idp_response_t about)
{
    es_acs_form_t form = scene_entra(scene_start("/"), about);
    es_acs_report_t report;
    es_answer_t answer;
    es_why_t why;

    ck_assert_reason(scene_post(&answer, &report, &form, &why), ES_OK, why);
    scene_send_cookies(1);
}

static const char *tell(const es_tell_limits_t *limits, const char *page, int extends)
{
    es_why_t why = ES_WHY_INIT;
    const char *json;

    ck_assert_reason(es_tell_session(&json, &scene_flow, limits, page, extends, &why), ES_OK, why);
    return json;
}

static void refused(const es_tell_limits_t *limits, es_rv_t expected)
{
    es_why_t why = ES_WHY_INIT;
    const char *json = NULL;

    ck_assert_reason(es_tell_session(&json, &scene_flow, limits, "/", 0, &why), expected, why);
    ck_assert_ptr_null(json);
    why = ES_WHY_INIT;
    ck_assert_reason(es_tell_session(&json, &scene_flow, limits, "/", 1, &why), expected, why);
}

static void assert_says(const char *json, const char *words)
{
    ck_assert_msg(strstr(json, words), "%s is not in %s", words, json);
}

START_TEST(everything_there_is)
{
    static const char *const claims[] = { "name", "groups", "surname", NULL };

    scene_site.session_claims = claims;
    sign_in((idp_response_t){ .attributes = ALICE CLAIM(GROUPS, VALUE("g2") VALUE("g1")) });
    scene_flow.now += SECONDS(600);
    ck_assert_str_eq(tell(&usual, "/a?b=c&d", 0),
                     "{\"user\":\"alice@example.com\",\"claims\":{\"name\":[\"alice@example.com\"],"
                     "\"groups\":[\"g2\",\"g1\"]},\"now\":\"2026-03-01T12:10:00Z\","
                     "\"authenticated\":\"2026-03-01T12:00:00Z\","
                     "\"ends\":\"2026-03-01T20:00:00Z\",\"ends_in\":28200,"
                     "\"idle_ends\":\"2026-03-01T13:00:00Z\",\"idle_ends_in\":3000,"
                     "\"sign_in\":\"https://app.example.com/saml/login?fresh=1\\u0026return=%2Fa%3Fb%3Dc%26d\","
                     "\"sign_out\":\"https://app.example.com/saml/logout\"}\n");
}
END_TEST

START_TEST(no_claim_that_was_not_chosen)
{
    sign_in((idp_response_t){ .attributes = ALICE CLAIM(GROUPS, VALUE("g1")) });
    assert_says(tell(&usual, "/", 0), "\"claims\":{}");
}
END_TEST

/* Nor what finds it in the store, nor what ties it to Entra. */
START_TEST(nothing_that_leads_to_the_session)
{
    static const char *const claims[] = { "name", "nameid", NULL };
    const char *token, *json;
    es_session_t session;
    es_hash_t key;

    scene_site.session_claims = claims;
    sign_in((idp_response_t){ 0 });
    token = strchr(scene_session_cookie, '=') + 1;
    ck_assert(es_session_token_read(&key, token));
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    json = tell(&usual, "/", 1);
    ck_assert_ptr_null(strstr(json, token));
    ck_assert_ptr_null(strstr(json, es_codec_hex(es_bytes(&key, sizeof key), unit_pool)));
    ck_assert_ptr_null(strstr(json, es_codec_base64url_encode(es_bytes(&key, sizeof key), unit_pool)));
    ck_assert(*session.session_index);
    ck_assert_ptr_null(strstr(json, session.session_index));
    ck_assert_ptr_null(strstr(json, scene_site.connection->tag));
}
END_TEST

START_TEST(values_with_every_odd_character)
{
    static const char *const claims[] = { "groups", "surname", NULL };

    scene_site.session_claims = claims;
    sign_in((idp_response_t){ .attributes = ALICE CLAIM(GROUPS, VALUE("a;b\\c") VALUE(";") VALUE("\\") VALUE("")
                                                                    VALUE("&lt;/script&gt;&quot;'&amp;")
                                                                        VALUE("Zo\xc3\xab \xf0\x9f\x98\x80\xe2\x80\xa8")
                                                                            VALUE("\t&#13;&#127;end\\")) });
    assert_says(tell(&usual, "/", 0),
                "\"groups\":[\"a;b\\\\c\",\";\",\"\\\\\",\"\","
                "\"\\u003c/script\\u003e\\\"'\\u0026\",\"Zo\xc3\xab \xf0\x9f\x98\x80\xe2\x80\xa8\","
                "\"   end\\\\\"]}");
}
END_TEST

START_TEST(two_thousand_values)
{
    static const char *const claims[] = { "groups", NULL };
    const char *values = "", *json, *value;
    int i;

    scene_use_memory(16 * 1024 * 1024);
    scene_site.session_claims = claims;
    for (i = 0; i < 2000; i++) {
        values = apr_psprintf(unit_pool, "%s<AttributeValue>%036d</AttributeValue>", values, i);
    }
    sign_in((idp_response_t){
        .attributes = apr_pstrcat(unit_pool, ALICE "<Attribute Name=\"" GROUPS "\">", values, "</Attribute>", NULL) });
    json = tell(&usual, "/", 0);
    value = strstr(json, "\"groups\":[") + strlen("\"groups\":[");
    for (i = 0; i < 2000; i++, value += 39) {
        ck_assert_int_eq(strncmp(value, apr_psprintf(unit_pool, "\"%036d\"%c", i, i < 1999 ? ',' : ']'), 39), 0);
    }
}
END_TEST

/* Polled every minute, a session ends when it would have ended. */
START_TEST(asking_is_no_use)
{
    es_session_t session;

    sign_in((idp_response_t){ 0 });
    for (int minute = 1; minute < 60; minute++) {
        scene_flow.now += SECONDS(60);
        assert_says(tell(&usual, "/", 0), apr_psprintf(unit_pool, "\"idle_ends_in\":%d,", 3600 - 60 * minute));
    }
    scene_flow.now += SECONDS(60);
    refused(&usual, ES_SESSION_IDLE);
    ck_assert_int_eq(scene_resume(&session), ES_SESSION_IDLE);
}
END_TEST

START_TEST(going_on_with_it_is)
{
    scene_site.keep = 2 * LIFETIME;
    sign_in((idp_response_t){ 0 });
    for (int i = 0; i < 9; i++) {
        scene_flow.now += SECONDS(3000);
        assert_says(tell(&usual, "/", 1), "\"idle_ends_in\":3600,");
        assert_says(tell(&usual, "/", 0), apr_psprintf(unit_pool, "\"ends_in\":%d,", 28800 - 3000 * (i + 1)));
    }
    scene_flow.now += SECONDS(1800);
    refused(&usual, ES_SESSION_EXPIRED); /* no use prolongs it beyond its lifetime */
}
END_TEST

/* A use that is noted (resume) and one that is asked for move the same end. */
START_TEST(to_the_second)
{
    sign_in((idp_response_t){ 0 });
    scene_flow.now += SECONDS(1);
    assert_says(tell(&usual, "/", 1), "\"idle_ends\":\"2026-03-01T13:00:01Z\"");
    scene_flow.now += apr_time_from_msec(999);
    assert_says(tell(&usual, "/", 0), "\"idle_ends\":\"2026-03-01T13:00:01Z\",\"idle_ends_in\":3599,");
}
END_TEST

START_TEST(the_limits_are_the_pages)
{
    const es_tell_limits_t narrow = { SECONDS(900), SECONDS(300), 0 }, fresh = { LIFETIME, IDLE, SECONDS(120) };
    const char *json;

    sign_in((idp_response_t){ 0 });
    json = tell(&narrow, "/", 0);
    assert_says(json, "\"ends\":\"2026-03-01T12:15:00Z\",\"ends_in\":900,\"idle_ends\":\"2026-03-01T12:05:00Z\"");
    ck_assert_ptr_null(strstr(json, "fresh_ends"));
    assert_says(tell(&fresh, "/", 0), "\"fresh_ends\":\"2026-03-01T12:02:00Z\",\"fresh_ends_in\":120,");
    scene_flow.now += SECONDS(121);
    refused(&fresh, ES_SESSION_STALE);
    scene_flow.now += SECONDS(179);
    refused(&narrow, ES_SESSION_IDLE); /* and going on with it there does not help it elsewhere */
    assert_says(tell(&usual, "/", 0), "\"idle_ends_in\":3300,");
    scene_flow.now += SECONDS(600);
    refused(&narrow, ES_SESSION_EXPIRED);
}
END_TEST

START_TEST(entras_own_end_counts)
{
    sign_in((idp_response_t){ .session_not_on_or_after = scene_flow.now + SECONDS(700) });
    assert_says(tell(&usual, "/", 0), "\"ends\":\"2026-03-01T12:11:40Z\",\"ends_in\":700,");
}
END_TEST

START_TEST(without_a_session)
{
    refused(&usual, ES_SESSION_NONE);
    scene_flow.cookies = apr_psprintf(unit_pool, "%s=%043d", scene_site.connection->session_cookie, 7);
    refused(&usual, ES_SESSION_NONE);
}
END_TEST

START_TEST(where_a_sign_in_leads)
{
    ck_assert_str_eq(es_tell_sign_in(scene_site.connection, "/x y?\"&fresh=1#", 0, unit_pool),
                     "https://app.example.com/saml/login?return=%2Fx%20y%3F%22%26fresh%3D1%23");
}
END_TEST

START_TEST(which_claims_can_be_chosen)
{
    static const char *const good[] = { "name", "groups", "nameid" }, *const twice[] = { "name", "groups", "name" },
                             *const uri[] = { "http://schemas.example.com/x" };
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_tell_check_claims(good, 3, &why), ES_OK, why);
    ck_assert_reason(es_tell_check_claims(twice, 3, &why), ES_CONFIG_CLAIM, why);
    why = ES_WHY_INIT;
    ck_assert_reason(es_tell_check_claims(uri, 1, &why), ES_CONFIG_CLAIM, why);
}
END_TEST

Suite *suite_tell(void)
{
    Suite *suite = suite_create("tell");
    TCase *tcase = unit_case(suite, "tell");

    tcase_add_checked_fixture(tcase, scene_open, NULL);
    tcase_add_test(tcase, everything_there_is);
    tcase_add_test(tcase, no_claim_that_was_not_chosen);
    tcase_add_test(tcase, nothing_that_leads_to_the_session);
    tcase_add_test(tcase, values_with_every_odd_character);
    tcase_add_test(tcase, two_thousand_values);
    tcase_add_test(tcase, asking_is_no_use);
    tcase_add_test(tcase, going_on_with_it_is);
    tcase_add_test(tcase, to_the_second);
    tcase_add_test(tcase, the_limits_are_the_pages);
    tcase_add_test(tcase, entras_own_end_counts);
    tcase_add_test(tcase, without_a_session);
    tcase_add_test(tcase, where_a_sign_in_leads);
    tcase_add_test(tcase, which_claims_can_be_chosen);
    return suite;
}
