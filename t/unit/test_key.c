/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/crypto.h"
#include "signer.h"
#include "xml/key.h"

#include <apr_strings.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static void refused(es_keys_t *keys, es_bytes_t der)
{
    const int before = es_keys_count(keys);
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_keys_add(keys, der, &why), ES_METADATA_NO_KEY, why);
    ck_assert_int_eq(es_keys_count(keys), before);
}

static void added(es_keys_t *keys, es_bytes_t der)
{
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_keys_add(keys, der, &why), ES_OK, why);
}

START_TEST(facts)
{
    const signer_t *signer = signer_make(2048, 30, unit_pool);
    es_keys_t *keys = es_keys_make(unit_pool);
    const es_hash_t digest = es_crypto_sha256(signer->certificate);
    const es_key_t *key;

    added(keys, signer->certificate);
    ck_assert_int_eq(es_keys_count(keys), 1);
    key = es_keys_at(keys, 0);
    ck_assert_str_eq(key->subject, "CN=Signer\\, of tests");
    ck_assert_int_eq(key->not_after - key->not_before, apr_time_from_sec(30 * 86400));
    ck_assert_mem_eq(key->digest.octet, digest.octet, ES_HASH_LEN);
    ck_assert_uint_eq(strlen(key->thumbprint), 40);
    ck_assert_str_eq(key->thumbprint, es_keys_thumbprint(signer->certificate, unit_pool));
    ck_assert_uint_eq(strspn(key->thumbprint, "0123456789ABCDEF"), 40);
    ck_assert_ptr_eq(es_keys_find(keys, signer->certificate), key);
    ck_assert_ptr_nonnull(key->key);
}
END_TEST

START_TEST(once)
{
    const signer_t *one = signer_make(2048, 30, unit_pool), *two = signer_make(3072, 30, unit_pool);
    es_keys_t *keys = es_keys_make(unit_pool);

    ck_assert_str_eq(es_keys_thumbprints(keys, unit_pool), "");
    added(keys, one->certificate);
    added(keys, two->certificate);
    added(keys, one->certificate);
    ck_assert_int_eq(es_keys_count(keys), 2);
    ck_assert_str_eq(es_keys_thumbprints(keys, unit_pool), apr_pstrcat(unit_pool, es_keys_at(keys, 0)->thumbprint, ", ",
                                                                       es_keys_at(keys, 1)->thumbprint, NULL));
    ck_assert_ptr_eq(es_keys_find(keys, two->certificate), es_keys_at(keys, 1));
}
END_TEST

/* Entra goes on signing with an expired certificate. */
START_TEST(expired)
{
    es_keys_t *keys = es_keys_make(unit_pool);

    added(keys, signer_make(2048, -30, unit_pool)->certificate);
    ck_assert_int_lt(es_keys_at(keys, 0)->not_after, apr_time_now());
}
END_TEST

START_TEST(weak)
{
    es_keys_t *keys = es_keys_make(unit_pool);

    refused(keys, signer_make(1024, 30, unit_pool)->certificate);
    refused(keys, signer_make(2040, 30, unit_pool)->certificate);
}
END_TEST

static EVP_PKEY *make_rsa_pss(void)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *key = NULL;

    ck_assert_int_eq(EVP_PKEY_keygen_init(context), 1);
    ck_assert_int_eq(EVP_PKEY_generate(context, &key), 1);
    EVP_PKEY_CTX_free(context);
    return key;
}

START_TEST(not_rsa)
{
    es_keys_t *keys = es_keys_make(unit_pool);

    refused(keys, signer_adopt(EVP_EC_gen("P-256"), unit_pool)->certificate);
    refused(keys, signer_adopt(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), unit_pool)->certificate);
    refused(keys, signer_adopt(make_rsa_pss(), unit_pool)->certificate);
}
END_TEST

START_TEST(not_a_certificate)
{
    const signer_t *signer = signer_make(2048, 30, unit_pool);
    es_keys_t *keys = es_keys_make(unit_pool);
    es_bytes_t der = signer->certificate;
    unsigned char *longer = apr_pcalloc(unit_pool, der.len + 1);

    refused(keys, es_bytes("", 0));
    refused(keys, es_bytes_of("-----BEGIN CERTIFICATE-----"));
    refused(keys, es_bytes(der.data, der.len - 1));
    memcpy(longer, der.data, der.len);
    refused(keys, es_bytes(longer, der.len + 1));
    ck_assert_ptr_null(es_keys_find(keys, der));
}
END_TEST

START_TEST(genuine)
{
    const char *path = unit_fixture("certs/d11ff58f.pem");
    es_keys_t *keys = es_keys_make(unit_pool);
    unsigned char *der = NULL;
    es_bytes_t pem;
    X509 *certificate;
    BIO *memory;
    int len;

    if (!path) {
        return;
    }
    pem = unit_file(path);
    memory = BIO_new_mem_buf(pem.data, (int)pem.len);
    certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);
    len = i2d_X509(certificate, &der);
    added(keys, es_bytes(der, (apr_size_t)len));
    ck_assert_str_eq(es_keys_at(keys, 0)->subject, "CN=Microsoft Azure Federated SSO Certificate");
    ck_assert_str_eq(es_keys_at(keys, 0)->thumbprint, "D11FF58F7E635DA276660C79D39B28F65F7F7AFB");
    ck_assert_int_eq(apr_time_sec(es_keys_at(keys, 0)->not_before), 1617652899);
    OPENSSL_free(der);
    X509_free(certificate);
    BIO_free(memory);
}
END_TEST

Suite *suite_key(void)
{
    Suite *suite = suite_create("key");
    TCase *tcase = unit_case(suite, "certificates");

    tcase_add_test(tcase, facts);
    tcase_add_test(tcase, once);
    tcase_add_test(tcase, expired);
    tcase_add_test(tcase, weak);
    tcase_add_test(tcase, not_rsa);
    tcase_add_test(tcase, not_a_certificate);
    tcase_add_test(tcase, genuine);
    return suite;
}
