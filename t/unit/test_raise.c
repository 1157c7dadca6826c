/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A sign-in where the browser has a session: what it proved stays proved for the same user and for nobody else, its cookie
 * is dead, and sign-ins side by side lower nothing.
 */
#include "scene.h"

#include "flow/signon.h"
#include "flow/subject.h"

#include <apr_strings.h>

#define MICROSOFT "http://schemas.microsoft.com/"
#define CLAIM(name, values) "<Attribute Name=\"" name "\">" values "</Attribute>"
#define VALUE(text) "<AttributeValue>" text "</AttributeValue>"
#define METHOD(name) VALUE("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/" name)
#define METHODS(values) CLAIM(MICROSOFT "claims/authnmethodsreferences", values)
#define PERSON(id)                                                                                                     \
    CLAIM(MICROSOFT "identity/claims/tenantid", VALUE("7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"))                         \
    CLAIM(MICROSOFT "identity/claims/objectidentifier", VALUE(id))
#define ADA ALICE PERSON("0e5c4a7e-90cb-4f60-9b1b-000000000001")
#define BEN                                                                                                            \
    CLAIM("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", VALUE("ben@example.com"))                      \
    PERSON("0e5c4a7e-90cb-4f60-9b1b-000000000002")
#define WEAK METHODS(METHOD("password"))
#define STRONG METHODS(METHOD("password") VALUE("http://schemas.microsoft.com/claims/multipleauthn"))

static es_why_t why;

/* Entra's answer to a redirect; the session cookie that it leaves. */
static char *answer(const char *redirect, const char *attributes, apr_time_t instant)
{
    es_acs_form_t form = scene_entra(redirect, (idp_response_t){ .attributes = attributes, .authn_instant = instant });
    es_acs_report_t report;
    es_answer_t answered;

    ck_assert_reason(scene_post(&answered, &report, &form, &why), ES_OK, why);
    ck_assert_ptr_nonnull(report.user);
    return scene_session_cookie;
}

/* A sign-on that starts with a session that is good there. */
static const char *start_raising(void)
{
    const char *redirect;

    scene_flow.is_known = 1;
    redirect = scene_start("/");
    scene_flow.is_known = 0;
    ck_assert(scene_pending(redirect)->is_raising);
    return redirect;
}

static int is_alive(const char *cookie)
{
    es_session_t session;

    scene_flow.cookies = cookie;
    why = ES_WHY_INIT;
    return es_resume_find(&session, &scene_flow, 3 * LIFETIME, 3 * LIFETIME, &why) == ES_OK;
}

static void assert_proved(apr_time_t authenticated, const char *methods)
{
    es_session_claim_t claim;
    es_session_t session;
    const char *found = "";

    ck_assert_int_eq(scene_resume(&session), ES_OK);
    ck_assert(session.authenticated == authenticated);
    if (es_session_find(&claim, &session, es_claims_find("authnmethodsreferences"), NULL)) {
        const apr_array_header_t *values = es_session_values(&claim, unit_pool);

        for (int i = 0; i < values->nelts; i++) {
            const char *method = strrchr(APR_ARRAY_IDX(values, i, const char *), '/') + 1;

            found = apr_pstrcat(unit_pool, found, *found ? " " : "", method, NULL);
        }
    }
    ck_assert_str_eq(found, methods);
}

START_TEST(what_was_proved_stays_proved)
{
    const apr_time_t noon = scene_flow.now;
    char *old = answer(scene_start("/"), ADA STRONG, noon);

    scene_flow.now += SECONDS(600);
    ck_assert_str_ne(answer(start_raising(), ADA WEAK, noon - SECONDS(7200)), old);
    assert_proved(noon, "password multipleauthn");
    ck_assert(!is_alive(old));
}
END_TEST

