/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What Microsoft itself has signed, with the clock set back to the day: accepted up to the claims; each altered sample
 * refused for its own reason. The samples' README says where they come from.
 */
#include "unit.h"

#include "base/codec.h"
#include "entra/claims.h"
#include "entra/metadata.h"
#include "entra/stranger.h"
#include "saml/check.h"
#include "saml/logout.h"

#include <apr_strings.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static es_bytes_t fixture(const char *name)
{
    return unit_file(unit_fixture(name));
}

/* The keys of one certificate (.pem) or of a metadata document (.xml). */
static const es_keys_t *keys_of(const char *name)
{
    es_keys_t *keys = es_keys_make(unit_pool);
    es_bytes_t octets = fixture(name);
    es_metadata_t *metadata;
    es_why_t why = ES_WHY_INIT;
    unsigned char *der = NULL;
    X509 *certificate;
    BIO *memory;
    int len;

    if (strstr(name, ".xml")) {
        ck_assert_reason(es_metadata_load(&metadata, octets, &why, unit_pool), ES_OK, why);
        return metadata->keys;
    }
    memory = BIO_new_mem_buf(octets.data, (int)octets.len);
    certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);
    len = i2d_X509(certificate, &der);
    ck_assert_reason(es_keys_add(keys, es_bytes(der, (apr_size_t)len), &why), ES_OK, why);
    OPENSSL_free(der);
    X509_free(certificate);
    BIO_free(memory);
    return keys;
}

static es_rv_t load(es_response_t **response, const char *name, const char *keys, es_why_t *why)
{
    const char *field = es_codec_base64_encode(fixture(name), unit_pool);

    return es_response_load(response, es_bytes_of(field), keys_of(keys), NULL, why, unit_pool);
}

static void refused(const char *name, const char *keys, es_rv_t rv)
{
    es_response_t *response = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(load(&response, name, keys, &why), rv, why);
    ck_assert_ptr_null(response);
}

/* One sample, with what its service provider was and whom it names. */
typedef struct {
    const char *name, *keys, *day;
    es_expected_t expected;
    const char *name_id, *user; /* the claim "name" */
    int n_claims;               /* NameID among them */
} sample_t;

static const char *claim_value(const es_claim_t *claims, int n_claims, const char *short_name)
{
    int i;

    for (i = 0; i < n_claims; i++) {
        if (strcmp(claims[i].short_name, short_name) == 0) {
            return claims[i].values[0];
        }
    }
    return NULL;
}

