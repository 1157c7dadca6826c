/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Each comparison alone, at its boundaries, and the sentence it leaves in the log.
 */
#include "unit.h"

#include "saml/check.h"

#include <apr_strings.h>

#define SECONDS(n) apr_time_from_sec(n)
#define NOW unit_time("2026-03-04T10:00:00Z")
#define ACS "https://app.example/saml/acs"
#define ENTITY "https://app.example/saml/metadata"
#define REQUEST "_5f2b7c9e1d3a48608b7e0c4d9a6f1e22"

/* Everything right; a test spoils one thing. */
static es_response_t response;
static es_assertion_t assertion;
static es_confirmation_t confirmations[2];
static const char *audiences[2], *others[1];
static struct es_audiences_t restrictions[2];
static es_expected_t expected;
static es_why_t why;

static void make_good(void)
{
    memset(&response, 0, sizeof response);
    memset(&assertion, 0, sizeof assertion);
    memset(confirmations, 0, sizeof confirmations);
    why.rv = ES_OK;
    expected =
        (es_expected_t){ "https://sts.example/t/", ENTITY, ACS, REQUEST, NOW - SECONDS(120), SECONDS(180), NULL };
    response.issuer = assertion.issuer = "https://sts.example/t/";
    response.destination = ACS;
    response.in_response_to = REQUEST;
    response.issue_instant = assertion.issue_instant = NOW;
    confirmations[0] = (es_confirmation_t){ 1, REQUEST, ACS, 0, NOW + SECONDS(3600) };
    confirmations[1] = confirmations[0];
    assertion.n_confirmations = 1;
    assertion.confirmations = confirmations;
    assertion.has_conditions = 1;
    assertion.not_before = NOW - SECONDS(300);
    assertion.not_on_or_after = NOW + SECONDS(3600);
    audiences[0] = ENTITY;
    audiences[1] = others[0] = "https://other.example/";
    restrictions[0] = (struct es_audiences_t){ 1, audiences };
    restrictions[1] = (struct es_audiences_t){ 1, others };
    assertion.n_restrictions = 1;
    assertion.restrictions = restrictions;
    assertion.has_authn_statement = 1;
    assertion.authn_instant = NOW;
}

static void parties(es_rv_t rv)
{
    ck_assert_reason(es_check_parties(&response, &assertion, &expected, &why), rv, why);
    why.rv = ES_OK;
}

static void request(es_rv_t rv)
{
    ck_assert_reason(es_check_request(&response, &assertion, &expected, &why), rv, why);
    why.rv = ES_OK;
}

static void times(apr_time_t now, es_rv_t rv)
{
    apr_time_t not_after = -1;

    ck_assert_reason(es_check_times(&not_after, &response, &assertion, &expected, now, &why), rv, why);
    ck_assert((rv == ES_OK) == (not_after != -1));
    why.rv = ES_OK;
}

static void sentence_has(const char *piece)
{
    ck_assert_msg(strstr(why.text, piece) != NULL, "no \"%s\" in: %s", piece, why.text);
}

START_TEST(good)
{
    parties(ES_OK);
    request(ES_OK);
    times(NOW, ES_OK);
}
END_TEST

START_TEST(issuers)
{
    response.issuer = "https://sts.example/u/";
    parties(ES_RESPONSE_ISSUER);
    sentence_has("https://sts.example/u/");
    sentence_has("https://sts.example/t/");
    response.issuer = "";
    parties(ES_RESPONSE_ISSUER);
    response.issuer = NULL;
    parties(ES_OK);
    assertion.issuer = "https://sts.example/t";
    parties(ES_ASSERTION_ISSUER);
    sentence_has("https://sts.example/t,");
    assertion.issuer = NULL;
    parties(ES_ASSERTION_ISSUER);
}
END_TEST

