/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * libxml2 builds the tree. What it would let pass and we do not is caught twice: in the octets of a message, before
 * libxml2 sees them, and in its SAX callbacks, while the document is read. Its first error ends the reading, too: behind
 * one libxml2 goes on to the end, but calls nobody any more, declarations included (the quadratic cost of defaulted
 * attributes among them).
 */
#include "xml/xml.h"

#include <apr_strings.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>

/* Why our callbacks stopped the parser; ES_OK while they did not. */
typedef struct {
    es_rv_t rv;
    const char *what;
    int n_elements;
} guard_t;

void es_xml_init(void)
{
    xmlInitParser();
}

static void stop(void *context, es_rv_t rv, const char *what)
{
    xmlParserCtxtPtr parser = context;
    guard_t *guard = parser->_private;

    if (guard->rv == ES_OK) {
        guard->rv = rv;
        guard->what = what;
    }
    xmlStopParser(parser);
}

/* Called with the name of the DOCTYPE, before its internal subset is read: no entity is ever declared. */
static void on_doctype(void *context, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name;
    (void)external;
    (void)system;
    stop(context, ES_XML_DOCTYPE, "a document type declaration");
}

/* A comment splits the text around it into two nodes; verifiers that canonicalize without comments and readers that
 * stop at the first node have disagreed on names that way (CVE-2017-11427 and its siblings). */
static void on_comment(void *context, const xmlChar *value)
{
    (void)value;
    stop(context, ES_XML_FORBIDDEN_NODE, "a comment");
}

static void on_instruction(void *context, const xmlChar *target, const xmlChar *data)
{
    (void)target;
    (void)data;
    stop(context, ES_XML_FORBIDDEN_NODE, "a processing instruction");
}

static void on_cdata(void *context, const xmlChar *value, int len)
{
    (void)value;
    (void)len;
    stop(context, ES_XML_FORBIDDEN_NODE, "a CDATA section");
}

static void on_element(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_namespaces,
                       const xmlChar **namespaces, int n_attributes, int n_defaulted, const xmlChar **attributes)
{
    xmlParserCtxtPtr parser = context;
    guard_t *guard = parser->_private;

    if (parser->nodeNr >= ES_XML_MAX_DEPTH) {
        stop(context, ES_XML_LIMIT, "elements nested too deeply");
        return;
    }
    if (++guard->n_elements > ES_XML_MAX_ELEMENTS) {
        stop(context, ES_XML_LIMIT, "too many elements");
        return;
    }
    if (parser->nsNr / 2 > ES_XML_MAX_NAMESPACES) { /* libxml2 counts prefix and name */
        stop(context, ES_XML_LIMIT, "too many namespaces");
        return;
    }
    xmlSAX2StartElementNs(context, name, prefix, uri, n_namespaces, namespaces, n_attributes, n_defaulted, attributes);
}

/* The refusal itself is read off the parser by fail_malformed. */
static void on_error(void *context, xmlErrorPtr error)
{
    if (error->level >= XML_ERR_ERROR) {
        xmlStopParser(context);
    }
}

static void set_guards(xmlParserCtxtPtr parser, guard_t *guard, es_xml_kind_t kind)
{
    parser->_private = guard;
    parser->sax->serror = on_error;
    parser->sax->internalSubset = on_doctype;
    parser->sax->startElementNs = on_element;
    if (kind == ES_XML_MESSAGE) {
        parser->sax->comment = on_comment;
        parser->sax->processingInstruction = on_instruction;
        parser->sax->cdataBlock = on_cdata;
    }
}

/* Equals signs outside of quotes, up to the end of the tag. */
static int count_attributes(const unsigned char *at, const unsigned char *end)
{
    int count = 0;

    for (; at < end && *at != '>'; at++) {
        if (*at == '"' || *at == '\'') {
            at = memchr(at + 1, *at, (apr_size_t)(end - at - 1));
            if (!at) {
                return count;
            }
        } else if (*at == '=') {
            count++;
        }
    }
    return count;
}

/* libxml2 compares every attribute of a tag with every other, so that one tag of a megabyte keeps it busy for seconds.
 * Counted here by the equals signs, before it starts. A '<' begins a tag wherever it stands, since it is legal in no
 * value: an odd quote hides nothing behind it. */
static int has_crowded_tag(es_bytes_t octets)
{
    const unsigned char *const end = octets.data + octets.len;
    const unsigned char *at = memchr(octets.data, '<', octets.len);

    while (at) {
        const unsigned char *next = memchr(at + 1, '<', (apr_size_t)(end - at - 1));

        if (count_attributes(at + 1, next ? next : end) > ES_XML_MAX_ATTRIBUTES) {
            return 1;
        }
        at = next;
    }
    return 0;
}

