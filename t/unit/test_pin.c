/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signer.h"
#include "unit.h"

#include "base/codec.h"
#include "base/crypto.h"
#include "entra/metadata.h"
#include "entra/pin.h"
#include "xml/key.h"
#include "xml/xml.h"

#include <apr_strings.h>
#include <ctype.h>
#include <openssl/rsa.h>

#define SHA1 "1528A6B85AC53680B4B095C69AFD779CD65C7837"
#define SHA256 SHA1 "000102030405060708090A0B"
#define ISSUER "https://sts.windows.net/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/"

static const struct {
    const char *text, *pin; /* NULL: refused */
} texts[] = {
    { SHA1, SHA1 },
    { "1528a6b85ac53680b4b095c69afd779cd65c7837", SHA1 },
    { "15:28:A6:B8:5A:C5:36:80:B4:B0:95:C6:9A:FD:77:9C:D6:5C:78:37", SHA1 },
    { SHA256, SHA256 },
    { "", NULL },
    { "1528A6B8", NULL },
    { SHA1 "0", NULL },
    { SHA1 "00", NULL },
    { SHA256 "0", NULL },
    { SHA256 ":", NULL },
    { SHA1 ":", NULL },
    { ":" SHA1, NULL },
    { "15::28A6B85AC53680B4B095C69AFD779CD65C7837", NULL },
    { "1:528A6B85AC53680B4B095C69AFD779CD65C7837", NULL },
    { "1528A6B85AC53680B4B095C69AFD779CD65C783G", NULL },
    { "1528A6B85AC53680B4B0 95C69AFD779CD65C7837", NULL },
    { "sha1:" SHA1, NULL },
};

START_TEST(thumbprints)
{
    es_why_t why = ES_WHY_INIT;
    const char *pin = NULL;

    ck_assert_reason(es_pin_read(&pin, texts[_i].text, &why, unit_pool), texts[_i].pin ? ES_OK : ES_CONFIG_SIGNER, why);
    if (texts[_i].pin) {
        ck_assert_str_eq(pin, texts[_i].pin);
    } else {
        ck_assert_ptr_null(pin);
    }
}
END_TEST

static signer_t *ours, *other;

static void make_signers(void)
{
    ours = signer_make(2048, 30, unit_pool);
    other = signer_make(2048, 30, unit_pool);
}

static const char *sha1_of(const signer_t *signer)
{
    return es_keys_thumbprint(signer->certificate, unit_pool);
}

static const char *sha256_of(const signer_t *signer)
{
    const es_hash_t hash = es_crypto_sha256(signer->certificate);
    char *text = apr_pstrdup(unit_pool, es_codec_hex(es_bytes(hash.octet, sizeof hash.octet), unit_pool)), *c;

    for (c = text; *c; c++) {
        *c = (char)toupper(*c);
    }
    return text;
}

/* A document with this signature (or none) in the place where Microsoft puts it. */
static const char *document(const char *signature)
{
    return apr_pstrcat(
        unit_pool, "<EntityDescriptor xmlns=\"" ES_NS_METADATA "\" ID=\"_m\" entityID=\"" ISSUER "\">", signature,
        "<IDPSSODescriptor protocolSupportEnumeration=\"" ES_NS_PROTOCOL "\"><KeyDescriptor use=\"signing\">"
        "<KeyInfo xmlns=\"" ES_NS_DSIG "\"><X509Data><X509Certificate>",
        es_codec_base64_encode(ours->certificate, unit_pool),
        "</X509Certificate></X509Data></KeyInfo></KeyDescriptor><SingleSignOnService "
        "Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" "
        "Location=\"https://login.example.com/saml2\"/></IDPSSODescriptor></EntityDescriptor>",
        NULL);
}