START_TEST(destination)
{
    response.destination = ACS "/";
    parties(ES_DESTINATION);
    sentence_has(ACS "/");
    sentence_has("our reply URL is " ACS);
    response.destination = "";
    parties(ES_DESTINATION);
    response.destination = NULL;
    parties(ES_OK);
}
END_TEST

START_TEST(conditions)
{
    assertion.unknown_condition = "Moon";
    parties(ES_CONDITIONS_UNKNOWN);
    sentence_has("Moon");
    assertion.has_conditions = 0;
    parties(ES_CONDITIONS_MISSING);
}
END_TEST

START_TEST(audience)
{
    restrictions[0].count = 2;
    parties(ES_OK);
    audiences[0] = "https://third.example/";
    parties(ES_AUDIENCE);
    sentence_has("https://third.example/ and others");
    sentence_has(ENTITY);
    restrictions[0].count = 0;
    parties(ES_AUDIENCE);
    sentence_has("empty");
    assertion.n_restrictions = 0;
    parties(ES_AUDIENCE_MISSING);
}
END_TEST

START_TEST(audience_of_every_restriction)
{
    assertion.n_restrictions = 2;
    parties(ES_AUDIENCE);
    others[0] = ENTITY;
    parties(ES_OK);
}
END_TEST

/* One of several identifiers, each compared octet by octet: urn:, an explicit :443, spn:. */
START_TEST(audience_of_several_identifiers)
{
    static const char *const identifiers[] = { "urn:amazon:cognito:sp:eu-west-1_AbC",
                                               "https://x.example:443/saml/metadata",
                                               "spn:c1d2e3f4-0a1b-4c2d-8e3f-405162738495", "c1d2e3f4", NULL };
    static const char *const accepted[] = { ENTITY,
                                            "urn:amazon:cognito:sp:eu-west-1_AbC",
                                            "https://x.example:443/saml/metadata",
                                            "spn:c1d2e3f4-0a1b-4c2d-8e3f-405162738495",
                                            "c1d2e3f4",
                                            "spn:c1d2e3f4" };
    static const char *const refused[] = {
        "urn:amazon:cognito:sp:eu-west-1_abc",     "https://x.example/saml/metadata",
        "https://x.example:443/saml/metadata/",    "c1d2e3f4-0a1b-4c2d-8e3f-405162738495",
        "spn:urn:amazon:cognito:sp:eu-west-1_AbC", ""
    };
    size_t i;

    audiences[0] = identifiers[0];
    parties(ES_AUDIENCE);
    expected.audiences = identifiers;
    for (i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        audiences[0] = accepted[i];
        parties(ES_OK);
    }
    for (i = 0; i < sizeof refused / sizeof *refused; i++) {
        audiences[0] = refused[i];
        parties(ES_AUDIENCE);
        sentence_has("EntraSAMLAudience");
    }
}
END_TEST

START_TEST(audience_spn)
{
    static const struct {
        const char *entity_id, *audience;
        es_rv_t rv;
    } rows[] = {
        { "2f0e7d1c-53a6", "spn:2f0e7d1c-53a6", ES_OK },
        { "2f0e7d1c-53a6", "2f0e7d1c-53a6", ES_OK },
        { "name", "spn:name", ES_OK },
        { "name", "spn:", ES_AUDIENCE },
        { "name", "spn:name2", ES_AUDIENCE },
        { "name", "SPN:name", ES_AUDIENCE },
        { "name", "spn:spn:name", ES_AUDIENCE },
        { "urn:name", "spn:urn:name", ES_AUDIENCE },
        { "https://x/", "spn:https://x/", ES_AUDIENCE },
        { "spn:name", "spn:name", ES_OK },
        { "api://2f0e7d1c", "spn:2f0e7d1c", ES_AUDIENCE },
    };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        expected.entity_id = rows[i].entity_id;
        audiences[0] = rows[i].audience;
        parties(rows[i].rv);
    }
}
END_TEST

