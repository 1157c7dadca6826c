/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "saml/query.h"

#include "base/codec.h"

#include <apr_strings.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <xmlsec/openssl/evp.h>

#define ALGORITHM "http://www.w3.org/2001/04/xmldsig-more#"

/* One parameter, as it stands and decoded. */
static es_rv_t find(es_bytes_t *slice, const char **value, es_bytes_t raw, const char *name, es_why_t *why,
                    apr_pool_t *pool)
{
    es_why_t cause = ES_WHY_INIT;

    if (es_codec_form_slice(slice, raw, name, &cause) != ES_OK ||
        es_codec_form_find(value, raw, name, &cause, pool) != ES_OK) {
        return es_fail(why, ES_LOGOUT_MALFORMED, "%.200s", cause.text);
    }
    return ES_OK;
}

es_rv_t es_query_read(es_query_t **query, es_bytes_t raw, es_why_t *why, apr_pool_t *pool)
{
    es_query_t *read = apr_pcalloc(pool, sizeof *read);
    es_bytes_t request, response, signature;
    const char *as_request, *as_response;
    es_rv_t rv;

    if ((rv = find(&request, &as_request, raw, "SAMLRequest", why, pool)) != ES_OK ||
        (rv = find(&response, &as_response, raw, "SAMLResponse", why, pool)) != ES_OK) {
        return rv;
    }
    if (!as_request && !as_response) {
        *query = NULL;
        return ES_OK;
    }
    if (as_request && as_response) {
        return es_fail(why, ES_LOGOUT_MALFORMED, "the query has both SAMLRequest and SAMLResponse");
    }
    if ((rv = find(&read->raw_relay_state, &read->relay_state, raw, "RelayState", why, pool)) != ES_OK ||
        (rv = find(&read->raw_algorithm, &read->algorithm, raw, "SigAlg", why, pool)) != ES_OK ||
        (rv = find(&signature, &read->signature, raw, "Signature", why, pool)) != ES_OK) {
        return rv;
    }
    read->is_response = as_response != NULL;
    read->raw_message = as_response ? response : request;
    read->packed = as_response ? as_response : as_request;
    *query = read;
    return ES_OK;
}

/* SAML bindings 3.4.4.1 names RSA-SHA1 too, which is as dead here as in signatures of XML. */
static const EVP_MD *digest_of(const char *algorithm)
{
    if (strcmp(algorithm, ALGORITHM "rsa-sha256") == 0) {
        return EVP_sha256();
    }
    if (strcmp(algorithm, ALGORITHM "rsa-sha384") == 0) {
        return EVP_sha384();
    }
    return strcmp(algorithm, ALGORITHM "rsa-sha512") == 0 ? EVP_sha512() : NULL;
}

/* What was signed: three parameters in the binding's order, whatever order they came in; RelayState only where there is
 * one (SAML bindings 3.4.4.1). */
static es_bytes_t signed_octets(const es_query_t *query, apr_pool_t *pool)
{
    const struct {
        const char *name;
        es_bytes_t value;
    } parts[] = { { query->is_response ? "SAMLResponse=" : "SAMLRequest=", query->raw_message },
                  { "&RelayState=", query->raw_relay_state },
                  { "&SigAlg=", query->raw_algorithm } };
    const char *text = "";
    apr_size_t i;

    for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].value.data) {
            text = apr_pstrcat(pool, text, parts[i].name,
                               apr_pstrmemdup(pool, (const char *)parts[i].value.data, parts[i].value.len), NULL);
        }
    }
    return es_bytes_of(text);
}

static int verifies(es_bytes_t octets, es_bytes_t signature, const EVP_MD *digest, const es_key_t *key)
{
    EVP_PKEY *rsa = xmlSecOpenSSLEvpKeyDataGetEvp(xmlSecKeyGetValue(key->key));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int is_good = context && EVP_DigestVerifyInit(context, NULL, digest, NULL, rsa) == 1 &&
                  EVP_DigestVerify(context, signature.data, signature.len, octets.data, octets.len) == 1;

    EVP_MD_CTX_free(context);
    return is_good;
}

/* Nothing in the query says which key it was. OpenSSL's error queue is left as it was: mod_ssl reads the same. */
static int verifies_with_any(es_bytes_t octets, es_bytes_t signature, const EVP_MD *digest, const es_keys_t *keys)
{
    int i, is_good = 0;

    ERR_set_mark();
    for (i = 0; !is_good && i < es_keys_count(keys); i++) {
        is_good = verifies(octets, signature, digest, es_keys_at(keys, i));
    }
    ERR_pop_to_mark();
    return is_good;
}

static es_rv_t verify(const es_query_t *query, const es_keys_t *keys, es_why_t *why, apr_pool_t *pool)
{
    const EVP_MD *digest = query->algorithm ? digest_of(query->algorithm) : NULL;
    es_why_t cause = ES_WHY_INIT;
    es_bytes_t signature;

    if (!digest) {
        return es_fail(why, ES_LOGOUT_ALGORITHM, "SigAlg is %.200s", query->algorithm ? query->algorithm : "absent");
    }
    if (es_codec_base64_decode(&signature, es_bytes_of(query->signature), &cause, pool) != ES_OK) {
        return es_fail(why, ES_LOGOUT_SIGNATURE, "Signature has %.200s", cause.text);
    }
    if (!verifies_with_any(signed_octets(query, pool), signature, digest, keys)) {
        return es_fail(why, ES_LOGOUT_SIGNATURE,
                       "the signature verifies with none of the configured certificates: %.600s",
                       es_keys_thumbprints(keys, pool));
    }
    return ES_OK;
}

static es_rv_t unpack(es_bytes_t *message, const es_query_t *query, es_why_t *why, apr_pool_t *pool)
{
    es_why_t cause = ES_WHY_INIT;
    es_bytes_t packed, unpacked;

    if (es_codec_base64_decode(&packed, es_bytes_of(query->packed), &cause, pool) != ES_OK) {
        return es_fail(why, ES_LOGOUT_MALFORMED, "the message has %.200s", cause.text);
    }
    unpacked = es_codec_inflate(packed, ES_QUERY_MAX_OCTETS, pool);
    if (!unpacked.data) {
        return es_fail(why, ES_LOGOUT_MALFORMED, "the message is not DEFLATE, or larger than %u octets",
                       ES_QUERY_MAX_OCTETS);
    }
    *message = unpacked;
    return ES_OK;
}

es_rv_t es_query_open(es_bytes_t *message, int *is_signed, const es_query_t *query, const es_keys_t *keys,
                      int takes_unsigned, es_why_t *why, apr_pool_t *pool)
{
    es_rv_t rv;

    if (!query->signature && !takes_unsigned) {
        return es_fail(why, ES_LOGOUT_UNSIGNED, "the query has no Signature");
    }
    if (query->signature && (rv = verify(query, keys, why, pool)) != ES_OK) {
        return rv;
    }
    if ((rv = unpack(message, query, why, pool)) != ES_OK) {
        return rv;
    }
    *is_signed = query->signature != NULL;
    return ES_OK;
}
