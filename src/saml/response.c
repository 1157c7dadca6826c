/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "saml/response.h"

#include "base/codec.h"
#include "saml/encrypted.h"
#include "saml/status.h"
#include "xml/datetime.h"

#include <apr_strings.h>

/* The children of a Response as far as we look at them (SAML core 3.2.2). */
typedef struct {
    xmlNodePtr issuer, signature, status;
    xmlNodePtr assertion; /* the first, in the clear or encrypted */
    int n_assertions, n_encrypted;
} parts_t;

static es_rv_t read_parts(parts_t *parts, const xmlNode *root, es_why_t *why)
{
    xmlNodePtr node, cursor = es_xml_first(root);

    parts->issuer = es_xml_take(&cursor, ES_NS_ASSERTION, "Issuer");
    parts->signature = es_xml_take(&cursor, ES_NS_DSIG, "Signature");
    es_xml_take(&cursor, ES_NS_PROTOCOL, "Extensions");
    parts->status = es_xml_take(&cursor, ES_NS_PROTOCOL, "Status");
    if (!parts->status) {
        return es_fail(why, ES_RESPONSE_SHAPE, "%.40s stands where Status belongs",
                       cursor ? (const char *)cursor->name : "nothing");
    }
    while (cursor) {
        if ((node = es_xml_take(&cursor, ES_NS_ASSERTION, "EncryptedAssertion")) != NULL) {
            parts->n_encrypted++;
        } else if (!(node = es_xml_take(&cursor, ES_NS_ASSERTION, "Assertion"))) {
            return es_fail(why, ES_RESPONSE_SHAPE, "%.40s stands behind Status", (const char *)cursor->name);
        }
        parts->assertion = parts->n_assertions++ ? parts->assertion : node;
    }
    if (!es_xml_is_element_only(root)) {
        return es_fail(why, ES_RESPONSE_SHAPE, "there is text between the elements of the response");
    }
    return ES_OK;
}

/* Entra's answer. Both levels of code are told: the second is the specific one. */
static es_rv_t check_status(const xmlNode *status, es_why_t *why, apr_pool_t *pool)
{
    const char *failure;
    es_rv_t rv = es_status_read(&failure, status, ES_RESPONSE_SHAPE, why, pool);

    return rv == ES_OK && failure ? es_fail(why, ES_RESPONSE_STATUS, "status %s", failure) : rv;
}

static es_rv_t check_count(const parts_t *parts, const xmlNode *root, int can_decrypt, es_why_t *why)
{
    const xmlNode *node;

    if (parts->n_encrypted && !can_decrypt) {
        return es_fail(why, ES_ASSERTION_ENCRYPTED, "the assertion is encrypted");
    }
    if (parts->n_assertions != 1) {
        return es_fail(why, ES_ASSERTION_COUNT, "%d assertions in the response", parts->n_assertions);
    }
    /* Below Extensions, Advice or an attribute value an assertion is legal (SAML core 2.7.3.1.1) and without meaning to
     * us; in practice it is the luggage of a signature wrapping attack. */
    for (node = es_xml_walk(root, root); node; node = es_xml_walk(node, root)) {
        if (node != parts->assertion &&
            (es_xml_is(node, ES_NS_ASSERTION, "Assertion") || es_xml_is(node, ES_NS_ASSERTION, "EncryptedAssertion"))) {
            return es_fail(why, ES_ASSERTION_COUNT, "another assertion below %.40s", (const char *)node->parent->name);
        }
    }
    return ES_OK;
}

static es_rv_t check_signature_places(const parts_t *parts, const xmlNode *root, es_why_t *why)
{
    const xmlNode *node;

    for (node = es_xml_walk(root, root); node; node = es_xml_walk(node, root)) {
        if (es_xml_is(node, ES_NS_DSIG, "Signature") && node->parent != root &&
            (parts->n_encrypted || node->parent != parts->assertion)) {
            return es_fail(why, ES_SIGNATURE_PLACE, "a Signature below %.40s", (const char *)node->parent->name);
        }
    }
    return ES_OK;
}

