/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Document B: what xmlsec digested, parsed again. Nothing here has seen the document that was posted.
 */
#include "saml/assertion.h"

#include "xml/datetime.h"

#include <apr_strings.h>
#include <apr_tables.h>

#define METHOD_BEARER "urn:oasis:names:tc:SAML:2.0:cm:bearer"

/* What every reader below needs. The lists grow while their elements are met. */
typedef struct {
    es_assertion_t *made;
    apr_array_header_t *confirmations; /* es_confirmation_t */
    apr_array_header_t *restrictions;  /* struct es_audiences_t */
    apr_array_header_t *attributes;    /* es_attribute_t */
    es_why_t *why;
    apr_pool_t *pool;
} reader_t;

static int is(const xmlNode *node, const char *name)
{
    return es_xml_is(node, ES_NS_ASSERTION, name);
}

/* Takes the next child when it is saml:name. */
static xmlNodePtr take(xmlNodePtr *cursor, const char *name)
{
    xmlNodePtr node = *cursor;

    if (!is(node, name)) {
        return NULL;
    }
    *cursor = es_xml_next(node);
    return node;
}

static es_rv_t fail_shape(const reader_t *reader, const xmlNode *node, const char *parent)
{
    return es_fail(reader->why, ES_ASSERTION_SHAPE, "%.40s in %s", node ? (const char *)node->name : "nothing", parent);
}

/* An xs:dateTime attribute that may be absent: *out stays 0 then. */
static es_rv_t read_time(apr_time_t *out, const xmlNode *node, const char *name, const reader_t *reader)
{
    const char *text = es_xml_attribute(node, name, reader->pool);

    return text ? es_datetime_read(out, text, name, reader->why) : ES_OK;
}

/* SAML core 2.4.1.2. NotBefore is read although a bearer confirmation must not have one: check says so by name. */
static es_rv_t read_confirmation_data(es_confirmation_t *confirmation, const xmlNode *data, const reader_t *reader)
{
    es_rv_t rv;

    confirmation->has_data = 1;
    confirmation->in_response_to = es_xml_attribute(data, "InResponseTo", reader->pool);
    confirmation->recipient = es_xml_attribute(data, "Recipient", reader->pool);
    rv = read_time(&confirmation->not_before, data, "NotBefore", reader);
    return rv != ES_OK ? rv : read_time(&confirmation->not_on_or_after, data, "NotOnOrAfter", reader);
}

/* Bearer is the one method of Web browser SSO (SAML profiles 4.1.4.2); others confirm nothing to us. */
static es_rv_t read_confirmation(const xmlNode *node, const reader_t *reader)
{
    const char *method = es_xml_attribute(node, "Method", reader->pool);
    xmlNodePtr data, cursor = es_xml_first(node);
    es_confirmation_t *confirmation;

    if (!method || strcmp(method, METHOD_BEARER) != 0) {
        return ES_OK;
    }
    data = take(&cursor, "SubjectConfirmationData");
    if (cursor) {
        return fail_shape(reader, cursor, "SubjectConfirmation");
    }
    confirmation = apr_array_push(reader->confirmations);
    memset(confirmation, 0, sizeof *confirmation);
    return data ? read_confirmation_data(confirmation, data, reader) : ES_OK;
}

/* SAML core 2.4.1. An encrypted or a BaseID identifier is not read, so it may not stand there either. */
static es_rv_t read_subject(const xmlNode *subject, const reader_t *reader)
{
    xmlNodePtr node, cursor = es_xml_first(subject);
    es_rv_t rv = ES_OK;

    if ((node = take(&cursor, "NameID")) != NULL) {
        reader->made->name_id = es_xml_text(node, reader->pool);
        reader->made->name_id_format = es_xml_attribute(node, "Format", reader->pool);
        if (!reader->made->name_id) {
            return fail_shape(reader, es_xml_first(node), "NameID");
        }
    }
    while (rv == ES_OK && (node = take(&cursor, "SubjectConfirmation")) != NULL) {
        rv = read_confirmation(node, reader);
    }
    return rv == ES_OK && cursor ? fail_shape(reader, cursor, "Subject") : rv;
}

static es_rv_t read_restriction(const xmlNode *restriction, const reader_t *reader)
{
    apr_array_header_t *names = apr_array_make(reader->pool, 1, sizeof(const char *));
    struct es_audiences_t *audiences = apr_array_push(reader->restrictions);
    xmlNodePtr node, cursor = es_xml_first(restriction);
    const char *name;

    while ((node = take(&cursor, "Audience")) != NULL) {
        if (!(name = es_xml_text(node, reader->pool))) {
            return fail_shape(reader, es_xml_first(node), "Audience");
        }
        APR_ARRAY_PUSH(names, const char *) = name;
    }
    audiences->count = names->nelts;
    audiences->names = (const char *const *)names->elts;
    return cursor ? fail_shape(reader, cursor, "AudienceRestriction") : ES_OK;
}

