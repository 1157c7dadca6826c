/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "saml/assertion.h"
#include "signer.h"

#include <apr_strings.h>

#define BEARER "urn:oasis:names:tc:SAML:2.0:cm:bearer"
#define HEAD "<Assertion xmlns=\"" ES_NS_ASSERTION "\" ID=\"_a\" Version=\"2.0\" IssueInstant=\"2021-04-09T12:53:30Z\">"
#define ISSUER "<Issuer>i</Issuer>"
#define ASSERTION(inner) HEAD ISSUER SIGNER_SIGNATURE("_a") inner "</Assertion>"

static const signer_t *signer;
static es_keys_t *keys;

static void make_keys(void)
{
    es_why_t why = ES_WHY_INIT;

    signer = signer_make(2048, 30, unit_pool);
    keys = es_keys_make(unit_pool);
    ck_assert_reason(es_keys_add(keys, signer->certificate, &why), ES_OK, why);
}

/* The document, signed and verified: the only way to a proof. */
static const es_signed_t *prove(const char *text, xmlNodePtr *root)
{
    es_why_t why = ES_WHY_INIT;
    const es_signed_t *proof = NULL;
    xmlDocPtr doc = NULL;

    ck_assert_reason(es_xml_load(&doc, signer_sign(signer, text, unit_pool), ES_XML_MESSAGE, &why, unit_pool), ES_OK,
                     why);
    *root = xmlDocGetRootElement(doc);
    ck_assert_reason(es_dsig_verify(&proof, *root, keys, &why, unit_pool), ES_OK, why);
    return proof;
}

static es_rv_t read_proof(es_assertion_t **assertion, const char *text, es_why_t *why)
{
    xmlNodePtr root;

    return es_assertion_read(assertion, prove(text, &root), why, unit_pool);
}

static const es_assertion_t *reads(const char *text)
{
    es_assertion_t *assertion = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(read_proof(&assertion, text, &why), ES_OK, why);
    return assertion;
}

static void refused(const char *text, es_rv_t rv)
{
    es_assertion_t *assertion = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(read_proof(&assertion, text, &why), rv, why);
    ck_assert_ptr_null(assertion);
}

START_TEST(everything)
{
    const es_assertion_t *assertion = reads(ASSERTION(
        "<Subject><NameID Format=\"f\">n</NameID><SubjectConfirmation Method=\"" BEARER
        "\"><SubjectConfirmationData InResponseTo=\"_q\" Recipient=\"r\" NotBefore=\"2021-04-09T12:00:00Z\" "
        "NotOnOrAfter=\"2021-04-09T13:00:00Z\"/></SubjectConfirmation></Subject>"
        "<Conditions NotBefore=\"2021-04-09T12:48:30Z\" NotOnOrAfter=\"2021-04-09T13:53:30Z\"><AudienceRestriction>"
        "<Audience>1</Audience><Audience>2</Audience></AudienceRestriction><AudienceRestriction/><OneTimeUse/>"
        "<ProxyRestriction/></Conditions><Advice/><AttributeStatement><Attribute Name=\"a\"><AttributeValue>v"
        "</AttributeValue><AttributeValue/></Attribute><Attribute Name=\"b\"/></AttributeStatement>"
        "<AuthnStatement AuthnInstant=\"2021-04-01T00:00:00Z\" SessionIndex=\"s\" "
        "SessionNotOnOrAfter=\"2021-04-10T00:00:00Z\"><SubjectLocality/><AuthnContext><AuthnContextClassRef>c"
        "</AuthnContextClassRef></AuthnContext></AuthnStatement><AttributeStatement><Attribute Name=\"a\">"
        "<AttributeValue>w</AttributeValue></Attribute></AttributeStatement>"));

    ck_assert_str_eq(assertion->id, "_a");
    ck_assert_str_eq(assertion->issuer, "i");
    ck_assert_int_eq(assertion->issue_instant, unit_time("2021-04-09T12:53:30Z"));
    ck_assert_str_eq(assertion->name_id, "n");
    ck_assert_str_eq(assertion->name_id_format, "f");
    ck_assert_int_eq(assertion->n_confirmations, 1);
    ck_assert(assertion->confirmations[0].has_data);
    ck_assert_str_eq(assertion->confirmations[0].in_response_to, "_q");
    ck_assert_str_eq(assertion->confirmations[0].recipient, "r");
    ck_assert_int_eq(assertion->confirmations[0].not_before, unit_time("2021-04-09T12:00:00Z"));
    ck_assert_int_eq(assertion->confirmations[0].not_on_or_after, unit_time("2021-04-09T13:00:00Z"));
    ck_assert(assertion->has_conditions);
    ck_assert_ptr_null(assertion->unknown_condition);
    ck_assert_int_eq(assertion->not_before, unit_time("2021-04-09T12:48:30Z"));
    ck_assert_int_eq(assertion->not_on_or_after, unit_time("2021-04-09T13:53:30Z"));
    ck_assert_int_eq(assertion->n_restrictions, 2);
    ck_assert_int_eq(assertion->restrictions[0].count, 2);
    ck_assert_str_eq(assertion->restrictions[0].names[1], "2");
    ck_assert_int_eq(assertion->restrictions[1].count, 0);
    ck_assert(assertion->has_authn_statement);
    ck_assert_int_eq(assertion->authn_instant, unit_time("2021-04-01T00:00:00Z"));
    ck_assert_int_eq(assertion->session_not_on_or_after, unit_time("2021-04-10T00:00:00Z"));
    ck_assert_str_eq(assertion->session_index, "s");
    ck_assert_str_eq(assertion->authn_context, "c");
    ck_assert_int_eq(assertion->n_attributes, 3);
    ck_assert_str_eq(assertion->attributes[0].name, "a");
    ck_assert_int_eq(assertion->attributes[0].count, 2);
    ck_assert_str_eq(assertion->attributes[0].values[1], "");
    ck_assert_int_eq(assertion->attributes[1].count, 0);
    ck_assert_str_eq(assertion->attributes[2].values[0], "w");
}
END_TEST