static int starts_with(const unsigned char *at, const unsigned char *end, const char *text)
{
    const apr_size_t len = strlen(text);

    return (apr_size_t)(end - at) >= len && memcmp(at, text, len) == 0;
}

/* A message is elements and text, behind an XML declaration perhaps. In such a document "<!" and "<?" stand nowhere else
 * than where they begin what a message must not hold. */
static es_rv_t check_markup(es_bytes_t octets, es_why_t *why)
{
    const unsigned char *end = octets.data + octets.len, *start = octets.data, *at;

    if (starts_with(start, end, "\xef\xbb\xbf")) { /* the UTF-8 byte order mark */
        start += 3;
    }
    at = starts_with(start, end, "<?xml ") ? start + 1 : start;
    while ((at = memchr(at, '<', (apr_size_t)(end - at))) != NULL && ++at < end) {
        if (starts_with(at, end, "!DOCTYPE")) {
            return es_fail(why, ES_XML_DOCTYPE, "the document holds a document type declaration");
        }
        if (*at == '!' || *at == '?') {
            return es_fail(why, ES_XML_FORBIDDEN_NODE, "the document holds a %s",
                           *at == '?'                         ? "processing instruction"
                           : starts_with(at, end, "!--")      ? "comment"
                           : starts_with(at, end, "![CDATA[") ? "CDATA section"
                                                              : "declaration");
        }
    }
    return ES_OK;
}

/* What can be told from the octets alone. */
static es_rv_t check_octets(es_bytes_t octets, es_xml_kind_t kind, es_why_t *why)
{
    if (octets.len > ES_XML_MAX_OCTETS) {
        return es_fail(why, ES_XML_LIMIT, "a document of %" APR_SIZE_T_FMT " octets, more than %u", octets.len,
                       ES_XML_MAX_OCTETS);
    }
    /* libxml2 takes NUL for the end and would not look at what follows. */
    if (octets.len == 0 || memchr(octets.data, '\0', octets.len)) {
        return es_fail(why, ES_XML_MALFORMED, octets.len == 0 ? "an empty document" : "a NUL octet in the document");
    }
    if (kind == ES_XML_MESSAGE && has_crowded_tag(octets)) {
        return es_fail(why, ES_XML_LIMIT, "an element with more than %d attributes", ES_XML_MAX_ATTRIBUTES);
    }
    return kind == ES_XML_MESSAGE ? check_markup(octets, why) : ES_OK;
}

/* The octets are read as UTF-8 whatever the XML declaration says; where it says something else, the sender and we
 * would not mean the same characters. */
static const char *other_encoding(const xmlParserCtxt *parser)
{
    if (parser->input && parser->input->encoding) {
        return (const char *)parser->input->encoding;
    }
    return parser->encoding && xmlStrcasecmp(parser->encoding, BAD_CAST "UTF-8") != 0 ? (const char *)parser->encoding
                                                                                      : NULL;
}

static es_rv_t fail_malformed(xmlParserCtxtPtr parser, es_why_t *why)
{
    const xmlError *error = xmlCtxtGetLastError(parser);
    char first_line[200];

    apr_cpystrn(first_line, error && error->message ? error->message : "no reason given", sizeof first_line);
    first_line[strcspn(first_line, "\n")] = '\0';
    return es_fail(why, ES_XML_MALFORMED, "line %d: %s", error ? error->line : 0, first_line);
}

static es_rv_t judge(xmlParserCtxtPtr parser, const guard_t *guard, xmlDocPtr parsed, es_why_t *why)
{
    const char *encoding;

    if (guard->rv != ES_OK) {
        return es_fail(why, guard->rv, "the document holds %s", guard->what);
    }
    if (!parsed || !parser->wellFormed || !parser->nsWellFormed) {
        return fail_malformed(parser, why);
    }
    if ((encoding = other_encoding(parser)) != NULL) {
        return es_fail(why, ES_XML_MALFORMED, "the document declares the encoding %.40s, not UTF-8", encoding);
    }
    return ES_OK;
}

static apr_status_t free_doc(void *doc)
{
    xmlFreeDoc(doc);
    return APR_SUCCESS;
}

