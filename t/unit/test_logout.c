/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The messages of single logout that come in: read strictly, judged by name.
 */
#include "unit.h"

#include "saml/logout.h"

#include <apr_strings.h>

#define P "xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\""
#define A "xmlns=\"urn:oasis:names:tc:SAML:2.0:assertion\""
#define TENANT "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"
#define ISSUER "https://sts.windows.net/" TENANT "/"
#define LOGOUT "https://app.example.com/saml/logout"
#define HEAD " ID=\"_a\" Version=\"2.0\" IssueInstant=\"2026-03-01T12:00:00Z\" Destination=\"" LOGOUT "\" "
#define BY "<Issuer " A ">" ISSUER "</Issuer>"
#define NAME "<NameID " A " Format=\"f\">ada@contoso.example</NameID>"
#define REQUEST(head, inside) "<p:LogoutRequest" head P ">" inside "</p:LogoutRequest>"
#define RESPONSE(head, inside) "<p:LogoutResponse" head P ">" inside "</p:LogoutResponse>"
#define STATUS(inside) "<p:Status>" inside "</p:Status>"
#define SUCCESS "<p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/>"

static es_rv_t read_text(es_logout_t **logout, const char *text, int is_response, es_why_t *why)
{
    *logout = NULL;
    return es_logout_read(logout, es_bytes_of(text), is_response, why, unit_pool);
}

static es_logout_t *read_good(const char *text, int is_response)
{
    es_why_t why = ES_WHY_INIT;
    es_logout_t *logout;

    ck_assert_reason(read_text(&logout, text, is_response, &why), ES_OK, why);
    return logout;
}

START_TEST(request)
{
    const es_logout_t *logout = read_good(
        REQUEST(HEAD "NotOnOrAfter=\"2026-03-01T12:05:00Z\" Consent=\"c\" Reason=\"r\" ",
                BY "<p:Extensions/>" NAME "<p:SessionIndex>_1</p:SessionIndex><p:SessionIndex>_2</p:SessionIndex>"),
        0);

    ck_assert_int_eq(logout->is_response, 0);
    ck_assert_str_eq(logout->id, "_a");
    ck_assert_str_eq(logout->issuer, ISSUER);
    ck_assert_str_eq(logout->destination, LOGOUT);
    ck_assert(logout->issue_instant == unit_time("2026-03-01T12:00:00Z"));
    ck_assert(logout->not_on_or_after == unit_time("2026-03-01T12:05:00Z"));
    ck_assert_str_eq(logout->name_id, "ada@contoso.example");
    ck_assert_int_eq(logout->n_indexes, 2);
    ck_assert_str_eq(logout->indexes[0], "_1");
    ck_assert_str_eq(logout->indexes[1], "_2");
}
END_TEST

START_TEST(least_request)
{
    const es_logout_t *logout =
        read_good(REQUEST(" ID=\"_a\" Version=\"2.0\" IssueInstant=\"2026-03-01T12:00:00Z\" ", NAME), 0);

    ck_assert_ptr_null(logout->issuer);
    ck_assert_ptr_null(logout->destination);
    ck_assert(logout->not_on_or_after == 0);
    ck_assert_int_eq(logout->n_indexes, 0);
}
END_TEST

START_TEST(response)
{
    const es_logout_t *logout = read_good(RESPONSE(HEAD "InResponseTo=\"_b\" ", BY STATUS(SUCCESS)), 1);

    ck_assert_int_eq(logout->is_response, 1);
    ck_assert_str_eq(logout->in_response_to, "_b");
    ck_assert_ptr_null(logout->failure);
    logout = read_good(RESPONSE(HEAD, BY STATUS("<p:StatusCode Value=\"urn:a\"><p:StatusCode Value=\"urn:b\"/>"
                                                "</p:StatusCode><p:StatusMessage>AADSTS50068: no</p:StatusMessage>")),
                       1);
    ck_assert_ptr_null(logout->in_response_to);
    ck_assert_str_eq(logout->failure, "urn:a, urn:b: AADSTS50068: no");
    logout = read_good(RESPONSE(HEAD, BY STATUS("<p:StatusCode/>")), 1);
    ck_assert_str_eq(logout->failure, "without value: no message");
}
END_TEST

