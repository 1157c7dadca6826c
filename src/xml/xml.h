/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one door for XML: the only caller of the libxml2 parser. No DTD, no entities but the five, no network, no huge
 * text, bounded depth; and the walk that everyone uses: by namespace and name, from the root, never by search.
 */
#ifndef ES_XML_H
#define ES_XML_H

#include "base/es.h"

#include <libxml/tree.h>

#define ES_NS_ASSERTION "urn:oasis:names:tc:SAML:2.0:assertion"
#define ES_NS_PROTOCOL "urn:oasis:names:tc:SAML:2.0:protocol"
#define ES_NS_METADATA "urn:oasis:names:tc:SAML:2.0:metadata"
#define ES_NS_DSIG "http://www.w3.org/2000/09/xmldsig#"

/* What kind of document: a message comes from a stranger and may hold no comment, PI or CDATA; metadata was put there
 * by the administrator and may. */
typedef enum { ES_XML_MESSAGE, ES_XML_METADATA } es_xml_kind_t;

/* Beyond these no document is genuine. They bound the time that a stranger's megabyte can cost: libxml2's work on
 * attributes and namespaces is quadratic. The form's own limit is met before MAX_OCTETS. */
#define ES_XML_MAX_OCTETS (4u * 1024 * 1024)
#define ES_XML_MAX_ELEMENTS 50000
#define ES_XML_MAX_DEPTH 32
#define ES_XML_MAX_NAMESPACES 64 /* declared on an element and its ancestors */
#define ES_XML_MAX_ATTRIBUTES 64 /* of one element, namespace declarations included; messages only */

/* Once per configuration pass (libxml2's own state). */
void es_xml_init(void);

/* Parses; the document is freed with the pool. A UTF-8 byte order mark is accepted; encodings other than UTF-8 are not.
 * Namespace-malformed input is refused too. Nothing is ever printed.
 * ES_XML_MALFORMED, ES_XML_DOCTYPE, ES_XML_LIMIT, ES_XML_FORBIDDEN_NODE. */
es_rv_t es_xml_load(xmlDocPtr *doc, es_bytes_t octets, es_xml_kind_t kind, es_why_t *why, apr_pool_t *pool);

/* Is this element {ns}name? NULL is no element. */
int es_xml_is(const xmlNode *node, const char *ns, const char *name);

/* The first child element, the next sibling element; NULL at the end. */
xmlNodePtr es_xml_first(const xmlNode *parent);
xmlNodePtr es_xml_next(const xmlNode *node);

/* Takes the next child off a list of siblings when it is {ns}name; NULL, and nothing taken, when it is another. */
xmlNodePtr es_xml_take(xmlNodePtr *cursor, const char *ns, const char *name);

/* The next element in document order below `top`: a child, else a sibling, else an ancestor's sibling; NULL at the end.
 * Begin with node = top. */
xmlNodePtr es_xml_walk(const xmlNode *node, const xmlNode *top);

/* The child {ns}name: *child = NULL where there is none, the first where there are several; returns how many. */
int es_xml_child(xmlNodePtr *child, const xmlNode *parent, const char *ns, const char *name);

/* An attribute without namespace, copied into the pool; NULL where it is absent. */
const char *es_xml_attribute(const xmlNode *node, const char *name, apr_pool_t *pool);

/* The value of any attribute, copied into the pool. */
const char *es_xml_value(const xmlAttr *attribute, apr_pool_t *pool);

/* The text of an element that has no child elements, exactly as it stands; NULL when it has child elements. "" when
 * empty. */
const char *es_xml_text(const xmlNode *node, apr_pool_t *pool);

/* True when an element holds white space only between its child elements. */
int es_xml_is_element_only(const xmlNode *node);

/* The XML of a tree of ours, without declaration and white space; NULL when libxml2 does not write it. */
const char *es_xml_write(xmlNodePtr tree, apr_pool_t *pool);

#endif
