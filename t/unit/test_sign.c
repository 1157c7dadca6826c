/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/codec.h"
#include "saml/request.h"
#include "saml/sign.h"
#include "signer.h"

#include <apr_strings.h>
#include <apr_thread_proc.h>

#define SIG_ALG "&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256"
#define SSO "https://login.example.com/tenant/saml2"

static const signer_t *signer;
static const es_pair_t *pair;

static void make_pair(void)
{
    signer = signer_make(2048, 30, unit_pool);
    pair = signer_pair(signer, unit_pool);
}

/* As the receiver does it: the octets before &Signature=, by the certificate's key. */
static int verifies(const char *query, apr_pool_t *pool)
{
    const char *end = strstr(query, "&Signature="), *value = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    es_why_t why = ES_WHY_INIT;
    es_bytes_t signature;
    int verified;

    ck_assert_ptr_nonnull(end);
    ck_assert_reason(es_codec_form_find(&value, es_bytes_of(query), "Signature", &why, pool), ES_OK, why);
    ck_assert_reason(es_codec_base64_decode(&signature, es_bytes_of(value), &why, pool), ES_OK, why);
    ck_assert_int_eq(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, signer->key), 1);
    verified = EVP_DigestVerify(context, signature.data, signature.len, (const unsigned char *)query,
                                (size_t)(end - query)) == 1;
    EVP_MD_CTX_free(context);
    return verified;
}

static const char *signed_query(const char *query, apr_pool_t *pool)
{
    const char *made = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_sign_query(&made, query, pair, &why, pool), ES_OK, why);
    return made;
}

/* SAML bindings 3.4.4.1: order, algorithm, encoding. */
START_TEST(shape)
{
    const char *query = "SAMLRequest=a%2Bb%3D&RelayState=c%20d", *made = signed_query(query, unit_pool);
    const char *rest = apr_pstrcat(unit_pool, query, SIG_ALG "&Signature=", NULL);

    ck_assert_int_eq(strncmp(made, rest, strlen(rest)), 0);
    ck_assert_uint_eq(strspn(made + strlen(rest), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%"),
                      strlen(made) - strlen(rest));
    ck_assert(verifies(made, unit_pool));
    ck_assert(verifies(signed_query("SAMLResponse=x", unit_pool), unit_pool));
}
END_TEST

/* Every octet counts: a change of one is noticed. */
START_TEST(each_octet)
{
    const char *made = signed_query("SAMLRequest=abc&RelayState=def", unit_pool);
    char *altered = apr_pstrdup(unit_pool, made);
    apr_size_t i;

    for (i = 0; i < (apr_size_t)(strstr(made, "&Signature=") - made); i++) {
        altered[i] ^= 1;
        ck_assert(!verifies(altered, unit_pool));
        altered[i] ^= 1;
    }
    ck_assert(verifies(altered, unit_pool));
}
END_TEST

static const char *url_of(const es_request_t *request, const char *relay_state)
{
    const es_request_id_t id = { { 1, 2, 3 } };
    const char *url = NULL;
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_request_url(&url, request, &id, relay_state, 0, &why, unit_pool), ES_OK, why);
    return url;
}

/* The request's URL: the address's own query stays outside of what is signed, with and without RelayState. */
START_TEST(request)
{
    static const char *const addresses[][2] = { { SSO, SSO "?" }, { SSO "?whr=a.example", SSO "?whr=a.example&" } };
    size_t i;

    for (i = 0; i < 2; i++) {
        const char *start = addresses[i][1], *plain, *url;
        es_request_t *made = NULL;
        es_why_t why = ES_WHY_INIT;

        ck_assert_reason(es_request_make(&made, addresses[i][0], "urn:us", "https://us.example/acs", &why, unit_pool),
                         ES_OK, why);
        plain = url_of(made, "state");
        es_request_sign_with(made, pair);
        url = url_of(made, "state");
        ck_assert_int_eq(strncmp(url, plain, strlen(plain)), 0);
        ck_assert_int_eq(strncmp(url + strlen(plain), SIG_ALG, strlen(SIG_ALG)), 0);
        ck_assert_int_eq(strncmp(url, start, strlen(start)), 0);
        ck_assert(verifies(url + strlen(start), unit_pool));
        url = url_of(made, NULL);
        ck_assert_ptr_null(strstr(url, "RelayState"));
        ck_assert(verifies(url + strlen(start), unit_pool));
    }
}
END_TEST

/* One key, any number of threads. */
#define THREADS 4
#define ROUNDS 30

static void *APR_THREAD_FUNC sign_many(apr_thread_t *thread, void *data)
{
    apr_pool_t *pool;
    int i;

    (void)thread;
    for (i = 0; i < ROUNDS; i++) {
        apr_pool_create(&pool, NULL);
        *(int *)data += verifies(signed_query(apr_psprintf(pool, "SAMLRequest=%d", i), pool), pool);
        apr_pool_destroy(pool);
    }
    return NULL;
}

START_TEST(threads)
{
    apr_thread_t *thread[THREADS];
    int good[THREADS] = { 0 }, i;
    apr_status_t rv;

    for (i = 0; i < THREADS; i++) {
        ck_assert(apr_thread_create(&thread[i], NULL, sign_many, &good[i], unit_pool) == APR_SUCCESS);
    }
    for (i = 0; i < THREADS; i++) {
        ck_assert(apr_thread_join(&rv, thread[i]) == APR_SUCCESS);
        ck_assert_int_eq(good[i], ROUNDS);
    }
}
END_TEST

Suite *suite_sign(void)
{
    Suite *suite = suite_create("sign");
    TCase *tcase = unit_case(suite, "sign");

    tcase_add_checked_fixture(tcase, make_pair, NULL);
    tcase_add_test(tcase, shape);
    tcase_add_test(tcase, each_octet);
    tcase_add_test(tcase, request);
    tcase_add_test(tcase, threads);
    return suite;
}
