/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "saml/logout.h"

#include "base/guid.h"
#include "base/url.h"
#include "saml/status.h"
#include "xml/datetime.h"
#include "xml/xml.h"

#include <apr_strings.h>

#define LOGIN_ORIGIN "https://login.microsoftonline.com"
#define ADDRESS_MAX 2048

static es_rv_t fail_shape(es_why_t *why, const xmlNode *node, const xmlNode *parent)
{
    return es_fail(why, ES_LOGOUT_SHAPE, "%.40s in %.40s", node ? (const char *)node->name : "nothing",
                   (const char *)parent->name);
}

static es_rv_t read_time(apr_time_t *out, const xmlNode *root, const char *name, es_why_t *why, apr_pool_t *pool)
{
    es_why_t cause = ES_WHY_INIT;

    if (es_datetime_read(out, es_xml_attribute(root, name, pool), name, &cause) != ES_OK) {
        return es_fail(why, ES_LOGOUT_SHAPE, "%.200s", cause.text);
    }
    return ES_OK;
}

/* What requests and responses have in common (SAML core 3.2.1, 3.2.2). */
static es_rv_t read_head(es_logout_t *made, xmlNodePtr *cursor, const xmlNode *root, es_why_t *why, apr_pool_t *pool)
{
    const char *version = es_xml_attribute(root, "Version", pool);
    xmlNodePtr issuer = es_xml_take(cursor, ES_NS_ASSERTION, "Issuer");

    if (!version || strcmp(version, "2.0") != 0) {
        return es_fail(why, ES_LOGOUT_SHAPE, "the message has version %.20s", version ? version : "none");
    }
    made->id = es_xml_attribute(root, "ID", pool);
    if (!made->id || !*made->id) {
        return es_fail(why, ES_LOGOUT_SHAPE, "the message has no ID");
    }
    if (issuer && !(made->issuer = es_xml_text(issuer, pool))) {
        return fail_shape(why, es_xml_first(issuer), issuer);
    }
    made->destination = es_xml_attribute(root, "Destination", pool);
    es_xml_take(cursor, ES_NS_PROTOCOL, "Extensions");
    return read_time(&made->issue_instant, root, "IssueInstant", why, pool);
}

/* SAML core 3.7.1. */
static es_rv_t read_request(es_logout_t *made, xmlNodePtr cursor, const xmlNode *root, es_why_t *why, apr_pool_t *pool)
{
    xmlNodePtr node = es_xml_take(&cursor, ES_NS_ASSERTION, "NameID");

    if (xmlHasProp(root, BAD_CAST "NotOnOrAfter") &&
        read_time(&made->not_on_or_after, root, "NotOnOrAfter", why, pool) != ES_OK) {
        return why->rv;
    }
    if (!node || !(made->name_id = es_xml_text(node, pool)) || !*made->name_id) {
        return es_fail(why, ES_LOGOUT_SHAPE, "the request has no NameID but %.40s",
                       node     ? "an empty one"
                       : cursor ? (const char *)cursor->name
                                : "nothing");
    }
    while ((node = es_xml_take(&cursor, ES_NS_PROTOCOL, "SessionIndex")) != NULL) {
        const char *index = es_xml_text(node, pool);

        if (!index || made->n_indexes == ES_LOGOUT_INDEXES) {
            return es_fail(why, ES_LOGOUT_SHAPE, "a SessionIndex holds elements, or there are more than %d",
                           ES_LOGOUT_INDEXES);
        }
        made->indexes[made->n_indexes++] = index;
    }
    return cursor ? fail_shape(why, cursor, root) : ES_OK;
}

/* SAML core 3.7.2. */
static es_rv_t read_response(es_logout_t *made, xmlNodePtr cursor, const xmlNode *root, es_why_t *why, apr_pool_t *pool)
{
    const xmlNode *status = es_xml_take(&cursor, ES_NS_PROTOCOL, "Status");

    if (!status || cursor) {
        return fail_shape(why, cursor, root);
    }
    made->in_response_to = es_xml_attribute(root, "InResponseTo", pool);
    return es_status_read(&made->failure, status, ES_LOGOUT_SHAPE, why, pool);
}