static const struct {
    int is_response;
    const char *text;
} shapes[] = {
    { 0, RESPONSE(HEAD, BY STATUS(SUCCESS)) },
    { 1, REQUEST(HEAD, BY NAME) },
    { 0, "<p:Other" HEAD P ">" BY NAME "</p:Other>" },
    { 0, "<p:LogoutResponse" HEAD P ">" BY NAME "</p:LogoutResponse>" },
    { 1, "<p:LogoutRequest" HEAD P ">" BY STATUS(SUCCESS) "</p:LogoutRequest>" },
    { 0, "<p:LogoutRequest" HEAD " xmlns:p=\"urn:other\">" BY NAME "</p:LogoutRequest>" },
    { 0, "<LogoutRequest/>" },
    { 0, "<p:LogoutRequest xmlns:p=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>" },
    { 0, REQUEST(" ID=\"_a\" IssueInstant=\"2026-03-01T12:00:00Z\" ", BY NAME) },
    { 0, REQUEST(" ID=\"_a\" Version=\"1.1\" IssueInstant=\"2026-03-01T12:00:00Z\" ", BY NAME) },
    { 0, REQUEST(" Version=\"2.0\" IssueInstant=\"2026-03-01T12:00:00Z\" ", BY NAME) },
    { 0, REQUEST(" ID=\"\" Version=\"2.0\" IssueInstant=\"2026-03-01T12:00:00Z\" ", BY NAME) },
    { 0, REQUEST(" ID=\"_a\" Version=\"2.0\" ", BY NAME) },
    { 0, REQUEST(" ID=\"_a\" Version=\"2.0\" IssueInstant=\"yesterday\" ", BY NAME) },
    { 0, REQUEST(HEAD "NotOnOrAfter=\"\" ", BY NAME) },
    { 0, REQUEST(HEAD, BY) },
    { 0, REQUEST(HEAD, BY "<NameID " A "></NameID>") },
    { 0, REQUEST(HEAD, BY "<NameID " A "><b/></NameID>") },
    { 0, REQUEST(HEAD, BY "<EncryptedID " A "/>") },
    { 0, REQUEST(HEAD, BY "<BaseID " A "/>") },
    { 0, REQUEST(HEAD, BY NAME NAME) },
    { 0, REQUEST(HEAD, NAME BY) },
    { 0, REQUEST(HEAD, BY NAME "text") },
    { 0, REQUEST(HEAD, BY NAME "<p:SessionIndex><b/></p:SessionIndex>") },
    { 0, REQUEST(HEAD, BY NAME "<p:SessionIndex>1</p:SessionIndex><p:Other/>") },
    { 0, REQUEST(HEAD, BY "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/>" NAME) },
    { 0, REQUEST(HEAD, "<Issuer " A "><b/></Issuer>" NAME) },
    { 1, RESPONSE(HEAD, BY) },
    { 1, RESPONSE(HEAD, BY STATUS("")) },
    { 1, RESPONSE(HEAD, BY STATUS(SUCCESS SUCCESS)) },
    { 1, RESPONSE(HEAD, BY STATUS(SUCCESS) "<p:Other/>") },
};

START_TEST(shape)
{
    es_why_t why = ES_WHY_INIT;
    es_logout_t *logout;

    ck_assert_reason(read_text(&logout, shapes[_i].text, shapes[_i].is_response, &why), ES_LOGOUT_SHAPE, why);
    ck_assert_ptr_null(logout);
}
END_TEST