/* Signed with one key, naming the certificate of another. */
static es_bytes_t sign(const signer_t *signer, const signer_t *named)
{
    const char *signature =
        apr_pstrcat(unit_pool, SIGNER_TEMPLATE("#_m", SIGNER_RSA_SHA256, SIGNER_SHA256, "{key}"), NULL);
    const char *at = strstr(signature, "{key}");

    return signer_sign(
        signer,
        document(apr_pstrcat(unit_pool, apr_pstrmemdup(unit_pool, signature, (apr_size_t)(at - signature)),
                             named ? signer_key_info(named, unit_pool) : "", at + 5, NULL)),
        unit_pool);
}

static void refuse(es_bytes_t octets, const char *pin, es_rv_t rv, const char *part)
{
    es_bytes_t proven = { NULL, 0 };
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_pin_verify(&proven, octets, pin, &why, unit_pool), rv, why);
    ck_assert_msg(strstr(why.text, part) != NULL, "no \"%s\" in: %s", part, why.text);
    ck_assert_ptr_null(proven.data);
}

/* The document with one place changed. */
static es_bytes_t altered(es_bytes_t octets, const char *old, const char *fresh)
{
    const char *text = apr_pstrmemdup(unit_pool, (const char *)octets.data, octets.len);
    const char *at = strstr(text, old);

    ck_assert_ptr_nonnull(at);
    return es_bytes_of(apr_pstrcat(unit_pool, apr_pstrmemdup(unit_pool, text, (apr_size_t)(at - text)), fresh,
                                   at + strlen(old), NULL));
}

START_TEST(pinned)
{
    const es_bytes_t octets = sign(ours, ours);
    const char *const pins[] = { sha1_of(ours), sha256_of(ours) };
    es_metadata_t *metadata;
    es_bytes_t proven;
    int i;

    for (i = 0; i < 2; i++) {
        es_why_t why = ES_WHY_INIT;

        ck_assert_reason(es_pin_verify(&proven, octets, pins[i], &why, unit_pool), ES_OK, why);
        ck_assert_reason(es_metadata_load(&metadata, proven, &why, unit_pool), ES_OK, why);
        ck_assert_str_eq(metadata->issuer, ISSUER);
        ck_assert_str_eq(es_keys_thumbprints(metadata->keys, unit_pool), sha1_of(ours));
    }
}
END_TEST

START_TEST(another_signer)
{
    refuse(sign(other, other), sha1_of(ours), ES_METADATA_SIGNER, sha1_of(other));
    refuse(sign(other, other), sha256_of(ours), ES_METADATA_SIGNER, sha256_of(ours));
    refuse(es_bytes_of(document("")), sha1_of(ours), ES_METADATA_SIGNER, "not signed");
    refuse(sign(ours, NULL), sha1_of(ours), ES_METADATA_SIGNER, "by which certificate");
    /* the pinned certificate is public: naming it is not having signed with it */
    refuse(sign(other, ours), sha1_of(ours), ES_METADATA_SIGNATURE, "signature-value");
}
END_TEST

START_TEST(altered_documents)
{
    const es_bytes_t octets = sign(ours, ours);

    refuse(altered(octets, "https://login.example.com/saml2", "https://login.evil.example/saml2"), sha1_of(ours),
           ES_METADATA_SIGNATURE, "signature-digest");
    refuse(altered(octets, "use=\"signing\"", "use=\"signing\" ID=\"_m\""), sha1_of(ours), ES_METADATA_INVALID, "_m");
    refuse(altered(octets, "URI=\"#_m\"", "URI=\"\""), sha1_of(ours), ES_METADATA_SIGNATURE, "signature-reference");
    refuse(altered(octets, SIGNER_RSA_SHA256, "http://www.w3.org/2000/09/xmldsig#rsa-sha1"), sha1_of(ours),
           ES_METADATA_SIGNATURE, "signature-algorithm");
    refuse(es_bytes_of("<EntityDescriptor"), sha1_of(ours), ES_METADATA_INVALID, "");
    refuse(es_bytes_of(""), sha1_of(ours), ES_METADATA_INVALID, "");
}
END_TEST