es_rv_t es_logout_read(es_logout_t **logout, es_bytes_t message, int is_response, es_why_t *why, apr_pool_t *pool)
{
    es_logout_t *made = apr_pcalloc(pool, sizeof *made);
    es_why_t cause = ES_WHY_INIT;
    const xmlNode *root;
    xmlNodePtr cursor;
    xmlDocPtr doc;
    es_rv_t rv;

    if (es_xml_load(&doc, message, ES_XML_MESSAGE, &cause, pool) != ES_OK) {
        return es_fail(why, ES_LOGOUT_MALFORMED, "%.900s", cause.text);
    }
    root = xmlDocGetRootElement(doc);
    if (!es_xml_is(root, ES_NS_PROTOCOL, is_response ? "LogoutResponse" : "LogoutRequest")) {
        return es_fail(why, ES_LOGOUT_SHAPE, "the document element is {%.200s}%.40s",
                       root->ns ? (const char *)root->ns->href : "", (const char *)root->name);
    }
    if (!es_xml_is_element_only(root)) {
        return es_fail(why, ES_LOGOUT_SHAPE, "there is text between the elements of the message");
    }
    cursor = es_xml_first(root);
    made->is_response = is_response;
    if ((rv = read_head(made, &cursor, root, why, pool)) != ES_OK ||
        (rv = is_response ? read_response(made, cursor, root, why, pool)
                          : read_request(made, cursor, root, why, pool)) != ES_OK) {
        return rv;
    }
    *logout = made;
    return ES_OK;
}

/* The tenant's GUID in an issuer https://HOST/<tenant>/, as it is written; NULL where it has none. */
static const char *tenant_of(const char *issuer, apr_pool_t *pool)
{
    const apr_size_t len = strlen(issuer);
    const char *slash = len > ES_GUID_LEN + 2 ? issuer + len - ES_GUID_LEN - 2 : NULL;
    const char *tenant;

    if (!slash || slash[0] != '/' || issuer[len - 1] != '/') {
        return NULL;
    }
    tenant = apr_pstrmemdup(pool, slash + 1, ES_GUID_LEN);
    return es_guid_read(tenant, pool) ? tenant : NULL;
}

int es_logout_is_from(const es_logout_t *logout, const es_logout_expected_t *expected, apr_pool_t *pool)
{
    const char *tenant = expected->tenant ? expected->tenant : tenant_of(expected->issuer, pool);
    const char *issuer = logout->issuer, *origin = LOGIN_ORIGIN;
    es_why_t ignored = ES_WHY_INIT;
    es_url_t sso;

    if (issuer && strcmp(issuer, expected->issuer) == 0) {
        return 1;
    }
    if (!issuer || !tenant) {
        return 0;
    }
    if (strcmp(issuer, apr_pstrcat(pool, origin, "/", tenant, "/", NULL)) == 0) {
        return 1;
    }
    return es_url_read(&sso, expected->sso_url, ADDRESS_MAX, &ignored, pool) == ES_OK &&
           (origin = es_url_origin(&sso, pool)) != NULL &&
           strcmp(issuer, apr_pstrcat(pool, origin, "/", tenant, "/", NULL)) == 0;
}

static es_rv_t fail_time(es_why_t *why, const char *what, apr_time_t theirs, apr_time_t now, apr_interval_time_t skew)
{
    char their_text[ES_DATETIME_LEN], our_text[ES_DATETIME_LEN];

    return es_fail(why, ES_LOGOUT_STALE, "%s is %s, this server's clock says %s; skew allowed %" APR_INT64_T_FMT, what,
                   es_datetime_write(their_text, theirs), es_datetime_write(our_text, now), apr_time_sec(skew));
}

es_rv_t es_logout_check(apr_time_t *not_after, const es_logout_t *logout, const es_logout_expected_t *expected,
                        apr_time_t now, es_why_t *why, apr_pool_t *pool)
{
    const apr_time_t end = logout->issue_instant + ES_LOGOUT_LIFETIME;
    const apr_time_t until = logout->not_on_or_after && logout->not_on_or_after < end ? logout->not_on_or_after : end;

    if (!es_logout_is_from(logout, expected, pool)) {
        return es_fail(why, ES_LOGOUT_ISSUER, "the message's issuer is %.300s, the expected one %.300s",
                       logout->issuer ? logout->issuer : "missing", expected->issuer);
    }
    if (!logout->destination || strcmp(logout->destination, expected->logout_url) != 0) {
        return es_fail(why, ES_LOGOUT_DESTINATION, "Destination is %.300s, our logout URL is %.300s",
                       logout->destination ? logout->destination : "missing", expected->logout_url);
    }
    if (logout->issue_instant > now + expected->skew) {
        return fail_time(why, "IssueInstant", logout->issue_instant, now, expected->skew);
    }
    if (now >= until + expected->skew) {
        return fail_time(why, until < end ? "NotOnOrAfter" : "IssueInstant",
                         until < end ? until : logout->issue_instant, now, expected->skew);
    }
    *not_after = apr_time_from_sec(apr_time_sec(until + expected->skew + APR_USEC_PER_SEC - 1));
    return ES_OK;
}