START_TEST(what_is_new_comes_first)
{
    const apr_time_t noon = scene_flow.now;

    answer(scene_start("/"), ADA WEAK, noon);
    scene_flow.now += SECONDS(600);
    answer(start_raising(), ADA METHODS(METHOD("x509")), scene_flow.now);
    assert_proved(scene_flow.now, "x509 password");
    scene_flow.now += SECONDS(600);
    answer(start_raising(), ADA, scene_flow.now); /* which says nothing of methods */
    assert_proved(scene_flow.now, "x509 password");
}
END_TEST

/* For limits that have passed, or rules that nobody asked, no session is there to be raised. */
START_TEST(a_session_that_has_ended_proves_nothing)
{
    const apr_time_t noon = scene_flow.now;
    char *old = answer(scene_start("/"), ADA STRONG, noon);
    const char *redirect = scene_start("/");

    ck_assert(scene_pending(redirect)->has_session && !scene_pending(redirect)->is_raising);
    answer(redirect, ADA WEAK, noon - SECONDS(60));
    assert_proved(noon - SECONDS(60), "password");
    ck_assert(!is_alive(old));
}
END_TEST

START_TEST(nor_does_one_that_was_signed_out)
{
    const apr_time_t noon = scene_flow.now;
    es_answer_t answered = { NULL };
    const char *redirect;
    int ended;

    answer(scene_start("/"), ADA STRONG, noon);
    redirect = start_raising();
    scene_send_cookies(1);
    ck_assert_reason(es_logout_start(&answered, &ended, &scene_flow, NULL, 0, &why), ES_OK, why);
    answer(redirect, ADA WEAK, noon - SECONDS(60));
    assert_proved(noon - SECONDS(60), "password");
}
END_TEST

START_TEST(another_user_begins_from_nothing)
{
    const apr_time_t noon = scene_flow.now;
    char *old = answer(scene_start("/"), ADA STRONG, noon);
    es_session_t session;

    answer(start_raising(), BEN WEAK, noon - SECONDS(60));
    assert_proved(noon - SECONDS(60), "password");
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    ck_assert_str_eq(session.user, "ben@example.com");
    ck_assert(!is_alive(old));
}
END_TEST

/* The lifetime begins with the sign-in, and Entra's own end is what the last assertion says of it. */
START_TEST(the_end_is_the_new_ones)
{
    const apr_time_t noon = scene_flow.now;
    es_acs_form_t form = scene_entra(
        scene_start("/"), (idp_response_t){ .attributes = ADA, .session_not_on_or_after = noon + SECONDS(900) });
    es_acs_report_t report;
    es_answer_t answered;
    es_session_t session;

    ck_assert_reason(scene_post(&answered, &report, &form, &why), ES_OK, why);
    scene_flow.now += SECONDS(600);
    answer(start_raising(), ADA, noon);
    ck_assert_int_eq(scene_resume(&session), ES_OK);
    ck_assert(session.created == scene_flow.now && session.ends == 0);
}
END_TEST

/* Two tabs at Entra. The one that comes back last has the older sign-in, and its cookie takes the other's place. */
START_TEST(side_by_side_nothing_is_lowered)
{
    const apr_time_t noon = scene_flow.now;
    const char *first = scene_start("/first"), *second = scene_start("/second");
    char *strong, *weak;

    scene_flow.now += SECONDS(60);
    strong = answer(second, ADA STRONG, noon + SECONDS(30));
    scene_flow.now += SECONDS(60);
    weak = answer(first, ADA WEAK, noon - SECONDS(7200));
    assert_proved(noon + SECONDS(30), "password multipleauthn");
    ck_assert(is_alive(strong) && is_alive(weak)); /* requests of the other tab are under way */
}
END_TEST

START_TEST(nor_after_another_round)
{
    const apr_time_t noon = scene_flow.now;
    const char *first = scene_start("/first"), *second = scene_start("/second");
    es_acs_report_t report;
    es_answer_t again;
    es_acs_form_t form;

    scene_flow.now += ES_PENDING_LIFETIME - SECONDS(10);
    answer(second, ADA STRONG, scene_flow.now);
    scene_flow.now += SECONDS(20); /* the first has become too old */
    form = scene_entra(first, (idp_response_t){ .attributes = ADA WEAK });
    ck_assert_reason(scene_post(&again, &report, &form, &why), ES_OK, why);
    ck_assert_int_eq(report.restarted, ES_PENDING_EXPIRED);
    answer(again.location, ADA WEAK, noon);
    assert_proved(scene_flow.now - SECONDS(20), "password multipleauthn");
}
END_TEST