/* A comment is not signed, and so is not there for whoever reads the proven octets. */
START_TEST(comments_are_gone)
{
    es_bytes_t proven;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_pin_verify(&proven,
                                   altered(sign(ours, ours), "<IDPSSODescriptor", "<!-- x --><IDPSSODescriptor"),
                                   sha1_of(ours), &why, unit_pool),
                     ES_OK, why);
    ck_assert_ptr_null(strstr(apr_pstrmemdup(unit_pool, (const char *)proven.data, proven.len), "<!--"));
}
END_TEST

/* What Microsoft itself has signed. */
static const struct {
    const char *file, *pin;
    es_rv_t rv;
} genuine[] = {
    { "appid-2019-bom", "3059B1E91C186E4258CA2365D867BBD8ECB8C187", ES_OK },
    { "tenant-2018-two-certs", "1528A6B85AC53680B4B095C69AFD779CD65C7837", ES_OK },
    { "common-2017-three-certs", "6B740DD01652EECE2737E05DAE36C5D18FCB74C3", ES_OK },
    { "appid-2019-bom", "1528A6B85AC53680B4B095C69AFD779CD65C7837", ES_METADATA_SIGNER },
    { "tenant-2018-two-certs", "D92E120951ACF1283D2D2E80A8B22AE83A56FA0F", ES_METADATA_SIGNER }, /* in it, no signer */
    { "tenant-2018-two-certs-badsig", "1528A6B85AC53680B4B095C69AFD779CD65C7837", ES_METADATA_SIGNATURE },
    { "tenant-2019-three-certs-reformatted", "37E942D27FBD0C02EAC21B876271D0EB719E0977", ES_METADATA_SIGNATURE },
    { "tenant-2013-crlf-reformatted", "3464C5BDD2BE7F2B6112E2F08E9C0024E33D9FE0", ES_METADATA_SIGNATURE },
};
#define N_GENUINE (int)(sizeof genuine / sizeof *genuine)

START_TEST(genuine_documents)
{
    const char *path = unit_fixture(apr_pstrcat(unit_pool, "metadata/", genuine[_i].file, ".xml", NULL));
    es_metadata_t *read, *proven;
    es_why_t why = ES_WHY_INIT;
    es_bytes_t octets;

    if (!path) {
        return;
    }
    ck_assert_reason(es_pin_verify(&octets, unit_file(path), genuine[_i].pin, &why, unit_pool), genuine[_i].rv, why);
    if (genuine[_i].rv == ES_OK) {
        ck_assert_reason(es_metadata_load(&read, unit_file(path), &why, unit_pool), ES_OK, why);
        ck_assert_reason(es_metadata_load(&proven, octets, &why, unit_pool), ES_OK, why);
        ck_assert_str_eq(proven->issuer, read->issuer);
        ck_assert_str_eq(proven->sso_url, read->sso_url);
        ck_assert_str_eq(proven->slo_url, read->slo_url);
        ck_assert_str_eq(es_keys_thumbprints(proven->keys, unit_pool), es_keys_thumbprints(read->keys, unit_pool));
    }
}
END_TEST

Suite *suite_pin(void)
{
    Suite *suite = suite_create("pin");
    TCase *tcase = unit_case(suite, "pin");

    tcase_add_checked_fixture(tcase, make_signers, NULL);
    tcase_add_test(tcase, pinned);
    tcase_add_test(tcase, another_signer);
    tcase_add_test(tcase, altered_documents);
    tcase_add_test(tcase, comments_are_gone);
    tcase = unit_case(suite, "texts");
    tcase_add_loop_test(tcase, thumbprints, 0, sizeof texts / sizeof *texts);
    tcase = unit_case(suite, "genuine");
    tcase_add_loop_test(tcase, genuine_documents, 0, N_GENUINE);
    return suite;
}
