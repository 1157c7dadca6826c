/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The walk goes from the root by namespace and name and takes what it knows; all else (the WS-Federation roles, the
 * document's own signature, extensions) is passed over. The document is the administrator's, so nothing in it is
 * verified but its shape: integrity comes from where it was fetched (Microsoft, "Federation metadata").
 */
#include "entra/metadata.h"

#include "base/codec.h"
#include "base/guid.h"
#include "base/url.h"
#include "xml/xml.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <strings.h>

#define BINDING_REDIRECT "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
#define ISSUER_MAX 1024 /* SAML core 8.3.6 */
#define LOCATION_MAX 1024

/* protocolSupportEnumeration is a list of URIs with white space between them (SAML metadata 2.4.1). */
static int holds_word(const char *list, const char *word)
{
    const apr_size_t len = strlen(word);
    apr_size_t n;

    for (; *list; list += n) {
        list += strspn(list, " \t\r\n");
        n = strcspn(list, " \t\r\n");
        if (n == len && memcmp(list, word, len) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The one SAML 2.0 identity provider role. */
static es_rv_t find_role(xmlNodePtr *role, const xmlNode *root, es_why_t *why, apr_pool_t *pool)
{
    xmlNodePtr node, found = NULL;

    for (node = es_xml_first(root); node; node = es_xml_next(node)) {
        const char *protocols;

        if (!es_xml_is(node, ES_NS_METADATA, "IDPSSODescriptor")) {
            continue;
        }
        protocols = es_xml_attribute(node, "protocolSupportEnumeration", pool);
        if (!protocols || !holds_word(protocols, ES_NS_PROTOCOL)) {
            continue;
        }
        if (found) {
            return es_fail(why, ES_METADATA_INVALID, "the metadata has two SAML 2.0 IDPSSODescriptor elements");
        }
        found = node;
    }
    if (!found) {
        return es_fail(why, ES_METADATA_NO_ROLE, "the metadata has no IDPSSODescriptor for SAML 2.0");
    }
    *role = found;
    return ES_OK;
}

static int is_endpoint(const char *location, apr_pool_t *pool)
{
    es_why_t why = ES_WHY_INIT;
    es_url_t url;

    return es_url_read(&url, location, LOCATION_MAX, &why, pool) == ES_OK && url.scheme && url.host && *url.host &&
           strcmp(url.scheme, "https") == 0 && !url.user && !url.fragment;
}

/* The first https address of a service with the HTTP-Redirect binding, exactly as written; NULL where there is none. */
static const char *find_endpoint(const xmlNode *role, const char *service, apr_pool_t *pool)
{
    xmlNodePtr node;

    for (node = es_xml_first(role); node; node = es_xml_next(node)) {
        const char *binding, *location;

        if (!es_xml_is(node, ES_NS_METADATA, service)) {
            continue;
        }
        binding = es_xml_attribute(node, "Binding", pool);
        location = es_xml_attribute(node, "Location", pool);
        if (binding && location && strcmp(binding, BINDING_REDIRECT) == 0 && is_endpoint(location, pool)) {
            return location;
        }
    }
    return NULL;
}

/* xs:base64Binary allows white space, and re-formatted documents have it; our decoder does not. */
static es_bytes_t without_space(const char *text, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, strlen(text) + 1);
    apr_size_t len = 0;

    for (; *text; text++) {
        if (!apr_isspace(*text)) {
            out[len++] = *text;
        }
    }
    return es_bytes(out, len);
}

/* A certificate that is no usable key is counted, and remembered as the cause should there be no other. */
static void add_certificate(es_keys_t *keys, int *n_skipped, const xmlNode *node, es_why_t *cause, apr_pool_t *pool)
{
    const char *text = es_xml_text(node, pool);
    es_why_t why = ES_WHY_INIT;
    es_bytes_t der;
    es_rv_t rv;

    if (!text) {
        rv = es_fail(&why, ES_METADATA_NO_KEY, "an X509Certificate holds other elements");
    } else if ((rv = es_codec_base64_decode(&der, without_space(text, pool), &why, pool)) == ES_OK) {
        rv = es_keys_add(keys, der, &why);
    }
    if (rv != ES_OK) {
        ++*n_skipped;
        es_fail(cause, ES_METADATA_NO_KEY, "%.900s", why.text);
    }
}

/* The certificates of one KeyDescriptor: the first of each X509Data. Others beside it are the chain it was issued by
 * (XML-DSig 4.5.4), and what an issuer signs is not what the identity provider signs. */
static void add_keys(es_keys_t *keys, int *n_skipped, const xmlNode *descriptor, es_why_t *cause, apr_pool_t *pool)
{
    xmlNodePtr info, data, certificate;

    if (es_xml_child(&info, descriptor, ES_NS_DSIG, "KeyInfo") != 1) {
        return;
    }
    for (data = es_xml_first(info); data; data = es_xml_next(data)) {
        if (!es_xml_is(data, ES_NS_DSIG, "X509Data")) {
            continue;
        }
        for (certificate = es_xml_first(data); certificate; certificate = es_xml_next(certificate)) {
            if (es_xml_is(certificate, ES_NS_DSIG, "X509Certificate")) {
                add_certificate(keys, n_skipped, certificate, cause, pool);
                break;
            }
        }
    }
}

/* Every KeyDescriptor that is for signing or does not say (SAML metadata 2.4.1.1). */
static es_rv_t load_keys(es_metadata_t *metadata, const xmlNode *role, es_why_t *why, apr_pool_t *pool)
{
    es_keys_t *keys = es_keys_make(pool);
    es_why_t cause = ES_WHY_INIT;
    xmlNodePtr node;

    for (node = es_xml_first(role); node; node = es_xml_next(node)) {
        const char *use;

        if (!es_xml_is(node, ES_NS_METADATA, "KeyDescriptor")) {
            continue;
        }
        use = es_xml_attribute(node, "use", pool);
        if (!use || strcmp(use, "signing") == 0) {
            add_keys(keys, &metadata->n_skipped, node, &cause, pool);
        }
    }
    if (es_keys_count(keys) == 0) {
        return es_fail(why, ES_METADATA_NO_KEY, "the IDPSSODescriptor has no usable signing certificate%s%.900s",
                       cause.rv == ES_OK ? "" : ": ", cause.text);
    }
    metadata->keys = keys;
    return ES_OK;
}

/* The entityID is what Entra will call itself: an opaque string, kept as it stands. */
static es_rv_t read_issuer(const char **issuer, const xmlNode *root, es_why_t *why, apr_pool_t *pool)
{
    const char *text = es_xml_attribute(root, "entityID", pool);
    const unsigned char *c;

    if (!text || !*text || strlen(text) > ISSUER_MAX) {
        return es_fail(why, ES_METADATA_INVALID, "the EntityDescriptor has no entityID of 1 to %d octets", ISSUER_MAX);
    }
    for (c = (const unsigned char *)text; *c; c++) {
        if (*c <= 0x20 || *c == 0x7f) {
            return es_fail(why, ES_METADATA_INVALID, "the entityID holds white space");
        }
    }
    *issuer = text;
    return ES_OK;
}

static es_rv_t read_document(es_metadata_t *metadata, const xmlNode *root, es_why_t *why, apr_pool_t *pool)
{
    xmlNodePtr role = NULL;
    es_rv_t rv;

    if (!es_xml_is(root, ES_NS_METADATA, "EntityDescriptor")) {
        return es_fail(why, ES_METADATA_INVALID,
                       "the document element is %.100s, not EntityDescriptor of SAML metadata",
                       (const char *)root->name);
    }
    if ((rv = read_issuer(&metadata->issuer, root, why, pool)) != ES_OK ||
        (rv = find_role(&role, root, why, pool)) != ES_OK) {
        return rv;
    }
    metadata->sso_url = find_endpoint(role, "SingleSignOnService", pool);
    if (!metadata->sso_url) {
        return es_fail(why, ES_METADATA_NO_ENDPOINT,
                       "the IDPSSODescriptor has no https SingleSignOnService with the HTTP-Redirect binding");
    }
    metadata->slo_url = find_endpoint(role, "SingleLogoutService", pool);
    return load_keys(metadata, role, why, pool);
}

es_rv_t es_metadata_load(es_metadata_t **metadata, es_bytes_t document, es_why_t *why, apr_pool_t *pool)
{
    es_metadata_t *read = apr_pcalloc(pool, sizeof *read);
    es_why_t malformed = ES_WHY_INIT;
    xmlDocPtr doc;
    apr_pool_t *scratch;
    es_rv_t rv;

    apr_pool_create(&scratch, pool);
    rv = es_xml_load(&doc, document, ES_XML_METADATA, &malformed, scratch);
    if (rv != ES_OK) {
        rv = es_fail(why, ES_METADATA_INVALID, "%.900s", malformed.text);
    } else {
        rv = read_document(read, xmlDocGetRootElement(doc), why, pool);
    }
    apr_pool_destroy(scratch);
    if (rv == ES_OK) {
        *metadata = read;
    }
    return rv;
}

/* https://sts.windows.net/<tenant>/, https://sts.chinacloudapi.cn/<tenant>/: between slashes, whatever the host. */
static int names_tenant(const char *issuer, const char *tenant)
{
    apr_size_t len;

    for (; *issuer; issuer += len) {
        issuer += strspn(issuer, "/");
        len = strcspn(issuer, "/");
        if (len == ES_GUID_LEN && strncasecmp(issuer, tenant, len) == 0) {
            return 1;
        }
    }
    return 0;
}

es_rv_t es_metadata_check(const es_metadata_t *metadata, const char *tenant, const char *issuer, es_why_t *why,
                          apr_pool_t *pool)
{
    const char *guid = tenant ? es_guid_read(tenant, pool) : NULL;

    if (guid && !names_tenant(metadata->issuer, guid)) {
        return es_fail(why, ES_METADATA_TENANT, "the metadata's issuer is %.300s, the tenant is to be %s",
                       metadata->issuer, guid);
    }
    if (issuer && strcmp(metadata->issuer, issuer) != 0) {
        return es_fail(why, ES_METADATA_ISSUER, "the metadata's issuer is %.300s, it was %.300s", metadata->issuer,
                       issuer);
    }
    return ES_OK;
}
