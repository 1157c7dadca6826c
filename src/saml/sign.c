/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "saml/sign.h"

#include "base/codec.h"

#include <apr_strings.h>
#include <openssl/err.h>
#include <openssl/evp.h>

/* http://www.w3.org/2001/04/xmldsig-more#rsa-sha256, encoded. */
#define SIG_ALG "&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256"
#define SIGNATURE "&Signature="

es_rv_t es_sign_query(const char **signed_query, const char *query, const es_pair_t *pair, es_why_t *why,
                      apr_pool_t *pool)
{
    const char *text = apr_pstrcat(pool, query, SIG_ALG, NULL);
    const es_bytes_t octets = es_bytes_of(text);
    apr_size_t len = (apr_size_t)EVP_PKEY_get_size(pair->key);
    unsigned char *signature = apr_palloc(pool, len);
    EVP_MD_CTX *context;
    es_rv_t rv = ES_OK;

    ERR_set_mark();
    context = EVP_MD_CTX_new();
    if (!context || EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, pair->key, NULL) != 1 ||
        EVP_DigestSign(context, signature, &len, octets.data, octets.len) != 1) {
        rv = es_fail(why, ES_INTERNAL, "OpenSSL does not sign with the key of certificate %s", pair->thumbprint);
        goto out;
    }
    *signed_query = apr_pstrcat(
        pool, text, SIGNATURE, es_codec_url_encode(es_codec_base64_encode(es_bytes(signature, len), pool), pool), NULL);
out:
    ERR_pop_to_mark();
    EVP_MD_CTX_free(context);
    return rv;
}
