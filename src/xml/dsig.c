/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * xmlsec verifies a signature that profile.c has found to have the one acceptable shape, with one configured key at a
 * time, held to the few transforms of that shape. What it digested is what everyone reads from then on.
 */
#include "xml/dsig.h"

#include "xml/profile.h"
#include "xml/signed.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <xmlsec/errors.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/transforms.h>
#include <xmlsec/xmldsig.h>

/* What the libraries complain about while es_dsig_verify runs in this thread: the first complaint is the innermost. */
#define HEARD_MAX 240
static _Thread_local char *heard;

static void on_xmlsec_error(const char *file, int line, const char *func, const char *object, const char *subject,
                            int reason, const char *message)
{
    (void)file;
    (void)line;
    (void)object;
    if (heard && !*heard) {
        snprintf(heard, HEARD_MAX, "xmlsec reason %d in %.60s: %.60s %.100s", reason, func ? func : "?",
                 subject ? subject : "", message ? message : "");
    }
}

static void on_libxml_error(void *context, xmlErrorPtr error)
{
    (void)context;
    if (heard && !*heard) {
        snprintf(heard, HEARD_MAX, "libxml2: %.200s", error->message ? error->message : "?");
        heard[strcspn(heard, "\n")] = '\0';
    }
}

/* Asked of xmlsec itself: lasso or another module may have started it, or shut it down. A second start would register
 * everything anew and leak the first registration. */
static int is_started(void)
{
    xmlSecPtrListPtr registered = xmlSecTransformIdsGet();

    return xmlSecPtrListIsValid(registered) &&
           xmlSecTransformIdListFind(registered, xmlSecOpenSSLTransformRsaSha256Id) == 1;
}

es_rv_t es_dsig_init(es_why_t *why)
{
    if (!is_started() && (xmlSecInit() < 0 || xmlSecCheckVersion() != 1 || xmlSecOpenSSLInit() < 0)) {
        return es_fail(why, ES_INTERNAL, "xmlsec does not start");
    }
    /* xmlSecOpenSSLInit has installed a callback that prints; lasso's start may install another one later. Neither may
     * write a stranger's octets to the error log: the default output is off, too. */
    xmlSecErrorsDefaultCallbackEnableOutput(0);
    xmlSecErrorsSetCallback(on_xmlsec_error);
    return ES_OK;
}

/* The Reference is found through this ID; no other element must ever be found through it. */
static es_rv_t register_id(const es_profile_t *profile, es_why_t *why, apr_pool_t *pool)
{
    xmlDocPtr doc = profile->signature->doc;
    const char *id = es_xml_value(profile->id, pool);
    xmlAttrPtr known = xmlGetID(doc, BAD_CAST id);

    if (!known && xmlAddID(NULL, doc, BAD_CAST id, profile->id)) {
        known = profile->id;
    }
    if (known != profile->id) {
        return es_fail(why, ES_ID_DUPLICATE, "the ID %.200s belongs to another element", id);
    }
    return ES_OK;
}

/* Same-document References only, resolved through the registered ID itself: the flag keeps xmlsec from writing the URI
 * into an XPointer expression and evaluating that. The lists are what profile.c has let through. */
static int confine(xmlSecDSigCtxPtr context)
{
    const xmlSecTransformId for_reference[] = { xmlSecTransformEnvelopedId, xmlSecTransformExclC14NId,
                                                xmlSecOpenSSLTransformSha256Id, xmlSecOpenSSLTransformSha384Id,
                                                xmlSecOpenSSLTransformSha512Id };
    const xmlSecTransformId for_signature[] = { xmlSecTransformExclC14NId, xmlSecOpenSSLTransformRsaSha256Id,
                                                xmlSecOpenSSLTransformRsaSha384Id, xmlSecOpenSSLTransformRsaSha512Id };
    size_t i;

    context->flags = XMLSEC_DSIG_FLAGS_STORE_SIGNEDINFO_REFERENCES | XMLSEC_DSIG_FLAGS_IGNORE_MANIFESTS |
                     XMLSEC_DSIG_FLAGS_USE_VISA3D_HACK;
    context->enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
    for (i = 0; i < sizeof for_reference / sizeof *for_reference; i++) {
        if (xmlSecDSigCtxEnableReferenceTransform(context, for_reference[i]) < 0) {
            return 0;
        }
    }
    for (i = 0; i < sizeof for_signature / sizeof *for_signature; i++) {
        if (xmlSecDSigCtxEnableSignatureTransform(context, for_signature[i]) < 0) {
            return 0;
        }
    }
    return 1;
}