START_TEST(number_of_indexes)
{
    const char *inside = BY NAME;
    es_why_t why = ES_WHY_INIT;
    es_logout_t *logout;
    int i;

    for (i = 0; i < ES_LOGOUT_INDEXES; i++) {
        inside = apr_pstrcat(unit_pool, inside, "<p:SessionIndex>x</p:SessionIndex>", NULL);
    }
    logout = read_good(apr_pstrcat(unit_pool, "<p:LogoutRequest" HEAD P ">", inside, "</p:LogoutRequest>", NULL), 0);
    ck_assert_int_eq(logout->n_indexes, ES_LOGOUT_INDEXES);
    ck_assert_reason(read_text(&logout,
                               apr_pstrcat(unit_pool, "<p:LogoutRequest" HEAD P ">", inside,
                                           "<p:SessionIndex>x</p:SessionIndex></p:LogoutRequest>", NULL),
                               0, &why),
                     ES_LOGOUT_SHAPE, why);
}
END_TEST

START_TEST(no_xml)
{
    static const char *const texts[] = { "", "SAML", "<a>", "<!DOCTYPE a><a/>",
                                         REQUEST(HEAD, BY "<NameID " A ">ada<!-- -->@evil</NameID>") };
    es_why_t why = ES_WHY_INIT;
    es_logout_t *logout;

    ck_assert_reason(read_text(&logout, texts[_i], 0, &why), ES_LOGOUT_MALFORMED, why);
}
END_TEST

/* --- the judgement --- */

static const es_logout_expected_t expected = { .issuer = ISSUER,
                                               .sso_url = "https://login.microsoftonline.us/" TENANT "/saml2",
                                               .logout_url = LOGOUT,
                                               .skew = apr_time_from_sec(180) };

static void judged(const es_logout_t *logout, const es_logout_expected_t *by, const char *now, es_rv_t rv)
{
    es_why_t why = ES_WHY_INIT;
    apr_time_t not_after = 1;

    ck_assert_reason(es_logout_check(&not_after, logout, by, unit_time(now), &why, unit_pool), rv, why);
    ck_assert((not_after == 1) == (rv != ES_OK));
}

static const struct {
    const char *issuer, *configured;
    es_rv_t rv;
} issuers[] = {
    { ISSUER, ISSUER, ES_OK },
    { "https://login.microsoftonline.com/" TENANT "/", ISSUER, ES_OK },
    { "https://login.microsoftonline.us/" TENANT "/", ISSUER, ES_OK },
    { "https://sts.windows.net/" TENANT, ISSUER, ES_LOGOUT_ISSUER },
    { "https://login.microsoftonline.com/" TENANT, ISSUER, ES_LOGOUT_ISSUER },
    { "https://login.microsoftonline.com/" TENANT "/saml2", ISSUER, ES_LOGOUT_ISSUER },
    { "https://login.microsoftonline.de/" TENANT "/", ISSUER, ES_LOGOUT_ISSUER },
    { "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/", ISSUER, ES_LOGOUT_ISSUER },
    { "https://sts.windows.net/00000000-0000-0000-0000-000000000000/", ISSUER, ES_LOGOUT_ISSUER },
    { NULL, ISSUER, ES_LOGOUT_ISSUER },
    { "", ISSUER, ES_LOGOUT_ISSUER },
    /* An issuer that names no tenant has one form only. */
    { "https://sts.example/", "https://sts.example/", ES_OK },
    { "https://login.microsoftonline.com/xyz/", "https://sts.example/xyz/", ES_LOGOUT_ISSUER },
    { "https://login.microsoftonline.com//", "urn:x", ES_LOGOUT_ISSUER },
    { "https://login.microsoftonline.com/g3a1c527-9d4e-4b60-8a17-2c5d9e0b1f34/",
      "https://sts.windows.net/g3a1c527-9d4e-4b60-8a17-2c5d9e0b1f34/", ES_LOGOUT_ISSUER },
};

START_TEST(from_whom)
{
    es_logout_t *logout = read_good(REQUEST(HEAD, BY NAME), 0);
    es_logout_expected_t by = expected;

    logout->issuer = issuers[_i].issuer;
    by.issuer = issuers[_i].configured;
    judged(logout, &by, "2026-03-01T12:00:00Z", issuers[_i].rv);
}
END_TEST

