/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xml/decrypt.h"

#include "base/codec.h"
#include "xml/cipher.h"
#include "xml/signed.h"

#define NS_XMLENC "http://www.w3.org/2001/04/xmlenc#"
#define NS_XMLENC11 "http://www.w3.org/2009/xmlenc11#"
#define TYPE_ELEMENT NS_XMLENC "Element"
#define SHA1 ES_NS_DSIG "sha1"
#define SHA256 NS_XMLENC "sha256"

/* EncryptedData and EncryptedKey alike (xmlenc 3.1). */
typedef struct {
    xmlNodePtr method, key_info, cipher_data;
} parts_t;

/* `rest` names the elements that may follow CipherData and mean nothing to us. */
static es_rv_t read_parts(parts_t *parts, const xmlNode *node, const char *const *rest, es_why_t *why)
{
    xmlNodePtr cursor = es_xml_first(node);

    parts->method = es_xml_take(&cursor, NS_XMLENC, "EncryptionMethod");
    parts->key_info = es_xml_take(&cursor, ES_NS_DSIG, "KeyInfo");
    parts->cipher_data = es_xml_take(&cursor, NS_XMLENC, "CipherData");
    for (; *rest; rest++) {
        es_xml_take(&cursor, NS_XMLENC, *rest);
    }
    if (!parts->method || !parts->cipher_data || cursor || !es_xml_is_element_only(node)) {
        return es_fail(why, ES_ENCRYPTION_SHAPE, "%.40s is not EncryptionMethod, KeyInfo, CipherData: %.40s",
                       (const char *)node->name, cursor ? (const char *)cursor->name : "an element is missing");
    }
    return ES_OK;
}

static es_rv_t read_octets(es_bytes_t *octets, const xmlNode *cipher_data, es_why_t *why, apr_pool_t *pool)
{
    xmlNodePtr cursor = es_xml_first(cipher_data);
    xmlNodePtr value = es_xml_take(&cursor, NS_XMLENC, "CipherValue");
    const char *text = value && !cursor ? es_xml_text(value, pool) : NULL;
    es_bytes_t read = text ? es_codec_base64_binary(text, pool) : es_bytes(NULL, 0);

    if (!text) {
        return es_fail(why, ES_ENCRYPTION_SHAPE, "CipherData is not one CipherValue: %.40s; nothing is fetched",
                       cursor ? (const char *)cursor->name : "it is missing");
    }
    if (!read.data) {
        return es_fail(why, ES_ENCRYPTION_SHAPE, "CipherValue of %.40s is not base64",
                       (const char *)cipher_data->parent->name);
    }
    *octets = read;
    return ES_OK;
}

static es_rv_t fail_method(es_why_t *why, const xmlNode *method, apr_pool_t *pool)
{
    const char *algorithm = es_xml_attribute(method, "Algorithm", pool);

    return es_fail(why, ES_ENCRYPTION_ALGORITHM, "%.40s of %.40s is %.200s%s", (const char *)method->name,
                   (const char *)method->parent->name, algorithm ? algorithm : "missing",
                   es_xml_first(method) ? " with parameters" : "");
}

static es_rv_t read_cipher(const es_cipher_t **cipher, const xmlNode *method, es_why_t *why, apr_pool_t *pool)
{
    const char *algorithm = es_xml_attribute(method, "Algorithm", pool);
    const es_cipher_t *found = algorithm ? es_cipher_find(algorithm) : NULL;

    if (!found || es_xml_first(method)) {
        return fail_method(why, method, pool);
    }
    *cipher = found;
    return ES_OK;
}

/* OpenSSL's name of a digest that is one of two URIs; SHA-1 where the element is absent (xmlenc 5.5.2), where it serves
 * OAEP as well as any. NULL for everything else. */
static const char *digest_of(const xmlNode *node, const char *sha1, const char *sha256, apr_pool_t *pool)
{
    const char *algorithm = node ? es_xml_attribute(node, "Algorithm", pool) : sha1;

    if (!algorithm || (node && es_xml_first(node))) {
        return NULL;
    }
    return strcmp(algorithm, sha1) == 0 ? "SHA1" : strcmp(algorithm, sha256) == 0 ? "SHA256" : NULL;
}

/* rsa-oaep-mgf1p has SHA-1 in the mask generation, and may have another digest; rsa-oaep names both. */
static es_rv_t read_oaep(es_cipher_oaep_t *oaep, const xmlNode *method, es_why_t *why, apr_pool_t *pool)
{
    const char *algorithm = es_xml_attribute(method, "Algorithm", pool);
    xmlNodePtr cursor = es_xml_first(method);
    const xmlNode *digest = es_xml_take(&cursor, ES_NS_DSIG, "DigestMethod"), *mgf = NULL;

    if (algorithm && strcmp(algorithm, NS_XMLENC11 "rsa-oaep") == 0) {
        mgf = es_xml_take(&cursor, NS_XMLENC11, "MGF");
    } else if (!algorithm || strcmp(algorithm, NS_XMLENC "rsa-oaep-mgf1p") != 0) {
        return fail_method(why, method, pool);
    }
    oaep->digest = digest_of(digest, SHA1, SHA256, pool);
    oaep->mgf_digest = digest_of(mgf, NS_XMLENC11 "mgf1sha1", NS_XMLENC11 "mgf1sha256", pool);
    return oaep->digest && oaep->mgf_digest && !cursor ? ES_OK : fail_method(why, method, pool);
}