/* The octets that went into the digest of the one Reference; data NULL unless their digest is right. */
static es_bytes_t digested(xmlSecDSigCtxPtr context, apr_pool_t *pool)
{
    xmlSecDSigReferenceCtxPtr reference;
    xmlSecBufferPtr buffer;

    if (xmlSecPtrListGetSize(&context->signedInfoReferences) != 1) {
        return es_bytes(NULL, 0);
    }
    reference = xmlSecPtrListGetItem(&context->signedInfoReferences, 0);
    if (!reference || reference->status != xmlSecDSigStatusSucceeded) {
        return es_bytes(NULL, 0);
    }
    buffer = xmlSecDSigReferenceCtxGetPreDigestBuffer(reference);
    if (!buffer || xmlSecBufferGetSize(buffer) == 0) {
        return es_bytes(NULL, 0);
    }
    return es_bytes(apr_pmemdup(pool, xmlSecBufferGetData(buffer), xmlSecBufferGetSize(buffer)),
                    xmlSecBufferGetSize(buffer));
}

typedef enum { VERIFIED, WRONG_KEY, ALTERED, NO_MEMORY } verdict_t;

/* One key, one attempt. A key set before xmlsec starts keeps it from reading KeyInfo at all. The duplicate shares the
 * OpenSSL key by reference and belongs to the context, so that threads do not meet in a structure xmlsec writes to. */
static verdict_t try_key(es_bytes_t *octets, xmlNodePtr signature, const es_key_t *key, apr_pool_t *pool)
{
    xmlSecDSigCtxPtr context = xmlSecDSigCtxCreate(NULL);
    verdict_t verdict = NO_MEMORY;
    es_bytes_t found;
    int rv;

    if (!context) {
        return NO_MEMORY;
    }
    context->signKey = xmlSecKeyDuplicate(key->key);
    if (!context->signKey || !confine(context)) {
        goto out;
    }
    rv = xmlSecDSigCtxVerify(context, signature);
    found = digested(context, pool);
    if (!found.data) {
        verdict = ALTERED;
    } else if (rv < 0 || context->status != xmlSecDSigStatusSucceeded) {
        verdict = WRONG_KEY;
    } else {
        verdict = VERIFIED;
        *octets = found;
    }
out:
    xmlSecDSigCtxDestroy(context);
    return verdict;
}

/* The key that KeyInfo names first, then the others: metadata may list several, in any order. */
static verdict_t try_keys(es_bytes_t *octets, const es_key_t **verified, xmlNodePtr signature, const es_key_t *named,
                          const es_keys_t *keys, apr_pool_t *pool)
{
    verdict_t verdict = named ? try_key(octets, signature, named, pool) : WRONG_KEY;
    int i;

    *verified = named;
    for (i = 0; verdict == WRONG_KEY && i < es_keys_count(keys); i++) {
        *verified = es_keys_at(keys, i);
        if (*verified != named) {
            verdict = try_key(octets, signature, *verified, pool);
        }
    }
    return verdict;
}