START_TEST(side_by_side_another_user_takes_nothing_over)
{
    const apr_time_t noon = scene_flow.now;
    const char *first = scene_start("/first"), *second = scene_start("/second");
    char *other = answer(second, ADA STRONG, noon);

    answer(first, BEN WEAK, noon - SECONDS(60));
    assert_proved(noon - SECONDS(60), "password");
    ck_assert(!is_alive(other));
}
END_TEST

/* A tab left open for long: whoever answers it need not be who was at the browser. */
START_TEST(long_after_nothing_is_taken_over)
{
    const apr_time_t noon = scene_flow.now;
    const char *first = scene_start("/first"), *second = scene_start("/second");
    char *other = answer(second, ADA STRONG, noon);

    scene_flow.now += SECONDS(301);
    answer(first, ADA WEAK, noon - SECONDS(60));
    assert_proved(noon - SECONDS(60), "password");
    ck_assert(!is_alive(other));
}
END_TEST

START_TEST(twenty_tabs_at_once_keep_their_sessions)
{
    enum { TABS = 20 };
    const char *redirect[TABS];
    char *cookie[TABS];
    int i;

    for (i = 0; i < TABS; i++) {
        redirect[i] = scene_start(apr_psprintf(unit_pool, "/%d", i));
    }
    for (i = 0; i < TABS; i++) {
        scene_flow.now += SECONDS(1);
        cookie[i] = answer(redirect[i], ADA, scene_flow.now);
    }
    for (i = 0; i < TABS; i++) {
        ck_assert(is_alive(cookie[i]));
    }
}
END_TEST

/* What the binding cookie says is the browser's word: it ends and raises what this connection made, or nothing. */
START_TEST(a_made_up_session_in_the_binding_cookie)
{
    const apr_time_t noon = scene_flow.now;
    const es_connection_t *ours = scene_site.connection;
    es_connection_t other = *ours;
    const char *redirect;
    es_binding_t binding;
    es_hash_t key;
    char *foreign;

    other.id.octet[0] ^= 1;
    foreign = answer(scene_start("/"), ADA STRONG, noon);
    ck_assert(es_session_token_read(&key, strchr(foreign, '=') + 1));
    scene_site.connection = &other; /* to which the session above is another connection's */
    scene_session_cookie = NULL;
    redirect = scene_start("/");
    scene_send_cookies(0);
    ck_assert(es_signon_binding(&binding, &scene_flow, NULL));
    ck_assert(binding.has_session && memcmp(&binding.session, &key, sizeof key) == 0);
    answer(redirect, ADA WEAK, noon - SECONDS(60));
    assert_proved(noon - SECONDS(60), "password");
    scene_site.connection = ours;
    ck_assert(is_alive(foreign));
    memset(&binding.session, 1, sizeof binding.session);
    scene_binding_cookie =
        apr_pstrcat(unit_pool, ours->binding_cookie, "=", es_binding_text(&binding, unit_pool), NULL);
    answer(scene_start("/"), ADA WEAK, noon);
    assert_proved(noon, "password");
}
END_TEST