START_TEST(least)
{
    const es_assertion_t *assertion = reads(HEAD SIGNER_SIGNATURE("_a") "</Assertion>");

    ck_assert_ptr_null(assertion->issuer);
    ck_assert_ptr_null(assertion->name_id);
    ck_assert_ptr_null(assertion->name_id_format);
    ck_assert_int_eq(assertion->n_confirmations, 0);
    ck_assert(!assertion->has_conditions);
    ck_assert_int_eq(assertion->not_before, 0);
    ck_assert_int_eq(assertion->n_restrictions, 0);
    ck_assert(!assertion->has_authn_statement);
    ck_assert_int_eq(assertion->session_not_on_or_after, 0);
    ck_assert_ptr_null(assertion->session_index);
    ck_assert_int_eq(assertion->n_attributes, 0);
}
END_TEST

/* Nothing is read from the document that was posted: change it, and the reading stays what was signed. */
START_TEST(the_proof_alone_is_read)
{
    es_assertion_t *assertion = NULL;
    es_why_t why = ES_WHY_INIT;
    xmlNodePtr root, subject;
    const es_signed_t *proof = prove(ASSERTION("<Subject><NameID>alice</NameID></Subject>"), &root);

    ck_assert_int_eq(es_xml_child(&subject, root, ES_NS_ASSERTION, "Subject"), 1);
    xmlNodeSetContent(es_xml_first(subject), BAD_CAST "mallory");
    xmlSetProp(root, BAD_CAST "ID", BAD_CAST "_evil");
    ck_assert_reason(es_assertion_read(&assertion, proof, &why, unit_pool), ES_OK, why);
    ck_assert_str_eq(assertion->name_id, "alice");
    ck_assert_str_eq(assertion->id, "_a");
}
END_TEST

START_TEST(in_a_signed_response)
{
    const es_assertion_t *assertion = reads("<p:Response xmlns:p=\"" ES_NS_PROTOCOL "\" ID=\"_r\">" SIGNER_SIGNATURE(
        "_r") HEAD ISSUER "<Subject><NameID>n</NameID></Subject></Assertion></p:Response>");

    ck_assert_str_eq(assertion->id, "_a");
    ck_assert_str_eq(assertion->name_id, "n");
    refused("<p:Response xmlns:p=\"" ES_NS_PROTOCOL "\" ID=\"_r\">" SIGNER_SIGNATURE("_r") "</p:Response>",
            ES_ASSERTION_SHAPE);
    refused("<p:Response xmlns:p=\"" ES_NS_PROTOCOL "\" ID=\"_r\">" SIGNER_SIGNATURE("_r") HEAD
            "</Assertion>" HEAD "</Assertion></p:Response>",
            ES_ASSERTION_SHAPE);
    refused("<p:Response xmlns:p=\"" ES_NS_PROTOCOL
            "\" ID=\"_r\">" SIGNER_SIGNATURE("_r") "<x>" HEAD "</Assertion></x></p:Response>",
            ES_ASSERTION_SHAPE);
    refused("<x ID=\"_r\">" SIGNER_SIGNATURE("_r") HEAD "</Assertion></x>", ES_ASSERTION_SHAPE);
}
END_TEST