es_rv_t es_xml_load(xmlDocPtr *doc, es_bytes_t octets, es_xml_kind_t kind, es_why_t *why, apr_pool_t *pool)
{
    const int options =
        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | (kind == ES_XML_METADATA ? XML_PARSE_NOCDATA : 0);
    guard_t guard = { ES_OK, NULL, 0 };
    xmlParserCtxtPtr parser;
    xmlDocPtr parsed;
    es_rv_t rv = check_octets(octets, kind, why);

    if (rv != ES_OK) {
        return rv;
    }
    parser = xmlNewParserCtxt();
    if (!parser) {
        return es_fail(why, ES_INTERNAL, "libxml2 has no memory for a parser");
    }
    set_guards(parser, &guard, kind);
    parsed = xmlCtxtReadMemory(parser, (const char *)octets.data, (int)octets.len, NULL, "UTF-8", options);
    rv = judge(parser, &guard, parsed, why);
    xmlFreeParserCtxt(parser);
    if (rv != ES_OK) {
        xmlFreeDoc(parsed);
        return rv;
    }
    apr_pool_cleanup_register(pool, parsed, free_doc, apr_pool_cleanup_null);
    *doc = parsed;
    return ES_OK;
}

int es_xml_is(const xmlNode *node, const char *ns, const char *name)
{
    return node && node->type == XML_ELEMENT_NODE && node->ns && xmlStrEqual(node->name, BAD_CAST name) &&
           xmlStrEqual(node->ns->href, BAD_CAST ns);
}

static xmlNodePtr element_from(xmlNodePtr node)
{
    while (node && node->type != XML_ELEMENT_NODE) {
        node = node->next;
    }
    return node;
}

xmlNodePtr es_xml_first(const xmlNode *parent)
{
    return element_from(parent->children);
}

xmlNodePtr es_xml_next(const xmlNode *node)
{
    return element_from(node->next);
}

xmlNodePtr es_xml_take(xmlNodePtr *cursor, const char *ns, const char *name)
{
    xmlNodePtr node = *cursor;

    if (!es_xml_is(node, ns, name)) {
        return NULL;
    }
    *cursor = es_xml_next(node);
    return node;
}

xmlNodePtr es_xml_walk(const xmlNode *node, const xmlNode *top)
{
    xmlNodePtr next = es_xml_first(node);

    while (!next && node != top) {
        next = es_xml_next(node);
        node = node->parent;
    }
    return next;
}

int es_xml_child(xmlNodePtr *child, const xmlNode *parent, const char *ns, const char *name)
{
    xmlNodePtr node, found = NULL;
    int count = 0;

    for (node = es_xml_first(parent); node; node = es_xml_next(node)) {
        if (es_xml_is(node, ns, name) && count++ == 0) {
            found = node;
        }
    }
    *child = found;
    return count;
}

/* The text of a node's own children; entity references cannot be among them, since none is ever declared. */
static const char *text_of(const xmlNode *first, apr_pool_t *pool)
{
    const char *text = "";
    const xmlNode *node;

    for (node = first; node; node = node->next) {
        if (node->type == XML_TEXT_NODE) {
            text = *text ? apr_pstrcat(pool, text, (const char *)node->content, NULL)
                         : apr_pstrdup(pool, (const char *)node->content);
        } else if (node->type == XML_ELEMENT_NODE) {
            return NULL;
        }
    }
    return text;
}

const char *es_xml_attribute(const xmlNode *node, const char *name, apr_pool_t *pool)
{
    const xmlAttr *attribute;

    for (attribute = node->properties; attribute; attribute = attribute->next) {
        if (!attribute->ns && strcmp((const char *)attribute->name, name) == 0) {
            return es_xml_value(attribute, pool);
        }
    }
    return NULL;
}

const char *es_xml_value(const xmlAttr *attribute, apr_pool_t *pool)
{
    return text_of(attribute->children, pool);
}

const char *es_xml_text(const xmlNode *node, apr_pool_t *pool)
{
    return text_of(node->children, pool);
}

int es_xml_is_element_only(const xmlNode *node)
{
    const xmlNode *child;

    for (child = node->children; child; child = child->next) {
        if (child->type == XML_TEXT_NODE && !xmlIsBlankNode(child)) {
            return 0;
        }
    }
    return 1;
}

const char *es_xml_write(xmlNodePtr tree, apr_pool_t *pool)
{
    xmlBufferPtr buffer = xmlBufferCreate();
    const char *xml = NULL;

    if (buffer && xmlNodeDump(buffer, NULL, tree, 0, 0) > 0) {
        xml = apr_pstrmemdup(pool, (const char *)xmlBufferContent(buffer), (apr_size_t)xmlBufferLength(buffer));
    }
    xmlBufferFree(buffer);
    return xml;
}