START_TEST(confirmation)
{
    assertion.n_confirmations = 2;
    parties(ES_OK);
    confirmations[1].recipient = "https://other.example/acs";
    parties(ES_RECIPIENT);
    sentence_has("https://other.example/acs");
    confirmations[1].recipient = NULL;
    parties(ES_RECIPIENT);
    confirmations[1].has_data = 0;
    parties(ES_CONFIRMATION_MISSING);
    assertion.n_confirmations = 0;
    parties(ES_CONFIRMATION_MISSING);
}
END_TEST

START_TEST(authn)
{
    assertion.has_authn_statement = 0;
    parties(ES_AUTHN_MISSING);
}
END_TEST

START_TEST(unsolicited)
{
    response.in_response_to = confirmations[0].in_response_to = NULL;
    request(ES_UNSOLICITED);
    expected.request_id = NULL;
    request(ES_UNSOLICITED);
}
END_TEST

START_TEST(in_response_to)
{
    confirmations[0].in_response_to = "_other";
    request(ES_IN_RESPONSE_TO);
    sentence_has("_other");
    sentence_has(REQUEST);
    response.in_response_to = "_other";
    request(ES_IN_RESPONSE_TO);
    confirmations[0].in_response_to = REQUEST;
    request(ES_IN_RESPONSE_TO);
    confirmations[0].in_response_to = NULL;
    response.in_response_to = REQUEST;
    request(ES_IN_RESPONSE_TO);
    sentence_has("missing");
    assertion.n_confirmations = 0;
    request(ES_IN_RESPONSE_TO);
}
END_TEST

START_TEST(in_response_to_of_the_response)
{
    response.in_response_to = NULL;
    request(ES_OK);
    response.is_signed = 1;
    request(ES_IN_RESPONSE_TO);
}
END_TEST

START_TEST(in_response_to_of_every_confirmation)
{
    assertion.n_confirmations = 2;
    request(ES_OK);
    confirmations[1].in_response_to = NULL;
    request(ES_IN_RESPONSE_TO);
    confirmations[1].in_response_to = "_other";
    request(ES_IN_RESPONSE_TO);
}
END_TEST

/* Before the pending sign-in is opened only this can be told: that both name one and the same request. */
START_TEST(request_not_known_yet)
{
    expected.request_id = NULL;
    request(ES_OK);
    response.in_response_to = "_other";
    request(ES_IN_RESPONSE_TO);
    response.in_response_to = NULL;
    request(ES_OK);
    response.in_response_to = REQUEST;
    confirmations[0].in_response_to = NULL;
    request(ES_IN_RESPONSE_TO);
}
END_TEST

START_TEST(issued)
{
    response.issue_instant = NOW + SECONDS(180);
    times(NOW, ES_OK);
    response.issue_instant++;
    times(NOW, ES_ISSUE_INSTANT);
    sentence_has(
        "IssueInstant of the response is 2026-03-04T10:03:00Z, 180 seconds after this server's 2026-03-04T10:00:00Z");
    response.issue_instant = NOW;
    assertion.issue_instant = NOW + SECONDS(181);
    times(NOW, ES_ISSUE_INSTANT);
    sentence_has("181 seconds after");
}
END_TEST

START_TEST(issued_before_the_request)
{
    response.issue_instant = assertion.issue_instant = expected.started - SECONDS(180);
    times(NOW, ES_OK);
    assertion.issue_instant--;
    times(NOW, ES_ISSUE_INSTANT);
    sentence_has("the request's");
    expected.started = 0;
    times(NOW, ES_OK);
}
END_TEST

START_TEST(issued_long_ago)
{
    expected.started = 0;
    assertion.not_on_or_after = confirmations[0].not_on_or_after = NOW + SECONDS(86400);
    times(NOW + SECONDS(3780) - 1, ES_OK);
    times(NOW + SECONDS(3780), ES_ISSUE_INSTANT);
    sentence_has("3780 seconds before this server's");
}
END_TEST

