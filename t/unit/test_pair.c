/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/codec.h"
#include "signer.h"
#include "xml/key.h"
#include "xml/pair.h"

#include <apr_strings.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

static void refused(es_bytes_t certificate, es_bytes_t key, es_rv_t rv)
{
    const es_pair_t *pair = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_pair_load(&pair, certificate, key, &why, unit_pool), rv, why);
    ck_assert_ptr_null(pair);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

static void taken(es_bytes_t certificate, es_bytes_t key, const signer_t *signer)
{
    const es_pair_t *pair = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_pair_load(&pair, certificate, key, &why, unit_pool), ES_OK, why);
    ck_assert_str_eq(pair->thumbprint, es_keys_thumbprint(signer->certificate, unit_pool));
    ck_assert_str_eq(pair->base64, es_codec_base64_encode(signer->certificate, unit_pool));
    ck_assert_int_eq(EVP_PKEY_eq(pair->key, signer->key), 1);
}

static es_bytes_t joined(es_bytes_t one, es_bytes_t two)
{
    return es_bytes_of(apr_pstrcat(unit_pool, (const char *)one.data, (const char *)two.data, NULL));
}

START_TEST(good)
{
    const signer_t *signer = signer_make(2048, 30, unit_pool), *other = signer_make(2048, 30, unit_pool);
    const es_bytes_t certificate = signer_certificate_pem(signer, unit_pool);
    const es_bytes_t key = signer_key_pem(signer, NULL, unit_pool);

    taken(certificate, key, signer);
    taken(joined(key, certificate), joined(certificate, key), signer); /* one file of both, in any order */
    taken(joined(certificate, signer_certificate_pem(other, unit_pool)), key, signer); /* a chain: the first is ours */
    taken(joined(es_bytes_of("some words before\n"), certificate), key, signer);
}
END_TEST

/* Entra does not look at dates, and neither do we. */
START_TEST(expired)
{
    const signer_t *signer = signer_make(2048, -30, unit_pool);

    taken(signer_certificate_pem(signer, unit_pool), signer_key_pem(signer, NULL, unit_pool), signer);
}
END_TEST

START_TEST(bad)
{
    const signer_t *signer = signer_make(2048, 30, unit_pool), *other = signer_make(2048, 30, unit_pool);
    const es_bytes_t certificate = signer_certificate_pem(signer, unit_pool);
    const es_bytes_t key = signer_key_pem(signer, NULL, unit_pool);
    const es_bytes_t nothing = es_bytes_of(""), words = es_bytes_of("-----BEGIN CERTIFICATE-----\nx\n");
    const es_bytes_t half = es_bytes(key.data, key.len / 2);

    refused(nothing, key, ES_PAIR_CERTIFICATE);
    refused(words, key, ES_PAIR_CERTIFICATE);
    refused(key, key, ES_PAIR_CERTIFICATE);
    refused(signer->certificate, key, ES_PAIR_CERTIFICATE); /* DER */
    refused(certificate, nothing, ES_PAIR_KEY);
    refused(certificate, certificate, ES_PAIR_KEY);
    refused(certificate, half, ES_PAIR_KEY);
    refused(certificate, signer_key_pem(signer, "secret", unit_pool), ES_PAIR_ENCRYPTED);
    refused(certificate, signer_key_pem(other, NULL, unit_pool), ES_PAIR_MISMATCH);
}
END_TEST

static void weak(const signer_t *signer)
{
    refused(signer_certificate_pem(signer, unit_pool), signer_key_pem(signer, NULL, unit_pool), ES_PAIR_WEAK);
}

START_TEST(kinds)
{
    const signer_t *least = signer_make(2048, 30, unit_pool);

    weak(signer_make(1024, 30, unit_pool));
    weak(signer_make(2047, 30, unit_pool));
    weak(signer_adopt(EVP_EC_gen("P-256"), unit_pool));
    weak(signer_adopt(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), unit_pool));
    taken(signer_certificate_pem(least, unit_pool), signer_key_pem(least, NULL, unit_pool), least);
}
END_TEST

START_TEST(thumbprints)
{
    const es_pair_t *one = signer_pair(signer_make(2048, 30, unit_pool), unit_pool);
    const es_pair_t *two = signer_pair(signer_make(2048, 30, unit_pool), unit_pool);
    const es_pair_t *none[] = { NULL }, *both[] = { one, two, NULL };

    ck_assert_str_eq(es_pair_thumbprints(NULL, unit_pool), "");
    ck_assert_str_eq(es_pair_thumbprints(none, unit_pool), "");
    ck_assert_str_eq(es_pair_thumbprints(both, unit_pool),
                     apr_pstrcat(unit_pool, one->thumbprint, ", ", two->thumbprint, NULL));
}
END_TEST

Suite *suite_pair(void)
{
    Suite *suite = suite_create("pair");
    TCase *tcase = unit_case(suite, "pair");

    tcase_add_test(tcase, good);
    tcase_add_test(tcase, expired);
    tcase_add_test(tcase, bad);
    tcase_add_test(tcase, kinds);
    tcase_add_test(tcase, thumbprints);
    return suite;
}
