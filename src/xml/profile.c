/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xml/profile.h"

#include "base/codec.h"

#define EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define ENVELOPED ES_NS_DSIG "enveloped-signature"

/* XML-DSig core 1.1 and RFC 9231; SHA-1 (SP 800-131A) and everything that is not RSA are left out. */
static const char *const signature_methods[] = { "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                                                 "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
                                                 "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", NULL };
static const char *const digest_methods[] = { "http://www.w3.org/2001/04/xmlenc#sha256",
                                              "http://www.w3.org/2001/04/xmldsig-more#sha384",
                                              "http://www.w3.org/2001/04/xmlenc#sha512", NULL };

/* The elements of a signature that are looked at, in the only arrangement there may be (XML-DSig core 4). */
typedef struct {
    xmlNodePtr signed_info, value, key_info;
    xmlNodePtr c14n, method, reference;
    xmlNodePtr transforms, digest_method, digest_value;
} parts_t;

/* Takes the next child when it is ds:name. */
static xmlNodePtr take(xmlNodePtr *cursor, const char *name)
{
    xmlNodePtr node = *cursor;

    if (!es_xml_is(node, ES_NS_DSIG, name)) {
        return NULL;
    }
    *cursor = es_xml_next(node);
    return node;
}

/* xmlsec looks attributes up by local name alone, we do without namespace: nobody may send two that differ in that. */
static int has_foreign_attribute(const xmlNode *top)
{
    const xmlNode *node;
    const xmlAttr *attribute;

    for (node = top; node; node = es_xml_walk(node, top)) {
        for (attribute = node->properties; attribute; attribute = attribute->next) {
            if (attribute->ns) {
                return 1;
            }
        }
    }
    return 0;
}

/* SignedInfo, SignatureValue, KeyInfo or none, and nothing behind: no Object (XML-DSig core 4.5), which has carried
 * other people's assertions. One Reference; in it Transforms, DigestMethod, DigestValue. */
static es_rv_t read_parts(parts_t *parts, const xmlNode *signature, es_why_t *why)
{
    xmlNodePtr cursor = es_xml_first(signature);

    parts->signed_info = take(&cursor, "SignedInfo");
    parts->value = take(&cursor, "SignatureValue");
    parts->key_info = take(&cursor, "KeyInfo");
    if (!parts->signed_info || !parts->value || cursor) {
        return es_fail(why, ES_SIGNATURE_SHAPE, "Signature is not SignedInfo, SignatureValue and KeyInfo: %.40s",
                       cursor ? (const char *)cursor->name : "an element is missing");
    }
    cursor = es_xml_first(parts->signed_info);
    parts->c14n = take(&cursor, "CanonicalizationMethod");
    parts->method = take(&cursor, "SignatureMethod");
    parts->reference = take(&cursor, "Reference");
    if (!parts->c14n || !parts->method || !parts->reference || cursor) {
        return es_fail(why, ES_SIGNATURE_SHAPE,
                       "SignedInfo is not CanonicalizationMethod, SignatureMethod and one Reference: %.40s",
                       cursor ? (const char *)cursor->name : "an element is missing");
    }
    cursor = es_xml_first(parts->reference);
    parts->transforms = take(&cursor, "Transforms");
    parts->digest_method = take(&cursor, "DigestMethod");
    parts->digest_value = take(&cursor, "DigestValue");
    if (!parts->transforms || !parts->digest_method || !parts->digest_value || cursor) {
        return es_fail(why, ES_SIGNATURE_SHAPE, "Reference is not Transforms, DigestMethod and DigestValue: %.40s",
                       cursor ? (const char *)cursor->name : "an element is missing");
    }
    if (es_xml_first(parts->value) || es_xml_first(parts->digest_value) || has_foreign_attribute(parts->signed_info)) {
        return es_fail(why, ES_SIGNATURE_SHAPE, "an element or attribute in a place of SignedInfo where none may be");
    }
    return ES_OK;
}

/* An algorithm of the list, without parameters (which would be child elements). */
static int is_method(const xmlNode *method, const char *const *list, apr_pool_t *pool)
{
    const char *algorithm = es_xml_attribute(method, "Algorithm", pool);

    for (; algorithm && *list; list++) {
        if (strcmp(algorithm, *list) == 0) {
            return !es_xml_first(method);
        }
    }
    return 0;
}

