/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "saml/status.h"

#include <apr_lib.h>
#include <apr_strings.h>

/* A message on one line. Of a long one both ends stay: the code stands in front, and what Microsoft's support asks for
 * at the end. */
static const char *shorten(const char *message, apr_pool_t *pool)
{
    enum { START = 300, END = 250 };
    char *text = apr_palloc(pool, strlen(message) + 1), *end = text;

    for (; *message; message++) {
        if (!apr_isspace(*message)) {
            *end++ = *message;
        } else if (end > text && end[-1] != ' ') {
            *end++ = ' ';
        }
    }
    *end = '\0';
    return end - text <= START + END ? text : apr_psprintf(pool, "%.*s ... %s", START, text, end - END);
}

es_rv_t es_status_read(const char **failure, const xmlNode *status, es_rv_t malformed, es_why_t *why, apr_pool_t *pool)
{
    xmlNodePtr code, inner, message;
    const char *value, *inner_value = NULL, *text = NULL;

    *failure = NULL;
    if (es_xml_child(&code, status, ES_NS_PROTOCOL, "StatusCode") != 1) {
        return es_fail(why, malformed, "Status has no single StatusCode");
    }
    value = es_xml_attribute(code, "Value", pool);
    if (value && strcmp(value, ES_STATUS_SUCCESS) == 0) {
        return ES_OK;
    }
    if (es_xml_child(&inner, code, ES_NS_PROTOCOL, "StatusCode")) {
        inner_value = es_xml_attribute(inner, "Value", pool);
    }
    if (es_xml_child(&message, status, ES_NS_PROTOCOL, "StatusMessage")) {
        text = es_xml_text(message, pool);
    }
    *failure = apr_psprintf(pool, "%.100s%s%.100s: %s", value ? value : "without value", inner_value ? ", " : "",
                            inner_value ? inner_value : "", shorten(text ? text : "no message", pool));
    return ES_OK;
}