/* SAML core 2.5.1. OneTimeUse is kept by the replay marks, ProxyRestriction binds those who issue assertions of their
 * own; any other condition is noted for check to refuse. */
static es_rv_t read_conditions(const xmlNode *conditions, const reader_t *reader)
{
    es_assertion_t *made = reader->made;
    xmlNodePtr node;
    es_rv_t rv;

    made->has_conditions = 1;
    rv = read_time(&made->not_before, conditions, "NotBefore", reader);
    if (rv == ES_OK) {
        rv = read_time(&made->not_on_or_after, conditions, "NotOnOrAfter", reader);
    }
    for (node = es_xml_first(conditions); rv == ES_OK && node; node = es_xml_next(node)) {
        if (is(node, "AudienceRestriction")) {
            rv = read_restriction(node, reader);
        } else if (!is(node, "OneTimeUse") && !is(node, "ProxyRestriction") && !made->unknown_condition) {
            made->unknown_condition = apr_pstrdup(reader->pool, (const char *)node->name);
        }
    }
    return rv;
}

/* SAML core 2.7.2. Entra sends one; with several it would be unclear which one speaks for the session. */
static es_rv_t read_authn(const xmlNode *statement, const reader_t *reader)
{
    es_assertion_t *made = reader->made;
    xmlNodePtr context, reference, cursor = es_xml_first(statement);
    es_rv_t rv;

    if (made->has_authn_statement) {
        return es_fail(reader->why, ES_ASSERTION_SHAPE, "two AuthnStatements");
    }
    made->has_authn_statement = 1;
    made->session_index = es_xml_attribute(statement, "SessionIndex", reader->pool);
    rv = es_datetime_read(&made->authn_instant, es_xml_attribute(statement, "AuthnInstant", reader->pool),
                          "AuthnInstant", reader->why);
    if (rv != ES_OK ||
        (rv = read_time(&made->session_not_on_or_after, statement, "SessionNotOnOrAfter", reader)) != ES_OK) {
        return rv;
    }
    take(&cursor, "SubjectLocality");
    context = take(&cursor, "AuthnContext");
    if (!context || cursor) {
        return fail_shape(reader, cursor, "AuthnStatement");
    }
    if (es_xml_child(&reference, context, ES_NS_ASSERTION, "AuthnContextClassRef")) {
        made->authn_context = es_xml_text(reference, reader->pool);
    }
    return ES_OK;
}

static es_rv_t read_attribute(const xmlNode *node, const reader_t *reader)
{
    apr_array_header_t *values = apr_array_make(reader->pool, 1, sizeof(const char *));
    es_attribute_t *attribute = apr_array_push(reader->attributes);
    xmlNodePtr child, cursor = es_xml_first(node);
    const char *text;

    attribute->name = es_xml_attribute(node, "Name", reader->pool);
    if (!attribute->name || !*attribute->name) {
        return es_fail(reader->why, ES_ASSERTION_SHAPE, "an Attribute has no Name");
    }
    while ((child = take(&cursor, "AttributeValue")) != NULL) {
        if (!(text = es_xml_text(child, reader->pool))) {
            return fail_shape(reader, es_xml_first(child), "AttributeValue");
        }
        APR_ARRAY_PUSH(values, const char *) = text;
    }
    attribute->count = values->nelts;
    attribute->values = (const char *const *)values->elts;
    return cursor ? fail_shape(reader, cursor, "Attribute") : ES_OK;
}

static es_rv_t read_attributes(const xmlNode *statement, const reader_t *reader)
{
    xmlNodePtr node, cursor = es_xml_first(statement);
    es_rv_t rv = ES_OK;

    while (rv == ES_OK && (node = take(&cursor, "Attribute")) != NULL) {
        rv = read_attribute(node, reader);
    }
    return rv == ES_OK && cursor ? fail_shape(reader, cursor, "AttributeStatement") : rv;
}

