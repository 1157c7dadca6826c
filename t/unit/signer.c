/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signer.h"

#include "base/codec.h"
#include "xml/xml.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <check.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/xmldsig.h>

static apr_status_t free_key(void *key)
{
    EVP_PKEY_free(key);
    return APR_SUCCESS;
}

static es_bytes_t self_sign(EVP_PKEY *key, int days, apr_pool_t *pool)
{
    const EVP_MD *digest = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    unsigned char *der = NULL;
    es_bytes_t made;
    int len;

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"Signer, of tests", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_gmtime_adj(X509_getm_notBefore(certificate), days < 0 ? 2L * days * 86400 : 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86400L);
    X509_set_pubkey(certificate, key);
    ck_assert_int_gt(X509_sign(certificate, key, digest), 0);
    len = i2d_X509(certificate, &der);
    ck_assert_int_gt(len, 0);
    made = es_bytes(apr_pmemdup(pool, der, (apr_size_t)len), (apr_size_t)len);
    OPENSSL_free(der);
    X509_free(certificate);
    return made;
}

static signer_t *make(EVP_PKEY *key, int days, apr_pool_t *pool)
{
    signer_t *signer = apr_palloc(pool, sizeof *signer);

    ck_assert_ptr_nonnull(key);
    apr_pool_cleanup_register(pool, key, free_key, apr_pool_cleanup_null);
    signer->key = key;
    signer->certificate = self_sign(key, days, pool);
    return signer;
}

signer_t *signer_make(int bits, int days, apr_pool_t *pool)
{
    return make(EVP_RSA_gen((unsigned)bits), days, pool);
}

signer_t *signer_adopt(EVP_PKEY *key, apr_pool_t *pool)
{
    return make(key, 30, pool);
}

static void sign_one(const signer_t *signer, xmlNodePtr signature)
{
    xmlSecDSigCtxPtr context = xmlSecDSigCtxCreate(NULL);

    EVP_PKEY_up_ref(signer->key);
    context->signKey = xmlSecKeyCreate();
    ck_assert_int_eq(xmlSecKeySetValue(context->signKey, xmlSecOpenSSLEvpKeyAdopt(signer->key)), 0);
    ck_assert_int_eq(xmlSecDSigCtxSign(context, signature), 0);
    xmlSecDSigCtxDestroy(context);
}

es_bytes_t signer_sign(const signer_t *signer, const char *text, apr_pool_t *pool)
{
    apr_array_header_t *signatures = apr_array_make(pool, 2, sizeof(xmlNodePtr));
    es_why_t why = ES_WHY_INIT;
    xmlNodePtr root, node;
    xmlAttrPtr id;
    xmlDocPtr doc;
    xmlChar *octets;
    es_bytes_t made;
    int len;

    ck_assert_msg(es_xml_load(&doc, es_bytes_of(text), ES_XML_METADATA, &why, pool) == ES_OK, "%s", why.text);
    root = xmlDocGetRootElement(doc);
    for (node = root; node; node = es_xml_walk(node, root)) {
        if ((id = xmlHasNsProp(node, BAD_CAST "ID", NULL)) != NULL && id->children) {
            xmlAddID(NULL, doc, id->children->content, id);
        }
        if (es_xml_is(node, ES_NS_DSIG, "Signature")) {
            APR_ARRAY_PUSH(signatures, xmlNodePtr) = node;
        }
    }
    while (signatures->nelts > 0) {
        sign_one(signer, *(xmlNodePtr *)apr_array_pop(signatures));
    }
    xmlDocDumpMemory(doc, &octets, &len);
    made = es_bytes(apr_pmemdup(pool, octets, (apr_size_t)len), (apr_size_t)len);
    xmlFree(octets);
    return made;
}

const char *signer_key_info(const signer_t *signer, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>",
                       es_codec_base64_encode(signer->certificate, pool),
                       "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>", NULL);
}

const char *signer_value(const signer_t *signer, const char *text, apr_pool_t *pool)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char value[512];
    size_t len = sizeof value;

    ck_assert_int_eq(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, signer->key), 1);
    ck_assert_int_eq(EVP_DigestSign(context, value, &len, (const unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(context);
    return es_codec_base64_encode(es_bytes(value, len), pool);
}

static es_bytes_t text_of(BIO *memory, apr_pool_t *pool)
{
    char *data;
    const long len = BIO_get_mem_data(memory, &data);
    es_bytes_t text;

    ck_assert_int_gt(len, 0);
    text = es_bytes(apr_pstrmemdup(pool, data, (apr_size_t)len), (apr_size_t)len);
    BIO_free(memory);
    return text;
}

es_bytes_t signer_certificate_pem(const signer_t *signer, apr_pool_t *pool)
{
    BIO *memory = BIO_new(BIO_s_mem());

    ck_assert_int_eq(
        PEM_write_bio(memory, "CERTIFICATE", "", signer->certificate.data, (long)signer->certificate.len) > 0, 1);
    return text_of(memory, pool);
}

es_bytes_t signer_key_pem(const signer_t *signer, const char *passphrase, apr_pool_t *pool)
{
    BIO *memory = BIO_new(BIO_s_mem());

    ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(memory, signer->key, passphrase ? EVP_aes_256_cbc() : NULL,
                                                   passphrase, passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
                     1);
    return text_of(memory, pool);
}

const es_pair_t *signer_pair(const signer_t *signer, apr_pool_t *pool)
{
    const es_pair_t *pair = NULL;
    es_why_t why = ES_WHY_INIT;
    const es_rv_t rv =
        es_pair_load(&pair, signer_certificate_pem(signer, pool), signer_key_pem(signer, NULL, pool), &why, pool);

    ck_assert_msg(rv == ES_OK, "%s", why.text);
    return pair;
}