START_TEST(window)
{
    assertion.not_before = NOW + SECONDS(180);
    times(NOW, ES_OK);
    assertion.not_before++;
    times(NOW, ES_CONDITIONS_EARLY);
    sentence_has("2026-03-04T10:03:00Z");
    assertion.not_before = 0;
    times(NOW, ES_CONDITIONS_EARLY);
    assertion.not_before = NOW - SECONDS(300);
    assertion.not_on_or_after = NOW - SECONDS(180) + 1;
    times(NOW, ES_OK);
    assertion.not_on_or_after--;
    times(NOW, ES_CONDITIONS_LATE);
    sentence_has("180 seconds before this server's 2026-03-04T10:00:00Z; skew allowed 180");
    assertion.not_on_or_after = 0;
    times(NOW, ES_CONDITIONS_LATE);
    sentence_has("Conditions have no NotOnOrAfter");
}
END_TEST

START_TEST(no_skew)
{
    expected.skew = 0;
    expected.started = NOW;
    assertion.not_before = NOW;
    assertion.not_on_or_after = NOW + 1;
    times(NOW, ES_OK);
    times(NOW + 1, ES_CONDITIONS_LATE);
}
END_TEST

START_TEST(confirmation_times)
{
    assertion.n_confirmations = 2;
    confirmations[1].not_on_or_after = NOW - SECONDS(180) + 1;
    times(NOW, ES_OK);
    confirmations[1].not_on_or_after--;
    times(NOW, ES_CONFIRMATION_LATE);
    sentence_has("subject confirmation is 2026-03-04T09:57:00Z");
    confirmations[1].not_on_or_after = 0;
    times(NOW, ES_CONFIRMATION_LATE);
    sentence_has("a bearer confirmation has no NotOnOrAfter");
    confirmations[1].not_before = NOW - SECONDS(1);
    times(NOW, ES_CONFIRMATION_EARLY);
    sentence_has("2026-03-04T09:59:59Z");
    assertion.n_confirmations = 0;
    times(NOW, ES_CONFIRMATION_LATE);
}
END_TEST

START_TEST(session)
{
    assertion.session_not_on_or_after = NOW + 1;
    times(NOW, ES_OK);
    times(NOW + 1, ES_AUTHN_ENDED);
    sentence_has("SessionNotOnOrAfter is 2026-03-04T10:00:00Z");
}
END_TEST

/* Up to and not including this time somebody could use the assertion again: the mark must be there. */
static void signed_in(int is_fresh, es_rv_t rv)
{
    ck_assert_reason(es_check_authn(&assertion, &expected, is_fresh, NOW, &why), rv, why);
    why.rv = ES_OK;
}

START_TEST(signed_in_at_entra)
{
    assertion.authn_instant = NOW + SECONDS(180);
    signed_in(0, ES_OK);
    signed_in(1, ES_OK);
    assertion.authn_instant++;
    signed_in(0, ES_AUTHN_FUTURE);
    signed_in(1, ES_AUTHN_FUTURE);
    sentence_has("AuthnInstant is 2026-03-04T10:03:00Z, 180 seconds after this server's");
    assertion.authn_instant = expected.started - SECONDS(180);
    signed_in(1, ES_OK);
    assertion.authn_instant--;
    signed_in(1, ES_AUTHN_STALE);
    sentence_has("before the request's");
    signed_in(0, ES_OK);
    assertion.authn_instant = NOW - SECONDS(81 * 86400);
    signed_in(0, ES_OK);
}
END_TEST

START_TEST(answers_no_request)
{
    ck_assert(!es_check_is_unsolicited(&response, &assertion));
    confirmations[0].in_response_to = NULL;
    ck_assert(!es_check_is_unsolicited(&response, &assertion));
    response.in_response_to = NULL;
    ck_assert(es_check_is_unsolicited(&response, &assertion));
    assertion.n_confirmations = 2; /* the second still names one */
    ck_assert(!es_check_is_unsolicited(&response, &assertion));
    confirmations[1].in_response_to = "";
    ck_assert(!es_check_is_unsolicited(&response, &assertion));
}
END_TEST

