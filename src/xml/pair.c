/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xml/pair.h"

#include "base/codec.h"
#include "xml/key.h"

#include <apr_strings.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* NIST SP 800-131A, as for Entra's keys. */
#define RSA_BITS_MIN 2048

static apr_status_t free_key(void *key)
{
    EVP_PKEY_free(key);
    return APR_SUCCESS;
}

/* OpenSSL's own callback would ask at the terminal. */
static int on_passphrase(char *buffer, int size, int writing, void *asked)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(int *)asked = 1;
    return -1;
}

static BIO *open_text(es_bytes_t pem)
{
    return pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
}

static X509 *read_certificate(es_bytes_t pem)
{
    BIO *text = open_text(pem);
    X509 *certificate = text ? PEM_read_bio_X509(text, NULL, NULL, NULL) : NULL;

    BIO_free(text);
    return certificate;
}

static EVP_PKEY *read_key(int *asked, es_bytes_t pem)
{
    BIO *text = open_text(pem);
    EVP_PKEY *key = text ? PEM_read_bio_PrivateKey(text, NULL, on_passphrase, asked) : NULL;

    BIO_free(text);
    return key;
}

/* What the certificate says, for humans and for metadata. */
static es_rv_t describe(es_pair_t *pair, X509 *certificate, es_why_t *why, apr_pool_t *pool)
{
    unsigned char *der = NULL;
    const int len = i2d_X509(certificate, &der);

    if (len <= 0) {
        return es_fail(why, ES_INTERNAL, "OpenSSL does not write a certificate that it has read");
    }
    pair->thumbprint = es_keys_thumbprint(es_bytes(der, (apr_size_t)len), pool);
    pair->base64 = es_codec_base64_encode(es_bytes(der, (apr_size_t)len), pool);
    OPENSSL_free(der);
    return ES_OK;
}

static es_rv_t check(const es_pair_t *pair, const X509 *certificate, EVP_PKEY *key, es_why_t *why)
{
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < RSA_BITS_MIN) {
        return es_fail(why, ES_PAIR_WEAK, "the private key is %s of %d bits, not RSA of at least %d",
                       EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? "RSA" : "another kind", EVP_PKEY_get_bits(key),
                       RSA_BITS_MIN);
    }
    if (!X509_check_private_key(certificate, key)) {
        return es_fail(why, ES_PAIR_MISMATCH, "the private key is not that of certificate %s", pair->thumbprint);
    }
    return ES_OK;
}

es_rv_t es_pair_load(const es_pair_t **pair, es_bytes_t certificate, es_bytes_t key, es_why_t *why, apr_pool_t *pool)
{
    es_pair_t *made = apr_pcalloc(pool, sizeof *made);
    X509 *read = NULL;
    int asked = 0;
    es_rv_t rv;

    ERR_set_mark(); /* what is no PEM leaves its complaints in a queue that mod_ssl reads, too */
    read = read_certificate(certificate);
    if (!read) {
        rv = es_fail(why, ES_PAIR_CERTIFICATE, "there is no PEM certificate");
        goto out;
    }
    made->key = read_key(&asked, key);
    if (!made->key) {
        rv = asked ? es_fail(why, ES_PAIR_ENCRYPTED, "the private key is encrypted")
                   : es_fail(why, ES_PAIR_KEY, "there is no PEM private key");
        goto out;
    }
    apr_pool_cleanup_register(pool, made->key, free_key, apr_pool_cleanup_null);
    if ((rv = describe(made, read, why, pool)) == ES_OK && (rv = check(made, read, made->key, why)) == ES_OK) {
        *pair = made;
    }
out:
    ERR_pop_to_mark();
    X509_free(read);
    return rv;
}

const char *es_pair_thumbprints(const es_pair_t *const *pairs, apr_pool_t *pool)
{
    const char *text = "";

    for (; pairs && *pairs; pairs++) {
        text = apr_pstrcat(pool, text, *text ? ", " : "", (*pairs)->thumbprint, NULL);
    }
    return text;
}