static es_rv_t read_envelope(es_response_t *response, const parts_t *parts, const xmlNode *root, es_why_t *why,
                             apr_pool_t *pool)
{
    response->id = es_xml_attribute(root, "ID", pool);
    if (!response->id || !*response->id) {
        return es_fail(why, ES_ID_MISSING, "the response has no ID");
    }
    response->destination = es_xml_attribute(root, "Destination", pool);
    response->in_response_to = es_xml_attribute(root, "InResponseTo", pool);
    if (parts->issuer && !(response->issuer = es_xml_text(parts->issuer, pool))) {
        return es_fail(why, ES_RESPONSE_SHAPE, "Issuer holds elements");
    }
    return es_datetime_read(&response->issue_instant, es_xml_attribute(root, "IssueInstant", pool), "IssueInstant",
                            why);
}

/* Every signature there is must verify; the innermost proves the assertion. The response's comes first: what it covers
 * was not altered when it is decrypted. */
static es_rv_t prove(es_response_t *response, const parts_t *parts, xmlNodePtr root, const es_keys_t *keys,
                     const es_pair_t *const *pairs, es_why_t *why, apr_pool_t *pool)
{
    const es_signed_t *proof = NULL;
    xmlNodePtr signature;
    es_rv_t rv;

    response->is_signed = parts->signature != NULL;
    if (response->is_signed && (rv = es_dsig_verify(&proof, root, keys, why, pool)) != ES_OK) {
        return rv;
    }
    if (parts->n_encrypted) {
        return es_encrypted_prove(&response->proof, parts->assertion, proof, keys, pairs, why, pool);
    }
    if (es_xml_child(&signature, parts->assertion, ES_NS_DSIG, "Signature") &&
        (rv = es_dsig_verify(&proof, parts->assertion, keys, why, pool)) != ES_OK) {
        return rv;
    }
    if (!proof) {
        return es_fail(why, ES_SIGNATURE_MISSING, "neither the response nor the assertion is signed");
    }
    response->proof = proof;
    return ES_OK;
}

static es_rv_t check_root(const xmlNode *root, es_why_t *why)
{
    if (!es_xml_is(root, ES_NS_PROTOCOL, "Response")) {
        return es_fail(why, ES_RESPONSE_ROOT, "the document element is {%.200s}%.40s",
                       root->ns ? (const char *)root->ns->href : "", (const char *)root->name);
    }
    return ES_OK;
}

static es_rv_t check_version(const xmlNode *root, es_why_t *why, apr_pool_t *pool)
{
    const char *version = es_xml_attribute(root, "Version", pool);

    if (!version || strcmp(version, "2.0") != 0) {
        return es_fail(why, ES_RESPONSE_VERSION, "the response has version %.20s", version ? version : "none");
    }
    return ES_OK;
}

es_rv_t es_response_load(es_response_t **response, es_bytes_t field, const es_keys_t *keys,
                         const es_pair_t *const *pairs, es_why_t *why, apr_pool_t *pool)
{
    es_response_t *made = apr_pcalloc(pool, sizeof *made);
    parts_t parts = { 0 };
    es_bytes_t octets;
    xmlDocPtr doc;
    xmlNodePtr root;
    es_rv_t rv;

    if ((rv = es_codec_base64_decode(&octets, field, why, pool)) != ES_OK ||
        (rv = es_xml_load(&doc, octets, ES_XML_MESSAGE, why, pool)) != ES_OK) {
        return rv;
    }
    root = xmlDocGetRootElement(doc);
    if ((rv = check_root(root, why)) != ES_OK || (rv = es_dsig_check_ids(doc, why, pool)) != ES_OK ||
        (rv = read_parts(&parts, root, why)) != ES_OK || (rv = check_version(root, why, pool)) != ES_OK ||
        (rv = check_status(parts.status, why, pool)) != ES_OK ||
        (rv = check_count(&parts, root, pairs && *pairs, why)) != ES_OK ||
        (rv = read_envelope(made, &parts, root, why, pool)) != ES_OK ||
        (rv = check_signature_places(&parts, root, why)) != ES_OK ||
        (rv = prove(made, &parts, root, keys, pairs, why, pool)) != ES_OK) {
        return rv;
    }
    *response = made;
    return ES_OK;
}