static void accepted(const sample_t *sample)
{
    const apr_time_t now = unit_time(sample->day);
    es_response_t *response = NULL;
    es_assertion_t *assertion = NULL;
    const es_claim_t *claims = NULL;
    apr_time_t not_after;
    int n_claims = 0, n_dropped = -1;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(load(&response, sample->name, sample->keys, &why), ES_OK, why);
    ck_assert_reason(es_assertion_read(&assertion, response->proof, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_check_parties(response, assertion, &sample->expected, &why), ES_OK, why);
    ck_assert_reason(es_check_request(response, assertion, &sample->expected, &why), ES_OK, why);
    ck_assert_reason(es_check_times(&not_after, response, assertion, &sample->expected, now, &why), ES_OK, why);
    ck_assert_str_eq(assertion->name_id, sample->name_id);
    ck_assert_reason(es_claims_read(&claims, &n_claims, &n_dropped, assertion, NULL, 0, &why, unit_pool), ES_OK, why);
    ck_assert_int_eq(n_claims, sample->n_claims);
    ck_assert_int_eq(n_dropped, 0);
    ck_assert_str_eq(claim_value(claims, n_claims, "name"), sample->user);
    /* and today it is history */
    ck_assert_reason(
        es_check_times(&not_after, response, assertion, &sample->expected, unit_time("2026-03-04T10:00:00Z"), &why),
        ES_ISSUE_INSTANT, why);
}

#define SKEW apr_time_from_sec(180)

START_TEST(tenant_key_2018)
{
    const sample_t sample = { "responses/resp-2018-tenant-key.xml",
                              "metadata/tenant-2018-two-certs.xml",
                              "2018-04-14T09:59:02Z",
                              { "https://sts.windows.net/682febe8-021b-4fde-ac09-e60085f05181/",
                                "https://zb2.zerobuzz.net:60443/authresp", "https://zb2.zerobuzz.net:60443/authresp",
                                "idcf2299ac551b42f1aa9b88804ed308c2", unit_time("2018-04-14T09:58:30Z"), SKEW, NULL },
                              "xJxdqS8W2UXawbZZqpGFXKG4uEmO5GjijKD2RkMipBo",
                              "fisxt1@azurewire.onmicrosoft.com",
                              7 };

    if (unit_fixture("")) {
        accepted(&sample);
        refused("responses/resp-2018-tenant-key-digest-bad.xml", sample.keys, ES_SIGNATURE_DIGEST);
    }
}
END_TEST

/* A guest of another organisation, signed with the application's own key. */
START_TEST(guest_2019)
{
    const sample_t sample = { "responses/resp-2019-app-key-guest.xml",
                              "certs/17cae8e1.pem",
                              "2019-02-28T18:30:00Z",
                              { "https://sts.windows.net/c2150111-3c44-4508-9f08-790cb4032a23/",
                                "https://local.fusionauth.io", "https://local.fusionauth.io/oauth2/callback",
                                "id31f83b35-5954-4b67-acf8-763c15fc3aac", unit_time("2019-02-28T18:29:00Z"), SKEW,
                                NULL },
                              "brian_inversoft.com#EXT#@brianinversoft.onmicrosoft.com",
                              "brian_inversoft.com#EXT#@brianinversoft.onmicrosoft.com",
                              10 };

    if (unit_fixture("")) {
        accepted(&sample);
        refused("responses/resp-2019-app-key-guest-sigvalue-bad.xml", sample.keys, ES_SIGNATURE_VALUE);
        refused("responses/resp-2019-app-key-guest-signature-removed.xml", sample.keys, ES_SIGNATURE_MISSING);
        /* the tenant's metadata instead of the application's: the commonest mistake in setting this up */
        refused(sample.name, "metadata/tenant-2019-three-certs-reformatted.xml", ES_SIGNATURE_KEY_UNKNOWN);
    }
}
END_TEST

START_TEST(after_rollover_2021)
{
    const sample_t sample = { "responses/resp-2021-app-key-after-rollover.xml",
                              "certs/d11ff58f.pem",
                              "2021-04-09T12:53:31Z",
                              { "https://sts.windows.net/2f277f1e-e5f1-4f62-b595-79c2d13afda4/",
                                "https://api.test.badgr.com/account/saml2/saml2.egcc/acs/",
                                "https://api.test.badgr.com/account/saml2/saml2.egcc/acs/", "id-dxvhOj4HsG9rlVDVx",
                                unit_time("2021-04-09T12:52:50Z"), SKEW, NULL },
                              "SDent1234@student.egcc.edu",
                              "SDent1234@student.egcc.edu",
                              10 };

    if (unit_fixture("")) {
        accepted(&sample);
        /* the metadata of before the rollover */
        refused(sample.name, "metadata/appid-2021-before-rollover-reformatted.xml", ES_SIGNATURE_KEY_UNKNOWN);
    }
}
END_TEST

/* Every genuine response against every genuine document and certificate: it verifies with what holds its key, and with
 * nothing else. The sibling is the commonest mistake: the tenant's document for the application's, an old one for a new.
 */
START_TEST(siblings)
{
    static const struct {
        const char *response, *key; /* the first digits of its thumbprint */
    } responses[] = {
        { "responses/resp-2018-tenant-key.xml", "1528A6B8" },
        { "responses/resp-2019-app-key-guest.xml", "17CAE8E1" },
        { "responses/resp-2021-app-key-after-rollover.xml", "D11FF58F" },
    };
    static const char *const documents[] = {
        "metadata/appid-2019-bom.xml",
        "metadata/appid-2021-before-rollover-reformatted.xml",
        "metadata/common-2017-three-certs.xml",
        "metadata/common-2017b-reformatted.xml",
        "metadata/tenant-2013-crlf-reformatted.xml",
        "metadata/tenant-2018-two-certs.xml",
        "metadata/tenant-2019-three-certs-reformatted.xml",
        "certs/17cae8e1.pem",
        "certs/d11ff58f.pem",
    };
    size_t i;
    int verified = 0;

    for (i = 0; unit_fixture("") && i < sizeof documents / sizeof *documents; i++) {
        const char *name = responses[_i].response;
        const char *thumbprints = es_keys_thumbprints(keys_of(documents[i]), unit_pool);
        es_response_t *response = NULL;
        es_why_t why = ES_WHY_INIT;
        const es_rv_t rv = load(&response, name, documents[i], &why);

        if (strstr(thumbprints, responses[_i].key)) {
            ck_assert_reason(rv, ES_OK, why);
            verified++;
        } else {
            ck_assert_reason(rv, ES_SIGNATURE_KEY_UNKNOWN, why);
            ck_assert_msg(strstr(why.text, responses[_i].key) && strstr(why.text, thumbprints), "%s", why.text);
        }
    }
    ck_assert_int_eq(verified, unit_fixture("") ? 1 : 0);
}
END_TEST

/* "Tenant metadata instead of ?appid=" is told from a stale document. */
START_TEST(mixed_up_2019)
{
    es_response_t *response = NULL;
    es_why_t why = ES_WHY_INIT, stale = ES_WHY_INIT;
    const char *advice;

    if (!unit_fixture("")) {
        return;
    }
    ck_assert_reason(load(&response, "responses/resp-2019-app-key-guest.xml",
                          "metadata/tenant-2019-three-certs-reformatted.xml", &why),
                     ES_SIGNATURE_KEY_UNKNOWN, why);
    advice = es_stranger_advice(keys_of("metadata/tenant-2019-three-certs-reformatted.xml"), why.text);
    ck_assert_ptr_nonnull(advice);
    ck_assert_ptr_nonnull(strstr(advice, "?appid="));
    ck_assert_reason(load(&response, "responses/resp-2021-app-key-after-rollover.xml",
                          "metadata/appid-2021-before-rollover-reformatted.xml", &stale),
                     ES_SIGNATURE_KEY_UNKNOWN, stale);
    ck_assert_ptr_null(es_stranger_advice(keys_of("metadata/appid-2021-before-rollover-reformatted.xml"), stale.text));
}
END_TEST

/* The form field byte for byte as Microsoft's page posted it. */
START_TEST(form_field_2019)
{
    es_response_t *response = NULL;
    es_why_t why = ES_WHY_INIT;
    es_bytes_t field;

    if (unit_fixture("")) {
        field = fixture("responses/resp-2019-app-key-guest.b64");
        field.len = strcspn((const char *)field.data, "\r\n");
        ck_assert_reason(es_response_load(&response, field, keys_of("certs/17cae8e1.pem"), NULL, &why, unit_pool),
                         ES_OK, why);
        ck_assert_str_eq(response->destination, "https://local.fusionauth.io/oauth2/callback");
        ck_assert_str_eq(es_signed_thumbprint(response->proof), "17CAE8E15BE25EB2FAEC22155895EED6A407E40B");
    }
}
END_TEST

/* Edited since, so that Microsoft's signature no longer covers it. */
START_TEST(shape_only)
{
    if (unit_fixture("")) {
        refused("shape-only/resp-2018-groups-wids-spn-audience.xml", "certs/6b740dd0.pem", ES_SIGNATURE_DIGEST);
        refused("shape-only/resp-idp-initiated-multivalue-roles.xml", "certs/6b740dd0.pem", ES_SIGNATURE_DIGEST);
        refused("shape-only/resp-2021-resigned-cr-in-value.xml", "certs/6b740dd0.pem", ES_SIGNATURE_KEY_UNKNOWN);
    }
}
END_TEST

/* An Entra response that another project signed again: its value holds CR LF, which canonical XML must keep apart. */
START_TEST(carriage_return)
{
    es_response_t *response = NULL;
    es_assertion_t *assertion = NULL;
    es_why_t why = ES_WHY_INIT;
    int i, seen = 0;

    if (!unit_fixture("")) {
        return;
    }
    ck_assert_reason(load(&response, "shape-only/resp-2021-resigned-cr-in-value.xml", "certs/5ca6e120.pem", &why),
                     ES_OK, why);
    ck_assert_reason(es_assertion_read(&assertion, response->proof, &why, unit_pool), ES_OK, why);
    for (i = 0; i < assertion->n_attributes; i++) {
        seen += assertion->attributes[i].count > 0 && strstr(assertion->attributes[i].values[0], "\r\n") != NULL;
    }
    ck_assert_int_gt(seen, 0);
}
END_TEST

/* Bare assertions of WS-Federation: signature and reading only. */
static es_rv_t read_bare(es_assertion_t **assertion, const char *name, es_why_t *why)
{
    const es_signed_t *proof = NULL;
    xmlDocPtr doc;
    es_rv_t rv = es_xml_load(&doc, fixture(name), ES_XML_MESSAGE, why, unit_pool);

    if (rv == ES_OK && (rv = es_dsig_check_ids(doc, why, unit_pool)) == ES_OK) {
        rv = es_dsig_verify(&proof, xmlDocGetRootElement(doc), keys_of("certs/6b740dd0.pem"), why, unit_pool);
    }
    return rv == ES_OK ? es_assertion_read(assertion, proof, why, unit_pool) : rv;
}

START_TEST(assertions_2017)
{
    /* ms-2017-valid-rsakeyvalue embeds the key of somebody else, which xmlsec by itself would take */
    static const char *const files[] = { "ms-2017-valid.xml", "ms-2017-valid-spaces.xml",
                                         "ms-2017-valid-no-keyinfo.xml", "ms-2017-valid-rsakeyvalue.xml" };
    size_t i;

    for (i = 0; unit_fixture("") && i < sizeof files / sizeof *files; i++) {
        es_assertion_t *assertion = NULL;
        es_why_t why = ES_WHY_INIT;

        ck_assert_reason(read_bare(&assertion, apr_pstrcat(unit_pool, "assertions/", files[i], NULL), &why), ES_OK,
                         why);
        ck_assert_str_eq(assertion->name_id, "RrX3SPSxDw6z4KHaKB2V_mnv0G-LbRZdYvo1RQa1L7s");
        ck_assert_int_eq(assertion->issue_instant, unit_time("2017-03-20T15:52:31Z") + 957000);
        ck_assert_int_eq(assertion->n_confirmations, 1);
        ck_assert(!assertion->confirmations[0].has_data);
    }
}
END_TEST

START_TEST(assertions_2017_altered)
{
    static const struct {
        const char *name;
        es_rv_t rv;
    } rows[] = {
        { "assertions/ms-2017-digest-tampered.xml", ES_SIGNATURE_DIGEST },
        { "assertions/ms-2017-sigvalue-tampered.xml", ES_SIGNATURE_VALUE },
        { "assertions/ms-2017-id-tampered.xml", ES_SIGNATURE_REFERENCE },
        { "assertions/ms-2017-attributes-stripped.xml", ES_SIGNATURE_DIGEST },
        { "assertions/ms-2017-issuer-stripped.xml", ES_SIGNATURE_DIGEST },
        { "assertions/ms-2017-two-signatures.xml", ES_SIGNATURE_SHAPE },
    };
    size_t i;

    for (i = 0; unit_fixture("") && i < sizeof rows / sizeof *rows; i++) {
        es_assertion_t *assertion = NULL;
        es_why_t why = ES_WHY_INIT;

        ck_assert_reason(read_bare(&assertion, rows[i].name, &why), rows[i].rv, why);
    }
}
END_TEST

/* A LogoutResponse of 2024; the signature of its query was not kept. Its issuer has the form that Microsoft does not
 * document. */
START_TEST(logout_response)
{
    const es_logout_expected_t expected = {
        .issuer = "https://sts.windows.net/c655950e-7130-45b5-b9c1-88f9a658b29a/",
        .sso_url = "https://login.microsoftonline.com/c655950e-7130-45b5-b9c1-88f9a658b29a/saml2",
        .logout_url = "https://sso.awsdev.pason.com/saml2/logout",
        .skew = apr_time_from_sec(180),
    };
    es_why_t why = ES_WHY_INIT;
    apr_time_t not_after;
    es_logout_t *logout;

    if (unit_fixture("")) {
        ck_assert_reason(es_logout_read(&logout, fixture("logout/logoutresponse-2024-success.xml"), 1, &why, unit_pool),
                         ES_OK, why);
        ck_assert_str_eq(logout->id, "_3b9ef597-f496-461c-bc63-ef5448c317d7");
        ck_assert_str_eq(logout->in_response_to, "_bcaea5e3-97c1-4d7b-a5da-10ed09c7dde0");
        ck_assert_ptr_null(logout->failure);
        ck_assert_reason(
            es_logout_check(&not_after, logout, &expected, unit_time("2024-04-23T01:45:14Z"), &why, unit_pool), ES_OK,
            why);
        ck_assert_reason(
            es_logout_check(&not_after, logout, &expected, unit_time("2024-04-23T02:45:14Z"), &why, unit_pool),
            ES_LOGOUT_STALE, why);
    }
}
END_TEST

Suite *suite_genuine(void)
{
    Suite *suite = suite_create("genuine");
    TCase *tcase = unit_case(suite, "responses");

    tcase_add_test(tcase, tenant_key_2018);
    tcase_add_test(tcase, guest_2019);
    tcase_add_test(tcase, after_rollover_2021);
    tcase_add_loop_test(tcase, siblings, 0, 3);
    tcase_add_test(tcase, mixed_up_2019);
    tcase_add_test(tcase, form_field_2019);
    tcase_add_test(tcase, shape_only);
    tcase_add_test(tcase, carriage_return);
    tcase = unit_case(suite, "assertions");
    tcase_add_test(tcase, assertions_2017);
    tcase_add_test(tcase, assertions_2017_altered);
    tcase_add_test(tcase, logout_response);
    return suite;
}
