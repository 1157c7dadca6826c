/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The boundaries of what the vectors show in its variety: every length, and what is left behind.
 */
#include "unit.h"

#include "base/codec.h"
#include "signer.h"
#include "xml/decrypt.h"

#include <apr_strings.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define NS_XMLENC "http://www.w3.org/2001/04/xmlenc#"
#define CBC NS_XMLENC "aes256-cbc"
#define GCM "http://www.w3.org/2009/xmlenc11#aes256-gcm"
#define KEY_LEN 32

static const signer_t *ours, *foreign;
static const es_pair_t *pairs[3];

static void make_pairs(void)
{
    ours = signer_make(2048, 30, unit_pool);
    foreign = signer_make(2048, 30, unit_pool);
    pairs[0] = signer_pair(signer_make(3072, 30, unit_pool), unit_pool); /* another one, tried first */
    pairs[1] = signer_pair(ours, unit_pool);
    pairs[2] = NULL;
}

static const char *wrapped(const unsigned char *key, const signer_t *receiver)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(receiver->key, NULL);
    unsigned char out[512];
    size_t len = sizeof out;

    ck_assert_int_eq(EVP_PKEY_encrypt_init(context), 1);
    ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
    ck_assert_int_eq(EVP_PKEY_encrypt(context, out, &len, key, KEY_LEN), 1);
    EVP_PKEY_CTX_free(context);
    return es_codec_base64_encode(es_bytes(out, len), unit_pool);
}

/* IV and cipher text of whole blocks, or of anything with a tag. */
static es_bytes_t ciphered(es_bytes_t plain, const unsigned char *key, int gcm)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const int iv = gcm ? 12 : 16;
    unsigned char *out = apr_palloc(unit_pool, plain.len + 64);
    int len = 0, rest = 0;

    ck_assert_int_eq(RAND_bytes(out, iv), 1);
    ck_assert_int_eq(EVP_EncryptInit_ex(context, gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc(), NULL, key, out), 1);
    EVP_CIPHER_CTX_set_padding(context, 0);
    ck_assert_int_eq(EVP_EncryptUpdate(context, out + iv, &len, plain.data, (int)plain.len), 1);
    ck_assert_int_eq(EVP_EncryptFinal_ex(context, out + iv + len, &rest), 1);
    len += rest + iv;
    if (gcm) {
        ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out + len), 1);
        len += 16;
    }
    EVP_CIPHER_CTX_free(context);
    return es_bytes(out, (apr_size_t)len);
}

/* An element around what was encrypted, and what becomes of it. */
static es_rv_t opened(es_bytes_t *plain, es_bytes_t clear, const char *algorithm, const signer_t *receiver,
                      es_why_t *why)
{
    unsigned char key[KEY_LEN];
    es_bytes_t text;
    xmlDocPtr doc;
    es_rv_t rv;

    ck_assert_int_eq(RAND_bytes(key, sizeof key), 1);
    text = ciphered(clear, key, strcmp(algorithm, GCM) == 0);
    rv = es_xml_load(&doc,
                     es_bytes_of(apr_psprintf(
                         unit_pool,
                         "<E xmlns='" NS_XMLENC "'><EncryptedData><EncryptionMethod Algorithm='%s'/><CipherData>"
                         "<CipherValue>%s</CipherValue></CipherData></EncryptedData><EncryptedKey><EncryptionMethod "
                         "Algorithm='" NS_XMLENC "rsa-oaep-mgf1p'/><CipherData><CipherValue>%s</CipherValue>"
                         "</CipherData></EncryptedKey></E>",
                         algorithm, es_codec_base64_encode(text, unit_pool), wrapped(key, receiver))),
                     ES_XML_MESSAGE, why, unit_pool);
    ck_assert_reason(rv, ES_OK, *why);
    rv = es_decrypt_element(plain, xmlDocGetRootElement(doc), pairs, why, unit_pool);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return rv;
}

static void opens_to(es_bytes_t clear, const char *algorithm, es_bytes_t expected)
{
    es_bytes_t plain = { NULL, 0 };
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(opened(&plain, clear, algorithm, ours, &why), ES_OK, why);
    ck_assert_uint_eq(plain.len, expected.len);
    ck_assert_mem_eq(plain.data, expected.data, expected.len);
}

