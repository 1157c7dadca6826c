/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "saml/request.h"

#include "base/codec.h"
#include "saml/sign.h"
#include "xml/datetime.h"
#include "xml/xml.h"

#include <apr_strings.h>
#include <glib.h>
#include <lasso/lasso.h>
#include <lasso/xml/saml-2.0/saml2_name_id.h>
#include <lasso/xml/saml-2.0/samlp2_authn_request.h>
#include <lasso/xml/saml-2.0/samlp2_requested_authn_context.h>
#include <libxml/tree.h>

/* What lasso writes in place of the two values that change, of the same length as these. */
#define ID_MARK "_00000000000000000000000000000000"
#define INSTANT_MARK "0000-00-00T00:00:00Z"

#define NS_METADATA "urn:oasis:names:tc:SAML:2.0:metadata"
#define NS_DSIG "http://www.w3.org/2000/09/xmldsig#"
#define NS_PROTOCOL "urn:oasis:names:tc:SAML:2.0:protocol"
#define BINDING_POST "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
#define BINDING_REDIRECT "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"

/* One AuthnRequest, deflated but for the piece that changes. */
typedef struct {
    es_bytes_t packed;
    apr_size_t piece_at;          /* where that stands in it, as it is */
    const char *piece;            /* from the first of the two values to the end of the other */
    apr_size_t len;               /* of the piece */
    apr_size_t id_at, instant_at; /* where the two values stand in the piece */
} written_t;

