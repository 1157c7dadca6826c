/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a response is read into, and the refusals by name. Shapes and attacks in their variety are the vectors' business.
 */
#include "unit.h"

#include "base/codec.h"
#include "saml/response.h"
#include "signer.h"

#include <apr_strings.h>

#define SUCCESS "<p:Status><p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></p:Status>"
#define RESPONSE "<p:Response xmlns:p=\"" ES_NS_PROTOCOL "\" xmlns=\"" ES_NS_ASSERTION "\""
#define ATTRIBUTES " ID=\"_r\" Version=\"2.0\" IssueInstant=\"2021-04-09T12:53:30.562Z\""
#define ASSERTION "<Assertion ID=\"_a\">" SIGNER_SIGNATURE("_a") "<x/></Assertion>"
#define PLAIN "<Assertion ID=\"_a\"><x/></Assertion>"
#define WHOLE RESPONSE ATTRIBUTES ">" SUCCESS ASSERTION "</p:Response>"

static const signer_t *signer;
static es_keys_t *keys;

static void make_keys(void)
{
    es_why_t why = ES_WHY_INIT;

    signer = signer_make(2048, 30, unit_pool);
    keys = es_keys_make(unit_pool);
    ck_assert_reason(es_keys_add(keys, signer->certificate, &why), ES_OK, why);
}

static const es_response_t *loaded(const char *text)
{
    const char *field = es_codec_base64_encode(signer_sign(signer, text, unit_pool), unit_pool);
    es_response_t *response = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_response_load(&response, es_bytes_of(field), keys, NULL, &why, unit_pool), ES_OK, why);
    return response;
}

static const char *field_refused(const char *field, es_rv_t rv)
{
    es_response_t *response = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_response_load(&response, es_bytes_of(field), keys, NULL, &why, unit_pool), rv, why);
    ck_assert_ptr_null(response);
    return apr_pstrdup(unit_pool, why.text);
}

/* As it stands, not signed. */
static const char *refused(const char *text, es_rv_t rv)
{
    return field_refused(es_codec_base64_encode(es_bytes_of(text), unit_pool), rv);
}

static void proof_begins(const es_response_t *response, const char *beginning)
{
    ck_assert_uint_gt(es_signed_octets(response->proof).len, strlen(beginning));
    ck_assert_mem_eq(es_signed_octets(response->proof).data, beginning, strlen(beginning));
}

START_TEST(everything)
{
    const es_response_t *response =
        loaded(RESPONSE ATTRIBUTES
               " Destination=\"https://a.example/acs\" InResponseTo=\"_q\"><Issuer> i </Issuer>" SUCCESS ASSERTION
               "</p:Response>");

    ck_assert_str_eq(response->id, "_r");
    ck_assert_str_eq(response->destination, "https://a.example/acs");
    ck_assert_str_eq(response->in_response_to, "_q");
    ck_assert_str_eq(response->issuer, " i ");
    ck_assert_int_eq(response->issue_instant, unit_time("2021-04-09T12:53:30Z") + 562000);
    ck_assert(!response->is_signed);
}
END_TEST

START_TEST(least)
{
    const es_response_t *response = loaded(WHOLE);

    ck_assert_ptr_null(response->destination);
    ck_assert_ptr_null(response->in_response_to);
    ck_assert_ptr_null(response->issuer);
}
END_TEST

START_TEST(proofs)
{
    const es_response_t *response = loaded(WHOLE);

    ck_assert(!response->is_signed);
    proof_begins(response, "<Assertion xmlns=\"" ES_NS_ASSERTION "\" ID=\"_a\"><x>");
    response = loaded(RESPONSE ATTRIBUTES ">" SIGNER_SIGNATURE("_r") SUCCESS PLAIN "</p:Response>");
    ck_assert(response->is_signed);
    proof_begins(response, "<p:Response xmlns:p=\"" ES_NS_PROTOCOL "\" ID=\"_r\"");
    response = loaded(RESPONSE ATTRIBUTES ">" SIGNER_SIGNATURE("_r") SUCCESS ASSERTION "</p:Response>");
    ck_assert(response->is_signed);
    proof_begins(response, "<Assertion xmlns=\"" ES_NS_ASSERTION "\" ID=\"_a\"><x>");
}
END_TEST

START_TEST(field)
{
    field_refused("", ES_BASE64_INVALID);
    field_refused("PGEv Pg==", ES_BASE64_INVALID);
    field_refused("PGEvPg=", ES_BASE64_INVALID);
    field_refused("PGEvPg==", ES_RESPONSE_ROOT);
    refused("<a>", ES_XML_MALFORMED);
    refused("<!DOCTYPE a><a/>", ES_XML_DOCTYPE);
    refused("<a><!-- --></a>", ES_XML_FORBIDDEN_NODE);
}
END_TEST