static es_rv_t read_key(es_cipher_text_t *text, const xmlNode *key, es_why_t *why, apr_pool_t *pool)
{
    static const char *const rest[] = { "EncryptionProperties", "ReferenceList", "CarriedKeyName", NULL };
    parts_t parts;
    es_rv_t rv;

    if ((rv = read_parts(&parts, key, rest, why)) != ES_OK ||
        (rv = read_oaep(&text->oaep, parts.method, why, pool)) != ES_OK) {
        return rv;
    }
    return read_octets(&text->wrapped, parts.cipher_data, why, pool);
}

/* The one EncryptedKey: in KeyInfo, or behind EncryptedData (SAML core 6.1). What else KeyInfo holds would name the key
 * or tell where to fetch it. */
static es_rv_t find_key(xmlNodePtr *key, const xmlNode *key_info, xmlNodePtr cursor, es_why_t *why)
{
    xmlNodePtr found = NULL, node;
    int count = key_info ? es_xml_child(&found, key_info, NS_XMLENC, "EncryptedKey") : 0;

    while ((node = es_xml_take(&cursor, NS_XMLENC, "EncryptedKey")) != NULL) {
        found = node;
        count++;
    }
    if (count != 1 || cursor) {
        return es_fail(why, ES_ENCRYPTION_SHAPE, "%d EncryptedKeys%s%.40s", count, cursor ? ", and beside them " : "",
                       cursor ? (const char *)cursor->name : "");
    }
    *key = found;
    return ES_OK;
}

static es_rv_t read_text(es_cipher_text_t *text, const xmlNode *encrypted, es_why_t *why, apr_pool_t *pool)
{
    static const char *const rest[] = { "EncryptionProperties", NULL };
    xmlNodePtr cursor = es_xml_first(encrypted), key = NULL;
    xmlNodePtr data = es_xml_take(&cursor, NS_XMLENC, "EncryptedData");
    const char *type = data ? es_xml_attribute(data, "Type", pool) : NULL;
    parts_t parts;
    es_rv_t rv;

    if (!data || !es_xml_is_element_only(encrypted) || (type && strcmp(type, TYPE_ELEMENT) != 0)) {
        return es_fail(why, ES_ENCRYPTION_SHAPE, "%.40s does not begin with EncryptedData of a whole element",
                       (const char *)encrypted->name);
    }
    if ((rv = read_parts(&parts, data, rest, why)) != ES_OK ||
        (rv = find_key(&key, parts.key_info, cursor, why)) != ES_OK ||
        (rv = read_cipher(&text->cipher, parts.method, why, pool)) != ES_OK ||
        (rv = read_key(text, key, why, pool)) != ES_OK) {
        return rv;
    }
    return read_octets(&text->content, parts.cipher_data, why, pool);
}

es_rv_t es_decrypt_fail(const es_pair_t *const *pairs, es_why_t *why, apr_pool_t *pool)
{
    return es_fail(why, ES_DECRYPTION_FAILED,
                   "it does not open with %.400s, or holds no assertion signed with a configured certificate",
                   es_pair_thumbprints(pairs, pool));
}

es_rv_t es_decrypt_element(es_bytes_t *plain, const xmlNode *encrypted, const es_pair_t *const *pairs, es_why_t *why,
                           apr_pool_t *pool)
{
    es_cipher_text_t text;
    es_bytes_t opened;
    es_rv_t rv;

    if ((rv = read_text(&text, encrypted, why, pool)) != ES_OK ||
        (rv = es_cipher_open(&opened, &text, pairs, why, pool)) != ES_OK) {
        return rv;
    }
    if (!opened.data) {
        return es_decrypt_fail(pairs, why, pool);
    }
    *plain = opened;
    return ES_OK;
}

es_rv_t es_decrypt_signed(const es_signed_t **inner, const es_signed_t *outer, const char *ns, const char *name,
                          const es_pair_t *const *pairs, es_why_t *why, apr_pool_t *pool)
{
    xmlNodePtr encrypted;
    es_signed_t *made;
    es_bytes_t plain;
    xmlDocPtr doc;
    es_rv_t rv = es_xml_load(&doc, outer->octets, ES_XML_MESSAGE, why, pool);

    if (rv != ES_OK) {
        return rv;
    }
    if (es_xml_child(&encrypted, xmlDocGetRootElement(doc), ns, name) != 1) {
        return es_fail(why, ES_ENCRYPTION_SHAPE, "there is not one %.40s", name);
    }
    if ((rv = es_decrypt_element(&plain, encrypted, pairs, why, pool)) != ES_OK) {
        return rv;
    }
    made = apr_palloc(pool, sizeof *made);
    made->octets = plain;
    made->thumbprint = outer->thumbprint;
    *inner = made;
    return ES_OK;
}
