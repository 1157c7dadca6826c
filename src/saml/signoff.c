/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "saml/signoff.h"

#include "saml/status.h"

#include "base/codec.h"
#include "saml/sign.h"
#include "xml/datetime.h"
#include "xml/xml.h"

#include <apr_strings.h>
#include <glib.h>
#include <lasso/lasso.h>
#include <lasso/xml/saml-2.0/saml2_name_id.h>
#include <lasso/xml/saml-2.0/samlp2_logout_request.h>
#include <lasso/xml/saml-2.0/samlp2_logout_response.h>
#include <lasso/xml/saml-2.0/samlp2_status.h>
#include <lasso/xml/saml-2.0/samlp2_status_code.h>

es_rv_t es_signoff_init(es_why_t *why)
{
    const es_signoff_t nobody = { "https://localhost/", "urn:nobody", NULL };
    const es_signoff_user_t user = { "nobody", "urn:none", "none" };
    const char *url;
    apr_pool_t *pool;
    es_rv_t rv;

    apr_pool_create(&pool, NULL);
    rv = es_signoff_request(&url, &nobody, &user, "_0", NULL, 0, why, pool);
    if (rv == ES_OK) {
        rv = es_signoff_response(&url, &nobody, "_0", "_0", NULL, 0, why, pool);
    }
    apr_pool_destroy(pool);
    return rv;
}

static LassoSaml2NameID *make_name(const char *text, const char *format)
{
    LassoSaml2NameID *name = (LassoSaml2NameID *)lasso_saml2_name_id_new();

    name->content = g_strdup(text);
    name->Format = format && *format ? g_strdup(format) : NULL;
    return name;
}

/* The redirect address (SAML bindings 3.4.4.1), the message being `node`, which goes. */
static es_rv_t make_url(const char **url, LassoNode *node, const char *parameter, const es_signoff_t *signoff,
                        const char *relay_state, es_why_t *why, apr_pool_t *pool)
{
    const char *own = strchr(signoff->slo_url, '?'), *xml = NULL, *query;
    xmlNodePtr tree = lasso_node_get_xmlNode(node, FALSE);
    apr_size_t no_gap;
    es_bytes_t packed;
    es_rv_t rv;

    if (tree) {
        xml = es_xml_write(tree, pool);
        xmlFreeNode(tree);
    }
    lasso_node_destroy(node);
    if (!xml) {
        return es_fail(why, ES_INTERNAL, "lasso wrote no message for %s", parameter);
    }
    packed = es_codec_deflate(&no_gap, es_bytes_of(xml), 0, pool);
    query = apr_pstrcat(pool, parameter, "=", es_codec_url_encode(es_codec_base64_encode(packed, pool), pool),
                        relay_state ? "&RelayState=" : NULL,
                        relay_state ? es_codec_url_encode(relay_state, pool) : NULL, NULL);
    if (signoff->pair && (rv = es_sign_query(&query, query, signoff->pair, why, pool)) != ES_OK) {
        return rv;
    }
    *url = apr_pstrcat(pool, signoff->slo_url, own ? (own[1] ? "&" : "") : "?", query, NULL);
    return ES_OK;
}

es_rv_t es_signoff_request(const char **url, const es_signoff_t *signoff, const es_signoff_user_t *user, const char *id,
                           const char *relay_state, apr_time_t now, es_why_t *why, apr_pool_t *pool)
{
    LassoNode *node = lasso_samlp2_logout_request_new();
    LassoSamlp2LogoutRequest *request = (LassoSamlp2LogoutRequest *)node;
    char instant[ES_DATETIME_LEN];

    request->parent.ID = g_strdup(id);
    request->parent.Version = g_strdup("2.0");
    request->parent.IssueInstant = g_strdup(es_datetime_write(instant, now));
    request->parent.Destination = g_strdup(signoff->slo_url);
    request->parent.Issuer = make_name(signoff->entity_id, NULL);
    request->NameID = make_name(user->name_id, user->format);
    request->SessionIndex = *user->session_index ? g_strdup(user->session_index) : NULL;
    return make_url(url, node, "SAMLRequest", signoff, relay_state, why, pool);
}

es_rv_t es_signoff_response(const char **url, const es_signoff_t *signoff, const char *in_response_to, const char *id,
                            const char *relay_state, apr_time_t now, es_why_t *why, apr_pool_t *pool)
{
    LassoNode *node = lasso_samlp2_logout_response_new();
    LassoSamlp2StatusResponse *response = &((LassoSamlp2LogoutResponse *)node)->parent;
    char instant[ES_DATETIME_LEN];

    response->ID = g_strdup(id);
    response->InResponseTo = g_strdup(in_response_to);
    response->Version = g_strdup("2.0");
    response->IssueInstant = g_strdup(es_datetime_write(instant, now));
    response->Destination = g_strdup(signoff->slo_url);
    response->Issuer = make_name(signoff->entity_id, NULL);
    response->Status = (LassoSamlp2Status *)lasso_samlp2_status_new();
    response->Status->StatusCode = (LassoSamlp2StatusCode *)lasso_samlp2_status_code_new();
    response->Status->StatusCode->Value = g_strdup(ES_STATUS_SUCCESS);
    return make_url(url, node, "SAMLResponse", signoff, relay_state, why, pool);
}