/* A signature inside of what another one covers has been verified by nobody here. */
START_TEST(no_signature_left)
{
    refused("<p:Response xmlns:p=\"" ES_NS_PROTOCOL "\" ID=\"_r\">" SIGNER_SIGNATURE("_r")
                ASSERTION("") "</p:Response>",
            ES_ASSERTION_SHAPE);
}
END_TEST

START_TEST(head)
{
#define OPEN "<Assertion xmlns=\"" ES_NS_ASSERTION "\" ID=\"_a\""
#define REST ">" SIGNER_SIGNATURE("_a") "</Assertion>"
    refused(OPEN " IssueInstant=\"2021-04-09T12:53:30Z\"" REST, ES_ASSERTION_VERSION);
    refused(OPEN " IssueInstant=\"2021-04-09T12:53:30Z\" Version=\"2.1\"" REST, ES_ASSERTION_VERSION);
    refused(OPEN " Version=\"2.0\"" REST, ES_TIME_MALFORMED);
    refused(OPEN " Version=\"2.0\" IssueInstant=\"today\"" REST, ES_TIME_MALFORMED);
    refused("<p:Response xmlns:p=\"" ES_NS_PROTOCOL
            "\" ID=\"_r\">" SIGNER_SIGNATURE("_r") "<Assertion xmlns=\"" ES_NS_ASSERTION
                                                   "\" Version=\"2.0\"/></p:Response>",
            ES_ID_MISSING);
}
END_TEST

START_TEST(times)
{
    refused(ASSERTION("<Conditions NotBefore=\"\"/>"), ES_TIME_MALFORMED);
    refused(ASSERTION("<Conditions NotOnOrAfter=\"x\"/>"), ES_TIME_MALFORMED);
    refused(ASSERTION("<Subject><SubjectConfirmation Method=\"" BEARER
                      "\"><SubjectConfirmationData NotBefore=\"x\"/></SubjectConfirmation></Subject>"),
            ES_TIME_MALFORMED);
    refused(ASSERTION("<Subject><SubjectConfirmation Method=\"" BEARER
                      "\"><SubjectConfirmationData NotOnOrAfter=\"x\"/></SubjectConfirmation></Subject>"),
            ES_TIME_MALFORMED);
    refused(ASSERTION("<AuthnStatement><AuthnContext/></AuthnStatement>"), ES_TIME_MALFORMED);
    refused(ASSERTION("<AuthnStatement AuthnInstant=\"2021-04-01T00:00:00Z\" SessionNotOnOrAfter=\"x\"><AuthnContext/>"
                      "</AuthnStatement>"),
            ES_TIME_MALFORMED);
}
END_TEST

START_TEST(shapes)
{
    static const char *const texts[] = {
        ASSERTION("<Issuer>i</Issuer>"),
        ASSERTION("<x/>"),
        ASSERTION("x"),
        ASSERTION("<Subject/><Subject/>"),
        ASSERTION("<Conditions/><Subject/>"),
        ASSERTION("<Conditions/><Conditions/>"),
        ASSERTION("<Subject xmlns=\"u:x\"/>"),
        ASSERTION("<Subject><NameID>a<b/></NameID></Subject>"),
        ASSERTION("<Subject><NameID><b>a</b></NameID></Subject>"),
        ASSERTION("<Subject><NameID>a</NameID><NameID>b</NameID></Subject>"),
        ASSERTION("<Subject><EncryptedID/></Subject>"),
        ASSERTION("<Subject><BaseID/></Subject>"),
        ASSERTION("<Subject>a<NameID>b</NameID></Subject>"),
        ASSERTION("<Subject><SubjectConfirmation Method=\"" BEARER "\"><NameID/></SubjectConfirmation></Subject>"),
        ASSERTION("<Conditions><AudienceRestriction><x/></AudienceRestriction></Conditions>"),
        ASSERTION("<Conditions><AudienceRestriction><Audience><x/></Audience></AudienceRestriction></Conditions>"),
        ASSERTION("<AuthnStatement AuthnInstant=\"2021-04-01T00:00:00Z\"/>"),
        ASSERTION("<AuthnStatement AuthnInstant=\"2021-04-01T00:00:00Z\"><AuthnContext/><x/></AuthnStatement>"),
        ASSERTION("<AuthnStatement AuthnInstant=\"2021-04-01T00:00:00Z\"><AuthnContext/></AuthnStatement>"
                  "<AuthnStatement AuthnInstant=\"2021-04-01T00:00:00Z\"><AuthnContext/></AuthnStatement>"),
        ASSERTION("<AttributeStatement><EncryptedAttribute/></AttributeStatement>"),
        ASSERTION("<AttributeStatement><Attribute/></AttributeStatement>"),
        ASSERTION("<AttributeStatement><Attribute Name=\"\"/></AttributeStatement>"),
        ASSERTION("<AttributeStatement><Attribute Name=\"a\"><x/></Attribute></AttributeStatement>"),
        ASSERTION("<AttributeStatement><Attribute Name=\"a\"><AttributeValue><x/></AttributeValue></Attribute>"
                  "</AttributeStatement>"),
        ASSERTION("<AuthzDecisionStatement/>"),
        ASSERTION("<Statement/>"),
        HEAD "<Issuer>i<x/></Issuer>" SIGNER_SIGNATURE("_a") "</Assertion>",
        HEAD "<Issuer><x>i</x></Issuer>" SIGNER_SIGNATURE("_a") "</Assertion>",
    };
    size_t i;

    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        refused(texts[i], ES_ASSERTION_SHAPE);
    }
}
END_TEST