/* The last octet counts, the others of the padding may be anything. */
START_TEST(each_padding)
{
    unsigned char clear[48];
    apr_size_t count;

    memset(clear, 'x', sizeof clear);
    for (count = 1; count <= 16; count++) {
        clear[47] = (unsigned char)count;
        opens_to(es_bytes(clear, 48), CBC, es_bytes(clear, 48 - count));
    }
    clear[15] = 16; /* padding and nothing else */
    opens_to(es_bytes(clear, 16), CBC, es_bytes(clear, 0));
}
END_TEST

/* No padding at all is not told here: what follows cannot be XML. */
START_TEST(nonsense_stays)
{
    static const unsigned char last[] = { 0, 17, 32, 255 };
    unsigned char clear[32];
    size_t i;

    memset(clear, 'x', sizeof clear);
    for (i = 0; i < sizeof last; i++) {
        clear[31] = last[i];
        opens_to(es_bytes(clear, 32), CBC, es_bytes(clear, 32));
    }
}
END_TEST

START_TEST(each_length_of_gcm)
{
    unsigned char clear[33];
    apr_size_t len;

    memset(clear, 'x', sizeof clear);
    for (len = 1; len <= sizeof clear; len++) {
        opens_to(es_bytes(clear, len), GCM, es_bytes(clear, len));
    }
}
END_TEST

/* For somebody else: GCM notices, with CBC an accidental key makes accidental octets. Nothing is left in the queue. */
START_TEST(foreign_key)
{
    unsigned char clear[32] = { 0 };
    es_bytes_t plain = { NULL, 0 };
    es_why_t why = ES_WHY_INIT, none = ES_WHY_INIT;

    ck_assert_reason(opened(&plain, es_bytes(clear, 32), GCM, foreign, &why), ES_DECRYPTION_FAILED, why);
    ck_assert_ptr_null(plain.data);
    ck_assert_reason(opened(&plain, es_bytes(clear, 32), CBC, foreign, &none), ES_OK, none);
    ck_assert_uint_ge(plain.len, 16);
    ck_assert_mem_ne(plain.data, clear, 16);
}
END_TEST

/* From inside proven octets: what they do not hold exactly once is not there. */
START_TEST(inside_proof)
{
    const signer_t *signer = signer_make(2048, 30, unit_pool);
    es_bytes_t octets = signer_sign(signer, "<a ID=\"_a\">" SIGNER_SIGNATURE("_a") "<b/></a>", unit_pool);
    const es_signed_t *proof = NULL, *inner = NULL;
    es_keys_t *keys = es_keys_make(unit_pool);
    es_why_t why = ES_WHY_INIT;
    xmlDocPtr doc;

    ck_assert_reason(es_keys_add(keys, signer->certificate, &why), ES_OK, why);
    ck_assert_reason(es_xml_load(&doc, octets, ES_XML_MESSAGE, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_dsig_verify(&proof, xmlDocGetRootElement(doc), keys, &why, unit_pool), ES_OK, why);
    ck_assert_reason(es_decrypt_signed(&inner, proof, NS_XMLENC, "E", pairs, &why, unit_pool), ES_ENCRYPTION_SHAPE,
                     why);
    ck_assert_ptr_null(inner);
}
END_TEST

/* The sentence depends on the configuration only, and tells which certificates are meant. */
START_TEST(one_sentence)
{
    es_why_t why = ES_WHY_INIT;

    ck_assert_reason(es_decrypt_fail(pairs, &why, unit_pool), ES_DECRYPTION_FAILED, why);
    ck_assert_ptr_nonnull(strstr(why.text, pairs[0]->thumbprint));
    ck_assert_ptr_nonnull(strstr(why.text, pairs[1]->thumbprint));
}
END_TEST

Suite *suite_decrypt(void)
{
    Suite *suite = suite_create("decrypt");
    TCase *tcase = unit_case(suite, "decrypt");

    tcase_add_checked_fixture(tcase, make_pairs, NULL);
    tcase_add_test(tcase, each_padding);
    tcase_add_test(tcase, nonsense_stays);
    tcase_add_test(tcase, each_length_of_gcm);
    tcase_add_test(tcase, foreign_key);
    tcase_add_test(tcase, inside_proof);
    tcase_add_test(tcase, one_sentence);
    return suite;
}
