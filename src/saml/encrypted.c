/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "saml/encrypted.h"

/* As for an assertion that comes in the clear: none below it, signatures in the one place where they count. */
static es_rv_t check_content(const xmlNode *root, es_why_t *why)
{
    const xmlNode *node;

    if (!es_xml_is(root, ES_NS_ASSERTION, "Assertion")) {
        return es_fail(why, ES_ASSERTION_COUNT, "not an Assertion was encrypted but {%.200s}%.40s",
                       root->ns ? (const char *)root->ns->href : "", (const char *)root->name);
    }
    for (node = es_xml_walk(root, root); node; node = es_xml_walk(node, root)) {
        if (es_xml_is(node, ES_NS_ASSERTION, "Assertion") || es_xml_is(node, ES_NS_ASSERTION, "EncryptedAssertion")) {
            return es_fail(why, ES_ASSERTION_COUNT, "another assertion below %.40s", (const char *)node->parent->name);
        }
        if (es_xml_is(node, ES_NS_DSIG, "Signature") && node->parent != root) {
            return es_fail(why, ES_SIGNATURE_PLACE, "a Signature below %.40s", (const char *)node->parent->name);
        }
    }
    return ES_OK;
}

/* `inner` is what proves the clear text already; NULL where its own signature must. */
static es_rv_t prove_clear(const es_signed_t **proof, const xmlDoc *doc, const es_signed_t *inner,
                           const es_keys_t *keys, es_why_t *why, apr_pool_t *pool)
{
    xmlNodePtr root = xmlDocGetRootElement(doc), signature;
    es_rv_t rv;

    if ((rv = es_dsig_check_ids(doc, why, pool)) != ES_OK || (rv = check_content(root, why)) != ES_OK) {
        return rv;
    }
    if (inner && !es_xml_child(&signature, root, ES_NS_DSIG, "Signature")) {
        *proof = inner;
        return ES_OK;
    }
    return es_dsig_verify(proof, root, keys, why, pool);
}

es_rv_t es_encrypted_prove(const es_signed_t **proof, const xmlNode *encrypted, const es_signed_t *outer,
                           const es_keys_t *keys, const es_pair_t *const *pairs, es_why_t *why, apr_pool_t *pool)
{
    const es_signed_t *inner = NULL;
    es_why_t hidden = ES_WHY_INIT;
    es_bytes_t clear;
    xmlDocPtr doc;
    es_rv_t rv;

    if (!outer) {
        rv = es_decrypt_element(&clear, encrypted, pairs, why, pool);
    } else if ((rv = es_decrypt_signed(&inner, outer, ES_NS_ASSERTION, "EncryptedAssertion", pairs, why, pool)) ==
               ES_OK) {
        clear = es_signed_octets(inner);
    }
    if (rv != ES_OK) {
        return rv;
    }
    if (es_xml_load(&doc, clear, ES_XML_MESSAGE, &hidden, pool) != ES_OK) {
        return es_decrypt_fail(pairs, why, pool);
    }
    rv = prove_clear(proof, doc, inner, keys, inner ? why : &hidden, pool);
    return rv == ES_OK || inner ? rv : es_decrypt_fail(pairs, why, pool);
}
