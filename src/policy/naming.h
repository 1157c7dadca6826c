/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names that an administrator may choose for what an application gets: of headers, of variables, and what all of them
 * begin with. A client's headers by these names are removed from every request, and the variables reach programs, so
 * that neither may be a name which httpd, HTTP or the loader of programs give a meaning.
 */
#ifndef ES_NAMING_H
#define ES_NAMING_H

#include "base/es.h"

/* Longest name, and longest beginning of names. */
#define ES_NAMING_MAX 64

/* All of them: ES_CONFIG_NAME. */

/* A token (RFC 9110 section 5.6.2) of at most ES_NAMING_MAX characters, and no header of HTTP, of a proxy, or of a
 * browser. */
es_rv_t es_naming_check_header(const char *name, es_why_t *why);
/* The same for what names begin with: at least three characters of which the last is '-' or '_'; no such header may begin
 * with it. */
es_rv_t es_naming_check_header_prefix(const char *prefix, es_why_t *why);

/* Letters, digits and _, not beginning with a digit, at most ES_NAMING_MAX of them; nothing that CGI (RFC 3875 section
 * 4.1), httpd, a loader, a shell or an interpreter reads, and nothing that looks like a header of the above. */
es_rv_t es_naming_check_variable(const char *name, es_why_t *why);
/* At least three characters of which the last is _. */
es_rv_t es_naming_check_variable_prefix(const char *prefix, es_why_t *why);

#endif
