/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xml/key.h"

#include "base/crypto.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <time.h>
#include <xmlsec/openssl/evp.h>

/* NIST SP 800-131A: shorter keys are disallowed since 2014. Entra makes 2,048 bits. */
#define RSA_BITS_MIN 2048

/* Entra's certificates have less than one KiB. */
#define SUBJECT_DER_MAX 16384

struct es_keys_t {
    apr_pool_t *pool;
    apr_array_header_t *list; /* es_key_t */
};

es_keys_t *es_keys_make(apr_pool_t *pool)
{
    es_keys_t *keys = apr_palloc(pool, sizeof *keys);

    keys->pool = pool;
    keys->list = apr_array_make(pool, 4, sizeof(es_key_t));
    return keys;
}

int es_keys_count(const es_keys_t *keys)
{
    return keys->list->nelts;
}

const es_key_t *es_keys_at(const es_keys_t *keys, int index)
{
    return &APR_ARRAY_IDX(keys->list, index, es_key_t);
}

const es_key_t *es_keys_find(const es_keys_t *keys, es_bytes_t der)
{
    const es_hash_t digest = es_crypto_sha256(der);
    int i;

    for (i = 0; i < es_keys_count(keys); i++) {
        if (memcmp(es_keys_at(keys, i)->digest.octet, digest.octet, ES_HASH_LEN) == 0) {
            return es_keys_at(keys, i);
        }
    }
    return NULL;
}

/* SHA-1 as a name, as the portal shows it; nothing is trusted because of it. */
const char *es_keys_thumbprint(es_bytes_t der, apr_pool_t *pool)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int i, len = 0;
    char *text;

    if (!EVP_Digest(der.data, der.len, digest, &len, EVP_sha1(), NULL)) {
        return "unknown";
    }
    text = apr_palloc(pool, 2 * len + 1);
    for (i = 0; i < len; i++) {
        snprintf(text + 2 * i, 3, "%02X", digest[i]);
    }
    return text;
}

const char *es_keys_thumbprints(const es_keys_t *keys, apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 0; i < es_keys_count(keys); i++) {
        text = apr_pstrcat(pool, text, i ? ", " : "", es_keys_at(keys, i)->thumbprint, NULL);
    }
    return text;
}

static apr_time_t time_of(const ASN1_TIME *asn1)
{
    struct tm tm;

    return ASN1_TIME_to_tm(asn1, &tm) ? apr_time_from_sec(timegm(&tm)) : 0;
}

static const char *subject_of(X509 *certificate, apr_pool_t *pool)
{
    BIO *memory = BIO_new(BIO_s_mem());
    const char *text = "";
    char *data;
    long len;

    if (memory && X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        len = BIO_get_mem_data(memory, &data);
        text = apr_pstrmemdup(pool, data, (apr_size_t)(len > 0 ? len : 0));
    }
    BIO_free(memory);
    return text;
}

/* OpenSSL's complaints about a stranger's octets stay out of the queue that mod_ssl reads. */
const char *es_keys_subject(es_bytes_t der, apr_pool_t *pool)
{
    const unsigned char *end = der.data;
    X509 *certificate = NULL;
    const char *text = "";

    ERR_set_mark();
    if (der.len <= SUBJECT_DER_MAX && (certificate = d2i_X509(NULL, &end, (long)der.len))) {
        text = subject_of(certificate, pool);
    }
    X509_free(certificate);
    ERR_pop_to_mark();
    return text;
}

static apr_status_t free_key(void *key)
{
    xmlSecKeyDestroy(key);
    return APR_SUCCESS;
}

/* The public key alone, without its certificate: xmlsec then has no chain and no dates to judge. */
static xmlSecKeyPtr make_key(EVP_PKEY *rsa, apr_pool_t *pool)
{
    xmlSecKeyPtr key = xmlSecKeyCreate();
    xmlSecKeyDataPtr value;

    if (!key) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, key, free_key, apr_pool_cleanup_null);
    EVP_PKEY_up_ref(rsa); /* xmlsec adopts one reference, es_keys_add keeps and frees its own */
    value = xmlSecOpenSSLEvpKeyAdopt(rsa);
    if (!value) {
        EVP_PKEY_free(rsa);
        return NULL;
    }
    if (xmlSecKeySetValue(key, value) < 0) {
        xmlSecKeyDataDestroy(value);
        return NULL;
    }
    return key;
}

es_rv_t es_keys_add(es_keys_t *keys, es_bytes_t der, es_why_t *why)
{
    const unsigned char *end = der.data;
    X509 *certificate = NULL;
    EVP_PKEY *rsa = NULL;
    es_key_t made;
    es_rv_t rv = ES_OK;

    certificate = d2i_X509(NULL, &end, (long)der.len);
    if (!certificate || end != der.data + der.len) {
        rv = es_fail(why, ES_METADATA_NO_KEY, "%" APR_SIZE_T_FMT " octets that are not one X.509 certificate", der.len);
        goto out;
    }
    if (es_keys_find(keys, der)) {
        goto out;
    }
    made.thumbprint = es_keys_thumbprint(der, keys->pool);
    rsa = X509_get_pubkey(certificate);
    if (!rsa || EVP_PKEY_get_base_id(rsa) != EVP_PKEY_RSA || EVP_PKEY_get_bits(rsa) < RSA_BITS_MIN) {
        rv = es_fail(why, ES_METADATA_NO_KEY, "certificate %s holds %s key of %d bits, not RSA of at least %d",
                     made.thumbprint, rsa && EVP_PKEY_get_base_id(rsa) == EVP_PKEY_RSA ? "an RSA" : "another",
                     rsa ? EVP_PKEY_get_bits(rsa) : 0, RSA_BITS_MIN);
        goto out;
    }
    made.subject = subject_of(certificate, keys->pool);
    made.not_before = time_of(X509_get0_notBefore(certificate));
    made.not_after = time_of(X509_get0_notAfter(certificate));
    made.digest = es_crypto_sha256(der);
    made.key = make_key(rsa, keys->pool);
    if (!made.key) {
        rv = es_fail(why, ES_INTERNAL, "xmlsec does not take the key of certificate %s", made.thumbprint);
        goto out;
    }
    APR_ARRAY_PUSH(keys->list, es_key_t) = made;
out:
    EVP_PKEY_free(rsa);
    X509_free(certificate);
    return rv;
}