START_TEST(confirmations)
{
    const es_assertion_t *assertion = reads(ASSERTION(
        "<Subject><SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:sender-vouches\"/>"
        "<SubjectConfirmation Method=\"" BEARER "\"/><SubjectConfirmation/><SubjectConfirmation Method=\"" BEARER
        "\"><SubjectConfirmationData/></SubjectConfirmation></Subject>"));

    ck_assert_int_eq(assertion->n_confirmations, 2);
    ck_assert(!assertion->confirmations[0].has_data);
    ck_assert(assertion->confirmations[1].has_data);
    ck_assert_ptr_null(assertion->confirmations[1].recipient);
}
END_TEST

START_TEST(conditions)
{
    ck_assert_str_eq(reads(ASSERTION("<Conditions><Condition/><y/></Conditions>"))->unknown_condition, "Condition");
    ck_assert_str_eq(reads(ASSERTION("<Conditions><OneTimeUse xmlns=\"u:x\"/></Conditions>"))->unknown_condition,
                     "OneTimeUse");
}
END_TEST

/* Text comes out octet for octet; canonical XML has escaped what it must on the way. */
START_TEST(values)
{
    const es_assertion_t *assertion =
        reads(ASSERTION("<Subject><NameID>\xe2\x80\xae&amp;&lt;&gt;\"' &#xD;\n\t</NameID></Subject>"));

    ck_assert_str_eq(assertion->name_id, "\xe2\x80\xae&<>\"' \r\n\t");
}
END_TEST

START_TEST(many_values)
{
    char *list = apr_palloc(unit_pool, 2000 * sizeof "<AttributeValue>0000</AttributeValue>"), *end = list;
    const es_assertion_t *assertion;
    int i;

    for (i = 0; i < 2000; i++) {
        end += apr_snprintf(end, sizeof "<AttributeValue>0000</AttributeValue>",
                            "<AttributeValue>%04d</AttributeValue>", i);
    }
    assertion =
        reads(apr_pstrcat(unit_pool, HEAD ISSUER SIGNER_SIGNATURE("_a") "<AttributeStatement><Attribute Name=\"g\">",
                          list, "</Attribute></AttributeStatement></Assertion>", NULL));
    ck_assert_int_eq(assertion->attributes[0].count, 2000);
    ck_assert_str_eq(assertion->attributes[0].values[1999], "1999");
}
END_TEST

Suite *suite_assertion(void)
{
    Suite *suite = suite_create("assertion");
    TCase *tcase = unit_case(suite, "read");

    tcase_add_checked_fixture(tcase, make_keys, NULL);
    tcase_add_test(tcase, everything);
    tcase_add_test(tcase, least);
    tcase_add_test(tcase, the_proof_alone_is_read);
    tcase_add_test(tcase, in_a_signed_response);
    tcase_add_test(tcase, no_signature_left);
    tcase_add_test(tcase, head);
    tcase_add_test(tcase, times);
    tcase_add_test(tcase, shapes);
    tcase_add_test(tcase, confirmations);
    tcase_add_test(tcase, conditions);
    tcase_add_test(tcase, values);
    tcase_add_test(tcase, many_values);
    return suite;
}