/* Whose message it is may be known otherwise than by the end of the issuer; then that counts. */
START_TEST(from_a_tenant_that_is_told)
{
    static const char *const application = "https://sts.windows.net/" TENANT "/00000000-0000-0000-0000-000000000000/";
    es_logout_t *logout = read_good(REQUEST(HEAD, BY NAME), 0);
    es_logout_expected_t by = expected;

    by.issuer = application;
    by.tenant = TENANT;
    logout->issuer = application;
    judged(logout, &by, "2026-03-01T12:00:00Z", ES_OK);
    logout->issuer = "https://login.microsoftonline.com/" TENANT "/";
    judged(logout, &by, "2026-03-01T12:00:00Z", ES_OK);
    logout->issuer = "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/";
    judged(logout, &by, "2026-03-01T12:00:00Z", ES_LOGOUT_ISSUER);
}
END_TEST

START_TEST(to_whom)
{
    static const char *const others[] = { NULL,
                                          "",
                                          LOGOUT "/",
                                          "https://APP.example.com/saml/logout",
                                          "https://app.example.com:443/saml/logout",
                                          "https://app.example.com/saml/acs" };
    es_logout_t *logout = read_good(REQUEST(HEAD, BY NAME), 0);

    logout->destination = others[_i];
    judged(logout, &expected, "2026-03-01T12:00:00Z", ES_LOGOUT_DESTINATION);
}
END_TEST

/* Five minutes and three of skew, to the second. */
START_TEST(when)
{
    const es_logout_t *logout = read_good(REQUEST(HEAD, BY NAME), 0);
    es_logout_t *ending = read_good(REQUEST(HEAD "NotOnOrAfter=\"2026-03-01T12:01:00Z\" ", BY NAME), 0);

    judged(logout, &expected, "2026-03-01T11:56:59Z", ES_LOGOUT_STALE);
    judged(logout, &expected, "2026-03-01T11:57:00Z", ES_OK);
    judged(logout, &expected, "2026-03-01T12:07:59Z", ES_OK);
    judged(logout, &expected, "2026-03-01T12:08:00Z", ES_LOGOUT_STALE);
    judged(ending, &expected, "2026-03-01T12:03:59Z", ES_OK);
    judged(ending, &expected, "2026-03-01T12:04:00Z", ES_LOGOUT_STALE);
    ending->not_on_or_after = unit_time("2027-03-01T12:00:00Z"); /* does not make it good for longer */
    judged(ending, &expected, "2026-03-01T12:08:00Z", ES_LOGOUT_STALE);
}
END_TEST

/* The mark lives for as long as the message would be taken. */
START_TEST(how_long)
{
    es_logout_t *logout = read_good(REQUEST(HEAD, BY NAME), 0);
    es_why_t why = ES_WHY_INIT;
    apr_time_t not_after;

    logout->issue_instant += 1;
    ck_assert_reason(es_logout_check(&not_after, logout, &expected, logout->issue_instant, &why, unit_pool), ES_OK,
                     why);
    ck_assert(not_after == unit_time("2026-03-01T12:08:01Z"));
    logout->not_on_or_after = unit_time("2026-03-01T12:01:00Z");
    ck_assert_reason(es_logout_check(&not_after, logout, &expected, logout->issue_instant, &why, unit_pool), ES_OK,
                     why);
    ck_assert(not_after == unit_time("2026-03-01T12:04:00Z"));
}
END_TEST

#define COUNT(table) (int)(sizeof table / sizeof table[0])

Suite *suite_logout(void)
{
    Suite *suite = suite_create("logout");
    TCase *tcase = unit_case(suite, "read");

    tcase_add_test(tcase, request);
    tcase_add_test(tcase, least_request);
    tcase_add_test(tcase, response);
    tcase_add_loop_test(tcase, shape, 0, COUNT(shapes));
    tcase_add_test(tcase, number_of_indexes);
    tcase_add_loop_test(tcase, no_xml, 0, 5);
    tcase = unit_case(suite, "check");
    tcase_add_loop_test(tcase, from_whom, 0, COUNT(issuers));
    tcase_add_test(tcase, from_a_tenant_that_is_told);
    tcase_add_loop_test(tcase, to_whom, 0, 6);
    tcase_add_test(tcase, when);
    tcase_add_test(tcase, how_long);
    return suite;
}