static es_rv_t fail_key(es_why_t *why, const char *name, const es_profile_t *profile, const es_key_t *named,
                        const es_keys_t *keys, apr_pool_t *pool)
{
    if (named) {
        return es_fail(why, ES_SIGNATURE_VALUE,
                       "the signature of %.40s does not verify with the certificate %s it names", name,
                       named->thumbprint);
    }
    return es_fail(why, ES_SIGNATURE_KEY_UNKNOWN, "%.40s is signed with certificate %s; configured: %.600s", name,
                   profile->certificate.data ? es_keys_thumbprint(profile->certificate, pool) : "unknown",
                   es_keys_thumbprints(keys, pool));
}

/* With the libraries' complaints caught, and OpenSSL's error queue left as it was: mod_ssl reads the same queue. */
static verdict_t try_keys_quietly(es_bytes_t *octets, const es_key_t **verified, char *complaint, xmlNodePtr signature,
                                  const es_key_t *named, const es_keys_t *keys, apr_pool_t *pool)
{
    xmlStructuredErrorFunc handler = xmlStructuredError;
    void *handler_context = xmlStructuredErrorContext;
    verdict_t verdict;

    *complaint = '\0';
    heard = complaint;
    xmlSetStructuredErrorFunc(NULL, on_libxml_error);
    ERR_set_mark();
    verdict = try_keys(octets, verified, signature, named, keys, pool);
    ERR_pop_to_mark();
    xmlSetStructuredErrorFunc(handler_context, handler);
    heard = NULL;
    return verdict;
}

es_rv_t es_dsig_verify(const es_signed_t **proof, xmlNodePtr element, const es_keys_t *keys, es_why_t *why,
                       apr_pool_t *pool)
{
    const char *name = (const char *)element->name;
    const es_key_t *named, *verified = NULL;
    char complaint[HEARD_MAX];
    es_profile_t profile;
    es_bytes_t octets;
    es_signed_t *made;
    es_rv_t rv = es_profile_read(&profile, element, why, pool);

    if (rv != ES_OK || (rv = register_id(&profile, why, pool)) != ES_OK) {
        return rv;
    }
    named = profile.certificate.data ? es_keys_find(keys, profile.certificate) : NULL;
    switch (try_keys_quietly(&octets, &verified, complaint, profile.signature, named, keys, pool)) {
    case VERIFIED:
        break;
    case WRONG_KEY:
        return fail_key(why, name, &profile, named, keys, pool);
    case ALTERED:
        return es_fail(why, ES_SIGNATURE_DIGEST, "the digest of %.40s is not the signed one%s%s", name,
                       *complaint ? "; " : "", complaint);
    default:
        return es_fail(why, ES_INTERNAL, "xmlsec has no memory to verify a signature");
    }
    made = apr_palloc(pool, sizeof *made);
    made->octets = octets;
    made->thumbprint = verified->thumbprint;
    *proof = made;
    return ES_OK;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

es_rv_t es_dsig_check_ids(const xmlDoc *doc, es_why_t *why, apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 16, sizeof(const char *));
    const xmlNode *root = xmlDocGetRootElement(doc), *node;
    const xmlAttr *attribute;
    int i;

    for (node = root; node; node = es_xml_walk(node, root)) {
        for (attribute = node->properties; attribute; attribute = attribute->next) {
            if (strcasecmp((const char *)attribute->name, "id") == 0) {
                APR_ARRAY_PUSH(ids, const char *) = es_xml_value(attribute, pool);
            }
        }
    }
    qsort(ids->elts, (size_t)ids->nelts, sizeof(const char *), compare_texts);
    for (i = 1; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);

        if (strcmp(id, APR_ARRAY_IDX(ids, i - 1, const char *)) == 0) {
            return es_fail(why, ES_ID_DUPLICATE, "the ID %.200s stands twice", id);
        }
    }
    return ES_OK;
}

es_bytes_t es_signed_octets(const es_signed_t *proof)
{
    return proof->octets;
}

const char *es_signed_thumbprint(const es_signed_t *proof)
{
    return proof->thumbprint;
}