START_TEST(envelope)
{
    refused("<Response ID=\"_r\"/>", ES_RESPONSE_ROOT);
    refused("<p:Response xmlns:p=\"" ES_NS_ASSERTION "\"/>", ES_RESPONSE_ROOT);
    refused(RESPONSE ATTRIBUTES ">" SUCCESS "<Assertion ID=\"_r\"/></p:Response>", ES_ID_DUPLICATE);
    refused(RESPONSE ATTRIBUTES "/>", ES_RESPONSE_SHAPE);
    refused(RESPONSE ATTRIBUTES ">" SUCCESS SUCCESS "</p:Response>", ES_RESPONSE_SHAPE);
    refused(RESPONSE ATTRIBUTES "><p:Status/></p:Response>", ES_RESPONSE_SHAPE);
    refused(RESPONSE ATTRIBUTES "><Issuer>i<b/></Issuer>" SUCCESS PLAIN "</p:Response>", ES_RESPONSE_SHAPE);
    refused(RESPONSE " ID=\"_r\" Version=\"1.1\">" SUCCESS "</p:Response>", ES_RESPONSE_VERSION);
    refused(RESPONSE " ID=\"_r\">" SUCCESS "</p:Response>", ES_RESPONSE_VERSION);
    refused(RESPONSE ATTRIBUTES ">" SUCCESS "</p:Response>", ES_ASSERTION_COUNT);
    refused(RESPONSE ATTRIBUTES ">" SUCCESS PLAIN "<Assertion/></p:Response>", ES_ASSERTION_COUNT);
    refused(RESPONSE ATTRIBUTES ">" SUCCESS "<Assertion><x><Assertion/></x></Assertion></p:Response>",
            ES_ASSERTION_COUNT);
    refused(RESPONSE ATTRIBUTES ">" SUCCESS "<EncryptedAssertion/></p:Response>", ES_ASSERTION_ENCRYPTED);
    refused(RESPONSE " Version=\"2.0\">" SUCCESS PLAIN "</p:Response>", ES_ID_MISSING);
    refused(RESPONSE " ID=\"\" Version=\"2.0\">" SUCCESS PLAIN "</p:Response>", ES_ID_MISSING);
    refused(RESPONSE " ID=\"_r\" Version=\"2.0\">" SUCCESS PLAIN "</p:Response>", ES_TIME_MALFORMED);
}
END_TEST

START_TEST(signatures)
{
    refused(RESPONSE ATTRIBUTES ">" SUCCESS PLAIN "</p:Response>", ES_SIGNATURE_MISSING);
    refused(RESPONSE ATTRIBUTES "><p:Extensions>" SIGNER_SIGNATURE("_r") "</p:Extensions>" SUCCESS PLAIN
                                                                         "</p:Response>",
            ES_SIGNATURE_PLACE);
    refused(RESPONSE ATTRIBUTES ">" SUCCESS
                                "<Assertion ID=\"_a\"><x>" SIGNER_SIGNATURE("_a") "</x></Assertion></p:Response>",
            ES_SIGNATURE_PLACE);
    refused(WHOLE, ES_SIGNATURE_DIGEST);
    refused(RESPONSE ATTRIBUTES ">" SIGNER_SIGNATURE("_r") SUCCESS PLAIN "</p:Response>", ES_SIGNATURE_DIGEST);
}
END_TEST

/* Entra's errors are unsigned; the sentence carries what its support asks for. */
START_TEST(status)
{
    const char *sentence =
        refused(RESPONSE ATTRIBUTES "><p:Status><p:StatusCode Value=\"urn:1\"><p:StatusCode Value=\"urn:2\"/>"
                                    "</p:StatusCode><p:StatusMessage>AADSTS50105: text</p:StatusMessage></p:Status>"
                                    "</p:Response>",
                ES_RESPONSE_STATUS);

    ck_assert_str_eq(sentence, "status urn:1, urn:2: AADSTS50105: text");
    sentence =
        refused(RESPONSE ATTRIBUTES "><p:Status><p:StatusCode/></p:Status>" PLAIN "</p:Response>", ES_RESPONSE_STATUS);
    ck_assert_str_eq(sentence, "status without value: no message");
}
END_TEST

START_TEST(status_of_microsoft)
{
    static const char *const files[] = { "errors/error-2013-unsupported-binding.xml",
                                         "errors/error-docs-request-unsupported.xml" };
    static const char *const wanted[] = { "Trace ID: d75d5305-d3fc-40b0-9087-d59032682dd9", "AADSTS90011" };
    size_t i;

    for (i = 0; unit_fixture("") && i < sizeof files / sizeof *files; i++) {
        ck_assert_ptr_nonnull(
            strstr(refused((const char *)unit_file(unit_fixture(files[i])).data, ES_RESPONSE_STATUS), wanted[i]));
    }
}
END_TEST

Suite *suite_response(void)
{
    Suite *suite = suite_create("response");
    TCase *tcase = unit_case(suite, "load");

    tcase_add_checked_fixture(tcase, make_keys, NULL);
    tcase_add_test(tcase, everything);
    tcase_add_test(tcase, least);
    tcase_add_test(tcase, proofs);
    tcase_add_test(tcase, field);
    tcase_add_test(tcase, envelope);
    tcase_add_test(tcase, signatures);
    tcase_add_test(tcase, status);
    tcase_add_test(tcase, status_of_microsoft);
    return suite;
}
