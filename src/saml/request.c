/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "saml/request.h"

#include "base/codec.h"
#include "xml/datetime.h"
#include "xml/xml.h"

#include <apr_strings.h>
#include <glib.h>
#include <lasso/lasso.h>
#include <lasso/xml/saml-2.0/saml2_name_id.h>
#include <lasso/xml/saml-2.0/samlp2_authn_request.h>
#include <libxml/tree.h>

/* What lasso writes in place of the two values that change, of the same length as these. */
#define ID_MARK "_00000000000000000000000000000000"
#define INSTANT_MARK "0000-00-00T00:00:00Z"

#define NS_METADATA "urn:oasis:names:tc:SAML:2.0:metadata"
#define NS_PROTOCOL "urn:oasis:names:tc:SAML:2.0:protocol"
#define BINDING_POST "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
#define BINDING_REDIRECT "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"

struct es_request_t {
    const char *url; /* the address and its query up to and with "SAMLRequest=" */
    const char *xml;
    apr_size_t len;
    apr_size_t id_at, instant_at; /* where the two values stand in it */
};

es_rv_t es_request_init(es_why_t *why)
{
    const int rc = lasso_init();

    if (rc != 0) {
        return es_fail(why, ES_INTERNAL, "lasso_init returned %d", rc);
    }
    return ES_OK;
}

/* libxml2 writes to stderr what it cannot encode; such text never gets that far. */
static int is_text(const char *text)
{
    return text && *text && xmlCheckUTF8((const unsigned char *)text);
}

/* The request as a lasso node with the six things Entra wants. lasso's own profile would add a NameIDPolicy for
 * transient names, which overrides what the administrator chose in the portal, so no profile is used. */
static LassoNode *make_node(const char *sso_url, const char *entity_id, const char *reply_url)
{
    LassoNode *node = lasso_samlp2_authn_request_new();
    LassoSamlp2AuthnRequest *request = (LassoSamlp2AuthnRequest *)node;
    LassoSamlp2RequestAbstract *common = &request->parent;
    LassoSaml2NameID *issuer = (LassoSaml2NameID *)lasso_saml2_name_id_new();

    issuer->content = g_strdup(entity_id);
    common->ID = g_strdup(ID_MARK);
    common->Version = g_strdup("2.0");
    common->IssueInstant = g_strdup(INSTANT_MARK);
    common->Destination = g_strdup(sso_url);
    common->Issuer = issuer;
    request->AssertionConsumerServiceURL = g_strdup(reply_url);
    return node;
}

/* lasso writes ForceAuthn="false" and IsPassive="false" whether wanted or not; the defaults of SAML core 3.4.1 need no
 * words. */
static const char *write_request(LassoNode *node, apr_pool_t *pool)
{
    xmlNodePtr tree = lasso_node_get_xmlNode(node, FALSE);
    const char *xml = NULL;

    if (tree) {
        xmlUnsetProp(tree, BAD_CAST "ForceAuthn");
        xmlUnsetProp(tree, BAD_CAST "IsPassive");
        xml = es_xml_write(tree, pool);
        xmlFreeNode(tree);
    }
    return xml;
}

es_rv_t es_request_make(es_request_t **request, const char *sso_url, const char *entity_id, const char *reply_url,
                        es_why_t *why, apr_pool_t *pool)
{
    es_request_t *made = apr_pcalloc(pool, sizeof *made);
    const char *id, *instant, *query = strchr(sso_url, '?');
    LassoNode *node;

    if (!is_text(sso_url) || !is_text(entity_id) || !is_text(reply_url)) {
        return es_fail(why, ES_INTERNAL, "address, entity ID or reply URL of the AuthnRequest is not UTF-8 text");
    }
    node = make_node(sso_url, entity_id, reply_url);
    made->xml = write_request(node, pool);
    lasso_node_destroy(node);
    /* The first of each is ours: both attributes stand before every configured value, and a quotation mark cannot stand
     * inside an attribute. */
    id = made->xml ? strstr(made->xml, " ID=\"" ID_MARK "\"") : NULL;
    instant = made->xml ? strstr(made->xml, " IssueInstant=\"" INSTANT_MARK "\"") : NULL;
    if (!id || !instant) {
        return es_fail(why, ES_INTERNAL, "lasso wrote no AuthnRequest with ID and IssueInstant");
    }
    made->len = strlen(made->xml);
    made->id_at = (apr_size_t)(id - made->xml) + strlen(" ID=\"");
    made->instant_at = (apr_size_t)(instant - made->xml) + strlen(" IssueInstant=\"");
    made->url = apr_pstrcat(pool, sso_url, query ? (query[1] ? "&" : "") : "?", "SAMLRequest=", NULL);
    *request = made;
    return ES_OK;
}

