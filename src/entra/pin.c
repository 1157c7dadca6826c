/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "entra/pin.h"

#include "base/codec.h"
#include "base/crypto.h"
#include "xml/dsig.h"
#include "xml/key.h"
#include "xml/xml.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <strings.h>

#define SHA1_DIGITS 40
#define SHA256_DIGITS 64

es_rv_t es_pin_read(const char **pin, const char *text, es_why_t *why, apr_pool_t *pool)
{
    char *digits = apr_palloc(pool, SHA256_DIGITS + 1);
    apr_size_t len = 0;
    const char *c;

    for (c = text; *c && len < SHA256_DIGITS; c++) {
        if (*c == ':' && len > 0 && len % 2 == 0 && c[-1] != ':') {
            continue;
        }
        if (!apr_isxdigit(*c)) {
            break;
        }
        digits[len++] = (char)apr_toupper(*c);
    }
    digits[len] = '\0';
    if (*c || (len != SHA1_DIGITS && len != SHA256_DIGITS) || c[-1] == ':') {
        return es_fail(why, ES_CONFIG_SIGNER, "\"%.200s\" is no thumbprint of 40 or 64 hexadecimal digits", text);
    }
    *pin = digits;
    return ES_OK;
}

/* In the kind of the pin. SHA-1 is good enough here: whoever wants to pass must hit a given value, not make two alike. */
static const char *thumbprint_of(es_bytes_t der, const char *pin, apr_pool_t *pool)
{
    es_hash_t hash;

    if (strlen(pin) == SHA1_DIGITS) {
        return es_keys_thumbprint(der, pool);
    }
    hash = es_crypto_sha256(der);
    return es_codec_hex(es_bytes(hash.octet, sizeof hash.octet), pool);
}

/* The certificate that the document names as its signer's, once it is the pinned one. */
static es_rv_t find_signer(es_keys_t *keys, xmlNodePtr root, const char *pin, es_why_t *why, apr_pool_t *pool)
{
    es_why_t cause = ES_WHY_INIT;
    const char *thumbprint;
    es_bytes_t der;
    es_rv_t rv = es_dsig_named(&der, root, &cause, pool);

    if (rv == ES_SIGNATURE_MISSING || (rv == ES_OK && !der.data)) {
        return es_fail(why, ES_METADATA_SIGNER, "the metadata is not signed, or does not say by which certificate");
    }
    if (rv != ES_OK) {
        return es_fail(why, ES_METADATA_SIGNATURE, "%s: %.900s", es_reason(rv)->code, cause.text);
    }
    thumbprint = thumbprint_of(der, pin, pool);
    if (strcasecmp(thumbprint, pin) != 0) {
        return es_fail(why, ES_METADATA_SIGNER, "the metadata is signed with certificate %s, pinned is %s", thumbprint,
                       pin);
    }
    if (es_keys_add(keys, der, &cause) != ES_OK) {
        return es_fail(why, ES_METADATA_SIGNATURE, "%.900s", cause.text);
    }
    return ES_OK;
}

static es_rv_t verify(const es_signed_t **proof, xmlDocPtr doc, const char *pin, es_why_t *why, apr_pool_t *pool)
{
    xmlNodePtr root = xmlDocGetRootElement(doc);
    es_keys_t *keys = es_keys_make(pool);
    es_why_t cause = ES_WHY_INIT;
    es_rv_t rv;

    if (es_dsig_check_ids(doc, &cause, pool) != ES_OK) {
        return es_fail(why, ES_METADATA_INVALID, "%.900s", cause.text);
    }
    if ((rv = find_signer(keys, root, pin, why, pool)) != ES_OK) {
        return rv;
    }
    if ((rv = es_dsig_verify(proof, root, keys, &cause, pool)) != ES_OK) {
        return es_fail(why, rv == ES_INTERNAL ? rv : ES_METADATA_SIGNATURE, "%s: %.900s", es_reason(rv)->code,
                       cause.text);
    }
    return ES_OK;
}

es_rv_t es_pin_verify(es_bytes_t *octets, es_bytes_t document, const char *pin, es_why_t *why, apr_pool_t *pool)
{
    es_why_t cause = ES_WHY_INIT;
    const es_signed_t *proof;
    xmlDocPtr doc;
    apr_pool_t *scratch;
    es_rv_t rv;

    apr_pool_create(&scratch, pool);
    if (es_xml_load(&doc, document, ES_XML_METADATA, &cause, scratch) != ES_OK) {
        rv = es_fail(why, ES_METADATA_INVALID, "%.900s", cause.text);
    } else {
        rv = verify(&proof, doc, pin, why, scratch);
    }
    if (rv == ES_OK) {
        const es_bytes_t found = es_signed_octets(proof);

        *octets = es_bytes(apr_pmemdup(pool, found.data, found.len), found.len);
    }
    apr_pool_destroy(scratch);
    return rv;
}