START_TEST(not_after)
{
    const apr_time_t ends[] = { NOW + SECONDS(600) + 1, NOW + SECONDS(1200), NOW + SECONDS(1800) };
    apr_time_t *const places[] = { &assertion.not_on_or_after, &confirmations[0].not_on_or_after,
                                   &confirmations[1].not_on_or_after };
    apr_time_t found;
    int i;

    assertion.n_confirmations = 2;
    expected.started = 0;
    for (i = 0; i < 3; i++) {
        *places[i] = ends[0];
        *places[(i + 1) % 3] = ends[1];
        *places[(i + 2) % 3] = ends[2];
        ck_assert_reason(es_check_times(&found, &response, &assertion, &expected, NOW, &why), ES_OK, why);
        ck_assert_int_eq(found, NOW + SECONDS(600 + 180 + 1));
        ck_assert_reason(es_check_times(&found, &response, &assertion, &expected, NOW + SECONDS(780), &why), ES_OK,
                         why);
        ck_assert_int_ne(es_check_times(&found, &response, &assertion, &expected, found, &why), ES_OK);
        why.rv = ES_OK;
    }
    *places[0] = *places[1] = *places[2] = NOW + SECONDS(86400);
    response.issue_instant = NOW + SECONDS(100); /* unsigned: does not lengthen anything */
    ck_assert_reason(es_check_times(&found, &response, &assertion, &expected, NOW, &why), ES_OK, why);
    ck_assert_int_eq(found, NOW + SECONDS(3600 + 180));
}
END_TEST

/* A stranger's texts are bounded in the sentence, so that ours is still in it. */
START_TEST(long_values)
{
    char *text = apr_palloc(unit_pool, 5001);

    memset(text, 'x', 5000);
    text[5000] = '\0';
    audiences[0] = text;
    parties(ES_AUDIENCE);
    sentence_has(ENTITY);
    assertion.issuer = text;
    parties(ES_ASSERTION_ISSUER);
    sentence_has("https://sts.example/t/");
}
END_TEST

Suite *suite_check(void)
{
    Suite *suite = suite_create("check");
    TCase *tcase = unit_case(suite, "parties");

    tcase_add_checked_fixture(tcase, make_good, NULL);
    tcase_add_test(tcase, good);
    tcase_add_test(tcase, issuers);
    tcase_add_test(tcase, destination);
    tcase_add_test(tcase, conditions);
    tcase_add_test(tcase, audience);
    tcase_add_test(tcase, audience_of_every_restriction);
    tcase_add_test(tcase, audience_of_several_identifiers);
    tcase_add_test(tcase, audience_spn);
    tcase_add_test(tcase, confirmation);
    tcase_add_test(tcase, authn);
    tcase_add_test(tcase, long_values);
    tcase = unit_case(suite, "request");
    tcase_add_checked_fixture(tcase, make_good, NULL);
    tcase_add_test(tcase, unsolicited);
    tcase_add_test(tcase, in_response_to);
    tcase_add_test(tcase, in_response_to_of_the_response);
    tcase_add_test(tcase, in_response_to_of_every_confirmation);
    tcase_add_test(tcase, request_not_known_yet);
    tcase = unit_case(suite, "times");
    tcase_add_checked_fixture(tcase, make_good, NULL);
    tcase_add_test(tcase, issued);
    tcase_add_test(tcase, issued_before_the_request);
    tcase_add_test(tcase, issued_long_ago);
    tcase_add_test(tcase, window);
    tcase_add_test(tcase, no_skew);
    tcase_add_test(tcase, confirmation_times);
    tcase_add_test(tcase, session);
    tcase_add_test(tcase, signed_in_at_entra);
    tcase_add_test(tcase, answers_no_request);
    tcase_add_test(tcase, not_after);
    return suite;
}