const char *es_request_id_text(const es_request_id_t *id, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "_", es_codec_hex(es_bytes(id->octet, sizeof id->octet), pool), NULL);
}

const char *es_request_url(const es_request_t *request, const es_request_id_t *id, const char *relay_state,
                           apr_time_t now, apr_pool_t *pool)
{
    char *xml = apr_pstrmemdup(pool, request->xml, request->len), instant[ES_DATETIME_LEN];
    es_bytes_t packed;

    memcpy(xml + request->id_at, es_request_id_text(id, pool), strlen(ID_MARK));
    memcpy(xml + request->instant_at, es_datetime_write(instant, now), strlen(INSTANT_MARK));
    packed = es_codec_deflate(es_bytes(xml, request->len), pool);
    return apr_pstrcat(pool, request->url, es_codec_url_encode(es_codec_base64_encode(packed, pool), pool),
                       relay_state ? "&RelayState=" : NULL, relay_state ? es_codec_url_encode(relay_state, pool) : NULL,
                       NULL);
}

/* An endpoint of the SP role. */
static xmlNodePtr add_endpoint(xmlNodePtr role, xmlNsPtr ns, const char *name, const char *binding,
                               const char *location)
{
    xmlNodePtr node = xmlNewChild(role, ns, BAD_CAST name, NULL);

    if (!node || !xmlNewProp(node, BAD_CAST "Binding", BAD_CAST binding) ||
        !xmlNewProp(node, BAD_CAST "Location", BAD_CAST location)) {
        return NULL;
    }
    return node;
}

/* The schema wants SingleLogoutService before AssertionConsumerService (SAML metadata 2.4.2, 2.4.4). */
static int fill_descriptor(xmlNodePtr root, const char *entity_id, const char *reply_url, const char *logout_url)
{
    xmlNsPtr ns = xmlNewNs(root, BAD_CAST NS_METADATA, BAD_CAST "md");
    xmlNodePtr role, reply;

    xmlSetNs(root, ns);
    role = ns ? xmlNewChild(root, ns, BAD_CAST "SPSSODescriptor", NULL) : NULL;
    if (!role || !xmlNewProp(root, BAD_CAST "entityID", BAD_CAST entity_id) ||
        !xmlNewProp(role, BAD_CAST "AuthnRequestsSigned", BAD_CAST "false") ||
        !xmlNewProp(role, BAD_CAST "WantAssertionsSigned", BAD_CAST "true") ||
        !xmlNewProp(role, BAD_CAST "protocolSupportEnumeration", BAD_CAST NS_PROTOCOL) ||
        !add_endpoint(role, ns, "SingleLogoutService", BINDING_REDIRECT, logout_url)) {
        return 0;
    }
    reply = add_endpoint(role, ns, "AssertionConsumerService", BINDING_POST, reply_url);
    return reply && xmlNewProp(reply, BAD_CAST "index", BAD_CAST "0") &&
           xmlNewProp(reply, BAD_CAST "isDefault", BAD_CAST "true");
}

es_rv_t es_request_metadata(const char **xml, const char *entity_id, const char *reply_url, const char *logout_url,
                            es_why_t *why, apr_pool_t *pool)
{
    const char *written = NULL;
    xmlNodePtr root;

    if (!is_text(entity_id) || !is_text(reply_url) || !is_text(logout_url)) {
        return es_fail(why, ES_INTERNAL, "entity ID, reply URL or logout URL of the SP metadata is not UTF-8 text");
    }
    root = xmlNewNode(NULL, BAD_CAST "EntityDescriptor");
    if (root && fill_descriptor(root, entity_id, reply_url, logout_url)) {
        written = es_xml_write(root, pool);
    }
    xmlFreeNode(root);
    if (!written) {
        return es_fail(why, ES_INTERNAL, "libxml2 did not write the SP metadata");
    }
    *xml = apr_pstrcat(pool, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", written, "\n", NULL);
    return ES_OK;
}