struct es_request_t {
    const char *address; /* and its own query, up to where SAMLRequest begins */
    written_t written[ES_REQUEST_KINDS];
    const es_pair_t *pair; /* signs; NULL where requests are not signed */
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

/* The class that means more than one factor at Microsoft. Its page on AuthnRequests does not name it; federations that stand
 * between Entra and others ask so, and get what they ask for. A class that differs from how the user's session at Entra
 * began is refused (AADSTS75011), unless the request has ForceAuthn as well ("Error AADSTS75011"). */
static const char *const multi_factor[] = { "http://schemas.microsoft.com/claims/multipleauthn", NULL };

/* SAML core 3.3.2.2.1; the elements belong to the node. */
static LassoSamlp2RequestedAuthnContext *make_context(const char *const *classes)
{
    LassoSamlp2RequestedAuthnContext *context =
        (LassoSamlp2RequestedAuthnContext *)lasso_samlp2_requested_authn_context_new();

    for (; *classes; classes++) {
        context->AuthnContextClassRef = g_list_append(context->AuthnContextClassRef, g_strdup(*classes));
    }
    context->Comparison = g_strdup("exact");
    return context;
}

static int is_forced(es_request_kind_t kind)
{
    return kind == ES_REQUEST_FRESH || kind == ES_REQUEST_MFA;
}

/* The request as a lasso node with the six things Entra wants. lasso's own profile would add a NameIDPolicy for
 * transient names, which overrides what the administrator chose in the portal, so no profile is used. */
static LassoNode *make_node(const es_request_conf_t *conf, es_request_kind_t kind)
{
    LassoNode *node = lasso_samlp2_authn_request_new();
    LassoSamlp2AuthnRequest *request = (LassoSamlp2AuthnRequest *)node;
    LassoSamlp2RequestAbstract *common = &request->parent;
    LassoSaml2NameID *issuer = (LassoSaml2NameID *)lasso_saml2_name_id_new();
    const char *const *classes = kind == ES_REQUEST_MFA ? multi_factor : conf->authn_contexts;

    issuer->content = g_strdup(conf->entity_id);
    common->ID = g_strdup(ID_MARK);
    common->Version = g_strdup("2.0");
    common->IssueInstant = g_strdup(INSTANT_MARK);
    common->Destination = g_strdup(conf->sso_url);
    common->Issuer = issuer;
    request->AssertionConsumerServiceURL = g_strdup(conf->reply_url);
    request->ForceAuthn = is_forced(kind);
    request->IsPassive = kind == ES_REQUEST_PASSIVE;
    if (classes) {
        request->RequestedAuthnContext = make_context(classes);
    }
    return node;
}

/* lasso writes ForceAuthn="false" and IsPassive="false" whether wanted or not; the defaults of SAML core 3.4.1 need no
 * words. */
static const char *write_request(LassoNode *node, es_request_kind_t kind, apr_pool_t *pool)
{
    xmlNodePtr tree = lasso_node_get_xmlNode(node, FALSE);
    const char *xml = NULL;

    if (tree) {
        if (!is_forced(kind)) {
            xmlUnsetProp(tree, BAD_CAST "ForceAuthn");
        }
        if (kind != ES_REQUEST_PASSIVE) {
            xmlUnsetProp(tree, BAD_CAST "IsPassive");
        }
        xml = es_xml_write(tree, pool);
        xmlFreeNode(tree);
    }
    return xml;
}

/* Deflates everything but the piece with both values: whoever goes to Entra for the first time costs no compression.
 * Returns 0 where the values are not found. The first of each is ours: both attributes stand before every configured
 * value, and a quotation mark cannot stand inside an attribute. */
static int pack(written_t *written, const char *xml, apr_pool_t *pool)
{
    const apr_size_t xml_len = strlen(xml);
    const char *id = strstr(xml, " ID=\"" ID_MARK "\"");
    const char *instant = strstr(xml, " IssueInstant=\"" INSTANT_MARK "\"");
    const char *start, *end;
    char *gapped;

    if (!id || !instant) {
        return 0;
    }
    id += strlen(" ID=\"");
    instant += strlen(" IssueInstant=\"");
    start = id < instant ? id : instant;
    end = id < instant ? instant + strlen(INSTANT_MARK) : id + strlen(ID_MARK);
    written->len = (apr_size_t)(end - start);
    written->piece = apr_pstrmemdup(pool, start, written->len);
    written->id_at = (apr_size_t)(id - start);
    written->instant_at = (apr_size_t)(instant - start);
    gapped = apr_pstrmemdup(pool, xml, xml_len);
    memset(gapped + (start - xml), '\0', written->len);
    written->packed = es_codec_deflate(&written->piece_at, es_bytes(gapped, xml_len), written->len, pool);
    return 1;
}

static es_rv_t write_kind(written_t *written, const es_request_conf_t *conf, es_request_kind_t kind, es_why_t *why,
                          apr_pool_t *pool)
{
    LassoNode *node = make_node(conf, kind);
    const char *xml = write_request(node, kind, pool);

    lasso_node_destroy(node);
    if (!xml || !pack(written, xml, pool)) {
        return es_fail(why, ES_INTERNAL, "lasso wrote no AuthnRequest with ID and IssueInstant");
    }
    return ES_OK;
}

static int are_texts(const char *const *texts)
{
    while (texts && *texts && is_text(*texts)) {
        texts++;
    }
    return !texts || !*texts;
}

es_rv_t es_request_make(es_request_t **request, const es_request_conf_t *conf, es_why_t *why, apr_pool_t *pool)
{
    es_request_t *made = apr_pcalloc(pool, sizeof *made);
    const char *query;
    es_rv_t rv;
    int kind;

    if (!is_text(conf->sso_url) || !is_text(conf->entity_id) || !is_text(conf->reply_url) ||
        !are_texts(conf->authn_contexts)) {
        return es_fail(why, ES_INTERNAL,
                       "address, entity ID, reply URL or a class of the AuthnRequest is not UTF-8 text");
    }
    for (kind = 0; kind < ES_REQUEST_KINDS; kind++) {
        if ((rv = write_kind(&made->written[kind], conf, (es_request_kind_t)kind, why, pool)) != ES_OK) {
            return rv;
        }
    }
    query = strchr(conf->sso_url, '?');
    made->address = apr_pstrcat(pool, conf->sso_url, query ? (query[1] ? "&" : "") : "?", NULL);
    *request = made;
    return ES_OK;
}

void es_request_sign_with(es_request_t *request, const es_pair_t *pair)
{
    request->pair = pair;
}

const char *es_request_id_text(const es_request_id_t *id, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "_", es_codec_hex(es_bytes(id->octet, sizeof id->octet), pool), NULL);
}

