/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xml/cipher.h"

#include "base/crypto.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#define XMLENC "http://www.w3.org/2001/04/xmlenc#"
#define XMLENC11 "http://www.w3.org/2009/xmlenc11#"

#define BLOCK 16
#define GCM_IV 12
#define GCM_TAG 16
#define KEY_MAX 32

static const es_cipher_t ciphers[] = {
    { XMLENC "aes256-cbc", "AES-256-CBC", 32, 0 },
    { XMLENC "aes128-cbc", "AES-128-CBC", 16, 0 },
    { XMLENC11 "aes256-gcm", "AES-256-GCM", 32, 1 },
    { XMLENC11 "aes128-gcm", "AES-128-GCM", 16, 1 },
};

const es_cipher_t *es_cipher_find(const char *uri)
{
    apr_size_t i;

    for (i = 0; i < sizeof ciphers / sizeof *ciphers; i++) {
        if (strcmp(ciphers[i].uri, uri) == 0) {
            return &ciphers[i];
        }
    }
    return NULL;
}

/* The content's key by one of our private keys; 0 where it does not open to one of the right length. OpenSSL checks
 * OAEP's padding in constant time (Manger's attack). */
static int unwrap(unsigned char *key, const es_cipher_text_t *text, const es_pair_t *pair, apr_pool_t *pool)
{
    size_t len = (size_t)EVP_PKEY_get_size(pair->key);
    unsigned char *out = apr_palloc(pool, len);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pair->key, NULL);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_PAD_MODE, (char *)OSSL_PKEY_RSA_PAD_MODE_OAEP, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, (char *)text->oaep.digest, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, (char *)text->oaep.mgf_digest, 0),
        OSSL_PARAM_construct_end(),
    };
    int opened = context && EVP_PKEY_decrypt_init_ex(context, params) == 1 &&
                 EVP_PKEY_decrypt(context, out, &len, text->wrapped.data, text->wrapped.len) == 1 &&
                 len == (size_t)text->cipher->key_len;

    if (opened) {
        memcpy(key, out, len);
    }
    es_crypto_wipe(out, (apr_size_t)EVP_PKEY_get_size(pair->key));
    EVP_PKEY_CTX_free(context);
    return opened;
}

static es_rv_t find_key(unsigned char *key, const es_cipher_text_t *text, const es_pair_t *const *pairs, es_why_t *why,
                        apr_pool_t *pool)
{
    es_rv_t rv = es_crypto_random(key, KEY_MAX, why);
    int found = 0;

    for (; rv == ES_OK && *pairs; pairs++) {
        unsigned char tried[KEY_MAX];

        if (unwrap(tried, text, *pairs, pool) && !found) {
            memcpy(key, tried, sizeof tried);
            found = 1;
        }
        es_crypto_wipe(tried, sizeof tried);
    }
    return rv;
}

/* The content without IV and tag, in both modes as long as what comes out. NULL data where it cannot be whole blocks
 * with an IV (which anybody can see), or where GCM says that it was altered. */
static es_bytes_t decipher(const es_cipher_text_t *text, const unsigned char *key, EVP_CIPHER_CTX *context,
                           apr_pool_t *pool)
{
    const apr_size_t iv = text->cipher->is_gcm ? GCM_IV : BLOCK, tag = text->cipher->is_gcm ? GCM_TAG : 0;
    const es_bytes_t in = text->content;
    const apr_size_t body = in.len < iv + tag ? 0 : in.len - iv - tag;
    EVP_CIPHER *cipher;
    unsigned char *out;
    int len, rest, opened;

    if (body == 0 || body > INT_MAX || (!text->cipher->is_gcm && body % BLOCK != 0)) {
        return es_bytes(NULL, 0);
    }
    out = apr_palloc(pool, body + BLOCK);
    cipher = EVP_CIPHER_fetch(NULL, text->cipher->name, NULL);
    opened = cipher && EVP_DecryptInit_ex2(context, cipher, key, in.data, NULL) == 1 &&
             EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
             (!tag ||
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int)tag, (void *)(in.data + in.len - tag)) == 1) &&
             EVP_DecryptUpdate(context, out, &len, in.data + iv, (int)body) == 1 &&
             EVP_DecryptFinal_ex(context, out + len, &rest) == 1;
    EVP_CIPHER_free(cipher);
    return opened ? es_bytes(out, body) : es_bytes(NULL, 0);
}

/* The last octet says how many fill the last block (xmlenc 5.2.1); the others may be anything. What says nonsense stays
 * as it is: no XML either. */
static es_bytes_t without_padding(es_bytes_t padded)
{
    const unsigned char count = padded.data[padded.len - 1];

    return es_bytes(padded.data, padded.len - (count >= 1 && count <= BLOCK ? count : 0));
}

es_rv_t es_cipher_open(es_bytes_t *plain, const es_cipher_text_t *text, const es_pair_t *const *pairs, es_why_t *why,
                       apr_pool_t *pool)
{
    unsigned char key[KEY_MAX];
    EVP_CIPHER_CTX *context;
    es_bytes_t opened;
    es_rv_t rv;

    ERR_set_mark(); /* what a stranger's octets leave in the queue mod_ssl would take for its own */
    context = EVP_CIPHER_CTX_new();
    rv =
        context ? find_key(key, text, pairs, why, pool) : es_fail(why, ES_INTERNAL, "OpenSSL has no memory to decrypt");
    if (rv == ES_OK) {
        opened = decipher(text, key, context, pool);
        *plain = opened.data && !text->cipher->is_gcm ? without_padding(opened) : opened;
    }
    EVP_CIPHER_CTX_free(context);
    es_crypto_wipe(key, sizeof key);
    ERR_pop_to_mark();
    return rv;
}