/* Version, ID, IssueInstant, Issuer (SAML core 2.3.3). */
static es_rv_t read_head(const xmlNode *root, xmlNodePtr *cursor, const reader_t *reader)
{
    es_assertion_t *made = reader->made;
    const char *version = es_xml_attribute(root, "Version", reader->pool);
    xmlNodePtr issuer = take(cursor, "Issuer");

    if (!version || strcmp(version, "2.0") != 0) {
        return es_fail(reader->why, ES_ASSERTION_VERSION, "the assertion has version %.20s",
                       version ? version : "none");
    }
    made->id = es_xml_attribute(root, "ID", reader->pool);
    if (!made->id || !*made->id) {
        return es_fail(reader->why, ES_ID_MISSING, "the assertion has no ID");
    }
    if (issuer && !(made->issuer = es_xml_text(issuer, reader->pool))) {
        return fail_shape(reader, es_xml_first(issuer), "Issuer");
    }
    return es_datetime_read(&made->issue_instant, es_xml_attribute(root, "IssueInstant", reader->pool), "IssueInstant",
                            reader->why);
}

/* The statements behind Advice, in any order. Authorization decisions are nobody's here. */
static es_rv_t read_statements(xmlNodePtr cursor, const reader_t *reader)
{
    es_rv_t rv = ES_OK;

    for (; rv == ES_OK && cursor; cursor = es_xml_next(cursor)) {
        if (is(cursor, "AuthnStatement")) {
            rv = read_authn(cursor, reader);
        } else if (is(cursor, "AttributeStatement")) {
            rv = read_attributes(cursor, reader);
        } else {
            rv = fail_shape(reader, cursor, "Assertion");
        }
    }
    return rv;
}

static es_rv_t read_root(const xmlNode *root, const reader_t *reader)
{
    xmlNodePtr node, cursor = es_xml_first(root);
    es_rv_t rv = read_head(root, &cursor, reader);

    if (rv == ES_OK && (node = take(&cursor, "Subject")) != NULL) {
        rv = read_subject(node, reader);
    }
    if (rv == ES_OK && (node = take(&cursor, "Conditions")) != NULL) {
        rv = read_conditions(node, reader);
    }
    take(&cursor, "Advice"); /* may be ignored (SAML core 2.6.1) */
    return rv == ES_OK ? read_statements(cursor, reader) : rv;
}

/* The root itself or, where the response was signed, its one Assertion child; the Response around it is not read. */
static es_rv_t find_assertion(xmlNodePtr *found, const xmlDoc *doc, es_why_t *why)
{
    xmlNodePtr node, root = xmlDocGetRootElement(doc), assertion = root;

    if (es_xml_is(root, ES_NS_PROTOCOL, "Response")) {
        if (es_xml_child(&assertion, root, ES_NS_ASSERTION, "Assertion") != 1) {
            return es_fail(why, ES_ASSERTION_SHAPE, "the signed response has no single assertion");
        }
    } else if (!is(root, "Assertion")) {
        return es_fail(why, ES_ASSERTION_SHAPE, "%.40s was signed, not an assertion", (const char *)root->name);
    }
    for (node = assertion; node; node = es_xml_walk(node, assertion)) {
        if (es_xml_first(node) && !es_xml_is_element_only(node)) {
            return es_fail(why, ES_ASSERTION_SHAPE, "text between the elements of %.40s", (const char *)node->name);
        }
    }
    *found = assertion;
    return ES_OK;
}

es_rv_t es_assertion_read(es_assertion_t **assertion, const es_signed_t *proof, es_why_t *why, apr_pool_t *pool)
{
    es_assertion_t *made = apr_pcalloc(pool, sizeof *made);
    reader_t reader = { made,
                        apr_array_make(pool, 1, sizeof(es_confirmation_t)),
                        apr_array_make(pool, 1, sizeof(struct es_audiences_t)),
                        apr_array_make(pool, 16, sizeof(es_attribute_t)),
                        why,
                        pool };
    xmlDocPtr doc;
    xmlNodePtr root = NULL;
    es_rv_t rv;

    if ((rv = es_xml_load(&doc, es_signed_octets(proof), ES_XML_MESSAGE, why, pool)) != ES_OK ||
        (rv = find_assertion(&root, doc, why)) != ES_OK || (rv = read_root(root, &reader)) != ES_OK) {
        return rv;
    }
    made->n_confirmations = reader.confirmations->nelts;
    made->confirmations = (const es_confirmation_t *)reader.confirmations->elts;
    made->n_restrictions = reader.restrictions->nelts;
    made->restrictions = (const struct es_audiences_t *)reader.restrictions->elts;
    made->n_attributes = reader.attributes->nelts;
    made->attributes = (const es_attribute_t *)reader.attributes->elts;
    *assertion = made;
    return ES_OK;
}