/* Cookies that a sibling host planted, before ours and behind it: the sign-on finds the session all the same. */
START_TEST(shadows_hide_nothing)
{
    static const struct {
        int before, after;
    } rows[] = { { 0, 1 }, { 1, 0 }, { 1, 1 }, { 50, 0 }, { 0, 50 }, { 25, 25 } };
    const char *name = scene_site.connection->session_cookie;

    for (unsigned row = 0; row < sizeof rows / sizeof *rows; row++) {
        char *old = answer(scene_start("/"), ADA STRONG, scene_flow.now), *ours = scene_session_cookie;
        const char *redirect, *before = "", *after = "";
        int i;

        scene_flow.now += SECONDS(120);
        for (i = 0; i < rows[row].before; i++) {
            before = apr_psprintf(unit_pool, "%s%s=%043d; ", before, name, i);
        }
        for (i = 0; i < rows[row].after; i++) {
            after = apr_psprintf(unit_pool, "%s; %s=%043d", after, name, i + 100);
        }
        scene_session_cookie = apr_pstrcat(unit_pool, before, ours, after, NULL);
        ck_assert(is_alive(scene_session_cookie));
        redirect = start_raising();
        answer(redirect, ADA WEAK, scene_flow.now - SECONDS(180));
        assert_proved(scene_flow.now - SECONDS(120), "password multipleauthn");
        ck_assert(!is_alive(old));
    }
}
END_TEST

static es_session_t session_of(unsigned char connection, const char *tenant, const char *object, const char *name_id)
{
    es_claim_t claims[2];
    es_session_new_t fresh = { .user = "user", .name_id = name_id, .name_id_format = "", .session_index = "" };
    es_session_t session;
    es_bytes_t record;

    fresh.claims = claims;
    fresh.connection.octet[0] = connection;
    if (tenant) {
        claims[fresh.n_claims++] = (es_claim_t){ es_claims_find("tenantid"), "", "tenantid", 1, &tenant };
    }
    if (object) {
        claims[fresh.n_claims++] =
            (es_claim_t){ es_claims_find("objectidentifier"), "", "objectidentifier", 1, &object };
    }
    ck_assert_reason(es_session_pack(&record, &fresh, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_session_read(&session, record, &why), ES_OK, why);
    return session;
}

START_TEST(who_is_the_same)
{
    static const struct {
        unsigned char connection;
        const char *tenant, *object, *name_id;
        int is_same;
    } rows[] = {
        { 1, "t", "o", "n", 1 },  { 1, "T", "O", "other", 1 }, { 2, "t", "o", "other", 1 }, { 1, "u", "o", "n", 0 },
        { 2, "u", "o", "n", 0 },  { 1, "t", "p", "n", 0 },     { 2, "t", "p", "n", 0 },     { 1, "t", NULL, "n", 1 },
        { 1, "t", NULL, "m", 0 }, { 1, NULL, "o", "n", 0 },    { 1, NULL, NULL, "n", 0 },   { 2, NULL, NULL, "m", 1 },
        { 1, "u", NULL, "n", 0 },
    };
    const es_session_t a = session_of(1, "t", "o", "n");

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const es_session_t b = session_of(rows[i].connection, rows[i].tenant, rows[i].object, rows[i].name_id);

        ck_assert_msg(es_subject_is_same(&a, &b) == rows[i].is_same && es_subject_is_same(&b, &a) == rows[i].is_same,
                      "row %u", i);
    }
}
END_TEST

Suite *suite_raise(void)
{
    Suite *suite = suite_create("raise");
    TCase *tcase = unit_case(suite, "raise");

    tcase_add_checked_fixture(tcase, scene_open, NULL);
    tcase_add_test(tcase, what_was_proved_stays_proved);
    tcase_add_test(tcase, what_is_new_comes_first);
    tcase_add_test(tcase, a_session_that_has_ended_proves_nothing);
    tcase_add_test(tcase, nor_does_one_that_was_signed_out);
    tcase_add_test(tcase, another_user_begins_from_nothing);
    tcase_add_test(tcase, the_end_is_the_new_ones);
    tcase_add_test(tcase, side_by_side_nothing_is_lowered);
    tcase_add_test(tcase, nor_after_another_round);
    tcase_add_test(tcase, side_by_side_another_user_takes_nothing_over);
    tcase_add_test(tcase, long_after_nothing_is_taken_over);
    tcase_add_test(tcase, twenty_tabs_at_once_keep_their_sessions);
    tcase_add_test(tcase, a_made_up_session_in_the_binding_cookie);
    tcase_add_test(tcase, shadows_hide_nothing);
    tcase_add_test(tcase, who_is_the_same);
    return suite;
}
