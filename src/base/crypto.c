/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/crypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define TAG_LEN 16

/* Fetched once: a fetch by name costs more than the digest of a cookie. No pool frees them: a child that exits destroys
 * its pools while threads may still be at work. A configuration pass, in which there is only one, frees its
 * predecessor's. */
static EVP_MD *sha256;
static EVP_CIPHER *siv;

es_rv_t es_crypto_init(es_why_t *why)
{
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);

    if (!md || !cipher) {
        EVP_MD_free(md);
        EVP_CIPHER_free(cipher);
        return es_fail(why, ES_INTERNAL, "OpenSSL offers no SHA-256 or no AES-256-SIV (its default provider has both)");
    }
    EVP_MD_free(sha256);
    EVP_CIPHER_free(siv);
    sha256 = md;
    siv = cipher;
    return ES_OK;
}

es_rv_t es_crypto_random(void *out, apr_size_t len, es_why_t *why)
{
    if (len > INT_MAX || RAND_bytes(out, (int)len) != 1) {
        return es_fail(why, ES_INTERNAL, "OpenSSL has no random octets");
    }
    return ES_OK;
}

/* A digest fails only when memory has run out. There is no hash to return then, and a made-up one would be a key that
 * everybody shares. */
static void must(int ok)
{
    if (!ok) {
        abort();
    }
}

es_hash_t es_crypto_sha256(es_bytes_t in)
{
    es_hash_t hash;

    must(EVP_Digest(in.data, in.len, hash.octet, NULL, sha256, NULL));
    return hash;
}

es_hash_t es_crypto_sha256_of(const es_bytes_t *pieces, int count)
{
    es_hash_t hash;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int i;

    must(context && EVP_DigestInit_ex2(context, sha256, NULL));
    for (i = 0; i < count; i++) {
        must(EVP_DigestUpdate(context, pieces[i].data, pieces[i].len));
    }
    must(EVP_DigestFinal_ex(context, hash.octet, NULL));
    EVP_MD_CTX_free(context);
    return hash;
}

es_hash_t es_crypto_sha256_text(const char *text)
{
    return es_crypto_sha256(es_bytes_of(text));
}

int es_crypto_equal(const void *a, const void *b, apr_size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void es_crypto_wipe(void *secret, apr_size_t len)
{
    OPENSSL_cleanse(secret, len);
}

/* The label is S2V's one associated data string (RFC 5297 section 2.4): in the tag, not in the text. */
static int feed_label(EVP_CIPHER_CTX *context, const char *label)
{
    int len;

    return EVP_CipherUpdate(context, NULL, &len, (const unsigned char *)label, (int)strlen(label)) == 1;
}

es_rv_t es_crypto_seal(es_bytes_t *sealed, es_bytes_t plain, const char *label, const es_seal_key_t *key, es_why_t *why,
                       apr_pool_t *pool)
{
    EVP_CIPHER_CTX *context;
    unsigned char *data;
    int len, rest;
    es_rv_t rv = ES_OK;

    if (plain.len == 0 || plain.len > INT_MAX - TAG_LEN || *label == '\0') {
        return es_fail(why, ES_INTERNAL, "cannot seal %" APR_SIZE_T_FMT " octets as %.40s", plain.len, label);
    }
    data = apr_palloc(pool, plain.len + TAG_LEN);
    ERR_set_mark();
    context = EVP_CIPHER_CTX_new();
    if (!context || EVP_EncryptInit_ex2(context, siv, key->octet, NULL, NULL) != 1 || !feed_label(context, label) ||
        EVP_EncryptUpdate(context, data + TAG_LEN, &len, plain.data, (int)plain.len) != 1 ||
        EVP_EncryptFinal_ex(context, data + TAG_LEN + len, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, data) != 1) {
        rv = es_fail(why, ES_INTERNAL, "OpenSSL cannot seal");
        goto out;
    }
    *sealed = es_bytes(data, plain.len + TAG_LEN);
out:
    ERR_pop_to_mark();
    EVP_CIPHER_CTX_free(context);
    return rv;
}

/* OpenSSL's error queue belongs to the thread: what a stranger's octets leave there, mod_ssl would take for an error of
 * its connection (SSL_get_error). Hence the marks. */
es_rv_t es_crypto_open(es_bytes_t *plain, es_bytes_t sealed, const char *label, const es_seal_key_t *key, es_why_t *why,
                       apr_pool_t *pool)
{
    EVP_CIPHER_CTX *context;
    es_bytes_t result = { NULL, 0 };
    unsigned char *data;
    int len, rest;
    es_rv_t rv = ES_OK;

    if (sealed.len <= TAG_LEN || sealed.len > INT_MAX) {
        *plain = result;
        return ES_OK;
    }
    data = apr_palloc(pool, sealed.len - TAG_LEN + 1);
    ERR_set_mark();
    context = EVP_CIPHER_CTX_new();
    if (!context || EVP_DecryptInit_ex2(context, siv, key->octet, NULL, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, (void *)sealed.data) != 1 ||
        !feed_label(context, label)) {
        rv = es_fail(why, ES_INTERNAL, "OpenSSL cannot open what was sealed");
        goto out;
    }
    if (EVP_DecryptUpdate(context, data, &len, sealed.data + TAG_LEN, (int)(sealed.len - TAG_LEN)) == 1 &&
        EVP_DecryptFinal_ex(context, data + len, &rest) == 1) {
        data[sealed.len - TAG_LEN] = '\0';
        result = es_bytes(data, sealed.len - TAG_LEN);
    }
    *plain = result;
out:
    ERR_pop_to_mark();
    EVP_CIPHER_CTX_free(context);
    return rv;
}