static es_rv_t fail_method(es_why_t *why, es_rv_t rv, const xmlNode *method, apr_pool_t *pool)
{
    const char *algorithm = es_xml_attribute(method, "Algorithm", pool);

    return es_fail(why, rv, "%.40s is %.200s%s", (const char *)method->name, algorithm ? algorithm : "missing",
                   es_xml_first(method) ? " with parameters" : "");
}

static es_rv_t check_transforms(const xmlNode *transforms, es_why_t *why, apr_pool_t *pool)
{
    static const char *const enveloped[] = { ENVELOPED, NULL };
    static const char *const exc_c14n[] = { EXC_C14N, NULL };
    xmlNodePtr cursor = es_xml_first(transforms);
    xmlNodePtr first = take(&cursor, "Transform"), second = take(&cursor, "Transform");

    if (!first || !second || cursor) {
        return es_fail(why, ES_SIGNATURE_TRANSFORM, "there are not exactly two transforms");
    }
    if (!is_method(first, enveloped, pool)) {
        return fail_method(why, ES_SIGNATURE_TRANSFORM, first, pool);
    }
    if (!is_method(second, exc_c14n, pool)) {
        return fail_method(why, ES_SIGNATURE_TRANSFORM, second, pool);
    }
    return ES_OK;
}

static es_rv_t check_methods(const parts_t *parts, es_why_t *why, apr_pool_t *pool)
{
    static const char *const exc_c14n[] = { EXC_C14N, NULL };
    es_rv_t rv;

    if (!is_method(parts->c14n, exc_c14n, pool)) {
        return fail_method(why, ES_SIGNATURE_C14N, parts->c14n, pool);
    }
    if ((rv = check_transforms(parts->transforms, why, pool)) != ES_OK) {
        return rv;
    }
    if (!is_method(parts->method, signature_methods, pool)) {
        return fail_method(why, ES_SIGNATURE_ALGORITHM, parts->method, pool);
    }
    if (!is_method(parts->digest_method, digest_methods, pool)) {
        return fail_method(why, ES_DIGEST_ALGORITHM, parts->digest_method, pool);
    }
    return ES_OK;
}

/* The first X509Certificate: Entra sends one. One that cannot be read is as good as none. */
static es_bytes_t read_certificate(const xmlNode *key_info, apr_pool_t *pool)
{
    xmlNodePtr data, certificate;
    const char *text;

    if (!key_info || !es_xml_child(&data, key_info, ES_NS_DSIG, "X509Data") ||
        !es_xml_child(&certificate, data, ES_NS_DSIG, "X509Certificate") || !(text = es_xml_text(certificate, pool))) {
        return es_bytes(NULL, 0);
    }
    return es_codec_base64_binary(text, pool);
}

es_rv_t es_profile_read(es_profile_t *profile, const xmlNode *element, es_why_t *why, apr_pool_t *pool)
{
    const char *name = (const char *)element->name;
    const char *id = es_xml_attribute(element, "ID", pool);
    const char *uri;
    xmlNodePtr signature;
    parts_t parts = { 0 };
    int count = es_xml_child(&signature, element, ES_NS_DSIG, "Signature");
    es_rv_t rv;

    if (count == 0) {
        return es_fail(why, ES_SIGNATURE_MISSING, "%.40s has no Signature", name);
    }
    /* xs:ID (SAML core 1.3.4): no character in it means anything in a URI or an expression. */
    if (!id || xmlValidateNCName(BAD_CAST id, 0) != 0) {
        return es_fail(why, ES_ID_MISSING, "%.40s has no ID that is an xs:ID", name);
    }
    if (count > 1) {
        return es_fail(why, ES_SIGNATURE_SHAPE, "%.40s has %d signatures", name, count);
    }
    if ((rv = read_parts(&parts, signature, why)) != ES_OK) {
        return rv;
    }
    uri = es_xml_attribute(parts.reference, "URI", pool);
    if (!uri || uri[0] != '#' || strcmp(uri + 1, id) != 0) {
        return es_fail(why, ES_SIGNATURE_REFERENCE, "the signature of %.40s %.200s refers to %.200s", name, id,
                       uri ? uri : "nothing");
    }
    if ((rv = check_methods(&parts, why, pool)) != ES_OK) {
        return rv;
    }
    profile->signature = signature;
    profile->id = xmlHasNsProp(element, BAD_CAST "ID", NULL);
    profile->certificate = read_certificate(parts.key_info, pool);
    return ES_OK;
}