es_rv_t es_request_url(const char **url, const es_request_t *request, const es_request_ask_t *ask,
                       const es_request_id_t *id, const char *relay_state, apr_time_t now, es_why_t *why,
                       apr_pool_t *pool)
{
    const written_t *written = &request->written[ask ? ask->kind : ES_REQUEST_PLAIN];
    unsigned char *octets = apr_pmemdup(pool, written->packed.data, written->packed.len);
    const es_bytes_t packed = es_bytes(octets, written->packed.len);
    char *piece = (char *)octets + written->piece_at, instant[ES_DATETIME_LEN];
    const char *query;
    es_rv_t rv;

    memcpy(piece, written->piece, written->len);
    memcpy(piece + written->id_at, es_request_id_text(id, pool), strlen(ID_MARK));
    memcpy(piece + written->instant_at, es_datetime_write(instant, now), strlen(INSTANT_MARK));
    query = apr_pstrcat(pool, "SAMLRequest=", es_codec_url_encode(es_codec_base64_encode(packed, pool), pool),
                        relay_state ? "&RelayState=" : NULL,
                        relay_state ? es_codec_url_encode(relay_state, pool) : NULL, NULL);
    if (request->pair && (rv = es_sign_query(&query, query, request->pair, why, pool)) != ES_OK) {
        return rv;
    }
    query = apr_pstrcat(pool, request->address, query, NULL);
    if (ask && ask->hints && strlen(query) + strlen(ask->hints) <= ES_REQUEST_URL_MAX) {
        query = apr_pstrcat(pool, query, ask->hints, NULL);
    }
    *url = query;
    return ES_OK;
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

/* A certificate of ours (SAML metadata 2.4.1.1). */
static int add_key(xmlNodePtr role, xmlNsPtr ns, const char *use, const es_pair_t *pair)
{
    xmlNodePtr node = xmlNewChild(role, ns, BAD_CAST "KeyDescriptor", NULL), info, data;
    xmlNsPtr dsig;

    if (!node || !xmlNewProp(node, BAD_CAST "use", BAD_CAST use)) {
        return 0;
    }
    info = xmlNewChild(node, NULL, BAD_CAST "KeyInfo", NULL);
    dsig = info ? xmlNewNs(info, BAD_CAST NS_DSIG, BAD_CAST "ds") : NULL;
    if (!dsig) {
        return 0;
    }
    xmlSetNs(info, dsig);
    data = xmlNewChild(info, dsig, BAD_CAST "X509Data", NULL);
    return data && xmlNewChild(data, dsig, BAD_CAST "X509Certificate", BAD_CAST pair->base64);
}

static int add_keys(xmlNodePtr role, xmlNsPtr ns, const char *use, const es_pair_t *const *pairs)
{
    for (; pairs && *pairs; pairs++) {
        if (!add_key(role, ns, use, *pairs)) {
            return 0;
        }
    }
    return 1;
}

/* The schema wants keys first, and SingleLogoutService before AssertionConsumerService (SAML metadata 2.4.2, 2.4.4). */
static int fill_descriptor(xmlNodePtr root, const es_request_sp_t *sp)
{
    const char *is_signing = sp->signing && *sp->signing ? "true" : "false";
    xmlNsPtr ns = xmlNewNs(root, BAD_CAST NS_METADATA, BAD_CAST "md");
    xmlNodePtr role, reply;

    xmlSetNs(root, ns);
    role = ns ? xmlNewChild(root, ns, BAD_CAST "SPSSODescriptor", NULL) : NULL;
    if (!role || !xmlNewProp(root, BAD_CAST "entityID", BAD_CAST sp->entity_id) ||
        !xmlNewProp(role, BAD_CAST "AuthnRequestsSigned", BAD_CAST is_signing) ||
        !xmlNewProp(role, BAD_CAST "WantAssertionsSigned", BAD_CAST "true") ||
        !xmlNewProp(role, BAD_CAST "protocolSupportEnumeration", BAD_CAST NS_PROTOCOL) ||
        !add_keys(role, ns, "signing", sp->signing) || !add_keys(role, ns, "encryption", sp->decryption) ||
        !add_endpoint(role, ns, "SingleLogoutService", BINDING_REDIRECT, sp->logout_url)) {
        return 0;
    }
    reply = add_endpoint(role, ns, "AssertionConsumerService", BINDING_POST, sp->reply_url);
    return reply && xmlNewProp(reply, BAD_CAST "index", BAD_CAST "0") &&
           xmlNewProp(reply, BAD_CAST "isDefault", BAD_CAST "true");
}

es_rv_t es_request_metadata(const char **xml, const es_request_sp_t *sp, es_why_t *why, apr_pool_t *pool)
{
    const char *written = NULL;
    xmlNodePtr root;

    if (!is_text(sp->entity_id) || !is_text(sp->reply_url) || !is_text(sp->logout_url)) {
        return es_fail(why, ES_INTERNAL, "entity ID, reply URL or logout URL of the SP metadata is not UTF-8 text");
    }
    root = xmlNewNode(NULL, BAD_CAST "EntityDescriptor");
    if (root && fill_descriptor(root, sp)) {
        written = es_xml_write(root, pool);
    }
    xmlFreeNode(root);
    if (!written) {
        return es_fail(why, ES_INTERNAL, "libxml2 did not write the SP metadata");
    }
    *xml = apr_pstrcat(pool, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", written, "\n", NULL);
    return ES_OK;
}
